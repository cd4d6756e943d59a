"""Reads all that the audit needs of an instance into a folder, and goes on where it was stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tools.connect_reader import SECONDS_BETWEEN_REQUESTS, ConnectReader

LISTS: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "flows": ("list_contact_flows", "ContactFlowSummaryList", {"MaxResults": 1000}),
    "modules": ("list_contact_flow_modules", "ContactFlowModulesSummaryList", {"MaxResults": 1000}),
    "queues": ("search_queues", "Queues", {"MaxResults": 500}),
    "quick-connects": ("search_quick_connects", "QuickConnects", {"MaxResults": 100}),
    "phone-numbers": (
        "list_phone_numbers_v2",
        "ListPhoneNumbersSummaryList",
        {"MaxResults": 1000},
    ),
    "flow-associations": (
        "list_flow_associations",
        "FlowAssociationSummaryList",
        {"ResourceType": "VOICE_PHONE_NUMBER", "MaxResults": 1000},
    ),
    "functions": ("list_lambda_functions", "LambdaFunctions", {"MaxResults": 25}),
}
"""By the name of the file: the operation, where a page has its items, and the request."""
OPERATIONS = (
    *(operation for operation, _, _ in LISTS.values()),
    "describe_contact_flow",
    "describe_contact_flow_module",
)
"""Every operation of Connect that the audit uses. All of them only read."""

_ABSENT = ("ContactFlowNotPublishedException", "ResourceNotFoundException")
_STEP = 10

Tell = Callable[[str], None]


class Kept:
    """A folder of answers, one a file; a file is there whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, name: str, ask: Callable[[], Any]) -> Any:
        """What is kept under a name; or the answer, which then is kept."""
        file = self.folder / f"{name}.json"
        if not file.is_file():
            answer = ask()
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            written = file.with_suffix(".part")
            written.write_text(json.dumps(answer, default=str, ensure_ascii=False), "utf-8")
            os.replace(written, file)
        return json.loads(file.read_text("utf-8"))

    def has(self, name: str) -> bool:
        return (self.folder / f"{name}.json").is_file()


def read_instance(reader: ConnectReader, kept: Kept, tell: Tell) -> None:
    """Read what is not kept yet.

    :param tell: Told how far it is.
    :raises tools.doctor.findings.NotSeen: if Connect does not answer; what was read is kept.
    """
    lists: dict[str, list[Any]] = {}
    for name, (operation, key, request) in LISTS.items():
        if not kept.has(name):
            tell(f"reading {name.replace('-', ' ')}")
        lists[name] = kept.get(name, lambda: {key: reader.pages(operation, key, **request)})[key]  # noqa: B023
    ahead = list(_to_describe(lists))
    missing = [each for each in ahead if not kept.has(each[0])]
    for number, (name, operation, parameter, value) in enumerate(missing):
        if number % _STEP == 0:
            done = len(ahead) - len(missing) + number
            seconds = round((len(missing) - number) * SECONDS_BETWEEN_REQUESTS)
            tell(f"reading flows: {done} of {len(ahead)}, {seconds} s to go")
        kept.get(name, lambda: _described(reader, name, operation, {parameter: value}))  # noqa: B023


def _to_describe(lists: Mapping[str, list[Any]]) -> Iterator[tuple[str, str, str, str]]:
    """What is published and what is saved: Connect tells the one or the other."""
    for summary in lists["flows"]:
        if summary.get("ContactFlowState") != "ARCHIVED":
            yield from _both("flow", "describe_contact_flow", "ContactFlowId", summary)
    for summary in lists["modules"]:
        if summary.get("State") != "ARCHIVED":
            operation = "describe_contact_flow_module"
            yield from _both("module", operation, "ContactFlowModuleId", summary)


def _both(
    kind: str, operation: str, parameter: str, summary: Mapping[str, Any]
) -> Iterator[tuple[str, str, str, str]]:
    name = f"{kind}/{quote(summary['Id'], safe='')}"
    yield name, operation, parameter, summary["Id"]
    yield f"{name}.saved", operation, parameter, f"{summary['Arn']}:$SAVED"


def _described(
    reader: ConnectReader, name: str, operation: str, request: dict[str, str]
) -> dict[str, Any]:
    answer = reader.read(operation, _ABSENT, **request)
    if answer is None:  # never published, or deleted since it was listed
        return {"absent": request}
    found = {key: value for key, value in answer.items() if key != "ResponseMetadata"}
    if name.endswith(".saved"):
        for each in found.values():
            each["Status"] = "SAVED"
    return found
