"""``python -m tools.load.account.app FILE OUT``: the stacks of a load in an account.

The file is JSON that `tools.load.account.account` writes: the account, the region, the
qualifier of its bootstrap, the prefix of the stacks' names, and the arguments of each stack.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from aws_cdk import App, DefaultStackSynthesizer, Environment

from app import add_stacks
from connect_settings import Settings
from tools.load.account.stacks import DoubleStack, SpeechStack

CONTEXT = json.loads((Path(__file__).parents[3] / "cdk.json").read_text("utf-8"))["context"]
TAG = "connect-autotranscribe:load"


def build(app: App, given: dict[str, Any]) -> None:
    """The double; then the copy, which needs its address; then what speaks to the copy."""
    common: dict[str, Any] = {
        "env": Environment(account=given["account"], region=given["region"]),
        "synthesizer": DefaultStackSynthesizer(qualifier=given["bootstrap_qualifier"]),
        "tags": {TAG: "temporary"},
    }
    DoubleStack(app, f"{given['prefix']}-double", calls=given["calls"], **common)
    if copy := given.get("copy"):
        add_stacks(app, copy["name"], Settings.from_mapping(copy["data"], source=copy["name"]))
    if speech := given.get("speech"):
        SpeechStack(app, f"{given['prefix']}-speech", **speech, **common)


if __name__ == "__main__":
    app = App(context=CONTEXT, outdir=sys.argv[2])
    build(app, json.loads(Path(sys.argv[1]).read_text("utf-8")))
    app.synth()
