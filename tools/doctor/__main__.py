"""``make doctor``: what synth cannot know of an environment, asked of AWS, before a deployment.

It reads, and changes nothing: `tools.doctor.aws.ACTIONS` is every call there is. It exits with 0
where there is no problem (warnings are for a person to judge), 1 where there is one, and 2
where the environment's file is wrong.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from connect_autotranscribe.settings import Settings, SettingsError, environment_file
from tools.doctor.account import alarms, api_gateway_logs, bootstrap
from tools.doctor.agent_event_stream import agent_events
from tools.doctor.asapp_secret import asapp_secret
from tools.doctor.aws import Aws
from tools.doctor.findings import CannotGoOn, Finding, Findings, NotSeen, problem
from tools.doctor.identity import credentials
from tools.doctor.instance import instance
from tools.doctor.keys import keys
from tools.doctor.media_streaming import live_media_streaming
from tools.doctor.plan import Plan
from tools.doctor.quotas import lambda_functions, video_streams

ENVIRONMENTS = Path(__file__).parents[2] / "infra" / "environments"

CHECKS: dict[str, Callable[[Plan], Findings]] = {
    "credentials": credentials,
    "Connect instance": instance,
    "live media streaming": live_media_streaming,
    "agent events": agent_events,
    "KMS keys": keys,
    "ASAPP's credentials": asapp_secret,
    "Lambda functions": lambda_functions,
    "video streams": video_streams,
    "CDK bootstrap": bootstrap,
    "API Gateway's logs": api_gateway_logs,
    "alarms": alarms,
}
_COLOURS = {"problem": "bold red", "warning": "yellow", "well": "green"}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="doctor", description="Looks before you deploy")
    parser.add_argument("environment", help="a file of infra/environments, or the path of one")
    parser.add_argument(
        "--calls", type=_count, help="calls at a time; default: what the instance lets in"
    )
    given = parser.parse_args(arguments)
    try:
        file = environment_file(given.environment, ENVIRONMENTS)
        settings = Settings.load(file)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    console = Console(highlight=False, soft_wrap=True)
    plan = Plan(settings, Aws(settings.region), file.stem, given.calls)
    console.print(f"Looking at what {file} needs; nothing is changed.")
    try:
        return report(plan, console)
    except KeyboardInterrupt:
        console.print("interrupted")
        return 130


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
            yield "the checks after it", problem("not run", "see above")
            return
        except NotSeen as unseen:
            yield name, unseen.finding


def _show(console: Console, check: str, finding: Finding) -> None:
    line = Text(f"{finding.severity:>7}  ", style=_COLOURS[finding.severity])
    line.append(f"{check}: ", style="bold").append(finding.what, style="default")
    console.print(line)
    if finding.remedy:
        console.print(Text(f"         → {finding.remedy}", style="default"))


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError("write 1 or more")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
