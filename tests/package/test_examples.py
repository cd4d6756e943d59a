"""The examples, as another team runs them: from the wheel, in its own folder, and offline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.infra.conftest import Assembly
from tests.infra.test_synth import can_unshare

from .conftest import NAMES, Team, all_constructs

each_example = pytest.mark.parametrize("name", NAMES)


def outcome(folder: Path) -> dict[str, bytes]:
    """Every template and every list of assets, whose names are hashes of what is in them."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for ending in ("template.json", "assets.json")
        for file in folder.rglob(f"*.{ending}")
    }


@each_example
def test_an_example_becomes_from_the_wheel_what_it_becomes_from_the_checkout(
    name: str, installed: Path, checkout: Callable[[str], Assembly]
) -> None:
    from_wheel, from_checkout = outcome(installed / name), outcome(checkout(name).folder)
    assert from_wheel.keys() == from_checkout.keys()
    assert from_wheel == from_checkout
    assert any(file.endswith(".template.json") for file in from_wheel)


def of_the_team(rule: str, construct: str) -> bool:
    """What only a team can accept: that a role of its own reads every conversation."""
    its_grant = construct.startswith("Reading/Summarise/")
    return its_grant and rule.endswith("/GET/conversations/*/transcript]")


@pytest.mark.parametrize("name", [*NAMES, "constructs"])
def test_cdk_nag_finds_nothing_in_an_example(
    name: str, checkout: Callable[[str], Assembly]
) -> None:
    findings = [each for each in checkout(name).findings if not of_the_team(*each)]
    assert findings == []


def test_nor_where_a_team_sets_no_feature_flag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.infra.conftest.CONTEXT", {})
    findings = all_constructs(tmp_path).findings
    assert [each for each in findings if not of_the_team(*each)] == []


def test_the_examples_are_synthesised_where_there_is_no_network(team: Team) -> None:
    if not can_unshare():
        pytest.skip("this machine cannot take the network away; only the proxies lead nowhere")
    probe = "import socket; socket.create_connection(('192.0.2.1', 80))"
    done = team.run("-c", probe, without_network=True)
    assert done.stderr.endswith("Network is unreachable\n")
