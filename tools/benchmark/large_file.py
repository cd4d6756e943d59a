"""In a fresh process: the export of a day whose one file is large.

Prints the seconds, the most memory that the process has ever had, and the bytes, as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time

from export_utterances.handler import handler

DAY = "2026-11-01"


class Context:
    """Lambda's context object, of an invocation that has just begun."""

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


if __name__ == "__main__":
    began = time.perf_counter()
    answer = handler({"from": DAY, "to": DAY}, Context())
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak_bytes = peak if sys.platform == "darwin" else peak * 1024
    print(json.dumps({"seconds": seconds, "peak_bytes": peak_bytes, "bytes": answer["bytes"]}))
