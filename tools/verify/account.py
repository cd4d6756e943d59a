"""What was deployed, by the stacks' own templates and outputs, and every call to AWS."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from connect_settings import Settings
from tools.doctor.aws import Aws
from tools.doctor.findings import CannotGoOn, problem
from tools.drift.intrinsics import Unresolved, Values

Json = dict[str, Any]

READS = {
    ("cloudformation", "describe_stacks"): "cloudformation:DescribeStacks",
    ("cloudformation", "get_template"): "cloudformation:GetTemplate",
    ("cloudformation", "list_stack_resources"): "cloudformation:ListStackResources",
    ("cloudwatch", "describe_alarms"): "cloudwatch:DescribeAlarms",
    ("cloudwatch", "get_metric_statistics"): "cloudwatch:GetMetricStatistics",
    ("dynamodb", "get_resource_policy"): "dynamodb:GetResourcePolicy",
    ("dynamodb", "query"): "dynamodb:Query",
    ("events", "describe_event_bus"): "events:DescribeEventBus",
    ("events", "describe_rule"): "events:DescribeRule",
    ("events", "list_targets_by_rule"): "events:ListTargetsByRule",
    ("iam", "simulate_principal_policy"): "iam:SimulatePrincipalPolicy",
    ("kinesisvideo", "list_streams"): "kinesisvideo:ListStreams",
    ("lambda", "get_alias"): "lambda:GetAlias",
    ("lambda", "get_event_source_mapping"): "lambda:GetEventSourceMapping",
    ("lambda", "get_policy"): "lambda:GetPolicy",
    ("lambda", "list_versions_by_function"): "lambda:ListVersionsByFunction",
    ("logs", "describe_log_groups"): "logs:DescribeLogGroups",
    ("s3", "get_bucket_policy"): "s3:GetBucketPolicy",
    ("scheduler", "get_schedule"): "scheduler:GetSchedule",
    ("secretsmanager", "describe_secret"): "secretsmanager:DescribeSecret",
    ("secretsmanager", "get_resource_policy"): "secretsmanager:GetResourcePolicy",
    ("secretsmanager", "get_secret_value"): "secretsmanager:GetSecretValue",
    ("sns", "get_topic_attributes"): "sns:GetTopicAttributes",
    ("sns", "list_subscriptions_by_topic"): "sns:ListSubscriptionsByTopic",
    ("sqs", "get_queue_attributes"): "sqs:GetQueueAttributes",
    ("sqs", "list_queue_tags"): "sqs:ListQueueTags",
    ("sqs", "list_queues"): "sqs:ListQueues",
    ("ssm", "get_parameter"): "ssm:GetParameter",
    ("sts", "get_caller_identity"): "sts:GetCallerIdentity",
}
"""What only reads, and what IAM must allow for it."""
WRITES = {
    ("dynamodb", "delete_item"): "dynamodb:DeleteItem",
    ("events", "delete_rule"): "events:DeleteRule",
    ("events", "put_rule"): "events:PutRule",
    ("events", "put_targets"): "events:PutTargets",
    ("events", "remove_targets"): "events:RemoveTargets",
    ("events", "tag_resource"): "events:TagResource",
    ("lambda", "invoke"): "lambda:InvokeFunction",
    ("sqs", "create_queue"): "sqs:CreateQueue",
    ("sqs", "delete_message"): "sqs:DeleteMessage",
    ("sqs", "delete_queue"): "sqs:DeleteQueue",
    ("sqs", "receive_message"): "sqs:ReceiveMessage",
    ("sqs", "tag_queue"): "sqs:TagQueue",
}
"""For the marked conversation, and for the rule and queue that listen to the bus."""
ACTIONS = READS | WRITES
GUIDE = "docs/verify.md"
EMULATOR = "000000000000"
_AWS = (".amazonaws.com", ".amazoncognito.com")


@dataclass(frozen=True)
class Stack:
    """One deployed stack.

    :param resources: Of its template, by logical id.
    """

    name: str
    resources: dict[str, Json]
    outputs: dict[str, str]
    values: Values

    def each(self, kind: str) -> Iterator[tuple[str, Json, str]]:
        """Logical id, properties and physical id of the resources of a CloudFormation type. The
        physical id is "" if CloudFormation has made none."""
        for id, body in self.resources.items():
            if body["Type"] == kind:
                yield id, body.get("Properties", {}), self.values.physical_ids.get(id, "")

    def first(self, kind: str, beginning: str = "") -> str:
        """The physical id of the first resource of a type, "" if there is none."""
        found = (it for id, _, it in self.each(kind) if id.startswith(beginning))
        return next(found, "")

    def text(self, value: Any) -> str:
        """A value of the template as CloudFormation made it. An ARN of what has another physical
        id is made from that.

        :raises Unresolved: If it is not known.
        """
        match value:
            case str():
                return value
            case {"Fn::Join": [str() as between, list() as parts]}:
                return between.join(self.text(part) for part in parts)
            case {"Ref": "AWS::Partition"}:
                return "aws"
            case {"Ref": "AWS::Region"}:
                return self.values.region
            case {"Ref": "AWS::AccountId"}:
                return self.values.account
            case {"Fn::GetAtt": [str() as id, str()]} if self._is_arn(id):
                return self.values.physical_ids[id]
        return self.values.text(value)

    def _is_arn(self, id: str) -> bool:
        return self.values.physical_ids.get(id, "").startswith("arn:")


@dataclass
class Account:
    """One environment where it is deployed.

    :param name: The environment's name, after which its stacks are called.
    :param starts_at_asapp: Whether ASAPP is asked to start a call that it must refuse.
    :param patience: Seconds that an utterance may take to each place.
    :param certificate: Files in PEM, of a client certificate and its key.
    :param webhook_token: An access token of the customer's own authorization server.
    :param live_token: The identity token of a supervisor of the live page.
    """

    settings: Settings
    name: str
    starts_at_asapp: bool = False
    patience: float = 30
    certificate: tuple[str, str] | None = None
    webhook_token: str = field(default="", repr=False)
    live_token: str = field(default="", repr=False)
    aws: Aws = field(init=False)

    def __post_init__(self) -> None:
        self.aws = Aws(self.settings.region, ACTIONS, GUIDE)

    @property
    def is_emulator(self) -> bool:
        return self.settings.account == EMULATOR

    @property
    def instance_id(self) -> str:
        return self.settings.connect.instance_arn.rpartition("/")[2]

    @cached_property
    def stacks(self) -> dict[str, Stack]:
        """Those that are deployed, by access, transcription, flows and live.

        :raises CannotGoOn: If it is another account, or there is nothing.
        """
        who = (self.aws.read("sts", "get_caller_identity") or {}).get("Account")
        if who != self.settings.account:
            what = f"you are signed in to {who}, and {self.name} is in {self.settings.account}"
            raise CannotGoOn(problem(what, "set AWS_PROFILE"))
        described = {
            which: answer["Stacks"][0]
            for which in ("access", "transcription", "flows", "live")
            if (answer := self._described(which))
        }
        if "transcription" not in described:
            what = f"autotranscribe-{self.name}-transcription is not deployed"
            raise CannotGoOn(problem(what, f"run `make deploy ENV={self.name}`"))
        exports = {
            output["ExportName"]: output["OutputValue"]
            for stack in described.values()
            for output in stack.get("Outputs", [])
            if "ExportName" in output
        }
        return {which: self._stack(found, exports) for which, found in described.items()}

    @property
    def transcription(self) -> Stack:
        return self.stacks["transcription"]

    def reached(self, url: str) -> str:
        """Where this machine finds a URL of API Gateway or Cognito: the emulator has none of its
        own names."""
        endpoint, parts = os.environ.get("AWS_ENDPOINT_URL"), urlsplit(url)
        if not (endpoint and self.is_emulator and parts.netloc.endswith(_AWS)):
            return url
        if ".execute-api." not in parts.netloc:
            return f"{endpoint}{parts.path}"
        api, (stage, _, path) = parts.netloc.partition(".")[0], parts.path[1:].partition("/")
        return f"{endpoint}/restapis/{api}/{stage}/_user_request_/{path}"

    def _described(self, which: str) -> Json | None:
        name = f"autotranscribe-{self.name}-{which}"
        return self.aws.read(
            "cloudformation", "describe_stacks", ("ValidationError",), StackName=name
        )

    def _stack(self, described: Json, exports: dict[str, str]) -> Stack:
        name = described["StackName"]
        body = (self.aws.read("cloudformation", "get_template", StackName=name) or {})[
            "TemplateBody"
        ]
        template = json.loads(body) if isinstance(body, str) else body
        found = self.aws.pages(
            "cloudformation", "list_stack_resources", "StackResourceSummaries", StackName=name
        )
        ids = {
            each["LogicalResourceId"]: each["PhysicalResourceId"]
            for each in found or []
            if each.get("PhysicalResourceId")
        }
        return Stack(
            name,
            template["Resources"],
            {each["OutputKey"]: each["OutputValue"] for each in described.get("Outputs", [])},
            Values(ids, exports, self.settings.account, self.settings.region),
        )


__all__ = ["ACTIONS", "Account", "Stack", "Unresolved"]
