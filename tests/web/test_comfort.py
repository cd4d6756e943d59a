"""For everybody's eyes and hands, and at any size: accessibility, speed, and how much is loaded."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import ROOT, Enter
from tests.web.fake_backend import DIST, FakeBackend
from tests.web.test_workspace import select, sign_in

CALL = "1f2e3d4c-0000-4000-8000-000000000001"
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
FINDINGS = """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations
  .map(({id, nodes}) => [id, nodes.map(({html, failureSummary}) => [html, failureSummary])])"""


def findings(page: Page, *, in_frame: bool = False) -> object:
    """What axe-core finds. The page's own content security policy refuses code of others, so it
    comes by the browser's debugger."""
    frame = page.frames[-1] if in_frame else page.main_frame
    frame.evaluate(AXE.read_text("utf-8"))
    return frame.evaluate(FINDINGS)


def everything(backend: FakeBackend) -> None:
    """A call in which everything that can be shown happens, and others beside it."""
    backend.begin(CALL, seconds_ago=300)
    at = backend.calls[CALL].picture["startedAt"]
    said: list[tuple[str, str, dict[str, Any]]] = [
        ("customer", "My card is #### ####, and it does not work", {}),
        ("agent", "Let me look. " * 200, {}),
        ("customer", "\u202eevil\u0000", {"verified": False}),
        ("unknown", "שלום 🙂", {"source": "messages", "malformed": ["timestamp"]}),
    ]
    for n, (role, text, more) in enumerate(said):
        backend.say(CALL, role, text, at=at + n * 5000, endAt=at + n * 5000, **more)
    leg = backend.calls[CALL].picture["legs"][0]
    leg["holds"] = [{"from": at + 30_000, "to": at + 60_000}]
    backend.transfer(CALL, "omar", "77aa")
    backend.begin("on-hold", "lena")
    backend.hold("on-hold")
    backend.begin("failed", "timo")
    backend.change("failed", listening=False, notListening="unavailable")
    backend.begin("over", "nora", seconds_ago=500)
    backend.end("over", "complete")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_axe_finds_nothing(scheme: str, width: int, backend: FakeBackend, enter: Enter) -> None:
    everything(backend)
    page = enter(color_scheme=scheme, viewport={"width": width, "height": 800})
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert findings(page) == []
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="sam").click()
    expect(page.locator(".card")).to_have_count(4)
    page.get_by_role("button", name="Open the call of omar", exact=True).click()
    expect(page.locator(".utterance")).to_have_count(4)
    page.get_by_role("button", name="Open the call of nora beside the others").click()
    expect(page.locator("live-call")).to_have_count(2)
    page.get_by_label("Search in this call").first.fill("card")
    expect(page.locator("mark")).to_have_count(1)
    assert findings(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_what_agents_see_and_where_there_is_nothing_to_see(
    scheme: str, backend: FakeBackend, enter: Enter
) -> None:
    backend.begin(CALL, "jane")
    page = enter("sam", "#calls=nobody-knows-it", color_scheme=scheme)
    expect(page.get_by_text("This call is not yours, or nobody knows it.")).to_be_visible()
    page.get_by_label("Filter").fill("nobody")
    expect(page.get_by_text("No call matches the filter.")).to_be_visible()
    assert findings(page) == []
    page = enter("omar", color_scheme=scheme)
    expect(page.get_by_text("The list is for supervisors.")).to_be_visible()
    assert findings(page) == []
    page = enter(color_scheme=scheme)
    page.goto(backend.workspace_url)
    app = select(page, CALL)
    expect(app.get_by_role("button", name="Sign in")).to_be_visible()
    assert findings(page, in_frame=True) == []
    sign_in(page, app, "omar")
    expect(app.get_by_text("Nothing is known of this contact yet.")).to_be_visible()
    assert findings(page, in_frame=True) == []


def test_everything_can_be_done_by_keyboard(backend: FakeBackend, enter: Enter) -> None:
    backend.begin(CALL, seconds_ago=60)
    for n in range(60):
        backend.say(CALL, "customer", f"sentence {n}")
    page = enter("sam")
    expect(page.locator(".card")).to_have_count(1)
    page.get_by_label("Filter by agent, queue, words or id").focus()
    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".utterance").last).to_be_in_viewport()
    page.get_by_role("button", name="Download").focus()
    page.keyboard.press("Tab")
    expect(page.locator(".scroller")).to_be_focused()
    page.keyboard.press("Home")  # the browser takes a while to scroll there
    page.wait_for_function("() => document.querySelector('.scroller').scrollTop === 0")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".utterance").last).to_be_in_viewport()


def test_a_screen_reader_hears_what_is_new_and_not_what_was_said_before(
    backend: FakeBackend, enter: Enter
) -> None:
    backend.begin(CALL, seconds_ago=60)
    backend.say(CALL, "customer", "before")
    page = enter("sam")
    page.locator(".card-main").click()
    expect(page.locator(".utterance")).to_have_count(1)
    live = page.locator(".call > [aria-live=polite]")
    expect(live).to_have_text("")
    backend.say(CALL, "agent", "your card #### is blocked")
    expect(live).to_have_text("Agent jane: your card redacted is blocked")


def test_nothing_moves_under_the_eyes_of_who_reads_further_up(
    backend: FakeBackend, enter: Enter
) -> None:
    backend.begin(CALL, seconds_ago=600)
    at = backend.calls[CALL].picture["startedAt"]
    for n in range(80):
        backend.say(CALL, "customer", f"sentence {n}", at=at + n * 5000, endAt=at + n * 5000)
    page = enter("sam")
    page.locator(".card-main").click()
    expect(page.locator(".utterance")).to_have_count(80)
    page.locator(".scroller").evaluate("element => void (element.scrollTop -= 1200)")
    expect(page.locator(".to-newest")).to_be_visible()
    place = page.locator(".utterance", has_text="sentence 50")
    before = place.bounding_box()
    assert before
    backend.say(CALL, "agent", "a late one, far above " * 20, at=at + 10_500, endAt=at + 10_500)
    backend.say(CALL, "agent", "a new one, below")
    expect(page.locator(".utterance")).to_have_count(82)
    after = place.bounding_box()
    assert after
    assert abs(after["y"] - before["y"]) < 1


def test_no_utterance_shifts_the_layout(backend: FakeBackend, enter: Enter) -> None:
    backend.begin(CALL)
    page = enter("sam")
    page.locator(".card-main").click()
    expect(page.get_by_text("ASAPP is listening")).to_be_visible()
    page.evaluate(
        """() => {
          window.shifts = [];
          new PerformanceObserver((list) => {
            for (const { sources } of list.getEntries()) {
              shifts.push(sources.map(({ node }) => node?.parentElement?.outerHTML));
            }
          }).observe({ type: "layout-shift" });
        }"""
    )
    for n in range(30):
        backend.say(CALL, ("customer", "agent")[n % 2], f"sentence {n} " * (1 + n % 7))
        expect(page.locator(".utterance")).to_have_count(n + 1)
    assert page.evaluate("() => shifts") == []


def test_2000_utterances_are_shown_and_one_more_costs_little(
    backend: FakeBackend, enter: Enter
) -> None:
    """One more row is drawn, not 2,001: that is counted, as a time would be the machine's."""
    backend.begin(CALL, seconds_ago=7200)
    at = backend.calls[CALL].picture["startedAt"]
    now = int(time.time() * 1000) - 60_000
    for n in range(2000):
        spoken = at + n * 3000
        role = ("customer", "agent")[n % 2]
        backend.say(CALL, role, f"sentence {n}", at=spoken, endAt=spoken, storedAt=now + n)
    page = enter("sam")
    page.locator(".card-main").click()
    expect(page.locator(".utterance")).to_have_count(2000)
    expect(page.get_by_text("sentence 1999", exact=True).last).to_be_in_viewport()
    page.evaluate(
        """() => {
          window.touched = new Set();
          new MutationObserver((all) => {
            for (const { target } of all) {
              const element = target.nodeType === 1 ? target : target.parentElement;
              const row = element?.closest(".utterance");
              if (row) touched.add(row.dataset.key);
            }
          }).observe(document.querySelector(".entries"),
            { subtree: true, childList: true, attributes: true, characterData: true });
        }"""
    )
    backend.say(CALL, "customer", "one more")
    expect(page.locator(".utterance")).to_have_count(2001)
    expect(page.locator(".utterance").last).to_be_in_viewport()
    assert page.evaluate("() => touched.size") <= 2


def test_all_that_is_loaded_is_below_100_kb_and_from_the_page_itself(
    backend: FakeBackend, enter: Enter
) -> None:
    backend.begin(CALL, "jane")
    urls: set[str] = set()
    page = enter()
    page.on("response", lambda response: urls.add(response.url))
    page.reload()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert hosts(urls) == {backend.page_url}
    supervisor = compressed(backend, urls)
    page.goto(backend.workspace_url)
    app = select(page, CALL)
    sign_in(page, app, "jane")
    expect(app.get_by_role("heading", name="Agent jane")).to_be_visible()
    assert hosts(urls) == {backend.page_url, backend.workspace_url, backend.api_url}
    agent = compressed(backend, urls)
    assert supervisor < agent < 100_000
    print(f"compressed, a supervisor loads {supervisor:,} bytes, the agent's tab {agent:,}")


def hosts(urls: Iterable[str]) -> set[str]:
    return {"/".join(url.split("/")[:3]) for url in urls}


def compressed(backend: FakeBackend, urls: Iterable[str]) -> int:
    """What is loaded of the page, with gzip."""
    ours = {urlsplit(url).path.lstrip("/") for url in urls if url.startswith(backend.page_url)}
    files = {DIST / (path or "index.html") for path in ours - {"config.json"}}
    return sum(len(gzip.compress(file.read_bytes(), 9)) for file in files)


def test_every_package_of_the_page_is_locked() -> None:
    manifest = json.loads((Path(ROOT) / "web" / "package.json").read_text("utf-8"))
    named = manifest["dependencies"] | manifest["devDependencies"]
    lock = json.loads((Path(ROOT) / "web" / "package-lock.json").read_text("utf-8"))["packages"]
    for name, version in named.items():
        assert lock[f"node_modules/{name}"]["version"] == version
    assert all("integrity" in each for path, each in lock.items() if path)
