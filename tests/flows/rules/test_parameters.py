"""Parameters of actions."""

from __future__ import annotations

import pytest

from connect_flows.rules import examine
from tests.flow_builders import END, START_ARN, Json, flow
from tests.flows.rules.rule_rows import lambda_, rules, somewhere, subject, told


@pytest.mark.parametrize(
    ("kind", "parameters", "rule"),
    [
        ("Compare", {}, "has no JSONPath as its ComparisonValue"),
        ("Compare", {"ComparisonValue": "gold"}, "has no JSONPath as its ComparisonValue"),
        ("UpdateContactEventHooks", {}, "has no EventHooks"),
        ("UpdateContactEventHooks", {"EventHooks": 7}, "has no EventHooks"),
        (
            "UpdateContactEventHooks",
            {"EventHooks": {"OutboundWhisper": "x"}},
            "has no hook OutboundWhisper: set that flow on the queue",
        ),
        (
            "InvokeLambdaFunction",
            {},
            "has no LambdaFunctionARN: set the function before a call reaches it",
        ),
        (
            "InvokeLambdaFunction",
            {"LambdaFunctionARN": ""},
            "has no LambdaFunctionARN: set the function before a call reaches it",
        ),
        (
            "InvokeLambdaFunction",
            {"LambdaFunctionARN": {}},
            "has no LambdaFunctionARN: set the function before a call reaches it",
        ),
        (
            "InvokeLambdaFunction",
            {"LambdaFunctionARN": START_ARN, "RequestAttributes": {}},
            "has RequestAttributes: write LambdaInvocationAttributes",
        ),
        (
            "InvokeLambdaFunction",
            {"LambdaFunctionARN": START_ARN, "ResponseValidation": {"ResponseType": "JSON_OBJECT"}},
            "has a ResponseType of 'JSON_OBJECT', not STRING_MAP or JSON",
        ),
        (
            "UpdateContactMediaStreamingBehavior",
            {},
            "has a MediaStreamingState that is neither Enabled nor Disabled",
        ),
        (
            "UpdateContactMediaStreamingBehavior",
            {"MediaStreamingState": "Enabled", "MediaStreamType": "Video"},
            "streams something other than Audio",
        ),
        (
            "UpdateContactMediaStreamingBehavior",
            {"MediaStreamingState": "Enabled", "Participants": [{"ParticipantType": "Agent"}]},
            "streams somebody other than the Customer",
        ),
        (
            "UpdateContactMediaStreamingBehavior",
            {"MediaStreamingState": "Enabled", "Participants": "Customer"},
            "streams somebody other than the Customer",
        ),
        (
            "Wait",
            {"TimeoutSeconds": "60"},
            "has no TimeLimitSeconds (the developer guide calls it TimeoutSeconds)",
        ),
    ],
)
def test_parameters_that_are_noted_or_refused(kind: str, parameters: Json, rule: str) -> None:
    content = subject(kind)
    content["Actions"][0]["Parameters"] = parameters
    level = "refused" if "ResponseType" in rule else "noted"
    assert told(examine(content, somewhere(kind))) == [(level, f"{kind} {rule}")]


def test_the_configuration_of_hooks_that_aws_itself_publishes_is_taken() -> None:
    content = subject("UpdateContactEventHooks")
    content["Actions"][0]["Parameters"]["EventHooksConfiguration"] = {
        "CustomerHold": {"DisableExecution": "false"}
    }
    assert examine(content, "CONTACT_FLOW") == []


@pytest.mark.parametrize("arn", ["$.Attributes.function", "%FunctionArn%", "${Token[TOKEN.7]}"])
def test_a_function_known_only_later_is_let_through(arn: str) -> None:
    content = flow(lambda_("Invoke", LambdaFunctionARN=arn), END)
    assert examine(content, "AGENT_HOLD") == []


@pytest.mark.parametrize(
    ("length", "taken"), [(140, True), (141, False)], ids=["140 characters", "141 characters"]
)
def test_a_functions_arn_has_at_most_140_characters(length: int, taken: bool) -> None:
    arn = START_ARN.ljust(length, "x")
    found = rules(examine(flow(lambda_("Invoke", LambdaFunctionARN=arn), END), "AGENT_HOLD"))
    expected = "Invoke: InvokeLambdaFunction has an ARN of 141 characters, more than 140"
    assert found == ([] if taken else [expected])


def test_a_token_in_an_arn_is_not_counted() -> None:
    arn = "arn:${Token[AWS.Partition.1]}:lambda:us-east-1:111122223333:function:" + "x" * 80
    assert examine(flow(lambda_("Invoke", LambdaFunctionARN=arn), END), "AGENT_HOLD") == []


@pytest.mark.parametrize("seconds", ["1", "8", 1, 8])
def test_a_lambda_block_may_wait_for_eight_seconds(seconds: object) -> None:
    assert examine(flow(lambda_("Invoke", seconds), END), "AGENT_HOLD") == []


@pytest.mark.parametrize(
    "seconds", ["9", "0", 9, 0, -1, "", "8s", "²", None, 1.5, "$.Attributes.s"]
)
def test_a_lambda_block_may_not_wait_longer_or_for_no_number_of_seconds(seconds: object) -> None:
    assert rules(examine(flow(lambda_("Invoke", seconds), END), "AGENT_HOLD")) == [
        f"Invoke: InvokeLambdaFunction has a time limit of {seconds!r}, not 1 to 8 seconds"
    ]


def test_a_function_that_the_flow_does_not_wait_for_may_take_longer() -> None:
    one = lambda_("One", "60", to="Two", InvocationType="ASYNCHRONOUS")
    two = lambda_("Two", "60", InvocationType="ASYNCHRONOUS")
    assert examine(flow(one, two, END), "CONTACT_FLOW") == []
