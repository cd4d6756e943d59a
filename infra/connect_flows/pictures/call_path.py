"""Draws what a call goes through, flow by flow, from an audit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from connect_flows.audit.findings import CallPath, Report
from connect_flows.audit.instance import Instance
from connect_flows.flow import COLUMN_WIDTH, ROW_HEIGHT
from connect_flows.pictures.drawing import draw_content

_COLUMNS = {
    "call": 1,
    "queue": 2,
    "agent whisper": 3,
    "outbound whisper": 3,
    "customer whisper": 4,
    "talk": 5,
    "hold": 6,
    "disconnect": 6,
}
_MAX_TITLE = 40


def pictures(instance: Instance, report: Report) -> Iterator[tuple[str, str]]:
    """A file name and an SVG for each phone number, quick connect and queue."""
    names: set[str] = set()
    for entry, path in report.paths.items():
        name = re.sub(r"[^A-Za-z0-9+]+", "-", entry).strip("-")[:60] or "call"
        free, number = name, 1
        while free in names:
            number += 1
            free = f"{name}-{number}"
        names.add(free)
        yield f"{free}.svg", draw_path(instance, report, path)


def draw_path(instance: Instance, report: Report, path: CallPath) -> str:
    """One call path: a box for each flow; those with functions of ours are coloured."""
    wrong = {each.flow_id for each in report.findings if path.entry in each.calls}
    ids = {each: f"{number}" for number, each in enumerate(path.flows)}
    rows: dict[int, int] = {}
    actions, drawn = [], {}
    for place in ids:
        moment, flow_id = place
        column = _COLUMNS[moment]
        row = rows[column] = rows.get(column, -1) + 1
        flow = instance.flows.get(flow_id)
        title = flow.name if flow else {"talk": "Agent and customer talk"}.get(moment, flow_id)
        title = title if len(title) <= _MAX_TITLE else f"{title[: _MAX_TITLE - 1]}…"
        ours = bool(flow and instance.roles_in(flow))
        words = moment.title().replace(" ", "") + ("Wrong" if flow_id in wrong else "")
        drawn[ids[place]] = {
            "position": {"x": column * COLUMN_WIDTH, "y": row * ROW_HEIGHT},
            "title": title or "not known",
            "colour": "InvokeLambdaFunction" if ours else "",
        }
        following = [ids[to] for source, to in path.ways if source == place and to != place]
        actions.append(_action(ids[place], words, following))
    content = {
        "StartAction": "0",
        "Metadata": {"ActionMetadata": drawn},
        "Actions": actions,
    }
    return draw_content(content, f"{path.entry} · calls", "The flows that a call goes through")


def _action(name: str, type: str, following: list[str]) -> dict[str, Any]:
    transitions = {"Conditions": [{"NextAction": each} for each in following]}
    return {"Identifier": name, "Type": type, "Transitions": transitions}
