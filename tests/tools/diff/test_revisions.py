"""How two revisions are synthesised."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.diff.revisions import Failure, Revision, synthesise

FAILS = """
from pathlib import Path

def build(app, name):
    Path("../failed").touch()
    raise ValueError("nobody knows this setting")
"""
WRITES_LATE = """
import time
from pathlib import Path

def build(app, name):
    while not Path("../failed").exists():
        time.sleep(0.01)
    time.sleep(0.5)
    Path("../written").touch()
"""
APP = """
class App:
    def __init__(self, **_):
        pass

    def synth(self):
        pass
"""


def test_when_one_revision_fails_the_other_writes_nothing_any_more(tmp_path: Path) -> None:
    """Else it would write into a folder that the command is removing, and the command would fail
    with a traceback."""
    revisions = []
    for name, app in {"base": FAILS, "head": WRITES_LATE}.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "app.py").write_text(app)
        (folder / "aws_cdk.py").write_text(APP)
        (folder / "cdk.json").write_text("{}")
        revisions.append(Revision(name, folder))
    with pytest.raises(Failure, match=r"(?s)It is base that .* nobody knows this setting"):
        synthesise({each: ["prod"] for each in revisions}, tmp_path / "out")
    assert (tmp_path / "written").exists(), "the other one has come to its end"
