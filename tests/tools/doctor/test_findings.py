"""Each thing that synth cannot know: what is said of it, what to do, and how the doctor exits."""

from __future__ import annotations

import json

import pytest

from .conftest import Doctor
from .fake_aws import (
    ACCOUNT,
    BEGINNING,
    EVENTS_ID,
    INSTANCE,
    INSTANCE_ID,
    KEY,
    MEDIA_ID,
    OTHER_KEY,
    REGION,
    SECRET,
    STREAM,
    TOPIC,
    WEB_ACL,
    WEB_ACL_ID,
    Account,
    Json,
    Refusal,
    events,
    key,
    media,
    recordings,
    resource,
)

PROTECTED = {"EnableTerminationProtection": True}
CONFIGURATION = "AWS::Connect::InstanceStorageConfig"
ADOPTS_EVENTS = {"lifecycle__mode": "adopt", "lifecycle__stream_arn": STREAM}
MANAGES_MEDIA = {"media_streaming__mode": "manage", "media_streaming__retention_hours": 24}


def test_an_account_in_which_all_is_well(doctor: Doctor) -> None:
    run = doctor()
    assert run.code == 0
    assert "0 problems, 0 warnings" in run.output
    assert "→" not in run.output
    assert run.finding("well  credentials:", REGION)


# The environment's file


def test_a_file_of_ones_own_has_no_value_of_the_examples(doctor: Doctor) -> None:
    assert doctor().finding("well  environment's file: has none of the examples' values")


@pytest.mark.parametrize(
    ("changes", "said", "remedy"),
    [
        (
            {"asapp__trusted_role_arns": ["arn:aws:iam::999999999999:role/asapp-role"]},
            "asapp.trusted_role_arns has the example arn:aws:iam::999999999999:role/asapp-role",
            "write the roles that ASAPP gave you",
        ),
        (
            {"alarms__email": "operations@example.com"},
            "alarms.email is the example operations@example.com",
            "write the address of who is on call",
        ),
        (
            {"tags__environment": "staging"},
            'tags.environment is "staging", and the file is prod.toml',
            'write environment = "prod" under [tags]',
        ),
        (
            {"asapp__external_id": None},
            "asapp.external_id is not set: ASAPP's role serves many customers",
            "agree on an external id with ASAPP",
        ),
    ],
)
def test_what_a_person_should_look_at_in_the_file_is_a_warning(
    doctor: Doctor, changes: dict[str, object], said: str, remedy: str
) -> None:
    run = doctor(**changes)
    assert run.code == 0
    assert remedy in run.finding("warning  environment's file", said)
    assert run.output.splitlines()[-1] == "0 problems, 1 warning"


def test_the_tag_of_this_environment_is_well(doctor: Doctor) -> None:
    assert "warning" not in doctor(tags__environment="prod").output.rpartition("\n0 problems")[0]


def test_the_file_is_looked_at_without_credentials(doctor: Doctor, account: Account) -> None:
    account.number = "444444444444"
    run = doctor(asapp__external_id=None)
    assert run.finding("warning  environment's file")
    assert run.output.splitlines()[-1] == "1 problem, 1 warning"


# Credentials


def test_credentials_of_another_account_are_used_for_nothing_else(
    doctor: Doctor, account: Account
) -> None:
    account.number = "444444444444"
    run = doctor()
    assert run.code == 1
    assert f"sign in to {ACCOUNT}" in run.finding("credentials", "are of account 444444444444")
    assert run.finding("skipped  the checks after it: not run")
    assert run.output.splitlines()[-1].startswith("1 problem, ")
    assert account.calls == [("sts", "GetCallerIdentity")]


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId", "SignatureDoesNotMatch"])
def test_credentials_that_aws_does_not_accept(doctor: Doctor, account: Account, code: str) -> None:
    account.refusals["GetCallerIdentity"] = Refusal(code, "no longer good", 403)
    run = doctor()
    assert run.code == 1
    finding = run.finding(f"AWS does not accept the credentials ({code}: no longer good)")
    assert "sign in again" in finding and f"{REGION} is not enabled" in finding


def test_credentials_that_end_on_the_way(doctor: Doctor, account: Account) -> None:
    account.refusals["DescribeSecret"] = Refusal("ExpiredTokenException")
    run = doctor()
    assert run.code == 1
    assert "sign in again" in run.finding("ASAPP's credentials: AWS does not accept")
    assert run.finding("skipped  the checks after it: not run")
    assert "CDK bootstrap" not in run.output


def test_a_shell_in_another_region_is_a_warning(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    run = doctor()
    assert run.code == 0
    assert f"export AWS_REGION={REGION}" in run.finding("warning", "shell's region is us-east-1")


# The instance


def test_an_instance_that_does_not_exist(doctor: Doctor, account: Account) -> None:
    account.instance = None
    run = doctor()
    assert run.code == 1
    command = f"aws connect list-instances --region {REGION}"
    assert command in run.finding("Connect instance", f"{INSTANCE} does not exist")
    for check in ("live media streaming", "Lambda functions"):
        assert "connect.instance_arn" in run.finding(check, "the instance does not exist")
    assert "well  CDK bootstrap" in run.output


def test_an_instance_that_is_not_made_yet(doctor: Doctor, account: Account) -> None:
    account.instance = {
        "InstanceAlias": "acme",
        "InstanceStatus": "CREATION_FAILED",
        "StatusReason": {"Message": "no directory"},
    }
    run = doctor()
    assert run.code == 1
    assert "name another one" in run.finding("status is CREATION_FAILED (no directory)")


def test_an_instance_of_another_alias(doctor: Doctor, account: Account) -> None:
    account.instance = {"InstanceAlias": "acme-emea", "InstanceStatus": "ACTIVE"}
    run = doctor()
    assert run.code == 1
    finding = run.finding('its alias is "acme-emea", not "acme"')
    assert 'write connect.instance_alias = "acme-emea"' in finding


def replication(source: str) -> Json:
    """As DescribeInstance says it of both instances."""
    done = "INSTANCE_REPLICATION_COMPLETE"
    return {
        "SourceRegion": source,
        "GlobalSignInEndpoint": "https://acme.sign-in.connect.aws",
        "ReplicationStatusSummaryList": [
            {"Region": region, "ReplicationStatus": done} for region in (REGION, "eu-west-2")
        ],
    }


def test_an_instance_without_a_replica_is_no_finding(doctor: Doctor, account: Account) -> None:
    assert "replica" not in doctor().output


def test_of_a_replicated_instance_it_says_what_would_break(
    doctor: Doctor, account: Account
) -> None:
    account.replication = replication(REGION)
    run = doctor()
    assert run.code == 0
    finding = run.finding(
        "warning", "it is replicated to eu-west-2 (INSTANCE_REPLICATION_COMPLETE), where no call"
    )
    assert f"our flows name functions of {REGION}" in finding
    assert "the functions have generated names" in finding
    assert "docs/resiliency.md" in finding


def test_with_resiliency_it_says_where_the_functions_must_be_too(
    doctor: Doctor, account: Account
) -> None:
    account.replication = replication(REGION)
    run = doctor(connect__resiliency=True)
    assert run.finding("well", "it is replicated to eu-west-2", "functions must be deployed, too")
    assert "generated names" not in run.output


def test_into_a_replica_no_flows_are_deployed(doctor: Doctor, account: Account) -> None:
    account.replication = replication("eu-west-2")
    run = doctor()
    assert run.code == 0
    finding = run.finding("warning", "it is the replica of eu-west-2")
    assert "deploy access and transcription here, not flows: docs/resiliency.md" in finding
    assert "it is replicated to" not in run.output


# Live media streaming


def test_media_streaming_that_is_off_cannot_be_adopted(doctor: Doctor, account: Account) -> None:
    account.storage.clear()
    run = doctor()
    assert run.code == 1
    finding = run.finding("live media streaming: is off")
    assert 'write media_streaming.mode = "manage" and retention_hours = 24' in finding


@pytest.mark.parametrize("alias", ["acme", "of-another-name"])
def test_another_prefix_is_told_without_what_connect_adds(
    doctor: Doctor, account: Account, alias: str
) -> None:
    account.storage["MEDIA_STREAMS"] = [media("acme-emea")]
    run = doctor(connect__instance_alias=alias)
    assert run.code == 1
    finding = run.finding('its prefix is "acme-emea", not "acme": ASAPP cannot read')
    assert finding.endswith('write media_streaming.prefix = "acme-emea"')


def test_a_prefix_that_looks_like_what_connect_adds(doctor: Doctor, account: Account) -> None:
    account.storage["MEDIA_STREAMS"] = [media("to-connect-us-contact")]
    assert doctor(media_streaming__prefix="to-connect-us-contact").code == 0


def test_media_that_is_not_kept(doctor: Doctor, account: Account) -> None:
    account.storage["MEDIA_STREAMS"] = [media("of-others", hours=0)]
    run = doctor()
    assert run.code == 1
    finding = run.finding("its retention is 0 hours")
    assert "aws connect update-instance-storage-config" in finding
    assert f"--instance-id {INSTANCE_ID} --association-id {MEDIA_ID}" in finding
    assert f"--region {REGION}" in finding
    given = json.loads(finding.partition("--storage-config '")[2].partition("'")[0])
    assert given["KinesisVideoStreamConfig"] == {
        # As it is, for whoever reads by it; and Connect would add to what it reports once more.
        "Prefix": "of-others",
        "RetentionPeriodHours": 24,
        "EncryptionConfig": {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesisvideo"},
    }


def test_media_under_a_key_that_the_settings_do_not_know(doctor: Doctor, account: Account) -> None:
    account.keys[KEY] = key()
    account.storage["MEDIA_STREAMS"] = [media(key_id=KEY)]
    run = doctor()
    assert run.code == 1
    finding = run.finding(f"encrypted with {KEY}, not with the key of AWS: ASAPP could not decrypt")
    assert f'write media_streaming.key_arn = "{KEY}"' in finding


def test_media_under_another_key_than_the_settings_say(doctor: Doctor, account: Account) -> None:
    account.keys |= {KEY: key(), OTHER_KEY: key()}
    account.storage["MEDIA_STREAMS"] = [media(key_id=OTHER_KEY)]
    run = doctor(media_streaming__key_arn=KEY)
    assert run.code == 1
    assert f'key_arn = "{OTHER_KEY}"' in run.finding(f"with {OTHER_KEY}, not with {KEY}")


def test_media_without_the_key_that_the_settings_name(doctor: Doctor, account: Account) -> None:
    account.keys[KEY] = key()
    run = doctor(media_streaming__key_arn=KEY)
    assert run.code == 1
    finding = run.finding(f"with the key of AWS, not with {KEY}")
    assert "remove media_streaming.key_arn" in finding


def test_media_under_the_key_that_the_settings_name(doctor: Doctor, account: Account) -> None:
    account.keys[KEY] = key()
    account.storage["MEDIA_STREAMS"] = [media(key_id=KEY)]
    assert doctor(media_streaming__key_arn=KEY).code == 0


def test_media_under_awss_key_by_its_own_arn(doctor: Doctor, account: Account) -> None:
    account.keys[KEY] = key(KeyManager="AWS")
    account.storage["MEDIA_STREAMS"] = [media(key_id=KEY)]
    assert doctor().code == 0


def test_media_under_a_key_that_is_gone(doctor: Doctor, account: Account) -> None:
    account.storage["MEDIA_STREAMS"] = [media(key_id=KEY)]
    run = doctor()
    assert run.code == 1
    assert "→" in run.finding("live media streaming", f"{KEY}, which does not exist")


def test_awss_key_is_not_looked_up_by_its_alias(doctor: Doctor, account: Account) -> None:
    """KMS would make the key, where nobody has used it yet."""
    assert doctor().code == 0
    assert ("kms", "DescribeKey") not in account.calls


def test_media_streaming_that_is_set_already_cannot_be_managed(
    doctor: Doctor, account: Account
) -> None:
    account.stacks["autotranscribe-prod-access"] = [
        resource("AWS::IAM::Role", MEDIA_ID),
        resource(CONFIGURATION, f"{INSTANCE}|of-an-earlier-time|MEDIA_STREAMS"),
    ]
    run = doctor(**MANAGES_MEDIA)
    assert run.code == 1
    finding = run.finding("live media streaming: set on the instance already, and not by our stack")
    assert 'mode = "adopt", prefix = "acme", no retention_hours' in finding


def test_media_streaming_that_the_deployment_will_set(doctor: Doctor, account: Account) -> None:
    account.storage.clear()
    run = doctor(**MANAGES_MEDIA)
    assert run.code == 0
    assert "which the deployment does" in run.finding("well  live media streaming")


def test_media_streaming_that_our_stack_has_set(doctor: Doctor, account: Account) -> None:
    physical_id = f"{INSTANCE}|{MEDIA_ID}|MEDIA_STREAMS"
    account.stacks["autotranscribe-prod-access"] = [
        resource("AWS::IAM::Role", "role"),  # ours is on the second page
        resource(CONFIGURATION, physical_id),
    ]
    run = doctor(**MANAGES_MEDIA)
    assert (run.code, "0 warnings" in run.output) == (0, True)


def test_media_streaming_that_our_stack_has_let_go(doctor: Doctor, account: Account) -> None:
    account.stacks["autotranscribe-prod-access"] = [
        resource(CONFIGURATION, f"{INSTANCE}|{MEDIA_ID}|MEDIA_STREAMS", "DELETE_SKIPPED")
    ]
    run = doctor(**MANAGES_MEDIA)
    assert run.code == 1
    assert run.finding("set on the instance already, and not by our stack")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (media("by-hand"), 'its prefix is "by-hand", not "acme"'),
        (media(hours=0), "its retention is 0 hours"),
        (media(hours=2), "its retention is 2 hours, not 24"),
        (media(key_id=KEY), f"it is encrypted with {KEY}, not with the key of AWS"),
    ],
)
def test_what_was_changed_by_hand_is_a_warning_where_we_manage(
    doctor: Doctor, account: Account, found: dict[str, object], words: str
) -> None:
    account.keys[KEY] = key()
    account.storage["MEDIA_STREAMS"] = [found]
    account.stacks["autotranscribe-prod-access"] = [
        resource(CONFIGURATION, f"{INSTANCE}|{MEDIA_ID}|MEDIA_STREAMS")
    ]
    run = doctor(**MANAGES_MEDIA)
    assert run.code == 0
    finding = run.finding("warning", words)
    assert "the next one sets it" in finding and "update-instance-storage-config" in finding
    given = json.loads(finding.partition("--storage-config '")[2].partition("'")[0])
    assert given["KinesisVideoStreamConfig"] == media()["KinesisVideoStreamConfig"] | {
        "Prefix": "acme"
    }


def test_media_streaming_that_somebody_took_from_our_stack(
    doctor: Doctor, account: Account
) -> None:
    account.storage.clear()
    account.stacks["autotranscribe-prod-access"] = [
        resource(CONFIGURATION, f"{INSTANCE}|{MEDIA_ID}|MEDIA_STREAMS")
    ]
    run = doctor(**MANAGES_MEDIA)
    assert run.code == 1
    finding = run.finding("removed from the instance", "autotranscribe-prod-access knows nothing")
    assert 'deploy with mode = "adopt"' in finding


# Agent events


def test_agent_events_that_nobody_follows_are_a_warning(doctor: Doctor, account: Account) -> None:
    account.storage["AGENT_EVENTS"] = [events("arn:aws:kinesis:of:another:stream/x")]
    run = doctor(lifecycle__mode="off")
    assert (run.code, "0 problems, 1 warning" in run.output) == (0, True)
    finding = run.finding("warning", "agent events: are not used")
    assert "what is said during a hold is transcribed" in finding
    assert 'write lifecycle.mode = "manage", or "adopt"' in finding


def test_agent_events_that_are_adopted(doctor: Doctor, account: Account) -> None:
    account.storage["AGENT_EVENTS"] = [events()]
    account.data_streams[STREAM] = {"EncryptionType": "NONE"}
    run = doctor(**ADOPTS_EVENTS)
    assert (run.code, "0 warnings" in run.output) == (0, True)


def test_agent_events_that_are_off_cannot_be_adopted(doctor: Doctor, account: Account) -> None:
    account.data_streams[STREAM] = {}
    run = doctor(**ADOPTS_EVENTS)
    assert run.code == 1
    assert 'lifecycle.mode = "manage" and no stream_arn' in run.finding("agent events: are off")


def test_agent_events_that_go_elsewhere(doctor: Doctor, account: Account) -> None:
    account.storage["AGENT_EVENTS"] = [events(f"{STREAM}-2")]
    account.data_streams[STREAM] = {}
    run = doctor(**ADOPTS_EVENTS)
    assert run.code == 1
    finding = run.finding(f"agent events: go into {STREAM}-2, not into {STREAM}")
    assert f'stream_arn = "{STREAM}-2"' in finding


def test_a_stream_of_agent_events_that_is_gone(doctor: Doctor, account: Account) -> None:
    account.storage["AGENT_EVENTS"] = [events()]
    run = doctor(**ADOPTS_EVENTS)
    assert run.code == 1
    assert "aws kinesis list-streams" in run.finding(f"{STREAM} does not exist")


def test_a_stream_of_agent_events_that_is_going(doctor: Doctor, account: Account) -> None:
    account.storage["AGENT_EVENTS"] = [events()]
    account.data_streams[STREAM] = {"StreamStatus": "DELETING"}
    run = doctor(**ADOPTS_EVENTS)
    assert run.code == 1
    assert "name another stream" in run.finding(f"{STREAM} is DELETING")


def test_an_encrypted_stream_whose_key_the_settings_do_not_name(
    doctor: Doctor, account: Account
) -> None:
    account.keys[KEY] = key()
    account.storage |= {"AGENT_EVENTS": [events()], "CALL_RECORDINGS": [recordings(KEY)]}
    account.data_streams[STREAM] = {"EncryptionType": "KMS", "KeyId": KEY}
    run = doctor(**ADOPTS_EVENTS)
    assert run.code == 1
    finding = run.finding(f"{STREAM} is encrypted with {KEY}, which the function")
    assert f'write lifecycle.key_arn = "{KEY}"' in finding
    assert "publish nothing" not in run.output


@pytest.mark.parametrize("where", ["CALL_RECORDINGS", "SCHEDULED_REPORTS"])
def test_a_stream_with_the_key_that_connect_has_a_grant_on(
    doctor: Doctor, account: Account, where: str
) -> None:
    account.keys[KEY] = key()
    account.storage |= {"AGENT_EVENTS": [events()], where: [recordings(KEY)]}
    account.data_streams[STREAM] = {"EncryptionType": "KMS", "KeyId": KEY}
    run = doctor(**ADOPTS_EVENTS, lifecycle__key_arn=KEY)
    assert (run.code, "0 warnings" in run.output) == (0, True)


@pytest.mark.parametrize("theirs", [OTHER_KEY, "alias/aws/s3", None])
def test_a_stream_into_which_connect_may_not_publish(
    doctor: Doctor, account: Account, theirs: str | None
) -> None:
    account.keys |= {KEY: key(), OTHER_KEY: key()}
    account.storage["AGENT_EVENTS"] = [events()]
    if theirs:
        account.storage["CALL_RECORDINGS"] = [recordings(theirs)]
    account.data_streams[STREAM] = {"EncryptionType": "KMS", "KeyId": KEY}
    run = doctor(**ADOPTS_EVENTS, lifecycle__key_arn=KEY)
    assert run.code == 1
    finding = run.finding(f"{KEY} is not that of call recordings or reports", "publish nothing")
    assert (OTHER_KEY if theirs == OTHER_KEY else "none of yours") in finding
    assert "have the same key" in finding


@pytest.mark.parametrize("key_id", ["alias/aws/kinesis", "aws/kinesis"])
def test_a_stream_with_awss_key_is_a_warning(doctor: Doctor, account: Account, key_id: str) -> None:
    account.storage["AGENT_EVENTS"] = [events()]
    account.data_streams[STREAM] = {"EncryptionType": "KMS", "KeyId": key_id}
    run = doctor(**ADOPTS_EVENTS)
    assert run.code == 0
    finding = run.finding("warning", "perhaps Connect would publish nothing")
    assert "IncomingRecords" in finding and "stop-stream-encryption" in finding


def test_a_key_for_a_stream_that_is_not_encrypted(doctor: Doctor, account: Account) -> None:
    account.keys[KEY] = key()
    account.storage["AGENT_EVENTS"] = [events()]
    account.data_streams[STREAM] = {"EncryptionType": "NONE"}
    run = doctor(**ADOPTS_EVENTS, lifecycle__key_arn=KEY)
    assert run.code == 0
    assert "remove lifecycle.key_arn" in run.finding("warning", f"{STREAM} is not encrypted")


def test_agent_events_that_are_set_already_cannot_be_managed(
    doctor: Doctor, account: Account
) -> None:
    account.storage["AGENT_EVENTS"] = [events()]
    run = doctor(lifecycle__mode="manage")
    assert run.code == 1
    finding = run.finding("agent events: set on the instance already, and not by our stack")
    assert f'write lifecycle.mode = "adopt" and stream_arn = "{STREAM}"' in finding


def test_agent_events_that_our_stack_has_set(doctor: Doctor, account: Account) -> None:
    account.storage["AGENT_EVENTS"] = [events()]
    account.data_streams[STREAM] = {}
    account.stacks["autotranscribe-prod-transcription"] = [
        resource(CONFIGURATION, f"{INSTANCE}|{EVENTS_ID}|AGENT_EVENTS")
    ]
    run = doctor(lifecycle__mode="manage")
    assert run.code == 0
    assert run.finding("well  agent events", STREAM)


def test_a_stream_that_we_shall_make_with_a_key_without_a_grant(
    doctor: Doctor, account: Account
) -> None:
    account.keys[KEY] = key()
    run = doctor(lifecycle__mode="manage", lifecycle__key_arn=KEY)
    assert run.code == 1
    assert run.finding("agent events", f"{KEY} is not that of call recordings", "publish nothing")


# Keys


@pytest.mark.parametrize(
    ("state", "remedy"),
    [
        ("Disabled", f"aws kms enable-key --key-id {KEY} --region {REGION}"),
        ("PendingDeletion", f"aws kms cancel-key-deletion --key-id {KEY}"),
        ("PendingImport", "write another key in media_streaming.key_arn"),
    ],
)
def test_a_key_that_cannot_be_used(
    doctor: Doctor, account: Account, state: str, remedy: str
) -> None:
    account.keys[KEY] = key(KeyState=state)
    account.storage["MEDIA_STREAMS"] = [media(key_id=KEY)]
    run = doctor(media_streaming__key_arn=KEY)
    assert run.code == 1
    assert remedy in run.finding("KMS keys", f"{KEY} is {state}")


@pytest.mark.parametrize(
    "changes", [{"KeyUsage": "SIGN_VERIFY", "KeySpec": "RSA_2048"}, {"KeySpec": "RSA_2048"}]
)
def test_a_key_that_is_not_symmetric(
    doctor: Doctor, account: Account, changes: dict[str, str]
) -> None:
    account.keys[KEY] = key(**changes)
    account.storage["MEDIA_STREAMS"] = [media(key_id=KEY)]
    run = doctor(media_streaming__key_arn=KEY)
    assert run.code == 1
    assert "SYMMETRIC_DEFAULT in media_streaming.key_arn" in run.finding("KMS keys", "RSA_2048")


def test_a_key_that_does_not_exist(doctor: Doctor, account: Account) -> None:
    account.storage["MEDIA_STREAMS"] = [media(key_id=KEY)]
    run = doctor(media_streaming__key_arn=KEY)
    assert run.code == 1
    finding = run.finding("KMS keys", f"{KEY} does not exist")
    assert "write a key of this region in media_streaming.key_arn" in finding


def test_the_key_of_the_export_is_looked_at_like_the_others(
    doctor: Doctor, account: Account
) -> None:
    finding = doctor(export__mode="on", export__key_arn=OTHER_KEY).finding("KMS keys", "not exist")
    assert "write a key of this region in export.key_arn" in finding


# ASAPP's credentials


def test_a_secret_that_does_not_exist(doctor: Doctor, account: Account) -> None:
    account.secret = None
    run = doctor()
    assert run.code == 1
    finding = run.finding("ASAPP's credentials", f"{SECRET} does not exist")
    assert f"aws secretsmanager create-secret --name {SECRET}" in finding
    assert '{"apiId": "…", "apiSecret": "…"}' in finding
    assert ("secretsmanager", "GetSecretValue") not in account.calls


def test_a_secret_that_is_to_be_deleted(doctor: Doctor, account: Account) -> None:
    account.secret = {"DeletedDate": BEGINNING}
    run = doctor()
    assert run.code == 1
    assert "restore-secret" in run.finding(f"{SECRET} is scheduled for deletion")


def test_a_secret_without_a_value(doctor: Doctor, account: Account) -> None:
    account.secret_value = None
    run = doctor()
    assert run.code == 1
    assert "aws secretsmanager put-secret-value" in run.finding(f"{SECRET} has no value yet")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"SecretBinary": b"{}"}, "is binary, not a string"),
        ({"SecretString": "the-s3cr3t-of-asapp"}, "is not JSON"),
        ({"SecretString": '["the-s3cr3t-of-asapp"]'}, "is not a JSON object"),
        ({"SecretString": '{"apiSecret": "the-s3cr3t-of-asapp"}'}, "has no apiId"),
        ({"SecretString": '{"apiId": "the-id-of-asapp"}'}, "has no apiSecret"),
        (
            {"SecretString": '{"apiId": "", "apiSecret": "x"}'},
            "has an apiId that is not a string, is empty",
        ),
        (
            {"SecretString": '{"apiId": "x", "apiSecret": 7}'},
            "has an apiSecret that is not a string",
        ),
        (
            {"SecretString": '{"apiId": "x", "apiSecret": "the-s3cr3t-of-asapp\\n"}'},
            "has an apiSecret that is not a string, is empty, or contains a space or a line",
        ),
    ],
)
def test_a_secret_of_another_shape(
    doctor: Doctor, account: Account, value: dict[str, object], words: str
) -> None:
    account.secret_value = value
    run = doctor()
    assert run.code == 1
    assert "put-secret-value" in run.finding("ASAPP's credentials", words)


def test_a_secret_under_a_key_that_our_functions_may_not_use(
    doctor: Doctor, account: Account
) -> None:
    account.keys[KEY] = key()
    account.secret = {"KmsKeyId": KEY}
    run = doctor()
    assert run.code == 0
    finding = run.finding("warning", f"{SECRET} is encrypted with {KEY}")
    assert f'write asapp.credentials_key_arn = "{KEY}"' in finding


def test_a_secret_under_the_key_that_the_settings_name(doctor: Doctor, account: Account) -> None:
    account.keys[KEY] = key()
    account.secret = {"KmsKeyId": KEY}
    run = doctor(asapp__credentials_key_arn=KEY)
    assert run.code == 0
    assert f"{SECRET} is encrypted" not in run.output


# Quotas


def test_an_instance_with_no_room_for_our_functions(doctor: Doctor, account: Account) -> None:
    account.functions = [f"function-{number}" for number in range(3)]
    account.quotas["L-E3D2F503"] = 4.0
    run = doctor()
    assert run.code == 1
    finding = run.finding("Lambda functions: the instance would have 5, and may have 4")
    assert "aws service-quotas request-service-quota-increase --service-code connect" in finding
    assert f"--quota-code L-E3D2F503 --desired-value 5 --context-id {INSTANCE}" in finding
    assert f"--instance-id {INSTANCE_ID}" in finding


def test_our_functions_are_not_counted_twice(doctor: Doctor, account: Account) -> None:
    account.functions = ["start", "stop", "theirs"]
    account.quotas["L-E3D2F503"] = 3.0
    association = "AWS::Connect::IntegrationAssociation"
    account.stacks["autotranscribe-prod-flows"] = [
        resource(association, "start"),
        resource(association, "stop"),
    ]
    run = doctor()
    assert run.code == 0
    assert run.finding("the instance will have 3, and may have 3")


@pytest.mark.parametrize(
    ("applied", "default", "limit"), [(7.0, 5.0, 7), (None, 5.0, 5), (None, None, 50)]
)
def test_the_quota_that_applies_before_the_default_before_the_documented(
    doctor: Doctor, account: Account, applied: float | None, default: float | None, limit: int
) -> None:
    account.quotas = {} if applied is None else {"L-E3D2F503": applied}
    account.default_quotas = {} if default is None else {"L-E3D2F503": default}
    assert doctor().finding(f"may have {limit}")


def test_more_calls_than_there_may_be_streams(doctor: Doctor, account: Account) -> None:
    account.video_streams = ["acme-connect-1", "acme-connect-2", "acmecorp-1", "doorbell"]
    account.quotas["L-12AB7C57"] = 100.0
    account.quotas["L-F06528A6"] = 101.0
    run = doctor()
    assert run.code == 1
    finding = run.finding("video streams: 100 calls at a time need 102 in this account")
    assert "which may have 101" in finding
    assert "--service-code kinesisvideo --quota-code L-F06528A6 --desired-value 102" in finding
    assert "--context-id" not in finding


def test_streams_that_are_named_as_asapps_role_reads_them_are_well(
    doctor: Doctor, account: Account
) -> None:
    account.video_streams = ["acme-connect-acme-contact-0f3a", "acme-doorbell", "other-1"]
    run = doctor(calls=1)
    assert run.code == 0
    assert "begin with" not in run.output


def test_a_stream_of_this_instance_that_asapps_role_could_not_read_fails(
    doctor: Doctor, account: Account
) -> None:
    account.video_streams = ["acme-connect-acme-0f3a", "acme-connect-acme-dev-contact-1"]
    run = doctor(calls=1)
    assert run.code == 1
    finding = run.finding("whose names begin with acme-connect-acme-contact-, and there is none")
    assert "there is acme-connect-acme-0f3a" in finding
    assert "correct connect.instance_alias, or do not deploy" in finding


def test_a_stream_with_our_prefix_and_a_strange_name_is_a_warning(
    doctor: Doctor, account: Account
) -> None:
    account.video_streams = ["acme-0f3a"]
    run = doctor(calls=1)
    assert run.code == 0
    assert "there is acme-0f3a" in run.finding("whose names begin with acme-connect-acme-contact-")


def test_streams_of_another_instance_with_our_prefix_say_nothing_of_ours(
    doctor: Doctor, account: Account
) -> None:
    account.video_streams = ["acme-connect-west-contact-1"]
    run = doctor(calls=1)
    assert run.code == 0
    assert "begin with" not in run.output


def test_expected_calls_count_in_place_of_those_that_may_be(
    doctor: Doctor, account: Account
) -> None:
    account.quotas |= {"L-12AB7C57": 100.0, "L-F06528A6": 60.0}
    run = doctor(calls=60)
    assert run.code == 0
    assert run.finding("60 calls at a time need 60 in this account of 60")


def test_more_calls_than_the_instance_lets_in(doctor: Doctor) -> None:
    run = doctor(calls=50)
    assert run.code == 1
    finding = run.finding("the instance lets 10 calls in at a time, and 50 are expected")
    assert "--quota-code L-12AB7C57 --desired-value 50" in finding


def test_the_first_limit_that_would_be_too_small_is_named(doctor: Doctor) -> None:
    """With AWS's defaults and 50 calls nothing is too small."""
    run = doctor()
    assert run.finding("capacity", "ASAPP, requests a day, at more than 104 calls at a time")
    assert "enough for" not in run.output


def test_each_limit_that_is_too_small_for_the_calls_says_what_to_ask_for(
    doctor: Doctor, account: Account
) -> None:
    account.quotas |= {"L-8A5B8E43": 2_000.0, "L-9B653E91": 600.0}
    account.concurrency = {"ConcurrentExecutions": 1500, "UnreservedConcurrentExecutions": 1500}
    run = doctor(calls=5_000)
    finding = run.finding("API Gateway, requests a second: 5000 calls at a time may need 2500")
    assert "there are 2000, enough for 4000 calls" in finding
    assert "--service-code apigateway --quota-code L-8A5B8E43 --desired-value 2500" in finding
    finding = run.finding("EventBridge, PutEvents a second", "may need 834, and there are 600")
    assert "--service-code events --quota-code L-9B653E91 --desired-value 834" in finding
    finding = run.finding("Lambda, invocations at a time", "may need 2031, and there are 1500")
    assert "--quota-code L-B99A9384 --desired-value 2031" in finding
    finding = run.finding("ASAPP, requests a day: 5000 calls at a time may need 2400000")
    assert "ask ASAPP's account team" in finding
    assert not [line for line in run.output.splitlines() if "DynamoDB, write units" in line]


def test_the_files_calls_count_if_nobody_says_other_ones(doctor: Doctor) -> None:
    run = doctor(capacity__expected_calls=105)
    assert run.finding("ASAPP, requests a day: 105 calls at a time may need 50400")
    assert "ASAPP, requests a day:" not in doctor(calls=104, capacity__expected_calls=105).output


def test_an_instance_that_lets_no_call_in(doctor: Doctor, account: Account) -> None:
    account.quotas["L-12AB7C57"] = 0.0
    run = doctor()
    assert run.code == 1
    assert "--desired-value 10" in run.finding("the instance lets 0 calls in at a time")


# The account


def test_an_account_that_is_not_bootstrapped(doctor: Doctor, account: Account) -> None:
    account.bootstrap = None
    run = doctor()
    assert run.code == 1
    finding = run.finding("CDK bootstrap", "not bootstrapped for CDK")
    assert f"npx cdk bootstrap aws://{ACCOUNT}/{REGION} --qualifier hnb659fds" in finding


def test_a_bootstrap_with_a_qualifier_of_ones_own(doctor: Doctor, account: Account) -> None:
    finding = doctor(bootstrap_qualifier="acme").finding("CDK bootstrap", "not bootstrapped")
    assert f"npx cdk bootstrap aws://{ACCOUNT}/{REGION} --qualifier acme" in finding
    account.qualifier = "acme"
    assert doctor(bootstrap_qualifier="acme").finding("well  CDK bootstrap: has version 21")


@pytest.mark.parametrize("version", ["5", "of my own"])
def test_a_bootstrap_that_is_too_old(doctor: Doctor, account: Account, version: str) -> None:
    account.bootstrap = version
    run = doctor()
    assert run.code == 1
    assert "npx cdk bootstrap" in run.finding(f"has version {version}, and must have 6 or newer")


def test_an_api_gateway_that_may_not_write_logs(doctor: Doctor, account: Account) -> None:
    account.log_role = None
    run = doctor()
    assert run.code == 1
    finding = run.finding("API Gateway's logs: API Gateway has no role")
    assert 'write webhook.api_gateway_log_role = "manage"' in finding
    assert doctor(webhook__api_gateway_log_role="manage").code == 0


@pytest.mark.parametrize("given", ["manage", "off"])
def test_a_web_acl_that_is_not_ones_own_is_not_looked_for(doctor: Doctor, given: str) -> None:
    assert "well  web ACL" in doctor(webhook__web_acl=given).finding("web ACL")


def test_a_web_acl_that_is_there(doctor: Doctor, account: Account) -> None:
    account.web_acls.add(WEB_ACL_ID)
    run = doctor(webhook__web_acl=WEB_ACL)
    assert run.code == 0
    assert run.finding("well  web ACL", f"{WEB_ACL} is there")


def test_a_web_acl_that_does_not_exist(doctor: Doctor, account: Account) -> None:
    account.web_acls.add("another/44444444-4444-4444-8444-444444444444")
    run = doctor(webhook__web_acl=WEB_ACL)
    assert run.code == 1
    assert "aws wafv2 list-web-acls" in run.finding("web ACL", f"{WEB_ACL} does not exist")


def test_a_topic_that_does_not_exist(doctor: Doctor) -> None:
    run = doctor(alarms__topic_arn=TOPIC)
    assert run.code == 1
    assert "aws sns list-topics" in run.finding("alarms", f"{TOPIC} does not exist")


@pytest.mark.parametrize(
    ("key_id", "warnings"), [(None, 0), ("alias/our-sns", 0), ("alias/aws/sns", 1)]
)
def test_a_topic_to_which_cloudwatch_may_not_publish(
    doctor: Doctor, account: Account, key_id: str | None, warnings: int
) -> None:
    account.topics[TOPIC] = {"TopicArn": TOPIC} | ({"KmsMasterKeyId": key_id} if key_id else {})
    run = doctor(alarms__topic_arn=TOPIC)
    assert run.code == 0
    assert f"{warnings} warning" in run.output
    assert ("a key of yours" in run.finding("alarms", TOPIC)) == bool(warnings)


# Stacks


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED"])
def test_a_protected_stack_whose_first_deployment_failed(
    doctor: Doctor, account: Account, status: str
) -> None:
    name = "autotranscribe-prod-access"
    account.stack_states[name] = {"StackStatus": status, **PROTECTED}
    run = doctor()
    assert run.code == 1
    assert run.finding("problem  stacks:", f"{name} is {status}").endswith(
        "→ `aws cloudformation update-termination-protection --no-enable-termination-protection "
        f"--stack-name {name} --region {REGION}`, then deploy: CDK deletes the stack, makes it "
        "again and protects it again"
    )
    for other in ("transcription", "flows"):
        assert run.finding("well  stacks:", f"autotranscribe-prod-{other} is not there yet")


def test_an_unprotected_one_is_deleted_by_the_next_deployment(
    doctor: Doctor, account: Account
) -> None:
    name = "autotranscribe-prod-flows"
    account.stack_states[name] = {"StackStatus": "ROLLBACK_COMPLETE"}
    run = doctor()
    assert run.code == 0
    assert run.finding("warning  stacks:", name, "→ deploy again: CDK deletes the stack")


def test_a_stack_whose_update_could_not_be_rolled_back(doctor: Doctor, account: Account) -> None:
    name = "autotranscribe-prod-transcription"
    account.stack_states[name] = {"StackStatus": "UPDATE_ROLLBACK_FAILED", **PROTECTED}
    run = doctor()
    assert run.code == 1
    assert f"continue-update-rollback --stack-name {name}" in run.finding("problem  stacks:", name)


def test_a_stack_that_is_complete_and_protected_is_well(doctor: Doctor, account: Account) -> None:
    name = "autotranscribe-prod-access"
    account.stack_states[name] = {"StackStatus": "UPDATE_COMPLETE", **PROTECTED}
    run = doctor()
    assert run.code == 0
    assert run.finding("well  stacks:", f"{name} is UPDATE_COMPLETE")
