"""Everything that the templates of our environments allow, as lines that a person can review.

``policies.txt`` is committed. ``make contract`` writes it, with
``python -m tests.infra.permissions.policies``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.infra.conftest import FULL, OTHERS, Assembly, unchecked
from tools.policies import Statement, statements

FILE = Path(__file__).with_name("policies.txt")
ENVIRONMENTS = {name: name for name in ("dev", "staging", "prod")}
ENVIRONMENTS |= {"full": str(FULL), "others": str(OTHERS)}
"""By name: what ``build`` takes."""
HEADER = """\
# Who may do what in dev, staging, prod, full (full.toml: every option on) and others (others.toml:
# the choices that full cannot have). Each line: the resource that says it, whom it is for, the
# actions, on what, under which conditions, and the environments that have it, if not all.
# `make contract` writes it.
"""

_HASH = re.compile("(?:[0-9A-F]{8})+(?=[A-Z]|$)")
_PATH = re.compile("autotranscribe[a-z]+transcription")
"""CDK writes both into a logical id; neither says what it is."""


def in_templates(assembly: Assembly) -> Iterator[tuple[str, Statement, str]]:
    """Each statement of an app: its resource, itself, and as a line."""
    for name, template in assembly.templates.items():
        stack = name.removesuffix(".template.json")
        environment = stack.split("-")[1]
        for id, resource in template["Resources"].items():
            here = f"{stack.rpartition('-')[2]}/{_name(id)}"
            properties = resource.get("Properties", {})

            def text(value: Any) -> str:
                return _plain(value, environment)  # noqa: B023 - used in this turn only

            for each in statements(resource["Type"], properties, text):
                yield here, each, line(here, each, environment)
            for managed in properties.get("ManagedPolicyArns", []):
                said = f"{here}: has {_plain(managed, environment)}"
                yield here, Statement(False, [], [], [], [], []), said


def line(resource: str, statement: Statement, environment: str) -> str:
    def listed(values: list[Any]) -> str:
        return " ".join(sorted(_plain(each, environment) for each in values))

    effect = "may not" if statement.denied else "may"
    parts = [f"{resource}:"]
    if statement.principals:
        parts.append(listed(statement.principals))
    parts += [effect, listed(statement.actions)]
    if statement.resources:
        parts += ["on", listed(statement.resources)]
    for operator, key, values in sorted(statement.conditions, key=str):
        parts += ["if", f"{operator} {key}".strip(), listed(values)]
    if statement.negated:
        parts.append(f"(all but this {' and '.join(sorted(statement.negated))})")
    return " ".join(parts)


def _plain(value: Any, environment: str) -> str:
    """A value of a template as text, without what only this environment's file says."""
    match value:
        case {"Ref": str() as name}:
            text = name if name.startswith("AWS::") else f"<{_name(name)}>"
        case {"Fn::GetAtt": [str() as id, str() as attribute]}:
            text = f"<{_name(id)}.{attribute}>"
        case {"Fn::Join": [str() as between, list() as parts]}:
            text = between.join(_plain(part, environment) for part in parts)
        case {"Fn::ImportValue": name}:
            text = f"<{re.sub('[0-9A-F]{8}', '', _plain(name, environment))}>"
        case str():
            text = value
        case _:
            text = json.dumps(value, sort_keys=True)
    text = text.replace("AWS::Partition", "aws").replace("AWS::URLSuffix", "amazonaws.com")
    text = re.sub(r"\b(111111111111|222222222222|333333333333|444444444444)\b", "ACCOUNT", text)
    text = re.sub(r":instance/[0-9A-Za-z]{8}(-[0-9A-Za-z]+){4}", ":instance/INSTANCE", text)
    text = re.sub(r"\b(us|eu)-[a-z]+-[0-9]\b", "REGION", text)
    return text.replace(f"autotranscribe-{environment}-", "autotranscribe-ENV-")


def _name(logical_id: str) -> str:
    return _PATH.sub("", _HASH.sub("", logical_id))


def as_text(assemblies: Mapping[str, Assembly]) -> str:
    """The lines of all environments, each once, with the environments that have it."""
    found: dict[str, list[str]] = {}
    for name, assembly in assemblies.items():
        for said in dict.fromkeys(each for _, _, each in in_templates(assembly)):
            found.setdefault(said, []).append(name)
    lines = (
        said if len(names) == len(assemblies) else f"{said} [{' '.join(names)}]"
        for said, names in sorted(found.items())
    )
    return HEADER + "\n".join(lines) + "\n"


def wildcards(statement: Statement) -> Iterator[str]:
    """What has a star, of its actions and resources."""
    for value in (*statement.actions, *statement.resources):
        text = _plain(value, "")
        if "*" in text or "?" in text:
            yield text


def main() -> None:
    with TemporaryDirectory() as scratch:
        made = {name: unchecked(Path(scratch, name), what) for name, what in ENVIRONMENTS.items()}
        FILE.write_text(as_text(made), "utf-8")


if __name__ == "__main__":
    main()
