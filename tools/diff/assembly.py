"""One environment as it was synthesised, in a form that two revisions can be compared in.

All stacks of an environment share one space of ids, ``stack:LogicalId``, and an import from another
stack is a reference to what it imports. So a resource that several stacks name is one resource.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from connect_flows.lock import FlowsLock
from connect_settings.own_flows import lock_file

Json = dict[str, Any]


@dataclass(frozen=True)
class Resource:
    """:param id: ``stack:LogicalId``.
    :param name: The construct's path in its stack: what people know it by.
    :param body: As in the template, with ids in references, and without its metadata.
    """

    id: str
    stack: str
    name: str
    type: str
    body: Json

    @property
    def properties(self) -> Json:
        found: Json = self.body.get("Properties", {})
        return found


@dataclass(frozen=True)
class Stack:
    """:param name: Without what all stacks of the environment begin with.
    :param deployed_as: The whole name.
    :param place: The account and region, ``aws://111122223333/us-east-1``.
    :param outputs: Those that people read, which no other stack imports.
    :param rest: Of the template, and of what is said of the stack outside it.
    """

    name: str
    deployed_as: str
    place: str
    outputs: Mapping[str, Json]
    rest: Json


@dataclass(frozen=True)
class Environment:
    """:param folder: The cloud assembly.
    :param exports: What a stack gives to another, by the export's name.
    :param imports: The exports that each stack imports.
    :param things: What flows name by ARN, as the lock of the flows calls it.
    """

    folder: Path
    settings: Mapping[str, Any]
    stacks: Mapping[str, Stack]
    resources: Mapping[str, Resource]
    exports: Mapping[str, Any]
    imports: Mapping[str, frozenset[str]]
    things: Mapping[str, str] = field(default_factory=dict)

    def renamed(self, ids: Mapping[str, str], names: Mapping[str, str]) -> Environment:
        """The same with other ids, in all references too; and with other names."""

        def other(value: Any) -> Any:
            return with_ids(value, lambda id: ids.get(id, id))

        resources = [
            replace(
                each,
                id=ids.get(each.id, each.id),
                name=names.get(each.id, each.name),
                body=other(each.body),
            )
            for each in self.resources.values()
        ]
        stacks = {
            name: replace(stack, outputs=other(stack.outputs))
            for name, stack in self.stacks.items()
        }
        return replace(
            self,
            stacks=stacks,
            resources={each.id: each for each in resources},
            exports=other(self.exports),
        )

    def text(self, value: Any) -> str:
        """A template's value with the names of what it refers to, never their ids.

        The stack's own region and account read alike in all environments.
        """
        if isinstance(value, str):
            for pattern, place in self._places:
                value = pattern.sub(place, value)
            return str(value)
        if isinstance(value, dict) and len(value) == 1:
            ((function, argument),) = value.items()
            if function == "Ref":
                return self._name(argument)
            if function == "Fn::GetAtt":
                name, attribute = self._name(argument[0]), argument[1]
                return name if attribute == "Arn" else f"{name}.{attribute}"
            if function == "Fn::Join":
                between, parts = argument
                if isinstance(parts, list):
                    return self.text(
                        str(between).join(
                            part if isinstance(part, str) else f"${{{self.text(part)}}}"
                            for part in parts
                        )
                    )
        return json.dumps(self._plain(value), ensure_ascii=False, sort_keys=True)

    def flow_text(self, content: Any) -> str:
        """A flow's content, with names for what it names by ARN; the end of each ARN stays."""
        text = self.text(content)
        # The longest first: an ARN may begin another.
        for arn, thing in sorted(self.things.items(), key=lambda it: -len(it[0])):
            named = json.dumps(f"{thing} ({arn.rpartition('/')[2].rpartition('function:')[2]})")
            text = text.replace(json.dumps(self.text(arn)), named)
        return text

    def _plain(self, value: Any) -> Any:
        """Its references and joined texts as texts, in what stays JSON."""
        if isinstance(value, dict):
            if len(value) == 1 and next(iter(value)) in ("Ref", "Fn::GetAtt", "Fn::Join"):
                return self.text(value)
            return {key: self._plain(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._plain(each) for each in value]
        return self.text(value) if isinstance(value, str) else value

    def _name(self, id: str) -> str:
        return self.resources[id].name if id in self.resources else id

    @cached_property
    def _places(self) -> list[tuple[re.Pattern[str], str]]:
        found = {tuple(each.place.split("/")[-2:]) for each in self.stacks.values()}
        return [
            pattern
            for account, region in (map(re.escape, each) for each in sorted(found))
            for pattern in (
                (re.compile(f"(?<=:){region}:{account}(?=:)"), "${region}:${account}"),
                (re.compile(f"(?<=:):{account}(?=:)"), ":${account}"),
                (re.compile(f"^{account}$"), "${account}"),
            )
        ]


def read(folder: Path, settings: Path) -> Environment:
    """
    :param folder: A cloud assembly of one environment; its name is the environment's.
    :param settings: The environment's TOML file.
    """
    artifacts = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["artifacts"]
    described = {
        name: each for name, each in artifacts.items() if each["type"] == "aws:cloudformation:stack"
    }
    short = {name: re.sub(f"^.*?{re.escape(folder.name)}-", "", name) for name in described}
    templates: dict[str, Json] = {
        name: json.loads((folder / _file(each)).read_text(encoding="utf-8"))
        for name, each in described.items()
    }
    exports: dict[str, Any] = {}
    imports: dict[str, frozenset[str]] = {}
    for name, template in templates.items():
        own = template.get("Resources", {})

        def qualified(id: str, own: Json = own, stack: str = short[name]) -> str:
            return f"{stack}:{id}" if id in own else id

        imports[short[name]] = frozenset(_imports(template))
        for body in own.values():
            if "DependsOn" in body:
                body["DependsOn"] = _as_references(body["DependsOn"])
        for section in ("Resources", "Outputs"):
            template[section] = with_ids(template.get(section, {}), qualified)
        exports |= {
            output["Export"]["Name"]: output["Value"]
            for output in template["Outputs"].values()
            if "Export" in output
        }
    resources: list[Resource] = []
    stacks: dict[str, Stack] = {}
    for name, template in templates.items():
        template = _imported(template, exports)
        resources += [
            Resource(
                id=f"{short[name]}:{id}",
                stack=short[name],
                name=_name_of(id, body, name),
                type=body["Type"],
                body={key: value for key, value in body.items() if key != "Metadata"},
            )
            for id, body in template.pop("Resources").items()
        ]
        outputs = template.pop("Outputs")
        properties = described[name]["properties"]
        stacks[short[name]] = Stack(
            name=short[name],
            deployed_as=properties.get("stackName", name),
            place=described[name]["environment"],
            outputs={key: each for key, each in outputs.items() if "Export" not in each},
            rest={key: value for key, value in template.items() if key != "Metadata"}
            | {"Tags": properties.get("tags", {})}
            | {"TerminationProtection": properties.get("terminationProtection", False)},
        )
    names = Counter((each.type, each.name) for each in resources)
    resources = [
        each
        if names[each.type, each.name] == 1
        else replace(each, name=f"{each.name} ({each.id})")  # two must not look like one
        for each in resources
    ]
    file = lock_file(settings)
    pairs = FlowsLock.read(file).pairs if file.is_file() else {}
    said = _flat(tomllib.loads(settings.read_text(encoding="utf-8")))
    return Environment(
        folder=folder,
        # By the ARN, which is one: two of one name must not hide each other.
        settings=said | {f"flows.lock {arn}": asdict(pair) for arn, pair in pairs.items()},
        things={
            arn: f"{pair.kind} {pair.name_here}" for pair in pairs.values() for arn in pair.arns
        },
        stacks=stacks,
        resources={each.id: each for each in resources},
        exports=exports,
        imports=imports,
    )


def _file(artifact: Json) -> str:
    """The template's name in its folder, and no other path."""
    name: str = artifact["properties"]["templateFile"]
    if re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", name) is None:
        raise ValueError("a template is not in its folder")
    return name


def references(value: Any) -> set[str]:
    """The ids that a value refers to."""
    found: set[str] = set()

    def note(id: str) -> str:
        found.add(id)
        return id

    with_ids(value, note)
    return found


def with_ids(value: Any, change: Callable[[str], str]) -> Any:
    """The same with other ids in its references; those to attributes come in their list form."""
    if isinstance(value, list):
        return [with_ids(each, change) for each in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((function, argument),) = value.items()
        if function == "Ref":
            return {function: change(argument)}
        if function == "Fn::GetAtt":
            parts = argument.split(".", 1) if isinstance(argument, str) else argument
            return {function: [change(parts[0]), *parts[1:]]}
    return {key: with_ids(each, change) for key, each in value.items()}


def _as_references(ids: str | list[str]) -> list[Json]:
    return [{"Ref": id} for id in sorted([ids] if isinstance(ids, str) else ids)]


def _imports(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(name := value.get("Fn::ImportValue"), str):
            yield name
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _imports(each)


def _imported(value: Any, exports: Mapping[str, Any]) -> Any:
    """With every import replaced by what is exported."""
    if isinstance(value, list):
        return [_imported(each, exports) for each in value]
    if not isinstance(value, dict):
        return value
    name = value.get("Fn::ImportValue")
    if isinstance(name, str) and name in exports:
        return exports[name]
    return {key: _imported(each, exports) for key, each in value.items()}


def _name_of(id: str, body: Json, stack: str) -> str:
    """The construct's path below its stack, without hashes and what CDK appends."""
    path = body.get("Metadata", {}).get("aws:cdk:path", f"{stack}/{id}")
    path = path.removeprefix(f"{stack}/").removesuffix("/Resource")
    path = path.replace(stack.replace("-", ""), "")
    return re.sub(r"(?<=[A-Za-z])[0-9A-F]{8}(?=[/:]|$)", "", path)


def _flat(table: Mapping[str, Any], within: str = "") -> Json:
    """Settings by their dotted keys."""
    found: Json = {}
    for key, value in table.items():
        inside = isinstance(value, dict)
        found |= _flat(value, f"{within}{key}.") if inside else {f"{within}{key}": value}
    return found
