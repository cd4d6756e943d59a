"""``python -m connect_flows weave``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connect_flows.flow_types import HOLDS
from connect_flows.weave import weave
from tests.flow_builders import (
    END,
    HANG_UP,
    START_ARN,
    STOP_ARN,
    action,
    blocks,
    command,
    file,
    flow,
    music,
    queue,
    say,
    stream,
)
from tests.flows.weave.weaving import START, STOP


def test_the_command_writes_the_flow_and_says_what_it_put_where(tmp_path: Path) -> None:
    content = flow(say("Grüße 中", "End"), END)
    path = file(tmp_path, content)
    ran = command("weave", path, "--type", "AGENT_WHISPER", "--start", START_ARN)
    assert ran.returncode == 0
    assert json.loads(ran.stdout) == weave(content, "AGENT_WHISPER", start=START).content
    assert "Grüße 中" in ran.stdout
    assert ran.stdout.endswith("\n}\n")
    assert ran.stderr == (
        "inserted Start media streaming → Start transcription, before 'Grüße 中'\n"
    )
    again = tmp_path / "again.json"
    again.write_text(ran.stdout, "utf-8")
    twice = command("weave", again, "--type", "AGENT_WHISPER", "--start", START_ARN)
    assert (twice.returncode, twice.stdout) == (0, ran.stdout)
    assert twice.stderr == "nothing to insert: the flow has all of it already\n"


def test_the_command_writes_utf_8_wherever_it_runs(tmp_path: Path) -> None:
    path = file(tmp_path, flow(say("Grüße 中", "End"), END))
    arguments = ("weave", path, "--type", "AGENT_WHISPER", "--start", START_ARN)
    plain = command(*arguments, PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert (plain.returncode, plain.stdout) == (0, command(*arguments).stdout)
    assert "Traceback" not in plain.stderr


def test_the_command_stops_where_it_is_told_and_passes_the_ids_that_it_is_told(
    tmp_path: Path,
) -> None:
    path = file(tmp_path, flow(stream("On", True, "Queue"), queue("Queue", "Hang up"), HANG_UP))
    arguments = ["--start", START_ARN, "--stop", STOP_ARN, "--stop-before", "disconnect"]
    arguments += ["--customer-id", "$.Attributes.crm"]
    ran = command("weave", path, "--type", "CONTACT_FLOW", *arguments)
    assert ran.stderr.splitlines() == [
        "inserted Start transcription, before 'Queue'",
        "inserted Stop transcription, before 'Hang up'",
    ]
    parameters = blocks(json.loads(ran.stdout))["Start transcription"]["Parameters"]
    # An inbound flow knows no agent.
    assert parameters["LambdaInvocationAttributes"] == {"customerId": "$.Attributes.crm"}


def test_the_command_takes_the_arn_of_an_alias_in_the_region_where_the_flow_runs(
    tmp_path: Path,
) -> None:
    """As a flow of an instance with a replica names it."""
    arn = START_ARN.replace(":us-east-1:", ":$.AwsRegion:")
    assert arn != START_ARN
    path = file(tmp_path, flow(END))
    ran = command("weave", path, "--type", "AGENT_WHISPER", "--start", arn)
    assert ran.returncode == 0
    parameters = blocks(json.loads(ran.stdout))["Start transcription"]["Parameters"]
    assert parameters["LambdaFunctionARN"] == arn


def test_the_command_says_what_it_has_not_checked(tmp_path: Path) -> None:
    ask = action("Ask", "GetParticipantInput", {}, NextAction="Hang up")
    path = file(tmp_path, flow(ask, HANG_UP))
    ran = command("weave", path, "--type", "CONTACT_FLOW", "--stop", STOP_ARN)
    assert ran.returncode == 0
    assert ran.stderr.splitlines() == [
        "inserted Stop transcription, before 'Hang up'",
        f"{path}: note: not checked, because there is no rule for these blocks: "
        "GetParticipantInput",
    ]


def test_the_command_writes_a_flow_that_would_be_too_long_indented_in_one_line(
    tmp_path: Path,
) -> None:
    content = flow(say("Hello", "End"), END) | {"Notes": [0] * 60_000}
    ran = command("weave", file(tmp_path, content), "--type", "AGENT_WHISPER", "--start", START_ARN)
    assert ran.stdout.count("\n") == 1
    assert len(ran.stdout) < 256_000
    assert json.loads(ran.stdout)["Notes"] == content["Notes"]


REFUSED = {
    "no place": (
        flow(END),
        ["--start", START_ARN],
        "it has no Start media streaming, so there is no place",
    ),
    "no ending": (
        flow(END),
        ["--stop", STOP_ARN, "--stop-before", "transfer"],
        "there is no place f",
    ),
    "no path": (flow(END), ["--start", START_ARN, "--customer-id", "jane"], "customer_id_path is"),
    "too long when woven": (
        flow(stream("On", True, "End"), END),
        ["--start", f"{START_ARN}{'x' * 100}"],
        "Connect would refuse it with transcription in it: 'Start transcription': InvokeLambdaFun",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_command_says_in_one_line_why_it_cannot_weave(name: str, tmp_path: Path) -> None:
    content, arguments, message = REFUSED[name]
    path = file(tmp_path, content)
    ran = command("weave", path, "--type", "CONTACT_FLOW", *arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"{path}: {message}")
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize("option", ["--start", "--stop"])
@pytest.mark.parametrize(
    "arn",
    [
        "arn:x",
        "start",
        "$.Attributes.function",
        START_ARN.removesuffix(":live"),
        START_ARN.replace(":live", ":3"),
        START_ARN.replace(":live", ":$LATEST"),
        START_ARN.replace("lambda", "states"),
        START_ARN.replace("111122223333", "1111"),
        f"{START_ARN} ",
    ],
)
def test_the_command_takes_the_arn_of_an_alias_and_nothing_else(
    arn: str, option: str, tmp_path: Path
) -> None:
    path = file(tmp_path, flow(stream("On", True, "End"), END))
    ran = command("weave", path, "--type", "CONTACT_FLOW", option, arn)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(
        f"{path}: {option} is {arn!r}: give the ARN of the function's alias, "
    )
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize("partition", ["aws", "aws-us-gov", "aws-cn"])
def test_the_command_takes_aliases_of_every_partition(partition: str, tmp_path: Path) -> None:
    path, arn = file(tmp_path, flow(END)), START_ARN.replace("arn:aws:", f"arn:{partition}:")
    assert command("weave", path, "--type", "AGENT_WHISPER", "--start", arn).returncode == 0


@pytest.mark.parametrize("type", [*sorted(HOLDS), "CUSTOMER_QUEUE"])
def test_the_command_refuses_a_choice_of_endings_where_stop_goes_to_the_entry(
    type: str, tmp_path: Path
) -> None:
    path = file(tmp_path, flow(music()))
    ran = command("weave", path, "--type", type, "--stop", STOP_ARN, "--stop-before", "end")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == (
        f"{path}: in a flow of type {type} stop goes to the entry: remove --stop-before\n"
    )


def test_the_command_says_what_it_widened(tmp_path: Path) -> None:
    one = stream("On", True, "End")
    sided = one["Parameters"] | {
        "Participants": [{"ParticipantType": "Customer", "MediaDirections": ["From"]}]
    }
    path = file(tmp_path, flow(one | {"Parameters": sided}, END))
    arguments = ["weave", path, "--type", "AGENT_WHISPER", "--start", START_ARN]
    assert command(*arguments).returncode == 2
    ran = command(*arguments, "--both-directions")
    assert ran.returncode == 0
    assert ran.stderr.splitlines() == [
        "inserted Start transcription, before 'End'",
        "widened 'On' to both directions",
    ]


@pytest.mark.parametrize("type", sorted(HOLDS))
def test_the_command_says_what_a_stop_at_a_hold_means_without_lifecycle(
    type: str, tmp_path: Path
) -> None:
    path = file(tmp_path, flow(music()))
    ran = command("weave", path, "--type", type, "--stop", STOP_ARN)
    assert ran.returncode == 0
    assert ran.stderr.splitlines() == [
        "inserted Stop transcription, before 'Music'",
        f"{path}: note: transcription stops at each hold, and no flow runs when the hold ends: "
        "without "
        "[lifecycle] in the settings (mode manage or adopt) it does not start again, and the rest "
        "of the call has no transcript",
    ]


def test_a_stop_that_is_not_at_a_hold_needs_no_such_note() -> None:
    content = flow(stream("Off", False, "Hang up"), HANG_UP)
    assert weave(content, "CONTACT_FLOW", stop=STOP).notes == ()


def test_the_command_needs_a_start_or_a_stop(tmp_path: Path) -> None:
    ran = command("weave", file(tmp_path, flow(END)), "--type", "AGENT_WHISPER", "--start", "")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.endswith(": error: give --start, --stop or both\n")
