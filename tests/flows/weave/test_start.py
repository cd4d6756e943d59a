"""Where weaving puts a start."""

from __future__ import annotations

import pytest

from connect_flows.flow_types import FLOW_TYPES, HOLDS
from connect_flows.weave import weave
from tests.flow_builders import (
    END,
    HANG_UP,
    LAMBDA,
    START_ARN,
    STREAMING,
    blocks,
    compare,
    flow,
    invoke,
    note,
    say,
    stream,
)
from tests.flows.weave.weaving import ATTRIBUTES, START, leads, weave_well


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
