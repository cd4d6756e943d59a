"""The one comment under a pull request: what the report says, or that there is none."""

from __future__ import annotations

from tools.pull_request.github import Github

MARK = "<!-- connect-autotranscribe: diff -->"
LONGEST = 65_536
"""Characters that GitHub takes in one comment."""
_AUTHOR = "github-actions[bot]"
_CUT = "\n\n**Cut here**, as a comment holds no more."


def body(report: str, commit: str, run: str) -> str:
    """:param report: Markdown; empty if it could not be made.
    :param commit: What was compared.
    :param run: The address of the run that compared.
    """
    said = report.strip() or (
        "## What a deploy would change could not be compared\n\n"
        "**Nothing is known of this commit.** An earlier report does not hold for it."
    )
    end = f"\n\n_Of commit `{commit}`, by the tool of the default branch: [the run]({run})._"
    room = LONGEST - len(MARK) - 1 - len(end)
    if len(said) > room:
        said = said[: room - len(_CUT)].rpartition("\n")[0] + _CUT
    return f"{MARK}\n{said}{end}"


def write(text: str, number: int, github: Github) -> None:
    """Put it in the place of the last one, or under the pull request if there is none."""
    for each in github.pages(f"issues/{number}/comments"):
        if each["user"]["login"] == _AUTHOR and each["body"].startswith(MARK):
            github.ask("PATCH", f"issues/comments/{each['id']}", {"body": text})
            return
    github.ask("POST", f"issues/{number}/comments", {"body": text})
