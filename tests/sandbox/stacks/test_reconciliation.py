"""What the webhook loses comes back: whatever is dropped, doubled, shuffled or fails on the way, in
the end every conversation is what was said, in order.

The functions run in process, on a clock of their own, with ASAPP's double and the emulator's
DynamoDB, S3 and Secrets Manager on real sockets: 200 calls take seconds.
"""

from __future__ import annotations

import json
import logging
import random
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import export_utterances.download
import export_utterances.file_exporter
import export_utterances.handler
import reconcile_transcript.handler
import shared.aws.api
import store_transcript.handler
from export_utterances.file_exporter import FileExporter
from export_utterances.handler import NotExported
from follow_contact_events import handler as follow_contact_events
from sandbox.asapp.conversations import Utterance
from sandbox.asapp.double import AsappDouble, Damaged, Delivery, Failure, Post
from sandbox.connect.contact import MediaStream, lambda_event
from sandbox.connect.contact_event_bus import ContactEvents
from sandbox.stacks.emulator import Emulator
from shared import environment
from shared.asapp.requests import BadCredentials, RetryPolicy
from shared.transcripts.transcript import Transcript, TranscriptReader
from start_streaming import handler as start_streaming
from stop_streaming import handler as stop_streaming
from tests.running_server import running
from tests.sandbox.connect.test_scenarios import Context, Timeline, hold_time
from tests.sandbox.simulated import caller
from tests.sandbox.stacks.lost_words import DAY, MINUTE, STREAM, Manner, Played, call_of, read
from tests.transcript_table import make_table

Json = dict[str, Any]
AFTER_MINUTES = 15
BATCH = 100  # of the queue's messages


class Inbox(ThreadingHTTPServer):
    """Stands for the webhook and its queue: what comes, as it comes."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Take)
        self.bodies: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


class _Take(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Inbox

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@dataclass
class Functions:
    """The functions, in process, and what they talk to."""

    clock: Timeline
    asapp: AsappDouble
    inbox: Inbox
    dynamodb: Any
    s3: Any
    table: str
    bucket: str

    def invoke(self, handler: Callable[[Any, Any], Any], event: Json, seconds: float = 600) -> Any:
        self.clock.sleep(0.05)
        return handler(json.loads(json.dumps(event)), Context(self.clock, seconds))

    def play(self, parts: Sequence[Sequence[Utterance]]) -> Played:
        """A call with a hold after each part but the last."""
        began = str(int(self.clock() * 1000))
        stream = MediaStream(STREAM, f"91343852333181{began:0>13}{0:020}", began)
        contact = caller(contact_id=str(uuid.uuid4()), media_stream=stream)
        event = lambda_event(contact, {"customerId": "+15550100001", "agentId": "ada"})
        call = Played(contact.contact_id)
        so_far = 0
        for at, part in enumerate(parts, 1):
            self.invoke(start_streaming.handler, event, 7)
            call.posts += self.asapp.speak(call.guid, part).result(timeout=60)
            until = max(each.end_ms for each in part)
            self.clock.sleep((until - so_far) / 1000)
            so_far = until
            if at == len(parts):  # a disconnect flow's stop, and not a hold's
                left = contact.followed_by(
                    str(uuid.uuid4()), "DISCONNECT", with_stream=True, with_hooks=True
                )
                event = lambda_event(left, {})
            self.invoke(stop_streaming.handler, event, 7)
            self.clock.sleep(20)
        ended: list[Json] = []
        ContactEvents(ended.append, self.clock).tell(contact, "DISCONNECTED")
        self.invoke(follow_contact_events.handler, ended[0], 30)
        return call

    def store(self, bodies: Sequence[str]) -> None:
        """What the webhook's consumer makes of them."""
        sent = str(int(self.clock() * 1000))
        for first in range(0, len(bodies), BATCH):
            records = [
                {"messageId": str(at), "body": body, "attributes": {"SentTimestamp": sent}}
                for at, body in enumerate(bodies[first : first + BATCH])
            ]
            answer = self.invoke(store_transcript.handler.handler, {"Records": records})
            assert answer == {"batchItemFailures": []}

    def reconcile(self, **event: str) -> Any:
        return self.invoke(reconcile_transcript.handler.handler, event)

    def export(self, **event: str) -> Any:
        return self.invoke(export_utterances.handler.handler, event)

    def transcript(self, call: Played) -> Transcript:
        found = TranscriptReader(self.table, self.dynamodb).read(call.guid)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def emulator(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Without stacks."""
    with Emulator(tmp_path_factory.mktemp("emulator")) as running:
        yield running


@pytest.fixture(scope="module")
def inbox() -> Iterator[Inbox]:
    with running(Inbox()) as server:
        yield server


@pytest.fixture
def functions(
    emulator: Emulator, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Functions]:
    """With a table, a bucket and a double of its own; it is noon of yesterday."""
    noon = datetime.now(UTC).replace(hour=12, minute=0) - timedelta(days=1)
    clock = Timeline()
    clock.seconds = noon.timestamp()
    name = f"transcripts-{uuid.uuid4().hex[:8]}"
    inbox.bodies.clear()
    # The URL of a file has expired by the time of a second try.
    with AsappDouble(clock=clock, posts_at_once=2, file_urls_last_seconds=0.5) as asapp:
        asapp.webhook(inbox.url)
        for variable, value in {
            **emulator.environment,
            "ASAPP_API_HOST": asapp.url,
            "ASAPP_CREDENTIALS_SECRET": name,
            "TRANSCRIPTION_SWITCH": name,
            "TRANSCRIPT_TABLE": name,
            "TRANSCRIPT_RETENTION_DAYS": "30",
            "CONVERSATION_ID_SOURCE": "InitialContactId",
            "START_SELECTOR": "FRAGMENT_NUMBER",
            "DEAD_LETTER_QUEUE_URL": "http://localhost/none",
            "RECONCILE_AFTER_MINUTES": str(AFTER_MINUTES),
            "EXPORT_BUCKET": name,
            "LOOKBACK_DAYS": "1",
            "ANNOUNCE_TO": "",
        }.items():
            monkeypatch.setenv(variable, value)
        hold_time(clock, monkeypatch, QUICK_SECONDS)
        forget()
        secret = json.dumps({"apiId": asapp.api_id, "apiSecret": asapp.api_secret})
        emulator.client("secretsmanager").create_secret(Name=name, SecretString=secret)
        emulator.client("ssm").put_parameter(Name=name, Value="enabled", Type="String")
        dynamodb, s3 = boto3.client("dynamodb"), boto3.client("s3")
        s3.create_bucket(Bucket=name)
        make_table(dynamodb, name)
        yield Functions(clock, asapp, inbox, dynamodb, s3, name, name)
    forget()


def forget() -> None:
    """What the functions keep between invocations."""
    for kept in (
        environment.asapp,
        environment.conversations,
        export_utterances.handler._bucket,
        export_utterances.handler._exporter,
        reconcile_transcript.handler._reconciler,
        reconcile_transcript.handler._messages,
        reconcile_transcript.handler._transcripts,
        shared.aws.api._origin,
        store_transcript.handler._utterances,
    ):
        kept.cache_clear()


def first_sent(post: Post) -> float:
    return post.sent[0].at if post.sent else 0.0


def test_calls_of_which_a_tenth_was_lost_are_what_was_said(functions: Functions) -> None:
    check_calls(functions, 12)


def check_calls(functions: Functions, count: int) -> list[Played]:
    """So many calls of which ASAPP's posts are lost, doubled and late are what was said."""
    functions.asapp.delivery = Delivery(drop=0.1, duplicate=0.1, delay_ms=(0, 30_000), seed=1)
    chance = random.Random(1)  # noqa: S311
    calls = [
        functions.play(call_of(chance, chance.randint(10, 20), chance.choice((1, 1, 1, 2, 3))))
        for _ in range(count)
    ]
    functions.store(functions.inbox.bodies)
    functions.clock.sleep(AFTER_MINUTES * MINUTE)
    assert functions.reconcile() == {"conversations": count}
    for call in calls:
        transcript = functions.transcript(call)
        assert read(transcript) == call.said
        assert (transcript.state, transcript.completeness) == ("ended", "complete")
        assert transcript.counts == {
            "fromWebhook": len(call.posts) - call.dropped,
            "fromSummary": len(call.posts),
            "fromMessages": len(call.posts),
            "recovered": call.dropped,
            "onlyOurs": 0,
            "unverified": 0,
        }
        arrived = [post.text for post in sorted(call.posts, key=first_sent) if post.sent]
        assert arrived != [text for _, text in call.said if text in arrived]
    return calls


RECORDS: dict[str, Callable[[str], str]] = {
    "the same": str,
    "other spaces": lambda text: text.replace(" ", "  "),
    "redacted": lambda text: text.replace("Lovelace", "[NAME]"),
}
"""How ASAPP's own record may write what the webhook brought."""


plans = given(
    seed=st.integers(0, 2**32),
    length=st.integers(1, 30),
    parts=st.integers(1, 3),
    drop=st.sampled_from([0.0, 0.1, 0.1, 0.5, 1.0]),
    duplicate=st.floats(0, 0.5),
    late=st.sampled_from([0.0, 0.1]),
    skew=st.floats(-3, 3),
    keep_stream_ids=st.booleans(),
    client_timestamp=st.sampled_from(["start", "end"]),
    ready_after=st.sampled_from([0.0, 2 * 3_600.0]),
    absent=st.sampled_from(["empty", "404"]),
    record=st.sampled_from(list(RECORDS)),
)


@settings(
    max_examples=5,  # tests/scale: a hundred
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@plans
def test_whatever_the_plan_every_conversation_is_what_was_said(
    functions: Functions, **plan: Any
) -> None:
    check_plan(functions, **plan)


def check_plan(
    functions: Functions,
    seed: int,
    length: int,
    parts: int,
    drop: float,
    duplicate: float,
    late: float,
    skew: float,
    keep_stream_ids: bool,
    client_timestamp: Literal["start", "end"],
    ready_after: float,
    absent: Literal["empty", "404"],
    record: str,
) -> None:
    asapp, chance = functions.asapp, random.Random(seed)  # noqa: S311
    asapp.delivery = Delivery(drop=drop, duplicate=duplicate, delay_ms=(0, 30_000), seed=seed)
    asapp.keep_stream_ids, asapp.client_timestamp = keep_stream_ids, client_timestamp
    asapp.messages_after_seconds, asapp.absent = ready_after, absent
    asapp.record_text = RECORDS[record]
    asapp.advance(skew - (asapp.now() - functions.clock()))
    functions.inbox.bodies.clear()
    # Nobody can tell which lost "Yes." it was where most are lost, nor who began while both spoke
    # where only ends are told.
    most_lost, ends_told = drop > 0.1 or length < 15, client_timestamp == "end"
    words = call_of(chance, length, parts, Manner(in_turns=ends_told, distinct=most_lost))
    call = functions.play(words)
    bodies = functions.inbox.bodies
    held_back = [body for body in bodies if chance.random() < late]
    functions.store([body for body in bodies if body not in held_back])
    for hours in (1, 2, 3, 6, 12, 6):
        functions.clock.sleep(hours * 3_600)
        functions.reconcile()
        if hours == 3:
            assert heard_in(functions.transcript(call), record) == as_said(call, record)
            functions.store(held_back)
            if record != "redacted":  # until a day later, the reader goes by the words
                assert heard_in(functions.transcript(call), record) == as_said(call, record)
    transcript = functions.transcript(call)
    assert heard_in(transcript, record) == as_said(call, record)
    assert transcript.completeness == "complete"
    assert transcript.counts == {
        "fromWebhook": len(call.posts) - call.dropped,
        "fromSummary": len(call.posts),
        "fromMessages": len(call.posts),
        "recovered": call.dropped,
        "onlyOurs": 0,
        "unverified": 0,
    }
    assert functions.reconcile() == {"conversations": 0}


def as_said(call: Played, record: str) -> list[tuple[str, str]]:
    return [(role, " ".join(RECORDS[record](text).split())) for role, text in call.said]


def heard_in(transcript: Transcript, record: str) -> list[tuple[str, str]]:
    return [(role, " ".join(RECORDS[record](text).split())) for role, text in read(transcript)]


# What fails on ASAPP's side.

QUICK_SECONDS = 0.5
SLOW: dict[str, Damaged] = {
    "slow": Damaged(delay_seconds=2 * QUICK_SECONDS),
    "dripping": Damaged(drip_seconds=QUICK_SECONDS / 4),
}
FAILURES: dict[str, Failure | Damaged] = {
    "429": Failure(429),
    "500": Failure(500),
    **SLOW,
    "truncated": Damaged(cut_after_bytes=20),
    "reset": Damaged(reset=True),
}
JSON_FAILURES = FAILURES | {"no JSON": Failure(200, body='{"items": ["')}
FILE_FAILURES = FAILURES | {"expired URL": Failure(403, "AccessDenied", "Request has expired")}
TRIES = 3

of_messages = pytest.mark.parametrize("failure", JSON_FAILURES.values(), ids=JSON_FAILURES)
of_the_export = pytest.mark.parametrize(
    ("action", "failure"),
    [
        pytest.param(action, failure, id=f"{action}: {name}")
        for action, failures in {
            "listfeedfiles": JSON_FAILURES,
            "getfeedfile": JSON_FAILURES,
            "feedfile": {
                # On the functions' clock a drip takes no time: the export's own tests have it.
                name: failure
                for name, failure in FILE_FAILURES.items()
                if name != "dripping"
            },
        }.items()
        for name, failure in failures.items()
    ],
)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, failure: Failure | Damaged) -> None:
    """A server that is slow by intention is given up soon; one that the machine delays is not."""
    seconds = QUICK_SECONDS if failure in SLOW.values() else 30.0
    policy = RetryPolicy(tries=TRIES, seconds_a_try=seconds)
    monkeypatch.setattr(reconcile_transcript.handler, "POLICY", policy)
    for module in (export_utterances.download, export_utterances.file_exporter):
        monkeypatch.setattr(module, "TRIES", TRIES)
    monkeypatch.setattr(export_utterances.download, "_SECONDS_A_MIB", seconds)
    exporter = partial(FileExporter, seconds_a_read=seconds)
    monkeypatch.setattr(export_utterances.handler, "FileExporter", exporter)


def with_losses(functions: Functions) -> Played:
    """A call whose webhook messages have come, but for those that were lost."""
    functions.asapp.delivery = Delivery(drop=0.3, seed=1)
    chance = random.Random(4)  # noqa: S311
    call = functions.play(call_of(chance, 30, 2, Manner(distinct=True)))
    functions.store(functions.inbox.bodies)
    assert call.dropped
    functions.clock.sleep(AFTER_MINUTES * MINUTE)
    return call


def awaiting_the_export(functions: Functions) -> Played:
    """GET messages never gave this call: it is the export's turn, whose files are due."""
    functions.asapp.messages_after_seconds = 30 * DAY
    call = with_losses(functions)
    functions.clock.sleep(DAY)
    functions.reconcile()
    assert reconciled(functions, call) == ("awaiting", "batch")
    return call


def reconciled(functions: Functions, call: Played) -> tuple[str, str]:
    """Its mark, and what it waits for."""
    key = {"conversationId": {"S": call.guid}, "item": {"S": "conversation"}}
    item = functions.dynamodb.get_item(TableName=functions.table, Key=key)["Item"]
    mark, waits = (item.get(name, {"S": ""})["S"] for name in ("completeness", "reconcile"))
    return mark, waits.partition("#")[0]


def assert_whole(functions: Functions, call: Played) -> None:
    transcript = functions.transcript(call)
    assert read(transcript) == call.said
    assert transcript.completeness == "complete"
    assert transcript.counts["recovered"] == call.dropped


def asked(functions: Functions, action: str) -> int:
    return sum(request.action == action for request in functions.asapp.requests)


def day_of(call: Played) -> str:
    return str(datetime.fromtimestamp(call.posts[0].ended_at, UTC).date())


def objects(functions: Functions) -> dict[str, bytes]:
    """The files of utterances that are in the bucket."""
    answer = functions.s3.list_objects_v2(Bucket=functions.bucket, Prefix="utterances/")
    keys = [found["Key"] for found in answer.get("Contents", [])]
    return {
        key: functions.s3.get_object(Bucket=functions.bucket, Key=key)["Body"].read()
        for key in keys
    }


@of_messages
def test_one_failure_of_messages_is_made_up_for_at_once(
    functions: Functions, impatient: None, failure: Failure | Damaged
) -> None:
    call = with_losses(functions)
    functions.asapp.fail_next("messages", failure)
    functions.reconcile()
    assert asked(functions, "messages") >= 2
    assert_whole(functions, call)


@of_messages
def test_while_messages_fail_the_call_waits_and_comes_up_again(
    functions: Functions,
    impatient: None,
    failure: Failure | Damaged,
    caplog: pytest.LogCaptureFixture,
) -> None:
    call = with_losses(functions)
    kept = functions.transcript(call).utterances
    functions.asapp.fail_next("messages", failure, TRIES)
    functions.reconcile()
    assert asked(functions, "messages") == TRIES
    assert reconciled(functions, call) == ("awaiting", "pending")
    assert functions.transcript(call).utterances == kept
    assert "fromMessages" not in functions.transcript(call).counts  # ASAPP has not said none
    assert "ASAPP gave no messages; it is asked again" in caplog.messages
    functions.clock.sleep(3_600)
    functions.reconcile()
    assert_whole(functions, call)


@of_the_export
def test_one_failure_of_the_export_is_made_up_for_at_once(
    functions: Functions, impatient: None, action: str, failure: Failure | Damaged
) -> None:
    call = awaiting_the_export(functions)
    functions.asapp.fail_next(action, failure)
    assert functions.export()["daysMissing"] == 0
    functions.reconcile(exported=day_of(call))
    assert_whole(functions, call)


@of_the_export
def test_while_the_export_fails_it_says_so_and_the_next_night_makes_up_for_it(
    functions: Functions,
    impatient: None,
    action: str,
    failure: Failure | Damaged,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    call = awaiting_the_export(functions)
    # One more: a connection that ends when it is used again costs no try.
    functions.asapp.fail_next(action, failure, TRIES + 1)
    with pytest.raises(NotExported):
        functions.export()
    assert asked(functions, action) >= TRIES
    (night,) = (line for line in caplog.records if line.message == "exported")
    assert vars(night)["daysMissing"] == 1
    assert objects(functions) == {}
    functions.reconcile(exported=day_of(call))
    assert reconciled(functions, call) == ("awaiting", "batch")
    assert functions.export()["daysMissing"] == 0
    functions.reconcile(exported=day_of(call))
    assert_whole(functions, call)


def test_with_wrong_credentials_the_functions_fail_and_lose_nothing(
    functions: Functions, emulator: Emulator
) -> None:
    for _ in range(2):  # three in a row say that it is not the conversation
        functions.play([[Utterance("agent", 0, 900, "Hello.")]])
    call = with_losses(functions)
    kept = functions.transcript(call).utterances
    right, functions.asapp.api_secret = functions.asapp.api_secret, "another"
    for run in (functions.reconcile, functions.export):
        with pytest.raises(BadCredentials, match="does not take them"):
            run()
    assert functions.transcript(call).utterances == kept
    functions.asapp.api_secret = "rotated"
    value = json.dumps({"apiId": functions.asapp.api_id, "apiSecret": "rotated"})
    emulator.client("secretsmanager").put_secret_value(SecretId=functions.table, SecretString=value)
    functions.clock.sleep(AFTER_MINUTES * MINUTE * 2)
    functions.reconcile()
    assert_whole(functions, call)
    assert right not in value


def test_a_malformed_line_is_kept_told_and_mended_by_another_copy_of_its_file(
    functions: Functions, caplog: pytest.LogCaptureFixture
) -> None:
    call = awaiting_the_export(functions)
    functions.asapp.publish_feed()
    lost = [at for at, post in enumerate(call.posts, 1) if post.dropped]
    functions.asapp.fail_next("feedfile", Damaged(malformed_line=lost[0]))
    functions.export()
    ((key, content),) = objects(functions).items()
    assert len(content.splitlines()) == len(call.posts)
    functions.reconcile(exported=day_of(call))
    unread = "lines of the feed cannot be read"
    (line,) = (line for line in caplog.records if line.message == unread)
    assert (line.levelname, vars(line)["numbers"]) == ("ERROR", [lost[0]])
    # Which alarms: a day old, and not complete.
    assert caplog.messages.count("a conversation stays incomplete") == 1
    assert reconciled(functions, call) == ("awaiting", "batch")
    assert len(functions.transcript(call).utterances) == len(call.posts) - 1
    name = key.rpartition("/")[2]
    marks = functions.s3.list_objects_v2(Bucket=functions.bucket, Prefix="days/taken/")["Contents"]
    for each in (key, *(mark["Key"] for mark in marks if mark["Key"].endswith(f"/{name}"))):
        functions.s3.delete_object(Bucket=functions.bucket, Key=each)
    functions.export(**dict.fromkeys(("from", "to"), day_of(call)))
    functions.reconcile(exported=day_of(call))
    assert_whole(functions, call)
