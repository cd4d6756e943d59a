"""Exactly the lines and messages of an erased call go: not one more, and not one less."""

from __future__ import annotations

import io
import json

import pytest

from erase_conversation.lines import BYTES_A_PIECE, Erased, LineTooLong, lines_of
from erase_conversation.waiting_messages import WaitingMessages
from shared.runtime import Deadline
from tests.unit.erasure.fakes import Killer, Sqs
from tests.unit.erasure.stores import contact_event
from tests.unit.held_clock import HeldClock

ERASED = Erased({"c-1": "c-1"}, {"m-1": "c-1"}, {"conversation": "guid"})
GONE = [
    b'{"external_conversation_id": "c-1", "utterance": "x"}\n',
    b'{"guid":"c-1"}\r\n',
    b'{"externalConversationId" : "c\\u002d1"}',
    b'{"meta": {"external_conversation_id": "c-2"}, "external_conversation_id": "c-1"}',
    b'{"message_id": "m-1", "sender_id": "+15550100199"}',
    b'{"message_id": "m\\u002d1"}',
    b'{"external_conversation_id": "c-1", "utterance": "cut o',
    b"c-1 is no JSON",
    b'["c-1"]',
]
KEPT = [
    b'{"external_conversation_id": "c-10"}\n',
    b'{"external_conversation_id": "xc-1", "utterance": "c-1"}',
    b'{"external_conversation_id": "c-2", "message_id": "m-1"}',
    b'{"guid": "c-2", "utterance": "{\\"guid\\": \\"c-1\\"}"}',
    b'{"message_id": "m-10"}',
    b'{"external_conversation_id": "c-2", "utterance": "c-1 is cut o',
    b"c-10 and c-1-2 are no JSON",
    b"\n",
    b'{"utterance": "c-1"}',
    b"\xff\xfe{",
]


@pytest.mark.parametrize("line", GONE)
def test_a_line_of_the_erased_call_goes(line: bytes) -> None:
    assert ERASED.call_of(line) == "c-1"


@pytest.mark.parametrize("line", KEPT)
def test_every_other_line_stays(line: bytes) -> None:
    assert ERASED.call_of(line) == ""


@pytest.mark.parametrize("size", [1, BYTES_A_PIECE - 1, BYTES_A_PIECE, BYTES_A_PIECE + 1])
def test_lines_are_the_file_byte_for_byte_wherever_they_are_cut(size: int) -> None:
    content = b"a\r\nb\n\n" + b"x" * size + b"\n" + b"y" * size
    found = list(lines_of(io.BytesIO(content)))
    assert b"".join(found) == content
    assert found == [b"a\r\n", b"b\n", b"\n", b"x" * size + b"\n", b"y" * size]


def test_a_line_that_does_not_fit_into_memory_is_an_error() -> None:
    with pytest.raises(LineTooLong):
        list(lines_of(io.BytesIO(b"x" * 9 * BYTES_A_PIECE)))


OF_CALL = [
    json.dumps({"externalConversationId": "c-1"}),
    json.dumps({"detail": {"conversationId": "c-1"}}),
    json.dumps({"requestPayload": {"detail": {"ContactId": "c-1-leg"}}}),
    contact_event("unknown", "c-1"),
    '{"externalConversationId": "c-1", "cut o',
]
OTHERS = [
    json.dumps({"externalConversationId": "c-10", "text": "c-1"}),
    contact_event("c-2", "c-3"),
    json.dumps({"DDBStreamBatchInfo": {"shardId": "c-1"}}),
    "c-10 is no JSON",
    json.dumps("c-1"),
]


def test_messages_of_the_call_go_and_others_can_be_received_at_once() -> None:
    sqs = Sqs(Killer())
    for number in range(7):
        for body in (*OF_CALL, *OTHERS):
            sqs.send_message("q", body.replace("text", f"text{number}"))
    messages = WaitingMessages(sqs, {"Q": "q"}, by_initial_contact=True)
    calls = {"c-1": "c-1", "c-1-leg": "c-1"}
    deadline = Deadline(60, HeldClock())
    assert messages.count(calls, deadline) == {"Q": {"c-1": 7 * len(OF_CALL)}}
    assert len(sqs.queues["q"]) == 7 * (len(OF_CALL) + len(OTHERS))
    messages.take_out(calls, deadline)
    left = sorted(sqs.queues["q"].values())
    assert left == sorted(
        body.replace("text", f"text{number}") for number in range(7) for body in OTHERS
    )
    assert not sqs.invisible


def test_an_event_of_a_later_contact_is_another_calls_if_calls_are_named_by_their_contact() -> None:
    sqs = Sqs(Killer())
    sqs.send_message("q", contact_event("c-2", "c-1"))
    messages = WaitingMessages(sqs, {"Q": "q"}, by_initial_contact=False)
    assert messages.count({"c-1": "c-1"}, Deadline(60, HeldClock())) == {"Q": {}}
