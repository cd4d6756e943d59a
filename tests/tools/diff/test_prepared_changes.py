"""Prepared changes, each as a pull request would show it: what its reader needs first."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from shutil import copytree, make_archive

import pytest

from tools.diff.markdown import Report
from tools.diff.report import exit_code

from .conftest import ROOT, Synthesised, commit, copy_of_repository, git
from .prepared import CHANGES

ASAPP = "`arn:aws:iam::999999999999:role/asapp-prod-mg-amazonconnect-role`"
EVERYWHERE = "`prod`, `dev`"
REPLACING = ("table_renamed", "authentication_switched", "webhook_opened")
"""Also a webhook's address, and what says who may post, are replaced or go."""


def paragraphs(report: Report) -> list[str]:
    return report.markdown().split("\n\n")


def after(heading: str, report: Report) -> str:
    """The paragraph that follows it, of which there is one."""
    found = paragraphs(report)
    assert found.count(heading) == 1, report.markdown()
    return found[found.index(heading) + 1]


def rows(table: str) -> list[list[str]]:
    """The cells of a table without its heading."""
    return [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]


def test_a_renamed_table_is_said_first_with_what_becomes_of_the_data(
    prepared: Mapping[str, Report],
) -> None:
    report = prepared["table_renamed"]
    assert paragraphs(report)[1].startswith("**⚠️ 1 thing to look at first.** 2 resources replaced")
    renamed, kept, deleted = after("### ⚠️ Look here first", report).splitlines()
    assert renamed.startswith(
        "- `TranscriptStore/Table` (`DynamoDB::Table`) becomes `TranscriptStore/Transcripts`: "
        "to CloudFormation **a new one**."
    )
    assert renamed.endswith(f"— `transcription`: {EVERYWHERE}")
    assert kept == (
        "  - `prod`: The old one stays in the account, outside the stack, with its items. Nothing "
        "in the stack uses it any more: bring it back with `cdk import`, or copy what it holds "
        "into the new one."
    )
    assert deleted == (
        "  - `dev`: The old one **is deleted** with its items. AWS keeps a last backup of such a "
        "table for 35 days: restore that, and copy it."
    )
    assert "**Permissions**" not in paragraphs(report), "they follow the table to its new name"
    assert report.has_replacements


def test_an_added_action_is_one_row_for_each_who_gets_it(prepared: Mapping[str, Report]) -> None:
    report = prepared["action_added"]
    found = paragraphs(report)
    added = [row for part in found if part.startswith("|") for row in rows(part)]
    assert {(row[0], row[2], row[3]) for row in added} == {
        ("**added**", "`dynamodb:DeleteItem`", "`TranscriptStore/Table`")
    }
    assert len({row[1] for row in added}) == len(added), "once each, not once an environment"
    everywhere = rows(found[found.index(f"### `transcription`: {EVERYWHERE}") + 2])
    for role in ("StartStreamingRole", "StopStreamingRole"):
        assert f"`TranscriptionControl/{role}`" in [row[1] for row in everywhere]
    assert f" {len(added)} permissions added" in found[1]
    assert not report.has_replacements


def test_a_widened_resource_is_called_wider(prepared: Mapping[str, Report]) -> None:
    report = prepared["resource_widened"]
    found = paragraphs(report)
    table = rows(found[found.index("### `access`: `prod`") + 2])
    streams = "arn:aws:kinesisvideo:${region}:${account}:stream/acme"
    actions = ("DescribeStream", "GetDataEndpoint", "GetMedia")
    assert [row[:4] for row in table] == [
        [said, "`KinesisVideoReadRole/Role`", f"`kinesisvideo:{action}`", f"`{streams}{rest}`"]
        for said, rest in (
            ("**added**, wider than before", "*"),
            ("**removed**", "-connect-acme-contact-*/*"),
        )
        for action in actions
    ]


def test_a_changed_line_of_a_handler_names_the_function_and_the_file(
    prepared: Mapping[str, Report],
) -> None:
    report = prepared["handler_line_changed"]
    assert paragraphs(report)[1].endswith(" 1 function's code")
    assert f"### `transcription`: {EVERYWHERE}" in paragraphs(report)
    said = after("**Functions' code**", report)
    assert said == "- `TranscriptionControl/StopStreaming`: `stop_streaming/handler.py` +2 -1"
    assert not report.has_replacements, "a new version of a function replaces nothing"


def test_an_inserted_block_is_a_block_and_not_json(prepared: Mapping[str, Report]) -> None:
    report = prepared["block_inserted"]
    assert f"### `flows`: {EVERYWHERE}" in paragraphs(report)
    assert after("**Flows**", report).splitlines() == [
        "- `CustomerWhisper/Flow`",
        "  - **added** `Say the notice` (`MessageParticipant`), after `Announce the agent`, "
        "before `Start media streaming`",
        "  - **changed** `Announce the agent` (`MessageParticipant`): "
        "goes on to `Start media streaming` → `Say the notice`, "
        "on `NoMatchingError` to `Start media streaming` → `Say the notice`",
    ]
    assert "Content" not in report.markdown()


def test_a_changed_setting_is_the_key_before_and_after(prepared: Mapping[str, Report]) -> None:
    report = prepared["setting_changed"]
    assert rows(after("### Settings", report)) == [
        ["`prod`", "`webhook.throttle_burst`", "(not set)", "`300`"]
    ]
    assert after("**Resources**", report) == (
        "- `MethodSettings.0.ThrottlingBurstLimit` `2000` → `300`: "
        "`TranscriptWebhook/Api/RestApi/DeploymentStage.v1` (`ApiGateway::Stage`)"
    )
    assert paragraphs(report)[-1] == (
        f"Unchanged: `access` ({EVERYWHERE}); `flows` ({EVERYWHERE}); `transcription` (`dev`)."
    )


def test_a_shorter_log_retention_is_said_first_as_it_deletes(
    prepared: Mapping[str, Report],
) -> None:
    report = prepared["log_retention_changed"]
    deleted, setting = after("### ⚠️ Look here first", report).splitlines()
    assert deleted.startswith(
        "- `RetentionInDays` `30` → `14` **keeps less**: what is older is deleted, in "
    )
    assert deleted.endswith("— `transcription`: `prod`")
    assert setting == (
        "- `retention.logs_days` `30` → `14`: Logs are kept for another time; a shorter one "
        "deletes at once what is older. — `prod`"
    )
    said = report.markdown()
    assert said.count("`TranscriptionControl/StartStreamingLogs`") == 1, "each group once"
    assert "### Settings" not in said, "it is said above"
    assert not report.has_replacements


def test_a_new_environment_is_one_line(prepared: Mapping[str, Report]) -> None:
    report = prepared["environment_added"]
    said = after("### ⚠️ Look here first", report)
    assert said.startswith("- **New environment `qa`**: 3 stacks, ")
    assert said.endswith(
        f"resources in `aws://444444444444/us-east-1`; its audio is read by {ASAPP}."
    )
    assert len(paragraphs(report)) == 5, "headline, verdict, this, and what is unchanged"


def test_a_comment_in_a_file_changes_nothing(prepared: Mapping[str, Report]) -> None:
    assert paragraphs(prepared["nothing"])[1:] == [f"**Nothing changes** ({EVERYWHERE})."]
    assert exit_code(prepared["nothing"], "change") == 0


def test_four_loosened_settings_are_four_sentences(prepared: Mapping[str, Report]) -> None:
    report = prepared["settings_loosened"]
    assert "Nothing that holds data" not in report.markdown()
    said = after("### ⚠️ Look here first", report).splitlines()
    assert [line for line in said if "`: " not in line.partition("→")[0]][:4] == [
        '- `asapp.api_host` `"https://api.asapp.com"` → `"https://api.asapp.example"`: This host '
        "receives ASAPP's credentials and every call's data. — `prod`",
        '- `asapp.redaction` `"redacted"` → `"unredacted"`: Unredacted text has the card numbers '
        "and names that callers say. — `prod`",
        "- `asapp.audio_recording_allowed` `false` → `true`: It decides whether ASAPP may keep the "
        "audio of calls. — `prod`",
        '- `webhook.allowed_cidrs` `["203.0.113.0/24"]` → `[]`: These networks may call the '
        "webhook; if there is none, every network may. — `prod`",
    ]
    assert [line for line in said if "no longer forbidden" in line] == [
        "- `anybody` **is no longer forbidden to** `execute-api:Invoke` on "
        "`execute-api:/*`, if `NotIpAddress aws:SourceIp = 203.0.113.0/24`. — "
        "`transcription`: `prod`"
    ]


def test_a_web_acl_that_is_turned_off_is_said_first(prepared: Mapping[str, Report]) -> None:
    report = prepared["web_acl_off"]
    assert after("### ⚠️ Look here first", report).splitlines() == [
        '- `webhook.web_acl` `"manage"` → `"off"`: With off, who has no credential can take the '
        "room of ASAPP's utterances. — `prod`",
        "- `TranscriptWebhook/Api/WebAcl/Association` (`WAFv2::WebACLAssociation`) is **removed**: "
        "who has no credential can use up the capacity of those who have one. — "
        "`transcription`: `prod`",
    ]


def test_a_blinded_tool_is_said_by_the_one_of_the_base(prepared: Mapping[str, Report]) -> None:
    said = after("### ⚠️ Look here first", prepared["tool_blinded"]).splitlines()
    assert said[0].startswith(
        "- **What checks, compares or deploys is changed**: `tools/diff/compare.py`."
    )
    somebody = "arn:aws:iam::999999999999:role/somebody-else"
    assert (
        f"- `{somebody}` **may now** `sts:AssumeRole` on `KinesisVideoReadRole/Role`"
        in "\n".join(said)
    )
    assert any("`asapp.trusted_role_arns`" in line and somebody in line for line in said)


def test_templates_that_lie_do_not_hide_the_app_or_the_settings(
    prepared: Mapping[str, Report],
) -> None:
    report = prepared["app_lies"]
    assert "### `" not in report.markdown(), "the templates are those of the base"
    said = after("### ⚠️ Look here first", report).splitlines()
    assert said[0].startswith("- **What makes the templates is changed**: `app.py`.")
    assert said[1].startswith("- `asapp.api_host` ")
    assert paragraphs(report)[2].startswith("> [!WARNING]\n> This compares templates that the ")
    assert "`app.py`" in paragraphs(report)[2]


class Repository:
    """A copy of this one, committed, in which the command runs as ``make diff`` runs it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def diff(self, *arguments: str) -> tuple[int, str]:
        """:returns: The exit code and what is printed; nothing else is written anywhere."""
        done = subprocess.run(
            [sys.executable, "-m", "tools.diff", *arguments],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "PYTHONPATH": "lambdas"},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.stderr == ""
        return done.returncode, done.stdout


@pytest.fixture(scope="session")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_of_repository(tmp_path_factory.mktemp("committed") / "repository")
    commit(folder)
    return folder


@pytest.fixture
def repository(committed: Path, tmp_path: Path) -> Repository:
    return Repository(copytree(committed, tmp_path / "repository"))


def test_the_base_judges_a_commit_without_running_it(
    repository: Repository, synthesised: Synthesised, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    git("switch", "-qc", "attack", folder=repository.folder)
    CHANGES["tool_blinded"](repository.folder)
    for file in ("app.py", "infra/connect_autotranscribe/__init__.py", "tools/diff/__main__.py"):
        path = repository.folder / file
        path.write_text(path.read_text().replace("import", f"open({str(ran)!r}, 'w')\nimport", 1))
    git("commit", "-qam", "attack", folder=repository.folder)
    commit = git("rev-parse", "HEAD", folder=repository.folder)
    git("switch", "-q", "main", folder=repository.folder)
    made = synthesised.out[synthesised.revisions["tool_blinded"]]
    templates = make_archive(str(tmp_path / "templates"), "zip", made, "prod")

    where = ("--base", "main", "--head", "attack", "--environment", "prod")
    code, said = repository.diff(*where, "--templates", templates)
    assert code == 1
    assert f"→ `{commit}`" in said.splitlines()[0]
    assert (
        "- **What checks, compares or deploys is changed**: `tools/diff/__main__.py`, `to" in said
    )
    assert "- **What makes the templates is changed**: `app.py`." in said
    assert "- `arn:aws:iam::999999999999:role/somebody-else` **may now** `sts:AssumeRole`" in said
    assert not ran.exists()

    (tmp_path / "templates.zip").write_bytes(b"PK no archive")
    code, said = repository.diff(*where, "--templates", templates)
    assert code == 2
    assert said == (
        "## This could not be compared with `main`\n\n"
        "The templates cannot be unpacked: BadZipFile.\n"
    )


def test_a_syntax_error_is_shown_with_file_and_line_and_whose_it_is(
    repository: Repository,
) -> None:
    CHANGES["syntax_error"](repository.folder)
    code, said = repository.diff("--base", "main")
    assert code == 2
    assert said.startswith(
        "## This could not be compared with `main`\n\n"
        "It is the working tree that does not synthesise:"
    )
    assert '  File "infra/connect_autotranscribe/stacks/access.py", line ' in said
    assert "SyntaxError: invalid syntax" in said
    assert "tools/" not in said, "no traceback of ours"


def test_a_base_that_does_not_synthesise_is_named(repository: Repository) -> None:
    CHANGES["syntax_error"](repository.folder)
    commit(repository.folder)
    good = (ROOT / "infra/connect_autotranscribe/stacks/access.py").read_text()
    (repository.folder / "infra/connect_autotranscribe/stacks/access.py").write_text(good)
    code, said = repository.diff("--base", "main", "--environment", "staging")
    assert code == 2
    assert "It is `main` (" in said
    assert "SyntaxError: invalid syntax" in said


def test_an_environment_that_does_not_synthesise_is_named(repository: Repository) -> None:
    file = repository.folder / "infra/environments/prod.toml"
    file.write_text(file.read_text().replace('redaction = "redacted"', 'redaction = "none"'))
    code, said = repository.diff("--base", "main", "--environment", "prod")
    assert code == 2
    assert 'infra/environments/prod.toml: asapp.redaction: "none" is not accepted' in said


def test_a_gate_for_replacements_closes_at_a_renamed_table(repository: Repository) -> None:
    CHANGES["table_renamed"](repository.folder)
    gate = ("--base", "main", "--environment", "prod", "--fail-on", "replacement")
    code, said = repository.diff(*gate)
    assert "stays in the account, outside the stack, with its items." in said
    assert "dev" not in said
    assert code == 1


def test_a_gate_for_replacements_lets_other_changes_pass(prepared: Mapping[str, Report]) -> None:
    codes = {
        name: (exit_code(report, "change"), exit_code(report, "replacement"))
        for name, report in prepared.items()
    }
    assert codes == {name: (int(name != "nothing"), int(name in REPLACING)) for name in prepared}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--base", "origin/nowhere"), "There is no revision `origin/nowhere` in this repository."),
        (
            ("--base", "main", "--environment", "produ"),
            "Neither revision has an environment `produ`; write `prod`, `staging`, `dev`.",
        ),
    ],
)
def test_what_is_not_there_is_said_in_one_line(
    repository: Repository, arguments: tuple[str, ...], said: str
) -> None:
    code, printed = repository.diff(*arguments)
    assert said in printed
    assert code == 2
