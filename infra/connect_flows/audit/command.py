"""``python -m connect_flows audit``: the audit of a folder of exported files."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from connect_flows.audit.audit import audit
from connect_flows.audit.changes import changes, shown
from connect_flows.audit.folder import CannotAudit, read_folder
from connect_flows.audit.instance import Instance
from connect_flows.audit.report import as_json, as_table
from connect_flows.pictures.call_path import pictures

RIGHT, WRONG, CANNOT = 0, 1, 2


def add_options(parser: argparse.ArgumentParser) -> None:
    """What can be asked of an audit, of a folder or of an instance."""
    parser.add_argument("--json", action="store_true", help="write JSON instead of a table")
    parser.add_argument(
        "--commands",
        action="store_true",
        help="write the commands that set our flows where yours are, and those that set them back",
    )
    parser.add_argument(
        "--picture", metavar="FOLDER", type=Path, help="draw each call path, as SVG, into a folder"
    )


def add_folder_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="exported flows, or answers of `aws connect`")
    parser.add_argument("--start", metavar="ARN", default="", help="the alias that starts")
    parser.add_argument("--stop", metavar="ARN", default="", help="the alias that stops")
    parser.add_argument(
        "--lifecycle",
        action="store_true",
        help='[lifecycle] mode is "manage" or "adopt": events start and stop, too',
    )
    add_options(parser)


def run_on_folder(options: argparse.Namespace) -> int:
    """:returns: 0; 1 if something is wrong; 2 if it cannot be audited."""
    try:
        instance = read_folder(
            options.folder, start=options.start, stop=options.stop, lifecycle=options.lifecycle
        )
    except CannotAudit as problem:
        print(problem, file=sys.stderr)
        return CANNOT
    return show(instance, options)


def show(instance: Instance, options: argparse.Namespace) -> int:
    """Audit an instance, and write what was asked for to standard output.

    :returns: 0; 1 if something is wrong; 2 if the pictures cannot be written.
    """
    report = audit(instance)
    to_do = changes(instance, report)
    if options.json:
        print(json.dumps(as_json(report, to_do), indent=2, ensure_ascii=False))
    elif options.commands:
        print(*map(printable, shown(to_do)), sep="\n")
    else:
        print(*map(printable, as_table(report)), sep="\n")
    if options.picture:
        try:
            options.picture.mkdir(parents=True, exist_ok=True)
            for name, svg in pictures(instance, report):
                (options.picture / name).write_text(svg, "utf-8")
        except OSError as error:
            print(f"the pictures cannot be written: {error}", file=sys.stderr)
            return CANNOT
    return WRONG if report.findings else RIGHT


def printable(line: str) -> str:
    """A flow's names may hold anything: a line break of theirs would make a line of ours."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in line
    )
