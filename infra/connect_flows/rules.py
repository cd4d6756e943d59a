"""Whether Connect would take a flow: its check against the table of `action_rules` and the limits.

Connect's own message for a refused flow is often empty; this one names the block, the rule and its
source. The table and the names of the flow types can be had from here, too.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connect_flow import flow as connect_flow
from connect_flow import lint

from connect_flows.action_rules import (
    AGENT_HOLD,
    AGENT_TRANSFER,
    AGENT_WHISPER,
    CUSTOMER_HOLD,
    CUSTOMER_WHISPER,
    EVERYWHERE,
    FLOW_TYPES,
    HOLDS,
    INBOUND,
    LOOP_PROMPTS,
    MAX_LAMBDA_SECONDS,
    MODULE,
    NOT_BEFORE_LOOP_PROMPTS,
    OUTBOUND_WHISPER,
    QUEUE,
    QUEUE_TRANSFER,
    RULES,
    TRANSFERS,
    WHISPERS,
    Rule,
    lambda_seconds,
)

__all__ = [
    "AGENT_HOLD",
    "AGENT_TRANSFER",
    "AGENT_WHISPER",
    "CUSTOMER_HOLD",
    "CUSTOMER_WHISPER",
    "FLOW_TYPES",
    "HOLDS",
    "INBOUND",
    "MARGIN_FOR_TOKENS",
    "MAX_ACTIONS",
    "MAX_CONTENT_CHARACTERS",
    "MAX_IDENTIFIER_CHARACTERS",
    "MAX_LAMBDA_CHAIN_SECONDS",
    "MAX_LAMBDA_SECONDS",
    "MODULE",
    "OUTBOUND_WHISPER",
    "QUEUE",
    "QUEUE_TRANSFER",
    "RULES",
    "TRANSFERS",
    "WHISPERS",
    "NotAFlow",
    "Problem",
    "Rule",
    "check",
    "parse",
    "reach",
    "targets",
    "unknown_types",
]

Content = Mapping[str, Any]
Action = Mapping[str, Any]

MAX_ACTIONS = 250
MAX_CONTENT_CHARACTERS = 256_000
MARGIN_FOR_TOKENS = 56_000
"""Kept free where ARNs are known only at deployment."""
MAX_IDENTIFIER_CHARACTERS = 50
MAX_LAMBDA_CHAIN_SECONDS = 20

_REFUSED_IN_IDENTIFIERS = re.compile(r"[%:(\\/)=$,;\[\]{}]")
_REFUSED_IDENTIFIERS = re.compile(
    "__proto__|constructor|__defineGetter__|__defineSetter__|toString|hasOwnProperty|isPrototypeOf"
    "|propertyIsEnumerable|toLocaleString|valueOf"
)
_OPERATORS = re.compile(
    "Equals|Text(StartsWith|EndsWith|Contains)|Number(Greater|Less)(Than|OrEqualTo)"
)


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
        name = repr(self.action)
        where = f"{name}: " if self.action and not self.rule.startswith(name) else ""
        return f"{where}{self.rule} [{self.source}]"


def parse(text: str) -> dict[str, Any]:
    """The content in a file or a template.

    :raises NotAFlow: where it is no flow in the language of Version 2019-10-30.
    """
    if not text.strip():
        raise NotAFlow("it is empty: export the flow again")
    try:
        content = json.loads(text)
        # Python reads more than JSON has: NaN, and halves of surrogate pairs.
        json.dumps(content, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise NotAFlow(f"it is not JSON: {error}") from None
    if isinstance(content, str):
        raise NotAFlow("it is a JSON string: with the AWS command line, ask for --output text")
    if not isinstance(content, dict):
        raise NotAFlow("it is not a flow: a flow is a JSON object")
    if "modules" in content and "Actions" not in content:
        raise NotAFlow(
            "it is in the legacy format (modules, branches), which the API refuses: import it in "
            "the flow designer, save it, and export it again"
        )
    for answer in ("ContactFlow", "ContactFlowModule"):
        if isinstance(content.get(answer), dict):
            raise NotAFlow(f"it is the answer of Describe{answer}: take {answer}.Content out of it")
    if not isinstance(content.get("StartAction"), str):
        raise NotAFlow("it is not a flow: it has no StartAction")
    if not isinstance(content.get("Actions"), list):
        raise NotAFlow("it is not a flow: it has no list of Actions")
    for number, action in enumerate(content["Actions"]):
        if not _is_action(action):
            raise NotAFlow(
                f"its Actions[{number}] is not an action: one has Identifier and Type, Parameters, "
                "and Transitions whose every branch has a NextAction"
            )
    return content


def check(content: Content, type: str, *, margin: int = 0) -> list[Problem]:
    """Every reason for which Connect would refuse the flow; none where it would not.

    :param content: As :func:`parse` gives it.
    :param type: A flow type of CloudFormation, such as ``AGENT_WHISPER``, or ``MODULE``.
    :param margin: Characters to keep free under the limit of the content's length.
    """
    if type not in EVERYWHERE:
        raise ValueError(f"no flow type {type!r}; write one of {', '.join(sorted(EVERYWHERE))}")
    actions = {str(action["Identifier"]): action for action in content["Actions"]}
    problems = [
        *_whole(content, type, margin),
        *_identifiers(content),
        *(problem for action in content["Actions"] for problem in _action(action, type)),
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


def reach(names: Iterable[str], actions: Mapping[str, Action], *, until: str = "") -> set[str]:
    """These actions and all that they lead to, but nothing behind an action of one type.

    :param until: That type.
    """
    found: set[str] = set()
    ahead = list(names)
    while ahead:
        name = ahead.pop()
        if name in actions and name not in found:
            found.add(name)
            if actions[name]["Type"] != until:
                ahead.extend(targets(actions[name]))
    return found


def _is_action(action: object) -> bool:
    if not isinstance(action, dict):
        return False
    transitions, parameters = action.get("Transitions") or {}, action.get("Parameters") or {}
    if not isinstance(transitions, dict) or not isinstance(parameters, dict):
        return False
    errors, conditions = (transitions.get(name) or [] for name in ("Errors", "Conditions"))
    return (
        isinstance(action.get("Identifier"), str)
        and isinstance(action.get("Type"), str)
        and isinstance(transitions.get("NextAction") or "", str)
        and isinstance(errors, list)
        and isinstance(conditions, list)
        and all(
            isinstance(branch, dict) and isinstance(branch.get("NextAction"), str)
            for branch in (*errors, *conditions)
        )
        and all(isinstance(error.get("ErrorType"), str) for error in errors)
    )


def _whole(content: Content, type: str, margin: int) -> Iterator[Problem]:
    if content.get("Version") != "2019-10-30":
        yield Problem("", 'Version is not "2019-10-30"', "DG flow-language-example")
    count = len(content["Actions"])
    if not 1 <= count <= MAX_ACTIONS:
        rule = f"it has {count} actions, not 1 to {MAX_ACTIONS}"
        yield Problem("", rule, "DG flow-language-example")
    length = len(json.dumps(content, separators=(",", ":"), ensure_ascii=False))
    if length > MAX_CONTENT_CHARACTERS - margin:
        rule = (
            f"it is {length} characters long, more than {MAX_CONTENT_CHARACTERS - margin}: "
            "move a part of it into a module"
        )
        yield Problem("", rule, "CFN contactflow")
    if type == MODULE and not isinstance(content.get("Settings"), dict):
        yield Problem("", "a module's content needs Settings at its top level", "API")


def _identifiers(content: Content) -> Iterator[Problem]:
    source = "DG flow-language-actions"
    identifiers = Counter(str(action["Identifier"]) for action in content["Actions"])
    for identifier, count in identifiers.items():
        if count > 1:
            yield Problem(identifier, f"{count} actions have this identifier", source)
        if not 1 <= len(identifier) <= MAX_IDENTIFIER_CHARACTERS:
            limits = f"not 1 to {MAX_IDENTIFIER_CHARACTERS}"
            rule = f"the identifier has {len(identifier)} characters, {limits}"
            yield Problem(identifier, rule, source)
        if _REFUSED_IN_IDENTIFIERS.search(identifier):
            rule = r"the identifier holds one of % : ( \ / ) = $ , ; [ ] { }"
            yield Problem(identifier, rule, source)
        if _REFUSED_IDENTIFIERS.fullmatch(identifier):
            yield Problem(identifier, "no action may have this identifier", source)


def _action(action: Action, type: str) -> Iterator[Problem]:
    name, kind = str(action["Identifier"]), str(action["Type"])
    if kind in RULES:
        source = RULES[kind].source
        for rule in _against(RULES[kind], action, type):
            yield Problem(name, f"{kind} {rule}", source)


def _against(rule: Rule, action: Action, type: str) -> Iterator[str]:
    transitions = action.get("Transitions") or {}
    if type not in rule.flow_types:
        yield f"is not allowed in a flow of type {type}"
    errors = {str(error["ErrorType"]) for error in transitions.get("Errors") or ()}
    for missing in sorted(rule.errors - errors):
        yield f"must lead somewhere on the error {missing}"
    for refused in sorted(errors - rule.errors - rule.more_errors):
        yield f"may not have the error {refused!r}"
    if rule.next_action == "required" and not transitions.get("NextAction"):
        yield "must have a NextAction"
    if rule.next_action == "none" and any(targets(action)):
        yield "ends the flow and may not lead on"
    conditions = [_condition(branch) for branch in transitions.get("Conditions") or ()]
    if conditions and not rule.conditions:
        yield "may not have conditions"
    for operator, operands in conditions:
        nested = any(isinstance(operand, dict) for operand in operands)
        if not (
            nested or _OPERATORS.fullmatch(operator)
        ):  # how nested ones are joined, no page says
            yield f"has a condition with the operator {operator!r}"
    for operand in rule.operands:
        if not any(operand in operands for _, operands in conditions):
            yield f"must have a condition for {operand}"
    yield from rule.parameters(action.get("Parameters") or {})


def _condition(branch: Mapping[str, Any]) -> tuple[str, list[Any]]:
    condition = branch.get("Condition")
    condition = condition if isinstance(condition, dict) else {}
    operands = condition.get("Operands")
    return str(condition.get("Operator")), operands if isinstance(operands, list) else []


def _lambda_chains(actions: Mapping[str, Action]) -> Iterator[Problem]:
    """Lambda blocks directly after each other have 20 s together; a circle of them has no end."""
    limits = {
        name: lambda_seconds(parameters)
        for name, action in actions.items()
        if action["Type"] == "InvokeLambdaFunction"
        and (parameters := action.get("Parameters") or {}).get("InvocationType") != "ASYNCHRONOUS"
    }
    lambdas = {name: actions[name] for name in limits}
    longest = dict.fromkeys(limits, 0)
    for _ in range(MAX_LAMBDA_CHAIN_SECONDS + 1):  # more have no place in one chain
        longest = {
            name: limits[name] + max((longest.get(t, 0) for t in targets(action)), default=0)
            for name, action in lambdas.items()
        }
    over = [name for name in lambdas if longest[name] > MAX_LAMBDA_CHAIN_SECONDS]
    followers = {target for name in over for target in targets(lambdas[name])}
    told: set[str] = set()
    for name in (*(name for name in over if name not in followers), *over):
        if name not in told:
            told |= reach([name], lambdas)
            rule = (
                "a chain of Lambda blocks that begins here may take more than "
                f"{MAX_LAMBDA_CHAIN_SECONDS} s: put a prompt between them, or lower their limits"
            )
            yield Problem(name, rule, "AG connect-lambda-functions")


def _before_loop_prompts(actions: Mapping[str, Action], start: str) -> Iterator[Problem]:
    """What comes behind Loop prompts may lead back to it, as in Connect's own queue flow sample."""
    before = reach([start], actions, until=LOOP_PROMPTS)
    for name, action in actions.items():
        if name in before and action["Type"] in NOT_BEFORE_LOOP_PROMPTS:
            for follower in sorted(reach([name], actions, until=LOOP_PROMPTS)):
                if actions[follower]["Type"] == LOOP_PROMPTS:
                    rule = f"{action['Type']} may not come before Loop prompts ({follower!r})"
                    yield Problem(name, rule, "AG loop-prompts")


def _structure(content: Content) -> Iterator[Problem]:
    """connect-flow's lint: what leads nowhere, what nothing leads to."""
    # Without what the designer draws: blocks drawn as one may hide that a part is not reached.
    data = {**content, "Metadata": {"ActionMetadata": {}}}
    for finding in lint.check(connect_flow.Flow(raw_text="", data=data)):
        yield Problem(finding.identifier or "", finding.message, f"connect-flow: {finding.kind}")
