"""The ids and outputs that teams rely on: ``contract.json`` has those of every example.

A construct's path decides its logical id, so a path that changes is a resource that CloudFormation
deletes and creates again. ``python -m tests.package.contract`` accepts what has changed, once the
changelog names it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from aws_cdk import Stack

from tests.infra.conftest import ROOT, Assembly

from .conftest import NAMES, all_constructs, one_example

FILE = Path(__file__).with_name("contract.json")
CHANGELOG = ROOT / "CHANGELOG.md"

Ids = Mapping[str, str]
"""By id, below the stack's: the resource's type, or ``output``."""
Contract = dict[str, Ids]
"""By example and stack."""

ADVICE = (
    "A team that upgrades loses these resources, or gets new ones. Name each in CHANGELOG.md under "
    "Unreleased, in `backticks`, with what a team has to do; then accept them with "
    "`python -m tests.package.contract`:"
)


def of_assembly(example: str, assembly: Assembly) -> Iterator[tuple[str, Ids]]:
    """What each stack of an example has."""
    for stack in assembly.app.node.find_all():
        if Stack.is_stack(stack):
            assert isinstance(stack, Stack)
            (file,) = assembly.folder.rglob(stack.template_file)
            template = json.loads(file.read_text("utf-8"))
            path = stack.node.path
            ids = {
                each["Metadata"]["aws:cdk:path"].removeprefix(f"{path}/"): each["Type"]
                for each in template["Resources"].values()
            }
            outputs = [each for each in template.get("Outputs", {}) if "ExportsOutput" not in each]
            yield f"{example}: {path}", {**ids, **dict.fromkeys(outputs, "output")}


def accepted() -> Contract:
    found: Contract = json.loads(FILE.read_text("utf-8"))
    return found


def changes(before: Contract, after: Contract) -> dict[str, str]:
    """What to name in the changelog, and what became of it. An example that is new, or gone, breaks
    nobody's stack."""
    found: dict[str, str] = {}
    for stack in before.keys() & after.keys():
        old, new = before[stack], after[stack]
        for id in sorted(old.keys() - new.keys()):
            found[_named(id, new)] = f"is gone ({old[id]})"
        for id in sorted(new.keys() - old.keys()):
            found[_named(id, old)] = f"is new ({new[id]})"
        for id in sorted(old.keys() & new.keys()):
            if old[id] != new[id]:
                found[_named(id, {})] = f"was {old[id]} and is {new[id]}"
    return dict(sorted(found.items()))


def _named(id: str, others: Ids) -> str:
    """The construct that came or went whole, so that a new one is named once, not by each part."""
    parts = id.removesuffix("/Resource").split("/")
    wholes = ("/".join(parts[:end]) for end in range(1, len(parts)))
    for whole in wholes if others else ():
        if not any(f"{other}/".startswith(f"{whole}/") for other in others):
            return whole
    return "/".join(parts)


def unnamed(names: Mapping[str, str], changelog: str) -> list[str]:
    """Those that the changelog does not name under Unreleased."""
    section = re.search(r"^## Unreleased\n(.*?)(?=^## |\Z)", changelog, re.DOTALL | re.MULTILINE)
    return [name for name in names if f"`{name}`" not in (section[1] if section else "")]


def main() -> None:
    """Write the contract, if the changelog names all that changed."""
    with TemporaryDirectory() as scratch:
        # Without cdk-nag: test_examples.py knows which of its findings only a team can accept.
        every = all_constructs(Path(scratch) / "constructs", with_nag=False)
        now = dict(of_assembly("constructs", every))
        for name in NAMES:
            now |= of_assembly(name, one_example(name, Path(scratch) / name, with_nag=False))
    found = changes(accepted() if FILE.exists() else {}, now)
    missing = unnamed(found, CHANGELOG.read_text("utf-8"))
    if missing:
        sys.exit("\n".join([ADVICE, *(f"  {name} {found[name]}" for name in missing)]))
    FILE.write_text(json.dumps(now, indent=1, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()
