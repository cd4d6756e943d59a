"""``make audit`` against an instance of sixty flows behind a socket."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.tools.audit.acme import FOUND, STACK, START, STOP, acme
from tests.tools.doctor.fake_aws import ACCOUNT, INSTANCE, REGION, FakeAws, Refusal
from tests.tools.fake_connect import Clock, FakeInstance, running
from tools.audit.__main__ import STACKS, main
from tools.audit.reading import OPERATIONS
from tools.connect_reader import actions

pytestmark = pytest.mark.usefixtures("credentials")

ROOT = Path(__file__).parents[3]
PAGES = {
    "ListContactFlows": 3,
    "ListContactFlowModules": 1,
    "SearchQueues": 1,
    "SearchQuickConnects": 1,
    "ListPhoneNumbersV2": 2,
    "ListFlowAssociations": 2,
    "ListLambdaFunctions": 1,
}
"""How many pages the fake needs for the instance's lists, at twenty items a page."""


@dataclass
class Run:
    code: int
    out: str
    err: str


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """``prod.toml`` of this instance. Nothing follows holds in it."""
    text = (ROOT / "infra" / "environments" / "prod.toml").read_text("utf-8")
    text = re.sub(r"(?m)^instance_arn = .*", f'instance_arn = "{INSTANCE}"', text)
    text = re.sub(r"(?m)^account = .*", f'account = "{ACCOUNT}"', text)
    text = re.sub(r"(?m)^region = .*", f'region = "{REGION}"', text)
    text = re.sub(r'(?s)(\[lifecycle\]\nmode = )"manage"', r'\1"off"', text)
    file = tmp_path / "prod.toml"
    file.write_text(text, "utf-8")
    return file


@contextmanager
def at(instance: FakeInstance) -> Iterator[FakeAws]:
    instance.clock = instance.clock or Clock()
    with running(instance) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", server.url)
        yield server


def run(settings: Path, instance: FakeInstance, *arguments: str) -> Run:
    """What the command does, in this process and on the fake's clock."""
    out, err = io.StringIO(), io.StringIO()
    clock = instance.clock
    assert clock
    folder = ("--folder", str(settings.parent / "kept"))
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(settings), *folder, *arguments], sleep=clock.sleep, now=clock.now)
    return Run(code, out.getvalue(), err.getvalue())


def test_of_sixty_flows_exactly_the_twelve_mistakes_are_found(settings: Path) -> None:
    instance = acme()
    assert len(instance.flows) == 60
    with at(instance):
        ran = run(settings, instance, "--json")
    report = json.loads(ran.out)
    found = [
        tuple(each[key] for key in ("kind", "flow", "block", "setting"))
        for each in report["findings"]
    ]
    assert found == FOUND
    assert ran.code == 1


def test_it_asks_for_each_page_and_each_flow_once_at_most_twice_a_second(settings: Path) -> None:
    instance = acme()
    described = 2 * 59  # one of the sixty is archived
    with at(instance):
        ran = run(settings, instance)
    assert instance.clock
    asked = Counter(instance.calls)
    assert {name: asked[name] for name in PAGES} == PAGES
    assert asked["DescribeContactFlow"] + asked["DescribeContactFlowModule"] == described
    assert len(set(instance.described)) == len(instance.described) == described - 1
    requests = sum(PAGES.values()) + described
    assert f"read with {requests} requests\n" in ran.err
    assert requests == 129
    assert (instance.clock.time, instance.throttled) == ((requests - 1) / 2, 0)


def test_an_instance_in_which_all_is_well_has_no_finding(settings: Path) -> None:
    instance = acme(mistakes=False)
    with at(instance):
        ran = run(settings, instance)
    assert ran.code == 0
    assert ran.out.splitlines()[-1] == "0 findings, 5 notes; walked from 43 beginnings of calls"


def test_a_second_run_asks_nothing_and_fresh_reads_again(settings: Path) -> None:
    instance = acme()
    with at(instance):
        first = run(settings, instance)
        asked = len(instance.calls)
        again = run(settings, instance)
        assert len(instance.calls) == asked
        fresh = run(settings, instance, "--fresh")
        assert len(instance.calls) == 2 * asked
    assert (again.code, again.out, fresh.out) == (1, first.out, first.out)
    assert "FRESH=1 reads again" in again.err


def test_what_was_read_can_be_audited_without_aws(settings: Path) -> None:
    instance = acme()
    with at(instance):
        first = run(settings, instance)
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "connect_flows", "audit", settings.parent / "kept"),
            *("--start", START, "--stop", STOP),
        ],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (1, first.out)


class Holding(FakeInstance):
    """Waits before one of its answers, until it may go on."""

    def __init__(self, made: FakeInstance, after: int) -> None:
        super().__init__(**{name: getattr(made, name) for name in ("flows", "queues", "numbers")})
        self.quick_connects, self.functions = made.quick_connects, made.functions
        self.outputs, self.after = made.outputs, after
        self.waits, self.goes_on = threading.Event(), threading.Event()

    def answer(self, service: str, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if len(self.calls) == self.after and not self.goes_on.is_set():
            self.waits.set()
            self.goes_on.wait(60)
        return super().answer(service, operation, request)


def test_after_ctrl_c_it_goes_on_and_reads_nothing_twice(settings: Path) -> None:
    """The real command in a process of its own, which only does not sleep between requests."""
    instance = Holding(acme(), after=40)
    arguments = [str(settings), "--folder", str(settings.parent / "kept"), "--json"]
    program = (
        "import sys; from tools.audit.__main__ import main; "
        f"sys.exit(main({arguments!r}, sleep=lambda seconds: None))"
    )
    command = [sys.executable, "-c", program]

    def begin(server: FakeAws) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "AWS_ENDPOINT_URL": server.url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    with running(instance) as server:
        first = begin(server)
        assert instance.waits.wait(60)
        first.send_signal(signal.SIGINT)
        out, err = first.communicate(timeout=60)
        instance.goes_on.set()
        assert (first.returncode, out) == (130, "")
        assert err.splitlines()[-1] == (
            "interrupted: what was read is kept; run it again, and it goes on"
        )
        second = begin(server)
        out, err = second.communicate(timeout=120)
    assert second.returncode == 1
    assert [each["kind"] for each in json.loads(out)["findings"]] == [each[0] for each in FOUND]
    # Only the answer that was on its way at Ctrl-C is read a second time.
    twice = [each for each, count in Counter(instance.described).items() if count > 1]
    assert len(twice) <= 1
    assert Counter(instance.calls)["ListContactFlows"] == PAGES["ListContactFlows"]
    assert f"read with {129 - 40} requests" in err


def test_a_throttled_instance_is_read_all_the_same(settings: Path) -> None:
    instance = acme()
    instance.tokens = -20
    with at(instance):
        ran = run(settings, instance)
    assert (ran.code, len(ran.out.splitlines()) > 20) == (1, True)
    assert instance.throttled > 0


def test_what_it_may_not_read_it_says_with_the_policy_and_keeps_the_rest(settings: Path) -> None:
    instance = acme()
    denial = "User: x is not authorized to perform: connect:SearchQueues on resource: y"
    instance.refusals["SearchQueues"] = Refusal("AccessDeniedException", denial, 403)
    with at(instance):
        ran = run(settings, instance)
        assert (ran.code, ran.out) == (2, "")
        assert "→ allow connect:SearchQueues; docs/flows.md has the whole policy; " in ran.err
        del instance.refusals["SearchQueues"]
        assert run(settings, instance).code == 1
    assert Counter(instance.calls)["ListContactFlows"] == PAGES["ListContactFlows"]


def test_before_anything_is_deployed_it_says_what_it_takes_for_ours(settings: Path) -> None:
    instance = acme()
    instance.outputs = {}
    with at(instance):
        ran = run(settings, instance)
    assert ran.code == 1
    assert f"{STACK} is not deployed" in ran.out


def test_an_environment_that_does_not_exist_is_an_error(
    settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["nowhere", "--folder", str(settings.parent)]) == 2
    assert 'there is no environment "nowhere"' in capsys.readouterr().err


def test_the_guide_has_the_policy_with_exactly_what_is_asked(settings: Path) -> None:
    guide = (ROOT / "docs" / "flows.md").read_text("utf-8")
    guide = guide.partition("\n## Flows as settings")[0]
    (text,) = re.findall(r"```json\n(\{.*?\})\n```", guide, re.DOTALL)
    (statement,) = json.loads(text)["Statement"]
    listed = set(statement["Action"])
    assert listed == {*actions(*OPERATIONS).values(), *STACKS.values()}
    instance = acme()
    with at(instance):
        run(settings, instance)
    asked = {f"connect:{name}" for name in instance.calls if name != "DescribeStacks"}
    assert asked | {"cloudformation:DescribeStacks"} == listed
    assert statement["Effect"] == "Allow"
