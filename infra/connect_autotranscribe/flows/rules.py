"""What the Connect API takes and refuses in a flow: one table, and the check of a flow against it.

Connect's own message for a refused flow is often empty. Sources: *DG*, the developer guide's flow
language pages; *AG*, the admin guide; *API*, what live probes of ``CreateContactFlow`` found where
the pages are wrong. Where the sources contradict each other, a block that one of them allows, and
that published flows use, is allowed here.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connect_flow import flow as connect_flow
from connect_flow import lint

Content = Mapping[str, Any]
Action = Mapping[str, Any]

INBOUND = "CONTACT_FLOW"
QUEUE = "CUSTOMER_QUEUE"
CUSTOMER_WHISPER = "CUSTOMER_WHISPER"
AGENT_WHISPER = "AGENT_WHISPER"
OUTBOUND_WHISPER = "OUTBOUND_WHISPER"
CUSTOMER_HOLD = "CUSTOMER_HOLD"
AGENT_HOLD = "AGENT_HOLD"
AGENT_TRANSFER = "AGENT_TRANSFER"
QUEUE_TRANSFER = "QUEUE_TRANSFER"
MODULE = "MODULE"
"""A flow module. Connect does not check at its creation whether its blocks suit its callers."""

WHISPERS = frozenset({CUSTOMER_WHISPER, AGENT_WHISPER, OUTBOUND_WHISPER})
HOLDS = frozenset({CUSTOMER_HOLD, AGENT_HOLD})
TRANSFERS = frozenset({AGENT_TRANSFER, QUEUE_TRANSFER})
FLOW_TYPES = frozenset({INBOUND, QUEUE}) | WHISPERS | HOLDS | TRANSFERS
_EVERYWHERE = FLOW_TYPES | {MODULE}
_TALKING = frozenset({INBOUND, QUEUE, MODULE}) | TRANSFERS

MAX_ACTIONS = 250
MAX_CONTENT_CHARACTERS = 256_000
MARGIN_FOR_TOKENS = 56_000
"""Kept free where ARNs are known only at deployment."""
MAX_IDENTIFIER_CHARACTERS = 50
MAX_FUNCTION_ARN_CHARACTERS = 140
MAX_LAMBDA_SECONDS = 8
MAX_LAMBDA_CHAIN_SECONDS = 20

_REFUSED_IN_IDENTIFIERS = re.compile(r"[%:(\\/)=$,;\[\]{}]")
_REFUSED_IDENTIFIERS = frozenset(
    {"__proto__", "constructor", "toString", "valueOf", "hasOwnProperty"}
)
_OPERATORS = frozenset(
    {
        "Equals",
        "TextStartsWith",
        "TextEndsWith",
        "TextContains",
        "NumberGreaterThan",
        "NumberGreaterOrEqualTo",
        "NumberLessThan",
        "NumberLessOrEqualTo",
    }
)
_NOT_BEFORE_LOOP_PROMPTS = frozenset(
    {
        "GetParticipantInput",
        "Loop",
        "MessageParticipant",
        "TransferContactToQueue",
        "TransferParticipantToThirdParty",
        "UpdateContactMediaStreamingBehavior",
    }
)
"""*Get customer input* and *Store customer input* are both ``GetParticipantInput``."""


class NotAFlow(ValueError):
    """The text is no flow at all; says what it is and what to do."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason for which Connect would refuse a flow.

    :param action: The block's identifier, ``""`` for the flow itself.
    :param source: Where the rule comes from.
    """

    action: str
    rule: str
    source: str

    def __str__(self) -> str:
        where = f"{self.action!r}: " if self.action else ""
        return f"{where}{self.rule} [{self.source}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What the API takes of one action type.

    :param flow_types: Where it may stand.
    :param errors: The error types that it must lead somewhere.
    :param more_errors: Those that it may lead somewhere.
    :param next_action: ``required``, ``optional`` or ``none`` (the flow ends there).
    :param conditions: Whether it may have conditions.
    """

    source: str
    flow_types: frozenset[str] = _EVERYWHERE
    errors: frozenset[str] = frozenset()
    more_errors: frozenset[str] = frozenset()
    next_action: str = "required"
    conditions: bool = False


_NO_MATCHING_ERROR = frozenset({"NoMatchingError"})

RULES: Mapping[str, Rule] = {
    "Compare": Rule(
        source="API: refuses NoMatchingError",
        errors=frozenset({"NoMatchingCondition"}),
        conditions=True,
    ),
    "DequeueContactAndTransferToQueue": Rule(
        source="DG contact-actions-transfercontacttoqueue",
        flow_types=frozenset({QUEUE, MODULE}),
        more_errors=frozenset({"NoMatchingError", "QueueAtCapacity"}),
        next_action="optional",
    ),
    "DisconnectParticipant": Rule(
        source="DG participant-actions-disconnectparticipant",
        flow_types=_TALKING,
        next_action="none",
    ),
    "EndFlowExecution": Rule(
        source="DG flow-control-actions-endflowexecution, AG end-flow-resume",
        flow_types=FLOW_TYPES,
        next_action="none",
    ),
    "EndFlowModuleExecution": Rule(
        source="DG endflowmoduleexecution",
        flow_types=frozenset({MODULE}),
        next_action="none",
    ),
    "InvokeFlowModule": Rule(
        source="AG contact-flow-modules; API",
        errors=_NO_MATCHING_ERROR,
        more_errors=frozenset({"NoMatchingCondition"}),
        conditions=True,
    ),
    "InvokeLambdaFunction": Rule(
        source="DG interactions-invokelambdafunction", errors=_NO_MATCHING_ERROR
    ),
    "Loop": Rule(source="DG flow-control-actions-loop", conditions=True),
    "MessageParticipant": Rule(
        source="DG participant-actions-messageparticipant; API: NoMatchingError may be absent",
        flow_types=_EVERYWHERE - HOLDS,
        more_errors=_NO_MATCHING_ERROR,
    ),
    "MessageParticipantIteratively": Rule(
        source="DG participant-actions-messageparticipantiteratively; API: may end the flow",
        flow_types=HOLDS | {QUEUE, MODULE},
        more_errors=_NO_MATCHING_ERROR,
        next_action="optional",
        conditions=True,
    ),
    "TagContact": Rule(source="API: wants NoMatchingError", errors=_NO_MATCHING_ERROR),
    "TransferContactToAgent": Rule(
        source="DG, beta: transfer flows",
        flow_types=TRANSFERS | {MODULE},
        more_errors=_NO_MATCHING_ERROR,
        next_action="optional",
    ),
    "TransferContactToQueue": Rule(
        source="API: wants both errors",
        flow_types=TRANSFERS | {INBOUND, MODULE},
        errors=frozenset({"NoMatchingError", "QueueAtCapacity"}),
        next_action="optional",
    ),
    "TransferToFlow": Rule(
        source="DG contact-actions-transfertoflow",
        flow_types=_TALKING,
        more_errors=_NO_MATCHING_ERROR,
        next_action="optional",
    ),
    "UntagContact": Rule(source="API", more_errors=_NO_MATCHING_ERROR),
    "UpdateContactAttributes": Rule(
        source="DG contact-actions-updatecontactattributes", errors=_NO_MATCHING_ERROR
    ),
    "UpdateContactEventHooks": Rule(
        source="DG contact-actions-updatecontacteventhooks", errors=_NO_MATCHING_ERROR
    ),
    "UpdateContactMediaStreamingBehavior": Rule(
        source="DG contact-actions-updatecontactmediastreamingbehavior, AG start-media-streaming",
        flow_types=_EVERYWHERE - HOLDS,
        errors=_NO_MATCHING_ERROR,
    ),
    "UpdateContactRecordingAndAnalyticsBehavior": Rule(
        source="API: wants both errors",
        errors=frozenset({"ChannelMismatch", "NoMatchingError"}),
    ),
    "UpdateContactRecordingBehavior": Rule(
        source="API: refuses NoMatchingError",
        flow_types=_TALKING | {OUTBOUND_WHISPER},
    ),
    "UpdateContactTargetQueue": Rule(
        source="DG contact-actions-updatecontacttargetqueue",
        flow_types=TRANSFERS | {INBOUND, MODULE},
        errors=_NO_MATCHING_ERROR,
    ),
    "UpdateFlowAttributes": Rule(
        source="DG; ASAPP's published module has NoMatchingError", more_errors=_NO_MATCHING_ERROR
    ),
    "UpdateFlowLoggingBehavior": Rule(source="DG flow-control-actions-updateflowloggingbehavior"),
    "Wait": Rule(
        source="DG flow-control-actions-wait; AG: voice in inbound flows only",
        flow_types=frozenset({INBOUND, QUEUE, MODULE}),
        errors=_NO_MATCHING_ERROR,
        more_errors=frozenset({"ParticipantNotFound"}),
        next_action="optional",
        conditions=True,
    ),
}


def parse(text: str) -> dict[str, Any]:
    """The content in a file or a template.

    :raises NotAFlow: where it is no flow in the language of Version 2019-10-30.
    """
    if not text.strip():
        raise NotAFlow("it is empty: export the flow again")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotAFlow(f"it is not JSON: {error}") from None
    if isinstance(content, dict) and "modules" in content and "Actions" not in content:
        raise NotAFlow(
            "it is in the legacy format (modules, branches), which the API refuses: import it in "
            "the flow designer, save it, and export it again"
        )
    if isinstance(content, dict) and isinstance(content.get("ContactFlow"), dict):
        raise NotAFlow(
            "it is the answer of DescribeContactFlow: take ContactFlow.Content out of it"
        )
    actions = content.get("Actions") if isinstance(content, dict) else None
    if not isinstance(actions, list) or not all(_is_action(action) for action in actions):
        raise NotAFlow(
            "it is not a flow: a flow is an object whose Actions each have Identifier, Type, "
            "Parameters and Transitions"
        )
    if not isinstance(content.get("StartAction"), str):
        raise NotAFlow("it is not a flow: it has no StartAction")
    return dict(content)


def check(content: Content, type: str, *, margin: int = 0) -> list[Problem]:
    """Every reason for which Connect would refuse the flow; none where it would not.

    :param content: As :func:`parse` gives it.
    :param type: A flow type of CloudFormation, such as ``AGENT_WHISPER``, or ``MODULE``.
    :param margin: Characters to keep free under the limit of the content's length.
    """
    if type not in _EVERYWHERE:
        raise ValueError(f"no flow type {type!r}; write one of {', '.join(sorted(_EVERYWHERE))}")
    actions: list[Action] = list(content["Actions"])
    problems = [
        *_whole(content, actions, type, margin),
        *_identifiers(actions),
        *(problem for action in actions for problem in _action(action, type)),
        *_lambda_chains(actions),
        *_before_loop_prompts(actions, str(content["StartAction"])),
        *_structure(content),
    ]
    return list(dict.fromkeys(problems))


def unknown_types(content: Content) -> list[str]:
    """The action types of the flow that the table does not have, and `check` says nothing of."""
    return sorted({str(action["Type"]) for action in content["Actions"]} - set(RULES))


def targets(action: Action) -> Iterator[str]:
    """Where an action leads, each of its branches."""
    transitions = action.get("Transitions") or {}
    if transitions.get("NextAction"):
        yield transitions["NextAction"]
    for branch in (*(transitions.get("Errors") or ()), *(transitions.get("Conditions") or ())):
        yield branch["NextAction"]


def _is_action(action: object) -> bool:
    if not isinstance(action, dict):
        return False
    transitions = action.get("Transitions", {})
    if not isinstance(transitions, dict) or not isinstance(action.get("Parameters", {}), dict):
        return False
    branches = [transitions.get(name) or [] for name in ("Errors", "Conditions")]
    return (
        isinstance(action.get("Identifier"), str)
        and isinstance(action.get("Type"), str)
        and all(isinstance(each, list) for each in branches)
        and all(
            isinstance(branch, dict) and isinstance(branch.get("NextAction"), str)
            for each in branches
            for branch in each
        )
        and all(isinstance(error.get("ErrorType"), str) for error in branches[0])
        and isinstance(transitions.get("NextAction", ""), str)
    )


def _whole(content: Content, actions: list[Action], type: str, margin: int) -> Iterator[Problem]:
    if content.get("Version") != "2019-10-30":
        yield Problem("", 'Version is not "2019-10-30"', "DG flow-language-example")
    if not 1 <= len(actions) <= MAX_ACTIONS:
        yield Problem(
            "", f"it has {len(actions)} actions, not 1 to {MAX_ACTIONS}", "DG flow-language-example"
        )
    length = len(json.dumps(content, separators=(",", ":"), ensure_ascii=False))
    if length > MAX_CONTENT_CHARACTERS - margin:
        yield Problem(
            "",
            f"it is {length} characters long, more than {MAX_CONTENT_CHARACTERS - margin}: "
            "move a part of it into a module",
            "CFN contactflow",
        )
    if type == MODULE and not isinstance(content.get("Settings"), dict):
        yield Problem("", "a module's content needs Settings at its top level", "API")


def _identifiers(actions: list[Action]) -> Iterator[Problem]:
    source = "DG flow-language-actions"
    for identifier, count in Counter(str(action["Identifier"]) for action in actions).items():
        if count > 1:
            yield Problem(identifier, f"{count} actions have this identifier", source)
        if not 1 <= len(identifier) <= MAX_IDENTIFIER_CHARACTERS:
            yield Problem(
                identifier,
                f"the identifier has {len(identifier)} characters, not 1 to "
                f"{MAX_IDENTIFIER_CHARACTERS}",
                source,
            )
        if _REFUSED_IN_IDENTIFIERS.search(identifier):
            rule = r"the identifier holds one of % : ( \ / ) = $ , ; [ ] { }"
            yield Problem(identifier, rule, source)
        if identifier in _REFUSED_IDENTIFIERS:
            yield Problem(identifier, "no action may have this identifier", source)


def _action(action: Action, type: str) -> Iterator[Problem]:
    rule = RULES.get(action["Type"])
    if rule is None:
        return
    name, kind = str(action["Identifier"]), str(action["Type"])
    transitions = action.get("Transitions") or {}

    def problem(text: str) -> Problem:
        return Problem(name, f"{kind} {text}", rule.source)

    if type not in rule.flow_types:
        yield problem(f"is not allowed in a flow of type {type}")
    errors = {str(error["ErrorType"]) for error in transitions.get("Errors") or ()}
    for missing in sorted(rule.errors - errors):
        yield problem(f"must lead somewhere on the error {missing}")
    for refused in sorted(errors - rule.errors - rule.more_errors):
        yield problem(f"may not have the error {refused}")
    if rule.next_action == "required" and not transitions.get("NextAction"):
        yield problem("must have a NextAction")
    if rule.next_action == "none" and any(targets(action)):
        yield problem("ends the flow and may not lead on")
    if transitions.get("Conditions") and not rule.conditions:
        yield problem("may not have conditions")
    for condition in transitions.get("Conditions") or ():
        operator = (condition.get("Condition") or {}).get("Operator")
        if operator not in _OPERATORS:
            yield problem(f"has a condition with the operator {operator!r}")
    if checks := _PARAMETERS.get(kind):
        yield from (problem(text) for text in checks(action.get("Parameters") or {}))


def _media_streaming(parameters: Mapping[str, Any]) -> Iterator[str]:
    if parameters.get("MediaStreamingState") not in ("Enabled", "Disabled"):
        yield "needs a MediaStreamingState of Enabled or Disabled"
    if parameters.get("MediaStreamType", "Audio") != "Audio":
        yield "streams Audio only"


def _lambda(parameters: Mapping[str, Any]) -> Iterator[str]:
    arn = parameters.get("LambdaFunctionARN")
    if not isinstance(arn, str) or not arn:
        yield "needs a LambdaFunctionARN"
    # Over the limit where it is known; a token's length is that of its placeholder.
    elif arn.startswith("arn:") and len(arn) > MAX_FUNCTION_ARN_CHARACTERS:
        yield f"has an ARN of {len(arn)} characters, more than {MAX_FUNCTION_ARN_CHARACTERS}"
    if "RequestAttributes" in parameters:
        yield "has RequestAttributes: write LambdaInvocationAttributes"
    if (parameters.get("InvocationType") or "SYNCHRONOUS") == "SYNCHRONOUS":
        seconds = _lambda_seconds(parameters)
        if not 1 <= seconds <= MAX_LAMBDA_SECONDS:
            yield f"has a time limit of {seconds} s, not 1 to {MAX_LAMBDA_SECONDS}"
    answer = parameters.get("ResponseValidation") or {}
    kind = answer.get("ResponseType", "STRING_MAP") if isinstance(answer, dict) else answer
    if kind not in ("STRING_MAP", "JSON"):
        yield f"has a ResponseType of {kind!r}, not STRING_MAP or JSON"


def _lambda_seconds(parameters: Mapping[str, Any]) -> int:
    """A string in exports, a number in the developer guide."""
    value = str(parameters.get("InvocationTimeLimitSeconds", MAX_LAMBDA_SECONDS))
    return int(value) if value.isascii() and value.isdigit() else 0


def _wait(parameters: Mapping[str, Any]) -> Iterator[str]:
    if "TimeLimitSeconds" not in parameters:
        yield "needs TimeLimitSeconds (the developer guide's TimeoutSeconds is refused)"


_PARAMETERS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[str]]] = {
    "InvokeLambdaFunction": _lambda,
    "UpdateContactMediaStreamingBehavior": _media_streaming,
    "Wait": _wait,
}


def _lambda_chains(actions: list[Action]) -> Iterator[Problem]:
    """Lambda blocks one directly after the other have 20 s together."""
    lambdas = {str(a["Identifier"]): a for a in actions if a["Type"] == "InvokeLambdaFunction"}

    def longest(name: str, before: tuple[str, ...]) -> int:
        if name in before:
            return 0  # a loop is not one chain: every turn has its own way out
        seconds = _lambda_seconds(lambdas[name].get("Parameters") or {})
        after = (t for t in set(targets(lambdas[name])) if t in lambdas)
        return seconds + max((longest(t, (*before, name)) for t in after), default=0)

    followers = {target for action in lambdas.values() for target in targets(action)}
    for name in lambdas:
        if name not in followers and (seconds := longest(name, ())) > MAX_LAMBDA_CHAIN_SECONDS:
            yield Problem(
                name,
                f"a chain of Lambda blocks that begins here may take {seconds} s, more than "
                f"{MAX_LAMBDA_CHAIN_SECONDS}: put a prompt between them, or lower their limits",
                "AG connect-lambda-functions",
            )


def _before_loop_prompts(actions: list[Action], start: str) -> Iterator[Problem]:
    by_name = {str(action["Identifier"]): action for action in actions}
    for action in actions:
        if action["Type"] not in _NOT_BEFORE_LOOP_PROMPTS:
            continue
        for follower in sorted(_reachable(str(action["Identifier"]), by_name)):
            if by_name[follower]["Type"] == "MessageParticipantIteratively":
                yield Problem(
                    str(action["Identifier"]),
                    f"{action['Type']} may not come before Loop prompts ({follower!r})",
                    "AG loop-prompts",
                )


def _reachable(name: str, by_name: Mapping[str, Action]) -> set[str]:
    """Every action after one."""
    found: set[str] = set()
    ahead = list(targets(by_name[name]))
    while ahead:
        target = ahead.pop()
        if target in by_name and target not in found:
            found.add(target)
            ahead.extend(targets(by_name[target]))
    return found


def _structure(content: Content) -> Iterator[Problem]:
    """connect-flow's lint: what leads nowhere, what nothing leads to."""
    metadata = content.get("Metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    if not isinstance(metadata.get("ActionMetadata"), dict):
        metadata = {**metadata, "ActionMetadata": {}}
    document = connect_flow.Flow(raw_text="", data={**content, "Metadata": metadata})
    for finding in lint.check(document):
        yield Problem(finding.identifier or "", finding.message, f"connect-flow: {finding.kind}")
