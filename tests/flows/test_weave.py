"""Weaving puts start and stop where they belong, and changes nothing else of any flow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Any

import connect_flow.diff
import connect_flow.flow
import connect_flow.lint
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connect_flows.flow import Flow
from connect_flows.flow_content import parse, targets
from connect_flows.flow_graph import CannotWeave
from connect_flows.flow_types import FLOW_TYPES, HOLDS, WHISPERS
from connect_flows.ready_made.disconnect import disconnect
from connect_flows.ready_made.hold_and_queue import customer_hold
from connect_flows.ready_made.transfers import agent_transfer, queue_transfer
from connect_flows.ready_made.whispers import agent_whisper, customer_whisper, outbound_whisper
from connect_flows.rules import check
from connect_flows.weave import Before, Start, Stop, Woven, weave
from sandbox.connect.contact import Agent, Contact, Endpoint, Queue
from sandbox.connect.flow_outcome import FlowError
from sandbox.connect.flow_runner import FlowRunner

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT.parent / "shared" / "data" / "flows"
FUNCTION = "arn:aws:lambda:us-east-1:111122223333:function:"
START_ARN, STOP_ARN, OWN_ARN = (f"{FUNCTION}{name}:live" for name in ("start", "stop", "own"))
ATTRIBUTES = {
    "customerId": "$.CustomerEndpoint.Address",
    "agentId": "$.Agent.UserName",
    "agentArn": "$.Agent.ARN",
}
START = Start(function_arn=START_ARN, attributes=ATTRIBUTES)
STOP = Stop(function_arn=STOP_ARN)
INSTANCE = "arn:aws:connect:us-east-1:111122223333:instance/9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa"

STREAMING = "UpdateContactMediaStreamingBehavior"
LAMBDA = "InvokeLambdaFunction"
PROMPT = "MessageParticipant"
MUSIC = "MessageParticipantIteratively"
ENDINGS = {
    "DequeueContactAndTransferToQueue": "transfer",
    "TransferContactToAgent": "transfer",
    "TransferContactToQueue": "transfer",
    "TransferParticipantToThirdParty": "transfer",
    "TransferToFlow": "transfer",
    "DisconnectParticipant": "disconnect",
    "EndFlowExecution": "end",
}

Json = dict[str, Any]

# Flows as a customer may have them.


def action(name: str, kind: str, parameters: Json | None = None, **transitions: Any) -> Json:
    return {
        "Identifier": name,
        "Type": kind,
        "Parameters": parameters or {},
        "Transitions": transitions,
    }


def error(to: str, type: str = "NoMatchingError") -> Json:
    return {"NextAction": to, "ErrorType": type}


def condition(value: str, to: str) -> Json:
    return {"NextAction": to, "Condition": {"Operator": "Equals", "Operands": [value]}}


def say(name: str, to: str, failed: str | None = None) -> Json:
    errors = [error(failed or to)]
    return action(name, PROMPT, {"Text": "Hello"}, NextAction=to, Errors=errors)


def note(name: str, to: str, value: str = "x", failed: str | None = None) -> Json:
    parameters = {"Attributes": {"a": value}, "TargetContact": "Current"}
    errors = [error(failed or to)]
    return action(name, "UpdateContactAttributes", parameters, NextAction=to, Errors=errors)


def invoke(name: str, to: str, arn: str = OWN_ARN, failed: str | None = None) -> Json:
    parameters = {"LambdaFunctionARN": arn, "InvocationTimeLimitSeconds": "2"}
    return action(name, LAMBDA, parameters, NextAction=to, Errors=[error(failed or to)])


def stream(name: str, on: bool, to: str, failed: str | None = None) -> Json:
    parameters = {
        "MediaStreamingState": "Enabled" if on else "Disabled",
        "MediaStreamType": "Audio",
        "Participants": [{"ParticipantType": "Customer", "MediaDirections": ["To", "From"]}],
    }
    return action(name, STREAMING, parameters, NextAction=to, Errors=[error(failed or to)])


def compare(name: str, otherwise: str, **ways: str) -> Json:
    return action(
        name,
        "Compare",
        {"ComparisonValue": "$.Attributes.a"},
        NextAction=otherwise,
        Errors=[error(otherwise, "NoMatchingCondition")],
        Conditions=[condition(value, to) for value, to in ways.items()],
    )


def queue(name: str, full: str, failed: str | None = None) -> Json:
    errors = [error(full, "QueueAtCapacity"), error(failed or full)]
    return action(name, "TransferContactToQueue", NextAction=failed or full, Errors=errors)


def music(name: str = "Music", **transitions: Any) -> Json:
    return action(name, MUSIC, {"Messages": [{"Text": "Please wait."}]}, **transitions)


END = action("End", "EndFlowExecution")
HANG_UP = action("Hang up", "DisconnectParticipant")


def flow(*actions: Json, start: str = "") -> Json:
    """Content that begins with the first of these actions, drawn in one row."""
    return {
        "Version": "2019-10-30",
        "StartAction": start or actions[0]["Identifier"],
        "Metadata": {
            "entryPointPosition": {"x": 40, "y": 40},
            "ActionMetadata": {
                one["Identifier"]: {"position": {"x": 150 + 220 * column, "y": 40}}
                for column, one in enumerate(actions)
            },
            "Annotations": [],
        },
        "Actions": list(actions),
        "Settings": {},
    }


def blocks(content: Json) -> dict[str, Json]:
    return {one["Identifier"]: one for one in content["Actions"]}


Way = tuple[str, str]


def ways(content: Json) -> dict[Way, str]:
    """Where each branch of each block leads, and the entry, by the block and the branch."""
    found: dict[Way, str] = {("", "entry"): content["StartAction"]}
    for name, one in blocks(content).items():
        transitions = one["Transitions"]
        if transitions.get("NextAction"):
            found[name, "next"] = transitions["NextAction"]
        for number, branch in enumerate(transitions.get("Errors") or ()):
            found[name, f"{branch['ErrorType']} {number}"] = branch["NextAction"]
        for number, branch in enumerate(transitions.get("Conditions") or ()):
            found[name, f"{branch['Condition']['Operands']} {number}"] = branch["NextAction"]
    return found


def leads(content: Json) -> dict[str, list[str]]:
    """The same, by the block alone: all its branches' targets in order."""
    found: dict[str, list[str]] = {}
    for (name, _), target in ways(content).items():
        found.setdefault(name, []).append(target)
    return found


START_AND_MEDIA = ["Start media streaming", "Start transcription"]


def kind(one: Json) -> str:
    """What an inserted block is, whatever its name."""
    state = one["Parameters"].get("MediaStreamingState")
    arn = one["Parameters"].get("LambdaFunctionARN")
    if one["Type"] == PROMPT:
        return "silence"
    return {START_ARN: "start", STOP_ARN: "stop", None: f"media {state}"}[arn]


def inserted(before: Json, woven: Woven) -> set[str]:
    return set(blocks(woven.content)) - set(blocks(before))


def on_the_way(before: Json, woven: Woven) -> dict[Way, list[str]]:
    """What was put on each branch of the flow, along the happy path; nothing where nothing was.

    Every other path through what was put there comes to the same block: else it fails.
    """
    after, new = blocks(woven.content), inserted(before, woven)
    found = {}
    for way, target in ways(before).items():
        name, passed = ways(woven.content)[way], []
        ahead, reached = {name}, set()
        while ahead:
            one = ahead.pop()
            reached.add(one)
            ahead |= ({*targets(after[one])} if one in new else set()) - reached
        assert reached - new == {target}, f"{way} led to {target}, now to {reached - new}"
        while name in new:
            passed.append(kind(after[name]))
            name = after[name]["Transitions"]["NextAction"]
        if passed:
            found[way] = passed
    return found


def assert_nothing_else_changed(before: Json, woven: Woven) -> None:
    """But for where the blocks lead, which `on_the_way` checks."""
    new = inserted(before, woven)

    def without_leads(content: Json) -> Json:
        """What is left when nobody knows where anything leads, and nothing new is there."""
        left: Json = json.loads(json.dumps(content))
        left["StartAction"] = ""
        left["Actions"] = [one for one in left["Actions"] if one["Identifier"] not in new]
        for one in left["Actions"]:
            branches = one["Transitions"]
            for branch in (
                branches,
                *(branches.get("Errors") or ()),
                *(branches.get("Conditions") or ()),
            ):
                if branch.get("NextAction"):
                    branch["NextAction"] = ""
        drawn = (left.get("Metadata") or {}).get("ActionMetadata") or {}
        for name in new & {*drawn}:
            del drawn[name]
        return left

    # Compared as text: the order of everything is kept, too.
    assert json.dumps(without_leads(woven.content)) == json.dumps(without_leads(before))


def assert_the_new_blocks_stand_apart(before: Json, woven: Woven) -> None:
    """Each on a place of its own in the designer, where the flow was drawn at all."""
    drawn = (before.get("Metadata") or {}).get("ActionMetadata")
    if not drawn:
        return
    metadata = woven.content["Metadata"]
    places = {
        name: (entry["position"]["x"], entry["position"]["y"])
        for name, entry in metadata["ActionMetadata"].items()
    }
    places["the entry"] = (metadata["entryPointPosition"]["x"], metadata["entryPointPosition"]["y"])
    for name in inserted(before, woven):
        x, y = places.pop(name)
        for other, (left, top) in places.items():
            assert abs(x - left) >= 220 or abs(y - top) >= 220, f"{name} lies on {other}"


def assert_woven_well(before: Json, type: str, woven: Woven) -> None:
    """What is true of every weaving."""
    assert check(woven.content, type) == []
    document = parsed(woven.content)
    assert connect_flow.lint.check(document) == []
    new = inserted(before, woven)
    assert {name for each in woven.insertions for name in each.blocks} == new
    assert sum(len(each.blocks) for each in woven.insertions) == len(new)
    assert_nothing_else_changed(before, woven)
    changed = on_the_way(before, woven)
    difference = connect_flow.diff.compare(
        parsed(before), document, label_a="before", label_b="after", functional=True
    )
    assert not difference.removed
    assert len(difference.added) == len(new)
    # A part of a compound block has another name in the difference.
    if not any("children" in entry for entry in document.action_metadata.values()):
        assert set(difference.added) == new
        assert set(difference.changed) == {name for name, _ in changed} - {""}
    assert difference.flow_level_changed is (("", "entry") in changed)
    assert_the_new_blocks_stand_apart(before, woven)


def parsed(content: Json) -> connect_flow.flow.Flow:
    metadata = {"ActionMetadata": {}} | (content.get("Metadata") or {})
    return connect_flow.flow.parse(json.dumps(content | {"Metadata": metadata}))


def weave_well(
    content: Json, type: str, start: Start | None = None, stop: Stop | None = None
) -> dict[Way, list[str]]:
    """What was put on each branch; that all else is as it was, and stays so, is checked."""
    text = json.dumps(content)
    assert check(content, type) == []
    woven = weave(content, type, start=start, stop=stop)
    assert json.dumps(content) == text
    assert_woven_well(content, type, woven)
    again = weave(woven.content, type, start=start, stop=stop)
    assert again.insertions == ()
    assert json.dumps(again.content) == json.dumps(woven.content)
    return on_the_way(content, woven)


# Where start goes.


@pytest.mark.parametrize("type", ["AGENT_WHISPER", "CUSTOMER_WHISPER"])
def test_a_whisper_starts_at_its_entry(type: str) -> None:
    content = flow(say("Hello", "End"), END)
    assert weave_well(content, type, START) == {("", "entry"): ["media Enabled", "start"]}
    woven = weave(content, type, start=START)
    assert [str(each) for each in woven.insertions] == [
        "Start media streaming → Start transcription, before 'Hello'"
    ]
    assert leads(woven.content) == {
        "": ["Start media streaming"],
        "Start media streaming": ["Start transcription", "Hello"],
        "Start transcription": ["Hello", "Hello"],
        "Hello": ["End", "End"],
    }


def test_what_is_put_in_is_exactly_this() -> None:
    woven = weave(flow(END), "AGENT_WHISPER", start=START).content
    metadata = woven["Metadata"]["ActionMetadata"]
    assert blocks(woven)["Start media streaming"] == {
        "Identifier": "Start media streaming",
        "Type": STREAMING,
        "Parameters": {
            "MediaStreamingState": "Enabled",
            "MediaStreamType": "Audio",
            "Participants": [{"ParticipantType": "Customer", "MediaDirections": ["From", "To"]}],
        },
        "Transitions": {
            "NextAction": "Start transcription",
            "Errors": [{"NextAction": "End", "ErrorType": "NoMatchingError"}],
            "Conditions": [],
        },
    }
    assert blocks(woven)["Start transcription"] == {
        "Identifier": "Start transcription",
        "Type": LAMBDA,
        "Parameters": {
            "LambdaFunctionARN": START_ARN,
            "InvocationTimeLimitSeconds": "8",
            "InvocationType": "SYNCHRONOUS",
            "LambdaInvocationAttributes": ATTRIBUTES,
            "ResponseValidation": {"ResponseType": "STRING_MAP"},
        },
        "Transitions": {
            "NextAction": "End",
            "Errors": [{"NextAction": "End", "ErrorType": "NoMatchingError"}],
            "Conditions": [],
        },
    }
    # In the row above, because the entry's own mark is in the way.
    assert metadata == {
        "End": {"position": {"x": 150, "y": 40}},
        "Start media streaming": {
            "position": {"x": -410, "y": -220},
            "isFriendlyName": True,
            "toCustomer": True,
            "fromCustomer": True,
        },
        "Start transcription": {
            "position": {"x": -130, "y": -220},
            "isFriendlyName": True,
            "parameters": {
                "LambdaFunctionARN": {"displayName": "start_streaming"},
                "LambdaInvocationAttributes": {
                    "customerId": {"useDynamic": True},
                    "agentId": {"useDynamic": True},
                    "agentArn": {"useDynamic": True},
                },
            },
            "dynamicMetadata": {"customerId": True, "agentId": True, "agentArn": True},
        },
    }


def test_a_whisper_that_comes_back_to_its_first_block_starts_once() -> None:
    content = flow(compare("Which", "End", gold="Hello"), say("Hello", "Which"), END)
    assert weave_well(content, "AGENT_WHISPER", START) == {
        ("", "entry"): ["media Enabled", "start"]
    }


def test_a_whisper_that_is_only_an_end_starts_all_the_same() -> None:
    assert weave_well(flow(END), "CUSTOMER_WHISPER", START) == {
        ("", "entry"): ["media Enabled", "start"]
    }


@pytest.mark.parametrize("type", sorted(FLOW_TYPES - HOLDS | {"MODULE"}))
def test_start_goes_behind_media_streaming_where_a_flow_has_it(type: str) -> None:
    content = flow(
        note("Note", "Stream"), stream("Stream", True, "Then", failed="Log"), note("Log", "Then")
    )
    content["Actions"] += [note("Then", "End"), END]
    if type == "OUTBOUND_WHISPER":
        content["Actions"][0] = say("Note", "Stream")
    assert weave_well(content, type, START) == {("Stream", "next"): ["start"]}


def test_start_goes_behind_each_media_streaming_even_to_the_same_block() -> None:
    content = flow(
        compare("Which", "One", gold="Two"),
        stream("One", True, "Hang up"),
        stream("Two", True, "Hang up"),
        HANG_UP,
    )
    assert weave_well(content, "CONTACT_FLOW", START) == {
        ("One", "next"): ["start"],
        ("Two", "next"): ["start"],
    }


def test_start_stands_where_only_success_leads_though_failure_leads_to_the_same_block() -> None:
    content = flow(stream("Stream", True, "Hang up", failed="Hang up"), HANG_UP)
    woven = weave(content, "CONTACT_FLOW", start=START).content
    assert leads(woven)["Stream"] == ["Start transcription", "Hang up"]


def test_media_streaming_that_leads_back_to_itself_starts_before_it_does() -> None:
    content = flow(stream("Stream", True, "Stream", failed="Hang up"), HANG_UP)
    assert weave_well(content, "CONTACT_FLOW", START) == {("Stream", "next"): ["start"]}


@pytest.mark.parametrize("type", ["AGENT_WHISPER", "CONTACT_FLOW"])
def test_a_start_by_the_customers_own_hand_is_left_as_it_is(type: str) -> None:
    """Media streaming may be on since an earlier flow."""
    content = flow(say("Hello", "Go"), invoke("Go", "End", START_ARN), END)
    assert weave_well(content, type, START) == {}


def test_a_block_that_a_customer_named_as_we_would_keeps_its_name() -> None:
    content = flow(
        note("Start transcription", "Start media streaming"),
        say("Start media streaming", "Start transcription 2"),
        note("Start transcription 2", "End"),
        END,
    )
    woven = weave(content, "AGENT_WHISPER", start=START)
    assert woven.insertions[0].blocks == ("Start media streaming 2", "Start transcription 3")
    weave_well(content, "AGENT_WHISPER", START)


def test_what_the_designer_remembers_of_a_block_is_not_overwritten() -> None:
    """Metadata may hold entries of blocks that are gone."""
    content, entry = flow(END), {"position": {"x": 0, "y": 900}}
    content["Metadata"]["ActionMetadata"]["Start transcription"] = entry
    woven = weave(content, "AGENT_WHISPER", start=START)
    assert woven.insertions[0].blocks == ("Start media streaming", "Start transcription 2")
    assert woven.content["Metadata"]["ActionMetadata"]["Start transcription"] == entry


# Outbound whispers: nothing before the call is placed.


def test_an_outbound_whisper_starts_behind_its_first_prompt_whether_it_played_or_not() -> None:
    content = flow(
        note("Note", "Hello"),
        say("Hello", "Bye", failed="End"),
        say("Bye", "End"),
        END,
    )
    assert weave_well(content, "OUTBOUND_WHISPER", START) == {
        ("Hello", "next"): ["media Enabled", "start"],
        ("Hello", "NoMatchingError 0"): ["media Enabled", "start"],
    }


def test_an_outbound_whisper_without_a_prompt_gets_a_silent_one_at_its_end() -> None:
    """Not at its entry: what stands there runs before the call is placed, and may hang on it."""
    content = flow(invoke("May we call", "Note"), note("Note", "End"), END)
    assert weave_well(content, "OUTBOUND_WHISPER", START) == {
        ("Note", "next"): ["silence", "media Enabled", "start"],
        ("Note", "NoMatchingError 0"): ["silence", "media Enabled", "start"],
    }
    woven = weave(flow(END), "OUTBOUND_WHISPER", start=START)
    assert woven.insertions[0].blocks == ("Silence", *START_AND_MEDIA)
    assert blocks(woven.content)["Silence"]["Parameters"] == {
        "SSML": '<speak><break time="100ms"/></speak>'
    }
    assert weave_well(flow(END), "OUTBOUND_WHISPER", START) == {
        ("", "entry"): ["silence", "media Enabled", "start"]
    }


def test_an_outbound_whisper_with_a_prompt_on_one_way_alone_starts_on_both() -> None:
    content = flow(compare("Which", "End", gold="Hello"), say("Hello", "End"), END)
    assert weave_well(content, "OUTBOUND_WHISPER", START) == {
        ("Which", "next"): ["silence", "media Enabled", "start"],
        ("Which", "NoMatchingCondition 0"): ["silence", "media Enabled", "start"],
        ("Hello", "next"): ["media Enabled", "start"],
        ("Hello", "NoMatchingError 0"): ["media Enabled", "start"],
    }


def test_an_outbound_whisper_starts_once_where_one_first_prompt_leads_to_another() -> None:
    content = flow(compare("Which", "Two", gold="One"), say("One", "Two"), say("Two", "End"), END)
    assert weave_well(content, "OUTBOUND_WHISPER", START) == {
        ("Two", "next"): ["media Enabled", "start"],
        ("Two", "NoMatchingError 0"): ["media Enabled", "start"],
    }


def test_media_streaming_before_the_call_is_placed_stays_and_start_waits_for_the_prompt() -> None:
    content = flow(
        stream("Stream", True, "Hello", failed="Sorry"),
        say("Hello", "End"),
        note("Sorry", "End"),
        END,
    )
    assert weave_well(content, "OUTBOUND_WHISPER", START) == {
        ("Hello", "next"): ["start"],
        ("Hello", "NoMatchingError 0"): ["start"],
    }
    content = flow(stream("Stream", True, "End"), END)
    assert weave_well(content, "OUTBOUND_WHISPER", START) == {
        ("Stream", "next"): ["silence", "start"]
    }


# Where stop goes.


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


STOPPED = ["stop", "media Disabled"]


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
        music(NextAction="End", Conditions=[condition("MessagesInterrupted", "Hello")]), hello, END
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


# Where it would not be right.


@pytest.mark.parametrize(
    "path",
    ["$.External.x", "$['External']['x']", '$["External"].x', "Hi $.LambdaInvocation.ResultData.x"],
)
def test_an_answer_that_is_still_to_be_read_is_not_replaced(path: str) -> None:
    reads = note("Read", "End", path)
    content = flow(invoke("Ask", "On"), stream("On", True, "Log"), note("Log", "Read"), reads, END)
    with pytest.raises(CannotWeave, match=r"'Read' reads the answer of a Lambda block .*before 'L"):
        weave(content, "CONTACT_FLOW", start=START)
    after_another = flow(
        invoke("Ask", "On"),
        stream("On", True, "Ask again"),
        invoke("Ask again", "Read"),
        reads,
        END,
    )
    assert weave_well(after_another, "CONTACT_FLOW", START) == {("On", "next"): ["start"]}


def test_an_answer_read_by_a_lambda_block_or_a_condition_is_not_replaced() -> None:
    passes = invoke("Pass on", "End")
    passes["Parameters"]["LambdaInvocationAttributes"] = {"x": "$.External.x"}
    compares = compare("Which", "End", **{"$.External.x": "End"})
    for reader in (passes, compares):
        content = flow(stream("On", True, reader["Identifier"]), reader, END)
        with pytest.raises(CannotWeave, match="reads the answer"):
            weave(content, "CONTACT_FLOW", start=START)


@pytest.mark.parametrize("type", ["CONTACT_FLOW", "CUSTOMER_QUEUE", "QUEUE_TRANSFER", "MODULE"])
def test_a_flow_that_meets_no_agent_has_no_place_of_its_own_for_a_start(type: str) -> None:
    with pytest.raises(CannotWeave, match="has no Start media streaming, and no place of its own"):
        weave(flow(END), type, start=START)


@pytest.mark.parametrize("type", sorted(HOLDS))
def test_a_hold_flow_starts_nothing(type: str) -> None:
    with pytest.raises(CannotWeave, match="nothing runs when a call comes back from hold"):
        weave(flow(music()), type, start=START)


@pytest.mark.parametrize("type", sorted(WHISPERS))
def test_a_whisper_does_not_stop_what_it_has_just_started(type: str) -> None:
    with pytest.raises(CannotWeave, match="a whisper ends as the conversation begins"):
        weave(flow(END), type, start=START, stop=STOP)


def test_one_function_cannot_do_both() -> None:
    with pytest.raises(CannotWeave, match="start and stop are the same function"):
        weave(flow(END), "CONTACT_FLOW", start=START, stop=Stop(function_arn=START_ARN))


def test_a_flow_that_connect_would_refuse_is_not_woven() -> None:
    with pytest.raises(CannotWeave) as refused:
        weave(flow(note("a:b", "Nowhere")), "CONTACT_FLOW", stop=STOP)
    assert [str(reason).split(": ")[0] for reason in refused.value.args] == [
        "Connect would refuse it as it is"
    ] * 2
    assert str(refused.value) == "; ".join(refused.value.args)
    with pytest.raises(ValueError, match="no flow type 'WHISPER'"):
        weave(flow(END), "WHISPER", start=START)


def test_a_flow_that_connect_would_refuse_only_when_woven_is_told_so() -> None:
    names = [f"Log {number}" for number in range(247)]
    logs = [
        action(name, "UpdateFlowLoggingBehavior", NextAction=to)
        for name, to in zip(names, [*names[1:], "Hang up"], strict=True)
    ]
    full = r"^Connect would refuse it with transcription in it: it has 251 actions, not 1 to 250 \["
    weave_well(flow(*logs, HANG_UP), "CONTACT_FLOW", stop=STOP)
    with pytest.raises(CannotWeave, match=full):
        weave(flow(note("One more", "Log 0"), *logs, HANG_UP), "CONTACT_FLOW", stop=STOP)
    chain = flow(stream("On", True, "Ask"), invoke("Ask", "Ask 2"), invoke("Ask 2", "End"), END)
    weave_well(chain, "CONTACT_FLOW", START)
    for name in ("Ask", "Ask 2"):
        blocks(chain)[name]["Parameters"]["InvocationTimeLimitSeconds"] = "7"
    with pytest.raises(CannotWeave, match=r"in it: 'Start transcription': a chain of Lambda"):
        weave(chain, "CONTACT_FLOW", start=START)


IDS: Any = {"customer_id_path": "$.CustomerEndpoint.Address", "agent_id_path": "$.Agent.UserName"}


@pytest.mark.parametrize(
    "made",
    [
        agent_whisper(start_function_arn=START_ARN, **IDS),
        customer_whisper(start_function_arn=START_ARN, **IDS),
        outbound_whisper(start_function_arn=START_ARN, **IDS),
        customer_hold(stop_function_arn=STOP_ARN),
        disconnect(stop_function_arn=STOP_ARN),
        agent_transfer(stop_function_arn=STOP_ARN),
        queue_transfer(stop_function_arn=STOP_ARN),
    ],
    ids=lambda made: made.name,
)
def test_what_we_make_has_all_of_it_already(made: Flow) -> None:
    starts = START_ARN in made.to_json()
    request = (START, None) if starts else (None, STOP)
    assert weave_well(made.content(), made.type, *request) == {}


def test_nothing_asked_is_nothing_done() -> None:
    assert weave_well(flow(END), "CONTACT_FLOW") == {}


# Flows that others published.


def published(name: str) -> Json:
    if not PUBLISHED.is_dir():
        pytest.skip(f"the published flows are not there: {PUBLISHED}")
    return parse((PUBLISHED / name).read_text("utf-8"))


class Call:
    """One simulated call, whose functions answer what they are told to."""

    def __init__(self, *answers: Json, failing: Any = (), modules: Any = None) -> None:
        self.invoked: list[str] = []
        self.answers = deque(answers)
        self.runner = FlowRunner(
            invoke_lambda=self._answer,
            modules=modules or {},
            failing=failing,
            queues={"queue": Queue("queue", "Billing")},
            interruptions=2,
            now=lambda: 1_700_000_000.0,
        )
        self.contact = Contact(
            "5ca32fbd-8f92-46af-92a5-6b0f970f0efe",
            INSTANCE,
            customer_endpoint=Endpoint("+15550100"),
            agent=Agent("jane"),
            queue=Queue("queue", "Billing"),
        )

    def _answer(self, arn: str, event: Json, seconds: float) -> Json:
        self.invoked.append(arn)
        if arn in (START_ARN, STOP_ARN):
            return {"status": "ours"}
        return self.answers.popleft() if self.answers else {"status": "gold"}

    def path(self, content: Json, type: str, module: str = "") -> tuple[list[Way], bool]:
        """The blocks and the branches that they took, and whether they came to an end.

        :param module: Those of this module alone.
        """
        run = self.runner.start(content, self.contact, type)
        ended = True
        try:
            run.to_the_end()
        except FlowError:
            ended = False  # it goes round for ever, and was cut off in the midst of a step
        path = [(step.block, step.branch) for step in run.steps if step.module == module]
        return path if ended else path[:-1], ended


def calling(module: str) -> Json:
    parameters = {"FlowModuleId": module}
    errors = [error("Hang up")]
    invokes = action("Module", "InvokeFlowModule", parameters, NextAction="Hang up", Errors=errors)
    return flow(invokes, HANG_UP)


def test_the_published_agent_whisper_starts_and_then_beeps() -> None:
    content = published("agent-whisper-connect-samples.json")
    assert weave_well(content, "AGENT_WHISPER", START) == {
        ("", "entry"): ["media Enabled", "start"]
    }
    woven = weave(content, "AGENT_WHISPER", start=START).content
    call = Call()
    path, ended = call.path(woven, "AGENT_WHISPER")
    assert [block for block, _ in path] == [*START_AND_MEDIA, *blocks(content)]
    assert (ended, call.invoked, call.contact.is_streaming) == (True, [START_ARN], True)
    path, ended = Call(failing=["Start media streaming"]).path(woven, "AGENT_WHISPER")
    assert [block for block, _ in path] == ["Start media streaming", *blocks(content)]


def test_the_published_queue_flow_stops_when_it_ends() -> None:
    content = published("customer-queue-connect-samples.json")
    end, prompts = blocks(content)
    assert weave_well(content, "CUSTOMER_QUEUE", stop=STOP) == {
        (prompts, "next"): STOPPED,
        (prompts, "NoMatchingError 0"): STOPPED,
    }
    woven = weave(content, "CUSTOMER_QUEUE", stop=STOP).content
    assert Call().path(woven, "CUSTOMER_QUEUE") == ([(prompts, "Loops")], True)
    call = Call(failing=[prompts])
    path, _ = call.path(woven, "CUSTOMER_QUEUE")
    stopped = ["Stop transcription", "Stop media streaming"]
    assert [block for block, _ in path] == [prompts, *stopped, end]
    assert call.invoked == [STOP_ARN]


SPEAK = {"next": "speak", "text": "Hello"}


@pytest.mark.parametrize(
    ("answers", "streaming", "disposition", "invoked"),
    [
        (
            [{"result": "success"}, SPEAK, {"next": "transferToAgent"}],
            False,
            "transferToAgent",
            [START_ARN, OWN_ARN, OWN_ARN, OWN_ARN, STOP_ARN],
        ),
        ([{"result": "no"}], False, "error", [START_ARN, OWN_ARN, STOP_ARN]),
        (
            [{"result": "success"}, {"next": "disengage"}],
            True,
            "disengage",
            [OWN_ARN, OWN_ARN],
        ),
    ],
    ids=["speaks and transfers", "fails", "streams already"],
)
def test_the_published_module_starts_and_stops_around_its_own_media_streaming(
    answers: list[Json], streaming: bool, disposition: str, invoked: list[str]
) -> None:
    content = published("module-asapp-generativeagent.json")
    on = "32cb9b6f-b1ae-4c26-8cee-c61fe450b996"
    off = {"c78f56bf-b6d0-477d-b1f7-de15b88cfa18", "dd28ca32-d638-49e9-8825-9de55be49cea"}
    woven = weave(content, "MODULE", start=START, stop=STOP).content
    assert weave_well(content, "MODULE", START, STOP) == {
        way: ["start"] if way == (on, "next") else ["stop"]
        for way, target in ways(content).items()
        if target in off or way == (on, "next")
    }
    caller = calling("module")
    if streaming:
        caller = flow(stream("On", True, "Module"), *caller["Actions"])
    call = Call(*answers, modules={"module": woven})
    path, ended = call.path(caller, "CONTACT_FLOW")
    assert ended
    assert path[-1] == ("Hang up", "Disconnects")
    assert call.contact.attributes["ASAPP_Disposition"] == disposition
    assert [arn if arn.startswith("arn:") else OWN_ARN for arn in call.invoked] == invoked
    assert call.contact.is_streaming is streaming


# Flows that nobody has written.

NAMES = ("Start transcription", "Stop media streaming", "Silence", "Start media streaming 2")
BEFORE: tuple[Before, ...] = ("transfer", "disconnect", "end")
Case = tuple[str, Json, tuple[Start | None, Stop | None]]
TALKS = FLOW_TYPES - HOLDS - WHISPERS | {"MODULE"}


@st.composite
def flows(draw: st.DrawFn, type: str) -> Json:
    """A flow of the type that Connect takes: any blocks, led to each other in any way."""
    music_first = type == "CUSTOMER_QUEUE" and draw(st.booleans())
    kinds = ["note", "read", "invoke", "compare", "log", "module"]
    kinds += ["say", "on", "off", "on", "off"] if type not in HOLDS else ["music"]
    kinds += ["loop"] if type not in HOLDS else []  # may not come before Loop prompts
    kinds += ["flow", "queue"] if type in TALKS - {"CUSTOMER_QUEUE"} else []
    kinds += ["dequeue", "music"] if music_first else []
    last = ["end"] + ["hang up"] * (type in TALKS) + ["return"] * (type == "MODULE")
    last += ["agent"] if type in ("AGENT_TRANSFER", "QUEUE_TRANSFER") else []
    last += ["last music"] if type in HOLDS or music_first else []
    chosen = ["music"] if music_first else []
    chosen += draw(st.lists(st.sampled_from(kinds), max_size=10))
    chosen += draw(st.lists(st.sampled_from(last), min_size=1, max_size=3))
    own = draw(st.permutations(NAMES))
    names = [
        own[number] if number < 2 and draw(st.booleans()) else f"{each} {number}"
        for number, each in enumerate(chosen)
    ]
    lambdas = {name for name, each in zip(names, chosen, strict=True) if each == "invoke"}
    actions = [
        _block(
            draw,
            name,
            each,
            [
                n
                for n in names[number + 1 :] + names[: number + 1]
                if each != "invoke" or n not in lambdas
            ],
        )
        for number, (name, each) in enumerate(zip(names, chosen, strict=True))
    ]
    content = flow(*actions, start=names[0] if music_first else draw(st.sampled_from(names)))
    return _drawn(draw, _pruned(content))


def _block(draw: st.DrawFn, name: str, kind_: str, others: list[str]) -> Json:
    def to() -> str:  # most often on to the next one
        return others[0] if draw(st.integers(0, 2)) else draw(st.sampled_from(others))

    simple = {
        "log": "UpdateFlowLoggingBehavior",
        "end": "EndFlowExecution",
        "hang up": "DisconnectParticipant",
        "return": "EndFlowModuleExecution",
        "agent": "TransferContactToAgent",
    }
    if kind_ == "log":
        parameters = {"FlowLoggingBehavior": "Enabled"}
        return action(name, simple[kind_], parameters, NextAction=to())
    if kind_ in simple:
        return action(name, simple[kind_])
    if kind_ == "last music":
        return music(name)
    if kind_ == "music":
        way = condition("MessagesInterrupted", to())
        return music(name, NextAction=to(), Errors=[error(to())], Conditions=[way])
    if kind_ == "compare":
        return compare(name, to(), gold=to(), x=to())
    if kind_ == "loop":
        ways_on = [condition("ContinueLooping", to()), condition("DoneLooping", to())]
        return action(name, "Loop", {"LoopCount": "2"}, NextAction=to(), Conditions=ways_on)
    if kind_ == "queue":
        return queue(name, full=to(), failed=to())
    if kind_ in ("note", "read"):
        return note(name, to(), "x" if kind_ == "note" else "$.External.status", failed=to())
    if kind_ == "say":
        return say(name, to(), failed=to())
    if kind_ == "invoke":
        return invoke(name, to(), failed=to())
    if kind_ in ("on", "off"):
        return stream(name, kind_ == "on", to(), failed=to())
    type, parameters = {
        "module": ("InvokeFlowModule", {"FlowModuleId": "module"}),
        "flow": ("TransferToFlow", {"ContactFlowId": "other"}),
        "dequeue": ("DequeueContactAndTransferToQueue", {"QueueId": "queue"}),
    }[kind_]
    return action(name, type, parameters, NextAction=to(), Errors=[error(to())])


def _pruned(content: Json) -> Json:
    """Without the blocks that nothing leads to."""
    every, reached, ahead = blocks(content), set[str](), {content["StartAction"]}
    while ahead:
        name = ahead.pop()
        reached.add(name)
        ahead |= {*targets(every[name])} - reached
    return flow(
        *(one for one in content["Actions"] if one["Identifier"] in reached),
        start=content["StartAction"],
    )


def _drawn(draw: st.DrawFn, content: Json) -> Json:
    """Drawn anywhere, some blocks as one; or not drawn."""
    if draw(st.booleans()):
        del content["Metadata"]
        return content
    entries = content["Metadata"]["ActionMetadata"]
    places = st.integers(-3, 6).map(lambda step: step * 110)
    for entry in entries.values():
        entry["position"] = {"x": draw(places), "y": draw(places) + 0.5}
    if len(entries) > 2 and draw(st.booleans()):
        parent, child = list(entries)[:2]
        entries[parent]["children"] = [parent, child]
    return content


@st.composite
def cases(draw: st.DrawFn, types: frozenset[str] = FLOW_TYPES | {"MODULE"}) -> Case:
    """A flow, and what to weave into it, which it mostly has a place for."""
    type = draw(st.sampled_from(sorted(types)))
    content = draw(flows(type))
    kinds = {one["Type"] for one in content["Actions"]}
    media = {kind(one) for one in content["Actions"] if one["Type"] == STREAMING}
    wherever = draw(st.integers(0, 9)) == 9
    start = START if draw(st.booleans()) else None
    if not wherever and type not in WHISPERS and "media Enabled" not in media:
        start = None
    there = {ENDINGS[each] for each in kinds & set(ENDINGS)} - ({"end"} if start else set())
    asked = [each for each in BEFORE if draw(st.booleans()) and (wherever or each in there)]
    if not start and not asked and "media Disabled" not in media:
        asked = [each for each in BEFORE if each in there]
    if type in WHISPERS and start:
        asked = [each for each in asked if each != "end"]
    has_place = wherever or asked or "media Disabled" in media or type in HOLDS
    stop = Stop(function_arn=STOP_ARN, before=asked) if has_place or not start else None
    return type, content, (start, stop)


def _starts_media(one: Json) -> bool:
    return one["Type"] == STREAMING and kind(one) == "media Enabled"


def expected(content: Json, type: str, start: Start | None, stop: Stop | None) -> dict[Way, Any]:
    """What belongs on each way of a flow, worked out way by way; but for outbound whispers."""
    every, all_ways = blocks(content), ways(content)
    streams = {name: one for name, one in every.items() if one["Type"] == STREAMING}
    on = {name for name, one in streams.items() if _starts_media(one)}
    off = set(streams) - on
    asked = set(stop.before) if stop else set()
    endings = {name for name, one in every.items() if ENDINGS.get(one["Type"]) in asked}
    may_stream = {("", "entry")}
    for _ in every:
        for name, branch in all_ways:
            entered = any(all_ways[way] == name for way in may_stream)
            begins = name in on or (name and every[name]["Type"] == "InvokeFlowModule")
            if begins or (entered and name not in off | endings):
                may_stream.add((name, branch))
    found: dict[Way, list[str]] = {}
    for way, target in all_ways.items():
        put: list[str] = []
        if start and not on and type in WHISPERS and way == ("", "entry"):
            put += ["media Enabled", "start"]
        if start and way[0] in on and way[1] == "next":
            put += ["start"]
        if stop and type in HOLDS:
            put += ["stop"] if way == ("", "entry") else []
        elif stop and target in off:
            put += ["stop"]
        elif stop and target in endings and way in may_stream:
            put += STOPPED
        if put:
            found[way] = put
    return found


def reads_an_answer(content: Json, ahead: set[str]) -> bool:
    """Whether one of these blocks, or one behind it and before a Lambda block, reads an answer."""
    every, passed = blocks(content), set[str]()
    while ahead:
        name = ahead.pop()
        passed.add(name)
        if every[name]["Type"] != LAMBDA:
            ahead |= {*targets(every[name])} - passed
    return any("$.External" in json.dumps(every[name]) for name in passed)


def assert_rightly_refused(case: Case, refused: CannotWeave) -> None:
    type, content, (start, stop) = case
    everything = expected(content, type, start, stop)
    for reason in refused.args:
        if "reads the answer of a Lambda" in reason:
            put_before = {target for way, target in ways(content).items() if way in everything}
            assert reads_an_answer(content, put_before) or type == "OUTBOUND_WHISPER"
        elif "nothing runs when a call comes back" in reason:
            assert start
            assert type in HOLDS
        elif "no place of its own" in reason:
            assert start
            assert type not in WHISPERS | HOLDS
            assert not any("start" in put for put in everything.values())
        elif "no place for a stop" in reason:
            assert not any("stop" in put for put in everything.values())
        else:  # the one thing that only the whole flow shows
            assert "with transcription in it" in reason
            assert "may take more than 20 s" in reason or "may not come before Loop" in reason


@settings(max_examples=500, deadline=None)
@given(cases())
def test_any_flow_is_woven_as_asked_and_only_so_or_refused_with_reason(case: Case) -> None:
    type, content, (start, stop) = case
    assert check(content, type) == []
    try:
        found = weave_well(content, type, start, stop)
    except CannotWeave as refused:
        assert_rightly_refused(case, refused)
        return
    if type != "OUTBOUND_WHISPER" or start is None:
        assert found == expected(content, type, start, stop)
    assert weave(content, type, start=start, stop=stop) == weave(
        json.loads(json.dumps(content)), type, start=start, stop=stop
    )


@settings(max_examples=200, deadline=None)
@given(flows("OUTBOUND_WHISPER"))
def test_any_outbound_whisper_starts_in_every_call_and_in_none_before_it_is_placed(
    content: Json,
) -> None:
    try:
        woven = weave(content, "OUTBOUND_WHISPER", start=START)
    except CannotWeave as refused:
        assert_rightly_refused(("OUTBOUND_WHISPER", content, (START, None)), refused)
        return
    new, every = inserted(content, woven), blocks(woven.content)
    streamed_before = any(_starts_media(one) for one in content["Actions"])
    assert not (streamed_before and any(kind(every[name]) == "media Enabled" for name in new))
    seen, ahead = set(), [(woven.content["StartAction"], False, False)]
    while ahead:
        state = name, placed, started = ahead.pop()
        if state in seen:
            continue
        seen.add(state)
        if name in new and kind(every[name]) != "silence":
            assert placed, f"{name!r} runs before the call is placed"
            started = started or kind(every[name]) == "start"
        placed = placed or every[name]["Type"] == PROMPT
        way_on = [every[name]["Transitions"]["NextAction"]] if name in new else []
        ahead += [(target, placed, started) for target in way_on or targets(every[name])]
        assert started or streamed_before or any(targets(every[name])), "a call without a start"


@settings(max_examples=400, deadline=None)
@given(
    cases(),
    st.sampled_from(["", "gold", "x"]),
    st.randoms(use_true_random=False),
    st.booleans(),
)
def test_any_call_takes_the_same_path_through_the_flow_as_before(
    case: Case, attribute: str, choices: Any, ours_fails: bool
) -> None:
    type, content, (start, stop) = case
    try:
        woven = weave(content, type, start=start, stop=stop)
    except CannotWeave:
        return
    fails = {
        name: choices.choice(errors)["ErrorType"]
        for name, one in blocks(content).items()
        if (errors := one["Transitions"].get("Errors"))
        and choices.random() < 0.3
        # To the runner, Loop prompts that fail have not come before what follows them.
        and one["Type"] != MUSIC
    }
    new = inserted(content, woven)
    returns = action("Return", "EndFlowModuleExecution")
    paths = []
    for flow_, failing in (
        (content, fails),
        (woven.content, fails | dict.fromkeys(new if ours_fails else (), "NoMatchingError")),
    ):
        inner = {"it": flow_} if type == "MODULE" else {}
        call = Call(failing=failing, modules={"module": flow(returns)} | inner)
        call.contact.attributes["a"] = attribute
        path, _ = (
            call.path(calling("it"), "CONTACT_FLOW", "it")
            if type == "MODULE"
            else call.path(flow_, type)
        )
        paths.append([step for step in path if step[0] not in new])
    shorter = min(len(path) for path in paths)
    assert paths[0][:shorter] == paths[1][:shorter]
    # A path that goes round for ever is cut off at some number of blocks, of ours or not.
    assert len(paths[0]) == len(paths[1]) or shorter > 100


@settings(max_examples=100, deadline=None)
@given(cases(), st.data())
def test_whatever_is_wrong_with_a_flow_is_a_refusal_and_no_other_error(
    case: Case, data: st.DataObject
) -> None:
    type, content, (start, stop) = case
    for _ in range(data.draw(st.integers(1, 3))):
        broken = data.draw(st.sampled_from(content["Actions"]))
        key = data.draw(st.sampled_from(["Identifier", "Type", "Parameters", "Transitions"]))
        wrong: Any = data.draw(
            st.sampled_from(["", "End", "a:b"])
            if key in ("Identifier", "Type")
            else st.sampled_from([{}, {"NextAction": "Nowhere"}, {"Conditions": []}, None])
        )
        broken[key] = wrong
    try:
        woven = weave(parse(json.dumps(content)), type, start=start, stop=stop)
    except CannotWeave as refused:
        assert str(refused)
    else:
        assert check(woven.content, type) == []


# The command.


def command(*arguments: object, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "connect_flows", *map(str, arguments)],
        capture_output=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **environment},
    )


def file(folder: Path, content: object, name: str = "flow.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(content), "utf-8")
    return path


def test_the_command_writes_the_flow_and_says_what_it_put_where(tmp_path: Path) -> None:
    content = flow(say("Grüße 中", "End"), END)
    path = file(tmp_path, content)
    ran = command("weave", path, "--type", "AGENT_WHISPER", "--start", START_ARN)
    assert ran.returncode == 0
    assert json.loads(ran.stdout) == weave(content, "AGENT_WHISPER", start=START).content
    assert "Grüße 中".encode() in ran.stdout
    assert ran.stdout.endswith(b"\n}\n")
    assert ran.stderr.decode() == (
        "inserted Start media streaming → Start transcription, before 'Grüße 中'\n"
    )
    again = tmp_path / "again.json"
    again.write_bytes(ran.stdout)
    twice = command("weave", again, "--type", "AGENT_WHISPER", "--start", START_ARN)
    assert (twice.returncode, twice.stdout) == (0, ran.stdout)
    assert twice.stderr == b"nothing to insert: all of it is there already\n"


def test_the_command_writes_utf_8_wherever_it_runs(tmp_path: Path) -> None:
    path = file(tmp_path, flow(say("Grüße 中", "End"), END))
    arguments = ("weave", path, "--type", "AGENT_WHISPER", "--start", START_ARN)
    plain = command(*arguments, PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert (plain.returncode, plain.stdout) == (0, command(*arguments).stdout)
    assert b"Traceback" not in plain.stderr


def test_the_command_stops_where_it_is_told_and_passes_the_ids_that_it_is_told(
    tmp_path: Path,
) -> None:
    path = file(tmp_path, flow(stream("On", True, "Queue"), queue("Queue", "Hang up"), HANG_UP))
    arguments = ["--start", START_ARN, "--stop", STOP_ARN, "--stop-before", "disconnect"]
    arguments += ["--customer-id", "$.Attributes.crm"]
    ran = command("weave", path, "--type", "CONTACT_FLOW", *arguments)
    assert ran.stderr.decode().splitlines() == [
        "inserted Start transcription, before 'Queue'",
        "inserted Stop transcription → Stop media streaming, before 'Hang up'",
    ]
    parameters = blocks(json.loads(ran.stdout))["Start transcription"]["Parameters"]
    # An inbound flow knows no agent.
    assert parameters["LambdaInvocationAttributes"] == {"customerId": "$.Attributes.crm"}


def test_the_command_says_what_it_has_not_checked(tmp_path: Path) -> None:
    ask = action("Ask", "GetParticipantInput", {}, NextAction="Hang up")
    path = file(tmp_path, flow(ask, HANG_UP))
    ran = command("weave", path, "--type", "CONTACT_FLOW", "--stop", STOP_ARN)
    assert ran.returncode == 0
    assert ran.stderr.decode().splitlines() == [
        "inserted Stop transcription → Stop media streaming, before 'Hang up'",
        f"{path}: nothing that Connect would refuse, but no rule is known for "
        "'GetParticipantInput'",
    ]


def test_the_command_writes_a_flow_that_would_be_too_long_indented_in_one_line(
    tmp_path: Path,
) -> None:
    content = flow(say("Hello", "End"), END) | {"Notes": [0] * 60_000}
    ran = command("weave", file(tmp_path, content), "--type", "AGENT_WHISPER", "--start", START_ARN)
    assert ran.stdout.count(b"\n") == 1
    assert len(ran.stdout) < 256_000
    assert json.loads(ran.stdout)["Notes"] == content["Notes"]


REFUSED = {
    "no place": (
        flow(END),
        ["--start", START_ARN],
        "it has no Start media streaming, and no place",
    ),
    "no ending": (
        flow(END),
        ["--stop", STOP_ARN, "--stop-before", "transfer"],
        "it has no place f",
    ),
    "no path": (flow(END), ["--start", START_ARN, "--customer-id", "jane"], "customer_id_path is"),
    "too long when woven": (
        flow(stream("On", True, "End"), END),
        ["--start", f"{START_ARN}{'x' * 100}"],
        "Connect would refuse it with transcription in it: 'Start transcription': InvokeLambdaFun",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_command_says_in_one_line_why_it_cannot_weave(name: str, tmp_path: Path) -> None:
    content, arguments, message = REFUSED[name]
    path = file(tmp_path, content)
    ran = command("weave", path, "--type", "CONTACT_FLOW", *arguments)
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert ran.stderr.decode().startswith(f"{path}: {message}")
    assert ran.stderr.count(b"\n") == 1


@pytest.mark.parametrize("type", sorted(HOLDS))
def test_the_command_says_what_a_stop_at_a_hold_means_without_lifecycle(
    type: str, tmp_path: Path
) -> None:
    ran = command("weave", file(tmp_path, flow(music())), "--type", type, "--stop", STOP_ARN)
    assert ran.returncode == 0
    assert ran.stderr.decode().splitlines() == [
        "inserted Stop transcription, before 'Music'",
        "note: transcription stops at each hold, and no flow runs when the hold ends: without "
        "[lifecycle] in the settings (mode manage or adopt) it does not start again, and the rest "
        "of the call has no transcript",
    ]


def test_a_stop_elsewhere_than_at_a_hold_needs_no_such_note() -> None:
    content = flow(stream("Off", False, "Hang up"), HANG_UP)
    assert weave(content, "CONTACT_FLOW", stop=STOP).notes == ()


def test_the_command_wants_to_know_what_to_weave(tmp_path: Path) -> None:
    ran = command("weave", file(tmp_path, flow(END)), "--type", "AGENT_WHISPER", "--start", "")
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert ran.stderr.endswith(b": error: give --start, --stop or both\n")
