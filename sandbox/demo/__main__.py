"""``make demo``: plays calls through the deployed stacks, and shows their transcripts."""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser
from playwright.sync_api import Error as PlaywrightError
from rich.markup import escape

from sandbox.asapp.conversations import Conversation, load_all
from sandbox.asapp.double import Delivery
from sandbox.connect.scenarios import CALLS, WITH_MODULES
from sandbox.demo.played_call import Call, play_all
from sandbox.demo.screen import Screen
from sandbox.demo.summary import (
    Summary,
    summarise,
    wait_for_arrival,
    wait_for_end,
    wait_for_events,
    wait_for_page,
)
from sandbox.live.browser import NO_BROWSER, Viewer, installed_browser
from sandbox.stacks.deployment import Deployment
from sandbox.stacks.emulator import SandboxError
from sandbox.stacks.event_delivery import ConnectEvents, Disorder
from sandbox.stacks.processes import stopping_on_signals
from sandbox.stacks.running import Sandbox, running_sandbox

DELIVERY = Delivery(duplicate=0.2, reorder=0.3, delay_ms=(0, 400), drop=0.06, seed=7)
DISORDER = Disorder(duplicate=0.2, late_ms=(0, 400), seed=7)
COURSES = (
    CALLS["the agent hangs up first"],
    WITH_MODULES,
    CALLS["two holds"],
    CALLS["warm transfer"],
)
PACE = 0.03
"""Seconds for a scripted second: a call of three minutes takes five seconds."""
_SECONDS_BETWEEN_CALLS = 0.3
_SECONDS_TO_ARRIVE = 300
_CALLS_ON_THE_PAGE = 4
"""As many as the page shows beside each other."""


def quickened(conversation: Conversation) -> Conversation:
    """The same words, spoken faster. ASAPP's record and our table then have the same times."""
    utterances = (
        replace(each, start_ms=round(each.start_ms * PACE), end_ms=round(each.end_ms * PACE))
        for each in conversation.utterances
    )
    return replace(conversation, utterances=tuple(utterances))


def main() -> int:
    parser = argparse.ArgumentParser(description="Play calls through the deployed stacks")
    parser.add_argument("--json", type=Path, help="also write the summary to this file")
    parser.add_argument("--make-target", type=Path, help="a file; stop when make deletes it")
    arguments = parser.parse_args()
    screen = Screen()
    try:
        with stopping_on_signals(arguments.make_target):
            summary = demo(screen)
    except SandboxError as problem:
        screen.console.print(f"[red]{escape(str(problem))}[/]")
        return 2
    except KeyboardInterrupt:
        screen.console.print("interrupted; everything that was started is stopped")
        return 130
    if arguments.json:
        arguments.json.write_text(json.dumps(asdict(summary), indent=2) + "\n", "utf-8")
    return 1 if summary.wrongs else 0


def demo(screen: Screen) -> Summary:
    """Start the sandbox, play every scripted conversation at once, compare, and stop it all."""
    with (
        started_browser(screen) as browser,
        running_sandbox(
            delivery=DELIVERY, pace=1.0, say=screen.step, with_live=browser is not None
        ) as sandbox,
        watching(sandbox, browser) as viewer,
    ):
        deployment, asapp, listener = sandbox.deployment, sandbox.asapp, sandbox.listener
        deployment.stop_schedules()
        calls = [
            Call(deployment, asapp, quickened(conversation), number)
            for number, conversation in enumerate(load_all(), 1)
        ]

        watched = [call.contact.contact_id for call in calls[:_CALLS_ON_THE_PAGE]]
        if viewer:
            screen.step(f"opening {len(watched)} calls on the live page, in a browser")
            viewer.open(watched)

        one = threading.Lock()

        def show(call: Call) -> None:
            wait_for_arrival(deployment, asapp, _SECONDS_TO_ARRIVE, call.contact.contact_id)
            with one:  # one process of the emulator is enough
                screen.call(call, _transcript(deployment, call))

        screen.step(
            f"playing {len(calls)} calls, {1 / PACE:.0f} times as fast as people speak; on "
            "purpose, POSTs and Connect's events are late, some come twice, and some POSTs are lost"
        )
        with listener.collecting() as published, screen.progress(calls, published):
            with ConnectEvents(sandbox, DISORDER) as events:
                plan = [(call, COURSES[i % len(COURSES)]) for i, call in enumerate(calls)]
                play_all(plan, events, apart_seconds=_SECONDS_BETWEEN_CALLS, ended=show)
            wait_for_arrival(deployment, asapp, _SECONDS_TO_ARRIVE)
            wait_for_end(deployment, calls, _SECONDS_TO_ARRIVE)
            screen.console.rule()
            screen.step(
                "comparing the calls with ASAPP's own record, which has the lost utterances"
            )
            deployment.reconcile()
            for call in calls:
                screen.recovered(call, _transcript(deployment, call))
            wait_for_events(deployment, calls, published, _SECONDS_TO_ARRIVE)
        seen = wait_for_page(deployment, watched, viewer, _SECONDS_TO_ARRIVE) if viewer else None
        summary = summarise(calls, deployment, asapp, published, seen)
        screen.summary(summary)
        screen.step("stopping the emulator and the double")
    good = (
        "Every conversation is complete: no utterance is lost, duplicated or altered, and nothing "
        "said on hold is transcribed.\n"
        "`make sandbox` leaves the stacks running, and shows how to talk to them."
    )
    bad = f"[red]{len(summary.wrongs)} problems, listed above[/]"
    screen.console.print(bad if summary.wrongs else good)
    return summary


@contextmanager
def started_browser(screen: Screen) -> Iterator[Browser | None]:
    """None, and a line that says why, if there is none or it does not start."""
    with ExitStack() as stack:
        browser, why = None, NO_BROWSER
        try:
            browser = stack.enter_context(installed_browser())
        except PlaywrightError as problem:
            why = f"the browser does not start ({problem.message.splitlines()[0]})"
        if browser is None:
            screen.console.print(f"the way to the live page is not measured: {escape(why)}")
        yield browser


@contextmanager
def watching(sandbox: Sandbox, browser: Browser | None) -> Iterator[Viewer | None]:
    """A supervisor who has signed in on the live page; None without a browser."""
    if browser is None or sandbox.live is None:
        yield None
        return
    with sandbox.live.page() as url:
        viewer = Viewer(browser, url)
        viewer.sign_in(next(user for user in sandbox.live.users if user.is_supervisor))
        yield viewer


def _transcript(deployment: Deployment, call: Call) -> dict[str, Any]:
    """As another system reads it."""
    answer = deployment.transcript(call.contact.contact_id, "application/json")
    if answer.status_code != 200:
        raise SandboxError(f"call {call.number}: the transcript API answers {answer.status_code}")
    transcript: dict[str, Any] = answer.json()
    return transcript


if __name__ == "__main__":
    sys.exit(main())
