"""The picture of what a construct creates, as SVG: boxes in columns, arrows from left to right.

The same bytes every time. It stands on a ground of its own: legible on a light page and a dark one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from connect_flows.pictures.svg import FAILED, FONT, INK, QUIET, arrow_head, text_at
from tools.reference.created import Link, Thing

_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _MARGIN = 188, 52, 72, 18, 20
_LETTERS = 24  # of a name that fit into a box
_MADE, _GIVEN = ("#ddf4ff", "#0969da"), ("#f6f8fa", "#6e7781")


@dataclass(frozen=True)
class _Bend:
    """Where an arrow passes a column, between the boxes."""

    link: Link
    column: int


_Stop = Thing | _Bend
Point = tuple[float, float]


def draw(title: str, things: Sequence[Thing], links: Sequence[Link]) -> str:
    """What is made, and what that is linked with."""
    columns, ways = _columns(things, links)
    tall = max(map(_tall, columns))
    places: dict[_Stop, Point] = {}
    for number, column in enumerate(columns):
        y = _MARGIN + 26 + (tall - _tall(column)) / 2
        for stop in column:
            places[stop] = _MARGIN + number * (_WIDTH + _GAP_X), y
            y += _high(stop) + _GAP_Y
    width = max(2 * _MARGIN + len(columns) * (_WIDTH + _GAP_X) - _GAP_X, 420)
    height = 2 * _MARGIN + 52 + tall
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" font-family="{FONT}">',
        f"<title>{escape(title)}</title>",
        "<defs>",
        arrow_head("works", INK),
        arrow_head("fails", FAILED),
        "</defs>",
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8" '
        'fill="#ffffff" stroke="#d0d7de"/>',
        text_at(_MARGIN, 28, title, 13, INK, anchor="start", weight="600"),
        *(_arrow([places[stop] for stop in ways[link]], link.on_failure) for link in links),
        *(part for thing in things for part in _box(thing, *places[thing])),
        *_legend(height - 18),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _high(stop: _Stop) -> int:
    return _HEIGHT if isinstance(stop, Thing) else 0


def _tall(column: Sequence[_Stop]) -> int:
    return sum(map(_high, column)) + _GAP_Y * (len(column) - 1)


def _columns(
    things: Sequence[Thing], links: Sequence[Link]
) -> tuple[list[list[_Stop]], dict[Link, list[_Stop]]]:
    """Each thing right of what leads to it and near that in height; and each link's stops."""
    depth = _depths(things, links)
    columns: list[list[_Stop]] = [[] for _ in range(max(depth.values()) + 1)]
    for thing in things:
        columns[depth[thing]].append(thing)
    ways: dict[Link, list[_Stop]] = {}
    for link in links:
        between = range(depth[link.source] + 1, depth[link.target])
        bends = [_Bend(link, column) for column in between]
        ways[link] = [link.source, *bends, link.target]
        for bend in bends:
            columns[bend.column].append(bend)
    near: dict[_Stop, set[_Stop]] = {stop: set() for column in columns for stop in column}
    for way in ways.values():
        for one, other in pairwise(way):
            near[one].add(other)
            near[other].add(one)

    def mean(stop: _Stop) -> float:
        return sum(height[each] for each in near[stop] or [stop]) / len(near[stop] or [stop])

    for _ in range(6):
        for number in (*range(1, len(columns)), *range(len(columns) - 2, -1, -1)):
            height = _heights(columns)
            columns[number].sort(key=mean)
    return columns, ways


def _depths(things: Sequence[Thing], links: Sequence[Link]) -> dict[Thing, int]:
    """In which column each is, without empty ones."""
    ahead = _without_circles(things, links)
    depth = dict.fromkeys(things, 0)
    for _ in things:
        for source, target in ahead:
            depth[target] = max(depth[target], depth[source] + 1)
    for thing in things:  # what begins a way stands next to where it leads
        following = [depth[target] for source, target in ahead if source == thing]
        if following and not any(target == thing for _, target in ahead):
            depth[thing] = min(following) - 1
    used = sorted(set(depth.values()))
    return {thing: used.index(depth[thing]) for thing in things}


def _heights(columns: Sequence[Sequence[_Stop]]) -> Mapping[_Stop, float]:
    return {stop: y - len(column) / 2 for column in columns for y, stop in enumerate(column)}


def _without_circles(things: Sequence[Thing], links: Sequence[Link]) -> list[tuple[Thing, Thing]]:
    """The links that lead on; one that closes a circle is drawn back to the left."""
    targets = {thing: [link.target for link in links if link.source == thing] for thing in things}
    found: list[tuple[Thing, Thing]] = []
    done, on_the_way = set[Thing](), list[Thing]()

    def follow(thing: Thing) -> None:
        on_the_way.append(thing)
        for target in targets[thing]:
            if target not in on_the_way:
                found.append((thing, target))
                if target not in done:
                    follow(target)
        on_the_way.pop()
        done.add(thing)

    entered = {link.target for link in links}
    for thing in sorted(things, key=lambda each: each in entered):
        if thing not in done:
            follow(thing)
    return found


def _arrow(stops: Sequence[Point], on_failure: bool) -> str:
    """From the first box to the last, through the bends between."""
    (x, y), *bends, (to_x, to_y) = stops
    y, to_y = y + _HEIGHT / 2, to_y + _HEIGHT / 2
    bend = _GAP_X * 0.6
    if to_x > x:
        path, last = f"M{x + _WIDTH} {y}", (x + _WIDTH, y)
        for left, middle in [*bends, (to_x, to_y)]:
            path += f"C{last[0] + bend} {last[1]} {left - bend} {middle} {left} {middle}"
            if (left, middle) != (to_x, to_y):
                path += f"H{left + _WIDTH}"
            last = left + _WIDTH, middle
    elif to_x == x:  # in one column: out and in at the right
        right = x + _WIDTH
        path = f"M{right} {y}C{right + 44} {y} {right + 44} {to_y} {right} {to_y}"
    else:
        end = to_x + _WIDTH
        path = f"M{x} {y}C{x - bend} {y} {end + bend} {to_y} {end} {to_y}"
    dash = ' stroke-dasharray="5 3"' if on_failure else ""
    colour, head = (FAILED, "fails") if on_failure else (INK, "works")
    return (
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.3"{dash} '
        f'marker-end="url(#{head})"/>'
    )


def _box(thing: Thing, x: float, y: float) -> Iterator[str]:
    fill, edge = _GIVEN if thing.given else _MADE
    dash = ' stroke-dasharray="4 3"' if thing.given else ""
    yield (
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6" fill="{fill}" '
        f'stroke="{edge}" stroke-width="1.4"{dash}/>'
    )
    name = thing.name
    while len(name) > _LETTERS and "/" in name.removeprefix("…/"):
        name = f"…/{name.removeprefix('…/').partition('/')[2]}"
    yield f"<g><title>{escape(thing.name)}</title>"
    size = min(12, 1.6 * _WIDTH / len(name))  # a long name is written smaller
    yield text_at(x + _WIDTH / 2, y + 22, name, round(size, 1), INK, weight="600")
    yield text_at(x + _WIDTH / 2, y + 39, thing.kind, 11, QUIET)
    yield "</g>"


def _legend(y: float) -> Iterator[str]:
    for x, (fill, edge), dash, text in (
        (_MARGIN, _MADE, "", "made here"),
        (_MARGIN + 100, _GIVEN, ' stroke-dasharray="4 3"', "given"),
    ):
        yield (
            f'<rect x="{x}" y="{y - 8}" width="18" height="11" rx="2" fill="{fill}" '
            f'stroke="{edge}"{dash}/>'
        )
        yield text_at(x + 25, y + 2, text, 11, QUIET, anchor="start")
    left = _MARGIN + 180
    yield (
        f'<path d="M{left} {y - 2}H{left + 30}" stroke="{FAILED}" stroke-width="1.3" '
        'stroke-dasharray="5 3" marker-end="url(#fails)"/>'
    )
    yield text_at(left + 38, y + 2, "what failed", 11, QUIET, anchor="start")
