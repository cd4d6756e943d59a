"""What a Connect instance has, by kind and name: read-only, two requests a second."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from connect_flows.references import REGION_OF_CALL, Reference
from tools.connect_reader import ConnectReader
from tools.doctor.aws import Aws

GUIDE = "docs/flows.md"
_LISTS: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "flow": ("list_contact_flows", "ContactFlowSummaryList", {"MaxResults": 1000}),
    "module": ("list_contact_flow_modules", "ContactFlowModulesSummaryList", {"MaxResults": 1000}),
    "queue": ("list_queues", "QueueSummaryList", {"QueueTypes": ["STANDARD"], "MaxResults": 1000}),
    "prompt": ("list_prompts", "PromptSummaryList", {"MaxResults": 1000}),
    "hours of operation": (
        "list_hours_of_operations",
        "HoursOfOperationSummaryList",
        {"MaxResults": 1000},
    ),
    "Lambda function": ("list_lambda_functions", "LambdaFunctions", {"MaxResults": 25}),
    "Lex bot": ("list_bots", "LexBots", {"LexVersion": "V2", "MaxResults": 25}),
}
KINDS = frozenset(_LISTS)
"""What has a name by which it can be found in another instance."""
OPERATIONS = tuple(operation for operation, _, _ in _LISTS.values())
BOTS = {
    ("lexv2-models", "describe_bot"): "lex:DescribeBot",
    ("lexv2-models", "describe_bot_alias"): "lex:DescribeBotAlias",
}
IDENTITY = {("sts", "get_caller_identity"): "sts:GetCallerIdentity"}


@dataclass(frozen=True, slots=True)
class Thing:
    """:param type: The type of a flow; else empty."""

    arn: str
    name: str
    type: str = ""


class Instance:
    """One instance, by one profile's credentials.

    :param environment: Its name; messages say it.
    :param account: The number of the account in which it must be.
    :param tell: Told what is read.
    """

    def __init__(
        self,
        environment: str,
        arn: str,
        account: str,
        *,
        profile: str | None,
        tell: Callable[[str], None],
        sleep: Callable[[float], object],
        now: Callable[[], float],
    ) -> None:
        self.environment, self.arn = environment, arn
        self._account, self._profile, self._tell = account, profile, tell
        self.reader = ConnectReader(
            arn, OPERATIONS, guide=GUIDE, profile=profile, sleep=sleep, now=now
        )
        self._found: dict[str, list[Thing]] = {}

    @property
    def region(self) -> str:
        return self.arn.split(":")[3]

    def check_account(self) -> str | None:
        """What is wrong with the credentials, if they are of another account."""
        caller = self._aws(IDENTITY).read("sts", "get_caller_identity") or {}
        if caller["Account"] == self._account:
            return None
        return (
            f"{self.environment}: the credentials are of account {caller['Account']}, not of "
            f"{self._account}: name a profile of the AWS command line, FROM_PROFILE=… or "
            "TO_PROFILE=…"
        )

    def all(self, kind: str) -> list[Thing]:
        """Everything of a kind."""
        if kind not in self._found:
            self._tell(f"{self.environment}: reading each {kind}")
            operation, key, request = _LISTS[kind]
            items = self.reader.pages(operation, key, **request)
            self._found[kind] = list(self._things(kind, items))
        return self._found[kind]

    def named(self, reference: Reference) -> Thing | None:
        """What a block names, with its name; None if the instance does not have it."""
        if reference.kind not in KINDS:
            return None
        arn = reference.without_version[0].replace(REGION_OF_CALL, self.region)
        if reference.kind == "Lambda function":
            return Thing(arn, _function_name(arn))
        if reference.kind == "Lex bot":
            return self._bot(arn)
        return next((each for each in self.all(reference.kind) if _is(each.arn, arn)), None)

    def _things(self, kind: str, items: list[Any]) -> Iterator[Thing]:
        for each in items:
            if kind == "Lambda function":
                yield Thing(each, _function_name(each))
            elif kind == "Lex bot":
                if bot := self._bot(each["LexV2Bot"]["AliasArn"]):
                    yield bot
            else:
                yield Thing(each["Arn"], each.get("Name", ""), each.get("ContactFlowType", ""))

    def _bot(self, arn: str) -> Thing | None:
        """A bot's alias; Connect lists them by ARN, and Lex knows the names."""
        found = re.fullmatch(".*:bot-alias/([A-Z0-9]+)/([A-Z0-9]+)", arn)
        if found is None:
            return None
        absent, (bot_id, alias_id) = ("ResourceNotFoundException",), found.groups()
        bot = self._lex.read("lexv2-models", "describe_bot", absent, botId=bot_id)
        alias = self._lex.read(
            "lexv2-models", "describe_bot_alias", absent, botId=bot_id, botAliasId=alias_id
        )
        return Thing(arn, f"{bot['botName']}:{alias['botAliasName']}") if bot and alias else None

    @cached_property
    def _lex(self) -> Aws:
        return self._aws(BOTS)

    def _aws(self, actions: Mapping[tuple[str, str], str]) -> Aws:
        return Aws(self.region, actions, GUIDE, profile=self._profile)


def _is(arn: str, given: str) -> bool:
    """Whether an ARN, or a bare id, is that of the thing."""
    return arn == given or arn.rpartition("/")[2] == given


def _function_name(arn: str) -> str:
    """With its alias or version."""
    return arn.partition(":function:")[2]
