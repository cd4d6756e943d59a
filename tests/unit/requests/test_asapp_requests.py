"""When ASAPP is asked again, after which pause, and what is known in the end."""

from __future__ import annotations

import logging
import socket
from itertools import pairwise
from typing import Any

import pytest

from shared.asapp.media_gateway import Asapp, Outcome
from shared.asapp.requests import Answer, AsappRequests, BadCredentials, Credentials, RetryPolicy
from shared.http import Origin
from shared.runtime import Deadline
from tests.unit.conftest import (
    Behaviour,
    Vendor,
    VendorHandler,
    failing,
    hang,
    html,
    ok,
    reset,
    slow,
    started,
)
from tests.unit.held_clock import HeldClock


def credentials(fresh: bool, deadline: Deadline) -> Credentials:
    return Credentials("new-id" if fresh else "id", "secret")


class Times(list[float]):
    """When the vendor was asked."""

    def noting(self, behaviour: Behaviour) -> Behaviour:
        def behave(request: VendorHandler) -> None:
            assert request.server.clock
            self.append(request.server.clock.monotonic())
            behaviour(request)

        return behave


def ask(
    vendor: Vendor, clock: HeldClock, seconds: float = 60.0, policy: RetryPolicy | None = None
) -> Answer:
    requests = AsappRequests(Origin(vendor.url), credentials, policy or RetryPolicy())
    return requests.post("/start", {"guid": "c-1"}, Deadline(seconds, clock))


@pytest.mark.parametrize(
    ("behaviour", "pauses"),
    [
        (failing(429, "429-01"), (1, 2, 4)),
        (failing(503, "503-01"), (0.25, 0.5, 1)),
        (failing(409, "409-202"), (0.25, 0.5, 1)),
        (html, (0.25, 0.5, 1)),
        (reset, (0.25, 0.5, 1)),
    ],
    ids=["429", "5xx", "pending", "not JSON", "reset"],
)
def test_asapp_is_asked_four_times_after_the_pauses_that_it_asks_for(
    behaviour: Behaviour, pauses: tuple[float, ...], vendor: Vendor, clock: HeldClock
) -> None:
    times = Times()
    vendor.behaviours = [times.noting(behaviour)]
    assert ask(vendor, clock).may_pass
    taken = [later - earlier for earlier, later in pairwise(times)]
    assert len(taken) == 3
    for pause, least in zip(taken, pauses, strict=True):
        assert least <= pause <= 1.25 * least


def test_no_two_functions_come_back_at_the_same_moment(vendor: Vendor, clock: HeldClock) -> None:
    vendor.behaviours = [failing(429, "429-01")]
    for _ in range(10):
        ask(vendor, clock)
    assert len(set(clock.slept[::3])) > 5


def test_a_pause_that_leaves_no_time_for_a_try_is_not_waited_for(
    vendor: Vendor, clock: HeldClock
) -> None:
    vendor.behaviours = [failing(429, "429-01")]
    assert ask(vendor, clock, seconds=6.0).code == "429-01"
    assert len(vendor.requests) == 3
    assert clock.monotonic() < 3.8  # 1 s and 2 s; 4 s more would be too late


@pytest.mark.parametrize(
    ("seconds", "tries"), [(6.0, [0]), (7.24, [0]), (7.26, [0, 3.5]), (60.0, [0, 3.5, 7, 10.5])]
)
def test_a_try_has_all_the_time_if_another_full_one_does_not_fit(
    seconds: float, tries: list[float], vendor: Vendor, clock: HeldClock
) -> None:
    times = Times()
    vendor.behaviours = [times.noting(hang)]
    assert ask(vendor, clock, seconds).code == "timeout"
    without_pauses = [at - sum(clock.slept[:tried]) for tried, at in enumerate(times)]
    assert without_pauses == pytest.approx(tries)


@pytest.mark.parametrize("status", [301, 400, 403, 404, 409, 413, 422])
def test_a_refusal_is_not_repeated(status: int, vendor: Vendor, clock: HeldClock) -> None:
    vendor.behaviours = [failing(status, f"{status}-01")]
    answer = ask(vendor, clock)
    assert (answer.status, answer.code) == (status, f"{status}-01")
    assert answer.is_refusal
    assert not answer.may_pass
    assert len(vendor.requests) == 1


def test_a_401_is_tried_once_more_at_once_with_the_secret_read_again(
    vendor: Vendor, clock: HeldClock
) -> None:
    vendor.behaviours = [failing(401, "401-01")]
    answer = ask(vendor, clock)
    assert (answer.status, answer.is_refusal) == (401, True)
    assert [headers["asapp-api-id"] for _, headers, _ in vendor.requests] == ["id", "new-id"]
    assert clock.slept == []


def test_a_renewed_secret_is_kept_for_the_tries_that_follow(
    vendor: Vendor, clock: HeldClock
) -> None:
    vendor.behaviours = [failing(401, "401-01"), failing(503, "503-01"), started]
    assert ask(vendor, clock).status == 200
    assert len(vendor.requests) == 3


def test_credentials_that_cannot_be_read_are_the_callers_to_judge(
    vendor: Vendor, clock: HeldClock
) -> None:
    def none(fresh: bool, deadline: Deadline) -> Credentials:
        raise BadCredentials

    requests = AsappRequests(Origin(vendor.url), none)
    with pytest.raises(BadCredentials):
        requests.post("/start", {}, Deadline(6.0, clock))
    assert vendor.requests == []


def test_without_time_nothing_is_sent(vendor: Vendor, clock: HeldClock) -> None:
    assert ask(vendor, clock, seconds=0.01) == Answer(0, "timeout")
    assert vendor.requests == []


def test_secrets_that_took_all_the_time_leave_none_to_send(
    vendor: Vendor, clock: HeldClock
) -> None:
    def slowly(fresh: bool, deadline: Deadline) -> Credentials:
        clock.advance(6.0)
        return credentials(fresh, deadline)

    requests = AsappRequests(Origin(vendor.url), slowly)
    assert requests.post("/start", {}, Deadline(6.0, clock)).code == "timeout"
    assert vendor.requests == []


def test_a_get_is_tried_again_in_the_same_way(vendor: Vendor, clock: HeldClock) -> None:
    vendor.behaviours = [
        failing(503, "503-01"),
        lambda request: request.reply(200, {"items": []}),
    ]
    requests = AsappRequests(Origin(vendor.url), credentials)
    answer = requests.get("/messages?externalId=c-1", Deadline(6.0, clock))
    assert answer == Answer(200, "", {"items": []}, is_unclear=True)
    assert [path for path, _, _ in vendor.requests] == ["/messages?externalId=c-1"] * 2


def test_an_answer_to_a_request_that_went_out_twice_does_not_say_what_the_first_one_did(
    vendor: Vendor, clock: HeldClock
) -> None:
    vendor.behaviours = [started, reset, failing(400, "400-201")]
    requests = AsappRequests(Origin(vendor.url), credentials)
    assert not requests.post("/start", {}, Deadline(6.0, clock)).is_unclear
    refused = requests.post("/start", {}, Deadline(6.0, clock))
    assert (refused.code, refused.is_unclear) == ("400-201", True)


def test_a_request_that_went_out_and_cannot_go_out_again_is_unclear(
    vendor: Vendor, clock: HeldClock
) -> None:
    def reset_and_close(request: VendorHandler) -> None:
        request.server.socket.close()  # nobody listens any more
        reset(request)

    vendor.behaviours = [started, reset_and_close]
    requests = AsappRequests(Origin(vendor.url), credentials, RetryPolicy(tries=1))
    requests.post("/start", {}, Deadline(6.0, clock))
    answer = requests.post("/start", {}, Deadline(6.0, clock))
    assert (answer.status, answer.is_unclear) == (0, True)


def test_an_answer_longer_than_asked_for_is_none(vendor: Vendor, clock: HeldClock) -> None:
    requests = AsappRequests(Origin(vendor.url), credentials, RetryPolicy(tries=1))
    assert requests.get("/messages", Deadline(6.0, clock), most_bytes=10).code == "connection"


@pytest.mark.parametrize("body", ["[]", "7", "null", "{", "", "[" * 100_000])
def test_only_a_json_object_is_an_answer(body: str, vendor: Vendor, clock: HeldClock) -> None:
    vendor.behaviours = [lambda request: request.reply(200, body)]
    assert ask(vendor, clock).code == "not_json"


# What is known of ASAPP in the end


def start(vendor: Vendor, clock: HeldClock, seconds: float = 6.0) -> Outcome:
    asapp = Asapp(Origin(vendor.url), credentials, {})
    return asapp.start(
        "c-1",
        customer_id="customer",
        agent_id="ada",
        stream_arn="arn",
        after_fragment_number="",
        deadline=Deadline(seconds, clock),
    )


def participants(code: int) -> Behaviour:
    answer = ok(("stream-c", "stream-a"))
    answer["autotranscribeResponse"]["agent"]["status"] = {"code": code, "description": "words"}
    return lambda request: request.reply(200, answer)


@pytest.mark.parametrize(
    ("behaviours", "status", "is_certain"),
    [
        ([started], "done", True),
        ([failing(409, "409-201")], "already", True),
        ([hang], "unavailable", False),
        ([failing(503, "503-01"), failing(409, "409-201")], "already", True),
        ([failing(400, "400-201")], "rejected", True),
        ([failing(403, "403-01")], "rejected", True),
        ([failing(404, "")], "rejected", True),
        ([failing(422, "422-01")], "rejected", True),
        ([failing(429, "429-01"), failing(400, "400-201")], "rejected", True),
        ([failing(409, "409-202"), failing(400, "400-201")], "rejected", True),
        ([failing(503, "503-01"), failing(400, "400-201")], "rejected", False),
        ([html, failing(400, "400-201")], "rejected", False),
        ([reset, failing(400, "400-201")], "rejected", False),
        ([failing(401, "401-01")], "rejected", False),
        ([failing(301, "")], "rejected", False),
        ([failing(409, "409-202")], "unavailable", False),
        ([failing(429, "429-01")], "unavailable", False),
        ([participants(4090)], "rejected", False),
        ([lambda request: request.reply(200, {"isOk": False})], "rejected", False),
        ([lambda request: request.reply(200, {})], "rejected", False),
    ],
)
def test_an_outcome_says_whether_what_asapp_does_now_is_certain(
    behaviours: list[Behaviour],
    status: str,
    is_certain: bool,
    vendor: Vendor,
    clock: HeldClock,
) -> None:
    vendor.behaviours = behaviours
    outcome = start(vendor, clock)
    assert (outcome.status, outcome.is_certain) == (status, is_certain)


def test_a_refusal_after_a_connection_that_never_was_is_certain(
    vendor: Vendor, clock: HeldClock
) -> None:
    lookups: list[Any] = []

    def resolve(*args: Any, **kwargs: Any) -> Any:
        lookups.append(args)
        if len(lookups) == 1:
            raise socket.gaierror
        return socket.getaddrinfo(*args, **kwargs)

    vendor.behaviours = [failing(400, "400-201")]
    asapp = Asapp(Origin(vendor.url, resolve), credentials, {})
    outcome = asapp.stop("c-1", Deadline(6.0, clock))
    assert (outcome.status, outcome.is_certain) == ("rejected", True)


def test_a_stop_of_a_call_that_asapp_does_not_know_has_stopped_it(
    vendor: Vendor, clock: HeldClock
) -> None:
    vendor.behaviours = [failing(400, "400-203")]
    outcome = Asapp(Origin(vendor.url), credentials, {}).stop("c-1", Deadline(6.0, clock))
    assert (outcome.status, outcome.reason) == ("already", "400-203")
    assert outcome.succeeded


CODES = {
    4050: "language not supported",
    4083: "idle for 60 seconds",
    4090: "streaming for longer than ASAPP's limit, 3 hours by default",
    4092: "only smart-formatted text can be redacted",
    4093: "redaction and detailed tokens exclude each other",
    4094: "unredacted text refused: the account always redacts",
    5000: "internal error",
    5001: "shutting down",
    5002: "no instance",
    2003: "unknown",
}


@pytest.mark.parametrize(("code", "meaning"), CODES.items())
def test_a_participants_status_code_has_its_meaning_in_the_logs(
    code: int, meaning: str, vendor: Vendor, clock: HeldClock, caplog: pytest.LogCaptureFixture
) -> None:
    vendor.behaviours = [participants(code)]
    with caplog.at_level(logging.WARNING, "shared.asapp.media_gateway"):
        assert start(vendor, clock).reason == str(code)
    (record,) = caplog.records
    assert (vars(record)["code"], vars(record)["meaning"]) == (str(code), meaning)


def test_a_slow_answer_within_the_flows_time_is_one(vendor: Vendor, clock: HeldClock) -> None:
    vendor.behaviours = [slow(5.9)]
    assert start(vendor, clock).customer_stream_id == "stream-c"
