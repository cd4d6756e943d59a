"""The prices themselves: whole, and not too old."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tools.cost.prices import DAYS_GOOD, NoPrice, Prices
from tools.cost.resources import HOURS_A_MONTH

PRICES = Prices()
TODAY = datetime.now(UTC).date()


def test_no_price_is_older_than_a_year() -> None:
    """The one test that the calendar fails: a year after somebody has looked a price up."""
    old = [each for each in PRICES.every if each.is_old(TODAY)]
    assert not old, "Look these up, and correct `usd`, `seen` and `date` in docs/prices.toml:\n" + (
        "\n".join(
            f"  {each.name} in {each.region}: ${each.usd} for {each.unit} on {each.looked_up}, "
            f"now on {each.source}"
            for each in old
        )
    )


def test_a_price_is_good_for_a_year_and_not_a_day_longer() -> None:
    price = PRICES.every[0]
    last = price.looked_up + timedelta(days=DAYS_GOOD)
    assert not price.is_old(last)
    assert price.is_old(last + timedelta(days=1))


def test_nobody_has_looked_a_price_up_in_the_future() -> None:
    assert all(each.looked_up <= max(TODAY, date(2026, 11, 28)) for each in PRICES.every)


def test_both_regions_have_every_price() -> None:
    assert PRICES.regions == ["us-east-1", "eu-central-1"]


def test_each_price_names_its_page() -> None:
    for each in PRICES.every:
        assert each.source.startswith("https://aws.amazon.com/"), each.name
        assert each.usd > 0
        assert each.per > 0
        assert each.unit


def test_a_region_without_prices_says_what_to_write() -> None:
    with pytest.raises(NoPrice, match=r"add a line `eu-west-3 = \{ usd = … \}` to each"):
        PRICES.of("secrets", "eu-west-3")


def test_a_region_is_left_out_until_it_has_every_price(tmp_path: Path) -> None:
    text = (
        '[{}]\nunit = "each"\nper = 1\nhere = {{ usd = 1.0 }}\n{}source = "s"\ndate = 2026-11-28\n'
    )
    file = tmp_path / "prices.toml"
    file.write_text(text.format("a", "there = { usd = 2.0 }\n") + text.format("b", ""))
    assert Prices(file).regions == ["here"]


def test_one_shard_costs_less_than_half_of_a_stream_on_demand() -> None:
    """So shards are the default."""
    for region in PRICES.regions:
        shard, stream = (
            PRICES.of(name, region).of_one * HOURS_A_MONTH
            for name in ("kinesis_shard_hours", "kinesis_stream_hours")
        )
        assert shard < stream / 2
