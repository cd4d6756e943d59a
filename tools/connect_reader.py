"""Reads one Connect instance: read-only, slowly enough for a live one, and patient.

Connect's API takes two requests a second for a whole account and region, so a program that reads
faster takes them from the agents' desktops and from other deployments.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from tools.doctor.aws import Aws

SECONDS_BETWEEN_REQUESTS = 0.5
SECONDS_AFTER_A_THROTTLE = (1, 2, 4, 8, 16)
"""The pauses before each further try; somebody else may use the same two requests a second."""

_READS = ("describe_", "list_", "search_")
_THROTTLED = frozenset({"ThrottlingException", "TooManyRequestsException", "Throttling"})
# This reader itself tries again, so that no request escapes its pace.
_ONE_TRY = Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 1})


def actions(*operations: str) -> dict[tuple[str, str], str]:
    """What IAM must allow for these operations of Connect, as `tools.doctor.aws.Aws` takes it.

    :param operations: As boto3 names them: ``list_contact_flows``.
    :raises ValueError: if one of them does more than read.
    """
    if writes := [each for each in operations if not each.startswith(_READS)]:
        raise ValueError(f"{', '.join(writes)}: a reader only describes, lists and searches")
    return {
        ("connect", each): f"connect:{''.join(map(str.title, each.split('_')))}"
        for each in operations
    }


class ConnectReader:
    """One instance, by the credentials that boto3 finds.

    :param instance_arn: The Connect instance, whole ARN.
    :param operations: The only operations that can be called; they read.
    :param guide: Where the policy is that allows them.
    :param profile: A profile of the AWS command line. Default: the one that boto3 finds.
    :param sleep: Waits.
    :param now: The time in seconds, which only grows.
    :ivar requests: How many requests were sent.

    .. code-block:: python

        reader = ConnectReader(arn, ["search_queues", "describe_contact_flow"], guide="docs/…")
        queues = reader.pages("search_queues", "Queues")
        flow = reader.read("describe_contact_flow", ContactFlowId=flow_id)
    """

    def __init__(
        self,
        instance_arn: str,
        operations: Iterable[str],
        *,
        guide: str,
        profile: str | None = None,
        sleep: Callable[[float], object] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.instance_arn = instance_arn
        self.requests = 0
        region = instance_arn.split(":")[3]
        self._instance_id = instance_arn.rpartition("/")[2]
        self._aws = _Paced(region, actions(*operations), guide, config=_ONE_TRY, profile=profile)
        self._aws.before = self._wait
        self._aws.pause = sleep
        self._sleep, self._now = sleep, now
        self._not_before = now()

    def read(
        self, operation: str, absent: tuple[str, ...] = (), **request: Any
    ) -> dict[str, Any] | None:
        """One answer, or None if Connect answers with an error code of `absent`.

        :param request: Without the instance's id.
        :raises tools.doctor.findings.NotSeen: if Connect does not answer; it says what to do.
        """
        whole = {"InstanceId": self._instance_id, **request}
        return self._aws.read("connect", operation, absent, **whole)

    def pages(self, operation: str, key: str, **request: Any) -> list[Any]:
        """The items of all pages; otherwise like :meth:`read`.

        :param key: Where a page has them.
        """
        items: list[Any] = []
        while True:
            answer = self.read(operation, **request) or {}
            items += answer.get(key, [])
            if not answer.get("NextToken"):
                return items
            request["NextToken"] = answer["NextToken"]

    def _wait(self) -> None:
        early = self._not_before - self._now()
        if early > 0:
            self._sleep(early)
        self._not_before = max(self._not_before, self._now()) + SECONDS_BETWEEN_REQUESTS
        self.requests += 1


class _Paced(Aws):
    """Every try of every request waits for its turn."""

    before: Callable[[], None]
    pause: Callable[[float], object]

    def _ask(
        self,
        service: str,
        operation: str,
        absent: tuple[str, ...],
        ask: Callable[[Any], dict[str, Any]],
    ) -> dict[str, Any] | None:
        def patiently(client: Any) -> dict[str, Any]:
            for seconds in SECONDS_AFTER_A_THROTTLE:
                self.before()
                try:
                    return ask(client)
                except ClientError as error:
                    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
                    if error.response["Error"]["Code"] not in _THROTTLED and status < 500:
                        raise
                except (ConnectionError, HTTPClientError):
                    pass
                self.pause(seconds)
            self.before()
            return ask(client)

        return super()._ask(service, operation, absent, patiently)
