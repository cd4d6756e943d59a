"""Where weaving puts a stop."""

from __future__ import annotations

from typing import Any

import pytest

from connect_flows.flow_graph import CannotWeave
from connect_flows.flow_types import HOLDS
from connect_flows.places import EVERY_ENDING, Before
from connect_flows.rules import check
from connect_flows.weave import Stop, weave
from tests.flow_builders import (
    END,
    HANG_UP,
    STOP_ARN,
    STREAMING,
    Json,
    action,
    blocks,
    compare,
    condition,
    error,
    flow,
    invoke,
    leading,
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
    assert_nothing_else_changed,
    leads,
    on_the_way,
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


def test_a_transfer_is_stopped_before_and_so_is_the_end_behind_one_that_failed() -> None:
    """A second stop costs little, and tries again what the first may not have reached."""
    content = flow(
        say("Hello", "Queue"), queue("Queue", full="Sorry"), say("Sorry", "Hang up"), HANG_UP
    )
    assert weave_well(content, "CONTACT_FLOW", stop=STOP) == {
        ("Hello", "next"): ["stop"],
        ("Hello", "NoMatchingError 0"): ["stop"],
        ("Sorry", "next"): ["stop"],
        ("Sorry", "NoMatchingError 0"): ["stop"],
    }


@pytest.mark.parametrize(
    ("kind_", "type", "before"),
    [
        ("DequeueContactAndTransferToQueue", "MODULE", "queue"),
        ("TransferContactToAgent", "AGENT_TRANSFER", "transfer-out"),
        ("TransferParticipantToThirdParty", "CONTACT_FLOW", "transfer-out"),
        ("TransferToFlow", "CONTACT_FLOW", "transfer-out"),
        ("DisconnectParticipant", "CONTACT_FLOW", "disconnect"),
        ("EndFlowExecution", "QUEUE_TRANSFER", "end"),
    ],
)
def test_each_ending_is_stopped_before_where_it_is_asked_for(
    kind_: str, type: str, before: Any
) -> None:
    content = flow(note("Note", "Last"), action("Last", kind_))
    stopped = {("Note", "next"): ["stop"], ("Note", "NoMatchingError 0"): ["stop"]}
    assert weave_well(content, type, stop=Stop(function_arn=STOP_ARN, before=[before])) == stopped
    others = [each for each in BEFORE if each != before]
    with pytest.raises(CannotWeave, match="there is no place for a stop"):
        weave(content, type, stop=Stop(function_arn=STOP_ARN, before=others))


def test_an_ending_that_is_the_whole_flow_is_stopped_before() -> None:
    assert weave_well(flow(HANG_UP), "CONTACT_FLOW", stop=STOP) == {("", "entry"): ["stop"]}


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
        ("Which", "['gold'] 0"): ["stop"],
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
        ("Again", "next"): ["stop"],
        ("Again", "NoMatchingError 0"): ["stop"],
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
        ("On", "next"): ["start", "stop"],
        ("On", "NoMatchingError 0"): ["stop"],
    }


def test_transfer_is_both_queue_and_transfer_out() -> None:
    content = flow(
        compare("Which", "Queue", gold="Other flow"),
        queue("Queue", full="Hang up"),
        leading("Other flow", "TransferToFlow", {"ContactFlowId": "other"}, "Hang up"),
        HANG_UP,
    )
    asked: tuple[Before, ...] = ("transfer", "queue", "transfer-out")
    ways = {
        before: weave_well(
            content, "CONTACT_FLOW", stop=Stop(function_arn=STOP_ARN, before=[before])
        )
        for before in asked
    }
    assert ways["transfer"] == ways["queue"] | ways["transfer-out"]
    assert set(ways["queue"]) == {("Which", "next"), ("Which", "NoMatchingCondition 0")}
    assert set(ways["transfer-out"]) == {("Which", "['gold'] 0")}


def test_a_queue_flow_stops_at_its_entry_as_a_waiting_caller_never_leaves_loop_prompts() -> None:
    hello = say("Hello", "Music")
    content = flow(
        music(NextAction="End", Conditions=[condition("MessagesInterrupted", to="Hello")]),
        hello,
        END,
    )
    assert weave_well(content, "CUSTOMER_QUEUE", stop=STOP) == {("", "entry"): ["stop"]}


def test_a_queue_flow_that_starts_behind_its_entry_stops_again() -> None:
    content = flow(
        music(NextAction="End", Conditions=[condition("MessagesInterrupted", to="On")]),
        stream("On", True, "Off", failed="End"),
        stream("Off", False, "End"),
        END,
    )
    assert weave_well(content, "CUSTOMER_QUEUE", START, STOP) == {
        ("", "entry"): ["stop"],
        ("On", "next"): ["start", "stop"],
        ("On", "NoMatchingError 0"): ["stop"],
        ("Music", "next"): ["stop"],
    }


def test_media_streaming_of_another_system_goes_on_behind_a_transfer_to_a_queue() -> None:
    content = flow(stream("On", True, "Queue"), queue("Queue", full="Hang up"), HANG_UP)
    woven = weave(content, "CONTACT_FLOW", start=START, stop=STOP)
    assert on_the_way(content, woven) == {
        ("On", "next"): ["start", "stop"],
        ("On", "NoMatchingError 0"): ["stop"],
        ("Queue", "next"): ["stop"],
        ("Queue", "QueueAtCapacity 0"): ["stop"],
        ("Queue", "NoMatchingError 1"): ["stop"],
    }
    assert [one for one in woven.content["Actions"] if one["Type"] == STREAMING] == [
        blocks(woven.content)["On"]
    ]


NO_WHISPER = (
    "transcription stops before 'Queue', and this flow sets no whisper flow that starts it again: "
    "the talk with the agent has no transcript, unless the queue's own whisper starts it. Set a "
    "whisper flow that starts transcription"
)
THROUGH_THE_QUEUE = (
    ", or let transcription go on in the queue: --stop-before transfer-out disconnect end"
)


@pytest.mark.parametrize(
    ("before", "notes"),
    [
        (EVERY_ENDING, (NO_WHISPER + THROUGH_THE_QUEUE,)),
        (["transfer"], (NO_WHISPER + THROUGH_THE_QUEUE,)),
        (["transfer-out", "end"], ()),
    ],
)
def test_a_stop_before_a_queue_without_a_whisper_that_starts_again_is_said(
    before: Any, notes: tuple[str, ...]
) -> None:
    queues = flow(stream("On", True, "Queue"), queue("Queue", full="Log"), note("Log", "End"), END)
    stop = Stop(function_arn=STOP_ARN, before=before)
    assert weave(queues, "CONTACT_FLOW", start=START, stop=stop).notes == notes
    assert weave(queues, "CONTACT_FLOW", stop=stop).notes == ()
    assert weave(queues, "CONTACT_FLOW", start=START).notes == ()


def test_a_queue_behind_a_stop_of_the_customers_own_media_streaming_is_said_as_well() -> None:
    content = flow(
        stream("On", True, "Off"),
        stream("Off", False, "Queue"),
        queue("Queue", full="Hang up"),
        HANG_UP,
    )
    assert weave(content, "CONTACT_FLOW", start=START).notes == (NO_WHISPER,)


@pytest.mark.parametrize(
    ("hook", "said"), [("AgentWhisper", False), ("CustomerWhisper", False), ("CustomerHold", True)]
)
def test_a_queue_behind_a_whisper_flow_that_is_set_needs_no_note(hook: str, said: bool) -> None:
    sets = leading("Set", "UpdateContactEventHooks", {"EventHooks": {hook: "flow"}}, "Queue")
    content = flow(stream("On", True, "Set"), sets, queue("Queue", full="Hang up"), HANG_UP)
    assert bool(weave(content, "CONTACT_FLOW", start=START, stop=STOP).notes) is said


@pytest.mark.parametrize("type", sorted(HOLDS))
def test_a_stop_at_a_hold_says_that_no_flow_starts_again(type: str) -> None:
    (note,) = weave(flow(music()), type, stop=STOP).notes
    assert note.startswith("transcription stops at each hold, and no flow runs when the hold ends")
    assert weave(flow(music()), type).notes == ()


def test_a_queue_before_the_start_needs_no_note() -> None:
    content = flow(queue("Queue", full="On"), stream("On", True, "Hang up"), HANG_UP)
    assert weave(content, "CONTACT_FLOW", start=START, stop=STOP).notes == ()


def test_a_compound_block_stays_one() -> None:
    """What the designer draws as one block are several actions, named in ``children``."""
    content = flow(note("Part 1", "Part 2"), note("Part 2", "Hang up"), HANG_UP)
    drawn = content["Metadata"]["ActionMetadata"]
    drawn["Part 2"]["position"] = drawn["Part 1"]["position"]
    drawn["Part 1"] |= {"children": ["Part 1", "Part 2"]}
    assert weave_well(content, "CONTACT_FLOW", stop=STOP) == {
        ("Part 2", "next"): ["stop"],
        ("Part 2", "NoMatchingError 0"): ["stop"],
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
        {"ActionMetadata": {"End": {"position": {"x": "1", "y": 5}}}},
        {"ActionMetadata": {"End": {"position": {"x": 5, "y": None}}}},
        {"ActionMetadata": {"End": {"position": {"x": 1e300, "y": 1e300}}}},
        {"ActionMetadata": {"End": {}}, "entryPointPosition": 7},
    ],
)
def test_a_flow_is_woven_however_it_is_drawn(drawn: object) -> None:
    content = flow(END) | {"Metadata": drawn}
    woven = weave(content, "AGENT_WHISPER", start=START)
    assert check(woven.content, "AGENT_WHISPER") == []
    assert_nothing_else_changed(content, woven)


def test_a_block_that_is_drawn_nowhere_counts_as_drawn_at_the_origin() -> None:
    content = flow(END) | {"Metadata": {"ActionMetadata": {"End": {}}}}
    drawn = weave(content, "AGENT_WHISPER", start=START).content["Metadata"]["ActionMetadata"]
    places = [drawn[name]["position"] for name in ("Start media streaming", "Start transcription")]
    assert places == [{"x": -560, "y": 0}, {"x": -280, "y": 0}]


def test_a_flow_without_metadata_keeps_the_names_of_its_blocks() -> None:
    content = flow(note("Stop transcription", "Hang up"), HANG_UP)
    del content["Metadata"]
    assert weave_well(content, "CONTACT_FLOW", stop=STOP) == {
        ("Stop transcription", "next"): ["stop"],
        ("Stop transcription", "NoMatchingError 0"): ["stop"],
    }


def test_parameters_and_transitions_may_be_null() -> None:
    nothing = {"Parameters": None, "Transitions": None}
    content = flow(note("Note", "Hang up"), HANG_UP | nothing)
    woven = weave(content, "CONTACT_FLOW", stop=STOP)
    assert leads(woven.content | {"Actions": woven.content["Actions"][:1]}) == {
        "": ["Note"],
        "Note": ["Stop transcription", "Stop transcription"],
    }
    assert blocks(woven.content)["Hang up"] == HANG_UP | nothing
