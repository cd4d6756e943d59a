"""``python -m connect_flows``: check a flow file, weave transcription into it, or audit all."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from connect_flows.audit.command import add_folder_options, printable, run_on_folder
from connect_flows.flow import to_json
from connect_flows.flow_content import Content, parse
from connect_flows.flow_types import FLOW_TYPES, MODULE
from connect_flows.places import ENDINGS, PLACES, Place
from connect_flows.rules import MAX_CONTENT_CHARACTERS, check, examine, unknown_types
from connect_flows.start_attributes import start_attributes
from connect_flows.weave import Start, Stop, Woven, weave

_DONE, _REFUSED = 0, 2
_ALIAS_ARN = re.compile(
    r"arn:aws[a-z-]*:lambda:(?:[a-z0-9-]+|\$\.AwsRegion):[0-9]{12}:"
    r"function:[\w-]+:(?![0-9]+$)[\w-]+",
    re.ASCII,
)


class _Refused(ValueError):
    """Each argument is a reason."""


def main(arguments: list[str] | None = None) -> int:
    """:returns: 0; or 2 if Connect would refuse the flow, or it cannot take transcription. An audit
    returns 1 if something is wrong.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command == "audit":
        return run_on_folder(options)
    weaves = options.command == "weave"
    if weaves and not options.start and not options.stop:
        parser.error("give --start, --stop or both")
    try:
        content = parse(_read(options.file))
        if problems := check(content, options.type):
            raise _Refused(*problems, *_as_notes(_notes(content, options.type)))
        woven = None
        if weaves:
            woven = weave(
                content,
                options.type,
                start=_start(options),
                stop=_stop(options),
                both_directions=options.both_directions,
            )
            content = woven.content
        notes = [*_notes(content, options.type), *(woven.notes if woven else ())]
        if notes and options.strict:
            raise _Refused(*_as_notes(notes))
    except RecursionError:
        return _refuse(options.file, "its JSON is nested too deep")
    except ValueError as error:  # no flow, no place to weave, no JSONPath
        return _refuse(options.file, *error.args)
    if woven:
        _write(woven)
    else:
        _say(f"{options.file}: found nothing that Connect would refuse")
    _say(*(f"{options.file}: {note}" for note in _as_notes(notes)))
    return _DONE


def _notes(content: Content, type: str) -> Iterator[str]:
    yield from (str(each) for each in examine(content, type) if not each.refuses)
    if unknown := unknown_types(content):
        yield f"not checked, because there is no rule for these blocks: {', '.join(unknown)}"


def _as_notes(notes: Iterable[str]) -> list[str]:
    return [f"note: {note}" for note in notes]


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except OSError as error:
        raise _Refused(f"it cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _Refused("it is not a text file in UTF-8") from None


def _write(woven: Woven) -> None:
    """Write the flow to standard output, and a summary to standard error.

    The flow is indented, unless that would make it too long for Connect.
    """
    text = json.dumps(woven.content, indent=2, ensure_ascii=False)
    if len(text) > MAX_CONTENT_CHARACTERS:
        text = to_json(woven.content)
    sys.stdout.buffer.write(f"{text}\n".encode())
    sys.stdout.buffer.flush()
    _say(*(f"inserted {insertion}" for insertion in woven.insertions))
    _say(*(f"widened {name!r} to both directions" for name in woven.widened))
    if not woven.insertions and not woven.widened:
        _say("nothing to insert: the flow has all of it already")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m connect_flows", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "file", type=Path, help="a flow, as the flow designer or the API exports it"
    )
    common.add_argument(
        "--type", required=True, choices=sorted(FLOW_TYPES | {MODULE}), help="what kind of flow"
    )
    common.add_argument(
        "--strict",
        action="store_true",
        help="fail on notes as well: differences from the rules that Connect may accept",
    )
    commands.add_parser("check", parents=[common], help="say what Connect would refuse")
    weaving = commands.add_parser(
        "weave", parents=[common], help="add transcription, and write the flow to standard output"
    )
    weaving.add_argument(
        "--start", metavar="ARN", help="the start_streaming function, as …:function:NAME:ALIAS"
    )
    weaving.add_argument(
        "--stop", metavar="ARN", help="the stop_streaming function, as …:function:NAME:ALIAS"
    )
    weaving.add_argument(
        "--stop-before",
        nargs="+",
        choices=tuple(ENDINGS),
        help="where to stop; transfer means queue and transfer-out; default: all of them",
    )
    weaving.add_argument(
        "--both-directions",
        action="store_true",
        help="change a flow that streams one direction only, so that ASAPP hears both sides",
    )
    weaving.add_argument("--customer-id", metavar="JSONPATH", default="$.CustomerEndpoint.Address")
    weaving.add_argument(
        "--agent-id",
        metavar="JSONPATH",
        default="$.Agent.UserName",
        help="left out if it is a path of $.Agent and flows of this type have no agent",
    )
    add_folder_options(
        commands.add_parser("audit", help="say what is wrong in all flows of an instance together")
    )
    return parser


def _start(options: argparse.Namespace) -> Start | None:
    if not options.start:
        return None
    attributes = start_attributes(
        options.type, customer_id_path=options.customer_id, agent_id_path=options.agent_id
    )
    return Start(function_arn=_alias("--start", options.start), attributes=attributes)


def _stop(options: argparse.Namespace) -> Stop | None:
    if not options.stop:
        return None
    arn = _alias("--stop", options.stop)
    if not options.stop_before:
        return Stop(function_arn=arn)
    if PLACES[options.type].stop is Place.ENTRY:
        raise _Refused(
            f"in a flow of type {options.type} stop goes to the entry: remove --stop-before"
        )
    return Stop(function_arn=arn, before=options.stop_before)


def _alias(option: str, arn: str) -> str:
    # Connect does not report a wrong ARN: calls take the error branch, and no log shows why.
    if not _ALIAS_ARN.fullmatch(arn):
        raise _Refused(
            f"{option} is {arn!r}: give the ARN of the function's alias, "
            "arn:aws:lambda:REGION:ACCOUNT:function:NAME:ALIAS, as "
            "aws connect list-lambda-functions shows it"
        )
    return arn


def _refuse(file: Path, *problems: object) -> int:
    _say(*(f"{file}: {problem}" for problem in problems))
    return _REFUSED


def _say(*lines: str) -> None:
    for line in lines:
        print(printable(line), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
