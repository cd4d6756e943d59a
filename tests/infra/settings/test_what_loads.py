"""What an environment's file may say, and what it gets if it says nothing."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import tomllib
from typing import Any, get_type_hints

import pytest
from aws_cdk import region_info

from connect_settings import (
    AlarmSettings,
    CapacitySettings,
    ConnectSettings,
    DeploymentSettings,
    EncryptionSettings,
    ExportSettings,
    FlowSettings,
    LifecycleSettings,
    ReconciliationSettings,
    RetentionSettings,
    Settings,
    SettingsError,
    WebhookSettings,
    environment_file,
)
from connect_settings._rules import REGIONS
from tests.infra.conftest import ROOT
from tests.infra.settings.environments import (
    ENVIRONMENTS,
    INSTANCE,
    KEY,
    ON_UTTERANCE,
    ROLE,
    STREAM,
    TOPIC,
    WEB_ACL,
    problems,
    read,
)

FIELDS = ("conversation", "id", "role", "sender", "text", "time")


@pytest.mark.parametrize(
    "module", ["connect_settings", "tools.doctor.__main__", "tools.drift.__main__"]
)
def test_reading_the_settings_loads_no_cdk_and_starts_no_node(module: str) -> None:
    code = f"import sys, {module}; print({{'aws_cdk', 'constructs', 'jsii'}} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("set()\n", "")


def test_the_regions_that_are_accepted_are_those_of_the_installed_cdk() -> None:
    assert set(region_info.Fact.regions) == REGIONS


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
    data = tomllib.loads(re.sub(r"^# (\w+ = |\[\[)", r"\1", text, flags=re.MULTILINE))
    (flow,) = data["flows"]
    assert set(flow) == {each.name for each in dataclasses.fields(FlowSettings)}
    del data["tags"]  # its keys are the reader's own
    shown = {key: set(value) for key, value in data.items() if isinstance(value, dict)}
    assert shown == {name: set(dataclasses.asdict(read({}))[name]) for name in shown}
    assert {*data, "tags"} == {each.name for each in dataclasses.fields(Settings)}


def comments(text: str) -> dict[str, str]:
    """What stands beside each key, also on the lines below it, by the key's dotted name."""
    found: dict[str, str] = {}
    table = key = ""
    for line in text.splitlines():
        if heading := re.match(r"\[(\w+)\]", line):
            table = f"{heading[1]}."
        elif named := re.match(r"(\w+) = ", line):
            key = table + named[1]
            found[key] = line.rpartition("# ")[2]
        elif re.match(" +# ", line):
            found[key] += "\n" + line.strip(" #")
    return found


def defaults() -> dict[str, Any]:
    """What each key is if the file does not have it, by its dotted name."""
    kinds = get_type_hints(Settings)
    found = {}
    for field in dataclasses.fields(Settings):
        record = kinds[field.name]
        is_record = dataclasses.is_dataclass(record)
        for each in dataclasses.fields(record) if is_record else (field,):
            key = f"{field.name}.{each.name}" if is_record else each.name
            if each.default is not dataclasses.MISSING:
                found[key] = each.default
            elif each.default_factory is not dataclasses.MISSING:
                found[key] = each.default_factory()
    del found["tags"]  # its keys are the reader's own
    return found


def test_the_production_file_shows_each_default_or_says_it() -> None:
    text = ENVIRONMENTS.joinpath("prod.toml").read_text(encoding="utf-8")
    shown: dict[str, Any] = {}
    for name, value in tomllib.loads(text).items():
        values = value if isinstance(value, dict) else {}
        shown |= {f"{name}.{key}": each for key, each in values.items()} or {name: value}
    shown = {key: tuple(it) if isinstance(it, list) else it for key, it in shown.items()}
    known = defaults()
    assert {known[key] for key in known.keys() - shown.keys()} == {None, ()}
    said = {
        key: None if found[1] == "none" else tomllib.loads(f"it = {found[1]}")["it"]
        for key, comment in comments(text).items()
        if (found := re.search(r'default: ("[^"]*"|[\w.]+)', comment))
    }
    assert said == {key: it for key, it in known.items() if shown.get(key, it) != it}


def test_the_smallest_environment_gets_the_defaults_that_the_docstrings_promise() -> None:
    settings = read({})
    assert settings.on_delete == "retain"
    assert settings.bootstrap_qualifier == "hnb659fds"
    assert settings.tags == {}
    assert settings.webhook == WebhookSettings(
        secret_in="header",
        secret_name="x-webhook-secret",
        throttle_rate_per_second=None,
        throttle_burst=None,
        allowed_cidrs=(),
        web_acl="off",
        api_gateway_log_role="adopt",
    )
    assert settings.lifecycle == LifecycleSettings(mode="off", stream_arn=None, key_arn=None)
    assert settings.capacity == CapacitySettings(expected_calls=50, reserve=False)
    assert settings.reconciliation == ReconciliationSettings(after_minutes=15)
    assert settings.export == ExportSettings(
        mode="off", at="02:30", keep_days=365, lookback_days=7, columns={}, key_arn=None
    )
    assert settings.retention == RetentionSettings(transcripts_days=30, logs_days=30)
    assert settings.deployment == DeploymentSettings(gradual=False)
    assert settings.encryption == EncryptionSettings(key_arn=None)
    assert settings.alarms == AlarmSettings(email=None, topic_arn=None)
    assert settings.media_streaming.retention_hours is None
    assert settings.media_streaming.key_arn is None
    assert dataclasses.asdict(settings.asapp) == {
        "api_host": "https://api.asapp.com",
        "trusted_role_arns": (ROLE,),
        "external_id": None,
        "credentials_secret_name": "connect-autotranscribe/asapp",
        "credentials_key_arn": None,
        "language": "en-US",
        "redaction": "redacted",
        "detailed_tokens": False,
        "audio_recording_allowed": False,
        "start_selector": "FRAGMENT_NUMBER",
        "conversation_id": "InitialContactId",
        "customer_id_path": "$.CustomerEndpoint.Address",
        "agent_id_path": "$.Agent.UserName",
        "sender_id_in_events": False,
    }


@pytest.mark.parametrize(
    ("calls", "at_a_flow", "authorizer", "consumers"),
    [(1, 10, 10, 5), (50, 10, 10, 5), (86, 11, 10, 9), (200, 24, 10, 20), (5000, 584, 250, 500)],
)
def test_what_lambda_keeps_follows_from_the_expected_calls(
    calls: int, at_a_flow: int, authorizer: int, consumers: int
) -> None:
    capacity = read({"capacity.expected_calls": calls, "capacity.reserve": True}).capacity
    assert capacity.reserved == {
        "StartStreaming": at_a_flow,
        "StopStreaming": at_a_flow,
        "AuthorizeWebhook": authorizer,
    }
    assert capacity.consumers == consumers


def test_no_number_of_calls_asks_for_more_consumers_than_a_mapping_may_have() -> None:
    assert read({"capacity.expected_calls": 50_000}).capacity.consumers == 1000


def test_a_number_that_is_given_is_the_one_that_counts() -> None:
    capacity = read(
        {
            "capacity.reserve": True,
            "capacity.start_streaming": 1,
            "capacity.stop_streaming": 2,
            "capacity.authorize_webhook": 3,
            "capacity.store_transcript": 4,
        }
    ).capacity
    assert list(capacity.reserved.values()) == [1, 2, 3]
    assert capacity.consumers == 4


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
        {"lifecycle.mode": "manage", "lifecycle.shards": 200},
        {"webhook.secret_name": "X-ASAPP.Secret"},
        {"webhook.secret_in": "query", "webhook.secret_name": "the_token-1"},
        {"webhook.allowed_cidrs": ["203.0.113.0/24", "203.0.114.7/32", "2001:db8::/32"]},
        {"webhook.web_acl": WEB_ACL},
        {"on_utterance.function_arn": ON_UTTERANCE},
        {"webhook.web_acl": "manage", "webhook.secret_name": "s" * 64},
        {
            "webhook.web_acl": "manage",
            "webhook.secret_in": "query",
            "webhook.secret_name": "s" * 30,
        },
        {"reconciliation.after_minutes": 1},
        {"reconciliation.after_minutes": 720},
        {"export.mode": "on"},
        {"export.mode": "on", "export.key_arn": KEY},
        {"encryption.key_arn": KEY, "asapp.credentials_key_arn": KEY},
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
