"""Writes the table of where weaving puts start and stop into ``docs/flows.md``."""

from __future__ import annotations

from pathlib import Path

from connect_flows.places import PLACES

GUIDE = Path(__file__).parents[2] / "docs" / "flows.md"
START = "<!-- Made by `make flows` from connect_flows/places.py. -->\n"
END = "<!-- End of the table. -->\n"


def table() -> str:
    """The table in Markdown: types that have the same places share a row."""
    rows = dict.fromkeys(PLACES.values())
    lines = ["| type | `--start` goes | `--stop` goes |", "| --- | --- | --- |"]
    for places in rows:
        types = ", ".join(f"`{type}`" for type, these in PLACES.items() if these == places)
        lines.append(f"| {types} | {places.start.value} | {places.stop.value} |")
    return "\n".join(lines) + "\n"


def write() -> None:
    before, _, rest = GUIDE.read_text("utf-8").partition(START)
    GUIDE.write_text(f"{before}{START}{table()}{END}{rest.partition(END)[2]}", "utf-8")
