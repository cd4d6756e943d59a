"""The blocks of our flows; in JSON, Connect calls them actions.

There is one dataclass for each action type. Each writes what the Connect API accepts, which is not
always what Connect's pages say. The lists of errors are exact: with one error type too many or too
few, Connect refuses the flow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

MAX_TEXT_CHARACTERS = 6_000


def is_dynamic(value: str) -> bool:
    """Whether Connect looks the value up during the call (``$.Queue.Name``)."""
    return value.startswith(("$.", "$["))


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One action of a flow.

    :param name: The identifier, and the title in the flow designer. At most 50 characters.
    """

    TYPE: ClassVar[str]
    name: str

    def parameters(self) -> dict[str, Any]:
        """The action's ``Parameters``."""
        return {}

    def transitions(self) -> dict[str, Any]:
        """The action's ``Transitions``. Default: none; the flow ends here."""
        return {}

    def designer(self) -> dict[str, Any]:
        """What the flow designer needs in ``ActionMetadata``, in addition to position and name."""
        return {}

    def targets(self) -> tuple[str, ...]:
        """The names of the blocks that this one leads to."""
        return ()

    def following(self) -> str:
        """The block that follows if all goes well; ``""`` if the flow ends there."""
        return ""

    def action(self) -> dict[str, Any]:
        """The entry in the flow's ``Actions``."""
        return {
            "Identifier": self.name,
            "Type": self.TYPE,
            "Parameters": self.parameters(),
            "Transitions": self.transitions(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadingBlock(Block):
    """A block that leads to another block, both on success and on failure.

    :param next: The block that follows.
    :param on_error: The block that follows when this one fails.
    """

    next: str
    on_error: str

    def transitions(self) -> dict[str, Any]:
        return {
            "NextAction": self.next,
            "Errors": [{"NextAction": self.on_error, "ErrorType": "NoMatchingError"}],
            "Conditions": [],
        }

    def targets(self) -> tuple[str, ...]:
        return (self.next, self.on_error)

    def following(self) -> str:
        return self.next


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateContactMediaStreamingBehavior(LeadingBlock):
    """Starts or stops copying the call's audio into Kinesis Video Streams.

    It always streams both directions, because ASAPP transcribes what the customer says and hears.
    Voice only. Connect refuses it in hold flows.

    :param enabled: True starts, False stops.
    """

    TYPE: ClassVar[str] = "UpdateContactMediaStreamingBehavior"
    enabled: bool

    def parameters(self) -> dict[str, Any]:
        return {
            "MediaStreamingState": "Enabled" if self.enabled else "Disabled",
            "MediaStreamType": "Audio",
            "Participants": [{"ParticipantType": "Customer", "MediaDirections": ["From", "To"]}],
        }

    def designer(self) -> dict[str, Any]:
        return {"toCustomer": True, "fromCustomer": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class InvokeLambdaFunction(LeadingBlock):
    """Runs a function and waits for its answer: a flat map of strings in ``$.External``.

    Connect retries a failing function up to three times within the time limit.

    :param function_arn: The ARN that is associated with the instance; it may be an alias's.
    :param display_name: What the flow designer shows for the function.
    :param attributes: Parameters for the function, static or JSONPath. Flow logs show them, so pass
        no secrets. Default: none.
    :param time_limit_seconds: 1 to 8.
    """

    TYPE: ClassVar[str] = "InvokeLambdaFunction"
    function_arn: str
    display_name: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    time_limit_seconds: int = 8

    def parameters(self) -> dict[str, Any]:
        return {
            "LambdaFunctionARN": self.function_arn,
            # A string, although the developer guide says number: console exports have a string.
            "InvocationTimeLimitSeconds": str(self.time_limit_seconds),
            "InvocationType": "SYNCHRONOUS",
            **({"LambdaInvocationAttributes": dict(self.attributes)} if self.attributes else {}),
            "ResponseValidation": {"ResponseType": "STRING_MAP"},
        }

    def designer(self) -> dict[str, Any]:
        dynamic = [key for key, value in self.attributes.items() if is_dynamic(value)]
        parameters: dict[str, Any] = {"LambdaFunctionARN": {"displayName": self.display_name}}
        if dynamic:
            parameters["LambdaInvocationAttributes"] = {
                key: {"useDynamic": True} for key in dynamic
            }
        return {"parameters": parameters, "dynamicMetadata": {key: True for key in dynamic}}


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateContactAttributes(LeadingBlock):
    """Writes user-defined attributes of the current contact: all of them, or none.

    :param attributes: Values are static or JSONPath; keys hold no ``$`` and no ``.``.
    """

    TYPE: ClassVar[str] = "UpdateContactAttributes"
    attributes: Mapping[str, str]

    def parameters(self) -> dict[str, Any]:
        return {"Attributes": dict(self.attributes), "TargetContact": "Current"}


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateContactEventHooks(LeadingBlock):
    """Sets the flow that Connect runs at a later event of the contact (*Set hold flow*, …).

    :param hook: Connect's name for the event, such as ``CustomerHold``, or ``CustomerRemaining``
        for the disconnect flow. One for each block, as in the developer guide.
    :param flow_arn: The flow's id or ARN.
    """

    TYPE: ClassVar[str] = "UpdateContactEventHooks"
    hook: str
    flow_arn: str

    def parameters(self) -> dict[str, Any]:
        return {"EventHooks": {self.hook: self.flow_arn}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """Something that a participant hears. Give exactly one of the three parameters.

    :param text: Spoken words, static or one JSONPath. At most 6,000 characters.
    :param ssml: Spoken words with pauses and emphasis: one whole ``<speak>`` element.
    :param prompt_id: The ARN or id of a recorded prompt of the instance, such as hold music.
    """

    text: str = ""
    ssml: str = ""
    prompt_id: str = ""

    def __post_init__(self) -> None:
        given = [value for value in (self.text, self.ssml, self.prompt_id) if value]
        if len(given) != 1:
            raise ValueError(
                f"give a prompt exactly one of text, ssml and prompt_id, not {len(given)} of them"
            )
        if len(given[0]) > MAX_TEXT_CHARACTERS:
            raise ValueError(
                f"a prompt of {len(given[0])} characters; "
                f"Connect takes {MAX_TEXT_CHARACTERS}: split it into several"
            )
        if self.ssml and not (self.ssml.startswith("<speak") and self.ssml.endswith("</speak>")):
            raise ValueError(f"ssml is one <speak>…</speak> element, not {self.ssml[:30]!r}")

    def parameters(self) -> dict[str, str]:
        """The prompt as Connect writes it."""
        if self.text:
            return {"Text": self.text}
        return {"SSML": self.ssml} if self.ssml else {"PromptId": self.prompt_id}


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageParticipant(LeadingBlock):
    """Plays one prompt. Connect refuses it in hold flows."""

    TYPE: ClassVar[str] = "MessageParticipant"
    prompt: Prompt

    def parameters(self) -> dict[str, Any]:
        return dict(self.prompt.parameters())

    def designer(self) -> dict[str, Any]:
        if not is_dynamic(self.prompt.text):
            return {}
        return {"parameters": {"Text": {"useDynamic": True}}, "useDynamic": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageParticipantIteratively(Block):
    """Loops prompts until the hold or the wait in the queue is over. A flow may end here.

    The block directly before it must not play a prompt, queue, or start or stop media streaming. A
    Lambda block is allowed there.

    :param prompts: One or more, played in turn.
    """

    TYPE: ClassVar[str] = "MessageParticipantIteratively"
    prompts: tuple[Prompt, ...]

    def __post_init__(self) -> None:
        if not self.prompts:
            raise ValueError(f"{self.name!r} loops no prompt; give it at least one")

    def parameters(self) -> dict[str, Any]:
        return {"Messages": [prompt.parameters() for prompt in self.prompts]}

    def transitions(self) -> dict[str, Any]:
        return {"Errors": [], "Conditions": []}


@dataclass(frozen=True, slots=True, kw_only=True)
class EndFlowExecution(Block):
    """Ends a whisper or customer queue flow and lets the call go on."""

    TYPE: ClassVar[str] = "EndFlowExecution"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndFlowModuleExecution(Block):
    """Returns from a module to the flow that invoked it."""

    TYPE: ClassVar[str] = "EndFlowModuleExecution"


@dataclass(frozen=True, slots=True, kw_only=True)
class DisconnectParticipant(Block):
    """Hangs up. Allowed in inbound, transfer and customer queue flows only."""

    TYPE: ClassVar[str] = "DisconnectParticipant"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferContactToAgent(Block):
    """Transfers the contact to the agent of the quick connect. Beta; voice and transfer flows only.

    The flow ends here, even if the transfer fails: Connect takes no branch.
    """

    TYPE: ClassVar[str] = "TransferContactToAgent"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferContactToQueue(Block):
    """Puts the contact into the queue of the quick connect. On success the flow ends.

    :param at_capacity: The block that follows if the queue is full.
    :param on_error: The block that follows if it fails for another reason.
    """

    TYPE: ClassVar[str] = "TransferContactToQueue"
    at_capacity: str
    on_error: str

    def transitions(self) -> dict[str, Any]:
        return {
            # Console exports have it, but Connect never takes it: a queued contact leaves the flow.
            "NextAction": self.on_error,
            # The API wants both.
            "Errors": [
                {"NextAction": self.at_capacity, "ErrorType": "QueueAtCapacity"},
                {"NextAction": self.on_error, "ErrorType": "NoMatchingError"},
            ],
            "Conditions": [],
        }

    def targets(self) -> tuple[str, ...]:
        return (self.at_capacity, self.on_error)
