"""Every check in turn, and each finding as it comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.text import Text

from tools.doctor.checks.account import alarms, api_gateway_logs, bootstrap, web_acl
from tools.doctor.checks.agent_event_stream import agent_events
from tools.doctor.checks.asapp_api import asapp_api
from tools.doctor.checks.asapp_secret import asapp_secret
from tools.doctor.checks.concurrency import concurrency
from tools.doctor.checks.identity import credentials
from tools.doctor.checks.instance import instance
from tools.doctor.checks.keys import keys
from tools.doctor.checks.live_page import live_events, live_page, live_sign_in
from tools.doctor.checks.media_streaming import live_media_streaming
from tools.doctor.checks.on_utterance import on_utterance
from tools.doctor.checks.quotas import capacity, lambda_functions, video_streams
from tools.doctor.checks.settings_file import settings_file
from tools.doctor.checks.stacks import stacks
from tools.doctor.checks.webhook import webhook, webhook_tokens
from tools.doctor.findings import CannotGoOn, Finding, Findings, NotSeen
from tools.doctor.plan import Plan

CHECKS: dict[str, Callable[[Plan], Findings]] = {
    "environment's file": settings_file,
    "credentials": credentials,
    "Connect instance": instance,
    "live media streaming": live_media_streaming,
    "agent events": agent_events,
    "KMS keys": keys,
    "ASAPP's credentials": asapp_secret,
    "ASAPP's API": asapp_api,
    "webhook": webhook,
    "webhook's tokens": webhook_tokens,
    "on_utterance": on_utterance,
    "live page": live_page,
    "live sign-in": live_sign_in,
    "live events": live_events,
    "Lambda functions": lambda_functions,
    "Lambda concurrency": concurrency,
    "video streams": video_streams,
    "capacity": capacity,
    "CDK bootstrap": bootstrap,
    "stacks": stacks,
    "API Gateway's logs": api_gateway_logs,
    "web ACL": web_acl,
    "alarms": alarms,
}
_COLOURS = {"problem": "bold red", "warning": "yellow", "skipped": "yellow", "well": "green"}


def report(plan: Plan, console: Console) -> int:
    """Shows each finding as it comes.

    :returns: The exit code.
    """
    seen: Counter[str] = Counter()
    for check, finding in examine(plan):
        seen[finding.severity] += 1
        _show(console, check, finding)
    counted = (f"{seen[each]} {each}{'s' * (seen[each] != 1)}" for each in ("problem", "warning"))
    console.print(", ".join(counted), style="bold")
    return 1 if seen["problem"] else 0


def examine(plan: Plan) -> Iterator[tuple[str, Finding]]:
    """Every check's findings, with its name.

    Without credentials for the account the rest is left out: there would be nothing to see, or what
    belongs to somebody else.
    """
    for name, check in CHECKS.items():
        try:
            for finding in check(plan):
                yield name, finding
        except CannotGoOn as unseen:
            yield name, unseen.finding
            yield "the checks after it", Finding("skipped", "not run", "see above")
            return
        except NotSeen as unseen:
            yield name, unseen.finding


def _show(console: Console, check: str, finding: Finding) -> None:
    line = Text(f"{finding.severity:>7}  ", style=_COLOURS[finding.severity])
    line.append(f"{check}: ", style="bold").append(finding.what, style="default")
    console.print(line)
    if finding.remedy:
        console.print(Text(f"         → {finding.remedy}", style="default"))
