"""Which calls come, when, and what is said in them."""

from __future__ import annotations

from itertools import pairwise
from statistics import mean

from sandbox.connect import scenarios
from tools.load.schedule import (
    COURSES,
    TALK_SECONDS,
    UTTERANCES_A_MINUTE,
    most_at_a_time,
    schedule,
)

MANY = schedule(50, 600)


def test_the_same_load_comes_each_time() -> None:
    assert schedule(20, 60) == schedule(20, 60)
    assert schedule(20, 60) != schedule(20, 60, seed=18)


def test_as_many_calls_are_under_way_as_asked_for() -> None:
    under_way = [sum(call.at <= at < call.at + call.seconds for call in MANY) for at in range(600)]
    assert 45 < mean(under_way[120:]) < 55
    assert max(under_way) <= most_at_a_time(MANY) < 75


def test_calls_come_at_random_until_the_time_is_over() -> None:
    times = [call.at for call in MANY]
    assert times == sorted(times)
    assert times[0] >= 0 and times[-1] < 600
    gaps = [after - before for before, after in pairwise(times)]
    assert max(gaps) > 3 * mean(gaps), "no regular beat"


def test_calls_of_every_kind_come() -> None:
    played = {tuple(moment.act for moment in call.moments) for call in MANY}
    assert played == set(COURSES)


def test_all_that_is_said_is_over_before_the_next_thing_happens() -> None:
    for call in MANY:
        spoken_until_ms = 0
        for moment, after in pairwise(call.moments):
            if moment.said:
                took_ms = moment.said[-1].end_ms - spoken_until_ms
                assert took_ms <= 1000 * (after.at - moment.at) - 500
                spoken_until_ms = moment.said[-1].end_ms


def test_both_speak_at_asapps_pace_in_bursts_and_nobody_at_once() -> None:
    words = talk = 0.0
    for call in MANY:
        said = [each for moment in call.moments for each in moment.said]
        assert {each.role for each in said} <= {"customer", "agent"}
        assert [each.end_ms for each in said] == sorted(each.end_ms for each in said)
        assert all(0 <= each.start_ms < each.end_ms for each in said)
        held = [m for m in call.moments if m.act.does is scenarios.agent_holds]
        words += len(said) - len(held)
        talk += mean(TALK_SECONDS)
    assert 0.8 * UTTERANCES_A_MINUTE < words / (talk / 60) < 1.3 * UTTERANCES_A_MINUTE
    apart = [
        later.end_ms - each.end_ms
        for call in MANY
        for moment in call.moments
        for each, later in pairwise(moment.said)
    ]
    assert sum(ms < 1_000 for ms in apart) > len(apart) / 6
    assert max(apart) > 20_000
