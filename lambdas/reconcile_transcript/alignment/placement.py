"""Step 3: the time, on our clock, of an utterance that only ASAPP has.

The utterances that both have are the anchors. Each shows by how much the clocks differ; between
two of them, the nearer one counts. An utterance never leaves its place among its neighbours
in ASAPP's record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from reconcile_transcript.alignment.budget import Check, unlimited
from reconcile_transcript.alignment.clock_offset import ClockOffset
from reconcile_transcript.alignment.utterances import UNKNOWN, Held, Said

_MS_A_CHARACTER = 60.0
"""The speed of speech if the call has no example of it: about 150 words a minute."""

Span = tuple[int, int]
"""Start and end, in milliseconds since 1970 on our clock."""


def place(
    said: Sequence[Said],
    anchors: Mapping[int, Held],
    offset: ClockOffset,
    check: Check = unlimited,
) -> dict[int, Span]:
    """The times of the utterances that are no anchors.

    Only the anchors decide it, so a second run gives the same result.

    :param anchors: By index of ``said``.
    """
    lengths = [
        (held.end_ms - held.start_ms) / len(held.text) for held in anchors.values() if held.text
    ]
    pace = median(lengths) if lengths else _MS_A_CHARACTER
    following = _following(said, anchors)
    placed: dict[int, Span] = {}
    spans: list[Span] = []
    own_end: dict[str, int] = {}
    before: tuple[Said, Held] | None = None
    for at, each in enumerate(said):
        check()
        if anchor := anchors.get(at):
            span, role = (anchor.start_ms, anchor.end_ms), anchor.role
            before = each, anchor
        else:
            role = each.role or UNKNOWN
            after, own_after = following[at]
            moment = each.at_ms - _difference(each, before, after, offset)
            length = max(len(each.text) * pace, 1.0)
            if offset.is_of_ends:
                span = _by_end(moment, length, spans, after, own_end.get(role, 0))
            else:
                span = _by_start(moment, length, spans, after, own_after)
            placed[at] = span
        spans.append(span)
        own_end[role] = span[1]
    return placed


Anchor = tuple[Said, Held] | None


def _following(said: Sequence[Said], anchors: Mapping[int, Held]) -> list[tuple[Anchor, Anchor]]:
    """For each of ``said``, the next anchor, and the next one of the same speaker."""
    found: list[tuple[Anchor, Anchor]] = []
    after: Anchor = None
    by_role: dict[str, Anchor] = {}
    for at in reversed(range(len(said))):
        found.append((after, by_role.get(said[at].role)))
        if held := anchors.get(at):
            after = by_role[said[at].role] = said[at], held
    return found[::-1]


def _difference(each: Said, before: Anchor, after: Anchor, offset: ClockOffset) -> int:
    """ASAPP's clock minus ours, as the nearer anchor shows it; 0 without any."""
    near = [anchor for anchor in (before, after) if anchor]
    if not near:
        return 0
    said, held = min(near, key=lambda anchor: abs(anchor[0].at_ms - each.at_ms))
    return said.at_ms - offset.own_moment(held)


def _by_start(
    start: int, length: float, spans: Sequence[Span], after: Anchor, own_after: Anchor
) -> Span:
    """Move the start after the previous utterance of the record, and before the next anchor."""
    if spans:
        start = max(start, spans[-1][0] + 1)
    if after:
        start = min(start, after[1].start_ms - 1)
    end = start + round(length)
    if own_after and start < own_after[1].start_ms:
        end = min(end, own_after[1].start_ms)
    return start, end


def _by_end(end: int, length: float, spans: Sequence[Span], after: Anchor, own_end: int) -> Span:
    """Move the end after the previous utterance of the record, and before the next anchor.

    It begins after its speaker's previous utterance. It also begins after the other speaker's,
    unless that leaves it less than half its length: then both spoke at once.
    """
    if spans:
        end = max(end, spans[-1][1])
    if after:
        end = min(end, after[1].end_ms)
    turn = next((ended for _, ended in reversed(spans) if ended <= end - length / 2), 0)
    return min(max(round(end - length), own_end, turn), end), end
