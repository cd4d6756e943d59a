"""Calls that go on and on, so that there is something to see on the live page."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, islice

from sandbox.asapp.conversations import load_all
from sandbox.connect.scenarios import CALLS, Act
from sandbox.demo.played_call import Call, play_all
from sandbox.stacks.event_delivery import ConnectEvents, Disorder
from sandbox.stacks.running import Sandbox

_COURSES = tuple(CALLS[name] for name in ("two holds", "warm transfer", "the agent hangs up first"))
_SECONDS_BETWEEN_CALLS = 4.0


@contextmanager
def calls_in_a_loop(sandbox: Sandbox, tell: Callable[[str], None]) -> Iterator[None]:
    """Let three agents take one call after the other, as fast as people speak, until the end of
    ``with``. The first is ``agent-1``.

    :param tell: Told of a call that could not be played; the next one begins.
    """
    ended = threading.Event()
    scripts = load_all()

    def work(number: int, course: Sequence[Act]) -> None:
        ended.wait((number - 1) * _SECONDS_BETWEEN_CALLS)
        for script in islice(cycle(scripts), number - 1, None):
            if ended.is_set():
                return
            call = Call(sandbox.deployment, sandbox.asapp, script, number)
            try:
                with ConnectEvents(sandbox, Disorder()) as events:
                    play_all([(call, course)], events)
            except Exception as problem:
                if not ended.is_set():  # else the parts that it plays with are gone
                    tell(f"a call was given up: {problem or type(problem).__name__}")
            ended.wait(_SECONDS_BETWEEN_CALLS)

    for number, course in enumerate(_COURSES, 1):
        threading.Thread(target=work, args=(number, course), daemon=True).start()
    try:
        yield
    finally:
        ended.set()  # what goes on ends with the process: nothing waits for it
