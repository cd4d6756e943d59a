"""What holds for every template of every environment."""

from __future__ import annotations

import base64
import io
import json
import py_compile
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import Acknowledgment, App, CfnResource, Stack, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from app import ENVIRONMENTS, build
from tests.infra.conftest import NAMES, ROOT, Assembly, Json, synthesise
from tools.benchmark.measurements import PACKAGE_KB

FUNCTIONS = {
    "start_streaming",
    "stop_streaming",
    "authorize_webhook",
    "store_transcript",
    "publish_utterance",
    "reconcile_transcript",
    "read_transcript",
    "hold_conversation",
    "erase_conversation",
    "follow_agent_events",
    "follow_contact_events",
}
EXPORT = {"export_utterances"}
"""Those of an environment that has the export on."""


def test_every_environment_that_there_is_is_tested() -> None:
    assert {file.stem for file in ENVIRONMENTS.glob("*.toml")} == set(NAMES)


@pytest.fixture(scope="module")
def government(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """In another partition, with a key, an external id and whatever else can be chosen."""
    text = (ENVIRONMENTS / "prod.toml").read_text()
    for before, after in (
        ("arn:aws:", "arn:aws-us-gov:"),
        ("eu-central-1", "us-gov-west-1"),
        ("# key_arn", "key_arn"),
        ("# external_id", "external_id"),
        ('mode = "adopt"  ', 'mode = "manage"'),
        ('mode = "off"                # "on"', 'mode = "on"  # "on"'),
        ("# retention_hours", "retention_hours"),
        ('api_gateway_log_role = "adopt"', 'api_gateway_log_role = "manage"'),
        ("allowed_cidrs = []", 'allowed_cidrs = ["203.0.113.0/24"]'),
        ('email = "', '# "'),
        ("# topic_arn", "topic_arn"),
    ):
        assert before in text, before
        text = text.replace(before, after)
    file = tmp_path_factory.mktemp("settings") / "government.toml"
    file.write_text(text)
    return synthesise(tmp_path_factory.mktemp("government"), lambda app: build(app, str(file)))


# cdk-nag: AWS's rules


def test_no_finding_of_cdk_nag_is_left_unaccepted(environment: Assembly) -> None:
    assert environment.findings == []


@pytest.mark.parametrize("which", ["government", "full", "others"])
def test_nor_where_every_other_choice_is_made(request: pytest.FixtureRequest, which: str) -> None:
    made: Assembly = request.getfixturevalue(which)
    assert made.findings == []
    accepted = acknowledgments(made.app)
    assert [fault for each in accepted for fault in faults(*each)] == []


class Careless(Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        self.queue = sqs.Queue(self, "Queue")
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self.role.add_to_policy(iam.PolicyStatement(actions=["sqs:*"], resources=["*"]))


def test_the_check_sees_what_is_careless(tmp_path: Path) -> None:
    careless = synthesise(tmp_path, lambda app: Careless(app, "Careless"))
    assert {
        ("AwsSolutions-SQS3", "Careless/Queue/Resource"),
        ("AwsSolutions-SQS4", "Careless/Queue/Resource"),
        ("AwsSolutions-IAM5[Action::sqs:*]", "Careless/Role/DefaultPolicy/Resource"),
        ("AwsSolutions-IAM5[Resource::*]", "Careless/Role/DefaultPolicy/Resource"),
    } <= set(careless.findings)


def acknowledgments(app: App) -> Iterator[tuple[Construct, str, str]]:
    """Where a finding is accepted, which one, and why."""
    for construct in app.node.find_all():
        for entry in construct.node.metadata:
            if entry.type == "aws:cdk:acknowledged-rules":
                for rule, reason in entry.data.items():
                    yield construct, rule, reason  # type: ignore[misc]


def faults(construct: Construct, rule: str, reason: str) -> Iterator[str]:
    """What is wrong with one acknowledgment."""
    below = [each for each in construct.node.find_all() if CfnResource.is_cfn_resource(each)]
    paths = {each.node.path.removeprefix(construct.node.path).lstrip("/") for each in below}
    of_one = {"", "Resource", "DefaultPolicy/Resource", "Policy/Resource"}
    if Stack.is_stack(construct) or App.is_app(construct) or not paths or not paths <= of_one:
        yield f"{construct.node.path or 'the app'} is not one resource"
    if not re.fullmatch(r"(Annotation::)?AwsSolutions-[A-Z]+[0-9]+(\[\w+::[^\]]+\])?", rule):
        yield f"{rule} is not one rule"
    if re.search("IAM[45]", rule) and "[" not in rule:
        yield f"{rule} has many findings and names none"
    if not re.fullmatch(r"\w.{20,}\.", reason):
        yield f"{reason!r} is no reason"


def test_what_is_accepted_is_one_finding_of_one_resource_with_its_reason(
    environment: Assembly,
) -> None:
    accepted = list(acknowledgments(environment.app))
    assert accepted
    assert [fault for each in accepted for fault in faults(*each)] == []


def test_the_check_sees_what_is_accepted_carelessly(tmp_path: Path) -> None:
    def fill(app: App) -> None:
        stack = Careless(app, "Careless")
        reason = "It is only for a test of the tests."
        for place, rule, why in (
            (app, "AwsSolutions-SQS2", reason),
            (stack, "AwsSolutions-SQS3", reason),
            (stack.role, "AwsSolutions-IAM5", reason),
            (stack.queue, "AwsSolutions-SQS4", "because"),
        ):
            Validations.of(place).acknowledge(Acknowledgment(id=rule, reason=why))

    careless = synthesise(tmp_path, fill)
    assert [fault for each in acknowledgments(careless.app) for fault in faults(*each)] == [
        "the app is not one resource",
        "Careless is not one resource",
        "'because' is no reason",
        "Annotation::AwsSolutions-IAM5 has many findings and names none",
    ]


# Logs


@pytest.mark.parametrize("which", [*NAMES, "full", "others"])
def test_every_function_says_that_it_logs_json_from_info_on(
    which: str, assembly_of: Callable[[str], Assembly], full: Assembly, others: Assembly
) -> None:
    """Metrics are counted in lines of level INFO, and AWS does not document that as the default."""
    assembly = {"full": full, "others": others}.get(which) or assembly_of(which)
    functions = [each for each in assembly.resources if each["Type"] == "AWS::Lambda::Function"]
    assert len(functions) >= len(FUNCTIONS) - 2
    for each in functions:
        logging = {**each["Properties"]["LoggingConfig"]}
        assert logging.pop("LogGroup")
        assert logging == {
            "LogFormat": "JSON",
            "ApplicationLogLevel": "INFO",
            "SystemLogLevel": "INFO",
        }


# cfn-lint: what CloudFormation accepts


@pytest.fixture(scope="module")
def complaints(
    assembly_of: Callable[[str], Assembly],
    government: Assembly,
    full: Assembly,
    others: Assembly,
    production: Assembly,
    load_stacks: Assembly,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[Path, list[str]]:
    """By template, of all environments and of a load; the last template has a wrong property.

    One run reads them all, as cfn-lint takes long to load what it knows.
    """
    assemblies = [*map(assembly_of, NAMES), government, full, others]
    templates = [each.folder / name for each in assemblies for name in each.templates]
    assert len(templates) == 3 * len(assemblies) + 2  # those of the live page
    templates += [load_stacks.folder / name for name in load_stacks.templates]
    (name,) = (each for each in production.templates if "transcription" in each)
    wrong = tmp_path_factory.mktemp("wrong") / name
    text = (production.folder / name).read_text()
    wrong.write_text(text.replace('"VisibilityTimeout"', '"VisibilityTimeOut"'))
    command = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run(
        [command, "--format", "json", "--", *templates, wrong],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    found: dict[Path, list[str]] = {file: [] for file in (*templates, wrong)}
    for each in json.loads(done.stdout):
        if "'deletecontactdata' is not one of" not in each["Message"]:  # newer than its data
            found[Path(each["Filename"])].append(each["Message"])
    return found


def test_cfn_lint_has_nothing_to_say(complaints: dict[Path, list[str]]) -> None:
    *ours, _ = complaints.items()
    assert {file.name: said for file, said in ours if said} == {}


def test_cfn_lint_sees_a_wrong_property(complaints: dict[Path, list[str]]) -> None:
    *_, said = complaints.values()
    assert any("'VisibilityTimeOut' was unexpected" in each for each in said)


# What no template may hold


def test_no_arn_names_the_partition_of_others(government: Assembly) -> None:
    for name, template in government.templates.items():
        assert "arn:aws:" not in json.dumps(template), name


def texts(value: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a template that people, not CDK, have written, with its place."""
    match value:
        case {"Ref": _} | {"Fn::GetAtt": _} | {"Fn::ImportValue": _}:
            return
        case dict():
            for key, each in value.items():
                if key not in ("DependsOn", "S3Key", "Metadata", "PolicyName", "Export"):
                    yield from texts(each, f"{at}/{key}")
        case list():
            for each in value:
                yield from texts(each, at)
        case str() if at.endswith("/ViewOriginalText"):
            yield at, base64.b64decode(value.split()[3]).decode()
        case str():
            yield at, value


SECRET = re.compile(
    r"(AKIA|ASIA)[A-Z0-9]{16}"
    r"|-----BEGIN"
    r"|eyJ[\w-]{10,}\.eyJ"
    r"|(?i:secret|password|token|key)(\\?[\"']\s*:\s*\\?[\"']|=)[A-Za-z0-9+/_-]{16,}"
    r"|(?<![A-Za-z0-9+/])(?=[A-Za-z0-9+]*[0-9])(?=[A-Za-z0-9+]*[a-z])[A-Za-z0-9+]{32,}"
)


def secrets(template: Json) -> list[str]:
    """Where something looks like a key or a password; what CDK names after its paths does not."""
    generated = re.compile(r"autotranscribe[A-Za-z-]*[A-F0-9]{8}")
    return [at for at, text in texts(template) if SECRET.search(generated.sub("", text))]


def test_no_template_holds_what_looks_like_a_secret(environment: Assembly) -> None:
    for name, template in environment.templates.items():
        assert secrets(template) == [], name
    for resource in environment.resources:
        if resource["Type"] == "AWS::SecretsManager::Secret":
            assert "SecretString" not in resource["Properties"]


@pytest.mark.parametrize(
    "value",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMIxK7MDENGxbPxRfiCYEXAMPLEKEY",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
        '{"apiSecret": "0123456789abcdef"}',
    ],
)
def test_the_check_sees_what_looks_like_a_secret(production: Assembly, value: str) -> None:
    for template in production.templates.values():
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::Lambda::Function":
                resource["Properties"]["Environment"]["Variables"]["MORE"] = value
                assert secrets(template)[0].endswith("/Environment/Variables/MORE")


# What outlives its stack


STATEFUL = {
    "AWS::DynamoDB::Table",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
}
"""All there are in every environment; another kind with data belongs here."""
VERSION = "AWS::Lambda::Version"
OF_THE_INSTANCE = {"AWS::Connect::InstanceStorageConfig", "AWS::Kinesis::Stream"}
"""Settings of a Connect instance, and the stream that one of them names."""


STAYS = ("RetainExceptOnCreate", "Retain")
"""It outlives its stack; if the deployment that makes it fails, it goes: the next one makes it."""


def fates(assembly: Assembly) -> dict[str, set[object]]:
    """By type: what becomes of its resources on delete and on replacement; None where unsaid."""
    found: dict[str, set[object]] = {}
    for each in assembly.resources:
        if each["Type"] in STATEFUL | OF_THE_INSTANCE or "DeletionPolicy" in each:
            fate = each.get("DeletionPolicy"), each.get("UpdateReplacePolicy")
            found.setdefault(each["Type"], set()).add(fate)
    return found


def test_all_that_holds_data_in_production_outlives_its_stack(production: Assembly) -> None:
    holding = {*STATEFUL, *OF_THE_INSTANCE, VERSION}
    assert fates(production) == {kind: {STAYS} for kind in holding}


def test_what_an_instance_is_set_to_outlives_even_an_environment_that_is_destroyed(
    assembly_of: Callable[[str], Assembly],
) -> None:
    destroyed: dict[str, set[object]] = {kind: {("Delete", "Delete")} for kind in STATEFUL}
    staying: dict[str, set[object]] = {kind: {STAYS} for kind in OF_THE_INSTANCE}
    # A version goes with its function; the stack only forgets it, so that an alias can go back.
    assert fates(assembly_of("dev")) == destroyed | staying | {VERSION: {STAYS}}


def test_nothing_in_production_holds_data_unsaid(production: Assembly) -> None:
    kinds = {each["Type"] for each in production.resources}
    holding = {"Bucket", "Key", "Stream", "DBInstance", "FileSystem", "GlobalTable", "Volume"}
    found = {kind for kind in kinds if kind.split("::")[-1] in holding}
    assert found == {"AWS::Kinesis::Stream", "AWS::S3::Bucket"} <= {*STATEFUL, *OF_THE_INSTANCE}


def test_the_stacks_of_production_are_protected_and_carry_its_tags(production: Assembly) -> None:
    manifest = json.loads((production.folder / "manifest.json").read_text())
    stacks = [
        each["properties"]
        for each in manifest["artifacts"].values()
        if each["type"] == "aws:cloudformation:stack"
    ]
    assert len(stacks) == 3
    for stack in stacks:
        assert stack["terminationProtection"]
        assert stack["tags"]["environment"] == "prod"


# What Lambda gets


def folders(assembly: Assembly) -> dict[str, Path]:
    """Each function's folder of code, by the name in its handler."""
    return {
        each["Properties"]["Handler"].split(".")[0]: assembly.assets[
            each["Properties"]["Code"]["S3Key"].removesuffix(".zip")
        ]
        for each in assembly.resources
        if each["Type"] == "AWS::Lambda::Function"
    }


def files(folder: Path) -> list[Path]:
    return sorted(each for each in folder.rglob("*") if each.is_file())


@pytest.mark.parametrize(
    ("environment_name", "functions"),
    [
        ("prod", FUNCTIONS),
        ("dev", FUNCTIONS),
        ("sandbox", FUNCTIONS | EXPORT),
    ],
)
def test_each_function_gets_its_folder_and_nothing_else_but_what_it_imports_of_shared(
    assembly_of: Callable[[str], Assembly], environment_name: str, functions: set[str]
) -> None:
    assembly = assembly_of(environment_name)
    packages = folders(assembly)
    assert set(packages) == functions
    assert sorted(packages.values()) == sorted(assembly.assets.values())
    for name, package in packages.items():
        its = [each.relative_to(package) for each in files(package)]
        of_shared = {path for path in its if path.parts[0] == "shared"}
        folder = files(ROOT / "lambdas" / name)
        assert set(its) - of_shared == {
            each.relative_to(ROOT / "lambdas") for each in folder if each.suffix == ".py"
        }
        assert of_shared == imported_of_shared(name)


@cache
def imported_of_shared(function: str) -> set[Path]:
    """What is really imported, in an interpreter of its own."""
    modules = [f"{function}.{each.stem}" for each in (ROOT / "lambdas" / function).glob("*.py")]
    code = f"import sys, {', '.join(modules)}; print(*(vars(m).get('__file__') for m in "
    code += "sys.modules.values() if m.__name__.startswith('shared.')))"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT / "lambdas")},
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(ran.stdout.split()) - {"None"}  # a folder has no file
    return {Path(name).relative_to(ROOT / "lambdas") for name in loaded}


def test_each_package_is_small(assembly_of: Callable[[str], Assembly], full: Assembly) -> None:
    packages = folders(assembly_of("sandbox")) | folders(full)
    assert packages.keys() >= FUNCTIONS | EXPORT | {"authorize_live", "publish_live", "read_live"}
    for name, package in packages.items():
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files(package):
                archive.write(file, file.relative_to(package))
        assert buffer.tell() <= PACKAGE_KB.get(name, 30) * 1024, name


def test_what_python_compiled_in_the_checkout_changes_no_package(
    production: Assembly, tmp_path: Path
) -> None:
    for file in (ROOT / "lambdas").rglob("*.py"):
        py_compile.compile(str(file))
    assert list((ROOT / "lambdas" / "shared" / "__pycache__").glob("*.pyc"))
    again = synthesise(tmp_path, lambda app: build(app, "prod"))
    assert set(again.assets) == set(production.assets)
    assert not list(tmp_path.rglob("__pycache__"))
