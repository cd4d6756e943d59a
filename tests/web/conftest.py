"""A real browser, and the page in it, before a fake of what is behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import AMPLE_MS
from tests.web.fake_backend import FakeBackend

ROOT = Path(__file__).parents[2]


@pytest.fixture
def backend() -> Iterator[FakeBackend]:
    backend = FakeBackend()
    yield backend
    backend.close()


Enter = Callable[..., Page]


@pytest.fixture
def enter(browser: Browser, backend: FakeBackend) -> Iterator[Enter]:
    """Signs somebody in, in a browser of their own. The test fails if the page breaks a rule of its
    content security policy, or throws. With ``held_clock`` the page's time goes on only if the test
    says so."""
    wrong: list[str] = []
    contexts = []

    def enter(
        user: str = "", fragment: str = "", *, held_clock: bool = False, **options: object
    ) -> Page:
        defaults = {"viewport": {"width": 1280, "height": 800}, "locale": "en-GB"}
        context = browser.new_context(**(defaults | options))  # type: ignore[arg-type]
        context.set_default_timeout(AMPLE_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "console",
            lambda said: wrong.append(said.text) if "Content Security" in said.text else None,
        )
        if held_clock:
            page.clock.install()
        page.goto(f"{backend.page_url}/{fragment}")
        if user:
            page.get_by_role("button", name="Sign in").click()
            page.get_by_role("link", name=user).click()
            expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        return page

    yield enter
    for context in contexts:
        context.close()
    assert wrong == []
