"""``make demo``, as its user sees it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pytest

from sandbox.demo.__main__ import main
from sandbox.stacks.running import running_sandbox
from tests.sandbox.conftest import in_this_process

ROOT = Path(__file__).parents[3]


def test_make_demos_command_ends_well_with_nothing_lost_or_doubled(
    installed: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In this process, where aws-cdk-lib is loaded, and without a browser: a process can have one
    only. ``.ci/run`` has ``make demo`` itself."""
    figures = tmp_path / "summary.json"
    monkeypatch.setattr(sys, "argv", ["sandbox.demo", "--json", str(figures)])
    quick = partial(running_sandbox, synthesise=in_this_process)
    monkeypatch.setattr("sandbox.demo.__main__.running_sandbox", quick)
    monkeypatch.setattr("sandbox.demo.__main__.installed_browser", nullcontext)
    code = main()
    output, errors = capsys.readouterr()
    assert code == 0, output[-3000:] + errors[-3000:]
    assert "Traceback" not in errors
    summary = json.loads(figures.read_text())
    assert summary["calls"] >= 3
    assert summary["utterances"] >= 60
    assert summary["starts"] == summary["stops"] > summary["calls"]  # some calls have a hold
    assert summary["posts"] > summary["utterances"] - summary["dropped_by_asapp"]  # some came twice
    assert summary["recovered"] == summary["dropped_by_asapp"] >= 3
    assert summary["conversations_complete"] == summary["calls"]
    assert (summary["lost"], summary["duplicated"], summary["altered"]) == (0, 0, 0)
    assert summary["unpublished"] == 0
    assert (summary["heard_on_hold"], summary["unheard_in_talk"]) == (0, 0)
    assert summary["unheard_on_hold"] > 10
    assert 0 < summary["post_to_table_ms_p50"] <= summary["post_to_table_ms_p99"]
    assert summary["post_to_table_ms_p50"] < summary["post_to_bus_ms_p50"]
    assert summary["post_to_bus_ms_p50"] <= summary["post_to_bus_ms_p99"]
    assert "the way to the live page is not measured: no browser: install chromium" in output
    assert summary["post_to_page_ms_p50"] is summary["unseen"] is None
    assert "post to page" not in output
    _shows_each_call_by_itself_and_in_order(output, summary["calls"])
    recovered = output.partition("comparing the calls")[2].partition("Summary")[0]
    assert len(re.findall(r"(?m)^call \d", recovered)) == summary["recovered"]
    assert "\x1b" not in output  # nothing of a terminal in a pipe
    assert "localhost" not in output  # nothing that is gone when somebody tries it


STARTS = """
from sandbox.demo.__main__ import started_browser
from sandbox.demo.screen import Screen
with started_browser(Screen()) as browser:
    print(browser)
"""


def test_a_browser_that_does_not_start_takes_a_figure_from_the_demo_and_nothing_else(
    tmp_path: Path,
) -> None:
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    # The folder for temporary files is longer than a socket's path may be.
    long = tmp_path / ("x" * 100)
    long.mkdir()
    surroundings = os.environ | {"PYTHONPATH": "lambdas:.", "TMPDIR": str(long)}

    def said(path: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", STARTS],
            cwd=ROOT,
            env=surroundings | {"PATH": path},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    without = said(f"{tmp_path}:{os.environ['PATH']}")
    assert "the way to the live page is not measured: the browser does not start (" in without
    assert without.endswith("\nNone\n")
    if any(map(shutil.which, ("chromium", "google-chrome"))):
        assert said(os.environ["PATH"]).startswith("<Browser type=")
        assert [*long.iterdir()] == []


def _shows_each_call_by_itself_and_in_order(output: str, calls: int) -> None:
    shown = re.split(r"(?m)^─+ call \d: ", output.partition("comparing the calls")[0])[1:]
    assert len(shown) == calls
    for call in shown:
        times = [float(each) for each in re.findall(r"(?m)^ *(\d+\.\d) s  ", call)]
        assert len(times) > 15
        assert times == sorted(times)
    warm = next(call for call in shown if "ada consults grace" in call)
    assert "Transcription agent whisper: Start media streaming" in warm
    assert "Announce the queue (failed: nothing to say; the flow goes on)" in warm
    held = next(call for call in shown if call.count("── agent holds") == 2)
    before, between, after = (
        len(re.findall(r"(?m) (customer|agent)  ", part))
        for part in re.split("── agent (?:holds|leaves)", held)[:3]
    )
    assert min(before, between, after) > 0
