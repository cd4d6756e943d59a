"""Deploys the stacks into the emulator with the CDK command line, and finds what they created."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from math import ceil
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from connect_settings import Settings
from sandbox.asapp.double import AsappDouble, OAuth2
from sandbox.connect.flow_state import LambdaFailed
from sandbox.stacks.emulator import ACCOUNT, REGION, ROOT, Emulator, SandboxError
from sandbox.stacks.processes import running
from shared import table

ENVIRONMENT = ROOT / "infra" / "environments" / "sandbox.toml"
CDK = ROOT / "node_modules" / ".bin" / "cdk"
_ACCESS, _TRANSCRIPTION, _FLOWS, _LIVE = "access", "transcription", "flows", "live"

UNKNOWN_TO_THE_EMULATOR = (
    "AWS::AppIntegrations::Application",
    "AWS::Connect::IntegrationAssociation",
    "AWS::Events::EventBusPolicy",
)
"""The emulator refuses a template with such a resource, and lets everybody put events anyway."""
_SECONDS_OF_A_RUN = 300

NO_MORE_SETTINGS: Mapping[str, str] = MappingProxyType({})

Say = Callable[[str], None]
Synthesise = Callable[[Path, Path], object]
"""Writes the cloud assembly of a settings file into a folder, in place of ``cdk synth``."""


@dataclass
class Deployment:
    """The deployed stacks.

    :param assembly: The cloud assembly. Its flows stack is not deployed, because the emulator has
        no Amazon Connect; the flow runner reads the flows from it.
    :param outputs: The transcription stack's outputs by name.
    :param exports: What the stacks export to one another.
    :param environment: Part of the stacks' names.
    :param live_outputs: Those of the stack of the live page; empty if it is off.
    """

    emulator: Emulator
    assembly: Path
    outputs: Mapping[str, str]
    exports: Mapping[str, str]
    settings: Settings
    live_outputs: Mapping[str, str] = field(default_factory=dict)
    environment: str = ENVIRONMENT.stem

    def set_variables(self, function: str, **variables: str) -> None:
        """Add environment variables to a function of the live page's stack.

        :param function: Its id in the stack, such as ``ReadLive``.
        """
        (name,) = self._resources("AWS::Lambda::Function", f"LiveTranscripts{function}", _LIVE)
        client = self.emulator.client("lambda")
        before = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        client.update_function_configuration(
            FunctionName=name, Environment={"Variables": before | variables}
        )

    @cached_property
    def table_name(self) -> str:
        (name,) = self._resources("AWS::DynamoDB::Table")
        return name

    @cached_property
    def event_bus_name(self) -> str:
        (name,) = self._resources("AWS::Events::EventBus")
        return name

    @cached_property
    def agent_event_stream_name(self) -> str:
        return (self.settings.lifecycle.stream_arn or "").rpartition("/")[2]

    @cached_property
    def contact_event_rule(self) -> tuple[str, str]:
        """The pattern and the one target's ARN of the rule for Connect's contact events."""
        (name,) = self._resources("AWS::Events::Rule", "CallLifecycle")
        events = self.emulator.client("events")
        rule = events.describe_rule(Name=name)
        (target,) = events.list_targets_by_rule(Rule=name)["Targets"]
        return rule["EventPattern"], target["Arn"]

    @cached_property
    def live_rule(self) -> tuple[str, dict[str, str]]:
        """The name of the live page's rule on the event bus, and its one target."""
        (id,) = self._resources("AWS::Events::Rule", "LiveTranscriptsChanges", _LIVE)
        name = id.rpartition("|")[2]
        events = self.emulator.client("events")
        bus = self.event_bus_name
        (target,) = events.list_targets_by_rule(Rule=name, EventBusName=bus)["Targets"]
        return name, target

    def function_arn(self, name: str) -> str:
        """The alias that flows invoke.

        :param name: ``StartStreaming`` or ``StopStreaming``.
        """
        (arn,) = self._resources("AWS::Lambda::Alias", f"TranscriptionControl{name}")
        return arn

    @cached_property
    def dead_letters_url(self) -> str:
        (name,) = self._resources("AWS::SQS::Queue", "TranscriptWebhookDeadLetters")
        return name

    @cached_property
    def queue_url(self) -> str:
        """The webhook's queue."""
        (name,) = self._resources("AWS::SQS::Queue", "TranscriptWebhookQueue")
        return name

    def queue_is_empty(self) -> bool:
        """Whether the webhook's queue has no message, not even one that is being stored."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.emulator.client("sqs").get_queue_attributes(
            QueueUrl=self.queue_url, AttributeNames=names
        )
        return all(found["Attributes"][name] == "0" for name in names)

    @cached_property
    def webhook_url(self) -> str:
        """Where ASAPP presents the secret."""
        return served(self.emulator, self.outputs["WebhookUrl"])

    @cached_property
    def oauth2_url(self) -> str:
        """Where ASAPP presents an access token."""
        return served(self.emulator, self.outputs["WebhookOAuth2Url"])

    def oauth2(self, client: str = "asapp") -> OAuth2:
        """What ASAPP is told of a client of the user pool. The emulator serves the token URL."""
        name = "Webhook" + "".join(part.capitalize() for part in client.split("-"))
        secret_arn = self.outputs[f"{name}ClientSecretArn"]
        secrets = self.emulator.client("secretsmanager")
        return OAuth2(
            f"{self.emulator.endpoint}{urlsplit(self.outputs['WebhookTokenUrl']).path}",
            self.outputs[f"{name}ClientId"],
            str(secrets.get_secret_value(SecretId=secret_arn)["SecretString"]),
        )

    @cached_property
    def transcript_url(self) -> str:
        """The URL with the placeholder ``{conversationId}``."""
        return served(self.emulator, self.outputs["TranscriptUrl"])

    def transcript(
        self, conversation_id: str, accept: str, *, signed: bool = True
    ) -> httpx.Response:
        """The answer of the transcript API, as another system gets it.

        The emulator asks for a signature and does not check it.

        :param accept: ``application/json`` or ``text/plain``.
        """
        url = self.transcript_url.replace("{conversationId}", conversation_id)
        request = AWSRequest("GET", url, headers={"Accept": accept})
        if signed:
            SigV4Auth(Credentials("test", "test"), "execute-api", REGION).add_auth(request)
        return httpx.get(url, headers=dict(request.headers), timeout=300)

    def hold(self, method: str, conversation_id: str) -> httpx.Response:
        """:param method: ``PUT``, or ``DELETE`` to lift it."""
        url = self.transcript_url.replace("{conversationId}/transcript", f"{conversation_id}/hold")
        request = AWSRequest(method, url)
        SigV4Auth(Credentials("test", "test"), "execute-api", REGION).add_auth(request)
        return httpx.request(method, url, headers=dict(request.headers), timeout=300)

    @cached_property
    def webhook_secret(self) -> str:
        client = self.emulator.client("secretsmanager")
        value = client.get_secret_value(SecretId=self.outputs["WebhookSecretArn"])
        return str(value["SecretString"])

    def scheduled(self, construct: str) -> tuple[str, Any]:
        """The function that a construct's schedule invokes, and with what.

        :param construct: ``TranscriptReconciliation`` or ``UtteranceExport``.
        """
        (name,) = self._resources("AWS::Scheduler::Schedule", construct)
        target = self.emulator.client("scheduler").get_schedule(Name=name)["Target"]
        return target["Arn"], json.loads(target["Input"])

    def stop_schedules(self) -> None:
        """Disable all schedules."""
        scheduler = self.emulator.client("scheduler")
        for name in self._resources("AWS::Scheduler::Schedule"):
            found = scheduler.get_schedule(Name=name)
            kept = ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")
            scheduler.update_schedule(**{each: found[each] for each in kept}, State="DISABLED")

    def reconcile(self, conversation_id: str = "") -> Any:
        """Compare calls with ASAPP's record now.

        :param conversation_id: Compare this call, even if it is not due. Default: the calls that
            are due, as the schedule does.
        """
        function_arn, event = self.scheduled("TranscriptReconciliation")
        event = {"conversationId": conversation_id} if conversation_id else event
        return self.invoke(function_arn, event, _SECONDS_OF_A_RUN)

    def export(self) -> Any:
        """Fetch yesterday's files now, as a person does by hand."""
        function_arn, _ = self.scheduled("UtteranceExport")
        yesterday = str(datetime.now(UTC).date() - timedelta(days=1))
        return self.invoke(function_arn, {"from": yesterday, "to": yesterday}, _SECONDS_OF_A_RUN)

    def flow(self, name: str) -> dict[str, Any]:
        """The content of a flow or module of the flows stack, with the deployed functions' ARNs."""
        for resource in self._flow_resources.values():
            properties = resource["Properties"]
            if properties.get("Name") == name and "Content" in properties:
                content: dict[str, Any] = json.loads(self._resolved(properties["Content"]))
                return content
        raise SandboxError(f"the flows stack has no flow {name!r}")

    @cached_property
    def _flow_resources(self) -> dict[str, Any]:
        name = stack_name(_FLOWS, self.environment)
        template = json.loads((self.assembly / f"{name}.template.json").read_text())
        resources: dict[str, Any] = template["Resources"]
        return resources

    def invoke(self, function_arn: str, event: Mapping[str, Any], seconds: float) -> Any:
        """Invoke a function once, as a flow's Lambda block does.

        :param seconds: The time limit.
        :raises LambdaFailed: with the exception's name.
        :raises TimeoutError: if the time is over.
        """
        # Whole seconds, so that few clients are made.
        client = self.emulator.client("lambda", tries=1, read_timeout=ceil(seconds))
        try:
            answer = client.invoke(FunctionName=function_arn, Payload=json.dumps(event))
        except ReadTimeoutError:
            raise TimeoutError from None
        except (ClientError, BotoCoreError) as problem:
            raise LambdaFailed(type(problem).__name__) from problem
        payload = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise LambdaFailed(str(payload.get("errorType")))
        return payload

    def conversation(self, conversation_id: str) -> list[dict[str, Any]]:
        """Every item that the table has of a conversation."""
        pages = (
            self.emulator.client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=self.table_name,
                KeyConditionExpression="conversationId = :id",
                ExpressionAttributeValues={":id": {"S": conversation_id}},
                ConsistentRead=True,
            )
        )
        return [table.values(item) for page in pages for item in page["Items"]]

    def log_lines(self) -> list[str]:
        """Every log line of the functions and the API so far."""
        logs = self.emulator.client("logs")
        lines = []
        for page in logs.get_paginator("describe_log_groups").paginate():
            for group in page["logGroups"]:
                events = logs.get_paginator("filter_log_events")
                for found in events.paginate(logGroupName=group["logGroupName"]):
                    lines += [event["message"] for event in found["events"]]
        return lines

    def _resources(self, kind: str, prefix: str = "", stack: str = _TRANSCRIPTION) -> list[str]:
        pages = self.emulator.client("cloudformation").get_paginator("list_stack_resources")
        found = pages.paginate(StackName=stack_name(stack, self.environment))
        return [
            resource["PhysicalResourceId"]
            for page in found
            for resource in page["StackResourceSummaries"]
            if resource["ResourceType"] == kind and resource["LogicalResourceId"].startswith(prefix)
        ]

    def _resolved(self, value: Any) -> str:
        """A string of a template, with its intrinsic functions resolved as CloudFormation does."""
        match value:
            case str():
                return value
            case {"Fn::Join": [str() as between, list() as parts]}:
                return between.join(self._resolved(part) for part in parts)
            case {"Fn::ImportValue": str() as name}:
                return self.exports[name]
            case {"Fn::GetAtt": [str() as logical_id, "ContactFlowArn"]}:
                # The emulator has no Connect: the flow's name stands for the ARN it would have.
                return str(self._flow_resources[logical_id]["Properties"]["Name"])
        raise SandboxError(f"the sandbox cannot resolve {value} of a flow's content")


def stack_name(part: str, environment: str = ENVIRONMENT.stem) -> str:
    """:param part: ``access``, ``transcription``, ``flows`` or ``live``."""
    return f"autotranscribe-{environment}-{part}"


def served(emulator: Emulator, url: str) -> str:
    """Where the emulator serves what has this URL at API Gateway."""
    parts = urlsplit(url)
    api, (stage, _, path) = parts.netloc.partition(".")[0], parts.path[1:].partition("/")
    return f"{emulator.endpoint}/restapis/{api}/{stage}/_user_request_/{path}"


def deploy(
    emulator: Emulator,
    asapp: AsappDouble,
    folder: Path,
    say: Say = lambda _: None,
    more_settings: Mapping[str, str] = NO_MORE_SETTINGS,
    synthesise: Synthesise | None = None,
) -> Deployment:
    """Synthesise the sandbox environment and deploy its access and transcription stacks.

    :param folder: Where templates and logs go.
    :param say: Told of each step as it begins.
    :param more_settings: Lines in TOML that the environment's file does not have, by table.
    :param synthesise: Default: the CDK command line does it.
    """
    file = folder / ENVIRONMENT.name
    here = re.sub(
        r"(?m)^api_host = .*$", f'api_host = "{asapp.url}"', ENVIRONMENT.read_text("utf-8")
    )
    for table_name, lines in more_settings.items():
        head = f"[{table_name}]\n"
        rest, found, its = here.partition(f"\n{head}")
        here = f"{rest}\n{head}{lines}\n{its}" if found else f"{here}\n{head}{lines}\n"
    file.write_text(here, "utf-8")
    assembly = folder / "cdk.out"
    emulator.client("secretsmanager").create_secret(
        Name="connect-autotranscribe/asapp",
        SecretString=json.dumps({"apiId": asapp.api_id, "apiSecret": asapp.api_secret}),
    )
    stream_arn = Settings.load(file).lifecycle.stream_arn
    assert stream_arn, "the sandbox adopts a stream of agent events"  # noqa: S101
    emulator.client("kinesis").create_stream(StreamName=stream_arn.rpartition("/")[2], ShardCount=2)
    say("synthesising the stacks and bootstrapping the account")
    with cdk(emulator, folder, "bootstrap", "--app", "", f"aws://{ACCOUNT}/{REGION}"):
        if synthesise:
            synthesise(file, assembly)
        else:
            # CDK's rules take seconds; the tests check this environment against them.
            with cdk(
                emulator, folder, "synth", "-q", "--no-validation",
                "-c", f"environment={file}", "-o", assembly,
            ):  # fmt: skip
                pass
    transcription = assembly / f"{stack_name(_TRANSCRIPTION)}.template.json"
    leave_out(transcription, UNKNOWN_TO_THE_EMULATOR)
    without_expressions(transcription)
    names = [stack_name(_ACCESS), stack_name(_TRANSCRIPTION)]
    if (live := assembly / f"{stack_name(_LIVE)}.template.json").exists():
        names.append(stack_name(_LIVE))
        leave_out(live, UNKNOWN_TO_THE_EMULATOR)
        _without_second_factor(live)
    say("deploying the stacks")
    with cdk(
        emulator, folder, "deploy", "--app", assembly, *names,
        "--require-approval", "never", "--concurrency", "2",
    ):  # fmt: skip
        pass
    stacks = emulator.client("cloudformation").describe_stacks()["Stacks"]
    outputs = {
        stack["StackName"]: {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])}
        for stack in stacks
    }
    exports = {
        output["ExportName"]: output["OutputValue"]
        for stack in stacks
        for output in stack.get("Outputs", [])
        if "ExportName" in output
    }
    return Deployment(
        emulator,
        assembly,
        outputs[stack_name(_TRANSCRIPTION)],
        exports,
        Settings.load(file),
        outputs.get(stack_name(_LIVE), {}),
    )


def _without_second_factor(file: Path) -> None:
    """Let the users of the sandbox sign in with a password alone."""
    template = json.loads(file.read_text("utf-8"))
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Cognito::UserPool":
            for name in ("MfaConfiguration", "EnabledMfas"):
                resource["Properties"].pop(name, None)
    file.write_text(json.dumps(template, indent=1), "utf-8")


def leave_out(file: Path, types: Sequence[str]) -> None:
    """Take the resources of these types out of a template."""
    template = json.loads(file.read_text("utf-8"))
    template["Resources"] = {
        id: resource
        for id, resource in template["Resources"].items()
        if resource["Type"] not in types
    }
    file.write_text(json.dumps(template, indent=1), "utf-8")


def without_expressions(file: Path) -> None:
    """Let each alarm on an expression watch the first of its metrics, and each alarm on a query a
    metric that nobody publishes: the emulator knows no others.

    Nothing here looks at an alarm's state.
    """
    template = json.loads(file.read_text("utf-8"))
    for resource in template["Resources"].values():
        if metrics := resource.get("Properties", {}).pop("Metrics", None):
            first = next((each["MetricStat"] for each in metrics if "MetricStat" in each), None)
            if first:
                watched = first["Metric"] | {"Period": first["Period"], "Statistic": first["Stat"]}
            else:
                watched = {"Namespace": "Query", "MetricName": metrics[0]["Label"]}
                watched |= {"Period": metrics[0]["Period"], "Statistic": "Sum"}
            resource["Properties"] |= watched
    file.write_text(json.dumps(template), "utf-8")


@contextmanager
def cdk(emulator: Emulator, folder: Path, command: str, *arguments: str | Path) -> Iterator[None]:
    """Run a CDK command in parallel to the ``with`` block, and wait for its end.

    :param folder: Where its log goes.
    """
    log = folder / f"cdk-{command}.log"
    line = [CDK, command, *arguments, "--no-color", "--no-notices"]
    with running(line, environment=emulator.environment, log=log, folder=ROOT) as process:
        yield
        process.wait()
    if process.returncode:
        last = log.read_text("utf-8", "replace").splitlines()[-15:]
        raise SandboxError(
            f"cdk {command} failed; the end of {log}:\n" + "\n".join(f"  {line}" for line in last)
        )
