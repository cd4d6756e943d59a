"""``cdk synth`` as a developer runs it: the same templates every time, from the files alone."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from runpy import run_path
from typing import cast

import pytest
from aws_cdk import App, Stack

from app import ENVIRONMENTS, build
from connect_settings import SettingsError
from tests.infra.conftest import ROOT, Assembly, new_app

CDK = ROOT / "node_modules" / ".bin" / "cdk"
NO_NETWORK = ["unshare", "--net", "--"]
TIME_LIMIT_SECONDS = 600


@dataclass(frozen=True)
class Synth:
    """One run of ``cdk synth``."""

    folder: Path
    code: int
    errors: list[str]

    @property
    def files(self) -> dict[str, bytes]:
        """The templates and the lists of assets, whose names are hashes of what is in them."""
        names = (*self.folder.glob("*.template.json"), *self.folder.glob("*.assets.json"))
        return {file.name: file.read_bytes() for file in names}

    @property
    def assets(self) -> dict[str, bytes]:
        return {
            str(file.relative_to(self.folder)): file.read_bytes()
            for file in self.folder.glob("asset.*/**/*")
            if file.is_file()
        }


def can_unshare() -> bool:
    try:
        return subprocess.run([*NO_NETWORK, "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def surroundings(home: Path) -> dict[str, str]:
    """Nothing but a path and an empty home: no credentials, no profile, no way out.

    The Python packages' JavaScript comes unpacked from the usual cache, which is only faster.
    """
    out = "http://127.0.0.1:9"
    kept = {name: os.environ[name] for name in os.environ if name.startswith("JSII_")}
    return kept | {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(
            Path.home() / ".cache" / "aws" / "jsii" / "package-cache"
        ),
        "AWS_EC2_METADATA_DISABLED": "true",
        "HTTP_PROXY": out,
        "HTTPS_PROXY": out,
        "http_proxy": out,
        "https_proxy": out,
    }


def broken_toml(folder: Path) -> Path:
    file = folder / "broken.toml"
    file.write_text('account = "333333333333\n')
    return file


def wrong_setting(folder: Path) -> Path:
    file = folder / "wrong.toml"
    text = (ENVIRONMENTS / "prod.toml").read_text()
    assert '"https://api.asapp.com"' in text
    file.write_text(text.replace('"https://api.asapp.com"', '"http://api.asapp.com"'))
    return file


@pytest.fixture(scope="module")
def synth(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Synth]:
    """One run for an environment, by its name or file."""
    assert CDK.is_file(), "the CDK command line is not installed; run make, or npm ci"
    before = NO_NETWORK if can_unshare() else []

    @cache
    def run(environment: str) -> Synth:
        home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("cdk.out")
        asked: list[str | Path] = ["--output", folder, "-c", f"environment={environment}"]
        done = subprocess.run(
            [*before, CDK, "synth", "--quiet", *asked],
            cwd=ROOT,
            env=surroundings(home),
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_SECONDS,
        )
        return Synth(folder, done.returncode, done.stderr.strip().splitlines())

    return run


def test_two_synths_of_production_are_byte_for_byte_the_same(
    synth: Callable[[str], Synth], production: Assembly
) -> None:
    """One by the command line, and the one that the other tests look at."""
    by_command_line, here = synth("prod"), Synth(production.folder, 0, [])
    assert by_command_line.code == 0, by_command_line.errors
    assert len(here.files) == 2 * 3
    assert by_command_line.files == here.files
    assert here.assets
    assert by_command_line.assets == here.assets


def test_who_names_no_environment_gets_the_sandbox() -> None:
    made: App = run_path(str(ROOT / "app.py"), run_name="__main__")["app"]
    stacks = [each for each in made.node.children if Stack.is_stack(each)]
    assert {each.node.id: cast(Stack, each).environment for each in stacks} == {
        f"autotranscribe-sandbox-{stack}": "aws://000000000000/us-east-1"
        for stack in ("access", "transcription", "flows")
    }


def test_a_mistake_is_told_in_one_message_and_ends_the_run(
    synth: Callable[[str], Synth], tmp_path: Path
) -> None:
    file = wrong_setting(tmp_path)
    done = synth(str(file))
    assert done.code != 0
    said, ending = done.errors
    assert said == (
        f'{file}: asapp.api_host: "http://api.asapp.com" is not encrypted; '
        'write "https://api.asapp.com"'
    )
    assert ending.endswith(": Subprocess exited with error 1")
    assert not done.files


def test_so_is_a_file_that_is_no_toml_or_is_not_there(tmp_path: Path) -> None:
    def said(environment: str) -> str:
        with pytest.raises(SettingsError) as error:
            build(new_app(), environment)
        return str(error.value)

    assert said("nowhere") == (
        f'{ENVIRONMENTS}: there is no environment "nowhere"; '
        "write dev, prod, sandbox, staging, or the path of a .toml file"
    )
    file = broken_toml(tmp_path)
    assert said(str(file)) == (
        f"{file}: cannot be read as TOML: Illegal character '\\n' (at line 1, column 24)"
    )
