"""What a load has shown, as Markdown: for a person who waits for it, and for docs/load.md."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sandbox.stacks.emulator import SandboxError
from tools.load.result import ROOT, Result

PAGE = ROOT / "docs" / "load.md"
PLOTS = ROOT / "docs" / "load"
_DRAWS = ROOT / ".load" / "bin" / "python"
_PLACES = {
    "queue": "the webhook's queue",
    "table": "the table",
    "bus": "the event bus",
    "page": "the live page",
}
_WAITS = {"start": "a start, at ASAPP", "stop": "a stop, at ASAPP"}
_PERCENTILES = ("50", "90", "99", "99.9", "100")


def figures(result: Mapping[str, Any], folder: Path | None = None) -> dict[str, Any]:
    """Percentiles, by a process with HdrHistogram.

    :param folder: Where to write plots. Default: nowhere.
    """
    if not _DRAWS.exists():
        raise SandboxError(f"{_DRAWS} is not installed; run: make .load/.installed")
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(result, file)
        file.flush()
        done = subprocess.run(
            [_DRAWS, "-m", "tools.load.figures", file.name, *([folder] if folder else [])],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            check=True,
        )
    made: dict[str, Any] = json.loads(done.stdout)
    return made


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The first column is text, the others are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def ran_on(command: str, machine: Mapping[str, Any]) -> str:
    nice = f", at niceness {machine['niceness']}" if machine["niceness"] else ""
    return (
        f"`{command}`, {machine['at']}, revision `{machine['revision']}`: "
        f"{machine['cores']} cores ({machine['processor']}), {machine['memory_gb']} GB, "
        f"{machine['system']}, Python {machine['python']}{nice}; "
        f"load average {machine['load']} when it ended."
    )


def markdown(result: Result, made: Mapping[str, Any], command: str) -> str:
    told = result.told
    each = max(1, result.utterances)
    facts: tuple[tuple[str, str], ...] = (
        ("calls, and the most at a time", f"{result.calls:,}, {result.at_a_time:,}"),
        ("utterances that ASAPP transcribed", f"{result.utterances:,}"),
        ("POSTs that the webhook took, with those that came twice", f"{result.posts:,}"),
        ("starts and stops that ASAPP took", f"{told.starts:,}, {told.stops:,}"),
        (
            "said on hold, and not transcribed, as it must be",
            f"{told.on_hold:,}",
        ),
        ("said in talk before a start had come to ASAPP", f"{told.before_start:,}"),
        ("later on the bus than five seconds after they were due", f"{result.late:,}"),
        ("not by an event to the page, but when it read the call again", f"{result.by_reading:,}"),
        (
            "milliseconds that the generator itself was behind, at most",
            _ms(made["behind"], "100"),
        ),
    )
    if result.processor.stacks:
        facts += (
            (
                "milliseconds of processor for an utterance: stacks and emulator, generator",
                f"{1000 * result.processor.stacks / each:,.0f}, "
                f"{1000 * result.processor.generator / each:,.0f}",
            ),
            ("cores that were busy with it, on average", f"{_cores(result):.1f}"),
        )
    counts = (
        (
            name,
            *(f"{number:,}" for number in (at.came, at.lost, at.doubled, at.altered, at.again)),
        )
        for name, at in result.places.items()
    )
    delays = [(name, made["places"][place]) for place, name in _PLACES.items()]
    delays = [(name, one) for name, one in delays if one["number"]]
    delays += [(name, made["waits"][kind]) for kind, name in _WAITS.items()]
    return "\n\n".join(
        (
            ran_on(command, result.machine),
            table(("", ""), facts),
            "Each utterance, by its id:",
            table(("at", "came", "lost", "doubled", "altered", "came again"), counts),
            "Milliseconds until it was there, from the moment when it was due:",
            table(
                ("", "p50", "p90", "p99", "p99.9", "greatest"),
                ((name, *(_ms(one, each) for each in _PERCENTILES)) for name, one in delays),
            ),
        )
    )


def write(part: str, text: str, page: Path = PAGE) -> None:
    """Put it into docs/load.md.

    :param part: Between the marks of this name.
    """
    marks = f"<!-- {part}: begin -->\n", f"<!-- {part}: end -->\n"
    whole = page.read_text("utf-8")
    before, _, rest = whole.partition(marks[0])
    _, _, after = rest.partition(marks[1])
    page.write_text(f"{before}{marks[0]}\n{text}\n\n{marks[1]}{after}", "utf-8")


def plain(text: str) -> str:
    """For a terminal: without the lines that only Markdown needs."""
    return re.sub(r"(?m)^\|( -+:? \|)+\n|^\|  \|  \|\n", "", text)


def _ms(made: Mapping[str, Any], percentile: str) -> str:
    return f"{made['ms'][percentile]:,}" if made["ms"] else "\N{EN DASH}"


def _cores(result: Result) -> float:
    return (result.processor.stacks + result.processor.generator) / result.seconds
