"""What the wheel holds, says of itself, and needs."""

from __future__ import annotations

import re
import subprocess
import sys
from email import message_from_string
from email.message import Message
from pathlib import Path
from zipfile import ZipFile

import pytest
from markdown_it import MarkdownIt

from tests.infra.conftest import ROOT

from .conftest import Team

PACKAGES = ("connect_autotranscribe", "connect_flows", "connect_settings")
CODE = ROOT / "lambdas"
PAGE = ROOT / "web" / "dist"
"""Once ``make web`` has built it."""
DIST_INFO = "connect_autotranscribe-0.1.0.dist-info"


def source(folder: Path, place: str) -> dict[str, bytes]:
    """A folder's Python files, by their names in the wheel."""
    return {
        f"{place}/{file.relative_to(folder).as_posix()}": file.read_bytes()
        for pattern in ("*.py", "py.typed")
        for file in folder.rglob(pattern)
    }


@pytest.fixture(scope="module")
def files(wheel: Path) -> dict[str, bytes]:
    with ZipFile(wheel) as file:
        return {name: file.read(name) for name in file.namelist()}


@pytest.fixture(scope="module")
def metadata(files: dict[str, bytes]) -> Message:
    return message_from_string(files[f"{DIST_INFO}/METADATA"].decode())


def test_the_wheel_holds_the_packages_and_the_functions_code_and_nothing_else(
    files: dict[str, bytes],
) -> None:
    ours = {name: content for name, content in files.items() if not name.startswith(DIST_INFO)}
    wanted = source(CODE, "connect_autotranscribe/_lambdas")
    assert wanted
    for package in PACKAGES:
        wanted |= source(ROOT / "infra" / package, package)
    for file in PAGE.rglob("*") if PAGE.exists() else ():
        if file.is_file():
            name = f"connect_autotranscribe/_web/{file.relative_to(PAGE).as_posix()}"
            wanted[name] = file.read_bytes()
    assert ours == wanted
    described = ("METADATA", "RECORD", "WHEEL", "licenses/LICENSE")
    assert set(files) - set(ours) == {f"{DIST_INFO}/{name}" for name in described}


@pytest.mark.parametrize("package", PACKAGES)
def test_it_says_that_it_has_types(package: str, files: dict[str, bytes]) -> None:
    assert files[f"{package}/py.typed"] == b""


def test_it_names_what_it_needs_and_nothing_that_only_its_tests_need(metadata: Message) -> None:
    needed = {re.split("[<>=!~ ]", each)[0] for each in metadata.get_all("Requires-Dist", [])}
    assert needed == {"aws-cdk-lib", "connect-flow", "constructs"}
    assert metadata["Name"] == "connect-autotranscribe"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Summary"]


def test_its_licence_is_apache_2(files: dict[str, bytes], metadata: Message) -> None:
    assert metadata["License-Expression"] == "Apache-2.0"
    text = files[f"{DIST_INFO}/licenses/LICENSE"]
    assert text == (ROOT / "LICENSE").read_bytes()
    assert b"Apache License\n                           Version 2.0, January 2004\n" in text


def test_its_description_is_the_readme_and_renders(metadata: Message) -> None:
    description = str(metadata.get_payload())
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert description.strip() == (ROOT / "README.md").read_text("utf-8").strip()
    page = MarkdownIt("commonmark").enable("table").render(description)
    assert page.startswith("<h1>connect-autotranscribe</h1>")
    assert "<table>" in page
    assert "```" not in page, "a fence that does not end"


def test_a_team_has_the_wheel_and_what_it_needs_and_nothing_of_the_checkout(team: Team) -> None:
    probe = """
import sys
from importlib.util import find_spec

import connect_autotranscribe

print(connect_autotranscribe.__file__)
print(*sys.path, sep="\\n")
print(*(name for name in ("cdk_nag", "moto", "pytest", "shared", "sandbox") if find_spec(name)))
"""
    done = team.run("-c", probe)
    assert done.stderr == ""
    file, *path, other = done.stdout.split("\n")[:-1]
    assert Path(file) == team.site_packages / "connect_autotranscribe" / "__init__.py"
    assert [each for each in path if each.startswith(str(ROOT))] == []
    assert other == ""


def test_nothing_that_it_needs_is_missing(team: Team) -> None:
    check: list[str | Path] = [sys.executable, "-m", "pip", "--python", team.python, "check"]
    done = subprocess.run(check, cwd=team.folder, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("No broken requirements found.\n", 0)


def test_the_flow_language_and_the_settings_work_without_aws_cdk(team: Team) -> None:
    probe = """
import sys

import connect_flows
import connect_settings

print(*({"aws_cdk", "jsii", "constructs"} & set(sys.modules)))
"""
    done = team.run("-c", probe)
    assert (done.stdout, done.stderr) == ("\n", "")
    done = team.run("-m", "connect_flows", "--help")
    assert done.stdout.startswith("usage: ")
