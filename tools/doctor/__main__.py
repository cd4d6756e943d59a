"""``make doctor``: what synth cannot know of an environment, asked of AWS, before a deployment.

It reads, and changes nothing: `tools.doctor.aws.ACTIONS` is every call there is. It exits with 0
if there is no problem (warnings are for a person to judge), with 1 if there is one, and with 2 if
the environment's file is wrong.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console

from connect_settings import Settings, SettingsError, environment_file
from tools.doctor.aws import Aws
from tools.doctor.plan import Plan
from tools.doctor.report import report
from tools.environment import ENVIRONMENTS


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="doctor", description="Looks before you deploy")
    parser.add_argument("environment", help="a file of infra/environments, or the path of one")
    parser.add_argument(
        "--calls",
        type=_count,
        help="calls at a time; default: expected_calls, and for streams what the instance lets in",
    )
    parser.add_argument(
        "--no-asapp",
        action="store_true",
        help="ask ASAPP nothing; default: whether it accepts the credentials, and what it redacts",
    )
    given = parser.parse_args(arguments)
    try:
        file = environment_file(given.environment, ENVIRONMENTS)
        settings = Settings.load(file)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    console = Console(highlight=False, soft_wrap=True)
    plan = Plan(
        settings, Aws(settings.region), file.stem, given.calls, asks_asapp=not given.no_asapp
    )
    console.print(f"Looking at what {file} needs; nothing is changed.")
    try:
        return report(plan, console)
    except KeyboardInterrupt:
        console.print("interrupted")
        return 130


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError("write 1 or more")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
