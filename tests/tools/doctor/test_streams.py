"""Live media streaming and agent events: what an instance must have, and what it had before."""

from __future__ import annotations

import json

import pytest

from .conftest import Doctor
from .fake_aws import (
    EVENTS_ID,
    INSTANCE,
    INSTANCE_ID,
    KEY,
    MEDIA_ID,
    OTHER_KEY,
    REGION,
    STREAM,
    Account,
    events,
    key,
    media,
    recordings,
    resource,
)

CONFIGURATION = "AWS::Connect::InstanceStorageConfig"
ADOPTS_EVENTS = {"lifecycle__mode": "adopt", "lifecycle__stream_arn": STREAM}
MANAGES_MEDIA = {"media_streaming__mode": "manage", "media_streaming__retention_hours": 24}


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
