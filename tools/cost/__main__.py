"""What an environment costs: ``make cost ENV=prod CALLS_PER_DAY=1000 MINUTES=6``.

It reads the environment's templates and docs/prices.toml, for each region of that file, and asks
nobody. It exits with 0, or with 2 if it cannot tell.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from connect_settings import Settings, SettingsError, environment_file
from tools.cost.calculation import Load, cost
from tools.cost.environment import (
    AS_IT_IS,
    ROOT,
    Environment,
    NotSynthesised,
    data_of,
    synthesise,
    variants,
)
from tools.cost.prices import NoPrice, Prices
from tools.cost.report import Costs, as_json, markdown
from tools.environment import ENVIRONMENTS

PAGE = ROOT / "docs" / "cost.md"
_BEGIN, _END = "<!-- cost: begin -->\n", "<!-- cost: end -->\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.cost", description=__doc__)
    parser.add_argument("environment", help="a file of infra/environments, or a path of one")
    parser.add_argument(
        "--calls-a-day", type=_positive("CALLS_PER_DAY=1000"), required=True, help="of each day"
    )
    parser.add_argument("--minutes", type=_positive("MINUTES=6"), required=True, help="of a call")
    parser.add_argument("--lines", action="store_true", help="print each line of the calculation")
    parser.add_argument("--json", type=Path, help="also write all of it to this file")
    parser.add_argument("--page", action="store_true", help="write docs/cost.md")
    given = parser.parse_args(arguments)
    load = Load(given.calls_a_day, given.minutes)
    try:
        file = environment_file(given.environment, ENVIRONMENTS)
        Settings.load(file)
        with TemporaryDirectory() as folder:
            made = synthesise(variants(data_of(file)), file.stem, Path(folder))
        costs = costs_of(made, load, Prices())
    except (SettingsError, NoPrice, NotSynthesised) as problem:
        print(problem, file=sys.stderr)
        return 2
    if given.lines:
        for region, each in costs[AS_IT_IS].items():
            print(f"{region}:")
            print(*(f"  {line}" for line in each.lines), sep="\n")
        print()
    text = markdown(costs, made[AS_IT_IS], Prices())
    print(text)
    if given.json:
        given.json.write_text(json.dumps(as_json(costs), indent=2) + "\n", encoding="utf-8")
    if given.page:
        PAGE.write_text(with_tables(PAGE.read_text("utf-8"), text), encoding="utf-8")
    return 0


def costs_of(made: Mapping[str, Environment], load: Load, prices: Prices) -> Costs:
    """Each environment in each region that has all prices."""
    return {
        name: {region: cost(each, load, prices, region) for region in prices.regions}
        for name, each in made.items()
    }


def with_tables(page: str, text: str) -> str:
    """The page, with the tool's output between its marks."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{text}\n\n{_END}{after}"


def _positive(like: str) -> Callable[[str], float]:
    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        if not 0 < value < 1e9:
            raise argparse.ArgumentTypeError(f"write a number over 0, like {like}")
        return value

    return number


if __name__ == "__main__":
    sys.exit(main())
