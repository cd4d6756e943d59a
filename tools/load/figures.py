"""Percentiles and plots of a load, from the JSON that ``tools.load`` wrote.

It runs in an environment of its own, which has HdrHistogram and Matplotlib, and imports nothing of
this repository: ``python -m tools.load.figures RESULT FOLDER``. It writes the plots into the
folder, if one is given, and the percentiles to standard output. A result of parts has no
percentiles, but a plot.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from hdrh.histogram import HdrHistogram
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Row = Mapping[str, float]

PLACES = {
    "queue": "in the webhook's queue",
    "table": "in the table",
    "bus": "on the bus",
    "page": "on the page",
}
COLOURS = {"queue": "#57606a", "table": "#0969da", "bus": "#8250df", "page": "#1a7f37"}
PERCENTILES = (50.0, 90.0, 99.0, 99.9, 100.0)
_LONGEST_MS = 600_000
_DIGITS = 3
_FONT = "DejaVu Sans"
"""Matplotlib brings it along, and so knows how wide each text is."""
_STYLE = {
    # The page may be light or dark: a plot has its own ground.
    "figure.facecolor": "#ffffff",
    "axes.facecolor": "#ffffff",
    "axes.edgecolor": "#d0d7de",
    "axes.grid": True,
    "axes.labelcolor": "#1f2328",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "font.family": _FONT,
    "font.size": 9.5,
    "grid.color": "#eaeef2",
    "legend.frameon": False,
    "text.color": "#1f2328",
    "xtick.color": "#57606a",
    "ytick.color": "#57606a",
    # The same figures give the same file.
    "svg.fonttype": "none",
    "svg.hashsalt": "load",
}


def histogram(seconds: Iterable[float]) -> HdrHistogram:
    """Of milliseconds. Each was counted from when it was due, so nothing is omitted because the
    generator waited (*coordinated omission*), and nothing needs to be corrected."""
    made = HdrHistogram(1, _LONGEST_MS, _DIGITS)
    for each in seconds:
        made.record_value(max(1, min(_LONGEST_MS, round(each * 1000))))
    return made


def percentiles(seconds: Sequence[float]) -> dict[str, Any]:
    made = histogram(seconds)
    of = {f"{p:g}": made.get_value_at_percentile(p) for p in PERCENTILES} if seconds else {}
    return {"number": len(seconds), "ms": of}


def delays(rows: Sequence[Row], place: str) -> list[float]:
    return [row[place] - row["due"] for row in rows if place in row]


def main() -> None:
    result = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    plots = PLOTS_OF_PARTS if "parts" in result else PLOTS
    data = result["parts"] if "parts" in result else result["rows"]
    if len(sys.argv) > 2:
        folder = Path(sys.argv[2])
        folder.mkdir(parents=True, exist_ok=True)
        with matplotlib.rc_context(_STYLE):
            for name, draw in plots.items():
                figure = Figure(figsize=(8.4, 3.4), layout="constrained")
                draw(figure.add_subplot(), data)
                _save(figure, folder / f"{name}.svg")
    json.dump({} if "parts" in result else _percentiles(result), sys.stdout)


def _percentiles(result: Mapping[str, Any]) -> dict[str, Any]:
    rows = result["rows"]
    made = {place: percentiles(delays(rows, place)) for place in PLACES}
    waits = {kind: percentiles(seconds) for kind, seconds in result["told"]["waits"].items()}
    return {"places": made, "waits": waits, "behind": percentiles(result["behind"])}


def _save(figure: Figure, file: Path) -> None:
    figure.savefig(file, dpi=160, metadata={"Date": None, "Creator": None})
    drawn = file.read_text("utf-8").replace(f"'{_FONT}'", f"'{_FONT}', Verdana, sans-serif")
    file.write_text("".join(f"{line.rstrip()}\n" for line in drawn.splitlines()), "utf-8")


def _over_time(axes: Axes, rows: Sequence[Row]) -> None:
    began = min(row["due"] for row in rows)
    for place in ("table", "bus", "page"):
        shown = [row for row in rows if place in row]
        if not shown:
            continue  # an account's load has no page
        axes.plot(
            [row["due"] - began for row in shown],
            [1000 * (row[place] - row["due"]) for row in shown],
            linestyle="none", marker="o", markersize=2.2, alpha=0.55, markeredgewidth=0,
            rasterized=True,  # thousands of points
            color=COLOURS[place], label=PLACES[place],
        )  # fmt: skip
    axes.set(yscale="log", xlabel="seconds from the first word", ylabel="milliseconds")
    axes.set_title("Delay of each utterance, from when ASAPP's POST was due")
    axes.legend(markerscale=3, loc="upper right", ncols=3)


def _by_percentile(axes: Axes, rows: Sequence[Row]) -> None:
    ticks = (0, 50, 90, 99, 99.9)
    for place, name in PLACES.items():
        seconds = delays(rows, place)
        if not seconds:
            continue
        made = histogram(seconds)
        steps = [100 * (1 - 0.001 ** (n / 200)) for n in range(201)]
        most = 100 * (1 - 1 / max(2, len(seconds)))
        steps = [each for each in steps if each <= most]
        axes.plot(
            [1 / (1 - each / 100) for each in steps],
            [made.get_value_at_percentile(each) for each in steps],
            color=COLOURS[place], label=name, linewidth=1.6,
        )  # fmt: skip
    axes.set(xscale="log", xlabel="percentile", ylabel="milliseconds", ylim=(0, None))
    axes.set_xticks([1 / (1 - each / 100) for each in ticks], [f"{each:g}" for each in ticks])
    axes.minorticks_off()
    axes.set_title("Delay by percentile")
    axes.legend(loc="upper left")


def _throughput(axes: Axes, rows: Sequence[Row]) -> None:
    began = min(row["due"] for row in rows)
    names = {"due": "due at ASAPP", "bus": "on the bus"}
    for place, name in names.items():
        a_second = Counter(int(row[place] - began) for row in rows if place in row)
        last = max(a_second)
        axes.step(
            range(last + 1), [a_second[second] for second in range(last + 1)],
            where="post", linewidth=1.1, color=COLOURS.get(place, "#bf8700"), label=name,
        )  # fmt: skip
    axes.set(xlabel="seconds from the first word", ylabel="utterances a second", ylim=(0, None))
    axes.set_title("Throughput")
    axes.legend(loc="upper left")


def _backlog(axes: Axes, rows: Sequence[Row]) -> None:
    """The most of each second that were due and had not come yet, from the moments themselves."""
    began = min(row["due"] for row in rows)
    for place, name in PLACES.items():
        changes = [(row["due"] - began, 1) for row in rows if place in row]
        if not changes:
            continue
        changes += [(row[place] - began, -1) for row in rows if place in row]
        changes.sort()
        most: Counter[int] = Counter()
        waiting = 0
        for at, change in changes:
            waiting += change
            most[int(at)] = max(most[int(at)], waiting)
        axes.step(
            range(max(most) + 1), [most[second] for second in range(max(most) + 1)],
            where="post", linewidth=1.0, color=COLOURS[place], label=f"not yet {name}",
        )  # fmt: skip
    axes.set(xlabel="seconds from the first word", ylabel="utterances", ylim=(0, None))
    axes.set_title("Backlog: due, and not yet there")
    axes.legend(loc="upper left")


def _growth(axes: Axes, parts: Sequence[Mapping[str, Any]]) -> None:
    """What each part takes, by how much more it has to do."""
    for part, colour in zip(parts, _OF_PARTS, strict=True):
        first = part["works"][0]
        axes.plot(
            [work["units"] / first["units"] for work in part["works"]],
            [work["seconds"] for work in part["works"]],
            marker="o", markersize=4, linewidth=1.5, color=colour, label=part["name"],
        )  # fmt: skip
    times = (1, 10, 100)
    for at in (0.001, 0.01, 0.1, 1.0, 10.0):
        linear = [at * each for each in times]
        axes.plot(times, linear, color="#afb8c1", linewidth=0.8, linestyle="dotted", zorder=0)
    axes.set(xscale="log", yscale="log", xlabel="how much more there is to do")
    axes.set(ylabel="seconds of processor")
    axes.set_xticks(times, [f"{each} \N{MULTIPLICATION SIGN}" for each in times])
    axes.minorticks_off()
    axes.set_title("Work of each part; along a dotted line, it is linear")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


_OF_PARTS = ("#57606a", "#0969da", "#8250df", "#1a7f37", "#bf8700", "#cf222e")
PLOTS_OF_PARTS = {"parts": _growth}
PLOTS = {
    "delay": _over_time,
    "percentiles": _by_percentile,
    "throughput": _throughput,
    "backlog": _backlog,
}

if __name__ == "__main__":
    main()
