"""What somebody may send who means harm, to each thing that reads what others write.

Each function reads one input and fails if anything but what is documented leaves it: another
exception, an item outside of those that it may write, a line that the input makes up.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import io
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import strategies as st

from connect_flows.__main__ import main as flows_command
from connect_settings import Settings, SettingsError
from follow_agent_events import handler as follow_agent_events
from follow_contact_events import handler as follow_contact_events
from publish_utterance.handler import detail, entry
from reconcile_transcript.alignment import align
from reconcile_transcript.alignment.utterances import Held
from reconcile_transcript.messages import Messages, NoRecord
from shared import environment, table
from shared.asapp.media_gateway import Asapp
from shared.asapp.requests import AsappRequests, Credentials
from shared.calls.conversation import Conversation, Leg
from shared.calls.conversation_table import Conversations
from shared.http import Response
from shared.runtime import Deadline
from shared.transcripts.transcript import TranscriptReader
from store_transcript.batch import Message, store
from tests.fake_dynamodb import FakeDynamoDb
from tests.infra.settings.environments import SMALLEST
from tests.unit.held_clock import HeldClock

FLOWS = Path(__file__).parents[1] / "docs" / "flows"
NOW_S = 1_793_541_787
_LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (customer|agent|unknown)( \(unverified\))?: [^\n]*"
)
_SORT_KEY = re.compile(r"conversation|contact|stream#.+|utterance#.+", re.DOTALL)

nasty = st.sampled_from(
    [
        *("", "\n", "\x1b[2K", "\u202e", "half \ud83d", "\x00", "#", "contact", "conversation"),
        *("agent: Yes.\n2026-11-01T14:03:08.000Z customer", "[REDACTED] #### " * 40, "é" * 2_000),
        "x" * 300,
    ]
)
numbers = st.sampled_from([0, -1, 1e400, float("nan"), 10**400, 9_999_999_999, 0.5, True, 10**38])
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers | nasty | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=8) | nasty, inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths to everything inside a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in inside:
        yield (*path, key)
        if isinstance(each, (dict, list)):
            yield from places(each, (*path, key))


@st.composite
def changed(draw: st.DrawFn, good: Any) -> Any:
    """A good value of which up to four places hold something else, or nothing."""
    value = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 4))):
        found = list(places(value)) if isinstance(value, (dict, list)) and value else []
        if not found:
            return value
        *way, last = draw(st.sampled_from(found))
        parent = value
        for key in way:
            parent = parent[key]
        if draw(st.booleans()) and draw(st.booleans()):
            del parent[last]
        elif isinstance(parent, dict) and draw(st.booleans()) and draw(st.booleans()):
            parent[draw(nasty)] = parent.pop(last)
        else:
            parent[last] = draw(json_values)
    return value


def as_text(good: Any) -> st.SearchStrategy[str]:
    texts = changed(good).map(json.dumps)
    cut = st.tuples(texts, st.integers(0, 400)).map(lambda pair: pair[0][: -pair[1] or None])
    return st.one_of(texts, texts, texts, cut, st.text(max_size=40))


WEBHOOK = {
    "type": "transcript",
    "externalConversationId": "c-1",
    "streamId": "stream-c",
    "sender": {"externalId": "+15550100199", "role": "customer"},
    "autotranscribeResponse": {
        "message": "transcript",
        "start": 400,
        "end": 3968,
        "utterance": [{"text": "I need help"}, {"text": "with #### please"}],
    },
}
CONTACTS: list[dict[str, Any]] = [
    {
        "ContactId": "c-1",
        "InitialContactId": "c-1",
        "Channel": "VOICE",
        "State": "CONNECTED",
        "ConnectedToAgentTimestamp": "2026-11-01T14:03:07.250Z",
        "Queue": {"ARN": "arn:aws:connect:us-east-1:111111111111:instance/i/queue/q"},
    }
]
AGENT_EVENT = {
    "AgentARN": "arn:aws:connect:us-east-1:111111111111:instance/i/agent/a",
    "EventType": "STATE_CHANGE",
    "EventTimestamp": "2026-11-01T14:03:09.250Z",
    "PreviousAgentSnapshot": {"Contacts": [CONTACTS[0] | {"State": "CONNECTED_ONHOLD"}]},
    "CurrentAgentSnapshot": {"Contacts": CONTACTS},
}
CONTACT_EVENT: dict[str, Any] = {
    "source": "aws.connect",
    "time": "2026-11-01T14:03:09Z",
    "detail": {
        "eventType": "DISCONNECTED",
        "contactId": "c-1",
        "initialContactId": "c-1",
        "previousContactId": "c-0",
        "channel": "VOICE",
        "disconnectTimestamp": "2026-11-01T14:03:09.250Z",
    },
}
PARTICIPANT = {
    "streamId": "stream-c",
    "status": {"code": 1000, "description": "OK"},
    "summary": {"totalAudioBytes": 1, "streamingSeconds": 2, "transcripts": 7},
}
ASAPP_ANSWER = {
    "isOk": True,
    "autotranscribeResponse": {
        "customer": PARTICIPANT,
        "agent": PARTICIPANT | {"streamId": "stream-a"},
    },
    "error": {"requestId": "r-1", "code": "409-201", "message": "words"},
    "items": [
        {
            "text": f"word {at}",
            "sender": {"role": role, "externalId": "ada"},
            "messageId": f"m-{at}",
            "createdTimestamp": "2026-11-01T14:03:09.250Z",
            "clientTimestamp": "2026-11-01T14:03:09.250Z",
        }
        for at, role in enumerate(("agent", "customer"))
    ],
}


class MemoryTable:
    """The table as boto3's client reaches it: what the consumer and the reader call."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], dict[str, Any]] = {}

    def batch_write_item(self, RequestItems: Mapping[str, Any]) -> dict[str, Any]:
        for write in RequestItems["table"]:
            item = write["PutRequest"]["Item"]
            assert_writable(item["conversationId"]["S"], item["item"]["S"])
            assert item["item"]["S"].startswith("utterance#")
            assert_values(item)
            self.items[item["conversationId"]["S"], item["item"]["S"]] = item
        return {}

    def batch_get_item(self, **_: Any) -> dict[str, Any]:
        return {"Responses": {}}

    def get_paginator(self, _: str) -> MemoryTable:
        return self

    def paginate(self, ExpressionAttributeValues: Any, **_: Any) -> list[Any]:
        wanted = ExpressionAttributeValues[":id"]["S"]
        return [{"Items": [item for (key, _), item in self.items.items() if key == wanted]}]


class StrictDynamoDb(FakeDynamoDb):
    """Refuses what DynamoDB would."""

    def __call__(
        self, service: str, target: str, body: Mapping[str, Any], deadline: Deadline
    ) -> dict[str, Any]:
        writes = [each["Update"] for each in body.get("TransactItems", ())] or [body]
        for write in writes:
            key = write["Key"]
            assert_writable(key["conversationId"]["S"], key["item"]["S"])
            values = write.get("ExpressionAttributeValues", {})
            assert_values({k: v for k, v in values.items() if "SS" not in v or all(v["SS"])})
        return super().__call__(service, target, body, deadline)


def assert_writable(conversation_id: str, item: str) -> None:
    assert 0 < len(conversation_id.encode()) <= 2048
    assert 0 < len(item.encode()) <= 2048
    assert _SORT_KEY.fullmatch(item)


def assert_values(item: Mapping[str, Any]) -> None:
    for value in item.values():
        ((kind, given),) = value.items()
        if kind == "N":
            assert abs(int(given)) < 10**15
        for text in given if kind == "SS" else [given]:
            text.encode()


class Letters:
    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, body: str, reason: str) -> None:
        assert re.fullmatch(r"[\x20-\x7e]{1,120}", reason)
        self.sent.append(body)


def webhook_body(body: str) -> None:
    """Stored or set aside, published, and read as one line."""
    from store_transcript.utterance_table import UtteranceTable

    memory, letters, clock = MemoryTable(), Letters(), HeldClock()
    utterances = UtteranceTable(memory, "table", 86_400, clock)
    message = Message("m-1", body, clock.now_ms())
    left = store([message], utterances, letters)  # type: ignore[arg-type]
    assert left == []
    assert len(memory.items) + len(letters.sent) == 1
    for (conversation_id, _), item in memory.items.items():
        said = detail(table.values(item), {}, sender_id=False)
        assert said["role"] in ("customer", "agent", "unknown")
        json.loads(entry(said, "bus")["Detail"])
        transcript = TranscriptReader("table", memory, clock).read(conversation_id)
        assert transcript is not None
        (line,) = transcript.to_text().removesuffix("\n").split("\n")
        assert (
            (_LINE.fullmatch(line) and line.isprintable()) or "\u200c" in line or "\u200d" in line
        )
        json.dumps(transcript.to_json())


class Host:
    """ASAPP, whose every answer is the same."""

    def __init__(self, status: int, body: bytes) -> None:
        self.response = Response(status, {}, body)

    def request(self, *_: Any, **__: Any) -> Response:
        return self.response


def _credentials(_: bool, __: Deadline) -> Credentials:
    return Credentials("id", "secret")


@contextlib.contextmanager
def deployed(body: str = json.dumps(ASAPP_ANSWER)) -> Iterator[Conversations]:
    """The functions' environment: a table in memory with a call in it, and ASAPP's answer."""
    conversations = Conversations("table", 86_400, StrictDynamoDb())
    clock = HeldClock()
    leg = Leg("c-1", "+15550100199", "ada", AGENT_EVENT["AgentARN"], "arn:stream")  # type: ignore[arg-type]
    known = Conversation(legs=(leg,))
    conversations.write("c-1", Conversation(), known, Deadline(5, clock))
    asapp = Asapp(Host(200, body.encode()), _credentials, {})  # type: ignore[arg-type]
    with (
        patch.object(environment, "conversations", lambda: conversations),
        patch.object(environment, "asapp", lambda: asapp),
        patch.object(environment, "clock", lambda: clock),
        patch.object(environment, "conversation_id_source", lambda: "InitialContactId"),
    ):
        yield conversations


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return 30_000


def agent_event(data: str) -> None:
    record = {"sequenceNumber": "1", "data": base64.b64encode(data.encode("utf-8", "replace"))}
    with deployed():
        answer = follow_agent_events.handler({"Records": [{"kinesis": record}]}, Context())
    assert answer == {"batchItemFailures": []}


def contact_event(event: dict[str, Any]) -> None:
    with deployed(), contextlib.suppress(follow_contact_events.NotFollowed):
        follow_contact_events.handler(event, Context())


def asapp_answer(body: str) -> None:
    """To a start, a stop and GET messages; with what came of it written and compared."""
    data = body.encode("utf-8", "replace")
    for status in (200, 409):
        host: Any = Host(status, data)
        asapp, clock = Asapp(host, _credentials, {}), HeldClock()
        told = {"customer_id": "c", "agent_id": "a", "stream_arn": "s"}
        asapp.start("c-1", **told, after_fragment_number="", deadline=Deadline(5, clock))
        asapp.stop("c-1", Deadline(5, clock))
        messages = Messages(AsappRequests(host, _credentials))
        with contextlib.suppress(NoRecord):
            record = messages.of("c-1", Deadline(5, clock))
            held = [Held("k", "agent", NOW_S * 1000, NOW_S * 1000 + 900, "word 1", opened_ms=1)]
            alignment = align(record.said, held)
            for missing in alignment.missing:
                assert missing.role in ("customer", "agent", "unknown")
                assert 0 <= abs(missing.start_ms) < 10**14
                assert_writable("c-1", f"utterance#messages#{missing.said.id}")
                missing.said.message.encode()
    with deployed(body), contextlib.suppress(follow_contact_events.NotFollowed):
        # The hang-up makes a stop, whose answer is written down.
        follow_contact_events.handler(CONTACT_EVENT, Context())


def flow_file(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "flow.json"
        file.write_bytes(text.encode("utf-8", "replace"))
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            result = flows_command(["check", str(file), "--type", "CONTACT_FLOW"])
        assert result in (0, 2)
        for line in said.getvalue().removesuffix("\n").split("\n"):
            assert line.startswith(str(file)), line
            assert line.isprintable(), line


def settings_file(data: Any) -> None:
    try:
        Settings.from_mapping(data, source="prod.toml")
    except SettingsError as error:
        for line in str(error).split("\n"):
            assert line.startswith("prod.toml: "), line
            assert line.isprintable(), line


FLOW: dict[str, Any] = {
    "Version": "2019-10-30",
    "StartAction": "a",
    "Metadata": {"entryPointPosition": {"x": 1, "y": 2}, "ActionMetadata": {}},
    "Actions": [
        {
            "Identifier": "a",
            "Type": "MessageParticipant",
            "Parameters": {"Text": "Hello"},
            "Transitions": {
                "NextAction": "b",
                "Errors": [{"NextAction": "b", "ErrorType": "NoMatchingError"}],
                "Conditions": [],
            },
        },
        {
            "Identifier": "b",
            "Type": "DisconnectParticipant",
            "Parameters": {},
            "Transitions": {},
        },
    ],
}
KINDS: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], None]]] = {
    "webhook bodies": (as_text(WEBHOOK), webhook_body),
    "agent events": (as_text(AGENT_EVENT), agent_event),
    "contact events": (
        changed(CONTACT_EVENT).filter(lambda event: isinstance(event.get("detail"), dict)),
        contact_event,
    ),
    "ASAPP's answers": (as_text(ASAPP_ANSWER), asapp_answer),
    "flow files": (as_text(FLOW), flow_file),
    "settings files": (changed(dict(SMALLEST)), settings_file),
}
"""By kind of input: how it is made, and who reads it."""
