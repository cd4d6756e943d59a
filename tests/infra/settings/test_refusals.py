"""Each value that does not load, with what its author reads."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from tests.infra.settings.environments import (
    INSTANCE,
    KEY,
    MISSING,
    ON_UTTERANCE,
    ROLE,
    STREAM,
    TOPIC,
    WEB_ACL,
    problems,
    read,
)

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
    'like "utterance_text" for text'
)
A_FUNCTION = 'write "arn:<partition>:lambda:<region>:<account>:function:<name>:<alias>"'
A_WEB_ACL = (
    'write "manage", "off" or '
    '"arn:<partition>:wafv2:<region>:<account>:regional/webacl/<name>/<uuid>"'
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
            "webhook.throttle_burst: is a boolean, not an integer; write 1 or more, like 2000",
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
        *(
            refused(
                "bootstrap_qualifier",
                value,
                f'"{value}" is not accepted; write up to 10 lower-case letters and digits, like '
                '"hnb659fds"',
            )
            for value in ("", "Acme", "acme-1", "elevenchars")
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
        refused("lifecycle.shards", 0, "0 is not accepted; write 1 to 200, like 1"),
        refused("lifecycle.shards", 201, "201 is not accepted; write 1 to 200, like 1"),
        refused("webhook.secret_in", "body", '"body" is not accepted; write "header" or "query"'),
        refused(
            "webhook.secret_name",
            "x-secret: hunter2",
            f'{HIDDEN} is not accepted; write a name, like "x-webhook-secret", never the secret',
        ),
        refused(
            "webhook.throttle_rate_per_second",
            0,
            "VALUE is not accepted; write 1 or more, like 1000",
        ),
        refused("webhook.throttle_burst", -1, "VALUE is not accepted; write 1 or more, like 2000"),
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
        refused("webhook.web_acl", "on", f'"on" is not accepted; {A_WEB_ACL}'),
        refused("on_utterance.function_arn", "screen", f'"screen" is not accepted; {A_FUNCTION}'),
        refused(  # of no version: what it does could change without a deployment
            "on_utterance.function_arn",
            ON_UTTERANCE.removesuffix(":live"),
            f'"{ON_UTTERANCE.removesuffix(":live")}" is not accepted; {A_FUNCTION}',
        ),
        refused(  # of CloudFront
            "webhook.web_acl",
            WEB_ACL.replace("regional", "global"),
            f'"{WEB_ACL.replace("regional", "global")}" is not accepted; {A_WEB_ACL}',
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
            {"lifecycle.shards": 2},
            'lifecycle.shards: is not used in mode "off"; remove it, or write mode = "manage"',
        ),
        check(
            {"lifecycle.mode": "adopt", "lifecycle.stream_arn": STREAM, "lifecycle.shards": 2},
            'lifecycle.shards: is not used in mode "adopt"; remove it, or write mode = "manage"',
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
            {"encryption.key_arn": FAR_KEY, "asapp.credentials_key_arn": FAR_KEY},
            f'asapp.credentials_key_arn: "{FAR_KEY}" is not in this region; write an ARN of '
            '"us-east-1"',
            f'encryption.key_arn: "{FAR_KEY}" is not in this region; write an ARN of "us-east-1"',
        ),
        check(
            {"asapp.credentials_key_arn": KEY, "asapp.credentials_secret_name": "acme/my-secret"},
            'asapp.credentials_secret_name: ends in "-" and six characters, like the end that AWS '
            "adds to a secret's ARN; with credentials_key_arn, write another name",
        ),
        check(
            {"export.mode": "on", "export.key_arn": FAR_KEY},
            f'export.key_arn: "{FAR_KEY}" is not in this region; write an ARN of "us-east-1"',
        ),
        check(
            {"capacity.start_streaming": 5},
            "capacity.start_streaming: is not used without reserve; remove it, or write reserve = "
            "true",
        ),
        check(
            {"capacity.expected_calls": 0, "capacity.store_transcript": 1},
            "capacity.expected_calls: 0 is not accepted; write 1 or more, like 50",
            "capacity.store_transcript: 1 is not accepted; write 2 to 1000, like 5",
        ),
        check(
            {"export.keep_days": 7},
            "export.keep_days: would delete files that each night fetches again; "
            "write 8 days or more, or look back less far",
        ),
        check(
            {"asapp.api_host": "http://api.asapp.com"},
            'asapp.api_host: "http://api.asapp.com" is not encrypted; '
            'write "https://api.asapp.com"',
        ),
        check(
            {"asapp.detailed_tokens": True},
            "asapp.detailed_tokens: ASAPP refuses it for redacted text; "
            'remove it, or write redaction = "unredacted"',
        ),
        check(
            {"asapp.detailed_tokens": True, "asapp.redaction": "redacted_and_unredacted"},
            "asapp.detailed_tokens: ASAPP refuses it for redacted text; "
            'remove it, or write redaction = "unredacted"',
        ),
        check(
            {"webhook.secret_in": "query", "webhook.secret_name": "x.secret"},
            "webhook.secret_name: the value is not accepted as the name of a query parameter; "
            'write letters, digits, "_" or "-", like "token"',
        ),
        check(
            {"webhook.web_acl": WEB_ACL.replace("us-east-1", "eu-west-1")},
            f'webhook.web_acl: "{WEB_ACL.replace("us-east-1", "eu-west-1")}" is not in this '
            'region; write an ARN of "us-east-1"',
        ),
        check(
            {"webhook.web_acl": WEB_ACL.replace("123456789012:r", "210987654321:r")},
            f'webhook.web_acl: "{WEB_ACL.replace("123456789012:r", "210987654321:r")}" is not in '
            'this account; write an ARN of "123456789012"',
        ),
        check(
            {"on_utterance.function_arn": ON_UTTERANCE.replace("us-east-1", "eu-west-1")},
            f'on_utterance.function_arn: "{ON_UTTERANCE.replace("us-east-1", "eu-west-1")}" is not '
            'in this region; write an ARN of "us-east-1"',
        ),
        check(
            {"on_utterance.function_arn": ON_UTTERANCE.replace("123456789012", "210987654321")},
            "on_utterance.function_arn: "
            f'"{ON_UTTERANCE.replace("123456789012", "210987654321")}" is not in this account; '
            'write an ARN of "123456789012"',
        ),
        check(
            {"on_utterance.function_arn": ON_UTTERANCE, "export.mode": "on"},
            "on_utterance.function_arn: does not see the files of the export, which have every "
            'word as ASAPP has it; write export.mode = "off", or remove it',
        ),
        check(
            {"webhook.web_acl": "manage", "webhook.secret_name": "s" * 65},
            "webhook.secret_name: is too long for a web ACL; write up to 64 characters",
        ),
        check(
            {
                "webhook.web_acl": "manage",
                "webhook.secret_in": "query",
                "webhook.secret_name": "s" * 31,
            },
            "webhook.secret_name: is too long for a web ACL; write up to 30 characters",
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


FLOW = {"file": "flows/main.json", "type": "CONTACT_FLOW", "name": "Main", "stop": True}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": MISSING}, "table 1, flows.name: is missing; write 1 to 127 characters"),
        ({"file": "/x.json"}, 'table 1, flows.file: "/x.json" is not accepted; write a path below'),
        ({"type": "MODULE"}, 'table 1, flows.type: "MODULE" is not accepted; write "CONTACT_FLOW"'),
        ({"strat": True}, "table 1, flows.strat: is not a setting; did you mean flows.start?"),
        ({"stop": False}, "table 1: weaves nothing; write start = true, stop = true or both"),
        (
            {"stop": False, "start": True, "stop_before": ["end"]},
            "table 1, flows.stop_before: is not used without stop; write stop = true",
        ),
        ({"stop_before": []}, "table 1, flows.stop_before: [] is not accepted; write an array"),
    ],
    ids=str,
)
def test_what_is_wrong_in_a_table_of_flows_is_named(change: dict[str, Any], said: str) -> None:
    table = {key: value for key, value in (FLOW | change).items() if value is not MISSING}
    (problem,) = problems({"flows": [table]})
    assert problem.startswith(f"prod.toml: flows, {said}")


def test_two_tables_of_flows_have_no_name_in_common() -> None:
    first = FLOW | {"replaces": "Old"}
    assert problems({"flows": [first, first]}) == [
        'prod.toml: flows, table 2, flows.name: "Main" is in two tables; write another name',
        'prod.toml: flows, table 2, flows.replaces: "Old" is in two tables; write another name',
    ]


def test_pairs_are_names() -> None:
    (said,) = problems({"connect.pairs": {"queue Billing": ""}})
    assert said.startswith("prod.toml: connect.pairs: ")
    assert 'write a kind and a name, and the name here, like {"queue Billing" = "Invoices"}' in said
