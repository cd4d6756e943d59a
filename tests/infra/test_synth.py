"""``cdk synth`` as a developer runs it: the same templates every time, from the files alone."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from app import ENVIRONMENTS
from tests.infra.conftest import ROOT, Assembly

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
    """Every run that the tests look at, by name; two at a time."""
    assert CDK.is_file(), "the CDK command line is not installed; run make, or npm ci"
    given = tmp_path_factory.mktemp("environments")
    runs = {
        "prod": ["-c", "environment=prod"],
        "prod again": ["-c", "environment=prod"],
        "bare": [],
        "unknown": ["-c", "environment=nowhere"],
        "broken": ["-c", f"environment={broken_toml(given)}"],
        "wrong": ["-c", f"environment={wrong_setting(given)}"],
    }
    before = NO_NETWORK if can_unshare() else []

    def run(arguments: list[str]) -> Synth:
        home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("cdk.out")
        done = subprocess.run(
            [*before, CDK, "synth", "--quiet", "--output", folder, *arguments],
            cwd=ROOT,
            env=surroundings(home),
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_SECONDS,
        )
        return Synth(folder, done.returncode, done.stderr.strip().splitlines())

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(runs, pool.map(run, runs.values()), strict=True)).__getitem__


def test_two_synths_of_production_are_byte_for_byte_the_same(
    synth: Callable[[str], Synth],
) -> None:
    one, two = synth("prod"), synth("prod again")
    assert (one.code, two.code) == (0, 0), one.errors
    assert len(one.files) == 2 * 3
    assert one.files == two.files
    assert one.assets
    assert one.assets == two.assets


def test_the_command_line_gives_what_the_other_tests_look_at(
    synth: Callable[[str], Synth], production: Assembly
) -> None:
    files = synth("prod").files
    for name in production.templates:
        assert json.loads(files[name]) == production.templates[name], name


def test_who_names_no_environment_gets_the_sandbox(synth: Callable[[str], Synth]) -> None:
    bare = synth("bare")
    assert bare.code == 0, bare.errors
    assert {name for name in bare.files if name.endswith(".template.json")} == {
        f"autotranscribe-sandbox-{stack}.template.json"
        for stack in ("access", "transcription", "flows")
    }
    manifest = json.loads((bare.folder / "manifest.json").read_text())
    accounts = {each.get("environment") for each in manifest["artifacts"].values()} - {None}
    assert accounts == {"aws://000000000000/us-east-1"}


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (
            "unknown",
            f'{ENVIRONMENTS}: there is no environment "nowhere"; '
            "write dev, prod, sandbox, staging, or the path of a .toml file",
        ),
        (
            "broken",
            "{given}/broken.toml: cannot be read as TOML: "
            "Illegal character '\\n' (at line 1, column 24)",
        ),
        (
            "wrong",
            '{given}/wrong.toml: asapp.api_host: "http://api.asapp.com" is not encrypted; '
            'write "https://api.asapp.com"',
        ),
    ],
)
def test_a_mistake_is_told_in_one_message_and_ends_the_run(
    synth: Callable[[str], Synth], run: str, message: str
) -> None:
    done = synth(run)
    assert done.code != 0
    said, ending = done.errors
    given = said.rsplit(f"/{run}.toml", 1)[0]
    assert said == message.replace("{given}", given)
    assert ending.endswith(": Subprocess exited with error 1")
    assert not done.files
