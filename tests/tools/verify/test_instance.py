"""Connect's own part of `make verify`, against a fake of its endpoint."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from tests.tools.doctor.fake_aws import ACCOUNT, INSTANCE, REGION
from tests.tools.fake_connect import Clock, FakeFlow, FakeInstance, arn_of, running
from tools.connect_reader import ConnectReader
from tools.doctor.findings import Finding
from tools.drift.intrinsics import Values
from tools.verify.account import Stack
from tools.verify.checks.instance import OPERATIONS, look

Json = dict[str, Any]
START = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:start:live"


def content(target: str) -> Json:
    """A flow that invokes a function and ends, as Connect tells it: with what the designer adds."""
    invoke = {
        "Identifier": "start",
        "Type": "InvokeLambdaFunction",
        "Parameters": {"LambdaFunctionARN": target, "InvocationTimeLimitSeconds": "8"},
        "Transitions": {
            "NextAction": "end",
            "Errors": [{"NextAction": "end", "ErrorType": "NoMatchingError"}],
            "Conditions": [],
        },
    }
    end = {"Identifier": "end", "Type": "EndFlowExecution", "Parameters": {}, "Transitions": {}}
    drawn = {"entryPointPosition": {"x": 40, "y": 40}}
    return {
        "Version": "2019-10-30",
        "StartAction": "start",
        "Metadata": drawn,
        "Actions": [end, invoke],
    }


def template_content() -> Json:
    """The same in a template, drawn elsewhere and written in another order."""
    written = content("THE-FUNCTION") | {"Metadata": {}}
    written["Actions"].reverse()
    before, after = json.dumps(written).split("THE-FUNCTION")
    return {"Fn::Join": ["", [before, {"Fn::ImportValue": "other:Start"}, after]]}


STACK = Stack(
    "autotranscribe-prod-flows",
    {
        "Whisper": {
            "Type": "AWS::Connect::ContactFlow",
            "Properties": {"Content": template_content()},
        },
        "Module": {
            "Type": "AWS::Connect::ContactFlowModule",
            "Properties": {"Content": template_content()},
        },
        "Association": {
            "Type": "AWS::Connect::IntegrationAssociation",
            "Properties": {
                "IntegrationType": "LAMBDA_FUNCTION",
                "IntegrationArn": {"Fn::ImportValue": "other:Start"},
            },
        },
    },
    {},
    Values(
        {"Whisper": arn_of("contact-flow", "w"), "Module": arn_of("flow-module", "m")},
        {"other:Start": START},
        ACCOUNT,
        REGION,
    ),
)


@pytest.fixture
def instance() -> FakeInstance:
    """Everything is as it was deployed."""
    whisper = FakeFlow("w", "Whisper", "AGENT_WHISPER", content(START))
    module = FakeFlow("m", "Module", "MODULE", content(START))
    return FakeInstance(
        flows=[whisper, module],
        queues=[
            {
                "Name": "Billing",
                "OutboundCallerConfig": {"OutboundFlowId": arn_of("contact-flow", "w")},
            }
        ],
        numbers={"+15550100001": "w"},
        functions=[START],
        clock=Clock(),
    )


def found(instance: FakeInstance, monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    clock = instance.clock
    assert clock
    with running(instance) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        reader = ConnectReader(
            INSTANCE, OPERATIONS, guide="docs/verify.md", sleep=clock.sleep, now=clock.now
        )
        return list(look(reader, STACK))


def test_what_was_deployed_is_well_however_it_is_drawn_and_who_names_it_is_told(
    instance: FakeInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    findings = found(instance, monkeypatch)
    assert [each.what for each in findings] == [
        "2 flows and modules compared with the template",
        "the instance may invoke start:live",
        "Whisper is named by queue Billing, number 15550100001",
    ]
    assert {each.severity for each in findings} == {"well"}
    assert instance.clock and instance.clock.time <= 60


def edited(change: str) -> FakeInstance:
    instance = FakeInstance(
        flows=[
            FakeFlow("w", "Whisper", "AGENT_WHISPER", content(START)),
            FakeFlow("m", "Module", "MODULE", content(START)),
        ],
        numbers={"+15550100001": "w"},
        functions=[START],
        clock=Clock(),
    )
    whisper, module = instance.flows
    match change:
        case "flow edited":
            whisper.content = content("arn:aws:lambda:us-east-1:1:function:other:live")
        case "module edited":
            changed = deepcopy(module.content)
            changed["Actions"][1]["Transitions"]["Errors"] = []
            module.content = changed
        case "another start":
            whisper.content = whisper.content | {"StartAction": "end"}
        case "block removed":
            whisper.content = whisper.content | {"Actions": whisper.content["Actions"][1:]}
        case "not published":
            whisper.published = False
        case "archived":
            whisper.state = "ARCHIVED"
        case "deleted":
            instance.flows.remove(module)
        case "not associated":
            instance.functions.clear()
    return instance


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("flow edited", "Whisper: Whisper was changed at start"),
        ("module edited", "Module: Module was changed at start"),
        ("another start", "Whisper: Whisper was changed at its start"),
        ("block removed", "Whisper: Whisper was changed at end"),
        ("not published", "Whisper: the flow is deleted, or not published"),
        ("archived", "Whisper: Whisper is ARCHIVED"),
        ("deleted", "Module: the flow is deleted, or not published"),
        ("not associated", f"Association: {START} is not associated with the instance"),
    ],
)
def test_each_change_by_hand_is_found_and_named(
    change: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    findings = found(edited(change), monkeypatch)
    assert [each.what for each in findings if each.severity == "problem"] == [what]


def test_it_is_told_if_nobody_names_a_flow_of_ours(
    instance: FakeInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance.queues.clear()
    instance.numbers.clear()
    (warned,) = (it for it in found(instance, monkeypatch) if it.severity == "warning")
    assert warned.what == "no queue, quick connect or number names a flow of ours"
