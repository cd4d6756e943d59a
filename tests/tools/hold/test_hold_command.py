"""``make hold``: a signed request to the API that the stack names, and what a person is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.running_server import running
from tools.hold.__main__ import main

HELD = {"conversationId": "c-1", "heldBy": "arn:aws:iam::333333333333:user/ada", "heldAt": 5}
LIFTED = {**HELD, "liftedBy": "arn:aws:iam::333333333333:user/ada", "liftedAt": 6}


class Api(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str, str]] = []
        self.answers: list[tuple[int, object]] = [(200, HELD)]


class _Handler(BaseHTTPRequestHandler):
    def do_PUT(self) -> None:
        server: Any = self.server
        authorization = self.headers["Authorization"].split(" ")[0:2]
        server.asked.append((self.command, self.path, " ".join(authorization)))
        status, content = server.answers[0] if len(server.answers) == 1 else server.answers.pop(0)
        body = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_DELETE = do_PUT

    def log_message(self, format: str, *args: object) -> None:
        """Not on the screen."""


@pytest.fixture
def api() -> Iterator[Api]:
    with running(Api()) as server:
        yield server


@pytest.fixture
def session(api: Api) -> Callable[..., Any]:
    from botocore.credentials import Credentials

    outputs = {
        "TranscriptUrl": f"http://127.0.0.1:{api.server_address[1]}/v1"
        "/conversations/{conversationId}/transcript"
    }

    class Formation:
        def describe_stacks(self, StackName: str) -> dict[str, Any]:
            assert StackName == "autotranscribe-prod-transcription"
            listed = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
            return {"Stacks": [{"Outputs": listed}]}

    class Session:
        def __init__(self, region_name: str) -> None:
            self.region_name = region_name

        def client(self, _name: str) -> Formation:
            return Formation()

        def get_credentials(self) -> Credentials:
            return Credentials("AKIDEXAMPLE", "secret")

    return Session


def test_it_holds_with_a_signed_request_and_says_what_is_not_held(
    api: Api, session: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prod", "c-1"], session) == 0
    ((method, path, signed),) = api.asked
    assert (method, path) == ("PUT", "/v1/conversations/c-1/hold")
    assert signed.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert signed.endswith("/eu-central-1/execute-api/aws4_request,")
    said = capsys.readouterr().out
    assert '"heldBy": "arn:aws:iam::333333333333:user/ada"' in said
    assert "Not held: the export's files" in said


def test_it_lifts(
    api: Api, session: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    api.answers = [(200, LIFTED)]
    assert main(["prod", "c-1", "--undo"], session) == 0
    assert api.asked[0][0] == "DELETE"
    assert "not within a day" in capsys.readouterr().out


def test_a_long_call_is_asked_for_again(api: Api, session: Callable[..., Any]) -> None:
    api.answers = [(503, {"error": "again"}), (503, {"error": "again"}), (200, HELD)]
    assert main(["prod", "c-1"], session) == 0
    assert len(api.asked) == 3


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((404, {"error": "no conversation has this id"}), "no conversation has this id"),
        ((409, {"error": "the conversation was erased"}), "erased"),
        ((403, {"Message": "not authorized"}), "execute-api:Invoke"),
        ((503, {"error": "ask again"}), "ask again"),
        ((502, "<html>"), "502"),
    ],
)
def test_what_is_not_held_is_said(
    answer: tuple[int, object],
    told: str,
    api: Api,
    session: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    api.answers = [answer]
    assert main(["prod", "c-1"], session) == 1
    captured = capsys.readouterr()
    assert told in captured.out + captured.err


def test_what_is_no_contact_is_asked_of_nobody(api: Api, session: Callable[..., Any]) -> None:
    assert main(["prod", "../c"], session) == 2
    assert main(["nowhere", "c-1"], session) == 2
    assert api.asked == []
