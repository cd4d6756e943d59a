"""AWS's protocols from moto, on a real socket."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from tests.running_server import running

Environ = dict[str, Any]
App = Callable[[Environ, Callable[..., Any]], Any]


class _Backends(DomainDispatcherApplication):  # type: ignore[misc]
    """moto would list its folders and try hundreds of patterns at each request."""

    @cache  # noqa: B019 - there is one, and few hosts
    def get_backend_for_host(self, host: str | None) -> Any:
        return super().get_backend_for_host(host)


_app: App = _Backends(create_backend_app)
_one_at_a_time = threading.Lock()


def moto(environ: Environ, start_response: Callable[..., Any]) -> list[bytes]:
    """One request at a time: moto fails if it gets a transaction while it works on another."""
    with _one_at_a_time:
        return list(_app(environ, start_response))


class _Handler(BaseHTTPRequestHandler):
    """Unlike werkzeug's own server it keeps connections open, and writes each answer at once."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def handle_expect_100(self) -> bool:
        super().handle_expect_100()
        self.wfile.flush()  # botocore waits a second for it
        return True

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        url = urlsplit(self.path)
        environ: Environ = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(url.path, "latin-1"),
            "RAW_URI": self.path,
            "REQUEST_URI": self.path,
            "QUERY_STRING": url.query,
            "SERVER_PROTOCOL": self.request_version,
            "SERVER_NAME": self.server.server_address[0],
            "SERVER_PORT": str(self.server.server_address[1]),
            "REMOTE_ADDR": self.client_address[0],
            "CONTENT_LENGTH": str(length),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(self.rfile.read(length)),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in self.headers.items():
            key = name.upper().replace("-", "_")
            environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
        said: list[Any] = []
        body = b"".join(self.server.app(environ, lambda *given: said.extend(given)))
        status, headers = said[:2]
        code, _, reason = status.partition(" ")
        self.send_response_only(int(code), reason)
        for name, value in headers:
            if name.lower() not in ("content-length", "connection"):
                self.send_header(name, value)
        if self.command == "HEAD":
            told = next((v for n, v in headers if n.lower() == "content-length"), "0")
            self.send_header("Content-Length", told)
            body = b""
        elif int(code) not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = _answer

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    request_queue_size = 512

    def __init__(self, app: App) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.app = app


@contextmanager
def serving(app: App = moto) -> Iterator[str]:
    """A server for the time of ``with``.

    :returns: Its URL.
    """
    with running(_Server(app)) as server:
        yield f"http://127.0.0.1:{server.server_port}"
