"""Weaving into flows that others published."""

from __future__ import annotations

import pytest

from connect_flows.flow_content import parse
from connect_flows.flow_graph import CannotWeave
from connect_flows.weave import weave
from tests.flow_builders import (
    OWN_ARN,
    ROOT,
    START_ARN,
    STOP_ARN,
    Json,
    blocks,
    flow,
    published,
    stream,
)
from tests.flows.weave.weaving import (
    START,
    START_AND_MEDIA,
    STOP,
    Call,
    calling,
    ways,
    weave_well,
)

PUBLISHED = ROOT.parent / "shared" / "data" / "flows"


def test_the_published_agent_whisper_starts_and_then_beeps() -> None:
    content = parse(published("agent-whisper-connect-samples.json"))
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


def test_the_published_queue_flow_stops_before_it_plays() -> None:
    content = parse(published("customer-queue-connect-samples.json"))
    end, prompts = blocks(content)
    assert weave_well(content, "CUSTOMER_QUEUE", stop=STOP) == {("", "entry"): ["stop"]}
    woven = weave(content, "CUSTOMER_QUEUE", stop=STOP).content
    call = Call()
    path, ended = call.path(woven, "CUSTOMER_QUEUE")
    assert ([block for block, _ in path], ended) == (["Stop transcription", prompts], True)
    assert call.invoked == [STOP_ARN]
    path, _ = Call(failing=[prompts]).path(woven, "CUSTOMER_QUEUE")
    assert [block for block, _ in path] == ["Stop transcription", prompts, end]


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
    content = parse(published("module-asapp-generativeagent.json"))
    on = "32cb9b6f-b1ae-4c26-8cee-c61fe450b996"
    off = {"c78f56bf-b6d0-477d-b1f7-de15b88cfa18", "dd28ca32-d638-49e9-8825-9de55be49cea"}
    with pytest.raises(CannotWeave, match="would not hear the agent") as refused:
        weave(content, "MODULE", start=START, stop=STOP)
    assert [repr(on) in reason for reason in refused.value.args] == [True]
    result = weave(content, "MODULE", start=START, stop=STOP, both_directions=True)
    assert result.widened == (on,)
    woven = result.content
    widened = weave(content, "MODULE", start=START, both_directions=True).content
    for one in content["Actions"]:
        if one["Identifier"] == on:
            one["Parameters"] = blocks(widened)[on]["Parameters"]
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
