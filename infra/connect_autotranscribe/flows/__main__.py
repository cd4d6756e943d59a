"""``python -m connect_autotranscribe.flows``: check a flow file, or weave transcription into it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from connect_autotranscribe.flows.rules import (
    FLOW_TYPES,
    MODULE,
    NotAFlow,
    check,
    parse,
    unknown_types,
)
from connect_autotranscribe.flows.weave import CannotWeave, Start, Stop, weave

_REFUSED = 2


def main(arguments: list[str] | None = None) -> int:
    """:returns: 0, or 2 where Connect would refuse the flow or it cannot be woven."""
    options = _parser().parse_args(arguments)
    try:
        content = parse(options.file.read_text("utf-8-sig"))
        _refuse_problems(content, options.type)
        if options.command == "weave":
            woven = weave(content, options.type, start=_start(options), stop=_stop(options))
            _refuse_problems(woven.content, options.type)
            json.dump(woven.content, sys.stdout, indent=2, ensure_ascii=False)
            sys.stdout.write("\n")
            _say(*(f"inserted {insertion}" for insertion in woven.insertions))
            _say(*([] if woven.insertions else ["nothing to insert: all of it is there already"]))
        else:
            _say(f"{options.file}: nothing that Connect would refuse")
        if unknown := unknown_types(content):
            _say(f"not checked, because no rule is known: {', '.join(unknown)}")
    except OSError as problem:
        return _fail(options.file, [f"it cannot be read: {problem.strerror}"])
    except UnicodeDecodeError:
        return _fail(options.file, ["it is not a text file in UTF-8"])
    except (NotAFlow, CannotWeave) as problem:
        return _fail(options.file, [str(problem)])
    except _Refused as refused:
        return _fail(options.file, [str(problem) for problem in refused.args])
    return 0


class _Refused(Exception):
    """Connect would refuse the flow; its arguments are the problems."""


def _refuse_problems(content: dict[str, Any], type: str) -> None:
    if problems := check(content, type):
        raise _Refused(*problems)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m connect_autotranscribe.flows", description=__doc__
    )
    commands = parser.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "file", type=Path, help="a flow, as the flow designer or the API exports it"
    )
    common.add_argument(
        "--type", required=True, choices=sorted(FLOW_TYPES | {MODULE}), help="what kind of flow"
    )
    commands.add_parser("check", parents=[common], help="say what Connect would refuse")
    weaving = commands.add_parser(
        "weave", parents=[common], help="write the flow with transcription in it to standard output"
    )
    weaving.add_argument("--start", metavar="ARN", help="the start_streaming alias: start with it")
    weaving.add_argument("--stop", metavar="ARN", help="the stop_streaming alias: stop with it")
    weaving.add_argument(
        "--stop-before",
        nargs="+",
        choices=("transfer", "disconnect", "end"),
        default=("transfer", "disconnect", "end"),
        help="where to stop; default: all of these",
    )
    weaving.add_argument("--customer-id", metavar="JSONPATH", default="$.CustomerEndpoint.Address")
    weaving.add_argument("--agent-id", metavar="JSONPATH", default="$.Agent.UserName")
    return parser


def _start(options: argparse.Namespace) -> Start | None:
    if not options.start:
        return None
    attributes = {"customerId": options.customer_id, "agentId": options.agent_id}
    return Start(function_arn=options.start, attributes=attributes)


def _stop(options: argparse.Namespace) -> Stop | None:
    if not options.stop:
        return None
    return Stop(function_arn=options.stop, before=options.stop_before)


def _fail(file: Path, problems: list[str]) -> int:
    _say(*(f"{file}: {problem}" for problem in problems))
    return _REFUSED


def _say(*lines: str) -> None:
    for line in lines:
        print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
