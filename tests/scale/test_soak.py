"""At the end of hundreds of calls with everything failing: ASAPP heard every talk and no hold."""

from __future__ import annotations

import logging

import pytest

from .faulty import Stream
from .soak import Report, Soak, Span

NEWS_SECONDS = 40.0
"""So long the news of a change may take at worst, with all tries of its functions."""


@pytest.mark.parametrize(
    ("seed", "rate", "kills"),
    [(1, 0.0, 0.0), (2, 0.1, 0.0), (3, 0.1, 0.1), (4, 0.05, 0.5), (5, 0.2, 0.2), (6, 0.0, 0.5)],
)
def test_every_talk_is_heard_and_no_hold_whatever_fails(
    seed: int, rate: float, kills: float, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    caplog.set_level(logging.ERROR, logger="shared.calls.asapp_sync")  # the soak reads these
    report = Soak(seed, calls=300, rate=rate, kills=kills).run()
    print(figures(seed, rate, kills, report))
    assert report.running == {}, "ASAPP still streams"
    heard = [span for span in report.spans if span.guid not in report.refused]
    heard = [span for span in heard if is_known(span, report)]
    assert [span for span in heard if span.agents and not overlaps(span, report)] == []
    assert [span for span in heard if not span.agents and held_too_long(span, report)] == []
    assert streams_without_items(report) == []
    assert silent_calls_that_look_complete(report) == []


def is_known(span: Span, report: Report) -> bool:
    """Not if the table took no write for as long as the flow's block waits: then no event knows
    which stream the agent is on."""
    legs = report.table.table.item(span.guid).get("legs", "")
    return all(f'"agent_id": "{agent}"' in legs for agent in span.agents)


def talks(span: Span, stream: Stream) -> bool:
    return stream.guid == span.guid and stream.agent_id in span.agents


def overlaps(span: Span, report: Report) -> float:
    """How many seconds of a talk ASAPP heard."""
    if span.ended - span.began < NEWS_SECONDS:
        return 1.0
    return sum(
        max(0.0, min(span.ended, stream.ended) - max(span.began, stream.began))
        for stream in report.streams
        if talks(span, stream)
    )


def held_too_long(span: Span, report: Report) -> bool:
    begins = span.began + NEWS_SECONDS
    return any(
        stream.guid == span.guid and stream.began < span.ended and stream.ended > begins
        for stream in report.streams
        if begins < span.ended
    )


def streams_without_items(report: Report) -> list[Stream]:
    """Streams that an answer named and the table does not, although every invocation of the call
    could write down what came of its requests meanwhile."""
    return [
        stream
        for stream in report.streams
        if stream.is_told
        and not all(report.table.table.item(stream.guid, f"stream#{each}") for each in stream.ids)
        and not any(
            guid == stream.guid and stream.began - 15 < at < stream.ended + 15
            for guid, at in report.deaths
        )
    ]


def silent_calls_that_look_complete(report: Report) -> list[str]:
    """Calls of which ASAPP refused every start, and the table does not say so."""
    return [
        guid
        for guid in report.refused
        if "1"
        not in (
            report.table.table.item(guid).get("lastStartFailed"),
            report.table.table.item(guid).get("unheardTalk"),
        )
    ]


def figures(seed: int, rate: float, kills: float, report: Report) -> str:
    talk = [span for span in report.spans if span.agents and span.guid not in report.refused]
    total = sum(span.ended - span.began for span in talk)
    heard = sum(overlaps(span, report) for span in talk)
    return (
        f"\nseed {seed}, faults {rate:.0%}, kills {kills:.0%}: {report.seconds / 60:.0f} minutes, "
        f"{report.requests} requests, {len(report.table.table.calls)} calls of DynamoDB, "
        f"{len(report.streams)} streams, {heard / total:.1%} of the talk heard, "
        f"{report.dead_letters} dead letters\n  answers {dict(report.answers)}\n"
        f"  faults {dict(report.faults)}"
    )
