"""Construct ids and outputs: none changes without a word in the changelog."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.infra.conftest import Assembly

from .conftest import NAMES
from .contract import ADVICE, Contract, accepted, changes, of_assembly, unnamed


@pytest.mark.parametrize("name", [*NAMES, "constructs"])
def test_the_ids_of_an_example_are_those_that_were_accepted(
    name: str, checkout: Callable[[str], Assembly]
) -> None:
    now = dict(of_assembly(name, checkout(name)))
    before = {stack: ids for stack, ids in accepted().items() if stack.startswith(f"{name}: ")}
    told = [f"  {id} {became}" for id, became in changes(before, now).items()]
    assert now == before, "\n".join([ADVICE, *told])


STORE = {
    "TranscriptStore/Table/Resource": "AWS::DynamoDB::Table",
    "TranscriptStore/Bus/Resource": "AWS::Events::EventBus",
    "Url": "output",
}


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (STORE, {}),
        (
            {**STORE, "Api/Rest/Resource": "AWS::ApiGateway::RestApi", "Api/Logs/Resource": "x"},
            {"Api": "is new (AWS::ApiGateway::RestApi)"},
        ),
        (
            {id: kind for id, kind in STORE.items() if "Table" not in id},
            {"TranscriptStore/Table": "is gone (AWS::DynamoDB::Table)"},
        ),
        (
            {id: kind for id, kind in STORE.items() if id != "Url"},
            {"Url": "is gone (output)"},
        ),
        (
            {**STORE, "TranscriptStore/Table/Resource": "AWS::DynamoDB::GlobalTable"},
            {"TranscriptStore/Table": "was AWS::DynamoDB::Table and is AWS::DynamoDB::GlobalTable"},
        ),
    ],
)
def test_what_changed_is_told_by_the_id_that_came_or_went(
    after: dict[str, str], told: dict[str, str]
) -> None:
    before: Contract = {"example: Stack": STORE}
    assert changes(before, {"example: Stack": after}) == told


def test_an_example_that_is_new_or_gone_is_no_change_for_a_team() -> None:
    assert changes({"one: Stack": STORE}, {"other: Stack": {}}) == {}


@pytest.mark.parametrize(
    ("changelog", "missing"),
    [
        ("## Unreleased\n\n- `Store/Table` has another key.\n", []),
        ("## Unreleased\n\n- Store/Table\n", ["Store/Table"]),
        ("## Unreleased\n\n- `Store`\n", ["Store/Table"]),
        ("## Unreleased\n\n## 1.0.0\n\n- `Store/Table`\n", ["Store/Table"]),
        ("## 1.0.0\n\n- `Store/Table`\n", ["Store/Table"]),
    ],
)
def test_a_change_is_accepted_when_the_changelog_names_it_among_what_is_not_released(
    changelog: str, missing: list[str]
) -> None:
    assert unnamed({"Store/Table": "is new"}, changelog) == missing
