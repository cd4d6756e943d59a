"""Which utterances of ASAPP's record are not among ours, and where they belong.

ASAPP's record gives moments of its clock, and does not say whether of an utterance's start or end;
ours are relative to streams that began when our clock said so. So the offset between the clocks is
estimated first; then equal words at one time are the same utterance. Nothing here talks to anyone.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from statistics import median

_WINDOW_MS = 2_000
_WEIGHT_OF_EXPECTED = 0.9
_LEAST_TOLERANCE_MS, _MOST_TOLERANCE_MS = 3_000, 30_000
_OPENINGS_DIFFER_MS = 15_000
"""One clock of ours stamps every stream: only the time from its opening to its audio differs."""
_FEWEST_OF_A_RUN = 3
"""So many utterances, at least, must agree on another offset."""
_VOTES_OF_A_TEXT = 20
_MS_A_CHARACTER = 60.0
_SLACK_MS = 500
_NEIGHBOURS = 8
UNKNOWN = "unknown"
_MARK = "\0"
_REDACTED = re.compile(
    r"#{2,}|\*{2,}|_{3,}|X{3,}|x{4,}|\[[^\[\]]{1,40}\]|<[^<>]{1,40}>|\{[^{}]{1,40}\}"
)


@dataclass(frozen=True, slots=True)
class Said:
    """An utterance of ASAPP's record.

    :param role: ``customer`` or ``agent``; ``""`` where the record does not say who spoke.
    :param at_ms: Its moment, in milliseconds since 1970 on ASAPP's clock.
    :param message: As ASAPP gave it, JSON.
    """

    id: str
    role: str
    sender_id: str
    text: str
    at_ms: int
    message: str


@dataclass(frozen=True, slots=True)
class Held:
    """An utterance of ours.

    :param key: Its sort key in the table.
    :param message_id: ASAPP's id where it was recovered, ``""`` where the webhook brought it.
    """

    key: str
    stream_id: str
    role: str
    start_ms: int
    end_ms: int
    text: str
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class Stream:
    """:param began_at_ms: In milliseconds since 1970 on our clock."""

    id: str
    role: str
    began_at_ms: int


@dataclass(frozen=True, slots=True)
class Missing:
    """An utterance to write; its times are relative to its stream's start.

    :param role: ``UNKNOWN`` where ASAPP's record does not say.
    :param key: Its sort key where it was recovered before, and the webhook's late messages show
        that it belongs elsewhere.
    """

    said: Said
    role: str
    stream_id: str
    start_ms: int
    end_ms: int
    key: str = ""

    @property
    def place(self) -> tuple[str, int, int]:
        return self.stream_id, self.start_ms, self.end_ms


@dataclass(slots=True)
class Alignment:
    """:param missing: To add.
    :param moved: To write again at a better place.
    :param twins: Keys of recovered utterances that the webhook has brought since.
    :param only_ours: Keys of utterances that ASAPP's record does not have.
    :param streams: New ones, for who speaks and had none.
    """

    missing: list[Missing] = field(default_factory=list)
    moved: list[Missing] = field(default_factory=list)
    twins: list[str] = field(default_factory=list)
    only_ours: list[str] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Clocks:
    """:param ends: Whether ASAPP's moments are ends of utterances.
    :param offsets: ASAPP's clock minus ours, by when streams began: those of both speakers are
        opened at once. ``offset`` where they show nothing.
    """

    ends: bool
    began: Mapping[str, int]
    offsets: Mapping[int, float]
    offset: float
    tolerance: float

    def of(self, stream_id: str) -> float:
        return self.offsets.get(self.began.get(stream_id, 0), self.offset)

    def moment(self, held: Held) -> float:
        """When it was, on ASAPP's clock."""
        since = held.end_ms if self.ends else held.start_ms
        return self.began[held.stream_id] + since + self.of(held.stream_id)


def align(
    record: Iterable[Said],
    ours: Sequence[Held],
    streams: Sequence[Stream],
    settled: Collection[str] = (),
) -> Alignment:
    """:param record: With distinct ids.
    :param streams: Every one that ``ours`` names, and those on which nobody was heard.
    :param settled: Keys of what was recovered from a better clock than this record's, and stays.
    """
    said = sorted(record, key=lambda each: each.at_ms)
    ids = {each.id for each in said}
    by_id = {held.message_id: held for held in ours if held.message_id}
    webhook = [held for held in ours if not held.message_id]
    elsewhere = [held for held in ours if held.message_id and held.message_id not in ids]
    clocks = _clocks(said, webhook or elsewhere, streams)
    by_webhook = _match_each_run(said, webhook, streams, clocks)
    by_words = _match(said, elsewhere, _clocks(said, elsewhere, streams))

    alignment = Alignment()
    known: dict[int, Held] = {}
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
            known[at] = found[0]
    matched |= _said_twice(webhook, matched)
    alignment.only_ours = [held.key for held in ours if held.key not in matched]
    for at, placed in _places(said, known, streams, clocks, alignment.streams):
        held = recovered.get(at)
        if held is None:
            alignment.missing.append(placed)
        elif (held.stream_id, held.start_ms, held.end_ms) != placed.place:
            alignment.moved.append(replace(placed, key=held.key))
    return alignment


def plain(text: str) -> str:
    return " ".join(text.split())


def alike(one: str, other: str) -> bool:
    """Whether two texts differ in white space, case, punctuation and redaction only: a mark such as
    ``####``, ``[REDACTED]`` or ``<NAME>`` stands for any words."""
    one, other = _skeleton(one), _skeleton(other)
    if _MARK not in one + other:
        return one == other
    for mine, its in ((one[:1], other[:1]), (one[-1:], other[-1:])):
        if _MARK not in (mine, its) and mine != its:
            return False  # most pairs end here, before what takes the product of their lengths
    # reached[n]: the first n letters of `other` can be what `one`, so far, says.
    reached = [True, *(False for _ in other)]
    for at, letter in enumerate(other, 1):
        reached[at] = reached[at - 1] and letter == _MARK
    for own in one:
        before, reached = reached, [reached[0] and own == _MARK]
        for at, letter in enumerate(other, 1):
            covers = _MARK in (own, letter) and (before[at] or reached[at - 1])
            reached.append(covers or (before[at - 1] and own == letter))
    return reached[-1]


def _skeleton(text: str) -> str:
    marked = _REDACTED.sub(_MARK, text).casefold()
    return "".join(letter for letter in marked if letter == _MARK or letter.isalnum())


def _said_twice(webhook: Sequence[Held], matched: set[str]) -> set[str]:
    """Keys of what came both redacted and unredacted, where the record has one of the two."""
    by_time = defaultdict(list)
    for held in webhook:
        by_time[held.stream_id, held.start_ms, held.end_ms].append(held)
    return {
        held.key
        for same in by_time.values()
        for held in same
        if any(other.key in matched and alike(other.text, held.text) for other in same)
    }


def _roles_are_told(said: Sequence[Said]) -> bool:
    return all(each.role for each in said)


def _clocks(said: Sequence[Said], ours: Sequence[Held], streams: Sequence[Stream]) -> _Clocks:
    """Equal words of one speaker vote for the offset between their times: the true pairs agree, the
    others scatter. Of start and end, that is meant on which they agree better."""
    began = {stream.id: stream.began_at_ms for stream in streams}
    told = _roles_are_told(said)
    moments: dict[tuple[str, str], list[int]] = defaultdict(list)
    spoken: dict[tuple[str, str], list[Held]] = defaultdict(list)
    for each in said:
        moments[each.role if told else "", plain(each.text)].append(each.at_ms)
    for held in sorted(ours, key=lambda held: began[held.stream_id] + held.start_ms):
        spoken[held.role if told else "", plain(held.text)].append(held)
    pairs = [
        (held, at_ms, 1 / max(len(moments[words]), len(same)))
        for words, same in spoken.items()
        for held in same[:_VOTES_OF_A_TEXT]
        for at_ms in moments.get(words, ())[:_VOTES_OF_A_TEXT]
    ] or [
        (held, each.at_ms, 0.5)
        for held in ours[:_VOTES_OF_A_TEXT]
        for each in said[:_VOTES_OF_A_TEXT]
        if each.role in ("", held.role) and alike(held.text, each.text)
    ]
    best, agreed = _Clocks(False, began, {}, 0.0, _MOST_TOLERANCE_MS), 0.0
    for ends in (False, True):
        votes: dict[int, list[tuple[float, float]]] = defaultdict(list)
        for held, at_ms, weight in pairs:
            since = held.end_ms if ends else held.start_ms
            opened = began[held.stream_id]
            votes[opened].append((at_ms - opened - since, weight))
        agreement, offset = _vote([vote for given in votes.values() for vote in given], 0.0)
        offsets: dict[int, float] = {}
        residuals: list[float] = []
        for opened, given in votes.items():
            close = [vote for vote in given if abs(vote[0] - offset) <= _OPENINGS_DIFFER_MS]
            if close:
                won, offsets[opened] = _vote(close, offset)
                agreement += won
                sure = (vote[0] for vote in close if vote[1] == 1)
                residuals += [abs(difference - offsets[opened]) for difference in sure]
        if agreement > agreed:
            spread = 6 * median(residuals) if residuals else _OPENINGS_DIFFER_MS
            tolerance = min(max(spread, _LEAST_TOLERANCE_MS), _MOST_TOLERANCE_MS)
            best, agreed = _Clocks(ends, began, offsets, offset, tolerance), agreement
    return best


def _vote(votes: Sequence[tuple[float, float]], expected: float) -> tuple[float, float]:
    """The offset around which most weight lies, of equals the one nearest to what is expected; with
    how much that is. What is expected adds to what is near, and one sure pair outweighs it."""
    ordered = sorted([*votes, (expected, _WEIGHT_OF_EXPECTED)])
    weights = [0.0, *accumulate(weight for _, weight in ordered)]
    sums = [0.0, *accumulate(weight * offset for offset, weight in ordered)]
    best = (0.0, -math.inf, 0.0)
    first = middle = last = 0
    for centre, _ in sorted(votes):
        while ordered[first][0] < centre - _WINDOW_MS:
            first += 1
        while middle < len(ordered) and ordered[middle][0] <= centre:
            middle += 1
        while last < len(ordered) and ordered[last][0] <= centre + _WINDOW_MS:
            last += 1
        below = centre * (weights[middle] - weights[first]) - (sums[middle] - sums[first])
        above = sums[last] - sums[middle] - centre * (weights[last] - weights[middle])
        agreed = weights[last] - weights[first] - (below + above) / _WINDOW_MS
        best = max(best, (round(agreed, 6), -abs(centre - expected), centre))
    return best[0], best[2]


def _match(said: Sequence[Said], ours: Sequence[Held], clocks: _Clocks) -> dict[int, Held]:
    """The same words by the same speaker at one time, then alike words; by index of ``said``."""
    groups: dict[tuple[str, str], tuple[list[int], list[Held]]] = defaultdict(lambda: ([], []))
    told = _roles_are_told(said)
    for at, each in enumerate(said):
        groups[each.role if told else "", plain(each.text)][0].append(at)
    for held in sorted(ours, key=clocks.moment):
        groups[held.role if told else "", plain(held.text)][1].append(held)
    matched: dict[int, Held] = {}
    for indexes, same in groups.values():
        if indexes and same:
            moments = [float(said[at].at_ms) for at in indexes]
            pairs = _nearest(moments, [clocks.moment(held) for held in same], clocks.tolerance)
            matched |= {indexes[own]: same[other] for own, other in pairs}
    taken = {held.key for held in matched.values()}
    left = sorted((clocks.moment(held), held.key, held) for held in ours if held.key not in taken)
    moments = [moment for moment, _, _ in left]
    close = []
    for at, each in enumerate(said):
        start = (
            bisect_left(moments, each.at_ms - clocks.tolerance) if at not in matched else len(left)
        )
        for moment, key, held in left[start:]:
            if moment > each.at_ms + clocks.tolerance:
                break
            if each.role in ("", held.role) and alike(held.text, each.text):
                close.append((abs(moment - each.at_ms), at, key, held))
    for _, at, key, held in sorted(close, key=lambda found: found[:3]):
        if at not in matched and key not in taken:
            matched[at] = held
            taken.add(key)
    return matched


def _match_each_run(
    said: Sequence[Said], ours: Sequence[Held], streams: Sequence[Stream], clocks: _Clocks
) -> dict[int, Held]:
    """A stream that survives a hold counts its audio, and so has another offset after each hold:
    what is left is matched by a clock of its own, where several agree on one."""
    matched = _match(said, ours, clocks)
    while True:
        left = [at for at in range(len(said)) if at not in matched]
        taken = {held.key for held in matched.values()}
        rest = [held for held in ours if held.key not in taken]
        if min(len(left), len(rest)) < _FEWEST_OF_A_RUN:
            return matched
        part = [said[at] for at in left]
        more = _match(part, rest, _clocks(part, rest, streams))
        if len(more) < _FEWEST_OF_A_RUN:
            return matched
        matched |= {left[at]: held for at, held in more.items()}


def _nearest(
    one: Sequence[float], other: Sequence[float], tolerance: float
) -> list[tuple[int, int]]:
    """As many pairs as can be within the tolerance, in order, and of those the nearest.

    :param one: In order; ``other`` likewise.
    """
    a_pair = tolerance * (len(one) + 1)  # is worth more than any nearness
    row = [0.0] * (len(other) + 1)
    choices = []
    for moment in one:
        before, row, choice = row, [0.0], bytearray(len(other) + 1)
        for at, each in enumerate(other, 1):
            apart = abs(moment - each)
            paired = before[at - 1] + a_pair - apart if apart <= tolerance else -1.0
            best = max(paired, before[at], row[at - 1])
            choice[at] = 0 if best == paired else 1 if best == before[at] else 2
            row.append(best)
        choices.append(choice)
    pairs = []
    own, at = len(one), len(other)
    while own and at:
        step = choices[own - 1][at]
        if step == 0:
            pairs.append((own - 1, at - 1))
        own -= step != 2
        at -= step != 1
    return pairs


def _places(
    said: Sequence[Said],
    known: Mapping[int, Held],
    streams: Sequence[Stream],
    clocks: _Clocks,
    new_streams: list[Stream],
) -> Iterator[tuple[int, Missing]]:
    """For what is not known the stream of its speaker, and a time that sorts it to its place among
    its neighbours in ASAPP's record. It follows from what is known alone: again, it is the same."""
    by_role: dict[str, list[Stream]] = defaultdict(list)
    for stream in sorted(streams, key=lambda stream: stream.began_at_ms + clocks.of(stream.id)):
        by_role[stream.role].append(stream)
    paces = [(held.end_ms - held.start_ms) / len(held.text) for held in known.values() if held.text]
    pace = median(paces) if paces else _MS_A_CHARACTER
    next_known = _next(said, known, same_role=False)
    next_own = _next(said, known, same_role=True)
    began = dict(clocks.began)
    spans: list[tuple[float, float]] = []
    last_own: dict[str, tuple[str, float]] = {}
    for at, each in enumerate(said):
        held = known.get(at)
        role = held.role if held else each.role or UNKNOWN
        if held is None:
            own = by_role[role]
            length = max(len(each.text) * pace, 1.0)
            if not own:
                earliest = min((stream.began_at_ms for stream in streams), default=each.at_ms)
                first = min(earliest, int(each.at_ms - clocks.offset - length))
                own.append(Stream(f"recovered-{role}", role, first))
                new_streams += own
                began[own[0].id] = first
            before, follows = last_own.get(role), next_own[at]
            between = (before[0] if before else "", follows.stream_id if follows else "")
            stream_id = _stream_of(each, own, between, clocks)
            moment = each.at_ms - clocks.of(stream_id)
            after = next_known[at]
            if clocks.ends:
                end = max(moment, spans[-1][1]) if spans else moment
                if after:
                    end = min(end, max(began[after.stream_id] + after.end_ms, moment - _SLACK_MS))
                start = _start(end, length, spans, before[1] if before else 0.0)
            else:
                start = max(moment, spans[-1][0] + 1) if spans else moment
                if after and start >= began[after.stream_id] + after.start_ms:
                    start = began[after.stream_id] + after.start_ms - 1
                end = start + length
                if follows:
                    turn = began[follows.stream_id] + follows.start_ms
                    end = turn if start < turn < end else end
            start_ms = max(round(start - began[stream_id]), 0)
            end_ms = max(round(end - began[stream_id]), start_ms)
            yield at, Missing(each, role, stream_id, start_ms, end_ms)
        else:
            stream_id, start_ms, end_ms = held.stream_id, held.start_ms, held.end_ms
        spans.append((began[stream_id] + start_ms, began[stream_id] + end_ms))
        last_own[role] = (stream_id, spans[-1][1])


def _next(said: Sequence[Said], known: Mapping[int, Held], *, same_role: bool) -> list[Held | None]:
    """For each of ``said`` the first after it that is known."""
    found: list[Held | None] = []
    follows: dict[str, Held] = {}
    for at in range(len(said) - 1, -1, -1):
        found.append(follows.get(said[at].role if same_role else ""))
        if held := known.get(at):
            follows[held.role if same_role else ""] = held
    return found[::-1]


def _stream_of(each: Said, own: Sequence[Stream], between: tuple[str, str], clocks: _Clocks) -> str:
    """The last stream of the speaker that had begun, of those between the speaker's neighbours."""
    ids = [stream.id for stream in own]
    first, last = (
        ids.index(stream_id) if stream_id in ids else default
        for stream_id, default in zip(between, (0, len(own) - 1), strict=True)
    )
    for stream in own[max(first, last) : first : -1]:
        if stream.began_at_ms + clocks.of(stream.id) <= each.at_ms + _SLACK_MS:
            return stream.id
    return ids[first]


def _start(
    end: float, length: float, spans: Sequence[tuple[float, float]], own_turn: float
) -> float:
    """Where an utterance began that ended then: after the speaker's turn before, and after the
    other's as well, unless it is too long for that; then the other spoke meanwhile."""
    turns = [until for _, until in spans[-_NEIGHBOURS:] if end - until >= length / 2]
    floor = max([own_turn, *turns])
    return min(max(end - length, floor), end)
