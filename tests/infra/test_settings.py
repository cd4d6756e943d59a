"""What an environment's file may say, and what its author reads where it may not."""

import copy
import dataclasses
import datetime
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connect_autotranscribe.settings import (
    AlarmSettings,
    ConnectSettings,
    ExportSettings,
    LifecycleSettings,
    ReconciliationSettings,
    RetentionSettings,
    Settings,
    SettingsError,
    WebhookSettings,
    environment_file,
)
from connect_autotranscribe.settings.environment import sensitivity

ENVIRONMENTS = Path(__file__).parents[2] / "infra" / "environments"
INSTANCE = "arn:aws:connect:us-east-1:123456789012:instance/12345678-1234-1234-1234-123456789012"
KEY = "arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012"
STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/agent-events"
TOPIC = "arn:aws:sns:us-east-1:123456789012:alerts"
ROLE = "arn:aws:iam::999999999999:role/asapp-prod-mg-amazonconnect-role"

SMALLEST: Mapping[str, Any] = {
    "account": "123456789012",
    "region": "us-east-1",
    "connect": {"instance_arn": INSTANCE, "instance_alias": "acme"},
    "media_streaming": {"mode": "adopt", "prefix": "acme"},
    "asapp": {
        "api_host": "https://api.asapp.com",
        "trusted_role_arns": [ROLE],
        "credentials_secret_name": "connect-autotranscribe/asapp",
    },
    "lifecycle": {"mode": "off"},
}
MISSING = object()
FIELDS = ("conversation", "id", "role", "sender", "text", "time")


def changed(changes: Mapping[str, object]) -> dict[str, Any]:
    """The smallest environment with other values at some dotted keys, or with MISSING ones."""
    data = copy.deepcopy(dict(SMALLEST))
    for key, value in changes.items():
        *table, name = key.split(".", 1)
        place = data.setdefault(table[0], {}) if table else data
        if value is MISSING:
            del place[name]
        else:
            place[name] = value
    return data


def read(changes: Mapping[str, object]) -> Settings:
    return Settings.from_mapping(changed(changes), source="prod.toml")


def problems(changes: Mapping[str, object]) -> list[str]:
    with pytest.raises(SettingsError) as error:
        read(changes)
    return str(error.value).splitlines()


# What loads


@pytest.mark.parametrize("name", ["dev", "staging", "prod", "sandbox"])
def test_an_environment_that_we_ship_loads(name: str) -> None:
    settings = Settings.load(environment_file(name, ENVIRONMENTS))
    assert settings.account in settings.connect.instance_arn


def test_the_shipped_environments_are_those_that_the_documentation_names() -> None:
    assert {path.name for path in ENVIRONMENTS.iterdir()} == {
        "dev.toml",
        "staging.toml",
        "prod.toml",
        "sandbox.toml",
    }


def test_the_production_file_shows_every_key_there_is() -> None:
    text = ENVIRONMENTS.joinpath("prod.toml").read_text(encoding="utf-8")
    data = tomllib.loads(re.sub(r"^# (\w+ = )", r"\1", text, flags=re.MULTILINE))
    del data["tags"]  # its keys are the reader's own
    shown = {key: set(value) for key, value in data.items() if isinstance(value, dict)}
    assert shown == {name: set(dataclasses.asdict(read({}))[name]) for name in shown}
    assert {*data, "tags"} == {each.name for each in dataclasses.fields(Settings)}


def test_the_smallest_environment_gets_the_defaults_that_the_docstrings_promise() -> None:
    settings = read({})
    assert settings.on_delete == "retain"
    assert settings.tags == {}
    assert settings.webhook == WebhookSettings(
        secret_in="header",
        secret_name="x-webhook-secret",
        throttle_rate_per_second=100,
        throttle_burst=200,
        allowed_cidrs=(),
        api_gateway_log_role="adopt",
    )
    assert settings.lifecycle == LifecycleSettings(mode="off", stream_arn=None, key_arn=None)
    assert settings.reconciliation == ReconciliationSettings(after_minutes=15)
    assert settings.export == ExportSettings(
        mode="off", at="02:30", keep_days=365, lookback_days=7, columns={}, key_arn=None
    )
    assert settings.retention == RetentionSettings(transcripts_days=30, logs_days=30)
    assert settings.alarms == AlarmSettings(email=None, topic_arn=None)
    assert settings.media_streaming.retention_hours is None
    assert settings.media_streaming.key_arn is None
    assert dataclasses.asdict(settings.asapp) == {
        "api_host": "https://api.asapp.com",
        "trusted_role_arns": (ROLE,),
        "external_id": None,
        "credentials_secret_name": "connect-autotranscribe/asapp",
        "language": "en-US",
        "redaction": "redacted",
        "detailed_tokens": False,
        "audio_recording_allowed": False,
        "start_selector": "FRAGMENT_NUMBER",
        "conversation_id": "InitialContactId",
        "customer_id_path": "$.CustomerEndpoint.Address",
        "agent_id_path": "$.Agent.UserName",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"media_streaming.mode": "manage", "media_streaming.retention_hours": 1},
        {"media_streaming.mode": "manage", "media_streaming.retention_hours": 87_600},
        {"media_streaming.key_arn": KEY},
        {"media_streaming.key_arn": "arn:aws:kms:us-east-1:999999999999:key/mrk-1234abcd"},
        {"media_streaming.prefix": "p" * 128},
        {"media_streaming.prefix": "acme-connect-streams"},
        {"asapp.language": "yue-Hant-HK"},
        {"asapp.api_host": "https://asapp.internal.example.com:8443"},
        {"asapp.trusted_role_arns": [ROLE, "arn:aws:iam::888888888888:role/path/of/it/name@x"]},
        {"asapp.external_id": "a1_+=,.@:/-"},
        {"asapp.language": "es-US"},
        {"asapp.detailed_tokens": True, "asapp.redaction": "unredacted"},
        {"asapp.customer_id_path": "$['Attributes']['customer id']"},
        {"lifecycle.mode": "adopt", "lifecycle.stream_arn": STREAM},
        {"lifecycle.mode": "adopt", "lifecycle.stream_arn": STREAM, "lifecycle.key_arn": KEY},
        {"lifecycle.mode": "manage"},
        {"lifecycle.mode": "manage", "lifecycle.key_arn": KEY},
        {"webhook.secret_name": "X-ASAPP.Secret"},
        {"webhook.secret_in": "query", "webhook.secret_name": "the_token-1"},
        {"webhook.allowed_cidrs": ["203.0.113.0/24", "203.0.114.7/32", "2001:db8::/32"]},
        {"reconciliation.after_minutes": 1},
        {"reconciliation.after_minutes": 720},
        {"export.mode": "on"},
        {"export.mode": "on", "export.key_arn": KEY},
        {"export.at": "02:00"},
        {"export.at": "23:59"},
        {"export.keep_days": 2, "export.lookback_days": 1},
        {"export.keep_days": 3650, "export.lookback_days": 30},
        {"export.columns": dict.fromkeys(FIELDS, "name_1")},
        {"retention.logs_days": 3653, "retention.transcripts_days": 3650},
        {"alarms.email": "ops@example.com"},
        {"alarms.topic_arn": TOPIC},
        {"tags": {f"k{number}": "" for number in range(40)}},
        {"tags": {"k" * 128: "v" * 256}},
    ],
    ids=str,
)
def test_what_the_two_systems_allow_is_allowed(changes: dict[str, object]) -> None:
    read(changes)


@pytest.mark.parametrize(
    ("partition", "region"),
    [("aws", "eu-central-1"), ("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1")],
)
def test_the_partition_is_that_of_the_instance(partition: str, region: str) -> None:
    instance = INSTANCE.replace("us-east-1", region).replace("arn:aws", f"arn:{partition}")
    settings = read(
        {
            "region": region,
            "connect.instance_arn": instance,
            "asapp.trusted_role_arns": [ROLE.replace("arn:aws", f"arn:{partition}")],
        }
    )
    assert settings.partition == partition


@pytest.mark.parametrize(
    ("partition", "region"), [("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1")]
)
def test_a_commercial_role_of_asapp_serves_no_other_partition(partition: str, region: str) -> None:
    instance = INSTANCE.replace("us-east-1", region).replace("arn:aws", f"arn:{partition}")
    said = problems({"region": region, "connect.instance_arn": instance})
    (about_the_role,) = [line for line in said if ROLE in line]
    assert "asapp.trusted_role_arns" in about_the_role
    assert f'such a role cannot read audio in "{partition}"' in about_the_role
    assert f'ask ASAPP whether it serves "{partition}"' in about_the_role


def test_settings_do_not_change_once_read() -> None:
    settings = read({"tags": {"team": "voice"}})
    with pytest.raises(dataclasses.FrozenInstanceError, match="region"):
        settings.region = "eu-west-1"  # type: ignore[misc]
    assert settings.asapp.trusted_role_arns == (ROLE,)
    assert not hasattr(settings, "__dict__")


def test_a_record_made_in_python_checks_itself_too() -> None:
    with pytest.raises(SettingsError, match=r"^Settings: connect\.instance_arn: .* this region"):
        dataclasses.replace(read({}), region="eu-west-1")
    with pytest.raises(SettingsError, match=r"^Settings: connect\.instance_alias: .*acme"):
        connect = ConnectSettings(instance_arn=INSTANCE, instance_alias="d-acme")
        dataclasses.replace(read({}), connect=connect)


# What does not load: each check, with what its author reads

AN_ARRAY = (
    'write an array of 1 or more different items, each "arn:<partition>:iam::<account>:role/<role>"'
)
A_KEY = 'write "arn:<partition>:kms:<region>:<account>:key/<key id>"'
A_STREAM = 'write "arn:<partition>:kinesis:<region>:<account>:stream/<stream>"'
A_NETWORK = 'write a network without host bits, like "203.0.113.0/24"; [] allows every address'
A_PREFIX = 'write 1 to 128 letters, digits, "_", "." or "-", like "acme"'
A_ROLE = 'write "arn:<partition>:iam::<account>:role/<role>"'
A_SECRETS_NAME = (
    'write a name in Secrets Manager, like "connect-autotranscribe/asapp": not an ARN, and never '
    "the secret"
)
A_TIME = (
    'write a time of day in UTC, "02:00" to "23:59", like "02:30"; ASAPP updates the feed at 02:00'
)
COLUMNS = (
    "write the feed's names for conversation, id, role, sender, text, time, "
    'like {text = "utterance_text"}'
)
A_TOPIC = 'write "arn:<partition>:sns:<region>:<account>:<topic>"'
HIDDEN = "the value (not shown, because it may be a secret)"
AN_ALIAS = 'write the name in https://<name>.my.connect.aws, like "acme"'
AN_INSTANCE = 'write "arn:<partition>:connect:<region>:<account>:instance/<uuid>"'
AN_ORIGIN = 'write only a scheme and a host, like "https://api.asapp.com"'
HOURS = "write 1 to 87600 hours, like 24; 0 would keep audio for 5 minutes only"
LOGS_DAYS = (
    "write 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, "
    "2922, 3288 or 3653"
)
TAGS = (
    'write at most 40 tags: keys of 1 to 128 characters that do not begin "aws:", values up to 256'
)


def check(changes: dict[str, object], *lines: str) -> Any:
    return pytest.param(changes, [f"prod.toml: {line}" for line in lines], id=lines[0][:60])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        check({"account": MISSING}, 'account: is missing; write 12 digits, like "123456789012"'),
        check({"account": None}, 'account: is missing; write 12 digits, like "123456789012"'),
        check(
            {"connect": MISSING},
            f"connect.instance_arn: is missing; {AN_INSTANCE}",
            f"connect.instance_alias: is missing; {AN_ALIAS}",
        ),
        check(
            {"media_streaming.mode": MISSING},
            'media_streaming.mode: is missing; write "adopt" or "manage"',
        ),
        check(  # each choice loses something, so each environment says it
            {"lifecycle": MISSING},
            'lifecycle.mode: is missing; write "manage", "adopt" or "off"',
        ),
        check(
            {"lifecycle.initiation_methods": ["INBOUND"]},
            "lifecycle.initiation_methods: is not a setting; remove it",
        ),
        check(
            {"asapp.trusted_role_arns": MISSING},
            f"asapp.trusted_role_arns: is missing; {AN_ARRAY}",
        ),
        check(
            {"asapp.api_hots": "https://api.asapp.com"},
            "asapp.api_hots: is not a setting; did you mean asapp.api_host?",
        ),
        check(  # a key for the top of the file that slipped below a heading
            {"connect.on_delete": "retain"},
            "connect.on_delete: is not a setting; did you mean on_delete?",
        ),
        check(
            {"connect.mode": "adopt"},
            "connect.mode: is not a setting; did you mean media_streaming.mode?",
        ),
        check({"webhok": {}}, "webhok: is not a setting; did you mean webhook?"),
        check({"asapp.zebra": "blue"}, "asapp.zebra: is not a setting; remove it"),
    ],
)
def test_a_missing_or_unknown_key_is_named(changes: dict[str, object], expected: list[str]) -> None:
    assert problems(changes) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        check(
            {"account": 123456789012},
            'account: is an integer, not a string; write 12 digits, like "123456789012"',
        ),
        check(
            {"asapp.detailed_tokens": "false"},
            "asapp.detailed_tokens: is a string, not a boolean; write true or false",
        ),
        check(
            {"asapp.audio_recording_allowed": 0},
            "asapp.audio_recording_allowed: is an integer, not a boolean; write true or false",
        ),
        check(
            {"webhook.throttle_burst": True},
            "webhook.throttle_burst: is a boolean, not an integer; write 1 or more, like 200",
        ),
        check(
            {"retention.logs_days": 30.0},
            f"retention.logs_days: is a float, not an integer; {LOGS_DAYS}",
        ),
        check(
            {"asapp.trusted_role_arns": ROLE},
            f"asapp.trusted_role_arns: is a string, not an array; {AN_ARRAY}",
        ),
        check({"alarms": "ops@example.com"}, "alarms: is a string, not a table; write [alarms]"),
        check({"tags": ["voice"]}, f"tags: is an array, not a table; {TAGS}"),
        check(
            {"region": datetime.date(2026, 11, 1)},
            "region: is a date or time, not a string; "
            'write the region of the instance, like "us-east-1"',
        ),
    ],
)
def test_a_value_of_another_type_is_named(changes: dict[str, object], expected: list[str]) -> None:
    assert problems(changes) == expected


def refused(key: str, value: object, line: str) -> Any:
    line = line.replace("VALUE", json.dumps(value))
    return pytest.param(key, value, line, id=f"{key} = {str(value)[:40]}")


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        refused(
            "account", "12345", '"12345" is not accepted; write 12 digits, like "123456789012"'
        ),
        refused(
            "region",
            "Frankfurt",
            '"Frankfurt" is not accepted; write the region of the instance, like "us-east-1"',
        ),
        refused("on_delete", "keep", '"keep" is not accepted; write "retain" or "destroy"'),
        refused("connect.instance_arn", "acme", f'"acme" is not accepted; {AN_INSTANCE}'),
        refused(
            "connect.instance_arn",
            f"{INSTANCE}/queue/1",
            f'"{INSTANCE}/queue/1" is not accepted; {AN_INSTANCE}',
        ),
        refused(
            "asapp.language",
            "english",
            'VALUE is not accepted; write an IETF tag, like "en-US" or "es-US"',
        ),
        refused("connect.instance_alias", "d-acme", f'"d-acme" is not accepted; {AN_ALIAS}'),
        refused(
            "connect.instance_alias",
            "https://acme.my.connect.aws",
            f'"https://acme.my.connect.aws" is not accepted; {AN_ALIAS}',
        ),
        refused(
            "media_streaming.mode", "create", '"create" is not accepted; write "adopt" or "manage"'
        ),
        refused("media_streaming.prefix", "", f'"" is not accepted; {A_PREFIX}'),
        refused("media_streaming.prefix", "p" * 129, f'"{"p" * 129}" is not accepted; {A_PREFIX}'),
        refused("media_streaming.prefix", "acme*", f'"acme*" is not accepted; {A_PREFIX}'),
        refused(
            "media_streaming.key_arn",
            "arn:aws:kms:us-east-1:123456789012:alias/streams",
            f'"arn:aws:kms:us-east-1:123456789012:alias/streams" is not accepted; {A_KEY}',
        ),
        refused("asapp.api_host", "api.asapp.com", f'"api.asapp.com" is not accepted; {AN_ORIGIN}'),
        refused(
            "asapp.api_host",
            "https://api.asapp.com/",
            f'"https://api.asapp.com/" is not accepted; {AN_ORIGIN}',
        ),
        refused(
            "asapp.api_host",
            "https://a.com/mg/v1",
            f'"https://a.com/mg/v1" is not accepted; {AN_ORIGIN}',
        ),
        refused("asapp.api_host", "https://me:pw@a.com", f"{HIDDEN} is not accepted; {AN_ORIGIN}"),
        refused("asapp.api_host", "https://a.com?x=1", f"{HIDDEN} is not accepted; {AN_ORIGIN}"),
        refused("asapp.trusted_role_arns", [], f"VALUE is not accepted; {AN_ARRAY}"),
        refused("asapp.trusted_role_arns", [ROLE, ROLE], f"VALUE is not accepted; {AN_ARRAY}"),
        refused(
            "asapp.trusted_role_arns",
            ["arn:aws:iam::999999999999:root", ROLE, "arn:aws:iam::999999999999:user/asapp"],
            '"arn:aws:iam::999999999999:root", "arn:aws:iam::999999999999:user/asapp" '
            f"is not accepted; {A_ROLE}",
        ),
        refused(
            "asapp.trusted_role_arns",
            ["arn:aws:iam::999999999999:role/*"],
            f'"arn:aws:iam::999999999999:role/*" is not accepted; {A_ROLE}',
        ),
        refused(
            "asapp.trusted_role_arns",
            ["arn:aws:iam::999999999999:role/rôle"],  # a letter, but not to AWS
            f'"arn:aws:iam::999999999999:role/r\\u00f4le" is not accepted; {A_ROLE}',
        ),
        refused("asapp.trusted_role_arns", ["*"], f'"*" is not accepted; {A_ROLE}'),
        refused("asapp.trusted_role_arns", [{}], f"{{}} is not accepted; {A_ROLE}"),
        refused(
            "asapp.external_id",
            "x",
            '"x" is not accepted; write 2 to 1224 letters, digits or characters of "_+=,.@:/-"',
        ),
        refused(
            "asapp.credentials_secret_name",
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:asapp-a1b2c3",
            '"arn:aws:secretsmanager:us-east-1:123456789012:secret:asapp-a1b2c3" '
            f"is not accepted; {A_SECRETS_NAME}",
        ),
        refused(
            "asapp.credentials_secret_name",
            '{"apiId": "me", "apiSecret": "hunter2"}',
            f"{HIDDEN} is not accepted; {A_SECRETS_NAME}",
        ),
        refused(
            "asapp.credentials_secret_name",
            "0123456789abcdef0123456789abcdef",
            f"{HIDDEN} is not accepted; {A_SECRETS_NAME}",
        ),
        refused(
            "asapp.language",
            "American English",
            '"American English" is not accepted; write an IETF tag, like "en-US" or "es-US"',
        ),
        refused(
            "asapp.redaction",
            "none",
            '"none" is not accepted; write "redacted", "unredacted" or "redacted_and_unredacted"',
        ),
        refused(
            "asapp.start_selector",
            "EARLIEST",  # would be other callers' audio
            '"EARLIEST" is not accepted; write "FRAGMENT_NUMBER" or "NOW"',
        ),
        refused(
            "asapp.conversation_id",
            "$.ContactId",
            '"$.ContactId" is not accepted; '
            'write "InitialContactId", "ContactId" or "PreviousContactId"',
        ),
        refused(
            "asapp.customer_id_path",
            "CustomerEndpoint.Address",
            '"CustomerEndpoint.Address" is not accepted; '
            'write a JSONPath of the customer, like "$.CustomerEndpoint.Address"; '
            "when a call comes in, there is no agent yet",
        ),
        refused(
            "asapp.customer_id_path",
            "$.Agent.UserName",
            '"$.Agent.UserName" is not accepted; '
            'write a JSONPath of the customer, like "$.CustomerEndpoint.Address"; '
            "when a call comes in, there is no agent yet",
        ),
        refused(
            "asapp.agent_id_path",
            "$",
            '"$" is not accepted; write a JSONPath of Amazon Connect, like "$.Agent.UserName"',
        ),
        refused("lifecycle.mode", "on", '"on" is not accepted; write "manage", "adopt" or "off"'),
        refused("lifecycle.stream_arn", "events", f'"events" is not accepted; {A_STREAM}'),
        refused(
            "lifecycle.stream_arn",
            f"{STREAM}/consumer/us:1",
            f'"{STREAM}/consumer/us:1" is not accepted; {A_STREAM}',
        ),
        refused(
            "lifecycle.key_arn",
            "alias/aws/kinesis",
            f'"alias/aws/kinesis" is not accepted; {A_KEY}',
        ),
        refused("webhook.secret_in", "body", '"body" is not accepted; write "header" or "query"'),
        refused(
            "webhook.secret_name",
            "x-secret: hunter2",
            f'{HIDDEN} is not accepted; write a name, like "x-webhook-secret", never the secret',
        ),
        refused(
            "webhook.throttle_rate_per_second",
            0,
            "VALUE is not accepted; write 1 or more, like 100",
        ),
        refused("webhook.throttle_burst", -1, "VALUE is not accepted; write 1 or more, like 200"),
        refused(
            "webhook.allowed_cidrs",
            ["203.0.113.0/24", "10.0.0.1/8"],
            f'"10.0.0.1/8" is not accepted; {A_NETWORK}',
        ),
        refused(
            "webhook.allowed_cidrs", ["0.0.0.0/0"], f'"0.0.0.0/0" is not accepted; {A_NETWORK}'
        ),
        refused("webhook.allowed_cidrs", ["::/0"], f'"::/0" is not accepted; {A_NETWORK}'),
        refused(
            "webhook.allowed_cidrs",
            ["10.0.0.0/255.0.0.0"],  # Python knows this form, IAM does not
            f'"10.0.0.0/255.0.0.0" is not accepted; {A_NETWORK}',
        ),
        refused("webhook.allowed_cidrs", ["10.0.0.1"], f'"10.0.0.1" is not accepted; {A_NETWORK}'),
        refused(
            "webhook.allowed_cidrs",
            ["10.0.0.0/8", "10.0.0.0/8"],
            "VALUE is not accepted; write an array of 0 or more different items, each "
            + A_NETWORK.removeprefix("write "),
        ),
        refused(
            "webhook.api_gateway_log_role",
            "none",
            '"none" is not accepted; write "adopt" or "manage"',
        ),
        refused(
            "reconciliation.after_minutes",
            721,
            "VALUE is not accepted; write 1 to 720 minutes, like 15",
        ),
        refused("export.mode", "manage", '"manage" is not accepted; write "off" or "on"'),
        refused("export.at", "01:59", f'"01:59" is not accepted; {A_TIME}'),  # of the day before
        refused("export.at", "24:00", f'"24:00" is not accepted; {A_TIME}'),
        refused("export.at", "2:30", f'"2:30" is not accepted; {A_TIME}'),
        refused("export.at", "02:30 CET", f'"02:30 CET" is not accepted; {A_TIME}'),
        refused("export.lookback_days", 31, "VALUE is not accepted; write 1 to 30 days, like 7"),
        refused("export.keep_days", 3651, "VALUE is not accepted; write 1 to 3650 days, like 365"),
        refused("export.columns", {"words": "text"}, f"VALUE is not accepted; {COLUMNS}"),
        refused("export.columns", {"text": "x') FROM y"}, f"VALUE is not accepted; {COLUMNS}"),
        refused("export.columns", {"text": True}, f"VALUE is not accepted; {COLUMNS}"),
        refused("export.key_arn", "alias/aws/s3", f'"alias/aws/s3" is not accepted; {A_KEY}'),
        refused(
            "retention.transcripts_days",
            3651,
            "VALUE is not accepted; write 1 to 3650 days, like 30",
        ),
        refused("retention.logs_days", 31, f"VALUE is not accepted; {LOGS_DAYS}"),
        refused(
            "alarms.email",
            "operations",
            '"operations" is not accepted; write an address, like "ops@example.com"',
        ),
        refused("alarms.topic_arn", "alerts", f'"alerts" is not accepted; {A_TOPIC}'),
        refused("tags", {f"k{n}": "" for n in range(41)}, f"VALUE is not accepted; {TAGS}"),
        refused("tags", {"AWS:team": "voice"}, f"VALUE is not accepted; {TAGS}"),
        refused("tags", {"": "voice"}, f"VALUE is not accepted; {TAGS}"),
        refused("tags", {"k" * 129: "voice"}, f"VALUE is not accepted; {TAGS}"),
        refused("tags", {"team": "v" * 257}, f"VALUE is not accepted; {TAGS}"),
        refused("tags", {"team": 7}, f"VALUE is not accepted; {TAGS}"),
    ],
)
def test_a_wrong_value_is_answered_with_what_to_write_instead(
    key: str, value: object, line: str
) -> None:
    assert problems({key: value}) == [f"prod.toml: {key}: {line}"]


@pytest.mark.parametrize("hours", [0, 87_601])
def test_retention_hours_out_of_range_are_refused_and_zero_is_explained(hours: int) -> None:
    changes = {"media_streaming.mode": "manage", "media_streaming.retention_hours": hours}
    line = f"prod.toml: media_streaming.retention_hours: {hours} is not accepted; {HOURS}"
    assert problems(changes) == [line]


MISSPELT = INSTANCE.replace("us-east-1", "us-esat-1")
FAR_KEY = KEY.replace("us-east-1", "eu-west-1")
FAR_STREAM = STREAM.replace("us-east-1", "eu-west-1")
OTHERS_STREAM = STREAM.replace("123456789012", "210987654321")
FAR_TOPIC = TOPIC.replace("us-east-1", "eu-west-1")
CHINESE_ROLE = ROLE.replace("arn:aws", "arn:aws-cn")
CHINESE_KEY = KEY.replace("arn:aws", "arn:aws-cn")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        check(
            {"region": "eu-west-1"},
            f'connect.instance_arn: "{INSTANCE}" is not in this region; '
            'write an ARN of "eu-west-1"',
        ),
        check(  # the one that is misspelt is blamed, not the right one beside it
            {"region": "us-esat-1"},
            'region: "us-esat-1" is not accepted; '
            'write the region of the instance, like "us-east-1"',
        ),
        check(
            {"connect.instance_arn": MISSPELT},
            f'connect.instance_arn: "{MISSPELT}" has an unknown AWS region, "us-esat-1"; '
            'write "us-east-1"',
        ),
        check(
            {"region": "us-esat-1", "connect.instance_arn": MISSPELT},
            'region: "us-esat-1" is not accepted; '
            'write the region of the instance, like "us-east-1"',
            f'connect.instance_arn: "{MISSPELT}" has an unknown AWS region, "us-esat-1"; '
            "write the instance's region",
        ),
        check(
            {"media_streaming.prefix": "acme-connect-acme-contact-"},
            'media_streaming.prefix: "acme-connect-acme-contact-" includes what Connect adds to '
            'the prefix; write "acme"',
        ),
        check(
            {"media_streaming.prefix": "acme-connect-acme"},
            'media_streaming.prefix: "acme-connect-acme" includes what Connect adds to the prefix; '
            'write "acme"',
        ),
        check(
            {"account": "210987654321"},
            f'connect.instance_arn: "{INSTANCE}" is not in this account; '
            'write an ARN of "210987654321"',
        ),
        check(
            {"media_streaming.key_arn": FAR_KEY},
            f'media_streaming.key_arn: "{FAR_KEY}" is not in this region; '
            'write an ARN of "us-east-1"',
        ),
        check(
            {"alarms.topic_arn": FAR_TOPIC},
            f'alarms.topic_arn: "{FAR_TOPIC}" is not in this region; write an ARN of "us-east-1"',
        ),
        check(
            {"asapp.trusted_role_arns": [ROLE, CHINESE_ROLE]},
            f'asapp.trusted_role_arns: "{CHINESE_ROLE}" is in the partition "aws-cn", and such a '
            'role cannot read audio in "aws"; ask ASAPP whether it serves "aws", and write a role '
            "from there",
        ),
        check(
            {"media_streaming.key_arn": CHINESE_KEY},
            f'media_streaming.key_arn: "{CHINESE_KEY}" is not in the instance\'s partition; '
            'write an ARN of "aws"',
        ),
        check(
            {"media_streaming.mode": "manage"},
            f'media_streaming.retention_hours: is missing for mode "manage"; {HOURS}',
        ),
        check(
            {"media_streaming.retention_hours": 24},
            'media_streaming.retention_hours: cannot be set in mode "adopt"; '
            'remove it, or write mode = "manage"',
        ),
        check(
            {"lifecycle.mode": "adopt"},
            f'lifecycle.stream_arn: is missing for mode "adopt"; {A_STREAM}',
        ),
        check(
            {"lifecycle.mode": "manage", "lifecycle.stream_arn": STREAM},
            'lifecycle.stream_arn: is not used in mode "manage"; '
            'remove it, or write mode = "adopt"',
        ),
        check(
            {"lifecycle.stream_arn": STREAM, "lifecycle.key_arn": KEY},
            'lifecycle.stream_arn: is not used in mode "off"; remove it, or write mode = "adopt"',
            'lifecycle.key_arn: is not used in mode "off"; '
            'remove it, or write mode = "adopt" or "manage"',
        ),
        check(
            {"lifecycle.mode": "adopt", "lifecycle.stream_arn": FAR_STREAM},
            f'lifecycle.stream_arn: "{FAR_STREAM}" is not in this region; '
            'write an ARN of "us-east-1"',
        ),
        check(
            {"lifecycle.mode": "adopt", "lifecycle.stream_arn": OTHERS_STREAM},
            f'lifecycle.stream_arn: "{OTHERS_STREAM}" is not in this account; '
            'write an ARN of "123456789012"',
        ),
        check(
            {"lifecycle.mode": "manage", "lifecycle.key_arn": FAR_KEY},
            f'lifecycle.key_arn: "{FAR_KEY}" is not in this region; write an ARN of "us-east-1"',
        ),
        check(
            {"reconciliation.after_minutes": 0},
            "reconciliation.after_minutes: 0 leaves no time for late webhook messages; "
            "write 1 to 720 minutes, like 15",
        ),
        check(
            {"export.key_arn": KEY},
            'export.key_arn: is not used in mode "off"; remove it, or write mode = "on"',
        ),
        check(
            {"export.mode": "on", "export.key_arn": FAR_KEY},
            f'export.key_arn: "{FAR_KEY}" is not in this region; write an ARN of "us-east-1"',
        ),
        check(
            {"export.keep_days": 7},
            "export.keep_days: would delete files that each night fetches again; "
            "write 8 or more, or fewer lookback_days",
        ),
        check(
            {"asapp.api_host": "http://api.asapp.com"},
            'asapp.api_host: "http://api.asapp.com" is not encrypted; '
            'write "https://api.asapp.com"',
        ),
        check(
            {"asapp.detailed_tokens": True},
            "asapp.detailed_tokens: ASAPP refuses it for redacted text; "
            'write false, or redaction = "unredacted"',
        ),
        check(
            {"asapp.detailed_tokens": True, "asapp.redaction": "redacted_and_unredacted"},
            "asapp.detailed_tokens: ASAPP refuses it for redacted text; "
            'write false, or redaction = "unredacted"',
        ),
        check(
            {"webhook.secret_in": "query", "webhook.secret_name": "x.secret"},
            "webhook.secret_name: the value is not accepted as the name of a query parameter; "
            'write letters, digits, "_" or "-", like "token"',
        ),
        check(
            {"alarms.email": "ops@example.com", "alarms.topic_arn": TOPIC},
            "alarms.topic_arn: cannot be set together with alarms.email; remove one of them",
        ),
    ],
)
def test_values_that_do_not_fit_together_are_named(
    changes: dict[str, object], expected: list[str]
) -> None:
    assert problems(changes) == expected


def test_only_the_emulator_may_be_reached_without_encryption() -> None:
    emulator = {
        "account": "000000000000",
        "connect.instance_arn": INSTANCE.replace("123456789012", "000000000000"),
        "asapp.api_host": "http://127.0.0.1:8480",
    }
    assert read(emulator).asapp.api_host == "http://127.0.0.1:8480"


def test_only_the_emulator_may_be_reconciled_at_once() -> None:
    emulator = {
        "account": "000000000000",
        "connect.instance_arn": INSTANCE.replace("123456789012", "000000000000"),
        "reconciliation.after_minutes": 0,
    }
    assert read(emulator).reconciliation.after_minutes == 0


def test_all_problems_come_at_once() -> None:
    changes = {
        "account": "12",
        "connect.instance_alias": MISSING,
        "asapp.detailed_tokens": True,
        "webhook.throttle_burst": 1.5,
        "alarms.emial": "ops@example.com",
    }
    assert {line.split(": ")[1] for line in problems(changes)} == {
        "account",
        "connect.instance_alias",
        "asapp.detailed_tokens",
        "webhook.throttle_burst",
        "alarms.emial",
    }


def test_a_value_that_is_wrong_by_itself_is_reported_once() -> None:
    manage = {"media_streaming.mode": "manage", "media_streaming.retention_hours": "24"}
    assert len(problems(manage)) == 1
    assert len(problems({"asapp.redaction": "none", "asapp.detailed_tokens": True})) == 1
    assert len(problems({"account": "1", "asapp.api_host": "http://a.com"})) == 1


@pytest.mark.parametrize(
    "key",
    ["asapp.credentials_secret_name", "asapp.api_host", "webhook.secret_name", "asapp.secret"],
)
def test_a_secret_in_the_wrong_place_is_not_repeated(key: str) -> None:
    [line] = problems({key: "https://me:hunter2@api.asapp.com"})
    assert key in line
    assert "hunter2" not in line


# Files


def test_a_file_is_named_in_its_errors(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('account = "123456789012"', encoding="utf-8")
    with pytest.raises(SettingsError) as error:
        Settings.load(path)
    assert all(line.startswith(f"{path}: ") for line in str(error.value).splitlines())


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("region = us-east-1", 'put the value of region in quotes: region = "…"'),
        ("  mode = adopt  # as it is", 'put the value of mode in quotes: mode = "…"'),
        ("region = ", ""),
        ('region = "us-east-1', ""),
    ],
)
def test_broken_toml_is_answered_with_its_file_its_line_and_missing_quotes(
    tmp_path: Path, line: str, error: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'account = "123456789012"\n{line}\n', encoding="utf-8")
    with pytest.raises(SettingsError) as raised:
        Settings.load(path)
    (said,) = str(raised.value).splitlines()
    assert said.startswith(f"{path}: cannot be read as TOML: ")
    assert "at line 2, column " in said
    assert said.partition(")")[2].removeprefix("; ") == error


@pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["absent", "not UTF-8"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "mine.toml"
    if content:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"mine\.toml: cannot be read as TOML: "):
        Settings.load(path)


def test_an_environment_is_found_by_its_name_or_by_its_path(tmp_path: Path) -> None:
    elsewhere = tmp_path / "mine.toml"
    elsewhere.touch()
    assert environment_file("prod", ENVIRONMENTS) == ENVIRONMENTS / "prod.toml"
    assert environment_file(str(elsewhere), ENVIRONMENTS) == elsewhere


@pytest.mark.parametrize(
    "name", ["prdo", "", "../environments/prod", "PROD", "absent/mine.toml", __file__]
)
def test_an_environment_that_does_not_exist_is_answered_with_those_that_do(name: str) -> None:
    with pytest.raises(SettingsError) as error:
        environment_file(name, ENVIRONMENTS)
    assert str(error.value) == (
        f'{ENVIRONMENTS}: there is no environment "{name}"; '
        "write dev, prod, sandbox, staging, or the path of a .toml file"
    )


@pytest.mark.parametrize(
    ("name", "better"), [("my_env", "my-env"), ("prod.eu", "prod-eu"), ("é", "prod"), ("_a_", "a")]
)
def test_a_file_whose_name_no_stack_can_have_is_answered_with_a_better_one(
    tmp_path: Path, name: str, better: str
) -> None:
    file = tmp_path / f"{name}.toml"
    file.touch()
    message = (
        f"{file}: its name becomes part of the stacks' names, which may have only letters, digits "
        f'and "-"; rename it to {better}.toml'
    )
    for way in (name, str(file)):
        with pytest.raises(SettingsError, match=f"^{re.escape(message)}$"):
            environment_file(way, tmp_path)


# Whatever is in the file

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.datetimes()
    | st.sampled_from([INSTANCE, KEY, TOPIC, ROLE, "manage", "query", 2**64, "\ud800"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
keys = sorted(
    [each.name for each in dataclasses.fields(Settings)]
    + [
        f"{table}.{name}"
        for table, record in dataclasses.asdict(read({})).items()
        if isinstance(record, dict)
        for name in record
    ]
)


@given(changes=st.dictionaries(st.sampled_from(keys) | st.text(), st.just(MISSING) | anything))
def test_a_file_loads_or_is_answered_with_named_keys_and_nothing_else(
    changes: dict[str, object],
) -> None:
    data = copy.deepcopy(dict(SMALLEST))
    for key, value in sorted(changes.items()):
        table, _, name = key.rpartition(".")
        place = data.get(table, {}) if table else data
        if value is MISSING and isinstance(place, dict):
            place.pop(name, None)
        elif isinstance(place, dict):
            place[name] = value
            data |= {table: place} if table else {}
    try:
        Settings.from_mapping(data, source="prod.toml")
    except SettingsError as error:
        assert str(error).startswith("prod.toml: ")


# What a change means


def test_every_setting_is_sensitive_or_known_to_be_harmless() -> None:
    """A new setting is one or the other: whoever adds it decides."""
    assert {key for key, means in sensitivity().items() if means is None} == {
        "asapp.conversation_id",
        "asapp.detailed_tokens",
        "asapp.language",
        "asapp.start_selector",
        "connect.flow_name_prefix",
        "export.at",
        "export.columns",
        "export.lookback_days",
        "reconciliation.after_minutes",
        "tags",
        "webhook.api_gateway_log_role",
        "webhook.throttle_burst",
        "webhook.throttle_rate_per_second",
    }


def test_what_a_change_means_is_one_sentence() -> None:
    for key, means in sensitivity().items():
        assert means is None or re.fullmatch(r"[A-Z][^.]*\.", means), key
