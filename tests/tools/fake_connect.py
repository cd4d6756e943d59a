"""A Connect instance behind a socket, in botocore's own protocol: it pages, and it throttles.

It answers what only reads, and refuses everything else, which a test then sees in `writes`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from tests.running_server import running as running_server
from tests.tools.doctor.fake_aws import (
    ACCOUNT,
    BEGINNING,
    INSTANCE,
    INSTANCE_ID,
    FakeAws,
    Refusal,
)

Json = dict[str, Any]

RATE_PER_SECOND, BURST = 2, 5


@dataclass
class Clock:
    """Goes on only if somebody sleeps."""

    time: float = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def arn_of(kind: str, id: str) -> str:
    """:param kind: As it stands in the ARN: ``contact-flow``, ``flow-module``, ``queue``."""
    return f"{INSTANCE}/{kind}/{id}"


@dataclass
class FakeFlow:
    """A flow or a module.

    :param type: As Connect names it; ``MODULE`` for a module.
    :param draft: What is saved and not published. Default: what is published.
    :param published: Whether it was ever published.
    """

    id: str
    name: str
    type: str
    content: Json
    draft: Json | None = None
    published: bool = True
    state: str = "ACTIVE"

    @property
    def arn(self) -> str:
        return arn_of("flow-module" if self.type == "MODULE" else "contact-flow", self.id)

    def described(self, saved: bool) -> Json:
        content = self.draft if saved and self.draft else self.content
        status = "SAVED" if not self.published or (saved and self.draft) else "PUBLISHED"
        found = {
            "Arn": self.arn,
            "Id": self.id,
            "Name": self.name,
            "State": self.state,
            "Status": status,
            "Content": json.dumps(content),
        }
        return found if self.type == "MODULE" else found | {"Type": self.type}


@dataclass
class FakeInstance:
    """What is in the instance.

    :param lists: The items of other lists, by operation: ``{"ListPrompts": ("…List", items)}``.
    :param outputs: Those of CloudFormation stacks, by the stack's name.
    :param page: How many items a page has at most.
    :param clock: If there is one, requests above Connect's rate are refused.
    :param refusals: Errors in place of an operation's answer, by its name.
    """

    flows: list[FakeFlow] = field(default_factory=list)
    queues: list[Json] = field(default_factory=list)
    quick_connects: list[Json] = field(default_factory=list)
    numbers: dict[str, str] = field(default_factory=dict)
    """The id of the flow, or "", by phone number."""
    functions: list[str] = field(default_factory=list)
    lists: dict[str, tuple[str, list[Any]]] = field(default_factory=dict)
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    page: int = 20
    clock: Clock | None = None
    refusals: dict[str, Refusal] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    """The operations that were answered, as botocore names them."""
    described: list[str] = field(default_factory=list)
    """What was described, by id; a draft with ``:$SAVED``."""
    throttled: int = 0
    writes: list[str] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)
    garbled: frozenset[str] = frozenset()
    tokens: float = BURST
    _filled: float = 0.0

    def answer(self, service: str, operation: str, request: Json) -> Json:
        if service == "connect":
            self._throttle()
        if not operation.startswith(("Describe", "List", "Search")):
            self.writes.append(operation)
            raise Refusal("AccessDeniedException", f"{operation} writes", 403)
        self.calls.append(operation)
        if operation in self.refusals:
            raise self.refusals[operation]
        if service == "connect" and request["InstanceId"] != INSTANCE_ID:
            raise Refusal("ResourceNotFoundException", "another instance", 404)
        if operation in self.lists:
            return self._page(request, *self.lists[operation])
        found: Json = getattr(self, f"_{operation}")(request)
        return found

    def _throttle(self) -> None:
        if self.clock is None:
            return
        now = self.clock.now()
        self.tokens = min(BURST, self.tokens + (now - self._filled) * RATE_PER_SECOND)
        self._filled = now
        if self.tokens < 1:
            self.throttled += 1
            raise Refusal("TooManyRequestsException", "Too Many Requests", 429)
        self.tokens -= 1

    def _page(self, request: Json, key: str, items: list[Any]) -> Json:
        place = int(request.get("NextToken") or 0)
        size = min(self.page, int(request.get("MaxResults") or self.page))
        more = {"NextToken": str(place + size)} if place + size < len(items) else {}
        return {key: items[place : place + size], **more}

    def _ListContactFlows(self, request: Json) -> Json:
        return self._page(
            request,
            "ContactFlowSummaryList",
            [
                {
                    "Id": each.id,
                    "Arn": each.arn,
                    "Name": each.name,
                    "ContactFlowType": each.type,
                    "ContactFlowState": each.state,
                    "ContactFlowStatus": "PUBLISHED" if each.published else "SAVED",
                }
                for each in self.flows
                if each.type != "MODULE"
            ],
        )

    def _ListContactFlowModules(self, request: Json) -> Json:
        return self._page(
            request,
            "ContactFlowModulesSummaryList",
            [
                {"Id": each.id, "Arn": each.arn, "Name": each.name, "State": each.state}
                for each in self.flows
                if each.type == "MODULE"
            ],
        )

    def _DescribeContactFlow(self, request: Json) -> Json:
        return {"ContactFlow": self._described(request["ContactFlowId"])}

    def _DescribeContactFlowModule(self, request: Json) -> Json:
        return {"ContactFlowModule": self._described(request["ContactFlowModuleId"])}

    def _described(self, asked: str) -> Json:
        name, _, alias = asked.rpartition("/")[2].partition(":")
        saved = alias == "$SAVED"
        if alias and not (saved and asked.startswith("arn:")):
            raise Refusal("InvalidParameterException", f"no version {asked}")
        flow = next((each for each in self.flows if each.id == name), None)
        if flow is None:
            raise Refusal("ResourceNotFoundException", name, 404)
        if not flow.published and not saved:
            raise Refusal("ContactFlowNotPublishedException", "", 404)
        self.described.append(name + (":$SAVED" if saved else ""))
        return flow.described(saved)

    def _SearchQueues(self, request: Json) -> Json:
        return self._page(request, "Queues", self.queues)

    def _SearchQuickConnects(self, request: Json) -> Json:
        return self._page(request, "QuickConnects", self.quick_connects)

    def _ListPhoneNumbersV2(self, request: Json) -> Json:
        numbers = [
            {
                "PhoneNumberId": number.strip("+"),
                "PhoneNumberArn": _number_arn(number),
                "PhoneNumber": number,
                "InstanceId": INSTANCE_ID,
            }
            for number in self.numbers
        ]
        return self._page(request, "ListPhoneNumbersSummaryList", numbers)

    def _ListFlowAssociations(self, request: Json) -> Json:
        assert request["ResourceType"] == "VOICE_PHONE_NUMBER"
        associations = [
            {
                "ResourceId": _number_arn(number),
                "FlowId": arn_of("contact-flow", flow),
                "ResourceType": "VOICE_PHONE_NUMBER",
            }
            for number, flow in self.numbers.items()
            if flow
        ]
        return self._page(request, "FlowAssociationSummaryList", associations)

    def _ListLambdaFunctions(self, request: Json) -> Json:
        return self._page(request, "LambdaFunctions", self.functions)

    def _DescribeStacks(self, request: Json) -> Json:
        name = request["StackName"]
        if name not in self.outputs:
            raise Refusal("ValidationError", f"Stack with id {name} does not exist")
        outputs = [
            {"OutputKey": key, "OutputValue": value} for key, value in self.outputs[name].items()
        ]
        stack = {"StackName": name, "StackStatus": "CREATE_COMPLETE", "Outputs": outputs}
        return {"Stacks": [stack | {"CreationTime": BEGINNING}]}


def _number_arn(number: str) -> str:
    region = INSTANCE.split(":")[3]
    return f"arn:aws:connect:{region}:{ACCOUNT}:phone-number/{number.strip('+')}"


@contextmanager
def running(instance: FakeInstance) -> Iterator[FakeAws]:
    """The instance at a URL; at the end nothing was written, and the fake made no mistake."""
    with running_server(FakeAws()) as server:
        server.account = cast(Any, instance)
        yield server
    assert (instance.writes, instance.mistakes) == ([], [])
