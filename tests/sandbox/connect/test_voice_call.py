"""Connect runs the flows of a call in the documented order, for the right people and contacts."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from sandbox.connect.contact import Agent, Contact, Endpoint, Queue
from sandbox.connect.flow_outcome import FlowError
from sandbox.connect.flow_runner import FlowRunner
from sandbox.connect.voice_call import CallError, ConnectCall, Played, PublishedFlow
from tests.sandbox.simulated import (
    INSTANCE,
    Clock,
    FakeLambda,
    action,
    flow,
    invoke,
    looped_prompts,
    note,
    streaming,
    terminal,
)

SUPPORT = Queue(f"{INSTANCE}/queue/1", "Support", outbound_whisper="outbound whisper")
SALES = Queue(f"{INSTANCE}/queue/2", "Sales")
JANE, BOB = Agent("jane"), Agent("bob")
HOOKS = {
    "AgentWhisper": "agent whisper",
    "CustomerWhisper": "customer whisper",
    "CustomerHold": "customer hold",
    "CustomerQueue": "customer queue",
    "CustomerRemaining": "disconnect",
}


def hook(name: str, flow: str, next: str) -> dict[str, Any]:
    block = action(f"Set {name}", "UpdateContactEventHooks", {"EventHooks": {name: flow}})
    return leading(block, next)


def leading(block: dict[str, Any], next: str) -> dict[str, Any]:
    errors = [{"NextAction": next, "ErrorType": "NoMatchingError"}]
    return block | {"Transitions": {"NextAction": next, "Errors": errors}}


def setting(hooks: dict[str, str], *then: dict[str, Any]) -> dict[str, Any]:
    """A flow that sets hooks, and then goes on."""
    followers = [*(f"Set {name}" for name in list(hooks)[1:]), then[0]["Identifier"]]
    blocks = [
        hook(name, flow, follower)
        for (name, flow), follower in zip(hooks.items(), followers, strict=True)
    ]
    return flow(*blocks, *then)


def behind(block: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
    """The flow with one block more at its entry."""
    first = leading(block, content["StartAction"])
    return content | {
        "StartAction": first["Identifier"],
        "Actions": [first, *content["Actions"]],
    }


def queue_it() -> dict[str, Any]:
    block = action("Queue it", "TransferContactToQueue", next="Full")
    block["Transitions"]["Errors"] = [
        {"NextAction": "Full", "ErrorType": error}
        for error in ("NoMatchingError", "QueueAtCapacity")
    ]
    return block


def into_the_queue() -> list[dict[str, Any]]:
    target = action("Set queue", "UpdateContactTargetQueue", {"QueueId": SUPPORT.arn})
    full = terminal("Full", "DisconnectParticipant")
    return [leading(target, "Queue it"), queue_it(), full]


def asks(kind: str, *blocks: dict[str, Any]) -> PublishedFlow:
    """A flow whose Lambda shows that it ran, and for which contact."""
    first = invoke("Ask", next=blocks[0]["Identifier"])
    return PublishedFlow(kind, flow(leading(first, blocks[0]["Identifier"]), *blocks))


def end() -> dict[str, Any]:
    return terminal("The end", "EndFlowExecution")


def loop() -> dict[str, Any]:
    return looped_prompts("Loop", next=None, on_error=None)


def hang_up() -> dict[str, Any]:
    return terminal("Hang up", "DisconnectParticipant")


def instance_flows() -> dict[str, PublishedFlow]:
    say = leading(action("Say", "MessageParticipant", {"Text": "Hello"}), "The end")
    outbound = setting(
        {name: HOOKS[name] for name in ("CustomerHold", "CustomerRemaining")},
        leading(invoke("Ask"), "Say"),
        say,
        end(),
    )
    move = {"QueueId": SALES.arn}
    return {
        "welcome": PublishedFlow("CONTACT_FLOW", setting(HOOKS, *into_the_queue())),
        "bare": PublishedFlow("CONTACT_FLOW", flow(*into_the_queue())),
        "streaming": PublishedFlow(
            "CONTACT_FLOW", behind(streaming("Enabled"), setting(HOOKS, *into_the_queue()))
        ),
        "menu": PublishedFlow(
            "CONTACT_FLOW",
            flow(
                leading(action("Go", "TransferToFlow", {"ContactFlowId": "welcome"}), "Bye"),
                terminal("Bye", "DisconnectParticipant"),
            ),
        ),
        "closed": PublishedFlow("CONTACT_FLOW", flow(note(x="1"))),
        "agent whisper": asks("AGENT_WHISPER", end()),
        "customer whisper": asks("CUSTOMER_WHISPER", end()),
        "outbound whisper": PublishedFlow("OUTBOUND_WHISPER", outbound),
        "customer hold": asks("CUSTOMER_HOLD", loop()),
        "customer queue": asks("CUSTOMER_QUEUE", loop()),
        "moves on": PublishedFlow(
            "CUSTOMER_QUEUE",
            flow(action("Move", "DequeueContactAndTransferToQueue", move)),
        ),
        "gives up": asks("CUSTOMER_QUEUE", hang_up()),
        "disconnect": asks("CONTACT_FLOW", hang_up()),
        "requeue": PublishedFlow("CONTACT_FLOW", flow(*into_the_queue())),
        "agent transfer": asks("AGENT_TRANSFER", terminal("Go", "TransferContactToAgent")),
        "queue transfer": asks(
            "QUEUE_TRANSFER", queue_it(), terminal("Full", "DisconnectParticipant")
        ),
        "hooked transfer": PublishedFlow(
            "QUEUE_TRANSFER",
            setting(
                {"AgentWhisper": "agent whisper"},
                queue_it(),
                terminal("Full", "DisconnectParticipant"),
            ),
        ),
    }


class Scene:
    """A call of one customer, and what the function was asked by its flows."""

    def __init__(self, **options: Any) -> None:
        clock = Clock()
        self.function = FakeLambda(clock)
        self.runner = FlowRunner(
            invoke_lambda=self.function,
            queues={queue.arn: queue for queue in (SUPPORT, SALES)},
            now=clock,
            rng=random.Random(1),  # noqa: S311 (the same ids every time are the point)
            failing=options.pop("failing", ()),
        )
        self.told: list[Played] = []
        self.call = ConnectCall(
            self.runner,
            Contact("first", INSTANCE, customer_endpoint=Endpoint("+15550100001")),
            instance_flows() | options.pop("flows", {}),
            tell=self.told.append,
            **options,
        )

    @property
    def order(self) -> list[tuple[str, str]]:
        return [(played.name, played.heard_by) for played in self.call.played]


Deed = Callable[[ConnectCall], None]


def customer_calls(flow: str = "welcome") -> Deed:
    return lambda call: call.customer_calls(flow)


def agent_accepts(agent: Agent = JANE, *, drops: bool = False) -> Deed:
    return lambda call: call.agent_accepts(agent, drops=drops)


def agent_transfers(to: Agent | Queue, flow: str = "", *, cold: bool = False) -> Deed:
    return lambda call: call.agent_transfers(to, flow, cold=cold)


def agent_calls(queue: Queue) -> Deed:
    def deed(call: ConnectCall) -> None:
        call.contact.queue, call.contact.agent = queue, JANE
        call.agent_calls()

    return deed


def agent_calls_back(call: ConnectCall) -> None:
    call.contact.queue = SUPPORT
    call.contact.hooks.update(HOOKS)
    call.agent_calls_back(JANE)


agent_holds, agent_resumes = ConnectCall.agent_holds, ConnectCall.agent_resumes
agent_leaves, customer_hangs_up = ConnectCall.agent_leaves, ConnectCall.customer_hangs_up
to_sales = partial(agent_transfers, SALES, "queue transfer")
TALK = (customer_calls(), agent_accepts())
TALK_BARE = (customer_calls("bare"), agent_accepts())


def play(scene: Scene, *deeds: Deed) -> ConnectCall:
    for deed in deeds:
        deed(scene.call)
    return scene.call


# The order of flows, sequence by sequence.

JOINED = [
    ("inbound", "customer"),
    ("customer queue", "customer"),
    ("agent whisper", "agent"),
    ("customer whisper", "customer"),
]
BARE = [
    ("inbound", "customer"),
    ("default customer queue", "customer"),
    ("default agent whisper", "agent"),
    ("default customer whisper", "customer"),
]
DROPPED, JANE_WHISPER = JOINED[:3], JOINED[2:]
HELD = [*JOINED, ("customer hold", "customer")]
BOB_TO_AGENT = [("default agent whisper", "agent"), ("default customer whisper", "source agent")]
BOB_TO_CUSTOMER = [("default agent whisper", "agent"), ("default customer whisper", "customer")]
"""After a transfer: hooks do not follow into it."""

Order = list[tuple[str, str]]

SEQUENCES: dict[str, tuple[tuple[Deed, ...], Order]] = {
    "a call that an agent takes": (TALK, JOINED),
    "a call for which nothing is set": (TALK_BARE, BARE),
    "a call that no agent takes": ((customer_calls(),), JOINED[:2]),
    "a call by way of another flow": (
        (customer_calls("menu"), agent_accepts()),
        [("inbound", "customer"), *JOINED],
    ),
    "a call after hours": ((customer_calls("closed"),), [("inbound", "customer")]),
    "an agent who drops in the whisper": (
        (customer_calls(), agent_accepts(JANE, drops=True), agent_accepts(BOB)),
        [*DROPPED, *JANE_WHISPER],
    ),
    "hold, resume and hold": (
        (*TALK, agent_holds, agent_resumes, agent_holds),
        [*HELD, ("customer hold", "customer")],
    ),
    "hold without a hold flow": (
        (*TALK_BARE, agent_holds),
        [*BARE, ("default customer hold", "customer")],
    ),
    "a customer who hangs up": ((*TALK, customer_hangs_up), JOINED),
    "a customer who hangs up on hold": ((*TALK, agent_holds, customer_hangs_up), HELD),
    "a customer who hangs up in the queue": ((customer_calls(), customer_hangs_up), JOINED[:2]),
    "an agent who leaves first": (
        (*TALK, agent_leaves),
        [*JOINED, ("disconnect", "customer")],
    ),
    "an agent who leaves a customer on hold": (
        (*TALK, agent_holds, agent_leaves),
        [*HELD, ("disconnect", "customer")],
    ),
    "an agent who leaves where no disconnect flow is set": ((*TALK_BARE, agent_leaves), BARE),
    "an outbound call": ((agent_calls(SUPPORT),), [("outbound whisper", "customer")]),
    "an outbound call of a queue without a whisper": (
        (agent_calls(SALES),),
        [("default outbound", "customer")],
    ),
    "an outbound call, hold, and the agent leaves": (
        (agent_calls(SUPPORT), agent_holds, agent_leaves),
        [
            ("outbound whisper", "customer"),
            ("customer hold", "customer"),
            ("disconnect", "customer"),
        ],
    ),
    "a callback": (
        (agent_calls_back,),
        [("agent whisper", "agent"), ("outbound whisper", "customer")],
    ),
    "a warm transfer to an agent": (
        (*TALK, agent_transfers(BOB, "agent transfer"), agent_accepts(BOB), agent_leaves),
        [*HELD, ("agent transfer", "source agent"), *BOB_TO_AGENT],
    ),
    "a warm transfer to a queue, in which all three talk": (
        (
            *TALK,
            to_sales(),
            agent_accepts(BOB),
            agent_resumes,
            agent_leaves,
        ),
        [
            *HELD,
            ("queue transfer", "source agent"),
            ("default customer queue", "source agent"),
            *BOB_TO_AGENT,
        ],
    ),
    "a cold transfer to an agent": (
        (*TALK, agent_transfers(BOB, "agent transfer", cold=True), agent_accepts(BOB)),
        [*HELD, ("agent transfer", "customer"), *BOB_TO_CUSTOMER],
    ),
    "a cold transfer to a queue": (
        (*TALK, to_sales(cold=True), agent_accepts(BOB)),
        [
            *HELD,
            ("queue transfer", "customer"),
            ("default customer queue", "customer"),
            *BOB_TO_CUSTOMER,
        ],
    ),
    "a source agent who leaves while the transfer waits": (
        (*TALK, to_sales(), agent_leaves, agent_accepts(BOB)),
        [
            *HELD,
            ("queue transfer", "source agent"),
            ("default customer queue", "source agent"),
            *BOB_TO_CUSTOMER,
        ],
    ),
    "a transfer of a customer on hold": (
        (*TALK, agent_holds, agent_transfers(BOB)),
        [*HELD, ("default agent transfer", "source agent")],
    ),
    "a transfer to a queue by Connect's own flow": (
        (*TALK, agent_transfers(SALES)),
        [
            *HELD,
            ("default queue transfer", "source agent"),
            ("default customer queue", "source agent"),
        ],
    ),
}


@pytest.mark.parametrize("name", SEQUENCES)
@pytest.mark.parametrize("stream_follows", [False, True])
def test_connect_runs_these_flows_in_this_order(name: str, stream_follows: bool) -> None:
    deeds, expected = SEQUENCES[name]
    scene = Scene(stream_follows=stream_follows)
    play(scene, *deeds)
    assert scene.order == expected
    assert scene.told == scene.call.played


# Hooks.


def test_the_hooks_of_the_inbound_flow_decide_which_content_runs() -> None:
    scene = Scene(flows={"other whisper": asks("AGENT_WHISPER", end())})
    scene.call.contact.hooks["AgentWhisper"] = "other whisper"
    scene.call.customer_calls("bare")
    scene.call.agent_accepts(JANE)
    assert [played.flow for played in scene.call.played] == ["bare", "", "other whisper", ""]
    assert [step.block for step in scene.call.played[2].path] == ["Ask", "The end"]
    assert scene.call.played[1].path == (), "of a default flow nothing runs"


def test_the_last_hook_that_is_set_wins() -> None:
    scene = Scene()
    scene.call.contact.hooks["AgentWhisper"] = "of yesterday"
    play(scene, *TALK)
    assert [p.flow for p in scene.call.played if p.name == "agent whisper"] == ["agent whisper"]


@pytest.mark.parametrize(
    ("flow", "message"),
    [("absent", "no flow 'absent'"), ("customer hold", "type CUSTOMER_HOLD, not AGENT_WHISPER")],
)
def test_a_hook_to_no_flow_or_to_one_of_another_type_is_an_error(flow: str, message: str) -> None:
    scene = Scene()
    scene.call.contact.hooks["AgentWhisper"] = flow
    scene.call.customer_calls("bare")
    with pytest.raises(FlowError, match=message):
        scene.call.agent_accepts(JANE)


def test_a_flow_leads_to_inbound_and_transfer_flows_only() -> None:
    scene = Scene(flows={"welcome": asks("AGENT_WHISPER", end())})
    with pytest.raises(FlowError, match="'welcome' is a flow of type AGENT_WHISPER"):
        scene.call.customer_calls("menu")


@pytest.mark.parametrize("hooks_follow", [False, True])
def test_hooks_follow_into_a_transfer_where_one_assumes_that_they_do(hooks_follow: bool) -> None:
    scene = Scene(hooks_follow=hooks_follow)
    play(scene, *TALK, agent_transfers(BOB, "agent transfer"))
    scene.call.agent_accepts(BOB)
    scene.call.agent_leaves()
    scene.call.agent_leaves()
    said = "" if hooks_follow else "default "
    assert scene.order[len(JOINED) + 2 :] == [
        (f"{said}agent whisper", "agent"),
        (f"{said}customer whisper", "source agent"),
        *([("disconnect", "customer")] if hooks_follow else []),
    ]
    assert scene.call.is_over


def test_a_transfer_flow_sets_the_whisper_of_the_next_agent() -> None:
    scene = Scene()
    play(scene, *TALK, agent_transfers(SALES, "hooked transfer"))
    scene.call.agent_accepts(BOB)
    assert scene.order[-2:] == [
        ("agent whisper", "agent"),
        ("default customer whisper", "source agent"),
    ]


# Contacts.


def ids(contact: Contact) -> tuple[str, str, str, str]:
    data = contact.data()
    return (
        data["ContactId"],
        data["InitialContactId"],
        data["PreviousContactId"],
        data["InitiationMethod"],
    )


def test_an_inbound_call_is_one_contact_for_however_many_agents() -> None:
    scene = Scene()
    scene.call.customer_calls("menu")
    scene.call.agent_accepts(JANE, drops=True)
    scene.call.agent_accepts(BOB)
    scene.call.agent_holds()
    assert {played.contact_id for played in scene.call.played} == {"first"}
    assert ids(scene.call.contact) == ("first", "first", "first", "INBOUND")


@pytest.mark.parametrize("to", [BOB, SALES], ids=["to an agent", "to a queue"])
@pytest.mark.parametrize("cold", [False, True], ids=["warm", "cold"])
def test_a_transfer_is_a_new_contact_of_the_same_chain(to: Agent | Queue, cold: bool) -> None:
    scene = Scene()
    play(scene, *TALK, agent_transfers(to, cold=cold))
    scene.call.agent_accepts(BOB)
    if not cold:
        assert scene.call.contact.contact_id == "first", "the customer is still on hold on it"
        scene.call.agent_leaves()
    new = scene.call.contact.contact_id
    assert new != "first"
    assert ids(scene.call.contact) == (new, "first", "first", "TRANSFER")
    hold = len(JOINED) + 1
    assert {played.contact_id for played in scene.call.played[:hold]} == {"first"}
    assert {played.contact_id for played in scene.call.played[hold:]} == {new}
    assert scene.call.contact.agent == BOB
    assert scene.call.contact.queue == (SALES if to == SALES else None)
    assert not scene.call.is_on_hold


def test_nobody_has_a_contact_that_waits() -> None:
    scene = Scene()
    play(scene, customer_calls(), agent_accepts(JANE, drops=True))
    assert (scene.call.contact.agent, scene.call.contact.place) == (None, "queue")
    play(scene, agent_accepts(JANE), to_sales())
    assert scene.call.consult
    assert (scene.call.consult.agent, scene.call.consult.place) == (None, "queue")


def test_a_customer_is_off_hold_with_the_next_agent() -> None:
    call = play(Scene(), *TALK, to_sales(), agent_accepts(BOB), agent_leaves, agent_holds)
    assert call.played[-1].name == "default customer hold"
    assert call.is_on_hold


def test_a_queued_transfer_can_change_its_queue_and_is_still_the_source_agents() -> None:
    scene = Scene(flows={"agent transfer": PublishedFlow("AGENT_TRANSFER", moving_on())})
    play(scene, *TALK, agent_transfers(BOB, "agent transfer"), agent_accepts(BOB))
    assert scene.order[-4:] == [
        ("customer queue", "source agent"),
        ("default customer queue", "source agent"),
        ("default agent whisper", "agent"),
        ("default customer whisper", "source agent"),
    ]
    assert scene.call.consult
    assert scene.call.consult.initiation_method == "QUEUE_TRANSFER"
    scene.call.agent_leaves()
    assert scene.call.contact.agent == BOB


def moving_on() -> dict[str, Any]:
    return setting({"CustomerQueue": "moves on"}, *into_the_queue())


def test_every_further_transfer_names_the_contact_before_it_and_the_first() -> None:
    scene = Scene(hooks_follow=True)
    play(scene, *TALK, agent_transfers(BOB, cold=True))
    scene.call.agent_accepts(BOB)
    second = scene.call.contact.contact_id
    scene.call.agent_transfers(SALES, cold=True)
    scene.call.agent_accepts(JANE)
    third = scene.call.contact.contact_id
    assert ids(scene.call.contact) == (third, "first", second, "TRANSFER")
    scene.call.agent_leaves()
    assert ids(scene.call.contact)[1:] == ("first", third, "DISCONNECT")
    assert len({"first", second, third, scene.call.contact.contact_id}) == 4


def test_the_agent_of_a_transfer_is_the_target_for_flows_that_know_one() -> None:
    content = flow(
        leading(
            invoke("Ask", LambdaInvocationAttributes={"agentId": "$.Agent.UserName"}), "The end"
        ),
        terminal("The end", "TransferContactToAgent"),
    )
    scene = Scene(flows={"agent transfer": PublishedFlow("AGENT_TRANSFER", content)})
    play(scene, *TALK, agent_transfers(BOB, "agent transfer"))
    assert scene.function.parameters == {"agentId": "bob"}


def test_a_queue_transfer_by_a_flow_is_a_new_contact_with_a_queue_flow_only() -> None:
    scene = Scene()
    scene.call.contact.hooks["CustomerQueue"] = "moves on"
    scene.call.customer_calls("bare")
    assert scene.order == [
        ("inbound", "customer"),
        ("customer queue", "customer"),
        ("default customer queue", "customer"),
    ]
    new = scene.call.contact.contact_id
    assert ids(scene.call.contact) == (new, "first", "first", "QUEUE_TRANSFER")
    assert scene.call.contact.queue == SALES
    scene.call.agent_accepts(JANE)
    assert scene.order[-1] == ("default customer whisper", "customer")


def test_a_queue_flow_that_hangs_up_ends_the_call() -> None:
    scene = Scene()
    scene.call.contact.hooks["CustomerQueue"] = "gives up"
    scene.call.customer_calls("bare")
    assert scene.call.is_over
    with pytest.raises(CallError, match="no contact waits"):
        scene.call.agent_accepts(JANE)


def test_a_disconnect_flow_can_queue_the_customer_again() -> None:
    scene = Scene(hooks_follow=True)
    scene.call.contact.hooks["CustomerRemaining"] = "requeue"
    play(scene, *TALK_BARE, agent_leaves)
    scene.call.agent_accepts(BOB)
    assert scene.order[len(BARE) :] == [("disconnect", "customer"), *BARE[1:]]
    assert scene.call.contact.initiation_method == "DISCONNECT"


def test_a_transfer_that_fails_leaves_the_customer_on_hold_with_the_source_agent() -> None:
    scene = Scene()
    play(scene, *TALK)
    scene.runner.failing = {"Queue it": "QueueAtCapacity"}
    scene.call.agent_transfers(SALES, "queue transfer")
    assert scene.call.consult is None
    assert not scene.call.is_over
    scene.call.agent_resumes()
    scene.call.agent_leaves()
    assert scene.order[-2:] == [("queue transfer", "source agent"), ("disconnect", "customer")]


def test_a_cold_transfer_that_fails_ends_the_call() -> None:
    scene = Scene()
    play(scene, *TALK)
    scene.runner.failing = {"Queue it": "QueueAtCapacity"}
    play(scene, to_sales(cold=True))
    assert scene.call.is_over


# Media streams.


@pytest.mark.parametrize("follows", [False, True])
@pytest.mark.parametrize("cold", [False, True], ids=["warm", "cold"])
def test_a_stream_follows_into_a_transfer_where_one_assumes_that_it_does(
    follows: bool, cold: bool
) -> None:
    scene = Scene(stream_follows=follows)
    play(
        scene,
        customer_calls("streaming"),
        agent_accepts(),
        agent_transfers(BOB, "agent transfer", cold=cold),
    )
    before = scene.call.played[0].contact_id
    asked = {each[1]["Details"]["ContactData"]["ContactId"]: each for each in scene.function.calls}
    first, second = (
        each[1]["Details"]["ContactData"]["MediaStreams"]["Customer"]["Audio"]["StreamARN"]
        for each in asked.values()
    )
    assert next(iter(asked)) == before
    assert first
    assert second == (first if follows else None)


@pytest.mark.parametrize("follows", [False, True])
def test_a_stream_follows_into_the_disconnect_flow_where_one_assumes_that_it_does(
    follows: bool,
) -> None:
    scene = Scene(stream_follows=follows)
    play(scene, customer_calls("streaming"), agent_accepts(), agent_leaves)
    data = scene.function.calls[-1][1]["Details"]["ContactData"]
    assert data["InitiationMethod"] == "DISCONNECT"
    assert data["InitialContactId"] == "first"
    assert bool(scene.function.audio["StreamARN"]) is follows


def test_a_stream_goes_on_where_a_flow_leads_to_another() -> None:
    go = action("Go", "TransferToFlow", {"ContactFlowId": "welcome"})
    content = flow(leading(streaming("Enabled", identifier="Stream"), "Go"), go)
    scene = Scene(flows={"streams first": PublishedFlow("CONTACT_FLOW", content)})
    scene.call.customer_calls("streams first")
    assert scene.call.contact.is_streaming


def test_attributes_and_the_customer_go_along_on_every_contact() -> None:
    scene = Scene()
    scene.call.contact.attributes["crm"] = "7"
    play(scene, *TALK, agent_transfers(BOB, cold=True))
    data = scene.call.contact.data()
    assert data["Attributes"] == {"crm": "7"}
    assert data["CustomerEndpoint"]["Address"] == "+15550100001"


# Outbound calls.


def test_blocks_ahead_of_the_first_prompt_run_before_the_call_is_placed() -> None:
    scene = Scene()
    played = play(scene, agent_calls(SUPPORT)).played[0]
    blocks = [step.block for step in played.path]
    assert blocks == ["Set CustomerHold", "Set CustomerRemaining", "Ask", "Say", "The end"]
    assert blocks[: played.before_dialling] == ["Set CustomerHold", "Set CustomerRemaining", "Ask"]
    assert "Ask → (dials) → Say" in str(played)


def test_a_whisper_without_a_prompt_runs_whole_before_the_call_is_placed() -> None:
    silent = PublishedFlow("OUTBOUND_WHISPER", flow(leading(invoke("Ask"), "The end"), end()))
    played = play(Scene(flows={"outbound whisper": silent}), agent_calls(SUPPORT)).played[0]
    assert played.before_dialling == len(played.path) == 2


def test_a_whisper_that_begins_with_a_prompt_runs_after_the_customer_has_answered() -> None:
    say = action("Say", "MessageParticipant", {"Text": "Hello"})
    polite = PublishedFlow("OUTBOUND_WHISPER", flow(leading(say, "The end"), end()))
    played = play(Scene(flows={"outbound whisper": polite}), agent_calls(SUPPORT)).played[0]
    assert played.before_dialling == 0
    assert str(played).endswith(": (dials) → Say → The end (Ends)")


def test_of_a_call_that_nobody_answers_only_those_blocks_run() -> None:
    scene = Scene()
    scene.call.contact.queue = SUPPORT
    scene.call.agent_calls(answered=False)
    played = scene.call.played[0]
    assert [step.block for step in played.path][-1] == "Ask"
    assert played.before_dialling == len(played.path)
    assert scene.call.is_over


def test_a_callback_says_that_it_is_one() -> None:
    data = play(Scene(), agent_calls_back).contact.data()
    assert data["InitiationMethod"] == "CALLBACK"


def test_no_inbound_whisper_runs_in_an_outbound_call() -> None:
    scene = Scene()
    scene.call.contact.hooks.update(HOOKS)
    play(scene, agent_calls(SUPPORT))
    assert scene.order == [("outbound whisper", "customer")]
    assert scene.function.calls[0][1]["Details"]["ContactData"]["InitiationMethod"] == "OUTBOUND"


# What cannot be.


@pytest.mark.parametrize(
    ("deeds", "message"),
    [
        ((agent_holds,), "not with an agent"),
        ((customer_calls(), agent_holds), "not with an agent"),
        ((customer_calls(), agent_transfers(BOB)), "not with an agent"),
        ((agent_accepts(),), "no contact waits"),
        ((*TALK, agent_accepts(BOB)), "no contact waits"),
        ((*TALK, agent_holds, agent_holds), "on hold already"),
        ((*TALK, agent_transfers(BOB), agent_transfers(BOB)), "transfers the call already"),
        ((*TALK, customer_hangs_up, agent_leaves), "not with an agent"),
        ((*TALK, agent_leaves, customer_hangs_up), "the call is over"),
        ((customer_calls(), customer_hangs_up, agent_accepts()), "no contact waits"),
    ],
)
def test_what_nobody_can_do_at_this_point_is_an_error(
    deeds: tuple[Deed, ...], message: str
) -> None:
    with pytest.raises(CallError, match=message):
        play(Scene(), *deeds)


def test_a_contact_that_is_queued_cannot_be_queued_again_by_its_inbound_flow() -> None:
    scene = Scene()
    scene.call.customer_calls("bare")
    scene.call.customer_calls("bare")
    assert scene.call.played[-1].path[-1].block == "Full"
    assert scene.call.is_over


def test_the_same_seed_gives_the_same_call() -> None:
    def call() -> str:
        scene = Scene()
        play(scene, *TALK, to_sales(cold=True))
        return str(scene.call)

    assert call() == call()


def test_the_path_of_a_call_reads_as_lines() -> None:
    scene = Scene(failing=["Ask"])
    scene.call.contact.hooks["CustomerHold"] = "customer hold"
    assert str(play(scene, *TALK_BARE, agent_holds)).splitlines() == [
        "inbound, to the customer, contact first: Set queue → Queue it (Transfers to queue)",
        "default customer queue, to the customer, contact first",
        "default agent whisper, to the agent, contact first",
        "default customer whisper, to the customer, contact first",
        "customer hold, to the customer, contact first: Ask (NoMatchingError) → Loop (Loops)",
    ]


def test_the_example_in_the_docstring_runs() -> None:
    scene = Scene()
    call = ConnectCall(
        scene.runner, Contact("first", INSTANCE), {"welcome": instance_flows()["bare"]}
    )
    call.customer_calls("welcome")
    call.agent_accepts(Agent("jane"))
    call.agent_leaves()
    assert call.is_over
