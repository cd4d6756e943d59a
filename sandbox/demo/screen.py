"""What a person sees of the demo: steps, one line of progress, each call at its end, figures."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence, Sized
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from sandbox.connect.flow_runner import Step
from sandbox.demo.played_call import Call
from sandbox.demo.summary import Summary
from shared.transcripts.printable import one_line

_LONGEST_SHOWN = 100
_ROLES = {"customer": "cyan", "agent": "magenta"}
_IN_PLAIN_WORDS = {
    "calls": "Played at the same time, with holds and a transfer",
    "starts": "ASAPP was told to start: once for each call, and after each hold or transfer",
    "stops": "ASAPP was told to stop",
    "utterances": "Utterances that ASAPP has transcribed",
    "posts": "ASAPP's POSTs to the webhook; the demo sends some twice, on purpose",
    "dropped_by_asapp": "Utterances whose POST the demo has lost, on purpose",
    "recovered": "Of those, stored after the call from ASAPP's own record",
    "conversations_complete": "Compared with ASAPP's own record, and nothing is missing",
    "lost": "Transcribed, but not in the table",
    "duplicated": "In the table more often than said",
    "altered": "In the table with another text, speaker or position",
    "unpublished": "In the table, but not on the event bus",
    "unseen": "In the table, but not on the live page, of the calls that are open there",
    "unheard_on_hold": "Said while the caller was on hold, and not transcribed, as it should be",
    "heard_on_hold": "Said while the caller was on hold, but transcribed",
    "unheard_in_talk": "Said by caller and agent to each other, but not transcribed",
    "post_to_table_ms_p50": "From ASAPP's POST to the write into the table, median",
    "post_to_table_ms_p99": "The same, 99th percentile",
    "post_to_bus_ms_p50": "From ASAPP's POST to the event's arrival in a queue of the bus, median",
    "post_to_bus_ms_p99": "The same, 99th percentile",
    "post_to_page_ms_p50": "From ASAPP's POST until a supervisor's browser has drawn it, median",
    "post_to_page_ms_p99": "The same, 99th percentile",
    "post_to_queue_ms_p50": "Of that, in the emulator's API Gateway",
    "queue_to_table_ms_p50": "Of that, in the emulator's queue and store_transcript",
    "table_to_bus_ms_p50": "Of that, in the emulator's stream and bus and publish_utterance",
    "bus_to_page_ms_p50": "After it, in the emulator's bus and AppSync, publish_live and the page",
}


class Screen:
    """What a person sees."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
        self._began = time.monotonic()

    def step(self, text: str) -> None:
        self.console.print(f"[dim]{time.monotonic() - self._began:5.1f} s[/]  {text} …")

    @contextmanager
    def progress(self, calls: Sequence[Call], heard: Sized) -> Iterator[None]:
        """Show in a terminal, in one line that goes away, what the calls do.

        :param heard: Grows with each utterance on the event bus.
        """

        def line() -> Text:
            states = Counter(call.state for call in calls)
            shown = [
                f"{states[each]} {each}"
                for each in ("waiting", "talking", "on hold", "over")
                if states[each]
            ]
            return Text(f"calls: {', '.join(shown)}; {len(heard)} utterances on the event bus")

        if self.console.is_terminal:
            with Live(
                get_renderable=line, console=self.console, refresh_per_second=4, transient=True
            ):
                yield
        else:
            yield

    def call(self, call: Call, transcript: dict[str, Any]) -> None:
        """Print a call that is over: what was said and what happened, in order.

        :param transcript: What the transcript API answers, as JSON.
        """
        began = call.events[0].at
        lines = [(event.at, _flow(event.what, event.path)) for event in call.events]
        lines += [(_seconds(said["at"]), _said(said)) for said in transcript["utterances"]]
        self.console.rule(f"[bold]call {call.number}[/]: {escape(call.conversation.title)}")
        for at, line in sorted(lines, key=lambda each: each[0]):
            self.console.print(f"[dim]{at - began:z5.1f} s[/]  {line}")

    def recovered(self, call: Call, transcript: dict[str, Any]) -> None:
        """What the comparison with ASAPP's record has added to a call."""
        for said in transcript["utterances"]:
            if said["source"] != "webhook":
                at = _seconds(said["at"]) - call.events[0].at
                self.console.print(f"[dim]call {call.number}, {at:z5.1f} s[/]  {_said(said)}")

    def summary(self, summary: Summary) -> None:
        table = Table(title="Summary", show_header=False, title_justify="left")
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, justify="right")
        table.add_column()
        for name, words in _IN_PLAIN_WORDS.items():
            value = getattr(summary, name)
            if value is None:
                continue  # there was no browser
            shown = f"{value:,.0f}" + (" ms" if "_ms_" in name else "")
            if name == "conversations_complete":
                shown += f" of {summary.calls}"
            label = name.replace("_ms_", " ").replace("_", " ").replace("asapp", "ASAPP")
            table.add_row(label, shown, words)
        self.console.print(table, soft_wrap=False)
        for wrong in summary.wrongs:
            self.console.print(f"[red]{escape(wrong)}[/]")


def _flow(what: str, path: Sequence[Step]) -> str:
    """A line for what somebody did, or for a flow with its blocks."""
    if not path:
        return f"[yellow]── {'the caller ' if what.startswith('dials') else ''}{escape(what)}[/]"
    return f"[dim]   {escape(what)}: {' → '.join(escape(_block(step)) for step in path)}[/]"


def _block(step: Step) -> str:
    if step.branch.endswith("Error"):
        return f"{step.block} (failed: {step.detail}; the flow goes on)"
    return step.block


def _said(said: dict[str, Any]) -> str:
    text = one_line(said["text"])
    if len(text) > _LONGEST_SHOWN:
        text = f"{text[:_LONGEST_SHOWN]}… ({len(said['text']):,} characters)"
    role = said["role"]
    return f"[{_ROLES.get(role, 'white')}]{role:>8}[/]  {escape(text)}"


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
