"""``python -m tools.cost.synthesise OUT``: cloud assemblies of the settings on standard input.

A process of its own, because CDK prints what nobody has asked here. The input is JSON: by the name
of a folder below OUT, the name of an environment and the data of its file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from aws_cdk import App

from app import add_stacks
from connect_settings import Settings
from tools.cost.environment import Wanted

CONTEXT = Path(__file__).parents[2] / "cdk.json"


def write_assemblies(out: Path, wanted: Wanted) -> None:
    """A cloud assembly below ``out`` for each. No rule checks it, because only its costs count."""
    context = json.loads(CONTEXT.read_text(encoding="utf-8"))["context"]
    for folder, (name, data) in wanted.items():
        app = App(
            context=context,
            outdir=str(out / folder),
            builtin_cloud_formation_validation=False,
        )
        add_stacks(app, name, Settings.from_mapping(data, source=name))
        app.synth()


if __name__ == "__main__":
    write_assemblies(Path(sys.argv[1]), json.load(sys.stdin))
