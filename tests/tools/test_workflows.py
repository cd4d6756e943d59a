"""What the workflows may do, and in which order: exact, so that one permission more fails."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tools.diff.changes import sources

ROOT = Path(__file__).parents[2]
WORKFLOWS: dict[str, Any] = {
    file.stem: YAML(typ="safe").load(file.read_text("utf-8"))
    for file in (ROOT / ".github" / "workflows").glob("*.yml")
}
CREDENTIALS = "aws-actions/configure-aws-credentials@"
INSTALLS = re.compile(
    r"\b(npm|npx|pip|pipx|apt-get)\b|\buv (?!publish)|make .*\.installed|make synth"
)

Job = Mapping[str, Any]


def jobs() -> Iterator[tuple[str, Job]]:
    for name, workflow in WORKFLOWS.items():
        for job, body in workflow["jobs"].items():
            yield f"{name}: {job}", body


JOBS = dict(jobs())
DEPLOY: Job = JOBS["deploy-environment: deploy"]


def scripts(job: Job) -> list[str]:
    """What each step runs or uses, in order."""
    return [step.get("run") or step["uses"] for step in job.get("steps", [])]


def test_zizmor_finds_nothing_at_its_strictest_and_one_finding_is_ignored() -> None:
    done = subprocess.run(
        [
            Path(sys.executable).with_name("zizmor"),
            *("--offline", "--no-progress", "--persona", "auditor", "--format", "plain"),
            ROOT / ".github" / "workflows",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    ignored = {
        (file.name, rule)
        for file in (ROOT / ".github" / "workflows").glob("*.yml")
        for rule in re.findall(r"zizmor: ignore\[(.*?)\]", file.read_text("utf-8"))
    }
    assert ignored == {("report.yml", "dangerous-triggers")}


REPORT = [JOBS["report: compare"], JOBS["report: comment"]]


def test_the_code_of_a_pull_request_runs_where_there_is_nothing_to_take() -> None:
    """Its own event: for a fork's commits GitHub gives it no secret, and a token that reads."""
    for name in ("pull-request", "templates"):
        assert WORKFLOWS[name].get(True, WORKFLOWS[name].get("on")).keys() == {"pull_request"}
        for job in WORKFLOWS[name]["jobs"].values():
            assert job["permissions"] == {"contents": "read"}
            assert "environment" not in job
    assert "secrets." not in (ROOT / ".github" / "workflows" / "templates.yml").read_text("utf-8")


def test_the_report_runs_nothing_of_the_pull_request() -> None:
    text = (ROOT / ".github" / "workflows" / "report.yml").read_text("utf-8")
    assert WORKFLOWS["report"].get(True, WORKFLOWS["report"].get("on")).keys() == {
        "pull_request_target"
    }
    checkouts = [
        step.get("with", {})
        for job in REPORT
        for step in job["steps"]
        if "actions/checkout@" in step.get("uses", "")
    ]
    assert [each["persist-credentials"] for each in checkouts] == [False, False]
    assert not any("ref" in each or "repository" in each for each in checkouts)
    assert re.findall(r"git [^\n]*(?:checkout|switch|reset|worktree|merge|pull )", text) == []
    assert "cache" not in re.sub("package-manager-cache: false", "", text)
    given = set(re.findall(r"github\.event\.([a-z_.]+)", text))
    assert given == {"pull_request.number", "pull_request.head.sha"}, "neither is anybody's text"
    assert not any("${{" in step.get("run", "") for job in REPORT for step in job["steps"])


def test_the_job_that_may_write_has_no_packages_and_reads_no_template() -> None:
    compare, comment = REPORT
    assert compare["permissions"] == {"actions": "read", "contents": "read"}
    assert comment["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert [each for each in scripts(comment) if INSTALLS.search(each)] == []
    assert scripts(comment)[-1] == "python3 -m tools.pull_request comment report/report.md"
    assert comment["if"] == "always()", "a failure overwrites what was said before"


def test_owners_are_asked_for_what_no_report_can_vouch_for() -> None:
    lines = (ROOT / ".github" / "CODEOWNERS").read_text("utf-8").splitlines()
    owned = {line.split()[0] for line in lines if line and not line.startswith("#")}
    watched = {
        f"/{each.rstrip('*')}" if each[0] != "*" and not each.startswith("requirements") else each
        for each in (*sources.REVIEW, *sources.MAKERS)
    }
    same = {
        "*/requirements*.txt": "requirements*.txt",
        "*conftest.py": "conftest.py",
        "*sitecustomize.py": "sitecustomize.py",
        "*usercustomize.py": "usercustomize.py",
        "*pip.conf": "pip.conf",
        "/.npmrc": ".npmrc",
    }
    assert {same.get(each, each) for each in watched} | {"/infra/"} == owned


def test_what_each_workflow_may_do_beside_reading() -> None:
    more = {
        f"{name} {permission}"
        for name, job in JOBS.items()
        for permission, level in job["permissions"].items()
        if level == "write"
    }
    assert more == {
        "deploy: dev id-token",
        "deploy: staging id-token",
        "deploy: prod id-token",
        "deploy-environment: doctor id-token",
        "deploy-environment: deploy id-token",
        "deploy-environment: verify id-token",
        "drift: drift id-token",
        "report: comment pull-requests",
        "release: attest attestations",
        "release: attest id-token",
        "release: publish id-token",
        "release: notes contents",
    }
    assert all(workflow["permissions"] == {} for workflow in WORKFLOWS.values())


ASSUMING = [name for name, job in JOBS.items() if any(CREDENTIALS in x for x in scripts(job))]


def test_four_kinds_of_roles_are_assumed_and_one_to_publish() -> None:
    assert sorted(ASSUMING) == [
        "deploy-environment: deploy",
        "deploy-environment: doctor",
        "deploy-environment: verify",
        "drift: drift",
        "release: publish",
    ]
    roles = {
        step["with"]["role-to-assume"]
        for name in ASSUMING
        for step in JOBS[name]["steps"]
        if CREDENTIALS in step.get("uses", "")
    }
    assert len(roles) == len(ASSUMING)


@pytest.mark.parametrize("name", ASSUMING)
def test_nothing_is_installed_or_built_once_a_role_is_assumed(name: str) -> None:
    all_scripts = scripts(JOBS[name])
    (place,) = [number for number, each in enumerate(all_scripts) if CREDENTIALS in each]
    before, after = all_scripts[:place], all_scripts[place + 1 :]
    assert [each for each in after if INSTALLS.search(each) or "@" in each.split("\n")[0]] == []
    assert any(INSTALLS.search(each) for each in before)


def test_a_role_is_assumed_for_a_github_environment_only() -> None:
    assert [name for name in ASSUMING if "environment" not in JOBS[name]] == []


def test_the_deploying_job_refuses_and_verifies_before_it_assumes_its_role() -> None:
    order = [
        "tools.deployed",
        "download-artifact",
        ".ci/digest",
        "npm ci --ignore-scripts",
        CREDENTIALS,
        "cdk deploy",
    ]
    steps = scripts(DEPLOY)
    places = [next(n for n, each in enumerate(steps) if word in each) for word in order]
    assert places == sorted(places)
    assert places[-1] == len(steps) - 1
    assert DEPLOY["concurrency"]["cancel-in-progress"] is False
    assert set(DEPLOY["needs"]) == {"changes", "doctor"}


def test_whoever_approves_sees_what_changes_against_what_is_deployed() -> None:
    changes = scripts(JOBS["deploy-environment: changes"])
    (verified,) = [number for number, each in enumerate(changes) if ".ci/digest" in each]
    assert changes[verified] == 'test "$(.ci/digest templates)" = "$DIGEST"'
    assert '--base "$DEPLOYED" --head HEAD --templates templates' in changes[verified + 1], (
        "the very templates that are deployed"
    )
    assert not any("HEAD~1" in each for name in JOBS for each in scripts(JOBS[name]))


def test_nothing_is_deployed_before_the_tests_and_the_environment_before_it() -> None:
    assert JOBS["deploy: dev"]["needs"] == ["test", "synthesise"]
    assert "dev" in JOBS["deploy: staging"]["needs"]
    assert "staging" in JOBS["deploy: prod"]["needs"]
    assert scripts(JOBS["deploy: test"])[-1] == ".ci/run"


@pytest.mark.parametrize("name", ["attest", "publish", "notes"])
def test_what_is_released_is_what_was_built(name: str) -> None:
    steps = scripts(JOBS[f"release: {name}"])
    (verified,) = [number for number, each in enumerate(steps) if ".ci/digest" in each]
    assert "download-artifact" in steps[verified - 1]
    assert steps[verified] == 'test "$(.ci/digest dist)" = "$DIGEST"'
    assert set(JOBS["release: attest"]["needs"]) == {"test", "build"}


def test_an_environment_is_verified_after_its_deployment_and_before_the_next_one() -> None:
    verify = JOBS["deploy-environment: verify"]
    assert verify["needs"] == ["deploy"]
    assert verify["environment"] == "${{ inputs.environment }}-verify"
    assert 'make verify ENV="$ENVIRONMENT"' in scripts(verify)[-1]
    assert [JOBS[f"deploy: {name}"]["needs"][-1] for name in ("staging", "prod")] == [
        "dev",
        "staging",
    ]


def test_the_live_page_is_tested_in_a_real_browser_which_ci_has_or_installs() -> None:
    """https://github.com/actions/runner-images/blob/main/images/ubuntu/Ubuntu2404-Readme.md"""
    running = [name for name, job in JOBS.items() if ".ci/run" in scripts(job)]
    assert len(running) >= 3
    assert {JOBS[name]["runs-on"] for name in running} == {"ubuntu-24.04"}
    commands = (ROOT / ".ci" / "run").read_text("utf-8")
    looks = re.search(
        r"^if ! command -v ([a-z -]+) >/dev/null; then\n(?:  .*\n)*  .* install -qq (\w+) .*\nfi$",
        commands,
        re.MULTILINE,
    )
    assert looks
    finder = (ROOT / "sandbox" / "live" / "browser.py").read_text("utf-8")
    assert all(f'"{name}"' in finder for name in (*looks[1].split(), looks[2]))
