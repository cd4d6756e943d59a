"""docs/data.md names every store that the templates have, and none that they do not have."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.infra.conftest import FULL, OTHERS, Assembly, Json
from tests.infra.data_page import (
    BEGIN,
    END,
    HOLDS,
    HOLDS_NOTHING,
    PAGE,
    READ,
    Store,
    stores,
    table,
    unknown_in,
)


@pytest.fixture(scope="module")
def found(assembly_of: Callable[[str], Assembly], full: Assembly, others: Assembly) -> list[Store]:
    made = {str(FULL): full, str(OTHERS): others}
    return [
        each for what in READ.values() for each in stores(made.get(what) or assembly_of(what), what)
    ]


def test_the_page_says_how_long_and_under_which_key_as_the_templates_do(found: list[Store]) -> None:
    said = PAGE.read_text("utf-8").partition(BEGIN)[2].partition(END)[0].strip("\n")
    assert said == table(found).strip("\n"), "run make contract"


def test_the_page_says_of_each_store_what_is_in_it_and_how_it_is_erased(found: list[Store]) -> None:
    text = PAGE.read_text("utf-8")
    section = text.partition("\n## What is in each\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*) \|$", section, re.MULTILINE)
    assert {row.count(" | ") for row in rows} == {3}
    named = [name for row in rows for name in re.findall("`([^`]*)`", row.split(" | ")[0])]
    assert sorted(named) == sorted({each.path for each in found})


@pytest.mark.parametrize("environment", ["staging", "sandbox"])
def test_the_other_environments_have_no_store_of_their_own(
    environment: str, found: list[Store], assembly_of: Callable[[str], Assembly]
) -> None:
    there = {each.path for each in stores(assembly_of(environment), environment)}
    assert there - {each.path for each in found} == set()


def test_a_type_either_holds_something_or_not() -> None:
    assert not HOLDS_NOTHING & set(HOLDS)


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        ({"Type": "AWS::Events::Archive"}, "AWS::Events::Archive"),
        (
            {
                "Type": "AWS::ApiGateway::Stage",
                "Properties": {"MethodSettings": [{"DataTraceEnabled": True}]},
            },
            "AWS::ApiGateway::Stage with DataTraceEnabled",
        ),
        (
            {
                "Type": "AWS::DynamoDB::Table",
                "Properties": {"KinesisStreamSpecification": {"StreamArn": "arn"}},
            },
            "AWS::DynamoDB::Table with KinesisStreamSpecification",
        ),
    ],
)
def test_what_may_be_a_store_and_is_not_known_is_told(resource: Json, said: str) -> None:
    off = {"Type": "AWS::WAFv2::WebACL", "Properties": {"SampledRequestsEnabled": False}}
    assert unknown_in([resource, off]) == {said}
