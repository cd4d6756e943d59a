"""``make load CALLS=50 MINUTES=2``: whole calls come, whatever the answers are, and all is counted.

It exits with 0 if nothing was lost, doubled or altered, with 1 if something was, and with 2 if it
cannot tell.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from connect_settings import Settings, SettingsError, environment_file
from sandbox.stacks.emulator import SandboxError
from sandbox.stacks.processes import stopping_on_signals
from tools.environment import ENVIRONMENTS
from tools.load import in_sandbox
from tools.load.account import account
from tools.load.parts import report as of_parts
from tools.load.parts.parts import PARTS
from tools.load.parts.work import steady
from tools.load.report import PLOTS, figures, markdown, plain, write
from tools.load.result import ROOT, Result

SANDBOX = "sandbox"
CANNOT, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.load", description=__doc__)
    parser.add_argument("--environment", default=SANDBOX, help="the one to copy, like ENV=dev")
    parser.add_argument("--calls", type=int, default=50, help="at a time, like CALLS=50")
    parser.add_argument("--minutes", type=float, default=2, help="how long calls come")
    parser.add_argument("--parts", action="store_true", help="instead, each part by itself")
    parser.add_argument("--beside-live", action="store_true", help="also where live calls are")
    parser.add_argument("--json", type=Path, help="also write all figures to this file")
    parser.add_argument("--page", action="store_true", help="write docs/load.md, with its plots")
    parser.add_argument("--make-target", type=Path, help="a file; stop when make deletes it")
    given = parser.parse_args(arguments)
    console = Console(highlight=False, soft_wrap=True)
    try:
        with stopping_on_signals(given.make_target):
            if given.parts:
                return _parts(given, console)
            result = _result(given, console)
    except (SandboxError, SettingsError) as problem:
        console.print(f"[red]{escape(str(problem))}[/]")
        return CANNOT
    except KeyboardInterrupt:
        console.print("interrupted; everything that was started is stopped and removed")
        return INTERRUPTED
    return _report(result, given, console)


def _result(given: argparse.Namespace, console: Console) -> Result:
    def say(text: str) -> None:
        console.print(escape(text))

    if given.environment == SANDBOX:
        return in_sandbox.run(given.calls, given.minutes, say)
    file = environment_file(given.environment, ENVIRONMENTS)
    settings = Settings.load(file)
    if settings.on_delete == "retain" and not given.beside_live:
        raise SandboxError(
            f"{file.stem} keeps its data (on_delete): it has live calls. A load takes room "
            f"of account {settings.account} that they need: of Lambda, API Gateway and "
            "EventBridge. If you mean it, add BESIDE=live"
        )
    return account.run(file.stem, file, given.calls, given.minutes, say)


def _report(result: Result, given: argparse.Namespace, console: Console) -> int:
    if given.json:
        given.json.write_text(json.dumps(result.as_json()) + "\n", "utf-8")
    is_here = given.environment == SANDBOX
    folder = ROOT / "dist" / f"load-{Path(given.environment).stem}"
    where = "" if is_here else f"ENV={given.environment} "
    command = f"make load {where}CALLS={given.calls} MINUTES={given.minutes:g}"
    plots = folder if not is_here else PLOTS if given.page else None
    text = markdown(result, figures(result.as_json(), plots), command)
    console.print(escape(plain(text)))
    if is_here and given.page:
        write("load", text)
    if not is_here:
        shown = "\n\n".join(f"![{file.stem}]({file.name})" for file in sorted(folder.glob("*.svg")))
        (folder / "load.md").write_text(f"# Load\n\n{text}\n\n{shown}\n", "utf-8")
        console.print(f"{folder / 'load.md'} has the plots")
    return _problems(result.problems, console)


def _parts(given: argparse.Namespace, console: Console) -> int:
    """Each part with more and more calls."""
    logging.disable(logging.CRITICAL)  # they write a line for each batch
    works = {}
    for part in PARTS:
        sizes = ", ".join(f"{size:,}" for size in part.sizes)
        console.print(f"{part.name}: {sizes} {part.of} …")
        works[part] = [steady(part, size) for size in part.sizes]
    if given.json:
        given.json.write_text(json.dumps(of_parts.as_json(works), indent=1) + "\n", "utf-8")
    text = of_parts.markdown(works, "make load PARTS=1")
    console.print(escape(plain(text)))
    if given.page:
        figures(of_parts.as_json(works), PLOTS)
        write("parts", text)
    return _problems(of_parts.not_linear(works), console)


def _problems(problems: Sequence[str], console: Console) -> int:
    for each in problems:
        console.print(f"[red]{escape(each)}[/]")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
