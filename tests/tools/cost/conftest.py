"""prod and its variants, synthesised once; in this process, where aws-cdk-lib is loaded already."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tools.cost.__main__ import costs_of
from tools.cost.calculation import Load
from tools.cost.environment import ROOT, Environment, data_of, synthesise, variants
from tools.cost.prices import Prices
from tools.cost.report import Costs
from tools.cost.synthesise import write_assemblies

LOAD = Load(1_000, 6)
"""Of the page docs/cost.md."""
OTHERS = ("dev", "staging", "sandbox")


@pytest.fixture(scope="session")
def every(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Environment]:
    """The variants of prod, and the other files by their names."""
    folder = ROOT / "infra/environments"
    files = [folder / f"{name}.toml" for name in OTHERS]
    files += [ROOT / "tests/infra/permissions/full.toml"]
    wanted = variants(data_of(folder / "prod.toml")) | {each.stem: data_of(each) for each in files}
    return synthesise(wanted, "prod", tmp_path_factory.mktemp("cost"), write_assemblies)


@pytest.fixture(scope="session")
def made(every: Mapping[str, Environment]) -> Mapping[str, Environment]:
    """prod and its variants, by their names."""
    return {name: each for name, each in every.items() if name not in (*OTHERS, "full")}


@pytest.fixture(scope="session")
def costs(made: Mapping[str, Environment]) -> Costs:
    return costs_of(made, LOAD, Prices())
