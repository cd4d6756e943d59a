"""An upgrade from the last release: nothing that holds something is removed or replaced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from aws_cdk import App, Stack

from connect_autotranscribe import TranscriptStore
from tests.infra.conftest import Assembly, synthesise
from tools.diff.assembly import Json

from .conftest import NAMES
from .released import ADVICE, Kept, kept, last_release, losses, refusal


@pytest.mark.parametrize("name", [*NAMES, "constructs"])
def test_a_team_that_upgrades_loses_nothing(name: str, checkout: Callable[[str], Assembly]) -> None:
    _, released = last_release()
    lost = list(losses(released, kept(name, checkout(name))))
    assert lost == [], "\n".join([ADVICE, *lost])


def test_what_is_compared_is_what_holds_something_or_was_given_to_somebody() -> None:
    _, released = last_release()
    assert {each["Type"] for stack in released.values() for each in stack.values()} == {
        "AWS::ApiGateway::RestApi",
        "AWS::Cognito::UserPool",
        "AWS::Cognito::UserPoolDomain",
        "AWS::Connect::InstanceStorageConfig",
        "AWS::DynamoDB::Table",
        "AWS::Events::EventBus",
        "AWS::Glue::Database",
        "AWS::Glue::Table",
        "AWS::IAM::Role",
        "AWS::Logs::LogGroup",
        "AWS::S3::Bucket",
        "AWS::SQS::Queue",
        "AWS::SSM::Parameter",
        "AWS::SecretsManager::Secret",
    }


def test_a_construct_that_is_renamed_loses_what_it_holds(tmp_path: Path) -> None:
    def with_store(id: str) -> Kept:
        def fill(app: App) -> None:
            TranscriptStore(Stack(app, "Stack"), id)

        return kept("example", synthesise(tmp_path / id, fill, with_nag=False))

    before = with_store("TranscriptStore")
    assert list(losses(before, with_store("TranscriptStore"))) == []
    lost = list(losses(before, with_store("Store")))
    assert [each for each in lost if "Table" in each and each.endswith("and with it items")]
    assert len(lost) == len(before["example: Stack"])


def table(**properties: object) -> Kept:
    body: Json = {"Type": "AWS::DynamoDB::Table", "Properties": properties}
    return {"example: Stack": {"Table": body}}


def test_a_property_that_cannot_change_in_place_loses_what_the_resource_holds() -> None:
    assert list(losses(table(TableName="one"), table(TableName="two"))) == [
        "example: Stack: Table is replaced (`TableName` cannot change in place), and loses items"
    ]
    assert list(losses(table(), table(BillingMode="PROVISIONED"))) == []


def test_what_is_new_and_an_example_that_is_gone_lose_nothing() -> None:
    assert list(losses({}, table())) == []
    assert list(losses(table(), {})) == []


@pytest.mark.parametrize(
    ("was", "now", "is_out", "may_lose"),
    [
        ("0.1.0", "0.1.0", False, True),
        ("0.1.0", "0.1.0", True, False),
        ("0.1.0", "0.1.1", True, False),
        ("0.1.0", "0.2.0", True, True),
        ("1.1.0", "1.2.0", True, False),
        ("1.1.0", "2.0.0", True, True),
    ],
)
def test_only_a_version_that_may_break_forgets_what_was_released(
    was: str, now: str, is_out: bool, may_lose: bool
) -> None:
    gone: Kept = {"example: Stack": {}}
    why = refusal((was, table()), (now, gone), is_out=is_out)
    assert (why is None) is may_lose
    assert why is None or "Table is gone, and with it items" in why
    assert refusal((was, table()), (now, table()), is_out=is_out) is None
