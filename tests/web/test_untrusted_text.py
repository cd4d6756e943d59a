"""An utterance is what a stranger said: it is shown as text, and as nothing else."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import Enter
from tests.web.fake_backend import FakeBackend

CALL = "1f2e3d4c-0000-4000-8000-000000000001"
EVIL = [
    "<img src=x onerror=\"document.title='owned'\">",
    "</script><script>document.title='owned'</script>",
    "<a href='https://evil.example'>click here</a> https://evil.example",
    "javascript:document.title='owned'",
    "${document.title='owned'} {{7*7}} <!--?lit$1$-->",
    "<style>*{display:none}</style><base href=https://evil.example>",
    "&lt;b&gt; &amp; &#x202e;",
]


def open_call(enter: Enter) -> Page:
    page = enter("sam")
    page.locator(".card-main").first.click()
    expect(page.locator(".call")).to_be_visible()
    return page


@pytest.mark.parametrize("text", EVIL)
def test_markup_is_text_in_the_call_and_in_the_list(
    text: str, backend: FakeBackend, enter: Enter
) -> None:
    backend.begin(CALL)
    page = open_call(enter)
    elements = page.locator("a, img, style, script, base").count()
    backend.say(CALL, "customer", text)
    expect(page.locator(".utterance .words p")).to_have_text(text)
    expect(page.locator(".card-words")).to_have_text(f"Customer: {text[:160]}")
    assert page.locator("a, img, style, script, base").count() == elements
    assert page.title() == "Live calls"


def test_names_and_codes_are_text_too(backend: FakeBackend, enter: Enter) -> None:
    backend.begin(CALL, agent="<img src=x onerror=alert(1)>\u202e")
    page = open_call(enter)
    backend.change(CALL, listening=False, notListening="<b>code</b>\u0007")
    expect(page.locator(".call-head h2")).to_have_text("Agent <img src=x onerror=alert(1)>⟨U+202E⟩")
    expect(page.locator(".call-status")).to_contain_text("code <b>code</b>⟨U+0007⟩")


def test_controls_are_shown_and_the_direction_of_one_text_moves_nothing_around_it(
    backend: FakeBackend, enter: Enter
) -> None:
    backend.begin(CALL)
    page = open_call(enter)
    backend.say(CALL, "customer", "pay \u202e001 ton\u0000\u001b[2J")
    backend.say(CALL, "customer", "أريد المساعدة في الفاتورة 42")
    expect(page.locator(".utterance")).to_have_count(2)
    expect(page.locator(".words p").first).to_have_text("pay ⟨U+202E⟩001 ton⟨U+0000⟩⟨U+001B⟩[2J")
    expect(page.locator(".control")).to_have_count(3)
    direction = "element => [getComputedStyle(element).direction, element.dir]"
    assert page.locator(".words p").last.evaluate(direction) == ["rtl", "auto"]
    assert page.locator(".words p").first.evaluate(direction) == ["ltr", "auto"]
    times = [
        box["x"] for each in page.locator(".said > time").all() if (box := each.bounding_box())
    ]
    assert times[0] == times[1]


def test_20_000_characters_are_folded_and_can_be_unfolded(
    backend: FakeBackend, enter: Enter
) -> None:
    backend.begin(CALL)
    page = open_call(enter)
    text = "word " * 3999 + "needle"
    backend.say(CALL, "customer", text)
    unfold = page.get_by_role("button", name="Show all 20,001 characters")
    expect(unfold).to_be_visible()
    expect(page.locator(".words p")).not_to_contain_text("needle")
    unfold.click()
    expect(page.locator(".words p")).to_contain_text("needle")
    page.get_by_role("button", name="Show less").click()
    page.get_by_label("Search in this call").fill("needle")
    expect(page.locator(".words mark")).to_be_in_viewport()


def test_one_word_without_end_does_not_widen_the_page(backend: FakeBackend, enter: Enter) -> None:
    backend.begin(CALL)
    page = open_call(enter)
    backend.say(CALL, "agent", "W" * 1400)
    expect(page.locator(".utterance")).to_have_count(1)
    sizes = """() => [document.body, document.querySelector(".scroller")]
      .map(({ scrollWidth, clientWidth }) => [scrollWidth, clientWidth])"""
    for full, seen in page.evaluate(sizes):
        assert full <= seen


def test_megabytes_come_by_reading(backend: FakeBackend, enter: Enter) -> None:
    backend.begin(CALL)
    page = open_call(enter)
    expect(page.get_by_text("ASAPP is listening")).to_be_visible()
    backend.say(CALL, "customer", "🙂" * 500_000)
    unfold = page.get_by_role("button", name="Show all 1,000,000 characters")
    expect(unfold).to_be_visible()
    backend.say(CALL, "agent", "I see")
    expect(page.locator(".utterance")).to_have_count(2)
    shown = page.locator(".words p").first.inner_text()
    assert set(shown.removesuffix(" …")) == {"🙂"}


def test_messages_that_nobody_understands_change_nothing(
    backend: FakeBackend, enter: Enter
) -> None:
    backend.begin(CALL)
    page = open_call(enter)
    expect(page.get_by_text("ASAPP is listening")).to_be_visible()
    channel = f"/live/conversations/{CALL}"
    for event in ({"type": "other"}, {}, {"type": "words"}, {"type": None}):
        backend.publish(channel, event)
    backend.say(CALL, "customer", "and it goes on")
    expect(page.locator(".utterance")).to_have_count(1)
