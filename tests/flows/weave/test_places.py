"""The one table of where start and stop go: each type of flow, with each option."""

from __future__ import annotations

import pytest

from connect_flows.flow_graph import CannotWeave
from connect_flows.flow_types import EVERYWHERE, HOLDS, WHISPERS
from connect_flows.places import ENDINGS, EVERY_ENDING, PLACES, Place
from connect_flows.weave import weave
from tests.flow_builders import END, HANG_UP, Json, flow, music, note, say, stream
from tests.flows.weave.weaving import START, STOP, Way, weave_well
from tools.flows.places import END as TABLE_END
from tools.flows.places import GUIDE, table
from tools.flows.places import START as TABLE_START

ENTRY = ("", "entry")
TALKS = ["AGENT_TRANSFER", "CONTACT_FLOW", "MODULE", "QUEUE_TRANSFER"]
MEDIA_AND_START = ["media Enabled", "start"]
Expected = dict[Way, list[str]] | str

HELLO = flow(say("Hello", "End"), END)
HOLD = flow(music())
QUEUE = flow(music(NextAction="End"), END)
TALK = flow(stream("On", True, "Then"), note("Then", "Hang up"), HANG_UP)
AT_THE_END = {("Then", "next"): ["stop"], ("Then", "NoMatchingError 0"): ["stop"]}

CASES: dict[tuple[str, str], tuple[Json, Expected]] = {
    **{
        (type, "start"): (HELLO, {ENTRY: MEDIA_AND_START})
        for type in ("AGENT_WHISPER", "CUSTOMER_WHISPER")
    },
    ("OUTBOUND_WHISPER", "start"): (
        HELLO,
        {("Hello", "next"): MEDIA_AND_START, ("Hello", "NoMatchingError 0"): MEDIA_AND_START},
    ),
    **{
        (type, options): (HELLO, "a whisper ends when the conversation begins")
        for type in WHISPERS
        for options in ("stop", "start and stop")
    },
    **{(type, "stop"): (HOLD, {ENTRY: ["stop"]}) for type in HOLDS},
    **{
        (type, options): (HOLD, "no flow runs when a hold ends")
        for type in HOLDS
        for options in ("start", "start and stop")
    },
    ("CUSTOMER_QUEUE", "stop"): (QUEUE, {ENTRY: ["stop"]}),
    **{
        ("CUSTOMER_QUEUE", options): (QUEUE, "it has no Start media streaming")
        for options in ("start", "start and stop")
    },
    **{(type, "start"): (TALK, {("On", "next"): ["start"]}) for type in TALKS},
    **{(type, "stop"): (TALK, AT_THE_END) for type in TALKS},
    **{
        (type, "start and stop"): (TALK, {("On", "next"): ["start"]} | AT_THE_END) for type in TALKS
    },
}


def test_the_table_has_every_type() -> None:
    assert set(PLACES) == EVERYWHERE
    assert set(CASES) == {
        (type, options) for type in EVERYWHERE for options in ("start", "stop", "start and stop")
    }


@pytest.mark.parametrize(("type", "options"), sorted(CASES))
def test_start_and_stop_go_where_the_table_says(type: str, options: str) -> None:
    content, expected = CASES[type, options]
    start, stop = (START if "start" in options else None), (STOP if "stop" in options else None)
    if isinstance(expected, str):
        with pytest.raises(CannotWeave, match=expected):
            weave(content, type, start=start, stop=stop)
    else:
        assert weave_well(content, type, start, stop) == expected


@pytest.mark.parametrize("type", sorted(EVERYWHERE))
def test_what_the_table_refuses_is_refused_in_any_flow_of_the_type(type: str) -> None:
    refused = {Place.NOT_AT_RESUME: "start", Place.NOT_IN_A_WHISPER: "stop"}
    for place, what in refused.items():
        if place in PLACES[type]:
            content = HOLD if type in HOLDS else flow(END)
            with pytest.raises(CannotWeave):
                weave(
                    content,
                    type,
                    start=START if what == "start" else None,
                    stop=STOP if what == "stop" else None,
                )


def test_every_ending_is_asked_for_unless_somebody_chooses() -> None:
    assert STOP.before == EVERY_ENDING
    assert set(EVERY_ENDING) == set(ENDINGS) - {"transfer"}
    assert ENDINGS["transfer"] == ENDINGS["queue"] | ENDINGS["transfer-out"]
    assert not ENDINGS["queue"] & ENDINGS["transfer-out"]


def test_the_table_of_the_guide_is_this_one() -> None:
    guide = GUIDE.read_text("utf-8")
    assert guide.partition(TABLE_START)[2].partition(TABLE_END)[0] == table()
