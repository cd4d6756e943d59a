"""Every policy that we deploy can be compared by ``make drift``."""

from __future__ import annotations

from tests.infra.conftest import Assembly
from tools.drift.intrinsics import Values, is_what_was_deployed


class Anything(dict[str, str]):
    """A value for each id: it is what a reference stands for that counts here."""

    def __missing__(self, id: str) -> str:
        return f"autotranscribe-{id}"

    def __contains__(self, id: object) -> bool:
        return True


def test_every_value_in_a_policy_can_be_told(environment: Assembly) -> None:
    values = Values(Anything(), Anything(), account="333333333333", region="eu-central-1")
    compared = 0
    for resource in environment.resources:
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::IAM::Policy":
            for statement in properties["PolicyDocument"]["Statement"]:
                for value in _as_list(statement["Resource"]):
                    assert not is_what_was_deployed(value, "arn:aws:s3:::another", values)
                    compared += 1
            assert all(values.text(role) for role in properties["Roles"])
        elif resource["Type"] == "AWS::IAM::Role":
            for arn in properties.get("ManagedPolicyArns", []):
                assert not is_what_was_deployed(arn, "arn:aws:iam::aws:policy/Other", values)
    assert compared > 10


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]
