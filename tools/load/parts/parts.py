"""Each part of the path by itself, with the calls that it must carry.

Each is run with 50 calls at a time for a minute, with ten times as many, and with 5,000. What works
on a day at once has up to 100,000 calls.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import boto3

from authorize_webhook import handler as authorize_webhook
from export_utterances import handler as export_utterances
from publish_utterance import handler as publish_utterance
from reconcile_transcript.due_conversations import look_at_due
from reconcile_transcript.messages import Messages
from reconcile_transcript.reconciler import Reconciler
from reconcile_transcript.transcripts import Transcripts
from sandbox.asapp.double import AsappDouble
from shared.asapp.requests import Answer
from shared.runtime import Deadline
from shared.table import PENDING, attributes, reconcile_key
from shared.transcripts.transcript import TranscriptReader
from shared.transcripts.utterance import Utterance
from store_transcript import handler as store_transcript
from tools.load.parts.aws import SECRET, Aws
from tools.load.parts.table import Item, Table
from tools.load.parts.work import Context, HeldClock, Part

Measuring = Callable[[Aws], AbstractContextManager[None]]

UTTERANCES_A_MINUTE = 10
_A_CALLS_UTTERANCES = 12
_ROLES = ("agent", "customer")
_STEP_MS = 6_000
_HOUR_MS = 3_600_000
_RETENTION_SECONDS = 30 * 86_400
_TEXT = "I would like to know why this charge of $39.99 is on my bill, number {number}."
_QUEUE_BATCH, _STREAM_BATCH = 10, 100


def message(guid: str, number: int) -> str:
    """As ASAPP posts it."""
    role = _ROLES[number % 2]
    return json.dumps(
        {
            "type": "transcript",
            "externalConversationId": guid,
            "streamId": f"{guid}-{role}",
            "sender": {"externalId": f"id of {role}", "role": role},
            "autotranscribeResponse": {
                "message": "transcript",
                "start": number * _STEP_MS,
                "end": number * _STEP_MS + 1_500,
                "utterance": [{"text": _TEXT.format(number=number)}],
            },
        }
    )


def stored(guid: str, number: int, at_ms: int) -> Item:
    """As the table has it."""
    utterance = Utterance.from_message(message(guid, number))
    item = utterance.item(
        received_at_ms=at_ms, stored_at_ms=at_ms, expires_at_s=at_ms // 1000 + _RETENTION_SECONDS
    )
    return attributes(item)


def authorize(calls: int, measuring: Measuring) -> int:
    """Each POST of a minute asks the authorizer; API Gateway's cache asks it much less."""
    aws, clock = Aws(), HeldClock()
    requests = calls * UTTERANCES_A_MINUTE
    event = {"headers": {"x-webhook-secret": SECRET}, "methodArn": "arn:aws:execute-api:method"}
    settings = {"SECRET_IN": "header", "SECRET_NAME": "x-webhook-secret", "WEBHOOK_SECRET": "s"}
    authorize_webhook._demands.cache_clear()
    with aws.instead(**settings), measuring(aws):
        for number in range(requests):
            clock.now = HeldClock().now + number * 60_000 // requests
            answer = authorize_webhook.handler(event, Context(), clock)
            (statement,) = answer["policyDocument"]["Statement"]
            _must(statement["Effect"] == "Allow")
    return requests


def store(calls: int, measuring: Measuring) -> int:
    """A minute's utterances, in full batches of the queue."""
    aws = Aws()
    said = [(f"call-{call}", n) for n in range(UTTERANCES_A_MINUTE) for call in range(calls)]
    batches = [
        [
            {
                "messageId": f"{guid}/{number}",
                "body": message(guid, number),
                "attributes": {"SentTimestamp": "1795860000000"},
            }
            for guid, number in said[at : at + _QUEUE_BATCH]
        ]
        for at in range(0, len(said), _QUEUE_BATCH)
    ]
    for made in (store_transcript._utterances, store_transcript._dead_letters):
        made.cache_clear()
    with aws.instead(DEAD_LETTER_QUEUE_URL="https://sqs/letters"):
        store_transcript._utterances(), store_transcript._dead_letters()
        with measuring(aws):
            for batch in batches:
                answer = store_transcript.handler({"Records": batch}, None)
                _must(not answer["batchItemFailures"])
    _must(len(aws.table.of("call-0")) == UTTERANCES_A_MINUTE)
    return len(said)


def publish(calls: int, measuring: Measuring) -> int:
    """A minute's utterances, in full batches of the table's stream. In a batch, each is of another
    call, which is the most work."""
    clock = HeldClock()
    aws = Aws()
    guids = [f"call-{call}" for call in range(max(calls, _STREAM_BATCH))]
    for guid in guids:
        for item in _call(guid, clock.now, waits=True):
            aws.table.put(item)
    utterances = range(calls * UTTERANCES_A_MINUTE)
    said = [(guids[n % len(guids)], n // len(guids)) for n in utterances]
    for made in ("_events", "_dynamodb", "_streams", "_late"):
        getattr(publish_utterance, made).cache_clear()
    with aws.instead(EVENT_BUS_NAME="bus"):
        publish_utterance._events(), publish_utterance._late(), publish_utterance._streams()
        for at in range(0, len(said), _STREAM_BATCH):
            records = [
                {"dynamodb": {"SequenceNumber": str(n), "Keys": {}, "NewImage": stored(*one, 0)}}
                for n, one in enumerate(said[at : at + _STREAM_BATCH])
            ]
            with measuring(aws):
                answer = publish_utterance.handler({"Records": records}, None)
            _must(not answer["batchItemFailures"])
    _must(len({*aws.events}) == len(said))
    return len(said)


def reconcile(calls: int, measuring: Measuring) -> int:
    """A day's calls, of each of which the webhook missed an utterance."""
    clock = HeldClock()
    ended = clock.now - _HOUR_MS

    def said(guid: str) -> Iterator[Item]:
        began = ended - _A_CALLS_UTTERANCES * _STEP_MS
        for number in range(1, _A_CALLS_UTTERANCES):
            yield stored(guid, number, began + number * _STEP_MS + 2_000)

    aws = Aws(Table(said))
    for call in range(calls):
        for item in _call(f"call-{call}", ended, waits=True):
            aws.table.put(item)
    with aws.instead():
        transcripts = Transcripts(boto3.client("dynamodb"), "t", _RETENTION_SECONDS, clock)
        messages = Messages(_AsappMessages(aws, ended))  # type: ignore[arg-type]
        reconciler = Reconciler(transcripts, messages, has_export=False, after_ms=0, clock=clock)
        deadline = Deadline(600, clock)
        with measuring(aws):
            done = look_at_due(
                transcripts,
                reconciler,
                messages,
                deadline,
                after_ms=900_000,
                export_ms=24 * _HOUR_MS,
            )
    _must(done == {"conversations": calls})
    _must(len(aws.table.of("call-0")) == len(_ROLES) + 1 + _A_CALLS_UTTERANCES)
    return calls


class _AsappMessages:
    """ASAPP's GET messages: every utterance of a call, with a clock that is 350 ms ahead."""

    def __init__(self, aws: Aws, ended_ms: int) -> None:
        self._aws = aws
        began = ended_ms - _A_CALLS_UTTERANCES * _STEP_MS + 350
        self._items = [
            {
                "text": _TEXT.format(number=number),
                "sender": {"role": _ROLES[number % 2], "externalId": "id"},
                "messageId": str(number),
                "clientTimestamp": _iso(began + number * _STEP_MS),
            }
            for number in range(_A_CALLS_UTTERANCES)
        ]
        self._bytes = len(json.dumps(self._items))

    def get(self, _path: str, _deadline: Deadline, most_bytes: int) -> Answer:
        self._aws.requests["ASAPP.messages"] += 1
        self._aws.bytes += self._bytes
        return Answer(200, "", {"items": self._items})


def export(calls: int, measuring: Measuring) -> int:
    """The file of a day: what was said in each call, as ASAPP's feed has it."""
    line = {
        "external_conversation_id": "5e55a6e0-0000-4000-8000-000000000001",
        "message_id": "01KB3XK5Q2N7P4J8W6YTZRCVDM",
        "instance_ts": "2026-11-27T10:00:00.000Z",
        "chat_message_event_ts": "2026-11-27 10:00:06",
        "utterance": _TEXT.format(number=1),
    }
    block = (json.dumps(line) + "\n").encode() * (10 * _A_CALLS_UTTERANCES)
    aws, day = Aws(), datetime.now(UTC).date() - timedelta(days=1)
    with AsappDouble() as asapp:
        asapp.put_feed_file(day, "day.jsonl", block, calls // 10)
        credentials = json.dumps({"apiId": asapp.api_id, "apiSecret": asapp.api_secret})
        aws.secret = credentials
        settings = {
            "ASAPP_API_HOST": asapp.url,
            "ASAPP_CREDENTIALS_SECRET": "asapp",
            "EXPORT_BUCKET": "bucket",
            "LOOKBACK_DAYS": "1",
        }
        for made in (export_utterances._exporter, export_utterances._bucket):
            made.cache_clear()
        asked = {"from": str(day), "to": str(day)}
        with aws.instead(**settings):
            export_utterances._bucket(), export_utterances._exporter()
            with measuring(aws):
                done = export_utterances.handler(asked, Context())
                aws.requests["ASAPP.file exporter"] += len(asapp.requests)
    _must(done["bytes"] == len(block) * (calls // 10))
    return calls


def read(calls: int, measuring: Measuring) -> int:
    """One call of so many minutes, as an application reads its transcript.

    :param calls: Minutes.
    """
    aws, clock = Aws(), HeldClock()
    for item in _call("call", clock.now):
        aws.table.put(item)
    utterances = calls * UTTERANCES_A_MINUTE
    for number in range(utterances):
        aws.table.put(stored("call", number, clock.now))
    with aws.instead():
        reader = TranscriptReader("transcripts", boto3.client("dynamodb"), clock)
        with measuring(aws):
            transcript = reader.read("call")
            assert transcript  # noqa: S101
            _must(len(json.loads(json.dumps(transcript.to_json()))["utterances"]) == utterances)
    return utterances


def _call(guid: str, ended_ms: int, *, waits: bool = False) -> Iterator[Item]:
    """A call and its streams, as start and stop leave them."""
    index = {"reconcile": reconcile_key(PENDING, guid), "reconcileAt": ended_ms}
    known = {"conversationId": guid, "item": "conversation", "version": 3, "state": "ended"}
    yield attributes(known | {"changedAt": ended_ms} | (index if waits else {}))
    for role in _ROLES:
        stream = {"conversationId": guid, "item": f"stream#{guid}-{role}", "role": role}
        began = ended_ms - _A_CALLS_UTTERANCES * _STEP_MS
        yield attributes(stream | {"streamId": f"{guid}-{role}", "startedAt": began})


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat().replace("+00:00", "Z")


def _must(holds: bool) -> None:
    if not holds:
        raise AssertionError("the part did not do its work")


_AT_A_TIME = (50, 500, 5_000), "calls at a time, for a minute"
_OF_A_DAY = (1_000, 10_000, 100_000), "calls of a day"
PARTS = (
    Part("authorizer", "POST", *_AT_A_TIME, authorize),
    Part("consumer", "utterance", *_AT_A_TIME, store),
    Part("publisher", "utterance", *_AT_A_TIME, publish),
    Part("reconciliation of a day", "call", *_OF_A_DAY, reconcile),
    Part("export of a day", "call", *_OF_A_DAY, export),
    Part("transcript of one call", "utterance", (3, 30, 300), "minutes of the call", read),
)
