"""Finds what the ARNs in the files of ``[[flows]]`` are in one instance, and the flows' order."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from aws_cdk import Token

from connect_flows.flow_content import NotAFlow, parse
from connect_flows.lock import FlowsLock, Pair
from connect_flows.places import PLACES, Place
from connect_flows.references import REGION_OF_CALL, Reference, instance_of, references
from connect_settings import OwnFlow, OwnFlows, SettingsError

Named = tuple[str, str]
"""The kind and the name of a flow or module."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A flow whose blocks name only what is in this instance.

    :param arns: By each ARN in the file: the ARN here, or a token.
    :param needs: By each ARN of another flow of ``[[flows]]`` in the file: its name and version.
    """

    flow: OwnFlow
    arns: Mapping[str, str] | None
    needs: Mapping[str, tuple[str, str]]


def in_order(
    own: OwnFlows, instance_arn: str, made: Mapping[Named, str], prefix: str
) -> list[Resolved]:
    """The flows, each after those that it names.

    :param made: The ARN of each flow and module that the stack itself has made.
    :param prefix: Stands before the names of the stack's flows.
    :raises SettingsError: with every ARN that is unknown here, and the block that names it.
    """
    flows = {each.settings.name: each for each in own.flows}
    names = {("flow", prefix + name): name for name in flows}
    names |= {
        ("flow", each.settings.replaces): name
        for name, each in flows.items()
        if each.settings.replaces
    }
    problems = list(_wrong_lock(own, instance_arn))
    found: dict[str, Resolved] = {}
    for name, flow in flows.items():
        arns: dict[str, str] = {}
        needs: dict[str, tuple[str, str]] = {}
        try:
            seen = [each for each in references(parse(flow.content)) if not each.is_anywhere]
        except (NotAFlow, RecursionError) as problem:
            problems.append(f"{flow.file}: {problem}")
            continue
        if flow.settings.stop_before and PLACES[flow.settings.type].stop is Place.ENTRY:
            problems.append(
                f"{flow.file}: in a flow of type {flow.settings.type} stop goes to the entry; "
                "remove stop_before"
            )
        for each in seen:
            pair = own.lock.pairs.get(each.arn) if own.lock else None
            here = (pair.kind, pair.name_here) if pair and pair.name else None
            version = each.without_version[1]
            if here in names:
                needs[each.arn] = names[here], version
            elif here and here in made:
                arns[each.arn] = made[here] + version
            elif wrong := _wrong(each, pair, own, instance_arn):
                problems.append(f"{flow.file}: {wrong}")
            elif pair:
                arns[each.arn] = pair.arns[0]
        found[name] = Resolved(flow, arns if own.lock else None, needs)
    if problems:
        raise SettingsError("\n".join(dict.fromkeys(problems)))
    needed = {name: [need for need, _ in each.needs.values()] for name, each in found.items()}
    try:
        return [found[name] for name in TopologicalSorter(needed).static_order()]
    except CycleError as cycle:
        circle = " → ".join(map(repr, reversed(cycle.args[1])))
        raise SettingsError(
            f"{own.environment}: flows name each other in a circle: {circle}; CloudFormation "
            "cannot create them: take one out of [[flows]], and weave it with python -m "
            "connect_flows weave"
        ) from None


def _wrong_lock(own: OwnFlows, instance_arn: str) -> Iterator[str]:
    lock = own.lock
    if lock is None:
        return
    if not Token.is_unresolved(instance_arn) and lock.target.instance != instance_arn:
        yield (
            f"{_file(own)}: is for {lock.target.instance}, not for {instance_arn}; run "
            f"{lock.command}, and commit the lock"
        )
    for pair in lock.pairs.values():
        said = own.pairs.get(f"{pair.kind} {pair.name}")
        if said not in (None, pair.name_here):
            yield (
                f"{_file(own)}: has {pair.name_here!r} for the {pair.kind} {pair.name!r}, and "
                f"connect.pairs says {said!r}; run {lock.command}, and commit the lock"
            )
    for arn, said in own.pairs.items():
        if arn in lock.pairs and lock.pairs[arn].arns != (said,):
            yield (
                f"{_file(own)}: does not pair {arn} as connect.pairs says; run {lock.command}, and "
                "commit the lock"
            )


def _file(own: OwnFlows) -> str:
    return f"{own.environment}.flows.lock"


def _wrong(each: Reference, pair: Pair | None, own: OwnFlows, instance_arn: str) -> str | None:
    """What is wrong with an ARN that is no flow of the stack, and what to do."""
    lock = own.lock
    if lock is None:
        if not _is_of_another_place(each.arn, instance_arn):
            return None
        return (
            f"{each}, which is not of the instance of {own.environment}; run make map-flows "
            f"FROM=… TO={own.environment}, where FROM is the environment from which the file was "
            f"exported, and commit {_file(own)}"
        )
    if pair is None:
        return f"{each}, which {_file(own)} does not have; run {lock.command}, and commit the lock"
    if len(pair.arns) == 1:
        return None
    return _without_pair(each, pair, lock)


def _without_pair(each: Reference, pair: Pair, lock: FlowsLock) -> str:
    source, target = lock.source.environment, lock.target.environment
    which = f"{pair.kind} {pair.name!r}" if pair.name else pair.kind
    block = f"the block {each.block!r} ({each.type}) names the {which} of {source}, {each.arn}"
    by_arn = _write({each.arn: "its ARN here"}, target)
    again = f"; then run {lock.command}, and commit the lock"
    if pair.arns:
        several = f"{target} has {len(pair.arns)} of that name: {', '.join(pair.arns)}"
        return f"{block}; {several}; rename all but one, or {by_arn}{again}"
    if not pair.name:
        missing = f"which {source} does not have, or whose name cannot be read"
        return f"{block}, {missing}; export the flow again, or {by_arn}{again}"
    here = f" {pair.here!r}" if pair.here else " of that name"
    by_name = _write({f"{pair.kind} {pair.name}": "its name here"}, target)
    return f"{block}; {target} has no {pair.kind}{here}; {_create(pair.kind)}, or {by_name}{again}"


def _create(kind: str) -> str:
    if kind in ("Lambda function", "Lex bot"):
        return "associate it with the instance"
    return "create it"


def _write(pairs: Mapping[str, str], environment: str) -> str:
    inside = ", ".join(
        f"{json.dumps(key, ensure_ascii=False)} = {json.dumps(value)}"
        for key, value in pairs.items()
    )
    return f"write pairs = {{{inside}}} under [connect] of {environment}.toml"


def _is_of_another_place(arn: str, instance_arn: str) -> bool:
    """Whether it is known to be of another instance, account or region than this instance."""
    if Token.is_unresolved(instance_arn) or not arn.startswith("arn:"):
        return False
    arn = arn.replace(REGION_OF_CALL, instance_arn.split(":")[3])
    if instance := instance_of(arn):
        return instance != instance_arn
    its, ours = arn.split(":")[3:5], instance_arn.split(":")[3:5]
    return any(one not in ("", other) for one, other in zip(its, ours, strict=True))
