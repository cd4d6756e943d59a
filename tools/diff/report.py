"""Two revisions, synthesised and compared: what the report for a pull request is made of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tools.diff import assembly, revisions
from tools.diff.changes.replacement import trusts
from tools.diff.compare import compare
from tools.diff.markdown import Report
from tools.diff.revisions import Failure, Revision
from tools.diff.values import code

ROOT = Path(__file__).parents[2]


def exit_code(report: Report, fail_on: str) -> int:
    return int(report.has_replacements if fail_on == "replacement" else report.has_changes)


def diff(base_name: str, environment: str | None, folder: Path) -> Report:
    """:param folder: An empty one, for what is synthesised."""
    base, head = revisions.base(base_name, ROOT, folder / "base"), revisions.head(ROOT)
    asked = {revision: revision.environments(environment) for revision in (base, head)}
    if not any(asked.values()):
        known = ", ".join(f"`{name}`" for name in head.environments(None))
        raise Failure(f"Neither revision has an environment `{environment}`; write {known}.")
    return report(base, head, asked, revisions.synthesise(asked, folder / "out"))


def report(
    base: Revision,
    head: Revision,
    asked: Mapping[Revision, list[str]],
    out: Mapping[Revision, Path],
) -> Report:
    """:param asked: The environments of each revision.
    :param out: The folder of each that has a cloud assembly an environment.
    """

    def read(revision: Revision, name: str) -> assembly.Environment:
        inside = revision.folder / "infra/environments" / f"{name}.toml"
        file = revision.folder / name if name.endswith(".toml") else inside
        return assembly.read(out[revision] / Path(name).stem, file)

    dangers = [_new(name, read(head, name)) for name in asked[head] if name not in asked[base]]
    dangers += [_gone(name, read(base, name)) for name in asked[base] if name not in asked[head]]
    pairs = {
        Path(name).stem: (read(base, name), read(head, name))
        for name in asked[head]
        if name in asked[base]
    }
    return Report(
        base=base.name,
        head=head.name,
        stacks={name: list(after.stacks) for name, (_, after) in pairs.items()},
        findings={name: compare(*both) for name, both in pairs.items()},
        dangers=dangers,
        notes=_notes(base, head),
    )


def _new(name: str, environment: assembly.Environment) -> str:
    trusted = {arn for each in environment.resources.values() for arn in trusts(environment, each)}
    place = ", ".join(sorted({each.place for each in environment.stacks.values()}))
    return (
        f"**New environment {code(name)}**: {len(environment.stacks)} stacks, "
        f"{len(environment.resources)} resources in {code(place)}; its audio is read by "
        f"{', '.join(map(code, sorted(trusted))) or 'nobody else'}."
    )


def _gone(name: str, environment: assembly.Environment) -> str:
    stacks = ", ".join(code(each.deployed_as) for each in environment.stacks.values())
    return (
        f"**Environment {code(name)} is gone** from the files. No deploy deletes what it has in "
        f"AWS: {stacks} stay until somebody does."
    )


def _notes(base: Revision, head: Revision) -> list[str]:
    if base.text("requirements.txt") == head.text("requirements.txt"):
        return []
    return [
        "requirements.txt differs: both revisions were synthesised with the packages that are "
        "installed here, so what the packages themselves change does not show."
    ]
