"""A hold: transcription stops at one only if something starts it again."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from aws_cdk import Annotations
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Annotations as Messages
from aws_cdk.assertions import Match

from connect_autotranscribe.flows.flow_function import FlowFunction
from connect_autotranscribe.flows.transcribed_flow import STOPS_AT_HOLD, TranscribedFlow
from connect_autotranscribe.stacks.flows import FlowsStack
from connect_flows.blocks import Prompt
from connect_flows.ready_made.hold_and_queue import customer_hold
from tests.infra.conftest import ACCOUNT, Assembly, Deployed, Json, new_app, new_stack

INSTANCE = f"arn:aws:connect:eu-central-1:{ACCOUNT}:instance/9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa"
START, STOP = (
    f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:{name}:live" for name in ("start", "stop")
)


def flows_stack(**given: Any) -> FlowsStack:
    app = new_app()
    functions = new_stack()
    return FlowsStack(
        app,
        "Flows",
        instance_arn=INSTANCE,
        start_streaming=lambda_.Function.from_function_arn(functions, "Start", START),
        stop_streaming=lambda_.Function.from_function_arn(functions, "Stop", STOP),
        customer_id_path="$.CustomerEndpoint.Address",
        agent_id_path="$.Agent.UserName",
        **given,
    )


def contents(stack: FlowsStack) -> dict[str, str]:
    """Each flow by its name, as text; ARNs of the same stack are ``{}``."""
    flows = (each["Properties"] for each in Deployed(stack).all("AWS::Connect::ContactFlow"))
    return {each["Name"]: json.dumps(each["Content"]) for each in flows}


@pytest.mark.parametrize("stops", [True, False])
def test_flows_name_a_hold_flow_only_if_transcription_stops_at_holds(stops: bool) -> None:
    stack = flows_stack(stop_at_hold=stops)
    naming = {name for name, text in contents(stack).items() if "CustomerHold" in text}
    assert naming == (
        {
            "Transcription outbound whisper",
            "Transcription transfer to agent",
            "Transcription transfer to queue",
        }
        if stops
        else set()
    )
    types = [
        each["Properties"]["Type"] for each in Deployed(stack).all("AWS::Connect::ContactFlow")
    ]
    assert types.count("CUSTOMER_HOLD") == stops
    assert (stack.customer_hold is not None) is stops
    assert ("CustomerHoldFlowArn" in Deployed(stack).template["Outputs"]) is stops


def test_by_default_no_flow_stops_at_a_hold() -> None:
    assert flows_stack().customer_hold is None


def test_prompts_for_a_hold_flow_that_is_not_made_are_refused() -> None:
    message = (
        "Flows: hold_prompts: is for the hold flow, which exists only with stop_at_hold=True; "
        "write that, or remove hold_prompts"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        flows_stack(hold_prompts=(Prompt(text="Please hold."),))


def test_every_environment_of_ours_follows_holds_and_stops_at_them(environment: Assembly) -> None:
    types = [each["Type"] for each in environment.resources]
    flows = [
        each["Properties"]["Type"]
        for each in environment.resources
        if each["Type"] == "AWS::Connect::ContactFlow"
    ]
    assert "CUSTOMER_HOLD" in flows
    assert "AWS::Lambda::EventSourceMapping" in types


def hold_flow(**given: Any) -> TranscribedFlow:
    stack = new_stack()
    stop = FlowFunction(
        stack,
        "Stop",
        instance_arn=INSTANCE,
        function=lambda_.Function.from_function_arn(stack, "StopAlias", STOP),
    )
    before: Json = customer_hold(stop_function_arn=STOP).content()
    loop = [each for each in before["Actions"] if each["Type"] == "MessageParticipantIteratively"]
    return TranscribedFlow(
        stack,
        "Hold",
        instance_arn=INSTANCE,
        name="Our hold",
        type="CUSTOMER_HOLD",
        content={**before, "StartAction": loop[0]["Identifier"], "Actions": loop},
        stop_streaming=stop,
        **given,
    )


def messages(flow: TranscribedFlow) -> Messages:
    return Messages.from_stack(flow.node.scope)  # type: ignore[arg-type]


def test_a_stop_in_a_hold_flow_of_ones_own_is_a_warning_that_can_be_accepted() -> None:
    warning = Match.string_like_regexp("'Our hold': .*without \\[lifecycle\\]")
    messages(hold_flow()).has_warning("*", warning)
    accepted = hold_flow()
    Annotations.of(accepted).acknowledge_warning(STOPS_AT_HOLD)
    messages(accepted).has_no_warning("*", warning)
