"""docs/cost.md, and what the command prints."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from tools.cost.__main__ import PAGE, main, with_tables
from tools.cost.calculation import IDLE, USE
from tools.cost.environment import AS_IT_IS, Environment
from tools.cost.prices import Prices
from tools.cost.report import Costs, as_json, markdown, usd
from tools.cost.resources import HOURS_A_MONTH


def test_the_page_has_what_the_tool_says(costs: Costs, made: Mapping[str, Environment]) -> None:
    page = PAGE.read_text("utf-8")
    expected = with_tables(page, markdown(costs, made[AS_IT_IS], Prices()))
    assert page == expected, (
        "docs/cost.md is not what prod costs; write it: "
        "make cost ENV=prod CALLS_PER_DAY=1000 MINUTES=6 PAGE=1"
    )


def test_the_sentences_of_the_page_have_its_numbers(costs: Costs) -> None:
    page = PAGE.read_text("utf-8")
    of = Prices().of
    for name in ("kinesis_shard_hours", "kinesis_stream_hours"):
        assert usd(of(name, "us-east-1").of_one * HOURS_A_MONTH) in page
    here = costs[AS_IT_IS]["us-east-1"]
    assert f"about ${here.usd(USE) - here.by_part(USE)['X-Ray']:.2f}." in page
    without = here.usd(IDLE) - here.by_part(IDLE)["Kinesis"]
    stream = of("kinesis_stream_hours", "us-east-1").of_one * HOURS_A_MONTH
    assert stream > without, "more than half of the idle environment"


def test_json_has_each_line_with_its_quantity_and_price(costs: Costs) -> None:
    said = json.loads(json.dumps(as_json(costs)))
    here = said[AS_IT_IS]["eu-central-1"]
    used = [each for each in here["lines"] if each["basis"] == USE]
    assert sum(each["usd"] for each in used) == pytest.approx(here["thousandCallMinutes"])
    by_gateway = (each for each in used if each["part"] == "API Gateway")
    (posts,) = (each for each in by_gateway if each["what"] == "ASAPP's POSTs")
    assert (posts["count"], posts["usdForAUnit"]) == (10_000, 3.7)


def test_the_table_adds_up(costs: Costs, made: Mapping[str, Environment]) -> None:
    rows = [
        line.strip("| ").split(" | ")
        for line in markdown(costs, made[AS_IT_IS], Prices()).splitlines()
        if line.startswith("|")
    ]
    end = next(at for at, row in enumerate(rows) if row[0] == "**in all**")
    months = [float(row[3].strip("$")) for row in rows[2:end]]
    assert sum(months) == pytest.approx(float(rows[end][3].strip("*$")), abs=0.05)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["prod", "--calls-a-day", "", "--minutes", "6"], "like CALLS_PER_DAY=1000"),
        (["prod", "--calls-a-day", "1000", "--minutes", "0"], "like MINUTES=6"),
        (["prod", "--calls-a-day", "nan", "--minutes", "6"], "like CALLS_PER_DAY=1000"),
        (["prod", "--calls-a-day", "inf", "--minutes", "6"], "like CALLS_PER_DAY=1000"),
    ],
)
def test_a_number_that_is_none_says_what_to_write(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert f"write a number over 0, {said}" in capsys.readouterr().err


def test_an_environment_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["qa", "--calls-a-day", "1", "--minutes", "1"]) == 2
    assert "there is no environment" in capsys.readouterr().err


def test_a_line_has_its_quantity_its_price_and_what_comes_out(costs: Costs) -> None:
    said = [str(each) for each in costs[AS_IT_IS]["us-east-1"].lines]
    assert (
        "1,000 call-minutes: API Gateway, ASAPP's POSTs: 10,000 at $3.5 for 1,000,000 requests to "
        "a REST API = $0.035000"
    ) in said
    assert "idle, a month: Kinesis, shards: 730 at $0.015 for shard-hour = $10.950000" in said
