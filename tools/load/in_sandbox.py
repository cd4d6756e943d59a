"""The load on this machine: the sandbox with its live page, and all that is counted there."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import httpx

from sandbox.asapp.double import AsappDouble, Delivery
from sandbox.connect.scenarios import agent_holds
from sandbox.live.live_calls import LiveCalls
from sandbox.live.subscriber import Events, signed_in
from sandbox.stacks.deployment import Deployment
from sandbox.stacks.event_delivery import ConnectEvents, Disorder
from sandbox.stacks.running import Sandbox, running_sandbox
from shared.live.channels import channel_of
from shared.transcripts.stored_utterances import in_order, utterance_id
from tools.load.calls import Playing, play
from tools.load.counts import Counts
from tools.load.processor import Processor
from tools.load.result import Result, Told
from tools.load.schedule import PlannedCall, most_at_a_time, schedule

DELIVERY = Delivery(duplicate=0.1, reorder=0.2, delay_ms=(0, 400), late=0.02, seed=17)
DISORDER = Disorder(duplicate=0.1, late_ms=(0, 400), seed=17)
_POSTS_AT_ONCE = 1_000
"""ASAPP does not wait for the answer to one POST before it sends the next."""
_SECONDS_TO_ARRIVE = 300.0
_SUBSCRIPTIONS_OF_A_CONNECTION = 50
Say = Callable[[str], None]


def run(calls: int, minutes: float, say: Say) -> Result:
    """:param calls: At a time."""
    planned = schedule(calls, minutes * 60)
    with running_sandbox(
        delivery=DELIVERY, pace=1.0, say=say, with_live=True, posts_at_once=_POSTS_AT_ONCE
    ) as sandbox:
        sandbox.deployment.stop_schedules()
        return load(sandbox, planned, say)


def load(sandbox: Sandbox, planned: Sequence[PlannedCall], say: Say) -> Result:
    deployment, asapp, live = sandbox.deployment, sandbox.asapp, sandbox.live
    assert live is not None  # noqa: S101 - it was asked for
    counts = Counts()
    most = most_at_a_time(planned)
    say(f"{len(planned)} calls come, up to {most} of them at a time")
    began, before = time.time(), Processor.taken(deployment.emulator.pid)

    def tell(begun: int, over: int) -> None:
        if time.time() - told[0] > _SECONDS_BETWEEN_LINES:
            told[0] = time.time()
            posts = len(asapp.posts)
            say(f"  {time.time() - began:4.0f} s: {begun} calls, {over} over, {posts} utterances")

    told = [began]
    with (
        sandbox.listener.collecting(
            lambda event: counts.came("bus", event.at_ms / 1000, event.detail)
        ),
        Page(live, counts).listening() as page,
    ):
        with ConnectEvents(sandbox, DISORDER) as events:
            played = play(planned, deployment, asapp, events, begins=page.subscribe, tell=tell)
        say("waiting until everything has come")
        ours = set(played.guids)
        for post in asapp.posts:
            if post.guid not in ours:
                continue
            accepted = [sent.at for sent in post.sent if sent.status == 200]
            counts.posted(post.body.decode(), post.sent[0].due, accepted)
        _wait_until_all_came(counts, deployment)
        processor = Processor.taken(deployment.emulator.pid) - before
    for guid in played.guids:
        for item in in_order(deployment.conversation(guid)):
            said = {**item, "id": utterance_id(item)}
            counts.came("table", item["storedAt"] / 1000, said)
    read = page.read(counts)
    return Result.of(
        planned, played, counts, told_asapp(asapp, planned, played), read, began, processor
    )


_SECONDS_BETWEEN_LINES = 15.0


def told_asapp(asapp: AsappDouble, planned: Sequence[PlannedCall], played: Playing) -> Told:
    """What ASAPP got, and how long after somebody acted."""
    moments_of_all = (moment for call in planned for moment in call.moments)
    held = {
        each for moment in moments_of_all if moment.act.does is agent_holds for each in moment.said
    }
    told = [
        (request.json()["guid"], request.path.rpartition("/")[2].partition("-")[0], request.at)
        for request in asapp.requests
        if request.took_effect
    ]
    ours = set(played.guids)
    unheard = [each.utterance for each in asapp.unheard if each.guid in ours]
    on_hold = sum(each in held for each in unheard)
    return told_by(told, played, on_hold=on_hold, before_start=len(unheard) - on_hold)


def told_by(
    told: Sequence[tuple[str, str, float]], played: Playing, *, on_hold: int, before_start: int
) -> Told:
    """:param told: Of each request that took effect: the call, ``start`` or ``stop``, and when."""
    by_call: dict[str, list[tuple[float, str]]] = {guid: [] for guid in played.guids}
    for guid, what, at in told:
        if guid in by_call:
            by_call[guid].append((at, what))
    acts: dict[str, list[tuple[float, str]]] = {guid: [] for guid in played.guids}
    for done in played.done:
        acts[done.guid] += [(done.due, each.split()[0]) for each in done.told]
    waits: dict[str, list[float]] = {"start": [], "stop": []}
    for guid, requests in by_call.items():
        due, got = sorted(acts[guid]), sorted(requests)
        if [what for _, what in due] != [what for _, what in got]:
            continue  # a stop that the next start overtook: nobody waited for it
        for (due_at, what), (at, _) in zip(due, got, strict=True):
            waits[what].append(at - due_at)
    every = Counter(what for requests in by_call.values() for _, what in requests)
    last = (max(requests)[1] for requests in by_call.values() if requests)
    return Told(
        starts=every["start"],
        stops=every["stop"],
        never_started=sum(not requests for requests in by_call.values()),
        still_running=sum(what == "start" for what in last),
        on_hold=on_hold,
        before_start=before_start,
        waits=waits,
    )


def _wait_until_all_came(counts: Counts, deployment: Deployment) -> None:
    until = time.monotonic() + _SECONDS_TO_ARRIVE
    while time.monotonic() < until:
        if not counts.missing("bus") and not counts.missing("page") and deployment.queue_is_empty():
            return
        time.sleep(0.5)


class Page:
    """A supervisor who looks at every call on the live page."""

    def __init__(self, live: LiveCalls, counts: Counts) -> None:
        self._live, self._counts = live, counts
        (supervisor,) = (user for user in live.users if user.is_supervisor)
        self._token = signed_in(live, supervisor)
        self._connections: list[Events] = []
        self._subscribed = 0
        self._one = threading.Lock()

    @contextmanager
    def listening(self) -> Iterator[Page]:
        try:
            yield self
        finally:
            for connection in self._connections:
                connection.close()

    def subscribe(self, guid: str) -> None:
        with self._one:
            if self._subscribed % _SUBSCRIPTIONS_OF_A_CONNECTION == 0:
                connection = Events(self._live, self._token)
                connection.until("connection_ack")
                connection.wait_forever()
                self._connections.append(connection)
                threading.Thread(target=self._hear, args=(connection,), daemon=True).start()
            self._subscribed += 1
            connection = self._connections[-1]
        connection.ask(str(channel_of(guid)))

    def _hear(self, connection: Events) -> None:
        with contextlib.suppress(OSError, ValueError):
            while (message := connection.next())["type"] != "closed":
                if message["type"] == "data":
                    event = json.loads(message["event"])
                    if event["type"] == "utterance":
                        self._counts.came("page", time.time(), event)

    def read(self, counts: Counts) -> int:
        """What did not come by itself, by reading the call again, as the page does.

        :returns: How many utterances came so.
        """
        missing = {one.id for one in counts.missing("page")}
        guids = {one.said["conversationId"] for one in counts.missing("page")}
        for guid in guids:
            url: str | None = f"{self._live.config['readUrl']}/conversations/{guid}"
            headers = {"Authorization": f"Bearer {self._token}"}
            answer = httpx.get(str(url), headers=headers, timeout=60)
            utterances: Sequence[Mapping[str, object]] = answer.json().get("utterances", ())
            for each in utterances:
                if each["id"] in missing:
                    counts.came("page", time.time(), each)
        return len(missing) - len(counts.missing("page"))
