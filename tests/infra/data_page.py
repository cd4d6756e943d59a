"""What the templates keep, for how long and under which key, as the table in ``docs/data.md``.

``make contract`` writes it, with ``python -m tests.infra.data_page``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from app import ENVIRONMENTS
from connect_settings import Settings, environment_file
from tests.infra.conftest import FULL, OTHERS, ROOT, Assembly, Json, unchecked

PAGE = ROOT / "docs" / "data.md"
READ = {name: name for name in ("dev", "prod")} | {"full": str(FULL), "others": str(OTHERS)}
"""The environments whose templates are read; by name, what ``build`` takes."""
BEGIN, END = "<!-- make contract writes this -->\n", "<!-- until here -->\n"
HEAD = """\
| store | how long | encrypted with | if the stack is deleted |
| --- | --- | --- | --- |
"""

HOLDS_NOTHING = frozenset(
    {
        "AWS::ApiGateway::Account",
        "AWS::ApiGateway::Authorizer",
        "AWS::ApiGateway::BasePathMapping",
        "AWS::ApiGateway::Deployment",
        "AWS::ApiGateway::DomainName",
        "AWS::ApiGateway::GatewayResponse",
        "AWS::ApiGateway::Method",
        "AWS::ApiGateway::RequestValidator",
        "AWS::ApiGateway::Resource",
        "AWS::ApiGateway::RestApi",
        "AWS::ApiGateway::Stage",
        "AWS::AppIntegrations::Application",
        "AWS::AppSync::Api",
        "AWS::AppSync::ChannelNamespace",
        "AWS::CloudFront::Distribution",
        "AWS::CloudFront::OriginAccessControl",
        "AWS::CloudFront::ResponseHeadersPolicy",
        "AWS::CloudWatch::Alarm",
        "AWS::CloudWatch::Dashboard",
        "AWS::CodeDeploy::Application",
        "AWS::CodeDeploy::DeploymentGroup",
        "AWS::Cognito::UserPoolDomain",
        "AWS::Cognito::UserPoolGroup",
        "AWS::Cognito::UserPoolIdentityProvider",
        "AWS::Cognito::UserPoolResourceServer",
        "AWS::Connect::ContactFlow",
        "AWS::Connect::ContactFlowModule",
        "AWS::Connect::IntegrationAssociation",
        "AWS::Events::EventBusPolicy",
        "AWS::Events::Rule",
        "AWS::Glue::Database",
        "AWS::Glue::Table",
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::Lambda::Alias",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Function",
        "AWS::Lambda::LayerVersion",
        "AWS::Lambda::Permission",
        "AWS::Lambda::Version",
        "AWS::Logs::MetricFilter",
        "AWS::Route53::RecordSet",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::QueuePolicy",
        "AWS::SSM::Parameter",
        "AWS::Scheduler::Schedule",
        "AWS::WAFv2::IPSet",
        "AWS::WAFv2::WebACL",
        "AWS::WAFv2::WebACLAssociation",
        "Custom::LivePage",
    }
)
"""Types that keep nothing of a call, an agent or a colleague; or, as a rule and a function, only
while they hand it on, which the page says in words."""

MAKES_A_STORE = frozenset(
    {
        "CacheClusterEnabled",
        "CachingEnabled",
        "DataTraceEnabled",
        "FileSystemConfigs",
        "KinesisStreamSpecification",
        "Replicas",
        "ReplicationConfiguration",
        "SampledRequestsEnabled",
        "VersioningConfiguration",
    }
)
"""Properties with which a resource keeps data in a place that no resource of the template names."""


class Unknown(Exception):
    """Nobody has said here whether it keeps data."""


@dataclass(frozen=True)
class Store:
    """What a template has that keeps data.

    :param path: Of its construct, below the stack.
    :param kept: How long what is in it stays.
    :param key: What encrypts it.
    :param left: What becomes of it if it leaves the stack.
    """

    path: str
    kept: str
    key: str
    left: str


def _days(seconds: int) -> str:
    return f"{seconds // 86_400} days"


def _table(of: Json) -> str:
    assert of["TimeToLiveSpecification"] == {"AttributeName": "expiresAt", "Enabled": True}
    recovery = of["PointInTimeRecoverySpecification"]
    assert recovery == {"PointInTimeRecoveryEnabled": True}, "35 days, if it says nothing else"
    view = of["StreamSpecification"]["StreamViewType"]
    indexes = of["GlobalSecondaryIndexes"]
    assert {each["Projection"]["ProjectionType"] for each in indexes} == {"KEYS_ONLY"}
    names = ", ".join(f"index `{each['IndexName']}` of keys" for each in indexes)
    return (
        f"each item until its `expiresAt`, and days longer; {names}; change stream (`{view}`) 24 "
        "hours; point-in-time recovery 35 days"
    )


def _bucket(of: Json) -> str:
    if "LifecycleConfiguration" not in of:
        lock = of.get("ObjectLockConfiguration", {}).get("Rule", {}).get("DefaultRetention", {})
        if lock:
            return f"locked for {lock['Days']} days ({lock['Mode'].lower()} mode), with versions"
        return "until the stack is deleted; no versions"
    rules = of["LifecycleConfiguration"]["Rules"]
    said = [
        f"`{rule['Prefix']}` {rule['ExpirationInDays']} days"
        for rule in rules
        if "ExpirationInDays" in rule
    ]
    return f"{', '.join(said)}; the rest stays; no versions"


def _media(of: Json) -> str:
    return f"{of['KinesisVideoStreamConfig']['RetentionPeriodHours']} hours"


HOLDS: Mapping[str, tuple[Callable[[Json], str], Callable[[Json], Any], str]] = {
    "AWS::Athena::WorkGroup": (
        lambda of: "results as in its bucket; the history of queries 45 days",
        lambda of: (
            of["WorkGroupConfiguration"]["ResultConfiguration"]
            .get("EncryptionConfiguration", {})
            .get("KmsKey")
        ),
        "results: as their bucket; history: AWS's key",
    ),
    "AWS::Cognito::UserPool": (lambda of: "until it is deleted", lambda of: None, "Cognito's key"),
    "AWS::Cognito::UserPoolClient": (
        lambda of: "until it is deleted",
        lambda of: None,
        "Cognito's key",
    ),
    "AWS::Connect::InstanceStorageConfig": (
        lambda of: (
            _media(of)
            if of["ResourceType"] == "MEDIA_STREAMS"
            else "nothing itself: it names the stream of agent events"
        ),
        lambda of: of.get("KinesisVideoStreamConfig", {}).get("EncryptionConfig", {}).get("KeyId"),
        "as that stream",
    ),
    "AWS::DynamoDB::Table": (
        _table,
        lambda of: of.get("SSESpecification", {}).get("KMSMasterKeyId"),
        "AWS's key for DynamoDB",
    ),
    "AWS::Events::EventBus": (
        lambda of: "no archive; 24 hours for a target that does not take an event",
        lambda of: of.get("KmsKeyIdentifier"),
        "EventBridge's key",
    ),
    "AWS::Kinesis::Stream": (
        lambda of: f"{of.get('RetentionPeriodHours', 24)} hours",
        lambda of: of.get("StreamEncryption", {}).get("KeyId"),
        "**not encrypted** ([why](decisions/0010-the-agent-event-stream-is-not-encrypted.md))",
    ),
    "AWS::Logs::LogGroup": (
        lambda of: f"{of['RetentionInDays']} days",
        lambda of: of.get("KmsKeyId"),
        "CloudWatch's key",
    ),
    "AWS::S3::Bucket": (
        _bucket,
        lambda of: of["BucketEncryption"]["ServerSideEncryptionConfiguration"][0][
            "ServerSideEncryptionByDefault"
        ].get("KMSMasterKeyID"),
        "S3's key",
    ),
    "AWS::SNS::Subscription": (lambda of: "until it is deleted", lambda of: None, "SNS's key"),
    "AWS::SNS::Topic": (
        lambda of: "nothing; it hands on",
        lambda of: of.get("KmsMasterKeyId"),
        "no key",
    ),
    "AWS::SQS::Queue": (
        lambda of: _days(of["MessageRetentionPeriod"]),
        lambda of: of.get("KmsMasterKeyId"),
        "SQS's key",
    ),
    "AWS::SecretsManager::Secret": (
        lambda of: "until it is deleted, and 7 to 30 days; one value before the current one",
        lambda of: of.get("KmsKeyId"),
        "AWS's key for Secrets Manager",
    ),
}
"""Types that can keep data: how long, the key that the template names, and what stands for none."""


def stores(assembly: Assembly, environment: str) -> Iterator[Store]:
    """:raises Unknown: if the app has something of :func:`unknown_in`."""
    settings = Settings.load(environment_file(environment, ENVIRONMENTS))
    keys = _keys(settings)
    if unknown := sorted(unknown_in(assembly.resources)):
        raise Unknown(f"say in HOLDS or HOLDS_NOTHING whether it keeps data: {unknown}")
    for resource in assembly.resources:
        kind, properties = resource["Type"], resource.get("Properties", {})
        if kind in HOLDS:
            kept, key_of, without = HOLDS[kind]
            key = _key(key_of(properties), keys) or without
            path = _path(resource).replace(settings.alarms.email or "-", "alarms.email")
            yield Store(path, kept(properties), key, _left(resource))


def unknown_in(resources: Iterable[Json]) -> set[str]:
    """Types, and properties that make a store, of which nobody has said what they keep."""
    found = set()
    for resource in resources:
        kind = resource["Type"]
        hidden = MAKES_A_STORE & set(_switched_on(resource.get("Properties", {})))
        found |= {f"{kind} with {each}" for each in hidden}
        if kind not in HOLDS_NOTHING and kind not in HOLDS:
            found.add(kind)
    return found


def _switched_on(value: Any) -> Iterator[str]:
    """The names of all properties that are there and not off."""
    if isinstance(value, dict):
        for name, each in value.items():
            if each not in (False, None, [], {}):
                yield name
            yield from _switched_on(each)
    elif isinstance(value, list):
        for each in value:
            yield from _switched_on(each)


def _keys(settings: Settings) -> dict[str, str]:
    """The setting that names a key, by the key's ARN."""
    found = {}
    for table in ("media_streaming", "lifecycle", "export", "encryption"):
        if arn := getattr(getattr(settings, table), "key_arn", None):
            found[arn] = f"`{table}.key_arn`"
    return found


def _key(value: Any, keys: Mapping[str, str]) -> str:
    if not value:
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    return keys.get(text, f"`{text}`")


def _path(resource: Json) -> str:
    path: str = resource.get("Metadata", {}).get("aws:cdk:path", "")
    return path.partition("/")[2].removesuffix("/Resource")


def _left(resource: Json) -> str:
    policy = resource.get("DeletionPolicy", "Delete")
    return "goes" if policy == "Delete" else "stays"


def table(found: Iterable[Store]) -> str:
    """Each store once, with all that the environments say of it."""
    by_path: dict[str, list[Store]] = {}
    for each in found:
        by_path.setdefault(each.path, []).append(each)
    rows = []
    for path, ones in sorted(by_path.items()):
        cells = (
            " or ".join(dict.fromkeys(getattr(each, name) for each in ones))
            for name in ("kept", "key", "left")
        )
        rows.append(f"| `{path}` | {' | '.join(cells)} |\n")
    return HEAD + "".join(rows)


def main() -> None:
    found: list[Store] = []
    with TemporaryDirectory() as scratch:
        for name, what in READ.items():
            assembly = unchecked(Path(scratch, name), what)
            found += stores(assembly, what)
    text = PAGE.read_text("utf-8")
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{table(found)}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
