"""What ASAPP's double gives after the call, over real sockets: messages, File Exporter, and both
of them shared."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest

from sandbox.asapp.conversations import Utterance
from sandbox.asapp.double import AsappDouble, Damaged, Delivery, Failure

pytestmark = pytest.mark.timeout(30)

GUID = "8c259fea-8764-4a92-adc4-73572e9cf016"
HTTP = httpx.Client(trust_env=False, timeout=10)
STREAM = "arn:aws:kinesisvideo:us-east-1:123456789012:stream/test-connect-1/1654194145007"
DAY, MIDNIGHT = date(2022, 6, 27), datetime(2022, 6, 27, tzinfo=UTC).timestamp()
UTTERANCES = {"feed": "utterances", "version": "version=1", "format": "format=jsonl"}
OF_DAY = UTTERANCES | {"date": "dt=2022-06-27"}
HOUR, DAYS = 3600.0, 86400.0
SPOKEN = [
    Utterance("agent", 0, 1000, "Hello."),
    Utterance("customer", 1500, 2500, "My PIN is  1234."),
    Utterance("agent", 3000, 4000, "Über 漢字 \u2028 ok?"),
]
MANY = [Utterance("customer", n * 1000, n * 1000 + 900, f"Word {n}.") for n in range(60)]


@dataclass
class Client:
    """What a caller of ASAPP sends."""

    asapp: AsappDouble

    def call(self, guid: str, *legs: list[Utterance]) -> None:
        """A whole call."""
        for leg, said in enumerate(legs):
            self.start(guid, f"agent-{leg}")
            self.asapp.speak(guid, said).result()
            self.stop(guid)

    def start(self, guid: str, agent: str = "priya") -> None:
        connect = {"streamArn": STREAM, "startSelectorType": "NOW"}
        body = {"customerId": "+12025550142", "agentId": agent, "amazonConnectParams": connect}
        self._stream("start", {"namespace": "amazonconnect", "guid": guid, **body})

    def stop(self, guid: str) -> None:
        self._stream("stop", {"namespace": "amazonconnect", "guid": guid})

    def _stream(self, action: str, body: dict[str, Any]) -> None:
        url = f"{self.asapp.url}/mg-autotranscribe/v1/{action}-streaming"
        HTTP.post(url, json=body, headers=self.keys()).raise_for_status()

    def messages(self, guid: str = GUID) -> httpx.Response:
        url = f"{self.asapp.url}/conversation/v1/conversation/messages"
        return HTTP.get(url, params={"externalId": guid}, headers=self.keys())

    def feeds(self, action: str, body: object = None) -> httpx.Response:
        url = f"{self.asapp.url}/fileexporter/v1/static/{action}"
        content = json.dumps(body or {}).encode()
        return HTTP.post(url, content=content, headers=self.keys())

    def files(self, **changes: str) -> list[str]:
        return list(self.feeds("listfeedfiles", OF_DAY | changes).json()["files"])

    def url(self, name: str, **changes: str) -> str:
        answer = self.feeds("getfeedfile", OF_DAY | {"fileName": name} | changes)
        return str(answer.json()["url"])

    def rows(self, **changes: str) -> list[dict[str, Any]]:
        """All lines of all files of the day."""
        contents = [HTTP.get(self.url(n, **changes)).content for n in self.files(**changes)]
        return [json.loads(line) for content in contents for line in content.split(b"\n") if line]

    def keys(self) -> dict[str, str]:
        return {
            "asapp-api-id": self.asapp.api_id,
            "asapp-api-secret": self.asapp.api_secret,
            "content-type": "application/json",
        }


Make = Callable[..., Client]


@pytest.fixture
def make() -> Iterator[Make]:
    """A double whose clock stands at ten o'clock on the day, unless ``at`` says otherwise."""
    doubles: list[AsappDouble] = []

    def of(at: float = MIDNIGHT + 10 * HOUR, **params: Any) -> Client:
        doubles.append(AsappDouble(clock=lambda: at, **params).__enter__())
        return Client(doubles[-1])

    yield of
    for double in doubles:
        double.__exit__()


@pytest.fixture
def client(make: Make) -> Client:
    return make()


@pytest.fixture(scope="module")
def shared() -> Iterator[Client]:
    """For tests that leave nothing behind."""
    with AsappDouble(clock=lambda: MIDNIGHT) as double:
        client = Client(double)
        client.call(GUID, MANY)
        double.publish_feed()
        yield client


@pytest.fixture
def published(client: Client) -> Client:
    client.call(GUID, SPOKEN)
    assert client.asapp.publish_feed() == [DAY]
    return client


def error_code(response: httpx.Response) -> tuple[int, str]:
    assert set(response.json()) == {"error"}
    assert set(response.json()["error"]) == {"requestId", "code", "message"}
    return response.status_code, response.json()["error"]["code"]


def s3_code(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/xml"
    [code] = re.findall("<Error><Code>(.*)</Code><Message>", response.text)
    return response.status_code, code


def texts(response: httpx.Response) -> list[str]:
    return [item["text"] for item in response.json()["items"]]


# --- messages ---


def test_messages_are_there_some_time_after_the_last_stop(make: Make) -> None:
    client = make(messages_after_seconds=60)
    client.call(GUID, SPOKEN)
    assert texts(client.messages()) == []
    client.asapp.advance(59)
    client.start(GUID)
    client.asapp.advance(120)
    assert texts(client.messages()) == []  # it runs
    client.stop(GUID)
    client.asapp.advance(59)
    assert texts(client.messages()) == []
    client.asapp.advance(1)
    assert len(texts(client.messages())) == 3


def test_messages_without_a_delay_are_there_while_the_call_runs(client: Client) -> None:
    client.start(GUID)
    client.asapp.speak(GUID, SPOKEN[:1]).result()
    assert texts(client.messages()) == ["Hello."]


def test_messages_are_kept_for_seven_days(client: Client) -> None:
    client.call(GUID, SPOKEN)
    client.asapp.advance(7 * DAYS - 1)
    assert len(texts(client.messages())) == 3
    client.asapp.advance(1)
    assert texts(client.messages()) == []


def test_where_there_are_no_messages_the_answer_can_be_404(make: Make) -> None:
    client = make(absent="404", messages_after_seconds=60)
    client.call(GUID, SPOKEN)
    assert error_code(client.messages()) == (404, "404-01")
    client.asapp.advance(60)
    assert client.messages().status_code == 200
    assert error_code(client.messages("unknown")) == (404, "404-01")
    client.asapp.advance(7 * DAYS)
    assert error_code(client.messages()) == (404, "404-01")


def test_a_call_on_which_nobody_spoke_has_no_messages_and_is_known(make: Make) -> None:
    client = make(absent="404")
    client.call(GUID, [])
    assert client.messages().json() == {"items": []}


def test_legs_follow_each_other_in_time_however_fast_they_were_spoken(client: Client) -> None:
    later = [Utterance(u.role, u.start_ms + 4500, u.end_ms + 4500, u.text) for u in SPOKEN]
    client.call(GUID, SPOKEN, later)
    items = client.messages().json()["items"]
    assert [item["text"] for item in items] == [u.text for u in (*SPOKEN, *later)]
    moments = [item["createdTimestamp"] for item in items]
    assert moments == sorted(moments)
    assert moments[3] > moments[2]
    agents = [item["sender"]["externalId"] for item in items]
    assert agents == ["agent-0", "+12025550142", "agent-0", "agent-1", "+12025550142", "agent-1"]


def test_message_ids_are_ulids_in_order_of_time(client: Client) -> None:
    client.call(GUID, MANY)
    ids = [item["messageId"] for item in client.messages().json()["items"]]
    assert all(re.fullmatch("[0-7][0-9A-HJKMNP-TV-Z]{25}", each) for each in ids)
    assert ids == sorted(set(ids))


def test_the_record_can_word_a_text_otherwise_than_the_webhook(make: Make) -> None:
    client = make(record_text=lambda text: re.sub("[0-9]", "#", " ".join(text.split())))
    client.call(GUID, SPOKEN[1:2])
    assert texts(client.messages()) == ["My PIN is ####."]
    client.asapp.publish_feed()
    assert client.rows()[0]["utterance"] == "My PIN is ####."
    assert client.asapp.posts[0].text == "My PIN is  1234."
    assert b"My PIN is  1234." in client.asapp.posts[0].body


# --- feeds ---


def test_the_lists_lead_to_a_file(client: Client) -> None:
    client.call(GUID, SPOKEN)
    client.asapp.advance(DAYS)
    feeds = client.feeds("listfeeds").json()
    assert feeds == {"feeds": ["utterances", "staging_utterance_state"]}
    asked = {"feed": "utterances"}
    for action, name, value in [
        ("listfeedversions", "version", "version=1"),
        ("listfeedformats", "format", "format=jsonl"),
        ("listfeeddates", "date", "dt=2022-06-27"),
        ("listfeedintervals", "interval", "hr=10"),
        ("listfeedfiles", "fileName", "file1.jsonl"),
    ]:
        field = "files" if name == "fileName" else f"{name}s"
        assert client.feeds(action, asked).json() == {**asked, field: [value]}
        asked[name] = value
    answer = client.feeds("getfeedfile", asked).json()
    assert answer == {**asked, "url": answer["url"]}
    assert len(HTTP.get(answer["url"]).content.splitlines()) == 3


def test_a_line_has_the_documented_columns(published: Client) -> None:
    row = published.rows()[1]
    [_, item, _] = published.messages().json()["items"]
    assert row == {
        "conversation_id": row["conversation_id"],
        "message_id": item["messageId"],
        "instance_ts": "2022-06-27 10:00:00.000000+00:00",
        "chat_message_event_ts": "2022-06-27 10:00:02",
        "external_conversation_id": GUID,
        "company_marker": "sandbox",
        "dt": "2022-06-27",
        "hr": "10",
        "utterance": "My PIN is  1234.",
    }
    assert len(row["conversation_id"]) == 26


def test_who_spoke_is_in_the_state_feed_under_the_same_message_id(published: Client) -> None:
    utterances = {row["message_id"]: row for row in published.rows()}
    state = {row["message_id"]: row for row in published.rows(feed="staging_utterance_state")}
    assert state.keys() == utterances.keys()
    senders = [(row["sender_type"], row["sender_id"]) for row in state.values()]
    assert senders[:2] == [("SENDER_AGENT", "agent-0"), ("SENDER_CUSTOMER", "+12025550142")]
    assert all("utterance" not in row for row in state.values())


def test_columns_can_be_chosen_and_named(make: Make) -> None:
    columns = {"external_conversation_id": "call", "sender_role": "role", "start_ts": "from"}
    client = make(feed_columns=columns)
    client.call(GUID, SPOKEN)
    client.asapp.publish_feed()
    assert client.rows()[1] == {
        "call": GUID,
        "role": "customer",
        "from": "2022-06-27T10:00:01.500Z",
    }
    with pytest.raises(ValueError, match="colour"):
        AsappDouble(feed_columns={"colour": "colour"})


def test_a_day_appears_at_two_o_clock_utc_of_the_next(make: Make) -> None:
    client = make(MIDNIGHT + 23 * HOUR)
    client.call(GUID, SPOKEN)
    client.asapp.advance(3 * HOUR - 1)
    assert client.files() == []
    assert client.feeds("listfeeddates", UTTERANCES).json()["dates"] == []
    client.asapp.advance(1)
    assert client.files() == ["file1.jsonl"]
    assert client.feeds("listfeeddates", UTTERANCES).json()["dates"] == ["dt=2022-06-27"]


def test_an_utterance_belongs_to_the_day_and_hour_in_which_it_ended(make: Make) -> None:
    client = make(MIDNIGHT + DAYS - 2)  # the second of three ends after midnight
    client.call(GUID, SPOKEN)
    next_day = date(2022, 6, 28)
    assert client.asapp.publish_feed() == [DAY, next_day]
    assert [row["utterance"] for row in client.rows()] == ["Hello."]
    assert {row["hr"] for row in client.rows(date=f"dt={next_day}")} == {"00"}
    assert len(client.rows(date=f"dt={next_day}")) == 2


def test_publishing_at_once_takes_the_day_that_is_asked_for_and_nothing_twice(
    client: Client,
) -> None:
    client.call(GUID, SPOKEN)
    assert client.asapp.publish_feed(DAY - timedelta(days=1)) == []
    assert client.asapp.publish_feed(DAY) == [DAY]
    assert client.asapp.publish_feed(DAY) == []
    client.call("another", SPOKEN[:1])
    client.asapp.advance(DAYS)
    assert client.files() == ["file1.jsonl", "file2.jsonl"]
    assert [row["external_conversation_id"] for row in client.rows()] == [GUID] * 3 + ["another"]


def test_a_day_comes_in_several_files_each_of_one_hour(make: Make) -> None:
    client = make(MIDNIGHT + 11 * HOUR - 30, feed_lines=20)
    client.call(GUID, MANY)  # 30 utterances end before eleven, 30 after
    client.asapp.publish_feed()
    assert client.files() == [f"file{n}.jsonl" for n in range(1, 5)]
    assert client.files(interval="hr=10") == ["file1.jsonl", "file2.jsonl"]
    assert client.feeds("listfeedintervals", OF_DAY).json()["intervals"] == ["hr=10", "hr=11"]
    assert [row["utterance"] for row in client.rows()] == [u.text for u in MANY]
    elsewhere = OF_DAY | {"fileName": "file1.jsonl", "interval": "hr=11"}
    assert error_code(client.feeds("getfeedfile", elsewhere)) == (404, "404-01")


def test_days_are_kept_for_32_days(published: Client) -> None:
    published.asapp.advance(32 * DAYS)
    assert published.files() == ["file1.jsonl"]
    published.asapp.advance(DAYS)
    assert published.files() == []


def test_what_the_webhook_lost_is_in_messages_and_in_the_feed(make: Make) -> None:
    client = make(delivery=Delivery(drop=0.5, seed=7))
    client.call(GUID, MANY)
    client.asapp.publish_feed()
    assert any(post.dropped for post in client.asapp.posts)
    assert texts(client.messages()) == [u.text for u in MANY]
    assert [row["utterance"] for row in client.rows()] == [u.text for u in MANY]


def test_an_account_without_feeds_has_none(make: Make) -> None:
    client = make(feeds=False)
    client.call(GUID, SPOKEN)
    client.asapp.publish_feed()
    assert client.feeds("listfeeds").json() == {"feeds": []}
    assert client.feeds("listfeedversions", {"feed": "utterances"}).json()["versions"] == []
    assert client.files() == []
    get = client.feeds("getfeedfile", OF_DAY | {"fileName": "file1.jsonl"})
    assert error_code(get) == (404, "404-01")


@pytest.mark.parametrize(
    "changes", [{"feed": "x"}, {"version": "version=2"}, {"format": "format=csv"},
                {"date": "dt=2022-06-26"}, {"interval": "hr=23"}],
)  # fmt: skip
@pytest.mark.parametrize("absent", ["empty", "404"])
def test_an_empty_list_is_empty_or_404(make: Make, changes: dict[str, str], absent: str) -> None:
    client = make(absent=absent)
    client.call(GUID, SPOKEN)
    client.asapp.publish_feed()
    answer = client.feeds("listfeedfiles", OF_DAY | changes)
    if absent == "404":
        assert error_code(answer) == (404, "404-01")
    else:
        assert answer.json() == OF_DAY | changes | {"files": []}


@pytest.mark.parametrize(
    ("action", "body", "code"),
    [
        ("listfeeds", {"feed": "utterances"}, "400-01"),
        ("listfeedfiles", [], "400-01"),
        *[("listfeedfiles", OF_DAY | change, "400-01") for change in (
            {"feed": ""}, {"feed": 1}, {"version": "1"}, {"version": "version=1,2"},
            {"format": "jsonl"}, {"date": "2022-06-27"}, {"date": "dt=2022-06-31"},
            {"date": "dt=20220627"}, {"interval": "23"}, {"fileName": "file1.jsonl"}, {"page": "2"},
        )],
        *[("getfeedfile", OF_DAY | {"fileName": ["file1.jsonl"]}, "400-01")],
        *[("getfeedfile", {k: v for k, v in (OF_DAY | {"fileName": "x"}).items() if k != name},
           "400-01") for name in (*OF_DAY, "fileName")],
        ("listfeeddates", OF_DAY, "400-01"),
        ("listfeedintervals", OF_DAY | {"interval": "hr=10"}, "400-01"),
    ],
)  # fmt: skip
def test_wrong_parameters_are_refused(shared: Client, action: str, body: object, code: str) -> None:
    url = f"{shared.asapp.url}/fileexporter/v1/static/{action}"
    answer = HTTP.post(url, content=json.dumps(body), headers=shared.keys())
    assert error_code(answer) == (400, code)


def test_a_body_that_is_no_json_is_refused(shared: Client) -> None:
    url = f"{shared.asapp.url}/fileexporter/v1/static/listfeedfiles"
    answer = HTTP.post(url, content=b"{", headers=shared.keys())
    assert error_code(answer) == (400, "400-02")


def test_wrong_credentials_are_401_after_the_call_too(published: Client) -> None:
    url = published.url("file1.jsonl")
    published.asapp.api_secret, wrong = "changed", published.keys()
    files = f"{published.asapp.url}/fileexporter/v1/static/listfeedfiles"
    assert error_code(HTTP.post(files, json=OF_DAY, headers=wrong)) == (401, "401-01")
    messages = f"{published.asapp.url}/conversation/v1/conversation/messages"
    got = HTTP.get(messages, params={"externalId": GUID}, headers=wrong)
    assert error_code(got) == (401, "401-01")
    assert HTTP.get(url).status_code == 200


# --- downloads ---


def test_a_url_is_good_for_its_time_and_needs_no_credentials(make: Make) -> None:
    client = make(file_urls_last_seconds=60)
    client.call(GUID, SPOKEN)
    client.asapp.publish_feed()
    url = client.url("file1.jsonl")
    assert url.startswith(client.asapp.url)
    assert url != client.url("file1.jsonl")
    client.asapp.advance(59)
    assert HTTP.get(url).status_code == 200
    client.asapp.advance(1)
    expired = HTTP.get(url)
    assert s3_code(expired) == (403, "AccessDenied")
    assert "<Message>Request has expired</Message>" in expired.text
    assert HTTP.get(client.url("file1.jsonl")).status_code == 200


def test_a_url_works_only_as_it_was_given(published: Client) -> None:
    url = published.url("file1.jsonl")
    wrong = [url[:-1], url.partition("?")[0], url.replace("file1", "file2"), url.replace("l?", "?")]
    for each in wrong:
        assert s3_code(HTTP.get(each)) == (403, "SignatureDoesNotMatch")


def test_a_download_must_not_show_asapp_s_secret_to_whoever_has_the_files(
    published: Client,
) -> None:
    url = published.url("file1.jsonl")
    for name in ("asapp-api-secret", "asapp-api-id", "authorization"):
        assert s3_code(HTTP.get(url, headers={name: "x"})) == (400, "InvalidArgument")
    published.asapp.put_feed_file(DAY, "a b&c.jsonl", b"{}\n")
    assert HTTP.get(published.url("a b&c.jsonl")).content == b"{}\n"


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("bytes=0-0", 0, 1), ("bytes=3-", 3, 30), ("bytes=5-11", 5, 12), ("bytes=-4", 26, 30),
     ("bytes=28-99", 28, 30), ("bytes=-99", 0, 30)],
)  # fmt: skip
def test_a_range_of_a_file(shared: Client, asked: str, start: int, stop: int) -> None:
    shared.asapp.put_feed_file(DAY, "x.jsonl", b"0123456789", times=3)
    answer = HTTP.get(shared.url("x.jsonl"), headers={"range": asked})
    assert answer.status_code == 206
    assert answer.content == (b"0123456789" * 3)[start:stop]
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/30"


@pytest.mark.parametrize("asked", ["bytes=", "bytes=-", "bytes=5-3", "lines=0-1", "bytes=0-1,3-4"])
def test_what_is_no_range_gives_the_whole(shared: Client, asked: str) -> None:
    shared.asapp.put_feed_file(DAY, "x.jsonl", b"0123456789")
    answer = HTTP.get(shared.url("x.jsonl"), headers={"range": asked})
    assert (answer.status_code, answer.content) == (200, b"0123456789")
    assert "content-range" not in answer.headers


@pytest.mark.parametrize(("content", "asked"), [(b"0123456789", "bytes=10-"), (b"", "bytes=0-"),
                                                (b"0123456789", "bytes=-0")])  # fmt: skip
def test_a_range_beyond_the_end_is_416(shared: Client, content: bytes, asked: str) -> None:
    shared.asapp.put_feed_file(DAY, "x.jsonl", content)
    answer = HTTP.get(shared.url("x.jsonl"), headers={"range": asked})
    assert s3_code(answer) == (416, "InvalidRange")
    assert answer.headers["content-range"] == f"bytes */{len(content)}"


def test_a_resumed_download_sees_that_the_file_changed(client: Client) -> None:
    client.asapp.put_feed_file(DAY, "x.jsonl", b"0123456789")
    old = HTTP.get(client.url("x.jsonl")).headers["etag"]
    rest = {"range": "bytes=5-", "if-range": old}
    assert HTTP.get(client.url("x.jsonl"), headers=rest).content == b"56789"
    client.asapp.put_feed_file(DAY, "x.jsonl", b"abcdefghij")
    changed = HTTP.get(client.url("x.jsonl"), headers=rest)
    assert (changed.status_code, changed.content) == (200, b"abcdefghij")
    assert changed.headers["etag"] != old
    strict = HTTP.get(client.url("x.jsonl"), headers={"if-match": old})
    assert s3_code(strict) == (412, "PreconditionFailed")
    assert client.files() == ["x.jsonl"]


def test_a_file_of_a_gigabyte_is_streamed_as_it_is_read(client: Client) -> None:
    block = bytes(range(256)) * 4096
    client.asapp.put_feed_file(DAY, "big.jsonl", block, times=1024)
    url = client.url("big.jsonl")
    with HTTP.stream("GET", url) as answer:
        assert answer.headers["content-length"] == str(1 << 30)
        pieces = answer.iter_bytes(1 << 20)
        assert next(pieces) == block
    tail = HTTP.get(url, headers={"range": f"bytes={(1 << 30) - 300}-"}).content
    assert tail == block[-300:]


# --- failures ---


ENDPOINTS: dict[str, Callable[[Client], httpx.Response]] = {
    "messages": lambda client: client.messages(),
    "listfeeds": lambda client: client.feeds("listfeeds"),
    "listfeedversions": lambda client: client.feeds("listfeedversions", {"feed": "utterances"}),
    "listfeedformats": lambda client: client.feeds(
        "listfeedformats", {"feed": "utterances", "version": "version=1"}
    ),
    "listfeeddates": lambda client: client.feeds("listfeeddates", UTTERANCES),
    "listfeedintervals": lambda client: client.feeds("listfeedintervals", OF_DAY),
    "listfeedfiles": lambda client: client.feeds("listfeedfiles", OF_DAY),
    "getfeedfile": lambda client: client.feeds("getfeedfile", OF_DAY | {"fileName": "file1.jsonl"}),
    "feedfile": lambda client: HTTP.get(client.url("file1.jsonl")),
}
each_endpoint = pytest.mark.parametrize("action", ENDPOINTS)


@each_endpoint
def test_each_endpoint_fails_as_it_is_told_and_then_works(shared: Client, action: str) -> None:
    request = ENDPOINTS[action]
    shared.asapp.fail_next(action, Failure(429, headers={"retry-after": "1"}))
    shared.asapp.fail_next(action, Failure(500))
    limited, broken = request(shared), request(shared)
    assert (limited.status_code, broken.status_code) == (429, 500)
    if action == "feedfile":
        assert s3_code(broken) == (500, "InternalError")
    else:
        assert error_code(broken) == (500, "500-01")
    assert limited.headers["retry-after"] == "1"
    assert request(shared).status_code == 200
    shown = [r.status for r in shared.asapp.requests if r.action == action]
    assert shown[-3:] == [429, 500, 200]


@each_endpoint
def test_each_endpoint_can_be_cut_off_and_reset(shared: Client, action: str) -> None:
    request = ENDPOINTS[action]
    whole = request(shared)
    for hindered, error in [
        (Damaged(cut_after_bytes=0), httpx.RemoteProtocolError),
        (Damaged(cut_after_bytes=5), httpx.RemoteProtocolError),
        (Damaged(cut_after_bytes=len(whole.content) - 1), httpx.RemoteProtocolError),
        (Damaged(reset=True), httpx.ReadError),
        (Damaged(reset=True, cut_after_bytes=5), httpx.ReadError),
    ]:
        shared.asapp.fail_next(action, hindered)
        with pytest.raises(error):
            request(shared)
    shared.asapp.fail_next(action, Damaged(cut_after_bytes=100_000))
    assert request(shared).status_code == 200
    assert request(shared).status_code == 200
    shown = [r.status for r in shared.asapp.requests if r.action == action]
    assert shown[-7:] == [200, 200, 200, None, 200, 200, 200]


def test_a_cut_answer_has_the_bytes_before_the_cut(shared: Client) -> None:
    url = shared.url("file1.jsonl")
    whole = HTTP.get(url).content
    shared.asapp.fail_next("feedfile", Damaged(cut_after_bytes=777))
    got = b""
    with HTTP.stream("GET", url) as answer:
        assert answer.headers["content-length"] == str(len(whole))
        with suppress(httpx.RemoteProtocolError):
            for piece in answer.iter_raw():
                got += piece
    assert got == whole[:777]
    rest = HTTP.get(url, headers={"range": "bytes=777-", "if-range": answer.headers["etag"]})
    assert got + rest.content == whole


@each_endpoint
def test_each_endpoint_can_be_late_and_drip(shared: Client, action: str) -> None:
    request = ENDPOINTS[action]
    began = time.monotonic()
    shared.asapp.fail_next(action, Damaged(delay_seconds=0.2))
    assert request(shared).status_code == 200
    assert time.monotonic() - began >= 0.2
    shared.asapp.fail_next(action, Damaged(drip_seconds=0.002, drip_bytes=50))
    began = time.monotonic()
    dripped = request(shared)
    assert time.monotonic() - began >= 0.002 * ((len(dripped.content) - 1) // 50)
    assert dripped.status_code == 200
    usual = request(shared)
    assert len(dripped.content) == len(usual.content)


def test_a_dripping_answer_arrives_in_pieces(shared: Client) -> None:
    url = shared.url("file1.jsonl")
    shared.asapp.fail_next("feedfile", Damaged(drip_seconds=0.01, drip_bytes=1000))
    with HTTP.stream("GET", url) as answer:
        pieces = [len(piece) for piece in answer.iter_raw()]
    assert max(pieces) <= 1000
    assert sum(pieces) == int(answer.headers["content-length"])


def test_a_line_of_a_file_can_come_malformed(shared: Client) -> None:
    url = shared.url("file1.jsonl")
    shared.asapp.fail_next("feedfile", Damaged(malformed_line=3))
    spoilt, whole = (HTTP.get(url).content.splitlines() for _ in range(2))
    assert len(spoilt) == len(whole) == 60
    for number, (line, usual) in enumerate(zip(spoilt, whole, strict=True), 1):
        assert len(line) == len(usual)
        if number == 3:
            with pytest.raises(json.JSONDecodeError):
                json.loads(line)
        else:
            assert line == usual


@each_endpoint
def test_each_endpoint_can_answer_with_something_that_is_no_json(
    shared: Client, action: str
) -> None:
    shared.asapp.fail_next(action, Damaged(malformed_line=1))
    with pytest.raises(json.JSONDecodeError):
        json.loads(ENDPOINTS[action](shared).content.splitlines()[0])


def test_a_malformed_line_is_found_across_the_chunks_of_a_big_file(shared: Client) -> None:
    line = b'{"utterance": "' + b"x" * 83 + b'"}\n'
    shared.asapp.put_feed_file(
        DAY, "big.jsonl", line * 6000
    )  # the second chunk begins in line 2622
    url = shared.url("big.jsonl")
    shared.asapp.fail_next("feedfile", Damaged(malformed_line=2700))
    lines = HTTP.get(url).content.splitlines(keepends=True)
    assert [number for number, each in enumerate(lines, 1) if each != line] == [2700]


def test_a_hindered_start_takes_effect(client: Client) -> None:
    client.asapp.fail_next("start-streaming", Damaged(reset=True))
    with pytest.raises(httpx.ReadError):
        client.start(GUID)
    assert len(client.asapp.successful_starts(GUID)) == 1
    client.stop(GUID)


# --- much at once ---


def test_much_can_be_said_at_once(client: Client) -> None:
    long = [Utterance("agent", n * 1000, n * 1000 + 900, str(n)) for n in range(2500)]
    client.call("long", long)
    for number in range(200):
        client.start(f"call-{number}")
    speeches = [client.asapp.speak(f"call-{number}", MANY) for number in range(200)]
    assert all(len(speech.result()) == len(MANY) for speech in speeches)
    assert texts(client.messages("long")) == [str(n) for n in range(1000)]
    assert texts(client.messages("call-199")) == [u.text for u in MANY]
    client.asapp.publish_feed()
    said: dict[str, list[str]] = {}
    for row in client.rows():
        said.setdefault(row["external_conversation_id"], []).append(row["utterance"])
    assert said.pop("long") == [str(n) for n in range(2500)]
    assert len(said) == 200
    assert all(each == [u.text for u in MANY] for each in said.values())
    assert len({post.message_id for post in client.asapp.posts}) == 2500 + 200 * len(MANY)
