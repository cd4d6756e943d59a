"""prod and its variants, synthesised once."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tools.cost.__main__ import costs_of
from tools.cost.calculation import Load
from tools.cost.environment import ROOT, Environment, data_of, synthesise, variants
from tools.cost.prices import Prices
from tools.cost.report import Costs

LOAD = Load(1_000, 6)
"""Of the page docs/cost.md."""


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Environment]:
    data = data_of(ROOT / "infra/environments/prod.toml")
    return synthesise(variants(data), "prod", tmp_path_factory.mktemp("cost"))


@pytest.fixture(scope="session")
def costs(made: Mapping[str, Environment]) -> Costs:
    return costs_of(made, LOAD, Prices())
