"""Whatever happens, the logs hold no utterance, no number, no name and no secret.

Every function runs on every path that it has. What Lambda would keep of it is searched: each log
record with all that hangs on it, standard output and error, and what an exception says.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

import shared
from authorize_webhook import handler as authorize_webhook
from export_utterances import handler as export_utterances
from export_utterances.file_exporter import FileExporter
from export_utterances.handler import NotExported
from export_utterances.retries import Failed
from publish_utterance import handler as publish_utterance
from read_transcript import handler as read_transcript
from reconcile_transcript import handler as reconcile_transcript
from reconcile_transcript.due_conversations import NotReconciled
from shared import environment
from shared.asapp.feeds import STATE
from shared.asapp.requests import AsappCredentials, BadCredentials
from shared.aws.api import AwsError
from shared.connect.flow_event import NotAContact
from start_streaming import handler as start_streaming
from stop_streaming import handler as stop_streaming
from store_transcript import handler as store_transcript
from tests.running_server import running
from tests.unit.calls.test_start_and_stop import FAILURES
from tests.unit.conftest import (
    API_SECRET,
    CUSTOMER_NUMBER,
    Behaviour,
    Context,
    Vendor,
    VendorHandler,
    flow_event,
    html,
    ok,
)
from tests.unit.export.night import DAY, Feed, truncated
from tests.unit.held_clock import HeldClock
from tests.unit.reconciliation.finished_calls import Bucket, Call, Table
from tests.unit.transcripts.test_authorize_webhook import FIRST, SECOND, THIRD, Secret, with_header
from tests.unit.transcripts.test_publish_utterance import image, partly, record
from tests.unit.transcripts.test_store_transcript import (
    POISON,
    AwsBehaviour,
    AwsService,
    body_of,
    client,
    event,
    pass_on,
    refusing,
    used_by_the_functions,
)

WORDS = "my PIN is four two four two"
AGENT, CUSTOMER = "lovelace.agent", "babbage.customer"
WRONG = "presented-and-wrong"
PRIVATE = {
    "utterance": WORDS,
    "number": CUSTOMER_NUMBER.removeprefix("+"),
    "agent": AGENT,
    "customer": CUSTOMER,
    "API id": "id-of-asapp",
    "API secret": API_SECRET,
    "webhook secret": SECOND,
    "webhook secret before": FIRST,
    "webhook secret presented": WRONG,
    "AWS key": "wJalrXUtnFEMI",
}
EVERYTHING = " ".join(PRIVATE.values())
OURS = sorted(path.name for path in Path(shared.__path__[0]).parent.iterdir() if path.is_dir())
FAKES = ("moto", "werkzeug")


class Ear(logging.Handler):
    """Hears what Lambda would keep: our loggers whole, the others from INFO on."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        super().__init__()
        self._capture = capture
        self.heard: list[str] = []
        self.messages: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] not in FAKES:
            self.messages.add(record.getMessage())
            self.heard += [self.format(record), repr(vars(record))]

    def run(
        self, function: Callable[..., Any], given: object, seconds: float = 5.0, **more: Any
    ) -> Any:
        """What the function answers, or the type of what it raises."""
        try:
            return function(given, Context(seconds), **more)
        except Exception as problem:
            self.heard += traceback.format_exception(problem)
            return type(problem)

    def leaks(self) -> set[str]:
        """The kinds of private values that have been heard."""
        printed = self._capture.readouterr()
        self.heard += [printed.out, printed.err]
        everything = "\n".join(self.heard)
        return {kind for kind, value in PRIVATE.items() if value in everything}


@pytest.fixture
def ear(capfd: pytest.CaptureFixture[str]) -> Iterator[Ear]:
    """Lambda's log level is INFO; ours are heard at DEBUG, should anybody turn that on."""
    heard = Ear(capfd)
    levels = {"": logging.INFO} | dict.fromkeys(OURS, logging.DEBUG)
    before = {name: logging.getLogger(name).level for name in levels}
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    logging.getLogger().addHandler(heard)
    yield heard
    logging.getLogger().removeHandler(heard)
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture(scope="module")
def front(aws: str) -> Iterator[AwsService]:
    with running(AwsService(aws)) as server:
        yield server


@pytest.fixture
def service(front: AwsService, table_name: str, secret_name: str) -> Iterator[AwsService]:
    with used_by_the_functions(front):
        yield front


def raised(text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError:
        raise RuntimeError("harmless") from None


def chained(text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError as problem:
        raise RuntimeError("harmless") from problem


LOGGER = logging.getLogger("shared.somewhere")
LEAKS: dict[str, Callable[[str], object]] = {
    "a message": lambda text: LOGGER.info(text),
    "an argument": lambda text: LOGGER.debug("%s", text),
    "an unused extra": lambda text: LOGGER.info("harmless", extra={"a": [{"b": text}]}),
    "an exception's text": lambda text: LOGGER.error("harmless", exc_info=ValueError(text)),
    "another library": lambda text: logging.getLogger("botocore.parsers").info(text),
    "standard output": lambda text: print(text),
    "standard error": lambda text: print(text, file=sys.stderr),
    "what is raised": lambda text: os.environ[text],
    "a cause of what is raised": chained,
}


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
def test_the_ear_hears_a_leak_of_any_kind_at_any_place(
    leak: Callable[[str], object], ear: Ear
) -> None:
    assert ear.leaks() == set()
    for kind, value in PRIVATE.items():
        ear.heard.clear()
        ear.run(lambda given, _: leak(given), f"look: {value}!")
        assert ear.leaks() == {kind}


def test_the_ear_does_not_hear_what_lambda_would_not_keep(ear: Ear) -> None:
    logging.getLogger("botocore.endpoint").debug(WORDS)
    ear.run(lambda given, _: raised(given), WORDS)
    assert ear.leaks() == set()


class MoodyHandler(VendorHandler):
    """Behaves towards each conversation as it is told."""

    body: dict[str, Any]

    def do_POST(self) -> None:
        self.body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        cast(Moody, self.server).moods[self.body["guid"]](self)


class Moody(Vendor):
    def __init__(self) -> None:
        super().__init__()
        self.RequestHandlerClass = MoodyHandler
        self.moods: dict[str, Callable[[Any], None]] = {}


def echo(request: MoodyHandler) -> str:
    """All that the vendor was sent and could repeat to us, in whatever place."""
    return f"{EVERYTHING} {request.body} {request.headers}"


def error_code(request: MoodyHandler) -> None:
    request.reply(400, {"error": {"code": echo(request), "message": echo(request)}})


def error_text(request: MoodyHandler) -> None:
    request.reply(403, {"error": echo(request)})


def error_html(request: MoodyHandler) -> None:
    request.reply(404, f"<html>{echo(request)}</html>", "text/html")


def not_ok(request: MoodyHandler) -> None:
    request.reply(200, {"isOk": False, "errorMessage": echo(request)})


def participant(code: object) -> Callable[[MoodyHandler], None]:
    def behave(request: MoodyHandler) -> None:
        answer = ok(("stream-c", "stream-a"))
        status = {"code": code, "description": echo(request)}
        answer["autotranscribeResponse"]["agent"]["status"] = status
        request.reply(200, answer)

    return behave


def status_line(request: MoodyHandler) -> None:
    request.wfile.write(f"{EVERYTHING}\r\n\r\n".encode())
    request.close_connection = True


def fine(request: MoodyHandler) -> None:
    request.reply(200, ok(("stream-c", "stream-a"), {"transcripts": 7}) | {"echo": echo(request)})


MOODS: dict[str, Callable[[Any], None]] = {
    **{name: behaviour for name, behaviour, _, _ in FAILURES},
    "repeats all in the error's code": error_code,
    "repeats all in place of the error": error_text,
    "repeats all in HTML": error_html,
    "repeats all beside isOk false": not_ok,
    "repeats all as a participant's code": participant(EVERYTHING),
    "repeats the number as a participant's code": participant(int(CUSTOMER_NUMBER)),
    "repeats all in its status line": status_line,
    "is fine and repeats all": fine,
}


def call(contact_id: str, **changes: Any) -> dict[str, Any]:
    """A contact in which everything private is present."""
    return flow_event(
        contact_id,
        **{
            "parameters": {"agentId": AGENT},
            "Attributes": {"customerName": CUSTOMER, "note": WORDS},
            "Name": CUSTOMER,
            **changes,
        },
    )


@pytest.fixture
def moody(started_environment: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Moody]:
    """The vendor of start and stop."""
    with running(Moody()) as vendor:
        monkeypatch.setenv("ASAPP_API_HOST", vendor.url)
        environment.asapp.cache_clear()
        yield vendor


@pytest.mark.parametrize("module", [start_streaming, stop_streaming])
def test_start_and_stop_whatever_the_vendor_does(
    module: Any, moody: Moody, service: AwsService, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    moody.clock = clock = HeldClock()
    monkeypatch.setattr(environment, "clock", lambda: clock)
    moody.moods |= MOODS
    statuses = set()
    for name in MOODS:
        answer = ear.run(module.handler, call(name), seconds=7.0)
        statuses.add(answer["status"])
        assert not [value for value in PRIVATE.values() if value in str(answer)]
    assert ear.leaks() == set()
    assert {"rejected", "unavailable"} < statuses


def test_start_and_stop_in_the_ordinary_course(moody: Moody, service: AwsService, ear: Ear) -> None:
    moody.moods["c-1"] = fine
    named = call("c-1", parameters={"agentId": AGENT, "customerId": CUSTOMER})
    other = call("c-2", InitialContactId="c-1", parameters={"agentId": f"{AGENT}.2"})
    starts, stops = start_streaming.handler, stop_streaming.handler
    steps = [(starts, named), (starts, named), (starts, other), (stops, other), (stops, named)]
    statuses = [ear.run(function, given)["status"] for function, given in steps]
    assert statuses == ["started", "already_started", "started", "stopped", "already_stopped"]
    assert ear.run(starts, call("c-3", MediaStreams=None))["status"] == "no_media_stream"
    assert ear.leaks() == set()


@pytest.mark.parametrize("operation", ["UpdateItem", "TransactWriteItems", "GetSecretValue"])
def test_start_and_stop_whatever_aws_does(
    operation: str, moody: Moody, service: AwsService, ear: Ear
) -> None:
    moody.moods |= {"c-1": fine, "c-2": fine}
    service.faults[operation] = [refusing("AccessDeniedException", message=EVERYTHING)]
    ear.run(start_streaming.handler, call("c-1"))
    ear.run(stop_streaming.handler, call("c-2"))
    assert ear.leaks() == set()
    assert len(ear.messages & TROUBLE) == 1


TROUBLE = {
    "the table cannot be used; nothing was sent to ASAPP",
    "ASAPP has answered and the table could not be told; the next request repairs it",
    "no credentials for ASAPP",
}


@pytest.mark.parametrize(
    "value",
    [
        EVERYTHING,
        json.dumps(EVERYTHING),
        json.dumps([EVERYTHING]),
        json.dumps({"apiId": "id-of-asapp", "secret": API_SECRET}),
        json.dumps({"apiId": "id-of-asapp", "apiSecret": {"value": API_SECRET}}),
        json.dumps({"apiId": "id-of-asapp", "apiSecret": f"{API_SECRET}\n"}),
        json.dumps({"apiId": f"{CUSTOMER} \N{SNOWMAN}", "apiSecret": API_SECRET}),
    ],
)
def test_start_and_stop_with_a_malformed_secret(
    value: str, moody: Moody, service: AwsService, secret_name: str, ear: Ear
) -> None:
    secrets = client("secretsmanager", service.url)
    secrets.put_secret_value(SecretId=secret_name, SecretString=value)
    for module in (start_streaming, stop_streaming):
        answer = ear.run(module.handler, call("c-1"))
        assert (answer["status"], answer["reason"]) == ("unavailable", "credentials")
    assert ear.leaks() == set()


@pytest.mark.parametrize("module", [start_streaming, stop_streaming])
def test_start_and_stop_when_they_raise(
    module: Any, moody: Moody, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_contact = call("")
    for given in (no_contact, EVERYTHING, [no_contact], {"ContactId": EVERYTHING}):
        assert ear.run(module.handler, given) is NotAContact
    monkeypatch.setenv("CONVERSATION_ID_SOURCE", "no such source")
    assert ear.run(module.handler, call("c-1")) is KeyError
    assert ear.leaks() == set()


@pytest.fixture
def webhook(service: AwsService, aws: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Secret]:
    """The environment variables of the functions behind the webhook, and their caches empty."""
    secret = Secret(aws)
    secret.rotate(SECOND)
    monkeypatch.setenv("WEBHOOK_SECRET", secret.name)
    monkeypatch.setenv("SECRET_IN", "header")
    monkeypatch.setenv("SECRET_NAME", "X-Webhook-Secret")
    authorize_webhook._demands.cache_clear()
    yield secret
    authorize_webhook._demands.cache_clear()


def test_the_authorizer_whatever_is_presented(
    webhook: Secret, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    presented = (FIRST, SECOND, WRONG, f"{WRONG} \ud83d", f"{SECOND} ", "", None, [WRONG])
    for value in presented:
        ear.run(authorize_webhook.handler, with_header(value))
    ear.run(authorize_webhook.handler, with_header(WRONG) | {"headers": None})
    webhook.rotate(THIRD)
    authorize_webhook._demands.cache_clear()
    ear.run(authorize_webhook.handler, with_header(FIRST))
    monkeypatch.setenv("SECRET_IN", "query")
    query = {"queryStringParameters": {"X-Webhook-Secret": WRONG}}
    ear.run(authorize_webhook.handler, with_header(WRONG) | query)
    assert ear.leaks() == set()
    assert "webhook refused: the secret is not ours" in ear.messages


def test_the_authorizer_when_it_raises(webhook: Secret, service: AwsService, ear: Ear) -> None:
    service.faults["GetSecretValue"] = [refusing("AccessDeniedException", message=EVERYTHING)]
    assert ear.run(authorize_webhook.handler, with_header(WRONG)) is AwsError
    service.faults.clear()
    authorize_webhook._demands.cache_clear()
    nothing_called = with_header(SECOND)
    del nothing_called["methodArn"]
    assert ear.run(authorize_webhook.handler, nothing_called) is KeyError
    assert ear.run(authorize_webhook.handler, {"headers": [WRONG]}) is AttributeError
    assert ear.leaks() == set()


@pytest.fixture
def queue(
    service: AwsService, aws: str, table_name: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """The environment variables of store and publish, and their caches empty."""
    caches = (
        store_transcript._utterances,
        store_transcript._dead_letters,
        publish_utterance._events,
    )
    made = client("sqs", aws).create_queue(QueueName=f"dead-{uuid.uuid4().hex[:8]}")
    monkeypatch.setenv("TRANSCRIPT_TABLE", table_name)
    monkeypatch.setenv("TRANSCRIPT_RETENTION_DAYS", "30")
    monkeypatch.setenv("DEAD_LETTER_QUEUE_URL", made["QueueUrl"])
    monkeypatch.setenv("EVENT_BUS_NAME", "default")
    for kept in caches:
        kept.cache_clear()
    yield
    for kept in caches:
        kept.cache_clear()


def post(at: int, text: str = WORDS, **changes: object) -> str:
    """A message in which everything private is present."""
    sender = {"externalId": CUSTOMER_NUMBER, "role": "customer"}
    return body_of(at, text, **({"sender": sender, "agent": AGENT, "customer": CUSTOMER} | changes))


BAD_POSTS = [
    *POISON.values(),
    EVERYTHING,
    json.dumps(EVERYTHING),
    json.dumps([EVERYTHING]),
    post(1)[:-1],
    post(1, type=EVERYTHING),
    post(1, sender=EVERYTHING),
    post(1, sender={"externalId": EVERYTHING * 9, "role": "agent"}),
    post(1, sender={"externalId": {AGENT: CUSTOMER_NUMBER}, "role": "agent"}),
    post(1, streamId=f"{CUSTOMER_NUMBER} \ud83d"),
    post(1, autotranscribeResponse={"start": WORDS, "end": 2, "utterance": []}),
    post(1, autotranscribeResponse={"start": 1, "end": 2, "utterance": WORDS}),
    post(1, autotranscribeResponse={"start": 1, "end": 2, "utterance": [{WORDS: WORDS}]}),
    post(1, WORDS * 10_000),
]


def test_store_whatever_is_posted(queue: None, ear: Ear) -> None:
    answer = ear.run(store_transcript.handler, event(post(1), post(1), post(2), *BAD_POSTS))
    assert answer == {"batchItemFailures": []}
    assert ear.leaks() == set()
    expected = {
        "stored a batch",
        "the table refused a write",
        "a message can never be stored",
    }
    assert expected <= ear.messages


@pytest.mark.parametrize(
    ("operation", "fault", "message"),
    [
        (
            "BatchWriteItem",
            refusing("ResourceNotFoundException", message=EVERYTHING),
            "the table refused a write",
        ),
        (
            "BatchWriteItem",
            refusing("ValidationException", message=EVERYTHING),
            "a message can never be stored",
        ),
        (
            "SendMessage",
            refusing("AccessDenied", 403, EVERYTHING),
            "the dead-letter queue refused it",
        ),
    ],
)
def test_store_whatever_aws_does(
    operation: str,
    fault: AwsBehaviour,
    message: str,
    queue: None,
    service: AwsService,
    ear: Ear,
) -> None:
    service.faults[operation] = [fault]
    ear.run(store_transcript.handler, event(post(1), post(2), EVERYTHING))
    assert ear.leaks() == set()
    assert message in ear.messages


def test_store_when_it_raises(queue: None, ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    no_time = event(post(1))
    del no_time["Records"][0]["attributes"]["SentTimestamp"]
    assert ear.run(store_transcript.handler, no_time) is KeyError
    monkeypatch.delenv("DEAD_LETTER_QUEUE_URL")
    assert ear.run(store_transcript.handler, event(post(1))) is KeyError
    assert ear.leaks() == set()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (pass_on, ""),
        (partly(0), "the event bus refused an event"),
        (refusing("AccessDeniedException", message=EVERYTHING), "the event bus cannot be reached"),
    ],
)
def test_publish_whatever_the_bus_does(
    fault: AwsBehaviour, message: str, queue: None, service: AwsService, ear: Ear
) -> None:
    service.faults["PutEvents"] = [fault]
    bodies = [post(1), post(2, WORDS * 10_000)]
    records = [record(str(at), image(body)) for at, body in enumerate(bodies)]
    ear.run(publish_utterance.handler, {"Records": records})
    assert ear.leaks() == set()
    assert not message or message in ear.messages


def test_publish_of_a_record_that_is_no_utterance(queue: None, ear: Ear) -> None:
    incomplete = image(post(1))
    del incomplete["role"]
    answer = ear.run(publish_utterance.handler, {"Records": [record("1", incomplete)]})
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert ear.leaks() == set()


# After the call


def private_items(guid: str) -> list[dict[str, Any]]:
    """Of GET messages."""
    return [
        {
            "text": f"{WORDS} {at}",
            "sender": {"role": "customer", "externalId": CUSTOMER_NUMBER, "name": CUSTOMER},
            "messageId": f"{guid}/{at}",
            "clientTimestamp": f"2026-11-01T10:00:0{at}Z",
        }
        for at in range(9)
    ]


def given(*items: object) -> Behaviour:
    return lambda request: request.reply(200, {"items": items, "echo": EVERYTHING})


def refusal(status: int) -> Behaviour:
    """Repeats all that it was sent, with the secret."""

    def behave(request: VendorHandler) -> None:
        said = f"{EVERYTHING} {request.headers} {request.path}"
        request.reply(status, {"error": {"code": said, "message": said}})

    return behave


GARBLED = {"text": EVERYTHING, "sender": {"role": EVERYTHING, "externalId": EVERYTHING * 99}}
RECORDS: dict[str, Behaviour] = {
    "fine": given(*private_items("fine")),
    "with everything everywhere": given(
        *private_items("x"),
        GARBLED | {"messageId": EVERYTHING, "clientTimestamp": EVERYTHING},
        GARBLED | {"messageId": EVERYTHING * 9, "createdTimestamp": [EVERYTHING]},
        EVERYTHING,
        [EVERYTHING],
        {EVERYTHING: EVERYTHING},
    ),
    "of another shape": lambda request: request.reply(200, {"items": {WORDS: EVERYTHING}}),
    "cut off": lambda request: request.reply(200, json.dumps({"items": EVERYTHING})[:-9]),
    "in HTML": html,
    "400": refusal(400),
    "404": refusal(404),
    "429": refusal(429),
    "500": refusal(500),
}


@pytest.fixture
def ended(
    service: AwsService,
    aws: str,
    vendor: Vendor,
    table_name: str,
    secret_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Table]:
    """Calls that ended a day ago, one for each record of ASAPP's; the environment variables of
    reconciliation and reader, and their caches empty."""
    monkeypatch.setattr(reconcile_transcript, "SYSTEM_CLOCK", HeldClock())
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", aws)
    monkeypatch.setenv("ASAPP_API_HOST", vendor.url)
    monkeypatch.setenv("ASAPP_CREDENTIALS_SECRET", secret_name)
    monkeypatch.setenv("TRANSCRIPT_TABLE", table_name)
    monkeypatch.setenv("TRANSCRIPT_RETENTION_DAYS", "30")
    monkeypatch.setenv("RECONCILE_AFTER_MINUTES", "15")
    monkeypatch.setenv("EXPORT_BUCKET", table_name)
    caches = (
        reconcile_transcript._transcripts,
        reconcile_transcript._messages,
        reconcile_transcript._reconciler,
        read_transcript._reader,
    )
    for kept in caches:
        kept.cache_clear()
    table = Table(table_name)
    for guid in RECORDS:
        call_of = Call(guid, [WORDS, f"{WORDS} 1", EVERYTHING], ago_ms=25 * 3_600_000)
        table.end(call_of)
        table.post(call_of, [0, 2])
    vendor.moods = dict(RECORDS)
    vendor.behaviours = [given()]
    yield table
    for kept in caches:
        kept.cache_clear()


def asked_for(ear: Ear, guid: str) -> Any:
    return ear.run(reconcile_transcript.handler, {"conversationId": guid}, seconds=60)


def test_reconciliation_whatever_asapp_gives(ended: Table, ear: Ear) -> None:
    answer = ear.run(reconcile_transcript.handler, {}, seconds=60)
    assert answer == {"conversations": len(RECORDS)}
    assert ended.conversation("fine")["recovered"] > 5
    expected = {"reconciled", "ASAPP gave no messages; it is asked again"}
    assert expected <= ear.messages
    for guid in RECORDS:
        ended.change(guid, changedAt=0)
        told = asked_for(ear, guid)
        assert not [value for value in PRIVATE.values() if value in str(told)]
    assert "a conversation stays incomplete" in ear.messages
    assert ear.leaks() == set()


@pytest.mark.parametrize("status", [401, 403])
def test_reconciliation_when_asapp_refuses_the_credentials(
    status: int, ended: Table, vendor: Vendor, ear: Ear
) -> None:
    vendor.moods = dict.fromkeys(RECORDS, refusal(status))
    assert ear.run(reconcile_transcript.handler, {}, seconds=60) is BadCredentials
    assert ear.leaks() == set()


@pytest.mark.parametrize("operation", ["Query", "UpdateItem", "BatchWriteItem", "GetSecretValue"])
@pytest.mark.parametrize("code", ["AccessDeniedException", "ValidationException"])
def test_reconciliation_whatever_aws_does(
    operation: str, code: str, ended: Table, service: AwsService, ear: Ear
) -> None:
    service.faults[operation] = [refusing(code, message=EVERYTHING)]
    expected = BadCredentials if operation == "GetSecretValue" else NotReconciled
    assert ear.run(reconcile_transcript.handler, {}, seconds=60) is expected
    assert asked_for(ear, "fine") is expected
    assert ear.leaks() == set()


def test_reconciliation_whatever_an_item_has(ended: Table, ear: Ear) -> None:
    broken = ended.utterances("fine")[0]
    ended.put(broken | {"startMs": EVERYTHING})
    assert ear.run(reconcile_transcript.handler, {}, seconds=60) is NotReconciled
    assert "a conversation could not be reconciled" in ear.messages
    assert ear.leaks() == set()


def feed_lines(guid: str) -> list[bytes]:
    """Of both feeds, whole and spoilt."""
    row = {
        "external_conversation_id": guid,
        "message_id": EVERYTHING,
        "utterance": WORDS,
        "sender_type": EVERYTHING,
        "sender_id": CUSTOMER_NUMBER,
        "start_ts": EVERYTHING,
    }
    whole = json.dumps(row).encode()
    return [whole, whole[:-1], EVERYTHING.encode() + guid.encode(), b"\xff" + whole, b"[]"]


def test_completion_whatever_the_export_holds(ended: Table, ear: Ear) -> None:
    bucket = Bucket(ended.name)
    day = "2026-11-01"
    for guid in RECORDS:
        ended.change(guid, reconcile="batch")
    for feed in ("utterances", STATE):
        for guid in RECORDS:
            name = f"{guid} {EVERYTHING}.jsonl"
            bucket.s3.put_object(
                Bucket=bucket.name,
                Key=f"{feed}/dt={day}/{name}",
                Body=b"\n".join(feed_lines(guid)),
            )
    answer = ear.run(reconcile_transcript.handler, {"exported": day}, seconds=60)
    assert answer == {"conversations": len(RECORDS), "complete": 0}
    assert {"reconciled", "lines of the feed cannot be read"} <= ear.messages
    assert ear.leaks() == set()


def s3_refuses(request: VendorHandler) -> None:
    error = f"<Error><Code>AccessDenied</Code><Message>{EVERYTHING}</Message></Error>"
    request.reply(403, error, "application/xml")


def test_completion_when_it_raises(
    ended: Table, vendor: Vendor, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended.change("fine", reconcile="batch")
    exported = {"exported": "2026-11-01"}
    vendor.behaviours = [s3_refuses]
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", vendor.url)
    assert ear.run(reconcile_transcript.handler, exported, seconds=60) is NotReconciled
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    assert ear.run(reconcile_transcript.handler, exported, seconds=60) is NotReconciled
    assert ear.leaks() == set()


def test_the_reader_whatever_it_reads(ended: Table, service: AwsService, ear: Ear) -> None:
    asked_for(ear, "fine")
    wanted = {"pathParameters": {"conversationId": "fine"}, "httpMethod": "GET", "headers": None}
    for query in (None, {"format": "text"}, {"format": EVERYTHING}):
        answer = ear.run(read_transcript.handler, wanted | {"queryStringParameters": query})
        assert (WORDS in answer["body"]) == (query != {"format": EVERYTHING})
    for unknown in (EVERYTHING, EVERYTHING * 9, ""):
        ear.run(read_transcript.handler, {"pathParameters": {"conversationId": unknown}})
    assert "transcript read" in ear.messages
    service.faults["Query"] = [refusing("AccessDeniedException", message=EVERYTHING)]
    assert ear.run(read_transcript.handler, wanted)["statusCode"] == 503
    assert "the table cannot be read" in ear.messages
    assert ear.leaks() == set()


@pytest.fixture
def night(
    service: AwsService,
    aws: str,
    vendor: Vendor,
    table_name: str,
    secret_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Feed]:
    """File Exporter with private words in files and names; the exporter's environment variables,
    and its caches empty."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", aws)
    bucket = Bucket(table_name)
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", vendor.url)
    monkeypatch.setenv("EXPORT_BUCKET", bucket.name)
    monkeypatch.setenv("LOOKBACK_DAYS", "1")
    monkeypatch.setenv("ANNOUNCE_TO", "reconcile")
    for kept in (export_utterances._bucket, export_utterances._lambda):
        kept.cache_clear()
    vendor.behaviours = [lambda request: request.reply(202, "")]
    with running(Feed()) as feed:
        exporter = FileExporter(feed.url, AsappCredentials(secret_name))
        monkeypatch.setattr(export_utterances, "_exporter", lambda: exporter)
        names = (f"{WORDS} {CUSTOMER_NUMBER}.jsonl", f"{AGENT}.jsonl", f"../{CUSTOMER}")
        feed.days = {DAY: dict.fromkeys(names, EVERYTHING.encode())}
        feed.state = {DAY: dict.fromkeys(names, EVERYTHING.encode())}
        yield feed
    for kept in (export_utterances._bucket, export_utterances._lambda):
        kept.cache_clear()


def export(ear: Ear, night: Feed) -> Any:
    return ear.run(export_utterances.handler, {}, seconds=600, clock=night.clock)


def without_failures(night: Feed) -> None:
    for files in (*night.days.values(), *night.state.values()):
        del files[f"../{CUSTOMER}"]


def forget_what_is_exported() -> None:
    name, s3 = os.environ["EXPORT_BUCKET"], client("s3", os.environ["AWS_ENDPOINT_URL_S3"])
    for found in s3.list_objects_v2(Bucket=name).get("Contents", []):
        s3.delete_object(Bucket=name, Key=found["Key"])


def test_the_export_in_the_ordinary_course(night: Feed, ear: Ear) -> None:
    without_failures(night)
    answer = export(ear, night)
    assert (answer["files"], answer["daysMissing"]) == (4, 0)
    assert "exported" in ear.messages
    assert ear.leaks() == set()


def no_chunk(request: Any) -> None:
    request.head(200, Transfer_Encoding="chunked")
    request.close_connection = True


WORDY_URL = f"https://nobody.invalid/{API_SECRET}?{WRONG}={CUSTOMER}"
FEED_FAULTS: dict[str, Behaviour] = {
    **{str(status): refusal(status) for status in (400, 403, 404, 429, 500)},
    "in HTML": lambda request: request.reply(200, f"<html>{EVERYTHING}</html>", "text/html"),
    "of another shape": lambda request: request.reply(200, {WORDS: EVERYTHING}),
    "with two lists": lambda request: request.reply(200, {"a": [WORDS], "b": [EVERYTHING]}),
    "with names": lambda request: request.reply(200, {"files": [EVERYTHING, EVERYTHING * 9]}),
    "with a URL": lambda request: request.reply(200, {"url": WORDY_URL}),
    "with no URL": lambda request: request.reply(200, {"url": EVERYTHING}),
    "with a range of its own": lambda request: request.reply(206, EVERYTHING),
    "cut off": truncated(9),
    "cut off ahead of a chunk": no_chunk,
}


@pytest.mark.parametrize("feed", ["", f"{STATE} "], ids=["utterances", "state"])
@pytest.mark.parametrize("call", ["listfeedfiles", "getfeedfile", "download"])
def test_the_export_whatever_asapp_gives(call: str, feed: str, night: Feed, ear: Ear) -> None:
    for fault in FEED_FAULTS.values():
        night.faults[f"{feed}{call}"] = [fault] * 20
        export(ear, night)
        forget_what_is_exported()
    assert {"exported", "not exported"} <= ear.messages
    assert ear.leaks() == set()


def test_the_export_when_asapp_refuses_the_credentials(night: Feed, ear: Ear) -> None:
    night.faults["listfeedfiles"] = [refusal(401)] * 9
    assert export(ear, night) is BadCredentials
    assert ear.leaks() == set()


def test_the_export_whatever_aws_does(
    night: Feed, service: AwsService, vendor: Vendor, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_failures(night)
    denied = {"Type": "User", "message": EVERYTHING, "Message": EVERYTHING}
    vendor.behaviours = [lambda request: request.reply(403, denied)]  # nobody can be told
    assert export(ear, night) is NotExported
    vendor.behaviours = [s3_refuses]
    with monkeypatch.context() as refusing_s3:
        refusing_s3.setenv("AWS_ENDPOINT_URL_S3", vendor.url)
        export_utterances._bucket.cache_clear()
        assert export(ear, night) is Failed
    export_utterances._bucket.cache_clear()
    service.faults["GetSecretValue"] = [refusing("AccessDeniedException", message=EVERYTHING)]
    exporter = FileExporter(night.url, AsappCredentials("no such secret"))
    monkeypatch.setattr(export_utterances, "_exporter", lambda: exporter)
    assert export(ear, night) is BadCredentials
    assert ear.run(export_utterances.handler, {"from": EVERYTHING, "to": WORDS}) is ValueError
    assert ear.leaks() == set()
