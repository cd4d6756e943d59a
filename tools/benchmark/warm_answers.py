"""In one process: the whole start handler, and the bare round trips that it cannot do without.

After each new contact the same requests go out again, byte for byte, on connections that
``http.client`` keeps open. Prints the medians in milliseconds as JSON.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import ssl
import statistics
import time
from urllib.parse import urlsplit

from start_streaming.handler import handler
from tools.benchmark.first_answer import Context, contact_event
from tools.benchmark.servers import Request, take_requests

CONTACTS = 500
UNCOUNTED = 50


def start(number: int) -> float:
    event = contact_event(f"c-{number}")
    began = time.perf_counter()
    answer = handler(event, Context())
    seconds = time.perf_counter() - began
    if answer["status"] != "started":
        raise SystemExit(f"the handler answered {answer}")
    return seconds


class RoundTrips:
    """Requests that were sent once, to be sent again on one connection a server."""

    def __init__(self, requests: list[Request], urls: list[str]) -> None:
        connections: dict[str, http.client.HTTPConnection] = {}
        for parts in map(urlsplit, urls):
            if parts.scheme == "https":
                tls = ssl.create_default_context()
                connections[parts.netloc] = http.client.HTTPSConnection(parts.netloc, context=tls)
            else:
                connections[parts.netloc] = http.client.HTTPConnection(parts.netloc)
        self._sends = []
        for request in requests:
            headers = {name.lower(): value for name, value in request["headers"].items()}
            body = request["body"].encode()
            self._sends.append((connections[headers["host"]], request["path"], body, headers))

    def measure(self) -> float:
        began = time.perf_counter()
        statuses = set()
        for connection, path, body, headers in self._sends:
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            response.read()
            statuses.add(response.status)
        seconds = time.perf_counter() - began
        if statuses != {200}:
            raise SystemExit(f"the bare round trips were answered {statuses}")
        return seconds


def main() -> None:
    # The handler's log lines are made and written, as in Lambda; only nobody reads them.
    logging.basicConfig(level=logging.INFO, filename=os.devnull)
    aws, asapp = os.environ["AWS_ENDPOINT_URL"], os.environ["ASAPP_API_HOST"]
    start(0)  # reads the secret and opens the connections
    take_requests(aws)
    start(1)
    requests = take_requests(aws)
    bare = RoundTrips(requests, [aws, asapp])
    whole_ms, bare_ms = [], []
    for number in range(2, 2 + UNCOUNTED + CONTACTS):
        whole_ms.append(start(number) * 1000)
        bare_ms.append(bare.measure() * 1000)
    figures = {
        "whole_ms": statistics.median(whole_ms[UNCOUNTED:]),
        "bare_ms": statistics.median(bare_ms[UNCOUNTED:]),
        "round_trips": [request["name"] for request in requests],
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
