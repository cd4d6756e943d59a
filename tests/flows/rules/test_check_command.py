"""``python -m connect_flows check``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import connect_flows
from tests.flow_builders import END, ROOT, START_ARN, Json, action, command, file, flow, music, say
from tests.flows.rules.rule_rows import READY_MADE


def test_the_command_says_that_a_flow_is_fine(tmp_path: Path) -> None:
    path = file(tmp_path, READY_MADE["Transcription agent whisper"].to_json())
    ran = command("check", path, "--type", "AGENT_WHISPER")
    assert (ran.returncode, ran.stdout) == (0, "")
    assert ran.stderr == f"{path}: found nothing that Connect would refuse\n"


def test_the_command_says_what_it_has_not_checked(tmp_path: Path) -> None:
    path = file(tmp_path, flow(action("Ask", "GetParticipantInput", NextAction="End"), END))
    ran = command("check", path, "--type", "CONTACT_FLOW")
    assert (ran.returncode, ran.stdout) == (0, "")
    assert ran.stderr.splitlines() == [
        f"{path}: found nothing that Connect would refuse",
        f"{path}: note: not checked, because there is no rule for these blocks: "
        "GetParticipantInput",
    ]


@pytest.mark.parametrize("verb", ["check", "weave"])
def test_a_note_leaves_the_exit_code_0_and_strict_makes_it_2(verb: str, tmp_path: Path) -> None:
    path = file(tmp_path, flow(END, action("Left over", "EndFlowExecution")))
    arguments = [verb, path, "--type", "AGENT_WHISPER"]
    arguments += ["--start", START_ARN] if verb == "weave" else []
    note = (
        f"{path}: note: 'Left over' is not reachable from StartAction [connect-flow: unreachable]"
    )
    ran = command(*arguments)
    assert ran.returncode == 0
    assert ran.stderr.splitlines()[-1] == note
    strict = command(*arguments, "--strict")
    assert (strict.returncode, strict.stdout) == (2, "")
    assert strict.stderr == f"{note}\n"
    fine = command(verb, file(tmp_path, flow(END)), *arguments[2:], "--strict")
    assert fine.returncode == 0


def a_long_flow() -> Json:
    names = [f"Log {number}" for number in range(299)]
    blocks = [
        action(name, "UpdateFlowLoggingBehavior", NextAction=to)
        for name, to in zip(names, [*names[1:], "End"], strict=True)
    ]
    return flow(*blocks, END)


REFUSED: dict[str, tuple[object, str]] = {
    "legacy": ({"modules": []}, "it is in the legacy format (modules, branches), which the API"),
    "dangling": (flow(say("Hello", to="Nowhere")), "'Hello' transitions to 'Nowhere', which does"),
    "forbidden": (
        flow(music()),
        "'Music': MessageParticipantIteratively is not allowed in a flow of type AGENT_WHISPER [",
    ),
    "300 actions": (a_long_flow(), "it has 300 actions, not 1 to 250 [DG flow-language-example]"),
    "broken": ('{"Version": ', "it is not JSON: Expecting value: line 1 column 13"),
    "empty": ("", "it is empty: export the flow again"),
    "list": ("[]", "it is not a flow: a flow is a JSON object"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("verb", ["check", "weave"])
def test_the_command_refuses_in_one_line_with_exit_code_2(
    verb: str, name: str, tmp_path: Path
) -> None:
    content, message = REFUSED[name]
    path = file(tmp_path, content)
    weaving = ["--start", START_ARN] if verb == "weave" else []
    ran = command(verb, path, "--type", "AGENT_WHISPER", *weaving)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"{path}: {message}")
    assert ran.stderr.count("\n") == 1


def test_the_command_refuses_what_it_cannot_read(tmp_path: Path) -> None:
    binary = tmp_path / "binary.json"
    binary.write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe\x00")
    for path, message in (
        (tmp_path, "it cannot be read: Is a directory"),
        (tmp_path / "missing.json", "it cannot be read: No such file or directory"),
        (binary, "it is not a text file in UTF-8"),
    ):
        ran = command("check", path, "--type", "AGENT_WHISPER")
        assert (ran.returncode, ran.stdout) == (2, "")
        assert ran.stderr == f"{path}: {message}\n"


def test_the_command_tells_every_problem_on_a_line_of_its_own(tmp_path: Path) -> None:
    path = file(tmp_path, flow(action("a:\nb", "Compare", {}, NextAction="c")))
    ran = command("check", path, "--type", "CUSTOMER_HOLD")
    assert ran.returncode == 2
    lines = ran.stderr.splitlines()
    notes = [line for line in lines if line.startswith(f"{path}: note: 'a:\\nb'")]
    assert (len(lines), len(notes)) == (5, 3)
    assert lines[-3:] == notes
    assert all(line.startswith(f"{path}: 'a:\\nb'") for line in lines[:2])
    assert all(line.endswith("]") for line in lines)


def test_the_command_reads_a_file_that_begins_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "flow.json"
    path.write_text(json.dumps(flow(action("Ende für heute", "EndFlowExecution"))), "utf-8-sig")
    assert command("check", path, "--type", "AGENT_WHISPER").returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [[], ["check"], ["check", "x.json"], ["check", "x.json", "--type", "WHISPER"], ["mend", "x"]],
)
def test_the_command_says_how_it_is_called(arguments: list[str]) -> None:
    ran = command(*arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("usage: python -m connect_flows")


def test_no_module_of_the_flow_language_loads_cdk_or_jsii() -> None:
    package = Path(connect_flows.__path__[0])
    modules = [
        ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted(package.rglob("*.py"))
    ]
    assert {"connect_flows.weave", "connect_flows.__main__"} < set(modules)
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", f"import {', '.join(modules)}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    imported = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()}
    assert set(modules) <= imported
    assert not {
        each for each in imported if each.split(".")[0] in ("aws_cdk", "jsii", "constructs")
    }
