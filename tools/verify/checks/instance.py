"""Connect's own part: our flows and modules as they are published, and who names them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from tools.connect_reader import ConnectReader
from tools.doctor.findings import Finding, Findings, problem, warning, well
from tools.verify.account import GUIDE, Account, Stack, Unresolved

Json = dict[str, Any]
OPERATIONS = (
    "describe_contact_flow",
    "describe_contact_flow_module",
    "list_flow_associations",
    "list_lambda_functions",
    "search_queues",
    "search_quick_connects",
)
"""Every operation of Connect that is used; all of them only read."""
_ABSENT = ("ContactFlowNotPublishedException", "ResourceNotFoundException")
_KINDS: dict[str, tuple[str, str, str]] = {
    "AWS::Connect::ContactFlow": ("describe_contact_flow", "ContactFlowId", "ContactFlow"),
    "AWS::Connect::ContactFlowModule": (
        "describe_contact_flow_module",
        "ContactFlowModuleId",
        "ContactFlowModule",
    ),
}


def instance(account: Account) -> Findings:
    if account.is_emulator and "AWS_ENDPOINT_URL_CONNECT" not in os.environ:
        yield Finding("skipped", "the sandbox has no Amazon Connect")
        return
    if "flows" not in account.stacks:
        yield warning("the flows stack is not deployed", "no flow of ours calls the functions")
        return
    reader = ConnectReader(account.settings.connect.instance_arn, OPERATIONS, guide=GUIDE)
    yield from look(reader, account.stacks["flows"])


def look(reader: ConnectReader, stack: Stack) -> Findings:
    """Compare what the instance has with the template of the flows stack."""
    ours: dict[str, str] = {}
    for kind, (operation, parameter, key) in _KINDS.items():
        for id, properties, arn in stack.each(kind):
            ours[arn.rpartition("/")[2]] = id
            answer = reader.read(operation, _ABSENT, **{parameter: arn.rpartition("/")[2]})
            yield from _compared(id, properties, answer and answer[key], stack)
    yield well(f"{len(ours)} flows and modules compared with the template")
    yield from _associated(reader, stack)
    yield from _named(reader, ours)


def _compared(id: str, properties: Json, found: Json | None, stack: Stack) -> Iterator[Finding]:
    again = "deploy again; if the change is wanted, make it in the code"
    if found is None:
        yield problem(f"{id}: the flow is deleted, or not published", again)
        return
    if found.get("State", "ACTIVE") != "ACTIVE":
        yield problem(f"{id}: {found['Name']} is {found['State']}", again)
    if found.get("Status", "PUBLISHED") != "PUBLISHED":
        yield problem(f"{id}: {found['Name']} is not published", again)
    try:
        expected = json.loads(stack.text(properties["Content"]))
    except Unresolved as unresolved:
        yield warning(f"{id} could not be compared: {unresolved}", "compare it in the designer")
        return
    was, there = _meaning(expected), _meaning(json.loads(found["Content"]))
    if was != there:
        blocks = sorted(key for key in {*was, *there} if was.get(key) != there.get(key))
        yield problem(f"{id}: {found['Name']} was changed at {', '.join(blocks)}", again)


def _meaning(content: Json) -> Json:
    """What a flow does: not where its blocks are drawn, nor in which order they are written."""
    blocks = {
        each["Identifier"]: {
            "Type": each["Type"],
            "Parameters": each.get("Parameters", {}),
            "NextAction": each.get("Transitions", {}).get("NextAction"),
            "Conditions": each.get("Transitions", {}).get("Conditions") or [],
            "Errors": sorted(
                each.get("Transitions", {}).get("Errors") or [], key=lambda it: str(it["ErrorType"])
            ),
        }
        for each in content.get("Actions", [])
    }
    return {"its start": content.get("StartAction"), **blocks}


def _associated(reader: ConnectReader, stack: Stack) -> Findings:
    there = set(reader.pages("list_lambda_functions", "LambdaFunctions", MaxResults=25))
    for id, properties, _ in stack.each("AWS::Connect::IntegrationAssociation"):
        if properties.get("IntegrationType") != "LAMBDA_FUNCTION":
            continue
        try:
            arn = stack.text(properties["IntegrationArn"])
        except Unresolved as unresolved:
            yield warning(f"{id} could not be compared: {unresolved}", "see the instance's flows")
            continue
        if arn in there:
            yield well(f"the instance may invoke {arn.rpartition(':function:')[2]}")
        else:
            yield problem(f"{id}: {arn} is not associated with the instance", "deploy again")


def _named(reader: ConnectReader, ours: dict[str, str]) -> Findings:
    """Queues, quick connects and phone numbers that name our flows."""
    named: dict[str, list[str]] = {id: [] for id in ours.values()}

    def note(flow: Any, what: str) -> None:
        if id := ours.get(str(flow or "").rpartition("/")[2]):
            named[id].append(what)

    for queue in reader.pages("search_queues", "Queues", MaxResults=500):
        note(queue.get("OutboundCallerConfig", {}).get("OutboundFlowId"), f"queue {queue['Name']}")
    for each in reader.pages("search_quick_connects", "QuickConnects", MaxResults=100):
        config = each.get("QuickConnectConfig", {})
        for part in ("QueueConfig", "UserConfig"):
            note(config.get(part, {}).get("ContactFlowId"), f"quick connect {each['Name']}")
    numbers = reader.pages(
        "list_flow_associations",
        "FlowAssociationSummaryList",
        ResourceType="VOICE_PHONE_NUMBER",
        MaxResults=1000,
    )
    for each in numbers:
        note(each["FlowId"], f"number {each['ResourceId'].rpartition('/')[2]}")
    for id, by in sorted(named.items()):
        if by:
            yield well(f"{id} is named by {', '.join(by)}")
    if not any(named.values()):
        yield warning(
            "no queue, quick connect or number names a flow of ours",
            "flows may set them; `make audit` follows a call's way through them",
        )
