"""What make says and does with nothing deployed; ``.ci/run`` runs its long targets."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
TARGETS = re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE)
BY_HAND = {
    "sandbox",
    "doctor",
    "audit",
    "deploy",
    "verify",
    "erase",
    "erase-restored",
    "rollback",
    "drift",
    "map-flows",
    "release",
    "released",
    "stop-all",
    "resume-all",
    "hold",
    "who-read",
    "destroy",
    "revoke-webhook-secret",
    "webhook-certificate",
    "load",
    "lock",
    "test-scale",
    "clean",
    "check",
}
"""What CI cannot run in a short form: it runs until it is stopped, reaches AWS or a package
registry, takes long, or is tested here."""
STEPS_OF_OTHERS = {"named", "can-ask", "lint"}


def make(
    *arguments: str, folder: Path = ROOT, stdin: int = subprocess.DEVNULL, **environment: str
) -> tuple[int, str]:
    """:returns: Exit code, and what a person sees."""
    running = ["--assume-old=.venv/.installed"] if folder == ROOT else []  # it runs this test
    kept = {name: os.environ[name] for name in ("PATH", "HOME")}
    done = subprocess.run(
        ["make", *running, *arguments],
        cwd=folder,
        env=kept | environment,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    return done.returncode, done.stdout


def test_help_is_the_default_and_lists_every_target() -> None:
    code, said = make()
    assert code == 0
    listed = [line.split()[0] for line in said.splitlines()]
    assert sorted(listed) == sorted(set(TARGETS) - STEPS_OF_OTHERS)
    assert make("help") == (0, said)


def test_ci_runs_every_target_or_there_is_a_reason_not_to() -> None:
    commands = re.findall(r"^ *make (.*)$", (ROOT / ".ci" / "run").read_text("utf-8"), re.MULTILINE)
    run = {word for command in commands for word in command.split() if word in TARGETS}
    assert run | BY_HAND | STEPS_OF_OTHERS == set(TARGETS)
    assert run & BY_HAND == set()


@pytest.mark.parametrize(
    "target", ["doctor", "deploy", "rollback", "drift", "destroy", "revoke-webhook-secret"]
)
def test_what_reaches_an_account_wants_the_environments_name(target: str) -> None:
    code, said = make(target)
    assert code == 2
    assert said.splitlines()[0] == "Name the environment, for instance: ENV=dev"


def test_the_doctor_says_what_to_do_where_there_are_no_credentials(tmp_path: Path) -> None:
    code, said = make(
        "doctor",
        "ENV=dev",
        HOME=str(tmp_path),
        AWS_EC2_METADATA_DISABLED="true",
    )
    assert code == 2
    assert "credentials: cannot be looked at" in said
    assert "set AWS_PROFILE" in said
    assert "Traceback" not in said


NO_TERMINAL = "CDK asks before it changes permissions, and there is no terminal to answer on."


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with the Makefile, whose Python and CDK only write down what they are asked."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements-dev.txt", "pyproject.toml", "package.json", "package-lock.json"):
        (tmp_path / name).touch()
    for name in (".venv/bin/python", "node_modules/.bin/cdk"):
        program = tmp_path / name
        program.parent.mkdir(parents=True)
        program.write_text(
            f'#!/bin/sh\necho "{program.name} $*" >> asked\nexit ${{{program.name}_code:-0}}\n'
        )
        program.chmod(0o755)
        (tmp_path / Path(name).parts[0] / ".installed").touch()
    return tmp_path


def asked(folder: Path) -> list[str]:
    file = folder / "asked"
    return file.read_text().splitlines() if file.exists() else []


DOCTOR = "python -m tools.doctor prod"
TRIGGERS = "python -m tools.rollback prod --triggers"
DEPLOY = "cdk deploy --all -c environment=prod"


@pytest.mark.parametrize("more", [(), ("APPROVAL=broadening",), ("DOCTOR=off",)])
def test_a_deployment_that_may_ask_and_cannot_says_so_first(
    programs: Path, more: tuple[str, ...]
) -> None:
    code, said = make("deploy", "ENV=prod", *more, folder=programs)
    assert code == 2
    assert said.splitlines()[0] == NO_TERMINAL
    assert "APPROVAL=never (--require-approval never)" in said
    assert asked(programs) == []


def test_a_deployment_without_a_terminal_that_asks_nothing(programs: Path) -> None:
    assert make("deploy", "ENV=prod", "APPROVAL=never", folder=programs)[0] == 0
    assert asked(programs) == [DOCTOR, TRIGGERS, f"{DEPLOY} --require-approval never"]


def test_a_deployment_on_a_terminal_asks_as_cdk_does(programs: Path) -> None:
    ours, its = pty.openpty()
    try:
        assert make("deploy", "ENV=prod", folder=programs, stdin=its)[0] == 0
    finally:
        os.close(ours)
        os.close(its)
    assert asked(programs) == [DOCTOR, TRIGGERS, DEPLOY]


def test_nothing_is_deployed_where_the_doctor_finds_a_problem(programs: Path) -> None:
    code, said = make("deploy", "ENV=prod", "APPROVAL=never", folder=programs, python_code="1")
    assert code == 2
    assert "Nothing was deployed. DOCTOR=off" in said
    assert asked(programs) == [DOCTOR]


def test_the_doctor_can_be_left_out(programs: Path) -> None:
    code, _ = make("deploy", "ENV=prod", "APPROVAL=never", "DOCTOR=off", folder=programs)
    assert code == 0
    assert asked(programs) == [TRIGGERS, f"{DEPLOY} --require-approval never"]


def test_nothing_is_deployed_without_knowing_what_takes_it_back(programs: Path) -> None:
    code, _ = make(
        "deploy", "ENV=prod", "APPROVAL=never", "DOCTOR=off", folder=programs, python_code="1"
    )
    assert code == 2
    assert asked(programs) == [TRIGGERS]


def test_clean_removes_what_make_wrote_and_nothing_else(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in (
        ".venv",
        ".sandbox",
        ".release",
        "node_modules",
        "cdk.out",
        "dist",
        "web/node_modules",
        "web/dist",
        "web/build",
        ".mypy_cache",
        "infra",
    ):
        (tmp_path / name).mkdir(parents=True)
    assert make("clean", folder=tmp_path) == (0, "")
    assert {each.name for each in tmp_path.iterdir()} == {"Makefile", "infra", "web"}


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("python3", "This needs python3 3.11 or newer, with its venv module."),
        (
            "node",
            "This needs Node.js 22 or newer, with npm (20 works, with a warning).",
        ),
    ],
)
def test_what_is_missing_on_the_machine_is_said_before_anything_is_installed(
    tmp_path: Path, missing: str, said: str
) -> None:
    for name in ("Makefile", "pyproject.toml", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("python3", "node"):
        stub = programs / name
        stub.write_text(f"#!/bin/sh\nexit {int(name == missing)}\n")
        stub.chmod(0o755)
    code, printed = make("wheel", folder=tmp_path, PATH=f"{programs}:{os.environ['PATH']}")
    assert code == 2
    assert printed.splitlines()[0] == said
    assert not (tmp_path / ".venv").exists()
