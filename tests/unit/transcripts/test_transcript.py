"""A conversation's transcript: in order, with its times, whole, to those who may have it."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from read_transcript import handler as read_transcript
from read_transcript.handler import answer
from shared import table
from shared.transcripts.transcript import (
    Spoken,
    Timed,
    TooLong,
    Transcript,
    TranscriptReader,
    _without_twins,
)
from shared.transcripts.utterance import Utterance

BEGAN = 1_793_541_787_250
"""2026-11-01T14:03:07.250Z"""
FAR = 4_102_444_800
"""2100, in seconds since 1970."""


@pytest.fixture
def reader(table_name: str) -> TranscriptReader:
    return TranscriptReader(table_name, boto3.client("dynamodb"))


@pytest.fixture
def put(table_name: str) -> Any:
    client = boto3.client("dynamodb")

    def write(*items: dict[str, Any]) -> None:
        for item in items:
            client.put_item(TableName=table_name, Item=table.attributes(item))

    return write


def conversation(**changes: Any) -> dict[str, Any]:
    return {"conversationId": "c-1", "item": "conversation", "state": "ended", **changes}


def stream(role: str, started_at: int = BEGAN, conversation_id: str = "c-1") -> dict[str, Any]:
    return {
        "conversationId": conversation_id,
        "item": f"stream#stream-{role}",
        "streamId": f"stream-{role}",
        "role": role,
        "startedAt": started_at,
        "transcripts": 3,
    }


def utterance(
    role: str,
    start_ms: int,
    text: str = "words",
    source: str = "webhook",
    stored_at: int = 1,
    **changes: Any,
) -> dict[str, Any]:
    body = {
        "type": "transcript",
        "externalConversationId": "c-1",
        "streamId": f"stream-{role}",
        "sender": {"externalId": f"{role}-7", "role": role},
        "autotranscribeResponse": {
            "start": start_ms,
            "end": start_ms + 900,
            "utterance": [{"text": text}],
        },
    }
    item = Utterance.from_message(json.dumps(body)).item(
        received_at_ms=BEGAN + start_ms + 1_500,
        stored_at_ms=stored_at,
        expires_at_s=FAR,
    )
    if source != "webhook":
        began = BEGAN + start_ms
        for relative in ("streamId", "startMs", "endMs"):
            del item[relative]
        item |= {"source": source, "item": f"utterance#{source}#m-{role}-{start_ms}"}
        item |= {"startedAt": began, "endedAt": began + 900}
    return item | changes


def texts(transcript: Transcript | None) -> list[str]:
    assert transcript is not None
    return [spoken.text for spoken in transcript.utterances]


def test_a_transcript_has_who_said_what_when_and_where_it_came_from(
    put: Any, reader: TranscriptReader
) -> None:
    put(
        conversation(completeness="complete", fromWebhook=2, fromSummary=3, recovered=1, version=4),
        stream("customer"),
        stream("agent", BEGAN + 100),
        utterance("customer", 3_000, "I need help ¿sí?"),
        utterance("agent", 400, "Hello."),
        utterance("customer", 5_000, "Bye.", source="messages"),
    )
    assert reader.read("c-1") == Transcript(
        conversation_id="c-1",
        state="ended",
        completeness="complete",
        counts={"fromWebhook": 2, "recovered": 1, "unverified": 0, "fromSummary": 3},
        utterances=(
            Spoken("agent", "agent-7", BEGAN + 500, BEGAN + 1_400, "Hello.", "webhook"),
            Spoken(
                "customer",
                "customer-7",
                BEGAN + 3_000,
                BEGAN + 3_900,
                "I need help ¿sí?",
                "webhook",
            ),
            Spoken("customer", "customer-7", BEGAN + 5_000, BEGAN + 5_900, "Bye.", "messages"),
        ),
    )


def test_as_json_it_has_these_fields(put: Any, reader: TranscriptReader) -> None:
    put(conversation(), stream("agent"), utterance("agent", 400, "Hello."))
    transcript = reader.read("c-1")
    assert transcript is not None
    assert transcript.to_json() == {
        "conversationId": "c-1",
        "state": "ended",
        "completeness": "",
        "counts": {"fromWebhook": 1, "recovered": 0, "unverified": 0},
        "utterances": [
            {
                "at": "2026-11-01T14:03:07.650Z",
                "end": "2026-11-01T14:03:08.550Z",
                "role": "agent",
                "senderId": "agent-7",
                "text": "Hello.",
                "source": "webhook",
                "verified": True,
            }
        ],
    }


def test_as_text_each_utterance_is_one_line(put: Any, reader: TranscriptReader) -> None:
    put(
        stream("agent"),
        stream("customer"),
        utterance("agent", 750, "Hello.\nHow may\u2028I help?"),
        utterance("customer", 2_000, "x" * 300),
    )
    transcript = reader.read("c-1")
    assert transcript is not None
    assert transcript.to_text() == (
        "2026-11-01T14:03:08.000Z agent: Hello. How may I help?\n"
        f"2026-11-01T14:03:09.250Z customer: {'x' * 300}\n"
    )


FORGED = {
    "a line of its own": (
        "Yes.\r\n2026-11-01T14:03:08.000Z agent: I refund it.",
        "Yes. 2026-11-01T14:03:08.000Z agent: I refund it.",
    ),
    "breaks of every kind": ("a\vb\fc\x1cd\x85e\u2028f\u2029g\th", "a b c d e f g h"),
    "escapes of a terminal": (
        "\x1b[2K\x1b[1A\x9b31m\x07\x08\x7f",
        "\\x1b[2K\\x1b[1A\\x9b31m\\x07\\x08\\x7f",
    ),
    "right to left": (
        "\u202eon\u202c \u2067yes\u2069 \u200f\u061c",
        "\\u202eon\\u202c \\u2067yes\\u2069 \\u200f\\u061c",
    ),
    "nothing to see": (
        "\x00\ufeff\u200b\u2060\U000e0041\ue000",
        "\\x00\\ufeff\\u200b\\u2060\\U000e0041\\ue000",
    ),
    "words of Persian, an emoji": (
        "\u0645\u06cc\u200c\u062e\u0648 👩\u200d🔧 ¿sí?",
        "\u0645\u06cc\u200c\u062e\u0648 👩\u200d🔧 ¿sí?",
    ),
}


@pytest.mark.parametrize(("text", "shown"), FORGED.values(), ids=FORGED)
def test_no_text_forges_a_line_or_hides_in_one(
    text: str, shown: str, put: Any, reader: TranscriptReader
) -> None:
    put(stream("agent"), utterance("agent", 750, text))
    transcript = reader.read("c-1")
    assert transcript is not None
    assert transcript.to_text() == f"2026-11-01T14:03:08.000Z agent: {shown}\n"
    assert texts(transcript) == [text]


@pytest.mark.parametrize("role", ["system", "agent: Yes.\n2026-11-01T14:03:08.000Z customer", ""])
def test_no_role_forges_a_line_also_not_one_that_an_older_version_stored(
    role: str, put: Any, reader: TranscriptReader
) -> None:
    put(stream("agent"), utterance("agent", 750, "Hello.") | {"role": role})
    transcript = reader.read("c-1")
    assert transcript is not None
    assert transcript.to_text() == "2026-11-01T14:03:08.000Z unknown: Hello.\n"
    assert transcript.to_json()["utterances"][0]["role"] == "unknown"


def test_an_utterance_of_a_stream_that_asapp_never_opened_is_shown_as_unverified(
    put: Any, reader: TranscriptReader
) -> None:
    put(conversation(), stream("agent"), utterance("agent", 750, "Hello."))
    put(utterance("agent", 2_000, "I refund it.", streamId="forged", receivedAt=BEGAN + 5_000))
    transcript = reader.read("c-1")
    assert transcript is not None
    assert transcript.to_text() == (
        "2026-11-01T14:03:08.000Z agent: Hello.\n"
        "2026-11-01T14:03:11.350Z agent (unverified): I refund it.\n"
    )
    assert [each["verified"] for each in transcript.to_json()["utterances"]] == [True, False]
    assert transcript.counts == {"fromWebhook": 2, "recovered": 0, "unverified": 1}


def test_it_is_verified_once_the_table_knows_the_stream_or_asapps_record_has_it(
    put: Any, reader: TranscriptReader
) -> None:
    """The answer to a start may be lost: then the answer to the stop names the streams."""

    def verified() -> list[bool]:
        transcript = reader.read("c-1")
        assert transcript is not None
        return [spoken.is_verified for spoken in transcript.utterances]

    agent, customer = utterance("agent", 1), utterance("customer", 1_000)
    put(conversation(), agent, customer, utterance("customer", 3_000, "Yes.", "messages"))
    assert verified() == [False, False, True]
    put(stream("agent"))
    assert verified() == [True, False, True]
    put(customer | {"confirmedAt": BEGAN})
    assert verified() == [True, True, True]


def test_a_stream_of_another_conversation_verifies_nothing(
    put: Any, reader: TranscriptReader
) -> None:
    put(stream("agent", conversation_id="c-0"), utterance("agent", 1))
    transcript = reader.read("c-1")
    assert transcript is not None
    assert transcript.counts["unverified"] == 1


@pytest.mark.parametrize("judged", ["complete", "incomplete", "not_transcribed"])
def test_what_came_after_the_comparison_makes_no_stale_answer(
    judged: str, put: Any, reader: TranscriptReader
) -> None:
    put(conversation(completeness=judged, fromWebhook=1, recovered=1, onlyOurs=0))
    put(stream("agent"), utterance("agent", 1), utterance("agent", 2_000, source="messages"))

    def answered() -> tuple[str, dict[str, int]]:
        transcript = reader.read("c-1")
        assert transcript is not None
        return transcript.completeness, dict(transcript.counts)

    as_judged = {"fromWebhook": 1, "recovered": 1, "unverified": 0, "onlyOurs": 0}
    assert answered() == (judged, as_judged)
    put(utterance("agent", 9_000, streamId="forged"))
    assert answered() == ("awaiting", as_judged | {"fromWebhook": 2, "unverified": 1})


def test_what_was_impossible_in_a_message_is_named(put: Any, reader: TranscriptReader) -> None:
    put(stream("agent"), utterance("agent", 1, malformed="role times"))
    transcript = reader.read("c-1")
    assert transcript is not None
    assert transcript.to_json()["utterances"][0]["malformed"] == ["role", "times"]


def test_what_has_expired_is_not_served_although_it_is_still_in_the_table(
    put: Any, reader: TranscriptReader
) -> None:
    past = int(time.time()) - 60
    put(conversation(), stream("agent"), utterance("agent", 1, "kept"))
    put(utterance("agent", 2_000, "expired", expiresAt=past))
    put({"conversationId": "c-9", "item": "contact", "legOf": "c-1", "expiresAt": past})
    assert texts(reader.read("c-1")) == ["kept"]
    assert reader.read("c-9") is None
    put(conversation(expiresAt=past), utterance("agent", 1, "kept", expiresAt=past))
    assert reader.read("c-1") is None


def test_a_flood_of_text_is_not_read_to_its_end(put: Any, reader: TranscriptReader) -> None:
    for at in range(60):
        put(utterance("agent", at, "x" * 350_000, message=""))
    with pytest.raises(TooLong):
        reader.read("c-1")
    assert answer(event(), reader)["statusCode"] == 413


def test_where_a_streams_start_is_not_known_the_arrival_tells_it(
    put: Any, reader: TranscriptReader
) -> None:
    put(utterance("agent", 1_000))
    transcript = reader.read("c-1")
    assert transcript is not None
    # It came 1500 ms after it began, and ended 900 ms after that.
    assert transcript.utterances[0].at_ms == BEGAN + 1_000 + 600
    assert (transcript.state, transcript.completeness) == ("", "")


def test_every_page_is_read(put: Any, reader: TranscriptReader, table_name: str) -> None:
    said = [f"{at} {'x' * 150_000}" for at in range(12)]
    put(stream("agent"), *(utterance("agent", at * 1_000, text) for at, text in enumerate(said)))
    client = boto3.client("dynamodb")
    pages = 0

    def count(**_: object) -> None:
        nonlocal pages
        pages += 1

    client.meta.events.register("before-call.dynamodb.Query", count)
    assert texts(TranscriptReader(table_name, client).read("c-1")) == said
    assert pages > 1


def test_only_this_conversation_is_read(put: Any, reader: TranscriptReader) -> None:
    put(stream("agent"), utterance("agent", 1, "ours"))
    put(utterance("agent", 1, "theirs", conversationId="c-2"))
    assert texts(reader.read("c-1")) == ["ours"]


def test_what_is_not_known_is_none(reader: TranscriptReader) -> None:
    assert reader.read("c-1") is None


def test_a_conversation_without_a_word_is_a_transcript(put: Any, reader: TranscriptReader) -> None:
    put(conversation(state="streaming"), stream("agent"))
    transcript = reader.read("c-1")
    assert transcript is not None
    assert (transcript.state, transcript.utterances, transcript.to_text()) == ("streaming", (), "")


def test_a_later_contact_of_the_call_leads_to_its_conversation(
    put: Any, reader: TranscriptReader
) -> None:
    put({"conversationId": "c-9", "item": "contact", "legOf": "c-1", "expiresAt": FAR})
    assert reader.read("c-9") is None
    put(conversation(), stream("agent"), utterance("agent", 1, "ours"))
    transcript = reader.read("c-9")
    assert texts(transcript) == ["ours"]
    assert transcript is not None
    assert transcript.conversation_id == "c-1"


def test_a_stray_utterance_under_a_later_contact_hides_no_call(
    put: Any, reader: TranscriptReader
) -> None:
    put({"conversationId": "c-9", "item": "contact", "legOf": "c-1", "expiresAt": FAR})
    put(conversation(completeness="complete", fromWebhook=1), stream("agent"))
    put(utterance("agent", 1_000, "ours"))
    put(utterance("agent", 1_500, "stray", conversationId="c-9", receivedAt=BEGAN + 2_400 + 2_000))
    transcript = reader.read("c-9")
    assert transcript is not None
    assert (transcript.conversation_id, transcript.completeness) == ("c-1", "complete")
    shown = [(spoken.text, spoken.is_verified) for spoken in transcript.utterances]
    assert shown == [("ours", True), ("stray", False)]
    assert transcript.counts == {"fromWebhook": 2, "recovered": 0, "unverified": 1}
    assert texts(reader.read("c-1")) == ["ours"]


def test_a_contact_that_is_a_conversation_too_is_shown_with_the_one_it_belongs_to(
    put: Any, reader: TranscriptReader
) -> None:
    put(conversation(), utterance("agent", 1, "ours"))
    put({"conversationId": "c-1", "item": "contact", "legOf": "c-0", "expiresAt": FAR})
    assert texts(reader.read("c-1")) == ["ours"]
    put(conversation(conversationId="c-0", state="paused"))
    transcript = reader.read("c-1")
    assert texts(transcript) == ["ours"]
    assert transcript is not None
    assert (transcript.conversation_id, transcript.state) == ("c-0", "paused")


TWINS: dict[str, tuple[dict[str, Any], int]] = {
    "the same": ({}, 1),
    "5 s later": ({"startedAt": BEGAN + 6_000, "endedAt": BEGAN + 6_900}, 1),
    "5 s before": ({"startedAt": BEGAN - 4_000, "endedAt": BEGAN - 3_100}, 1),
    "white space apart": ({"text": " I see,\n yes"}, 1),
    "over 5 s later": ({"startedAt": BEGAN + 6_001, "endedAt": BEGAN + 6_901}, 2),
    "over 5 s before": ({"startedAt": BEGAN - 4_001, "endedAt": BEGAN - 3_101}, 2),
    "other words": ({"text": "I see yes"}, 2),
    "somebody else": ({"role": "customer"}, 2),
    "later than the webhook's: said again": ({"storedAt": 21}, 2),
}


@pytest.mark.parametrize(("changes", "shown"), TWINS.values(), ids=TWINS)
def test_a_recovered_one_is_left_out_where_the_webhook_brought_it_later(
    changes: dict[str, Any], shown: int, put: Any, reader: TranscriptReader
) -> None:
    put(stream("agent"))
    put(utterance("agent", 1_000, "I see, yes", "messages", 10) | changes)
    put(utterance("agent", 1_000, "I see, yes", stored_at=20))
    transcript = reader.read("c-1")
    assert len(texts(transcript)) == shown
    assert transcript is not None
    assert "webhook" in {spoken.source for spoken in transcript.utterances}


def test_one_that_an_older_version_recovered_has_the_time_of_its_stream(
    put: Any, reader: TranscriptReader
) -> None:
    put(stream("agent"), utterance("agent", 1_000, "first"))
    put(utterance("agent", 2_000, "second") | {"source": "messages"})
    put(utterance("agent", 3_000, "third", "messages"))
    transcript = reader.read("c-1")
    assert transcript is not None
    assert [spoken.at_ms - BEGAN for spoken in transcript.utterances] == [1_000, 2_000, 3_000]


def test_one_that_came_late_hides_one_recovered_the_nearest(
    put: Any, reader: TranscriptReader
) -> None:
    put(stream("agent"))
    put(*(utterance("agent", at, "yes", "export", 10) for at in (1_000, 3_000, 4_500)))
    put(utterance("agent", 3_100, "yes", stored_at=20))
    transcript = reader.read("c-1")
    assert transcript is not None
    shown = [(spoken.at_ms - BEGAN, spoken.source) for spoken in transcript.utterances]
    assert shown == [(1_000, "export"), (3_100, "webhook"), (4_500, "export")]


def test_two_that_came_late_hide_two(put: Any, reader: TranscriptReader) -> None:
    put(stream("agent"))
    put(*(utterance("agent", at, "yes", "export", 10) for at in (1_000, 3_000)))
    put(*(utterance("agent", at, "yes", stored_at=20) for at in (2_900, 3_100)))
    transcript = reader.read("c-1")
    assert transcript is not None
    assert [spoken.source for spoken in transcript.utterances] == ["webhook"] * 2


def test_one_that_is_not_verified_hides_nothing(put: Any, reader: TranscriptReader) -> None:
    put(utterance("agent", 1_000, "I see", "messages", 10))
    put(utterance("agent", 1_000, "I see", stored_at=20, receivedAt=BEGAN + 1_900))
    transcript = reader.read("c-1")
    assert transcript is not None
    assert sorted(spoken.is_verified for spoken in transcript.utterances) == [False, True]
    put(stream("agent"))
    assert texts(reader.read("c-1")) == ["I see"]


def test_four_thousand_twins_of_four_thousand_are_found_without_comparing_each_with_each() -> None:
    compared = 0

    class Moment(int):
        def __lt__(self, other: int) -> bool:
            nonlocal compared
            compared += 1
            return int(self) < int(other)

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return int(self) == other

        def __sub__(self, other: int) -> int:
            nonlocal compared
            compared += 1
            return int(self) - int(other)

        __hash__ = int.__hash__

    def said(number: int, source: str, stored_at: int) -> Timed:
        at = Moment(BEGAN + number)  # all within the five seconds of a twin
        item = {"item": f"{source}-{number}", "source": source, "role": "agent", "text": "yes"}
        return item | {"storedAt": stored_at, "streamId": "stream-agent"}, (at, at)

    recovered = [said(number, "messages", number) for number in range(4_000)]
    came = [said(number, "webhook", 9_000 + number) for number in range(4_000)]
    assert _without_twins(recovered + came, {"stream-agent"}) == came
    assert compared < 4_000 * 100  # of 16,000,000 pairs


def test_the_webhooks_own_are_all_shown(put: Any, reader: TranscriptReader) -> None:
    put(stream("agent"), *(utterance("agent", at, "yes", stored_at=at) for at in (1, 2, 3)))
    assert texts(reader.read("c-1")) == ["yes"] * 3


def event(conversation_id: str | None = "c-1", **changes: Any) -> dict[str, Any]:
    """Of a REST API's proxy integration."""
    return {
        "resource": "/conversations/{conversationId}/transcript",
        "path": f"/conversations/{conversation_id}/transcript",
        "httpMethod": "GET",
        "headers": {"Accept": "*/*", "Host": "x.execute-api.us-east-1.amazonaws.com"},
        "queryStringParameters": None,
        "pathParameters": {"conversationId": conversation_id},
        "requestContext": {"stage": "prod"},
        "body": None,
        "isBase64Encoded": False,
        **changes,
    }


@pytest.fixture
def deployed(table_name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TRANSCRIPT_TABLE", table_name)
    read_transcript._reader.cache_clear()
    yield
    read_transcript._reader.cache_clear()


@pytest.mark.usefixtures("deployed")
def test_the_endpoint_answers_json_that_no_cache_keeps(put: Any, reader: TranscriptReader) -> None:
    put(conversation(), stream("agent"), utterance("agent", 400, "¿Sí?"))
    made = read_transcript.handler(event(), None)
    assert made["statusCode"] == 200
    assert made["headers"] == {
        "Content-Type": "application/json; charset=utf-8",
        "Cache-Control": "no-store",
    }
    transcript = reader.read("c-1")
    assert transcript is not None
    assert json.loads(made["body"]) == transcript.to_json()
    assert "¿Sí?" in made["body"]


PLAIN: list[tuple[dict[str, Any], bool]] = [
    ({"queryStringParameters": {"format": "text"}}, True),
    ({"queryStringParameters": {"format": "json"}, "headers": {"Accept": "text/plain"}}, False),
    ({"headers": {"Accept": "text/plain"}}, True),
    ({"headers": {"accept": "TEXT/plain; charset=utf-8, */*"}}, True),
    ({"headers": {"Accept": "application/json, text/plain, */*"}}, False),
    ({"headers": {"Accept": "text/html"}}, False),
    ({"headers": {"Accept": None}}, False),
    ({"headers": None}, False),
]


@pytest.mark.parametrize(("changes", "plain"), PLAIN)
def test_the_endpoint_answers_plain_text_to_who_asks_for_it(
    changes: dict[str, Any], plain: bool, put: Any, reader: TranscriptReader
) -> None:
    put(stream("agent"), utterance("agent", 750, "Hello."))
    made = answer(event(**changes), reader)
    assert made["statusCode"] == 200
    if plain:
        assert made["headers"]["Content-Type"] == "text/plain; charset=utf-8"
        assert made["body"] == "2026-11-01T14:03:08.000Z agent: Hello.\n"
    else:
        assert json.loads(made["body"])["conversationId"] == "c-1"


def test_an_id_may_hold_any_character(put: Any, reader: TranscriptReader) -> None:
    put(conversation(conversationId="a/b+c %ü"))
    made = answer(event("a%2Fb+c%20%25%C3%BC"), reader)
    assert json.loads(made["body"])["conversationId"] == "a/b+c %ü"


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    (event("nobody"), 404, "no conversation is known by this id"),
    (event("x" * 256), 404, "no conversation is known by this id"),
    (event("x" * 257), 400, "the conversation's id has 1 to 256 characters"),
    (event(""), 400, "the conversation's id has 1 to 256 characters"),
    (event(None), 400, "the conversation's id has 1 to 256 characters"),
    (event(pathParameters=None), 400, "the conversation's id has 1 to 256 characters"),
    (event(queryStringParameters={"format": "xml"}), 400, "format is json or text"),
]


@pytest.mark.parametrize(("given", "status", "problem"), REFUSED)
def test_what_cannot_be_answered_is_refused_in_json(
    given: dict[str, Any], status: int, problem: str, reader: TranscriptReader
) -> None:
    made = answer(given, reader)
    assert (made["statusCode"], json.loads(made["body"])) == (status, {"error": problem})
    assert made["headers"]["Cache-Control"] == "no-store"
    assert made["headers"]["Content-Type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize("letter", ["x", "ü", "\\"])
def test_a_transcript_over_what_lambda_answers_is_413_and_says_what_to_do(
    letter: str, put: Any, reader: TranscriptReader
) -> None:
    put(stream("agent"))
    for at in range(20):
        put(utterance("agent", at, letter * 150_000, message=""))
        made = answer(event(), reader)
        assert len(json.dumps(made)) <= 6 * 1024 * 1024
        if made["statusCode"] == 413:
            assert "TranscriptReader" in json.loads(made["body"])["error"]
            assert at > 1
            return
        assert made["statusCode"] == 200
    assert letter == "x"  # 3 MB fit


def test_a_table_that_cannot_be_read_is_503_without_its_words(
    aws: str, caplog: pytest.LogCaptureFixture
) -> None:
    made = answer(event(), TranscriptReader("no-such-table", boto3.client("dynamodb")))
    assert made["statusCode"] == 503
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        gone = boto3.client("dynamodb", endpoint_url=address)
        assert answer(event(), TranscriptReader("t", gone))["statusCode"] == 503
    codes = [vars(record)["code"] for record in caplog.records if "cannot" in record.msg]
    assert codes == ["ResourceNotFoundException", "EndpointConnectionError"]


def test_the_log_has_the_conversations_id_and_none_of_its_words(
    put: Any, reader: TranscriptReader, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "read_transcript")
    caplog.set_level(logging.DEBUG, "shared")
    put(conversation(), stream("agent"), utterance("agent", 1, "secret words"))
    answer(event(), reader)
    answer(event("+15550100199"), reader)
    (record,) = [r for r in caplog.records if r.name.startswith(("read_transcript", "shared"))]
    assert (vars(record)["conversationId"], vars(record)["utterances"]) == ("c-1", 1)
    for private in ("secret words", "agent-7", "15550100199"):
        assert private not in repr(vars(record))
