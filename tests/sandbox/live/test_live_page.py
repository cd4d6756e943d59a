"""The live page's servers on the emulator: sign in, subscribe, read, and be refused."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import wraps
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from sandbox.asapp.conversations import load_all
from sandbox.connect.scenarios import CALLS, END, HOLD, TAKEN, Scene
from sandbox.demo.played_call import Call, play_all
from sandbox.demo.summary import stored
from sandbox.live.browser import Viewer
from sandbox.live.live_calls import LiveCalls
from sandbox.live.subscriber import Events, signed_in
from sandbox.stacks.event_delivery import ConnectEvents, Disorder
from sandbox.stacks.running import Sandbox
from shared.transcripts.stored_utterances import utterance_id
from tests.sandbox.eventually import eventually
from tools.load.in_sandbox import DELIVERY, load
from tools.load.schedule import schedule

_SECONDS = 60.0
CALL = "5e55a6e0-0000-4000-8000-000000000001"
HELD = ("On hold. ASAPP is not listening.", "Resumed after")


@pytest.fixture(scope="module")
def live(live_sandbox: Sandbox, built: None) -> Iterator[LiveCalls]:
    made = live_sandbox.live
    assert made is not None
    with made.page():
        yield made


@pytest.fixture(scope="module")
def tokens(live: LiveCalls) -> dict[str, str]:
    return {user.name: signed_in(live, user) for user in live.users}


def post(sandbox: Sandbox, text: str) -> None:
    webhook = sandbox.deployment.settings.webhook
    message = {
        "type": "transcript",
        "externalConversationId": CALL,
        "streamId": "stream",
        "sender": {"externalId": "+15550100199", "role": "customer"},
        "autotranscribeResponse": {
            "message": "transcript",
            "start": 10,
            "end": 20,
            "utterance": [{"text": text}],
        },
    }
    secret = {webhook.secret_name: sandbox.deployment.webhook_secret}
    answer = httpx.post(
        sandbox.deployment.webhook_url, json=message, headers=secret, timeout=_SECONDS
    )
    assert answer.status_code == 200


def read(live: LiveCalls, path: str, token: str = "") -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.get(f"{live.config['readUrl']}{path}", headers=headers, timeout=_SECONDS)


def test_a_supervisor_gets_what_is_said_and_reads_the_same_utterance(
    live_sandbox: Sandbox, live: LiveCalls, tokens: dict[str, str]
) -> None:
    events = Events(live, tokens["supervisor"])
    assert events.subscribe(f"/live/conversations/{CALL}")
    text = "<img onerror=alert(1)> \u202e ¿sí?"
    post(live_sandbox, text)
    heard = events.data()
    assert (heard["type"], heard["text"], heard["verified"]) == ("utterance", text, False)
    answer = read(live, f"/conversations/{CALL}", tokens["supervisor"]).json()
    (said,) = answer["utterances"]
    assert (said["id"], said["text"]) == (heard["id"], text)
    assert "+15550100199" not in json.dumps([heard, answer])


def test_an_agent_gets_nothing_of_a_call_that_is_not_theirs(
    live: LiveCalls, tokens: dict[str, str]
) -> None:
    events = Events(live, tokens["agent-1"])
    for channel in (f"/live/conversations/{CALL}", "/live/calls", "/live/*"):
        assert not events.subscribe(channel)
    assert read(live, f"/conversations/{CALL}", tokens["agent-1"]).status_code == 404
    assert read(live, "/calls", tokens["agent-1"]).status_code == 403
    assert read(live, "/calls", tokens["supervisor"]).status_code == 200


def test_a_call_that_is_erased_is_closed_on_every_screen_and_followed_by_nobody(
    live_sandbox: Sandbox, live: LiveCalls, tokens: dict[str, str]
) -> None:
    deployment, channel = live_sandbox.deployment, f"/live/conversations/{CALL}"
    post(live_sandbox, "soon erased")
    assert eventually(lambda: stored(deployment, CALL))
    screens = [Events(live, tokens["supervisor"]) for _ in range(2)]
    for events, subscribed in zip(screens, (channel, "/live/calls"), strict=True):
        assert events.subscribe(subscribed)
    erase = deployment.outputs["EraseFunction"]
    assert deployment.invoke(erase, {"contact": CALL}, 120)["state"] == "erasing"
    for events in screens:
        heard = events.data()
        while heard["type"] != "erased":  # the list also hears other calls
            heard = events.data()
        assert heard == {"type": "erased", "conversationId": CALL}
    assert not Events(live, tokens["supervisor"]).subscribe(channel)
    assert read(live, f"/conversations/{CALL}", tokens["supervisor"]).status_code == 404


def test_nobody_connects_or_reads_without_a_good_token_and_nobody_publishes(
    live: LiveCalls, tokens: dict[str, str]
) -> None:
    good = tokens["supervisor"]
    for bad in ("", "x.y.z", f"{good[:-4]}AAAA"):
        assert read(live, "/calls", bad).status_code == 401
        assert Events(live, bad).until("connection_error", "closed")["type"] != "connection_ack"
    supervisor = Events(live, good)
    assert not supervisor.subscribe("/live/*")
    assert supervisor.publish(f"/live/conversations/{CALL}") == "publish_error"


def test_whole_calls_of_a_load_are_counted_at_the_webhook_the_table_the_bus_and_the_page(
    live_sandbox: Sandbox, live: LiveCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_sandbox.asapp, "pace", 0.05)
    monkeypatch.setattr(live_sandbox.asapp, "delivery", DELIVERY)
    result = load(live_sandbox, schedule(2, 60), lambda _: None)
    assert result.problems == []
    assert result.utterances > 5
    assert {place.came for place in result.places.values()} == {result.utterances}
    assert result.told.starts == result.told.stops >= result.calls


def test_the_page_says_who_may_frame_it_and_where_it_connects(live: LiveCalls) -> None:
    answer = httpx.get(live.page_url, timeout=_SECONDS)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    framed_by = "https://sandbox.my.connect.aws https://sandbox.awsapps.com"
    assert f"frame-ancestors {framed_by};" in policy
    assert "unsafe" not in policy
    assert httpx.get(f"{live.page_url}config.json", timeout=_SECONDS).json() == live.config


def test_a_supervisor_sees_in_a_browser_each_word_of_a_call_with_holds_and_an_agent_only_their_own(
    live_sandbox: Sandbox, live: LiveCalls, browser: Browser
) -> None:
    """The real page before the deployed stacks. It is loaded again in the middle of the call."""
    supervisor, agent = (Viewer(browser, live.page_url) for _ in live.users)
    for viewer, user in zip((supervisor, agent), live.users, strict=True):
        viewer.sign_in(user)
    deployment = live_sandbox.deployment
    call = Call(deployment, live_sandbox.asapp, load_all()[0], 1)
    id = call.contact.contact_id
    with ThreadPoolExecutor(1) as pool, ConnectEvents(live_sandbox, Disorder()) as events:
        playing = pool.submit(play_all, [(call, CALLS["two holds"])], events)
        page = supervisor.page
        card = page.locator(f"[data-call='{id}']")  # other tests have calls of agent-1, too
        card.get_by_role("button", name="Open the call of agent-1", exact=True).click()
        page.locator(".utterance").first.wait_for()
        expect(card.locator(".card-words")).not_to_have_text("The next words appear here")
        page.reload()
        page.locator(".utterance").first.wait_for()
        playing.result()
    expect(page.get_by_text("The call has ended")).to_be_visible(timeout=_SECONDS * 1000)
    said = [utterance_id(item) for item in stored(deployment, id)]
    assert len(said) == len(call.talked)
    expect(page.locator(".utterance")).to_have_count(len(said))
    assert [row.id for row in supervisor.rows()] == said
    assert page.locator(".band.hold").count() == 2
    agent.open([id])
    expect(agent.page.locator(".utterance")).to_have_count(len(said))
    agent.open([CALL])
    expect(agent.page.get_by_text("Nothing is known of this contact yet.")).to_be_visible()
    expect(agent.page.locator(".utterance, .card")).to_have_count(0)
    assert supervisor.wrongs + agent.wrongs == []
    supervisor.close()
    agent.close()


def test_two_supervisors_see_a_hold_its_end_and_a_transfer_when_they_happen(
    live_sandbox: Sandbox, live: LiveCalls, browser: Browser
) -> None:
    """Before the deployed stacks. The call goes on when both have seen what has happened."""
    acts = (*TAKEN, *HOLD, *CALLS["warm transfer"][len(TAKEN) :])
    may_happen = {each.does.__name__: threading.Event() for each in acts}
    call = Call(live_sandbox.deployment, live_sandbox.asapp, load_all()[1], 2)
    viewers = [Viewer(browser, live.page_url) for _ in range(2)]
    seen = {
        "ada_takes_it": "ASAPP is listening",
        "agent_holds": HELD[0],
        "agent_resumes": HELD[1],
        "grace_takes_it": "Transferred to agent-2b",
        END.does.__name__: "The call has ended",
    }
    with ThreadPoolExecutor(1) as pool, ConnectEvents(live_sandbox, Disorder()) as events:
        waiting = [replace(each, does=_waits(each.does, may_happen)) for each in acts]
        playing = pool.submit(play_all, [(call, waiting)], events)
        for viewer in viewers:
            viewer.sign_in(live.users[0])
            viewer.open([call.contact.contact_id])
        for name, happens in may_happen.items():
            happens.set()
            for viewer in viewers:
                if name in seen:
                    expect(viewer.page.locator("live-call")).to_contain_text(seen[name])
        playing.result()
    said = [utterance_id(item) for item in stored(live_sandbox.deployment, call.contact.contact_id)]
    for viewer in viewers:
        page = viewer.page
        expect(page.locator(".utterance")).to_have_count(len(said))
        assert [row.id for row in viewer.rows()] == said
        marks = [row.partition("\n")[0] for row in page.locator(".mark").all_inner_texts()]
        assert [re.sub(r" 0:\d\d", "", mark) for mark in marks] == [
            "Call with agent-2",
            *HELD,
            HELD[0],  # while agent-2 asks agent-2b
            "Transferred to agent-2b",
            HELD[1],  # agent-2 leaves the two alone
            "The call has ended",
        ]
        assert viewer.wrongs == []
        viewer.close()


def _waits(
    does: Callable[[Scene], None], may_happen: Mapping[str, threading.Event]
) -> Callable[[Scene], None]:
    @wraps(does)
    def waits(scene: Scene) -> None:
        assert may_happen[does.__name__].wait(_SECONDS)
        does(scene)

    return waits


def test_a_page_that_is_not_built_says_what_to_run(live: LiveCalls, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="run: make web"), live.page(tmp_path):
        pass
