"""An environment as it is synthesised: what `make cost` reads."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from connect_settings import Settings, SettingsError

ROOT = Path(__file__).parents[2]
Json = dict[str, Any]
Wanted = Mapping[str, tuple[str, Mapping[str, Any]]]
"""By the folder for it: an environment's name, and the data of its file."""


@dataclass(frozen=True)
class Resource:
    """:param id: Its logical id."""

    id: str
    type: str
    properties: Json


@dataclass(frozen=True)
class Function:
    """:param folder: Of ``lambdas``."""

    folder: str
    gigabytes: float
    is_traced: bool


@dataclass(frozen=True)
class Environment:
    """
    :param resources: Of all stacks.
    """

    settings: Settings
    resources: tuple[Resource, ...]

    def all(self, type: str) -> Iterator[Resource]:
        return (each for each in self.resources if each.type == type)

    def has(self, type: str) -> bool:
        return any(self.all(type))

    @cached_property
    def functions(self) -> Mapping[str, Function]:
        found = {}
        for each in self.all("AWS::Lambda::Function"):
            folder = each.properties["Handler"].partition(".")[0]
            traced = each.properties.get("TracingConfig", {}).get("Mode") == "Active"
            found[folder] = Function(folder, each.properties["MemorySize"] / 1024, traced)
        return found

    def function_of(self, reference: Any) -> Function | None:
        """The function that a property refers to, also by an alias or a version of it."""
        text = json.dumps(reference)
        named = [
            each
            for each in self.all("AWS::Lambda::Function")
            if re.search(rf'"{re.escape(each.id)}(?:"|Live)', text)
        ]
        if not named:
            return None
        return self.functions[named[0].properties["Handler"].partition(".")[0]]


def read(folder: Path, settings: Settings) -> Environment:
    """:param folder: A cloud assembly, of which the settings are."""
    return Environment(
        settings,
        tuple(
            Resource(id, each["Type"], each.get("Properties", {}))
            for file in sorted(folder.glob("*.template.json"))
            for id, each in json.loads(file.read_text("utf-8"))["Resources"].items()
        ),
    )


class NotSynthesised(Exception):
    """With the last lines of what CDK said."""


def _in_a_process(out: Path, wanted: Wanted) -> None:
    """Write the assemblies in a process of its own, because CDK prints what nobody asked for."""
    done = subprocess.run(
        [sys.executable, "-m", "tools.cost.synthesise", str(out)],
        input=json.dumps(wanted),
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise NotSynthesised("\n".join(done.stderr.splitlines()[-20:]))


def synthesise(
    wanted: Mapping[str, Mapping[str, Any]],
    name: str,
    folder: Path,
    write_assemblies: Callable[[Path, Wanted], None] = _in_a_process,
) -> dict[str, Environment]:
    """Environments of the data of settings files, as `make synth` would write them.

    :param wanted: The data, by what the answer calls them. All must be right.
    :param name: The environment's, which is part of the stacks' names.
    :param folder: An empty one.
    :param write_assemblies: That of ``tools.cost.synthesise``. Default: a process runs it.
    :raises NotSynthesised: if one of them is not.
    """
    settings = {key: Settings.from_mapping(data, source=name) for key, data in wanted.items()}
    firsts = {key: next(k for k in settings if settings[k] == settings[key]) for key in wanted}
    folders = {key: str(number) for number, key in enumerate(dict.fromkeys(firsts.values()))}
    write_assemblies(folder, {out: (name, wanted[key]) for key, out in folders.items()})
    return {key: read(folder / folders[first], settings[first]) for key, first in firsts.items()}


def data_of(file: Path) -> Json:
    return tomllib.loads(file.read_text(encoding="utf-8"))


AS_IT_IS = "the file as it is"


def variants(data: Mapping[str, Any]) -> dict[str, Json]:
    """The same environment with one thing chosen otherwise, each by what people call it.

    One that does not go with the rest of the file is left out.
    """
    return {name: each for name, each in _variants(data).items() if _is_right(each)}


def _is_right(data: Mapping[str, Any]) -> bool:
    try:
        Settings.from_mapping(data)
    except SettingsError:
        return False
    return True


def _variants(data: Mapping[str, Any]) -> dict[str, Json]:
    region, account = data["region"], data["account"]

    def arn(service: str, rest: str) -> str:
        return f"arn:aws:{service}:{region}:{account}:{rest}"

    certificate = arn("acm", "certificate/00000000-0000-4000-8000-000000000000")
    mtls = {
        "domain": "mtls.example.com",
        "certificate_arn": certificate,
        "authorities_file": "examples/constructs/client_authorities.pem",
    }
    issuer = {
        "issuer": "https://issuer.example.com",
        "keys_url": "https://issuer.example.com/keys",
        "audience": "transcripts",
    }
    ways: dict[str, Json] = {
        "a secret": {"webhook": {"auth": ["secret"]}},
        "tokens of a Cognito user pool": {
            "webhook": {"auth": ["oauth2"]},
            "webhook_oauth2": {"domain_prefix": "example-transcripts"},
        },
        "tokens of your own issuer": {
            "webhook": {"auth": ["oauth2"]},
            "webhook_oauth2": issuer,
        },
        "a client certificate": {"webhook": {"auth": ["mtls"]}, "webhook_mtls": mtls},
        "a client certificate of a public authority": {
            "webhook": {"auth": ["mtls"]},
            "webhook_mtls": mtls | {"subject": "CN=webhook.asapp.com"},
        },
    }
    plain = {key: each for key, each in data.items() if not key.startswith("webhook_")}
    kept = {
        key: value
        for key, value in data.get("webhook", {}).items()
        if key in ("throttle_rate_per_second", "throttle_burst", "allowed_cidrs", "web_acl", "tls")
        or key.startswith("api_gateway")
    }
    made = {
        f"webhook: {name}": plain | way | {"webhook": kept | way["webhook"]}
        for name, way in ways.items()
    }
    return {
        AS_IT_IS: dict(data),
        "no lifecycle": {**data, "lifecycle": {"mode": "off"}},
        "lifecycle, managed": {**data, "lifecycle": {"mode": "manage"}},
        "no export": {**data, "export": {"mode": "off"}},
        "export": {**data, "export": {"mode": "on"}},
        **made,
        **{
            f"webhook: {name}": {**data, "webhook": {**data.get("webhook", {}), "web_acl": mode}}
            for name, mode in (("a web ACL of the stack", "manage"), ("no web ACL", "off"))
        },
        "the live page": {
            **data,
            "live": {"mode": "manage", "domain_prefix": "example-live"},
        },
        "no web ACL": {**data, "webhook": {**data.get("webhook", {}), "web_acl": "off"}},
        "a key of yours for all": {
            **data,
            "encryption": {"key_arn": arn("kms", "key/00000000-0000-4000-8000-000000000000")},
        },
    }
