"""What a construct makes can be brought instead; what it makes can be encrypted with one's key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs

from connect_autotranscribe import (
    CallLifecycle,
    ConversationErasure,
    FunctionOptions,
    Retention,
    SharedSecret,
    TranscriptApi,
    TranscriptionControl,
    TranscriptReconciliation,
    TranscriptStore,
    TranscriptWebhook,
    UtteranceExport,
)
from connect_autotranscribe.transcripts._webhook_api import WebhookApi
from tests.infra.conftest import ACCOUNT, Deployed, Json, new_stack, synthesise

REGION = "eu-central-1"
INSTANCE = f"arn:aws:connect:{REGION}:{ACCOUNT}:instance/9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa"
TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/theirs"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/12345678-1234-1234-1234-123456789012"
HOST = "https://api.asapp.com"
STATEFUL = {
    "AWS::DynamoDB::Table",
    "AWS::Events::EventBus",
    "AWS::KMS::Key",
    "AWS::Kinesis::Stream",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
    "AWS::SNS::Topic",
}


def queue(stack: Stack, id: str) -> sqs.IQueue:
    return sqs.Queue.from_queue_attributes(
        stack, id, queue_arn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{id}", key_arn=KEY
    )


def put_everything(stack: Stack, *, brought: bool) -> dict[str, Any]:
    """All constructs with state.

    :param brought: Each such thing is the team's own; else it is made, and only the key is theirs.
    """
    key = kms.Key.from_key_arn(stack, "Key", KEY)
    credentials = secretsmanager.Secret.from_secret_attributes(
        stack,
        "Credentials",
        secret_complete_arn=f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:asapp-AbCdEf",
        encryption_key=key,
    )
    log_group = logs.LogGroup.from_log_group_name(stack, "Logs", "/theirs")
    domain = apigateway.DomainName.from_domain_name_attributes(
        stack,
        "Domain",
        domain_name="asapp.acme.example",
        domain_name_alias_hosted_zone_id="Z1",
        domain_name_alias_target="d-1.execute-api.eu-central-1.amazonaws.com",
    )
    webhook_secret = secretsmanager.Secret.from_secret_attributes(
        stack,
        "Secret",
        secret_complete_arn=f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:ours-AbCdEf",
        encryption_key=key,
    )
    own: dict[str, dict[str, Any]] = {
        "store": {
            "table": dynamodb.Table.from_table_attributes(
                stack,
                "Table",
                table_arn=TABLE,
                table_stream_arn=f"{TABLE}/stream/2026-11-23T00:00:00.000",
                encryption_key=key,
            ),
            "event_bus": events.EventBus.from_event_bus_name(stack, "Bus", "theirs"),
            "unpublished": queue(stack, "unpublished"),
        },
        "webhook": {
            "auth": [SharedSecret(secret=webhook_secret)],
            "queue": queue(stack, "utterances"),
            "dead_letters": queue(stack, "never"),
            "domain": domain,
            "base_path": "webhook",
        },
        "lifecycle": {
            "agent_event_dead_letters": queue(stack, "agent-events"),
            "contact_event_dead_letters": queue(stack, "contact-events"),
        },
        "export": {
            "bucket": s3.Bucket.from_bucket_attributes(
                stack, "Bucket", bucket_name="theirs", encryption_key=key
            ),
            "dead_letters": queue(stack, "nights"),
        },
        "reconciliation": {"dead_letters": queue(stack, "minutes")},
        "erasure": {
            "dead_letters": queue(stack, "erasures"),
            "receipts": s3.Bucket.from_bucket_attributes(
                stack, "Receipts", bucket_name="receipts", encryption_key=key
            ),
            "customers_key": secretsmanager.Secret.from_secret_attributes(
                stack,
                "Customers",
                secret_complete_arn=f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:c-AbCdEf",
                encryption_key=key,
            ),
        },
        "api": {"domain": domain, "base_path": "transcripts"},
        "control": {},
    }
    if not brought:
        own = {name: {} if name in ("control", "api") else {"key": key} for name in own}

    def given(name: str) -> dict[str, Any]:
        return own[name] | ({"retention": Retention(log_group=log_group)} if brought else {})

    asapp: dict[str, Any] = {"credentials_secret": credentials, "api_host": HOST}
    store = TranscriptStore(stack, "Store", **given("store"))
    webhook = TranscriptWebhook(stack, "Webhook", table=store.table, **given("webhook"))
    control = TranscriptionControl(
        stack, "Control", instance_arn=INSTANCE, table=store.table, **asapp, **given("control")
    )
    lifecycle = CallLifecycle(
        stack,
        "Lifecycle",
        mode="adopt",
        instance_arn=INSTANCE,
        control=control,
        agent_event_stream=kinesis.Stream.from_stream_arn(
            stack, "AgentEvents", f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/agents"
        ),
        **given("lifecycle"),
    )
    export = UtteranceExport(stack, "Export", **asapp, **given("export"))
    erasure = ConversationErasure(
        stack,
        "Erasure",
        table=store.table,
        control=control,
        queues={"DeadLetters": webhook.dead_letters, "Unpublished": store.unpublished},
        export=export,
        **given("erasure"),
    )
    reconciliation = TranscriptReconciliation(
        stack,
        "Reconciliation",
        table=store.table,
        export=export,
        customers_key=erasure.customers_key,
        **asapp,
        **given("reconciliation"),
    )
    api = TranscriptApi(stack, "Api", table=store.table, **given("api"))
    return {
        "publish_utterance": store.publish_utterance,
        "store_transcript": webhook.store_transcript,
        "authorize_webhook": webhook.functions["AuthorizeWebhook"],
        "start_streaming": control.start_streaming.lambda_,
        "follow_agent_events": lifecycle.follow_agent_events,
        "follow_contact_events": lifecycle.follow_contact_events,
        "export_utterances": export.export_utterances,
        "reconcile_transcript": reconciliation.reconcile_transcript,
        "read_transcript": api.read_transcript,
        "hold_conversation": api.hold_conversation,
        "erase_conversation": erasure.erase_conversation,
        "urls": (webhook.urls[SharedSecret], api.url),
    }


@pytest.fixture(scope="module")
def brought() -> tuple[Deployed, dict[str, Any]]:
    stack = new_stack()
    made = put_everything(stack, brought=True)
    return Deployed(stack), made


@pytest.fixture(scope="module")
def keyed() -> tuple[Deployed, dict[str, Any]]:
    stack = new_stack()
    made = put_everything(stack, brought=False)
    return Deployed(stack), made


def uses_of_the_key(deployed: Deployed, function: Any) -> set[str]:
    uses: set[str] = set()
    for statement in deployed.permissions(function.role):
        if statement["Resource"] == KEY:
            actions = statement["Action"]
            uses |= {actions} if isinstance(actions, str) else set(actions)
    return uses


def test_where_everything_is_brought_nothing_that_keeps_state_is_made(
    brought: tuple[Deployed, dict[str, Any]],
) -> None:
    types = {each["Type"] for each in brought[0].template["Resources"].values()}
    assert types & STATEFUL == set()
    assert "AWS::Events::EventBusPolicy" not in types  # its owner's, who may have written one
    assert "AWS::Lambda::Function" in types


def test_every_function_logs_where_it_is_told(brought: tuple[Deployed, dict[str, Any]]) -> None:
    functions = brought[0].all("AWS::Lambda::Function")
    assert len(functions) == 12
    for function in functions:
        assert function["Properties"]["LoggingConfig"]["LogGroup"] == "/theirs"


def test_an_api_at_a_domain_is_reached_there_and_nowhere_else(
    brought: tuple[Deployed, dict[str, Any]],
) -> None:
    deployed, made = brought
    assert made["urls"] == (
        "https://asapp.acme.example/webhook/transcripts",
        "https://asapp.acme.example/transcripts/conversations/{conversationId}/transcript",
    )
    mappings = [each["Properties"] for each in deployed.all("AWS::ApiGateway::BasePathMapping")]
    assert sorted(each["BasePath"] for each in mappings) == ["transcripts", "webhook"]
    for api in deployed.all("AWS::ApiGateway::RestApi"):
        assert api["Properties"]["DisableExecuteApiEndpoint"] is True


def test_a_base_path_without_a_domain_is_a_mistake() -> None:
    stack = new_stack()
    table = dynamodb.Table.from_table_arn(stack, "Table", TABLE)
    with pytest.raises(ValueError, match="Webhook: base_path: is for a domain; give domain"):
        TranscriptWebhook(stack, "Webhook", table=table, base_path="x")


def test_all_that_is_made_is_encrypted_with_the_key_that_is_given(
    keyed: tuple[Deployed, dict[str, Any]],
) -> None:
    deployed = keyed[0]

    def keys(kind: str) -> list[Json]:
        return [each["Properties"] for each in deployed.all(kind)]

    assert [
        each["SSESpecification"]["KMSMasterKeyId"] for each in keys("AWS::DynamoDB::Table")
    ] == [KEY]
    queues = keys("AWS::SQS::Queue")
    assert len(queues) == 8
    assert {each["KmsMasterKeyId"] for each in queues} == {KEY}
    assert [each["KmsKeyId"] for each in keys("AWS::SecretsManager::Secret")] == [KEY] * 2
    buckets = keys("AWS::S3::Bucket")
    assert len(buckets) == 2
    for bucket in buckets:
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"] == KEY


READ, SEND = {"kms:Decrypt"}, {"kms:Decrypt", "kms:GenerateDataKey"}
READ_ITEMS = {"kms:Decrypt", "kms:DescribeKey"}
ITEMS = {"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"}


@pytest.mark.parametrize("which", ["brought", "keyed"])
@pytest.mark.parametrize(
    ("name", "uses"),
    [
        ("publish_utterance", ITEMS),
        ("store_transcript", ITEMS),
        ("authorize_webhook", READ),
        ("start_streaming", ITEMS),
        ("follow_agent_events", ITEMS),
        ("follow_contact_events", ITEMS),
        ("export_utterances", SEND),
        ("reconcile_transcript", ITEMS),
        ("read_transcript", READ_ITEMS),
        ("hold_conversation", ITEMS),
        ("erase_conversation", ITEMS),
    ],
)
def test_each_function_may_use_the_key_for_what_it_does_and_no_more(
    request: pytest.FixtureRequest, which: str, name: str, uses: set[str]
) -> None:
    deployed, made = request.getfixturevalue(which)
    assert uses_of_the_key(deployed, made[name]) == uses


@pytest.mark.parametrize("brought", [True, False])
def test_nag_finds_nothing_in_either(brought: bool, tmp_path: Path) -> None:
    def fill(app: App) -> None:
        stack = Stack(app, "Stack", env=Environment(account=ACCOUNT, region=REGION))
        put_everything(stack, brought=brought)

    assert synthesise(tmp_path, fill).findings == []


def test_a_key_of_the_same_app_lets_the_services_in_that_send_by_themselves() -> None:
    stack = new_stack()
    key = kms.Key(stack, "Key")
    store = TranscriptStore(stack, "Store", key=key)
    control = TranscriptionControl(
        stack,
        "Control",
        instance_arn=INSTANCE,
        table=store.table,
        credentials_secret=secretsmanager.Secret.from_secret_name_v2(stack, "Asapp", "asapp"),
        api_host=HOST,
    )
    CallLifecycle(
        stack, "Lifecycle", mode="manage", instance_arn=INSTANCE, control=control, key=key
    )
    statements = Deployed(stack).one("AWS::KMS::Key")["Properties"]["KeyPolicy"]["Statement"]
    services = [each["Principal"].get("Service") for each in statements]
    assert "events.amazonaws.com" in services


def test_a_secret_that_is_given_with_its_whole_arn_is_named_by_it() -> None:
    """Known by its name only, it is named with ``-??????`` for what nobody knows."""
    arn = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:asapp-AbCdEf"
    stack = new_stack()
    TranscriptionControl(
        stack,
        "Control",
        instance_arn=INSTANCE,
        table=TranscriptStore(stack, "Store").table,
        credentials_secret=secretsmanager.Secret.from_secret_complete_arn(stack, "Asapp", arn),
        api_host=HOST,
    )
    statements = [
        statement
        for policy in Deployed(stack).all("AWS::IAM::Policy")
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "secretsmanager:" in str(statement["Action"])
    ]
    assert (
        statements
        == [{"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": arn}] * 2
    )


def test_a_queue_of_another_account_and_region_is_called_there() -> None:
    stack = new_stack()
    elsewhere = sqs.Queue.from_queue_arn(
        stack, "Queue", "arn:aws:sqs:eu-west-1:444455556666:utterances"
    )
    api = WebhookApi(
        stack,
        "Api",
        queue=elsewhere,
        auth=[SharedSecret()],
        secret=secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "ours"),
        token_issuer=None,
        throttle_rate_per_second=1,
        throttle_burst=1,
        allowed_cidrs=[],
        api_gateway_log_role="adopt",
        domain=None,
        base_path=None,
        tls="1.2",
        web_acl=None,
        retention=Retention(),
        function_options=FunctionOptions(),
        key=None,
        with_aliases=False,
    )
    deployed = Deployed(stack)
    (method,) = deployed.all("AWS::ApiGateway::Method")
    uri = method["Properties"]["Integration"]["Uri"]
    assert "apigateway:eu-west-1:sqs:path/444455556666/utterances" in str(uri)
    assert api.urls[SharedSecret]
