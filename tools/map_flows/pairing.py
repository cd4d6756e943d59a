"""Which thing of one instance is which of another: by kind and name, and what the settings say."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from connect_flows.lock import FlowsLock, Pair, Side
from connect_flows.references import REGION_OF_CALL, Reference
from tools.map_flows.instance import Instance


def lock_of(
    named: Iterable[Reference],
    source: Instance,
    target: Instance,
    *,
    pairs: Mapping[str, str],
    renamed: Mapping[str, str],
) -> FlowsLock:
    """
    :param named: What the blocks of the target's flow files name.
    :param pairs: ``connect.pairs`` of the target.
    :param renamed: The names in the target of flows and modules of our stack, by those in the
        source: their prefixes differ.
    """
    by_arn = {each.arn: each for each in named if not each.is_anywhere}
    return FlowsLock(
        source=Side(environment=source.environment, instance=source.arn),
        target=Side(environment=target.environment, instance=target.arn),
        pairs={arn: _pair(each, source, target, pairs, renamed) for arn, each in by_arn.items()},
    )


def _pair(
    named: Reference,
    source: Instance,
    target: Instance,
    pairs: Mapping[str, str],
    renamed: Mapping[str, str],
) -> Pair:
    thing = source.named(named)
    name = thing.name if thing else ""
    if named.arn in pairs:
        return Pair(kind=named.kind, name=name, arns=(pairs[named.arn],))
    if thing is None:
        return Pair(kind=named.kind, name="")
    key = f"{named.kind} {name}"
    here = pairs.get(key, renamed.get(key, name))
    if source.arn == target.arn and here == name:
        found = [thing.arn]
    else:
        found = [
            each.arn
            for each in target.all(named.kind)
            if (each.name, each.type) == (here, thing.type)
        ]
    version = named.without_version[1]
    return Pair(
        kind=named.kind,
        name=name,
        here="" if here == name else here,
        arns=tuple(sorted(_like(named, each, target) + version for each in found)),
    )


def _like(named: Reference, arn: str, target: Instance) -> str:
    """With the region of the call if the file has that."""
    if f":{REGION_OF_CALL}:" in named.arn:
        return arn.replace(f":{target.region}:", f":{REGION_OF_CALL}:", 1)
    return arn


def without_pair(lock: FlowsLock, made: Collection[str]) -> list[tuple[str, Pair]]:
    """What synth will refuse, by its ARN.

    :param made: The kinds and names that the target's stack itself deploys.
    """
    return [
        (arn, each)
        for arn, each in lock.pairs.items()
        if len(each.arns) != 1 and f"{each.kind} {each.name_here}" not in made
    ]
