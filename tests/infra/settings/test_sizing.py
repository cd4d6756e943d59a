"""What follows from the number of calls, in the settings and on docs/limits.md."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from connect_settings import sizing
from tests.infra.settings.environments import read

PAGE = Path(__file__).parents[3] / "docs" / "limits.md"
CALLS = (50, 500, 1_500, 5_000)
FOLLOWS: tuple[Callable[[int], int | None], ...] = (
    sizing.utterances_a_second,
    sizing.utterances_in_a_peak,
    sizing.throttle_rate,
    lambda calls: sizing.throttle_burst(sizing.throttle_rate(calls)),
    sizing.requests_of_an_address_a_minute,
    sizing.starts,
    sizing.authorizers,
    sizing.consumers,
    sizing.warm_write_units,
    sizing.publishers,
    sizing.agent_event_shards,
)


def tables() -> list[list[list[str]]]:
    """The rows of each table of the page, without the head."""
    found: list[list[list[str]]] = []
    before = ""
    for line in PAGE.read_text("utf-8").splitlines():
        if line.startswith("|"):
            if not before.startswith("|"):
                found.append([])
            found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
        before = line
    return [rows[2:] for rows in found]


def shown(number: int | None) -> str:
    return "\N{EN DASH}" if number is None else f"{number:,}"


def test_the_page_says_what_the_settings_make_of_the_calls() -> None:
    numbers = [row[1:5] for row in tables()[0]]
    assert numbers == [[shown(follows(calls)) for calls in CALLS] for follows in FOLLOWS]


def test_the_page_says_of_each_limit_what_the_doctor_does() -> None:
    rows = [
        [
            part.name,
            *(shown(part.needed(calls)) for calls in CALLS),
            shown(part.documented),
            f"{part.carries(part.documented):,} calls",
        ]
        for part in sizing.parts("us-east-1")
    ]
    assert [row[:7] for row in tables()[1]] == rows
    sources = [row[7] for row in tables()[1]]
    for part, source in zip(sizing.parts("us-east-1"), sources, strict=True):
        assert f"({part.source})" in source
        if isinstance(part.quota, sizing.Quota):
            assert f"`{part.quota.code}`" in source


def test_the_page_says_how_many_events_each_region_takes() -> None:
    for limit, regions, enough in tables()[2]:
        for region in regions.replace("others", "eu-south-1").split(", "):
            (part,) = (each for each in sizing.parts(region) if "PutEvents" in each.name)
            assert shown(part.documented) == limit
            assert f"{part.carries(part.documented):,} calls" == enough


REGIONS = ("us-east-1", "eu-central-1")
MANY_CALLS = (1_000, 5_000, 20_000)


def test_the_page_says_in_which_order_quotas_must_be_raised() -> None:
    expected = [
        [
            str(number),
            part.name,
            *(_carried(part.name, region) for region in REGIONS),
            *(
                shown(part.needed(calls)) if calls > part.carries(part.documented) else shown(None)
                for calls in MANY_CALLS
            ),
        ]
        for number, part in enumerate(sizing.in_order_of_need("us-east-1"), start=1)
    ]
    assert [row[:7] for row in tables()[3]] == expected


def _carried(name: str, region: str) -> str:
    (part,) = (each for each in sizing.in_order_of_need(region) if each.name == name)
    return f"{part.carries(part.documented):,}"


def test_the_page_says_how_many_environments_the_calls_need() -> None:
    ours = [each for each in sizing.in_order_of_need("us-east-1") if each.name not in OTHERS]
    (asapp,) = (e for e in sizing.parts("us-east-1") if e.name == "ASAPP, requests a second")
    expected = [
        [shown(-(-calls // limit.carries(limit.documented))) for calls in MANY_CALLS]
        for limit in (ours[0], sizing.parts_around()[-1], asapp)
    ]
    assert [row[1:] for row in tables()[4]] == expected


OTHERS = {
    "Amazon Connect, calls at a time of an instance",
    "ASAPP, requests a day",
    "ASAPP, requests a second",
}


@pytest.mark.parametrize(
    ("calls", "shards"), [(1, 1), (50, 1), (1_613, 1), (1_614, 2), (3_226, 2), (20_000, 13)]
)
def test_one_shard_takes_a_mebibyte_and_a_thousand_records_a_second(
    calls: int, shards: int
) -> None:
    """Events of 10 KB: the mebibyte is over first, at 104 events a second."""
    assert sizing.agent_event_shards(calls) == shards
    events = sizing.PEAK * calls * (1 / 120 + 4 / 300)
    assert events <= 1_000 * shards
    assert events * 10_000 <= 1_048_576 * shards


def test_three_times_what_asapp_sends_for_5000_calls_passes() -> None:
    assert sizing.utterances_a_second(5_000) == 834
    assert sizing.utterances_in_a_peak(5_000) == 2_500
    assert sizing.throttle_rate(5_000) == 5_000
    assert sizing.throttle_burst(5_000) == 10_000


@pytest.mark.parametrize("part", sizing.parts("us-east-1"), ids=lambda part: part.name)
def test_a_part_carries_so_many_calls_and_not_one_more(part: sizing.Part) -> None:
    carried = part.carries(part.documented)
    assert part.needed(carried) <= part.documented < part.needed(carried + 1)


@pytest.mark.parametrize(
    ("webhook", "throttle"),
    [
        ({}, (1_200, 2_400)),
        ({"throttle_rate_per_second": 700}, (700, 1_400)),
        ({"throttle_burst": 5}, (1_200, 5)),
        ({"throttle_rate_per_second": 1, "throttle_burst": 3}, (1, 3)),
    ],
)
def test_the_throttle_follows_from_the_calls_unless_the_file_says_it(
    webhook: dict[str, int], throttle: tuple[int, int]
) -> None:
    said = {f"webhook.{key}": value for key, value in webhook.items()}
    assert read({"capacity.expected_calls": 1_200} | said).throttle == throttle


def test_few_calls_have_room_beside_those_without_a_credential() -> None:
    assert read({}).throttle == (1_000, 2_000)


@pytest.mark.parametrize("calls", [1, 50, 200, 202, 2_000, 2_002, 5_000])
def test_one_address_that_floods_leaves_a_whole_peak(calls: int) -> None:
    """Even if ASAPP sends everything from one address, the web ACL does not block its peak."""
    of_an_address = sizing.requests_of_an_address_a_minute(calls) / 60
    peak = sizing.utterances_in_a_peak(calls)
    assert of_an_address >= peak
    assert sizing.throttle_rate(calls) - of_an_address >= peak


def test_a_new_table_is_enough_for_1600_calls() -> None:
    assert sizing.warm_write_units(1_600) is None
    assert sizing.warm_write_units(1_602) == 4_005
