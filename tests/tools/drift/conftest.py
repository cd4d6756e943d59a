"""A fake AWS account with two deployed stacks, and the drift command against it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest

from tests.tools.doctor.fake_aws import ACCOUNT, BEGINNING, REGION, FakeAws, Json, Refusal, page
from tests.tools.doctor.fake_aws import Account as DoctorsAccount
from tools.doctor.aws import Aws
from tools.drift.report import report
from tools.drift.stacks import ACTIONS, Deployed

TABLE_ARN = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/autotranscribe-Table-1"
SECRET_ARN = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:webhook-AbCdEf"
QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:Queue-1"

TEMPLATE: Json = {
    "Resources": {
        "Table": {"Type": "AWS::DynamoDB::GlobalTable"},
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Secret": {"Type": "AWS::SecretsManager::Secret"},
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "ManagedPolicyArns": [
                    {
                        "Fn::Join": [
                            "",
                            ["arn:", {"Ref": "AWS::Partition"}, ":iam::aws:policy/AWSXRayDaemon"],
                        ]
                    }
                ],
                "Policies": [
                    {
                        "PolicyName": "Own",
                        "PolicyDocument": {
                            "Statement": [
                                {
                                    "Effect": "Allow",
                                    "Action": "sqs:SendMessage",
                                    "Resource": {"Fn::GetAtt": ["Queue", "Arn"]},
                                }
                            ]
                        },
                    }
                ],
            },
        },
        "Policy": {
            "Type": "AWS::IAM::Policy",
            "Properties": {
                "PolicyName": "Default",
                "Roles": [{"Ref": "Role"}],
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Action": ["dynamodb:GetItem", "dynamodb:Query"],
                            "Resource": [
                                {"Fn::GetAtt": ["Table", "Arn"]},
                                {
                                    "Fn::Join": [
                                        "",
                                        [{"Fn::GetAtt": ["Table", "Arn"]}, "/index/Reconcile"],
                                    ]
                                },
                                {"Fn::GetAtt": ["Table", "StreamArn"]},
                            ],
                        },
                        {
                            "Effect": "Allow",
                            "Action": "secretsmanager:GetSecretValue",
                            "Resource": [{"Ref": "Secret"}, {"Fn::ImportValue": "other:Secret"}],
                        },
                    ],
                },
            },
        },
        "Metadata": {"Type": "AWS::CDK::Metadata"},
    }
}
PHYSICAL_IDS = {
    "Table": "autotranscribe-Table-1",
    "Queue": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/Queue-1",
    "Secret": SECRET_ARN,
    "Role": "autotranscribe-Role-1",
    "Policy": "autot-Poli-1",
    "Metadata": "some-id",
}


def as_deployed() -> dict[str, Json]:
    """The inline policies of the role, as CloudFormation wrote them from the template."""
    return {
        "Own": {
            "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": QUEUE_ARN}]
        },
        "Default": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": ["dynamodb:GetItem", "dynamodb:Query"],
                    "Resource": [
                        TABLE_ARN,
                        f"{TABLE_ARN}/index/Reconcile",
                        f"{TABLE_ARN}/stream/2026-01-01T00:00:00.000",
                    ],
                },
                {
                    "Effect": "Allow",
                    "Action": "secretsmanager:GetSecretValue",
                    "Resource": [SECRET_ARN, f"{SECRET_ARN}x"],
                },
            ],
        },
    }


@dataclass
class Account(DoctorsAccount):
    """One in which nothing has drifted.

    :param drifts: What CloudFormation tells of a stack, but for those that are as deployed.
    :param polls: How often a detection is still running when it is asked for.
    """

    stack_names: list[str] = field(
        default_factory=lambda: [
            "autotranscribe-prod-access",
            "autotranscribe-prod-transcription",
            "autotranscribe-prod-eu-transcription",
            "somebody-elses",
        ]
    )
    template: Json = field(default_factory=lambda: json.loads(json.dumps(TEMPLATE)))
    policies: dict[str, Json] | None = field(default_factory=as_deployed)
    attached: list[str] = field(
        default_factory=lambda: ["arn:aws:iam::aws:policy/AWSXRayDaemon"],
    )
    drifts: dict[str, Json] = field(default_factory=dict)
    detection: Json = field(default_factory=lambda: {"DetectionStatus": "DETECTION_COMPLETE"})
    polls: int = 1

    def _DescribeStacks(self, request: Json) -> Json:
        stacks = [
            {
                "StackName": name,
                "CreationTime": BEGINNING,
                "StackStatus": "UPDATE_COMPLETE",
                "Outputs": [
                    {
                        "OutputKey": "E",
                        "OutputValue": f"{SECRET_ARN}x",
                        "ExportName": "other:Secret",
                    }
                ]
                if name.endswith("prod-access")
                else [],
            }
            for name in self.stack_names
        ]
        return page(request, "Stacks", stacks)

    def _DetectStackDrift(self, request: Json) -> Json:
        assert request["StackName"].startswith("autotranscribe-prod-")
        return {"StackDriftDetectionId": request["StackName"]}

    def _DescribeStackDriftDetectionStatus(self, request: Json) -> Json:
        self.polls -= 1
        running = {"DetectionStatus": "DETECTION_IN_PROGRESS"}
        status = running if self.polls >= 0 else self.detection
        detection = request["StackDriftDetectionId"]
        identity = {"StackId": detection, "StackDriftDetectionId": detection}
        return identity | {"Timestamp": BEGINNING} | status

    def _DescribeStackResourceDrifts(self, request: Json) -> Json:
        drifts = [
            {
                "StackId": request["StackName"],
                "LogicalResourceId": id,
                "PhysicalResourceId": PHYSICAL_IDS.get(id, id),
                "ResourceType": self.template["Resources"].get(id, {}).get("Type", "AWS::X::Y"),
                "StackResourceDriftStatus": "IN_SYNC",
                "Timestamp": BEGINNING,
                **self.drifts.get(id, {}),
            }
            for id in dict.fromkeys(["Table", "Queue", "Role", *self.drifts])
            if request["StackName"].endswith("-transcription")
        ]
        return page(request, "StackResourceDrifts", drifts)

    def _GetTemplate(self, request: Json) -> Json:
        whole = request["StackName"].endswith("-transcription")
        return {"TemplateBody": json.dumps(self.template if whole else {"Resources": {}})}

    def _ListStackResources(self, request: Json) -> Json:
        summaries = [
            {
                "LogicalResourceId": id,
                "PhysicalResourceId": PHYSICAL_IDS[id],
                "ResourceType": body["Type"],
                "LastUpdatedTimestamp": BEGINNING,
                "ResourceStatus": "CREATE_COMPLETE",
            }
            for id, body in self.template["Resources"].items()
            if request["StackName"].endswith("-transcription") and id in PHYSICAL_IDS
        ]
        return page(request, "StackResourceSummaries", summaries)

    def _require_role(self, request: Json) -> dict[str, Json]:
        if self.policies is None or request["RoleName"] != PHYSICAL_IDS["Role"]:
            raise Refusal("NoSuchEntity", "The role cannot be found.", 404)
        return self.policies

    def _ListRolePolicies(self, request: Json) -> Json:
        return _iam_page(request, "PolicyNames", list(self._require_role(request)))

    def _GetRolePolicy(self, request: Json) -> Json:
        document = self._require_role(request)[request["PolicyName"]]
        return {
            "RoleName": request["RoleName"],
            "PolicyName": request["PolicyName"],
            "PolicyDocument": quote(json.dumps(document)),
        }

    def _ListAttachedRolePolicies(self, request: Json) -> Json:
        self._require_role(request)
        policies = [
            {"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in self.attached
        ]
        return _iam_page(request, "AttachedPolicies", policies)


def _iam_page(request: Json, name: str, items: list[Any]) -> Json:
    """IAM's own way of paging."""
    place = int(request.get("Marker") or 0)
    more = place + 1 < len(items)
    cut = {"IsTruncated": more} | ({"Marker": str(place + 1)} if more else {})
    return {name: items[place : place + 1], **cut}


@dataclass(frozen=True)
class Run:
    """:param slept: The seconds that were waited between two questions."""

    code: int
    lines: list[str]
    slept: list[float]

    @property
    def drifted(self) -> list[str]:
        return self._begin_with("drift    ")

    @property
    def unknown(self) -> list[str]:
        return self._begin_with("unknown  ")

    def _begin_with(self, mark: str) -> list[str]:
        return [line.removeprefix(mark) for line in self.lines if line.startswith(mark)]


@pytest.fixture(scope="session")
def aws() -> Aws:
    """One for all tests, which saves them the time of reading what botocore knows."""
    return Aws(REGION, ACTIONS)


@pytest.fixture
def account(fake_aws: FakeAws) -> Iterator[Account]:
    """A test changes it."""
    found = Account()
    fake_aws.account = found
    yield found
    assert found.mistakes == []


Drift = Callable[[], Run]


@pytest.fixture
def drift(account: Account, aws: Aws, at_fake_aws: None) -> Drift:
    def run() -> Run:
        lines: list[str] = []
        slept: list[float] = []
        deployed = Deployed(aws, "prod", ACCOUNT, "acme", sleep=slept.append)
        return Run(report(deployed, lines.append), lines, slept)

    return run
