"""Everybody tries to subscribe and to read; the same code decides both."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from typing import Any

import pytest

from authorize_live.handler import allows
from read_live.handler import answer
from read_live.running_calls import Listed
from shared.aws.api import AwsError
from shared.live.viewer import Viewers
from shared.runtime import Deadline
from shared.tokens.access_token import AccessTokens, Demands
from shared.tokens.signing_keys import SigningKeys
from shared.transcripts.transcript import Spoken, Transcript
from tests.unit.transcripts.test_access_token import (
    CLOCK,
    NOW,
    OTHER_RSA,
    RS,
    RSA,
    Claims,
    Issuer,
    base64url,
    rsa_entry,
    signed_with_rsa,
    token,
)

POOL = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_pool"
CALL, OTHER_CALL = "1f2e3d4c-0000-4000-8000-000000000001", "1f2e3d4c-0000-4000-8000-000000000002"
CHANNEL, LIST = f"/live/conversations/{CALL}", "/live/calls"

PERSON: Claims = {
    "iss": POOL,
    "aud": "page",
    "exp": NOW + 3600,
    "token_use": "id",
    "sub": "a-subject",
    "cognito:username": "jane",
}
JANE = PERSON
BEFORE = PERSON | {"cognito:username": "omar"}
SUPERVISOR = PERSON | {"cognito:username": "boss", "cognito:groups": ["supervisors"]}
STRANGER = PERSON | {"cognito:username": "mallory"}
FEDERATED = PERSON | {
    "cognito:username": "acme_00u1",
    "preferred_username": "jane",
    "identities": [{"providerName": "acme"}],
}


def leg(contact_id: str, agent: str, state: str = "connected") -> dict[str, Any]:
    audio = {"stream_arn": "arn:stream", "at_ms": 1, "customer_id": "+15550100199"}
    return {"contact_id": contact_id, "agent_id": agent, "state": state} | audio


ITEM: Mapping[str, Any] = {
    "version": 2,
    "state": "streaming",
    "legs": json.dumps([leg(CALL, "omar", "ended"), leg(OTHER_CALL, "jane"), leg("c-3", "c-3")]),
}
SAID = Spoken("customer", "+15550100199", 1, 2, "Hello", "webhook", id=f"{CALL}/u", stored_at_ms=3)


class Table:
    def transcript(self, conversation_id: str) -> Transcript | None:
        if conversation_id != CALL:
            return None
        return Transcript(CALL, "streaming", "", {}, (SAID,), ITEM)

    def running(self) -> Listed:
        return Listed([{"conversationId": CALL}], more=False)


def viewers() -> Viewers:
    keys = SigningKeys(Issuer(rsa_entry(RSA, "rsa")).fetch)
    return Viewers(AccessTokens(keys, Demands(POOL, audience="page")))


def given(claims: Claims) -> str:
    return f"Bearer {token(claims, RS)}"


def read_item(conversation_id: str, deadline: Deadline) -> Mapping[str, Any]:
    return ITEM if conversation_id == CALL else {}


def subscribes(
    who: str, channel: object, operation: str = "EVENT_SUBSCRIBE", read: Any = read_item
) -> bool:
    context = {"operation": operation, "channel": channel, "channelNamespaceName": "live"}
    event = {"authorizationToken": who, "requestContext": context}
    return allows(event, viewers(), read, Deadline(5, CLOCK))


def reads(who: str, conversation_id: str = CALL, **query: str) -> dict[str, Any]:
    event = {
        "resource": "/conversations/{conversationId}",
        "headers": {"Authorization": who},
        "pathParameters": {"conversationId": conversation_id},
        "queryStringParameters": query or None,
    }
    return answer(event, viewers(), Table(), Deadline(5, CLOCK))  # type: ignore[arg-type]


def lists(who: str) -> int:
    event = {"resource": "/calls", "headers": {"authorization": who}, "pathParameters": None}
    status: int = answer(event, viewers(), Table(), Deadline(5, CLOCK))["statusCode"]  # type: ignore[arg-type]
    return status


@pytest.mark.parametrize(
    ("claims", "call", "the_list"),
    [
        (SUPERVISOR, True, True),
        (JANE, True, False),
        (BEFORE, True, False),
        (FEDERATED, True, False),
        (STRANGER, False, False),
        (PERSON | {"cognito:username": "Jane"}, False, False),
        (PERSON | {"cognito:username": ""}, False, False),
        (PERSON | {"cognito:username": "c-3"}, False, False),
        (PERSON | {"cognito:username": "+15550100199"}, False, False),
        (STRANGER | {"preferred_username": "jane"}, False, False),
        (FEDERATED | {"cognito:username": "jane", "preferred_username": "mallory"}, False, False),
        (STRANGER | {"cognito:groups": "supervisors"}, False, False),
        (STRANGER | {"cognito:groups": ["supervisor", "Supervisors"]}, False, False),
        (STRANGER | {"custom:groups": ["supervisors"]}, False, False),
    ],
)
def test_a_supervisor_sees_all_an_agent_their_own_calls_and_nobody_else_anything(
    claims: Claims, call: bool, the_list: bool
) -> None:
    who = given(claims)
    assert subscribes(who, CHANNEL) is call
    assert reads(who)["statusCode"] == (200 if call else 404)
    assert subscribes(who, LIST) is the_list
    assert lists(who) == (200 if the_list else 403)
    other = f"/live/conversations/{OTHER_CALL}"
    assert subscribes(who, other) is the_list
    assert reads(who, OTHER_CALL)["statusCode"] == 404


def forged(header: Claims, signature: bytes) -> str:
    parts = ".".join(base64url(json.dumps(part).encode()) for part in (header, SUPERVISOR))
    return f"Bearer {parts}.{base64url(signature)}"


BAD_TOKENS = {
    "none": "",
    "no token": "Bearer",
    "another scheme": "Basic amFuZTpzZWNyZXQ=",
    "IAM's": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/appsync/aws4_request",
    "expired": given(SUPERVISOR | {"exp": NOW - 61}),
    "not yet good": given(SUPERVISOR | {"nbf": NOW + 3600}),
    "without an end": given({k: v for k, v in SUPERVISOR.items() if k != "exp"}),
    "an access token": given(SUPERVISOR | {"token_use": "access"}),
    "for another client": given(SUPERVISOR | {"aud": "another page"}),
    "of another instance's pool": given(SUPERVISOR | {"iss": f"{POOL}2"}),
    "without a subject": given({k: v for k, v in SUPERVISOR.items() if k != "sub"}),
    "signed by another key": "Bearer "
    + token(SUPERVISOR, RS, lambda signed: signed_with_rsa(signed, OTHER_RSA)),
    "not signed": forged({"alg": "none", "kid": "rsa"}, b""),
    "of an unknown key": forged({"alg": "RS256", "kid": "mine"}, b"x" * 256),
}


@pytest.mark.parametrize("bad", BAD_TOKENS.values(), ids=BAD_TOKENS)
def test_without_a_good_token_nobody_connects_subscribes_or_reads(bad: str) -> None:
    assert not subscribes(bad, None, "EVENT_CONNECT")
    assert not subscribes(bad, CHANNEL)
    assert not subscribes(bad, LIST)
    assert reads(bad)["statusCode"] == 401
    assert lists(bad) == 401


@pytest.mark.parametrize(
    "channel",
    [
        "/live/*",
        "/*",
        "*",
        "/live/conversations/*",
        "/live/conversations",
        "/live/conversations/",
        f"{CHANNEL}/",
        f"{CHANNEL}/*",
        f"/live/conversations//{CALL}",
        f"/other/conversations/{CALL}",
        f"/live/conversations/{CALL}/x",
        f"/live/conversations/{CALL}\n",
        "/live/conversations/-",
        "/live/calls/*",
        "/live/calls/",
        "/LIVE/calls",
        "live/calls",
        "",
        None,
    ],
)
def test_not_even_a_supervisor_subscribes_to_more_than_one_channel_of_ours(channel: object) -> None:
    assert not subscribes(given(SUPERVISOR), channel)


@pytest.mark.parametrize("operation", ["EVENT_PUBLISH", "EVENT_ANYTHING", "", None])
def test_nobody_publishes_by_a_token(operation: Any) -> None:
    for channel in (CHANNEL, LIST):
        assert not subscribes(given(SUPERVISOR), channel, operation)


def test_whoever_has_signed_in_may_connect() -> None:
    assert subscribes(given(STRANGER), None, "EVENT_CONNECT")


def test_what_cannot_be_read_is_refused() -> None:
    def fails(conversation_id: str, deadline: Deadline) -> Mapping[str, Any]:
        raise AwsError("GetItem", "NoAnswer")

    assert not subscribes(given(JANE), CHANNEL, read=fails)
    assert subscribes(given(SUPERVISOR), CHANNEL, read=fails)  # who may see all needs no call


def test_a_call_whose_time_is_over_is_nobodys() -> None:
    def expired(conversation_id: str, deadline: Deadline) -> Mapping[str, Any]:
        return {**ITEM, "expiresAt": NOW - 1}

    assert not subscribes(given(JANE), CHANNEL, read=expired)


@pytest.mark.parametrize("claims", [JANE, SUPERVISOR], ids=["agent", "supervisor"])
def test_a_call_that_was_erased_is_nobodys_and_the_record_names_it_as_its_receipt_does(
    claims: Claims, caplog: pytest.LogCaptureFixture
) -> None:
    def tombstone(conversation_id: str, deadline: Deadline) -> Mapping[str, Any]:
        return {"erasedAt": NOW - 60, "expiresAt": NOW + 86_400}

    caplog.set_level(logging.INFO)
    assert not subscribes(given(claims), CHANNEL, read=tombstone)
    assert reads(given(claims), OTHER_CALL)["statusCode"] == 404  # a tombstone is no transcript
    named = f"sha256:{hashlib.sha256(CALL.encode()).hexdigest()}"
    assert [r.conversationId for r in caplog.records] == [named, ""]  # type: ignore[attr-defined]


def test_a_call_that_is_not_yours_looks_like_one_that_nobody_knows() -> None:
    assert reads(given(STRANGER)) == reads(given(STRANGER), "00000000-0000-4000-8000-00000000000f")


def test_no_answer_names_the_customer() -> None:
    assert "+15550100199" not in json.dumps(reads(given(SUPERVISOR)))


def test_each_look_is_recorded_with_ids_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for claims, allowed in ((JANE, True), (STRANGER, False)):
        caplog.clear()
        subscribes(given(claims), CHANNEL)
        reads(given(claims))
        looks = [
            (r.event, r.viewer, r.conversationId, r.allowed, r.supervisor)  # type: ignore[attr-defined]
            for r in caplog.records
        ]
        assert looks == [
            ("live_subscribed", "a-subject", CALL, allowed, False),
            ("live_read", "a-subject", CALL, allowed, False),
        ]
        assert not any(word in caplog.text for word in ("jane", "mallory", "omar", "Hello"))
