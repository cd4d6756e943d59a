"""A flow that streams one direction only is not woven as if ASAPP heard both sides."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connect_flows.flow_graph import CannotWeave
from connect_flows.weave import weave
from tests.flow_builders import HANG_UP, Json, blocks, flow, stream
from tests.flows.weave.weaving import START, STOP


def one_sided(direction: str, name: str = "On", on: bool = True, to: str = "Hang up") -> Json:
    block = json.loads(json.dumps(stream(name, on, to)))
    block["Parameters"]["Participants"][0]["MediaDirections"] = [direction]
    return dict(block)


def directions(content: Json, name: str = "On") -> Any:
    return blocks(content)[name]["Parameters"]["Participants"][0]["MediaDirections"]


@pytest.mark.parametrize(("direction", "unheard"), [("From", "the agent"), ("To", "the customer")])
def test_it_is_refused_with_who_would_not_be_heard_and_what_to_do(
    direction: str, unheard: str
) -> None:
    content = flow(one_sided(direction), HANG_UP)
    with pytest.raises(CannotWeave) as refused:
        weave(content, "CONTACT_FLOW", start=START)
    assert str(refused.value) == (
        f"'On' streams one direction only, and ASAPP would not hear {unheard}: stream both in "
        "the flow designer, or let weaving change it (--both-directions, in Python "
        "both_directions=True)"
    )


def test_it_is_widened_when_asked_to_and_so_is_its_stop() -> None:
    content = flow(one_sided("From", to="Off"), one_sided("From", "Off", on=False), HANG_UP)
    before = json.dumps(content)
    woven = weave(content, "CONTACT_FLOW", start=START, stop=STOP, both_directions=True)
    assert woven.widened == ("On", "Off")
    assert directions(woven.content) == directions(woven.content, "Off") == ["From", "To"]
    drawn = woven.content["Metadata"]["ActionMetadata"]["On"]
    assert (drawn["toCustomer"], drawn["fromCustomer"]) == (True, True)
    assert json.dumps(content) == before
    again = weave(woven.content, "CONTACT_FLOW", start=START, stop=STOP, both_directions=True)
    assert (again.content, again.widened, again.insertions) == (woven.content, (), ())


def test_a_one_sided_stop_of_a_flow_that_starts_both_is_left_as_it_is() -> None:
    content = flow(stream("On", True, "Off"), one_sided("From", "Off", on=False), HANG_UP)
    woven = weave(content, "CONTACT_FLOW", start=START, both_directions=True)
    assert woven.widened == ()
    assert directions(woven.content, "Off") == ["From"]


def test_a_stop_alone_needs_no_second_direction() -> None:
    content = flow(one_sided("From"), HANG_UP)
    woven = weave(content, "CONTACT_FLOW", stop=STOP, both_directions=True)
    assert (woven.widened, directions(woven.content)) == ((), ["From"])


@pytest.mark.parametrize(
    "participants",
    [None, "x", [], ["x"], [{}], [{"ParticipantType": "Customer", "MediaDirections": 1}]],
)
def test_what_lists_no_direction_is_not_judged(participants: object) -> None:
    content = flow(one_sided("From"), HANG_UP)
    content["Actions"][0]["Parameters"]["Participants"] = participants
    assert weave(content, "CONTACT_FLOW", start=START).insertions


def test_a_flow_that_is_not_drawn_is_widened_as_well() -> None:
    content = flow(one_sided("To"), HANG_UP)
    del content["Metadata"]
    woven = weave(content, "CONTACT_FLOW", start=START, both_directions=True)
    assert directions(woven.content) == ["From", "To"]
    assert "Metadata" not in woven.content
