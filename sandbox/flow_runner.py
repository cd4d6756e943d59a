"""Runs a flow's content block by block for one simulated contact, as Amazon Connect would.

It knows the blocks in `_Run.PERFORM` and refuses every other: a flow that it runs to the end was
really run. Flow JSON that Connect would refuse raises `FlowError`; whatever fails during a call
takes the block's error branch, as in Connect. Where Connect's pages are silent, it takes the
stricter reading.

Sources, under https://docs.aws.amazon.com/connect/latest: adminguide/connect-lambda-functions.html,
adminguide/connect-attrib-list.html, devguide/flow-language-actions.html.
"""

from __future__ import annotations

import json
import random
import re
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

InvokeLambda = Callable[[str, dict[str, Any], float], Any]
"""``(function ARN, event, seconds left) -> decoded answer``.

Raises `LambdaFailed` for a function error, a throttle or a 5xx, `TimeoutError` when the seconds are
over. Anything else that it raises is a mistake in the caller and comes out of `FlowRunner.run`.
"""

FLOW_TYPES = frozenset(
    {
        "CONTACT_FLOW",
        "CUSTOMER_QUEUE",
        "CUSTOMER_HOLD",
        "CUSTOMER_WHISPER",
        "AGENT_HOLD",
        "AGENT_WHISPER",
        "OUTBOUND_WHISPER",
        "AGENT_TRANSFER",
        "QUEUE_TRANSFER",
    }
)
HOLD_TYPES = frozenset({"CUSTOMER_HOLD", "AGENT_HOLD"})
AGENT_KNOWN_TYPES = FLOW_TYPES - {"CONTACT_FLOW", "CUSTOMER_QUEUE", "QUEUE_TRANSFER"}

MAX_STEPS = 1_000
MAX_MODULE_DEPTH = 5
MAX_LAMBDA_TRIES = 4
MAX_LAMBDA_CHAIN_SECONDS = 20.0
MAX_LAMBDA_ANSWER_BYTES = 32 * 1024
MAX_ATTRIBUTE_BYTES = 32 * 1024

_ALLOWED_TYPES: dict[str, frozenset[str]] = {
    "UpdateContactMediaStreamingBehavior": FLOW_TYPES - HOLD_TYPES,
    "MessageParticipant": FLOW_TYPES - HOLD_TYPES,
    "MessageParticipantIteratively": HOLD_TYPES | {"CUSTOMER_QUEUE"},
    "DisconnectParticipant": frozenset(
        {"CONTACT_FLOW", "CUSTOMER_QUEUE", "AGENT_TRANSFER", "QUEUE_TRANSFER"}
    ),
}
_NOT_BEFORE_LOOP_PROMPTS = {"MessageParticipant", "UpdateContactMediaStreamingBehavior"}
_PATH = re.compile(r"\$(?:\.[^.\[\]$]+|\['[^']+'\])+")
_PATH_PART = re.compile(r"\.([^.\[\]]+)|\['([^']+)'\]")
_PATH_IN_TEXT = re.compile(r"\$(?:\.\w+|\['[^']+'\])+")


class FlowError(Exception):
    """The flow is one that Connect would refuse, or that this runner does not know."""


class LambdaFailed(Exception):
    """The function raised, was throttled, or could not be reached."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Who called, or what was called: an address in E.164."""

    address: str
    type: str = "TELEPHONE_NUMBER"

    def data(self) -> dict[str, str]:
        return {"Address": self.address, "Type": self.type}


@dataclass(frozen=True, slots=True)
class Queue:
    """The working queue."""

    arn: str
    name: str
    outbound_caller_id: Endpoint | None = None

    def data(self) -> dict[str, Any]:
        caller = self.outbound_caller_id
        return {
            "ARN": self.arn,
            "Name": self.name,
            **({"OutboundCallerId": caller.data()} if caller else {}),
        }


@dataclass(frozen=True, slots=True)
class Agent:
    """The agent; Connect shows it to whispers, holds and agent transfers only, never to Lambdas."""

    user_name: str
    arn: str = ""
    first_name: str = ""
    last_name: str = ""

    def data(self) -> dict[str, str]:
        return {
            "UserName": self.user_name,
            "ARN": self.arn,
            "FirstName": self.first_name,
            "LastName": self.last_name,
        }


@dataclass(frozen=True, slots=True)
class MediaStream:
    """The contact's Kinesis video stream. All strings, as in the event; times are epoch ms.

    :param stop_timestamp: ``""`` while the audio is streamed.
    """

    stream_arn: str
    start_fragment_number: str
    start_timestamp: str
    stop_timestamp: str = ""


@dataclass(slots=True)
class Contact:
    """One simulated contact. A run changes `attributes` and `media_stream`, as a flow does, so that
    the next flow of the same call finds them.

    :param initial_contact_id: The first contact of the chain. Default: this one.
    :param previous_contact_id: The contact before a transfer. Default: this one, as Connect does.
    :param agent: Default: nobody yet.
    :param media_stream: Default: never started.
    """

    contact_id: str
    instance_arn: str
    initial_contact_id: str = ""
    previous_contact_id: str = ""
    channel: str = "VOICE"
    initiation_method: str = "INBOUND"
    customer_endpoint: Endpoint | None = None
    system_endpoint: Endpoint | None = None
    queue: Queue | None = None
    agent: Agent | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    media_stream: MediaStream | None = None

    @property
    def is_streaming(self) -> bool:
        """Whether the call's audio goes to Kinesis Video Streams now."""
        return self.media_stream is not None and not self.media_stream.stop_timestamp

    def data(self) -> dict[str, Any]:
        """``Details.ContactData`` of the event that a Lambda block sends."""
        stream = self.media_stream
        audio: dict[str, str | None] = {
            "StreamARN": stream.stream_arn if stream else None,
            "StartTimestamp": stream.start_timestamp if stream else None,
            "StartFragmentNumber": stream.start_fragment_number if stream else None,
        }
        if stream and stream.stop_timestamp:
            audio["StopTimestamp"] = stream.stop_timestamp
        return {
            "Attributes": dict(self.attributes),
            "Channel": self.channel,
            "ContactId": self.contact_id,
            "CustomerEndpoint": self.customer_endpoint.data() if self.customer_endpoint else None,
            "InitialContactId": self.initial_contact_id or self.contact_id,
            "InitiationMethod": self.initiation_method,
            "InstanceARN": self.instance_arn,
            "MediaStreams": {"Customer": {"Audio": audio}},
            "PreviousContactId": self.previous_contact_id or self.contact_id,
            "Queue": self.queue.data() if self.queue else None,
            "SystemEndpoint": self.system_endpoint.data() if self.system_endpoint else None,
        }


def lambda_event(contact: Contact, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The event that a Lambda block of a flow sends."""
    return {
        "Name": "ContactFlowEvent",
        "Details": {"ContactData": contact.data(), "Parameters": dict(parameters)},
    }


@dataclass(frozen=True, slots=True)
class Step:
    """One block on the way.

    :param block: Its identifier.
    :param type: Its action type.
    :param branch: ``NextAction``, an error type, the condition that held (``Equals x``), or how it
        ended: ``Loops``, ``Ends``, ``Returns``, ``Disconnects``.
    :param ms: How long it took.
    :param detail: Why an error branch was taken, or what was said. Never of interest to a flow.
    :param module: The module that the block stands in, ``""`` for the flow itself.
    """

    block: str
    type: str
    branch: str
    ms: int
    detail: str = ""
    module: str = ""


class FlowRunner:
    """Runs flows for simulated contacts.

    :param invoke_lambda: Calls a function; see `InvokeLambda`.
    :param modules: Contents of flow modules by what flows invoke them with, an id or an ARN.
    :param now: The time in seconds since 1970. Default: the machine's.
    :param rng: Where ids of streams and fragments come from; seed it for the same ones every time.
    :param stream_prefix: The prefix under *Live media streaming*.
    :param instance_alias: The instance's alias, a part of stream names.
    :param failing: Identifiers of blocks that fail, as every block of Connect's can.

    .. code-block:: python

        runner = FlowRunner(invoke_lambda=lambda arn, event, seconds: {"status": "started"})
        contact = Contact("5ca3…", instance_arn, agent=Agent("jane"))
        path = runner.run(content, contact, "AGENT_WHISPER")
    """

    def __init__(
        self,
        *,
        invoke_lambda: InvokeLambda,
        modules: Mapping[str, Mapping[str, Any]] | None = None,
        now: Callable[[], float] = time.time,
        rng: random.Random | None = None,
        stream_prefix: str = "autotranscribe",
        instance_alias: str = "sandbox",
        failing: Collection[str] = (),
    ) -> None:
        self.invoke_lambda = invoke_lambda
        self.modules = dict(modules or {})
        self.now = now
        self.rng = rng or random.Random()  # noqa: S311 (ids of a simulation, not secrets)
        self.stream_prefix = stream_prefix
        self.instance_alias = instance_alias
        self.failing = failing

    def run(self, content: Mapping[str, Any], contact: Contact, flow_type: str) -> list[Step]:
        """Run one flow to its end and return the path taken.

        :param content: A flow's content, Version 2019-10-30.
        :param contact: Changed as the flow's blocks change a contact.
        :param flow_type: CloudFormation's name for it, such as ``AGENT_WHISPER``.
        :raises FlowError: where Connect would refuse the flow, or the runner does not know it.
        """
        if flow_type not in FLOW_TYPES:
            raise FlowError(f"no flow type {flow_type!r}; one of {', '.join(sorted(FLOW_TYPES))}")
        run = _Run(self, contact, flow_type)
        run.flow(content)
        return run.steps


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a block did: the branch it took, and where that leads; nowhere, where it ends."""

    branch: str
    target: str | None
    detail: str = ""
    returns: bool = False


class _Failed(Exception):
    """The block failed during the call: its error branch follows."""


class _Run:
    """The state of one run that is not the contact's."""

    def __init__(self, runner: FlowRunner, contact: Contact, flow_type: str) -> None:
        self.runner = runner
        self.contact = contact
        self.flow_type = flow_type
        self.steps: list[Step] = []
        self.performed = 0
        self.previous_type = ""
        self.module = ""
        self.depth = 0
        self.lambda_chain_seconds = 0.0
        self.external: Any = {}
        self.flow_attributes: dict[str, str] = {}

    def flow(self, content: Mapping[str, Any]) -> bool:
        """Run a flow's or a module's blocks; whether a module returned to its invoker."""
        actions = _actions(content)
        current = content["StartAction"]
        while True:
            action = actions.get(current)
            if action is None:
                raise FlowError(f"a transition leads to {current!r}, which is not in Actions")
            self.performed += 1
            if self.performed > MAX_STEPS:
                raise FlowError(
                    f"{MAX_STEPS} blocks and no end; the flow goes round in "
                    + " → ".join(step.block for step in self.steps[-5:])
                )
            place = len(self.steps)  # A module's own steps come after the block that invoked it.
            module = self.module
            began = self.runner.now()
            outcome = self._perform(action)
            ms = round((self.runner.now() - began) * 1000)
            step = Step(current, action["Type"], outcome.branch, ms, outcome.detail, module)
            self.steps.insert(place, step)
            self.previous_type = action["Type"]
            if outcome.target is None:
                return outcome.returns
            current = outcome.target

    def _perform(self, action: Mapping[str, Any]) -> _Outcome:
        kind, identifier = action["Type"], action["Identifier"]
        perform = self.PERFORM.get(kind)
        if perform is None:
            raise FlowError(f"{identifier!r} is a {kind}, which the runner does not know")
        try:
            if self.flow_type not in _ALLOWED_TYPES.get(kind, FLOW_TYPES):
                problem = f"{kind} is not allowed in a {self.flow_type} flow"
                if not self.depth:
                    raise FlowError(f"{identifier!r}: {problem}")
                raise _Failed(problem)  # Connect does not look into modules before the call.
            if identifier in self.runner.failing:
                raise _Failed("made to fail")
            return perform(self, action)
        except _Failed as failure:
            return _branch(action, "NoMatchingError", str(failure))

    # The blocks, one method each.

    def _media_streaming(self, action: Mapping[str, Any]) -> _Outcome:
        parameters = action["Parameters"]
        state = _one_of(action, "MediaStreamingState", "Enabled", "Disabled")
        _one_of(action, "MediaStreamType", "Audio")
        participants = parameters.get("Participants", [])
        directions = set(participants[0].get("MediaDirections", [])) if participants else set()
        if (
            [participant.get("ParticipantType") for participant in participants] != ["Customer"]
            or not directions
            or not directions <= {"From", "To"}
        ):
            raise FlowError(
                f"{action['Identifier']!r}: Participants is the Customer, with From, To or both"
            )
        contact = self.contact
        if contact.channel != "VOICE":
            raise _Failed(f"a {contact.channel} contact has no audio")
        stream = contact.media_stream
        now_ms = str(int(self.runner.now() * 1000))
        if state == "Enabled" and not contact.is_streaming:
            contact.media_stream = MediaStream(
                stream.stream_arn if stream else self._new_stream_arn(),
                self._new_fragment_number(now_ms),
                now_ms,
            )
        elif state == "Disabled" and stream and contact.is_streaming:
            contact.media_stream = MediaStream(
                stream.stream_arn, stream.start_fragment_number, stream.start_timestamp, now_ms
            )
        return _next(action)

    def _new_stream_arn(self) -> str:
        """A stream of the pool: older than this call, and its UUID is not the contact's."""
        _, partition, _, region, account, _ = self.contact.instance_arn.split(":", 5)
        rng = self.runner.rng
        name = (
            f"{self.runner.stream_prefix}-connect-{self.runner.instance_alias}"
            f"-contact-{uuid.UUID(int=rng.getrandbits(128), version=4)}"
        )
        created_ms = int(self.runner.now() * 1000) - rng.randrange(1, 86_400_000)
        return f"arn:{partition}:kinesisvideo:{region}:{account}:stream/{name}/{created_ms}"

    def _new_fragment_number(self, now_ms: str) -> str:
        """47 digits that grow with time, as the service's do."""
        return f"91343852333181{now_ms:0>13}{self.runner.rng.randrange(10**20):020}"

    def _invoke_lambda(self, action: Mapping[str, Any]) -> _Outcome:
        self.external = {}  # Only the most recent Lambda's result is kept, even where it has none.
        parameters = action["Parameters"]
        arn = self._resolve(parameters["LambdaFunctionARN"])
        if not isinstance(arn, str) or not arn:
            raise _Failed("no function ARN")
        if parameters.get("InvocationType", "SYNCHRONOUS") != "SYNCHRONOUS":
            raise FlowError(f"{action['Identifier']!r}: the runner invokes SYNCHRONOUS only")
        limit = str(parameters.get("InvocationTimeLimitSeconds", "8"))
        if limit not in {str(seconds) for seconds in range(1, 9)}:
            raise FlowError(f"{action['Identifier']!r}: a time limit of {limit!r}, not 1 to 8")
        validation = parameters.get("ResponseValidation", {}).get("ResponseType", "STRING_MAP")
        if validation not in ("STRING_MAP", "JSON"):
            raise FlowError(f"{action['Identifier']!r}: no ResponseType {validation!r}")
        event = lambda_event(
            self.contact, self._resolve(parameters.get("LambdaInvocationAttributes", {}))
        )
        answer = self._answer(arn, event, float(limit))
        if len(json.dumps(answer, ensure_ascii=False).encode()) >= MAX_LAMBDA_ANSWER_BYTES:
            raise _Failed("the answer has 32 KB or more")
        if validation == "STRING_MAP" and not (
            isinstance(answer, dict) and all(isinstance(value, str) for value in answer.values())
        ):
            raise _Failed("the answer is not a flat map of strings")
        self.external = answer
        return _next(action)

    def _answer(self, arn: str, event: dict[str, Any], limit: float) -> Any:
        """Up to four tries, all inside the block's limit and the chain's."""
        seconds = min(limit, MAX_LAMBDA_CHAIN_SECONDS - self.lambda_chain_seconds)
        if seconds <= 0:
            raise _Failed(f"the Lambdas in a row have used their {MAX_LAMBDA_CHAIN_SECONDS:.0f} s")
        began = self.runner.now()
        failure: Exception | None = None
        try:
            for _ in range(MAX_LAMBDA_TRIES):
                left = seconds - (self.runner.now() - began)
                if left <= 0:
                    break
                try:
                    answer = self.runner.invoke_lambda(arn, json.loads(json.dumps(event)), left)
                except (LambdaFailed, TimeoutError) as error:
                    failure = error
                    continue
                if self.runner.now() - began <= seconds:
                    return answer
            if self.runner.now() - began >= seconds:
                raise _Failed(f"no answer within {seconds:g} s")
            raise _Failed(f"the function failed {MAX_LAMBDA_TRIES} times: {failure}")
        finally:
            self.lambda_chain_seconds += self.runner.now() - began

    def _update_contact_attributes(self, action: Mapping[str, Any]) -> _Outcome:
        _one_of(action, "TargetContact", "Current")
        values = self._resolve(action["Parameters"]["Attributes"])
        for key in values:
            if "$" in key or "." in key:
                raise FlowError(f"{action['Identifier']!r}: {key!r} holds a $ or a dot")
        attributes = self.contact.attributes | {key: _text(value) for key, value in values.items()}
        if len(json.dumps(attributes, ensure_ascii=False).encode()) > MAX_ATTRIBUTE_BYTES:
            raise _Failed("the contact's attributes have more than 32 KB")
        self.contact.attributes.update(attributes)
        return _next(action)

    def _update_flow_attributes(self, action: Mapping[str, Any]) -> _Outcome:
        for key, value in action["Parameters"]["FlowAttributes"].items():
            self.flow_attributes[key] = _text(self._resolve(value["Value"]))
        return _next(action)

    def _compare(self, action: Mapping[str, Any]) -> _Outcome:
        path = action["Parameters"]["ComparisonValue"]
        if not _PATH.fullmatch(path):
            raise FlowError(
                f"{action['Identifier']!r}: ComparisonValue is one JSONPath, not {path!r}"
            )
        value = _text(self._resolve(path))
        for condition in action["Transitions"].get("Conditions", []):
            operator, operands = (
                condition["Condition"]["Operator"],
                condition["Condition"]["Operands"],
            )
            holds = _OPERATORS.get(operator)
            if holds is None:
                raise FlowError(f"{action['Identifier']!r}: no operator {operator!r}")
            if any(holds(value, operand) for operand in operands):
                return _Outcome(f"{operator} {', '.join(operands)}", condition["NextAction"])
        return _branch(action, "NoMatchingCondition", "no condition held")

    def _message(self, action: Mapping[str, Any]) -> _Outcome:
        said = self._said(action["Parameters"])
        if not said:
            raise _Failed("nothing to say")
        self.lambda_chain_seconds = 0.0
        return _next(action, said)

    def _loop_prompts(self, action: Mapping[str, Any]) -> _Outcome:
        parameters, transitions = action["Parameters"], action["Transitions"]
        identifier = action["Identifier"]
        if self.previous_type in _NOT_BEFORE_LOOP_PROMPTS:
            raise FlowError(
                f"{identifier!r}: {self.previous_type} may not stand before Loop prompts"
            )
        if not parameters.get("Messages"):
            raise FlowError(f"{identifier!r}: no Messages")
        if float(parameters.get("InterruptFrequencySeconds", "21")) <= 20:
            raise FlowError(f"{identifier!r}: interrupts come more than 20 s apart")
        if transitions.get("Conditions"):
            raise FlowError(f"{identifier!r}: the runner does not interrupt prompts")
        said = " | ".join(self._said(message) for message in parameters["Messages"])
        return _Outcome("Loops", None, said)

    def _invoke_module(self, action: Mapping[str, Any]) -> _Outcome:
        module = self._resolve(action["Parameters"]["FlowModuleId"])
        if module not in self.runner.modules:
            raise FlowError(f"{action['Identifier']!r}: the runner was given no module {module!r}")
        if self.depth == MAX_MODULE_DEPTH:
            raise FlowError(
                f"{action['Identifier']!r}: modules nest {MAX_MODULE_DEPTH} deep at most"
            )
        # Neither a Lambda's result nor flow attributes cross the boundary, in or out.
        outside = (self.external, self.flow_attributes, self.module)
        self.external, self.flow_attributes, self.module = {}, {}, module
        self.depth += 1
        returned = self.flow(self.runner.modules[module])
        self.depth -= 1
        self.external, self.flow_attributes, self.module = outside
        return _next(action) if returned else _Outcome("Ends", None, "the module ended the flow")

    def _pass(self, action: Mapping[str, Any]) -> _Outcome:
        return _next(action)

    def _end_flow(self, action: Mapping[str, Any]) -> _Outcome:
        # In inbound flows, and so in disconnect flows, it acts as Disconnect.
        return _Outcome("Disconnects" if self.flow_type == "CONTACT_FLOW" else "Ends", None)

    def _end_module(self, action: Mapping[str, Any]) -> _Outcome:
        if not self.depth:
            raise FlowError(f"{action['Identifier']!r}: EndFlowModuleExecution is for modules only")
        return _Outcome("Returns", None, returns=True)

    def _disconnect(self, action: Mapping[str, Any]) -> _Outcome:
        return _Outcome("Disconnects", None)

    PERFORM: ClassVar[dict[str, Callable[[_Run, Mapping[str, Any]], _Outcome]]] = {
        "UpdateContactMediaStreamingBehavior": _media_streaming,
        "InvokeLambdaFunction": _invoke_lambda,
        "UpdateContactAttributes": _update_contact_attributes,
        "UpdateFlowAttributes": _update_flow_attributes,
        "UpdateFlowLoggingBehavior": _pass,
        "Compare": _compare,
        "MessageParticipant": _message,
        "MessageParticipantIteratively": _loop_prompts,
        "InvokeFlowModule": _invoke_module,
        "EndFlowExecution": _end_flow,
        "EndFlowModuleExecution": _end_module,
        "DisconnectParticipant": _disconnect,
    }

    # JSONPaths.

    def _resolve(self, value: Any) -> Any:
        """The value that Connect puts in place of a JSONPath; null where there is none."""
        if isinstance(value, Mapping):
            return {key: self._resolve(inner) for key, inner in value.items()}
        if not isinstance(value, str) or not value.startswith(("$.", "$[")):
            return value
        if not _PATH.fullmatch(value):
            raise FlowError(f"{value!r} is not a JSONPath that a flow takes")
        keys = [dotted or quoted for dotted, quoted in _PATH_PART.findall(value)]
        known = {
            **self.contact.data(),
            "Agent": self._agent(),
            "External": self.external,
            "LambdaInvocation": {"ResultData": self.external},
            "FlowAttributes": self.flow_attributes,
        }
        if keys[0] not in known:
            raise FlowError(f"the runner does not know {value!r}")
        found: Any = known
        for key in keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found

    def _agent(self) -> dict[str, str] | None:
        agent = self.contact.agent
        return agent.data() if agent and self.flow_type in AGENT_KNOWN_TYPES else None

    def _said(self, message: Mapping[str, Any]) -> str:
        """What a participant hears: the words, or the name of the recording."""
        given = [key for key in ("Text", "SSML", "PromptId", "Media") if message.get(key)]
        if len(given) != 1:
            raise FlowError(f"a prompt is one of Text, SSML, PromptId and Media, not {given}")
        content = message[given[0]]
        if not isinstance(content, str):
            return str(self._resolve(content.get("Uri")))
        return _PATH_IN_TEXT.sub(lambda match: _text(self._resolve(match.group())), content)


def _actions(content: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    if "modules" in content:
        raise FlowError("a flow in the legacy format (modules, branches), which the API refuses")
    if content.get("Version") != "2019-10-30":
        raise FlowError(f"Version is {content.get('Version')!r}, not '2019-10-30'")
    actions = {action["Identifier"]: action for action in content["Actions"]}
    if len(actions) != len(content["Actions"]):
        raise FlowError("two actions have one Identifier")
    return actions


def _next(action: Mapping[str, Any], detail: str = "") -> _Outcome:
    target = action["Transitions"].get("NextAction")
    if target is None:
        raise FlowError(f"{action['Identifier']!r} has no NextAction")
    return _Outcome("NextAction", target, detail)


def _branch(action: Mapping[str, Any], error_type: str, detail: str) -> _Outcome:
    for error in action["Transitions"].get("Errors", []):
        if error["ErrorType"] == error_type:
            return _Outcome(error_type, error["NextAction"], detail)
    raise FlowError(f"{action['Identifier']!r} has no branch for {error_type} ({detail})")


def _one_of(action: Mapping[str, Any], parameter: str, *allowed: str) -> str:
    value = action["Parameters"].get(parameter)
    if value not in allowed:
        raise FlowError(
            f"{action['Identifier']!r}: {parameter} is {value!r}, not {' or '.join(allowed)}"
        )
    return str(value)


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def _numbers(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def holds(value: str, operand: str) -> bool:
        try:
            return compare(float(value), float(operand))
        except ValueError:
            return False

    return holds


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "Equals": lambda value, operand: value == operand,
    "TextStartsWith": lambda value, operand: value.startswith(operand),
    "TextEndsWith": lambda value, operand: value.endswith(operand),
    "TextContains": lambda value, operand: operand in value,
    "NumberGreaterThan": _numbers(lambda a, b: a > b),
    "NumberGreaterOrEqualTo": _numbers(lambda a, b: a >= b),
    "NumberLessThan": _numbers(lambda a, b: a < b),
    "NumberLessOrEqualTo": _numbers(lambda a, b: a <= b),
}
