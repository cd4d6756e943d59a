"""What is deployed, and what may go over it: against a fake of GitHub's record and a real clone."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.running_server import running
from tools.deployed.__main__ import main

from .fake_github import REPOSITORY, TOKEN, FakeGithub, History

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def github() -> Iterator[FakeGithub]:
    with running(FakeGithub()) as server:
        yield server


@pytest.fixture
def history(github: FakeGithub) -> History:
    """One without deployments; a test writes them."""
    github.history = History()
    return github.history


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A main of five commits, and a branch that left it after the second."""
    folder = tmp_path_factory.mktemp("clone")
    commit = ("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "--allow-empty", "-m")
    git(folder, "init", "-q", "-b", "main")
    for number in range(1, 6):
        git(folder, *commit, str(number))
        git(folder, "tag", f"c{number}")
    git(folder, "checkout", "-q", "-b", "aside", "c2")
    git(folder, *commit, "aside")
    return folder


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def run(
    github: FakeGithub, history: History, clone: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """:returns: Exit code, standard output and standard error."""

    def call(*arguments: str, **surroundings: str) -> tuple[int, str, str]:
        given = {"GITHUB_API_URL": github.url, "GITHUB_REPOSITORY": REPOSITORY, "GH_TOKEN": TOKEN}
        code = main(arguments, surroundings=given | surroundings, repository=clone)
        said = capsys.readouterr()
        return code, said.out.strip(), said.err.strip()

    return call


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def sha(clone: Path) -> Callable[[str], str]:
    return lambda name: git(clone, "rev-parse", name)


Sha = Callable[[str], str]
SUCCESS = ["success", "in_progress", "queued"]
REPLACED = ["inactive", *SUCCESS]
FAILED = ["failure", "in_progress", "queued"]
WAITING = ["waiting"]


def test_what_is_deployed_is_the_newest_that_succeeded(
    run: Run, history: History, sha: Sha
) -> None:
    history.deployments = [
        ("prod", sha("c5"), WAITING),
        ("prod", sha("c4"), FAILED),
        ("dev", sha("c4"), SUCCESS),
        ("prod", sha("c3"), SUCCESS),
        ("prod", sha("c2"), REPLACED),
    ]
    assert run("prod") == (0, sha("c3"), "")
    assert run("dev") == (0, sha("c4"), "")


def test_a_success_that_github_called_inactive_later_is_still_what_runs(
    run: Run, history: History, sha: Sha
) -> None:
    history.deployments = [("prod", sha("c2"), REPLACED), ("prod", sha("c1"), REPLACED)]
    assert run("prod") == (0, sha("c2"), "")


def test_before_the_first_deployment_there_is_nothing_to_compare_with(run: Run) -> None:
    assert run("prod") == (0, "", "")
    assert run("prod", "--refuse-older", "c1") == (0, "", "")


def test_a_newer_commit_and_the_same_again_may_be_deployed(
    run: Run, history: History, sha: Sha
) -> None:
    history.deployments = [("prod", sha("c3"), SUCCESS)]
    assert run("prod", "--refuse-older", "c4")[0] == 0
    assert run("prod", "--refuse-older", "c3")[0] == 0


@pytest.mark.parametrize("states", [SUCCESS, FAILED, ["in_progress", "queued"]])
def test_an_older_commit_is_refused_once_a_newer_one_began(
    run: Run, history: History, sha: Sha, states: list[str]
) -> None:
    """One that failed may have changed something; one that runs now has no success yet."""
    history.deployments = [
        ("prod", sha("c4"), states),
        ("prod", sha("c3"), ["in_progress", "waiting"]),
        ("prod", sha("c1"), SUCCESS),
    ]
    code, _, said = run("prod", "--refuse-older", "c3")
    assert code == 1
    assert f"{sha('c4')[:7]} was deployed here, and {sha('c3')[:7]} does not have it" in said
    assert "revert on main" in said


def test_a_newer_one_that_only_waits_for_approval_holds_nobody_up(
    run: Run, history: History, sha: Sha
) -> None:
    history.deployments = [("prod", sha("c5"), WAITING), ("prod", sha("c1"), SUCCESS)]
    assert run("prod", "--refuse-older", "c3")[0] == 0


def test_an_old_run_that_is_run_again_is_refused(run: Run, history: History, sha: Sha) -> None:
    """GitHub makes a new deployment for it, which is then the newest."""
    history.deployments = [
        ("prod", sha("c2"), ["in_progress"]),
        ("prod", sha("c3"), SUCCESS),
        ("prod", sha("c2"), REPLACED),
    ]
    assert run("prod", "--refuse-older", "c2")[0] == 1


def test_a_branch_that_left_main_earlier_is_refused(run: Run, history: History, sha: Sha) -> None:
    history.deployments = [("prod", sha("c3"), SUCCESS)]
    assert run("prod", "--refuse-older", "aside")[0] == 1


def test_what_main_no_longer_has_is_refused_with_the_way_out(run: Run, history: History) -> None:
    history.deployments = [("prod", "0" * 40, SUCCESS)]
    code, _, said = run("prod", "--refuse-older", "c5")
    assert code == 1
    assert "delete deployment 0 in GitHub" in said


def test_what_was_deployed_before_the_last_success_does_not_matter(
    run: Run, history: History, sha: Sha
) -> None:
    history.deployments = [("prod", sha("c3"), SUCCESS), ("prod", "0" * 40, SUCCESS)]
    assert run("prod", "--refuse-older", "c4")[0] == 0
    assert history.asked[-1].endswith("/deployments/0/statuses")


def test_the_last_success_is_found_behind_a_page_of_others(
    run: Run, history: History, sha: Sha
) -> None:
    history.deployments = [("prod", sha("c5"), WAITING)] * 101 + [("prod", sha("c4"), SUCCESS)]
    assert run("prod") == (0, sha("c4"), "")
    assert run("prod", "--refuse-older", "c3")[0] == 1


def test_a_token_that_github_refuses_is_no_answer(run: Run) -> None:
    for arguments in (["prod"], ["prod", "--refuse-older", "c5"]):
        code, printed, said = run(*arguments, GH_TOKEN="another")
        assert (code, printed) == (2, "")
        assert said.startswith("GitHub does not tell what is deployed: HTTP Error 401")


def test_a_commit_that_the_clone_lacks_is_no_answer(run: Run) -> None:
    code, _, said = run("prod", "--refuse-older", "nonsense")
    assert (code, said) == (2, "There is no commit nonsense in this clone.")


def test_a_variable_that_is_missing_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prod"], surroundings={"GITHUB_REPOSITORY": REPOSITORY}) == 2
    assert "Set GH_TOKEN" in capsys.readouterr().err


def digest(folder: Path) -> str:
    done = subprocess.run(
        [ROOT / ".ci" / "digest", folder], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize("change", ["content", "name", "added", "removed"])
def test_a_folders_digest_tells_every_change(tmp_path: Path, change: str) -> None:
    for name in ("b", "a b", ".hidden", "in/side"):
        file = tmp_path / "folder" / name
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(name)
    before = digest(tmp_path / "folder")
    lines = [
        f"{hashlib.sha256(name.encode()).hexdigest()}  ./{name}\n"
        for name in (".hidden", "a b", "b", "in/side")
    ]
    assert before == hashlib.sha256("".join(lines).encode()).hexdigest()
    if change == "content":
        (tmp_path / "folder" / "b").write_text("c")
    elif change == "name":
        (tmp_path / "folder" / "b").rename(tmp_path / "folder" / "c")
    elif change == "added":
        (tmp_path / "folder" / "in" / "more").write_text("")
    else:
        (tmp_path / "folder" / ".hidden").unlink()
    assert digest(tmp_path / "folder") != before
