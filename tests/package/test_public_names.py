"""What can be imported, from where, and that nothing is forgotten."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from inspect import getmembers, isclass
from pkgutil import walk_packages
from typing import Any, get_args, get_type_hints

from aws_cdk import Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IConstruct

import connect_autotranscribe
from connect_autotranscribe.transcripts.webhook_auth import WebhookAuth
from tests.infra.conftest import Assembly

PACKAGE = "connect_autotranscribe"
WAYS = get_args(WebhookAuth)


def public_modules() -> Iterator[str]:
    """Those whose path has no underscore in front of a name."""
    for each in walk_packages(connect_autotranscribe.__path__, f"{PACKAGE}."):
        if not any(part.startswith("_") for part in each.name.split(".")):
            yield each.name


def constructs_of(module: str) -> Iterator[str]:
    for name, each in getmembers(import_module(module), isclass):
        if issubclass(each, Construct) and each.__module__ == module and name[0] != "_":
            yield name


PROTOCOLS = ("ExportedFiles", "MeasuredFlow", "StreamControl")


def test_every_construct_is_public_or_in_a_module_that_says_it_is_not() -> None:
    found = {(module, name) for module in public_modules() for name in constructs_of(module)}
    public = {
        (getattr(connect_autotranscribe, name).__module__, name)
        for name in connect_autotranscribe.__all__
    }
    others = {
        ("connect_settings.environment", "Settings"),
        ("connect_settings.environment", "SettingsError"),
        (f"{PACKAGE}.function_options", "FunctionOptions"),
        (f"{PACKAGE}.retention", "Retention"),
        (f"{PACKAGE}.monitoring.monitored", "Monitored"),
        (f"{PACKAGE}.transcripts.web_acl", "WebAcl"),
        *((f"{PACKAGE}.interfaces", name) for name in PROTOCOLS),
        *((f"{PACKAGE}.transcripts.webhook_auth", each.__name__) for each in WAYS),
    }
    assert found - public == set(), "export it, or put an underscore before its module's name"
    assert public == found | others


def test_the_public_names_are_sorted_and_each_has_one_home() -> None:
    names = connect_autotranscribe.__all__
    assert names == sorted(set(names))


SHARED: dict[str, type] = {
    "AWS::DynamoDB::Table": dynamodb.ITable,
    "AWS::Events::EventBus": events.IEventBus,
    "AWS::Kinesis::Stream": kinesis.IStream,
    "AWS::Logs::LogGroup": logs.ILogGroup,
    "AWS::S3::Bucket": s3.IBucket,
    "AWS::SNS::Topic": sns.ITopic,
    "AWS::SQS::Queue": sqs.IQueue,
    "AWS::SecretsManager::Secret": secretsmanager.ISecret,
}
"""What holds data or is used by others, and as what it is given."""


MADE_AGAIN = {("LivePage", "AWS::S3::Bucket")}
"""What holds only copies of files, and is emptied with its stack: so it must be the stack's own."""


def taken(construct: type) -> Counter[type]:
    """How many arguments of a construct are of each interface; those of `Retention` and of the
    webhook's ways count too."""
    hints = list(get_type_hints(construct.__init__).values())  # type: ignore[misc]
    if connect_autotranscribe.Retention in hints:
        hints += get_type_hints(connect_autotranscribe.Retention).values()
    if Sequence[WebhookAuth] in hints:
        hints += [hint for way in WAYS for hint in get_type_hints(way).values()]
    return Counter(part for hint in hints for part in get_args(hint) or (hint,))


def made(construct: IConstruct, template: dict[str, Any]) -> Counter[str]:
    """How many resources of each type a construct has in a template, without secrets that are
    copies of what Cognito makes: whoever has an issuer gives that."""
    return Counter(
        each["Type"]
        for each in template["Resources"].values()
        if each["Metadata"]["aws:cdk:path"].startswith(f"{construct.node.path}/")
        and "SecretString" not in each.get("Properties", {})
    )


def test_what_holds_data_or_is_shared_can_be_given_instead_of_made(
    checkout: Callable[[str], Assembly],
) -> None:
    assembly = checkout("constructs")
    lacking = set[tuple[str, str]]()
    for construct in assembly.app.node.find_all():
        name = type(construct).__name__
        if name not in connect_autotranscribe.__all__:
            continue
        file = assembly.folder / Stack.of(construct).template_file
        takes = taken(type(construct))
        for kind, count in made(construct, json.loads(file.read_text("utf-8"))).items():
            # One log group for all functions is what a team has.
            needed = min(count, 1) if kind == "AWS::Logs::LogGroup" else count
            if kind in SHARED and takes[SHARED[kind]] < needed:
                lacking.add((name, kind))
    assert lacking == MADE_AGAIN
