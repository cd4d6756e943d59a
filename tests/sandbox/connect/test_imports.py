"""The simulated Connect imports downwards only."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

FOLDER = Path(__file__).parents[3] / "sandbox" / "connect"


def test_no_module_of_the_simulated_connect_imports_itself_by_a_detour() -> None:
    imports = {}
    for file in FOLDER.glob("*.py"):
        nodes = ast.walk(ast.parse(file.read_text("utf-8")))
        imports[f"sandbox.connect.{file.stem}"] = {
            node.module
            for node in nodes
            if isinstance(node, ast.ImportFrom)
            and (node.module or "").startswith("sandbox.connect")
        }
    order = list(TopologicalSorter(imports).static_order())  # raises CycleError
    assert order.index("sandbox.connect.flow_state") < order.index("sandbox.connect.flow_blocks")
    assert order.index("sandbox.connect.flow_blocks") < order.index("sandbox.connect.flow_runner")
