"""Sign-in, sign-out, and what the page does when the servers say no."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import Enter
from tests.web.fake_backend import USERS, FakeBackend

CALL = "1f2e3d4c-0000-4000-8000-000000000001"


def storage(page: Page, kind: str) -> dict[str, str]:
    return dict(json.loads(page.evaluate(f"() => JSON.stringify({{...{kind}}})")))


def test_nobody_sees_anything_before_signing_in(backend: FakeBackend, enter: Enter) -> None:
    backend.begin(CALL)
    page = enter()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert not [each for each in backend.asked if each.path.startswith(("/v1", "/event"))]


def test_no_token_is_ever_in_an_address_and_none_outlives_the_tab(
    backend: FakeBackend, enter: Enter
) -> None:
    backend.begin(CALL)
    page = enter("sam")
    page.get_by_role("button", name="Open the call of jane", exact=True).click()
    expect(page.get_by_text("ASAPP is listening")).to_be_visible()
    assert page.url == f"{backend.page_url}/#calls={CALL}"
    for token in [*backend.tokens, *backend.refresh_tokens]:
        for asked in backend.asked:
            assert token not in asked.path
    assert all("code=" not in asked.referrer for asked in backend.asked)
    assert storage(page, "localStorage") == {}
    assert set(storage(page, "sessionStorage")) == {"live.tokens"}
    assert page.context.cookies() == []


def test_only_an_answer_that_this_tab_has_asked_for_is_taken(
    backend: FakeBackend, enter: Enter
) -> None:
    page = enter("", "?code=stolen&state=of-somebody-else")
    expect(page.get_by_text("Signing in did not work. Try again.")).to_be_visible()
    assert page.url == f"{backend.page_url}/"
    assert not [each for each in backend.asked if each.path.startswith("/oauth2/token")]


def test_each_sign_in_has_a_challenge_and_a_state_of_its_own(
    backend: FakeBackend, enter: Enter
) -> None:
    enter("sam"), enter("sam")
    asked = [each.path for each in backend.asked if each.path.startswith("/oauth2/authorize")]
    for name in ("state", "code_challenge"):
        assert len({parse_qs(urlsplit(path).query)[name][0] for path in asked}) == 2


def test_an_expired_token_is_renewed_without_anybody_noticing(
    backend: FakeBackend, enter: Enter
) -> None:
    backend.begin(CALL)
    page = enter("sam")
    expect(page.locator(".card")).to_have_count(1)
    backend.forget_tokens()
    page.get_by_role("button", name="Open the call of jane", exact=True).click()
    backend.say(CALL, "customer", "still here")
    expect(page.locator(".utterance")).to_have_count(1)
    assert set(backend.tokens.values()) == {"sam"}


def test_if_it_cannot_be_renewed_somebody_must_sign_in_again_and_nothing_is_shown(
    backend: FakeBackend, enter: Enter
) -> None:
    backend.begin(CALL)
    page = enter("sam")
    expect(page.locator(".card")).to_have_count(1)
    backend.forget_tokens()
    backend.refresh_tokens.clear()
    page.get_by_role("button", name="Open the call of jane", exact=True).click()
    expect(page.get_by_text("Your sign-in has expired.")).to_be_visible()
    expect(page.locator(".card, live-call")).to_have_count(0)


def test_signing_out_takes_everything_away(backend: FakeBackend, enter: Enter) -> None:
    backend.begin(CALL)
    page = enter("sam")
    page.get_by_role("button", name="Open the call of jane", exact=True).click()
    expect(page.get_by_text("ASAPP is listening")).to_be_visible()
    with page.expect_request("**/logout?**"):
        page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.locator(".card, live-call")).to_have_count(0)
    assert storage(page, "sessionStorage") == {}
    page.reload()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_an_agent_has_no_list_and_is_refused_the_call_of_another(
    backend: FakeBackend, enter: Enter
) -> None:
    backend.begin(CALL, "jane")
    backend.say(CALL, "customer", "my secret")
    page = enter("omar")
    expect(page.get_by_text("The list is for supervisors.")).to_be_visible()
    assert ("omar", "/calls") not in backend.refused
    page.goto(f"{backend.page_url}/#calls={CALL}")
    page.reload()
    expect(page.get_by_text("Nothing is known of this contact yet.")).to_be_visible()
    assert ("omar", CALL) in backend.refused
    assert "my secret" not in page.content()


def test_who_is_no_supervisor_any_more_has_no_list_any_more(
    backend: FakeBackend, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.begin(CALL)
    page = enter("sam")
    expect(page.locator(".card")).to_have_count(1)
    monkeypatch.setitem(USERS, "sam", [])
    backend.cut()
    expect(page.get_by_text("The list is for supervisors.")).to_be_visible()
    expect(page.locator(".card")).to_have_count(0)


def test_an_agent_sees_their_own_call(backend: FakeBackend, enter: Enter) -> None:
    backend.begin(CALL, "jane")
    page = enter("jane", f"#calls={CALL}")
    backend.say(CALL, "customer", "hello jane")
    expect(page.locator(".utterance")).to_contain_text("hello jane")


def test_a_user_who_claims_to_be_a_supervisor_gets_nothing_by_it(
    backend: FakeBackend, enter: Enter
) -> None:
    backend.begin(CALL, "jane")
    page = enter("omar")
    page.evaluate(
        """() => {
          const tokens = JSON.parse(sessionStorage["live.tokens"]);
          const [head, , tail] = tokens.idToken.split(".");
          const claims = { "cognito:username": "omar", "cognito:groups": ["supervisors"] };
          tokens.idToken = [head, btoa(JSON.stringify(claims)), tail].join(".");
          sessionStorage["live.tokens"] = JSON.stringify(tokens);
        }"""
    )
    page.reload()
    expect(page.locator(".list, .door")).to_be_visible()
    expect(page.locator(".card")).to_have_count(0)
