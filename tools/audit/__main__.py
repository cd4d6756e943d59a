"""``make audit``: what is wrong in the flows of a live instance, and what to set where.

It reads, and changes nothing: `tools.audit.reading.OPERATIONS` is every call to Connect there is,
at most two a second. What was read is kept in ``.audit``; a run that was interrupted goes on. It
exits with 0 if nothing is wrong, with 1 if something is, and with 2 if it cannot tell.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from connect_flows.audit.command import add_options, show
from connect_flows.audit.folder import CannotAudit, read_folder
from connect_settings import Settings, SettingsError, environment_file
from tools.audit.reading import OPERATIONS, Kept, read_instance
from tools.connect_reader import ConnectReader
from tools.doctor.aws import Aws
from tools.doctor.findings import NotSeen
from tools.environment import ENVIRONMENTS

ROOT = Path(__file__).parents[2]
GUIDE = "docs/flows.md"
CANNOT, INTERRUPTED = 2, 130
STACKS = {("cloudformation", "describe_stacks"): "cloudformation:DescribeStacks"}


def main(
    arguments: Sequence[str] | None = None,
    *,
    sleep: Callable[[float], object] = time.sleep,
    now: Callable[[], float] = time.monotonic,
) -> int:
    parser = argparse.ArgumentParser(prog="audit", description="Audits the flows of an instance")
    parser.add_argument("environment", help="a file of infra/environments, or the path of one")
    parser.add_argument("--fresh", action="store_true", help="read again what was read before")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / ".audit", help="where to keep what was read"
    )
    add_options(parser)
    options = parser.parse_args(arguments)
    try:
        file = environment_file(options.environment, ENVIRONMENTS)
        settings = Settings.load(file)
        return _audit(file.stem, settings, options, sleep, now)
    except (SettingsError, CannotAudit) as problem:
        _say(str(problem))
    except NotSeen as unseen:
        _say(f"{unseen.finding.what}\n→ {unseen.finding.remedy}; what was read is kept")
    except KeyboardInterrupt:
        _say("interrupted: what was read is kept; run it again, and it goes on")
        return INTERRUPTED
    return CANNOT


def _audit(
    name: str,
    settings: Settings,
    options: argparse.Namespace,
    sleep: Callable[[float], object],
    now: Callable[[], float],
) -> int:
    arn = settings.connect.instance_arn
    # By the instance as well: an environment may get another one.
    folder = options.folder / name / arn.rpartition("/")[2]
    kept = Kept(folder)
    if options.fresh:
        shutil.rmtree(folder, ignore_errors=True)
    if kept.has("complete"):
        read = kept.get("complete", dict)["read"]
        _say(f"as it was read at {read}; make audit ENV={name} FRESH=1 reads again")
    else:
        reader = ConnectReader(arn, OPERATIONS, guide=GUIDE, sleep=sleep, now=now)
        _say(f"reading {arn}, at most two requests a second; nothing is changed")
        read_instance(reader, kept, _say)
        _say(f"read with {reader.requests} requests")
    outputs = kept.get("stack", lambda: _outputs(name, settings.region))
    kept.get("complete", lambda: {"read": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"})
    instance = read_folder(
        folder,
        start=outputs.get("StartFunction", ""),
        stop=outputs.get("StopFunction", ""),
        lifecycle=settings.lifecycle.mode != "off",
    )
    notes = instance.notes
    if not outputs:
        notes += (
            f"{_stack(name)} is not deployed, so functions are taken for ours by their names",
        )
    return show(replace(instance, arn=arn, notes=notes), options)


def _stack(name: str) -> str:
    return f"autotranscribe-{name}-transcription"


def _outputs(name: str, region: str) -> dict[str, str]:
    """The outputs of the environment's transcription stack; none if it is not deployed."""
    aws = Aws(region, STACKS, GUIDE)
    found = aws.read(
        "cloudformation", "describe_stacks", ("ValidationError",), StackName=_stack(name)
    )
    outputs = found["Stacks"][0].get("Outputs", []) if found else []
    return {each["OutputKey"]: each["OutputValue"] for each in outputs}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
