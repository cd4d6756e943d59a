"""What an environment costs a month by being there, before and after a change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tools.cost.prices import NoPrice, Prices
from tools.cost.resources import fixed_of
from tools.diff.assembly import Environment
from tools.diff.values import code


@dataclass(frozen=True)
class Monthly:
    """:param usd: None if a region has no prices.
    :param unclear: The types of resources whose price nobody has said.
    """

    usd: float | None
    unclear: frozenset[str]


def monthly(environment: Environment) -> Monthly:
    """Alarms, keys, secrets, shards and the like; not what calls cost."""
    prices = Prices()
    usd, missing = 0.0, False
    every: set[str] = set()
    for name, stack in environment.stacks.items():
        region = str(stack.place).rpartition("/")[2]
        its = (each for each in environment.resources.values() if each.stack == name)
        found, unclear = fixed_of((each.type, each.body.get("Properties", {})) for each in its)
        every.update(map(str, unclear))
        try:
            usd += sum(each.quantity * prices.of(each.price, region).of_one for each in found)
        except NoPrice:
            missing = True
    return Monthly(None if missing else usd, frozenset(every))


def sentences(costs: Mapping[str, tuple[Monthly, Monthly]]) -> Iterator[str]:
    """A line for each environment whose price changes, or may.

    :param costs: Before and after, by the environment's name.
    """
    for name, (before, after) in costs.items():
        new = after.unclear - before.unclear
        also = f"; nobody has said what {', '.join(map(code, sorted(new)))} costs" if new else ""
        if before.usd is None or after.usd is None:
            if before.usd != after.usd or also:
                yield f"{code(name)}: docs/prices.toml does not have its region{also}"
        elif also or abs(after.usd - before.usd) >= 0.005:
            change = after.usd - before.usd
            sign = "+" if change >= 0 else "-"
            yield (
                f"{code(name)}: {sign}${abs(change):,.2f}, from ${before.usd:,.2f} to "
                f"${after.usd:,.2f}{also}"
            )
