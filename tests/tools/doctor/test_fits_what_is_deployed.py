"""What the doctor assumes about our stacks and functions is true."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App

from app import ENVIRONMENTS, build
from connect_settings import Settings
from shared.asapp import requests
from shared.asapp.requests import BadCredentials
from shared.runtime import Deadline
from tools.doctor.aws import Aws
from tools.doctor.checks.account import BOOTSTRAP_VERSION
from tools.doctor.checks.asapp_secret import fault
from tools.doctor.checks.quotas import ASSOCIATIONS
from tools.doctor.plan import Plan


class Deployed:
    """The development environment, which manages what there is to manage, as CDK synthesises it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        app = App(outdir=str(folder))
        build(app, "dev")
        app.synth()

    @cached_property
    def stacks(self) -> dict[str, Any]:
        """By the names under which they are deployed."""
        artifacts = json.loads((self._folder / "manifest.json").read_text())["artifacts"]
        kind = "aws:cloudformation:stack"
        return {name: each for name, each in artifacts.items() if each["type"] == kind}

    def count(self, stack: str, kind: str) -> int:
        template = json.loads((self._folder / f"{stack}.template.json").read_text())
        return sum(each["Type"] == kind for each in template["Resources"].values())


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    return Deployed(tmp_path_factory.mktemp("cdk.out"))


@pytest.fixture
def plan() -> Plan:
    settings = Settings.load(ENVIRONMENTS / "dev.toml")
    return Plan(settings, Aws(settings.region), "dev")


def test_stacks_have_the_names_that_are_looked_up(deployed: Deployed, plan: Plan) -> None:
    looked_up = {plan.stack(which) for which in ("access", "transcription", "flows")}
    assert looked_up <= set(deployed.stacks)


def test_a_stack_holds_what_is_looked_for_in_it(deployed: Deployed, plan: Plan) -> None:
    configuration = "AWS::Connect::InstanceStorageConfig"
    assert deployed.count(plan.stack("access"), configuration) == 1
    assert deployed.count(plan.stack("transcription"), configuration) == 1
    association = "AWS::Connect::IntegrationAssociation"
    assert deployed.count(plan.stack("flows"), association) == ASSOCIATIONS


def test_the_bootstrap_is_new_enough_for_every_stack(deployed: Deployed) -> None:
    properties = [stack["properties"] for stack in deployed.stacks.values()]
    assert {each["requiresBootstrapStackVersion"] for each in properties} == {BOOTSTRAP_VERSION}
    parameters = {each["bootstrapStackVersionSsmParameter"] for each in properties}
    assert parameters == {"/cdk-bootstrap/hnb659fds/version"}


@pytest.mark.parametrize(
    "value",
    [
        '{"apiId": "x", "apiSecret": "y"}',
        '{"apiId": "x", "apiSecret": "y", "note": 1}',
        '{"apiId": "x", "apiSecret": "y\\n"}',
        '{"apiId": " x", "apiSecret": "y"}',
        '{"apiId": "x", "apiSecret": "ü"}',
        '{"apiId": "x", "apiSecret": ""}',
        '{"apiId": "x", "apiSecret": 7}',
        '{"apiId": "x"}',
        '["x", "y"]',
        '"x"',
        "x",
        None,
    ],
)
def test_the_functions_take_the_secret_that_is_called_well(
    value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "secret_string", lambda *_: value)
    try:
        taken = bool(requests.AsappCredentials("name")(True, Deadline(1)))
    except BadCredentials:
        taken = False
    assert taken == (fault(value) is None)
