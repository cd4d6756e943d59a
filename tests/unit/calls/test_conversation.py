"""What ASAPP is told in every kind of call, whatever happens to the news of it on the way.

The deployed code runs here, against DynamoDB's protocol in memory and a double of ASAPP's client
(``test_follow_events.py`` has real sockets).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from follow_agent_events.handler import agent_saw
from follow_contact_events.handler import contact_over
from shared.asapp.media_gateway import Asapp, Outcome
from shared.asapp.requests import AsappCredentials
from shared.calls.asapp_sync import Answer, sync
from shared.calls.conversation import (
    CONNECTED,
    ENDED,
    PAUSED,
    START,
    STOP,
    STOPPED,
    STREAMING,
    UNKNOWN,
    Conversation,
    Leg,
    Observation,
    Told,
    steps,
)
from shared.calls.conversation_table import Conversations
from shared.http import Origin
from shared.runtime import Deadline
from start_streaming.handler import started
from stop_streaming.handler import stopped
from tests.fake_dynamodb import FakeDynamoDb
from tests.unit.held_clock import HeldClock

CALL = "c1"


class Killed(BaseException):
    """Lambda ended the function after ASAPP's answer and before the note of it."""


class Double(Asapp):
    """ASAPP as far as it keeps its promises, and one failure if a test asks for it.

    :ivar failure: ``refused`` (503, nothing done), ``lost`` (done, no answer), ``killed`` (done,
        and the function is ended before its next call).
    """

    def __init__(self) -> None:
        super().__init__(Origin("http://127.0.0.1:9"), AsappCredentials("none"), {})
        self.hears = ""
        self.positions: list[str] = []
        self.requests: list[str] = []
        self.fail_at = -1
        self.failure = ""
        self.kills = False

    def start(self, guid: str, **request: Any) -> Outcome:
        self.positions.append(request["after_fragment_number"])
        return self._ask(f"start {request['agent_id']}", request["agent_id"])

    def stop(self, guid: str, deadline: Deadline) -> Outcome:
        return self._ask("stop", "")

    def _ask(self, request: str, hears: str) -> Outcome:
        self.dies_if_killed()
        failing = len(self.requests) == self.fail_at
        self.requests.append(request)
        if failing and self.failure == "refused":
            return Outcome("unavailable", "503-01")
        already = bool(self.hears) == bool(hears)
        if not already:
            self.hears = hears
        if failing and self.failure == "lost":
            return Outcome("unavailable", "timeout")
        self.kills = failing and self.failure == "killed"
        return Outcome("already", "409-201") if already else Outcome("done")

    def dies_if_killed(self, _: str = "") -> None:
        if self.kills:
            self.kills = False
            raise Killed


@dataclass(frozen=True)
class News:
    """Something of the call that reaches a function.

    :param source: ``flow``, an agent's name, or ``contact``.
    """

    source: str
    what: str
    contact: str
    at_ms: int
    agent: str = ""

    def observation(self) -> Observation:
        match self.what:
            case "start":
                leg = Leg(
                    self.contact,
                    customer_id="caller",
                    agent_id=self.agent,
                    agent_arn=f"arn:{self.agent}",
                    stream_arn="arn:of:stream",
                    fragment_number=f"fragment of {self.contact}",
                    at_ms=self.at_ms,
                )
                return started(leg)
            case "stop":
                return stopped(self.contact, self.at_ms)
            case "over":
                return contact_over(self.contact, self.at_ms)
        return agent_saw(self.contact, f"arn:{self.source}", self.what, self.at_ms)

    @property
    def comes_again(self) -> bool:
        """A flow goes on after a failure; an event is delivered again."""
        return self.source != "flow"


class World:
    """The functions, with their table and ASAPP."""

    def __init__(self) -> None:
        self.clock = HeldClock()
        self.double = Double()
        self.dynamodb = FakeDynamoDb(self.double.dies_if_killed)
        self.table = Conversations("transcripts", 86_400, self.dynamodb)

    @property
    def known(self) -> Conversation:
        return self.table.read(CALL, self.deadline())

    def deadline(self) -> Deadline:
        return Deadline(7, self.clock)

    def sync(self, news: News, **how: Any) -> Answer:
        asked = {"start": START, "stop": STOP}.get(news.what, "")
        return sync(
            CALL, news.observation(), self.table, self.double, self.deadline(), asked, **how
        )

    def tell(self, news: News) -> bool:
        """Whether it was dealt with."""
        try:
            answer = self.sync(news)
        except Killed:
            return False
        return answer.status != "unavailable"

    def tell_until_done(self, news: News) -> bool:
        done = self.tell(news)
        return done or (news.comes_again and self.tell(news))


# What happens in a call, at moments 20 seconds apart, and whom ASAPP hears after each. What one
# moment holds may arrive in any order, but an agent's own events in theirs.
Moment = tuple[tuple[News, ...], str]


class Script:
    def __init__(self) -> None:
        self.moments: list[Moment] = []

    def then(self, heard: str, *happenings: str) -> Script:
        """:param happenings: ``flow start c1 ada``, ``ada paused c1``, ``contact over c1``."""
        at_ms = 1_000_000 + 20_000 * len(self.moments)
        news = []
        for number, happening in enumerate(happenings):
            source, what, contact, *agent = happening.split()
            # A flow's function runs a little after what made the flow run.
            late = 700 if (source, what) == ("flow", "stop") else 10 * number
            news.append(News(source, what, contact, at_ms + late, *agent))
        self.moments.append((tuple(news), heard))
        return self


def answered(agent: str = "ada", contact: str = "c1") -> Script:
    script = Script().then(agent, f"flow start {contact} {agent}")
    return script.then(agent, f"{agent} connected {contact}")


def hold(script: Script) -> Script:
    return script.then("", "flow stop c1", "ada paused c1")


def end(script: Script, agent: str = "ada", contact: str = "c1") -> Script:
    return script.then("", f"{agent} ended {contact}", f"contact over {contact}")


def resumed(script: Script) -> Script:
    return script.then("ada", "ada connected c1")


def to_grace(script: Script) -> Script:
    return script.then("grace", "flow start c2 grace").then("grace", "grace connected c2")


TRANSFERRED = "start ada, stop, start grace, stop"
CALLS: dict[str, tuple[Script, str]] = {
    "plain": (end(answered()), "start ada, stop"),
    "two holds": (
        end(resumed(hold(resumed(hold(answered()))))),
        "start ada, stop, start ada, stop, start ada, stop",
    ),
    "hang-up while on hold": (end(hold(answered())), "start ada, stop"),
    "a hold that no flow sees": (
        end(resumed(answered().then("", "ada paused c1"))),
        "start ada, stop, start ada, stop",
    ),
    "warm transfer": (
        end(
            to_grace(hold(answered())).then("grace", "ada ended c1", "contact over c1"),
            "grace",
            "c2",
        ),
        TRANSFERRED,
    ),
    "warm transfer that comes back": (
        end(resumed(to_grace(hold(answered())).then("", "grace ended c2", "contact over c2"))),
        "start ada, stop, start grace, stop, start ada, stop",
    ),
    "conference": (
        end(
            to_grace(hold(answered()))
            .then("grace", "ada connected c1")
            .then("grace", "ada ended c1", "contact over c1"),
            "grace",
            "c2",
        ),
        TRANSFERRED,
    ),
    "conference that the second agent leaves first": (
        end(
            to_grace(hold(answered()))
            .then("grace", "ada connected c1")
            .then("ada", "grace ended c2", "contact over c2")
        ),
        "start ada, stop, start grace, stop, start ada, stop",
    ),
    "cold transfer to a queue": (
        end(to_grace(end(answered())), "grace", "c2"),
        TRANSFERRED,
    ),
    "cold transfer to an agent who is free": (
        end(
            answered()
            .then("grace", "ada ended c1", "contact over c1", "flow start c2 grace")
            .then("grace", "grace connected c2"),
            "grace",
            "c2",
        ),
        TRANSFERRED,
    ),
    "whisper repeated, the first agent dropped": (
        end(
            Script()
            .then("ada", "flow start c1 ada")
            .then("grace", "ada ended c1", "flow start c1 grace")
            .then("grace", "grace connected c1"),
            "grace",
        ),
        TRANSFERRED,
    ),
    "whisper repeated for the same agent": (
        end(
            Script()
            .then("ada", "flow start c1 ada")
            .then("", "ada ended c1")
            .then("ada", "flow start c1 ada")
            .then("ada", "ada connected c1")
        ),
        "start ada, stop, start ada, stop",
    ),
    "the customer hangs up first": (
        answered().then("", "contact over c1").then("", "ada ended c1"),
        "start ada, stop",
    ),
    "the agent hangs up first": (
        answered().then("", "ada ended c1", "flow stop c9").then("", "contact over c1"),
        "start ada, stop",
    ),
    "the customer hangs up in the whisper": (
        Script().then("ada", "flow start c1 ada").then("", "contact over c1"),
        "start ada, stop",
    ),
    "outbound, and no agent event but the last": (
        end(Script().then("ada", "flow start c1 ada")),
        "start ada, stop",
    ),
    "a chat at the same agent": (
        end(
            answered()
            .then("ada", "ada connected chat")
            .then("ada", "ada paused chat")
            .then("ada", "ada ended chat")
        ),
        "start ada, stop",
    ),
    "a supervisor listens": (
        end(answered().then("ada", "boss connected c1").then("ada", "boss ended c1")),
        "start ada, stop",
    ),
}
calls = pytest.mark.parametrize("name", CALLS)


def orders(news: tuple[News, ...]) -> list[tuple[News, ...]]:
    def allowed(order: tuple[News, ...]) -> bool:
        by_agent: dict[str, list[int]] = {}
        for one in order:
            if one.source not in ("flow", "contact"):
                by_agent.setdefault(one.source, []).append(one.at_ms)
        return all(times == sorted(times) for times in by_agent.values())

    return [order for order in permutations(news) if allowed(order)]


def deliveries(script: Script) -> Iterator[list[Moment]]:
    """Every order of arrival."""
    per_moment = [orders(news) for news, _ in script.moments]
    for chosen in product(*per_moment):
        heards = (heard for _, heard in script.moments)
        yield list(zip(chosen, heards, strict=True))


@calls
def test_the_requests_of_a_call_are_these_in_whatever_order_its_news_arrive(name: str) -> None:
    script, expected = CALLS[name]
    for delivery in deliveries(script):
        world = World()
        for news, heard in delivery:
            for one in news:
                assert world.tell(one)
            assert world.double.hears == heard
        assert ", ".join(world.double.requests) == expected


@calls
def test_the_requests_stay_the_same_where_all_news_come_twice(name: str) -> None:
    script, expected = CALLS[name]
    for delivery in deliveries(script):
        world = World()
        told: list[News] = []
        for news, heard in delivery:
            for one in news:
                world.tell(one)
                world.tell(one)
                told += [one] if one.comes_again else []
            for one in sorted(told, key=lambda one: one.at_ms):  # a shard from its beginning
                world.tell(one)
            for one in reversed([one for one in told if one.what == "over"]):
                world.tell(one)
            assert world.double.hears == heard
        assert ", ".join(world.double.requests) == expected


@calls
@pytest.mark.parametrize("failure", ["refused", "lost", "killed"])
def test_a_request_that_fails_is_made_up_for_by_the_next_news(name: str, failure: str) -> None:
    script, expected = CALLS[name]
    for delivery in deliveries(script):
        for failing in range(len(expected.split(", "))):
            world = World()
            world.double.fail_at, world.double.failure = failing, failure
            for news, heard in delivery:
                for one in news:
                    done = world.tell_until_done(one)
                # Only a flow's last word is not said again, until the next moment.
                assert world.double.hears == heard or not done
            assert done
            assert world.double.hears == ""
            assert len(world.double.requests) <= len(expected.split(", ")) + 2


@calls
def test_asapp_never_reads_a_fragment_again_nor_a_hold(name: str) -> None:
    script, _ = CALLS[name]
    for delivery in deliveries(script):
        world = World()
        for news, _ in delivery:
            for one in news:
                world.tell(one)
        read = [position for position in world.double.positions if position]
        assert len(read) == len(set(read))


def test_news_without_change_are_not_even_written() -> None:
    world = World()
    script = answered()
    for news, _ in script.moments:
        world.tell(news[0])
    world.dynamodb.calls.clear()
    for news, _ in script.moments:
        world.tell(news[0])
    assert set(world.dynamodb.calls) == {"GetItem", "UpdateItem"}
    assert world.dynamodb.item(CALL)["version"] == "3"


def test_of_a_call_that_nobody_started_an_agent_says_nothing_and_a_hang_up_is_kept() -> None:
    world = World()
    for what in (CONNECTED, PAUSED, ENDED):
        world.tell(News("ada", what, "c1", 5))
    assert world.known == Conversation()
    world.tell(News("contact", "over", "c1", 9))
    assert world.double.requests == []
    answer = world.sync(News("flow", "start", "c1", 11, "ada"))
    assert answer == Answer("rejected", CALL, "contact_ended")
    assert world.double.requests == []


def test_a_resume_that_overtakes_the_flow_of_its_hold_is_not_lost() -> None:
    """The hold's function was slow: it runs after the resume, before or after the news of it."""
    hold_and_resume = (News("ada", PAUSED, "c1", 50_000), News("ada", CONNECTED, "c1", 50_400))
    late = News("flow", "stop", "c1", 51_000)
    for place in range(3):
        world = World()
        world.tell(News("flow", "start", "c1", 10_000, "ada"))
        world.tell(News("ada", CONNECTED, "c1", 12_000))
        for one in (*hold_and_resume[:place], late, *hold_and_resume[place:]):
            world.tell(one)
        assert world.double.requests == ["start ada", "stop", "start ada"]
        assert world.double.positions[-1] == ""


def test_the_news_that_a_call_began_does_not_end_the_hold_that_came_before_it() -> None:
    world = World()
    world.tell(News("flow", "start", "c1", 10_000, "ada"))
    world.tell(News("flow", "stop", "c1", 50_000))
    world.tell(News("ada", CONNECTED, "c1", 12_000))
    assert world.double.requests == ["start ada", "stop"]
    world.tell(News("ada", PAUSED, "c1", 49_500))
    world.tell(News("ada", CONNECTED, "c1", 70_000))
    assert world.double.requests == ["start ada", "stop", "start ada"]


def test_an_agent_who_missed_the_call_before_is_not_taken_to_have_missed_it_now() -> None:
    world = World()
    world.tell(News("flow", "start", "c1", 10_000, "ada"))
    world.tell(News("flow", "start", "c1", 30_000, "ada"))
    world.tell(News("ada", ENDED, "c1", 15_000))
    world.tell(News("ada", CONNECTED, "c1", 32_000))
    assert world.double.hears == "ada"


def test_where_the_flow_names_no_agent_the_call_is_followed_all_the_same() -> None:
    leg = Leg("c1", agent_id="c1", stream_arn="arn:of:stream", at_ms=10)
    known = started(leg)(Conversation())
    known = agent_saw("c1", "arn:dropped", ENDED, 20)(known)
    assert known.state == STREAMING
    known = agent_saw("c1", "arn:ada", CONNECTED, 30)(known)
    known = agent_saw("c1", "arn:grace", PAUSED, 40)(known)
    assert known.state == STREAMING
    known = agent_saw("c1", "arn:ada", PAUSED, 50)(known)
    assert known.state == "paused"
    assert agent_saw("c1", "arn:ada", ENDED, 60)(known).state == "ended"


class AnswerLost(Conversations):
    """A write whose answer is lost is tried again, and finds the table changed: by itself."""

    def write(self, *args: Any, **kwargs: Any) -> Conversation | None:
        super().write(*args, **kwargs)
        return super().write(*args, **kwargs)


def test_an_invocation_knows_its_own_claim_when_it_meets_it() -> None:
    world = World()
    world.table = AnswerLost("transcripts", 86_400, world.dynamodb)
    answer = world.sync(News("flow", "start", "c1", 10_000, "ada"))
    assert (answer.status, world.double.requests) == ("started", ["start ada"])


def leg_of(contact: str, at_ms: int) -> Observation:
    return News("flow", "start", contact, at_ms, f"agent of {contact}").observation()


def test_a_first_leg_is_not_heard_again_unless_its_agent_is_known_to_be_there() -> None:
    both = leg_of("c2", 20)(leg_of("c1", 10)(Conversation()))
    assert contact_over("c2", 30)(both).desired_leg is None
    seen = agent_saw("c1", "arn:agent of c1", CONNECTED, 15)(both)
    heard = contact_over("c2", 30)(seen).desired_leg
    assert heard is not None and heard.contact_id == "c1"


def test_the_end_of_a_contact_that_had_no_agent_does_not_silence_the_one_that_has() -> None:
    known = leg_of("c1", 10)(Conversation())
    assert contact_over("c7", 20)(known).desired_leg == known.desired_leg


def test_an_agent_who_has_left_comes_back_by_a_flow_only() -> None:
    gone = agent_saw("c1", "arn:agent of c1", ENDED, 20)(leg_of("c1", 10)(Conversation()))
    assert agent_saw("c1", "arn:agent of c1", CONNECTED, 30)(gone) == gone
    assert leg_of("c1", 40)(gone).state == STREAMING


def test_a_flows_stop_that_waited_too_long_is_older_than_what_came_after_it() -> None:
    known = agent_saw("c1", "arn:agent of c1", CONNECTED, 90)(leg_of("c1", 10)(Conversation()))
    assert stopped("c1", 80)(known) == known


def test_a_start_whose_function_was_killed_is_stopped_when_the_caller_hangs_up() -> None:
    world = World()
    world.tell(News("flow", "start", "c1", 10_000, "ada"))
    world.tell(News("ada", PAUSED, "c1", 30_000))
    world.double.fail_at, world.double.failure = 2, "killed"
    assert not world.tell(News("ada", CONNECTED, "c1", 50_000))
    assert world.double.hears == "ada"
    world.tell(News("contact", "over", "c1", 52_000))
    assert world.double.hears == ""


def test_a_stop_whose_function_was_killed_does_not_hide_the_resume() -> None:
    world = World()
    world.tell(News("flow", "start", "c1", 10_000, "ada"))
    world.double.fail_at, world.double.failure = 1, "killed"
    world.tell(News("ada", PAUSED, "c1", 30_000))
    world.tell(News("ada", CONNECTED, "c1", 50_000))
    assert world.double.requests == ["start ada", "stop", "stop", "start ada"]
    assert world.double.hears == "ada"


def test_after_two_requests_without_a_clear_end_the_agent_who_talks_is_heard() -> None:
    """The state machine found this: what one interrupted attempt was to do was overwritten by the
    next one, and 409-201 to a start alone was taken for success."""
    world = World()
    world.tell(News("flow", "start", "c1", 10_000, "ada"))
    world.tell(News("ada", CONNECTED, "c1", 12_000))
    world.tell(News("ada", ENDED, "c1", 30_000))
    world.tell(News("contact", "over", "c1", 30_000))
    world.tell(News("flow", "start", "c2", 40_000, "mary"))
    world.tell(News("mary", CONNECTED, "c2", 42_000))
    late = [News("mary", PAUSED, "c2", 60_000)]
    world.double.fail_at, world.double.failure = len(world.double.requests), "killed"
    assert not world.tell(News("flow", "start", "c3", 61_000, "ada"))
    late += [News("ada", CONNECTED, "c3", 63_000), News("ada", ENDED, "c3", 80_000)]
    late += [News("mary", ENDED, "c2", 80_000), News("contact", "over", "c3", 80_000)]
    world.double.fail_at, world.double.failure = len(world.double.requests) + 1, "lost"
    assert not world.tell(News("flow", "start", "c4", 90_000, "mary"))
    for news in late:
        world.tell(news)
    assert world.double.hears == "mary"


@pytest.mark.parametrize("failure", ["lost", "killed"])
@pytest.mark.parametrize("fails_at", [1, 2])
def test_a_transfer_whose_request_had_no_clear_end_is_stopped_and_started(
    failure: str, fails_at: int
) -> None:
    world = World()
    world.tell(News("flow", "start", "c1", 10_000, "ada"))
    world.double.fail_at, world.double.failure = fails_at, failure
    world.tell(News("flow", "start", "c2", 40_000, "grace"))
    before = len(world.double.requests)
    world.tell(News("grace", CONNECTED, "c2", 42_000))
    assert world.double.requests[before:] == ["stop", "start grace"]
    assert world.double.hears == "grace"


@pytest.mark.parametrize(
    ("asapp", "agent", "wanted", "due"),
    [
        (UNKNOWN, "", "ada", (STOP, START)),
        (UNKNOWN, "ada", "ada", (STOP, START)),
        (UNKNOWN, "ada", "grace", (STOP, START)),
        (UNKNOWN, "ada", "", (STOP,)),
        (STREAMING, "ada", "ada", ()),
        (STREAMING, "ada", "grace", (STOP, START)),
        (STREAMING, "ada", "", (STOP,)),
        (STOPPED, "ada", "ada", (START,)),
        (STOPPED, "ada", "grace", (START,)),
        (STOPPED, "ada", "", ()),
    ],
)
def test_what_is_due_follows_from_what_asapp_does_and_whom_it_should_hear(
    asapp: str, agent: str, wanted: str, due: tuple[str, ...]
) -> None:
    leg = Leg("c1", agent_id=wanted, stream_arn="s", state=CONNECTED if wanted else ENDED)
    known = Conversation(1, (leg,), Told(asapp, agent, stream_arn="s" if agent else ""))
    assert steps(known, 0) == due


AGENTS = ("ada", "grace", "mary")
RETRIES_END_MS = 8_000


@dataclass
class RealLeg:
    contact: str
    agent: str
    state: str  # whisper, connected, paused, gone


class CallsOfAllKinds(RuleBasedStateMachine):
    """A call as it is, and its news under way. Allowed: an agent's events late, twice, and again
    from an earlier one, in their order; contact events late, twice, in any order; a hold's flow up
    to some seconds late. A whisper's flow is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.now = 1_000_000
        self.legs: list[RealLeg] = []
        self.streams: dict[str, list[News]] = {agent: [] for agent in AGENTS}
        self.read: dict[str, int] = dict.fromkeys(AGENTS, 0)
        self.contact_news: list[News] = []
        self.told: list[News] = []
        self.late_stop: News | None = None
        self.contacts = 0
        self.hung_up = False
        self.dealt_with = True

    def pass_time(self, ms: int) -> None:
        if self.late_stop is not None and self.late_stop.at_ms <= self.now + ms:
            news, self.late_stop = self.late_stop, None
            self.tell(news)
        self.now += ms

    def tell(self, news: News) -> bool:
        self.dealt_with = self.world.tell(news)
        return self.dealt_with

    def agent_news(self, leg: RealLeg, state: str) -> None:
        self.streams[leg.agent].append(News(leg.agent, state, leg.contact, self.now))

    def busy(self) -> set[str]:
        return {leg.agent for leg in self.legs if leg.state != "gone"}

    @property
    def ringing(self) -> bool:
        return any(leg.state == "whisper" for leg in self.legs)

    def present(self, *states: str) -> list[RealLeg]:
        return [leg for leg in self.legs if leg.state in states]

    @initialize(twice=st.booleans())
    def begin(self, twice: bool) -> None:
        self.offer(AGENTS[0], twice)

    @precondition(
        lambda self: (
            self.legs
            and not self.hung_up
            and not self.ringing
            and not self.present("connected")
            and self.contacts < 5
        )
    )
    @rule(agent=st.sampled_from(AGENTS), twice=st.booleans())
    def transfer(self, agent: str, twice: bool) -> None:
        """To a queue after the first agent is gone, or warm while it holds."""
        if agent not in self.busy():
            self.offer(agent, twice)

    def offer(self, agent: str, twice: bool) -> None:
        self.pass_time(1_000)
        self.contacts += 1
        self.legs.append(RealLeg(f"c{self.contacts}", agent, "whisper"))
        self.whisper(self.legs[-1], twice)

    def whisper(self, leg: RealLeg, twice: bool) -> None:
        for _ in range(2 if twice else 1):
            self.tell(News("flow", "start", leg.contact, self.now, leg.agent))
            self.pass_time(10)

    @precondition(lambda self: self.ringing)
    @rule(ms=st.integers(10, 20_000))
    def answer(self, ms: int) -> None:
        self.pass_time(ms)
        leg = self.present("whisper")[0]
        leg.state = "connected"
        self.agent_news(leg, CONNECTED)

    @precondition(lambda self: self.ringing)
    @rule(agent=st.sampled_from(AGENTS), twice=st.booleans())
    def drop_and_offer_again(self, agent: str, twice: bool) -> None:
        leg = self.present("whisper")[0]
        if agent in self.busy() - {leg.agent}:
            return
        self.pass_time(500)
        self.agent_news(leg, ENDED)
        self.pass_time(RETRIES_END_MS if agent == leg.agent else 500)
        leg.agent = agent
        self.whisper(leg, twice)

    @precondition(lambda self: self.present("connected") and self.late_stop is None)
    @rule(
        data=st.data(),
        ms=st.integers(10, 20_000),
        flow_late_ms=st.none() | st.integers(0, 6_000),
    )
    def hold(self, data: st.DataObject, ms: int, flow_late_ms: int | None) -> None:
        self.pass_time(ms)
        leg = data.draw(st.sampled_from(self.present("connected")))
        leg.state = "paused"
        self.agent_news(leg, PAUSED)
        if flow_late_ms is not None:
            self.late_stop = News("flow", "stop", leg.contact, self.now + flow_late_ms)

    @precondition(lambda self: self.present("paused"))
    @rule(data=st.data(), ms=st.integers(10, 20_000))
    def resume(self, data: st.DataObject, ms: int) -> None:
        """Or join, if another agent talks already."""
        self.pass_time(ms)
        leg = data.draw(st.sampled_from(self.present("paused")))
        leg.state = "connected"
        self.agent_news(leg, CONNECTED)

    @precondition(lambda self: self.present("connected", "paused"))
    @rule(data=st.data(), ms=st.integers(10, 20_000), lost=st.booleans())
    def agent_leaves(self, data: st.DataObject, ms: int, lost: bool) -> None:
        self.pass_time(ms)
        self.leave(data.draw(st.sampled_from(self.present("connected", "paused"))), lost)

    def leave(self, leg: RealLeg, lost: bool) -> None:
        leg.state = "gone"
        self.agent_news(leg, ENDED)
        if not lost:  # contact events are best effort
            self.contact_news.append(News("contact", "over", leg.contact, self.now))

    @precondition(lambda self: self.legs and not self.hung_up)
    @rule(ms=st.integers(10, 20_000), lost=st.booleans())
    def hang_up(self, ms: int, lost: bool) -> None:
        self.pass_time(ms)
        self.hung_up = True
        for leg in self.present("whisper", "connected", "paused"):
            self.leave(leg, lost)

    @rule(agent=st.sampled_from(AGENTS), count=st.integers(1, 4))
    def deliver_agent_events(self, agent: str, count: int) -> None:
        for news in self.streams[agent][self.read[agent] :][:count]:
            if not self.tell(news):
                return  # the batch comes again from here
            self.read[agent] += 1

    @rule(agent=st.sampled_from(AGENTS), back=st.integers(1, 5))
    def deliver_again_from_an_earlier_one(self, agent: str, back: int) -> None:
        end = self.read[agent]
        for news in self.streams[agent][max(0, end - back) : end]:
            if not self.tell(news):
                self.read[agent] = self.streams[agent].index(news)
                return

    @precondition(lambda self: self.contact_news)
    @rule(data=st.data(), keep=st.booleans())
    def deliver_a_contact_event(self, data: st.DataObject, keep: bool) -> None:
        news = data.draw(st.sampled_from(self.contact_news))
        if self.tell(news) and not keep:
            self.contact_news.remove(news)

    @rule(failure=st.sampled_from(["refused", "lost", "killed"]), after=st.integers(0, 1))
    def asapp_or_a_function_will_fail(self, failure: str, after: int) -> None:
        self.world.double.fail_at = len(self.world.double.requests) + after
        self.world.double.failure = failure

    @rule()
    def everything_so_far_arrives(self) -> None:
        self.pass_time(6_000)
        for agent in AGENTS:
            while self.read[agent] < len(self.streams[agent]):
                self.deliver_agent_events(agent, 100)
        while self.contact_news:
            if self.tell(self.contact_news[-1]):
                self.contact_news.pop()
        if not self.dealt_with:
            return  # a flow's last word failed; the next news make up for it
        last = self.legs[-1:]
        talks = self.present("connected")
        heard = {leg.agent for leg in last if leg.state in ("whisper", "connected")}
        heard = heard or {leg.agent for leg in talks}
        if heard:
            assert self.world.double.hears in heard
        else:
            assert self.world.double.hears == ""

    def teardown(self) -> None:
        if self.legs and not self.hung_up:
            self.hang_up(10, False)
        if self.legs:
            self.everything_so_far_arrives()
            assert self.dealt_with
            assert self.world.double.hears == ""


def test_calls_of_all_kinds_are_heard_while_an_agent_talks_and_not_in_a_hold() -> None:
    run_state_machine_as_test(
        CallsOfAllKinds,
        settings=settings(max_examples=60, stateful_step_count=40, deadline=None, derandomize=True),
    )


def test_a_late_stop_of_a_hold_that_is_over_is_ignored_and_a_disconnect_flows_is_not() -> None:
    leg = Leg("c-1", agent_id="ada", agent_arn="ada", stream_arn="arn", at_ms=1_000)
    known = started(leg)(Conversation())
    for state, at in ((PAUSED, 10_000), (CONNECTED, 20_000)):
        known = agent_saw("c-1", "ada", state, at)(known)
    late = stopped("c-1", 25_000)(known)
    assert late.desired_leg is not None
    by_a_flow_on_the_next_contact = stopped("c-2", 25_000)(known)
    assert by_a_flow_on_the_next_contact.desired_leg is None
