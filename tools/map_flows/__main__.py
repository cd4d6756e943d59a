"""``make map-flows FROM=dev TO=prod``: what flow files of dev name by ARN, in the instance of prod.

It reads both instances, and changes nothing there: `tools.map_flows.instance` names every call. It
writes ``prod.flows.lock`` beside ``prod.toml``, for you to commit. It exits with 0 if everything
has a pair; with 1 if something has none or several, which synth then refuses; and with 2 if it
cannot tell.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from connect_flows.flow_content import NotAFlow, parse
from connect_flows.lock import Pair
from connect_flows.references import Reference, references
from connect_settings import OwnFlows, Settings, SettingsError, environment_file
from connect_settings.own_flows import lock_file
from tools.doctor.findings import NotSeen
from tools.environment import ENVIRONMENTS
from tools.map_flows.instance import Instance
from tools.map_flows.pairing import lock_of, without_pair

READY_MADE = (
    "flow Transcription agent whisper",
    "flow Transcription customer hold",
    "flow Transcription customer queue",
    "flow Transcription customer whisper",
    "flow Transcription disconnect",
    "flow Transcription outbound whisper",
    "flow Transcription transfer to agent",
    "flow Transcription transfer to queue",
    "module Start transcription",
    "module Stop transcription",
)
"""The kinds and names of what a flows stack makes; a test compares them."""
DONE, REFUSED, CANNOT, INTERRUPTED = 0, 1, 2, 130


def main(
    arguments: Sequence[str] | None = None,
    *,
    sleep: Callable[[float], object] = time.sleep,
    now: Callable[[], float] = time.monotonic,
) -> int:
    parser = argparse.ArgumentParser(prog="map-flows", description="Pairs what flows name by ARN")
    for name, what in (("source", "from which the files were exported"), ("target", "to map to")):
        help = f"an environment {what}: a file of infra/environments, or the path of one"
        parser.add_argument(name, help=help)
    for side in ("source", "target"):
        parser.add_argument(f"--{side}-profile", help="a profile of the AWS command line")
    given = parser.parse_args(arguments)
    try:
        files = [environment_file(each, ENVIRONMENTS) for each in (given.source, given.target)]
        settings = [Settings.load(each) for each in files]
        own = OwnFlows.read(settings[1], files[1])
        named = list(_named(own))
        profiles = (given.source_profile, given.target_profile)
        source, target = (
            Instance(
                file.stem,
                each.connect.instance_arn,
                each.account,
                profile=profile,
                tell=_say,
                sleep=sleep,
                now=now,
            )
            for file, each, profile in zip(files, settings, profiles, strict=True)
        )
        if wrong := [problem for each in (source, target) if (problem := each.check_account())]:
            raise SettingsError("\n".join(wrong))
        lock = lock_of(
            named,
            source,
            target,
            pairs=settings[1].connect.pairs,
            renamed=_renamed(*settings),
        )
    except SettingsError as problem:
        _say(str(problem))
    except NotSeen as unseen:
        _say(f"{unseen.finding.what}\n→ {unseen.finding.remedy}; nothing was written")
    except KeyboardInterrupt:
        _say("interrupted: nothing was written")
        return INTERRUPTED
    else:
        written = lock_file(files[1])
        _write(written, lock.text())
        requests = source.reader.requests + target.reader.requests
        _say(f"{written}: {len(lock.pairs)} pairs, read with {requests} requests; commit it")
        bad = without_pair(lock, _made(settings[1]))
        for arn, pair in bad:
            _say(_sentence(arn, pair, target.environment))
        return REFUSED if bad else DONE
    return CANNOT


def _named(own: OwnFlows) -> Iterator[Reference]:
    problems = []
    for each in own.flows:
        try:
            yield from references(parse(each.content))
        except (NotAFlow, RecursionError) as problem:
            problems.append(f"{each.file}: {problem}")
    if problems:
        raise SettingsError("\n".join(problems))


def _prefixed(settings: Settings, named: str) -> str:
    """A kind and a name, with the prefix of the environment's flows."""
    kind, _, name = named.partition(" ")
    prefix = settings.connect.flow_name_prefix
    return f"{kind} {prefix} {name}" if prefix else named


def _renamed(source: Settings, target: Settings) -> dict[str, str]:
    """The name in the target of what both environments' stacks make, by kind and name."""
    in_both = [*READY_MADE, *(f"flow {each.name}" for each in source.flows)]
    return {_prefixed(source, each): _prefixed(target, each).partition(" ")[2] for each in in_both}


def _made(settings: Settings) -> set[str]:
    """The kinds and names that the environment's stack makes, or puts in their place."""
    ours = [*READY_MADE, *(f"flow {each.name}" for each in settings.flows)]
    if settings.lifecycle.mode == "off":
        ours.remove("flow Transcription customer hold")
    replaced = {f"flow {each.replaces}" for each in settings.flows if each.replaces}
    return {_prefixed(settings, each) for each in ours} | replaced


def _write(file: Path, text: str) -> None:
    """Whole or not at all."""
    part = file.with_name(f"{file.name}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, file)


def _sentence(arn: str, pair: Pair, target: str) -> str:
    count = f"{len(pair.arns)} of that name" if pair.arns else "none of that name"
    if not pair.name:
        return f"no pair: {pair.kind} {arn}, whose name cannot be read; make synth says what to do"
    return f"no pair: {target} has {count}: {pair.kind} {pair.name_here!r} ({arn})"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
