"""The pictures of ``docs/live.md``. ``SCREENSHOTS=1 pytest tests/web/test_screenshots.py`` writes
them again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.web.conftest import ROOT, Enter
from tests.web.fake_backend import FakeBackend
from tests.web.test_workspace import select, sign_in

CALL = "1f2e3d4c-5b6a-4789-8a7b-6c5d4e3f2a1b"
SAID = [
    (4, "agent", "Thank you for calling. You are through to Jane, how may I help?"),
    (11, "customer", "Hello. My card was charged twice for the same order."),
    (17, "customer", "It's the one that ends in ####."),
    (24, "agent", "I am sorry about that. May I put you on hold while I look?"),
    (29, "customer", "Sure."),
    (71, "agent", "Thank you. I see both charges, and billing can take one back at once."),
    (80, "customer", "That would be great, thank you!"),
    (112, "agent", "Hello, this is Omar from billing. Jane has told me everything."),
    (121, "agent", "The second charge is cancelled. You will see it within two days."),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return ROOT / "docs" / "live" if os.environ.get("SCREENSHOTS") else tmp_path


def a_call(backend: FakeBackend) -> None:
    backend.begin(CALL, seconds_ago=150, queue="Billing")
    at = backend.calls[CALL].picture["startedAt"]
    leg = backend.calls[CALL].picture["legs"][0]
    leg["holds"] = [{"from": at + 33_000, "to": at + 66_000}]
    backend.transfer(CALL, "omar", "77aa")
    first, second = backend.calls[CALL].picture["legs"]
    first["at"] = second["from"] = second["at"] = at + 105_000
    for second_of_call, role, text in SAID:
        spoken = at + second_of_call * 1000
        backend.say(CALL, role, text, at=spoken, endAt=spoken)


def test_the_page_of_a_supervisor(folder: Path, backend: FakeBackend, enter: Enter) -> None:
    a_call(backend)
    for id, agent, queue, ago in (
        ("c2", "lena", "Orders", 320),
        ("c3", "timo", "Billing", 45),
        ("c4", "nora", "Orders", 900),
    ):
        backend.begin(id, agent, seconds_ago=ago, queue=queue)
    page = enter("sam", viewport={"width": 1180, "height": 760})
    expect(page.locator(".card")).to_have_count(4)
    backend.say("c2", "agent", "One moment, I will ask my colleague about the delivery date.")
    backend.hold("c2")
    backend.change("c3", listening=False, notListening="unavailable")
    backend.say("c4", "customer", "No, that was all. Goodbye!")
    backend.end("c4", "complete")
    page.get_by_role("button", name="Open the call of omar", exact=True).click()
    expect(page.locator(".utterance")).to_have_count(len(SAID))
    backend.say(CALL, "customer", "Perfect. And could you confirm that by e-mail, please?")
    expect(page.locator(".utterance")).to_have_count(len(SAID) + 1)
    expect(page.locator(".card .badge.bad")).to_have_count(1)
    expect(page.locator(".card .state-paused")).to_have_count(1)
    expect(page.locator(".card .state-ended")).to_have_count(1)
    page.screenshot(path=folder / "supervisor-light.png", animations="disabled")


def test_the_tab_of_an_agent(folder: Path, backend: FakeBackend, enter: Enter) -> None:
    a_call(backend)
    page = enter("", viewport={"width": 620, "height": 760})
    page.goto(backend.workspace_url)
    app = select(page, "77aa")
    sign_in(page, app, "omar")
    expect(app.locator(".utterance")).to_have_count(len(SAID))
    page.locator("iframe").screenshot(path=folder / "workspace.png", animations="disabled")
