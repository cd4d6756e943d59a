"""What a resource of a template costs a month while nothing happens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

HOURS_A_MONTH = 730
_MOST = 100_000
"""No template of ours has more of anything: a larger number is not to be trusted."""

BY_USE = frozenset(
    {
        "AWS::ApiGateway::RestApi",
        "AWS::AppSync::Api",
        "AWS::Athena::WorkGroup",
        "AWS::CloudFront::Distribution",
        "AWS::Cognito::UserPool",
        "AWS::Cognito::UserPoolIdentityProvider",
        "AWS::DynamoDB::Table",
        "AWS::Events::EventBus",
        "AWS::Events::Rule",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Function",
        "AWS::Logs::LogGroup",
        "AWS::S3::Bucket",
        "AWS::SNS::Topic",
        "AWS::SQS::Queue",
        "AWS::Scheduler::Schedule",
    }
)
"""Types that cost what is done with them."""

FREE = frozenset(
    {
        "AWS::ApiGateway::Account",
        "AWS::ApiGateway::Authorizer",
        "AWS::ApiGateway::BasePathMapping",
        "AWS::ApiGateway::BasePathMappingV2",
        "AWS::ApiGateway::Deployment",
        "AWS::ApiGateway::DomainName",
        "AWS::ApiGateway::DomainNameV2",
        "AWS::ApiGateway::GatewayResponse",
        "AWS::ApiGateway::Method",
        "AWS::ApiGateway::Model",
        "AWS::ApiGateway::RequestValidator",
        "AWS::ApiGateway::Resource",
        "AWS::ApiGateway::Stage",
        "AWS::AppIntegrations::Application",
        "AWS::AppSync::ChannelNamespace",
        "AWS::Athena::NamedQuery",
        "AWS::CloudFront::OriginAccessControl",
        "AWS::CloudFront::ResponseHeadersPolicy",
        "AWS::CodeDeploy::Application",
        "AWS::CodeDeploy::DeploymentConfig",
        "AWS::CodeDeploy::DeploymentGroup",
        "AWS::Cognito::UserPoolDomain",
        "AWS::Cognito::UserPoolGroup",
        "AWS::Cognito::UserPoolResourceServer",
        "AWS::Connect::ContactFlow",
        "AWS::Connect::ContactFlowModule",
        "AWS::Connect::InstanceStorageConfig",
        "AWS::Connect::IntegrationAssociation",
        "AWS::Events::EventBusPolicy",
        "AWS::Glue::Database",
        "AWS::Glue::Table",
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::KMS::Alias",
        "AWS::Lambda::Alias",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::LayerVersion",
        "AWS::Lambda::Permission",
        "AWS::Lambda::Version",
        "AWS::Logs::ResourcePolicy",
        "AWS::Route53::RecordSet",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::Subscription",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::QueuePolicy",
        "AWS::SSM::Parameter",
        "AWS::SecretsManager::ResourcePolicy",
        "AWS::SecretsManager::SecretTargetAttachment",
        "AWS::WAFv2::IPSet",
        "AWS::WAFv2::LoggingConfiguration",
        "AWS::WAFv2::WebACLAssociation",
        "Custom::LivePage",
    }
)
"""Types that cost nothing by themselves, such as a name, a permission or a standard parameter."""


class Unclear(Exception):
    """Something in a template from which no number of units follows."""


class Fixed(NamedTuple):
    """:param part: The service, as people look for it on a bill.
    :param price: Its name in docs/prices.toml.
    :param quantity: A month.
    """

    part: str
    what: str
    price: str
    quantity: float


def fixed(type: object, properties: object) -> list[Fixed]:
    """What a resource costs a month by being there. Empty for what costs by use, or nothing.

    :raises Unclear: if its type is unknown here, or its properties are not such as CDK writes them.
    """
    if not isinstance(type, str) or not isinstance(properties, Mapping):
        raise Unclear("no resource")
    if type in BY_USE or type in FREE:
        return []
    match type:
        case "AWS::CloudWatch::Alarm":
            metrics = _items(properties.get("Metrics", [{"MetricStat": {}}]))
            count = sum("MetricStat" in each for each in metrics)
            return [
                Fixed("CloudWatch alarms", "metrics of alarms", "cloudwatch_alarm_metrics", count)
            ]
        case "AWS::CloudWatch::Dashboard":
            return [Fixed("CloudWatch dashboards", "dashboards", "cloudwatch_dashboards", 1)]
        case "AWS::Logs::MetricFilter":
            made = len(_items(properties.get("MetricTransformations", [])))
            return [Fixed("CloudWatch metrics", "metrics of the logs", "cloudwatch_metrics", made)]
        case "AWS::KMS::Key":
            return [Fixed("KMS", "keys", "kms_keys", 1)]
        case "AWS::SecretsManager::Secret":
            return [Fixed("Secrets Manager", "secrets", "secrets", 1)]
        case "AWS::Kinesis::Stream":
            return [_stream(properties)]
        case "AWS::WAFv2::WebACL":
            rules = len(_items(properties.get("Rules", [])))
            return [
                Fixed("WAF", "web ACLs", "waf_acls", 1),
                Fixed("WAF", "rules", "waf_rules", rules),
            ]
        case "AWS::Cognito::UserPoolClient":
            if is_of_machines(properties):
                return [Fixed("Cognito", "app clients", "cognito_clients", 1)]
            return []  # of people, who are counted by themselves
    raise Unclear(f"nobody has said what {type} costs: tools/cost/resources.py")


def is_of_machines(properties: Mapping[str, Any]) -> bool:
    """Whether an app client gets tokens by itself, without a person."""
    return "client_credentials" in properties.get("AllowedOAuthFlows", [])


def _stream(properties: Mapping[str, Any]) -> Fixed:
    details = properties.get("StreamModeDetails", {})
    mode = details.get("StreamMode") if isinstance(details, Mapping) else None
    if mode == "ON_DEMAND":
        return Fixed("Kinesis", "stream, on demand", "kinesis_stream_hours", HOURS_A_MONTH)
    shards = properties.get("ShardCount", 1)
    if type(shards) is not int or not 0 < shards <= _MOST:
        raise Unclear("a stream's number of shards")
    return Fixed("Kinesis", "shards", "kinesis_shard_hours", HOURS_A_MONTH * shards)


def _items(value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
        raise Unclear("a list of parts")
    return value


def fixed_of(resources: Iterable[tuple[str, Mapping[str, Any]]]) -> tuple[list[Fixed], list[str]]:
    """Of many resources: what they cost, and the types of those of which it is not clear."""
    found: list[Fixed] = []
    unclear: list[str] = []
    for type, properties in resources:
        try:
            found += fixed(type, properties)
        except Unclear:
            unclear.append(type)
    return found, unclear
