"""``make demo``: calls through the deployed stacks, live, and what came of them."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sandbox.asapp_double import Delivery
from sandbox.call import Call, play_all
from sandbox.calls import CALLS, WITH_MODULES
from sandbox.connect_events import ConnectEvents, Disorder
from sandbox.conversations import load_all
from sandbox.emulator import SandboxError
from sandbox.flow_runner import Step
from sandbox.running import BusListener, running_sandbox
from sandbox.summary import Summary, stored, summarise, wait_for_arrival

DELIVERY = Delivery(duplicate=0.2, reorder=0.3, delay_ms=(0, 400), seed=7)
DISORDER = Disorder(duplicate=0.2, late_ms=(0, 400), seed=7)
COURSES = (
    CALLS["the agent hangs up first"],
    WITH_MODULES,
    CALLS["two holds"],
    CALLS["warm transfer"],
)
PACE = 0.03
"""Real seconds a scripted second: a call of three minutes takes five seconds."""
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
        text = " ".join(str(detail["text"]).split())
        if len(text) > _LONGEST_SHOWN:
            text = f"{text[:_LONGEST_SHOWN]}… ({len(detail['text']):,} characters)"
        self.console.print(f"{self._tag(number)} {detail['role']:>8}: {escape(text)}")

    def transcript(self, call: Call, items: Sequence[Any]) -> None:
        self.console.rule(f"{self._tag(call.number)} {escape(call.conversation.title)}, in order")
        for item in items:
            self.utterance(call.number, item)

    def summary(self, summary: Summary) -> None:
        table = Table(title="What came of it", show_header=False)
        for name, value in asdict(summary).items():
            if name != "wrongs":
                table.add_row(name.replace("_", " "), f"{value:,}")
        self.console.print(table)
        for wrong in summary.wrongs:
            self.console.print(f"[red]{escape(wrong)}[/]")

    def _tag(self, number: int) -> str:
        return f"[{_COLOURS[number % len(_COLOURS)]}]call {number}[/]"


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
    with running_sandbox(delivery=DELIVERY, pace=PACE, say=screen.step) as sandbox:
        calls = [
            Call(sandbox.deployment, sandbox.asapp, conversation, number, screen.path, screen.act)
            for number, conversation in enumerate(load_all(), 1)
        ]
        numbers = {call.contact.contact_id: call.number for call in calls}
        published: dict[str, dict[str, Any]] = {}
        listener = BusListener(sandbox.deployment)

        def show() -> None:
            for detail in listener.listen():
                if published.setdefault(detail["id"], detail) is detail:
                    screen.utterance(numbers[detail["conversationId"]], detail)

        showing = threading.Thread(target=show, daemon=True)
        showing.start()
        screen.step(f"playing {len(calls)} calls; POSTs and Connect's events come twice, and late")
        with ConnectEvents(sandbox.deployment, DISORDER) as events:
            play_all([(c, COURSES[i % len(COURSES)]) for i, c in enumerate(calls)], events)
        screen.step("waiting for what is still on its way")
        wait_for_arrival(sandbox.deployment, sandbox.asapp, _SECONDS_TO_ARRIVE)
        time.sleep(2)  # a duplicate that is stored as a second utterance would come late
        listener.close()
        showing.join(timeout=_SECONDS_TO_ARRIVE)
        screen.transcript(calls[0], stored(sandbox.deployment, calls[0].contact.contact_id))
        summary = summarise(calls, sandbox.deployment, sandbox.asapp, published)
        screen.summary(summary)
        screen.step("stopping the emulator and the double")
    good = "nothing lost, doubled or altered; nothing of a hold transcribed"
    screen.console.print(f"[red]{len(summary.wrongs)} wrong[/]" if summary.wrongs else good)
    return summary


if __name__ == "__main__":
    sys.exit(main())
