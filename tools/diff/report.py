"""Two revisions, synthesised and compared: what the report for a pull request is made of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.diff import archive, assembly, revisions
from tools.diff.changes import sources
from tools.diff.changes.cost import monthly, sentences
from tools.diff.changes.page import page_changes, put_placeholder, without_files
from tools.diff.changes.replacement import trusts
from tools.diff.compare import compare
from tools.diff.markdown import Report
from tools.diff.revisions import Failure, Repository, Revision
from tools.diff.values import code

ROOT = Path(__file__).parents[2]
HOSTILE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What is raised by templates and settings that are not in the form of ours."""


def exit_code(report: Report, fail_on: str) -> int:
    return int(report.has_replacements if fail_on == "replacement" else report.has_changes)


def diff(base_name: str, environment: str | None, folder: Path) -> Report:
    """The working tree against where it left a branch.

    :param folder: An empty one, for what is synthesised.
    """
    repository = Repository(ROOT)
    fork = repository.fork(base_name, "HEAD")
    base, head = repository.sources(base_name, fork, folder / "base"), revisions.head(ROOT)
    put_placeholder(base.folder)
    asked = _asked(base, head, environment)
    out = revisions.synthesise(asked, folder / "out")
    return report(base, head, asked, out, repository.changed(fork, None))


def diff_of_templates(
    base_name: str, environment: str | None, folder: Path, *, head_name: str, templates: Path
) -> Report:
    """A commit whose code is not run: its settings are in git, its templates were made elsewhere.

    :param templates: A folder for each environment, or a ZIP archive of that, from anybody.
    """
    repository = Repository(ROOT)
    fork, commit = repository.fork(base_name, head_name), repository.commit(head_name)
    base = repository.sources(base_name, fork, folder / "base")
    put_placeholder(base.folder)
    head = repository.data(commit, folder / "head")
    if templates.is_file():
        templates = archive.unpack(templates, folder / "templates")
    asked = _asked(base, head, environment)
    out = revisions.synthesise({base: asked[base]}, folder / "out")
    return report(base, head, asked, {**out, head: templates}, repository.changed(fork, commit))


def _asked(base: Revision, head: Revision, environment: str | None) -> dict[Revision, list[str]]:
    asked = {revision: revision.environments(environment) for revision in (base, head)}
    if not any(asked.values()):
        known = ", ".join(map(code, head.environments(None)))
        raise Failure(
            f"Neither revision has an environment {code(str(environment))}; write {known}."
        )
    return asked


def report(
    base: Revision,
    head: Revision,
    asked: Mapping[Revision, list[str]],
    out: Mapping[Revision, Path],
    changed: Sequence[str] = (),
) -> Report:
    """:param asked: The environments of each revision.
    :param out: The folder of each that has a cloud assembly an environment.
    :param changed: The paths of the files that differ.
    :raises Failure: If what one of them made is not what CDK writes.
    """
    try:
        made = _report(base, head, asked, out, changed)
        made.markdown()
    except HOSTILE as error:
        raise Failure(
            f"The templates or settings of {base.name} or {head.name} are not in the form that "
            f"`make synth` writes: {code(f'{type(error).__name__}: {error}'[:300])}"
        ) from error
    return made


def _report(
    base: Revision,
    head: Revision,
    asked: Mapping[Revision, list[str]],
    out: Mapping[Revision, Path],
    changed: Sequence[str],
) -> Report:
    def read(revision: Revision, name: str) -> assembly.Environment:
        inside = revision.folder / "infra/environments" / f"{name}.toml"
        file = revision.folder / name if name.endswith(".toml") else inside
        return without_files(assembly.read(out[revision] / Path(name).stem, file))

    described = out[base] / "settings.json"
    sensitivity = json.loads(described.read_text("utf-8")) if described.is_file() else {}
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
        findings={
            name: [*compare(*both, sensitivity), *page_changes(*both, changed)]
            for name, both in pairs.items()
        },
        dangers=dangers,
        sources=list(sources.first(changed)),
        warning=sources.warning(changed),
        costs=list(sentences({name: (monthly(a), monthly(b)) for name, (a, b) in pairs.items()})),
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
        "requirements.txt differs. `make diff` synthesises both revisions with the packages that "
        "are installed; what the packages themselves change does not show then."
    ]
