"""Step 2: which utterance of ASAPP's record is which of ours, by monotone matching.

Equal words of one speaker are matched in order of time, by dynamic programming. What is left is
matched by words that differ in redaction, the nearest first.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence

from reconcile_transcript.alignment.budget import Check, unlimited
from reconcile_transcript.alignment.clock_offset import ClockOffset, estimate, plain
from reconcile_transcript.alignment.redaction import alike, pattern
from reconcile_transcript.alignment.utterances import Held, Said, roles_are_told

_FEWEST_OF_A_RUN = 3
"""At least this many utterances must agree on another offset."""
_PAIR, _SKIP_ONE, _SKIP_OTHER = range(3)


def match(
    offset: ClockOffset, said: Sequence[Said], ours: Sequence[Held], check: Check = unlimited
) -> dict[int, Held]:
    """Ours, by the index of ``said``.

    ASAPP does not say whether a stream survives a hold. If it does, its milliseconds count audio,
    not time, so its offset changes at each hold. So the utterances that are not matched yet get an
    offset of their own, as long as several of them agree on one.

    :param offset: As :func:`estimate` gives it for all of them.
    """
    matched = match_by(offset, said, ours, check)
    while True:
        left = [at for at in range(len(said)) if at not in matched]
        taken = {held.key for held in matched.values()}
        rest = [held for held in ours if held.key not in taken]
        if min(len(left), len(rest)) < _FEWEST_OF_A_RUN:
            return matched
        part = [said[at] for at in left]
        more = match_by(estimate(part, rest), part, rest, check)
        if len(more) < _FEWEST_OF_A_RUN:
            return matched
        matched |= {left[at]: held for at, held in more.items()}


def match_by(
    offset: ClockOffset, said: Sequence[Said], ours: Sequence[Held], check: Check = unlimited
) -> dict[int, Held]:
    """As :func:`match`, by one clock offset."""
    ordered = sorted(ours, key=offset.moment)
    matched = _equal_words(offset, said, ordered, check)
    return matched | _alike_words(offset, said, ordered, matched, check)


def _equal_words(
    offset: ClockOffset, said: Sequence[Said], ours: Sequence[Held], check: Check
) -> dict[int, Held]:
    told = roles_are_told(said)
    groups: dict[tuple[str, str], tuple[list[int], list[Held]]] = defaultdict(lambda: ([], []))
    for at, each in enumerate(said):
        groups[each.role if told else "", plain(each.text)][0].append(at)
    for held in ours:
        groups[held.role if told else "", plain(held.text)][1].append(held)
    matched: dict[int, Held] = {}
    for indexes, same in groups.values():
        pairs = nearest_pairs(
            [said[at].at_ms for at in indexes],
            [offset.moment(held) for held in same],
            offset.tolerance_ms,
            check,
        )
        matched |= {indexes[one]: same[other] for one, other in pairs}
    return matched


def _alike_words(
    offset: ClockOffset,
    said: Sequence[Said],
    ours: Sequence[Held],
    matched: dict[int, Held],
    check: Check,
) -> dict[int, Held]:
    taken = {held.key for held in matched.values()}
    left = [held for held in ours if held.key not in taken]
    moments = [offset.moment(held) for held in left]
    patterns = [pattern(held.text) for held in left]
    near = []
    for at, each in enumerate(said):
        check()
        if at in matched or not left:
            continue
        its = pattern(each.text)
        first = bisect_left(moments, each.at_ms - offset.tolerance_ms)
        last = bisect_right(moments, each.at_ms + offset.tolerance_ms)
        near += [
            (abs(moments[own] - each.at_ms), at, own)
            for own in range(first, last)
            if each.role in ("", left[own].role) and alike(patterns[own], its)
        ]
    found: dict[int, int] = {}
    used: set[int] = set()
    for _, at, own in sorted(near):
        if at not in found and own not in used:
            found[at] = own
            used.add(own)
    return {at: left[own] for at, own in found.items()}


def nearest_pairs(
    one: Sequence[float], other: Sequence[float], tolerance: float, check: Check = unlimited
) -> list[tuple[int, int]]:
    """Pair moments in order of time: as many pairs within the tolerance as possible, the nearest
    first.

    Takes time in proportion to the moments that are within the tolerance of one another.

    :param one: In order of time, as is ``other``.
    :returns: Their indexes.
    """
    a_pair = tolerance * (len(one) + 1)  # one more pair is worth more than any nearness
    # values[n]: the best value of pairing `one`, up to here, with the first n of `other`
    values = [0.0]
    rows: list[tuple[int, bytearray]] = []
    for moment in one:
        check()
        first = bisect_left(other, moment - tolerance)
        last = bisect_right(other, moment + tolerance)
        values += values[-1:] * (last + 1 - len(values))
        choices = bytearray(last - first)
        diagonal = values[first]
        for at in range(first, last):
            paired = diagonal + a_pair - abs(moment - other[at])
            diagonal = values[at + 1]
            best = max(paired, diagonal, values[at])
            choices[at - first] = (
                _PAIR if best == paired else _SKIP_ONE if best == diagonal else _SKIP_OTHER
            )
            values[at + 1] = best
        rows.append((first, choices))
    pairs: list[tuple[int, int]] = []
    until = len(other)
    for own in reversed(range(len(one))):
        first, choices = rows[own]
        until = min(until, first + len(choices))
        while until > first and choices[until - 1 - first] == _SKIP_OTHER:
            until -= 1
        if until > first and choices[until - 1 - first] == _PAIR:
            until -= 1
            pairs.append((own, until))
    return pairs[::-1]
