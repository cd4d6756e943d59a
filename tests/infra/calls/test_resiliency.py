"""An instance with a replica in another Region: the same names, and flows without a Region."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aws_cdk import Environment
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager

from connect_autotranscribe import FlowFunction, FlowsStack, TranscriptionControl, TranscriptStore
from connect_flows.ready_made.disconnect import disconnect
from connect_flows.rules import examine
from tests.infra.conftest import ACCOUNT, Deployed, Json, new_app, new_stack
from tools.diff.changes.replacement import create_only

ID = "9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa"


def instance(region: str = "eu-central-1") -> str:
    return f"arn:aws:connect:{region}:{ACCOUNT}:instance/{ID}"


def control(region: str = "eu-central-1", **given: Any) -> TranscriptionControl:
    stack = new_stack(region)
    return TranscriptionControl(
        stack,
        "Control",
        instance_arn=instance(region),
        table=TranscriptStore(stack, "Store").table,
        credentials_secret=secretsmanager.Secret.from_secret_name_v2(stack, "Asapp", "asapp"),
        api_host="https://api.asapp.com",
        **given,
    )


def functions(made: TranscriptionControl) -> Json:
    deployed = Deployed(made.node.scope)  # type: ignore[arg-type]
    return {
        each["Properties"]["Handler"]: each["Properties"].get("FunctionName")
        for each in deployed.all("AWS::Lambda::Function")
        if "streaming" in str(each["Properties"].get("Handler"))
    }


def test_start_and_stop_have_the_same_names_in_both_regions() -> None:
    here, there = (
        functions(control(region, resiliency=True)) for region in ("eu-central-1", "eu-west-2")
    )
    assert here == there
    assert here == {
        "start_streaming.handler.handler": f"autotranscribe-start-{ID}",
        "stop_streaming.handler.handler": f"autotranscribe-stop-{ID}",
    }
    assert max(map(len, here.values())) <= 64  # what Lambda takes


def test_otherwise_they_have_no_names_of_ours() -> None:
    assert set(functions(control()).values()) == {None}


def test_another_name_is_a_replacement_for_make_diff() -> None:
    assert (("FunctionName",), False) in create_only("AWS::Lambda::Function")
    assert (("FunctionName",), False) in create_only("AWS::Lambda::Alias")


START = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:autotranscribe-start-{ID}:live"
ANYWHERE = START.replace("eu-central-1", "$.AwsRegion")


def test_a_flow_function_is_associated_with_its_region_and_named_without() -> None:
    stack = new_stack()
    function = lambda_.Function.from_function_arn(stack, "Given", START)
    made = FlowFunction(stack, "Start", instance_arn=instance(), function=function, resiliency=True)
    assert made.arn == ANYWHERE
    association = Deployed(stack).one("AWS::Connect::IntegrationAssociation")["Properties"]
    assert association["IntegrationArn"] == START


def flows_stack(resiliency: bool) -> Deployed:
    app = new_app()
    env = Environment(account=ACCOUNT, region="eu-central-1")
    functions = new_stack()
    arns = {which: START.replace("start", which) for which in ("start", "stop")}
    return Deployed(
        FlowsStack(
            app,
            "Flows",
            instance_arn=instance(),
            start_streaming=lambda_.Function.from_function_arn(functions, "A", arns["start"]),
            stop_streaming=lambda_.Function.from_function_arn(functions, "B", arns["stop"]),
            customer_id_path="$.CustomerEndpoint.Address",
            agent_id_path="$.Agent.UserName",
            resiliency=resiliency,
            env=env,
        )
    )


KINDS = ("AWS::Connect::ContactFlow", "AWS::Connect::ContactFlowModule")


@pytest.mark.parametrize("resiliency", [True, False])
def test_no_flow_names_the_region_of_a_function(resiliency: bool) -> None:
    deployed = flows_stack(resiliency)
    texts = [json.dumps(each["Properties"]) for kind in KINDS for each in deployed.all(kind)]
    assert len(texts) == 9
    named = [text for text in texts if "arn:aws:lambda:eu-central-1:" in text]
    anywhere = [text for text in texts if "arn:aws:lambda:$.AwsRegion:" in text]
    assert (len(anywhere), len(named)) == ((9, 0) if resiliency else (0, 9))


def test_an_alias_of_another_stack_is_named_without_its_region_too() -> None:
    made = control(resiliency=True)
    stack = made.node.scope
    function = FlowFunction(
        stack,  # type: ignore[arg-type]
        "Start",
        instance_arn=instance(),
        function=made.start_streaming,
        resiliency=True,
    )
    alias = Deployed(stack).identifier(made.start_streaming)  # type: ignore[arg-type]

    def part(place: int) -> Json:
        return {"Fn::Select": [place, {"Fn::Split": [":", {"Ref": alias}]}]}

    parts = [*map(part, range(3)), "$.AwsRegion", *map(part, range(4, 8))]
    assert Deployed(stack).value(function.arn) == {"Fn::Join": [":", parts]}  # type: ignore[arg-type]


def test_check_refuses_nothing_of_such_an_arn() -> None:
    content = disconnect(stop_function_arn=ANYWHERE).content()
    assert examine(content, "CONTACT_FLOW") == []
