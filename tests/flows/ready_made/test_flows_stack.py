"""The stack of the ready-made flows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, CfnWaitConditionHandle, Environment, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Template

from connect_autotranscribe.flows.flow_function import FlowFunction
from connect_autotranscribe.flows.transcription_flow import TranscriptionFlow
from connect_autotranscribe.flows.transcription_module import TranscriptionModule
from connect_autotranscribe.stacks.flows import FlowsStack
from connect_flows.blocks import (
    InvokeLambdaFunction,
    Prompt,
)
from connect_flows.ready_made.modules import stop_module
from connect_flows.ready_made.transfers import agent_transfer, queue_transfer
from connect_flows.ready_made.whispers import agent_whisper
from tests.flows.ready_made.made import (
    AGENT_PATH,
    CUSTOMER_PATH,
    INSTANCE,
    NEXT_AGENTS,
    READY_MADE,
    START,
    STOP,
    actions,
    text,
)


def a_flows_stack(
    app: App, start: lambda_.IFunction, stop: lambda_.IFunction, **arguments: Any
) -> FlowsStack:
    arguments = {"stop_at_hold": True} | arguments
    return FlowsStack(
        app,
        "Flows",
        instance_arn=INSTANCE,
        start_streaming=start,
        stop_streaming=stop,
        customer_id_path=CUSTOMER_PATH,
        agent_id_path=AGENT_PATH,
        env=Environment(account="111122223333", region="us-east-1"),
        description="Flows of the test.",
        **arguments,
    )


def synth_with_aliases(folder: Path) -> Template:
    """The functions in a stack of their own, as in the app."""
    app = App(outdir=str(folder))
    functions = Stack(app, "Functions", env=Environment(account="111122223333", region="us-east-1"))

    def alias(name: str) -> lambda_.Alias:
        function = lambda_.Function(
            functions,
            name,
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="index.handler",
            code=lambda_.Code.from_inline("def handler(event, context): return {}"),
        )
        return lambda_.Alias(
            functions, f"{name}Alias", alias_name="live", version=function.current_version
        )

    return Template.from_stack(a_flows_stack(app, alias("Start"), alias("Stop")))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return synth_with_aliases(tmp_path_factory.mktemp("cdk"))


def resources(template: Template, kind: str) -> list[dict[str, Any]]:
    found = template.find_resources(f"AWS::Connect::{kind}")
    return [dict(resource) for resource in found.values()]


def test_the_content_in_the_template_is_that_of_the_ready_made_flows(template: Template) -> None:
    contents = {
        resource["Properties"]["Name"]: json.loads(text(resource["Properties"]["Content"]))
        for kind in ("ContactFlow", "ContactFlowModule")
        for resource in resources(template, kind)
    }
    next_agents = {
        name: flow for name, flow in NEXT_AGENTS.items() if name != "disconnect_flow_arn"
    }
    ours = READY_MADE | {
        "agent transfer": agent_transfer(stop_function_arn=STOP, **next_agents),
        "queue transfer": queue_transfer(stop_function_arn=STOP, **next_agents),
    }
    assert contents == {flow.name: flow.content() for flow in ours.values()}


def test_function_arns_come_from_the_other_stack(template: Template) -> None:
    for resource in resources(template, "IntegrationAssociation"):
        assert "Fn::ImportValue" in resource["Properties"]["IntegrationArn"]


def test_two_synths_give_the_same_template_byte_for_byte(tmp_path: Path) -> None:
    for name in ("one", "two"):
        synth_with_aliases(tmp_path / name)
    one, two = ((tmp_path / name / "Flows.template.json").read_bytes() for name in ("one", "two"))
    assert one == two


def test_functions_known_by_arn_do_as_well_as_aliases(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    functions = Stack(app, "Functions")
    CfnWaitConditionHandle(functions, "Nothing")  # A stack without a resource warns.
    stack = a_flows_stack(
        app,
        lambda_.Function.from_function_arn(functions, "Start", START),
        lambda_.Function.from_function_arn(functions, "Stop", STOP),
    )
    for resource in resources(Template.from_stack(stack), "ContactFlow"):
        assert "Fn::ImportValue" not in json.dumps(resource)
        json.loads(text(resource["Properties"]["Content"]))


def test_what_the_stacks_flows_say_can_be_chosen() -> None:
    app = App()
    functions = Stack(app, "Functions")
    CfnWaitConditionHandle(functions, "Nothing")
    function = lambda_.Function.from_function_arn(functions, "Stop", STOP)
    stack = a_flows_stack(
        app,
        function,
        function,
        connected_prompt=Prompt(prompt_id="beep"),
        outbound_prompt=Prompt(text="This call is transcribed."),
        hold_prompts=[Prompt(prompt_id="music")],
        queue_prompts=[Prompt(prompt_id="queue music")],
        transfer_prompt=Prompt(text="Un instant."),
        failed_transfer_prompt=Prompt(text="Impossible."),
    )
    said: dict[str, list[Any]] = {}
    for resource in resources(Template.from_stack(stack), "ContactFlow"):
        for action in json.loads(text(resource["Properties"]["Content"]))["Actions"]:
            if action["Type"].startswith("MessageParticipant"):
                said.setdefault(resource["Properties"]["Type"], []).append(action["Parameters"])
    assert said == {
        "AGENT_WHISPER": [{"Text": "$.Queue.Name"}],
        "CUSTOMER_WHISPER": [{"PromptId": "beep"}],
        "OUTBOUND_WHISPER": [{"Text": "This call is transcribed."}],
        "CUSTOMER_HOLD": [{"Messages": [{"PromptId": "music"}]}],
        "CUSTOMER_QUEUE": [{"Messages": [{"PromptId": "queue music"}]}],
        "AGENT_TRANSFER": [{"Text": "Un instant."}],
        "QUEUE_TRANSFER": [{"Text": "Un instant."}, {"Text": "Impossible."}],
    }


def test_each_function_is_associated_with_the_instance_by_the_arn_that_flows_invoke(
    template: Template,
) -> None:
    associated = [
        (
            properties["InstanceId"],
            properties["IntegrationType"],
            text(properties["IntegrationArn"]),
        )
        for properties in (r["Properties"] for r in resources(template, "IntegrationAssociation"))
    ]
    assert sorted(associated) == [
        (INSTANCE, "LAMBDA_FUNCTION", START),
        (INSTANCE, "LAMBDA_FUNCTION", STOP),
    ]
    invoked = {
        action["Parameters"]["LambdaFunctionARN"]
        for name in READY_MADE
        for action in actions(name).values()
        if action["Type"] == "InvokeLambdaFunction"
    }
    assert invoked == {START, STOP}


def test_names_are_stable_and_carry_the_type_and_descriptions_say_who_manages(
    template: Template,
) -> None:
    flows = resources(template, "ContactFlow")
    assert {(r["Properties"]["Name"], r["Properties"]["Type"]) for r in flows} == {
        ("Transcription agent whisper", "AGENT_WHISPER"),
        ("Transcription customer whisper", "CUSTOMER_WHISPER"),
        ("Transcription outbound whisper", "OUTBOUND_WHISPER"),
        ("Transcription customer hold", "CUSTOMER_HOLD"),
        ("Transcription customer queue", "CUSTOMER_QUEUE"),
        ("Transcription transfer to agent", "AGENT_TRANSFER"),
        ("Transcription transfer to queue", "QUEUE_TRANSFER"),
        ("Transcription disconnect", "CONTACT_FLOW"),
    }
    modules = resources(template, "ContactFlowModule")
    assert {r["Properties"]["Name"] for r in modules} == {
        "Start transcription",
        "Stop transcription",
    }
    for resource in [*flows, *modules]:
        assert resource["Properties"]["InstanceArn"] == INSTANCE
        assert "Managed by CDK" in resource["Properties"]["Description"]
        assert "overwritten by the next deploy" in resource["Properties"]["Description"]
        assert len(resource["Properties"]["Description"]) <= 500


def test_connect_resources_are_made_one_after_the_other(template: Template) -> None:
    every = {
        identifier: resource
        for identifier, resource in template.to_json()["Resources"].items()
        if resource["Type"].startswith("AWS::Connect::")
    }
    assert len(every) == 12
    # Nothing but a chain has a dependency from each one to the one before.
    order: list[str] = []
    while len(order) < len(every):
        ready = [
            identifier
            for identifier, resource in every.items()
            if identifier not in order and set(resource.get("DependsOn", [])) <= set(order)
        ]
        assert len(ready) == 1, f"{ready} would be made at the same time"
        order += ready
    assert [every[identifier]["Type"].removeprefix("AWS::Connect::") for identifier in order] == [
        "IntegrationAssociation",
        "IntegrationAssociation",
        "ContactFlowModule",
        "ContactFlowModule",
        *["ContactFlow"] * 8,
    ]


def test_the_stack_tells_the_arn_of_each_flow_and_module(template: Template) -> None:
    outputs = {
        name: output["Value"]["Fn::GetAtt"]
        for name, output in template.to_json()["Outputs"].items()
    }
    attributes = {name: attribute for name, (_, attribute) in outputs.items()}
    assert attributes == {
        "StartModuleArn": "ContactFlowModuleArn",
        "StopModuleArn": "ContactFlowModuleArn",
        "AgentWhisperFlowArn": "ContactFlowArn",
        "CustomerWhisperFlowArn": "ContactFlowArn",
        "OutboundWhisperFlowArn": "ContactFlowArn",
        "CustomerHoldFlowArn": "ContactFlowArn",
        "CustomerQueueFlowArn": "ContactFlowArn",
        "AgentTransferFlowArn": "ContactFlowArn",
        "QueueTransferFlowArn": "ContactFlowArn",
        "DisconnectFlowArn": "ContactFlowArn",
    }
    assert len({target for target, _ in outputs.values()}) == 10


def test_the_stack_makes_connect_resources_and_nothing_else(template: Template) -> None:
    types = {resource["Type"] for resource in template.to_json()["Resources"].values()}
    assert types - {"AWS::CDK::Metadata"} == {
        "AWS::Connect::IntegrationAssociation",
        "AWS::Connect::ContactFlow",
        "AWS::Connect::ContactFlowModule",
    }


def test_every_ready_made_content_is_far_below_connects_limit(template: Template) -> None:
    for kind in ("ContactFlow", "ContactFlowModule"):
        for resource in resources(template, kind):
            assert len(text(resource["Properties"]["Content"])) < 10_000


def test_a_function_whose_arn_connect_would_refuse_is_told_at_synth() -> None:
    stack = Stack(App(), "Stack")
    long = lambda_.Function.from_function_arn(stack, "Long", START + "x" * 140)
    with pytest.raises(ValueError, match="at most 140; write one with a shorter name"):
        FlowFunction(stack, "Function", instance_arn=INSTANCE, function=long)


def test_the_examples_in_the_docstrings_work() -> None:
    stack = Stack(App(), "Stack")
    start = FlowFunction(
        stack,
        "StartStreaming",
        instance_arn=INSTANCE,
        function=lambda_.Function.from_function_arn(stack, "Start", START),
    )
    TranscriptionFlow(
        stack,
        "AgentWhisper",
        instance_arn=INSTANCE,
        flow=agent_whisper(
            start_function_arn=start.arn,
            customer_id_path="$.CustomerEndpoint.Address",
            agent_id_path="$.Agent.UserName",
        ),
    )
    TranscriptionModule(
        stack,
        "StopModule",
        instance_arn=INSTANCE,
        module=stop_module(stop_function_arn=STOP),
    )
    Template.from_stack(stack).resource_count_is("AWS::Connect::ContactFlow", 1)


def test_a_function_block_without_dynamic_parameters_says_so_to_the_designer() -> None:
    block = InvokeLambdaFunction(
        name="Invoke", function_arn=START, display_name="start", next="End", on_error="End"
    )
    assert block.designer() == {
        "parameters": {"LambdaFunctionARN": {"displayName": "start"}},
        "dynamicMetadata": {},
    }
