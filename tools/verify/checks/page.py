"""The live page as a browser gets it: its headers, and its ``config.json``."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import Message
from typing import Any
from urllib.parse import urlsplit

from connect_settings.page_headers import security_headers
from tools.doctor.findings import Finding, Findings, problem, warning, well
from tools.verify.account import Account
from tools.verify.conversation import ask
from tools.verify.live_events import CONFIG

Json = dict[str, Any]
_POLICY = "Content-Security-Policy"
_FORBIDDEN = {
    "Cross-Origin-Opener-Policy": "cuts the sign-in window off from the agent workspace's tab",
    "X-Frame-Options": "forbids the agent workspace's tab",
}


def page(account: Account, config: Json) -> Findings:
    """:param config: What ``config.json`` must be."""
    address = config["signIn"]["redirectUri"]
    answer = ask(address)
    is_ours = "PageUrl" in account.stacks["live"].outputs
    if not answer.status and not is_ours:
        what = f"{address} gives no answer: {answer.body}"
        yield warning(what, "if only your network reaches the page, run it from there")
        return
    if answer.status != 200:
        yield problem(f"{address} gets {answer.status or answer.body}, not 200", "deploy again")
        return
    remedy = "deploy again" if is_ours else "correct your server's headers: docs/live.md"
    wrong = list(_wrong_headers(answer.headers, config, address))
    yield from (problem(f"{address}: {each}", remedy) for each in wrong)
    if not wrong:
        yield well(f"{address} has the headers of docs/live.md")
    yield _of_config(f"{address}{CONFIG}", config, is_ours=is_ours)


def _wrong_headers(headers: Message, config: Json, address: str) -> Iterator[str]:
    urls = (config["readUrl"], config["events"]["realtimeUrl"], config["signIn"]["url"])
    connects_to = " ".join(dict.fromkeys(map(_origin, urls)))
    expected = security_headers(connects_to, config["connect"]["instanceUrl"])
    if address.startswith("https:") and "Strict-Transport-Security" not in headers:
        yield "Strict-Transport-Security is not sent"
    expected.pop("Strict-Transport-Security")  # a longer one is as good
    policy = expected.pop(_POLICY)
    for name, value in expected.items():
        if (there := headers.get(name)) != value:
            yield f"{name} is {there or 'not sent'}, and must be {value}"
    for name, effect in _FORBIDDEN.items():
        if name in headers:
            yield f"{name} is sent, which {effect}"
    wanted, found = _directives(policy), _directives(headers.get(_POLICY, ""))
    host = urlsplit(config["events"]["realtimeUrl"]).netloc
    any_api = f"wss://*.{host.partition('.')[2]}"  # where the stack that hosts it cannot know which
    if any_api in (sources := found.get("connect-src", frozenset())):
        found["connect-src"] = sources - {any_api} | {f"wss://{host}"}
    for name in sorted({*wanted, *found}):
        if wanted.get(name) != found.get(name):
            there, must = (_said(each.get(name)) for each in (found, wanted))
            yield f"{_POLICY}: {name} is {there}, and must be {must}"


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _directives(policy: str) -> dict[str, frozenset[str]]:
    """Sources by the directives' names."""
    parts = [each.split() for each in policy.split(";")]
    return {name.lower(): frozenset(sources) for name, *sources in filter(None, parts)}


def _said(sources: frozenset[str] | None) -> str:
    return "missing" if sources is None else " ".join(sorted(sources)) or "empty"


def _of_config(address: str, config: Json, *, is_ours: bool) -> Finding:
    answer = ask(address)
    remedy = "deploy again" if is_ours else "put the output PageConfig there: docs/live.md"
    found = answer.content
    if answer.status != 200 or not found:
        return problem(f"{address} gets {answer.status or answer.body}, and no JSON object", remedy)
    differ = sorted(name for name in {*config, *found} if config.get(name) != found.get(name))
    if differ:
        return problem(f"{address} is not what was deployed: {', '.join(differ)}", remedy)
    return well(f"{address} is what was deployed")
