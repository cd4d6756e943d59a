"""The browser that is installed on this machine, without a window, and somebody who looks at it."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from playwright.sync_api import Browser, sync_playwright

from sandbox.live.live_calls import User

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NO_BROWSER = "no browser: install chromium, for instance with apt-get install chromium"
_PATIENCE_MS = 60_000
"""How long a busy machine may take."""
_NOTE_WHEN_SHOWN = """(() => {
  const seen = (window.seen = {});
  const note = (rows) => () => { for (const key of rows) seen[key] ??= Date.now(); };
  new MutationObserver((changes) => {
    const added = changes.flatMap(({ addedNodes }) => [...addedNodes])
      .filter((node) => node.nodeType === Node.ELEMENT_NODE);
    const rows = added.flatMap((node) => [node, ...node.querySelectorAll("[data-key]")])
      .map((node) => node.dataset.key).filter((key) => key && !(key in seen));
    // After the frame in which it is drawn.
    if (rows.length) requestAnimationFrame(() => setTimeout(note(rows)));
  }).observe(document, { subtree: true, childList: true });
})();"""
_ROWS = """(call) => [...call.querySelectorAll(".utterance")].map((row) =>
  [row.dataset.key, row.querySelector(".words p").textContent])"""
_ARE_READ = """(count) => {
  const calls = [...document.querySelectorAll("live-call .call-status")];
  return calls.length === count && calls.every((call) => !call.textContent.includes("Loading"));
}"""


@contextmanager
def installed_browser() -> Iterator[Browser | None]:
    """None if there is none. Only the thread that has opened it may use it.

    :raises playwright.sync_api.Error: If it does not start.
    """
    path = next((found for each in _NAMES if (found := shutil.which(each))), None)
    if path is None:
        yield None
        return
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    # Chromium makes a socket in its temporary folder, whose path may have 107 bytes.
    short = tempfile.TemporaryDirectory(prefix="browser-", dir="/tmp")
    with short as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=as_root, env={**os.environ, "TMPDIR": folder}
        )
        try:
            yield browser
        finally:
            # A terminal sends Ctrl-C to Playwright's driver, too: asyncio would tell of its end.
            logging.getLogger("asyncio").setLevel(logging.CRITICAL)
            browser.close()


class Row(NamedTuple):
    """An utterance on the screen: its id, and what is shown of its text."""

    id: str
    text: str


class Viewer:
    """Somebody who looks at the deployed page, in a browser of their own.

    :param before: A script that runs in each document before the page's own.
    :ivar wrongs: What the page threw, and which rules of its content security policy it broke.
    """

    def __init__(self, browser: Browser, page_url: str, before: str = "") -> None:
        self._url = page_url
        self._context = browser.new_context(viewport={"width": 1600, "height": 900})
        self._context.set_default_timeout(_PATIENCE_MS)
        self._context.add_init_script(before + _NOTE_WHEN_SHOWN)
        self.wrongs: list[str] = []
        self.page = self._context.new_page()
        self.page.on("pageerror", lambda error: self.wrongs.append(str(error)))
        self.page.on("console", lambda said: self._heard(said.text))
        self.page.goto(page_url)

    def _heard(self, text: str) -> None:
        if "Content Security" in text:
            self.wrongs.append(text)

    def sign_in(self, user: User) -> None:
        """On the form of the emulator's Cognito."""
        self.page.get_by_role("button", name="Sign in").click()
        self.page.locator("input[name=username]").fill(user.name)
        self.page.locator("input[name=password]").fill(user.password)
        self.page.locator("button[type=submit]").click()
        self.page.get_by_role("button", name="Sign out").wait_for()

    def open(self, ids: Sequence[str]) -> None:
        """Calls beside each other, by their address; and wait until each is read. Calls that have
        not begun are shown when they begin."""
        self.page.goto(f"{self._url}#calls={','.join(ids)}")
        self.page.wait_for_function(_ARE_READ, arg=len(ids))

    def rows(self, position: int = 0) -> list[Row]:
        """Of one of the calls that are open, from left to right."""
        found = self.page.locator("live-call").nth(position).evaluate(_ROWS)
        return [Row(*each) for each in found]

    def seen(self) -> Mapping[str, int]:
        """When each utterance was first shown, in milliseconds since 1970."""
        seen: Mapping[str, int] = self.page.evaluate("() => window.seen")
        return seen

    def close(self) -> None:
        self._context.close()
