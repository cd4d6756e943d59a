"""The Lambda block: retries, its time limit, and which answers lead on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.connect.flow_outcome import FlowError
from sandbox.connect.flow_runner import FlowRunner
from sandbox.connect.flow_state import LambdaFailed
from tests.sandbox.simulated import (
    Clock,
    FakeLambda,
    action,
    blocks,
    caller,
    flow,
    invoke,
    note,
)


def test_a_failing_function_is_tried_four_times_and_then_the_error_branch_follows(
    runner: FlowRunner, function: FakeLambda
) -> None:
    function.answers = [LambdaFailed("boom")]
    path = runner.run(flow(invoke()), caller(), "AGENT_WHISPER")
    assert len(function.calls) == 4
    assert blocks(path) == ["Invoke", "Failed"]
    assert (path[0].branch, path[0].ms) == ("NoMatchingError", 200)
    assert "boom" in path[0].detail


def test_a_retry_that_works_leads_on(runner: FlowRunner, function: FakeLambda) -> None:
    function.answers = [LambdaFailed("cold"), {"status": "started"}]
    path = runner.run(flow(invoke()), caller(), "AGENT_WHISPER")
    assert blocks(path) == ["Invoke", "End"]
    assert function.calls[0][1] == function.calls[1][1], "the same event again"


@pytest.mark.parametrize("limit", [1, 3, 8])
def test_retries_stay_inside_the_blocks_limit(
    runner: FlowRunner, function: FakeLambda, limit: int
) -> None:
    function.answers, function.takes = [LambdaFailed("slow")], limit * 0.4
    path = runner.run(
        flow(invoke(InvocationTimeLimitSeconds=str(limit))), caller(), "AGENT_WHISPER"
    )
    assert [round(seconds / limit, 1) for _, _, seconds in function.calls] == [1.0, 0.6, 0.2]
    assert path[0].branch == "NoMatchingError"
    assert path[0].ms == limit * 1000


def test_a_hanging_function_takes_the_blocks_limit_and_no_more(
    runner: FlowRunner, function: FakeLambda
) -> None:
    function.takes = 60
    path = runner.run(flow(invoke(InvocationTimeLimitSeconds="5")), caller(), "AGENT_WHISPER")
    assert (path[0].branch, path[0].ms) == ("NoMatchingError", 5_000)
    assert "within 5 s" in path[0].detail
    assert len(function.calls) == 1


def test_an_answer_after_the_limit_comes_too_late(clock: Clock) -> None:
    def late(arn: str, event: dict[str, Any], seconds: float) -> dict[str, str]:
        clock.seconds += seconds + 0.5
        return {"status": "started"}

    runner = FlowRunner(invoke_lambda=late, now=clock)
    path = runner.run(flow(invoke()), caller(), "AGENT_WHISPER")
    assert blocks(path) == ["Invoke", "Failed"]


@pytest.mark.parametrize(
    "answer",
    [
        {"n": 1},
        {"n": 1.5},
        {"flag": True},
        {"nothing": None},
        {"nested": {"a": "b"}},
        {"list": []},
        None,
        "text",
        [],
        {"long": "x" * 32 * 1024},
        {"long": "é" * 16 * 1024},
    ],
)
def test_a_string_map_that_is_none_takes_the_error_branch_without_retry(
    runner: FlowRunner, function: FakeLambda, answer: Any
) -> None:
    function.answers = [answer]
    path = runner.run(flow(invoke()), caller(), "AGENT_WHISPER")
    assert blocks(path) == ["Invoke", "Failed"]
    assert len(function.calls) == 1


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=50), max_size=10))
def test_every_small_flat_map_of_strings_leads_on(answer: dict[str, str]) -> None:
    clock = Clock()
    runner = FlowRunner(invoke_lambda=FakeLambda(clock, answer), now=clock)
    assert blocks(runner.run(flow(invoke()), caller(), "AGENT_WHISPER")) == ["Invoke", "End"]


def test_json_validation_lets_nested_answers_through(
    runner: FlowRunner, function: FakeLambda
) -> None:
    function.answers = [{"a": {"b": 2}}]
    contact = caller()
    runner.run(
        flow(
            invoke(next="Note", ResponseValidation={"ResponseType": "JSON"}),
            note(b="$.External.a.b"),
        ),
        contact,
        "CONTACT_FLOW",
    )
    assert contact.attributes == {"b": "2"}


def test_lambdas_without_a_prompt_between_them_share_twenty_seconds(
    runner: FlowRunner, function: FakeLambda
) -> None:
    function.takes = 7
    path = runner.run(
        flow(
            invoke("One", next="Two"),
            invoke("Two", next="Note"),
            note(next="Three", x="1"),
            invoke("Three", next="Four"),
            invoke("Four", InvocationTimeLimitSeconds="1"),
        ),
        caller(),
        "CONTACT_FLOW",
    )
    assert [step.branch for step in path[:4]] == ["NextAction"] * 3 + ["NoMatchingError"]
    assert path[3].ms == 6_000
    assert blocks(path)[-1] == "Failed"


def test_a_played_prompt_gives_the_next_lambdas_their_twenty_seconds_again(
    runner: FlowRunner, function: FakeLambda
) -> None:
    function.takes = 7
    path = runner.run(
        flow(
            invoke("One", next="Two"),
            invoke("Two", next="Say"),
            action("Say", "MessageParticipant", {"Text": "One moment"}, next="Three"),
            invoke("Three", next="Four"),
            invoke("Four"),
        ),
        caller(),
        "CONTACT_FLOW",
    )
    assert blocks(path)[-2:] == ["Four", "End"]


def test_a_mistake_in_the_function_that_calls_lambda_comes_out() -> None:
    def broken(arn: str, event: dict[str, Any], seconds: float) -> Any:
        raise KeyError("nobody expected me")

    with pytest.raises(KeyError, match="nobody expected me"):
        FlowRunner(invoke_lambda=broken).run(flow(invoke()), caller(), "AGENT_WHISPER")


@pytest.mark.parametrize(
    "parameters",
    [
        {"InvocationTimeLimitSeconds": "9"},
        {"InvocationTimeLimitSeconds": "0"},
        {"InvocationType": "ASYNCHRONOUS"},
        {"ResponseValidation": {"ResponseType": "JSON_OBJECT"}},
    ],
)
def test_lambda_parameters_that_connect_refuses_are_errors(
    runner: FlowRunner, parameters: dict[str, Any]
) -> None:
    with pytest.raises(FlowError, match="Invoke"):
        runner.run(flow(invoke(**parameters)), caller(), "AGENT_WHISPER")
