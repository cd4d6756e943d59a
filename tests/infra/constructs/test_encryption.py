"""One key for all that is stored, and whom its policy must let in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk import aws_kms as kms
from aws_cdk.assertions import Template

from connect_autotranscribe import TranscriptStore
from tests.infra.conftest import ACCOUNT, CONTEXT, Json, Transcription, allow
from tools.policies import listed

REGION = "eu-central-1"
KEY, CREDENTIALS_KEY, EXPORT_KEY, STREAM_KEY = (
    f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{number}2345678-1234-1234-1234-123456789012"
    for number in (1, 2, 3, 4)
)
WITHOUT = {
    ("AWS::Lambda::Function", "KmsKeyArn"): "no variable is a secret; a cold start would wait",
    ("AWS::Lambda::Function", "Code.SourceKMSKeyArn"): "the bootstrap's bucket has its own key",
    ("AWS::Lambda::EventSourceMapping", "KmsKeyArn"): "the filter names no person",
    ("AWS::Scheduler::Schedule", "KmsKeyArn"): "the input is {}",
    ("AWS::Kinesis::Stream", "StreamEncryption.KeyId"): "Connect may not use it: decision 0010",
}
"""What a schema gives a key to, and we give none, with the reason."""


@pytest.fixture(scope="module")
def encrypted() -> Transcription:
    return Transcription(
        encryption={"key_arn": KEY},
        asapp={"credentials_key_arn": CREDENTIALS_KEY},
        export={"mode": "on"},
        lifecycle={"mode": "manage"},
        webhook={"api_gateway_log_role": "manage"},
    )


IS_A_KEY = re.compile(r"KMS.*(Key|KeyId|KeyArn|Identifier)$|KmsKey|MasterKey|EncryptionKey", re.I)


def places(schema: Json, root: Json, at: str = "", seen: tuple[str, ...] = ()) -> Iterator[str]:
    """Where a resource of this schema can be given a key."""
    if reference := schema.get("$ref"):
        if reference in seen:
            return
        seen = (*seen, reference)
        schema = root
        for part in reference.removeprefix("#/").split("/"):
            schema = schema[part]
    for name, inner in schema.get("properties", {}).items():
        where = f"{at}.{name}".lstrip(".")
        if (IS_A_KEY.search(name) or where.endswith("Encryption.KeyId")) and "Period" not in name:
            yield where
        elif isinstance(inner, dict):
            yield from places(inner, root, where, seen)
    for inner in [schema.get("items"), *schema.get("oneOf", []), *schema.get("anyOf", [])]:
        if isinstance(inner, dict):
            yield from places(inner, root, at, seen)


def at(value: Any, place: str) -> list[Any]:
    """What a resource has at a place; None for what it could have and has not.

    What is below a block that the resource does not use at all is not missing.
    """
    first, _, rest = place.partition(".")
    if isinstance(value, list):
        return [found for each in value for found in at(each, place)]
    if not rest:
        return [value.get(first)]
    return at(value[first], rest) if first in value else []


def keys(resource: Json) -> dict[str, set[Any]]:
    """Each place for a key, and the keys there."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # takes a second

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, resource["Type"]).schema
    found = {
        place: at(resource.get("Properties", {}), place) for place in set(places(schema, schema))
    }
    if resource["Type"] in ("AWS::DynamoDB::Table", "AWS::Kinesis::Stream"):
        # The block that names a key is optional: without it there is none.
        found = {place: there or [None] for place, there in found.items()}
    return {place: set(there) for place, there in found.items() if there}


def test_no_store_is_left_to_a_key_of_aws(encrypted: Transcription) -> None:
    """By CloudFormation's schemas: a new kind of resource that takes a key is seen by itself."""
    checked = set()
    unused = set(WITHOUT)
    for id, resource in encrypted.template["Resources"].items():
        for place, there in keys(resource).items():
            if (resource["Type"], place) in WITHOUT:
                unused.discard((resource["Type"], place))
            else:
                assert there == {KEY}, (id, place)
                checked.add(resource["Type"])
    assert unused == set()
    assert checked == {
        "AWS::Athena::WorkGroup",
        "AWS::DynamoDB::Table",
        "AWS::Events::EventBus",
        "AWS::Logs::LogGroup",
        "AWS::S3::Bucket",
        "AWS::SNS::Topic",
        "AWS::SQS::Queue",
        "AWS::SecretsManager::Secret",
    }


def test_the_check_sees_a_store_without_a_key() -> None:
    for resource in Transcription(export={"mode": "on"}).template["Resources"].values():
        if resource["Type"] in ("AWS::DynamoDB::Table", "AWS::Logs::LogGroup", "AWS::SNS::Topic"):
            assert None in {key for there in keys(resource).values() for key in there}


def test_an_export_with_a_key_of_its_own_uses_that() -> None:
    made = Transcription(encryption={"key_arn": KEY}, export={"mode": "on", "key_arn": EXPORT_KEY})
    assert made.made.utterance_export
    (bucket,) = made.within(made.made.utterance_export, "AWS::S3::Bucket")
    assert EXPORT_KEY in str(bucket)
    assert KEY not in str(bucket)
    assert KEY not in str(made.one("AWS::Athena::WorkGroup"))


def test_the_stream_of_agent_events_has_no_key_but_its_own() -> None:
    own = Transcription(
        encryption={"key_arn": KEY}, lifecycle={"mode": "manage", "key_arn": STREAM_KEY}
    )
    stream = own.one("AWS::Kinesis::Stream")["Properties"]["StreamEncryption"]
    assert stream["KeyId"] == STREAM_KEY


def test_exactly_the_functions_that_read_the_credentials_may_decrypt_them(
    encrypted: Transcription,
) -> None:
    reading, decrypting = set(), set()
    for policy in encrypted.all("AWS::IAM::Policy"):
        (role,) = policy["Properties"]["Roles"]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            if Transcription.CREDENTIALS in listed(statement["Resource"]):
                assert statement["Action"] == "secretsmanager:GetSecretValue"
                reading.add(role["Ref"])
            if CREDENTIALS_KEY in str(statement["Resource"]):
                assert statement["Action"] == "kms:Decrypt"
                assert set(listed(statement["Resource"])) <= {KEY, CREDENTIALS_KEY}
                decrypting.add(role["Ref"])
    assert reading == decrypting
    assert {re.sub("Role[0-9A-F]{8}$", "", each) for each in reading} == {
        "CallLifecycleFollowAgentEvents",
        "CallLifecycleFollowContactEvents",
        "TranscriptReconciliationReconcileTranscript",
        "TranscriptionControlStartStreaming",
        "TranscriptionControlStopStreaming",
        "UtteranceExportExportUtterances",
    }


# Key policies: AWS services that use the key in their own name


def service(name: str, actions: list[str], **condition: Any) -> Json:
    statement = allow(actions, "*", **condition) | {"Principal": {"Service": name}}
    return statement


def expected(bus: str) -> dict[str, Json]:
    bus_arn = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{bus}"
    return {
        "alarms": service(
            "cloudwatch.amazonaws.com",
            ["kms:Decrypt", "kms:GenerateDataKey"],
            StringEquals={"aws:SourceAccount": ACCOUNT},
        ),
        "dead-letters": service("events.amazonaws.com", ["kms:Decrypt", "kms:GenerateDataKey"]),
        "events": service(
            "events.amazonaws.com",
            ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"],
            StringEquals={
                "aws:SourceAccount": ACCOUNT,
                "aws:SourceArn": bus_arn,
                "kms:EncryptionContext:aws:events:event-bus:arn": bus_arn,
            },
        ),
        "logs": service(
            f"logs.{REGION}.amazonaws.com",
            [
                "kms:Decrypt",
                "kms:Describe*",
                "kms:Encrypt",
                "kms:GenerateDataKey*",
                "kms:ReEncrypt*",
            ],
            ArnLike={
                "kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:*"
            },
        ),
    }


def warned(stack: Stack) -> dict[str, Json]:
    """The statements that synth asks for, by the end of the warning's id."""
    found = {}
    entries = [each for one in stack.node.find_all() for each in one.node.metadata]
    for text in (str(each.data) for each in entries if each.type == "aws:cdk:warning"):
        match = re.search(r"lost: (\{.*\}) \[ack: connect-autotranscribe:key-policy-(.+)\]", text)
        assert match, text
        assert match[2] not in found
        found[match[2]] = json.loads(match[1])
    return found


def test_an_imported_key_is_said_at_synth_with_each_statement_to_add_once(
    encrypted: Transcription,
) -> None:
    bus = encrypted.one("AWS::Events::EventBus")["Properties"]["Name"]
    assert warned(encrypted.stack) == expected(bus)


def test_without_a_key_synth_says_nothing() -> None:
    made = Transcription(lifecycle={"mode": "manage"}, export={"mode": "on"})
    assert warned(made.stack) == {}


def test_a_key_of_the_same_app_gets_these_statements_by_itself() -> None:
    stack = Stack(App(context=CONTEXT), "Stack", env=Environment(account=ACCOUNT, region=REGION))
    key = kms.Key(stack, "Key")
    TranscriptStore(stack, "Store", key=key)
    template = Template.from_stack(stack).to_json()
    (policy,) = (
        each["Properties"]["KeyPolicy"]["Statement"]
        for each in template["Resources"].values()
        if each["Type"] == "AWS::KMS::Key"
    )
    (bus,) = (
        each["Properties"]["Name"]
        for each in template["Resources"].values()
        if each["Type"] == "AWS::Events::EventBus"
    )
    asked = expected(bus)
    services = [each for each in policy if "Service" in each["Principal"]]
    del asked["alarms"]
    asked["logs"]["Principal"]["Service"] = {
        "Fn::Join": ["", [f"logs.{REGION}.", {"Ref": "AWS::URLSuffix"}]]
    }
    for statement in services:
        statement = json.loads(json.dumps(statement))
        assert as_pasted(statement) in [as_pasted(each) for each in asked.values()]
    assert len(services) == len(asked)
    assert warned(stack) == {}


def as_pasted(statement: Json) -> str:
    """With the partition's name for its reference."""
    text = json.dumps(statement, sort_keys=True)
    join = re.compile(r'\{"Fn::Join": \["", \[(.*?)\]\]\}')

    def joined(found: re.Match[str]) -> str:
        parts = json.loads(f"[{found[1]}]")
        known = {"AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com"}
        return json.dumps(
            "".join(each if isinstance(each, str) else known[each["Ref"]] for each in parts)
        )

    return join.sub(joined, text)


def test_what_the_bus_cannot_encrypt_goes_to_the_queue_that_has_an_alarm(
    encrypted: Transcription,
) -> None:
    store = encrypted.made.transcript_store
    bus = encrypted.one("AWS::Events::EventBus")
    assert bus["Properties"]["DeadLetterConfig"] == {"Arn": encrypted.arn(store.unpublished)}
    (policy,) = (
        each["Properties"]["PolicyDocument"]["Statement"]
        for each in encrypted.all("AWS::SQS::QueuePolicy")
        if encrypted.ref(store.unpublished) in each["Properties"]["Queues"]
    )
    assert [each for each in policy if each["Effect"] == "Allow"] == [
        {
            "Action": "sqs:SendMessage",
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Resource": encrypted.arn(store.unpublished),
            "Condition": {"ArnEquals": {"aws:SourceArn": encrypted.arn(store.event_bus)}},
        }
    ]
    assert "DeadLetterConfig" not in Transcription().one("AWS::Events::EventBus")["Properties"]
