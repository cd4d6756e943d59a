"""Reads an instance from a folder of files.

Each file is JSON, in any folder below, and has any name. It is one of:

* a flow, as the flow designer exports it;
* an answer of the AWS command line: ``describe-contact-flow``, ``describe-contact-flow-module``,
  ``search-queues``, ``search-quick-connects``, ``list-phone-numbers-v2``,
  ``list-flow-associations``, ``list-lambda-functions``.

``make audit`` keeps these answers in such a folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from connect_flows.audit.instance import (
    AuditedFlow,
    Instance,
    Number,
    Queue,
    QuickConnect,
    instance_arn,
    last_of,
)
from connect_flows.flow_content import Content, NotAFlow, parse
from connect_flows.flow_types import FLOW_TYPES, INBOUND, MODULE

_EXPORTED = {kind.lower().replace("_", ""): kind for kind in FLOW_TYPES} | {
    "contactflow": INBOUND,
    "flow": INBOUND,
    "module": MODULE,
}
"""The flow designer's words for types, without case and underscores."""
_DESCRIBED = ("ContactFlow", "ContactFlowModule")
_LISTS = (
    "Queues",
    "QuickConnects",
    "ListPhoneNumbersSummaryList",
    "FlowAssociationSummaryList",
    "LambdaFunctions",
)


class CannotAudit(ValueError):
    """The folder cannot be audited. The message says why, and what to do."""


@dataclass
class _Folder:
    flows: dict[str, AuditedFlow] = field(default_factory=dict)
    lists: dict[str, list[Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    arn: str = ""


def read_folder(
    folder: Path, *, start: str = "", stop: str = "", lifecycle: bool = False
) -> Instance:
    """
    :param start: The ARN of the alias that starts transcription. Default: by the functions' names.
    :param stop: The ARN of the alias that stops it. Default: by the functions' names.
    :param lifecycle: Whether events start and stop transcription, too.
    :raises CannotAudit: if there is no flow in it.
    """
    if not folder.is_dir():
        raise CannotAudit(f"{folder} is no folder: give a folder of exported flows")
    read = _Folder()
    for file in sorted(folder.rglob("*.json")):
        if file.is_file():
            _read(file, read)
    if not read.flows:
        raise CannotAudit(f"{folder} has no flow: put exported flows (*.json) into it")
    lists = read.lists
    flow_of = {
        last_of(str(each.get("ResourceId"))): last_of(str(each.get("FlowId")))
        for each in lists.get("FlowAssociationSummaryList", ())
    }
    numbers = [
        Number(id, str(each.get("PhoneNumber")), flow_of.get(id) or "")
        for each in lists.get("ListPhoneNumbersSummaryList", ())
        for id in (last_of(str(each.get("PhoneNumberArn") or each.get("PhoneNumberId"))),)
    ]
    functions = lists.get("LambdaFunctions")
    return Instance(
        flows=read.flows,
        numbers=tuple(sorted(numbers, key=lambda each: each.number)),
        quick_connects=tuple(
            QuickConnect(
                str(each.get("QuickConnectId")),
                str(each.get("Name")),
                each.get("QuickConnectConfig") or {},
            )
            for each in lists.get("QuickConnects", ())
        ),
        queues=tuple(
            Queue(
                str(each.get("QueueId")),
                str(each.get("Name")),
                each.get("OutboundCallerConfig") or {},
            )
            for each in lists.get("Queues", ())
        ),
        functions=None if functions is None else frozenset(map(str, functions)),
        arn=read.arn,
        start=start,
        stop=stop,
        lifecycle=lifecycle,
        notes=tuple(read.notes),
    )


def _read(file: Path, into: _Folder) -> None:
    try:
        text = file.read_text("utf-8-sig")
        found = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        into.notes.append(f"{file.name} is not read: {error}")
        return
    if not isinstance(found, dict):
        into.notes.append(f"{file.name} is not read: it is no JSON object")
        return
    for kind in _DESCRIBED:
        if isinstance(found.get(kind), dict):
            _describe(found[kind], MODULE if kind.endswith("Module") else "", into)
            return
    lists = [key for key in _LISTS if isinstance(found.get(key), list)]
    for key in lists:
        into.lists.setdefault(key, []).extend(found[key])
        for each in found[key]:
            if isinstance(each, dict):
                arn = each.get("QueueArn") or each.get("QuickConnectARN")
                into.arn = into.arn or instance_arn(arn)
    if not lists and ("Actions" in found or "modules" in found):
        _export(file, text, found, into)


def _describe(described: Mapping[str, Any], type: str, into: _Folder) -> None:
    """An answer of Describe…: what is published, or what is saved."""
    id = last_of(str(described.get("Id") or described.get("Arn")))
    type = type or str(described.get("Type") or INBOUND)
    flow = into.flows.get(id) or AuditedFlow(
        id, str(described.get("Name") or id), type, None, unread="it was never published"
    )
    into.arn = into.arn or instance_arn(described.get("Arn"))
    content, problem = _parse(str(described.get("Content") or ""))
    if problem:
        into.notes.append(f"{flow.name!r} is not read: {problem}")
    if described.get("Status") == "SAVED":
        flow = replace(flow, draft=content)
    else:
        flow = replace(flow, content=content, unread=problem and f"it is not read: {problem}")
    into.flows[id] = flow


def _export(file: Path, text: str, found: Mapping[str, Any], into: _Folder) -> None:
    metadata = found.get("Metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    name = str(metadata.get("name") or file.stem)
    said = str(metadata.get("type") or "").lower().replace("_", "")
    content, problem = _parse(text)
    if problem:
        into.notes.append(f"{file.name} is not read: {problem}")
        return
    if said not in _EXPORTED:
        guessed = MODULE if "Settings" in found else INBOUND
        into.notes.append(f"{file.name} does not say its type: it is taken for {guessed}")
    else:
        guessed = _EXPORTED[said]
    into.flows[name] = AuditedFlow(name, name, guessed, content)


def _parse(text: str) -> tuple[Content | None, str]:
    try:
        return parse(text), ""
    except NotAFlow as problem:
        return None, str(problem)
