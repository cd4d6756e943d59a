"""Inputs that others sent, with the right answers, by the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.flow_builders import START_ARN, STOP_ARN, blocks, command, file, shared


@pytest.mark.parametrize("name", ["eventhooks_configuration", "keyexists"])
def test_what_connect_takes_is_taken(name: str, tmp_path: Path) -> None:
    path = file(tmp_path, shared(f"cases/{name}.json"))
    ran = command("check", path, "--type", "CONTACT_FLOW", "--strict")
    assert (ran.returncode, ran.stderr) == (0, f"{path}: found nothing that Connect would refuse\n")


def test_a_block_that_nothing_reaches_is_a_note(tmp_path: Path) -> None:
    path = file(tmp_path, shared("cases/unreachable_block.json"))
    note = (
        f"{path}: note: 'Left over' is not reachable from StartAction [connect-flow: unreachable]"
    )
    ran = command("check", path, "--type", "CONTACT_FLOW")
    assert (ran.returncode, ran.stdout) == (0, "")
    assert ran.stderr.splitlines() == [f"{path}: found nothing that Connect would refuse", note]


@pytest.mark.parametrize(
    ("name", "type"),
    [
        ("agent-whisper-connect-samples", "AGENT_WHISPER"),
        ("customer-queue-connect-samples", "CUSTOMER_QUEUE"),
        ("module-asapp-generativeagent", "MODULE"),
    ],
)
def test_what_others_published_is_taken(name: str, type: str, tmp_path: Path) -> None:
    path = file(tmp_path, shared(f"data/flows/{name}.json"))
    ran = command("check", path, "--type", type, "--strict")
    assert (ran.returncode, ran.stderr) == (0, f"{path}: found nothing that Connect would refuse\n")


def test_a_stop_goes_before_queue_and_end_and_the_configuration_of_hooks_stays(
    tmp_path: Path,
) -> None:
    path = file(tmp_path, shared("cases/eventhooks_configuration.json"))
    ran = command("weave", path, "--type", "CONTACT_FLOW", "--stop", STOP_ARN)
    assert ran.returncode == 0
    assert ran.stderr.splitlines() == [
        "inserted Stop transcription, before 'Queue'",
        "inserted Stop transcription 2, before 'Bye'",
    ]
    before, after = (blocks(json.loads(text)) for text in (path.read_text("utf-8"), ran.stdout))
    assert after["Set whisper"]["Parameters"] == before["Set whisper"]["Parameters"]


def test_a_flow_with_a_block_that_nothing_reaches_is_woven(tmp_path: Path) -> None:
    path = file(tmp_path, shared("cases/unreachable_block.json"))
    ran = command("weave", path, "--type", "CONTACT_FLOW", "--stop", STOP_ARN)
    assert ran.returncode == 0
    assert ran.stderr.splitlines() == [
        "inserted Stop transcription, before 'Bye'",
        f"{path}: note: 'Left over' is not reachable from StartAction [connect-flow: unreachable]",
    ]


def test_a_whisper_that_streams_the_customer_only_is_refused_and_widened_when_asked_to(
    tmp_path: Path,
) -> None:
    path = file(tmp_path, shared("cases/one_sided_streaming.json"))
    arguments = ["weave", path, "--type", "AGENT_WHISPER", "--start", START_ARN]
    ran = command(*arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "ASAPP would not hear the agent" in ran.stderr
    widened = command(*arguments, "--both-directions")
    assert widened.returncode == 0
    (participant,) = blocks(json.loads(widened.stdout))["Start media streaming"]["Parameters"][
        "Participants"
    ]
    assert participant["MediaDirections"] == ["From", "To"]


def test_the_legacy_format_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = file(tmp_path, shared("data/flows/legacy-format-realtime-transcription.json"))
    ran = command("check", path, "--type", "CONTACT_FLOW")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "import it in the flow designer, save it, and export it again" in ran.stderr
