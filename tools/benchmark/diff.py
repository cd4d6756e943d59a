"""``make diff`` beside one synth of all environments, on this machine: budget 3 times.

``python -m tools.benchmark.diff`` alternates the two. The synth is the cheapest there is: one
process for all environments, with no check of the templates.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.diff import revisions

ROOT = Path(__file__).parents[2]
ROUNDS = 5


def synth() -> float:
    head = revisions.head(ROOT)
    began = time.perf_counter()
    with TemporaryDirectory() as folder:
        revisions.synthesise({head: head.environments(None)}, Path(folder))
    return time.perf_counter() - began


def diff() -> float:
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "tools.diff", "--base", "HEAD"], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    if done.returncode == 2:
        raise SystemExit("tools.diff failed")
    return time.perf_counter() - began


def main() -> None:
    rounds = [(synth(), diff()) for _ in range(ROUNDS)]
    one, whole = (statistics.median(seconds) for seconds in zip(*rounds, strict=True))
    ratio = whole / one
    met = "met" if ratio <= 3 else "not met"
    print(f"synth {one:.2f} s, diff {whole:.2f} s, ratio {ratio:.2f}; budget 3: {met}")


if __name__ == "__main__":
    main()
