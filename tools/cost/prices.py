"""The prices of docs/prices.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path

FILE = Path(__file__).parents[2] / "docs" / "prices.toml"
DAYS_GOOD = 365


class NoPrice(Exception):
    """A region that nobody has looked up; says what to do."""


@dataclass(frozen=True, slots=True)
class Price:
    """What AWS asks for something in a region.

    :param usd: For one unit.
    :param per: How many of what is counted are a unit.
    :param looked_up: The day on which somebody last looked for it.
    :param source: AWS's page of it.
    :param seen: Where the figure was found that day; empty if it was not read again.
    """

    name: str
    region: str
    unit: str
    per: float
    usd: float
    looked_up: date
    source: str
    seen: str

    @property
    def of_one(self) -> float:
        return self.usd / self.per

    def is_old(self, today: date) -> bool:
        return (today - self.looked_up).days > DAYS_GOOD


class Prices:
    """By name and region."""

    def __init__(self, file: Path = FILE) -> None:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
        self.every = [
            Price(
                name=name,
                region=region,
                unit=table["unit"],
                per=table["per"],
                usd=figure["usd"],
                looked_up=table["date"],
                source=table["source"],
                seen=figure.get("seen", ""),
            )
            for name, table in tables.items()
            for region, figure in table.items()
            if isinstance(figure, dict)
        ]
        self._by_key = {(each.name, each.region): each for each in self.every}

    @property
    def regions(self) -> list[str]:
        """Those that have every price."""
        names = {each.name for each in self.every}
        found = dict.fromkeys(each.region for each in self.every)
        return [each for each in found if all((name, each) in self._by_key for name in names)]

    def of(self, name: str, region: str) -> Price:
        """:raises NoPrice: if the file does not have it."""
        if (name, region) not in self._by_key:
            raise NoPrice(
                f"docs/prices.toml has no {name} of {region}; look it up, and add a line "
                f"`{region} = {{ usd = … }}` to each of its tables"
            )
        return self._by_key[name, region]
