"""Calls that go on and on, so that there is something to see on the live page."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.asapp.conversations import load_all
from sandbox.connect.scenarios import CALLS
from sandbox.demo.played_call import Call, play_all
from sandbox.stacks.event_delivery import ConnectEvents, Disorder
from sandbox.stacks.running import Sandbox

_COURSES = tuple(CALLS[name] for name in ("two holds", "warm transfer", "the agent hangs up first"))
_AT_A_TIME = 3
_SECONDS_BETWEEN_CALLS = 4.0


@contextmanager
def calls_in_a_loop(sandbox: Sandbox) -> Iterator[None]:
    """Play a few calls at a time, as fast as people speak, until the end of ``with``.

    The first call of each round has the agent ``agent-1``.
    """
    ended = threading.Event()

    def play() -> None:
        scripts = load_all()
        for round_number in range(1_000_000):
            chosen = [scripts[(round_number + at) % len(scripts)] for at in range(_AT_A_TIME)]
            calls = [
                Call(sandbox.deployment, sandbox.asapp, script, number)
                for number, script in enumerate(chosen, 1)
            ]
            plan = [(call, _COURSES[at % len(_COURSES)]) for at, call in enumerate(calls)]
            with ConnectEvents(sandbox, Disorder()) as events:
                play_all(plan, events, apart_seconds=_SECONDS_BETWEEN_CALLS)
            if ended.is_set():
                return

    thread = threading.Thread(target=play, name="calls", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()  # what goes on ends with the process: nothing waits for it
