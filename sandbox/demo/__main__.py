"""``make demo``: calls through the deployed stacks, live, and what came of them."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sandbox.asapp.conversations import Conversation, load_all
from sandbox.asapp.double import Delivery
from sandbox.connect.flow_runner import Step
from sandbox.connect.scenarios import CALLS, WITH_MODULES
from sandbox.demo.played_call import Call, play_all
from sandbox.demo.summary import Summary, conversation, summarise, wait_for_arrival, wait_for_end
from sandbox.stacks.deployment import Deployment
from sandbox.stacks.emulator import SandboxError
from sandbox.stacks.event_delivery import ConnectEvents, Disorder
from sandbox.stacks.running import BusListener, running_sandbox

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
_COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "bright_red", "bright_cyan")
_SECONDS_TO_ARRIVE = 60
_LONGEST_SHOWN = 100


class Screen:
    """What a person sees, from several threads."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
        self._began = time.monotonic()

    def step(self, text: str) -> None:
        self.console.print(f"[dim]{time.monotonic() - self._began:5.1f} s[/]  {text} …")

    def act(self, call: Call, what: str) -> None:
        self.console.print(f"{self._tag(call.number)} [italic]{what}[/]")

    def path(self, call: Call, name: str, path: Sequence[Step]) -> None:
        if not path:
            return  # one of Connect's defaults
        way = " → ".join(
            escape(f"{step.block} ({step.branch})" if step.branch.endswith("Error") else step.block)
            for step in path
        )
        self.console.print(f"{self._tag(call.number)} [bold]{escape(name)}[/]: {way}")

    def utterance(self, number: int, detail: dict[str, Any]) -> None:
        text = _shortened(" ".join(str(detail["text"]).split()))
        late = "" if detail["source"] == "webhook" else " [dim](recovered)[/]"
        self.console.print(f"{self._tag(number)} {detail['role']:>8}: {escape(text)}{late}")

    def transcript(self, call: Call, url: str, text: str) -> None:
        self.console.rule(f"{self._tag(call.number)} {escape(call.conversation.title)}")
        self.console.print(f"[dim]GET {escape(url)}[/]")
        for line in text.splitlines():
            who, _, words = line.partition(": ")
            self.console.print(escape(f"{who}: {_shortened(words)}"))

    def summary(self, summary: Summary) -> None:
        table = Table(title="What came of it", show_header=False)
        for name, value in asdict(summary).items():
            if name != "wrongs":
                of = f" of {summary.calls:,}" if name == "conversations_complete" else ""
                table.add_row(name.replace("_", " ").replace("asapp", "ASAPP"), f"{value:,}{of}")
        self.console.print(table)
        for wrong in summary.wrongs:
            self.console.print(f"[red]{escape(wrong)}[/]")

    def _tag(self, number: int) -> str:
        return f"[{_COLOURS[number % len(_COLOURS)]}]call {number}[/]"


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST_SHOWN:
        return text
    return f"{text[:_LONGEST_SHOWN]}… ({len(text):,} characters)"


def quickened(conversation: Conversation) -> Conversation:
    """The same words, said so fast, by every clock: ASAPP's record and ours tell one time."""
    utterances = (
        replace(each, start_ms=round(each.start_ms * PACE), end_ms=round(each.end_ms * PACE))
        for each in conversation.utterances
    )
    return replace(conversation, utterances=tuple(utterances))


def main() -> int:
    parser = argparse.ArgumentParser(description="Play calls through the deployed stacks")
    parser.add_argument("--json", type=Path, help="also write the summary to this file")
    arguments = parser.parse_args()
    screen = Screen()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a kill cleans up like Ctrl-C
    try:
        summary = demo(screen)
    except SandboxError as problem:
        screen.console.print(f"[red]{escape(str(problem))}[/]")
        return 2
    except KeyboardInterrupt:
        screen.console.print("interrupted; all that was started is stopped")
        return 130
    if arguments.json:
        arguments.json.write_text(json.dumps(asdict(summary), indent=2) + "\n", "utf-8")
    return 1 if summary.wrongs else 0


def demo(screen: Screen) -> Summary:
    """Start the sandbox, play every scripted conversation at once, compare, and stop it all."""
    with running_sandbox(delivery=DELIVERY, pace=1.0, say=screen.step) as sandbox:
        deployment, asapp = sandbox.deployment, sandbox.asapp
        deployment.stop_schedules()
        calls = [
            Call(deployment, asapp, quickened(conversation), number, screen.path, screen.act)
            for number, conversation in enumerate(load_all(), 1)
        ]
        numbers = {call.contact.contact_id: call.number for call in calls}
        published: dict[str, dict[str, Any]] = {}
        listener = BusListener(deployment)

        def show() -> None:
            for detail in listener.listen():
                if published.setdefault(detail["id"], detail) is detail:
                    screen.utterance(numbers[detail["conversationId"]], detail)

        showing = threading.Thread(target=show, daemon=True)
        showing.start()
        screen.step(
            f"playing {len(calls)} calls; POSTs and Connect's events come twice, and late; "
            "some POSTs never come"
        )
        with ConnectEvents(deployment, DISORDER) as events:
            play_all([(c, COURSES[i % len(COURSES)]) for i, c in enumerate(calls)], events)
        screen.step("waiting for what is still on its way")
        wait_for_arrival(deployment, asapp, _SECONDS_TO_ARRIVE)
        wait_for_end(deployment, calls, _SECONDS_TO_ARRIVE)
        screen.step(
            "holding the calls against ASAPP's own record: at once, not with the next minute's run"
        )
        deployment.reconcile()
        time.sleep(2)  # a duplicate that is stored as a second utterance would come late
        listener.close()
        showing.join(timeout=_SECONDS_TO_ARRIVE)
        summary = summarise(calls, deployment, asapp, published)
        mended = max(calls, key=lambda call: _recovered(deployment, call))
        read = deployment.transcript(mended.contact.contact_id, "text/plain")
        screen.transcript(mended, str(read.url), read.text)
        screen.summary(summary)
        screen.step("stopping the emulator and the double")
    good = (
        "every conversation is complete: nothing lost, doubled or altered; nothing of a hold "
        "transcribed"
    )
    screen.console.print(f"[red]{len(summary.wrongs)} wrong[/]" if summary.wrongs else good)
    return summary


def _recovered(deployment: Deployment, call: Call) -> int:
    return int(conversation(deployment, call.contact.contact_id).get("recovered", 0))


if __name__ == "__main__":
    sys.exit(main())
