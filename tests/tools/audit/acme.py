"""An instance of sixty flows, with twelve mistakes in it."""

from __future__ import annotations

import copy
import json
from typing import Any

from connect_flows.flow import Flow, FlowModule
from connect_flows.flow_content import parse
from connect_flows.ready_made.disconnect import disconnect
from connect_flows.ready_made.hold_and_queue import customer_hold
from connect_flows.ready_made.modules import start_module, stop_module
from connect_flows.ready_made.transfers import agent_transfer, queue_transfer
from connect_flows.ready_made.whispers import agent_whisper, customer_whisper, outbound_whisper
from tests.flow_builders import (
    END,
    HANG_UP,
    action,
    blocks,
    condition,
    error,
    flow,
    invoke,
    leading,
    music,
    published,
    queue,
    say,
    stream,
)
from tests.tools.doctor.fake_aws import ACCOUNT, REGION
from tests.tools.fake_connect import FakeFlow, FakeInstance, arn_of

Json = dict[str, Any]

STACK = "autotranscribe-prod-transcription"


def function(name: str, account: str = ACCOUNT) -> str:
    return f"arn:aws:lambda:{REGION}:{account}:function:{name}"


START = function("autotranscribe-prod-Start-x1:live")
STOP = function("autotranscribe-prod-Stop-x2:live")
CRM = function("crm-lookup")
IDS: dict[str, Any] = {
    "customer_id_path": "$.CustomerEndpoint.Address",
    "agent_id_path": "$.Agent.UserName",
}


def hook(name: str, event: str, flow_id: str, to: str) -> Json:
    parameters = {"EventHooks": {event: arn_of("contact-flow", flow_id)}}
    return leading(name, "UpdateContactEventHooks", parameters, to)


def module(name: str, id: str, to: str) -> Json:
    return leading(name, "InvokeFlowModule", {"FlowModuleId": arn_of("flow-module", id)}, to)


def inbound(*first: Json, whisper: str = "our-agent-whisper", left: str = "our-disconnect") -> Json:
    """A menu, opening hours, the flows for later moments, a queue; ends in a goodbye."""
    hooks = [
        *([hook("Set whisper", "AgentWhisper", whisper, "")] if whisper else []),
        *([hook("Set disconnect", "CustomerRemaining", left, "")] if left else []),
    ]
    for number, one in enumerate(hooks):
        to = hooks[number + 1]["Identifier"] if number + 1 < len(hooks) else "Set queue"
        one["Transitions"] = {"NextAction": to, "Errors": [error(to)]}
    after_menu = hooks[0]["Identifier"] if hooks else "Set queue"
    begin = [copy.deepcopy(each) for each in first]
    for number, one in enumerate(begin):
        to = begin[number + 1]["Identifier"] if number + 1 < len(begin) else "Menu"
        one["Transitions"] = {"NextAction": to, "Errors": [error(to)]}
    return flow(
        *begin,
        action(
            "Menu",
            "GetParticipantInput",
            {"Text": "Press 1", "StoreInput": "False", "InputTimeLimitSeconds": "5"},
            NextAction="Hours",
            Errors=[error("Goodbye"), error("Hours", "NoMatchingCondition")],
            Conditions=[condition("1", to="Hours")],
        ),
        action(
            "Hours",
            "CheckHoursOfOperation",
            {},
            NextAction="Goodbye",
            Errors=[error("Goodbye")],
            Conditions=[condition("True", to=after_menu), condition("False", to="Goodbye")],
        ),
        *hooks,
        leading("Set queue", "UpdateContactTargetQueue", {"QueueId": "q"}, "Queue", "Goodbye"),
        queue("Queue", "Goodbye"),
        say("Goodbye", "Hang up"),
        HANG_UP,
    )


def ours(id: str, made: Flow | FlowModule) -> FakeFlow:
    type = made.type if isinstance(made, Flow) else "MODULE"
    return FakeFlow(id, made.name, type, made.content())


def acme(*, mistakes: bool = True) -> FakeInstance:
    """:param mistakes: Without them all is well."""
    arn = {name: arn_of("contact-flow", f"our-{name}") for name in ("agent-whisper", "disconnect")}
    next_agents: dict[str, Any] = {
        "agent_whisper_flow_arn": arn["agent-whisper"],
        "disconnect_flow_arn": arn["disconnect"],
    }
    flows = [
        ours("our-agent-whisper", agent_whisper(start_function_arn=START, **IDS)),
        ours("our-customer-whisper", customer_whisper(start_function_arn=START, **IDS)),
        ours(
            "our-outbound-whisper",
            outbound_whisper(
                start_function_arn=START, disconnect_flow_arn=arn["disconnect"], **IDS
            ),
        ),
        ours("our-disconnect", disconnect(stop_function_arn=STOP)),
        ours("our-agent-transfer", agent_transfer(stop_function_arn=STOP, **next_agents)),
        ours("our-queue-transfer", queue_transfer(stop_function_arn=STOP, **next_agents)),
        ours(
            "our-start",
            start_module(start_function_arn=START, customer_id_path=IDS["customer_id_path"]),
        ),
        ours("our-stop", stop_module(stop_function_arn=STOP)),
        FakeFlow("d-queue", "Default customer queue", "CUSTOMER_QUEUE", flow(music())),
        FakeFlow("d-agent", "Default agent whisper", "AGENT_WHISPER", flow(say("Say", "End"), END)),
        FakeFlow(
            "d-customer",
            "Default customer whisper",
            "CUSTOMER_WHISPER",
            flow(say("Beep", "End"), END),
        ),
        FakeFlow("d-hold", "Default customer hold", "CUSTOMER_HOLD", flow(music())),
        FakeFlow("d-agent-hold", "Default agent hold", "AGENT_HOLD", flow(music())),
        FakeFlow(
            "d-outbound", "Default outbound", "OUTBOUND_WHISPER", flow(say("Say", "End"), END)
        ),
        FakeFlow(
            "d-transfer",
            "Default agent transfer",
            "AGENT_TRANSFER",
            flow(say("Say", "Agent"), action("Agent", "TransferContactToAgent")),
        ),
        FakeFlow(
            "d-to-queue",
            "Default queue transfer",
            "QUEUE_TRANSFER",
            flow(queue("Queue", "Hang up"), HANG_UP),
        ),
        FakeFlow(
            "p-whisper",
            "Published whisper",
            "AGENT_WHISPER",
            parse(published("agent-whisper-connect-samples.json")),
        ),
        FakeFlow(
            "p-queue",
            "Published queue music",
            "CUSTOMER_QUEUE",
            parse(published("customer-queue-connect-samples.json")),
        ),
        FakeFlow(
            "p-module",
            "GenerativeAgent",
            "MODULE",
            parse(published("module-asapp-generativeagent.json")),
        ),
        # What nobody can follow is no mistake.
        FakeFlow(
            "unsure",
            "Unsure",
            "CONTACT_FLOW",
            inbound(invoke("Decide", "", "$.Attributes.function"), whisper=""),
        ),
        FakeFlow("bot", "Bot", "CONTACT_FLOW", inbound(module("Bot", "p-module", ""))),
        FakeFlow(
            "dynamic",
            "Dynamic",
            "CONTACT_FLOW",
            inbound(
                action(
                    "Set",
                    "UpdateContactEventHooks",
                    {"EventHooks": {"AgentWhisper": "$.Attributes.w"}},
                ),
                whisper="",
            ),
        ),
        FakeFlow("young", "Never published", "CONTACT_FLOW", inbound(), published=False),
        FakeFlow("old", "Archived", "CONTACT_FLOW", inbound(whisper=""), state="ARCHIVED"),
        FakeFlow(
            "customers",
            "By the customer whisper",
            "CONTACT_FLOW",
            inbound(
                hook("Set customer whisper", "CustomerWhisper", "our-customer-whisper", ""),
                hook("Set queue music", "CustomerQueue", "p-queue", ""),
                whisper="",
            ),
        ),
        FakeFlow(
            "from-the-menu",
            "From the menu",
            "CONTACT_FLOW",
            inbound(module("Start", "our-start", ""), module("Stop", "our-stop", "")),
        ),
        FakeFlow(
            "elsewhere",
            "Elsewhere",
            "CONTACT_FLOW",
            flow(
                leading("Go on", "TransferToFlow", {"ContactFlowId": "plain-1"}, "Hang up"), HANG_UP
            ),
        ),
    ]
    numbers = {
        f"+4930{1000 + number}": id
        for number, id in enumerate(
            ["unsure", "bot", "dynamic", "customers", "from-the-menu", "elsewhere"]
        )
    }
    functions = [START, STOP, CRM]
    queues = [
        _queue("support", "Support", "our-outbound-whisper", "number-1"),
        _queue("inbound-only", "Inbound only", "", ""),
    ]
    if mistakes:
        flows += _mistakes()
        for number, id in enumerate(each.id for each in flows if each.id.startswith("m-")):
            if blocks(next(each for each in flows if each.id == id).content).get("Menu"):
                numbers[f"+4930{2000 + number}"] = id
        queues.append(_queue("sales", "Sales", "d-outbound", "number-2"))
    plain = 60 - len(flows)
    flows += [
        FakeFlow(
            f"plain-{number}",
            f"Plain {number}",
            "CONTACT_FLOW",
            inbound(*([invoke("Look up", "", CRM)] if number % 3 == 0 else [])),
        )
        for number in range(plain)
    ]
    numbers |= {f"+4930{3000 + number}": f"plain-{number}" for number in range(plain)}
    numbers["+49303999"] = ""
    return FakeInstance(
        flows=flows,
        numbers=numbers,
        queues=queues,
        functions=functions,
        quick_connects=[
            _quick_connect("jane", "USER", {"UserId": "u"}, "our-agent-transfer"),
            _quick_connect("to-support", "QUEUE", {"QueueId": "q"}, "our-queue-transfer"),
            _quick_connect("plain", "FLOW", {}, "plain-2"),
            {
                "QuickConnectId": "taxi",
                "Name": "Taxi",
                "QuickConnectConfig": {
                    "QuickConnectType": "PHONE_NUMBER",
                    "PhoneConfig": {"PhoneNumber": "+4930110"},
                },
            },
        ],
        outputs={STACK: {"StartFunction": START, "StopFunction": STOP}},
    )


def _mistakes() -> list[FakeFlow]:
    """Flows whose ids begin with ``m-`` have the mistakes that `FOUND` lists; ``h-`` help them."""
    one_sided = agent_whisper(start_function_arn=START, **IDS).content()
    for each in one_sided["Actions"]:
        for participant in each["Parameters"].get("Participants", ()):
            participant["MediaDirections"] = ["From"]
    third = action("Outside", "TransferParticipantToThirdParty", {"ThirdPartyPhoneNumber": "+1"})
    third["Transitions"] = {"NextAction": "Hang up", "Errors": [error("Hang up")]}
    inbound_flows = {
        "m-none": ("No whisper", inbound(whisper="")),
        "m-theirs": ("Their whisper", inbound(whisper="p-whisper")),
        "m-survey": ("With a survey", inbound(left="h-survey")),
        "m-hold": ("With a hold", inbound(hook("Set hold", "CustomerHold", "h-hold", ""))),
        "m-one": ("One-sided", inbound(whisper="h-one-sided")),
        "m-alias": ("Without an alias", inbound(invoke("Stop", "", STOP.rpartition(":")[0]))),
        "m-account": (
            "Another account",
            inbound(invoke("Stop", "", STOP.replace(ACCOUNT, "999988887777"))),
        ),
        "m-associated": ("Not associated", inbound(invoke("Look up", "", function("gone")))),
        "m-draft": ("With a draft", inbound()),
    }
    flows = [
        FakeFlow(id, name, "CONTACT_FLOW", content) for id, (name, content) in inbound_flows.items()
    ]
    draft = json.loads(json.dumps(flows[-1].content))
    blocks(draft)["Goodbye"]["Parameters"]["Text"] = "Goodbye!"
    flows[-1].draft = draft
    moved = json.loads(json.dumps(flows[0].content))  # which is no difference
    moved["Metadata"]["ActionMetadata"]["Menu"]["position"]["x"] += 100
    flows[0].draft = moved
    return [
        *flows,
        FakeFlow(
            "m-outside",
            "Goes outside",
            "CONTACT_FLOW",
            flow(
                module("Menu", "our-start", "Outside"),
                third,
                module("Stop", "our-stop", "Hang up"),
                HANG_UP,
            ),
        ),
        FakeFlow("m-unused", "Old outbound", "OUTBOUND_WHISPER", _old_outbound()),
        FakeFlow("h-survey", "Survey", "CONTACT_FLOW", flow(say("Ask", "Hang up"), HANG_UP)),
        ours("h-hold", customer_hold(stop_function_arn=STOP)),
        FakeFlow("h-one-sided", "One-sided whisper", "AGENT_WHISPER", one_sided),
    ]


def _old_outbound() -> Json:
    return flow(say("Call", "On"), stream("On", True, "Start"), invoke("Start", "End", START), END)


FOUND = [
    ("no-transcript", "", "", "Outbound whisper flow of the queue 'Sales'"),
    ("no-transcript", "No whisper", "Queue", "Set whisper flow"),
    ("no-transcript", "Their whisper", "Queue", "Set whisper flow (now 'Published whisper')"),
    ("never-stopped", "Goes outside", "Outside", "stop before 'Outside'"),
    ("never-stopped", "Survey", "Hang up", "stop before 'Hang up'"),
    (
        "stopped-at-hold",
        "Transcription customer hold",
        "Stop transcription",
        "[lifecycle] mode",
    ),
    ("one-side-only", "One-sided whisper", "Start media streaming", "MediaDirections"),
    ("function-not-our-alias", "Without an alias", "Stop", "LambdaFunctionARN"),
    ("function-of-another-account", "Another account", "Stop", "LambdaFunctionARN"),
    ("function-not-associated", "Not associated", "Look up", "LambdaFunctionARN"),
    ("named-by-nothing", "Old outbound", "", "Outbound whisper flow of the queue"),
    ("draft-differs", "With a draft", "Goodbye", "Save and Publish"),
]
"""What the twelve mistakes are: kind, flow, block, setting."""


def _queue(id: str, name: str, outbound: str, number: str) -> Json:
    config = {"OutboundCallerIdName": "Acme"}
    if outbound:
        config["OutboundFlowId"] = outbound
    if number:
        config["OutboundCallerIdNumberId"] = number
    return {
        "QueueId": id,
        "QueueArn": arn_of("queue", id),
        "Name": name,
        "OutboundCallerConfig": config,
    }


def _quick_connect(id: str, type: str, of: Json, flow_id: str) -> Json:
    key = f"{type.title()}Config"
    config = {"QuickConnectType": type, key: {**of, "ContactFlowId": flow_id}}
    return {
        "QuickConnectId": id,
        "QuickConnectARN": arn_of("transfer-destination", id),
        "Name": id.title(),
        "QuickConnectConfig": config,
    }
