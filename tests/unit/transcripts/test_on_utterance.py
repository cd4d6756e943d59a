"""The customer's function changes or refuses an utterance before it is stored, and without its
answer nothing is stored."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

import shared
from shared.transcripts.on_utterance import MOST, Asked, NotScreened, OnUtterance, on_utterance
from store_transcript import handler as store_transcript
from tests.log_metrics import counted
from tests.unit.customers_function import (
    ARN,
    Customers,
    Entry,
    Raised,
    Refused,
    customers_function,
    refused,
    through,
)
from tests.unit.held_clock import HeldClock
from tests.unit.transcripts.test_store_transcript import (  # noqa: F401 - fixtures
    AwsService,
    body_of,
    dead_letter_queue,
    deployed,
    event,
    front,
    good,
    service,
    set_aside,
    stored,
)

PIN = "my PIN is four-two-two"
"""In words: the digits could stand in a time, too."""


@pytest.fixture
def customers() -> Iterator[Customers]:
    with customers_function() as server:
        yield server


@pytest.fixture
def asking(
    customers: Customers,
    deployed: None,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Customers]:
    """The consumer asks the customer's function."""
    monkeypatch.setenv("ON_UTTERANCE_FUNCTION", ARN)
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", customers.url)
    store_transcript._screen.cache_clear()
    on_utterance.cache_clear()
    yield customers
    store_transcript._screen.cache_clear()
    on_utterance.cache_clear()


def texts(table_name: str) -> list[str]:
    return sorted(item["text"] for item in stored(table_name))


def without_pins(said: Entry) -> Entry:
    return {"id": said["id"], "text": said["text"].replace("four-two-two", "####")}


def held_back(answer: dict[str, Any]) -> list[str]:
    return [each["itemIdentifier"] for each in answer["batchItemFailures"]]


def test_a_batch_is_one_invocation_of_the_one_function(
    asking: Customers,
    table_name: str,
    service: AwsService,  # noqa: F811
) -> None:
    assert held_back(store_transcript.handler(event(*good(10)), None)) == []
    (asked,) = asking.events
    assert asking.functions == {ARN}
    assert asked["version"] == 1
    assert len(asked["utterances"]) == 10
    assert asked["utterances"][1] == {
        "id": asked["utterances"][1]["id"],
        "conversationId": "c-1",
        "role": "customer",
        "text": "words",
        "source": "webhook",
    }
    assert [operation for operation, _ in service.sent] == ["BatchWriteItem"]
    assert len(stored(table_name)) == 10


def test_what_goes_through_is_stored_as_it_came(asking: Customers, table_name: str) -> None:
    body = body_of(1, "I need help", unknown={"a": 1})
    store_transcript.handler(event(body), None)
    (item,) = stored(table_name)
    assert item["message"] == body


def test_of_what_was_changed_nothing_of_the_old_text_is_stored(
    asking: Customers, table_name: str
) -> None:
    asking.decide = without_pins
    body = body_of(1, PIN, heard=PIN)
    store_transcript.handler(event(body), None)
    store_transcript.handler(event(body), None)  # SQS delivers it twice
    (item,) = stored(table_name)
    assert item["text"] == "my PIN is ####"
    assert "four" not in str(item)
    assert json.loads(item["message"])["autotranscribeResponse"]["utterance"] == [
        {"text": "my PIN is ####"}
    ]
    assert (item["role"], item["startMs"], item["senderId"]) == ("customer", 1000, "TT9833237")
    # The key has a digest of the message, and who knows all but four figures could try them.
    asking.decide = lambda said: {"id": said["id"], "text": "my PIN is ####"}
    store_transcript.handler(event(body_of(1, "my PIN is 9999", heard=PIN)), None)
    assert len(stored(table_name)) == 1


def test_what_is_refused_is_gone_and_counted(
    asking: Customers,
    table_name: str,
    dead_letter_queue: str,  # noqa: F811
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    asking.decide = lambda said: refused(said) if PIN in said["text"] else through(said)
    answer = store_transcript.handler(event(body_of(0, "Hello"), body_of(1, PIN)), None)
    assert held_back(answer) == []
    assert texts(table_name) == ["Hello"]
    assert set_aside(dead_letter_queue) == []
    assert counted("store_transcript", caplog.records) == {
        "UtterancesStored": 1,
        "UtterancesRefused": 1,
    }
    assert PIN not in caplog.text


def times_out(_event: dict[str, Any]) -> Any:
    raise Raised("Task timed out after 3.00 seconds")


def throttled(_event: dict[str, Any]) -> Any:
    raise Refused("TooManyRequestsException", 429)


def gone(_event: dict[str, Any]) -> Any:
    raise Refused("ResourceNotFoundException", 404)


@pytest.mark.parametrize(
    "handle",
    [
        times_out,
        gone,
        lambda event: None,
        lambda event: "yes",
        lambda event: {"utterances": "all"},
        lambda event: {"utterances": []},
        lambda event: {"utterances": [None, 1, {}, {"id": []}]},
        lambda event: {"utterances": [{"id": each["id"]} for each in event["utterances"]]},
        lambda event: {
            "utterances": [{"id": each["id"], "text": None} for each in event["utterances"]]
        },
        lambda event: {
            "utterances": [
                {"id": each["id"], "text": "ok", "refused": "no"} for each in event["utterances"]
            ]
        },
        lambda event: {"utterances": [{"id": "another", "text": "words"}]},
    ],
)
def test_without_a_clear_answer_nothing_is_stored_and_all_stays_in_the_queue(
    handle: Any,
    asking: Customers,
    table_name: str,
    dead_letter_queue: str,  # noqa: F811
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    asking.handle = handle
    answer = store_transcript.handler(event(body_of(0, PIN), body_of(1)), None)
    assert held_back(answer) == ["m-0", "m-1"]
    assert stored(table_name) == []
    assert set_aside(dead_letter_queue) == []
    found = counted("store_transcript", caplog.records)
    assert found == {"UtterancesStored": 0, "UtterancesNotScreened": 2}
    assert PIN not in caplog.text


def test_an_utterance_at_which_the_function_fails_holds_back_no_other(
    asking: Customers, table_name: str
) -> None:
    def handle(asked: dict[str, Any]) -> Any:
        if any(each["text"] == PIN for each in asked["utterances"]):
            raise Raised("KeyError")
        return {"utterances": [through(each) for each in asked["utterances"]]}

    asking.handle = handle
    answer = store_transcript.handler(
        event(body_of(0, "a"), body_of(1, PIN), "poison", body_of(2, "b")), None
    )
    assert held_back(answer) == ["m-1"]
    assert texts(table_name) == ["a", "b"]
    assert len(asking.events) == 4


def test_an_utterance_without_an_answer_holds_back_no_other(
    asking: Customers, table_name: str
) -> None:
    asking.decide = lambda said: None if said["text"] == PIN else through(said)
    answer = store_transcript.handler(event(body_of(0, "a"), body_of(1, PIN)), None)
    assert held_back(answer) == ["m-1"]
    assert texts(table_name) == ["a"]


def test_a_refusal_stays_one_whatever_else_the_answer_says(
    asking: Customers, table_name: str
) -> None:
    asking.handle = lambda asked: {
        "utterances": [
            entry
            for each in asked["utterances"]
            for entry in (through(each), refused(each), through(each))
        ]
    }
    assert held_back(store_transcript.handler(event(body_of(0)), None)) == []
    assert stored(table_name) == []


def test_utterances_that_become_the_same_are_one(asking: Customers, table_name: str) -> None:
    asking.decide = lambda said: {"id": said["id"], "text": "####"}
    answer = store_transcript.handler(event(body_of(1, "4242"), body_of(1, "4343")), None)
    assert held_back(answer) == []
    assert texts(table_name) == ["####"]


def test_half_a_surrogate_pair_of_the_functions_is_no_dead_letter(
    asking: Customers, table_name: str
) -> None:
    asking.decide = lambda said: {"id": said["id"], "text": "\ud83d!"}
    assert held_back(store_transcript.handler(event(body_of(1)), None)) == []
    assert texts(table_name) == ["\ufffd!"]


# Time


ASKED = [Asked(str(at), "c-1", "agent", f"words {at}", "webhook") for at in range(3)]


def of(customers: Customers, clock: HeldClock, read_timeout: float = 60) -> OnUtterance:
    config = Config(retries={"total_max_attempts": 1}, read_timeout=read_timeout)
    client = boto3.client("lambda", endpoint_url=customers.url, config=config)
    return OnUtterance(client, ARN, clock)


def test_a_throttled_function_is_asked_again_in_the_time_that_there_is(
    customers: Customers,
) -> None:
    clock, tries = HeldClock(), iter([throttled, throttled])
    usual = customers.handle
    customers.handle = lambda asked: next(tries, usual)(asked)
    assert of(customers, clock).decide(ASKED) == {each.id: each.text for each in ASKED}
    assert clock.slept == [0.1, 0.2]


def test_a_function_that_stays_throttled_ends_in_time(customers: Customers) -> None:
    clock = HeldClock()
    customers.handle = throttled
    with pytest.raises(NotScreened, match=r"^OutOfTime$"):
        of(customers, clock).decide(ASKED)
    assert clock.seconds == 5


def test_a_function_that_fails_slowly_is_not_asked_for_each_without_end(
    customers: Customers,
) -> None:
    clock = HeldClock()

    def slow(_asked: dict[str, Any]) -> Any:
        clock.advance(3)
        raise Raised("Task timed out")

    customers.handle = slow
    with pytest.raises(NotScreened):
        of(customers, clock).decide(ASKED)
    assert (clock.seconds, len(customers.events)) == (6, 2)


def test_a_function_that_hangs_is_given_up_and_not_asked_again(customers: Customers) -> None:
    let_go = threading.Event()
    customers.handle = lambda _asked: let_go.wait(60)
    with pytest.raises(NotScreened, match=r"^ReadTimeoutError$"):
        of(customers, HeldClock(), read_timeout=0.2).decide(ASKED)
    let_go.set()
    assert len(customers.events) == 1


def test_more_than_a_batch_is_asked_for_in_batches(customers: Customers) -> None:
    asked = [Asked(str(at), "c-1", "agent", "words", "messages") for at in range(25)]
    assert len(of(customers, HeldClock()).decide_all(asked)) == 25
    assert [len(each["utterances"]) for each in customers.events] == [MOST, MOST, 5]


def test_long_texts_are_asked_for_in_invocations_that_lambda_takes(customers: Customers) -> None:
    asked = [Asked(str(at), "c-1", "agent", "é" * 900_000, "messages") for at in range(3)]
    assert len(of(customers, HeldClock()).decide(asked)) == 3
    assert len(customers.events) == 3


def test_without_such_a_function_its_code_is_not_even_loaded() -> None:
    program = (
        "import os, sys\n"
        "import reconcile_transcript.handler, store_transcript.handler as consumer\n"
        "assert consumer._screen() is None\n"
        "assert reconcile_transcript.handler._screen() is None\n"
        "print([name for name in sys.modules if 'on_utterance' in name or 'screening' in name])"
    )
    lambdas = str(Path(shared.__path__[0]).parent)
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=lambdas, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


def test_the_example_keeps_the_contract(
    asking: Customers, table_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "examples"))
    from on_utterance.handler import handler as example  # type: ignore[import-not-found]

    asking.handle = lambda asked: example(asked, None)
    said = ["Hello", "I am AC-123456.", "This is off the record: 4242."]
    answer = store_transcript.handler(event(*(body_of(at, t) for at, t in enumerate(said))), None)
    assert held_back(answer) == []
    assert texts(table_name) == ["Hello", "I am AC-######."]
