"""Mistakes are told before a deployment, all at once."""

from __future__ import annotations

import json

import pytest

from connect_flows.blocks import (
    EndFlowExecution,
    MessageParticipantIteratively,
    Prompt,
)
from connect_flows.flow import Flow
from connect_flows.ready_made.hold_and_queue import customer_hold
from connect_flows.ready_made.modules import start_module
from connect_flows.ready_made.whispers import agent_whisper
from connect_flows.start_attributes import start_attributes
from tests.flows.ready_made.made import AGENT_PATH, CUSTOMER_PATH, MODULES, START, STOP, say


@pytest.mark.parametrize("path", ["jane", "Agent.UserName", "", "$jane"])
def test_an_id_that_is_not_looked_up_is_refused_because_it_would_be_everybodys(path: str) -> None:
    with pytest.raises(ValueError, match=r"(?s)customer_id_path is .* and agent_id_path is .*"):
        agent_whisper(start_function_arn=START, customer_id_path=path, agent_id_path=path)


@pytest.mark.parametrize("path", ["$.Agent.UserName", "$['Agent']['UserName']"])
def test_the_start_module_refuses_a_path_that_inbound_flows_do_not_have(path: str) -> None:
    with pytest.raises(ValueError, match="have no agent"):
        start_module(start_function_arn=START, customer_id_path=path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "not 0 of them"),
        ({"text": "a", "prompt_id": "b"}, "not 2 of them"),
        ({"text": "x" * 6_001}, "6001 characters"),
        ({"ssml": "hello"}, "one <speak>"),
    ],
)
def test_a_prompt_is_exactly_one_thing(arguments: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Prompt(**arguments)


def test_a_hold_without_a_prompt_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        customer_hold(stop_function_arn=STOP, prompts=[])


@pytest.mark.parametrize("type", ["CONTACT_FLOW", "CUSTOMER_QUEUE", "QUEUE_TRANSFER"])
def test_flows_that_know_no_agent_pass_none(type: str) -> None:
    customer = {"customerId": CUSTOMER_PATH}
    assert customer == start_attributes(
        type, customer_id_path=CUSTOMER_PATH, agent_id_path=AGENT_PATH
    )
    assert {**customer, "agentId": "$.Attributes.agent"} == start_attributes(
        type, customer_id_path=CUSTOMER_PATH, agent_id_path="$.Attributes.agent"
    )


@pytest.mark.parametrize(
    "type",
    [
        "AGENT_WHISPER",
        "CUSTOMER_WHISPER",
        "OUTBOUND_WHISPER",
        "CUSTOMER_HOLD",
        "AGENT_HOLD",
        "AGENT_TRANSFER",
    ],
)
def test_flows_that_know_the_agent_pass_it(type: str) -> None:
    attributes = start_attributes(type, customer_id_path=AGENT_PATH, agent_id_path=AGENT_PATH)
    assert attributes == {
        "customerId": AGENT_PATH,
        "agentId": AGENT_PATH,
        "agentArn": "$.Agent.ARN",
    }


def test_everything_that_is_wrong_with_a_flow_is_in_one_error() -> None:
    flow = Flow(
        name="n" * 128,
        type="AGENT_WHISPER",
        description="d" * 500,
        blocks=(
            say("Twice", next="Nowhere"),
            say("Twice", next="End", on_error="Lost"),
            say("a (b)", next="End"),
            say("constructor", next="End"),
            say("l" * 51, next="End"),
            EndFlowExecution(name="End"),
        ),
    )
    with pytest.raises(ValueError, match="Connect would refuse") as error:
        flow.content()
    for problem in (
        "the name has 128 characters",
        "the description has more than 500",
        "'Twice': 2 actions have this identifier",
        "'Twice' transitions to 'Nowhere', which does not exist",
        "'Twice' transitions to 'Lost', which does not exist",
        "'a (b)': the identifier holds one of",
        "'constructor': no action may have this identifier",
        "the identifier has 51 characters",
    ):
        assert problem in str(error.value)


@pytest.mark.parametrize("count", [0, 251])
def test_a_flow_of_no_block_or_of_more_than_connect_takes_is_refused(count: int) -> None:
    ends = tuple(EndFlowExecution(name=f"End {n}") for n in range(count))
    with pytest.raises(ValueError, match=f"it has {count} actions"):
        Flow(name="n", type="AGENT_WHISPER", description="", blocks=ends).content()


def test_a_block_that_its_type_of_flow_does_not_take_is_refused() -> None:
    blocks = (say("Say", next="Loop", on_error="Loop"),)
    loop = MessageParticipantIteratively(name="Loop", prompts=(Prompt(text="x"),))
    flow = Flow(name="Mine", type="CUSTOMER_HOLD", description="", blocks=(*blocks, loop))
    with pytest.raises(
        ValueError,
        match=r"Connect would refuse 'Mine': 'Say': .*not allowed in .* CUSTOMER_HOLD",
    ):
        flow.to_json()


def test_a_flow_with_very_much_wrong_names_ten_problems_and_how_many_more() -> None:
    ends = tuple(EndFlowExecution(name=f"End {n}") for n in range(13))
    flow = Flow(name="n", type="AGENT_WHISPER", description="", blocks=ends)
    with pytest.raises(ValueError, match=r"and 2 more$") as error:
        flow.content()
    assert str(error.value).count("not reachable") == 10


def test_letters_beyond_ascii_count_once_as_connect_counts_them() -> None:
    prompt = Prompt(text="ü" * 6_000)
    flow = Flow(
        name="n",
        type="CUSTOMER_HOLD",
        description="",
        blocks=(MessageParticipantIteratively(name="Loop", prompts=(prompt,) * 30),),
    )
    assert len(flow.to_json()) < 200_000
    assert json.loads(flow.to_json()) == flow.content()


def test_content_that_nears_connects_limit_is_refused_before_the_deploy() -> None:
    long = Prompt(text="x" * 6_000)
    flow = Flow(
        name="Long",
        type="CUSTOMER_HOLD",
        description="",
        blocks=(MessageParticipantIteratively(name="Loop", prompts=(long,) * 40),),
    )
    with pytest.raises(ValueError, match="move a part of it into a module"):
        flow.to_json()


def test_changing_content_that_a_flow_gave_changes_no_other() -> None:
    content = MODULES["start module"].content()
    content["Settings"]["Transitions"].clear()
    content["Actions"][0]["Parameters"]["Participants"].clear()
    again = MODULES["start module"].content()
    assert again["Settings"]["Transitions"]
    assert again["Actions"][0]["Parameters"]["Participants"]
