"""``make verify`` against the deployed stacks: all is well, and each planted fault is found by its
name. Whatever was wrong, nothing of it is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from sandbox.stacks.deployment import Deployment
from sandbox.stacks.running import Sandbox
from shared import table
from tools.verify.__main__ import main
from tools.verify.listener import MARKED

ROOT = Path(__file__).parents[3]
PATIENCE = 4.0
Json = dict[str, Any]


class Verified:
    """The sandbox's environment, and what `make verify` says of it."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.deployment = sandbox.deployment
        self.environment = sandbox.folder / "sandbox.toml"
        self._folder = folder

    def run(self, *options: str, patience: float = PATIENCE) -> tuple[int, list[Json]]:
        """:returns: The exit code, and all findings."""
        report = self._folder / "verify.json"
        code = main([str(self.environment), "--json", str(report), *options], patience=patience)
        findings: list[Json] = json.loads(report.read_text("utf-8"))["findings"]
        return code, findings

    def resources(self) -> dict[str, Any]:
        """What the emulator has that somebody could leave behind."""
        emulator, bus = self.deployment.emulator, self.deployment.event_bus_name
        sqs, events = emulator.client("sqs"), emulator.client("events")
        functions = emulator.client("lambda").get_paginator("list_functions").paginate()
        return {
            "queues": sorted(sqs.list_queues().get("QueueUrls", [])),
            "rules": sorted(it["Name"] for it in events.list_rules(EventBusName=bus)["Rules"]),
            "marked items": self.deployment.conversation(MARKED),
            "functions": sorted(
                it["FunctionName"] for page in functions for it in page["Functions"]
            ),
            "topics": emulator.client("sns").list_topics()["Topics"],
            "buckets": [it["Name"] for it in emulator.client("s3").list_buckets()["Buckets"]],
        }


@pytest.fixture(scope="module")
def surroundings(sandbox: Sandbox) -> Iterator[None]:
    """What a person sets to talk to the emulator; schedules run as they were deployed."""
    deployment = sandbox.deployment
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_ENDPOINT_URL", deployment.emulator.endpoint)
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        set_schedules(deployment, "ENABLED")
        yield
        set_schedules(deployment, "DISABLED")


@pytest.fixture
def verified(sandbox: Sandbox, surroundings: None, tmp_path: Path) -> Iterator[Verified]:
    """At the end no message of a test waits for the next one."""
    verified = Verified(sandbox, tmp_path)
    yield verified
    deployment = sandbox.deployment
    deployment.emulator.client("sqs").purge_queue(QueueUrl=deployment.queue_url)
    until(deployment.queue_is_empty)
    dynamodb = deployment.emulator.client("dynamodb")
    for item in deployment.conversation(MARKED):
        key = table.item_key(MARKED, item[table.ITEM])
        dynamodb.delete_item(TableName=deployment.table_name, Key=key)


def set_schedules(deployment: Deployment, state: str, only: str = "") -> None:
    scheduler = deployment.emulator.client("scheduler")
    for name in deployment._resources("AWS::Scheduler::Schedule", only):
        found = scheduler.get_schedule(Name=name)
        kept = ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")
        scheduler.update_schedule(**{each: found[each] for each in kept}, State=state)


def problems(findings: list[Json]) -> list[str]:
    return [f"{it['check']}: {it['what']}" for it in findings if it["severity"] == "problem"]


def test_all_is_well_and_nothing_is_left_behind(verified: Verified, tmp_path: Path) -> None:
    before = verified.resources()
    junit = tmp_path / "verify.xml"
    code, findings = verified.run("--asapp", "--junit", str(junit), patience=30)
    assert problems(findings) == []
    assert code == 0
    assert verified.resources() == before
    said = {it["what"].partition(" after ")[0] for it in findings if it["severity"] == "well"}
    for way in ("secret", "access token"):
        assert {
            f"{way}: no credential gets 401",
            f"{way}: in the table",
            f"{way}: on the event bus",
            f"{way}: in the transcript API",
        } <= said
    assert {
        "StartFunction: no_media_stream",
        "StopFunction: already_stopped",
        "ASAPP refuses the start of a call that is none: 400-201",
    } <= said
    suite = ElementTree.parse(junit).getroot()  # noqa: S314 - our own file
    assert (suite.get("failures"), suite.get("tests")) == ("0", str(len(findings)))
    assert len(suite.findall("testcase")) == len(findings)


Fault = Callable[[Deployment], AbstractContextManager[None]]


def resource(deployment: Deployment, kind: str, beginning: str) -> str:
    (name,) = deployment._resources(kind, beginning)
    return name


@contextmanager
def variables(deployment: Deployment, function: str, **changes: str) -> Iterator[None]:
    """A function that runs with other variables."""
    client = deployment.emulator.client("lambda")
    name = resource(deployment, "AWS::Lambda::Function", function)
    before = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]

    def put(given: Json) -> None:
        client.update_function_configuration(FunctionName=name, Environment={"Variables": given})

    put(before | changes)
    try:
        yield
    finally:
        put(before)


@contextmanager
def mapping_disabled(deployment: Deployment, beginning: str) -> Iterator[None]:
    client = deployment.emulator.client("lambda")
    uuid = resource(deployment, "AWS::Lambda::EventSourceMapping", beginning)
    client.update_event_source_mapping(UUID=uuid, Enabled=False)
    try:
        yield
    finally:
        client.update_event_source_mapping(UUID=uuid, Enabled=True)


@contextmanager
def authorizer_with_another_secret(deployment: Deployment) -> Iterator[None]:
    """The secret is new, because API Gateway keeps the answer for one that it has let in."""
    client, own = (
        deployment.emulator.client("secretsmanager"),
        deployment.outputs["WebhookSecretArn"],
    )
    other = client.create_secret(Name="another-secret", SecretString="another")["ARN"]
    client.put_secret_value(SecretId=own, SecretString="new")
    try:
        with variables(deployment, "TranscriptWebhookApiAuthorizeWebhook", WEBHOOK_SECRET=other):
            yield
    finally:
        client.put_secret_value(SecretId=own, SecretString=deployment.webhook_secret)
        client.delete_secret(SecretId=other, ForceDeleteWithoutRecovery=True)


@contextmanager
def asapp_credentials(deployment: Deployment) -> Iterator[None]:
    client, name = deployment.emulator.client("secretsmanager"), "connect-autotranscribe/asapp"
    before = client.get_secret_value(SecretId=name)["SecretString"]
    wrong = json.loads(before) | {"apiSecret": "guessed"}
    client.put_secret_value(SecretId=name, SecretString=json.dumps(wrong))
    try:
        yield
    finally:
        client.put_secret_value(SecretId=name, SecretString=before)


@contextmanager
def switched_off(deployment: Deployment) -> Iterator[None]:
    client, name = deployment.emulator.client("ssm"), deployment.outputs["SwitchName"]
    client.put_parameter(Name=name, Value="disabled", Overwrite=True)
    try:
        yield
    finally:
        client.put_parameter(Name=name, Value="enabled", Overwrite=True)


@contextmanager
def rule_disabled(deployment: Deployment) -> Iterator[None]:
    client = deployment.emulator.client("events")
    name = resource(deployment, "AWS::Events::Rule", "CallLifecycle")
    client.disable_rule(Name=name)
    try:
        yield
    finally:
        client.enable_rule(Name=name)


@contextmanager
def rule_without_target(deployment: Deployment) -> Iterator[None]:
    client = deployment.emulator.client("events")
    name = resource(deployment, "AWS::Events::Rule", "CallLifecycle")
    targets = client.list_targets_by_rule(Rule=name)["Targets"]
    client.remove_targets(Rule=name, Ids=[it["Id"] for it in targets])
    try:
        yield
    finally:
        client.put_targets(Rule=name, Targets=targets)


@contextmanager
def alias_moved(deployment: Deployment) -> Iterator[None]:
    client = deployment.emulator.client("lambda")
    name, _, alias = deployment.function_arn("StartStreaming").rpartition(":")
    before = client.get_alias(FunctionName=name, Name=alias)["FunctionVersion"]
    with variables(deployment, "TranscriptionControlStartStreaming", START_SELECTOR="NOW"):
        moved = client.publish_version(FunctionName=name)["Version"]
        assert moved != before
        client.update_alias(FunctionName=name, Name=alias, FunctionVersion=moved)
        try:
            yield
        finally:
            client.update_alias(FunctionName=name, Name=alias, FunctionVersion=before)


@contextmanager
def queue_policy_opened(deployment: Deployment) -> Iterator[None]:
    client, url = deployment.emulator.client("sqs"), deployment.queue_url
    before = client.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]
    opened = json.loads(before["Policy"])
    opened["Statement"].append({"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage"})
    client.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(opened)})
    try:
        yield
    finally:
        client.set_queue_attributes(QueueUrl=url, Attributes=before)


@contextmanager
def topic_policy_opened(deployment: Deployment) -> Iterator[None]:
    client, arn = deployment.emulator.client("sns"), resource(deployment, "AWS::SNS::Topic", "")
    before = client.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"]
    opened = json.loads(before)
    opened["Statement"].append({"Effect": "Allow", "Principal": "*", "Action": "sns:Publish"})
    put = {"TopicArn": arn, "AttributeName": "Policy"}
    client.set_topic_attributes(**put, AttributeValue=json.dumps(opened))
    try:
        yield
    finally:
        client.set_topic_attributes(**put, AttributeValue=before)


@contextmanager
def permission(deployment: Deployment) -> Iterator[None]:
    client = deployment.emulator.client("lambda")
    name = resource(deployment, "AWS::Lambda::Function", "TranscriptApiReadTranscript")
    statement = {"FunctionName": name, "StatementId": "by-hand"}
    client.add_permission(**statement, Action="lambda:InvokeFunction", Principal="*")
    try:
        yield
    finally:
        client.remove_permission(**statement)


@contextmanager
def schedule_disabled(deployment: Deployment) -> Iterator[None]:
    set_schedules(deployment, "DISABLED", "TranscriptReconciliation")
    try:
        yield
    finally:
        set_schedules(deployment, "ENABLED", "TranscriptReconciliation")


@contextmanager
def retention_changed(deployment: Deployment) -> Iterator[None]:
    client = deployment.emulator.client("logs")
    name = deployment.outputs["StoreTranscriptLogs"]
    (group,) = client.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    client.put_retention_policy(logGroupName=name, retentionInDays=3653)
    try:
        yield
    finally:
        days = group["retentionInDays"]
        client.put_retention_policy(logGroupName=name, retentionInDays=days)


@contextmanager
def dead_letter(deployment: Deployment) -> Iterator[None]:
    client, url = deployment.emulator.client("sqs"), deployment.outputs["UnpublishedUrl"]
    client.send_message(QueueUrl=url, MessageBody="{}")
    try:
        yield
    finally:
        client.purge_queue(QueueUrl=url)


@contextmanager
def alarm_rings(deployment: Deployment) -> Iterator[None]:
    client = deployment.emulator.client("cloudwatch")
    name = resource(deployment, "AWS::CloudWatch::Alarm", "AlarmsQueueAge")
    put = {"AlarmName": name, "StateReason": "planted"}
    client.set_alarm_state(**put, StateValue="ALARM")
    try:
        yield
    finally:
        client.set_alarm_state(**put, StateValue="OK")


@contextmanager
def alarm_silenced(deployment: Deployment) -> Iterator[None]:
    client = deployment.emulator.client("cloudwatch")
    names = [resource(deployment, "AWS::CloudWatch::Alarm", "AlarmsWebhookThrottled")]
    client.disable_alarm_actions(AlarmNames=names)
    try:
        yield
    finally:
        client.enable_alarm_actions(AlarmNames=names)


@contextmanager
def role_policy(deployment: Deployment, effect: str, *actions: str) -> Iterator[None]:
    """A policy that ASAPP's role has beside its own."""
    client = deployment.emulator.client("iam")
    (found,) = (
        it["PhysicalResourceId"]
        for it in deployment.emulator.client("cloudformation").describe_stack_resources(
            StackName="autotranscribe-sandbox-access"
        )["StackResources"]
        if it["ResourceType"] == "AWS::IAM::Role"
    )
    statement = {"Effect": effect, "Action": list(actions), "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    policy = {"RoleName": found, "PolicyName": f"{effect}-{actions[0].partition(':')[2]}"}
    client.put_role_policy(**policy, PolicyDocument=document)
    try:
        yield
    finally:
        client.delete_role_policy(**policy)


class Throttled(BaseHTTPRequestHandler):
    """A table that takes no request: DynamoDB's own answer."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        kind = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"
        body = json.dumps({"__type": kind, "message": "planted"}).encode()
        self.send_response(400)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def table_throttled(deployment: Deployment) -> Iterator[None]:
    server = HTTPServer(("127.0.0.1", 0), Throttled)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        with variables(
            deployment, "TranscriptWebhookStoreTranscript", AWS_ENDPOINT_URL_DYNAMODB=url
        ):
            yield
    finally:
        server.shutdown()
        server.server_close()


_CONSUMER = "TranscriptWebhookStoreTranscriptSqs"
_PUBLISHER = "TranscriptStorePublishUtteranceDynamoDB"
AT_REST: dict[str, tuple[Fault, str]] = {
    "ASAPP's credentials": (asapp_credentials, "ASAPP: http://127.0.0.1"),
    "switch": (switched_off, "switch: somebody has stopped transcription"),
    "rule disabled": (rule_disabled, "event rules: CallLifecycle"),
    "alias moved": (alias_moved, "aliases: "),
    "queue policy": (queue_policy_opened, "resource policies: TranscriptWebhookQueuePolicy"),
    "topic policy": (topic_policy_opened, "resource policies: AlarmsTopic"),
    "permission added": (permission, "who may invoke: autotranscribe-sandbox-transcription-"),
    "schedule disabled": (schedule_disabled, "schedules: TranscriptReconciliation"),
    "retention": (retention_changed, "log retention: TranscriptWebhookStoreTranscriptLogs"),
    "dead letter": (dead_letter, "dead letters: TranscriptStoreUnpublished"),
    "alarm rings": (alarm_rings, "alarms: AlarmsQueueAge"),
    "alarm silenced": (alarm_silenced, "alarms: AlarmsWebhookThrottled"),
    "role reads other streams": (
        lambda it: role_policy(it, "Allow", "kinesisvideo:GetMedia"),
        "ASAPP's role: ASAPP may kinesisvideo:GetMedia on somebody-elses/",
    ),
    "role may do more": (
        lambda it: role_policy(it, "Allow", "dynamodb:Query"),
        "ASAPP's role: ASAPP may dynamodb:Query",
    ),
    "role cannot read": (
        lambda it: role_policy(it, "Deny", "kinesisvideo:GetDataEndpoint"),
        "ASAPP's role: ASAPP may not kinesisvideo:GetDataEndpoint on sandbox-connect-sandbox-",
    ),
}
"""Faults that have nothing to do with one another: one run finds them all."""
ON_THE_WAY: dict[str, tuple[Fault, list[str]]] = {
    "wrong secret": (
        authorizer_with_another_secret,
        ["webhook: secret: the right credential gets "],
    ),
    "publisher off": (
        lambda it: mapping_disabled(it, _PUBLISHER),
        ["webhook: secret: not on the event bus", "event sources: TranscriptStorePublish"],
    ),
    "transcript API": (
        lambda it: variables(it, "TranscriptApiReadTranscript", TRANSCRIPT_TABLE="none"),
        ["webhook: secret: not in the transcript API"],
    ),
    "consumer off": (
        lambda it: mapping_disabled(it, _CONSUMER),
        ["webhook: secret: not in the table", "event sources: TranscriptWebhookStoreTranscript"],
    ),
    "throttled table": (table_throttled, ["webhook: secret: not in the table"]),
    "rule without target": (rule_without_target, ["event rules: CallLifecycle"]),
}


def test_each_fault_of_what_is_at_rest_is_found_by_its_name(verified: Verified) -> None:
    with ExitStack() as planted:
        for plant, _ in AT_REST.values():
            planted.enter_context(plant(verified.deployment))
        before = verified.resources()
        code, findings = verified.run()
        after = verified.resources()
    said = problems(findings)
    for name, (_, found) in AT_REST.items():
        assert [it for it in said if it.startswith(found)], name
    expected = tuple(found for _, found in AT_REST.values())
    assert [it for it in said if not it.startswith((*expected, "ASAPP's role: "))] == []
    assert (code, after) == (1, before)


@pytest.mark.parametrize("name", ON_THE_WAY)
def test_a_fault_on_the_way_of_an_utterance_is_found_and_leaves_nothing_behind(
    name: str, verified: Verified
) -> None:
    plant, expected = ON_THE_WAY[name]
    with plant(verified.deployment):
        before = verified.resources()
        code, findings = verified.run()
        after = verified.resources()
    for found in expected:
        assert [it for it in problems(findings) if it.startswith(found)], found
    assert (code, after) == (1, before)


def until(so: Callable[[], Any], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.1)


@contextmanager
def begun(verified: Verified) -> Iterator[subprocess.Popen[str]]:
    """The command line, as a person runs it; it waits for an utterance that does not come."""
    line = [sys.executable, "-m", "tools.verify", str(verified.environment)]
    surroundings = os.environ | {"PYTHONPATH": "lambdas"}
    with subprocess.Popen(
        line, cwd=ROOT, env=surroundings, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def listeners(verified: Verified) -> list[str]:
    return [it for it in verified.resources()["queues"] if "-verify-" in it]


def test_ctrl_c_removes_what_was_made(verified: Verified) -> None:
    before = verified.resources()
    with mapping_disabled(verified.deployment, _PUBLISHER), begun(verified) as process:
        until(lambda: verified.resources()["marked items"])
        assert len(listeners(verified)) == 1
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted; what was made is removed" in said
    assert verified.resources() == before


def test_what_a_killed_run_left_and_what_came_late_is_removed_by_the_next_one(
    verified: Verified, capsys: pytest.CaptureFixture[str]
) -> None:
    before = verified.resources()
    with mapping_disabled(verified.deployment, _CONSUMER), begun(verified) as process:
        until(lambda: listeners(verified))
        until(lambda: not verified.deployment.queue_is_empty())
        process.kill()
        process.wait()
        assert len(listeners(verified)) == 1
    until(lambda: verified.resources()["marked items"])
    code, findings = verified.run(patience=30)
    assert (code, problems(findings)) == (0, [])
    assert "an earlier run left; rules with a queue: 1, items: 1" in capsys.readouterr().out
    assert verified.resources() == before


@pytest.mark.parametrize("option", ["--certificate", "--key"])
def test_a_certificate_without_its_key_is_refused(option: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["sandbox", option, "file.pem"])


def test_if_nothing_is_deployed_it_cannot_tell(
    verified: Verified, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = verified.environment.read_text("utf-8")
    other = tmp_path / "sandbox-eu.toml"
    other.write_text(text, "utf-8")
    assert main([str(other)]) == 2
    assert "autotranscribe-sandbox-eu-transcription is not deployed" in capsys.readouterr().out
