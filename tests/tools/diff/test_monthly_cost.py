"""What a change costs a month by being there."""

from __future__ import annotations

import pytest

from tools.cost.prices import Prices

from .conftest import Compare, Json, stack

ALARM: Json = {"Type": "AWS::CloudWatch::Alarm", "Properties": {"MetricName": "Errors"}}
ROLE: Json = {
    "Type": "AWS::IAM::Role",
    "Properties": {"AssumeRolePolicyDocument": {"Statement": []}},
}
SECRET: Json = {"Type": "AWS::SecretsManager::Secret", "Properties": {}}


def stream(mode: str, shards: object = None) -> Json:
    properties: Json = {"StreamModeDetails": {"StreamMode": mode}}
    if shards is not None:
        properties["ShardCount"] = shards
    return {"Type": "AWS::Kinesis::Stream", "Properties": properties}


def said(compare: Compare, before: Json, after: Json) -> list[str]:
    """The sentences about the price."""
    text = compare({"a": before}, {"a": after}).markdown()
    _, _, cost = text.partition("**What it costs a month by being there**")
    return cost.split("\n\n")[1].splitlines() if cost else []


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        (stack(A=ALARM), stack(A=ALARM, B=ALARM), "- `dev`: +$0.10, from $0.10 to $0.20"),
        (stack(A=ALARM, S=SECRET), stack(A=ALARM), "- `dev`: -$0.40, from $0.50 to $0.10"),
        (
            stack(E=stream("ON_DEMAND")),
            stack(E=stream("PROVISIONED", 1)),
            "- `dev`: -$21.90, from $35.04 to $13.14",
        ),
        (
            stack(E=stream("PROVISIONED", 1)),
            stack(E=stream("PROVISIONED", 3)),
            "- `dev`: +$26.28, from $13.14 to $39.42",
        ),
        (
            stack(R=ROLE),
            stack(R=ROLE, W={"Type": "AWS::WAFv2::WebACL", "Properties": {"Rules": [{}, {}]}}),
            "- `dev`: +$7.00, from $0.00 to $7.00",
        ),
        (
            stack(A=ALARM),
            stack(
                A={
                    "Type": "AWS::CloudWatch::Alarm",
                    "Properties": {
                        "Metrics": [{"Expression": "a"}, {"MetricStat": {}}, {"MetricStat": {}}]
                    },
                }
            ),
            "- `dev`: +$0.10, from $0.10 to $0.20",
        ),
    ],
)
def test_a_change_says_what_it_adds_or_saves(
    compare: Compare, before: Json, after: Json, line: str
) -> None:
    assert said(compare, before, after) == [line]


QUEUE: Json = {"Type": "AWS::SQS::Queue", "Properties": {}}
SERVER: Json = {"Type": "AWS::EC2::Instance", "Properties": {}}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (stack(A=ALARM), stack(A=ALARM, Q=QUEUE)),
        (stack(A=ALARM, R=ROLE), stack(A=ALARM)),
        (stack(S=SERVER), stack(S=SERVER, R=ROLE)),
    ],
    ids=["by use only", "free", "as unclear as before"],
)
def test_what_changes_no_price_has_no_line(compare: Compare, before: Json, after: Json) -> None:
    assert said(compare, before, after) == []


def test_a_type_that_nobody_has_priced_is_named_and_not_free(compare: Compare) -> None:
    assert said(compare, stack(A=ALARM), stack(A=ALARM, S=SERVER)) == [
        "- `dev`: +$0.00, from $0.10 to $0.10; nobody has said what `AWS::EC2::Instance` costs"
    ]


@pytest.mark.parametrize("shards", ["9", 10**30, -5, 1e308, {"Ref": "Many"}, [1], True])
def test_a_price_is_not_believed_of_properties_that_are_none(
    compare: Compare, shards: object
) -> None:
    (line,) = said(
        compare, stack(E=stream("PROVISIONED", 1)), stack(E=stream("PROVISIONED", shards))
    )
    assert line.endswith("; nobody has said what `AWS::Kinesis::Stream` costs")


def test_a_region_without_prices_is_said_if_something_changes(compare: Compare) -> None:
    far = {"Stack": {"environment": "aws://111122223333/ap-south-1"}}
    near, away = stack(A=ALARM), stack(A=ALARM) | far
    assert said(compare, near, away) == ["- `dev`: docs/prices.toml does not have its region"]
    assert "ap-south-1" not in Prices().regions
