"""Which utterances of ASAPP's record we lack, and when they were said. Pure functions.

The webhook tells the stream and the milliseconds of an utterance, but no id. ASAPP's record tells
an id and a time on ASAPP's clock, but not whether that is the start or the end. So the two are
aligned, as a score is aligned with a recording::

    ASAPP's record   ──Hello──────Yes──────My PIN is ####──────Yes────────Bye──▶  ASAPP's clock
                         ╲          ┊             ╲              ╲          ╲
             offset:      ╲ 1.7 s   ┊              ╲ 1.7 s        ╲ 1.7 s    ╲ 1.7 s
                           ╲        ┊               ╲              ╲          ╲
    our utterances   ───────Hello───·───────────────My PIN is 4242──Yes────────Bye──▶  our clock
                                    ↑
                                    Yes: only ASAPP has it. It is placed between its neighbours.

1. :mod:`~reconcile_transcript.alignment.clock_offset`: equal words vote for the offset between the
   clocks (*offset voting*): "Hello", "Bye" and one pair of "Yes" agree on 1.7 s; the other pair of
   "Yes" agrees with nobody.
2. :mod:`~reconcile_transcript.alignment.matching`: equal words that are then at one time are the
   same utterance (*monotone matching* by dynamic programming); then words that differ in
   :mod:`~reconcile_transcript.alignment.redaction`.
3. :mod:`~reconcile_transcript.alignment.placement`: what only ASAPP has gets a time of our clock,
   between its neighbours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from reconcile_transcript.alignment.budget import Check, unlimited
from reconcile_transcript.alignment.clock_offset import estimate
from reconcile_transcript.alignment.matching import match, match_by
from reconcile_transcript.alignment.placement import place
from reconcile_transcript.alignment.redaction import alike, pattern
from reconcile_transcript.alignment.utterances import UNKNOWN, Held, Said


@dataclass(frozen=True, slots=True)
class Missing:
    """An utterance to write.

    :param role: ``UNKNOWN`` if ASAPP's record does not say who spoke.
    :param start_ms: In milliseconds since 1970 on our clock, as is ``end_ms``.
    :param key: Its sort key if it was recovered before.
    """

    said: Said
    role: str
    start_ms: int
    end_ms: int
    key: str = ""


@dataclass(slots=True)
class Alignment:
    """:param missing: To add.
    :param moved: Recovered before, to write again with a better time.
    :param twins: Keys of recovered utterances that the webhook has brought since.
    :param only_ours: Keys of utterances that ASAPP's record does not have.
    """

    missing: list[Missing] = field(default_factory=list)
    moved: list[Missing] = field(default_factory=list)
    twins: list[str] = field(default_factory=list)
    only_ours: list[str] = field(default_factory=list)


def align(
    record: Iterable[Said],
    ours: Sequence[Held],
    settled: Collection[str] = (),
    check: Check = unlimited,
) -> Alignment:
    """:param record: With distinct ids.
    :param settled: Keys of recovered utterances that stay as they are: another record, with a
        better clock, gave them their time.
    :param check: Ends what takes too long.
    """
    said = sorted(record, key=lambda each: each.at_ms)
    ids = {each.id for each in said}
    by_id = {held.message_id: held for held in ours if held.message_id}
    webhook = [held for held in ours if not held.message_id]
    elsewhere = [held for held in ours if held.message_id and held.message_id not in ids]
    offset = estimate(said, webhook or elsewhere)
    by_webhook = match(offset, said, webhook, check)
    by_words = match_by(estimate(said, elsewhere), said, elsewhere, check)

    alignment = Alignment()
    anchors: dict[int, Held] = {}
    recovered: dict[int, Held] = {}
    matched: set[str] = set()
    for at, each in enumerate(said):
        found = [way for way in (by_webhook.get(at), by_id.get(each.id), by_words.get(at)) if way]
        matched |= {held.key for held in found}
        alignment.twins += [held.key for held in found[1:]]
        again = bool(found) and found[0].message_id == each.id and bool(each.role)
        if again and found[0].key not in settled:
            recovered[at] = found[0]
        elif found:
            anchors[at] = found[0]
    matched |= _said_twice(webhook, matched, check)
    alignment.only_ours = [held.key for held in ours if held.key not in matched]
    for at, (start, end) in place(said, anchors, offset, check).items():
        role, before = said[at].role or UNKNOWN, recovered.get(at)
        if before is None:
            alignment.missing.append(Missing(said[at], role, start, end))
        elif (before.role, before.start_ms, before.end_ms) != (role, start, end):
            alignment.moved.append(Missing(said[at], role, start, end, before.key))
    return alignment


def _said_twice(webhook: Sequence[Held], matched: set[str], check: Check) -> set[str]:
    """Keys of what came both redacted and unredacted, if the record has one of the two."""
    by_time = defaultdict(list)
    for held in webhook:
        by_time[held.opened_ms, held.role, held.start_ms, held.end_ms].append(held)
    found: set[str] = set()
    for same in by_time.values():
        if len(same) == 1:
            continue
        known = {pattern(held.text) for held in same if held.key in matched}
        for held in same:
            check()
            its = pattern(held.text)
            if any(alike(other, its) for other in known):
                found.add(held.key)
    return found
