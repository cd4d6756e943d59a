"""What the webhook lost is found in ASAPP's record, once, and stands where it was said."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile_transcript.alignment import Alignment, align, clock_offset
from reconcile_transcript.alignment.clock_offset import ClockOffset
from reconcile_transcript.alignment.matching import nearest_pairs
from reconcile_transcript.alignment.placement import place
from reconcile_transcript.alignment.redaction import alike, pattern
from reconcile_transcript.alignment.utterances import UNKNOWN, Held, Said

BEGAN_MS = 1_760_000_000_000
TEXTS = (
    *("Yes.", "Yes.", "No.", "Okay.", "Mhm.", "Thank you.", "One moment, please."),
    "My number is four two four two, and the name on the account is Lovelace.",
    "I can see two orders here, which of them is it about?",
)


@dataclass(frozen=True)
class Turn:
    """What was said: ``start_ms`` from the beginning of the call."""

    number: int
    role: str
    text: str
    start_ms: int
    end_ms: int


@dataclass
class Call:
    """A call, what ASAPP has of it and what we hold.

    :param skew_ms: ASAPP's clock minus ours.
    :param breaks_ms: When transcription was resumed; each time both speakers get new streams.
    :param ends: Whether ASAPP's moments are ends.
    :param errors_ms: By role and number of the opening, how wrong our time of it is.
    """

    turns: Sequence[Turn]
    skew_ms: int = 0
    breaks_ms: tuple[int, ...] = ()
    ends: bool = False
    held: list[Held] = field(default_factory=list)
    errors_ms: dict[tuple[str, int], int] = field(default_factory=dict)

    def heard(self, turn: Turn) -> Held:
        """As the webhook brings it."""
        at = sum(1 for each in self.breaks_ms if each <= turn.start_ms)
        error = self.errors_ms.get((turn.role, at), 0)
        return Held(
            key=f"utterance#{turn.number}",
            role=turn.role,
            start_ms=BEGAN_MS + turn.start_ms + error,
            end_ms=BEGAN_MS + turn.end_ms + error,
            text=turn.text,
            opened_ms=BEGAN_MS + (0, *self.breaks_ms)[at] + error,
        )

    def post(self, *numbers: int) -> None:
        """The webhook brings these, if they are not there already."""
        have = {held.key for held in self.held}
        new = [self.heard(turn) for turn in self.turns if turn.number in numbers]
        self.held += [held for held in new if held.key not in have]

    def lose(self, *numbers: int) -> None:
        """The webhook brings all but these."""
        self.post(*({turn.number for turn in self.turns} - set(numbers)))

    def record(self) -> list[Said]:
        moments = [turn.end_ms if self.ends else turn.start_ms for turn in self.turns]
        said = [
            Said(
                id=f"message-{turn.number}",
                role=turn.role,
                sender_id=f"id of {turn.role}",
                text=turn.text,
                at_ms=BEGAN_MS + self.skew_ms + moment,
                message="{}",
            )
            for turn, moment in zip(self.turns, moments, strict=True)
        ]
        return sorted(said, key=lambda each: each.at_ms)

    def reconcile(
        self, record: Sequence[Said] | None = None, settled: Collection[str] = ()
    ) -> Alignment:
        """Do what the alignment says, as the table would."""
        given = self.record() if record is None else record
        alignment = align(given, self.held, settled)
        gone = {*alignment.twins, *(each.key for each in alignment.moved)}
        self.held = [held for held in self.held if held.key not in gone]
        self.held += [
            Held(
                key=f"utterance#messages#{each.said.id}",
                role=each.role,
                start_ms=each.start_ms,
                end_ms=each.end_ms,
                text=each.said.text,
                message_id=each.said.id,
            )
            for each in (*alignment.missing, *alignment.moved)
        ]
        return alignment

    def transcript(self) -> list[tuple[str, str]]:
        """Who said what, as a reader of the table gets it."""
        ordered = sorted(self.held, key=lambda held: (held.start_ms, held.end_ms, held.key))
        return [(held.role, held.text) for held in ordered]

    def said(self) -> list[tuple[str, str]]:
        turns = sorted(self.turns, key=lambda turn: turn.start_ms)
        return [(turn.role, turn.text) for turn in turns]


def turns(*said: tuple[str, str, int, int]) -> list[Turn]:
    roles = {"c": "customer", "a": "agent"}
    return [
        Turn(at, roles[who], text, start, end) for at, (who, text, start, end) in enumerate(said)
    ]


def five_times_yes(every_ms: int = 20_000) -> list[Turn]:
    said: list[tuple[str, str, int, int]] = []
    for at in range(5):
        begin = every_ms * at
        said.append(("a", f"Question number {at}, is that right?", begin, begin + 3_000))
        said.append(("c", "Yes.", begin + 3_200, begin + 3_700))
    return turns(*said)


@pytest.mark.parametrize("ends", [False, True], ids=["start", "end"])
@pytest.mark.parametrize("skew_ms", [0, 1_700, -640, 86_400_000])
@pytest.mark.parametrize("lost", range(1, 10, 2))
def test_of_five_times_yes_the_lost_one_comes_back_where_it_was(
    lost: int, skew_ms: int, ends: bool
) -> None:
    call = Call(five_times_yes(), skew_ms, ends=ends)
    call.lose(lost)
    alignment = call.reconcile()
    assert [each.said.id for each in alignment.missing] == [f"message-{lost}"]
    assert call.transcript() == call.said()
    assert abs(alignment.missing[0].end_ms - BEGAN_MS - call.turns[lost].end_ms) < 700
    assert alignment.only_ours == alignment.twins == []


def test_where_nothing_but_yes_was_said_the_lost_ones_come_back_all_the_same() -> None:
    call = Call(turns(*(("c", "Yes.", at * at * 700, at * at * 700 + 400) for at in range(12))), 90)
    call.lose(4, 5, 9)
    alignment = call.reconcile()
    assert {each.said.id for each in alignment.missing} == {f"message-{at}" for at in (4, 5, 9)}


@pytest.mark.parametrize("every_ms", [8_000, 60_000])
def test_a_yes_of_ours_does_not_hide_one_that_was_lost_later(every_ms: int) -> None:
    call = Call(five_times_yes(every_ms))
    call.lose(3, 5, 7, 9)
    record = [said for said in call.record() if said.id != "message-1"]
    alignment = call.reconcile(record)
    assert [each.said.id for each in alignment.missing] == [f"message-{at}" for at in (3, 5, 7, 9)]
    assert alignment.only_ours == ["utterance#1"]


def test_nothing_is_missing_twice_and_the_webhooks_own_wins_when_it_comes_late() -> None:
    call = Call(five_times_yes(), skew_ms=-300)
    call.lose(0, 1, 3, 8)
    assert len(call.reconcile().missing) == 4
    before = list(call.held)
    assert call.reconcile() == Alignment()
    assert call.held == before
    call.post(1, 8)
    alignment = call.reconcile()
    assert sorted(alignment.twins) == [
        "utterance#messages#message-1",
        "utterance#messages#message-8",
    ]
    assert alignment.missing == []
    assert call.transcript() == call.said()
    assert call.reconcile() == Alignment()


REDACTED = [
    ("My PIN is ####.", "My PIN is 4242."),
    ("My PIN is 4 2 4 2.", "My PIN is [REDACTED]."),
    ("I am <NAME>, born on ****", "I am {first_name}, born on ________"),
    ("  two\t spaces\u00a0here ", "two spaces here"),
    ("every one has ##", "everyone has 12"),
    ("####", "four two four two"),
    ("Call XXX-XXX-1234", "call 555 010 1234"),
]
DIFFERENT = [
    ("My PIN is ####.", "My card is 4242."),
    ("Yes.", "No."),
    ("", "Yes."),
    ("My PIN is #### now", "My PIN is 4242"),
    ("#### aba #### ba ####", "aba"),
    ("aba #### ba", "aba"),
]


@pytest.mark.parametrize(("one", "other"), REDACTED)
def test_texts_that_differ_in_redaction_or_white_space_are_alike(one: str, other: str) -> None:
    assert alike(pattern(one), pattern(other))
    assert alike(pattern(other), pattern(one))
    call = Call(turns(("a", "Go on, please.", 0, 900), ("c", one, 1_000, 3_000)))
    call.lose()
    record = [replace(said, text=other) if said.text == one else said for said in call.record()]
    assert call.reconcile(record) == Alignment()


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_other_words_are_not_alike(one: str, other: str) -> None:
    assert not alike(pattern(one), pattern(other))
    assert not alike(pattern(other), pattern(one))


def test_what_is_exactly_the_same_is_matched_before_what_is_alike() -> None:
    said = turns(("c", "####", 0, 900), ("c", "4242", 1_000, 1_900), ("a", "Good.", 2_000, 2_500))
    call = Call(said)
    call.lose(0)
    assert [each.said.id for each in call.reconcile().missing] == ["message-0"]


def test_what_somebody_else_said_is_not_the_same_however_it_is_redacted() -> None:
    call = Call(turns(("c", "My PIN is 4242.", 0, 900), ("a", "Go on, please.", 5_000, 5_900)))
    call.lose()
    record = [
        replace(said, role="agent", text="My PIN is ####.") if said.role == "customer" else said
        for said in call.record()
    ]
    alignment = call.reconcile(record)
    assert [each.role for each in alignment.missing] == ["agent"]
    assert alignment.only_ours == ["utterance#0"]


def test_redacted_and_unredacted_are_one_utterance() -> None:
    call = Call(five_times_yes())
    call.lose()
    call.held += [replace(held, key=f"{held.key}#again") for held in call.held]
    call.held[0] = replace(call.held[0], text="Question number ####, is that right?")
    assert call.reconcile() == Alignment()


def test_what_asapp_does_not_have_is_only_ours() -> None:
    call = Call(five_times_yes())
    call.lose()
    alignment = call.reconcile([said for said in call.record() if said.id != "message-4"])
    assert alignment == Alignment(only_ours=["utterance#4"])


def test_equal_timestamps_keep_the_records_order() -> None:
    said = [
        ("ac"[at % 2], f"Words of number {at}.", at // 4 * 2_000, at * 500 + 400)
        for at in range(20)
    ]
    call = Call(turns(*said))
    call.lose(5, 6, 13)
    call.reconcile()
    by_time = sorted(call.transcript(), key=lambda spoken: int(spoken[1].split()[-1][:-1]) // 4)
    assert call.transcript() == by_time
    assert sorted(call.transcript()) == sorted(call.said())


def test_who_was_lost_altogether_stands_in_order() -> None:
    call = Call(five_times_yes(), skew_ms=400)
    call.lose(*range(1, 10, 2))
    assert {each.role for each in call.reconcile().missing} == {"customer"}
    assert call.transcript() == call.said()
    assert call.reconcile() == Alignment()


def test_a_call_of_which_nothing_came_is_recovered_whole_at_the_pace_of_speech() -> None:
    call = Call(five_times_yes())
    missing = call.reconcile().missing
    assert len(missing) == 10
    assert call.transcript() == call.said()
    assert [each.start_ms - BEGAN_MS for each in missing] == [turn.start_ms for turn in call.turns]
    # 150 words a minute, at six characters a word and its space.
    assert {(each.end_ms - each.start_ms) // len(each.said.text) for each in missing} == {60}


def test_after_a_hold_what_was_lost_stands_where_it_was_said() -> None:
    every = five_times_yes()
    call = Call(every, skew_ms=250, breaks_ms=(40_000, 80_000))
    call.lose(2, 3, 4, 9)
    missing = {each.said.id: each.start_ms - BEGAN_MS for each in call.reconcile().missing}
    assert missing == {f"message-{at}": every[at].start_ms for at in (2, 3, 4, 9)}
    assert call.transcript() == call.said()


@pytest.mark.parametrize("hold_ms", [5_000, 60_000, 300_000])
def test_a_stream_that_survives_a_hold_and_counts_its_audio_is_aligned_on_both_sides(
    hold_ms: int,
) -> None:
    """ASAPP does not say whether a stream's id and its clock go on after a stop."""
    lines = [
        Turn(n, ("customer", "agent")[n % 2], f"line {n}", 2_000 * n, 2_000 * n + 900)
        for n in range(36)
    ]
    call = Call(lines)
    call.post(*range(36))
    said = [
        replace(each, at_ms=each.at_ms + (hold_ms if int(each.id.split("-")[1]) >= 20 else 0))
        for each in call.record()
    ]
    alignment = call.reconcile(said)
    assert (alignment.missing, alignment.only_ours) == ([], [])
    lost = Call(lines)
    lost.lose(5, 22, 30)
    assert [each.said.text for each in lost.reconcile(said).missing] == [
        "line 5",
        "line 22",
        "line 30",
    ]


def test_streams_whose_starts_we_know_badly_are_aligned_one_by_one() -> None:
    errors = {("agent", 0): 900, ("customer", 0): 900, ("agent", 1): -4_000}
    call = Call(five_times_yes(), skew_ms=250, breaks_ms=(40_000,), errors_ms=errors)
    call.lose(1, 6)
    missing = {each.said.id: each.start_ms - BEGAN_MS for each in call.reconcile().missing}
    # The first is as late as what was said around it; the second stands between two of the
    # customer's, whose stream we know well.
    assert missing == {"message-1": 4_100, "message-6": 60_000}


def test_a_record_that_does_not_say_who_spoke_is_aligned_by_words() -> None:
    call = Call(five_times_yes(), ends=True)
    call.lose(4, 7)
    record = [replace(said, role="") for said in call.record()]
    alignment = call.reconcile(record)
    assert {each.said.id for each in alignment.missing} == {"message-4", "message-7"}
    assert {each.role for each in alignment.missing} == {UNKNOWN}
    assert [text for _, text in call.transcript()] == [text for _, text in call.said()]
    assert call.reconcile(record) == Alignment()


def test_a_record_in_whole_seconds_moves_nothing_that_a_better_one_has_placed() -> None:
    lines = [
        Turn(n, ("customer", "agent")[n % 2], f"line {n}", 300 * n, 300 * n + 250)
        for n in range(40)
    ]
    call = Call(lines)
    call.lose(7, 8, 9, 10)
    call.reconcile()
    placed = call.transcript()
    assert placed == [(turn.role, turn.text) for turn in lines]
    coarse = [replace(said, at_ms=said.at_ms // 1000 * 1000) for said in call.record()]
    settled = {held.key for held in call.held if held.message_id}
    assert len(settled) == 4
    assert call.reconcile(coarse, settled).moved == []
    assert call.transcript() == placed
    assert call.reconcile(coarse).moved != []  # it would


def test_a_second_record_with_other_ids_adds_nothing() -> None:
    call = Call(five_times_yes(), skew_ms=77)
    call.lose(1, 2, 8)
    call.reconcile()
    record = [replace(said, id=f"feed-{said.id}") for said in call.record()]
    assert call.reconcile(record) == Alignment()
    call.post(2)
    assert call.reconcile(record).twins == ["utterance#messages#message-2"]


def a_call(chance: random.Random, length: int = 60) -> Call:
    """People who take turns, interrupt one another, and say the same again and again."""
    ends = chance.random() < 0.5
    at_ms, said = 0, []
    free = {"customer": 0, "agent": 0}
    for number in range(length):
        role = chance.choice(("customer", "agent"))
        text = chance.choice(TEXTS)
        if chance.random() < 0.4:
            text = f"{text} {number}"
        start = max(at_ms, free[role])
        end = start + int(max(len(text), 4) * 60 * chance.uniform(0.8, 1.2))
        said.append(Turn(number, role, text, start, end))
        free[role] = end + 20
        # With moments of ends alone nobody could tell who began when while both spoke.
        at_ms = end if ends else start + int((end - start) * chance.uniform(0.3, 1))
        at_ms += chance.randint(30, 2_500)
    breaks = tuple(
        at_ms
        for at_ms in sorted({chance.randrange(1, said[-1].start_ms) for _ in range(2)})
        if not any(turn.start_ms <= at_ms <= turn.end_ms for turn in said)
    )
    return Call(said, chance.randint(-5_000, 5_000), breaks, ends)


def delivered(call: Call, chance: random.Random, drop: float = 0.1) -> list[Turn]:
    """What arrives: some never, some twice, in an order shuffled over 30 s."""
    arrivals = [
        (turn.end_ms + chance.uniform(0, 30_000), turn)
        for turn in call.turns
        if chance.random() >= drop
        for _ in range(1 + (chance.random() < 0.1))
    ]
    return [turn for _, turn in sorted(arrivals, key=lambda arrival: arrival[0])]


def check(call: Call, arrived: Sequence[Turn], late: Sequence[int]) -> None:
    """Reconciled twice, and again after late messages, the call is what was said."""
    lost = {turn.number for turn in call.turns} - {turn.number for turn in arrived}
    for turn in arrived:
        call.post(turn.number)
    first = call.reconcile()
    assert {each.said.id for each in first.missing} == {f"message-{number}" for number in lost}
    assert (first.only_ours, first.twins) == ([], [])
    assert call.transcript() == call.said()
    assert call.reconcile() == Alignment()
    call.post(*late)
    twins = {f"utterance#messages#message-{number}" for number in set(late) & lost}
    assert set(call.reconcile().twins) == twins
    assert call.transcript() == call.said()
    assert sum(1 for held in call.held if held.message_id) == len(lost) - len(twins)
    assert call.reconcile() == Alignment()


def test_calls_of_which_a_tenth_is_lost_are_what_was_said() -> None:
    for seed in range(20):
        chance = random.Random(seed)  # noqa: S311
        call = a_call(chance)
        arrived = delivered(call, chance)
        check(call, arrived, [turn.number for turn in call.turns if chance.random() < 0.05])


def check_words(call: Call, arrived: Sequence[Turn], late: Sequence[int]) -> None:
    """As :func:`check`, where so little has arrived that nobody could tell which 'Yes.' it was:
    each word is there, and once."""
    for turn in arrived:
        call.post(turn.number)
    for numbers in ((), late):
        call.post(*numbers)
        assert call.reconcile().only_ours == []
        assert sorted(call.transcript()) == sorted(call.said())
        assert call.reconcile() == Alignment()


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32),
    length=st.integers(2, 40),
    drop=st.sampled_from([0.0, 0.1, 0.4, 0.9, 1.0]),
    late=st.lists(st.integers(0, 39), max_size=8),
)
def test_whatever_is_lost_doubled_and_late_the_call_is_what_was_said(
    seed: int, length: int, drop: float, late: list[int]
) -> None:
    chance = random.Random(seed)  # noqa: S311
    call = a_call(chance, length)
    judged = check if drop <= 0.1 else check_words
    judged(call, delivered(call, chance, drop), late)


def test_300_utterances_most_of_them_yes_are_what_was_said() -> None:
    chance = random.Random(1)  # noqa: S311
    call = a_call(chance, 300)
    check(call, delivered(call, chance), [])


def only_yes(every_ms: Callable[[int], int], count: int) -> Call:
    return Call(turns(*(("c", "Yes.", every_ms(at), every_ms(at) + 400) for at in range(count))))


def test_where_nothing_but_yes_was_said_and_the_first_were_lost_the_times_tell_which() -> None:
    call = only_yes(lambda at: at * at * 3_000, 12)
    call.skew_ms = 1_234
    call.lose(0, 1, 2, 3)
    missing = {each.said.id: each.start_ms - BEGAN_MS for each in call.reconcile().missing}
    assert missing == {f"message-{at}": at * at * 3_000 for at in range(4)}


def test_what_is_said_again_and_again_has_few_votes() -> None:
    call = only_yes(lambda at: at * 3_000, 300)
    call.lose()
    assert len(clock_offset._equal_words(call.record(), call.held)) <= 1_000


@pytest.mark.parametrize("apart_ms", [0, 4_000, 7_000])
def test_moments_that_are_imprecise_by_seconds_lose_and_double_nothing(apart_ms: int) -> None:
    """ASAPP does not say how precise its timestamps are."""
    chance = random.Random(3)  # noqa: S311
    said = [
        ("ca"[at % 2], f"Words of number {at}.", at * 5_000, at * 5_000 + 2_000) for at in range(40)
    ]
    call = Call(turns(*said))
    call.lose(5, 17)
    record = [
        replace(each, at_ms=each.at_ms + chance.randint(-apart_ms, apart_ms))
        for each in call.record()
    ]
    alignment = call.reconcile(record)
    assert {each.said.id for each in alignment.missing} == {"message-5", "message-17"}
    assert alignment.only_ours == []


@pytest.mark.parametrize(("apart_ms", "same"), [(2_900, True), (3_100, False)])
def test_equal_words_that_are_three_seconds_apart_are_two_utterances(
    apart_ms: int, same: bool
) -> None:
    """Where all that was said once agrees on the offset."""
    said = [("a", f"Words of number {at}.", at * 20_000, at * 20_000 + 2_000) for at in range(8)]
    call = Call(turns(*said, ("c", "Yes.", 47_000, 47_400), ("c", "Yes.", 110_000, 110_400)))
    call.lose(9)
    record = [
        replace(each, at_ms=each.at_ms + (apart_ms if each.id == "message-8" else 0))
        for each in call.record()
        if each.id != "message-9"
    ]
    assert bool(call.reconcile([*record, yes_at(110_000)]).only_ours) is not same


def yes_at(ms: int) -> Said:
    return Said("message-9", "customer", "", "Yes.", BEGAN_MS + ms, "{}")


@pytest.mark.parametrize(("run", "is_one"), [(2, False), (3, True)])
def test_three_utterances_after_a_hold_are_a_run_with_an_offset_of_its_own(
    run: int, is_one: bool
) -> None:
    said = [("c", f"line {at}", 2_000 * at, 2_000 * at + 900) for at in range(20)]
    call = Call(turns(*said))
    call.lose()
    record = [
        replace(each, at_ms=each.at_ms + (60_000 if int(each.id[8:]) >= 20 - run else 0))
        for each in call.record()
    ]
    assert (call.reconcile(record).missing == []) is is_one


@pytest.mark.parametrize(("error_ms", "is_one"), [(14_000, True), (16_000, False)])
def test_an_opening_is_at_most_15_seconds_off(error_ms: int, is_one: bool) -> None:
    """Two utterances of it are too few for a run."""
    said = [("c", f"line {at}", 2_000 * at, 2_000 * at + 900) for at in range(20)]
    errors = {("customer", 1): -error_ms}
    call = Call(turns(*said), breaks_ms=(35_500,), errors_ms=errors)
    call.lose()
    assert (call.reconcile().missing == []) is is_one


def test_votes_for_offsets_that_are_near_support_one_another() -> None:
    """Five that agree within two seconds outvote three that agree better and are wrong."""
    votes = [(float(ms), 1.0) for ms in (40_000, 40_600, 41_200, 41_800, 42_400)]
    wrong = [(90_000.0 + ms, 1.0) for ms in (0, 10, 20)]
    assert clock_offset._vote([*votes, *wrong], 0.0)[1] == 41_200
    assert clock_offset._vote([*votes[:2], *wrong], 0.0)[1] == 90_010


def test_votes_that_are_over_two_seconds_apart_do_not_support_one_another() -> None:
    apart = [(40_000.0, 1.0), (43_000.0, 1.0)]
    near = [(90_000.0, 0.6), (90_500.0, 0.6)]
    assert clock_offset._vote([*apart, *near], 0.0)[1] >= 90_000


def test_what_is_expected_outweighs_what_was_said_twice_and_not_what_was_said_once() -> None:
    assert clock_offset._vote([(0.0, 0.5), (9_000.0, 0.5), (9_000.0, 0.45)], 0.0)[1] == 0.0
    assert clock_offset._vote([(0.0, 0.05), (9_000.0, 1.0)], 0.0)[1] == 9_000.0


def test_words_that_only_redaction_tells_apart_vote_where_no_words_are_equal() -> None:
    said = [("c", f"My number is {at}.", at * 9_000, at * 9_000 + 900) for at in range(4)]
    call = Call(turns(*said), skew_ms=40_000)
    call.lose(3)
    record = [replace(each, text="My number is ####.") for each in call.record()]
    alignment = call.reconcile(record)
    assert [each.said.id for each in alignment.missing] == ["message-3"]
    assert alignment.only_ours == []


def test_while_the_other_one_speaks_an_utterance_begins_before_he_ends() -> None:
    """With ends alone: what would have less than half of its length began while the other spoke."""
    long = "This is what the agent says for a long time, while the customer agrees to all of it."
    call = Call(
        turns(
            ("c", "Hello, this is a call.", 0, 1_320),
            ("c", "Mhm.", 9_000, 9_240),
            ("a", long, 5_000, 10_040),
            ("c", "Thank you, that is all.", 11_000, 12_380),
        ),
        ends=True,
    )
    call.lose(2)
    call.reconcile()
    assert call.transcript() == call.said()


def test_an_utterance_begins_after_its_speaker_has_ended() -> None:
    call = Call(
        turns(
            ("c", "x" * 100, 0, 6_000), ("c", "y" * 100, 6_500, 7_000), ("a", "Hm.", 9_000, 9_180)
        ),
        ends=True,
    )
    call.lose(1)
    (missing,) = call.reconcile().missing
    assert (missing.start_ms - BEGAN_MS, missing.end_ms - BEGAN_MS) == (6_000, 7_000)


def test_an_utterance_ends_before_its_speaker_begins_again() -> None:
    call = Call(
        turns(("c", "x" * 100, 0, 6_000), ("c", "y" * 50, 7_000, 8_000), ("c", "z", 9_000, 9_060))
    )
    call.lose(1)
    (missing,) = call.reconcile().missing
    assert (missing.start_ms - BEGAN_MS, missing.end_ms - BEGAN_MS) == (7_000, 9_000)


def placed(
    said_ms: Sequence[int],
    anchors: dict[int, tuple[int, int]],
    *,
    is_of_ends: bool = False,
    texts: Sequence[str] = (),
) -> dict[int, tuple[int, int]]:
    """Where :func:`place` puts what is no anchor; the agent says the odd ones."""
    roles = [("customer", "agent")[at % 2] for at in range(len(said_ms))]
    said = [
        Said(str(at), roles[at], "", texts[at] if texts else "x", at_ms, "{}")
        for at, at_ms in enumerate(said_ms)
    ]
    held = {at: Held(str(at), roles[at], *anchors[at], said[at].text) for at in anchors}
    return place(said, held, ClockOffset(is_of_ends, {}, 0.0, 3_000))


def test_the_nearer_of_two_anchors_tells_the_offset() -> None:
    anchors = {0: (1_000, 1_060), 2: (5_000, 5_060)}
    assert placed([0, 900, 1_000], anchors)[1][0] == 4_900
    assert placed([0, 100, 1_000], anchors)[1][0] == 1_100


def test_an_utterance_begins_between_its_neighbours_in_the_record() -> None:
    """A record in whole seconds gives several the same moment."""
    assert placed([1_000, 1_000, 1_000], {0: (1_000, 1_060), 2: (1_500, 1_560)})[1][0] == 1_001
    assert placed([0, 1_000, 1_000], {0: (1_000, 1_060), 2: (1_500, 1_560)})[1][0] == 1_499
    assert [each[0] for each in placed([7, 7, 7], {0: (1_000, 1_060)}).values()] == [1_001, 1_002]


def test_an_utterance_ends_between_its_neighbours_in_the_record() -> None:
    anchors = {0: (9_000, 10_000), 2: (10_001, 10_005)}
    assert placed([0, 100, 110], anchors, is_of_ends=True)[1][1] == 10_000
    assert placed([0, 5, 110], anchors, is_of_ends=True)[1][1] == 10_005


@pytest.mark.parametrize(("other_ended", "began"), [(16_900, 16_900), (17_100, 14_000)])
def test_who_would_have_less_than_half_of_his_time_began_while_the_other_spoke(
    other_ended: int, began: int
) -> None:
    hello = other_ended - 600
    anchors = {0: (hello, other_ended), 2: (21_000, 21_600)}
    texts = ["x" * 10, "y" * 100, "z" * 10]
    at = placed([other_ended, 20_000, 21_600], anchors, is_of_ends=True, texts=texts)
    assert at == {1: (began, 20_000)}


letters = st.text("ab", max_size=4)
redacted = st.lists(letters | st.just("####"), max_size=4).map(" ".join)


def could_be(one: str, other: str) -> bool:
    """What `alike` says, the slow way: letter by letter, with a mark for any."""
    mine, its = (
        "".join("*" if part == "####" else part for part in text.split()) for text in (one, other)
    )

    @cache
    def at(own: int, theirs: int) -> bool:
        if own == len(mine) and theirs == len(its):
            return True
        if own < len(mine) and mine[own] == "*":
            return at(own + 1, theirs) or (theirs < len(its) and at(own, theirs + 1))
        if theirs < len(its) and its[theirs] == "*":
            return at(own, theirs + 1) or (own < len(mine) and at(own + 1, theirs))
        both = own < len(mine) and theirs < len(its)
        return both and mine[own] == its[theirs] and at(own + 1, theirs + 1)

    return at(0, 0)


@settings(max_examples=500, deadline=None)
@given(redacted, redacted)
def test_two_texts_are_alike_if_there_is_one_that_both_can_stand_for(one: str, other: str) -> None:
    assert alike(pattern(one), pattern(other)) == could_be(one, other)


@pytest.mark.parametrize("mark", ["####", "a"])
def test_60_texts_of_8_kb_are_compared_with_60_others_in_little_time(mark: str) -> None:
    def text(number: int, last: str) -> str:
        return f"{mark} {'ab ' * 1_400}{mark} {'ba ' * 1_300}{number} {last}"

    call = Call(turns(*(("c", text(at, "one"), at * 100, at * 100 + 90) for at in range(60))))
    call.lose()
    record = [replace(each, text=text(int(each.id[8:]), "#### two")) for each in call.record()]
    began = time.process_time()
    assert len(call.reconcile(record).missing) == 60
    assert time.process_time() - began < 10  # a third of a second; all letters take minutes


moments = st.lists(st.integers(0, 40), max_size=6).map(sorted)


def best_pairs(one: Sequence[float], other: Sequence[float], tolerance: float) -> tuple[int, float]:
    """How many pairs there can be, and of as many the least distance: all ways are tried."""
    if not one or not other:
        return 0, 0.0
    ways = [best_pairs(one[1:], other, tolerance), best_pairs(one, other[1:], tolerance)]
    if abs(one[0] - other[0]) <= tolerance:
        count, apart = best_pairs(one[1:], other[1:], tolerance)
        ways.append((count + 1, apart + abs(one[0] - other[0])))
    return min(ways, key=lambda way: (-way[0], way[1]))


@settings(max_examples=300, deadline=None)
@given(moments, moments, st.integers(0, 15))
def test_as_many_moments_are_paired_as_can_be_and_the_nearest(
    one: list[float], other: list[float], tolerance: int
) -> None:
    pairs = nearest_pairs(one, other, tolerance)
    assert pairs == sorted(pairs)
    assert len({own for own, _ in pairs}) == len({its for _, its in pairs}) == len(pairs)
    apart = [abs(one[own] - other[its]) for own, its in pairs]
    assert all(each <= tolerance for each in apart)
    assert (len(pairs), sum(apart)) == best_pairs(one, other, tolerance)


def test_pairing_takes_time_for_what_is_near_and_not_for_all() -> None:
    moments = [at * 3_000.0 for at in range(20_000)]
    began = time.process_time()
    assert len(nearest_pairs(moments, moments, 5_000)) == 20_000
    assert time.process_time() - began < 20  # all with all would be 400 million steps
