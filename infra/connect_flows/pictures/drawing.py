"""Draws a flow as SVG from the JSON that Connect gets.

Boxes stand where the flow designer shows them, drawn closer together. Arrows that do not join
neighbours run in the space between rows. It draws what is on our designer grid, not any flow.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

from connect_flows.flow import COLUMN_WIDTH, ROW_HEIGHT, Flow, FlowModule
from connect_flows.pictures.svg import FAILED, FONT, INK, QUIET, arrow_head, text_at

_PITCH_X, _PITCH_Y = 174, 136
_WIDTH, _HEIGHT = 134, 74
_LEFT, _TOP = 56, 46
_LANE, _FIRST_LANE = 12, 16
_FILLS = {
    "InvokeLambdaFunction": ("#fff1e5", "#bc4c00"),
    "UpdateContactMediaStreamingBehavior": ("#ddf4ff", "#0969da"),
}
_OTHER_FILL = ("#f6f8fa", "#6e7781")


def draw(flow: Flow | FlowModule) -> str:
    """The flow as SVG, with a background of its own, so that it is legible on any page."""
    kind = flow.type if isinstance(flow, Flow) else "module"
    return draw_content(flow.content(), f"{flow.name} · {kind}", flow.description)


def draw_content(content: Mapping[str, Any], title: str, description: str) -> str:
    """Content on our designer grid. ``ActionMetadata`` may give a box a ``title`` and the
    ``colour`` of another action type."""
    return _Drawing(content, title, description).svg()


@dataclass(frozen=True)
class _Box:
    name: str
    type: str
    column: int
    row: int
    ends: bool
    colour: str

    @property
    def left(self) -> int:
        return _LEFT + (self.column - 1) * _PITCH_X

    @property
    def top(self) -> int:
        return _TOP + self.row * _PITCH_Y

    @property
    def centre(self) -> int:
        return self.left + _WIDTH // 2

    @property
    def middle(self) -> int:
        return self.top + _HEIGHT // 2

    def side(self, channel: int) -> int:
        """Where an arrow from or to this space between rows meets the box."""
        return self.top if channel < self.row else self.top + _HEIGHT

    def exit(self, channel: int, error: bool) -> int:
        """Where an arrow leaves the box: beside those of boxes over and under it, or both would
        look like one line."""
        return self.centre + (26 if error else 8) + (20 if channel < self.row else 0)


@dataclass
class _Arrow:
    """All arrows of one kind to one box through one space between rows."""

    target: _Box
    error: bool
    channel: int
    exits: list[tuple[int, int]] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    lane: int = 0
    placed: bool = False

    @property
    def entry(self) -> int:
        return self.target.centre - (26 if self.error else 8)

    @property
    def span(self) -> tuple[int, int]:
        xs = [x for x, _ in self.exits] + [self.entry]
        return min(xs), max(xs)

    @property
    def y(self) -> int:
        return _TOP + self.channel * _PITCH_Y + _HEIGHT + _FIRST_LANE + self.lane * _LANE


class _Drawing:
    def __init__(self, content: Mapping[str, Any], title: str, description: str) -> None:
        self.title, self.description = title, description
        self.actions = {action["Identifier"]: action for action in content["Actions"]}
        self.boxes = {}
        for name, drawn in content["Metadata"]["ActionMetadata"].items():
            column, row = (
                drawn["position"]["x"] // COLUMN_WIDTH,
                drawn["position"]["y"] // ROW_HEIGHT,
            )
            action = self.actions[name]
            ends = not _leads_on(action)
            title, colour = drawn.get("title", name), drawn.get("colour", action["Type"])
            self.boxes[name] = _Box(title, action["Type"], column, row, ends, colour)
        self.start = self.boxes[content["StartAction"]]

    def svg(self) -> str:
        straight, arrows = self._arrows()
        rows = 1 + max(box.row for box in self.boxes.values())
        columns = max(box.column for box in self.boxes.values())
        lowest = [arrow.y for arrow in arrows] + [_TOP + (rows - 1) * _PITCH_Y + _HEIGHT]
        width, height = max(_LEFT + columns * _PITCH_X - 20, 460), max(lowest) + 46
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img" font-family="{FONT}">',
            f"<title>{escape(self.title)}</title>",
            f"<desc>{escape(self.description)}</desc>",
            "<defs>",
            arrow_head("works", INK),
            arrow_head("fails", FAILED),
            "</defs>",
            f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8" '
            'fill="#ffffff" stroke="#d0d7de"/>',
            text_at(16, 25, self.title, 12, QUIET, anchor="start"),
            *self._entry(),
            *(_line(f"M{x} {y}H{to}", error=False) for x, y, to in straight),
            *(part for arrow in arrows for part in _arrow(arrow)),
            *(part for box in self.boxes.values() for part in _box(box)),
            *_legend(height - 18, any(arrow.error for arrow in arrows)),
            "</svg>",
        ]
        return "\n".join(parts) + "\n"

    def _entry(self) -> Iterator[str]:
        x, y = 22, self.start.middle
        yield f'<circle cx="{x}" cy="{y}" r="6" fill="{INK}"/>'
        yield _line(f"M{x} {y}H{self.start.left}", error=False)

    def _arrows(self) -> tuple[list[tuple[int, int, int]], list[_Arrow]]:
        """Those between neighbours, straight, and the others, in their lanes."""
        straight: list[tuple[int, int, int]] = []
        arrows: dict[tuple[str, bool, int], _Arrow] = {}
        for name, action in self.actions.items():
            source = self.boxes[name]
            for target, ways in _ways_out(action).items():
                box = self.boxes[target]
                neighbour = (box.row, box.column) == (source.row, source.column + 1)
                for error, labels in ways.items():
                    if neighbour and not error:
                        straight.append((source.left + _WIDTH, source.middle, box.left))
                        continue
                    channel = source.row if box.row >= source.row else source.row - 1
                    arrow = arrows.setdefault((target, error, channel), _Arrow(box, error, channel))
                    arrow.exits.append((source.exit(channel, error), source.side(channel)))
                    arrow.labels += labels
        _choose_lanes(list(arrows.values()))
        return straight, list(arrows.values())


def _following(action: Mapping[str, Any]) -> str:
    # A contact that is in the queue leaves the flow: NextAction is there for the API alone.
    if action["Type"] == "TransferContactToQueue":
        return ""
    return str(action["Transitions"].get("NextAction", ""))


def _leads_on(action: Mapping[str, Any]) -> list[str]:
    """Where an action leads if it works."""
    ways = [_following(action)]
    ways += [each["NextAction"] for each in action["Transitions"].get("Conditions") or ()]
    return [way for way in ways if way]


def _ways_out(action: Mapping[str, Any]) -> dict[str, dict[bool, list[str]]]:
    """Where an action leads: by target, whether on an error, and what to write at the arrow."""
    ways: dict[str, dict[bool, list[str]]] = defaultdict(dict)
    transitions = action["Transitions"]
    for following in _leads_on(action):
        ways[following][False] = []
    types: dict[str, list[str]] = defaultdict(list)
    for error in transitions.get("Errors", ()):
        types[error["NextAction"]].append(error["ErrorType"])
    for target, names in types.items():
        ways[target][True] = [] if names == ["NoMatchingError"] else names
    return ways


def _choose_lanes(arrows: list[_Arrow]) -> None:
    """Short arrows next to the boxes, long ones farther off, none on another."""
    for arrow in sorted(arrows, key=lambda each: each.span[1] - each.span[0]):
        left, right = arrow.span
        taken = {
            other.lane
            for other in arrows
            if other is not arrow
            and other.channel == arrow.channel
            and other.span[0] <= right
            and left <= other.span[1]
            and other.placed
        }
        arrow.lane = next(lane for lane in range(len(arrows)) if lane not in taken)
        arrow.placed = True


def _arrow(arrow: _Arrow) -> Iterator[str]:
    left, right = arrow.span
    # Each piece once: dashes that lie on dashes look like a line.
    for x, y in arrow.exits:
        yield _line(f"M{x} {y}V{arrow.y}", error=arrow.error, head=False)
        if left < x < right:  # two lines that meet; without the dot they only cross
            yield f'<circle cx="{x}" cy="{arrow.y}" r="2.5" fill="{_colour(arrow.error)}"/>'
    start = right if arrow.entry == left else left
    if left < arrow.entry < right:
        yield _line(f"M{right} {arrow.y}H{arrow.entry}", error=arrow.error, head=False)
    yield _line(
        f"M{start} {arrow.y}H{arrow.entry}V{arrow.target.side(arrow.channel)}", error=arrow.error
    )
    for number, label in enumerate(arrow.labels):
        yield text_at(left + 6, arrow.y + 13 + 12 * number, label, 10, FAILED, anchor="start")


def _box(box: _Box) -> Iterator[str]:
    fill, edge = _FILLS.get(box.colour, _OTHER_FILL)
    radius = 24 if box.ends else 6
    yield (
        f'<rect x="{box.left}" y="{box.top}" width="{_WIDTH}" height="{_HEIGHT}" rx="{radius}" '
        f'fill="{fill}" stroke="{edge}" stroke-width="1.5"/>'
    )
    names = _wrapped(box.name.split(" "), " ", 17)
    types = _wrapped(re.findall("[A-Z][a-z]*", box.type), "", 20)
    y = box.middle - (15 * len(names) + 13 * len(types)) // 2 + 11
    for line in names:
        yield text_at(box.centre, y, line, 12, INK, weight="600")
        y += 15
    for line in types:
        yield text_at(box.centre, y, line, 10, QUIET)
        y += 13


def _wrapped(words: list[str], space: str, width: int) -> list[str]:
    lines = [words[0]]
    for word in words[1:]:
        longer = f"{lines[-1]}{space}{word}"
        if len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _legend(y: int, errors: bool) -> Iterator[str]:
    if not errors:
        return
    yield _line(f"M16 {y}H52", error=False)
    yield text_at(60, y + 4, "the block worked", 11, QUIET, anchor="start")
    yield _line(f"M176 {y}H212", error=True)
    yield text_at(220, y + 4, "it failed: the call goes on all the same", 11, QUIET, anchor="start")


def _colour(error: bool) -> str:
    return FAILED if error else INK


def _line(path: str, *, error: bool, head: bool = True) -> str:
    dash = ' stroke-dasharray="5 3"' if error else ""
    end = f' marker-end="url(#{"fails" if error else "works"})"' if head else ""
    return f'<path d="{path}" fill="none" stroke="{_colour(error)}" stroke-width="1.4"{dash}{end}/>'
