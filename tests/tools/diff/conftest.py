"""Copies of this repository with prepared changes, synthesised; and small environments by hand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tools.diff.markdown import Report
from tools.diff.report import report
from tools.diff.revisions import Revision

from .prepared import BASES, CHANGES, edit

ROOT = Path(__file__).parents[3]
COPIED = (
    "app.py",
    "cdk.json",
    "docs/prices.toml",
    "requirements.txt",
    "infra",
    "lambdas",
    "tools",
)
BY_COMMAND_LINE_ONLY = ("syntax_error",)
LEFT_OUT = ("sandbox", "staging")  # two environments show what is alike, and are quicker
TOUCHED = {
    "setting_changed": ["prod"],
    "log_retention_changed": ["prod"],
    "environment_added": ["qa"],
    "nothing": ["dev"],
    "settings_loosened": ["prod"],
    "web_acl_off": ["prod"],
    "tool_blinded": ["prod"],
    "app_lies": ["prod"],
    "authentication_switched": ["prod"],
    "webhook_opened": ["prod"],
}
"""The environments whose templates a change can alter; of the others, all."""
PLACE = "aws://111122223333/eu-central-1"

Json = dict[str, Any]
Compare = Callable[[Json, Json], Report]


def copy_of_repository(folder: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__")
    folder.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copy(source, folder / name)
    return folder


def commit(folder: Path) -> None:
    """All that is in it, in a repository of its own with the branch main."""
    for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "base"]):
        git(*arguments, folder=folder)


def git(*arguments: str, folder: Path) -> str:
    who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout.strip()


@dataclass(frozen=True)
class Synthesised:
    """Each prepared change that synthesises, and ``base``: its sources, and what they made."""

    revisions: Mapping[str, Revision]
    asked: Mapping[Revision, list[str]]
    out: Mapping[Revision, Path]

    def changed(self, name: str) -> list[str]:
        """The paths that a change changes, as git would say."""
        names = (BASES.get(name, "base"), name)
        base, head = (_contents(self.revisions[each].folder) for each in names)
        return sorted(path for path in {*base, *head} if base.get(path) != head.get(path))


def _contents(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file() and file.suffix != ".pyc")
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


@pytest.fixture(scope="session")
def prepared(synthesised: Synthesised) -> Mapping[str, Report]:
    """What is said of each prepared change that synthesises."""
    revisions, found = synthesised.revisions, {}
    for name in revisions.keys() - {"base"}:
        base = revisions[BASES.get(name, "base")]
        changed = synthesised.changed(name)
        found[name] = report(base, revisions[name], synthesised.asked, synthesised.out, changed)
    return found


@pytest.fixture(scope="session")
def synthesised(tmp_path_factory: pytest.TempPathFactory) -> Synthesised:
    """One process makes all that differs; what a change does not touch is the base's."""
    folder = tmp_path_factory.mktemp("prepared")
    names = ["base", *(name for name in CHANGES if name not in BY_COMMAND_LINE_ONLY)]
    revisions = {name: Revision(name, copy_of_repository(folder / name)) for name in names}
    for each in revisions.values():
        networks = 'allowed_cidrs = ["203.0.113.0/24"]'
        edit(each.folder, "infra/environments/prod.toml", r"allowed_cidrs = \[\]", networks)
    for name in names[1:]:
        CHANGES[name](revisions[name].folder)
    for file in folder.glob("*/infra/environments/*.toml"):
        if file.stem in LEFT_OUT:
            file.unlink()
    asked = {each: each.environments(None) for each in revisions.values()}
    out = {each: folder / f"{name}.out" for name, each in revisions.items()}
    wanted = []
    for name, revision in revisions.items():
        touched = TOUCHED.get(name, asked[revision])
        wanted.append((str(revision.folder), str(out[revision]), touched))
        out[revision].mkdir()
        for other in set(asked[revision]) - set(touched):
            (out[revision] / other).symlink_to(folder / "base.out" / other)
    done = subprocess.run(
        [sys.executable, "-P", Path(__file__).with_name("many_revisions.py")],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        input=json.dumps(wanted),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return Synthesised(revisions, asked, out)


@pytest.fixture
def compare(tmp_path: Path) -> Compare:
    """Compares two environments of the name ``dev``, each given by its stacks' templates.

    A stack's name is its key; ``Stack`` in a template says what the manifest has of it, and
    ``Settings`` beside the stacks what the TOML file says, ``Lock`` what the lock of the flows.
    ``Sensitivity`` is what a change of each setting means, ``Changed`` which files differ.
    """

    def compared(base: Json, head: Json) -> Report:
        before, after = (
            Revision(name, tmp_path / name / "sources") for name in ("before", "after")
        )
        write(before, base)
        write(after, head)
        out = {each: each.folder.parent / "out" for each in (before, after)}
        described = base.get("Sensitivity", {"x": None})
        (out[before] / "settings.json").write_text(json.dumps(described))
        changed = head.get("Changed", ())
        return report(before, after, {each: ["dev"] for each in out}, out, changed)

    return compared


def write(revision: Revision, stacks: Json) -> None:
    settings = revision.folder / "infra/environments/dev.toml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(stacks.get("Settings", ""))
    if "Lock" in stacks:
        settings.with_name("dev.flows.lock").write_text(stacks["Lock"])
    out = revision.folder.parent / "out" / "dev"
    out.mkdir(parents=True)
    artifacts = {}
    for name, template in stacks.items():
        if name not in ("Changed", "Lock", "Settings", "Sensitivity"):
            said = template.get("Stack", {})
            file = out / f"app-dev-{name}.template.json"
            file.write_text(json.dumps({k: v for k, v in template.items() if k != "Stack"}))
            artifacts[f"app-dev-{name}"] = {
                "type": "aws:cloudformation:stack",
                "environment": said.pop("environment", PLACE),
                "properties": {"templateFile": file.name, **said},
            }
    (out / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))


def stack(**resources: Json) -> Json:
    return {"Resources": resources}
