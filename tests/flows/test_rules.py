"""The rules say what Connect refuses: every row of the table, every limit, every broken file."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import connect_flow.flow
import connect_flow.lint
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import connect_flows
from connect_flows.action_rules import RULES
from connect_flows.flow import Flow, FlowModule
from connect_flows.flow_content import NotAFlow, parse
from connect_flows.flow_types import FLOW_TYPES
from connect_flows.ready_made.disconnect import disconnect
from connect_flows.ready_made.hold_and_queue import customer_hold, customer_queue
from connect_flows.ready_made.modules import start_module, stop_module
from connect_flows.ready_made.transfers import agent_transfer, queue_transfer
from connect_flows.ready_made.whispers import agent_whisper, customer_whisper, outbound_whisper
from connect_flows.rules import Problem, check, unknown_types

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT.parent / "shared" / "data" / "flows"
START = "arn:aws:lambda:us-east-1:111122223333:function:start:live"

Json = dict[str, Any]

# Flows of as few blocks as show a rule.

LETTERS = {
    "I": "CONTACT_FLOW",
    "Q": "CUSTOMER_QUEUE",
    "CW": "CUSTOMER_WHISPER",
    "AW": "AGENT_WHISPER",
    "OW": "OUTBOUND_WHISPER",
    "CH": "CUSTOMER_HOLD",
    "AH": "AGENT_HOLD",
    "TA": "AGENT_TRANSFER",
    "TQ": "QUEUE_TRANSFER",
    "M": "MODULE",
}
EVERYWHERE = " ".join(LETTERS)
NO_HOLD = "I Q CW AW OW TA TQ M"
TALKING = "I Q TA TQ M"
ERRORS = (
    "NoMatchingError",
    "NoMatchingCondition",
    "QueueAtCapacity",
    "ChannelMismatch",
    "ParticipantNotFound",
    "InputTimeLimitExceeded",
)


@dataclass(frozen=True)
class Row:
    """What section 3 of our reference on Connect says of one action, written down once more.

    :param source: A part of the page's name, or who found it out.
    """

    where: str
    source: str
    errors: str = ""
    more_errors: str = ""
    next: str = "required"
    conditions: bool = False
    operands: str = ""

    @property
    def flow_types(self) -> set[str]:
        return {LETTERS[letter] for letter in self.where.split()}


TABLE = {
    "Compare": Row(EVERYWHERE, "API", "NoMatchingCondition", conditions=True),
    "DequeueContactAndTransferToQueue": Row(
        "Q M", "dequeuecontact", "", "NoMatchingError QueueAtCapacity", "optional"
    ),
    "DisconnectParticipant": Row(TALKING, "disconnectparticipant", next="none"),
    "EndFlowExecution": Row(EVERYWHERE, "endflowexecution", next="none"),
    "EndFlowModuleExecution": Row("M", "endflowmoduleexecution", next="none"),
    "InvokeFlowModule": Row(
        EVERYWHERE, "modules", "NoMatchingError", "NoMatchingCondition", conditions=True
    ),
    "InvokeLambdaFunction": Row(EVERYWHERE, "invokelambdafunction", "NoMatchingError"),
    "Loop": Row(
        EVERYWHERE,
        "flow-control-actions-loop",
        "",
        "NoMatchingError",
        conditions=True,
        operands="ContinueLooping DoneLooping",
    ),
    "MessageParticipant": Row(NO_HOLD, "messageparticipant", "", "NoMatchingError"),
    "MessageParticipantIteratively": Row(
        "Q CH AH M", "iteratively", "", "NoMatchingError", "optional", conditions=True
    ),
    "TagContact": Row(EVERYWHERE, "API", "NoMatchingError"),
    "TransferContactToAgent": Row("TA TQ M", "transfercontacttoagent", next="none"),
    "TransferContactToQueue": Row(
        "I TA TQ M", "API", "NoMatchingError QueueAtCapacity", next="optional"
    ),
    "TransferToFlow": Row("I TA TQ M", "transfertoflow", "", "NoMatchingError", "optional"),
    "UntagContact": Row(EVERYWHERE, "untagcontact", "", "NoMatchingError"),
    "UpdateContactAttributes": Row(EVERYWHERE, "updatecontactattributes", "NoMatchingError"),
    "UpdateContactEventHooks": Row(EVERYWHERE, "updatecontacteventhooks", "NoMatchingError"),
    "UpdateContactMediaStreamingBehavior": Row(NO_HOLD, "mediastreaming", "NoMatchingError"),
    "UpdateContactRecordingAndAnalyticsBehavior": Row(
        EVERYWHERE, "API", "ChannelMismatch NoMatchingError"
    ),
    "UpdateContactRecordingBehavior": Row("I Q OW TA TQ M", "API"),
    "UpdateContactTargetQueue": Row("I TA TQ M", "updatecontacttargetqueue", "NoMatchingError"),
    "UpdateFlowAttributes": Row(EVERYWHERE, "published", "", "NoMatchingError"),
    "UpdateFlowLoggingBehavior": Row(EVERYWHERE, "updateflowloggingbehavior"),
    "Wait": Row(
        "I Q M",
        "AG wait",
        "NoMatchingError",
        "ParticipantNotFound",
        "optional",
        conditions=True,
        operands="WaitCompleted",
    ),
}
every_action = pytest.mark.parametrize("kind", TABLE)

PARAMETERS: dict[str, Json] = {
    "Compare": {"ComparisonValue": "$.Attributes.tier"},
    "InvokeLambdaFunction": {"LambdaFunctionARN": START, "InvocationTimeLimitSeconds": "8"},
    "UpdateContactEventHooks": {"EventHooks": {"CustomerHold": "hold-flow"}},
    "UpdateContactMediaStreamingBehavior": {
        "MediaStreamingState": "Enabled",
        "MediaStreamType": "Audio",
        "Participants": [{"ParticipantType": "Customer", "MediaDirections": ["To", "From"]}],
    },
    "Wait": {"TimeLimitSeconds": "60"},
}


def action(name: str, kind: str, parameters: Json | None = None, **transitions: Any) -> Json:
    return {
        "Identifier": name,
        "Type": kind,
        "Parameters": PARAMETERS.get(kind, {}) if parameters is None else parameters,
        "Transitions": transitions,
    }


END = action("End", "EndFlowExecution")


def errors(*types: str, to: str = "End") -> list[Json]:
    return [{"NextAction": to, "ErrorType": type} for type in types]


def condition(*operands: Any, to: str = "End", operator: str = "Equals") -> Json:
    return {"NextAction": to, "Condition": {"Operator": operator, "Operands": list(operands)}}


def flow(*actions: Json, **more: Any) -> Json:
    """Content that begins with the first of these actions; fit for a module, too."""
    return {
        "Version": "2019-10-30",
        "StartAction": actions[0]["Identifier"] if actions else "",
        "Metadata": {"entryPointPosition": {"x": 0, "y": 0}, "ActionMetadata": {}},
        "Actions": list(actions),
        "Settings": {},
    } | more


def subject(kind: str, **changes: Any) -> Json:
    """One action of the kind, led on as the table says, in a flow of its own."""
    row = TABLE[kind]
    transitions: Json = {}
    if row.next != "none":
        transitions["NextAction"] = "End"
    if row.errors:
        transitions["Errors"] = errors(*row.errors.split())
    operands = row.operands.split() or (["gold"] if kind == "Compare" else [])
    if operands:
        transitions["Conditions"] = [condition(operand) for operand in operands]
    transitions |= changes
    one = action("Subject", kind, **{k: v for k, v in transitions.items() if v is not None})
    leads_on = any(transitions.get(each) for each in ("NextAction", "Errors", "Conditions"))
    return flow(one, *([END] if leads_on else []))


def somewhere(kind: str) -> str:
    """One flow type that takes the action."""
    return min(TABLE[kind].flow_types)


def rules(problems: list[Problem]) -> list[str]:
    return [f"{problem.action}: {problem.rule}" for problem in problems]


def lambda_(name: str, seconds: object = "8", to: str = "End", **more: Any) -> Json:
    """A Lambda block whose two ways lead to one other block."""
    parameters = {"LambdaFunctionARN": START, "InvocationTimeLimitSeconds": seconds} | more
    return action(
        name,
        "InvokeLambdaFunction",
        parameters,
        NextAction=to,
        Errors=errors("NoMatchingError", to=to),
    )


def say(name: str, to: str) -> Json:
    return action(name, "MessageParticipant", {"Text": "Hello"}, NextAction=to)


def loop_prompts(name: str = "Music", **transitions: Any) -> Json:
    parameters = {"Messages": [{"Text": "Please wait."}]}
    return action(name, "MessageParticipantIteratively", parameters, **transitions)


# The table.


def test_the_table_has_these_actions_and_no_other() -> None:
    assert set(RULES) == set(TABLE)


@pytest.mark.parametrize(("kind", "type"), list(product(TABLE, LETTERS.values())))
def test_an_action_is_taken_where_it_belongs_and_refused_elsewhere(kind: str, type: str) -> None:
    problems = check(subject(kind), type)
    if type in TABLE[kind].flow_types:
        assert problems == []
    else:
        assert rules(problems) == [f"Subject: {kind} is not allowed in a flow of type {type}"]
        assert TABLE[kind].source in problems[0].source
        assert str(problems[0]).startswith(f"'Subject': {kind} is not allowed")
        assert str(problems[0]).endswith(f" [{problems[0].source}]")


@pytest.mark.parametrize(
    ("kind", "error"), [(k, e) for k, row in TABLE.items() for e in row.errors.split()]
)
def test_each_error_that_the_api_wants_must_lead_somewhere(kind: str, error: str) -> None:
    others = [each for each in TABLE[kind].errors.split() if each != error]
    content = subject(kind, Errors=errors(*others))
    assert rules(check(content, somewhere(kind))) == [
        f"Subject: {kind} must lead somewhere on the error {error}"
    ]


@pytest.mark.parametrize(("kind", "error"), list(product(TABLE, ERRORS)))
def test_an_error_that_the_api_does_not_know_there_is_refused(kind: str, error: str) -> None:
    row = TABLE[kind]
    content = subject(kind, Errors=errors(*{*row.errors.split(), error}), NextAction=None)
    if row.next != "none":
        content["Actions"][0]["Transitions"]["NextAction"] = "End"
    expected = [f"Subject: {kind} may not have the error {error!r}"]
    if row.next == "none":
        expected.append(f"Subject: {kind} ends the flow and may not lead on")
    taken = error in f"{row.errors} {row.more_errors}".split()
    assert rules(check(content, somewhere(kind))) == ([] if taken else expected)


@every_action
@pytest.mark.parametrize("nothing", [None, ""])
def test_where_the_way_on_is_required_its_absence_is_refused(
    kind: str, nothing: str | None
) -> None:
    found = rules(check(subject(kind, NextAction=nothing), somewhere(kind)))
    required = TABLE[kind].next == "required"
    assert found == ([f"Subject: {kind} must have a NextAction"] if required else [])


@pytest.mark.parametrize("kind", [kind for kind, row in TABLE.items() if row.next == "none"])
def test_an_action_that_ends_the_flow_may_not_lead_on(kind: str) -> None:
    for transitions in ({"NextAction": "End"}, {"Conditions": [condition("x")]}):
        found = rules(check(flow(action("Subject", kind, **transitions), END), somewhere(kind)))
        assert f"Subject: {kind} ends the flow and may not lead on" in found


@every_action
def test_conditions_are_taken_where_the_api_supports_them(kind: str) -> None:
    row = TABLE[kind]
    if row.next == "none":
        return  # said above
    operands = row.operands.split() or ["MessagesInterrupted"]
    content = subject(kind, Conditions=[condition(operand) for operand in operands])
    assert rules(check(content, somewhere(kind))) == (
        [] if row.conditions else [f"Subject: {kind} may not have conditions"]
    )


@pytest.mark.parametrize(
    ("kind", "operand"), [(k, o) for k, row in TABLE.items() for o in row.operands.split()]
)
def test_a_condition_that_the_api_wants_must_be_there(kind: str, operand: str) -> None:
    others = [each for each in TABLE[kind].operands.split() if each != operand]
    content = subject(kind, Conditions=[condition(other) for other in others])
    assert rules(check(content, somewhere(kind))) == [
        f"Subject: {kind} must have a condition for {operand}"
    ]


@pytest.mark.parametrize(
    "operator",
    [
        "Equals",
        "TextStartsWith",
        "TextEndsWith",
        "TextContains",
        "NumberGreaterThan",
        "NumberGreaterOrEqualTo",
        "NumberLessThan",
        "NumberLessOrEqualTo",
    ],
)
def test_the_operators_of_the_flow_language_are_taken(operator: str) -> None:
    content = subject("Compare", Conditions=[condition("1", operator=operator)])
    assert check(content, "CONTACT_FLOW") == []


@pytest.mark.parametrize("operator", ["Contains", "NotEquals", "equals", "", None, ["Equals"], 1])
def test_no_other_operator_is_taken(operator: Any) -> None:
    content = subject("Compare", Conditions=[condition("1", operator=operator)])
    assert rules(check(content, "CONTACT_FLOW")) == [
        f"Subject: Compare has a condition with the operator {str(operator)!r}"
    ]


@pytest.mark.parametrize("broken", [None, "Equals", [], 1])
def test_a_condition_that_is_none_is_refused(broken: Any) -> None:
    content = subject("Compare", Conditions=[{"NextAction": "End", "Condition": broken}])
    assert rules(check(content, "CONTACT_FLOW")) == [
        "Subject: Compare has a condition with the operator 'None'"
    ]


def test_conditions_joined_by_an_operator_that_no_page_names_are_let_through() -> None:
    joined = condition(condition("a")["Condition"], condition("b")["Condition"], operator="OR")
    assert check(subject("Compare", Conditions=[joined]), "CONTACT_FLOW") == []


def test_a_compare_without_conditions_is_refused() -> None:
    problems = check(subject("Compare", Conditions=[]), "CONTACT_FLOW")
    assert [problem.source for problem in problems] == ["connect-flow: empty_conditions"]


# Parameters that the API refuses.


@pytest.mark.parametrize(
    ("kind", "parameters", "rule"),
    [
        ("Compare", {}, "needs a JSONPath as its ComparisonValue"),
        ("Compare", {"ComparisonValue": "gold"}, "needs a JSONPath as its ComparisonValue"),
        ("UpdateContactEventHooks", {}, "needs EventHooks"),
        ("UpdateContactEventHooks", {"EventHooks": 7}, "needs EventHooks"),
        (
            "UpdateContactEventHooks",
            {"EventHooks": {"OutboundWhisper": "x"}},
            "has no hook OutboundWhisper: set that flow on the queue",
        ),
        (
            "UpdateContactEventHooks",
            {"EventHooks": {}, "EventHooksConfiguration": {}},
            "may not have EventHooksConfiguration",
        ),
        ("InvokeLambdaFunction", {}, "needs a LambdaFunctionARN"),
        ("InvokeLambdaFunction", {"LambdaFunctionARN": ""}, "needs a LambdaFunctionARN"),
        ("InvokeLambdaFunction", {"LambdaFunctionARN": {}}, "needs a LambdaFunctionARN"),
        (
            "InvokeLambdaFunction",
            {"LambdaFunctionARN": START, "RequestAttributes": {}},
            "has RequestAttributes: write LambdaInvocationAttributes",
        ),
        (
            "InvokeLambdaFunction",
            {"LambdaFunctionARN": START, "ResponseValidation": {"ResponseType": "JSON_OBJECT"}},
            "has a ResponseType of 'JSON_OBJECT', not STRING_MAP or JSON",
        ),
        (
            "UpdateContactMediaStreamingBehavior",
            {},
            "needs a MediaStreamingState of Enabled or Disabled",
        ),
        (
            "UpdateContactMediaStreamingBehavior",
            {"MediaStreamingState": "Enabled", "MediaStreamType": "Video"},
            "streams Audio only",
        ),
        (
            "UpdateContactMediaStreamingBehavior",
            {"MediaStreamingState": "Enabled", "Participants": [{"ParticipantType": "Agent"}]},
            "streams the Customer only",
        ),
        (
            "UpdateContactMediaStreamingBehavior",
            {"MediaStreamingState": "Enabled", "Participants": "Customer"},
            "streams the Customer only",
        ),
        (
            "Wait",
            {"TimeoutSeconds": "60"},
            "needs TimeLimitSeconds (the developer guide's TimeoutSeconds is refused)",
        ),
    ],
)
def test_parameters_that_the_api_refuses(kind: str, parameters: Json, rule: str) -> None:
    content = subject(kind)
    content["Actions"][0]["Parameters"] = parameters
    assert rules(check(content, somewhere(kind))) == [f"Subject: {kind} {rule}"]


@pytest.mark.parametrize("arn", ["$.Attributes.function", "%FunctionArn%", "${Token[TOKEN.7]}"])
def test_a_function_known_only_later_is_let_through(arn: str) -> None:
    content = flow(lambda_("Invoke", LambdaFunctionARN=arn), END)
    assert check(content, "AGENT_HOLD") == []


@pytest.mark.parametrize(
    ("length", "taken"), [(140, True), (141, False)], ids=["140 characters", "141 characters"]
)
def test_a_functions_arn_has_at_most_140_characters(length: int, taken: bool) -> None:
    arn = START.ljust(length, "x")
    found = rules(check(flow(lambda_("Invoke", LambdaFunctionARN=arn), END), "AGENT_HOLD"))
    expected = "Invoke: InvokeLambdaFunction has an ARN of 141 characters, more than 140"
    assert found == ([] if taken else [expected])


def test_a_token_in_an_arn_is_not_counted() -> None:
    arn = "arn:${Token[AWS.Partition.1]}:lambda:us-east-1:111122223333:function:" + "x" * 80
    assert check(flow(lambda_("Invoke", LambdaFunctionARN=arn), END), "AGENT_HOLD") == []


@pytest.mark.parametrize("seconds", ["1", "8", 1, 8])
def test_a_lambda_block_may_wait_for_eight_seconds(seconds: object) -> None:
    assert check(flow(lambda_("Invoke", seconds), END), "AGENT_HOLD") == []


@pytest.mark.parametrize(
    "seconds", ["9", "0", 9, 0, -1, "", "8s", "²", None, 1.5, "$.Attributes.s"]
)
def test_a_lambda_block_may_not_wait_longer_or_for_no_number_of_seconds(seconds: object) -> None:
    assert rules(check(flow(lambda_("Invoke", seconds), END), "AGENT_HOLD")) == [
        f"Invoke: InvokeLambdaFunction has a time limit of {seconds!r}, not 1 to 8 seconds"
    ]


def test_a_function_that_the_flow_does_not_wait_for_may_take_longer() -> None:
    one = lambda_("One", "60", to="Two", InvocationType="ASYNCHRONOUS")
    two = lambda_("Two", "60", InvocationType="ASYNCHRONOUS")
    assert check(flow(one, two, END), "CONTACT_FLOW") == []


# Lambda blocks in a chain.

CHAIN = (
    "a chain of Lambda blocks that begins here may take more than 20 s: put a prompt between them, "
    "or lower their limits"
)


@pytest.mark.parametrize(
    ("limits", "taken"),
    [("884", True), ("885", False), ("8444", True), ("8445", False), ("1" * 20, True)],
)
def test_lambda_blocks_in_a_chain_have_20_seconds_together(limits: str, taken: bool) -> None:
    names = [f"Invoke {number}" for number in range(len(limits))]
    chain = [
        lambda_(name, seconds, to=to)
        for name, seconds, to in zip(names, limits, [*names[1:], "End"], strict=True)
    ]
    found = rules(check(flow(*chain, END), "CONTACT_FLOW"))
    assert found == ([] if taken else [f"Invoke 0: {CHAIN}"])


def test_a_prompt_begins_a_new_chain() -> None:
    blocks = [
        lambda_("One", to="Two"),
        lambda_("Two", to="Please wait"),
        say("Please wait", to="Three"),
        lambda_("Three", to="Four"),
        lambda_("Four"),
    ]
    assert check(flow(*blocks, END), "CONTACT_FLOW") == []
    blocks[1] = lambda_("Two", to="Three")
    blocks.pop(2)
    assert rules(check(flow(*blocks, END), "CONTACT_FLOW")) == [f"One: {CHAIN}"]


@pytest.mark.parametrize("branch", ["NextAction", "Errors"])
def test_a_chain_goes_on_along_either_branch(branch: str) -> None:
    names = ["One", "Two", "Three"]
    blocks = [lambda_(name) for name in names]
    for block, following in zip(blocks, names[1:], strict=False):
        if branch == "NextAction":
            block["Transitions"]["NextAction"] = following
        else:
            block["Transitions"]["Errors"] = errors("NoMatchingError", to=following)
    assert rules(check(flow(*blocks, END), "CONTACT_FLOW")) == [f"One: {CHAIN}"]


def test_a_lambda_block_that_leads_back_to_itself_has_no_limit() -> None:
    retry = lambda_("Retry", "1")
    retry["Transitions"]["Errors"] = errors("NoMatchingError", to="Retry")
    assert rules(check(flow(retry, END), "CONTACT_FLOW")) == [f"Retry: {CHAIN}"]


def test_a_circle_of_lambda_blocks_is_told_once_and_so_is_another_chain() -> None:
    blocks = [
        action("Which", "UpdateFlowLoggingBehavior", NextAction="A"),
        lambda_("A", "2", to="B"),
        lambda_("B", "2", to="A"),
    ]
    assert rules(check(flow(*blocks), "CONTACT_FLOW")) == [f"A: {CHAIN}"]
    blocks[0] = action("Which", "MessageParticipant", NextAction="A", Errors=errors(ERRORS[0]))
    blocks[0]["Transitions"]["Errors"][0]["NextAction"] = "X"
    blocks += [lambda_("X", to="Y"), lambda_("Y", to="Z"), lambda_("Z")]
    found = rules(check(flow(*blocks, END), "CONTACT_FLOW"))
    assert sorted(found) == [f"A: {CHAIN}", f"X: {CHAIN}"]


def test_a_circle_with_a_prompt_in_it_is_no_chain() -> None:
    blocks = [lambda_("Ask", to="Wait"), say("Wait", to="Ask")]
    assert check(flow(*blocks), "CONTACT_FLOW") == []


def test_a_long_and_branching_chain_is_judged_at_once() -> None:
    """Every path by itself would be more than there are atoms."""
    names = [f"Invoke {number}" for number in range(600)]
    blocks = [lambda_(name, "1") for name in names]
    for number, block in enumerate(blocks[:-2]):
        block["Transitions"]["NextAction"] = names[number + 1]
        block["Transitions"]["Errors"] = errors("NoMatchingError", to=names[number + 2])
    blocks[-2]["Transitions"]["NextAction"] = names[-1]
    found = rules(check(flow(*blocks, END), "CONTACT_FLOW"))
    assert found == [": it has 601 actions, not 1 to 250", f"Invoke 0: {CHAIN}"]


# What may not come before Loop prompts.

FORBIDDEN = {
    "DequeueContactAndTransferToQueue": "CUSTOMER_QUEUE",
    "GetParticipantInput": "CUSTOMER_QUEUE",
    "Loop": "CUSTOMER_HOLD",
    "MessageParticipant": "CUSTOMER_QUEUE",
    "TransferContactToQueue": "MODULE",
    "TransferParticipantToThirdParty": "CUSTOMER_QUEUE",
    "UpdateContactMediaStreamingBehavior": "CUSTOMER_QUEUE",
}


def before_music(kind: str, to: str = "Music") -> Json:
    row = TABLE.get(kind, Row("", ""))
    transitions: Json = {"NextAction": to, "Errors": errors(*row.errors.split(), to=to)}
    if row.operands:
        transitions["Conditions"] = [condition(each, to=to) for each in row.operands.split()]
    return action("Subject", kind, **transitions)


@pytest.mark.parametrize(("kind", "type"), FORBIDDEN.items())
def test_these_may_not_come_before_loop_prompts(kind: str, type: str) -> None:
    rule = f"Subject: {kind} may not come before Loop prompts ('Music')"
    assert rules(check(flow(before_music(kind), loop_prompts()), type)) == [rule]
    earlier = [
        action("First", "UpdateFlowLoggingBehavior", NextAction="Subject"),
        before_music(kind, to="Then"),
        action("Then", "UpdateFlowLoggingBehavior", NextAction="Invoke"),
        lambda_("Invoke", to="Music"),
        loop_prompts(),
    ]
    assert rules(check(flow(*earlier), type)) == [rule]


@pytest.mark.parametrize("type", ["CUSTOMER_QUEUE", "CUSTOMER_HOLD", "AGENT_HOLD", "MODULE"])
def test_a_lambda_block_may_come_before_loop_prompts_and_they_may_end_the_flow(type: str) -> None:
    assert check(flow(lambda_("Invoke", to="Music"), loop_prompts()), type) == []


def test_an_error_branch_counts_as_a_way_to_loop_prompts() -> None:
    hello = say("Hello", to="End")
    hello["Transitions"]["Errors"] = errors("NoMatchingError", to="Music")
    assert rules(check(flow(hello, loop_prompts(), END), "CUSTOMER_QUEUE")) == [
        "Hello: MessageParticipant may not come before Loop prompts ('Music')"
    ]


def test_what_comes_behind_loop_prompts_may_lead_back_to_them() -> None:
    """As in Connect's *Sample interruptible queue flow with callback*."""
    interrupted = condition("MessagesInterrupted", to="Hello")
    music = loop_prompts(NextAction="End", Conditions=[interrupted])
    assert check(flow(music, say("Hello", to="Music"), END), "CUSTOMER_QUEUE") == []


def test_each_of_several_loop_prompts_is_told() -> None:
    hello = say("Hello", to="Music")
    hello["Transitions"]["Errors"] = errors("NoMatchingError", to="More music")
    found = rules(check(flow(hello, loop_prompts(), loop_prompts("More music")), "CUSTOMER_QUEUE"))
    assert found == [
        "Hello: MessageParticipant may not come before Loop prompts ('More music')",
        "Hello: MessageParticipant may not come before Loop prompts ('Music')",
    ]


# Limits.


@pytest.mark.parametrize(("count", "taken"), [(1, True), (250, True), (251, False), (0, False)])
def test_a_flow_has_up_to_250_actions(count: int, taken: bool) -> None:
    """One ends it, the others lead to each other."""
    names = [f"Log {number}" for number in range(count - 1)]
    blocks = [
        action(name, "UpdateFlowLoggingBehavior", NextAction=to)
        for name, to in zip(names, [*names[1:], "End"], strict=False)
    ]
    found = rules(check(flow(*blocks, *([END] if count else [])), "AGENT_WHISPER"))
    assert (found == []) is taken
    assert taken or found[0] == f": it has {count} actions, not 1 to 250"


def named(name: str) -> list[str]:
    """What is said of a flow with one block, of this name."""
    return rules(check(flow(action(name, "EndFlowExecution")), "AGENT_WHISPER"))


@pytest.mark.parametrize(
    "name", ["E", "é" * 50, "Größe & Farbe 中文 'x' \"y\"!?*+-_.@#^|~<>", "__proto"]
)
def test_an_identifier_is_one_to_fifty_characters_of_any_script(name: str) -> None:
    assert named(name) == []


@pytest.mark.parametrize("name", ["", "x" * 51])
def test_an_identifier_is_no_longer_and_not_empty(name: str) -> None:
    assert named(name) == [f"{name}: the identifier has {len(name)} characters, not 1 to 50"]


@pytest.mark.parametrize("character", "%:(\\/)=$,;[]{}")
def test_an_identifier_holds_none_of_these_characters(character: str) -> None:
    name = f"Say{character}it"
    assert named(name) == [f"{name}: the identifier holds one of % : ( \\ / ) = $ , ; [ ] {{ }}"]


@pytest.mark.parametrize(
    "word",
    [
        "__proto__",
        "constructor",
        "__defineGetter__",
        "__defineSetter__",
        "toString",
        "hasOwnProperty",
        "isPrototypeOf",
        "propertyIsEnumerable",
        "toLocaleString",
        "valueOf",
    ],
)
def test_an_identifier_is_none_of_these_words(word: str) -> None:
    assert named(word) == [f"{word}: no action may have this identifier"]
    assert named(f"{word} 2") == []


def test_identifiers_are_unique() -> None:
    assert rules(check(flow(END, END, END), "AGENT_WHISPER")) == [
        "End: 3 actions have this identifier"
    ]


@pytest.mark.parametrize(
    ("length", "margin", "taken"),
    [
        (256_000, 0, True),
        (256_001, 0, False),
        (200_000, 56_000, True),
        (200_001, 56_000, False),
    ],
)
def test_content_has_at_most_256000_characters_less_a_margin(
    length: int, margin: int, taken: bool
) -> None:
    content = flow(END, Description="")
    content["Description"] = "ü" * (
        length - len(json.dumps(content, separators=(",", ":"), ensure_ascii=False))
    )
    rule = f": it is {length} characters long, more than {256_000 - margin}: move a part of it into"
    found = rules(check(content, "AGENT_WHISPER", margin=margin))
    assert found == ([] if taken else [f"{rule} a module"])


@pytest.mark.parametrize("version", ["2020-01-01", "", None, 20191030])
def test_there_is_one_version(version: object) -> None:
    expected = [': Version is not "2019-10-30"']
    assert rules(check(flow(END, Version=version), "AGENT_WHISPER")) == expected


@pytest.mark.parametrize("given", [None, "", []])
def test_a_module_needs_settings_and_a_flow_does_not(given: object) -> None:
    content = flow(action("Return", "EndFlowModuleExecution"), Settings=given)
    assert rules(check(content, "MODULE")) == [
        ": a module's content needs Settings at its top level"
    ]
    del content["Settings"]
    assert len(check(content, "MODULE")) == 1
    without = flow(END)
    del without["Settings"]
    assert check(without, "AGENT_WHISPER") == []


def test_a_type_that_is_none_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match=r"no flow type 'WHISPER'; write one of AGENT_HOLD, AGENT"):
        check(flow(END), "WHISPER")


# Structure.


def test_a_way_that_leads_nowhere_is_told_with_its_block() -> None:
    hello = say("Hello", to="Nowhere")
    hello["Transitions"]["Errors"] = errors("NoMatchingError", to="Lost")
    (first, second) = check(flow(hello), "AGENT_WHISPER")
    assert str(first) == (
        "'Hello' transitions to 'Nowhere', which does not exist [connect-flow: dangling_transition]"
    )
    assert (first.action, second.action) == ("Hello", "Hello")


def test_a_start_that_is_not_there_and_a_block_that_nothing_leads_to_are_told() -> None:
    (problem,) = check(flow(END, StartAction="Begin"), "AGENT_WHISPER")
    assert problem.source == "connect-flow: start_action_missing"
    (problem,) = check(flow(END, action("Other", "EndFlowExecution")), "AGENT_WHISPER")
    assert (problem.action, problem.source) == ("Other", "connect-flow: unreachable")


def test_blocks_that_are_drawn_as_one_are_judged_one_by_one() -> None:
    """Or a compound block would be reached as a whole wherever one part of it is."""
    drawn = {"ActionMetadata": {"Start": {"children": ["Start", "Lost"]}, "Lost": {}}}
    content = flow(
        action("Start", "EndFlowExecution"), action("Lost", "EndFlowExecution"), Metadata=drawn
    )
    (problem,) = check(content, "AGENT_WHISPER")
    assert (problem.action, problem.source) == ("Lost", "connect-flow: unreachable")


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        [],
        "x",
        {"ActionMetadata": None},
        {"ActionMetadata": {"End": None}},
        {"ActionMetadata": {"End": {"children": [[1], None, "x"]}}},
    ],
)
def test_metadata_are_free(metadata: object) -> None:
    assert check(flow(END, Metadata=metadata), "AGENT_WHISPER") == []


def test_every_problem_is_told_at_once_and_each_one_once() -> None:
    content = flow(
        action("a:b", "UpdateContactAttributes", NextAction="Nowhere"),
        action("a:b", "UpdateContactAttributes", NextAction="Nowhere"),
        Version="1",
    )
    assert [(problem.action, problem.source) for problem in check(content, "MODULE")] == [
        ("", "DG flow-language-example"),
        ("a:b", "DG flow-language-actions"),
        ("a:b", "DG flow-language-actions"),
        ("a:b", "DG contact-actions-updatecontactattributes"),
        ("a:b", "connect-flow: dangling_transition"),
    ]


def test_an_action_that_the_table_does_not_have_is_said_to_be_unchecked() -> None:
    content = flow(
        action("Ask", "GetParticipantInput", {}, NextAction="Mail", Errors=errors("Anything")),
        action("Mail", "StartOutboundEmailContact", {}, NextAction="End"),
        END,
    )
    assert check(content, "AGENT_HOLD") == []
    assert unknown_types(content) == ["GetParticipantInput", "StartOutboundEmailContact"]
    assert unknown_types(flow(END)) == []


# Flows that are fine: ours, and those that others published.

IDS: Any = {"customer_id_path": "$.CustomerEndpoint.Address", "agent_id_path": "$.Agent.UserName"}
READY_MADE: dict[str, Flow | FlowModule] = {
    each.name: each
    for each in (
        start_module(start_function_arn=START, customer_id_path=IDS["customer_id_path"]),
        stop_module(stop_function_arn=START),
        agent_whisper(start_function_arn=START, **IDS),
        customer_whisper(start_function_arn=START, **IDS),
        outbound_whisper(start_function_arn=START, **IDS),
        customer_hold(stop_function_arn=START),
        customer_queue(stop_function_arn=START),
        disconnect(stop_function_arn=START),
        agent_transfer(stop_function_arn=START),
        queue_transfer(stop_function_arn=START),
    )
}


@pytest.mark.parametrize("name", READY_MADE)
def test_what_we_make_passes(name: str) -> None:
    made = READY_MADE[name]
    content = made.content()
    assert check(content, made.type if isinstance(made, Flow) else "MODULE", margin=56_000) == []
    assert unknown_types(content) == []
    assert connect_flow.lint.check(connect_flow.flow.parse(made.to_json())) == []


def published(name: str) -> str:
    if not PUBLISHED.is_dir():
        pytest.skip(f"the published flows are not there: {PUBLISHED}")
    return (PUBLISHED / name).read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "takers"),
    [
        ("agent-whisper-connect-samples.json", "I Q AW CW OW TA TQ"),
        ("customer-queue-connect-samples.json", "Q CH AH"),
        ("module-asapp-generativeagent.json", "M"),
    ],
)
def test_what_others_published_passes_where_its_blocks_are_allowed(name: str, takers: str) -> None:
    content = parse(published(name))
    assert unknown_types(content) == []
    taken = {letter for letter, type in LETTERS.items() if not check(content, type)}
    assert taken == set(takers.split())


# Text that is no flow.

NO_FLOWS = {
    "nothing": ("", "it is empty"),
    "blanks": (" \n\t", "it is empty"),
    "words": ("Hello", "it is not JSON: Expecting value: line 1"),
    "half a flow": (json.dumps(flow(END))[:-20], "it is not JSON: "),
    "two flows": (json.dumps(flow(END)) * 2, "it is not JSON: Extra data"),
    "a number that is none": (json.dumps(flow(END, x=float("nan"))), "it is not JSON: "),
    "half a character": (json.dumps(flow(END, x="\ud83d")), "it is not JSON: "),
    "a number of 5000 digits": ("1" * 5_000, "it is not JSON: "),
    "a deep well": ("[" * 100_000, "it is not JSON: "),
    "a list": ("[]", "it is not a flow: a flow is a JSON object"),
    "null": ("null", "it is not a flow: a flow is a JSON object"),
    "a flow in a string": (json.dumps(json.dumps(flow(END))), "it is a JSON string: .*--output"),
    "an object": ("{}", "it is not a flow: it has no StartAction"),
    "a package": ('{"name": "x", "version": "1"}', "it is not a flow: it has no StartAction"),
    "a start that is no name": (json.dumps(flow(END, StartAction=1)), "it has no StartAction"),
    "no actions": (json.dumps(flow(END, Actions={})), "it has no list of Actions"),
    "an answer for a flow": (
        json.dumps({"ContactFlow": {"Content": "{}"}}),
        "the answer of DescribeContactFlow: take ContactFlow.Content",
    ),
    "an answer for a module": (
        json.dumps({"ContactFlowModule": {"Content": "{}"}}),
        "the answer of DescribeContactFlowModule: take ContactFlowModule.Content",
    ),
    "the legacy format": (
        json.dumps({"modules": [], "version": "1", "start": "x"}),
        "legacy format .*: import it in the flow designer, save it, and export it again",
    ),
}


@pytest.mark.parametrize("name", NO_FLOWS)
def test_text_that_is_no_flow_is_told_from_one_and_what_to_do(name: str) -> None:
    text, message = NO_FLOWS[name]
    with pytest.raises(NotAFlow, match=message) as refused:
        parse(text)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        "End",
        {},
        {"Identifier": "End"},
        {"Identifier": 1, "Type": "EndFlowExecution"},
        {"Identifier": "End", "Type": ["EndFlowExecution"]},
        END | {"Parameters": ["x"]},
        END | {"Transitions": "x"},
        END | {"Transitions": {"NextAction": 1}},
        END | {"Transitions": {"Errors": {"a": 1}}},
        END | {"Transitions": {"Errors": [None]}},
        END | {"Transitions": {"Errors": [{"ErrorType": "NoMatchingError"}]}},
        END | {"Transitions": {"Errors": [{"NextAction": "End"}]}},
        END | {"Transitions": {"Errors": [{"NextAction": None, "ErrorType": "x"}]}},
        END | {"Transitions": {"Conditions": 1}},
        END | {"Transitions": {"Conditions": [{"Condition": {}}]}},
    ],
)
def test_an_action_that_is_none_is_told_by_its_number(broken: object) -> None:
    with pytest.raises(NotAFlow, match=r"its Actions\[1\] is not an action"):
        parse(json.dumps(flow(END, Actions=[END, broken])))


def test_parameters_and_transitions_may_be_absent_or_null() -> None:
    for nothing in ({}, {"Parameters": None, "Transitions": None}):
        content = flow({"Identifier": "End", "Type": "EndFlowExecution"} | nothing)
        assert check(parse(json.dumps(content)), "AGENT_WHISPER") == []
    nulls = {"NextAction": None, "Errors": None, "Conditions": None}
    assert (
        check(parse(json.dumps(flow(action("End", "EndFlowExecution", **nulls)))), "AGENT_HOLD")
        == []
    )


def test_the_published_file_in_the_legacy_format_is_recognised() -> None:
    with pytest.raises(NotAFlow, match="legacy format"):
        parse(published("legacy-format-realtime-transcription.json"))


KEYS = [
    "Version",
    "StartAction",
    "Actions",
    "Metadata",
    "ActionMetadata",
    "Identifier",
    "Type",
    "Parameters",
    "Transitions",
    "NextAction",
    "Errors",
    "ErrorType",
    "Conditions",
    "Condition",
    "Operator",
    "Operands",
    "children",
    "Settings",
    "ContactFlow",
    "modules",
    "LambdaFunctionARN",
    "InvocationTimeLimitSeconds",
    "ResponseValidation",
    "EventHooks",
    "Participants",
]
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
words = st.sampled_from([*RULES, *KEYS, "End", "Enabled", "$.External.x"])
anything = st.recursive(
    scalars | words,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=25,
)


@st.composite
def nearly_flows(draw: st.DrawFn) -> Json:
    """A flow in which something, or something more, is anything."""
    kinds = draw(st.lists(st.sampled_from(sorted(TABLE)), min_size=1, max_size=4))
    subjects = [subject(kind)["Actions"][0] for kind in kinds]
    content: Json = json.loads(json.dumps(flow(*subjects, END)))
    for _ in range(draw(st.integers(1, 3))):
        place: Any = content
        while isinstance(place, dict | list) and place:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = draw(st.sampled_from(keys))
            if draw(st.booleans()) or not isinstance(place[key], dict | list) or not place[key]:
                place[key] = draw(anything)
                break
            place = place[key]
    return content


def judge(text: str) -> None:
    try:
        content = parse(text)
    except NotAFlow as refused:
        assert "\n" not in str(refused)
        return
    assert unknown_types(content) == sorted(unknown_types(content))
    for type in sorted(FLOW_TYPES | {"MODULE"}):
        for problem in check(content, type):
            assert problem.rule
            assert problem.source
            assert "\n" not in str(problem)


@settings(max_examples=150, deadline=None)
@given(st.text() | anything.map(json.dumps) | nearly_flows().map(json.dumps))
def test_whatever_the_text_is_it_is_judged_and_nothing_else_is_raised(text: str) -> None:
    judge(text)


# The command.


def command(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options.pop("python", ()), "-m", "connect_flows"]
        + [str(argument) for argument in arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        cwd=ROOT,
        **options,
    )


def file(folder: Path, content: object, name: str = "flow.json") -> Path:
    path = folder / name
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, "utf-8")
    return path


def test_the_command_says_that_a_flow_is_fine(tmp_path: Path) -> None:
    path = file(tmp_path, READY_MADE["Transcription agent whisper"].to_json())
    ran = command("check", path, "--type", "AGENT_WHISPER")
    assert (ran.returncode, ran.stdout) == (0, "")
    assert ran.stderr == f"{path}: nothing that Connect would refuse\n"


def test_the_command_says_what_it_has_not_checked(tmp_path: Path) -> None:
    path = file(tmp_path, flow(action("Ask", "GetParticipantInput", NextAction="End"), END))
    ran = command("check", path, "--type", "CONTACT_FLOW")
    assert (ran.returncode, ran.stdout) == (0, "")
    assert ran.stderr == (
        f"{path}: nothing that Connect would refuse, but no rule is known for "
        "'GetParticipantInput'\n"
    )


def a_long_flow() -> Json:
    names = [f"Log {number}" for number in range(299)]
    blocks = [
        action(name, "UpdateFlowLoggingBehavior", NextAction=to)
        for name, to in zip(names, [*names[1:], "End"], strict=True)
    ]
    return flow(*blocks, END)


REFUSED: dict[str, tuple[object, str]] = {
    "legacy": ({"modules": []}, "it is in the legacy format (modules, branches), which the API"),
    "dangling": (flow(say("Hello", to="Nowhere")), "'Hello' transitions to 'Nowhere', which does"),
    "forbidden": (
        flow(loop_prompts()),
        "'Music': MessageParticipantIteratively is not allowed in a flow of type AGENT_WHISPER [",
    ),
    "300 actions": (a_long_flow(), "it has 300 actions, not 1 to 250 [DG flow-language-example]"),
    "broken": ('{"Version": ', "it is not JSON: Expecting value: line 1 column 13"),
    "empty": ("", "it is empty: export the flow again"),
    "list": ("[]", "it is not a flow: a flow is a JSON object"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("verb", ["check", "weave"])
def test_the_command_refuses_in_one_line_with_exit_code_2(
    verb: str, name: str, tmp_path: Path
) -> None:
    content, message = REFUSED[name]
    path = file(tmp_path, content)
    weaving = ["--start", START] if verb == "weave" else []
    ran = command(verb, path, "--type", "AGENT_WHISPER", *weaving)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"{path}: {message}")
    assert ran.stderr.count("\n") == 1


def test_the_command_refuses_what_it_cannot_read(tmp_path: Path) -> None:
    binary = tmp_path / "binary.json"
    binary.write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe\x00")
    for path, message in (
        (tmp_path, "it cannot be read: Is a directory"),
        (tmp_path / "missing.json", "it cannot be read: No such file or directory"),
        (binary, "it is not a text file in UTF-8"),
    ):
        ran = command("check", path, "--type", "AGENT_WHISPER")
        assert (ran.returncode, ran.stdout) == (2, "")
        assert ran.stderr == f"{path}: {message}\n"


def test_the_command_tells_every_problem_on_a_line_of_its_own(tmp_path: Path) -> None:
    path = file(tmp_path, flow(action("a:\nb", "Compare", {}, NextAction="c")))
    ran = command("check", path, "--type", "CUSTOMER_HOLD")
    assert ran.returncode == 2
    lines = ran.stderr.splitlines()
    assert len(lines) == 5
    assert all(line.startswith(f"{path}: 'a:\\nb'") and line.endswith("]") for line in lines)


def test_the_command_reads_a_file_that_begins_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "flow.json"
    path.write_text(json.dumps(flow(action("Ende für heute", "EndFlowExecution"))), "utf-8-sig")
    assert command("check", path, "--type", "AGENT_WHISPER").returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [[], ["check"], ["check", "x.json"], ["check", "x.json", "--type", "WHISPER"], ["mend", "x"]],
)
def test_the_command_says_how_it_is_called(arguments: list[str]) -> None:
    ran = command(*arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("usage: python -m connect_flows")


def test_no_module_of_the_flow_language_loads_cdk_or_jsii() -> None:
    package = Path(connect_flows.__path__[0])
    modules = [
        ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted(package.rglob("*.py"))
    ]
    assert {"connect_flows.weave", "connect_flows.__main__"} < set(modules)
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", f"import {', '.join(modules)}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    imported = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()}
    assert set(modules) <= imported
    assert not {
        each for each in imported if each.split(".")[0] in ("aws_cdk", "jsii", "constructs")
    }
