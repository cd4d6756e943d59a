"""An audit of a folder, by the command line."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.flow_builders import START_ARN, STOP_ARN, Json, command, invoke
from tests.flows.audit.auditing import (
    FULL,
    GOOD,
    INSTANCE,
    LEFT,
    QUIET_WHISPER,
    WHISPER,
    WHISPERED,
    hook,
    queued,
    write,
)

ARGUMENTS = ("--start", START_ARN, "--stop", STOP_ARN)


WHISPERED_AND_STOPPED = queued(
    *copy.deepcopy(WHISPERED["Actions"][:1]), invoke("Left", "Queue", STOP_ARN)
)


def described(id: str, type: str, content: Json, status: str = "PUBLISHED") -> Json:
    flow = {"Arn": FULL + id, "Id": id, "Name": id, "Type": type, "Status": status}
    return {"ContactFlow": flow | {"Content": json.dumps(content)}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As the AWS command line answers; all is well, also if it is audited without options."""
    for id, (type, content) in GOOD.items():
        write(tmp_path, f"{id}.json", described(id, type, content))
    arn = "arn:aws:connect:us-east-1:111122223333:phone-number/n"
    number = {"PhoneNumberArn": arn, "PhoneNumber": "+15550100"}
    write(tmp_path, "numbers.json", {"ListPhoneNumbersSummaryList": [number]})
    association = {"ResourceId": arn, "FlowId": FULL + "main"}
    write(tmp_path, "associations.json", {"FlowAssociationSummaryList": [association]})
    write(tmp_path, "functions.json", {"LambdaFunctions": [START_ARN, STOP_ARN]})
    return tmp_path


def test_all_is_well(folder: Path) -> None:
    ran = command("audit", folder, *ARGUMENTS)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == "0 findings, 0 notes; walked from 1 beginning of calls\n"


def test_what_is_wrong_is_a_table_with_the_place_the_setting_and_what_to_do(folder: Path) -> None:
    write(folder, "whisper.json", described("whisper", "AGENT_WHISPER", QUIET_WHISPER))
    ran = command("audit", folder, *ARGUMENTS)
    assert (ran.returncode, ran.stderr) == (1, "")
    assert ran.stdout.splitlines() == [
        "A call meets an agent without transcription",
        "  flow / block  setting",
        "  main / Queue  Set whisper flow (now 'whisper')",
        "      nothing starts transcription for the agent's talk",
        "      → weave a start into 'whisper', or set our whisper flow instead",
        "      calls: +15550100",
        "",
        "1 finding, 0 notes; walked from 1 beginning of calls",
    ]


def test_the_same_as_json(folder: Path) -> None:
    write(folder, "whisper.json", described("whisper", "AGENT_WHISPER", QUIET_WHISPER))
    ran = command("audit", folder, *ARGUMENTS, "--json")
    report = json.loads(ran.stdout)
    assert (ran.returncode, ran.stderr) == (1, "")
    assert report["findings"] == [
        {
            "kind": "no-transcript",
            "flow": "main",
            "flow_id": "main",
            "block": "Queue",
            "setting": "Set whisper flow (now 'whisper')",
            "what": "nothing starts transcription for the agent's talk",
            "remedy": "weave a start into 'whisper', or set our whisper flow instead",
            "calls": ["+15550100"],
        }
    ]
    assert [each["moment"] for each in report["calls"]["+15550100"]] == [
        "call",
        "agent whisper",
        "talk",
        "disconnect",
    ]


def test_a_draft_is_told_from_what_is_published(folder: Path) -> None:
    write(folder, "saved.json", described("whisper", "AGENT_WHISPER", QUIET_WHISPER, "SAVED"))
    ran = command("audit", folder, *ARGUMENTS)
    assert ran.returncode == 1
    assert "What is saved differs from what is published" in ran.stdout


def test_files_that_the_flow_designer_exports_are_known_by_their_names(tmp_path: Path) -> None:
    """They have no ids, and name other flows by ARNs and by the names that the designer shows."""
    main = queued(
        hook("Set whisper", "AgentWhisper", "Left", "1111"),
        hook("Left", "CustomerRemaining", "Queue", "2222"),
    )
    for block, event, name in (
        ("Set whisper", "AgentWhisper", "Whisper"),
        ("Left", "CustomerRemaining", "Left"),
    ):
        main["Metadata"]["ActionMetadata"][block]["parameters"] = {
            "EventHooks": {event: {"displayName": name}}
        }
    for name, type, content in (
        ("Main", "contactFlow", main),
        ("Whisper", "agentWhisper", WHISPER),
        ("Left", "contactFlow", LEFT),
    ):
        metadata = {**content["Metadata"], "name": name, "type": type}
        write(tmp_path, f"{name}.json", {**content, "Metadata": metadata})
    ran = command("audit", tmp_path, *ARGUMENTS)
    assert ran.stdout.splitlines()[-1] == "0 findings, 1 note; walked from 1 beginning of calls"
    assert ran.returncode == 0


def test_without_options_functions_are_known_by_their_names(folder: Path) -> None:
    text = json.dumps(WHISPER).replace(":start:live", ":start_streaming:live")
    write(folder, "whisper.json", described("whisper", "AGENT_WHISPER", json.loads(text)))
    text = json.dumps(LEFT).replace(":stop:live", ":stop_streaming:live")
    write(folder, "left.json", described("left", "CONTACT_FLOW", json.loads(text)))
    (folder / "functions.json").unlink()
    assert command("audit", folder).returncode == 0


def test_the_commands_set_and_set_back_and_nothing_is_run(folder: Path) -> None:
    write(folder, "whisper.json", described("whisper", "AGENT_WHISPER", QUIET_WHISPER))
    ran = command("audit", folder, *ARGUMENTS, "--commands")
    update = (
        "aws connect update-contact-flow-content --instance-id i --contact-flow-id whisper "
        "--region us-east-1 --content file://whisper"
    )
    assert (ran.returncode, ran.stdout.splitlines()) == (
        1,
        [
            "# the agent whisper flow 'whisper'",
            "aws connect describe-contact-flow --instance-id i --contact-flow-id whisper "
            "--query ContactFlow.Content --output text --region us-east-1 > whisper.json",
            "python -m connect_flows weave whisper.json --type AGENT_WHISPER "
            f"--start {START_ARN} > whisper-woven.json",
            f"{update}-woven.json",
            "# and back:",
            f"{update}.json",
            "",
        ],
    )


def test_a_queue_keeps_its_number_in_the_command_that_sets_its_whisper(folder: Path) -> None:
    config = {"OutboundCallerIdName": "Jane's", "OutboundCallerIdNumberId": "n"}
    queue = {"QueueId": "q", "QueueArn": f"{INSTANCE}/queue/q", "Name": "Sales\n; rm -rf /"}
    write(folder, "queues.json", {"Queues": [queue | {"OutboundCallerConfig": config}]})
    ours = described("out", "OUTBOUND_WHISPER", WHISPER)
    ours["ContactFlow"]["Name"] = "staging Transcription outbound whisper"
    write(folder, "out.json", ours)
    lines = command("audit", folder, *ARGUMENTS, "--commands").stdout.splitlines()
    quoted = """'{"OutboundCallerIdName": "Jane'"'"'s", "OutboundCallerIdNumberId": "n", """
    assert lines == [
        r"# the outbound whisper flow of the queue 'Sales\n; rm -rf /'",
        "aws connect update-queue-outbound-caller-config --instance-id i --queue-id q "
        f"--outbound-caller-config {quoted}"
        """"OutboundFlowId": "out"}' --region us-east-1""",
        "# there was none before",
        "",
    ]


def test_a_quick_connect_and_a_number_get_ours_and_theirs_back(folder: Path) -> None:
    left = hook("Left", "CustomerRemaining", "Queue", "left")
    write(folder, "main.json", described("main", "CONTACT_FLOW", queued(left)))
    ours = described("ours", "QUEUE_TRANSFER", WHISPERED_AND_STOPPED)
    ours["ContactFlow"]["Name"] = "Transcription transfer to queue"
    write(folder, "ours.json", ours)
    config = {"QueueId": "q", "ContactFlowId": "theirs"}
    quick_connect = {
        "QuickConnectId": "c",
        "Name": "Billing",
        "QuickConnectConfig": {"QuickConnectType": "QUEUE", "QueueConfig": config},
    }
    write(folder, "quick.json", {"QuickConnects": [quick_connect]})
    write(folder, "theirs.json", described("theirs", "QUEUE_TRANSFER", queued(left)))
    lines = command("audit", folder, *ARGUMENTS, "--commands").stdout.splitlines()
    update = (
        "aws connect update-quick-connect-config --instance-id i --quick-connect-id c "
        """--quick-connect-config '{"QuickConnectType": "QUEUE", """
        """"QueueConfig": {"QueueId": "q", "ContactFlowId": """
    )
    associate = (
        "aws connect associate-phone-number-contact-flow --instance-id i --phone-number-id n "
        "--region us-east-1 --contact-flow-id "
    )
    assert lines == [
        "# the transfer flow of the quick connect 'Billing'",
        f"""{update}"ours"}}}}' --region us-east-1""",
        "# and back:",
        f"""{update}"theirs"}}}}' --region us-east-1""",
        "",
        "# the flow of +15550100: in a copy of 'main', put *Set whisper flow* before 'Queue'; COPY "
        "is the id of the copy",
        f'{associate}"$COPY"',
        "# and back:",
        f"{associate}main",
        "",
    ]


def test_each_call_path_is_drawn(folder: Path, tmp_path: Path) -> None:
    ran = command("audit", folder, *ARGUMENTS, "--picture", tmp_path / "pictures")
    assert ran.returncode == 0
    (picture,) = (tmp_path / "pictures").iterdir()
    assert picture.name == "+15550100.svg"
    words = [each.text for each in ElementTree.parse(picture).iter() if each.text]  # noqa: S314
    for word in ("main", "whisper", "left", "Agent and"):
        assert word in words


@pytest.mark.parametrize("content", ["", "[]", "{", '{"modules": [], "branches": []}', "nan"])
def test_a_file_that_is_no_flow_is_a_note(folder: Path, content: str) -> None:
    (folder / "strange.json").write_text(content, "utf-8")
    ran = command("audit", folder, *ARGUMENTS)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("note: strange.json is not read: ")


def test_a_folder_without_flows_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        ran = command("audit", path)
        assert (ran.returncode, ran.stdout) == (2, "")
        assert str(path) in ran.stderr
