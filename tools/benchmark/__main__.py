"""``make benchmark``: what we measure, beside what it is compared with, in one run.

A missed budget is shown, and does not fail the run. A measurement that did not really run does.
With ``--quick`` everything runs once, to see that it runs; the figures mean little.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tools.benchmark.measurements import (
    Rounds,
    Row,
    consumer,
    first_answer,
    large_file,
    package,
    servers,
    synth,
    synthesise,
    warm,
)

QUICK = Rounds(synths=1, first_answers=3, feed_file_bytes=64 * 1024**2)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.benchmark", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only see that everything runs")
    rounds = QUICK if parser.parse_args().quick else Rounds()
    console = Console()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        rows = []
        console.print("[dim]synth …[/]")
        rows += synth(folder, rounds)
        everything = folder / "everything.out"  # the sandbox has every function
        synthesise("app.py", everything, "sandbox")
        handlers = everything.glob("asset.*/*/handler.py")
        packages = {file.parent.name: file.parents[1] for file in handlers}
        with servers(folder, rounds) as environment:
            console.print("[dim]start …[/]")
            rows += first_answer(packages["start_streaming"], environment, rounds)
            rows += warm(packages["start_streaming"], environment)
            rows += consumer(packages["store_transcript"], environment)
            console.print("[dim]export …[/]")
            rows += large_file(packages["export_utterances"], environment, rounds)
        rows += [package(name, packages[name], folder) for name in sorted(packages)]
    console.print(table(rows))


def table(rows: list[Row]) -> Table:
    caption = (
        f"Medians, alternating. Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}."
    )
    table = Table(caption=caption, box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in ("what", "ours", "compared with", "ratio", "budget", "met"):
        right = heading in ("ours", "ratio")
        table.add_column(heading, justify="right" if right else "left")
    met = {None: "", True: "[green]yes[/]", False: "[red]no[/]"}
    for row in rows:
        table.add_row(row.what, row.ours, row.compared_with, row.ratio, row.budget, met[row.met])
    return table


if __name__ == "__main__":
    main()
