"""Where weaving puts a stop."""

from __future__ import annotations

from typing import Any

import pytest

from connect_flows.flow_graph import CannotWeave
from connect_flows.flow_types import HOLDS
from connect_flows.rules import check
from connect_flows.weave import Stop, weave
from tests.flow_builders import (
    END,
    HANG_UP,
    STOP_ARN,
    Json,
    action,
    blocks,
    compare,
    condition,
    error,
    flow,
    invoke,
    music,
    note,
    queue,
    say,
    stream,
)
from tests.flows.weave.weaving import (
    BEFORE,
    START,
    STOP,
    STOPPED,
    assert_nothing_else_changed,
    leads,
    weave_well,
)


@pytest.mark.parametrize("type", sorted(HOLDS))
def test_a_hold_flow_stops_at_its_entry_and_leaves_media_streaming_alone(type: str) -> None:
    content = flow(music())
    assert weave_well(content, type, stop=STOP) == {("", "entry"): ["stop"]}
    woven = weave(content, type, stop=STOP)
    assert [str(each) for each in woven.insertions] == ["Stop transcription, before 'Music'"]
    assert blocks(woven.content)["Stop transcription"]["Parameters"] == {
        "LambdaFunctionARN": STOP_ARN,
        "InvocationTimeLimitSeconds": "8",
        "InvocationType": "SYNCHRONOUS",
        "ResponseValidation": {"ResponseType": "STRING_MAP"},
    }
    again = flow(note("Note", "Music"), music(NextAction="Note"))
    assert weave_well(again, type, stop=STOP) == {("", "entry"): ["stop"]}


def test_a_transfer_is_stopped_before_and_not_once_more_when_it_fails() -> None:
    content = flow(
        say("Hello", "Queue"), queue("Queue", full="Sorry"), say("Sorry", "Hang up"), HANG_UP
    )
    assert weave_well(content, "CONTACT_FLOW", stop=STOP) == {
        ("Hello", "next"): STOPPED,
        ("Hello", "NoMatchingError 0"): STOPPED,
    }


@pytest.mark.parametrize(
    ("kind_", "type", "before"),
    [
        ("DequeueContactAndTransferToQueue", "CUSTOMER_QUEUE", "transfer"),
        ("TransferContactToAgent", "AGENT_TRANSFER", "transfer"),
        ("TransferParticipantToThirdParty", "CONTACT_FLOW", "transfer"),
        ("TransferToFlow", "CONTACT_FLOW", "transfer"),
        ("DisconnectParticipant", "CUSTOMER_QUEUE", "disconnect"),
        ("EndFlowExecution", "QUEUE_TRANSFER", "end"),
    ],
)
def test_each_ending_is_stopped_before_where_it_is_asked_for(
    kind_: str, type: str, before: Any
) -> None:
    content = flow(note("Note", "Last"), action("Last", kind_))
    stopped = {("Note", "next"): STOPPED, ("Note", "NoMatchingError 0"): STOPPED}
    assert weave_well(content, type, stop=Stop(function_arn=STOP_ARN, before=[before])) == stopped
    others = [each for each in BEFORE if each != before]
    with pytest.raises(CannotWeave, match="it has no place for a stop"):
        weave(content, type, stop=Stop(function_arn=STOP_ARN, before=others))


def test_an_ending_that_is_the_whole_flow_is_stopped_before() -> None:
    assert weave_well(flow(HANG_UP), "CONTACT_FLOW", stop=STOP) == {("", "entry"): STOPPED}


def test_all_ways_of_a_block_into_an_ending_pass_the_same_stop() -> None:
    content = flow(compare("Which", "Hang up", gold="Hang up", silver="Hang up"), HANG_UP)
    woven = weave(content, "CONTACT_FLOW", stop=STOP)
    assert len(woven.insertions) == 1
    assert leads(woven.content)["Which"] == ["Stop transcription"] * 4
    assert len(weave_well(content, "CONTACT_FLOW", stop=STOP)) == 4


def test_media_streaming_is_stopped_behind_a_stop_of_transcription() -> None:
    content = flow(
        compare("Which", "Off", gold="Hang up"),
        stream("Off", False, "Hang up", failed="Sorry"),
        say("Sorry", "Hang up"),
        HANG_UP,
    )
    assert weave_well(content, "CONTACT_FLOW", stop=STOP) == {
        ("Which", "next"): ["stop"],
        ("Which", "NoMatchingCondition 0"): ["stop"],
        ("Which", "['gold'] 0"): STOPPED,
    }


def test_an_ending_behind_stopped_media_streaming_is_left_alone() -> None:
    content = flow(
        stream("Off", False, "Bye", failed="Note"), say("Bye", "End"), note("Note", "End"), END
    )
    assert weave_well(content, "CONTACT_FLOW", stop=STOP) == {("", "entry"): ["stop"]}


@pytest.mark.parametrize(
    "again",
    [
        stream("Again", True, "End"),
        action(
            "Again",
            "InvokeFlowModule",
            {"FlowModuleId": "module"},
            NextAction="End",
            Errors=[error("End")],
        ),
    ],
    ids=["media streaming", "a module, which may start it"],
)
def test_an_ending_behind_media_streaming_that_began_again_is_stopped_before(again: Json) -> None:
    content = flow(stream("Off", False, "Again", failed="End"), again, END)
    assert weave_well(content, "CONTACT_FLOW", stop=STOP) == {
        ("", "entry"): ["stop"],
        ("Again", "next"): STOPPED,
        ("Again", "NoMatchingError 0"): STOPPED,
    }


def test_a_stop_by_the_customers_own_hand_is_left_as_it_is() -> None:
    content = flow(invoke("Stop it", "Off", STOP_ARN), stream("Off", False, "End"), END)
    assert weave_well(content, "CONTACT_FLOW", stop=STOP) == {}
    assert (
        weave_well(flow(invoke("Stop it", "End", STOP_ARN), END), "CONTACT_FLOW", stop=STOP) == {}
    )


def test_start_and_stop_stand_on_one_way_in_the_order_of_a_call() -> None:
    content = flow(stream("On", True, "Hang up"), HANG_UP)
    assert weave_well(content, "CONTACT_FLOW", START, STOP) == {
        ("On", "next"): ["start", *STOPPED],
        ("On", "NoMatchingError 0"): STOPPED,
    }


def test_a_stop_at_the_end_of_a_queue_flow_keeps_clear_of_its_loop_prompts() -> None:
    hello = say("Hello", "Music")
    content = flow(
        music(NextAction="End", Conditions=[condition("MessagesInterrupted", to="Hello")]),
        hello,
        END,
    )
    assert weave_well(content, "CUSTOMER_QUEUE", stop=STOP) == {("Music", "next"): STOPPED}


def test_a_compound_block_stays_one() -> None:
    """What the designer draws as one block are several actions, named in ``children``."""
    content = flow(note("Part 1", "Part 2"), note("Part 2", "Hang up"), HANG_UP)
    drawn = content["Metadata"]["ActionMetadata"]
    drawn["Part 2"]["position"] = drawn["Part 1"]["position"]
    drawn["Part 1"] |= {"children": ["Part 1", "Part 2"]}
    assert weave_well(content, "CONTACT_FLOW", stop=STOP) == {
        ("Part 2", "next"): STOPPED,
        ("Part 2", "NoMatchingError 0"): STOPPED,
    }


@pytest.mark.parametrize(
    "drawn",
    [
        None,
        {},
        [],
        {"ActionMetadata": None},
        {"ActionMetadata": ["End"]},
        {"ActionMetadata": {}},
        {"ActionMetadata": {"End": None}},
        {"ActionMetadata": {"End": {"position": "here"}}},
        {"ActionMetadata": {"End": {"position": {"x": "1", "y": None}}}},
        {"ActionMetadata": {"End": {"position": {"x": 1e300, "y": 1e300}}}},
        {"ActionMetadata": {"End": {}}, "entryPointPosition": 7},
    ],
)
def test_a_flow_is_woven_however_it_is_drawn(drawn: object) -> None:
    content = flow(END) | {"Metadata": drawn}
    woven = weave(content, "AGENT_WHISPER", start=START)
    assert check(woven.content, "AGENT_WHISPER") == []
    assert_nothing_else_changed(content, woven)
