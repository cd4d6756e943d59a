"""The live page's address: its headers, and its `config.json`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import pytest

from connect_settings.page_headers import security_headers
from tools.doctor.findings import Finding, NotSeen
from tools.verify.account import Account
from tools.verify.checks.page import page
from tools.verify.live_events import page_config

from .conftest import Aws, stack_of
from .serving import Served, serving

ALIAS, OLDER = "https://acme.my.connect.aws", "https://acme.awsapps.com"
REALTIME = "abc.appsync-realtime-api.eu-central-1.amazonaws.com"
READS = "https://a1b2c3.execute-api.eu-central-1.amazonaws.com"
SIGNS_IN = "https://acme-live.auth.eu-central-1.amazoncognito.com"
GOOD = security_headers(f"{READS} wss://{REALTIME} {SIGNS_IN}", ALIAS)
POLICY = GOOD["Content-Security-Policy"]
Deployed = Callable[..., Account]


def config_of(address: str) -> dict[str, Any]:
    return {
        "readUrl": f"{READS}/v1",
        "events": {"realtimeUrl": f"wss://{REALTIME}/event/realtime"},
        "signIn": {"url": SIGNS_IN, "clientId": "1h2j3k", "redirectUri": address},
        "connect": {"instanceUrl": ALIAS},
    }


def findings(
    account: Account,
    headers: Mapping[str, str] = GOOD,
    *,
    status: int = 200,
    config: Callable[[str], str] = lambda address: json.dumps(config_of(address)),
    outputs: Mapping[str, str] = MappingProxyType({}),
) -> list[Finding]:
    """What is said of a page that is served so."""

    def answer(path: str) -> Served:
        if path == "/config.json":
            return Served(200, {}, config(f"{url}/"))
        return Served(status, headers, "the page")

    vars(account)["stacks"]["live"] = stack_of({}, {}, dict(outputs))
    with serving(answer) as url:
        return list(page(account, config_of(f"{url}/")))


def wrong(found: list[Finding]) -> list[str]:
    return [each.what.partition("/: ")[2] for each in found if each.severity == "problem"]


def test_a_page_as_it_must_be_is_well(aws: Aws, deployed: Deployed) -> None:
    assert [it.severity for it in findings(deployed())] == ["well", "well"]


def test_a_page_that_the_stack_hosts_may_connect_to_any_api_of_events_in_the_region(
    aws: Aws, deployed: Deployed
) -> None:
    any_api = POLICY.replace("wss://abc.", "wss://*.")
    found = findings(deployed(), GOOD | {"Content-Security-Policy": any_api})
    assert wrong(found) == []


@pytest.mark.parametrize(
    ("policy", "what"),
    [
        (
            POLICY.replace("script-src 'self'", "script-src 'self' 'unsafe-inline'"),
            "script-src is 'self' 'unsafe-inline', and must be 'self'",
        ),
        (POLICY + "; script-src-elem *", "script-src-elem is *, and must be missing"),
        (
            POLICY.replace(f"frame-ancestors {ALIAS} {OLDER}", "frame-ancestors *"),
            f"frame-ancestors is *, and must be {OLDER} {ALIAS}",
        ),
        (
            POLICY.replace(f" {OLDER}", ""),
            f"frame-ancestors is {ALIAS}, and must be {OLDER} {ALIAS}",
        ),
        (
            POLICY.replace("; form-action 'none'", ""),
            "form-action is missing, and must be 'none'",
        ),
    ],
    ids=[
        "inline scripts",
        "another directive",
        "anybody frames it",
        "an older instance does not",
        "a directive is missing",
    ],
)
def test_another_policy_is_named_by_its_directive(
    policy: str, what: str, aws: Aws, deployed: Deployed
) -> None:
    found = findings(deployed(), GOOD | {"Content-Security-Policy": policy})
    assert wrong(found) == [f"Content-Security-Policy: {what}"]


def test_each_host_to_which_the_page_may_connect_is_one_of_its_own(
    aws: Aws, deployed: Deployed
) -> None:
    for policy in (POLICY.replace(SIGNS_IN, ""), POLICY.replace(SIGNS_IN, f"{SIGNS_IN} https:")):
        (what,) = wrong(findings(deployed(), GOOD | {"Content-Security-Policy": policy}))
        assert what.startswith("Content-Security-Policy: connect-src is ")


@pytest.mark.parametrize(
    ("headers", "what"),
    [
        (
            {name: GOOD[name] for name in GOOD if name != "X-Content-Type-Options"},
            "X-Content-Type-Options is not sent, and must be nosniff",
        ),
        (
            GOOD | {"Referrer-Policy": "origin"},
            "Referrer-Policy is origin, and must be no-referrer",
        ),
        (
            GOOD | {"X-Frame-Options": "DENY"},
            "X-Frame-Options is sent, which forbids the agent workspace's tab",
        ),
        (
            GOOD | {"Cross-Origin-Opener-Policy": "same-origin"},
            "Cross-Origin-Opener-Policy is sent, which cuts the sign-in window off from the agent "
            "workspace's tab",
        ),
    ],
    ids=["missing", "another value", "no frames", "no opener"],
)
def test_another_header_is_named(
    headers: Mapping[str, str], what: str, aws: Aws, deployed: Deployed
) -> None:
    assert wrong(findings(deployed(), headers)) == [what]


def test_the_config_of_another_deployment_is_named_by_what_differs(
    aws: Aws, deployed: Deployed
) -> None:
    other = json.dumps(config_of("https://another.example/") | {"readUrl": "https://another/v1"})
    for outputs, remedy in (
        ({}, "put the output PageConfig there: docs/live.md"),
        ({"PageUrl": "https://d111.cloudfront.net/"}, "deploy again"),
    ):
        *_, found = findings(deployed(), config=lambda _: other, outputs=outputs)
        assert (found.severity, found.remedy) == ("problem", remedy)
        assert found.what.endswith("config.json is not what was deployed: readUrl, signIn")


def test_a_page_in_the_place_of_config_json_is_no_config(aws: Aws, deployed: Deployed) -> None:
    *_, found = findings(deployed(), config=lambda _: "<!doctype html>")
    assert found.what.endswith("config.json gets 200, and no JSON object")


def test_a_page_that_is_not_there_is_a_problem(aws: Aws, deployed: Deployed) -> None:
    (found,) = findings(deployed(), status=403)
    assert (found.severity, found.what.endswith("gets 403, not 200")) == ("problem", True)


@pytest.mark.parametrize(
    ("outputs", "severity"),
    [({}, "warning"), ({"PageUrl": "https://d111.cloudfront.net/"}, "problem")],
    ids=["yours", "the stack's"],
)
def test_no_answer_is_a_problem_where_everybody_reaches_the_page(
    outputs: dict[str, str], severity: str, aws: Aws, deployed: Deployed
) -> None:
    account = deployed()
    vars(account)["stacks"]["live"] = stack_of({}, {}, outputs)
    (found,) = page(account, config_of("https://127.0.0.1:1/"))
    assert found.severity == severity
    assert "refused" in found.what


def test_what_was_deployed_is_known_by_the_output_whoever_hosts_the_page(
    aws: Aws, deployed: Deployed
) -> None:
    account = deployed()
    config = config_of("https://d111.cloudfront.net/")
    vars(account)["stacks"]["live"] = stack_of({}, {}, {"PageConfig": json.dumps(config)})
    assert page_config(account) == config
    vars(account)["stacks"]["live"] = stack_of({}, {}, {"PageUrl": "https://d111.cloudfront.net/"})
    with pytest.raises(NotSeen) as unseen:
        page_config(account)
    assert unseen.value.finding.what == "the stack of the live page has no output PageConfig"
