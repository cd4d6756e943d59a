"""The ASAPP double over real sockets: what it accepts, what it refuses, and how it speaks."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sandbox.asapp.conversations import Utterance, load_all
from sandbox.asapp.double import AsappDouble, Delivery, Failure

pytestmark = pytest.mark.timeout(30)

START, STOP = "/mg-autotranscribe/v1/start-streaming", "/mg-autotranscribe/v1/stop-streaming"
MESSAGES = "/conversation/v1/conversation/messages"
GUID = "8c259fea-8764-4a92-adc4-73572e9cf016"
HTTP = httpx.Client(trust_env=False, timeout=10)  # of all threads; a new one costs 20 ms
SECRET = {"x-webhook-secret": "a-secret"}
SPOKEN = [
    Utterance("agent", 0, 1000, "Hello."),
    Utterance("customer", 1500, 2500, "Yes."),
    Utterance("agent", 3000, 4000, "Really?"),
    Utterance("customer", 4500, 5500, "Yes."),
]
MANY = [Utterance("customer", n * 1000, n * 1000 + 900, f"Word {n}.") for n in range(60)]


def start_body(guid: str = GUID, **changes: Any) -> dict[str, Any]:
    return {
        "namespace": "amazonconnect",
        "guid": guid,
        "customerId": "+12025550142",
        "agentId": "priya",
        "amazonConnectParams": {
            "streamArn": "arn:aws:kinesisvideo:us-east-1:123456789012:stream/"
            "streamtest-connect-asappconnect-contact-1117e864-690f-4e1e-9dcf-6fbfcc288e41/1654194145007",
            "startSelectorType": "FRAGMENT_NUMBER",
            "afterFragmentNumber": "91343852333181476958523476930058290730435475343",
        },
        **changes,
    }


NOW = {
    "streamArn": start_body()["amazonConnectParams"]["streamArn"],
    "startSelectorType": "NOW",
}


def stop_body(guid: str = GUID) -> dict[str, Any]:
    return {"namespace": "amazonconnect", "guid": guid}


@dataclass
class Client:
    """What a caller of ASAPP sends."""

    asapp: AsappDouble
    http: httpx.Client = HTTP

    def post(self, path: str, body: object, **headers: str | None) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.http.post(self.asapp.url + path, content=content, headers=self.keys(**headers))

    def start(self, guid: str = GUID, **changes: Any) -> httpx.Response:
        return self.post(START, start_body(guid, **changes))

    def stop(self, guid: str = GUID) -> httpx.Response:
        return self.post(STOP, stop_body(guid))

    def messages(self, **params: str) -> httpx.Response:
        return self.http.get(self.asapp.url + MESSAGES, params=params, headers=self.keys())

    def keys(self, **changes: str | None) -> dict[str, str]:
        headers = {
            "asapp-api-id": self.asapp.api_id,
            "asapp-api-secret": self.asapp.api_secret,
            "content-type": "application/json",
        } | {name.replace("_", "-"): value for name, value in changes.items()}
        return {name: value for name, value in headers.items() if value is not None}


class Receiver:
    """A webhook that keeps what it gets, and answers with the next of ``statuses``, then 200."""

    def __init__(self) -> None:
        self.got: list[tuple[bytes, dict[str, str], str]] = []
        self.statuses: list[int] = []

    async def take(self, request: Request) -> Response:
        self.got.append((await request.body(), dict(request.headers), request.url.query))
        return PlainTextResponse("", self.statuses.pop(0) if self.statuses else 200)

    @property
    def texts(self) -> list[str]:
        bodies = [json.loads(body) for body, _, _ in self.got]
        return [body["autotranscribeResponse"]["utterance"][0]["text"] for body in bodies]

    def __enter__(self) -> "Receiver":
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/transcripts"
        app = Starlette(routes=[Route("/transcripts", self.take, methods=["POST"])])
        self._server = uvicorn.Server(uvicorn.Config(app, log_config=None, log_level="critical"))
        self._thread = threading.Thread(target=self._server.run, args=([listener],), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(5)


@pytest.fixture
def asapp() -> Iterator[AsappDouble]:
    with AsappDouble(posts_at_once=1) as double:
        yield double


@pytest.fixture
def client(asapp: AsappDouble) -> Client:
    return Client(asapp)


@pytest.fixture(scope="module")
def strict() -> Iterator[Client]:
    """For requests that ASAPP refuses, so that none of them changes anything."""
    with AsappDouble() as double:
        yield Client(double)


@pytest.fixture(scope="module")
def shared_receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def receiver(asapp: AsappDouble, shared_receiver: Receiver) -> Receiver:
    shared_receiver.got.clear()
    shared_receiver.statuses.clear()
    asapp.webhook(shared_receiver.url, headers=SECRET)
    return shared_receiver


def error_code(response: httpx.Response) -> tuple[int, str]:
    error = response.json()["error"]
    assert set(response.json()) == {"error"}
    assert set(error) == {"requestId", "code", "message"}
    return response.status_code, error["code"]


# --- start and stop ---


def test_a_start_answers_with_a_stream_for_each_participant(client: Client) -> None:
    answer = client.start()
    assert answer.status_code == 200
    streams = answer.json()["autotranscribeResponse"]
    assert answer.json() == {"isOk": True, "autotranscribeResponse": streams}
    assert set(streams) == {"customer", "agent"}
    assert streams["customer"]["streamId"] != streams["agent"]["streamId"]
    for stream in streams.values():
        assert stream["status"] == {"code": 1000, "description": "OK"}
        assert set(stream) == {"streamId", "status"}


def test_a_stop_answers_with_the_summary_of_each_stream(
    client: Client, asapp: AsappDouble, receiver: Receiver
) -> None:
    started = client.start().json()["autotranscribeResponse"]
    asapp.speak(GUID, SPOKEN[:3]).result()
    stopped = client.stop().json()["autotranscribeResponse"]
    assert stopped["agent"]["streamId"] == started["agent"]["streamId"]
    assert stopped["customer"]["summary"]["transcripts"] == 1
    assert stopped["agent"]["summary"] == {
        "totalAudioBytes": 64_000,
        "audioDurationMs": 4_000,
        "streamingSeconds": 4,
        "transcripts": 2,
    }


def test_a_resumed_call_gets_new_streams_that_count_from_zero(
    client: Client, asapp: AsappDouble
) -> None:
    first = client.start().json()["autotranscribeResponse"]["agent"]["streamId"]
    asapp.speak(GUID, SPOKEN).result()
    client.stop()
    second = client.start().json()["autotranscribeResponse"]["agent"]["streamId"]
    assert first != second
    summary = client.stop().json()["autotranscribeResponse"]["agent"]["summary"]
    assert (summary["transcripts"], summary["audioDurationMs"]) == (0, 0)


def test_streams_that_are_kept_go_on_counting() -> None:
    with AsappDouble(keep_stream_ids=True) as asapp:
        client = Client(asapp)
        first = client.start().json()["autotranscribeResponse"]
        asapp.speak(GUID, SPOKEN[:2]).result()
        client.stop()
        assert client.start(agentId="sam").json()["autotranscribeResponse"] == first
        later = asapp.speak(GUID, SPOKEN[2:3]).result()[0]
        assert (later.start_ms, later.sender) == (SPOKEN[2].start_ms, "sam")
        summary = client.stop().json()["autotranscribeResponse"]["agent"]["summary"]
        assert summary["transcripts"] == 2


def test_a_second_start_or_stop_is_409_201(client: Client) -> None:
    client.start()
    assert error_code(client.start(agentId="another")) == (409, "409-201")
    client.stop()
    assert error_code(client.stop()) == (409, "409-201")


def test_a_stop_of_an_unknown_guid_is_400_203(client: Client, asapp: AsappDouble) -> None:
    assert error_code(client.stop()) == (400, "400-203")
    asapp.speak(GUID, SPOKEN).result()
    assert error_code(client.stop()) == (400, "400-203")


def test_a_request_for_a_guid_with_another_pending_is_409_202(
    client: Client, asapp: AsappDouble
) -> None:
    asapp.answer_after_ms = 1000
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(Client(asapp).start)
        while not asapp.requests:
            time.sleep(0.01)
        asapp.answer_after_ms = 0
        assert error_code(client.start()) == (409, "409-202")
        assert error_code(client.stop()) == (409, "409-202")
        assert client.start("another-guid").status_code == 200
        assert not pending.done()
        assert pending.result().status_code == 200
    assert client.stop().status_code == 200


def test_of_many_starts_at_once_exactly_one_takes_effect(asapp: AsappDouble) -> None:
    asapp.answer_after_ms = 300
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: Client(asapp).start(), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    refusals = {error_code(answer)[1] for answer in answers if answer.status_code == 409}
    assert refusals <= {"409-202", "409-201"}  # 409-201 for one that came late
    assert len(asapp.successful_starts(GUID)) == 1


# --- strictness ---


def changed(path: str, value: object) -> dict[str, Any]:
    """A start with one value changed, or left out for None."""
    body: dict[str, Any] = start_body()
    place = body
    *parents, last = path.split(".")
    for parent in parents:
        place = place.setdefault(parent, {})
    if value is None:
        del place[last]
    else:
        place[last] = value
    return body


REFUSED: list[tuple[str, object, str]] = [
    *[(field, None, "400-201") for field in start_body()],
    *[(field, "", "400-201") for field in ("guid", "customerId", "agentId")],
    ("guid", 5, "400-201"),
    ("guid", False, "400-201"),
    ("namespace", "twilio", "400-201"),
    ("callerName", "Dana", "400-201"),
    ("amazonConnectParams", "x", "400-201"),
    ("autotranscribeParams", [], "400-201"),
    ("amazonConnectParams.streamArn", None, "400-201"),
    ("amazonConnectParams.streamArn", "arn:aws:s3:::bucket", "400-201"),
    (
        "amazonConnectParams.streamArn",
        "arn:aws:kinesisvideo::eu-west-2:123456789012:stream/name/1",
        "400-201",
    ),
    (
        "amazonConnectParams.streamArn",
        "arn:aws:kinesisvideo:eu-west-2:123456789012:stream/name",
        "400-201",
    ),
    ("amazonConnectParams.startSelectorType", None, "400-201"),
    (
        "amazonConnectParams",
        {**start_body()["amazonConnectParams"], "startSelectorType": "EARLIEST"},
        "400-201",
    ),
    ("amazonConnectParams", {**NOW, "startSelectorType": "EARLIEST"}, "400-201"),
    ("amazonConnectParams.startSelectorType", "NOW", "400-201"),
    ("amazonConnectParams.afterFragmentNumber", None, "400-201"),
    ("amazonConnectParams.afterFragmentNumber", "100", "400-201"),
    ("amazonConnectParams.afterFragmentNumber", "9.134385233318147e46", "400-201"),
    ("amazonConnectParams.afterFragmentNumber", 91343852333181476958523, "400-201"),
    ("amazonConnectParams.contactId", "x", "400-201"),
    ("autotranscribeParams.vocabulary", "x", "400-202"),
    ("autotranscribeParams.language", "english", "400-202"),
    ("autotranscribeParams.language", "en_US", "400-202"),
    ("autotranscribeParams.detailedToken", "true", "400-202"),
    ("autotranscribeParams.detailedToken", True, "400-202"),  # redacted is the default
    ("autotranscribeParams.audioRecordingAllowed", 1, "400-202"),
    ("autotranscribeParams.redactionOutput", "none", "400-202"),
]


@pytest.mark.parametrize(("path", "value", "code"), REFUSED)
def test_a_wrong_start_is_refused_field_by_field(
    strict: Client, path: str, value: object, code: str
) -> None:
    assert error_code(strict.post(START, changed(path, value))) == (400, code)
    assert strict.asapp.successful_starts(GUID) == []


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"language": "es-US", "audioRecordingAllowed": True},
        {"detailedToken": True, "redactionOutput": "unredacted"},
        {"detailedToken": False, "redactionOutput": "redacted_and_unredacted"},
    ],
)
def test_documented_transcription_parameters_are_accepted(
    client: Client, params: dict[str, object]
) -> None:
    assert client.start(autotranscribeParams=params).status_code == 200


@pytest.mark.parametrize("output", ["redacted", "redacted_and_unredacted"])
def test_detailed_tokens_with_redaction_are_400_202(strict: Client, output: str) -> None:
    params = {"detailedToken": True, "redactionOutput": output}
    assert error_code(strict.start(autotranscribeParams=params)) == (400, "400-202")


def test_an_account_without_redaction_rules_refuses_redacted_output() -> None:
    with AsappDouble(redaction_rules=False) as asapp:
        client = Client(asapp)
        refused = client.start(autotranscribeParams={"redactionOutput": "redacted"})
        assert error_code(refused) == (400, "400-202")
        good = client.start(autotranscribeParams={"redactionOutput": "unredacted"})
        assert good.status_code == 200


@pytest.mark.parametrize("partition", ["aws", "aws-us-gov", "aws-cn"])
def test_streams_of_every_partition_and_both_selectors_are_accepted(
    client: Client, partition: str
) -> None:
    arn = f"arn:{partition}:kinesisvideo:us-gov-west-1:123456789012:stream/a-b_c.d/1654194145007"
    params = {"streamArn": arn, "startSelectorType": "NOW"}
    assert client.start(amazonConnectParams=params).status_code == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"guid": GUID}, "400-201"),
        ({"namespace": "amazonconnect"}, "400-201"),
        ({**stop_body(), "agentId": "priya"}, "400-201"),
        ({**stop_body(), "namespace": "siprec"}, "400-201"),
        ([], "400-201"),
        (b"{", "400-02"),
        (b'{"guid": "\xff"}', "400-02"),
    ],
)
def test_a_wrong_stop_is_refused(strict: Client, body: object, code: str) -> None:
    assert error_code(strict.post(STOP, body)) == (400, code)


@pytest.mark.parametrize("path", [START, STOP])
@pytest.mark.parametrize(
    "headers",
    [{"asapp_api_id": "x"}, {"asapp_api_secret": "x"}, {"asapp_api_id": None},
     {"asapp_api_secret": None}],
)  # fmt: skip
def test_wrong_or_missing_keys_are_401(
    strict: Client, path: str, headers: dict[str, str | None]
) -> None:
    assert error_code(strict.post(path, start_body(), **headers)) == (401, "401-01")


def test_a_get_without_keys_is_401(strict: Client) -> None:
    answer = strict.http.get(strict.asapp.url + MESSAGES, params={"externalId": GUID})
    assert answer.status_code == 401


@pytest.mark.parametrize("content_type", ["text/plain", None])
def test_another_content_type_is_refused(strict: Client, content_type: str | None) -> None:
    answer = strict.post(START, start_body(), content_type=content_type)
    assert error_code(answer) == (400, "400-02")


def test_a_charset_beside_the_content_type_is_fine(client: Client) -> None:
    answer = client.post(START, start_body(), content_type="application/json; charset=utf-8")
    assert answer.status_code == 200


def test_other_paths_and_methods_are_404(strict: Client) -> None:
    assert error_code(strict.post("/start-streaming", start_body())) == (404, "404-01")
    assert error_code(strict.http.get(strict.asapp.url + START, headers=strict.keys())) == (
        404,
        "404-01",
    )


# --- what it remembers ---


def test_every_request_is_recorded_and_the_secret_is_not(
    client: Client, asapp: AsappDouble
) -> None:
    before = time.time()
    client.start()
    client.post(STOP, stop_body(), asapp_api_id="x")
    client.messages(externalId=GUID)
    client.post("/nowhere?a=1", b"")
    recorded = [(r.method, r.path, r.query, r.action, r.status) for r in asapp.requests]
    assert recorded == [
        ("POST", START, "", "start-streaming", 200),
        ("POST", STOP, "", "stop-streaming", 401),
        ("GET", MESSAGES, f"externalId={GUID}", "messages", 200),
        ("POST", "/nowhere", "a=1", None, 404),
    ]
    assert asapp.requests[0].json() == start_body()
    assert asapp.requests[0].headers["asapp-api-id"] == asapp.api_id
    assert before <= asapp.requests[0].at <= time.time()
    assert asapp.api_secret not in repr(asapp.requests)


def test_successful_starts_and_stops_count_only_what_took_effect(
    client: Client, asapp: AsappDouble
) -> None:
    client.stop()
    client.start()
    client.start()
    client.start("another")
    client.stop()
    client.start()
    assert [r.json()["agentId"] for r in asapp.successful_starts(GUID)] == ["priya", "priya"]
    assert len(asapp.successful_stops(GUID)) == 1
    assert len(asapp.successful_starts("another")) == 1


# --- scripted failures ---


def test_failures_answer_in_turn_and_change_nothing(client: Client, asapp: AsappDouble) -> None:
    asapp.fail_next("start-streaming", Failure(503), times=2)
    asapp.fail_next(START, Failure(429, "429-07", "slow down", headers={"retry-after": "1"}))
    asapp.fail_next(START, Failure.not_ok("no audio"))
    asapp.fail_next(START, Failure.html())
    assert [error_code(client.start()) for _ in range(2)] == [(503, "503-01")] * 2
    slow = client.start()
    assert (error_code(slow), slow.headers["retry-after"]) == ((429, "429-07"), "1")
    not_ok = client.start()
    assert not_ok.status_code == 200
    assert not_ok.json() == {"isOk": False, "errorMessage": "no audio"}
    page = client.start()
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html")
    assert asapp.successful_starts(GUID) == []
    assert client.start().json()["isOk"] is True


def test_a_failure_waits_for_its_action_and_for_a_correct_request(
    client: Client, asapp: AsappDouble
) -> None:
    asapp.fail_next("stop-streaming", Failure(500, "500-201"))
    assert client.start().status_code == 200
    assert error_code(client.post(STOP, {})) == (400, "400-201")
    assert error_code(client.stop()) == (500, "500-201")
    assert client.stop().status_code == 200


def test_an_answer_can_get_lost_after_the_start_took_effect(
    client: Client, asapp: AsappDouble
) -> None:
    asapp.fail_next(START, Failure(503, takes_effect=True))
    assert client.start().status_code == 503
    assert error_code(client.start()) == (409, "409-201")
    assert len(asapp.successful_starts(GUID)) == 1


def test_get_messages_can_fail_too(client: Client, asapp: AsappDouble) -> None:
    asapp.fail_next("messages", Failure(429))
    assert client.messages(externalId=GUID).status_code == 429
    assert client.messages(externalId=GUID).status_code == 200


def test_a_failure_of_an_unknown_action_is_a_mistake(asapp: AsappDouble) -> None:
    with pytest.raises(KeyError, match="pause-streaming"):
        asapp.fail_next("pause-streaming", Failure())


# --- speaking ---


def test_each_utterance_is_posted_once_in_the_documented_shape(
    client: Client, asapp: AsappDouble, receiver: Receiver
) -> None:
    streams = client.start().json()["autotranscribeResponse"]
    asapp.speak(GUID, SPOKEN).result()
    assert receiver.texts == [utterance.text for utterance in SPOKEN]
    bodies = [json.loads(body) for body, _, _ in receiver.got]
    assert bodies[1] == {
        "type": "transcript",
        "externalConversationId": GUID,
        "streamId": streams["customer"]["streamId"],
        "sender": {"externalId": "+12025550142", "role": "customer"},
        "autotranscribeResponse": {
            "message": "transcript",
            "start": 1500,
            "end": 2500,
            "utterance": [{"text": "Yes."}],
        },
    }
    assert bodies[0]["streamId"] == streams["agent"]["streamId"]
    assert bodies[0]["sender"] == {"externalId": "priya", "role": "agent"}


def test_the_secret_goes_in_a_header_or_in_a_parameter_beside_those_of_the_url(
    client: Client, asapp: AsappDouble, receiver: Receiver
) -> None:
    client.start()
    asapp.speak(GUID, SPOKEN[:1]).result()
    asapp.webhook(receiver.url + "?stage=dev", params={"token": "a&b"})
    asapp.speak(GUID, SPOKEN[1:2]).result()
    _, headers, query = receiver.got[0]
    assert (headers["x-webhook-secret"], query) == ("a-secret", "")
    assert headers["content-type"] == "application/json"
    _, headers, query = receiver.got[1]
    assert ("x-webhook-secret" in headers, query) == (False, "stage=dev&token=a%26b")


def test_every_scripted_text_arrives_intact(
    client: Client, asapp: AsappDouble, receiver: Receiver
) -> None:
    for call in load_all():
        client.start(call.name)
        asapp.speak(call.name, call.utterances).result()
        sent = [u.text for u in sorted(call.utterances, key=lambda u: u.end_ms)]
        assert receiver.texts == sent
        receiver.got.clear()


def test_a_failed_post_is_never_retried(
    client: Client, asapp: AsappDouble, receiver: Receiver
) -> None:
    client.start()
    receiver.statuses = [500, 429, 307]
    posts = asapp.speak(GUID, SPOKEN).result()
    assert [[sent.status for sent in post.sent] for post in posts] == [[500], [429], [307], [200]]
    assert len(receiver.got) == len(SPOKEN)


def test_a_webhook_that_does_not_answer_is_recorded_and_not_retried(
    client: Client, asapp: AsappDouble
) -> None:
    client.start()
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and never listening: refused at once
        asapp.webhook(f"http://127.0.0.1:{nobody.getsockname()[1]}/")
        [post] = asapp.speak(GUID, SPOKEN[:1]).result()
    assert [sent.status for sent in post.sent] == [None]


def test_without_a_webhook_transcripts_are_there_for_get_only(
    client: Client, asapp: AsappDouble
) -> None:
    client.start()
    posts = asapp.speak(GUID, SPOKEN).result()
    assert [post.sent for post in posts] == [[]] * 4
    assert len(client.messages(externalId=GUID).json()["items"]) == 4


def test_each_post_is_recorded_with_its_time_and_status(
    client: Client, asapp: AsappDouble, receiver: Receiver
) -> None:
    streams = client.start().json()["autotranscribeResponse"]
    before = time.time()
    posts = asapp.speak(GUID, SPOKEN).result()
    assert asapp.posts == posts
    assert [(p.guid, p.stream_id, p.start_ms, p.text) for p in posts] == [
        (GUID, streams[u.role]["streamId"], u.start_ms, u.text) for u in SPOKEN
    ]
    for post in posts:
        assert not post.dropped
        assert [sent.status for sent in post.sent] == [200]
        assert before <= post.sent[0].at <= time.time()


def test_words_spoken_while_nothing_transcribes_are_unheard(
    client: Client, asapp: AsappDouble, receiver: Receiver
) -> None:
    asapp.speak(GUID, SPOKEN[:1]).result()
    client.start()
    asapp.speak(GUID, SPOKEN[1:2]).result()
    client.stop()
    assert asapp.speak(GUID, SPOKEN[2:3]).result() == []
    client.start(agentId="sam")
    asapp.speak(GUID, SPOKEN[3:]).result()
    assert receiver.texts == ["Yes.", "Yes."]
    assert [(u.guid, u.utterance) for u in asapp.unheard] == [(GUID, SPOKEN[0]), (GUID, SPOKEN[2])]


def test_a_resumed_stream_counts_its_milliseconds_from_its_own_start(
    client: Client, asapp: AsappDouble
) -> None:
    client.start()
    asapp.speak(GUID, SPOKEN[:2]).result()
    client.stop()
    asapp.speak(GUID, SPOKEN[2:3]).result()
    client.start()
    [post] = asapp.speak(GUID, SPOKEN[3:]).result()
    # Resumed when the unheard words ended, at 4000 ms.
    assert (post.start_ms, post.end_ms) == (500, 1500)


def test_a_stop_in_mid_speech_cuts_off_what_ends_after_it(
    client: Client, asapp: AsappDouble, receiver: Receiver
) -> None:
    asapp.pace = 1.0
    client.start()
    before, after = Utterance("agent", 0, 100, "Hello."), Utterance("agent", 1400, 1500, "Hello?")
    speech = asapp.speak(GUID, [before, after])
    while not receiver.got:
        time.sleep(0.01)
    client.stop()
    assert [post.text for post in speech.result()] == ["Hello."]
    assert [unheard.utterance for unheard in asapp.unheard] == [after]


def test_the_pace_stretches_time_and_leaves_the_scripted_times(
    client: Client, asapp: AsappDouble, receiver: Receiver
) -> None:
    asapp.pace = 0.1
    client.start()
    began = time.time()
    posts = asapp.speak(GUID, SPOKEN).result()
    for post in posts:
        assert post.sent[0].at - began >= post.end_ms / 1000 * asapp.pace - 0.01
    assert time.time() - began < SPOKEN[-1].end_ms / 1000
    assert [post.start_ms for post in posts] == [0, 1500, 3000, 4500]


def test_detailed_tokens_come_with_each_utterance(
    client: Client, asapp: AsappDouble, receiver: Receiver
) -> None:
    client.start(autotranscribeParams={"detailedToken": True, "redactionOutput": "unredacted"})
    asapp.speak(GUID, [Utterance("agent", 0, 1000, "Good morning.")]).result()
    [utterance] = json.loads(receiver.got[0][0])["autotranscribeResponse"]["utterance"]
    assert utterance == {
        "text": "Good morning.",
        "token": [
            {"content": "Good", "start": 0, "end": 500},
            {"content": "morning.", "start": 500, "end": 1000},
        ],
    }


# --- delivery ---


def test_duplicates_are_the_same_bytes_again(
    client: Client, asapp: AsappDouble, receiver: Receiver
) -> None:
    asapp.delivery = Delivery(duplicate=0.3, seed=7)
    client.start()
    posts = asapp.speak(GUID, MANY).result()
    twice = [post for post in posts if len(post.sent) == 2]
    assert 5 <= len(twice) <= 35
    assert all(len(post.sent) in (1, 2) for post in posts)
    received = [body for body, _, _ in receiver.got]
    assert len(received) == len(MANY) + len(twice)
    assert sorted(received) == sorted(post.body for post in posts for _ in post.sent)


def test_without_reordering_posts_leave_in_the_order_of_their_end(
    client: Client, asapp: AsappDouble, receiver: Receiver
) -> None:
    client.start()
    asapp.speak(GUID, MANY).result()
    assert receiver.texts == [utterance.text for utterance in MANY]


def test_reordering_lets_later_utterances_overtake_and_loses_none(
    client: Client, asapp: AsappDouble, receiver: Receiver
) -> None:
    asapp.delivery = Delivery(reorder=0.3, seed=7)
    client.start()
    asapp.speak(GUID, MANY).result()
    scripted = [utterance.text for utterance in MANY]
    assert receiver.texts != scripted
    assert sorted(receiver.texts) == sorted(scripted)
    late = [text for text, after in pairwise(receiver.texts)
            if scripted.index(after) < scripted.index(text)]  # fmt: skip
    assert len(late) >= 5


def test_dropped_utterances_are_never_sent_but_get_has_them(
    client: Client, asapp: AsappDouble, receiver: Receiver
) -> None:
    asapp.delivery = Delivery(drop=0.3, duplicate=0.5, seed=7)
    client.start()
    posts = asapp.speak(GUID, MANY).result()
    dropped = {post.text for post in posts if post.dropped}
    assert 5 <= len(dropped) <= 35
    assert all(post.sent == [] for post in posts if post.dropped)
    assert set(receiver.texts) == {utterance.text for utterance in MANY} - dropped
    assert len(client.messages(externalId=GUID).json()["items"]) == len(MANY)
    summary = client.stop().json()["autotranscribeResponse"]["customer"]["summary"]
    assert summary["transcripts"] == len(MANY)


def test_the_same_seed_repeats_the_plan_and_another_does_not() -> None:
    def plan(seed: int) -> list[list[float]]:
        delivery = Delivery(duplicate=0.2, reorder=0.3, delay_ms=(0, 400), drop=0.1, seed=seed)
        return delivery.plan(MANY)

    assert plan(7) == plan(7)
    assert plan(7) != plan(8)


def test_a_seeded_run_repeats_itself_over_the_wire(receiver: Receiver) -> None:
    orders = []
    for _ in range(2):
        delivery = Delivery(duplicate=0.2, reorder=0.3, delay_ms=(0, 400), drop=0.1, seed=7)
        with AsappDouble(delivery=delivery, posts_at_once=1) as asapp:
            asapp.webhook(receiver.url)
            Client(asapp).start()
            asapp.speak(GUID, MANY).result()
        orders.append(list(receiver.texts))
        receiver.got.clear()
    assert orders[0] == orders[1]


def test_delays_are_within_their_bounds_and_nothing_leaves_before_its_end() -> None:
    plan = Delivery(delay_ms=(100, 400), seed=7).plan(MANY)
    delays = [due - u.end_ms for u, [due] in zip(MANY, plan, strict=True)]
    assert 100 <= min(delays) < max(delays) <= 400


def test_a_duplicate_follows_within_two_seconds_and_not_at_once() -> None:
    plan = Delivery(duplicate=1.0, seed=7).plan(MANY)
    assert all(1 <= again - first <= 2000 for first, again in plan)


def test_changing_one_rate_leaves_the_other_fates_alone() -> None:
    dropped = [not times for times in Delivery(drop=0.2, seed=7).plan(MANY)]
    also = Delivery(drop=0.2, duplicate=1.0, reorder=1.0, seed=7).plan(MANY)
    assert [not times for times in also] == dropped


def test_several_calls_speak_at_once(asapp: AsappDouble, receiver: Receiver) -> None:
    guids = [f"call-{n}" for n in range(10)]
    for guid in guids:
        Client(asapp).start(guid)
    speeches = [asapp.speak(guid, MANY) for guid in guids]
    assert [len(speech.result()) for speech in speeches] == [len(MANY)] * 10
    assert len(receiver.got) == len(MANY) * 10
    assert len({post.stream_id for post in asapp.posts}) == 10


# --- messages ---


def test_messages_have_the_documented_fields_and_times(client: Client, asapp: AsappDouble) -> None:
    assert client.messages(externalId=GUID).json() == {"items": []}
    client.start()
    asapp.speak(GUID, SPOKEN).result()
    client.start("another")
    asapp.speak("another", SPOKEN[:1]).result()
    items = client.messages(externalId=GUID).json()["items"]
    assert [item["text"] for item in items] == [utterance.text for utterance in SPOKEN]
    assert items[1]["sender"] == {"role": "customer", "externalId": "+12025550142"}
    assert all(
        set(item) == {"text", "sender", "messageId", "createdTimestamp", "clientTimestamp"}
        for item in items
    )
    assert len({item["messageId"] for item in items}) == 4
    began = asapp.posts[0].audio_began_at
    moment = datetime.fromisoformat(items[1]["clientTimestamp"])
    assert moment.timestamp() - began == pytest.approx(1.5, abs=0.01)
    asapp.client_timestamp = "end"
    moment = datetime.fromisoformat(
        client.messages(externalId=GUID).json()["items"][1]["clientTimestamp"]
    )
    assert moment.timestamp() - began == pytest.approx(2.5, abs=0.01)


def test_messages_of_all_legs_come_together_and_end_at_1000(
    client: Client, asapp: AsappDouble
) -> None:
    long = [Utterance("agent", n * 10, n * 10 + 9, str(n)) for n in range(1010)]
    client.start()
    asapp.speak(GUID, long[:600]).result()
    client.stop()
    client.start(agentId="sam")
    asapp.speak(GUID, long[600:]).result()
    items = client.messages(externalId=GUID).json()["items"]
    assert [item["text"] for item in items] == [str(n) for n in range(1000)]
    assert {item["sender"]["externalId"] for item in items} == {"priya", "sam"}


@pytest.mark.parametrize("params", [{}, {"externalId": GUID, "page": "2"}, {"externalId": ""}])
def test_messages_take_one_external_id_and_nothing_else(
    strict: Client, params: dict[str, str]
) -> None:
    assert error_code(strict.messages(**params)) == (400, "400-02")


# --- the end ---


def test_leaving_stops_the_server_and_the_speakers_and_waits_for_none_of_them(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:  # takes the POST and never answers
        with AsappDouble(pace=1.0) as asapp, ThreadPoolExecutor(1) as pool:
            asapp.webhook(f"http://127.0.0.1:{mute.getsockname()[1]}/")
            Client(asapp).start()
            asapp.speak(GUID, [Utterance("agent", 0, 1, "Hm.")])
            long = asapp.speak(GUID, MANY)
            asapp.answer_after_ms = 60_000
            hanging = pool.submit(Client(asapp).start, "another")
            while len(asapp.requests) < 2 or not asapp.posts:
                time.sleep(0.01)
            began = time.monotonic()
            asapp.__exit__()
            assert time.monotonic() - began < 30  # each of them takes a minute
            assert long.cancelled()
            assert not asapp._thread.is_alive()
            assert hanging.exception() or hanging.result().status_code == 500
        with pytest.raises(httpx.ConnectError):
            httpx.get(asapp.url, trust_env=False)
    assert capfd.readouterr() == ("", "")
