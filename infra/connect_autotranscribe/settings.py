"""What differs between environments: one TOML file each, read into one frozen record.

The records are the schema, `_RULES` says what each key accepts, `_conflicts` what must fit
together. Reading is a pure function of the file: no AWS call, no network, no clock.
"""

import ipaddress
import json
import math
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin


class SettingsError(Exception):
    """Everything that is wrong with an environment, a line each: file, key, what to write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectSettings:
    """The Amazon Connect instance whose calls are transcribed.

    :param instance_arn: The instance, from its *Account overview* in the AWS console.
    :param instance_alias: The name in its access URL, which cannot be derived from the ARN.
    """

    instance_arn: str
    instance_alias: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaStreamingSettings:
    """The one place of an instance where it puts call audio: its Kinesis video streams.

    :param mode: "adopt": the instance already streams, with this prefix; "manage": we set it.
    :param prefix: What the names of the streams begin with; see *Data streaming* of the instance.
    :param retention_hours: How many hours audio stays readable; for "manage", and only there.
    :param key_arn: The customer managed key that encrypts the streams, in the instance's region.
        Default: AWS's own key, which needs no grant.
    """

    mode: Literal["adopt", "manage"]
    prefix: str
    retention_hours: int | None = None
    key_arn: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AsappSettings:
    """How we reach ASAPP, whom we trust there, and what we ask for.

    The parameters of transcription are those of
    https://docs.asapp.com/apis/autotranscribe-media-gateway/start-streaming.

    :param api_host: The origin of ASAPP's API, for instance https://api.asapp.com.
    :param trusted_role_arns: ASAPP's roles that may read the call audio; ASAPP gives them.
    :param external_id: What ASAPP presents to read the audio, if agreed. Default: nothing.
    :param credentials_secret_name: The secret in Secrets Manager that holds the API credentials.
    :param language: What is spoken, as an IETF tag. Default: American English.
    :param redaction: Which text ASAPP sends. Default: only the redacted. An ASAPP account without
        redaction rules needs "unredacted".
    :param detailed_tokens: Whether each word comes with its times. Default: no. ASAPP refuses it
        with any `redaction` but "unredacted".
    :param audio_recording_allowed: Whether ASAPP may keep the audio. Default: no.
    :param start_selector: Whether reading begins at the fragment where the call's audio began
        (the default: no word is lost) or at the moment of the request.
    :param conversation_id: The contact id that ASAPP gets as the call's. Default: the initial
        one, so that a call is one conversation across transfers.
    :param customer_id_path: Where a flow finds the customer's id. Default: the phone number.
    :param agent_id_path: Where a flow finds the agent's id. Default: the user name.
    """

    api_host: str
    trusted_role_arns: tuple[str, ...]
    external_id: str | None = None
    credentials_secret_name: str
    language: str = "en-US"
    redaction: Literal["redacted", "unredacted", "redacted_and_unredacted"] = "redacted"
    detailed_tokens: bool = False
    audio_recording_allowed: bool = False
    start_selector: Literal["FRAGMENT_NUMBER", "NOW"] = "FRAGMENT_NUMBER"
    conversation_id: Literal["InitialContactId", "ContactId", "PreviousContactId"] = (
        "InitialContactId"
    )
    customer_id_path: str = "$.CustomerEndpoint.Address"
    agent_id_path: str = "$.Agent.UserName"


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleSettings:
    """How a call is followed where no flow runs: resumed after a hold, transferred, hung up.

    :param mode: "off": flows alone start and stop (the default); "adopt": the instance already
        publishes agent events, into `stream_arn`; "manage": we make the stream and set it there.
    :param stream_arn: The data stream of the instance's agent events; for "adopt", and only there.
    :param key_arn: The customer managed key that encrypts the stream. For "manage" it must be the
        one of the instance's call recordings or reports: with any other, Connect publishes nothing.
        Default: the stream is not encrypted, or with AWS's own key.
    :param initiation_methods: The ways in which a call begins that are followed. Default: calls in
        and out, transfers and callbacks.
    """

    mode: Literal["off", "adopt", "manage"] = "off"
    stream_arn: str | None = None
    key_arn: str | None = None
    initiation_methods: tuple[str, ...] = (
        "INBOUND",
        "TRANSFER",
        "QUEUE_TRANSFER",
        "OUTBOUND",
        "CALLBACK",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """The endpoint to which ASAPP posts each utterance, once: what it refuses is lost.

    :param secret_in: Where ASAPP puts the shared secret, as agreed with it. Default: a header.
    :param secret_name: The header or query parameter of the secret. Default: x-webhook-secret.
    :param throttle_rate_per_second: Requests a second that API Gateway lets through. Default: 100;
        ASAPP reckons with about 8 for 50 calls at a time.
    :param throttle_burst: Requests that it lets through at once. Default: 200.
    :param allowed_cidrs: The networks that may call. Default: every one that has the secret.
    :param api_gateway_log_role: "adopt": API Gateway can already write logs in this account and
        region (the default); "manage": we set its role, for all its APIs, and leave it on delete.
    """

    secret_in: Literal["header", "query"] = "header"
    secret_name: str = "x-webhook-secret"
    throttle_rate_per_second: int = 100
    throttle_burst: int = 200
    allowed_cidrs: tuple[str, ...] = ()
    api_gateway_log_role: Literal["adopt", "manage"] = "adopt"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationSettings:
    """How a finished call is held against ASAPP's own transcript of it.

    :param after_minutes: How long after the call's end. Default: 15, by when a webhook message that
        is only late has come. 0 is for the sandbox.
    """

    after_minutes: int = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSettings:
    """The nightly copy of ASAPP's feed of utterances, and SQL over it.

    :param mode: "off" (the default); "on": ASAPP's account team has enabled the feed.
    :param at: When it runs, in UTC; ASAPP updates the feed at 02:00. Default: 02:30.
    :param keep_days: Days until a file goes. Default: 365.
    :param lookback_days: How many past days are made sure of each night. Default: 7.
    :param columns: What the feed calls "conversation", "id", "role", "sender", "text" or "time",
        like {text = "utterance_text"}. Default: the usual names, the first that a line has.
    :param key_arn: The customer managed key that encrypts the files and the results of queries, in
        the instance's region. Default: S3's own key.
    """

    mode: Literal["off", "on"] = "off"
    at: str = "02:30"
    keep_days: int = 365
    lookback_days: int = 7
    columns: Mapping[str, str] = field(default_factory=dict)
    key_arn: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionSettings:
    """How long we keep things.

    :param transcripts_days: Days until a transcript leaves the table. Default: 30.
    :param logs_days: Days until a log line goes, of CloudWatch Logs' choices. Default: 30.
    """

    transcripts_days: int = 30
    logs_days: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmSettings:
    """Who hears of an alarm, by one way at most. Default: nobody.

    :param email: An address, which must confirm the subscription that SNS mails to it.
    :param topic_arn: An existing SNS topic in the deployment's region.
    """

    email: str | None = None
    topic_arn: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One environment: `Settings.load(environment_file("prod", Path("infra/environments")))`.

    :param account: Where we deploy: the instance's AWS account, 12 digits.
    :param region: Where we deploy: the instance's AWS region.
    :param on_delete: What becomes of stored data when its stack is deleted. Default: it stays.
    :param tags: What every resource is tagged with. Default: nothing.
    :raises SettingsError: On any inconsistency, however the record is made.
    """

    account: str
    region: str
    on_delete: Literal["retain", "destroy"] = "retain"
    connect: ConnectSettings
    media_streaming: MediaStreamingSettings
    asapp: AsappSettings
    lifecycle: LifecycleSettings = field(default_factory=LifecycleSettings)
    webhook: WebhookSettings = field(default_factory=WebhookSettings)
    reconciliation: ReconciliationSettings = field(default_factory=ReconciliationSettings)
    export: ExportSettings = field(default_factory=ExportSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    alarms: AlarmSettings = field(default_factory=AlarmSettings)
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _checked(asdict(self), source="Settings")

    @classmethod
    def load(cls, path: Path) -> "Settings":
        """Reads the TOML file of one environment."""
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:  # not there, not UTF-8, not TOML (with the line)
            raise SettingsError(f"{path}: cannot be read as TOML: {error}") from None
        return cls.from_mapping(data, source=str(path))

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any], source: str = "settings") -> "Settings":
        """Reads the tables of a TOML file; `source` is what errors call them."""
        values = _checked(data, source)
        tables = {
            table: record(**{each.name: values[f"{table}.{each.name}"] for each in fields(record)})
            for table, record in _TABLES.items()
        }
        return cls(**tables, **{key: values[key] for key in values if "." not in key})

    @property
    def partition(self) -> str:
        """The AWS partition of every ARN here: aws, aws-cn or aws-us-gov."""
        return self.connect.instance_arn.split(":")[1]


def environment_file(name: str, folder: Path) -> Path:
    """Finds the file of an environment.

    :param name: A file of the folder without its ending, or the path of any .toml file.
    :raises SettingsError: Where there is none; it lists the environments that there are.
    """
    environments = {path.stem: path for path in sorted(folder.glob("*.toml"))}
    if name.endswith(".toml") and Path(name).is_file():
        return Path(name)
    if name not in environments:
        remedy = f"write {', '.join(environments) or 'one'}, or the path of a .toml file"
        raise SettingsError(f"{folder}: has no environment {json.dumps(name)}; {remedy}")
    return environments[name]


_TABLES: dict[str, Any] = {
    each.name: each.type for each in fields(Settings) if is_dataclass(each.type)
}
_FIELDS: dict[str, Field[Any]] = {
    f"{table}.{each.name}".removeprefix("."): each
    for table, record in {"": Settings, **_TABLES}.items()
    for each in fields(record)
    if each.name not in _TABLES
}


class _Rule(NamedTuple):
    type: str
    accepts: Callable[[Any], object]
    remedy: str  # what to write instead
    each: Any = None  # the rule of an array's items


_TYPES = {str: "a string", int: "an integer", bool: "a boolean", float: "a float"}
_TYPES |= {list: "an array", tuple: "an array", dict: "a table"}


def _text(pattern: str, remedy: str) -> _Rule:
    fits = re.compile(pattern, re.ASCII).fullmatch
    return _Rule("a string", lambda value: isinstance(value, str) and fits(value), remedy)


def _arn(form: str) -> _Rule:
    pattern = re.sub("<(.+?)>", lambda part: _PARTS[part[1]], f"arn:<partition>:{form}")
    return _text(pattern, f'"arn:<partition>:{form}"')


def _number(low: int, high: float, remedy: str) -> _Rule:
    return _Rule("an integer", lambda value: low <= value <= high, remedy)


def _choice(*options: str | int) -> _Rule:
    *most, last = (json.dumps(option) for option in options)
    return _Rule(_TYPES[type(options[0])], options.__contains__, f"{', '.join(most)} or {last}")


def _array(each: _Rule, *, at_least: int) -> _Rule:
    remedy = f"an array of {at_least} or more, none twice, each {each.remedy}"
    return _Rule("an array", lambda x: at_least <= len(x) == len(set(x)), remedy, each=each)


def _is_narrow_network(cidr: object) -> bool:
    try:
        bits = ipaddress.ip_network(str(cidr)).prefixlen
    except ValueError:
        return False
    return bits > 0 and str(cidr).endswith(f"/{bits}")


def _are_tags(tags: Mapping[str, Any]) -> bool:
    tag = re.compile("(?!aws:).{1,128}", re.IGNORECASE)
    texts = all(isinstance(value, str) and len(value) <= 256 for value in tags.values())
    return texts and len(tags) <= 40 and all(tag.fullmatch(key) for key in tags)


def _are_columns(columns: Mapping[str, Any]) -> bool:
    """They become part of SQL: letters, digits and underscores it is."""
    name = re.compile("[A-Za-z_][A-Za-z0-9_]*")
    texts = all(isinstance(each, str) and name.fullmatch(each) for each in columns.values())
    return texts and columns.keys() <= set(_FIELDS_OF_THE_FEED)


_EMULATOR_ACCOUNT = "000000000000"  # the sandbox's; AWS gives it to nobody
_LOGS_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192)
# Not MONITOR: a supervisor who listens is no agent on the call.
_METHODS = ("INBOUND", "TRANSFER", "QUEUE_TRANSFER", "OUTBOUND", "CALLBACK", "EXTERNAL_OUTBOUND")
_NEVER_SHOWN = ("asapp.api_host", "asapp.credentials_secret_name", "webhook.secret_name")
_FIELDS_OF_THE_FEED = ("conversation", "id", "role", "sender", "text", "time")
_PARTS = {
    "partition": "(aws|aws-cn|aws-us-gov)",
    "region": "[a-z]{2}(-[a-z]+)+-[0-9]+",
    "account": "[0-9]{12}",
    "uuid": "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "key id": "[A-Za-z0-9-]+",
    "role": r"([\w+=,.@-]+/)*[\w+=,.@-]{1,64}",
    "stream": "[A-Za-z0-9_.-]{1,128}",
    "topic": "[A-Za-z0-9_-]{1,256}",
}
_JSON_PATH = _text(r"\$[.\[].+", 'a JSONPath of Amazon Connect, like "$.Agent.UserName"')
_NETWORK = 'a network without host bits, like "203.0.113.0/24"; [] lets every address in'

_RULES = {
    **{
        key: _choice(*get_args(each.type))
        for key, each in _FIELDS.items()
        if get_origin(each.type) is Literal
    },
    **{table: _Rule("a table", bool, f"[{table}]") for table in _TABLES},
    "account": _text(_PARTS["account"], '12 digits, like "123456789012"'),
    "region": _text(_PARTS["region"], 'the region of the instance, like "us-east-1"'),
    "connect.instance_arn": _arn("connect:<region>:<account>:instance/<uuid>"),
    "connect.instance_alias": _text(
        "(?!d-)[A-Za-z0-9]([A-Za-z0-9-]{0,43}[A-Za-z0-9])?",
        'the name in https://<name>.my.connect.aws, like "acme"',
    ),
    # Only what a stream's name can hold: the prefix goes into a policy, where "*" would widen it.
    "media_streaming.prefix": _text(
        "[A-Za-z0-9_.-]{1,128}", '1 to 128 letters, digits, "_", "." or "-", like "acme"'
    ),
    "media_streaming.retention_hours": _number(
        1, 87_600, "1 to 87600 hours, like 24; 0 would keep audio for 5 minutes only"
    ),
    "media_streaming.key_arn": _arn("kms:<region>:<account>:key/<key id>"),
    "asapp.api_host": _text(
        r"https?://[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:[0-9]{1,5})?",
        'a scheme and host with nothing around them, like "https://api.asapp.com"',
    ),
    "asapp.trusted_role_arns": _array(_arn("iam::<account>:role/<role>"), at_least=1),
    "asapp.external_id": _text(
        r"[\w+=,.@:/-]{2,1224}", '2 to 1224 letters, digits or characters of "_+=,.@:/-"'
    ),
    "asapp.credentials_secret_name": _text(
        "(?!.*[A-Za-z0-9]{32})[A-Za-z0-9/_+=.@-]{1,512}",  # 32 in a row look like a key, not a name
        'a name in Secrets Manager, like "connect-autotranscribe/asapp": no ARN, never the secret',
    ),
    "asapp.language": _text("[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", 'an IETF tag, like "en-US"'),
    "asapp.detailed_tokens": _choice(True, False),
    "asapp.audio_recording_allowed": _choice(True, False),
    "asapp.customer_id_path": _text(
        r"\$(?!\.Agent\b|\['Agent')[.\[].+",
        'a JSONPath of the customer, like "$.CustomerEndpoint.Address"; where a call comes in '
        "there is no agent yet",
    ),
    "asapp.agent_id_path": _JSON_PATH,
    "lifecycle.stream_arn": _arn("kinesis:<region>:<account>:stream/<stream>"),
    "lifecycle.key_arn": _arn("kms:<region>:<account>:key/<key id>"),
    "lifecycle.initiation_methods": _array(
        _choice(*_METHODS, "API", "WEBRTC_API", "DISCONNECT"), at_least=1
    ),
    # What both RFC 7230 and API Gateway's mapping of parameters let a header be called.
    "webhook.secret_name": _text(
        "[A-Za-z0-9._$-]+", 'a name, like "x-webhook-secret", never the secret'
    ),
    "webhook.throttle_rate_per_second": _number(1, math.inf, "1 or more, like 100"),
    "webhook.throttle_burst": _number(1, math.inf, "1 or more, like 200"),
    "webhook.allowed_cidrs": _array(_Rule("a string", _is_narrow_network, _NETWORK), at_least=0),
    "reconciliation.after_minutes": _number(0, 720, "1 to 720 minutes, like 15"),
    "export.at": _text(
        "(0[2-9]|1[0-9]|2[0-3]):[0-5][0-9]",
        'a time of day in UTC, "02:00" to "23:59", like "02:30"; ASAPP updates the feed at 02:00',
    ),
    "export.keep_days": _number(1, 3650, "1 to 3650 days, like 365"),
    "export.lookback_days": _number(1, 30, "1 to 30 days, like 7"),
    "export.columns": _Rule(
        "a table",
        _are_columns,
        f'what the feed calls {", ".join(_FIELDS_OF_THE_FEED)}, like {{text = "utterance_text"}}',
    ),
    "export.key_arn": _arn("kms:<region>:<account>:key/<key id>"),
    "retention.transcripts_days": _number(1, 3650, "1 to 3650 days, like 30"),
    "retention.logs_days": _choice(*_LOGS_DAYS, 2557, 2922, 3288, 3653),
    "alarms.email": _text(r"[^@\s]+@[^@\s]+\.[^@\s]+", 'an address, like "ops@example.com"'),
    "alarms.topic_arn": _arn("sns:<region>:<account>:<topic>"),
    "tags": _Rule(
        "a table",
        _are_tags,
        'at most 40 tags: keys of 1 to 128 characters that do not begin "aws:", values up to 256',
    ),
}


def _checked(data: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Every setting by its dotted key, or an error with every problem."""
    given = {
        key: each.default if each.default_factory is MISSING else each.default_factory()
        for key, each in _FIELDS.items()
    }
    for name, value in data.items():
        inside = name in _TABLES and isinstance(value, dict)
        found = {f"{name}.{key}": value[key] for key in value} if inside else {name: value}
        given |= {key: value for key, value in found.items() if value is not None}
    faults = {key: _fault(key, value) for key, value in given.items()}
    right = {key: value for key, value in given.items() if not faults[key]}
    problems = [f"{key}: {fault}" for key, fault in faults.items() if fault]
    problems += [f"{key}: {conflict}" for key, conflict in _conflicts(right)]
    if problems:
        raise SettingsError("\n".join(f"{source}: {problem}" for problem in problems))
    return {key: tuple(value) if isinstance(value, list) else value for key, value in right.items()}


def _fault(key: str, value: Any) -> str | None:
    """What is wrong with one setting by itself, and what to write instead."""
    if key not in _RULES:
        names = {each.rpartition(".")[2]: each for each in reversed(_RULES)}
        close = get_close_matches(key.rpartition(".")[2], names, n=1)
        return f"is not a setting; {f'did you mean {names[close[0]]}?' if close else 'remove it'}"
    rule = _RULES[key]
    if value is MISSING:
        return f"is missing; write {rule.remedy}"
    if value is None:  # an optional setting's default
        return None
    if (found := _TYPES.get(type(value), "a date or time")) != rule.type:
        return f"is {found}, not {rule.type}; write {rule.remedy}"
    wrong = [item for item in value if not rule.each.accepts(item)] if rule.each else []
    if not wrong and rule.accepts(value):
        return None
    shown = ", ".join(json.dumps(each) for each in wrong or [value] if isinstance(each, str))
    if not shown or key in _NEVER_SHOWN:
        shown = "the value"
    return f"{shown} is not accepted; write {(rule.each if wrong else rule).remedy}"


def _conflicts(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What does not fit together. A setting that is wrong by itself is absent here."""
    get = values.get
    account, region, instance = get("account"), get("region"), get("connect.instance_arn")
    ours = ("connect.instance_arn", "lifecycle.stream_arn")
    keys = ("media_streaming.key_arn", "lifecycle.key_arn", "export.key_arn")
    regional = (*ours, *keys, "alarms.topic_arn")
    arns: list[tuple[str, str]] = [(key, values[key]) for key in regional if get(key)]
    arns += [("asapp.trusted_role_arns", arn) for arn in get("asapp.trusted_role_arns", ())]
    for key, arn in arns:
        _, partition, _, its_region, its_account, _ = arn.split(":", 5)
        if instance and not instance.startswith(f"arn:{partition}:"):
            its = instance.split(":")[1]
            yield key, f'"{arn}" is not in the instance\'s partition; write an ARN of "{its}"'
        if region and its_region not in ("", region):
            yield key, f'"{arn}" is not in this region; write an ARN of "{region}"'
        if account and key in ours and its_account != account:
            yield key, f'"{arn}" is not in this account; write an ARN of "{account}"'

    mode, hours = get("media_streaming.mode"), "media_streaming.retention_hours"
    if mode == "manage" and get(hours, 0) is None:
        yield hours, f'is missing for mode "manage"; write {_RULES[hours].remedy}'
    if mode == "adopt" and get(hours):
        yield hours, 'is not ours to set in mode "adopt"; remove it, or write mode = "manage"'
    mode, stream = get("lifecycle.mode"), "lifecycle.stream_arn"
    if mode == "adopt" and get(stream, 0) is None:
        yield stream, f'is missing for mode "adopt"; write {_RULES[stream].remedy}'
    if mode in ("off", "manage") and get(stream):
        yield stream, f'is not used in mode "{mode}"; remove it, or write mode = "adopt"'
    if mode == "off" and get("lifecycle.key_arn"):
        remedy = 'remove it, or write mode = "adopt" or "manage"'
        yield "lifecycle.key_arn", f'is not used in mode "off"; {remedy}'
    host = get("asapp.api_host", "")
    if host.startswith("http://") and account not in (None, _EMULATOR_ACCOUNT):
        yield "asapp.api_host", f'"{host}" is not encrypted; write "https://{host[7:]}"'
    if get("asapp.detailed_tokens") and get("asapp.redaction") not in (None, "unredacted"):
        remedy = 'write false, or redaction = "unredacted"'
        yield "asapp.detailed_tokens", f"ASAPP refuses it for redacted text; {remedy}"
    if get("webhook.secret_in") == "query" and re.search("[.$]", get("webhook.secret_name", "")):
        remedy = 'write letters, digits, "_" or "-", like "token"'
        yield "webhook.secret_name", f"the value is not accepted in a query; {remedy}"
    after = "reconciliation.after_minutes"
    if get(after) == 0 and account not in (None, _EMULATOR_ACCOUNT):
        remedy = f"write {_RULES[after].remedy}"
        yield after, f"0 leaves no time for what the webhook still brings; {remedy}"
    if get("export.mode") == "off" and get("export.key_arn"):
        remedy = 'remove it, or write mode = "on"'
        yield "export.key_arn", f'is not used in mode "off"; {remedy}'
    keep, back = get("export.keep_days", 3650), get("export.lookback_days", 0)
    if keep <= back:
        remedy = f"write {back + 1} or more, or fewer lookback_days"
        yield "export.keep_days", f"would delete what is looked for every night; {remedy}"
    if get("alarms.email") and get("alarms.topic_arn"):
        yield "alarms.topic_arn", "is one too many beside alarms.email; remove one of them"
