"""What a team that upgrades must not lose: ``released.json`` has it, of the last release.

Of each example: the resources with something in them that no deployment brings back, and those
whose address somebody else was given; of each, the properties that cannot be changed in place.
The commit of a release has its own, which ``make released`` writes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from aws_cdk import Stack
from packaging.version import Version

from tests.infra.conftest import ROOT, Assembly
from tools.diff.assembly import Json, Resource
from tools.diff.changes.replacement import create_only, holds, replacements
from tools.release.versions import allows_breaking

from .conftest import NAMES, all_constructs, one_example

FILE = Path(__file__).with_name("released.json")
ADVICE = (
    "A team that upgrades loses this. Keep the ids and these properties, or release a major "
    "version (while the first one is not out: `make released`):"
)

Kept = dict[str, dict[str, Json]]
"""By example and stack, by logical id: as in the template, and no more than what is compared."""


def kept(example: str, assembly: Assembly) -> Kept:
    """What each stack of an example has."""
    found: Kept = {}
    for stack in assembly.app.node.find_all():
        if Stack.is_stack(stack):
            assert isinstance(stack, Stack)
            (file,) = assembly.folder.rglob(stack.template_file)
            resources = json.loads(file.read_text("utf-8"))["Resources"]
            there = {id: _compared(body) for id, body in resources.items() if _is_kept(body)}
            if there:
                found[f"{example}: {stack.node.path}"] = there
    return found


def _is_kept(body: Json) -> bool:
    return bool(_what_is_lost(_resource("", body)))


def _what_is_lost(resource: Resource) -> str | None:
    if resource.type == "AWS::ApiGateway::RestApi":
        return "the address that its callers were given"
    if resource.type == "AWS::IAM::Role" and any(
        "AWS" in statement["Principal"]
        for statement in resource.properties["AssumeRolePolicyDocument"]["Statement"]
    ):
        return "the ARN that another account was given"
    return holds(resource)


def _compared(body: Json) -> Json:
    names = {pointer[0] for pointer, _ in create_only(body["Type"])}
    if body["Type"] == "AWS::IAM::Role":
        names.add("AssumeRolePolicyDocument")  # it says whether somebody was given the ARN
    properties = {
        key: body["Properties"][key] for key in body.get("Properties", {}) if key in names
    }
    return {"Type": body["Type"], "Properties": properties}


def _resource(id: str, body: Json) -> Resource:
    return Resource(id=id, stack="", name=id, type=body["Type"], body=body)


def losses(before: Kept, after: Kept) -> Iterator[str]:
    """What a team loses by upgrading. An example that is gone is no stack of anybody's."""
    for stack in sorted(before.keys() & after.keys()):
        old = {id: _resource(id, body) for id, body in before[stack].items()}
        new = {id: _resource(id, body) for id, body in after[stack].items()}
        for id in sorted(old.keys() - new.keys()):
            yield f"{stack}: {id} is gone, and with it {_what_is_lost(old[id])}"
        pairs = [(old[id], new[id]) for id in sorted(old.keys() & new.keys())]
        for id, (why, _) in sorted(replacements(pairs, {}).items()):
            yield f"{stack}: {id} is replaced ({why}), and loses {_what_is_lost(old[id])}"


def last_release() -> tuple[str, Kept]:
    """Its version, and what it has."""
    found = json.loads(FILE.read_text("utf-8"))
    return found["version"], found["stacks"]


def refusal(before: tuple[str, Kept], after: tuple[str, Kept], *, is_out: bool) -> str | None:
    """Why the second may not become the last release, if so.

    :param is_out: Whether the first is released, and not only prepared.
    """
    (was, old), (now, new) = before, after
    lost = list(losses(old, new))
    may_break = allows_breaking(Version(was), Version(now)) if was != now else not is_out
    return "\n".join([ADVICE, *lost]) if lost and not may_break else None


def main() -> None:
    """Write what this tree has, if its version may lose what is lost."""
    with TemporaryDirectory() as scratch:
        # Without cdk-nag: the other tests ask it.
        stacks = kept("constructs", all_constructs(Path(scratch) / "constructs", with_nag=False))
        for name in NAMES:
            stacks |= kept(name, one_example(name, Path(scratch) / name, with_nag=False))
    version = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text("utf-8"))["project"][
        "version"
    ]
    if FILE.exists():
        before = last_release()
        tag: list[str] = ["git", "tag", "--list", f"v{before[0]}"]
        is_out = bool(subprocess.run(tag, cwd=ROOT, capture_output=True).stdout)
        if why := refusal(before, (version, stacks), is_out=is_out):
            sys.exit(why)
    text = json.dumps({"version": version, "stacks": stacks}, indent=1, sort_keys=True)
    FILE.write_text(f"{text}\n", "utf-8")


if __name__ == "__main__":
    main()
