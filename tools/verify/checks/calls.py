"""Start and stop, as a flow's Lambda block invokes them, and ASAPP behind them."""

from __future__ import annotations

import json
from typing import Any

from tools.doctor.asapp import get
from tools.doctor.checks.asapp_secret import credentials_of
from tools.doctor.findings import Finding, Findings, problem, warning, well
from tools.doctor.plan import Plan
from tools.rollback.aliases import aliases as versions_of
from tools.rollback.stack import Stack as RollbackStack
from tools.verify.account import Account
from tools.verify.listener import MARKED

_REFUSES = "400-201"
"""*Media gateway parameter incorrect*: ASAPP's code for a stream that is none."""


def start_and_stop(account: Account) -> Findings:
    """A contact without audio, of which nobody knows.

    There is nothing to start. A stop of an unknown call asks ASAPP all the same, so it may also
    find that ASAPP refuses the credentials.
    """
    for function, logs, expected in (
        ("StartFunction", "StartStreamingLogs", "no_media_stream"),
        ("StopFunction", "StopStreamingLogs", "already_stopped"),
    ):
        answer = _invoke(account, function)
        if answer.get("status") == expected:
            yield well(f"{function}: {expected}")
            continue
        said = ", ".join(f"{name} {value}" for name, value in answer.items() if value)
        yield problem(
            f"{function}: not {expected}, but {said or 'nothing'}",
            f"aws logs tail {account.transcription.outputs[logs]}",
        )


def switch(account: Account) -> Findings:
    name = account.transcription.outputs["SwitchName"]
    answer = account.aws.read("ssm", "get_parameter", Name=name) or {}
    if answer["Parameter"]["Value"] == "enabled":
        yield well("transcription is enabled")
    else:
        yield problem("somebody has stopped transcription", f"`make resume-all ENV={account.name}`")


def aliases(account: Account) -> Findings:
    """What flows, API Gateway and the queue invoke is what the stack published."""
    found = list(versions_of(RollbackStack(account.transcription.name, account.aws)))
    for alias in found:
        if alias.shifting or alias.version != alias.of_stack:
            what = f"{alias.function}: live is version {alias.version}"
            what += " and another one" if alias.shifting else ""
            yield problem(
                f"{what}, and the stack published {alias.of_stack}",
                f"deploy again, or `make rollback ENV={account.name} UNDO=1`",
            )
    yield well(f"{len(found)} aliases looked at")


def asapp(account: Account) -> Findings:
    host = account.settings.asapp.api_host
    credentials = credentials_of(Plan(account.settings, account.aws, account.name))
    if credentials is None:
        name = account.settings.asapp.credentials_secret_name
        yield problem(f"{name} has no credentials of ASAPP", f"`make doctor ENV={account.name}`")
        return
    answer = get(host, "/v1/health", credentials)
    if answer.status == 200 and answer.content.get("healthCheck") == "SUCCESS":
        yield well(f"{host} accepts the credentials and is well")
    elif answer.status in (401, 403):
        yield problem(f"{host} refuses the credentials", f"`make doctor ENV={account.name}`")
    else:
        said = answer.content.get("healthCheck", answer.code)
        yield warning(
            f"{host} answers {answer.status} ({said})", "look at https://status.asapp.com"
        )
    if account.starts_at_asapp:
        yield _refused_start(account)
    else:
        yield Finding("skipped", "no start was sent to ASAPP", "ASAPP=1 sends one that it refuses")


def _refused_start(account: Account) -> Finding:
    """A start with a stream that is none, sent by the function in AWS."""
    audio = {"StreamARN": MARKED, "StartFragmentNumber": "0", "StartTimestamp": "1"}
    answer = _invoke(account, "StartFunction", MediaStreams={"Customer": {"Audio": audio}})
    status, reason = str(answer.get("status", "")), str(answer.get("reason", ""))
    if (status, reason) == ("rejected", _REFUSES):
        return well(f"ASAPP refuses the start of a call that is none: {reason}")
    stopped = ""
    if status == "started":
        stopped = f"; its stop answered {_invoke(account, 'StopFunction').get('status')}"
    return problem(
        f"a start that ASAPP must refuse with {_REFUSES} got {status} {reason}{stopped}",
        "see the log of StartStreaming: credentials, host and the way there",
    )


def invoked(account: Account, function: str, event: dict[str, Any]) -> dict[str, Any]:
    """A function's answer; if it fails, `error` is what it has raised.

    :param function: Its name, or the ARN of it or of its alias.
    """
    payload = json.dumps(event)
    answer = account.aws.read("lambda", "invoke", FunctionName=function, Payload=payload) or {}
    said = json.loads(answer["Payload"].read() or b"null") or {}
    if "FunctionError" in answer:
        parts = (said.get("errorType", answer["FunctionError"]), said.get("errorMessage", ""))
        return {"error": ": ".join(filter(None, parts))}
    return dict(said)


def _invoke(account: Account, function: str, **data: Any) -> dict[str, Any]:
    contact = {"ContactId": MARKED, "InitialContactId": MARKED, "PreviousContactId": MARKED}
    contact |= {"Channel": "VOICE", "InitiationMethod": "INBOUND", **data}
    event = {"Name": "ContactFlowEvent", "Details": {"ContactData": contact, "Parameters": {}}}
    return invoked(account, account.transcription.outputs[function], event)
