"""``python -m tools.doctor``, as make runs it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.doctor.__main__ import main

from .conftest import Run
from .fake_aws import Account, Refusal

ROOT = Path(__file__).parents[3]
TIME_LIMIT_SECONDS = 600

Command = Callable[..., Run]


@pytest.fixture
def command(
    surroundings: dict[str, str],
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """The command line in this process, which has loaded aws-cdk-lib already. It asks the real
    ASAPP nothing."""

    def run(*arguments: str, **changes: str | None) -> Run:
        given = {**surroundings, **changes}
        for name in list(os.environ):
            monkeypatch.delenv(name)
        for name, value in given.items():
            if value is not None:
                monkeypatch.setenv(name, value)
        try:
            code = main([*arguments, "--no-asapp"])
        except SystemExit as ended:  # by argparse
            code = int(ended.code or 0)
        return Run(code, "".join(capsys.readouterr()))

    return run


def test_all_well_as_make_runs_it(
    surroundings: dict[str, str], account: Account, environment_file: Callable[..., Path]
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.doctor", str(environment_file()), "--no-asapp"],
        cwd=ROOT,
        env=surroundings,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIME_LIMIT_SECONDS,
    )
    assert done.returncode == 0
    assert done.stdout.splitlines()[0].startswith("Looking at what ")
    assert done.stdout.splitlines()[-1] == "0 problems, 0 warnings"
    assert "\x1b" not in done.stdout  # no colours where nobody looks


def test_a_problem(
    command: Command, account: Account, environment_file: Callable[..., Path]
) -> None:
    account.bootstrap = None
    run = command(str(environment_file()))
    assert run.code == 1
    assert run.output.splitlines()[-1] == "1 problem, 0 warnings"


def test_a_number_of_calls(command: Command, environment_file: Callable[..., Path]) -> None:
    run = command(str(environment_file()), "--calls", "7")
    assert run.code == 0
    assert run.finding("7 calls at a time need 7")


def test_an_environment_by_its_name(command: Command) -> None:
    run = command("prod", AWS_REGION="eu-central-1")
    assert run.code in (0, 1)
    assert run.output.startswith("Looking at what ") and "prod.toml" in run.output.splitlines()[0]


def test_an_environment_that_does_not_exist(command: Command, account: Account) -> None:
    run = command("nowhere")
    assert run.code == 2
    assert 'there is no environment "nowhere"; write dev, prod' in run.output
    assert account.calls == []


def test_an_environment_that_is_wrong(
    command: Command, account: Account, environment_file: Callable[..., Path]
) -> None:
    run = command(str(environment_file({"media_streaming.mode": "borrow"})))
    assert run.code == 2
    assert "media_streaming.mode" in run.output
    assert account.calls == []


@pytest.mark.parametrize("calls", ["0", "-1", "many"])
def test_a_number_of_calls_that_is_none(command: Command, calls: str) -> None:
    run = command("prod", f"--calls={calls}")
    assert run.code == 2
    assert "write 1 or more" in run.output


def test_asapp_is_asked_unless_you_say_otherwise(
    surroundings: dict[str, str],
    account: Account,
    environment_file: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)
    nobody = "https://127.0.0.1:9"  # refused at once
    file = str(environment_file({"asapp.api_host": nobody}))
    assert main([file]) == 0
    asked = Run(0, "".join(capsys.readouterr()))
    assert asked.finding("warning  ASAPP's API", f"{nobody} did not answer this machine")
    main([file, "--no-asapp"])
    assert Run(0, "".join(capsys.readouterr())).finding("skipped  ASAPP's API: not asked")


def test_no_credentials(command: Command, environment_file: Callable[..., Path]) -> None:
    run = command(str(environment_file()), AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)
    assert run.code == 1
    assert "set AWS_PROFILE" in run.finding("credentials: cannot be looked at: Unable to locate")
    assert run.finding("the checks after it: not run")


def test_a_profile_that_does_not_exist(
    command: Command, environment_file: Callable[..., Path]
) -> None:
    run = command(str(environment_file()), AWS_PROFILE="of-a-colleague")
    assert run.code == 1
    assert run.finding("credentials: cannot be looked at", "(of-a-colleague) could not be found")


def test_a_profile_whose_role_may_not_be_assumed(
    command: Command, account: Account, environment_file: Callable[..., Path], tmp_path: Path
) -> None:
    account.refusals["AssumeRole"] = Refusal("AccessDenied", "not yours", 403)
    config = tmp_path / "config"
    role = "arn:aws:iam::333333333333:role/deployer"
    config.write_text(
        f"[profile p]\nrole_arn={role}\nsource_profile=s\nregion=eu-central-1\n"
        "[profile s]\naws_access_key_id=x\naws_secret_access_key=y\n"
    )
    keys: dict[str, str | None] = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
    run = command(str(environment_file()), AWS_PROFILE="p", AWS_CONFIG_FILE=str(config), **keys)
    assert run.code == 1
    assert run.finding("credentials: cannot be looked at", "AssumeRole")
    assert run.finding("the checks after it: not run")


def test_no_way_to_aws(command: Command, environment_file: Callable[..., Path]) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and never listening: refused at once
        run = command(
            str(environment_file()), AWS_ENDPOINT_URL=f"http://127.0.0.1:{nobody.getsockname()[1]}"
        )
    assert run.code == 1
    assert "HTTPS_PROXY" in run.finding("credentials: cannot be looked at: Could not connect")
    assert run.finding("the checks after it: not run")


def test_one_service_without_a_way_to_it(
    command: Command, environment_file: Callable[..., Path]
) -> None:
    run = command(str(environment_file()), AWS_ENDPOINT_URL_SSM="http://127.0.0.1:9")
    assert run.code == 1
    assert "HTTPS_PROXY" in run.finding("CDK bootstrap: cannot be looked at: Could not connect")
    assert run.finding("well  API Gateway's logs")
