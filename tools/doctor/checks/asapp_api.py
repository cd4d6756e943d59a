"""ASAPP's API: whether it accepts the credentials, and what of a transcript the account redacts."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tools.doctor.asapp import Answer, Credentials, get
from tools.doctor.checks.asapp_secret import credentials_of
from tools.doctor.findings import (
    CannotGoOn,
    Finding,
    Findings,
    NotSeen,
    problem,
    warning,
    well,
)
from tools.doctor.plan import Plan

_HEALTH = "/v1/health"
_ENTITIES = "/configuration/v1/redaction-entities?limit=100"
_MOST_PAGES = 20
_STATUS = "look at https://status.asapp.com, and run it again"


def asapp_api(plan: Plan) -> Findings:
    """It asks twice, and changes nothing."""
    host = plan.settings.asapp.api_host
    if not plan.asks_asapp:
        yield Finding("skipped", "not asked, as you said", "run it without ASAPP=off")
        return
    try:
        credentials = credentials_of(plan)
    except CannotGoOn:
        raise
    except NotSeen:  # the check before this one says why
        credentials = None
    if credentials is None:
        yield Finding("skipped", "not asked without credentials", "see above")
        return
    answer = get(plan.asapp or host, _HEALTH, credentials)
    if answer.status in (401, 403):
        name = plan.settings.asapp.credentials_secret_name
        put = (
            f"secretsmanager put-secret-value --secret-id {name} --secret-string file://asapp.json"
        )
        yield problem(
            f"{host} refuses the credentials ({answer.code}): no call would be transcribed",
            f"{plan.command(put)}; ASAPP's sandbox and production have different credentials",
        )
        return
    if unseen := _unseen(host, answer):
        yield unseen
        return
    said = answer.content.get("healthCheck")
    if said == "SUCCESS":
        yield well(f"{host} accepts the credentials")
    else:
        yield warning(f"{host} answers, and reports its health as {said}", _STATUS)
    yield from _redaction(plan, credentials)


def _unseen(host: str, answer: Answer) -> Finding | None:
    if answer.status == 0:
        return warning(
            f"{host} did not answer this machine ({answer.code}); the functions ask from AWS",
            "check your network, or run it with ASAPP=off",
        )
    if answer.status != 200 or answer.code:
        return warning(f"{host} answered {answer.status} ({answer.code})", _STATUS)
    return None


def _redaction(plan: Plan, credentials: Credentials) -> Findings:
    """The account's redaction against `asapp.redaction`."""
    origin = plan.asapp or plan.settings.asapp.api_host
    entities, cursor = list[dict[str, Any]](), ""
    for _ in range(_MOST_PAGES):
        answer = get(origin, _ENTITIES + cursor, credentials)
        if answer.status != 200 or answer.code:
            yield warning(
                "what the account redacts could not be read: "
                f"ASAPP answered {answer.status} ({answer.code})",
                "ask ASAPP what the account redacts in transcripts",
            )
            return
        entities += answer.content.get("redactionEntities", [])
        following = answer.content.get("nextCursor")
        if not following:
            break
        cursor = f"&cursor={quote(following, safe='')}"
    redacted = [
        str(each["id"]) for each in entities if each.get("policies", {}).get("autoTranscribe")
    ]
    yield _judged(plan.settings.asapp.redaction, redacted)


def _judged(redaction: str, redacted: list[str]) -> Finding:
    listed = ", ".join(redacted)
    if redaction == "unredacted":
        if redacted:
            return warning(
                f"the account redacts {listed}, and an account that always redacts refuses a start "
                "that asks for unredacted text",
                'ask ASAPP whether yours does, or write asapp.redaction = "redacted"',
            )
        return well("the account redacts nothing in transcripts, as the settings say")
    if not redacted:
        return problem(
            "the account redacts nothing in transcripts: ASAPP refuses every start that asks for "
            "redacted text",
            'ask ASAPP\'s account team for redaction, or write asapp.redaction = "unredacted"',
        )
    if any("NAME" in each.upper() for each in redacted):
        return well(f"the account redacts {listed}")
    return well(
        f"the account redacts {listed}. Names of people stay in the text, which is ASAPP's default"
    )
