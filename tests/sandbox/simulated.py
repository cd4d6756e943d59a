"""What tests of flows are made of: actions, contacts, a clock, and a fake of Lambda."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from connect_flows.flow_content import targets
from sandbox.connect.contact import Agent, Contact, Endpoint, Queue
from sandbox.connect.flow_runner import Step
from tests import flow_builders as builders
from tests.flow_builders import Json

SHARED_DATA = Path(__file__).parents[2].parent / "shared" / "data"
INSTANCE = "arn:aws:connect:us-east-1:000000000000:instance/9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:start:live"


class Clock:
    """A time that passes only when somebody lets it."""

    def __init__(self) -> None:
        self.seconds = 1_750_000_000.0

    def __call__(self) -> float:
        return self.seconds


class FakeLambda:
    """Speaks the part of Lambda, and holds every event against the shape that Connect documents.

    :param answers: What the tries answer in turn; an exception is raised, the last one repeats.
    :param takes: The seconds that each try takes; it is cut off when its time is over.
    """

    def __init__(self, clock: Clock, *answers: Any, takes: float = 0.05) -> None:
        self.clock = clock
        self.answers = list(answers) or [{"status": "started"}]
        self.takes = takes
        self.calls: list[tuple[str, dict[str, Any], float]] = []

    def __call__(self, arn: str, event: dict[str, Any], seconds: float) -> Any:
        assert set(event) == {"Name", "Details"}
        assert event["Name"] == "ContactFlowEvent"
        assert set(event["Details"]) == {"ContactData", "Parameters"}
        audio = event["Details"]["ContactData"]["MediaStreams"]["Customer"]["Audio"]
        assert {"StreamARN", "StartTimestamp", "StartFragmentNumber"} <= set(audio)
        assert "Agent" not in event["Details"]["ContactData"]
        self.calls.append((arn, event, seconds))
        answer = self.answers[min(len(self.calls), len(self.answers)) - 1]
        if self.takes > seconds:
            self.clock.seconds += seconds
            raise TimeoutError
        self.clock.seconds += self.takes
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def audio(self) -> dict[str, Any]:
        audio: dict[str, Any] = self.calls[-1][1]["Details"]["ContactData"]["MediaStreams"][
            "Customer"
        ]["Audio"]
        return audio

    @property
    def parameters(self) -> dict[str, Any]:
        parameters: dict[str, Any] = self.calls[-1][1]["Details"]["Parameters"]
        return parameters


def action(
    identifier: str,
    kind: str,
    parameters: Json | None = None,
    *,
    next: str | None = "End",
    on_error: str | None = "Failed",
    conditions: list[Json] | None = None,
    error_type: str = "NoMatchingError",
) -> Json:
    """An action that leads to an end of its own if it fails; see `flow`."""
    transitions: Json = {"Conditions": conditions or []}
    if next:
        transitions["NextAction"] = next
    if on_error:
        transitions["Errors"] = [builders.error(on_error, error_type)]
    return builders.action(identifier, kind, parameters or {}, **transitions)


def invoke(identifier: str = "Invoke", next: str = "End", **parameters: Any) -> Json:
    defaults = {
        "InvocationTimeLimitSeconds": "8",
        "ResponseValidation": {"ResponseType": "STRING_MAP"},
    }
    return builders.invoke(identifier, next, FUNCTION, "Failed", **(defaults | parameters))


def streaming(state: str, next: str = "End", identifier: str = "") -> Json:
    parameters = builders.PARAMETERS[builders.STREAMING] | {"MediaStreamingState": state}
    return action(identifier or f"Streaming {state}", builders.STREAMING, parameters, next=next)


def note(identifier: str = "Note", next: str = "End", **attributes: str) -> Json:
    parameters = {"Attributes": attributes, "TargetContact": "Current"}
    return action(identifier, "UpdateContactAttributes", parameters, next=next)


def flow(*actions: Json, end: str = "EndFlowExecution") -> Json:
    """The actions, and those of the ends "End" and "Failed" that one of them leads to."""
    led_to = {target for each in actions for target in targets(each)}
    ends = [terminal(name, end) for name in ("End", "Failed") if name in led_to]
    return builders.flow(*actions, *ends)


def module(*actions: Json, end: str = "EndFlowModuleExecution") -> Json:
    return flow(*actions, end=end)


def looped_prompts(
    identifier: str, next: str | None = "End", on_error: str | None = "Failed", **parameters: Any
) -> Json:
    return action(
        identifier,
        "MessageParticipantIteratively",
        {"Messages": [{"Text": "x"}]} | parameters,
        next=next,
        on_error=on_error,
    )


def terminal(identifier: str, kind: str) -> Json:
    return builders.action(identifier, kind, {})


def caller(**changes: Any) -> Contact:
    defaults: dict[str, Any] = {
        "contact_id": "5ca32fbd-8f92-46af-92a5-6b0f970f0efe",
        "instance_arn": INSTANCE,
        "customer_endpoint": Endpoint("+11234567890"),
        "queue": Queue(f"{INSTANCE}/queue/1", "Billing"),
        "agent": Agent("jane", f"{INSTANCE}/agent/1"),
    }
    return Contact(**(defaults | changes))


def blocks(path: list[Step]) -> list[str]:
    return [step.block for step in path]
