"""When a conversation is complete, and when it is looked at again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconcile_transcript.alignment import Alignment
from reconcile_transcript.alignment.utterances import Held, Said
from reconcile_transcript.completeness import Finding, Verdict, judge
from reconcile_transcript.record import MOST_MESSAGES, Record, moment_ms
from reconcile_transcript.transcripts import Known
from shared.table import BATCH, PENDING
from tests.unit.reconciliation.finished_calls import DAY_MS, HOUR_MS, utc_day

HELD = Held("one", "agent", 0, 1, "Yes.")
SAID = Said("1", "agent", "ada", "Yes.", 0, "{}")
KNOWN = Known(
    conversation_id="c-1",
    version=1,
    ended=True,
    changed_at_ms=0,
    marked_at_ms=0,
    unchanged=True,
    completeness="",
    tries=0,
    reported=False,
    from_messages=0,
    summary=None,
    held=(),
    senders={},
)


@pytest.mark.parametrize(("summary", "after_ms"), [(0, HOUR_MS), (None, DAY_MS)])
def test_an_empty_answer_is_complete_once_asapps_count_or_a_day_says_that_nothing_was_said(
    summary: int | None, after_ms: int
) -> None:
    known, empty = replace(KNOWN, summary=summary), Finding(Record())
    assert judge(known, empty, after_ms - 1, has_export=True).completeness == "awaiting"
    verdict = judge(known, empty, after_ms, has_export=True)
    assert (verdict.completeness, verdict.then) == ("complete", "")


@pytest.mark.parametrize(("summary", "completeness"), [(1, "complete"), (None, "awaiting")])
def test_a_record_at_the_limit_is_whole_only_by_asapps_own_count(
    summary: int | None, completeness: str
) -> None:
    known = replace(KNOWN, summary=summary, held=(HELD,))
    finding = Finding(Record(count=MOST_MESSAGES))
    assert judge(known, finding, HOUR_MS, has_export=True).completeness == completeness


def test_a_record_that_is_gone_after_a_week_leaves_what_was_complete_complete() -> None:
    known = replace(KNOWN, completeness="complete", held=(HELD,))
    assert judge(known, Finding(Record()), 2 * DAY_MS, has_export=True) == Verdict("complete")
    late = judge(known, Finding(None), 2 * DAY_MS, has_export=True)
    assert (late.completeness, late.then) == ("complete", PENDING)
    assert judge(known, Finding(None), 7 * DAY_MS, has_export=True) == Verdict("complete")


def test_a_call_that_went_on_after_it_was_complete_is_not_complete() -> None:
    known = replace(KNOWN, completeness="complete", held=(HELD,), unchanged=False, tries=9)
    verdict = judge(known, Finding(Record()), HOUR_MS, has_export=True)
    assert (verdict.completeness, verdict.at_ms) == ("awaiting", HOUR_MS + HOUR_MS // 4)


def test_more_of_ours_than_asapp_has_is_awaited_for_a_day() -> None:
    known = replace(KNOWN, held=(HELD,))
    finding = Finding(Record((SAID,), 1), None, Alignment(only_ours=["one"]))
    assert judge(known, finding, DAY_MS - 1, has_export=False).completeness == "awaiting"
    assert judge(known, finding, DAY_MS, has_export=False) == Verdict("complete")


def test_a_call_whose_end_nobody_saw_is_looked_at_again_a_day_later() -> None:
    known = replace(KNOWN, held=(HELD,), ended=False)
    finding = Finding(Record((SAID,), 1))
    assert judge(known, finding, 4 * HOUR_MS, has_export=False) == Verdict(
        "complete", PENDING, 28 * HOUR_MS
    )
    assert judge(known, finding, 7 * DAY_MS, has_export=False) == Verdict("complete")


def test_a_day_old_it_waits_for_the_export_where_there_is_one() -> None:
    known = replace(KNOWN, held=(HELD,))
    assert judge(known, Finding(None), DAY_MS, has_export=True) == Verdict(
        "awaiting", BATCH, DAY_MS
    )
    assert judge(known, Finding(None), DAY_MS, has_export=False).then == PENDING
    assert judge(known, Finding(None), 7 * DAY_MS, has_export=False) == Verdict("incomplete")


def test_the_export_of_an_earlier_day_or_with_less_completes_nothing() -> None:
    known = replace(KNOWN, held=(HELD,), changed_at_ms=10 * DAY_MS, marked_at_ms=5, from_messages=1)
    one, none = Record((SAID,), 1), Record()
    for record, day in ((one, 10), (none, 11), (none, 12)):
        verdict = judge(known, Finding(record, utc_day(day * DAY_MS)), 12 * DAY_MS, has_export=True)
        assert (verdict == Verdict("complete")) == (record is one), day
        assert record is one or verdict == Verdict("awaiting", BATCH, 5)
    early = Finding(one, utc_day(9 * DAY_MS))
    assert judge(known, early, 12 * DAY_MS, has_export=True) == Verdict("awaiting", BATCH, 5)
    more = replace(known, from_messages=2)
    late = Finding(one, utc_day(11 * DAY_MS))
    assert judge(more, late, 12 * DAY_MS, has_export=True).then == BATCH


@pytest.mark.parametrize(
    ("given", "ms"),
    [
        ("2026-11-01T10:00:00.250Z", 1_793_527_200_250),
        ("2026-11-01 10:00:00", 1_793_527_200_000),
        ("2026-11-01T12:00:00+02:00", 1_793_527_200_000),
        (1_793_527_200, 1_793_527_200_000),
        ("1793527200.25", 1_793_527_200_250),
        (1_793_527_200_250, 1_793_527_200_250),
        ("0001-01-01T00:00:00Z", 0),
        ("yesterday", 0),
        (None, 0),
        ([], 0),
        (float("inf"), 0),
    ],
)
def test_a_moment_is_iso_8601_or_since_1970(given: object, ms: int) -> None:
    assert moment_ms(given) == ms
