"""The commands of the guide work as they are printed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.flow_builders import END, ROOT, blocks, flow, say

GUIDE = ROOT / "docs" / "flows.md"
AWS = """#!/bin/sh
case "$*" in
"connect describe-contact-flow "*"--query ContactFlow.Content --output text") cat "$FLOW" ;;
*) exit 1 ;;
esac
"""


def test_the_commands_of_the_guide_work_as_they_are_printed(tmp_path: Path) -> None:
    """In a folder with the checkout's .venv; only ``aws`` is not the real one."""
    weaving = GUIDE.read_text("utf-8").partition("## Weave your own")[2].partition("\n## ")[0]
    (script,) = re.findall("```sh\n(.*?)```", weaving, re.DOTALL)
    assert script.count(".venv/bin/python -m connect_flows") == 2
    flow_file = tmp_path / "flow.json"
    flow_file.write_text(json.dumps(flow(say("Hello", "End"), END)), "utf-8")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "aws").write_text(AWS)
    (tmp_path / "bin" / "aws").chmod(0o755)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    ran = subprocess.run(
        ["sh", "-e", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "FLOW": str(flow_file)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.splitlines() == [
        "mine.json: found nothing that Connect would refuse",
        "inserted Start media streaming → Start transcription, before 'Hello'",
    ]
    woven = json.loads((tmp_path / "woven.json").read_text("utf-8"))
    arn = blocks(woven)["Start transcription"]["Parameters"]["LambdaFunctionARN"]
    assert arn.endswith(":function:start_streaming:live")


def test_the_guide_names_every_option_of_weave() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "connect_flows", "weave", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    options = set(re.findall(r"--[a-z-]+", ran.stdout)) - {"--help"}
    guide = GUIDE.read_text("utf-8")
    assert {option for option in options if option not in guide} == set()
