"""Parameters of actions."""

from __future__ import annotations

import pytest

from connect_flows.rules import check
from tests.flow_builders import END, START_ARN, Json, flow
from tests.flows.rules.rule_rows import lambda_, rules, somewhere, subject


@pytest.mark.parametrize(
    ("kind", "parameters", "rule"),
    [
        ("Compare", {}, "needs a JSONPath as its ComparisonValue"),
        ("Compare", {"ComparisonValue": "gold"}, "needs a JSONPath as its ComparisonValue"),
        ("UpdateContactEventHooks", {}, "needs EventHooks"),
        ("UpdateContactEventHooks", {"EventHooks": 7}, "needs EventHooks"),
        (
            "UpdateContactEventHooks",
            {"EventHooks": {"OutboundWhisper": "x"}},
            "has no hook OutboundWhisper: set that flow on the queue",
        ),
        (
            "UpdateContactEventHooks",
            {"EventHooks": {}, "EventHooksConfiguration": {}},
            "may not have EventHooksConfiguration",
        ),
        ("InvokeLambdaFunction", {}, "needs a LambdaFunctionARN"),
        ("InvokeLambdaFunction", {"LambdaFunctionARN": ""}, "needs a LambdaFunctionARN"),
        ("InvokeLambdaFunction", {"LambdaFunctionARN": {}}, "needs a LambdaFunctionARN"),
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
            "needs a MediaStreamingState of Enabled or Disabled",
        ),
        (
            "UpdateContactMediaStreamingBehavior",
            {"MediaStreamingState": "Enabled", "MediaStreamType": "Video"},
            "streams Audio only",
        ),
        (
            "UpdateContactMediaStreamingBehavior",
            {"MediaStreamingState": "Enabled", "Participants": [{"ParticipantType": "Agent"}]},
            "streams the Customer only",
        ),
        (
            "UpdateContactMediaStreamingBehavior",
            {"MediaStreamingState": "Enabled", "Participants": "Customer"},
            "streams the Customer only",
        ),
        (
            "Wait",
            {"TimeoutSeconds": "60"},
            "needs TimeLimitSeconds (the developer guide's TimeoutSeconds is refused)",
        ),
    ],
)
def test_parameters_that_the_api_refuses(kind: str, parameters: Json, rule: str) -> None:
    content = subject(kind)
    content["Actions"][0]["Parameters"] = parameters
    assert rules(check(content, somewhere(kind))) == [f"Subject: {kind} {rule}"]


@pytest.mark.parametrize("arn", ["$.Attributes.function", "%FunctionArn%", "${Token[TOKEN.7]}"])
def test_a_function_known_only_later_is_let_through(arn: str) -> None:
    content = flow(lambda_("Invoke", LambdaFunctionARN=arn), END)
    assert check(content, "AGENT_HOLD") == []


@pytest.mark.parametrize(
    ("length", "taken"), [(140, True), (141, False)], ids=["140 characters", "141 characters"]
)
def test_a_functions_arn_has_at_most_140_characters(length: int, taken: bool) -> None:
    arn = START_ARN.ljust(length, "x")
    found = rules(check(flow(lambda_("Invoke", LambdaFunctionARN=arn), END), "AGENT_HOLD"))
    expected = "Invoke: InvokeLambdaFunction has an ARN of 141 characters, more than 140"
    assert found == ([] if taken else [expected])


def test_a_token_in_an_arn_is_not_counted() -> None:
    arn = "arn:${Token[AWS.Partition.1]}:lambda:us-east-1:111122223333:function:" + "x" * 80
    assert check(flow(lambda_("Invoke", LambdaFunctionARN=arn), END), "AGENT_HOLD") == []


@pytest.mark.parametrize("seconds", ["1", "8", 1, 8])
def test_a_lambda_block_may_wait_for_eight_seconds(seconds: object) -> None:
    assert check(flow(lambda_("Invoke", seconds), END), "AGENT_HOLD") == []


@pytest.mark.parametrize(
    "seconds", ["9", "0", 9, 0, -1, "", "8s", "²", None, 1.5, "$.Attributes.s"]
)
def test_a_lambda_block_may_not_wait_longer_or_for_no_number_of_seconds(seconds: object) -> None:
    assert rules(check(flow(lambda_("Invoke", seconds), END), "AGENT_HOLD")) == [
        f"Invoke: InvokeLambdaFunction has a time limit of {seconds!r}, not 1 to 8 seconds"
    ]


def test_a_function_that_the_flow_does_not_wait_for_may_take_longer() -> None:
    one = lambda_("One", "60", to="Two", InvocationType="ASYNCHRONOUS")
    two = lambda_("Two", "60", InvocationType="ASYNCHRONOUS")
    assert check(flow(one, two, END), "CONTACT_FLOW") == []
