"""What weaving refuses to do, and what it leaves as it is."""

from __future__ import annotations

from typing import Any

import pytest

from connect_flows.flow import Flow
from connect_flows.flow_graph import CannotWeave
from connect_flows.flow_types import HOLDS, WHISPERS
from connect_flows.ready_made.disconnect import disconnect
from connect_flows.ready_made.hold_and_queue import customer_hold
from connect_flows.ready_made.transfers import agent_transfer, queue_transfer
from connect_flows.ready_made.whispers import agent_whisper, customer_whisper, outbound_whisper
from connect_flows.weave import Stop, weave
from tests.flow_builders import (
    END,
    HANG_UP,
    START_ARN,
    STOP_ARN,
    action,
    blocks,
    compare,
    flow,
    invoke,
    music,
    note,
    stream,
)
from tests.flows.weave.weaving import START, STOP, weave_well


@pytest.mark.parametrize(
    "path",
    ["$.External.x", "$['External']['x']", '$["External"].x', "Hi $.LambdaInvocation.ResultData.x"],
)
def test_an_answer_that_is_still_to_be_read_is_not_replaced(path: str) -> None:
    reads = note("Read", "End", path)
    content = flow(invoke("Ask", "On"), stream("On", True, "Log"), note("Log", "Read"), reads, END)
    with pytest.raises(CannotWeave, match=r"'Read' reads the answer of a Lambda block .*before 'L"):
        weave(content, "CONTACT_FLOW", start=START)
    after_another = flow(
        invoke("Ask", "On"),
        stream("On", True, "Ask again"),
        invoke("Ask again", "Read"),
        reads,
        END,
    )
    assert weave_well(after_another, "CONTACT_FLOW", START) == {("On", "next"): ["start"]}


def test_an_answer_read_by_a_lambda_block_or_a_condition_is_not_replaced() -> None:
    passes = invoke("Pass on", "End")
    passes["Parameters"]["LambdaInvocationAttributes"] = {"x": "$.External.x"}
    compares = compare("Which", "End", **{"$.External.x": "End"})
    for reader in (passes, compares):
        content = flow(stream("On", True, reader["Identifier"]), reader, END)
        with pytest.raises(CannotWeave, match="reads the answer"):
            weave(content, "CONTACT_FLOW", start=START)


@pytest.mark.parametrize("type", ["CONTACT_FLOW", "CUSTOMER_QUEUE", "QUEUE_TRANSFER", "MODULE"])
def test_without_start_media_streaming_only_a_whisper_takes_a_start(type: str) -> None:
    with pytest.raises(CannotWeave, match=r"^it has no Start media streaming, so there is no"):
        weave(flow(END), type, start=START)


@pytest.mark.parametrize("type", sorted(HOLDS))
def test_a_hold_flow_starts_nothing(type: str) -> None:
    with pytest.raises(CannotWeave, match=r"^no flow runs when a hold ends"):
        weave(flow(music()), type, start=START)


@pytest.mark.parametrize("type", sorted(WHISPERS))
def test_a_whisper_takes_no_stop(type: str) -> None:
    with pytest.raises(CannotWeave, match=r"^a whisper ends when the conversation begins"):
        weave(flow(END), type, start=START, stop=STOP)


def test_one_function_cannot_do_both() -> None:
    with pytest.raises(CannotWeave, match="start and stop are the same function"):
        weave(flow(END), "CONTACT_FLOW", start=START, stop=Stop(function_arn=START_ARN))


def test_a_flow_that_connect_would_refuse_is_not_woven() -> None:
    with pytest.raises(CannotWeave) as refused:
        weave(flow(note("a:b", "Nowhere")), "CONTACT_FLOW", stop=STOP)
    assert [str(reason).split(": ")[0] for reason in refused.value.args] == [
        "Connect would refuse it as it is"
    ] * 2
    assert str(refused.value) == "; ".join(refused.value.args)
    with pytest.raises(ValueError, match="no flow type 'WHISPER'"):
        weave(flow(END), "WHISPER", start=START)


def test_a_flow_that_connect_would_refuse_only_with_the_new_blocks_is_refused() -> None:
    names = [f"Log {number}" for number in range(248)]
    logs = [
        action(name, "UpdateFlowLoggingBehavior", NextAction=to)
        for name, to in zip(names, [*names[1:], "Hang up"], strict=True)
    ]
    full = r"^Connect would refuse it with transcription in it: it has 251 actions, not 1 to 250 \["
    weave_well(flow(*logs, HANG_UP), "CONTACT_FLOW", stop=STOP)
    with pytest.raises(CannotWeave, match=full):
        weave(flow(note("One more", "Log 0"), *logs, HANG_UP), "CONTACT_FLOW", stop=STOP)
    chain = flow(stream("On", True, "Ask"), invoke("Ask", "Ask 2"), invoke("Ask 2", "End"), END)
    weave_well(chain, "CONTACT_FLOW", START)
    for name in ("Ask", "Ask 2"):
        blocks(chain)[name]["Parameters"]["InvocationTimeLimitSeconds"] = "7"
    with pytest.raises(CannotWeave, match=r"in it: 'Start transcription': a chain of Lambda"):
        weave(chain, "CONTACT_FLOW", start=START)


IDS: Any = {"customer_id_path": "$.CustomerEndpoint.Address", "agent_id_path": "$.Agent.UserName"}


@pytest.mark.parametrize(
    "made",
    [
        agent_whisper(start_function_arn=START_ARN, **IDS),
        customer_whisper(start_function_arn=START_ARN, **IDS),
        outbound_whisper(start_function_arn=START_ARN, **IDS),
        customer_hold(stop_function_arn=STOP_ARN),
        disconnect(stop_function_arn=STOP_ARN),
        agent_transfer(stop_function_arn=STOP_ARN),
        queue_transfer(stop_function_arn=STOP_ARN),
    ],
    ids=lambda made: made.name,
)
def test_what_we_make_has_all_of_it_already(made: Flow) -> None:
    starts = START_ARN in made.to_json()
    request = (START, None) if starts else (None, STOP)
    assert weave_well(made.content(), made.type, *request) == {}


def test_nothing_asked_is_nothing_done() -> None:
    assert weave_well(flow(END), "CONTACT_FLOW") == {}
