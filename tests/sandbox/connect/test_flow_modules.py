"""Attributes, conditions and modules, and flows that others published."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox.connect.contact import Agent, Contact
from sandbox.connect.flow_outcome import FlowError
from sandbox.connect.flow_runner import FlowRunner
from sandbox.connect.flow_state import LambdaFailed
from tests.sandbox.simulated import (
    INSTANCE,
    SHARED_DATA,
    Clock,
    FakeLambda,
    action,
    blocks,
    caller,
    flow,
    invoke,
    module,
    note,
    streaming,
    terminal,
)

# Attributes, conditions, modules.


def test_attributes_stay_with_the_contact_and_reach_the_next_event(
    runner: FlowRunner, function: FakeLambda
) -> None:
    contact = caller(attributes={"kept": "1"})
    runner.run(flow(note(next="Invoke", new="$.Queue.Name"), invoke()), contact, "CONTACT_FLOW")
    assert function.calls[0][1]["Details"]["ContactData"]["Attributes"] == {
        "kept": "1",
        "new": "Billing",
    }


def test_attributes_over_32_kb_are_all_refused(runner: FlowRunner) -> None:
    contact = caller()
    path = runner.run(flow(note(a="1", b="x" * 33_000)), contact, "CONTACT_FLOW")
    assert blocks(path) == ["Note", "Failed"]
    assert contact.attributes == {}


def test_an_attribute_key_with_a_dot_is_an_error(runner: FlowRunner) -> None:
    with pytest.raises(FlowError, match=r"'a\.b' holds"):
        runner.run(flow(note(**{"a.b": "1"})), caller(), "CONTACT_FLOW")


@pytest.mark.parametrize(
    ("operator", "operand", "holds"),
    [
        ("Equals", "started", True),
        ("Equals", "start", False),
        ("TextStartsWith", "start", True),
        ("TextEndsWith", "ed", True),
        ("TextContains", "art", True),
        ("TextContains", "xyz", False),
        ("NumberGreaterThan", "1", False),
    ],
)
def test_a_condition_leads_where_it_says(
    runner: FlowRunner, operator: str, operand: str, holds: bool
) -> None:
    compare = action(
        "Compare",
        "Compare",
        {"ComparisonValue": "$.Attributes.status"},
        next="Failed",
        error_type="NoMatchingCondition",
        conditions=[
            {"NextAction": "End", "Condition": {"Operator": operator, "Operands": [operand]}}
        ],
    )
    path = runner.run(flow(compare), caller(attributes={"status": "started"}), "CONTACT_FLOW")
    assert path[0].branch == (f"{operator} {operand}" if holds else "NoMatchingCondition")
    assert path[1].block == ("End" if holds else "Failed")


def test_a_lambdas_result_crosses_no_module_boundary_but_attributes_do(
    clock: Clock, function: FakeLambda
) -> None:
    function.answers = [{"from": "outside"}, {"from": "inside"}]
    inner = module(
        note("Before", next="Invoke inside", inside_before="$.External.from"),
        invoke("Invoke inside", next="After"),
        note("After", inside_after="$.External.from"),
    )
    runner = FlowRunner(invoke_lambda=function, modules={"m": inner}, now=clock)
    contact = caller()
    path = runner.run(
        flow(
            invoke(next="Use"),
            action("Use", "InvokeFlowModule", {"FlowModuleId": "m"}, next="Note"),
            note(outside_after="$.External.from"),
        ),
        contact,
        "CONTACT_FLOW",
    )
    assert contact.attributes == {
        "inside_before": "",
        "inside_after": "inside",
        "outside_after": "outside",
    }
    assert [(step.block, step.module) for step in path] == [
        ("Invoke", ""),
        ("Use", ""),
        ("Before", "m"),
        ("Invoke inside", "m"),
        ("After", "m"),
        ("End", "m"),
        ("Note", ""),
        ("End", ""),
    ]


def test_modules_nest_five_deep_at_most(clock: Clock, function: FakeLambda) -> None:
    def use(number: int) -> dict[str, Any]:
        return action(f"Use {number}", "InvokeFlowModule", {"FlowModuleId": f"{number}"})

    modules = {f"{number}": module(use(number + 1)) for number in range(1, 6)}
    modules["6"] = module(note(deepest="reached"))
    runner = FlowRunner(invoke_lambda=function, modules=modules, now=clock)
    assert blocks(runner.run(flow(use(2)), caller(), "CONTACT_FLOW"))[-1] == "End"
    with pytest.raises(FlowError, match="5 deep"):
        runner.run(flow(use(1)), caller(), "CONTACT_FLOW")


def test_a_module_that_hangs_up_ends_the_whole_flow(clock: Clock, function: FakeLambda) -> None:
    hang_up = module(terminal("Hang up", "DisconnectParticipant"))
    runner = FlowRunner(invoke_lambda=function, modules={"m": hang_up}, now=clock)
    use = action("Use", "InvokeFlowModule", {"FlowModuleId": "m"})
    path = runner.run(flow(use), caller(), "CONTACT_FLOW")
    assert [(step.block, step.branch) for step in path] == [
        ("Use", "Ends"),
        ("Hang up", "Disconnects"),
    ]


def test_a_block_can_be_made_to_fail(clock: Clock, function: FakeLambda) -> None:
    runner = FlowRunner(invoke_lambda=function, now=clock, failing=["Streaming Enabled"])
    contact = caller()
    path = runner.run(flow(streaming("Enabled")), contact, "CONTACT_FLOW")
    assert blocks(path) == ["Streaming Enabled", "Failed"]
    assert not contact.is_streaming


# Flows that others published.


def third_party_flow(name: str, **placeholders: str) -> dict[str, Any]:
    file = SHARED_DATA / "flows" / name
    if not file.exists():
        pytest.skip(f"third-party data is absent: {file}")
    text = file.read_text()
    for placeholder, value in placeholders.items():
        text = text.replace(f"%{placeholder}%", value)
    content: dict[str, Any] = json.loads(text)
    return content


def test_a_third_partys_agent_whisper_beeps_and_ends(runner: FlowRunner) -> None:
    content = third_party_flow("agent-whisper-connect-samples.json", BeepPromptArn="beep")
    path = runner.run(content, caller(), "AGENT_WHISPER")
    assert [(step.type, step.branch, step.detail) for step in path] == [
        ("MessageParticipant", "NextAction", "beep"),
        ("EndFlowExecution", "Ends", ""),
    ]


def test_a_third_partys_queue_flow_loops_its_prompts(runner: FlowRunner) -> None:
    content = third_party_flow("customer-queue-connect-samples.json", MessageText="Please wait")
    path = runner.run(content, caller(), "CUSTOMER_QUEUE")
    assert [(step.type, step.branch) for step in path] == [
        ("MessageParticipantIteratively", "Loops")
    ]
    assert path[0].detail.startswith("Please wait | ")


@pytest.fixture
def asapps_module() -> dict[str, Any]:
    return third_party_flow("module-asapp-generativeagent.json")


@pytest.mark.parametrize(
    ("answers", "disposition"),
    [
        ([{"result": "success"}, {"next": "transferToAgent"}], "transferToAgent"),
        ([{"result": "success"}, {"next": "disengage"}], "disengage"),
        (
            [
                {"result": "success"},
                {"next": "speak", "text": "Hello"},
                {"next": "none", "playBeepBop": "1"},
                {"next": "transferToSystem"},
            ],
            "transferToSystem",
        ),
        ([LambdaFailed("down")], "error"),
        ([{"result": "failed", "errorMessage": "no"}], "error"),
    ],
)
def test_asapps_own_module_runs_and_stops_the_streaming_that_it_started(
    clock: Clock,
    asapps_module: dict[str, Any],
    answers: list[Any],
    disposition: str,
) -> None:
    runner = FlowRunner(
        invoke_lambda=FakeLambda(clock, *answers), modules={"asapp": asapps_module}, now=clock
    )
    contact = caller()
    use = action("Use", "InvokeFlowModule", {"FlowModuleId": "asapp"})
    path = runner.run(flow(use), contact, "CONTACT_FLOW")
    assert blocks(path)[-1] == "End"
    assert contact.attributes["ASAPP_Disposition"] == disposition
    assert contact.media_stream
    assert not contact.is_streaming


def test_the_example_in_the_docstring_runs() -> None:
    path = FlowRunner(invoke_lambda=lambda arn, event, seconds: {"status": "started"}).run(
        flow(invoke()), Contact("5ca3", INSTANCE, agent=Agent("jane")), "AGENT_WHISPER"
    )
    assert blocks(path) == ["Invoke", "End"]
