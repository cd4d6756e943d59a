"""A deployed environment in a fake AWS account."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connect_settings import Settings
from tests.tools.doctor.conftest import environment_file
from tests.tools.doctor.fake_aws import ACCOUNT, REGION, FakeAws, Json, Refusal, page
from tests.tools.doctor.fake_aws import Account as DoctorsAccount
from tools.doctor.aws import Aws as Client
from tools.drift.intrinsics import Values
from tools.verify.account import ACTIONS, GUIDE, Account, Stack

__all__ = ["environment_file"]  # a fixture

TRANSCRIPTION = "autotranscribe-prod-transcription"


@dataclass
class Aws(DoctorsAccount):
    """
    :param records: What came into each data stream: when, and how many.
    :param bus_policy: That of the event bus, if it has one.
    :param function_policies: The statements of each function that has a policy.
    :param rules: By bus and name, state and targets.
    :param subscriptions: The ARN of each subscription to a topic, or what stands in its place.
    """

    records: dict[str, list[tuple[datetime, float]]] = field(default_factory=dict)
    bus_policy: str | None = None
    function_policies: dict[str, list[Json]] = field(default_factory=dict)
    rules: dict[tuple[str, str], tuple[str, list[str]]] = field(default_factory=dict)
    subscriptions: dict[str, list[str]] = field(default_factory=dict)

    def _ListStreams(self, request: Json) -> Json:
        condition = request["StreamNameCondition"]
        assert condition["ComparisonOperator"] == "BEGINS_WITH"
        beginning = condition["ComparisonValue"]
        found = [name for name in self.video_streams if name.startswith(beginning)]
        return {"StreamInfoList": [{"StreamName": name} for name in found][: request["MaxResults"]]}

    def _GetMetricStatistics(self, request: Json) -> Json:
        assert (request["Namespace"], request["Statistics"]) == ("AWS/Kinesis", ["Sum"])
        assert request["MetricName"] == "IncomingRecords"
        ((name, stream),) = (tuple(each.values()) for each in request["Dimensions"])
        assert name == "StreamName"
        begins, ends = (
            datetime.fromtimestamp(request[each], UTC) for each in ("StartTime", "EndTime")
        )
        counts = [count for at, count in self.records.get(stream, []) if begins <= at < ends]
        points = [{"Timestamp": begins, "Sum": sum(counts), "Unit": "Count"}] if counts else []
        return {"Label": request["MetricName"], "Datapoints": points}

    def _ListSubscriptionsByTopic(self, request: Json) -> Json:
        common = {"Protocol": "email", "Endpoint": "ops@acme.example", "Owner": ACCOUNT}
        arns = self.subscriptions[request["TopicArn"]]
        items = [common | {"TopicArn": request["TopicArn"], "SubscriptionArn": it} for it in arns]
        return page(request, "Subscriptions", items)

    def _GetPolicy(self, request: Json) -> Json:
        if request["FunctionName"] not in self.function_policies:
            raise Refusal("ResourceNotFoundException", status=404)
        statements = self.function_policies[request["FunctionName"]]
        return {"Policy": json.dumps({"Version": "2012-10-17", "Statement": statements})}

    def _rule(self, bus: str, name: str) -> tuple[str, list[str]]:
        if (bus, name) not in self.rules:
            raise Refusal("ResourceNotFoundException")
        return self.rules[bus, name]

    def _DescribeRule(self, request: Json) -> Json:
        name, bus = request["Name"], request.get("EventBusName", "default")
        return {"Name": name, "EventBusName": bus, "State": self._rule(bus, name)[0]}

    def _ListTargetsByRule(self, request: Json) -> Json:
        _, arns = self._rule(request.get("EventBusName", "default"), request["Rule"])
        targets = [{"Id": f"Target{n}", "Arn": arn} for n, arn in enumerate(arns)]
        return {"Targets": targets} if targets else {}

    def _DescribeEventBus(self, request: Json) -> Json:
        policy = {"Policy": self.bus_policy} if self.bus_policy else {}
        return {"Name": request["Name"], **policy}


def stack_of(resources: dict[str, Json], ids: dict[str, str], outputs: dict[str, str]) -> Stack:
    return Stack(TRANSCRIPTION, resources, outputs, Values(ids, {}, ACCOUNT, REGION))


@pytest.fixture
def aws(fake_aws: FakeAws, at_fake_aws: None) -> Iterator[Aws]:
    """What is there; a test changes it."""
    found = Aws()
    fake_aws.account = found
    yield found
    assert found.mistakes == []


@pytest.fixture(scope="session")
def client() -> Client:
    """One for all tests, which saves them the time of reading what botocore knows."""
    return Client(REGION, ACTIONS, GUIDE)


@pytest.fixture
def deployed(environment_file: Callable[..., Path], client: Client) -> Callable[..., Account]:
    """Production, as it was deployed with some settings."""

    def made(stack: Stack | None = None, **changes: Any) -> Account:
        file = environment_file({key.replace("__", "."): value for key, value in changes.items()})
        account = Account(Settings.load(file), file.stem)
        account.aws = client
        vars(account)["stacks"] = {"transcription": stack or stack_of({}, {}, {})}
        return account

    return made
