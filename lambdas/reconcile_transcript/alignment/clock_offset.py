"""Step 1: the offset between ASAPP's clock and ours, by offset voting.

Each pair of utterances with equal words votes for the difference between their times. The true
pairs agree on one offset; the differences of false pairs scatter.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice

from reconcile_transcript.alignment.redaction import alike, pattern
from reconcile_transcript.alignment.utterances import Held, Said, roles_are_told

_WINDOW_MS = 2_000
"""Votes that are further apart than this do not support one another."""
_WEIGHT_OF_EXPECTED = 0.9
"""One vote of words that were said only once outweighs what is expected."""
_OPENINGS_DIFFER_MS = 15_000
"""One clock of ours stamps every opening: only the time from it to the first audio differs."""
_LEAST_TOLERANCE_MS = 3_000
_VOTES_OF_A_TEXT = 20
"""Words that are repeated often have at most this number squared of votes."""

Vote = tuple[float, float]
"""An offset in milliseconds, and its weight."""


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """ASAPP's clock minus ours.

    :param is_of_ends: Whether ASAPP's moments are ends of utterances.
    :param by_opening: In milliseconds, by when the streams were opened. Both speakers' streams are
        opened at once.
    :param otherwise: Of openings that are not in ``by_opening``.
    :param tolerance_ms: How far a moment of ASAPP's may be from ours.
    """

    is_of_ends: bool
    by_opening: Mapping[int, float]
    otherwise: float
    tolerance_ms: float

    def own_moment(self, held: Held) -> int:
        """What ASAPP's moments are, start or end, on our clock."""
        return held.end_ms if self.is_of_ends else held.start_ms

    def moment(self, held: Held) -> float:
        """When it was, on ASAPP's clock."""
        return self.own_moment(held) + self.by_opening.get(held.opened_ms, self.otherwise)


def plain(text: str) -> str:
    return " ".join(text.split())


def estimate(said: Sequence[Said], ours: Sequence[Held]) -> ClockOffset:
    """Take ASAPP's moments as starts, then as ends; keep the reading with more support."""
    pairs = _equal_words(said, ours) or _alike_words(said, ours)
    best, agreed = ClockOffset(False, {}, 0.0, _OPENINGS_DIFFER_MS), 0.0
    for is_of_ends in (False, True):
        votes: dict[int, list[Vote]] = defaultdict(list)
        for held, at_ms, weight in pairs:
            own = held.end_ms if is_of_ends else held.start_ms
            votes[held.opened_ms].append((at_ms - own, weight))
        agreement, offset = _vote([vote for given in votes.values() for vote in given], 0.0)
        by_opening: dict[int, float] = {}
        residuals: list[float] = []
        for opened_ms, given in votes.items():
            near = [vote for vote in given if abs(vote[0] - offset) <= _OPENINGS_DIFFER_MS]
            if near:
                won, by_opening[opened_ms] = _vote(near, offset)
                agreement += won
                sure = (each for each, weight in near if weight == 1)
                residuals += [abs(each - by_opening[opened_ms]) for each in sure]
        if agreement > agreed:
            # If the record's moments are imprecise, sure pairs show by how much: allow the others
            # as much.
            tolerance = max(residuals, default=_OPENINGS_DIFFER_MS)
            tolerance = max(tolerance, _LEAST_TOLERANCE_MS)
            best, agreed = ClockOffset(is_of_ends, by_opening, offset, tolerance), agreement
    return best


def _equal_words(said: Sequence[Said], ours: Sequence[Held]) -> list[tuple[Held, int, float]]:
    """Pairs with their weight: 1 if the words were said once, less the more often they were."""
    told = roles_are_told(said)
    moments: dict[tuple[str, str], list[int]] = defaultdict(list)
    spoken: dict[tuple[str, str], list[Held]] = defaultdict(list)
    for each in said:
        moments[each.role if told else "", plain(each.text)].append(each.at_ms)
    for held in sorted(ours, key=lambda held: held.start_ms):
        spoken[held.role if told else "", plain(held.text)].append(held)
    return [
        (held, at_ms, 1 / max(len(moments[words]), len(same)))
        for words, same in spoken.items()
        for held in same[:_VOTES_OF_A_TEXT]
        for at_ms in moments.get(words, ())[:_VOTES_OF_A_TEXT]
    ]


def _alike_words(said: Sequence[Said], ours: Sequence[Held]) -> list[tuple[Held, int, float]]:
    """If no words are equal, because the record is redacted and we are not, or the reverse."""
    patterns = [(each, pattern(each.text)) for each in islice(said, _VOTES_OF_A_TEXT)]
    return [
        (held, each.at_ms, 0.5)
        for held in ours[:_VOTES_OF_A_TEXT]
        for own in [pattern(held.text)]
        for each, its in patterns
        if each.role in ("", held.role) and alike(own, its)
    ]


def _vote(votes: Iterable[Vote], expected: float) -> Vote:
    """The offset with the most support. On a tie, the one nearest to the expected offset.

    A vote supports the offsets within the window around it: by its weight at its own offset, and
    less with distance. The expected offset has a vote, too.

    :returns: The support, and the offset.
    """
    centres = [offset for offset, _ in votes]
    ordered = sorted([*votes, (expected, _WEIGHT_OF_EXPECTED)])
    offsets = [offset for offset, _ in ordered]
    # Sums over any range of votes are differences of these.
    weights = [0.0, *accumulate(weight for _, weight in ordered)]
    products = [0.0, *accumulate(weight * offset for offset, weight in ordered)]

    def support(centre: float) -> float:
        first = bisect_left(offsets, centre - _WINDOW_MS)
        middle = bisect_right(offsets, centre)
        last = bisect_right(offsets, centre + _WINDOW_MS)
        below = centre * (weights[middle] - weights[first]) - (products[middle] - products[first])
        above = (products[last] - products[middle]) - centre * (weights[last] - weights[middle])
        return weights[last] - weights[first] - (below + above) / _WINDOW_MS

    rated = ((round(support(each), 6), -abs(each - expected), each) for each in centres)
    best = max(rated, default=(0.0, 0.0, 0.0))
    return best[0], best[2]
