"""``make map-flows``: two instances behind a socket, and what synth makes of the lock."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_lambda as lambda_

from app import build
from connect_autotranscribe.stacks.flows import FlowsStack
from connect_flows.lock import FlowsLock, NotALock
from connect_settings import OwnFlows, Settings, SettingsError
from tests.flow_builders import LAMBDA, PROMPT, Json, action, flow, leading, queue
from tests.infra.conftest import CONTEXT
from tests.running_server import running
from tests.tools.doctor.fake_aws import (
    ACCOUNT,
    BEGINNING,
    INSTANCE_ID,
    REGION,
    Account,
    FakeAws,
    Refusal,
)
from tests.tools.fake_connect import Clock, FakeInstance
from tools.map_flows.__main__ import READY_MADE, main
from tools.map_flows.instance import BOTS, IDENTITY, OPERATIONS

pytestmark = pytest.mark.usefixtures("credentials")

ROOT = Path(__file__).parents[3]
DEV_ID = "11111111-1111-4111-8111-111111111111"
DEV, PROD = (f"arn:aws:connect:{REGION}:{ACCOUNT}:instance/{id}" for id in (DEV_ID, INSTANCE_ID))
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:"
BOT = f"arn:aws:lex:{REGION}:{ACCOUNT}:bot-alias/"


def uuid(number: int) -> str:
    return f"{number:08d}-0000-4000-8000-000000000000"


@dataclass
class Things:
    """What one instance has: names, each with its number; a number is part of the ARN."""

    arn: str
    queues: dict[int, str] = field(default_factory=dict)
    prompts: dict[int, str] = field(default_factory=dict)
    hours: dict[int, str] = field(default_factory=dict)
    flows: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Name and type."""
    modules: dict[int, str] = field(default_factory=dict)
    functions: list[str] = field(default_factory=list)
    bots: dict[str, str] = field(default_factory=dict)
    """Names of bot and alias, by the two ids."""

    def list_of(self, kind: str, items: dict[int, str]) -> list[Json]:
        return [
            {"Id": uuid(id), "Arn": f"{self.arn}/{kind}/{uuid(id)}", "Name": each}
            for id, each in items.items()
        ]

    def fake(self, clock: Clock) -> FakeInstance:
        flows = self.list_of("contact-flow", {id: name for id, (name, _) in self.flows.items()})
        for each, (_, type) in zip(flows, self.flows.values(), strict=True):
            each["ContactFlowType"] = type
        modules = self.list_of("flow-module", self.modules)
        bots = [{"LexV2Bot": {"AliasArn": f"{BOT}{each}"}} for each in self.bots]
        return FakeInstance(
            lists={
                "ListContactFlows": ("ContactFlowSummaryList", flows),
                "ListContactFlowModules": ("ContactFlowModulesSummaryList", modules),
                "ListQueues": ("QueueSummaryList", self.list_of("queue", self.queues)),
                "ListPrompts": ("PromptSummaryList", self.list_of("prompt", self.prompts)),
                "ListHoursOfOperations": (
                    "HoursOfOperationSummaryList",
                    self.list_of("operating-hours", self.hours),
                ),
                "ListLambdaFunctions": ("LambdaFunctions", self.functions),
                "ListBots": ("LexBots", bots),
            },
            page=2,
        )


class TwoInstances:
    """Both in one account, whose two requests a second they share, and Lex beside them."""

    def __init__(self, dev: Things, prod: Things) -> None:
        self.clock = Clock()
        self.fakes = {DEV_ID: dev.fake(self.clock), INSTANCE_ID: prod.fake(self.clock)}
        self.rate = FakeInstance(clock=self.clock)
        self.bots = dev.bots | prod.bots
        self.calls: list[str] = []
        self.denied: set[str] = set()
        self.mistakes: list[str] = []
        self.garbled: frozenset[str] = frozenset()

    def answer(self, service: str, operation: str, request: Json) -> Json:
        if service == "connect":
            self.rate._throttle()
        self.calls.append(operation)
        if operation in self.denied:
            raise Refusal("AccessDeniedException", "no", 403)
        if service == "sts":
            return {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/me", "UserId": "me"}
        if service == "connect":
            fake = self.fakes[request["InstanceId"]]
            return fake.answer(service, operation, request | {"InstanceId": INSTANCE_ID})
        bot = next((name for ids, name in self.bots.items() if request["botId"] in ids), None)
        if bot is None:
            raise Refusal("ResourceNotFoundException", status=404)
        bot_name, alias = bot.split(":")
        if operation == "DescribeBot":
            return {"botId": request["botId"], "botName": bot_name, "creationDateTime": BEGINNING}
        return {"botAliasId": request["botAliasId"], "botAliasName": alias}


def everything(instance: str = DEV, add: int = 0) -> Json:
    """A flow that names a thing of each kind."""

    def arn(kind: str, number: int) -> str:
        return f"{instance}/{kind}/{uuid(number + add)}"

    bot = "BOTPROD123/ALIASPROD1" if add else "BOTDEV1234/ALIASDEV12"
    hours = {"HoursOfOperationId": arn("operating-hours", 3)}
    lex = {"Text": "Yes?", "LexV2Bot": {"AliasArn": BOT + bot}}
    return flow(
        action("hours", "CheckHoursOfOperation", hours, NextAction="lex"),
        action("lex", "ConnectParticipantWithLexBot", lex, NextAction="beep"),
        leading("beep", PROMPT, {"PromptId": arn("prompt", 2)}, "hook", "bye"),
        leading(
            "hook",
            "UpdateContactEventHooks",
            {"EventHooks": {"AgentWhisper": arn("contact-flow", 4)}},
            "module",
        ),
        leading(
            "module",
            "InvokeFlowModule",
            {"FlowModuleId": f"{arn('flow-module', 5)}:$LATEST"},
            "crm",
        ),
        leading(
            "crm",
            LAMBDA,
            {
                "LambdaFunctionARN": f"{FUNCTION}crm-{'prod' if add else 'dev'}:live",
                "InvocationTimeLimitSeconds": "2",
            },
            "set queue",
        ),
        leading("set queue", "UpdateContactTargetQueue", {"QueueId": arn("queue", 1)}, "go", "bye"),
        queue("go", "bye"),
        action("bye", "DisconnectParticipant"),
    )


def dev() -> Things:
    return Things(
        DEV,
        queues={1: "Billing", 9: "Sales", 10: "Other"},
        prompts={2: "beep.wav"},
        hours={3: "Weekdays"},
        flows={4: ("Whisper", "AGENT_WHISPER"), 8: ("Main", "CONTACT_FLOW")},
        modules={5: "Greet"},
        functions=[f"{FUNCTION}crm-dev:live"],
        bots={"BOTDEV1234/ALIASDEV12": "Orders:live"},
    )


def prod() -> Things:
    """Everything that dev has, under other ids, and in two pages."""
    return Things(
        PROD,
        queues={97: "Sales", 98: "Other", 101: "Billing"},
        prompts={99: "music.wav", 102: "beep.wav"},
        hours={103: "Weekdays"},
        flows={95: ("Whisper", "CUSTOMER_WHISPER"), 104: ("Whisper", "AGENT_WHISPER")},
        modules={105: "Greet"},
        functions=[f"{FUNCTION}other:live", f"{FUNCTION}crm-prod:live"],
        bots={"BOTPROD000/ALIASPROD0": "Orders:test", "BOTPROD123/ALIASPROD1": "Orders:live"},
    )


CRM = 'pairs = {"Lambda function crm-dev:live" = "crm-prod:live"}'
TABLE = """
[[flows]]
file = "flows/main.json"
type = "CONTACT_FLOW"
name = "Main, transcribed"
stop = true
"""


@dataclass
class Run:
    code: int
    said: str


@dataclass
class Project:
    """``dev.toml``, ``prod.toml``, one flow file."""

    folder: Path

    def write(self, pairs: str = CRM, tables: str = TABLE, content: Json | None = None) -> None:
        for name, instance in (("dev", DEV), ("prod", PROD)):
            text = (ROOT / "infra/environments/prod.toml").read_text("utf-8")
            text = re.sub(r"(?m)^instance_arn = .*", f'instance_arn = "{instance}"', text)
            text = re.sub(r"(?m)^account = .*", f'account = "{ACCOUNT}"', text)
            text = re.sub(r"(?m)^region = .*", f'region = "{REGION}"', text)
            if name == "prod":
                text = re.sub(r"(?m)^pairs = .*", lambda _: pairs, text)
            (self.folder / f"{name}.toml").write_text(text + tables, "utf-8")
        (self.folder / "flows").mkdir(exist_ok=True)
        file = self.folder / "flows/main.json"
        file.write_text(json.dumps(content or everything()), "utf-8")

    @property
    def lock(self) -> Path:
        return self.folder / "prod.flows.lock"

    def environment(self, name: str) -> str:
        return str(self.folder / f"{name}.toml")

    def map(self, instances: TwoInstances, source: str = "dev", target: str = "prod") -> Run:
        with running(FakeAws()) as server, pytest.MonkeyPatch.context() as patch:
            server.account = cast(Account, instances)
            patch.setenv("AWS_ENDPOINT_URL", server.url)
            with redirect_stderr(io.StringIO()) as screen:
                code = main(
                    [self.environment(source), self.environment(target)],
                    sleep=instances.clock.sleep,
                    now=instances.clock.now,
                )
        assert instances.mistakes == []
        return Run(code, screen.getvalue())

    def app(self, out: str, *names: str) -> App:
        """The flows stacks of these environments, without the others, which take longer."""
        app = App(context=CONTEXT, outdir=str(self.folder / out))
        for name in names:
            file = Path(self.environment(name))
            settings = Settings.load(file)
            stack = Stack(App(), f"{name}-functions")
            start, stop = (
                lambda_.Function.from_function_arn(stack, each, f"{FUNCTION}{each}:live")
                for each in ("start", "stop")
            )
            FlowsStack(
                app,
                f"{name}-flows",
                env={"account": settings.account, "region": settings.region},
                instance_arn=settings.connect.instance_arn,
                start_streaming=start,
                stop_streaming=stop,
                customer_id_path=settings.asapp.customer_id_path,
                agent_id_path=settings.asapp.agent_id_path,
                name_prefix=settings.connect.flow_name_prefix,
                stop_at_hold=settings.lifecycle.mode != "off",
                own_flows=OwnFlows.read(settings, file),
            )
        return app

    def templates(self, out: str, *names: str) -> list[bytes]:
        self.app(out, *names).synth()
        return [(self.folder / out / f"{each}-flows.template.json").read_bytes() for each in names]

    def template(self, name: str) -> bytes:
        (found,) = self.templates("out", name)
        return found

    def refused(self, name: str = "prod") -> list[str]:
        with pytest.raises(SettingsError) as error:
            self.app("refused", name)
        return str(error.value).splitlines()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.write()
    return made


def actions_of(template: bytes, name: str) -> dict[str, Json]:
    """A flow's blocks by identifier; references of the template are ``${Id.Attribute}``."""
    (resource,) = (
        each["Properties"]
        for each in json.loads(template)["Resources"].values()
        if each["Type"] == "AWS::Connect::ContactFlow" and each["Properties"]["Name"] == name
    )
    content = resource["Content"]
    if isinstance(content, dict):
        content = "".join(
            part if isinstance(part, str) else "${" + _named(part) + "}"
            for part in content["Fn::Join"][1]
        )
    return {each["Identifier"]: each for each in json.loads(content)["Actions"]}


def _named(part: Json) -> str:
    ((function, argument),) = part.items()
    return ".".join(argument) if function == "Fn::GetAtt" else str(argument)


def parameters(actions: dict[str, Json], names: Any) -> dict[str, Json]:
    return {name: actions[name]["Parameters"] for name in names}


# Both environments from one file


def test_one_file_serves_two_environments_each_with_its_own_arns(project: Project) -> None:
    ran = project.map(TwoInstances(dev(), prod()))
    assert ran.code == 0, ran.said
    first, second = (project.templates(out, "dev", "prod") for out in ("one", "two"))
    assert first == second
    for template, its in zip(first, (everything(), everything(PROD, add=100)), strict=True):
        blocks = {each["Identifier"]: each["Parameters"] for each in its["Actions"]}
        assert parameters(actions_of(template, "Main, transcribed"), blocks) == blocks


def test_the_app_deploys_the_flows_of_the_settings_after_its_own(project: Project) -> None:
    project.map(TwoInstances(dev(), prod()))
    app = App(context=CONTEXT, outdir=str(project.folder / "app"))
    build(app, project.environment("prod"))
    app.synth()
    (file,) = (project.folder / "app").glob("*-flows.template.json")
    resources = json.loads(file.read_bytes())["Resources"]
    (woven,) = (
        each for each in resources.values() if each["Properties"].get("Name") == "Main, transcribed"
    )
    last = {
        id for id, each in resources.items() if each["Type"] == "AWS::Connect::ContactFlow"
    } & set(woven["DependsOn"])
    assert [re.sub(r"[0-9A-F]{8}$", "", each) for each in last] == ["QueueTransferFlow"]


def test_the_lock_is_the_same_bytes_each_time_sorted_with_a_line_for_each_arn(
    project: Project,
) -> None:
    project.map(TwoInstances(dev(), prod()))
    written = project.lock.read_bytes()
    project.map(TwoInstances(dev(), prod()))
    assert project.lock.read_bytes() == written
    lock = FlowsLock.read(project.lock)
    assert lock.text().encode() == written
    lines = [line for line in written.decode().splitlines() if '"kind"' in line]
    assert len(lines) == 7
    assert [(json.loads("{" + line.rstrip(",") + "}").popitem()[1]["kind"]) for line in lines] == [
        "Lambda function",
        "Lex bot",
        "flow",
        "hours of operation",
        "module",
        "prompt",
        "queue",
    ]
    assert lock.pairs[f"{DEV}/queue/{uuid(1)}"].name == "Billing"
    assert lock.arns[f"{DEV}/queue/{uuid(1)}"] == f"{PROD}/queue/{uuid(101)}"


def test_it_asks_at_most_twice_a_second_and_nothing_that_it_does_not_need(project: Project) -> None:
    only_queue = flow(
        leading("q", "UpdateContactTargetQueue", {"QueueId": uuid(1)}, "bye"),
        action("bye", "DisconnectParticipant"),
    )
    project.write(content=only_queue)
    instances = TwoInstances(dev(), prod())
    ran = project.map(instances)
    assert ran.code == 0, ran.said
    assert instances.calls == ["GetCallerIdentity"] * 2 + ["ListQueues"] * 4  # two pages each
    assert instances.rate.throttled == 0
    assert "read with 4 requests" in ran.said
    assert FlowsLock.read(project.lock).arns == {uuid(1): f"{PROD}/queue/{uuid(101)}"}


def test_a_throttle_is_waited_out(project: Project) -> None:
    instances = TwoInstances(dev(), prod())
    instances.rate.tokens = -3
    assert project.map(instances).code == 0
    assert instances.rate.throttled > 0


def test_a_region_of_the_call_stays_one(project: Project) -> None:
    text = json.dumps(everything()).replace(f":{REGION}:", ":$.AwsRegion:")
    project.write(content=json.loads(text))
    assert project.map(TwoInstances(dev(), prod())).code == 0
    right = json.loads(json.dumps(everything(PROD, 100)).replace(f":{REGION}:", ":$.AwsRegion:"))
    blocks = {each["Identifier"]: each["Parameters"] for each in right["Actions"]}
    made = actions_of(project.template("prod"), "Main, transcribed")
    assert parameters(made, blocks) == blocks


# No pair, or two


def without_queue(things: Things) -> None:
    del things.queues[101]


def two_queues(things: Things) -> None:
    things.queues[120] = "Billing"


def without_function(things: Things) -> None:
    things.functions.remove(f"{FUNCTION}crm-prod:live")


def other_type(things: Things) -> None:
    things.flows[104] = ("Whisper", "CONTACT_FLOW")


@pytest.mark.parametrize(
    ("change", "block", "which", "what"),
    [
        (
            without_queue,
            "'set queue' (UpdateContactTargetQueue)",
            f"queue 'Billing' of dev, {DEV}/queue/{uuid(1)}",
            "prod has no queue of that name; create it, or write pairs = "
            '{"queue Billing" = "its name here"} under [connect] of prod.toml',
        ),
        (
            two_queues,
            "'set queue' (UpdateContactTargetQueue)",
            f"queue 'Billing' of dev, {DEV}/queue/{uuid(1)}",
            f"prod has 2 of that name: {PROD}/queue/{uuid(101)}, {PROD}/queue/{uuid(120)}; rename "
            f'all but one, or write pairs = {{"{DEV}/queue/{uuid(1)}" = "its ARN here"}} under '
            "[connect] of prod.toml",
        ),
        (
            without_function,
            "'crm' (InvokeLambdaFunction)",
            f"Lambda function 'crm-dev:live' of dev, {FUNCTION}crm-dev:live",
            "prod has no Lambda function 'crm-prod:live'; associate it with the instance, or "
            'write pairs = {"Lambda function crm-dev:live" = "its name here"} under [connect] of '
            "prod.toml",
        ),
        (
            other_type,
            "'hook' (UpdateContactEventHooks)",
            f"flow 'Whisper' of dev, {DEV}/contact-flow/{uuid(4)}",
            "prod has no flow of that name; create it, or write pairs = "
            '{"flow Whisper" = "its name here"} under [connect] of prod.toml',
        ),
    ],
)
def test_what_has_no_pair_or_two_is_named_with_its_file_its_block_and_what_to_do(
    project: Project, change: Callable[[Things], None], block: str, which: str, what: str
) -> None:
    there = prod()
    change(there)
    ran = project.map(TwoInstances(dev(), there))
    assert (ran.code, ran.said.count("no pair: ")) == (1, 1)
    assert project.refused() == [
        f"{project.folder}/flows/main.json: the block {block} names the {which}; {what}; then run "
        "make map-flows FROM=dev TO=prod, and commit the lock"
    ]


def test_the_real_command_line_says_it_in_one_message(project: Project) -> None:
    there = prod()
    without_queue(there)
    project.map(TwoInstances(dev(), there))
    done = subprocess.run(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env=os.environ
        | {"CDK_CONTEXT_JSON": json.dumps(CONTEXT | {"environment": project.environment("prod")})},
        capture_output=True,
        text=True,
    )
    (said,) = [line for line in done.stderr.splitlines() if not line.startswith("b'")]
    assert done.returncode == 1
    assert said.startswith(f"{project.folder}/flows/main.json: the block 'set queue'")


def test_what_the_source_does_not_have_is_exported_again(project: Project) -> None:
    here = dev()
    del here.queues[1]
    assert project.map(TwoInstances(here, prod())).code == 1
    (said,) = project.refused()
    assert f"names the queue of dev, {DEV}/queue/{uuid(1)}, which dev does not have" in said
    assert "export the flow again" in said


def test_an_arn_of_another_kind_is_paired_by_hand(project: Project) -> None:
    ours, theirs = (f"arn:aws:wisdom:{REGION}:{ACCOUNT}:assistant/{id}" for id in ("a", "b"))
    content = everything()
    content["Actions"][-3]["Parameters"]["Assistant"] = ours
    project.write(content=content)
    assert project.map(TwoInstances(dev(), prod())).code == 1
    (said,) = project.refused()
    assert f'write pairs = {{"{ours}" = "its ARN here"}}' in said
    project.write(content=content, pairs=f'{CRM[:-1]}, "{ours}" = "{theirs}"}}')
    assert project.map(TwoInstances(dev(), prod())).code == 0
    assert theirs.encode() in project.template("prod")


# The lock and the files


def test_a_file_of_another_instance_needs_a_lock(project: Project) -> None:
    said = project.refused()
    assert len(said) == 5  # the function and the bot are of the same account and region
    assert said[0] == (
        f"{project.folder}/flows/main.json: the block 'hours' (CheckHoursOfOperation) names the "
        f"hours of operation {DEV}/operating-hours/{uuid(3)}, which is not of the instance of prod;"
        " run make map-flows FROM=… TO=prod, where FROM is the environment from which the file was "
        "exported, and commit prod.flows.lock"
    )
    assert project.template("dev")


def test_a_lock_that_is_older_than_the_file_or_the_settings_is_refused(project: Project) -> None:
    project.map(TwoInstances(dev(), prod()))
    content = everything()
    content["Actions"][2]["Parameters"]["PromptId"] = f"{DEV}/prompt/{uuid(7)}"
    project.write(content=content, pairs='pairs = {"queue Billing" = "Sales"}')
    settings, file = project.refused()
    assert settings == (
        "prod.flows.lock: has 'Billing' for the queue 'Billing', and connect.pairs says 'Sales';"
        " run make map-flows FROM=dev TO=prod, and commit the lock"
    )
    assert file == (
        f"{project.folder}/flows/main.json: the block 'beep' (MessageParticipant) names the prompt "
        f"{DEV}/prompt/{uuid(7)}, which prod.flows.lock does not have; run make map-flows FROM=dev "
        "TO=prod, and commit the lock"
    )


def test_a_lock_of_another_instance_is_refused(project: Project) -> None:
    project.map(TwoInstances(dev(), prod()))
    project.lock.rename(project.folder / "dev.flows.lock")
    assert project.refused("dev")[0] == (
        f"dev.flows.lock: is for {PROD}, not for {DEV}; run make map-flows FROM=dev TO=prod, and "
        "commit the lock"
    )


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"from": {}, "to": {}, "pairs": {}}', "[" * 9999]
)
def test_what_is_no_lock_is_named(project: Project, text: str) -> None:
    project.lock.write_text(text)
    with pytest.raises(NotALock, match="write it again with make map-flows"):
        FlowsLock.read(project.lock)
    assert project.refused()[0].startswith(f"{project.lock}: cannot be read (")


@pytest.mark.parametrize(
    "file", ["../main.json", "/etc/x.json", "flows/main.toml", "flows/../x.json"]
)
def test_a_file_outside_the_environments_folder_is_refused(project: Project, file: str) -> None:
    project.write(tables=TABLE.replace("flows/main.json", file))
    (said,) = project.refused()
    assert "flows, table 1, flows.file: " in said
    assert "is not accepted; write a path below the environment's folder" in said


def test_nor_is_one_behind_a_link(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "main.json"
    outside.write_text(json.dumps(everything()))
    (project.folder / "flows/main.json").unlink()
    (project.folder / "flows/main.json").symlink_to(outside)
    (said,) = project.refused()
    assert "flows/main.json cannot be read: " in said


# Flows that the stack itself deploys

WHISPER = """
[[flows]]
file = "flows/whisper.json"
type = "AGENT_WHISPER"
name = "Whisper, transcribed"
replaces = "Whisper"
start = true
"""


def test_a_flow_that_names_one_which_the_stack_weaves_gets_the_woven_one(project: Project) -> None:
    project.write(tables=TABLE + WHISPER)
    whisper = flow(action("end", "EndFlowExecution"))
    (project.folder / "flows/whisper.json").write_text(json.dumps(whisper))
    there = prod()
    there.flows.clear()  # a first deployment
    ran = project.map(TwoInstances(dev(), there))
    assert ran.code == 0, ran.said
    template = project.template("prod")
    (whisper_id,) = (
        id
        for id, each in json.loads(template)["Resources"].items()
        if each["Properties"].get("Name") == "Whisper, transcribed"
    )
    assert actions_of(template, "Main, transcribed")["hook"]["Parameters"] == {
        "EventHooks": {"AgentWhisper": f"${{{whisper_id}.ContactFlowArn}}"}
    }


def test_one_that_names_a_ready_made_flow_gets_that_of_this_stack(project: Project) -> None:
    project.write(tables=TABLE)
    here, there = dev(), prod()
    here.flows[4] = ("Transcription agent whisper", "AGENT_WHISPER")
    here.modules[5] = "Stop transcription"
    there.flows.clear()
    there.modules.clear()
    assert project.map(TwoInstances(here, there)).code == 0
    template = project.template("prod")
    actions = actions_of(template, "Main, transcribed")
    (hooked,) = actions["hook"]["Parameters"]["EventHooks"].values()
    assert re.fullmatch(r"\$\{AgentWhisperFlow\w+\.ContactFlowArn\}", hooked)
    module = actions["module"]["Parameters"]["FlowModuleId"]
    assert re.fullmatch(r"\$\{StopModule\w+\.ContactFlowModuleArn\}:\$LATEST", module)


def test_prefixes_of_both_environments_are_known(project: Project) -> None:
    for name, prefix in (("dev", "d"), ("prod", "p")):
        file = project.folder / f"{name}.toml"
        text = file.read_text().replace("# flow_name_prefix", "flow_name_prefix")
        file.write_text(re.sub("flow_name_prefix = .*", f'flow_name_prefix = "{prefix}"', text))
    here, there = dev(), prod()
    here.flows[4] = ("d Transcription agent whisper", "AGENT_WHISPER")
    ran = project.map(TwoInstances(here, there))
    assert ran.code == 0, ran.said
    template = project.template("prod")
    hooks = actions_of(template, "p Main, transcribed")["hook"]["Parameters"]["EventHooks"]
    assert hooks["AgentWhisper"].startswith("${AgentWhisperFlow")


def test_a_flow_is_deployed_under_both_names_while_it_is_renamed(project: Project) -> None:
    renamed = TABLE.replace('"Main, transcribed"', '"Main menu"\nreplaces = "Main"')
    project.write(tables=TABLE + renamed)
    template = project.template("dev")
    old = actions_of(template, "Main, transcribed")
    assert old.keys() >= {"hook", "crm"}
    assert actions_of(template, "Main menu") == old


def test_a_circle_is_named(project: Project) -> None:
    back = TABLE.replace("main.json", "back.json").replace("Main", "Back")
    project.write(tables=TABLE + 'replaces = "Main"\n' + back + 'replaces = "Whisper"\n')
    content = flow(
        leading("go", "TransferToFlow", {"ContactFlowId": uuid(8)}, "bye"),
        action("bye", "DisconnectParticipant"),
    )
    (project.folder / "flows/back.json").write_text(json.dumps(content))
    project.map(TwoInstances(dev(), prod()))
    (said,) = project.refused()
    assert "flows name each other in a circle: " in said
    assert "'Main, transcribed' → 'Back, transcribed'" in said


def test_the_names_of_ready_made_flows_are_those_that_the_stack_makes(project: Project) -> None:
    kinds = {"AWS::Connect::ContactFlow": "flow", "AWS::Connect::ContactFlowModule": "module"}
    template = json.loads(project.template("dev"))
    made = {
        f"{kinds[each['Type']]} {each['Properties']['Name']}"
        for each in template["Resources"].values()
        if each["Type"] in kinds
    }
    assert made - {"flow Main, transcribed"} == set(READY_MADE)


# Nothing is changed, and nothing is guessed


@pytest.fixture
def denied(project: Project) -> Iterator[Callable[[str], Run]]:
    def run(operation: str) -> Run:
        instances = TwoInstances(dev(), prod())
        instances.denied.add(operation)
        return project.map(instances)

    yield run
    assert not project.lock.exists()


@pytest.mark.parametrize(
    ("operation", "allow"),
    [("ListPrompts", "connect:ListPrompts"), ("DescribeBotAlias", "lex:DescribeBotAlias")],
)
def test_what_it_may_not_read_is_said_and_nothing_is_written(
    denied: Callable[[str], Run], operation: str, allow: str
) -> None:
    ran = denied(operation)
    assert ran.code == 2
    assert f"→ allow {allow}; docs/flows.md has the whole policy; nothing was written" in ran.said


def test_credentials_of_another_account_are_refused(project: Project) -> None:
    file = project.folder / "dev.toml"
    file.write_text(file.read_text().replace(ACCOUNT, "999988887777"))
    ran = project.map(TwoInstances(dev(), prod()))
    assert ran.code == 2
    assert f"dev: the credentials are of account {ACCOUNT}, not of 999988887777" in ran.said
    assert not project.lock.exists()


def test_the_guide_has_the_policy_of_every_call(project: Project) -> None:
    guide = (ROOT / "docs/flows.md").read_text("utf-8")
    section = guide.partition("## Flows as settings")[2]
    (policy,) = re.findall(r"```json\n(.*?)```", section, re.DOTALL)
    (statement,) = json.loads(policy)["Statement"]
    ours = {f"connect:{''.join(map(str.title, each.split('_')))}" for each in OPERATIONS}
    needed = {*ours, *BOTS.values(), *IDENTITY.values(), "ds:DescribeDirectories"}
    assert (statement["Effect"], set(statement["Action"])) == ("Allow", needed)
