"""``make sandbox``: what it prints works as it is printed."""

from __future__ import annotations

import io
import json
import re
import subprocess
import uuid
from pathlib import Path

from rich.console import Console

from sandbox.__main__ import lines, show
from sandbox.stacks.running import Sandbox


def test_every_line_that_the_sandbox_prints_works_as_it_is_printed(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    page = io.StringIO()
    show(lines(sandbox), Console(file=page, soft_wrap=True, highlight=False))
    pasted = re.findall(r"(?m)^# (.*)\n(.*)$", page.getvalue())
    assert len(pasted) == len(lines(sandbox))
    sandbox.deployment.emulator.client("sqs").purge_queue(QueueUrl=sandbox.listener.queue_url)
    script = ""
    for number, (title, line) in enumerate(pasted):
        script += f"{line} > '{tmp_path}/answer' || exit 1\n"
        if title.startswith(("Read the call's items", "Read the events of the bus")):
            script += f"until grep -q upgrading '{tmp_path}/answer'; do sleep 0.2\n"
            script += f"{line} > '{tmp_path}/answer' || exit 1; done\n"
        script += f"cat '{tmp_path}/answer'; echo; echo '=== after {number}'\n"
    script += "env | grep ^AWS_\n"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answers = [each.strip() for each in re.split(r"=== after \d+\n", done.stdout)]
    started, posted, kept, heard, own, stopped, compared, read, _, variables = answers
    customer_stream = uuid.UUID(started)
    assert json.loads(posted or "{}") == {}
    assert "upgrading my streaming package" in kept
    assert str(customer_stream) in kept
    assert "upgrading my streaming package" in heard
    assert json.loads(own) == {"items": []}
    assert json.loads(stopped)["status"] == "stopped"
    assert "awaiting" in compared
    assert "customer: I need help upgrading my streaming package" in read
    assert f"AWS_ENDPOINT_URL={sandbox.deployment.emulator.endpoint}" in variables
