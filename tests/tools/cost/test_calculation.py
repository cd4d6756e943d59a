"""The calculation, by hand and against the templates."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from connect_settings.environment import environment_file
from tools.cost import facts
from tools.cost.calculation import IDLE, USE, Cost, Load, cost, times_a_month
from tools.cost.environment import AS_IT_IS, ROOT, Environment, data_of, variants
from tools.cost.prices import Prices
from tools.cost.report import LEVERS, Costs
from tools.cost.resources import Unclear, fixed

from .conftest import LOAD, OTHERS


def usd(costs: Cost, basis: str, part: str, what: str) -> float:
    (found,) = (
        each.usd
        for each in costs.lines
        if (each.quantity.basis, each.quantity.part, each.quantity.what) == (basis, part, what)
    )
    return found


@pytest.mark.parametrize(
    ("basis", "part", "what", "by_hand"),
    [
        # 1,000 minutes times 10 utterances times $3.50 for a million
        (USE, "API Gateway", "ASAPP's POSTs", 1_000 * 10 * 3.50 / 1_000_000),
        # 10,000 items of up to 2 KB times $0.625 for a million units
        (USE, "DynamoDB writes", "of utterances", 10_000 * 2 * 0.625 / 1_000_000),
        # a shard for 730 hours at $0.015
        (IDLE, "Kinesis", "shards", 1 * 730 * 0.015),
        # 10,000 runs of 25 ms with half a GB, at $0.0000133334 a GB-second
        (USE, "Lambda", "store_transcript, compute", 10_000 * 0.025 * 0.5 * 0.0000133334),
        # 10,000 times (send, receive, delete) at $0.40 for a million
        (USE, "SQS", "send, receive and delete of each utterance", 30_000 * 0.40 / 1_000_000),
        # one run a minute for 43,800 minutes at $1 for a million
        (IDLE, "EventBridge", "schedules", 2 * 43_800 * 1.00 / 1_000_000),
    ],
)
def test_it_agrees_with_a_calculation_by_hand(
    costs: Costs, basis: str, part: str, what: str, by_hand: float
) -> None:
    assert usd(costs[AS_IT_IS]["us-east-1"], basis, part, what) == pytest.approx(by_hand)


def test_it_has_the_known_magnitude(costs: Costs) -> None:
    """About $0.11 for 1,000 call-minutes but for X-Ray; with one shard, under $40 idle."""
    for each in costs[AS_IT_IS].values():
        assert 0.09 < each.usd(USE) - each.by_part(USE)["X-Ray"] < 0.13
        assert 20 < each.usd(IDLE) < 40


def test_a_month_is_idle_and_all_calls(costs: Costs) -> None:
    each = costs[AS_IT_IS]["us-east-1"]
    thousands = 1_000 * 6 * 365 / 12 / 1_000
    assert each.a_month == pytest.approx(each.usd(IDLE) + thousands * each.usd(USE))
    assert sum(each.month_by_part().values()) == pytest.approx(each.a_month)


def test_nothing_of_a_template_is_without_a_price(costs: Costs) -> None:
    """A new type of resource fails here until somebody says what it costs, or that it is free."""
    every = [each for regions in costs.values() for each in regions.values()]
    unclear = {kind for each in every for kind in each.unclear}
    assert unclear == set(), "name them in tools/cost/resources.py"


def test_nor_of_any_other_environment_of_ours(every: Mapping[str, Environment]) -> None:
    for name in (*OTHERS, "full"):
        assert cost(every[name], LOAD, Prices(), "us-east-1").unclear == [], name


def test_every_price_is_used_and_every_part_has_its_lever(costs: Costs) -> None:
    lines = [line for each in costs.values() for one in each.values() for line in one.lines]
    not_in_prod = {"kinesis_stream_hours", "kinesis_gb_in", "kinesis_gb_out", "kms_keys"}
    assert {each.price.name for each in lines} | not_in_prod == {
        each.name for each in Prices().every
    }
    assert {each.quantity.part for each in lines} <= set(LEVERS)


def difference(costs: Costs, name: str) -> tuple[float, float]:
    """Of a variant to the file as it is, in us-east-1: idle, and for 1,000 call-minutes."""
    base, other = costs[AS_IT_IS]["us-east-1"], costs[name]["us-east-1"]
    return other.usd(IDLE) - base.usd(IDLE), other.usd(USE) - base.usd(USE)


def test_what_is_chosen_otherwise_costs_what_it_adds(costs: Costs) -> None:
    assert difference(costs, "webhook: a secret") == (0, 0)
    idle, use = difference(costs, "webhook: tokens of a Cognito user pool")
    assert idle == pytest.approx(6 + 730 * 2.25 / 1_000 - 0.10 * 3 + 0.0, abs=0.5)
    idle, use = difference(costs, "webhook: a client certificate of a public authority")
    assert use > 0.02, "its authorizer has no cache: it runs for each POST"
    idle, use = difference(costs, "webhook: no web ACL")
    assert (idle, use) == pytest.approx((-(5 + 2 * 1), -10_000 * 0.60 / 1_000_000))
    idle, use = difference(costs, "no lifecycle")
    assert idle < -10.95
    assert use < 0
    idle, use = difference(costs, "the live page")
    people, alarms, dashboard = 55 * 0.015, 9 * 0.10, 3.00
    # 73,000 looks at the list: request, function, trace, 16 queries and 50 items, log
    lists = 73_000 * (3.50 + 0.20 + 5.00 + 66 * 0.125 + 0.15 * 0.5 * 13.33) / 1_000_000
    lists += 73_000 * 1_200 / 1e9 * 0.50
    assert idle == pytest.approx(people + alarms + dashboard + lists, abs=0.03), "no app client"
    # 10,000 utterances to 2 channels and 7 pages, and about as many changes as calls are few
    assert 0.09 < use < 0.25
    idle, use = difference(costs, "no web ACL")
    assert idle == pytest.approx(-5 - 2 * 1.00)
    assert use == pytest.approx(-10_000 * 0.60 / 1_000_000)
    idle, use = difference(costs, "a key of yours for all")
    assert use == pytest.approx(10_000 * 0.03 / 10_000)


@pytest.mark.parametrize(
    ("basis", "part", "what", "by_hand"),
    [
        # 10,000 utterances and 6 changes of 166.7 calls, on 2 channels, at $1 for a million
        (USE, "AppSync", "events published", (10_000 + 1_000) * 2 * 1.00 / 1_000_000),
        # the same to the agent, a supervisor of the call, and 5 lists
        (USE, "AppSync", "events received", (10_000 + 1_000) * 7 * 1.00 / 1_000_000),
        # 5 pages in 8 hours of each day
        (IDLE, "AppSync", "pages of supervisors", 5 * 365 / 12 * 8 * 60 * 0.08 / 1_000_000),
        (IDLE, "API Gateway", "reads of the live list", 5 * 365 / 12 * 8 * 60 * 3.50 / 1_000_000),
        # 333.3 openings: 4 reads of each, and one a minute
        (USE, "API Gateway", "the live page's reads", 1_000 / 3 * (4 + 6) * 3.50 / 1_000_000),
        (IDLE, "Cognito", "supervisors and agents who sign in", (5 + 50) * 0.015),
        # 333.3 openings of 6 requests, at $0.01 for ten thousand
        (USE, "CloudFront", "requests", 1_000 / 6 * 2 * 6 * 0.01 / 10_000),
    ],
)
def test_the_live_page_agrees_with_a_calculation_by_hand(
    costs: Costs, basis: str, part: str, what: str, by_hand: float
) -> None:
    assert usd(costs["the live page"]["us-east-1"], basis, part, what) == pytest.approx(by_hand)


def test_fewer_calls_pay_more_for_the_minute(made: Mapping[str, Environment]) -> None:
    """Because X-Ray takes the first request of each second."""

    def use(calls: int) -> float:
        load = Load(calls, 6)
        return cost(made[AS_IT_IS], load, Prices(), "us-east-1").usd(USE)

    assert use(100) > use(1_000) > use(100_000)
    assert use(100_000) == pytest.approx(use(1_000_000), abs=0.003)


def test_a_longer_call_has_fewer_starts_and_more_heartbeats() -> None:
    assert facts.agent_events_a_call(2) == 5
    assert facts.agent_events_a_call(6) == 7


@pytest.mark.parametrize(
    ("expression", "times"),
    [
        ("rate(1 minute)", 43_800),
        ("rate(2 hours)", 365),
        ("cron(30 2 * * ? *)", 365 / 12),
        ("cron(30 2,6,10 * * ? *)", 365 / 4),
    ],
)
def test_a_schedule_runs_so_often(expression: str, times: float) -> None:
    assert times_a_month(expression) == pytest.approx(times)


def test_a_schedule_that_nobody_can_read_is_an_error() -> None:
    with pytest.raises(ValueError, match="nobody has said how often"):
        times_a_month("cron(0 9 ? * MON-FRI *)")


def test_a_resource_that_nobody_has_priced_is_not_free() -> None:
    with pytest.raises(Unclear, match="AWS::EC2::Instance"):
        fixed("AWS::EC2::Instance", {})


@pytest.mark.parametrize("count", [0, -1, "1", 1.5, True, None, 10**9, {"Ref": "Shards"}, []])
def test_a_number_of_shards_that_is_none_is_unclear(count: object) -> None:
    with pytest.raises(Unclear):
        fixed("AWS::Kinesis::Stream", {"ShardCount": count})


def test_variants_that_do_not_go_with_a_file_are_left_out() -> None:
    sandbox = data_of(environment_file("sandbox", ROOT / "infra/environments"))
    assert AS_IT_IS in variants(sandbox)
    assert AS_IT_IS not in variants(sandbox | {"region": "nowhere"})
