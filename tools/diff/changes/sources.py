"""Changed files that no comparison of templates can vouch for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from tools.diff.values import code

REVIEW = (
    ".ci/*",
    ".gitattributes",
    ".github/*",
    "CODEOWNERS",
    "docs/CODEOWNERS",
    "Makefile",
    "tools/deployed/*",
    "tools/diff/*",
    "tools/policies.py",
    "tools/pull_request/*",
)
"""What checks, compares and deploys."""

MAKERS = (
    "app.py",
    "cdk.json",
    "package-lock.json",
    "package.json",
    "pyproject.toml",
    "requirements*.txt",
    "*/requirements*.txt",
    "*conftest.py",
    "*sitecustomize.py",
    "*usercustomize.py",
    "*.pth",
    ".npmrc",
    "*pip.conf",
)
"""What makes the templates before any construct does: the app and its packages."""

CODE = ("infra/*.py", "lambdas/shared/*.py")
"""What runs while the templates are made."""

_NOT_RUN = (
    ".cfnlintrc.yaml",
    ".gitignore",
    "*.md",
    "*.pem",
    "LICENSE",
    "docs/*",
    "examples/*",
    "infra/environments/*.flows.lock",
    "infra/environments/*.json",
    "infra/environments/*.toml",
    "lambdas/*",
    "sandbox/*",
    "tests/*",
    "tools/*",
    "web/*",
)
_SHOWN = 20


def first(changed: Sequence[str]) -> Iterator[str]:
    """What to look at first, in Markdown; it needs the eyes of a code owner."""
    review = [path for path in changed if _is_of(path, REVIEW)]
    makers = [path for path in changed if _is_of(path, MAKERS) and path not in review]
    others = [
        path
        for path in changed
        if path not in (*review, *makers) and not _is_of(path, (*CODE, *_NOT_RUN))
    ]
    if review:
        yield (
            f"**What checks, compares or deploys is changed**: {_named(review)}. The next report "
            "is made with it: read the change itself."
        )
    if makers:
        yield (
            f"**What makes the templates is changed**: {_named(makers)}. It can make templates say "
            "what is not deployed: read the change itself."
        )
    if others:
        yield (
            f"**Files of an unknown kind are changed**: {_named(others)}. A module of such a name "
            "may run while the templates are made."
        )


def warning(changed: Sequence[str]) -> str:
    """What the reader must know of templates that changed code has made; empty if none has."""
    ran = [path for path in changed if _is_of(path, (*CODE, *MAKERS))]
    if not ran:
        return ""
    return (
        "> [!WARNING]\n"
        "> This compares templates that the changed code itself has made, and code can lie. "
        f"Read what it changes in {_named(ran)}. Before somebody approves a deployment, the "
        "templates that it deploys are compared with what is deployed."
    )


def _named(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(code(path[:200]) for path in paths[:_SHOWN]) + more


def _is_of(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)
