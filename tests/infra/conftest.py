"""The infra tests' surroundings: one jsii process, and each environment synthesised in it once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

import pytest
from aws_cdk import Annotations, App, CfnResource, Environment, Stack, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Template
from cdk_nag import AwsSolutionsChecks
from constructs import IConstruct

from app import build
from connect_autotranscribe._key_policy import KEY_POLICY
from connect_autotranscribe.stacks.transcription import TranscriptionStack
from connect_settings import Settings
from tools.load.account import app as load_app

ROOT = Path(__file__).parents[2]
CONTEXT: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]
FULL = Path(__file__).with_name("permissions") / "full.toml"
OTHERS = FULL.with_name("others.toml")
NAMES = ("dev", "staging", "prod", "sandbox")
ACCOUNT = "111122223333"

Json = dict[str, Any]

_SCRATCH = TemporaryDirectory()


@dataclass(frozen=True)
class Assembly:
    """What one app became on disk: what ``cdk deploy`` would read.

    :param app: The app, for what only the construct tree knows.
    """

    app: App
    folder: Path

    @property
    def templates(self) -> dict[str, Json]:
        """By file name, which begins with the stack's name."""
        files = sorted(self.folder.glob("*.template.json"))
        return {file.name: json.loads(file.read_text()) for file in files}

    @property
    def resources(self) -> list[Json]:
        """Of all stacks."""
        return [each for one in self.templates.values() for each in one["Resources"].values()]

    @property
    def assets(self) -> dict[str, Path]:
        """The folders that are zipped for Lambda, by hash."""
        files = [
            asset
            for manifest in self.folder.glob("*.assets.json")
            for asset in json.loads(manifest.read_text())["files"].items()
        ]
        return {
            hash_: self.folder / asset["source"]["path"]
            for hash_, asset in files
            if asset["source"]["packaging"] == "zip"
        }

    @property
    def findings(self) -> list[tuple[str, str]]:
        """The rule and the construct of every finding of cdk-nag that nobody has accepted."""
        report = json.loads((self.folder / "validation-report.json").read_text())
        return [
            (violation["ruleName"], construct["constructPath"])
            for plugin in report["pluginReports"]
            for violation in plugin["violations"]
            if not violation["ruleName"].startswith("Annotation::connect-autotranscribe:")
            for construct in violation["violatingConstructs"]
        ]


def synthesise(
    folder: Path,
    fill: Callable[[App], object],
    *,
    with_nag: bool = True,
    with_rules: bool = True,
) -> Assembly:
    """An app as the command line would make it.

    :param fill: Puts the stacks into it.
    :param with_nag: Whether cdk-nag checks it. Findings are printed, and do not raise.
    :param with_rules: Whether CDK's own rules check it, which a process loads for seconds.
    """
    by_command_line = {f"aws:cdk:enable-{what}-metadata": True for what in ("path", "asset")}
    app = App(
        context=CONTEXT | by_command_line,
        outdir=str(folder),
        builtin_cloud_formation_validation=with_rules,
    )
    if with_nag:
        Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    fill(app)
    try:
        app.synth()
    except RuntimeError as error:
        if not str(error).startswith("ValidationFailed"):
            raise
    return Assembly(app, folder)


def unchecked(folder: Path, what: str) -> Assembly:
    """An environment as ``make contract`` reads it. The tests check it: here nobody is told about
    its invented keys.

    :param what: What ``build`` takes.
    """

    def fill(app: App) -> None:
        build(app, what)
        for lost in ("alarms", "dead-letters", "events", "logs"):
            Annotations.of(app).acknowledge_warning(f"{KEY_POLICY}-{lost}")

    return synthesise(folder, fill, with_nag=False, with_rules=False)


@pytest.fixture(scope="session")
def assembly_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Assembly]:
    """The synthesised environment of that name; a second call gives the same one."""

    @cache
    def of(name: str) -> Assembly:
        assert name in NAMES
        return synthesise(tmp_path_factory.mktemp(name), lambda app: build(app, name))

    return of


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """With every option on: full.toml."""
    return synthesise(tmp_path_factory.mktemp("full"), lambda app: build(app, str(FULL)))


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """With the choices that full.toml cannot have: others.toml."""
    return synthesise(tmp_path_factory.mktemp("others"), lambda app: build(app, str(OTHERS)))


@pytest.fixture(scope="session")
def load_stacks(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """What `make load ENV=…` deploys beside a copy: the double, and what speaks and counts."""
    given = {
        "account": ACCOUNT,
        "region": "us-east-1",
        "bootstrap_qualifier": "hnb659fds",
        "prefix": "autotranscribe-dev-load",
        "calls": 5_000,
        "speech": {
            "results": f"arn:aws:sqs:us-east-1:{ACCOUNT}:results",
            "bus": "the-bus",
            "webhook": {
                "url": "https://abc.execute-api.us-east-1.amazonaws.com/live/",
                "secret_arn": f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:webhook-AbCdEf",
                "secret_name": "x-webhook-secret",
                "secret_in": "header",
            },
        },
    }
    return synthesise(tmp_path_factory.mktemp("load"), lambda app: load_app.build(app, given))


@pytest.fixture(scope="session", params=NAMES)
def environment(request: pytest.FixtureRequest, assembly_of: Callable[[str], Assembly]) -> Assembly:
    """Each environment of ours in turn."""
    return assembly_of(request.param)


@pytest.fixture(scope="session")
def production(assembly_of: Callable[[str], Assembly]) -> Assembly:
    return assembly_of("prod")


def new_app() -> App:
    """An app with cdk.json's context, which leaves nothing behind."""
    return App(context=CONTEXT, outdir=mkdtemp(dir=_SCRATCH.name))


def new_stack(region: str | None = "eu-central-1") -> Stack:
    """An empty stack.

    :param region: None for a stack that does not know its account and region.
    """
    env = Environment(account=ACCOUNT, region=region) if region else None
    return Stack(new_app(), "Stack", env=env)


class Deployed:
    """A stack and its template; resources are found by their construct or by their type."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.template: Json = dict(Template.from_stack(stack).to_json())

    def value(self, token: Any) -> Any:
        """What the template has for a token, such as a construct's ARN."""
        return self.stack.resolve(token)

    def identifier(self, construct: IConstruct) -> str:
        return self.stack.get_logical_id(construct.node.default_child)  # type: ignore[arg-type]

    def resource(self, construct: IConstruct) -> Json:
        """The one of this construct itself, not those of its children."""
        found: Json = self.template["Resources"][self.identifier(construct)]
        return found

    def properties(self, construct: IConstruct) -> Json:
        found: Json = self.resource(construct).get("Properties", {})
        return found

    def all(self, kind: str) -> list[Json]:
        resources = self.template.get("Resources", {}).values()
        return [each for each in resources if each["Type"] == kind]

    def one(self, kind: str) -> Json:
        (found,) = self.all(kind)
        return found

    def trust(self, role: iam.IRole) -> Json:
        found: Json = self.properties(role)["AssumeRolePolicyDocument"]
        return found

    def permissions(self, role: iam.IRole) -> list[Json]:
        """Every statement of every policy of a role, however it is attached."""
        properties = self.properties(role)
        assert "ManagedPolicyArns" not in properties, "policies that no template shows"
        documents = [each["PolicyDocument"] for each in properties.get("Policies", [])]
        reference = {"Ref": self.identifier(role)}
        for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
            for policy in self.all(kind):
                if reference in policy["Properties"].get("Roles", []):
                    documents.append(policy["Properties"]["PolicyDocument"])
        return in_order(each for document in documents for each in document["Statement"])


class Transcription(Deployed):
    """The transcription stack of an environment: the smallest one, but for what is given.

    :param given: Keys and tables of settings; those of ``asapp`` add to the smallest one's.
    """

    REGION = "eu-central-1"
    INSTANCE = f"arn:aws:connect:{REGION}:{ACCOUNT}:instance/9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa"
    CREDENTIALS = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:acme/asapp-??????"

    def __init__(self, **given: Any) -> None:
        asapp = {
            "api_host": "https://api.asapp.com",
            "trusted_role_arns": ["arn:aws:iam::999999999999:role/asapp"],
            "credentials_secret_name": "acme/asapp",
        }
        smallest = {
            "account": ACCOUNT,
            "region": self.REGION,
            "connect": {"instance_arn": self.INSTANCE, "instance_alias": "acme"},
            "media_streaming": {"mode": "adopt", "prefix": "acme"},
            "lifecycle": {"mode": "off"},
        }
        asapp |= given.pop("asapp", {})
        settings = Settings.from_mapping(smallest | given | {"asapp": asapp})
        env = {"account": ACCOUNT, "region": self.REGION}
        self.made = TranscriptionStack(new_app(), "Stack", settings=settings, env=env)
        super().__init__(self.made)

    def arn(self, construct: IConstruct) -> Json:
        return {"Fn::GetAtt": [self.identifier(construct), "Arn"]}

    def ref(self, construct: IConstruct) -> Json:
        return {"Ref": self.identifier(construct)}

    def within(self, construct: IConstruct, kind: str) -> list[Json]:
        """The properties of every resource of a kind that a construct has made."""
        ids = [
            self.stack.resolve(each.logical_id)  # type: ignore[attr-defined]
            for each in construct.node.find_all()
            if CfnResource.is_cfn_resource(each)
        ]
        made = [self.template["Resources"][each] for each in ids]
        return [each.get("Properties", {}) for each in made if each["Type"] == kind]

    def may(self, function: lambda_.IFunction) -> list[Json]:
        """What a function may do beyond writing its log and being traced."""
        assert function.role is not None
        group = self.properties(function)["LoggingConfig"]["LogGroup"]["Ref"]
        usual = [
            allow(["logs:CreateLogStream", "logs:PutLogEvents"], {"Fn::GetAtt": [group, "Arn"]}),
            allow(["xray:PutTelemetryRecords", "xray:PutTraceSegments"], "*"),
        ]
        statements = self.permissions(function.role)
        assert all(each in statements for each in usual)
        return [each for each in statements if each not in usual]


def allow(actions: str | list[str], resource: Any, **condition: Any) -> Json:
    statement = {"Effect": "Allow", "Action": actions, "Resource": resource}
    return statement | ({"Condition": condition} if condition else {})


def in_order(statements: Any) -> list[Json]:
    """Statements in an order of their own, as theirs in a policy means nothing."""
    return sorted(statements, key=lambda each: json.dumps(each, sort_keys=True))
