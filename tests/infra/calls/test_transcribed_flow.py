"""A customer's own flow is woven at synth, and every mistake is told there."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Annotations, Match, Template

from connect_autotranscribe.flows.flow_function import FlowFunction
from connect_autotranscribe.flows.transcribed_flow import TranscribedFlow
from connect_flows.flow_content import parse
from connect_flows.rules import check
from sandbox.connect.contact import Agent, Contact, Endpoint, Queue
from sandbox.connect.flow_runner import FlowRunner
from tests.flow_builders import (
    LAMBDA,
    MUSIC,
    PROMPT,
    Json,
    action,
    flow,
    invoke,
    leading,
    published,
    queue,
    say,
    stream,
)

INSTANCE = "arn:aws:connect:us-east-1:111122223333:instance/9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa"
OTHER_INSTANCE = INSTANCE[:-1] + "b"
START = "arn:aws:lambda:us-east-1:111122223333:function:start:live"
STOP = "arn:aws:lambda:us-east-1:111122223333:function:stop:live"
ENVIRONMENT = Environment(account="111122223333", region="us-east-1")


def set_queue(name: str, to: str, failed: str) -> Json:
    return leading(name, "UpdateContactTargetQueue", {"QueueId": "$.Attributes.queue"}, to, failed)


AGENT_WHISPER = flow(
    leading("say", PROMPT, {"Text": "$.Queue.Name"}, "end"), action("end", "EndFlowExecution")
)
INBOUND = flow(
    leading("greet", PROMPT, {"Text": "Grüß Gott."}, "queue", "bye"),
    set_queue("queue", "transfer", "bye"),
    queue("transfer", "bye"),
    action("bye", "DisconnectParticipant"),
)
STREAMED_INBOUND = flow(stream("stream", True, "bye"), action("bye", "DisconnectParticipant"))


class Woven:
    """A stack with one flow of a customer, and what it becomes."""

    def __init__(
        self, type: str, content: Any, *, start: bool = False, stop: bool = False, **more: Any
    ):
        self.stack = Stack(App(), "Stack", env=ENVIRONMENT)
        functions = {
            name: FlowFunction(
                self.stack,
                f"{name}Function",
                instance_arn=INSTANCE,
                function=lambda_.Function.from_function_arn(self.stack, name, arn),
            )
            for name, arn in (("Start", START), ("Stop", STOP))
        }
        arguments = {
            "instance_arn": INSTANCE,
            "name": "Billing",
            "type": type,
            "content": content,
            **({"start_streaming": functions["Start"]} if start else {}),
            **({"stop_streaming": functions["Stop"]} if stop else {}),
            **more,
        }
        self.flow = TranscribedFlow(self.stack, "Billing", **arguments)

    @property
    def resource(self) -> dict[str, Any]:
        (found,) = (
            Template.from_stack(self.stack).find_resources("AWS::Connect::ContactFlow").values()
        )
        return dict(found)

    @property
    def content(self) -> dict[str, Any]:
        text = self.resource["Properties"]["Content"]
        assert isinstance(text, str)
        return parse(text)

    @property
    def actions(self) -> dict[str, dict[str, Any]]:
        return {each["Identifier"]: each for each in self.content["Actions"]}

    def way(self, name: str) -> list[str]:
        """The blocks from this one on where all goes well."""
        names = [name]
        while following := self.actions[names[-1]]["Transitions"].get("NextAction"):
            names.append(following)
        return names


# What becomes of a flow.


def test_an_agent_whisper_starts_first_and_then_does_what_it_did() -> None:
    woven = Woven("AGENT_WHISPER", AGENT_WHISPER, start=True)
    assert woven.way(woven.content["StartAction"]) == [
        "Start media streaming",
        "Start transcription",
        "say",
        "end",
    ]
    assert woven.actions["Start transcription"]["Parameters"] == {
        "LambdaFunctionARN": START,
        "InvocationTimeLimitSeconds": "8",
        "InvocationType": "SYNCHRONOUS",
        "LambdaInvocationAttributes": {
            "customerId": "$.CustomerEndpoint.Address",
            "agentId": "$.Agent.UserName",
            "agentArn": "$.Agent.ARN",
        },
        "ResponseValidation": {"ResponseType": "STRING_MAP"},
    }
    assert [str(insertion) for insertion in woven.flow.insertions] == [
        "Start media streaming → Start transcription, before 'say'"
    ]


def test_a_flow_stops_before_it_lets_go_of_the_call() -> None:
    woven = Woven("CONTACT_FLOW", INBOUND, stop=True)
    added = {name: each for name, each in woven.actions.items() if each not in INBOUND["Actions"]}
    assert [each["Type"] for each in added.values() if each["Type"] == LAMBDA] == [LAMBDA] * 2
    stops = [each for each in added.values() if each["Type"] == LAMBDA]
    assert {each["Transitions"]["NextAction"] for each in stops} == {"transfer", "bye"}


def test_where_it_stops_can_be_chosen() -> None:
    woven = Woven("CONTACT_FLOW", INBOUND, stop=True, stop_before=["transfer"])
    assert [insertion.before for insertion in woven.flow.insertions] == ["transfer"]
    assert woven.way("greet")[:4] == [
        "greet",
        "queue",
        "Stop transcription",
        "transfer",
    ]


def test_a_flow_that_knows_no_agent_passes_the_customer_alone() -> None:
    woven = Woven("CONTACT_FLOW", STREAMED_INBOUND, start=True)
    start = woven.actions["Start transcription"]["Parameters"]
    assert start["LambdaInvocationAttributes"] == {"customerId": "$.CustomerEndpoint.Address"}
    assert woven.way("stream") == ["stream", "Start transcription", "bye"]


def test_the_paths_of_the_ids_can_be_chosen() -> None:
    woven = Woven(
        "CONTACT_FLOW",
        STREAMED_INBOUND,
        start=True,
        customer_id_path="$.Attributes.crmId",
        agent_id_path="$.Attributes.agent",
    )
    assert woven.actions["Start transcription"]["Parameters"]["LambdaInvocationAttributes"] == {
        "customerId": "$.Attributes.crmId",
        "agentId": "$.Attributes.agent",
    }


def test_start_and_stop_go_into_one_flow_where_it_has_both_places() -> None:
    woven = Woven("CONTACT_FLOW", STREAMED_INBOUND, start=True, stop=True)
    assert woven.way("stream") == [
        "stream",
        "Start transcription",
        "Stop transcription",
        "bye",
    ]


def test_the_flow_that_was_given_is_all_there_but_for_where_it_leads() -> None:
    woven = Woven("CONTACT_FLOW", INBOUND, stop=True)
    for given in INBOUND["Actions"]:
        now = woven.actions[given["Identifier"]]
        assert {**now, "Transitions": None} == {**given, "Transitions": None}
    drawn = woven.content["Metadata"]["ActionMetadata"]
    assert INBOUND["Metadata"]["ActionMetadata"].items() <= drawn.items()
    assert set(drawn) == set(woven.actions)


def test_content_is_text_or_parsed_and_what_is_given_stays_as_it_is() -> None:
    given = copy.deepcopy(INBOUND)
    parsed = Woven("CONTACT_FLOW", given, stop=True).resource
    assert given == INBOUND
    for text in (json.dumps(INBOUND), json.dumps(INBOUND, indent=2, ensure_ascii=False)):
        assert Woven("CONTACT_FLOW", text, stop=True).resource == parsed


@pytest.mark.parametrize("way", ["works", "fails"])
def test_a_woven_flow_runs_to_its_end_whatever_the_function_does(way: str) -> None:
    invoked = []

    def invoke(arn: str, event: dict[str, Any], seconds: float) -> Any:
        invoked.append(arn)
        if way == "fails":
            raise TimeoutError
        return {"status": "started" if arn == START else "stopped"}

    contact = Contact(
        "5ca32fbd-8f92-46af-92a5-6b0f970f0efe",
        INSTANCE,
        customer_endpoint=Endpoint("+11234567890"),
        agent=Agent("jane"),
        attributes={"queue": f"{INSTANCE}/queue/1"},
    )
    queue = Queue(f"{INSTANCE}/queue/1", "Billing")
    runner = FlowRunner(invoke_lambda=invoke, queues={queue.arn: queue})
    whisper = Woven("AGENT_WHISPER", AGENT_WHISPER, start=True).content
    inbound = Woven("CONTACT_FLOW", INBOUND, stop=True).content
    assert runner.run(whisper, contact, "AGENT_WHISPER")[-1].block == "end"
    assert contact.is_streaming
    assert runner.run(inbound, contact, "CONTACT_FLOW")[-1].block == "transfer"
    assert invoked[-1] == STOP
    assert contact.is_streaming  # another system may read the same audio


# What the template says.


def test_the_flow_says_its_name_its_type_and_who_manages_it() -> None:
    properties = Woven(
        "AGENT_WHISPER", AGENT_WHISPER, start=True, description="Of billing."
    ).resource["Properties"]
    del properties["Content"]
    assert properties == {
        "InstanceArn": INSTANCE,
        "Name": "Billing",
        "Type": "AGENT_WHISPER",
        "Description": "Of billing. Managed by CDK: edits in the flow designer are overwritten by "
        "the next deploy that changes it.",
    }


def test_without_a_description_it_still_says_who_manages_it() -> None:
    properties = Woven("AGENT_WHISPER", AGENT_WHISPER, start=True).resource["Properties"]
    assert properties["Description"].startswith("Managed by CDK")


@pytest.mark.parametrize("stop", [False, True])
def test_a_flow_waits_until_the_functions_that_it_invokes_are_associated(stop: bool) -> None:
    woven = Woven("CONTACT_FLOW", STREAMED_INBOUND, start=True, stop=stop)
    associations = Template.from_stack(woven.stack).find_resources(
        "AWS::Connect::IntegrationAssociation"
    )
    arns = {
        associations[name]["Properties"]["IntegrationArn"] for name in woven.resource["DependsOn"]
    }
    assert arns == ({START, STOP} if stop else {START})


def with_functions_of_another_stack(folder: Path) -> Template:
    app = App(outdir=str(folder))
    functions = Stack(app, "Functions", env=ENVIRONMENT)
    function = lambda_.Function(
        functions,
        "Stop",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=lambda_.Code.from_inline("def handler(event, context): return {}"),
    )
    flows = Stack(app, "Flows", env=ENVIRONMENT)
    TranscribedFlow(
        flows,
        "Inbound",
        instance_arn=INSTANCE,
        name="Inbound",
        type="CONTACT_FLOW",
        content=INBOUND,
        stop_streaming=FlowFunction(
            flows, "StopFunction", instance_arn=INSTANCE, function=function
        ),
    )
    return Template.from_stack(flows)


def test_an_arn_that_is_known_only_at_deployment_leaves_the_content_json(tmp_path: Path) -> None:
    template = with_functions_of_another_stack(tmp_path)
    (resource,) = template.find_resources("AWS::Connect::ContactFlow").values()
    ((_, [between, parts]),) = resource["Properties"]["Content"].items()
    text = between.join(part if isinstance(part, str) else STOP for part in parts)
    assert check(parse(text), "CONTACT_FLOW") == []
    assert text.count(STOP) == 2


def test_content_may_name_what_is_known_only_at_deployment() -> None:
    first = Woven("CONTACT_FLOW", INBOUND, stop=True)
    (stop,) = (
        each
        for each in first.stack.node.children
        if isinstance(each, FlowFunction) and each.arn == STOP
    )
    second = TranscribedFlow(
        first.stack,
        "Second",
        instance_arn=INSTANCE,
        name="Second",
        type="CONTACT_FLOW",
        content=flow(
            action("go", "TransferToFlow", {"ContactFlowId": first.flow.arn}, NextAction="bye"),
            action("bye", "DisconnectParticipant"),
        ),
        stop_streaming=stop,
    )
    resolved = first.stack.resolve(second.resource.content)
    ((function, [between, parts]),) = resolved.items()
    (flow_arn,) = (part for part in parts if not isinstance(part, str))
    assert (function, flow_arn["Fn::GetAtt"][1]) == ("Fn::Join", "ContactFlowArn")
    text = between.join(part if isinstance(part, str) else "arn" for part in parts)
    blocks = {each["Identifier"]: each for each in parse(text)["Actions"]}
    assert blocks["go"]["Parameters"] == {"ContactFlowId": "arn"}


def test_two_synths_give_the_same_template_byte_for_byte(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with_functions_of_another_stack(tmp_path / name)
    one, two = ((tmp_path / name / "Flows.template.json").read_bytes() for name in ("one", "two"))
    assert one == two


def test_blocks_that_no_rule_knows_are_let_through_and_named() -> None:
    content = flow(leading("new", "ShowSomething", {}, "end"), action("end", "EndFlowExecution"))
    woven = Woven("AGENT_WHISPER", content, start=True)
    Annotations.from_stack(woven.stack).has_info(
        "/Stack/Billing",
        Match.string_like_regexp("'Billing': not checked, .*: ShowSomething"),
    )


def test_a_flow_whose_blocks_are_all_known_says_nothing() -> None:
    woven = Woven("AGENT_WHISPER", AGENT_WHISPER, start=True)
    assert Annotations.from_stack(woven.stack).find_info("*", Match.any_value()) == []


def test_the_example_in_the_docstring_works(tmp_path: Path) -> None:
    (tmp_path / "billing_agent_whisper.json").write_text(json.dumps(AGENT_WHISPER), "utf-8")
    stack = Stack(App(), "Stack")
    start = lambda_.Function.from_function_arn(stack, "Start", START)
    start_function = FlowFunction(stack, "S", instance_arn=INSTANCE, function=start)
    TranscribedFlow(
        stack,
        "BillingAgentWhisper",
        instance_arn=INSTANCE,
        name="Billing agent whisper, transcribed",
        type="AGENT_WHISPER",
        content=(tmp_path / "billing_agent_whisper.json").read_text("utf-8"),
        start_streaming=start_function,
    )
    Template.from_stack(stack).resource_count_is("AWS::Connect::ContactFlow", 1)


# Mistakes are told at synth: the flow, the block, what to do.


def dangling() -> dict[str, Any]:
    given = copy.deepcopy(AGENT_WHISPER)
    given["Actions"][0]["Transitions"]["NextAction"] = "nowhere"
    return given


def forbidden() -> dict[str, Any]:
    return flow(say("say", "hang up"), action("hang up", "DisconnectParticipant"))


def slow() -> dict[str, Any]:
    """Two functions of its own, directly before the end: 16 of the 20 seconds."""
    seconds = {"InvocationTimeLimitSeconds": "8"}
    return flow(
        invoke("first", "second", **seconds),
        invoke("second", "bye", **seconds),
        action("bye", "DisconnectParticipant"),
    )


def woven_before() -> dict[str, Any]:
    """As it comes out of the designer after a deployment."""
    return parse(
        json.dumps(Woven("AGENT_WHISPER", AGENT_WHISPER, start=True).content).replace(
            START, f"{START}2"
        )
    )


def reads_external() -> dict[str, Any]:
    whisper = copy.deepcopy(AGENT_WHISPER)
    whisper["Actions"][0]["Parameters"]["Text"] = "$.External.greeting"
    return whisper


def long() -> dict[str, Any]:
    prompts = [{"Text": "x" * 6_000}] * 40
    return flow(action("loop", MUSIC, {"Messages": prompts}))


def deep() -> dict[str, Any]:
    inner: dict[str, Any] = {}
    for _ in range(5_000):
        inner = {"a": inner}
    return flow(action("end", "EndFlowExecution", inner))


MISTAKES: dict[str, tuple[str, Any, dict[str, Any], list[str]]] = {
    "empty": ("AGENT_WHISPER", "", {"start": True}, ["it is empty", "export the flow again"]),
    "not JSON": (
        "AGENT_WHISPER",
        "{",
        {"start": True},
        ["it is not JSON", "the flow designer exports"],
    ),
    "not a flow": ("AGENT_WHISPER", {"a": 1}, {"start": True}, ["it is not a flow"]),
    "not what JSON holds": ("AGENT_WHISPER", {"a": {1}}, {"start": True}, ["JSON can hold"]),
    "nested": ("AGENT_WHISPER", deep(), {"start": True}, ["nested too deep"]),
    "legacy": (
        "AGENT_WHISPER",
        {"modules": [], "start": "a"},
        {"start": True},
        ["legacy format", "import it in the flow designer, save it, and export it again"],
    ),
    "dangling": (
        "AGENT_WHISPER",
        dangling(),
        {"start": True},
        ["'say'", "'nowhere', which does not exist", "correct it in the flow designer"],
    ),
    "forbidden for its type": (
        "AGENT_WHISPER",
        forbidden(),
        {"start": True},
        ["'hang up'", "not allowed in a flow of type AGENT_WHISPER", "or correct the type"],
    ),
    "no place for a start": (
        "CONTACT_FLOW",
        INBOUND,
        {"start": True},
        ["it has no Start media streaming", "weave start into the agent whisper flow"],
    ),
    "reads the answer of a Lambda block": (
        "AGENT_WHISPER",
        reads_external(),
        {"start": True},
        ["'say' reads the answer of a Lambda block", "copy the answer into contact attributes"],
    ),
    "no time left for a stop": (
        "CONTACT_FLOW",
        slow(),
        {"stop": True},
        ["'first'", "more than 20 s", "put a prompt between them"],
    ),
    "no room left": (
        "CUSTOMER_HOLD",
        long(),
        {"stop": True},
        ["more than 200000", "move a part of it into a module", "allows the new blocks"],
    ),
    "woven before": (
        "AGENT_WHISPER",
        woven_before(),
        {"start": True},
        ["'Start transcription': it was woven in before", "give the original flow"],
    ),
    "nothing to do": ("AGENT_WHISPER", AGENT_WHISPER, {}, ["give start_streaming, stop_streaming"]),
    "start and stop at once": (
        "AGENT_WHISPER",
        AGENT_WHISPER,
        {"start": True, "stop": True},
        ["a whisper ends when the conversation begins", "weave stop into the hold"],
    ),
    "a module": (
        "MODULE",
        AGENT_WHISPER,
        {"start": True},
        [
            "'MODULE' is not a flow type",
            "AGENT_HOLD, AGENT_TRANSFER,",
            "connect_flows weave",
        ],
    ),
    "no place for a stop": (
        "CONTACT_FLOW",
        STREAMED_INBOUND,
        {"stop": True, "stop_before": ["end"]},
        ["there is no place for a stop"],
    ),
    "an unknown ending": (
        "CONTACT_FLOW",
        INBOUND,
        {"stop": True, "stop_before": ["transfers"]},
        [
            "stop_before is ['transfers']",
            "give a list of transfer, queue, transfer-out, disconnect, end",
        ],
    ),
    "an ending that is no list": (
        "CONTACT_FLOW",
        INBOUND,
        {"stop": True, "stop_before": "transfer"},
        ["stop_before is 'transfer'", "give a list"],
    ),
    "a path that is none": (
        "AGENT_WHISPER",
        AGENT_WHISPER,
        {"start": True, "agent_id_path": "jane"},
        ["agent_id_path is 'jane'", "give a JSONPath"],
    ),
    "a path that the type does not have": (
        "CONTACT_FLOW",
        STREAMED_INBOUND,
        {"start": True, "customer_id_path": "$.Agent.UserName"},
        ["flows of type CONTACT_FLOW have no agent", "give a path of the customer"],
    ),
    "another instance": (
        "AGENT_WHISPER",
        AGENT_WHISPER,
        {"start": True, "instance_arn": OTHER_INSTANCE},
        ["Stack/StartFunction", "is associated with", "associate it there with a FlowFunction"],
    ),
    "known only at deployment": (
        "AGENT_WHISPER",
        "${Token[TOKEN.1]}",
        {"start": True},
        ["known only at deployment", "give the text itself"],
    ),
    "a long description": (
        "AGENT_WHISPER",
        AGENT_WHISPER,
        {"start": True, "description": "d" * 500},
        ["the description has more than 500 characters: shorten it"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_names_the_flow_the_block_and_what_to_do(mistake: str) -> None:
    type, content, arguments, words = MISTAKES[mistake]
    with pytest.raises(ValueError, match=r"^Stack/Billing: the flow 'Billing': ") as error:
        Woven(type, content, **arguments)
    assert [word for word in words if word not in str(error.value)] == [], error.value
    assert error.value.__cause__ is None


def test_all_wrong_arguments_are_in_one_error() -> None:
    with pytest.raises(ValueError, match=r"^Stack/Billing: the flow 'n{128}': ") as error:
        Woven("AGENT", AGENT_WHISPER, stop=True, name="n" * 128, stop_before=["never"])
    for words in ("the name has 128", "'AGENT' is not a flow type", "stop_before is ['never']"):
        assert words in str(error.value)


# Flows that others published.


@pytest.mark.parametrize(
    ("file", "type", "arguments"),
    [
        ("agent-whisper-connect-samples.json", "AGENT_WHISPER", {"start": True}),
        ("customer-queue-connect-samples.json", "CUSTOMER_QUEUE", {"stop": True}),
    ],
)
def test_flows_that_others_published_are_woven(
    file: str, type: str, arguments: dict[str, bool]
) -> None:
    text = published(file)
    woven = Woven(type, text, **arguments)
    assert check(woven.content, type) == []
    for given in json.loads(text)["Actions"]:
        now = woven.actions[given["Identifier"]]
        assert {**now, "Transitions": None} == {**given, "Transitions": None}
    kinds = [each["Type"] for each in woven.actions.values()]
    assert kinds.count(LAMBDA) == 1
    assert len(kinds) == len(json.loads(text)["Actions"]) + (2 if "start" in arguments else 1)


def test_a_flow_in_the_legacy_format_that_others_published_is_refused() -> None:
    text = published("legacy-format-realtime-transcription.json")
    with pytest.raises(ValueError, match="the flow 'Billing': it is in the legacy format"):
        Woven("CONTACT_FLOW", text, stop=True)
