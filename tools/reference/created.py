"""What one construct of an example creates, as its template has it: things, links, permissions.

Nothing here knows our constructs. A resource type that no rule below knows is an error, so that no
picture leaves out what is new.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tools.policies import Statement, listed, statements

Json = dict[str, Any]

DRAWN = {
    "AWS::ApiGateway::DomainName": "domain name",
    "AWS::ApiGateway::RestApi": "REST API",
    "AWS::Athena::WorkGroup": "Athena work group",
    "AWS::CloudFront::Distribution": "distribution",
    "AWS::CloudWatch::Dashboard": "dashboard",
    "AWS::Cognito::UserPool": "user pool",
    "AWS::AppIntegrations::Application": "agent workspace app",
    "AWS::AppSync::Api": "event API",
    "AWS::Connect::ContactFlow": "flow",
    "AWS::Connect::ContactFlowModule": "flow module",
    "AWS::Connect::InstanceStorageConfig": "instance setting",
    "AWS::Connect::IntegrationAssociation": "permission for flows",
    "AWS::DynamoDB::Table": "table",
    "AWS::Events::EventBus": "event bus",
    "AWS::Events::Rule": "event rule",
    "AWS::Glue::Database": "database",
    "AWS::Glue::Table": "table or view",
    "AWS::IAM::Role": "role",
    "AWS::Kinesis::Stream": "data stream",
    "AWS::KMS::Key": "key",
    "AWS::Lambda::Function": "function",
    "AWS::S3::Bucket": "bucket",
    "AWS::Scheduler::Schedule": "schedule",
    "AWS::SecretsManager::Secret": "secret",
    "AWS::SNS::Topic": "topic",
    "AWS::SQS::Queue": "queue",
    "AWS::SSM::Parameter": "parameter",
}
COUNTED = {"AWS::CloudWatch::Alarm": "alarms", "AWS::Logs::MetricFilter": "metric filters"}
"""So many that one box stands for all."""
PART_OF = {
    "AWS::ApiGateway::Authorizer": "RestApiId",
    "AWS::ApiGateway::BasePathMapping": "RestApiId",
    "AWS::ApiGateway::Deployment": "RestApiId",
    "AWS::ApiGateway::GatewayResponse": "RestApiId",
    "AWS::ApiGateway::Method": "RestApiId",
    "AWS::ApiGateway::Model": "RestApiId",
    "AWS::ApiGateway::RequestValidator": "RestApiId",
    "AWS::ApiGateway::Resource": "RestApiId",
    "AWS::ApiGateway::Stage": "RestApiId",
    "AWS::AppSync::ChannelNamespace": "ApiId",
    "AWS::Cognito::UserPoolClient": "UserPoolId",
    "AWS::Cognito::UserPoolDomain": "UserPoolId",
    "AWS::Cognito::UserPoolGroup": "UserPoolId",
    "AWS::Cognito::UserPoolIdentityProvider": "UserPoolId",
    "AWS::Cognito::UserPoolResourceServer": "UserPoolId",
    "AWS::Lambda::Alias": "FunctionName",
    "AWS::Lambda::EventInvokeConfig": "FunctionName",
    "AWS::Lambda::EventSourceMapping": "FunctionName",
    "AWS::Lambda::Permission": "FunctionName",
    "AWS::Lambda::Version": "FunctionName",
    "AWS::SNS::Subscription": "TopicArn",
    "Custom::LivePage": "ServiceToken",
}
"""What is part of another resource, by the property that names that one."""
NOT_DRAWN = {
    "AWS::ApiGateway::Account",
    "AWS::CloudFront::OriginAccessControl",
    "AWS::CloudFront::ResponseHeadersPolicy",
    "AWS::Events::EventBusPolicy",
    "AWS::IAM::Policy",
    "AWS::Lambda::LayerVersion",
    "AWS::Logs::LogGroup",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
}
SERVICES = {
    "dynamodb": "table",
    "events": "event bus",
    "kinesis": "data stream",
    "kinesisvideo": "call audio",
    "kms": "key",
    "lambda": "function",
    "logs": "log group",
    "s3": "bucket",
    "secretsmanager": "secret",
    "sns": "topic",
    "sqs": "queue",
}
"""What an ARN of a service most often names here."""


_OPERATORS = {
    "": "is",
    "ArnEquals": "is",
    "ArnLike": "is like",
    "Bool": "is",
    "NotIpAddress": "is not in",
    "NumericLessThan": "is under",
    "StringEquals": "is",
    "StringLike": "is like",
}
_ARN = re.compile(r'arn:[^:"]*:([a-z0-9]+):[^:"]*:[^:"]*:([^"\\]+)')
"""Also in the middle of a flow's JSON."""


@dataclass(frozen=True)
class Thing:
    """A box of the picture.

    :param given: Whether it was there before, or is made by another construct.
    """

    name: str
    kind: str
    given: bool = False


@dataclass(frozen=True)
class Link:
    """An arrow of the picture.

    :param on_failure: Whether only what failed goes this way.
    """

    source: Thing
    target: Thing
    on_failure: bool = False


@dataclass(frozen=True)
class Permission:
    """One statement of a policy."""

    who: str
    may: tuple[str, ...]
    on: tuple[str, ...]
    when: tuple[str, ...] = ()
    denied: bool = False


class Created:
    """One construct's part of a template.

    :param template: The stack's, with the paths of constructs as metadata.
    :param path: The construct's, for instance ``Webhook/TranscriptWebhook``; the stack's for all.
    :param stack: The stack's path.
    :param exports: What other stacks of the app export, by name: what it is called there.
    """

    def __init__(
        self, template: Json, path: str, *, stack: str, exports: Mapping[str, str]
    ) -> None:
        self._resources: dict[str, Json] = template.get("Resources", {})
        self._exports = exports
        self._path, self._stack = path, stack
        self._inside = {
            id: resource
            for id, resource in self._resources.items()
            if _path(resource).startswith(f"{path}/")
        }
        known = {*DRAWN, *COUNTED, *PART_OF, *NOT_DRAWN}
        if unknown := {each["Type"] for each in self._inside.values()} - known:
            raise ValueError(f"{path}: say in {__file__} how to draw {', '.join(sorted(unknown))}")

    @property
    def ids(self) -> list[tuple[str, str]]:
        """Every resource: its construct id below this construct's, and its type."""
        return [(self._name(id), each["Type"]) for id, each in self._inside.items()]

    @property
    def things(self) -> list[Thing]:
        """What is made here, in the template's order, and then what it is linked with."""
        made = [self._thing(id) for id in self._inside if self._owner(id) == id]
        linked = [thing for link in self.links for thing in (link.source, link.target)]
        return list(dict.fromkeys([*made, *linked]))

    @property
    def links(self) -> list[Link]:
        found = dict.fromkeys(
            Link(source, target, on_failure)
            for id, resource in self._inside.items()
            for source, target, on_failure in self._links(id, resource)
            if source != target
        )
        return [link for link in found if not self._is_implied(link, found)]

    @property
    def permissions(self) -> list[Permission]:
        return list(dict.fromkeys(self._permissions()))

    def _is_implied(self, link: Link, links: Collection[Link]) -> bool:
        """Whether another link says so already: that a function may read what invokes it, or may
        send where its failures go."""
        invoked = link.source.kind == "function" and link.target.kind != "function"
        back = invoked and Link(link.target, link.source) in links
        return back or (replace(link, on_failure=True) in links and not link.on_failure)

    def _links(self, id: str, resource: Json) -> Iterator[tuple[Thing, Thing, bool]]:
        kind, properties = resource["Type"], resource.get("Properties", {})
        here = self._thing(self._owner(id) or id)

        def to(value: Any, on_failure: bool = False) -> Iterator[tuple[Thing, Thing, bool]]:
            for thing in self._named(value):
                yield here, thing, on_failure

        def by(value: Any) -> Iterator[tuple[Thing, Thing, bool]]:
            for thing in self._named(value):
                yield thing, here, False

        match kind:
            case "AWS::Lambda::EventSourceMapping":
                yield from by(properties["EventSourceArn"])
                yield from to(properties.get("DestinationConfig"), on_failure=True)
            case "AWS::Lambda::EventInvokeConfig":
                yield from to(properties.get("DestinationConfig"), on_failure=True)
            case "AWS::Lambda::Permission" if properties["Principal"] == "connect.amazonaws.com":
                yield Thing("Amazon Connect", "flows of the instance", given=True), here, False
            case "AWS::Events::Rule":
                yield from by(properties.get("EventBusName"))
                for target in properties["Targets"]:
                    yield from to(target["Arn"])
                    yield from to(target.get("DeadLetterConfig"), on_failure=True)
            case "AWS::Scheduler::Schedule":
                yield from to(properties["Target"]["Arn"])
                yield from to(properties["Target"].get("DeadLetterConfig"), on_failure=True)
            case "AWS::SQS::Queue":
                yield from to(properties.get("RedrivePolicy"), on_failure=True)
            case "AWS::ApiGateway::Method":
                yield from to(properties["Integration"].get("Uri"))
            case "AWS::ApiGateway::Authorizer":
                yield from to(properties.get("AuthorizerUri"))
                yield from to(properties.get("ProviderARNs"))
            case "AWS::ApiGateway::BasePathMapping":
                yield from by(properties["DomainName"])
            case "AWS::CloudWatch::Alarm":
                yield from to(properties.get("AlarmActions"))
            case "AWS::Logs::MetricFilter":
                yield from by(properties["LogGroupName"])
            case "AWS::SNS::Subscription":
                yield here, Thing(properties["Endpoint"], properties["Protocol"], given=True), False
            case "AWS::IAM::Policy":
                for role in properties["Roles"]:
                    for user in self._named(role):
                        for statement in properties["PolicyDocument"]["Statement"]:
                            for thing in self._named(statement["Resource"]):
                                yield user, thing, False
            case "AWS::IAM::Role" if self._owner(id) == id:
                for arn in _principals(properties["AssumeRolePolicyDocument"], "AWS"):
                    yield (
                        Thing(_text(arn, {}).split("/")[-1], "role of ASAPP", given=True),
                        here,
                        False,
                    )
            case "AWS::Glue::Table":
                yield from by(self._database(properties["DatabaseName"]))
                yield from to(properties["TableInput"])
            case _ if kind.startswith(("AWS::Connect::", "AWS::Athena::")):
                yield from to(properties)

    def _named(self, value: Any) -> Iterator[Thing]:
        """The things that a value of a template names."""
        match value:
            case {"Ref": str(id)} | {"Fn::GetAtt": [str(id), _]}:
                if owner := self._owner(id):
                    yield self._thing(owner)
            case {"Fn::ImportValue": str(name)}:
                yield Thing(self._exports.get(name, name), "of another stack", given=True)
            case {"Fn::Join": [_, list(parts)]} if not any(map(_names_a_resource, parts)):
                yield from self._named("".join(_text(part, {}) for part in parts))
            case str(text):
                for service, resource in _ARN.findall(text):
                    if service in SERVICES:
                        name = re.sub(r"^[a-z-]+[:/]|-\?{6}$", "", resource)
                        yield Thing(name, SERVICES[service], given=True)
            case dict():
                for each in value.values():
                    yield from self._named(each)
            case list():
                for each in value:
                    yield from self._named(each)

    def _owner(self, id: str) -> str | None:
        """The resource whose box stands for this one; None for what no box shows."""
        if id not in self._resources:
            return None
        resource = self._resources[id]
        kind, properties = resource["Type"], resource.get("Properties", {})
        if kind in PART_OF:
            return next((self._owner(each) for each in _ids(properties[PART_OF[kind]])), None)
        if kind in COUNTED:
            alike = (x for x in self._resources if self._resources[x]["Type"] == kind)
            return next(alike)
        if kind in ("AWS::IAM::Role", "AWS::Logs::LogGroup"):
            if owner := self._user(id):
                return owner
            services = _principals(properties.get("AssumeRolePolicyDocument", {}), "Service")
            return None if kind == "AWS::Logs::LogGroup" or services else id
        return id if kind in DRAWN else None

    def _database(self, name: str) -> Json:
        for id, resource in self._resources.items():
            made = resource.get("Properties", {}).get("DatabaseInput", {})
            if resource["Type"] == "AWS::Glue::Database" and made.get("Name") == name:
                return {"Ref": id}
        return {}

    def _user(self, id: str) -> str | None:
        """What runs as this role, or writes to this log group."""
        for other, resource in self._resources.items():
            if resource["Type"] in ("AWS::IAM::Policy", "AWS::IAM::Role", "AWS::Logs::LogGroup"):
                continue
            if resource["Type"] not in COUNTED and id in _ids(resource.get("Properties", {})):
                return self._owner(other)
        return None

    def _thing(self, id: str) -> Thing:
        resource = self._resources[id]
        given = id not in self._inside
        if resource["Type"] in COUNTED:
            count = Counter(each["Type"] for each in self._inside.values())[resource["Type"]]
            return Thing(f"{count} {COUNTED[resource['Type']]}", "each by its id", given)
        return Thing(self._name(id), DRAWN.get(resource["Type"], ""), given)

    def _name(self, id: str) -> str:
        """The construct id, below the construct's or, of what is elsewhere, below the stack's."""
        path = _path(self._resources[id])
        start = self._path if path.startswith(f"{self._path}/") else self._stack
        parts = path.removeprefix(f"{start}/").split("/")
        return "/".join(each for each in parts if each not in ("Resource", "Default")) or parts[0]

    def _permissions(self) -> Iterator[Permission]:
        for id, resource in self._inside.items():
            kind, properties = resource["Type"], resource.get("Properties", {})
            for managed in properties.get("ManagedPolicyArns", ()):
                all_of = f"all of {self._shown(managed)}"
                yield Permission(self._shown({"Ref": id}), (all_of,), ("*",))
            for statement in statements(kind, properties, self._shown):
                # The trust of a role goes with what runs as it.
                trust = kind == "AWS::IAM::Role" and bool(statement.principals)
                if not trust or self._owner(id) == id:
                    yield from self._statement(id, statement)

    def _statement(self, id: str, statement: Statement) -> Iterator[Permission]:
        def texts(key: str, values: list[Any]) -> Iterator[str]:
            but = "all but " if key in statement.negated else ""
            return (f"{but}{self._shown(each)}" for each in values)

        when = tuple(
            f"{key} {_OPERATORS.get(operator, operator)} {self._shown(values)}"
            for operator, key, values in statement.conditions
        )
        for each in texts("Principal", statement.principals or statement.holders or [{"Ref": id}]):
            yield Permission(
                "anyone" if each == "*" else each,
                tuple(texts("Action", statement.actions)),
                tuple(dict.fromkeys(texts("Resource", statement.resources or [{"Ref": id}]))),
                when,
                denied=statement.denied,
            )

    def _shown(self, value: Any) -> str:
        """A value of a template for a reader: construct ids in place of references."""
        if isinstance(value, list):
            return " or ".join(map(self._shown, value))
        names = {}
        for id in _ids(value):
            if id in self._resources:
                owner = self._owner(id) or id
                # A role goes by the name of what runs as it.
                role = self._resources[id]["Type"] == "AWS::IAM::Role"
                names[id] = self._name(owner if role else id)
        return _text(value, names | dict(self._exports))


def exported(template: Json) -> dict[str, str]:
    """What a stack exports for others: by its export's name, the construct's path."""
    return {
        output["Export"]["Name"]: _path(template["Resources"][id]).removesuffix("/Resource")
        for output in template.get("Outputs", {}).values()
        if "Export" in output
        for id in _ids(output["Value"])
    }


def _path(resource: Json) -> str:
    return str(resource.get("Metadata", {}).get("aws:cdk:path", ""))


def _ids(value: Any) -> Iterator[str]:
    """The logical ids that a value refers to."""
    match value:
        case {"Ref": str(id)} | {"Fn::GetAtt": [str(id), _]}:
            yield id
        case dict():
            for each in value.values():
                yield from _ids(each)
        case list():
            for each in value:
                yield from _ids(each)


def _names_a_resource(value: Any) -> bool:
    return isinstance(value, dict) and not str(value.get("Ref", "")).startswith("AWS::")


def _principals(document: Json, kind: str) -> list[Any]:
    return [
        principal
        for statement in document.get("Statement", ())
        for principal in listed(statement.get("Principal", {}).get(kind, []))
    ]


def _text(value: Any, names: Mapping[str, str]) -> str:
    match value:
        case {"Ref": "AWS::Partition"}:
            return "aws"
        case {"Ref": str(id)} if id.startswith("AWS::"):
            return id.removeprefix("AWS::")
        case {"Ref": str(id)} | {"Fn::GetAtt": [str(id), "Arn" | "StreamArn" | "QueueName"]}:
            return names.get(id, id)
        case {"Fn::GetAtt": [str(id), str(attribute)]}:
            return f"{names.get(id, id)}'s {attribute}"
        case {"Fn::Join": [str(separator), list(parts)]}:
            return separator.join(_text(part, names) for part in parts)
        case {"Fn::ImportValue": str(name)}:
            return names.get(name, name)
        case list():
            return ", ".join(_text(each, names) for each in value)
        case _:
            return str(value)
