"""50 calls at a time before the deployed stacks, and 5 supervisors with real browsers.

Each screen loses every fifth event, as delivery is at most once, and its connection is cut once.
Every screen is compared with the table.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, expect

from sandbox.asapp.conversations import load_all
from sandbox.asapp.double import Delivery
from sandbox.demo.played_call import AGENT_WHISPER, DISCONNECT, Call
from sandbox.demo.summary import Seen, stored, summarise, wait_for_arrival, wait_for_page
from sandbox.live.browser import Viewer
from sandbox.live.live_calls import LiveCalls
from sandbox.stacks.running import Sandbox, running_sandbox
from tests.sandbox.conftest import in_this_process

CALLS, VIEWERS, OPEN = 50, 5, 4
UTTERANCES, SECONDS_OF_SPEECH = 10, 40
_SECONDS = 900
LOSES_EVENTS = """
window.lost = 0;
window.sockets = [];
{
  let number = 0;
  window.WebSocket = class extends WebSocket {
    constructor(...all) {
      super(...all);
      window.sockets.push(this);
    }
    set onmessage(listener) {
      super.onmessage = (event) => {
        const isData = JSON.parse(event.data).type === "data";
        if (isData && ++number % 5 === 0) window.lost++;
        else listener(event);
      };
    }
  };
}
"""
_SHOWN_AS_IT_IS = re.compile(r"[ !\"$-Z\\^-~]{1,1400}")
"""Text without a fold, a control, or what may be a redaction."""


@pytest.fixture(scope="module")
def sandbox(installed: None, built: None) -> Iterator[Sandbox]:
    delivery = Delivery(duplicate=0.1, reorder=0.2, delay_ms=(0, 300), seed=11)
    with running_sandbox(
        delivery=delivery, pace=1.0, with_live=True, synthesise=in_this_process
    ) as running:
        running.deployment.stop_schedules()
        yield running


@pytest.fixture(scope="module")
def live(sandbox: Sandbox) -> Iterator[LiveCalls]:
    assert sandbox.live is not None
    with sandbox.live.page():
        yield sandbox.live


def calls_of(sandbox: Sandbox) -> list[Call]:
    """In each, somebody says something every 4 seconds."""
    scripts = load_all()
    calls = []
    for number in range(1, CALLS + 1):
        script = scripts[number % len(scripts)]
        first = script.utterances[:UTTERANCES]
        pace = SECONDS_OF_SPEECH * 1000 / first[-1].end_ms
        said = (
            replace(each, start_ms=round(each.start_ms * pace), end_ms=round(each.end_ms * pace))
            for each in first
        )
        conversation = replace(script, utterances=tuple(said))
        calls.append(Call(sandbox.deployment, sandbox.asapp, conversation, number))
    return calls


def test_no_screen_misses_or_doubles_an_utterance_though_events_are_lost_and_connections_cut(
    sandbox: Sandbox, live: LiveCalls, browser: Browser
) -> None:
    calls = calls_of(sandbox)
    ids = [call.contact.contact_id for call in calls]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda call: call.run(AGENT_WHISPER), calls))
    supervisor = next(user for user in live.users if user.is_supervisor)
    screens: dict[Viewer, Sequence[str]] = {}
    for number in range(VIEWERS):
        viewer = Viewer(browser, live.page_url, LOSES_EVENTS)
        viewer.sign_in(supervisor)
        first = number * (OPEN - 1)  # each looks at one call of the one before, too
        screens[viewer] = ids[first : first + OPEN]
        viewer.open(screens[viewer])
    with sandbox.listener.collecting() as published:
        spoken = [
            sandbox.asapp.speak(c.contact.contact_id, c.conversation.utterances) for c in calls
        ]
        for viewer in screens:
            time.sleep(SECONDS_OF_SPEECH / (VIEWERS + 1))
            viewer.page.evaluate("() => sockets.forEach((each) => each.close())")
        for each in spoken:
            each.result()
        wait_for_arrival(sandbox.deployment, sandbox.asapp, _SECONDS)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda call: call.run(DISCONNECT), calls))
    all_seen = Seen({}, {})
    for viewer, opened in screens.items():
        seen = wait_for_page(sandbox.deployment, opened, viewer, _SECONDS)
        found = summarise(calls, sandbox.deployment, sandbox.asapp, published, seen)
        assert (found.lost, found.duplicated, found.altered, found.unseen) == (0, 0, 0, 0)
        for id in opened:
            assert_shows_the_text(sandbox, id, seen)
        expect(viewer.page.locator(".card")).to_have_count(CALLS)
        expect(viewer.page.locator(".card .state-ended")).to_have_count(CALLS)
        listed = viewer.page.locator(".card").evaluate_all(
            "(all) => all.map((e) => e.dataset.call)"
        )
        assert sorted(listed) == sorted(ids)
        assert viewer.page.evaluate("() => lost") > 5
        assert viewer.wrongs == []
        last = {id: max(at, all_seen.at_ms.get(id, 0)) for id, at in seen.at_ms.items()}
        all_seen = Seen({**all_seen.rows, **seen.rows}, {**all_seen.at_ms, **last})
    assert sum(map(len, all_seen.rows.values())) == UTTERANCES * (VIEWERS * (OPEN - 1) + 1)
    found = summarise(calls, sandbox.deployment, sandbox.asapp, published, all_seen)
    print(f"\n{found.utterances} utterances in {CALLS} calls at a time, of which {VIEWERS} screens")
    print(f"showed {len(all_seen.at_ms)}. From ASAPP's POST to the page, on the later screen:")
    print(f"p50 {found.post_to_page_ms_p50} ms, p99 {found.post_to_page_ms_p99} ms; ", end="")
    print(f"to the bus: p50 {found.post_to_bus_ms_p50} ms, p99 {found.post_to_bus_ms_p99} ms")


def assert_shows_the_text(sandbox: Sandbox, id: str, seen: Seen) -> None:
    for row, item in zip(seen.rows[id], stored(sandbox.deployment, id), strict=True):
        if _SHOWN_AS_IT_IS.fullmatch(item["text"]):
            assert row.text == item["text"]
