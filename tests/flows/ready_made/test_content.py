"""What the ready-made flows say to Connect."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import combinations
from typing import Any

import pytest

from connect_flows.blocks import (
    Prompt,
)
from connect_flows.flow import Flow
from connect_flows.ready_made.hold_and_queue import customer_hold
from connect_flows.ready_made.transfers import agent_transfer, queue_transfer
from connect_flows.ready_made.whispers import outbound_whisper
from connect_flows.rules import check
from connect_flows.transcription_blocks import SILENCE
from tests.flows.ready_made.made import (
    AGENT_PATH,
    CUSTOMER_PATH,
    DISCONNECT_FLOW,
    FLOWS,
    HOLD_FLOW,
    HOOKS,
    INSTANCE,
    LOOPING,
    MODULES,
    NEXT_AGENTS,
    READY_MADE,
    START,
    STOP,
    STOPPING,
    STREAMING,
    TRANSFERS,
    WHISPER_FLOW,
    actions,
    every_ready_made,
)

WHISPERED = {"customerId": CUSTOMER_PATH, "agentId": AGENT_PATH, "agentArn": "$.Agent.ARN"}


TYPES = {
    "start module": "MODULE",
    "stop module": "MODULE",
    "agent whisper": "AGENT_WHISPER",
    "customer whisper": "CUSTOMER_WHISPER",
    "outbound whisper": "OUTBOUND_WHISPER",
    "customer hold": "CUSTOMER_HOLD",
    "customer queue": "CUSTOMER_QUEUE",
    "agent transfer": "AGENT_TRANSFER",
    "queue transfer": "QUEUE_TRANSFER",
    "disconnect": "CONTACT_FLOW",
}


def wiring(name: str) -> dict[str, tuple[Any, ...]]:
    """Each block's type, where it leads, and where its errors lead, a full queue's first."""
    wires = {}
    for identifier, action in actions(name).items():
        transitions = action["Transitions"]
        errors = transitions.get("Errors", [])
        to_queue = ["QueueAtCapacity"] if action["Type"] == "TransferContactToQueue" else []
        assert [error["ErrorType"] for error in errors] in ([], [*to_queue, "NoMatchingError"])
        assert not transitions.get("Conditions")
        wires[identifier] = (
            action["Type"],
            transitions.get("NextAction"),
            *(error["NextAction"] for error in errors),
        )
    return wires


def test_the_start_module_streams_then_starts_then_notes_the_outcome() -> None:
    assert wiring("start module") == {
        "Start media streaming": (
            "UpdateContactMediaStreamingBehavior",
            "Start transcription",
            "Note no media stream",
        ),
        "Start transcription": (
            "InvokeLambdaFunction",
            "Note the outcome",
            "Note unavailable",
        ),
        "Note the outcome": ("UpdateContactAttributes", "End the module", "End the module"),
        "End the module": ("EndFlowModuleExecution", None),
        "Note no media stream": ("UpdateContactAttributes", "End the module", "End the module"),
        "Note unavailable": ("UpdateContactAttributes", "End the module", "End the module"),
    }


def test_the_stop_module_stops_streaming_directly_after_transcription_whatever_came_of_it() -> None:
    assert wiring("stop module") == {
        "Stop transcription": (
            "InvokeLambdaFunction",
            "Stop media streaming",
            "Stop media streaming anyway",
        ),
        "Stop media streaming": (
            "UpdateContactMediaStreamingBehavior",
            "Note the outcome",
            "Note the outcome",
        ),
        "Note the outcome": ("UpdateContactAttributes", "End the module", "End the module"),
        "End the module": ("EndFlowModuleExecution", None),
        "Stop media streaming anyway": (
            "UpdateContactMediaStreamingBehavior",
            "Note unavailable",
            "Note unavailable",
        ),
        "Note unavailable": ("UpdateContactAttributes", "End the module", "End the module"),
    }


def test_the_agent_whisper_starts_and_then_announces_the_queue_as_the_default_does() -> None:
    assert wiring("agent whisper") == {
        "Start media streaming": (
            "UpdateContactMediaStreamingBehavior",
            "Start transcription",
            "Announce the queue",
        ),
        "Start transcription": (
            "InvokeLambdaFunction",
            "Announce the queue",
            "Announce the queue",
        ),
        "Announce the queue": ("MessageParticipant", "End the whisper", "End the whisper"),
        "End the whisper": ("EndFlowExecution", None),
    }
    assert actions("agent whisper")["Announce the queue"]["Parameters"] == {"Text": "$.Queue.Name"}


def test_the_customer_hold_flow_stops_and_loops_prompts_without_an_end() -> None:
    assert wiring("customer hold") == {
        "Stop transcription": ("InvokeLambdaFunction", "Loop hold prompts", "Loop hold prompts"),
        "Loop hold prompts": ("MessageParticipantIteratively", None),
    }
    loop = actions("customer hold")["Loop hold prompts"]
    assert loop["Transitions"] == {"Errors": [], "Conditions": []}


def test_the_disconnect_flow_stops_and_only_then_hangs_up() -> None:
    assert FLOWS["disconnect"].type == "CONTACT_FLOW"
    assert wiring("disconnect") == {
        "Stop transcription": (
            "InvokeLambdaFunction",
            "Stop media streaming",
            "Stop media streaming",
        ),
        "Stop media streaming": ("UpdateContactMediaStreamingBehavior", "Hang up", "Hang up"),
        "Hang up": ("DisconnectParticipant", None),
    }


def test_the_customer_whisper_tells_the_customer_in_place_of_the_beep_and_then_starts() -> None:
    assert wiring("customer whisper") == {
        "Announce the agent": (
            "MessageParticipant",
            "Start media streaming",
            "Start media streaming",
        ),
        "Start media streaming": (STREAMING, "Start transcription", "End the whisper"),
        "Start transcription": ("InvokeLambdaFunction", "End the whisper", "End the whisper"),
        "End the whisper": ("EndFlowExecution", None),
    }
    assert actions("customer whisper")["Announce the agent"]["Parameters"] == {
        "Text": "You are now connected."
    }


def test_the_outbound_whisper_sets_later_flows_places_the_call_and_starts_when_answered() -> None:
    assert wiring("outbound whisper") == {
        "Set the hold flow": (
            "UpdateContactEventHooks",
            "Set the disconnect flow",
            "Set the disconnect flow",
        ),
        "Set the disconnect flow": ("UpdateContactEventHooks", "Place the call", "Place the call"),
        # What stands before the first prompt runs before the call is placed.
        "Place the call": ("MessageParticipant", "Start media streaming", "Start media streaming"),
        "Start media streaming": (STREAMING, "Start transcription", "End the whisper"),
        "Start transcription": ("InvokeLambdaFunction", "End the whisper", "End the whisper"),
        "End the whisper": ("EndFlowExecution", None),
    }
    blocks = actions("outbound whisper")
    assert [blocks[name]["Parameters"] for name in list(blocks)[:3]] == [
        {"EventHooks": {"CustomerHold": HOLD_FLOW}},
        {"EventHooks": {"CustomerRemaining": DISCONNECT_FLOW}},
        SILENCE.parameters(),
    ]


@pytest.mark.parametrize(
    ("build", "first"),
    [
        (
            partial(
                outbound_whisper,
                start_function_arn=START,
                customer_id_path=CUSTOMER_PATH,
                agent_id_path=AGENT_PATH,
            ),
            "Place the call",
        ),
        (partial(agent_transfer, stop_function_arn=STOP), "Stop transcription"),
        (partial(queue_transfer, stop_function_arn=STOP), "Stop transcription"),
    ],
    ids=["outbound whisper", *TRANSFERS],
)
def test_a_flow_sets_only_the_flows_that_it_was_given(
    build: Callable[..., Flow], first: str
) -> None:
    names = {
        "agent_whisper_flow_arn": "Set the whisper flow",
        "customer_hold_flow_arn": "Set the hold flow",
        "disconnect_flow_arn": "Set the disconnect flow",
    }
    if first == "Place the call":
        del names["agent_whisper_flow_arn"]
    for size in range(len(names) + 1):
        for given in combinations(names, size):
            flow = build(**{name: NEXT_AGENTS[name] for name in given})
            expected = [*(names[name] for name in given), first]
            assert [block.name for block in flow.blocks][: size + 1] == expected
            assert flow.content()["StartAction"] == expected[0]
            assert check(flow.content(), flow.type) == []


def test_the_customer_queue_flow_stops_and_loops_prompts_without_an_end() -> None:
    assert wiring("customer queue") == {
        "Stop transcription": ("InvokeLambdaFunction", "Loop queue prompts", "Loop queue prompts"),
        "Loop queue prompts": ("MessageParticipantIteratively", None),
    }
    (message,) = actions("customer queue")["Loop queue prompts"]["Parameters"]["Messages"]
    assert "Thank you for waiting." in message["SSML"]
    assert message["SSML"].count('<break time="10s"/>') == 2


SETTING_HOOKS = {
    "Set the whisper flow": (HOOKS, "Set the hold flow", "Set the hold flow"),
    "Set the hold flow": (HOOKS, "Set the disconnect flow", "Set the disconnect flow"),
    "Set the disconnect flow": (HOOKS, "Stop transcription", "Stop transcription"),
}


def test_the_transfer_to_an_agent_sets_his_flows_stops_announces_and_transfers() -> None:
    assert wiring("agent transfer") == {
        **SETTING_HOOKS,
        "Stop transcription": (
            "InvokeLambdaFunction",
            "Stop media streaming",
            "Stop media streaming",
        ),
        "Stop media streaming": (STREAMING, "Announce the transfer", "Announce the transfer"),
        "Announce the transfer": (
            "MessageParticipant",
            "Transfer to the agent",
            "Transfer to the agent",
        ),
        "Transfer to the agent": ("TransferContactToAgent", None),
    }
    assert actions("agent transfer")["Transfer to the agent"]["Transitions"] == {}


def test_the_transfer_to_a_queue_says_so_where_the_queue_is_full_or_it_fails() -> None:
    failed = "Say that it failed"
    assert wiring("queue transfer") == {
        **SETTING_HOOKS,
        "Stop transcription": (
            "InvokeLambdaFunction",
            "Stop media streaming",
            "Stop media streaming",
        ),
        "Stop media streaming": (STREAMING, "Announce the transfer", "Announce the transfer"),
        "Announce the transfer": (
            "MessageParticipant",
            "Transfer to the queue",
            "Transfer to the queue",
        ),
        "Transfer to the queue": ("TransferContactToQueue", failed, failed, failed),
        failed: ("MessageParticipant", "Hang up", "Hang up"),
        "Hang up": ("DisconnectParticipant", None),
    }
    texts = [
        action["Parameters"]["Text"]
        for action in actions("queue transfer").values()
        if action["Type"] == "MessageParticipant"
    ]
    assert texts == ["Transferring now.", "The transfer is not possible now."]


@pytest.mark.parametrize("name", TRANSFERS)
def test_a_transfer_sets_one_hook_a_block(name: str) -> None:
    assert actions(name)[READY_MADE[name].content()["StartAction"]]["Type"] == HOOKS
    assert [
        action["Parameters"] for action in actions(name).values() if action["Type"] == HOOKS
    ] == [
        {"EventHooks": {"AgentWhisper": WHISPER_FLOW}},
        {"EventHooks": {"CustomerHold": HOLD_FLOW}},
        {"EventHooks": {"CustomerRemaining": DISCONNECT_FLOW}},
    ]


def test_each_flow_has_the_type_of_its_moment_in_the_call() -> None:
    assert {name: flow.type for name, flow in FLOWS.items()} == {
        name: type for name, type in TYPES.items() if type != "MODULE"
    }


@every_ready_made
def test_connect_would_refuse_nothing_in_it(name: str) -> None:
    assert check(READY_MADE[name].content(), TYPES[name]) == []


@pytest.mark.parametrize("name", LOOPING)
def test_no_media_streaming_block_stands_in_a_flow_that_loops_prompts(name: str) -> None:
    assert STREAMING not in {action["Type"] for action in actions(name).values()}


@every_ready_made
def test_media_streaming_always_names_both_directions_of_the_customer(name: str) -> None:
    for action in actions(name).values():
        if action["Type"] == "UpdateContactMediaStreamingBehavior":
            starts = action["Identifier"].startswith("Start")
            assert action["Parameters"] == {
                "MediaStreamingState": "Enabled" if starts else "Disabled",
                "MediaStreamType": "Audio",
                "Participants": [
                    {"ParticipantType": "Customer", "MediaDirections": ["From", "To"]}
                ],
            }


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("start module", {"customerId": CUSTOMER_PATH}),
        ("agent whisper", WHISPERED),
        ("customer whisper", WHISPERED),
        ("outbound whisper", WHISPERED),
    ],
)
def test_a_start_passes_the_ids_that_its_flow_knows(name: str, attributes: dict[str, str]) -> None:
    assert actions(name)["Start transcription"]["Parameters"] == {
        "LambdaFunctionARN": START,
        "InvocationTimeLimitSeconds": "8",
        "InvocationType": "SYNCHRONOUS",
        "LambdaInvocationAttributes": attributes,
        "ResponseValidation": {"ResponseType": "STRING_MAP"},
    }


@pytest.mark.parametrize("name", STOPPING)
def test_a_stop_passes_nobodys_id(name: str) -> None:
    assert actions(name)["Stop transcription"]["Parameters"] == {
        "LambdaFunctionARN": STOP,
        "InvocationTimeLimitSeconds": "8",
        "InvocationType": "SYNCHRONOUS",
        "ResponseValidation": {"ResponseType": "STRING_MAP"},
    }


def test_the_default_hold_prompt_is_spoken_and_leaves_twenty_seconds_between() -> None:
    (message,) = actions("customer hold")["Loop hold prompts"]["Parameters"]["Messages"]
    assert set(message) == {"SSML"}
    assert "You are on hold." in message["SSML"]
    assert message["SSML"].count('<break time="10s"/>') == 2


def test_hold_prompts_can_be_music_and_words_in_turn() -> None:
    flow = customer_hold(
        stop_function_arn=STOP,
        prompts=[Prompt(prompt_id=f"{INSTANCE}/prompt/1"), Prompt(text="Please hold.")],
    )
    assert flow.content()["Actions"][-1]["Parameters"] == {
        "Messages": [{"PromptId": f"{INSTANCE}/prompt/1"}, {"Text": "Please hold."}]
    }


@pytest.mark.parametrize("name", MODULES)
def test_module_content_carries_the_settings_without_which_connect_refuses_it(name: str) -> None:
    assert READY_MADE[name].content()["Settings"] == {
        "InputParameters": [],
        "OutputParameters": [],
        "Transitions": [
            {"DisplayName": "Success", "ReferenceName": "Success", "Description": ""},
            {"DisplayName": "Error", "ReferenceName": "Error", "Description": ""},
        ],
    }


@pytest.mark.parametrize("name", FLOWS)
def test_flow_content_carries_no_settings(name: str) -> None:
    assert "Settings" not in READY_MADE[name].content()
