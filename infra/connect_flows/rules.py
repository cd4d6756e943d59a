"""Checks whether Connect would accept a flow, by the table of `action_rules` and Connect's limits.

Connect's own message for a refused flow is often empty. The messages here name the block, the rule
and its source. If no source says that Connect refuses something, it is a note.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connect_flow import flow as connect_flow
from connect_flow import lint

from connect_flows.action_rules import (
    LOOP_PROMPTS,
    NOT_BEFORE_LOOP_PROMPTS,
    RULES,
    Rule,
    lambda_seconds,
)
from connect_flows.flow_content import Action, Content, reachable, targets
from connect_flows.flow_types import EVERYWHERE, MODULE

MAX_ACTIONS = 250
MAX_CONTENT_CHARACTERS = 256_000
MARGIN_FOR_TOKENS = 56_000
"""Characters kept free for ARNs that are known only at deployment."""
MAX_IDENTIFIER_CHARACTERS = 50
MAX_LAMBDA_CHAIN_SECONDS = 20

_REFUSED_IN_IDENTIFIERS = re.compile(r"[%:(\\/)=$,;\[\]{}]")
_REFUSED_IDENTIFIERS = re.compile(
    "__proto__|constructor|__defineGetter__|__defineSetter__|toString|hasOwnProperty|isPrototypeOf"
    "|propertyIsEnumerable|toLocaleString|valueOf"
)
_OPERATORS = re.compile(
    "Equals|KeyExists|Text(StartsWith|EndsWith|Contains)|Number(Greater|Less)(Than|OrEqualTo)"
)


@dataclass(frozen=True, slots=True)
class Problem:
    """A difference between a flow and the rules.

    :param action: The block's identifier, ``""`` for the flow itself.
    :param source: The source of the rule.
    :param refuses: Whether Connect would refuse the flow because of it; else it is a note.
    """

    action: str
    rule: str
    source: str
    refuses: bool = True

    def __str__(self) -> str:
        name = repr(self.action)
        where = f"{name}: " if self.action and not self.rule.startswith(name) else ""
        return f"{where}{self.rule} [{self.source}]"


def check(content: Content, type: str, *, margin: int = 0) -> list[Problem]:
    """Every reason why Connect would refuse the flow; see `examine`."""
    return [problem for problem in examine(content, type, margin=margin) if problem.refuses]


def examine(content: Content, type: str, *, margin: int = 0) -> list[Problem]:
    """Every difference from the rules: what Connect would refuse, and notes.

    :param content: The result of `connect_flows.flow_content.parse`.
    :param type: A flow type of CloudFormation, such as ``AGENT_WHISPER``, or ``MODULE``.
    :param margin: Characters to keep free below the limit of the content's length.
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
    """The flow's action types that are not in the table, and that `check` does not check."""
    return sorted({str(action["Type"]) for action in content["Actions"]} - set(RULES))


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
        for refuses, rule in _against(RULES[kind], action, type):
            yield Problem(name, f"{kind} {rule}", source, refuses)


def _against(rule: Rule, action: Action, type: str) -> Iterator[tuple[bool, str]]:
    """Pairs: whether Connect refuses the difference, and its description."""
    transitions, parameters = action.get("Transitions") or {}, action.get("Parameters") or {}
    if type not in rule.flow_types:
        yield not rule.flow_types_noted, f"is not allowed in a flow of type {type}"
    errors = {str(error["ErrorType"]) for error in transitions.get("Errors") or ()}
    for missing in sorted(rule.errors - errors):
        yield True, f"must lead somewhere on the error {missing}"
    for missing in sorted(rule.listed_errors - errors):
        yield False, f"leads nowhere on the error {missing}"
    for error in sorted(errors - rule.errors - rule.listed_errors - rule.more_errors):
        refused = error in rule.refused_errors
        yield (
            refused,
            f"may not have the error {error!r}"
            if refused
            else (f"has the error {error!r}, which its page does not list"),
        )
    if rule.next_action == "required" and not transitions.get("NextAction"):
        yield True, "must have a NextAction"
    if rule.next_action == "none" and any(targets(action)):
        yield False, "leads on, although the flow ends there"
    conditions = [_condition(branch) for branch in transitions.get("Conditions") or ()]
    if conditions and not rule.conditions:
        yield True, "may not have conditions"
    for operator, operands in conditions:
        nested = any(isinstance(operand, dict) for operand in operands)
        if not (
            nested or _OPERATORS.fullmatch(operator)
        ):  # no page says how nested conditions are joined
            yield False, f"has a condition with the operator {operator!r}, which no page lists"
    for operand in rule.operands:
        if not any(operand in operands for _, operands in conditions):
            yield False, f"has no condition for {operand}"
    yield from ((True, each) for each in rule.refused_parameters(parameters))
    yield from ((False, each) for each in rule.parameters(parameters))


def _condition(branch: Mapping[str, Any]) -> tuple[str, list[Any]]:
    condition = branch.get("Condition")
    condition = condition if isinstance(condition, dict) else {}
    operands = condition.get("Operands")
    return str(condition.get("Operator")), operands if isinstance(operands, list) else []


def _lambda_chains(actions: Mapping[str, Action]) -> Iterator[Problem]:
    """Lambda blocks in a row may take 20 s together; a loop of them has no limit."""
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
            told |= reachable([name], lambdas)
            rule = (
                "a chain of Lambda blocks that begins here may take more than "
                f"{MAX_LAMBDA_CHAIN_SECONDS} s: put a prompt between them, or lower their limits"
            )
            yield Problem(name, rule, "AG connect-lambda-functions", refuses=False)


def _before_loop_prompts(actions: Mapping[str, Action], start: str) -> Iterator[Problem]:
    """Blocks after Loop prompts may lead back to it, as in Connect's own sample of a queue flow."""
    before = reachable([start], actions, until=LOOP_PROMPTS)
    for name, action in actions.items():
        if name in before and action["Type"] in NOT_BEFORE_LOOP_PROMPTS:
            for follower in sorted(reachable([name], actions, until=LOOP_PROMPTS)):
                if actions[follower]["Type"] == LOOP_PROMPTS:
                    rule = f"{action['Type']} may not come before Loop prompts ({follower!r})"
                    yield Problem(name, rule, "AG loop-prompts")


def _structure(content: Content) -> Iterator[Problem]:
    """The findings of connect-flow's lint: branches without a target, blocks never reached."""
    # Without the designer's metadata: grouped blocks may hide that a block is not reached.
    data = {**content, "Metadata": {"ActionMetadata": {}}}
    for finding in lint.check(connect_flow.Flow(raw_text="", data=data)):
        refuses = finding.kind in ("start_action_missing", "dangling_transition")
        source = f"connect-flow: {finding.kind}"
        if refuses:  # every connector must lead somewhere
            source += ", AG create-contact-flow"
        yield Problem(finding.identifier or "", finding.message, source, refuses)
