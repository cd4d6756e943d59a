"""Every check in turn, each finding as it comes, and the same as JSON and as JUnit."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree

from rich.console import Console
from rich.text import Text

from tools.doctor.findings import CannotGoOn, Finding, Findings, NotSeen
from tools.verify.account import Account
from tools.verify.checks.calls import aliases, asapp, start_and_stop, switch
from tools.verify.checks.instance import instance
from tools.verify.checks.live import live
from tools.verify.checks.policies import invocations, resource_policies
from tools.verify.checks.resources import (
    agent_events,
    alarms,
    dead_letters,
    event_rules,
    event_sources,
    log_retention,
    schedules,
)
from tools.verify.checks.role import asapps_role, video_streams
from tools.verify.checks.webhook import webhook

Checks = Mapping[str, Callable[[Account], Findings]]
CHECKS: Checks = {
    "webhook": webhook,
    "live page": live,
    "start and stop": start_and_stop,
    "switch": switch,
    "aliases": aliases,
    "ASAPP": asapp,
    "event rules": event_rules,
    "event sources": event_sources,
    "schedules": schedules,
    "dead letters": dead_letters,
    "alarms": alarms,
    "log retention": log_retention,
    "resource policies": resource_policies,
    "who may invoke": invocations,
    "ASAPP's role": asapps_role,
    "video streams": video_streams,
    "agent events": agent_events,
    "Connect instance": instance,
}
_COLOURS = {"problem": "bold red", "warning": "yellow", "skipped": "yellow", "well": "green"}


@dataclass(frozen=True)
class Result:
    """:param seconds: Since the check began."""

    check: str
    finding: Finding
    seconds: float


def examine(account: Account, checks: Checks = CHECKS) -> Iterator[Result]:
    """The checks' findings. What cannot be looked at is a problem, and the others go on.

    :raises CannotGoOn: If nothing can be looked at.
    """
    for name, check in checks.items():
        began = time.monotonic()
        try:
            for finding in check(account):
                yield Result(name, finding, time.monotonic() - began)
        except CannotGoOn:
            raise
        except NotSeen as unseen:
            yield Result(name, unseen.finding, time.monotonic() - began)


def show(console: Console, result: Result) -> None:
    finding = result.finding
    line = Text(f"{finding.severity:>7}  ", style=_COLOURS[finding.severity])
    line.append(f"{result.check}: ", style="bold").append(finding.what, style="default")
    console.print(line)
    if finding.remedy:
        console.print(Text(f"         → {finding.remedy}", style="default"))


def counts(results: Sequence[Result]) -> Counter[str]:
    return Counter(each.finding.severity for each in results)


def write_json(file: Path, environment: str, results: Sequence[Result]) -> None:
    seen = counts(results)
    found = [
        {"check": each.check, **asdict(each.finding), "seconds": round(each.seconds, 2)}
        for each in results
    ]
    summary = {"environment": environment, "counts": dict(seen), "findings": found}
    file.write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n", "utf-8")


def write_junit(file: Path, environment: str, results: Sequence[Result]) -> None:
    """A suite for the environment, a case for each finding; a warning is a case that passes."""
    seen = counts(results)
    suite = ElementTree.Element(
        "testsuite",
        name=f"verify {environment}",
        tests=str(len(results)),
        failures=str(seen["problem"]),
        skipped=str(seen["skipped"]),
    )
    for each in results:
        finding = each.finding
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=each.check,
            name=finding.what,
            time=f"{each.seconds:.2f}",
        )
        if finding.severity == "problem":
            failure = ElementTree.SubElement(case, "failure", message=finding.what)
            failure.text = finding.remedy
        elif finding.severity == "skipped":
            ElementTree.SubElement(case, "skipped", message=finding.remedy)
        elif finding.severity == "warning":
            ElementTree.SubElement(case, "system-out").text = finding.remedy
    ElementTree.ElementTree(suite).write(file, "utf-8", xml_declaration=True)
