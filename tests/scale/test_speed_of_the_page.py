"""How the page feels, as a browser itself reports it: before the fake servers, so that only the
page and this machine take time. The figures are printed, for ``docs/live.md``."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import Enter, backend, enter
from tests.web.fake_backend import FakeBackend

__all__ = ["backend", "enter"]

CALL = "1f2e3d4c-0000-4000-8000-000000000001"
UTTERANCES, NEW = 2000, 100
OBSERVE = """() => {
  window.felt = { longTasks: [], shifts: [] };
  const note = (list, into, what) => into.push(...list.getEntries().map(what));
  new PerformanceObserver((list) => note(list, felt.longTasks, ({ duration }) => duration))
    .observe({ type: "longtask", buffered: true });
  new PerformanceObserver((list) => note(list, felt.shifts, ({ value }) => value))
    .observe({ type: "layout-shift", buffered: true });
}"""


def a_long_call(backend: FakeBackend) -> None:
    backend.begin(CALL, seconds_ago=7200)
    at = backend.calls[CALL].picture["startedAt"]
    now = int(time.time() * 1000) - 60_000
    for n in range(UTTERANCES):
        spoken, role = at + n * 3000, ("customer", "agent")[n % 2]
        text = f"Sentence {n}, which is about as long as what people say on the telephone."
        backend.say(CALL, role, text, at=spoken, endAt=spoken, storedAt=now + n)


def seconds_to_first_utterance(page: Page) -> float:
    """From the request for the page until an utterance is drawn; somebody has signed in before."""
    page.reload(wait_until="commit")
    page.locator(".utterance").first.wait_for()
    return float(page.evaluate("() => performance.now()")) / 1000


@pytest.mark.parametrize("slower", [1, 4])
def test_how_long_the_page_takes_with_2000_utterances(
    slower: int, backend: FakeBackend, enter: Enter, capsys: pytest.CaptureFixture[str]
) -> None:
    """:param slower: A processor that is so many times slower than this one."""
    a_long_call(backend)
    page = enter("sam", f"#calls={CALL}")
    expect(page.locator(".utterance")).to_have_count(UTTERANCES)
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slower})
    page.add_init_script(f"({OBSERVE})()")
    first = seconds_to_first_utterance(page)
    expect(page.locator(".utterance")).to_have_count(UTTERANCES)
    page.wait_for_timeout(1000)  # browsers tell of a long task after it
    loading = page.evaluate("() => felt.longTasks.splice(0)")
    page.evaluate("() => void felt.shifts.splice(0)")
    for n in range(NEW):
        backend.say(CALL, ("customer", "agent")[n % 2], f"new {n} " * (1 + n % 9))
        page.wait_for_timeout(50)
    expect(page.locator(".utterance")).to_have_count(UTTERANCES + NEW)
    page.wait_for_timeout(1000)
    felt = page.evaluate("() => felt")
    assert sum(felt["shifts"]) < 0.1, "what browsers call good"
    with capsys.disabled():
        print(
            f"\nOn a processor {slower} times slower, the first of {UTTERANCES} utterances is drawn"
        )
        print(f"after {first:.1f} s. Tasks over 50 ms: {_said(loading)} until all are there,")
        print(
            f"{_said(felt['longTasks'])} at {NEW} new ones. Layout shift {sum(felt['shifts']):.4f}"
        )


def _said(tasks: list[float]) -> str:
    return f"{len(tasks)} (the longest {max(tasks):.0f} ms)" if tasks else "none"
