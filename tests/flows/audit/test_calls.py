"""What a call can go through, and what is wrong on the way."""

from __future__ import annotations

import copy

import pytest

from connect_flows.audit.audit import audit
from connect_flows.audit.instance import Queue, QuickConnect
from tests.flow_builders import (
    END,
    HANG_UP,
    START_ARN,
    STOP_ARN,
    Json,
    action,
    blocks,
    compare,
    error,
    flow,
    invoke,
    leading,
    music,
    queue,
    say,
    stream,
)
from tests.flows.audit.auditing import (
    FULL,
    GOOD,
    NUMBER,
    QUIET_WHISPER,
    SURVEY,
    WHISPER,
    WHISPERED,
    audited,
    found,
    hook,
    instance_of,
    queued,
)

NO_WHISPER = ("no-transcript", "main", "Queue", "Set whisper flow")


def main(content: Json, **more: tuple[str, Json]) -> dict[str, tuple[str, Json]]:
    return GOOD | {"main": ("CONTACT_FLOW", content)} | more


def test_a_call_whose_whisper_starts_and_whose_disconnect_flow_stops_is_well() -> None:
    report = audit(instance_of(GOOD))
    assert (found(report), report.notes) == ([], [])
    moments = [moment for moment, _ in report.paths[NUMBER].flows]
    assert moments == ["call", "agent whisper", "talk", "disconnect"]


def test_without_a_whisper_the_agent_is_met_without_transcription() -> None:
    left = hook("Left", "CustomerRemaining", "Queue", "left")
    assert audited(main(queued(left)))[:1] == [NO_WHISPER]
    (finding, _) = audit(instance_of(main(queued(left)))).findings
    assert finding.calls == (NUMBER,)
    assert finding.remedy == "put the block *Set whisper flow* with our flow before 'Queue'"


def test_one_way_without_a_whisper_is_enough() -> None:
    content = queued(
        compare("Gold", "Left", gold="Set whisper"), *copy.deepcopy(WHISPERED["Actions"][:2])
    )
    assert audited(main(content)) == [NO_WHISPER]


def test_a_failure_of_the_customers_own_function_is_a_way_but_one_of_transcription_is_not() -> None:
    own = invoke("Look up", "Set whisper", "arn:x", failed="Left")
    content = queued(own, *WHISPERED["Actions"][:2])
    known = copy.deepcopy(content)
    known["Actions"][0]["Parameters"]["LambdaFunctionARN"] = STOP_ARN
    assert audited(main(known)) == []
    known["Actions"][0]["Parameters"]["LambdaFunctionARN"] = STOP_ARN.replace("stop", "own")
    assert audited(main(known), functions=None) == [NO_WHISPER]


def test_their_whisper_is_named_if_it_does_not_start() -> None:
    flows = GOOD | {"whisper": ("AGENT_WHISPER", QUIET_WHISPER)}
    assert audited(flows) == [
        ("no-transcript", "main", "Queue", "Set whisper flow (now 'whisper')")
    ]


def test_the_customer_whisper_starts_as_well() -> None:
    content = queued(
        hook("Set", "CustomerWhisper", "Left", "whisper"),
        hook("Left", "CustomerRemaining", "Queue", "left"),
    )
    assert audited(main(content, whisper=("CUSTOMER_WHISPER", WHISPER))) == []


def test_connects_default_runs_where_no_flow_is_set() -> None:
    left = hook("Left", "CustomerRemaining", "Queue", "left")
    flows = main(queued(left), **{"Default agent whisper": ("AGENT_WHISPER", WHISPER)})
    assert audited({k: v for k, v in flows.items() if k != "whisper"}) == []


def test_a_stop_in_the_queue_is_well_if_the_whisper_starts_again_and_else_not() -> None:
    begin = (stream("On", True, "Start"), invoke("Start", "Set queue", START_ARN))
    music_in_queue = hook("Set queue", "CustomerQueue", "Set whisper", "waits")
    waits = ("CUSTOMER_QUEUE", flow(invoke("Stop", "Music", STOP_ARN), music()))
    content = queued(*begin, music_in_queue, *WHISPERED["Actions"][:2])
    assert audited(main(content, waits=waits), lifecycle=True) == []
    whisper = ("AGENT_WHISPER", QUIET_WHISPER)
    assert audited(main(content, waits=waits, whisper=whisper), lifecycle=True) == [
        ("no-transcript", "main", "Queue", "Set whisper flow (now 'whisper')")
    ]


def test_a_start_without_media_streaming_is_no_start() -> None:
    flows = GOOD | {"whisper": ("AGENT_WHISPER", flow(invoke("Start", "End", START_ARN), END))}
    assert audited(flows)[0][0] == "no-transcript"


@pytest.mark.parametrize(("direction", "heard"), [("From", "customer"), ("To", "agent")])
def test_a_stream_of_one_direction_is_found_where_it_begins(direction: str, heard: str) -> None:
    whisper = copy.deepcopy(WHISPER)
    blocks(whisper)["On"]["Parameters"]["Participants"][0]["MediaDirections"] = [direction]
    (finding,) = audit(instance_of(GOOD | {"whisper": ("AGENT_WHISPER", whisper)})).findings
    assert (finding.kind, finding.flow, finding.block) == ("one-side-only", "whisper", "On")
    assert f"hears the {heard} alone" in finding.what


def test_a_disconnect_flow_that_does_not_stop_is_found_unless_events_stop() -> None:
    flows = GOOD | {"left": ("CONTACT_FLOW", SURVEY)}
    assert audited(flows) == [("never-stopped", "left", "Hang up", "stop before 'Hang up'")]
    assert audited(flows, lifecycle=True) == []


def test_a_call_without_a_disconnect_flow_is_found_unless_events_stop() -> None:
    content = queued(hook("Set whisper", "AgentWhisper", "Queue", "whisper"))
    flows = {k: v for k, v in main(content).items() if k != "left"}
    assert audited(flows) == [("never-stopped", "main", "Queue", "Set disconnect flow")]
    assert audited(flows, lifecycle=True) == []


def test_a_call_that_goes_outside_transcribed_is_found_with_events_too() -> None:
    outside = action(
        "Outside", "TransferParticipantToThirdParty", {}, NextAction="Stop", Errors=[error("Stop")]
    )
    content = flow(
        stream("On", True, "Start"),
        invoke("Start", "Outside", START_ARN),
        outside,
        invoke("Stop", "Hang up", STOP_ARN),
        HANG_UP,
    )
    flows = {"main": ("CONTACT_FLOW", content)}
    expected = [("never-stopped", "main", "Outside", "stop before 'Outside'")]
    assert audited(flows) == expected
    assert audited(flows, lifecycle=True) == expected


def test_a_stop_at_a_hold_needs_the_events() -> None:
    content = queued(hook("Hold", "CustomerHold", "Set whisper", "hold"), *WHISPERED["Actions"][:2])
    hold = ("CUSTOMER_HOLD", flow(invoke("Stop", "Music", STOP_ARN), music()))
    flows = main(content, hold=hold)
    assert audited(flows) == [("stopped-at-hold", "hold", "Stop", "[lifecycle] mode")]
    assert audited(flows, lifecycle=True) == []


def test_a_start_that_had_nothing_to_start_needs_no_stop() -> None:
    content = flow(invoke("Start", "Hang up", START_ARN), HANG_UP)
    assert audited({"main": ("CONTACT_FLOW", content)}) == []


def test_a_disconnect_flow_that_nobody_knows_is_no_finding() -> None:
    unknown = hook("Left", "CustomerRemaining", "Queue", "$.Attributes.left")
    content = queued(WHISPERED["Actions"][0], unknown)
    kept = {name: each for name, each in main(content).items() if name != "left"}
    assert audited(kept) == []


def test_a_module_that_sets_flows_is_taken_to_work_and_its_own_branches_are_followed() -> None:
    inside = flow(*WHISPERED["Actions"][:2], action("Queue", "EndFlowModuleExecution"))
    errors = [error("Other queue"), error("Queue", "NoMatchingCondition")]
    parameters = {"FlowModuleId": "m"}
    calls = action("Module", "InvokeFlowModule", parameters, NextAction="Bye", Errors=errors)
    content = flow(
        calls,
        queue("Queue", "Hang up"),
        queue("Other queue", "Hang up"),
        HANG_UP,
        action("Bye", "DisconnectParticipant"),
    )
    whisper = ("AGENT_WHISPER", QUIET_WHISPER)
    assert audited(main(content, m=("MODULE", inside), whisper=whisper)) == [
        ("no-transcript", "main", "Queue", "Set whisper flow (now 'whisper')")
    ]


def test_modules_are_followed_and_a_module_that_leads_to_itself_ends() -> None:
    module = leading("Module", "InvokeFlowModule", {"FlowModuleId": "m"}, "Queue")
    inside = flow(
        hook("Set whisper", "AgentWhisper", "Left", "whisper"),
        hook("Left", "CustomerRemaining", "Again", "left"),
        leading("Again", "InvokeFlowModule", {"FlowModuleId": "m"}, "End"),
        action("End", "EndFlowModuleExecution"),
    )
    back = flow(compare("Gold", "Set whisper", no="Again"), *inside["Actions"])
    assert audited(main(queued(module), m=("MODULE", inside))) == []
    assert audited(main(queued(module), m=("MODULE", back))) == []


def test_a_transfer_that_fails_ends_a_call_that_is_still_transcribed() -> None:
    begin = (stream("On", True, "Start"), invoke("Start", "Set whisper", START_ARN))
    content = queued(*begin, *WHISPERED["Actions"][:2])
    assert audited(main(content)) == [("never-stopped", "main", "Hang up", "stop before 'Hang up'")]


def test_transfers_to_flows_are_followed_round_and_round() -> None:
    away = leading("Go", "TransferToFlow", {"ContactFlowId": FULL + "other"}, "Hang up")
    back = leading("Back", "TransferToFlow", {"ContactFlowId": FULL + "main"}, "Queue")
    flows = main(flow(away, HANG_UP), other=("CONTACT_FLOW", queued(back)))
    kept = {name: each for name, each in flows.items() if name in ("main", "other")}
    assert audited(kept) == [("no-transcript", "other", "Queue", "Set whisper flow")]


def test_a_transfer_flow_sets_the_next_agents_flows() -> None:
    config = {"QuickConnectType": "QUEUE", "QueueConfig": {"QueueId": "q", "ContactFlowId": "to"}}
    quick_connects = (QuickConnect("c", "Billing", config),)
    stops = invoke("Stop", "Queue", STOP_ARN)
    flows = main(WHISPERED, to=("QUEUE_TRANSFER", queued(stops)))
    report = audit(instance_of(flows, quick_connects=quick_connects))
    assert found(report) == [("no-transcript", "to", "Queue", "Set whisper flow")]
    assert report.findings[0].calls == ("quick connect Billing",)
    well = main(WHISPERED, to=("QUEUE_TRANSFER", WHISPERED))
    assert audited(well, quick_connects=quick_connects) == []


def test_calls_out_run_the_queues_outbound_whisper() -> None:
    outbound = flow(
        hook("Left", "CustomerRemaining", "Call", "left"),
        say("Call", "On"),
        *WHISPER["Actions"],
    )
    numbered = {"OutboundCallerIdNumberId": "n"}
    setting = "Outbound whisper flow of the queue 'Sales'"
    for config, expected in (
        ({}, []),
        (numbered, [("no-transcript", "", "", setting)]),
        (numbered | {"OutboundFlowId": "out"}, []),
    ):
        flows = GOOD | {"out": ("OUTBOUND_WHISPER", outbound)}
        got = audited(flows, queues=(Queue("s", "Sales", config),))
        assert [each for each in got if each[0] != "named-by-nothing"] == expected


@pytest.mark.parametrize(
    "block",
    [
        hook("Set whisper", "AgentWhisper", "Left", "$.Attributes.whisper"),
        leading("Module", "InvokeFlowModule", {"FlowModuleId": "$.Attributes.m"}, "Left"),
        leading("Module", "InvokeFlowModule", {"FlowModuleId": "gone"}, "Left"),
        hook("Set whisper", "AgentWhisper", "Left", "gone"),
        invoke("Decide", "Left", "$.Attributes.function"),
        invoke("Decide", "Left", "${StartFunction}"),
        invoke("Decide", "Left", ""),
    ],
    ids=["hook", "module", "no module", "no flow", "function", "template", "blank"],
)
def test_what_is_unknown_is_a_note_and_never_a_finding(block: Json) -> None:
    content = queued(block, hook("Left", "CustomerRemaining", "Queue", "left"))
    flows = {name: each for name, each in main(content).items() if name != "whisper"}
    report = audit(instance_of(flows))
    assert found(report) == []
    assert len(report.notes) == 1 and report.notes[0].startswith(f"main / {block['Identifier']}: ")


def test_a_number_that_leads_to_an_unknown_flow_is_a_note() -> None:
    report = audit(instance_of({}, number="gone"))
    assert (found(report), report.notes) == (
        [],
        ["the flow gone is not followed, because it is not here"],
    )


def test_a_block_that_nobody_knows_is_a_note_and_all_its_branches_are_followed() -> None:
    strange = leading("New", "SingASong", {}, "Set whisper", "Left")
    report = audit(instance_of(main(queued(strange, *WHISPERED["Actions"][:2]))))
    assert found(report) == []
    assert report.notes == [
        "SingASong is not known here, in 'main': all of its branches are followed"
    ]


def test_a_queue_flow_may_move_a_call_to_another_queue_and_hang_up() -> None:
    on = action(
        "Move",
        "DequeueContactAndTransferToQueue",
        {"QueueId": "q"},
        Errors=[error("Bye")],
    )
    waits = flow(
        music(NextAction="Move", Conditions=[]), on, action("Bye", "DisconnectParticipant")
    )
    content = queued(hook("Q", "CustomerQueue", "Set whisper", "waits"), *WHISPERED["Actions"][:2])
    assert audited(main(content, waits=("CUSTOMER_QUEUE", waits))) == []
