"""What the workflow *Report* asks of GitHub, with a GitHub behind a socket."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.running_server import running
from tools.pull_request.__main__ import main
from tools.pull_request.comment import LONGEST, MARK, body
from tools.pull_request.github import Failure, Github
from tools.pull_request.templates import MOST_BYTES, templates_of

COMMIT = "c0ffee" * 6 + "beef"
REPOSITORY = "acme/connect-autotranscribe"
TOKEN = "of-this-run"
RUN_URL = f"https://github.com/{REPOSITORY}/actions/runs/7"
BOT = "github-actions[bot]"


@dataclass
class State:
    """:param runs: What each question for them is answered with; the last one stays."""

    comments: list[dict[str, Any]] = field(default_factory=list)
    runs: list[list[dict[str, Any]]] = field(default_factory=list)
    size: int = 8
    archive: bytes = b"PK-bytes"
    tokens_of_the_store: list[str | None] = field(default_factory=list)


class FakeGithub(ThreadingHTTPServer):
    """Comments, runs and artifacts; an archive is at another address, as GitHub has it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.state = State()
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: FakeGithub

    def do_GET(self) -> None:
        url, state = urlsplit(self.path), self.server.state
        root = f"/repos/{REPOSITORY}"
        if url.path == "/store":
            state.tokens_of_the_store.append(self.headers["Authorization"])
            return self.answer(200, state.archive)
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            return self.answer(401, b"{}")
        if url.path == f"{root}/issues/5/comments":
            page = int(parse_qs(url.query)["page"][0]) - 1
            return self.say(state.comments[page * 100 : page * 100 + 100])
        if url.path == f"{root}/actions/workflows/templates.yml/runs":
            runs = state.runs.pop(0) if len(state.runs) > 1 else state.runs[0]
            return self.say({"workflow_runs": runs})
        if match := re.fullmatch(f"{root}/actions/runs/(\\d+)/artifacts", url.path):
            archive = f"{self.server.url}{root}/actions/artifacts/{match[1]}/zip"
            made = {"size_in_bytes": state.size, "archive_download_url": archive}
            return self.say({"artifacts": [made] if state.size else []})
        if url.path.endswith("/zip"):
            self.send_response(302)
            self.send_header("Location", f"{self.server.url}/store")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        return self.answer(404, b"{}")

    def do_POST(self) -> None:
        text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]
        if len(text) > LONGEST:
            return self.answer(422, b"{}")
        if self.command == "PATCH":
            (old,) = [
                each
                for each in self.server.state.comments
                if self.path.endswith(f"/issues/comments/{each['id']}")
            ]
            old["body"] = text
        else:
            self.server.state.comments.append(said(len(self.server.state.comments), BOT, text))
        return self.answer(201, b"{}")

    do_PATCH = do_POST

    def say(self, content: Any) -> None:
        self.answer(200, json.dumps(content).encode())

    def answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def said(id: int, who: str, text: str) -> dict[str, Any]:
    return {"id": id, "user": {"login": who}, "body": text}


def run(
    id: int, status: str, conclusion: str | None = None, commit: str = COMMIT
) -> dict[str, Any]:
    found = {"id": id, "status": status, "conclusion": conclusion, "head_sha": commit}
    return {**found, "html_url": f"https://github.com/runs/{id}"}


@pytest.fixture
def github() -> Iterator[FakeGithub]:
    with running(FakeGithub()) as server:
        yield server


def command(github: FakeGithub, *arguments: str) -> int:
    surroundings = {
        "GITHUB_API_URL": github.url,
        "GITHUB_REPOSITORY": REPOSITORY,
        "GH_TOKEN": TOKEN,
        "HEAD_SHA": COMMIT,
        "NUMBER": "5",
        "RUN_URL": RUN_URL,
    }
    return main(arguments, surroundings=surroundings)


def load(github: FakeGithub) -> tuple[bytes, float]:
    """:returns: The archive, and how long the waiting was on a clock of ours."""
    time = 0.0

    def sleep(seconds: float) -> None:
        nonlocal time
        time += seconds

    client = Github(github.url, REPOSITORY, TOKEN)
    return templates_of(COMMIT, client, now=lambda: time, sleep=sleep), time


def test_a_report_replaces_the_last_one_and_names_its_commit(
    github: FakeGithub, tmp_path: Path
) -> None:
    others = [said(number, "somebody", "hello") for number in range(120)]
    github.state.comments = [*others, said(120, BOT, f"{MARK}\nNothing changes")]
    report = tmp_path / "report.md"
    report.write_text("## What a deploy would change\n")
    assert command(github, "comment", str(report)) == 0
    assert github.state.comments[:-1] == others
    assert github.state.comments[-1]["body"] == (
        f"{MARK}\n## What a deploy would change\n\n"
        f"_Of commit `{COMMIT}`, by the tool of the default branch: [the run]({RUN_URL})._"
    )


@pytest.mark.parametrize("report", ["missing", "empty"])
def test_what_could_not_be_compared_replaces_the_last_report(
    github: FakeGithub, tmp_path: Path, report: str
) -> None:
    if report == "empty":
        (tmp_path / "report.md").write_text("\n")
    github.state.comments = [said(1, BOT, f"{MARK}\n**Nothing changes** (prod).")]
    assert command(github, "comment", str(tmp_path / "report.md")) == 0
    (comment,) = github.state.comments
    assert "could not be compared" in comment["body"]
    assert "Nothing changes" not in comment["body"]
    assert COMMIT in comment["body"]


def test_a_stranger_s_comment_with_our_mark_is_left_alone(
    github: FakeGithub, tmp_path: Path
) -> None:
    forged = said(1, "somebody", f"{MARK}\n**Nothing changes** (prod).")
    github.state.comments = [dict(forged)]
    assert command(github, "comment", str(tmp_path / "none")) == 0
    assert github.state.comments[0] == forged
    assert len(github.state.comments) == 2


@pytest.mark.parametrize("length", [LONGEST - 1_000, LONGEST - 1, LONGEST, 3 * LONGEST])
def test_the_longest_report_fits_with_its_mark_and_its_commit(
    github: FakeGithub, tmp_path: Path, length: int
) -> None:
    (tmp_path / "report.md").write_text(("- 🌈 a line\n" * length)[:length])
    assert command(github, "comment", str(tmp_path / "report.md")) == 0
    (comment,) = github.state.comments
    assert len(comment["body"]) <= LONGEST
    assert comment["body"].startswith(MARK)
    assert comment["body"].endswith(f"[the run]({RUN_URL})._")
    assert ("**Cut here**" in comment["body"]) == (length > LONGEST - 1_000)


def test_the_archive_is_loaded_without_the_token(github: FakeGithub) -> None:
    waiting = [run(1, "completed", "failure"), run(2, "in_progress")]
    other = run(9, "completed", "success", commit="0" * 40)
    github.state.runs = [[], waiting, [other, run(2, "completed", "success"), *waiting[:1]]]
    assert load(github) == (github.state.archive, 20.0)
    assert github.state.tokens_of_the_store == [None]


@pytest.mark.parametrize(
    ("runs", "size", "archive", "why"),
    [
        ([], 8, b"", "has not made the templates of"),
        ([run(1, "queued")], 8, b"", "If it waits for an approval, approve it"),
        ([run(1, "completed", "failure")], 8, b"", "ended with failure: https://github.com/runs/1"),
        ([run(1, "completed", "action_required")], 8, b"", "ended with action_required"),
        ([run(1, "completed", "success")], 0, b"", "has left no templates"),
        ([run(1, "completed", "success")], MOST_BYTES + 1, b"", "have more than 32000000 bytes"),
        ([run(1, "completed", "success")], 8, b"0" * (MOST_BYTES + 1), "has more than 32000000 b"),
    ],
)
def test_without_templates_in_time_and_in_bounds_it_says_why(
    github: FakeGithub, runs: list[dict[str, Any]], size: int, archive: bytes, why: str
) -> None:
    github.state.runs, github.state.size, github.state.archive = [runs], size, archive
    with pytest.raises(Failure, match=re.escape(why)):
        load(github)


def test_a_github_that_refuses_is_said_in_one_line(
    github: FakeGithub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    github.state.comments = [said(0, BOT, f"{MARK}\n")]
    surroundings = {"HEAD_SHA": COMMIT, "RUN_URL": RUN_URL, "NUMBER": "5"}
    surroundings |= {"GITHUB_API_URL": github.url, "GITHUB_REPOSITORY": REPOSITORY}
    report = str(tmp_path / "none")
    assert main(["comment", report], surroundings=surroundings | {"GH_TOKEN": "another"}) == 2
    assert main(["comment", report], surroundings=surroundings) == 2
    refused, missing = capsys.readouterr().err.splitlines()
    assert refused.startswith("GitHub does not answer: HTTP Error 401: Unauthorized (GET ")
    assert missing == "Set GH_TOKEN, as the workflow does."


def test_a_cut_report_is_cut_at_the_end_of_a_line() -> None:
    cut = body("- one line\n" * LONGEST, COMMIT, RUN_URL)
    assert "- one line\n\n**Cut here**" in cut
