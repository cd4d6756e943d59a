"""``make who-read``: both records are asked, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from read_live import handler as read_live
from read_transcript import handler as read_transcript
from shared.live.viewer import Viewer
from shared.transcripts.transcript import Transcript
from tools.who_read.__main__ import main

REGION = "eu-central-1"
ADA = "arn:aws:sts::333333333333:assumed-role/Analyst/ada"
NOW_MS = 1_795_000_000_000
KNOWN = Transcript("c-1", "ended", "complete", {}, ())


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("logs", region_name=REGION)
        for name in ("api-record", "page-record"):
            client.create_log_group(logGroupName=name)
            client.create_log_stream(logGroupName=name, logStreamName="one")
        yield client


def deploy(stack: str, **outputs: str) -> None:
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    name = f"autotranscribe-prod-{stack}"
    formation = boto3.client("cloudformation", region_name=REGION)
    formation.create_stack(StackName=name, TemplateBody=json.dumps(template))


class Reader:
    def __init__(self, found: Transcript | None) -> None:
        self.found = found

    def read(self, conversation_id: str) -> Transcript | None:
        return self.found


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """What the functions log, as Lambda writes it."""
    fields = ("event", "viewer", "conversationId", "contactId", "allowed", "address")
    return [{name: vars(each).get(name) for name in fields} for each in caplog.records]


def asked_for(wanted: str, user: str | None = ADA) -> dict[str, Any]:
    return {
        "pathParameters": {"conversationId": wanted},
        "requestContext": {"identity": {"userArn": user, "sourceIp": "203.0.113.7"}},
    }


def put(client: Any, group: str, said: list[dict[str, Any]], at_ms: int) -> None:
    client.put_log_events(
        logGroupName=group,
        logStreamName="one",
        logEvents=[{"timestamp": at_ms, "message": json.dumps(each)} for each in said],
    )


def test_readers_by_the_api_and_on_the_page_are_told_in_order(
    logs: Any, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("INFO")
    viewer = Viewer(subject="8f3a", name="grace", is_supervisor=True)
    read_live._record(viewer, "c-1", allowed=True)
    read_live._record(viewer, "c-2", allowed=True)
    put(logs, "page-record", lines(caplog), NOW_MS - 60_000)
    caplog.clear()
    reader: Any = Reader(KNOWN)
    read_transcript.answer(asked_for("leg-2"), reader, is_recorded=True)
    put(logs, "api-record", lines(caplog)[:1], NOW_MS - 30_000)
    deploy("transcription", TranscriptRecordLogs="api-record")
    deploy("live", RecordLogs="page-record")
    by_page = "2026-11-18 11:05:40 UTC  8f3a  read it on the page"
    by_api = f"2026-11-18 11:06:10 UTC  {ADA}  read it by the API"
    assert main(["prod", "c-1"], NOW_MS + 40_000) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split("  ", 1)[1] for line in said[:2]] == [
        line.split("  ", 1)[1] for line in (by_page, by_api)
    ]
    assert "CloudTrail" in said[2]
    assert main(["prod", "leg-2"], NOW_MS + 40_000) == 0
    assert capsys.readouterr().out.splitlines() == said  # the line by leg-2 names the conversation


def test_an_id_that_no_line_has_is_not_said_to_be_that_of_a_call_that_nobody_has_read(
    logs: Any, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may be a later contact of a call that was read by the conversation's own id."""
    caplog.set_level("INFO")
    reader: Any = Reader(KNOWN)
    read_transcript.answer(asked_for("c-1"), reader, is_recorded=True)
    put(logs, "api-record", lines(caplog)[:1], NOW_MS - 30_000)
    deploy("transcription", TranscriptRecordLogs="api-record")
    assert main(["prod", "leg-2"], NOW_MS) == 0
    said = capsys.readouterr().out
    assert said.startswith(
        "No reading by leg-2 is recorded in 365 days. If that is a later contact"
    )
    assert "give\nthe conversation's id, that of its first contact: it alone finds all" in said
    assert "obody" not in said


def test_without_a_live_page_or_an_environment_with_records_it_says_what_it_knows(
    logs: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy("transcription")
    assert main(["prod", "c-1"], NOW_MS) == 0
    assert "No reading by c-1 is recorded" in capsys.readouterr().out
    assert main(["dev", "c-1"], NOW_MS) == 0
    assert 'write [audit] mode = "on"' in capsys.readouterr().out


@pytest.mark.parametrize("contact", ['c-1" || $.a = "b', "", "*"])
def test_what_is_no_contact_is_asked_of_nobody(
    contact: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prod", contact]) == 2
    assert "CONTACT" in capsys.readouterr().err


def test_the_record_names_what_is_known_and_nothing_that_a_stranger_writes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    known: Any = Reader(KNOWN)
    unknown: Any = Reader(None)
    read_transcript.answer(asked_for("leg-2"), known, is_recorded=True)
    read_transcript.answer(asked_for("my card is 4111"), unknown, is_recorded=True)
    read_transcript.answer(asked_for("leg-2", user=None), known, is_recorded=True)
    recorded = [each for each in lines(caplog) if each["event"] == "transcript_read"]
    expected = {
        "event": "transcript_read",
        "viewer": ADA,
        "address": "203.0.113.7",
        "conversationId": "c-1",
        "contactId": "leg-2",
        "allowed": True,
    }
    nothing = {"conversationId": "", "contactId": "", "allowed": False}
    assert recorded == [expected, expected | nothing, expected | {"viewer": ""}]


def test_without_the_setting_no_reader_is_named(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    known: Any = Reader(KNOWN)
    read_transcript.answer(asked_for("leg-2"), known)
    assert "ada" not in str([vars(each) for each in caplog.records])
