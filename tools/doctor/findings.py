"""What a check found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    :param severity: "problem": the deployment would fail, or words would be lost, or nobody can
        tell; "warning": a person should look, nothing is surely wrong; "skipped": not looked at,
        because of a problem before it or as somebody said; "well".
    :param what: What is so. It follows the name of the check.
    :param remedy: The setting to write or the command to run; "" if all is well.
    """

    severity: Literal["problem", "warning", "skipped", "well"]
    what: str
    remedy: str = ""


Findings = Iterator[Finding]


def problem(what: str, remedy: str) -> Finding:
    return Finding("problem", what, remedy)


def warning(what: str, remedy: str) -> Finding:
    return Finding("warning", what, remedy)


def well(what: str) -> Finding:
    return Finding("well", what)


class NotSeen(Exception):
    """Something could not be looked at; the other checks go on."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.what)
        self.finding = finding


class CannotGoOn(NotSeen):
    """Nothing can be looked at, or only what belongs to somebody else."""
