"""One environment: its file, read into a frozen record and checked."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from connect_settings import sizing
from connect_settings._conflicts import conflicts
from connect_settings._rules import (
    ACCOUNT,
    REGION,
    Rule,
    Sensitive,
    are_tags,
    fault_of,
    rule_of,
    sensitivity_of,
    table,
    text,
)
from connect_settings.records import (
    AlarmSettings,
    AsappSettings,
    AuditSettings,
    CapacitySettings,
    ConnectSettings,
    DeploymentSettings,
    EncryptionSettings,
    ErasureSettings,
    ExportSettings,
    FlowSettings,
    LifecycleSettings,
    LiveSettings,
    MediaStreamingSettings,
    OnUtteranceSettings,
    ReconciliationSettings,
    RetentionSettings,
    WebhookMtlsSettings,
    WebhookOAuth2Settings,
    WebhookSettings,
)


class SettingsError(Exception):
    """All errors of an environment. Each line has the file, the key and what to write instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One environment: `Settings.load(environment_file("prod", Path("infra/environments")))`.

    Reading is a pure function of the file: no AWS call, no network, no clock.

    :param account: The instance's AWS account, 12 digits; the stacks are deployed there.
    :param region: The instance's AWS region; the stacks are deployed there.
    :param on_delete: What happens to stored data when its stack is deleted. Default: it stays.
    :param bootstrap_qualifier: The `--qualifier` with which the account was bootstrapped for CDK.
        Default: CDK's own.
    :param flows: Your own flows, each woven and deployed by the flows stack. Default: none.
    :param tags: The tags of every resource. Default: none.
    :raises SettingsError: If any value is wrong, also if the record is made without a file.
    """

    account: Annotated[str, ACCOUNT, Sensitive("The stacks are deployed to another account.")]
    region: Annotated[str, REGION, Sensitive("The stacks are deployed to another region.")]
    on_delete: Annotated[
        Literal["retain", "destroy"],
        Sensitive("With destroy, stored data is deleted with its stack or by a replacement."),
    ] = "retain"
    bootstrap_qualifier: Annotated[
        str,
        # CDK makes the name of a bucket of it.
        text("[a-z0-9]{1,10}", 'up to 10 lower-case letters and digits, like "hnb659fds"'),
        Sensitive("Other roles deploy the stacks, and the functions' code is in another bucket."),
    ] = "hnb659fds"
    connect: ConnectSettings
    media_streaming: MediaStreamingSettings
    asapp: AsappSettings
    lifecycle: LifecycleSettings
    capacity: CapacitySettings = field(default_factory=CapacitySettings)
    webhook: WebhookSettings = field(default_factory=WebhookSettings)
    webhook_oauth2: WebhookOAuth2Settings = field(default_factory=WebhookOAuth2Settings)
    webhook_mtls: WebhookMtlsSettings = field(default_factory=WebhookMtlsSettings)
    reconciliation: ReconciliationSettings = field(default_factory=ReconciliationSettings)
    export: ExportSettings = field(default_factory=ExportSettings)
    live: LiveSettings = field(default_factory=LiveSettings)
    on_utterance: OnUtteranceSettings = field(default_factory=OnUtteranceSettings)
    deployment: DeploymentSettings = field(default_factory=DeploymentSettings)
    encryption: EncryptionSettings = field(default_factory=EncryptionSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    erasure: ErasureSettings = field(default_factory=ErasureSettings)
    audit: AuditSettings = field(default_factory=AuditSettings)
    alarms: AlarmSettings = field(default_factory=AlarmSettings)
    flows: Annotated[
        tuple[FlowSettings, ...],
        Rule(type="an array", accepts=lambda _: True, remedy="[[flows]]"),
        Sensitive("Other calls may be transcribed, or go another way."),
    ] = ()
    tags: Annotated[
        Mapping[str, str],
        table(
            are_tags,
            'at most 40 tags: keys of 1 to 128 characters that do not begin "aws:", values up to '
            "256",
        ),
    ] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _checked(asdict(self), source="Settings")

    @classmethod
    def load(cls, path: Path) -> "Settings":
        """Reads the TOML file of one environment."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:  # not there, or not UTF-8
            raise SettingsError(f"{path}: cannot be read as TOML: {error}") from None
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(
                f"{path}: cannot be read as TOML: {error}{_without_quotes(text, str(error))}"
            ) from None
        return cls.from_mapping(data, source=str(path))

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any], source: str = "settings") -> "Settings":
        """Reads the tables of a TOML file; errors begin with `source`."""
        values = _checked(data, source)
        tables = {
            table: record(**{each.name: values[f"{table}.{each.name}"] for each in fields(record)})
            for table, record in _TABLES.items()
        }
        flows = tuple(FlowSettings(**_of_a_flow(each)) for each in values.pop("flows"))
        return cls(**tables, flows=flows, **{key: values[key] for key in values if "." not in key})

    @property
    def throttle(self) -> tuple[int, int]:
        """Requests that the webhook accepts a second, and at once."""
        said = self.webhook
        rate = said.throttle_rate_per_second or sizing.throttle_rate(self.capacity.expected_calls)
        return rate, said.throttle_burst or sizing.throttle_burst(rate)

    @property
    def agent_event_shards(self) -> int:
        """Of the stream of agent events, if the stack creates it."""
        said = self.lifecycle.shards
        return said or sizing.agent_event_shards(self.capacity.expected_calls)

    @property
    def requests_of_an_address_a_minute(self) -> int:
        """What the webhook's web ACL lets through."""
        return sizing.requests_of_an_address_a_minute(self.capacity.expected_calls)

    @property
    def partition(self) -> str:
        """The AWS partition of every ARN here: aws, aws-cn or aws-us-gov."""
        return self.connect.instance_arn.split(":")[1]


def environment_file(name: str, folder: Path) -> Path:
    """Finds the file of an environment.

    :param name: The name of a file in the folder without ``.toml``, or the path of any .toml file.
    :raises SettingsError: If there is no such file (the message lists the environments), or its
        name cannot be part of a stack's name.
    """
    environments = {path.stem: path for path in sorted(folder.glob("*.toml"))}
    file = Path(name) if name.endswith(".toml") and Path(name).is_file() else environments.get(name)
    if file is None:
        remedy = f"write {', '.join(environments) or 'one'}, or the path of a .toml file"
        raise SettingsError(f"{folder}: there is no environment {json.dumps(name)}; {remedy}")
    if not re.fullmatch("[A-Za-z0-9-]{1,60}", file.stem):
        better = re.sub("[^A-Za-z0-9]+", "-", file.stem).strip("-")[:60] or "prod"
        raise SettingsError(
            f"{file}: its name becomes part of the stacks' names, which may have only letters, "
            f'digits and "-"; rename it to {better}.toml'
        )
    return file


_TABLES: dict[str, Any] = {
    each.name: each.type for each in fields(Settings) if is_dataclass(each.type)
}
_FIELDS: dict[str, Field[Any]] = {
    f"{table}.{each.name}".removeprefix("."): each
    for table, record in {"": Settings, **_TABLES}.items()
    for each in fields(record)
    if each.name not in _TABLES
}
RULES = {key: rule_of(each) for key, each in _FIELDS.items()}
"""By dotted key. The arguments of constructs have the same rules: ``_arguments``."""
_RULES = RULES | {f"flows.{each.name}": rule_of(each) for each in fields(FlowSettings)}
_RULES |= {name: table(bool, f"[{name}]") for name in _TABLES}


def sensitivity() -> dict[str, str | None]:
    """What a change of each setting means, by dotted key; None for those that are not sensitive."""
    return {key: sensitivity_of(each) for key, each in _FIELDS.items()}


def _checked(data: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Every setting by its dotted key.

    :raises SettingsError: with every problem.
    """
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
    problems = [f"{_named(key)}: {fault}" for key, fault in faults.items() if fault]
    flows: Any = right.get("flows", ())
    problems += _problems_of_flows(flows)
    problems += [f"{key}: {conflict}" for key, conflict in conflicts(right, _RULES)]
    if problems:
        raise SettingsError("\n".join(f"{source}: {problem}" for problem in problems))
    return {key: tuple(value) if isinstance(value, list) else value for key, value in right.items()}


def _of_a_flow(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}


def _problems_of_flows(flows: Sequence[Any]) -> Iterator[str]:
    """What is wrong with the tables of ``[[flows]]``, by themselves and together."""
    seen: dict[str, set[str]] = {"name": set(), "replaces": set()}
    for number, flow in enumerate(flows, 1):
        place = f"flows, table {number}"
        if not isinstance(flow, Mapping):
            yield f"{place}: is not a table; write [[flows]]"
            continue
        given = {each.name: each.default for each in fields(FlowSettings)} | dict(flow)
        wrong = {f"flows.{key}": _fault(f"flows.{key}", value) for key, value in given.items()}
        yield from (f"{place}, {_named(key)}: {fault}" for key, fault in wrong.items() if fault)
        if any(wrong.values()):
            continue
        for key, names in seen.items():
            if given[key] in names:
                yield f'{place}, flows.{key}: "{given[key]}" is in two tables; write another name'
            names |= {given[key]} - {None}
        if not (given["start"] or given["stop"]):
            yield f"{place}: weaves nothing; write start = true, stop = true or both"
        if given["stop_before"] and not given["stop"]:
            yield f"{place}, flows.stop_before: is not used without stop; write stop = true"


def _named(key: str) -> str:
    """A key of the file, which may hold anything, on one line."""
    return key if key.isprintable() else json.dumps(key)


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
    return fault_of(value, rule)


def _without_quotes(text: str, error: str) -> str:
    """A hint, if the line of the error looks like ``mode = adopt``. It shows no value."""
    at = re.search(r"\(at line (\d+), ", error)
    line = text.splitlines()[int(at[1]) - 1] if at else ""
    bare = re.match(r"\s*([\w.-]+)\s*=\s*[A-Za-z]", line)
    return f'; put the value of {bare[1]} in quotes: {bare[1]} = "…"' if bare else ""
