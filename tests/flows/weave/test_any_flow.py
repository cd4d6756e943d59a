"""Weaving into any flow that Connect takes."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from connect_flows.flow_content import parse, targets
from connect_flows.flow_graph import CannotWeave
from connect_flows.flow_types import FLOW_TYPES, HOLDS, WHISPERS
from connect_flows.rules import check
from connect_flows.weave import Start, Stop, weave
from tests.flow_builders import (
    LAMBDA,
    MUSIC,
    PROMPT,
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
    music,
    note,
    queue,
    say,
    stream,
)
from tests.flows.weave.weaving import (
    BEFORE,
    START,
    Call,
    Way,
    calling,
    inserted,
    kind,
    ways,
    weave_well,
)

ENDINGS = {
    "DequeueContactAndTransferToQueue": "queue",
    "TransferContactToAgent": "transfer-out",
    "TransferContactToQueue": "queue",
    "TransferParticipantToThirdParty": "transfer-out",
    "TransferToFlow": "transfer-out",
    "DisconnectParticipant": "disconnect",
    "EndFlowExecution": "end",
}


NAMES = ("Start transcription", "Stop media streaming", "Silence", "Start media streaming 2")


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
        way = condition("MessagesInterrupted", to=to())
        return music(name, NextAction=to(), Errors=[error(to())], Conditions=[way])
    if kind_ == "compare":
        return compare(name, to(), gold=to(), x=to())
    if kind_ == "loop":
        ways_on = [condition("ContinueLooping", to=to()), condition("DoneLooping", to=to())]
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
def cases(draw: st.DrawFn) -> Case:
    """A flow, and what to weave into it, which it mostly has a place for."""
    type = draw(st.sampled_from(sorted(FLOW_TYPES | {"MODULE"})))
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
    has_place = wherever or asked or "media Disabled" in media or type in HOLDS
    if type in WHISPERS and start and not wherever:
        has_place = False
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
            if begins or (entered and name not in off):
                may_stream.add((name, branch))
    found: dict[Way, list[str]] = {}
    for way, target in all_ways.items():
        put: list[str] = []
        if start and not on and type in WHISPERS and way == ("", "entry"):
            put += ["media Enabled", "start"]
        if start and way[0] in on and way[1] == "next":
            put += ["start"]
        if stop and type in HOLDS | {"CUSTOMER_QUEUE"} and way == ("", "entry"):
            put += ["stop"]
        elif stop and (type in HOLDS or (type == "CUSTOMER_QUEUE" and not start)):
            pass
        elif stop and (target in off or (target in endings and way in may_stream)):
            put += ["stop"]
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
        elif "no flow runs when a hold ends" in reason:
            assert start
            assert type in HOLDS
        elif "a whisper ends" in reason:
            assert stop
            assert type in WHISPERS
        elif "no place for a start" in reason:
            assert start
            assert type not in WHISPERS | HOLDS
            assert not any("start" in put for put in everything.values())
        elif "no place for a stop" in reason:
            assert not any("stop" in put for put in everything.values())
        else:  # the one thing that only the whole flow shows
            assert "with transcription in it" in reason
            assert "may take more than 20 s" in reason or "may not come before Loop" in reason


@settings(max_examples=150, deadline=None, derandomize=True)
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


@settings(max_examples=60, deadline=None, derandomize=True)
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


@settings(max_examples=120, deadline=None, derandomize=True)
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


@settings(max_examples=100, deadline=None, derandomize=True)
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
