"""KMS keys and ASAPP's credentials: what is said of each, and what to do."""

from __future__ import annotations

import pytest

from .conftest import Doctor
from .fake_aws import (
    BEGINNING,
    KEY,
    OTHER_KEY,
    REGION,
    SECRET,
    Account,
    key,
    media,
)

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
