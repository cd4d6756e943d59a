"""Faults that are planted into a deployment, and taken out again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sandbox.live.live_calls import LiveCalls
from sandbox.live.page_server import served_page
from sandbox.stacks.deployment import Deployment
from tests.running_server import running
from tests.sandbox.certificates import DOMAIN
from tools.webhook_certificate.authority import Authority

Json = dict[str, Any]
ANYBODY = {"Effect": "Allow", "Principal": "*", "Resource": "*"}


def set_schedules(deployment: Deployment, state: str, only: str = "") -> None:
    scheduler = deployment.emulator.client("scheduler")
    for name in deployment._resources("AWS::Scheduler::Schedule", only):
        found = scheduler.get_schedule(Name=name)
        kept = ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")
        scheduler.update_schedule(**{each: found[each] for each in kept}, State=state)


Fault = Callable[[Deployment], AbstractContextManager[None]]


def resource(deployment: Deployment, kind: str, beginning: str) -> str:
    stack = "live" if beginning.startswith("Live") else "transcription"
    (name,) = deployment._resources(kind, beginning, stack)
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
    name = resource(deployment, "AWS::Events::Rule", "LiveTranscriptsChanges")
    rule = {"Rule": name, "EventBusName": deployment.event_bus_name}
    targets = client.list_targets_by_rule(**rule)["Targets"]
    client.remove_targets(**rule, Ids=[it["Id"] for it in targets])
    try:
        yield
    finally:
        client.put_targets(**rule, Targets=targets)


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
def bus_policy_opened(deployment: Deployment) -> Iterator[None]:
    client, on = deployment.emulator.client("events"), deployment.event_bus_name
    statement = {"EventBusName": on, "StatementId": "by-hand"}
    client.put_permission(**statement, Action="events:PutEvents", Principal="*")
    try:
        yield
    finally:
        client.remove_permission(**statement)


@contextmanager
def bucket_policy_emptied(deployment: Deployment) -> Iterator[None]:
    client, name = (
        deployment.emulator.client("s3"),
        resource(deployment, "AWS::S3::Bucket", "UtteranceExportBucket"),
    )
    before = client.get_bucket_policy(Bucket=name)["Policy"]
    client.delete_bucket_policy(Bucket=name)
    try:
        yield
    finally:
        client.put_bucket_policy(Bucket=name, Policy=before)


@contextmanager
def secret_policy_opened(deployment: Deployment) -> Iterator[None]:
    client = deployment.emulator.client("secretsmanager")
    secret = {"SecretId": deployment.outputs["WebhookSecretArn"]}
    statement = ANYBODY | {"Action": "secretsmanager:GetSecretValue"}
    client.put_resource_policy(**secret, ResourcePolicy=json.dumps({"Statement": [statement]}))
    try:
        yield
    finally:
        client.delete_resource_policy(**secret)


@contextmanager
def table_policy_opened(deployment: Deployment) -> Iterator[None]:
    client = deployment.emulator.client("dynamodb")
    arn = client.describe_table(TableName=deployment.table_name)["Table"]["TableArn"]
    statement = ANYBODY | {"Action": "dynamodb:Query"}
    client.put_resource_policy(ResourceArn=arn, Policy=json.dumps({"Statement": [statement]}))
    try:
        yield
    finally:
        client.delete_resource_policy(ResourceArn=arn)


@contextmanager
def permission(deployment: Deployment, function: str) -> Iterator[None]:
    client = deployment.emulator.client("lambda")
    name = resource(deployment, "AWS::Lambda::Function", function)
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
def retention_changed(deployment: Deployment, log_group: str) -> Iterator[None]:
    client = deployment.emulator.client("logs")
    name = {**deployment.outputs, **deployment.live_outputs}[log_group]
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


@contextmanager
def others_trusted(deployment: Deployment) -> Iterator[None]:
    """At the domain for client certificates, an authority that nobody of ours has."""
    client = deployment.emulator.client("apigatewayv2")
    before = client.get_domain_name(DomainName=DOMAIN)["MutualTlsAuthentication"]
    bucket, _, _ = before["TruststoreUri"].removeprefix("s3://").partition("/")
    other = Authority.made("other").pem
    deployment.emulator.client("s3").put_object(Bucket=bucket, Key="other.pem", Body=other)

    def trust(uri: str) -> None:
        client.update_domain_name(DomainName=DOMAIN, MutualTlsAuthentication={"TruststoreUri": uri})

    trust(f"s3://{bucket}/other.pem")
    try:
        yield
    finally:
        trust(before["TruststoreUri"])


@contextmanager
def read_api_without_authorizer(deployment: Deployment) -> Iterator[None]:
    client = deployment.emulator.client("apigateway")
    api = resource(deployment, "AWS::ApiGateway::RestApi", "LiveTranscripts")
    (calls,) = (
        it["id"] for it in client.get_resources(restApiId=api)["items"] if it["path"] == "/calls"
    )
    method = {"restApiId": api, "resourceId": calls, "httpMethod": "GET"}
    before = client.get_method(**method)

    def authorize(kind: str, authorizer: str) -> None:
        values = {"/authorizationType": kind, "/authorizerId": authorizer}
        changes = [{"op": "replace", "path": path, "value": to} for path, to in values.items()]
        client.update_method(**method, patchOperations=changes)

    authorize("NONE", "")
    try:
        yield
    finally:
        authorize(before["authorizationType"], before["authorizerId"])


@contextmanager
def events_without_authorizer(deployment: Deployment) -> Iterator[None]:
    client = deployment.emulator.client("appsync")
    id = deployment.settings.live.event_api_id
    before = client.get_api(apiId=id)["api"]["eventConfig"]
    opened = before | {"authProviders": [{"authType": "AWS_IAM"}]}
    client.update_api(apiId=id, name="live", eventConfig=opened)
    try:
        yield
    finally:
        client.update_api(apiId=id, name="live", eventConfig=before)


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
    with running(HTTPServer(("127.0.0.1", 0), Throttled)) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        with variables(
            deployment, "TranscriptWebhookStoreTranscript", AWS_ENDPOINT_URL_DYNAMODB=url
        ):
            yield


def publishes_nowhere(deployment: Deployment) -> AbstractContextManager[None]:
    """AppSync knows no API by this name."""
    host = "another.appsync-api.us-east-1.localhost"
    return variables(deployment, "LiveTranscriptsPublishLive", EVENTS_HOST=host)


def another_page(live: LiveCalls, bundle: Path) -> AbstractContextManager[None]:
    """Of another deployment, from a server that sends no headers of its own."""
    config = {**live.config, "readUrl": "https://another.example/v1"}
    return served_page(bundle, urlsplit(live.page_url).port or 0, config, {})


CONSUMER = "TranscriptWebhookStoreTranscriptSqs"
PUBLISHER = "TranscriptStorePublishUtteranceDynamoDB"
AT_REST: dict[str, tuple[Fault, str]] = {
    "ASAPP's credentials": (asapp_credentials, "ASAPP: http://127.0.0.1"),
    "switch": (switched_off, "switch: somebody has stopped transcription"),
    "rule disabled": (rule_disabled, "event rules: CallLifecycle"),
    "rule without target": (rule_without_target, "event rules: LiveTranscriptsChanges"),
    "alias moved": (alias_moved, "aliases: "),
    "queue policy": (queue_policy_opened, "resource policies: TranscriptWebhookQueue"),
    "topic policy": (topic_policy_opened, "resource policies: AlarmsTopic"),
    "bus policy": (bus_policy_opened, "resource policies: TranscriptStoreEventBus"),
    "bucket policy": (bucket_policy_emptied, "resource policies: UtteranceExportBucket"),
    "secret policy": (secret_policy_opened, "resource policies: TranscriptWebhookSecret"),
    "table policy": (table_policy_opened, "resource policies: TranscriptStoreTable"),
    "permission added": (
        lambda it: permission(it, "TranscriptApiReadTranscript"),
        "who may invoke: autotranscribe-sandbox-transcription-",
    ),
    "permission added in the live stack": (
        lambda it: permission(it, "LiveTranscriptsReadLive"),
        "who may invoke: autotranscribe-sandbox-live-",
    ),
    "schedule disabled": (schedule_disabled, "schedules: TranscriptReconciliation"),
    "retention": (
        lambda it: retention_changed(it, "StoreTranscriptLogs"),
        "log retention: TranscriptWebhookStoreTranscriptLogs",
    ),
    "retention of the record": (
        lambda it: retention_changed(it, "RecordLogs"),
        "log retention: LiveTranscriptsRecord",
    ),
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
    "read API": (
        read_api_without_authorizer,
        "live page: read API, /calls: a forged token gets as far as the function",
    ),
    "live events": (
        events_without_authorizer,
        "live page: live channel: a forged token opens a connection",
    ),
    "nothing is published": (
        publishes_nowhere,
        "live page: PublishLive cannot publish the marked utterance's event: ",
    ),
}
"""Faults that have nothing to do with one another: one run finds them all."""
OF_ANOTHER_PAGE = [
    "X-Content-Type-Options is not sent",
    "Content-Security-Policy: frame-ancestors is missing",
    "config.json is not what was deployed: readUrl",
]
ALONG = (
    # If StopStreaming read the secret anew: a function that runs still has the right credentials.
    "start and stop: StopFunction: not already_stopped, but status rejected",
    "ASAPP's role: ",
    "live page: read API, /calls: without a token gets as far as",
    "live page: http://127.0.0.1:",
)
"""What is also found because of them."""
ON_THE_WAY: dict[str, tuple[list[Fault], list[str]]] = {
    "consumer off": (
        [lambda it: mapping_disabled(it, CONSUMER)],
        ["webhook: secret: not in the table", "event sources: TranscriptWebhookStoreTranscript"],
    ),
    "throttled table": ([table_throttled], ["webhook: secret: not in the table"]),
    "publisher off, and the transcript API fails": (
        [
            lambda it: mapping_disabled(it, PUBLISHER),
            lambda it: variables(it, "TranscriptApiReadTranscript", TRANSCRIPT_TABLE="none"),
        ],
        [
            "webhook: secret: not on the event bus",
            "webhook: client certificate: not on the event bus",
            "event sources: TranscriptStorePublish",
            "webhook: secret: not in the transcript API",
        ],
    ),
    "wrong secret, another authority, and the live page gets nothing": (
        [
            authorizer_with_another_secret,
            others_trusted,
            publishes_nowhere,
            lambda it: variables(it, "LiveTranscriptsReadLive", TRANSCRIPT_TABLE="none"),
        ],
        [
            "webhook: secret: the right credential gets ",
            "webhook: client certificate: the right credential gets no answer",
            "webhook: access token: not on the live channel",
            "webhook: access token: not in the live page's API",
        ],
    ),
}
"""Those of one name are found by one run."""
