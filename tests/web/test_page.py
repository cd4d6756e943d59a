"""The page in a real browser: what happens in a call is on the screen."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import Enter
from tests.web.fake_backend import FakeBackend

CALL = "1f2e3d4c-0000-4000-8000-000000000001"


def words(page: Page) -> list[str]:
    return page.locator(".utterance .words p").all_inner_texts()


def open_call(page: Page, agent: str = "jane") -> None:
    page.get_by_role("button", name=f"Open the call of {agent}", exact=True).click()


def test_what_is_said_is_on_the_screen_at_once(backend: FakeBackend, enter: Enter) -> None:
    backend.begin(CALL)
    page = enter("sam")
    open_call(page)
    expect(page.get_by_text("ASAPP is listening")).to_be_visible()
    backend.say(CALL, "customer", "I need help with my invoice")
    expect(page.locator(".utterance.customer.newest")).to_contain_text("I need help")
    backend.say(CALL, "agent", "Of course, one moment")
    expect(page.locator(".utterance.agent.newest")).to_contain_text("Agent jane")
    expect(page.locator(".utterance.newest")).to_have_count(1)
    expect(page.locator(".card-words")).to_contain_text("Agent: Of course")


def test_a_hold_and_its_end_are_bands_and_the_head_says_why_nobody_listens(
    backend: FakeBackend, enter: Enter
) -> None:
    backend.begin(CALL)
    page = enter("sam")
    open_call(page)
    expect(page.get_by_text("ASAPP is listening")).to_be_visible()
    backend.hold(CALL)
    expect(page.locator(".band.hold")).to_contain_text("On hold")
    expect(page.locator(".call-status")).to_have_text("ASAPP is not listening: the call is on hold")
    backend.resume(CALL)
    expect(page.locator(".band").last).to_contain_text("Resumed after 0:")
    expect(page.get_by_text("ASAPP is listening")).to_be_visible()


def test_the_list_and_the_head_say_why_asapp_does_not_listen(
    backend: FakeBackend, enter: Enter
) -> None:
    backend.begin(CALL)
    page = enter("sam")
    open_call(page)
    for code, text in {"unavailable": "it could not be reached", "400-203": "code 400-203"}.items():
        backend.change(CALL, listening=False, notListening=code)
        expect(page.locator(".card")).to_contain_text(f"ASAPP is not listening: {text}")
        expect(page.locator(".call-status .bad")).to_contain_text(text)


def test_a_transfer_is_a_heading_with_the_agent(backend: FakeBackend, enter: Enter) -> None:
    backend.begin(CALL, seconds_ago=60)
    backend.say(CALL, "agent", "I put you through")
    page = enter("sam")
    open_call(page)
    backend.transfer(CALL, "omar", "77aa")
    backend.say(CALL, "agent", "Omar speaking")
    expect(page.get_by_role("heading", name="Transferred to omar")).to_be_visible()
    expect(page.locator(".utterance").last).to_contain_text("Agent omar")
    expect(page.locator(".utterance").first).to_contain_text("Agent jane")
    expect(page.locator(".card")).to_contain_text("omar")


def test_a_later_contact_of_a_call_leads_to_the_whole_call_and_its_events(
    backend: FakeBackend, enter: Enter
) -> None:
    backend.begin(CALL, seconds_ago=60)
    backend.transfer(CALL, "omar", "the-second-contact")
    page = enter("sam", "#calls=the-second-contact")
    expect(page.get_by_text("ASAPP is listening")).to_be_visible()
    channels = [f"/live/conversations/{id}" for id in (CALL, "the-second-contact")]
    assert [backend.subscribers(channel) for channel in channels] == [1, 0]
    backend.say(CALL, "customer", "to omar")
    expect(page.locator(".utterance")).to_contain_text("to omar")
    expect(page.locator(".card.open")).to_have_count(1)


def test_who_loads_the_page_again_in_mid_call_has_all_of_it(
    backend: FakeBackend, enter: Enter
) -> None:
    backend.begin(CALL, seconds_ago=60)
    page = enter("sam")
    open_call(page)
    backend.say(CALL, "customer", "one")
    expect(page.locator(".utterance")).to_have_count(1)
    backend.say(CALL, "customer", "two")
    page.reload()
    expect(page.locator(".utterance")).to_have_count(2)
    backend.say(CALL, "customer", "three")
    expect(page.locator(".utterance")).to_have_count(3)
    assert words(page) == ["one", "two", "three"]


def test_who_joins_late_sees_the_earlier_part_and_where_it_ends(
    backend: FakeBackend, enter: Enter
) -> None:
    backend.begin(CALL, seconds_ago=600)
    at = backend.calls[CALL].picture["startedAt"]
    for n in range(5):
        backend.say(CALL, "customer", f"earlier {n}", at=at + n * 1000, endAt=at + n * 1000)
    page = enter("sam")
    open_call(page)
    expect(page.locator(".utterance")).to_have_count(5)
    backend.say(CALL, "customer", "and now")
    expect(page.locator(".utterance")).to_have_count(6)
    rows = page.locator(".entries > li").all_inner_texts()
    assert "You joined here" in rows[-2]


def test_after_the_connection_was_cut_nothing_is_missing(
    backend: FakeBackend, enter: Enter
) -> None:
    backend.begin(CALL)
    page = enter("sam")
    open_call(page)
    backend.say(CALL, "customer", "before")
    expect(page.locator(".utterance")).to_have_count(1)
    backend.is_down = True
    backend.cut()
    expect(page.locator(".call-status")).to_contain_text("Connection lost")
    for n in range(3):
        backend.say(CALL, "customer", f"meanwhile {n}")
    backend.is_down = False
    expect(page.locator(".utterance")).to_have_count(4)
    expect(page.locator(".call-status")).to_contain_text("ASAPP is listening")
    backend.say(CALL, "customer", "after")
    expect(page.locator(".utterance")).to_have_count(5)


def test_a_connection_that_is_away_for_10_s_is_tried_again_with_pauses_until_it_is_back(
    backend: FakeBackend, enter: Enter
) -> None:
    backend.begin(CALL)
    page = enter("sam", held_clock=True)
    open_call(page)
    backend.say(CALL, "customer", "before")
    expect(page.locator(".utterance")).to_have_count(1)
    backend.is_down = True
    before = backend.handshakes
    backend.cut()
    expect(page.locator(".call-status")).to_contain_text("Connection lost")
    for second in range(10):
        backend.say(CALL, ("customer", "agent")[second % 2], f"second {second}")
        page.clock.run_for(1000)
    tries = backend.handshakes - before
    assert 2 <= tries <= 6  # after 1, 2, 4 and 8 s, each with chance in it
    backend.is_down = False
    page.clock.run_for(20_000)
    expect(page.locator(".call-status")).to_contain_text("ASAPP is listening")
    assert words(page) == ["before", *(f"second {second}" for second in range(10))]


def test_an_event_that_is_lost_is_late_and_not_lost(backend: FakeBackend, enter: Enter) -> None:
    backend.begin(CALL)
    page = enter("sam", held_clock=True)
    open_call(page)
    backend.say(CALL, "customer", "heard")
    expect(page.locator(".utterance")).to_have_count(1)
    backend.loses_events = True
    backend.say(CALL, "customer", "lost on the way")
    backend.hold(CALL)
    page.clock.run_for(14_000)
    expect(page.locator(".utterance")).to_have_count(1)
    page.clock.run_for(2000)
    expect(page.locator(".utterance")).to_have_count(2)
    expect(page.locator(".band.hold")).to_be_visible()


def test_a_subscription_that_is_refused_in_a_passing_failure_is_there_seconds_later(
    backend: FakeBackend, enter: Enter
) -> None:
    backend.begin(CALL)
    page = enter("sam", held_clock=True)
    expect(page.locator(".card")).to_have_count(1)
    backend.undecided = 1
    open_call(page)
    expect(page.locator(".call-status")).to_contain_text("Connection lost")
    page.clock.run_for(1000)
    expect(page.locator(".call-status")).to_contain_text("ASAPP is listening")
    backend.say(CALL, "customer", "heard")
    expect(page.locator(".utterance")).to_contain_text("heard")


def test_two_supervisors_see_the_same(backend: FakeBackend, enter: Enter) -> None:
    backend.begin(CALL)
    pages = [enter("sam"), enter("sue")]
    for page in pages:
        open_call(page)
        expect(page.get_by_text("ASAPP is listening")).to_be_visible()
    for n in range(20):
        backend.say(CALL, ("customer", "agent")[n % 2], f"sentence {n}")
    for page in pages:
        expect(page.locator(".utterance")).to_have_count(20)
    assert words(pages[0]) == words(pages[1]) == [f"sentence {n}" for n in range(20)]


def test_several_calls_are_open_side_by_side(backend: FakeBackend, enter: Enter) -> None:
    backend.begin(CALL)
    backend.begin("second", "omar")
    page = enter("sam")
    open_call(page)
    page.get_by_role("button", name="Open the call of omar beside the others").click()
    expect(page.locator("live-call")).to_have_count(2)
    backend.say(CALL, "customer", "to jane")
    backend.say("second", "customer", "to omar")
    expect(page.locator("live-call").first).to_contain_text("to jane")
    expect(page.locator("live-call").last).to_contain_text("to omar")
    expect(page.locator("live-call").last).not_to_contain_text("to jane")
    page.locator("live-call").first.get_by_role("button", name="Close").click()
    expect(page.locator("live-call")).to_have_count(1)
    expect(page.locator("live-call")).to_contain_text("to omar")


def test_the_list_and_the_head_name_the_queue_also_after_a_transfer_without_one(
    backend: FakeBackend, enter: Enter
) -> None:
    backend.begin(CALL, queue="<b>Billing</b>")
    page = enter("sam")
    expect(page.locator(".card-since")).to_contain_text("Queue <b>Billing</b>")
    open_call(page)
    expect(page.locator(".call-facts")).to_contain_text("Queue <b>Billing</b>")
    backend.transfer(CALL, "omar", "77aa")
    expect(page.locator(".card")).to_contain_text("omar")
    expect(page.locator(".card-since")).to_contain_text("Queue <b>Billing</b>")
    page.get_by_label("Filter by agent, queue, words or id").fill("billing")
    expect(page.locator(".card")).to_have_count(1)


def test_the_list_can_be_filtered(backend: FakeBackend, enter: Enter) -> None:
    backend.begin(CALL)
    backend.begin("second", "omar")
    page = enter("sam")
    expect(page.locator(".card")).to_have_count(2)
    backend.say("second", "customer", "my Invoice is wrong")
    page.get_by_label("Filter by agent, queue, words or id").fill("invoice")
    expect(page.locator(".card")).to_have_count(1)
    expect(page.locator(".card")).to_contain_text("omar")
    page.get_by_label("Filter by agent, queue, words or id").fill("nobody says this")
    expect(page.get_by_text("No call matches the filter.")).to_be_visible()
    page.get_by_label("Filter by agent, queue, words or id").fill("")
    backend.end(CALL)
    page.get_by_label("Show").select_option("Ended")
    expect(page.locator(".card")).to_have_count(1)
    expect(page.locator(".card")).to_contain_text("jane")


def test_an_ended_call_stays_readable_with_its_completeness_and_what_was_recovered(
    backend: FakeBackend, enter: Enter
) -> None:
    backend.begin(CALL, seconds_ago=60)
    page = enter("sam")
    open_call(page)
    first = backend.say(CALL, "customer", "one")
    backend.say(CALL, "agent", "three")
    expect(page.locator(".utterance")).to_have_count(2)
    at = first["at"]
    backend.say(CALL, "customer", "two", source="messages", at=at, endAt=at + 1)
    backend.end(CALL, "complete")
    expect(page.locator(".utterance")).to_have_count(3)
    assert words(page) == ["one", "two", "three"]
    expect(page.locator(".utterance").nth(1)).to_contain_text("recovered")
    expect(page.locator(".call-status")).to_contain_text("Complete")
    expect(page.locator(".call-status")).to_contain_text("3 utterances, 1 recovered")
    expect(page.locator(".entries > li").last).to_contain_text("The call has ended")


def test_the_servers_may_fail_for_a_while(backend: FakeBackend, enter: Enter) -> None:
    backend.begin(CALL)
    backend.say(CALL, "customer", "still there")
    page = enter("sam")
    expect(page.locator(".card")).to_have_count(1)
    backend.failing = 2
    open_call(page)
    expect(page.locator(".utterance")).to_have_count(1)


def test_whoever_scrolls_up_stays_there_and_has_a_way_back(
    backend: FakeBackend, enter: Enter
) -> None:
    backend.begin(CALL, seconds_ago=60)
    for n in range(60):
        backend.say(CALL, "customer", f"sentence {n}")
    page = enter("sam")
    open_call(page)
    expect(page.locator(".utterance").last).to_be_in_viewport()
    page.locator(".scroller").evaluate("element => void (element.scrollTop -= 900)")
    button = page.get_by_role("button", name=re.compile("Newest"))
    expect(button).to_be_visible()
    place = "() => document.querySelector('.scroller').scrollTop"
    before = page.evaluate(place)
    for n in range(3):
        backend.say(CALL, "agent", f"new {n}")
    expect(page.get_by_role("button", name="3 new utterances")).to_be_visible()
    assert page.evaluate(place) == before
    page.get_by_role("button", name="3 new utterances").click()
    expect(page.locator(".utterance").last).to_be_in_viewport()
    expect(page.locator(".to-newest")).to_be_hidden()
    backend.say(CALL, "agent", "the last one")
    expect(page.get_by_text("the last one", exact=True).last).to_be_in_viewport()


@pytest.mark.parametrize("is_heard", [True, False])
def test_of_an_erased_call_nothing_stays_on_the_page_whether_it_is_told_or_only_read(
    is_heard: bool, backend: FakeBackend, enter: Enter
) -> None:
    backend.begin(CALL, "mallory", queue="Divorces")
    page = enter("sam")
    open_call(page, "mallory")
    expect(page.get_by_text("ASAPP is listening")).to_be_visible()
    backend.say(CALL, "customer", "my secret")
    expect(page.locator(".utterance")).to_have_count(1)
    backend.say(CALL, "customer", "another secret")
    expect(page.locator(".call > [aria-live=polite]")).to_contain_text("another secret")
    if is_heard:
        backend.erase(CALL)
        expect(page.get_by_text("This call was erased.")).to_be_visible()
    else:
        backend.is_down = True
        backend.cut()
        expect(page.locator(".call-status")).to_contain_text("Connection lost")
        backend.erase(CALL)
        backend.is_down = False
        expect(page.get_by_text("This call is not yours, or nobody knows it.")).to_be_visible()
    expect(page.locator(".card")).to_have_count(0)
    shown = page.content()
    for trace in ("secret", "mallory", "Divorces", CALL):
        assert trace not in shown
    for tool in ("Copy", "Download"):
        expect(page.get_by_role("button", name=tool)).to_have_count(0)
    expect(page.get_by_role("heading", name="Contact")).to_be_visible()


def test_a_search_goes_from_match_to_match(backend: FakeBackend, enter: Enter) -> None:
    backend.begin(CALL, seconds_ago=60)
    for n in range(80):
        backend.say(CALL, "customer", f"The {'invoice' if n % 20 == 0 else 'weather'} {n}")
    page = enter("sam")
    open_call(page)
    search = page.get_by_label("Search in this call")
    search.fill("INVOICE")
    expect(page.locator(".matches")).to_have_text("4 of 4")
    search.press("Shift+Enter")
    expect(page.locator(".matches")).to_have_text("3 of 4")
    expect(page.locator(".current-match")).to_have_text(re.compile("The invoice 40"))
    expect(page.locator(".current-match")).to_be_in_viewport()
    search.press("Escape")
    expect(page.locator("mark")).to_have_count(0)


def test_a_call_can_be_downloaded_and_copied_as_text(backend: FakeBackend, enter: Enter) -> None:
    backend.begin(CALL, seconds_ago=0)
    backend.say(CALL, "customer", "my card is #### ####")
    page = enter("sam", permissions=["clipboard-read", "clipboard-write"])
    open_call(page)
    expect(page.locator(".redacted")).to_have_text(re.compile("#### ####"))
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == f"call-{CALL}.txt"
    text = download.value.path().read_text("utf-8")
    assert "Customer: my card is #### ####\n" in text
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()") == text
