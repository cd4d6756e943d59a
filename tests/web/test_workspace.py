"""The page as an app of the agent workspace: the real SDK, and a fake of what is around it."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from playwright.sync_api import Browser, FrameLocator, Page, expect

from tests.web.conftest import Enter
from tests.web.fake_backend import FakeBackend

FRAME = """async (url) => {
  const frame = document.createElement("iframe");
  frame.src = url;
  document.body.replaceChildren(frame);
  await new Promise((done) => (frame.onload = done));
}"""
# The workspace says what a contact is: here that is its id. "refused" and "silent" get no answer.
KINDS = """() => {
  const send = MessagePort.prototype.postMessage;
  MessagePort.prototype.postMessage = function (message, ...more) {
    if (message?.type === "response") {
      const { contactId } = Object.values(apps).find(({ port }) => port === this);
      if (contactId === "silent") return;
      message.isError = contactId === "refused";
      message.data = { type: contactId, subtype: "" };
    }
    send.call(this, message, ...more);
  };
}"""
TURN = """([contact, other]) => {
  const app = Object.values(apps).find(({ frame }) => frame.title === contact);
  app.contactId = other;
  lifecycle(app, "start");
}"""
CALL = "1f2e3d4c-0000-4000-8000-000000000001"


def select(page: Page, contact: str) -> FrameLocator:
    page.evaluate("contact => select(contact)", contact)
    return page.frame_locator(f"iframe[title='{contact}']")


def sign_in(page: Page, app: FrameLocator, user: str) -> None:
    with page.expect_popup() as opened:
        app.get_by_role("button", name="Sign in").click()
    opened.value.get_by_role("link", name=user).click()
    expect(app.get_by_role("button", name="Sign out")).to_be_visible()


def workspace(backend: FakeBackend, enter: Enter) -> Page:
    page = enter()
    page.goto(backend.workspace_url)
    return page


def test_an_agent_signs_in_in_a_window_and_sees_the_selected_contact(
    backend: FakeBackend, enter: Enter
) -> None:
    backend.begin(CALL, "jane")
    page = workspace(backend, enter)
    app = select(page, CALL)
    sign_in(page, app, "jane")
    expect(app.get_by_text("ASAPP is listening")).to_be_visible()
    backend.say(CALL, "customer", "hello from the workspace")
    expect(app.locator(".utterance")).to_contain_text("hello from the workspace")
    assert len(page.context.pages) == 1
    assert page.evaluate("() => messages").count("appLifecycleHandlerCompleted") == 1


def test_an_agent_copies_and_downloads_the_call_from_the_tab(
    backend: FakeBackend, enter: Enter
) -> None:
    backend.begin(CALL, "jane")
    backend.say(CALL, "customer", "take me along")
    page = enter(permissions=["clipboard-read", "clipboard-write"])
    page.goto(backend.workspace_url)
    app = select(page, CALL)
    sign_in(page, app, "jane")
    expect(app.locator(".utterance")).to_contain_text("take me along")
    app.get_by_role("button", name="Copy").click()
    expect(app.get_by_text("Copied")).to_be_visible()
    with page.expect_download() as download:
        app.get_by_role("button", name="Download").click()
    assert "take me along" in download.value.path().read_text("utf-8")


def test_the_limits_of_the_frame_are_not_those_of_the_sign_in(
    backend: FakeBackend, enter: Enter
) -> None:
    """An identity provider may ask with a dialog, which the frame must not show."""
    page = workspace(backend, enter)
    app = select(page, CALL)
    with page.expect_popup() as opened:
        app.get_by_role("button", name="Sign in").click()
    opened.value.get_by_role("link", name="jane").wait_for()
    opened.value.on("dialog", lambda dialog: dialog.accept())
    page.on("dialog", lambda dialog: dialog.accept())
    assert opened.value.evaluate("() => confirm('Is it you?')")
    frame = page.frames[-1]
    assert not frame.evaluate("() => confirm('Is it you?')")


def test_a_window_that_the_sign_in_page_has_cut_off_says_that_nobody_is_signed_in(
    backend: FakeBackend, enter: Enter
) -> None:
    backend.isolates = True
    page = workspace(backend, enter)
    app = select(page, CALL)
    with page.expect_popup() as opened:
        app.get_by_role("button", name="Sign in").click()
    window = opened.value
    window.get_by_role("link", name="jane").click()
    expect(window.get_by_text("The tab is still signed out")).to_be_visible()
    expect(window.get_by_text("You are signed in")).to_have_count(0)
    assert window.evaluate("() => sessionStorage.length") == 0
    window.close()
    backend.isolates = False
    sign_in(page, app, "jane")


def test_a_transferred_contact_shows_what_was_said_before(
    backend: FakeBackend, enter: Enter
) -> None:
    backend.begin(CALL, "jane", seconds_ago=60)
    backend.say(CALL, "customer", "said to jane")
    backend.transfer(CALL, "omar", "the-second-contact")
    page = workspace(backend, enter)
    app = select(page, "the-second-contact")
    sign_in(page, app, "omar")
    expect(app.locator(".utterance")).to_contain_text("said to jane")
    expect(app.get_by_role("heading", name="Transferred to omar")).to_be_visible()
    backend.say(CALL, "agent", "omar here")
    expect(app.locator(".utterance").last).to_contain_text("omar here")


def test_each_contact_has_its_own_call(backend: FakeBackend, enter: Enter) -> None:
    backend.begin(CALL, "jane")
    backend.begin("another", "jane")
    page = workspace(backend, enter)
    first, second = select(page, CALL), select(page, "another")
    sign_in(page, second, "jane")
    page.evaluate("contact => select(contact)", CALL)
    sign_in(page, first, "jane")
    backend.say(CALL, "customer", "in the first")
    backend.say("another", "customer", "in the second")
    expect(first.locator(".words p")).to_have_text(["in the first"])
    expect(second.locator(".words p")).to_have_text(["in the second"])


def test_a_contact_that_nobody_knows_yet_appears_when_its_transcription_starts(
    backend: FakeBackend, enter: Enter
) -> None:
    page = workspace(backend, enter)
    app = select(page, CALL)
    sign_in(page, app, "jane")
    expect(app.get_by_text("Nothing is known of this contact yet.")).to_be_visible()
    backend.begin(CALL, "jane")
    backend.say(CALL, "customer", "now it has begun")
    expect(app.locator(".utterance")).to_contain_text("now it has begun")


def test_a_contact_is_looked_up_unless_the_workspace_says_that_it_is_no_call(
    backend: FakeBackend, enter: Enter
) -> None:
    page = workspace(backend, enter)
    page.evaluate(KINDS)
    app = select(page, CALL)
    sign_in(page, app, "jane")
    calls = ("voice", "queue_callback", "of tomorrow", "refused")
    others = ("chat", "task", "email", "chat")
    for call, other in zip(calls, others, strict=True):
        page.evaluate(TURN, [CALL, call])
        expect(app.get_by_text("Nothing is known of this contact yet.")).to_be_visible()
        page.evaluate(TURN, [CALL, other])
        expect(app.get_by_text("This contact is not a call")).to_be_visible()
    asked = [unquote(each.path) for each in backend.asked if each.path.startswith("/v1")]
    assert {CALL, *calls} == {path.removeprefix("/v1/conversations/") for path in asked}


def test_nobody_has_to_sign_in_to_learn_that_a_contact_is_no_call(
    backend: FakeBackend, enter: Enter
) -> None:
    page = workspace(backend, enter)
    page.evaluate(KINDS)
    app = select(page, "chat")
    expect(app.get_by_text("This contact is not a call")).to_be_visible()
    expect(app.get_by_role("button", name="Sign in")).to_have_count(0)


def test_a_workspace_that_does_not_say_what_a_contact_is_keeps_nobody_waiting(
    backend: FakeBackend, enter: Enter
) -> None:
    backend.begin("silent", "jane")
    page = enter(held_clock=True)
    page.goto(backend.workspace_url)
    page.evaluate(KINDS)
    app = select(page, "silent")
    sign_in(page, app, "jane")
    page.clock.run_for(2000)
    # The SDK itself gives up after 30 s.
    expect(app.get_by_role("heading", name="Agent jane")).to_be_visible(timeout=20_000)


def test_an_answer_about_a_contact_that_is_not_selected_any_more_changes_nothing(
    backend: FakeBackend, enter: Enter
) -> None:
    page = enter(held_clock=True)
    page.goto(backend.workspace_url)
    page.evaluate(KINDS)
    app = select(page, "silent")
    expect(app.get_by_role("button", name="Sign in")).to_be_visible()
    page.wait_for_function("() => messages.includes('request')")
    page.evaluate(TURN, ["silent", "chat"])
    expect(app.get_by_text("This contact is not a call")).to_be_visible()
    page.clock.run_for(3000)
    expect(app.get_by_text("This contact is not a call")).to_be_visible()
    expect(app.get_by_role("button", name="Sign in")).to_have_count(0)


def test_another_agents_contact_shows_nothing(backend: FakeBackend, enter: Enter) -> None:
    backend.begin(CALL, "jane")
    backend.say(CALL, "customer", "my secret")
    page = workspace(backend, enter)
    app = select(page, CALL)
    sign_in(page, app, "omar")
    expect(app.get_by_text("Nothing is known of this contact yet.")).to_be_visible()
    assert ("omar", CALL) in backend.refused
    expect(app.locator(".utterance")).to_have_count(0)


def test_a_contact_that_is_over_takes_its_call_away(backend: FakeBackend, enter: Enter) -> None:
    backend.begin(CALL, "jane")
    page = workspace(backend, enter)
    app = select(page, CALL)
    sign_in(page, app, "jane")
    expect(app.locator("live-call")).to_have_count(1)
    page.evaluate("contact => destroy(contact)", CALL)
    expect(app.get_by_text("Select a contact to see its transcript.")).to_be_visible()


def test_outside_of_the_workspace_the_page_says_so(backend: FakeBackend, enter: Enter) -> None:
    page = enter("jane", "?home=workspace")
    expect(page.get_by_text("The agent workspace does not answer.")).to_be_visible()


def test_no_other_site_may_frame_the_page(backend: FakeBackend, browser: Browser) -> None:
    page = browser.new_page()
    shown = {}
    for origin in (backend.workspace_url, backend.api_url):
        page.goto(f"{origin}/a-page")
        page.evaluate(FRAME, f"{backend.page_url}/?home=workspace")
        shown[origin] = urlsplit(page.frames[-1].url).scheme
    page.close()
    assert shown == {backend.workspace_url: "http", backend.api_url: "chrome-error"}


def test_no_other_site_gets_the_tokens_of_the_window(backend: FakeBackend, enter: Enter) -> None:
    page = enter()
    page.goto(backend.workspace_url)
    page.evaluate("() => { window.got = []; onmessage = ({data}) => got.push(data); }")
    with page.expect_popup() as opened:
        page.evaluate("url => void open(url)", f"{backend.page_url}/?signin=window")
    opened.value.get_by_role("link", name="jane").click()
    opened.value.wait_for_event("close")
    assert page.evaluate("() => got") == []
