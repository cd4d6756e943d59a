"""The pictures in the guide."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from connect_flows.pictures.drawing import draw
from tests.flows.ready_made.made import READY_MADE, actions, every_ready_made
from tools.flows import __main__ as draw_flows


def test_the_pictures_are_those_of_the_flows_as_they_are() -> None:
    drawn = {f"{name}.svg": draw(flow) for name, flow in draw_flows.ready_made().items()}
    committed = {file.name: file.read_text("utf-8") for file in draw_flows.FOLDER.iterdir()}
    assert committed == drawn, "run python -m tools.flows"


def test_every_ready_made_flow_has_its_picture_in_the_guide() -> None:
    drawn = draw_flows.ready_made()
    assert {flow.name for flow in drawn.values()} == {flow.name for flow in READY_MADE.values()}
    guide = (draw_flows.FOLDER.parent / "flows.md").read_text("utf-8")
    assert sorted(re.findall(r"\]\(flows/([\w-]+)\.svg\)", guide)) == sorted(drawn)


@every_ready_made
def test_a_picture_shows_every_block_and_every_way(name: str) -> None:
    svg = "{http://www.w3.org/2000/svg}"
    root = ElementTree.fromstring(draw(READY_MADE[name]))  # noqa: S314 (our own)
    words = " ".join(text.text or "" for text in root.iter(f"{svg}text"))
    for identifier, action in actions(name).items():
        assert identifier in words
        assert action["Type"] in words.replace(" ", "")
    lines = list(root.iter(f"{svg}path"))
    dashed = [line for line in lines if "stroke-dasharray" in line.attrib]
    failures = {
        error["NextAction"]
        for action in actions(name).values()
        for error in action["Transitions"].get("Errors", [])
    }
    arrows = [line for line in dashed if "marker-end" in line.attrib]
    assert len(arrows) >= len(failures) + 1  # and the legend's


@every_ready_made
def test_a_picture_brings_its_own_ground_and_nothing_from_elsewhere(name: str) -> None:
    drawn = draw(READY_MADE[name])
    assert 'fill="#ffffff"' in drawn
    assert re.findall(r"https?://[^\"]+", drawn) == ["http://www.w3.org/2000/svg"]
    assert "<script" not in drawn
    assert "<image" not in drawn
