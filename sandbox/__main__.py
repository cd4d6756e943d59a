"""``make sandbox``: deploys the stacks, leaves them running, and shows how to talk to them."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from sandbox.asapp.conversations import Conversation
from sandbox.asapp.double import Delivery
from sandbox.connect.contact import MediaStream, lambda_event
from sandbox.demo.played_call import Call
from sandbox.live.live_calls import LiveCalls
from sandbox.live.running_calls import calls_in_a_loop
from sandbox.stacks.emulator import SandboxError
from sandbox.stacks.processes import stopping_on_signals
from sandbox.stacks.running import Sandbox, running_sandbox

_NOBODY_SPEAKS = Conversation("sandbox", "Nobody speaks", "en-US", ())
_STREAM = "STREAM-ID"
"""Stands for the stream id that the first line keeps in a variable of the shell."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Leave the deployed stacks running")
    parser.add_argument("--make-target", type=Path, help="a file; stop when make deletes it")
    arguments = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    try:
        with (
            stopping_on_signals(arguments.make_target),
            running_sandbox(
                delivery=Delivery(),
                pace=1.0,
                say=lambda text: console.print(f"{text} …"),
                with_live=True,
            ) as sandbox,
            running_live(sandbox, console) as live,
        ):
            show(lines(sandbox), console)
            show_live(live, console)
            console.print(
                f"\nLogs and templates: {sandbox.folder}\n"
                f"It runs until Ctrl-C, or: kill {os.getpid()}"
            )
            while True:
                signal.pause()
    except SandboxError as problem:
        console.print(f"[red]{escape(str(problem))}[/]")
        return 2
    except KeyboardInterrupt:
        console.print("stopped")
    return 0


@contextmanager
def running_live(sandbox: Sandbox, console: Console) -> Iterator[LiveCalls]:
    """Serve the live page, and let calls go on."""
    live = sandbox.live
    assert live is not None  # noqa: S101 - it was asked for
    with live.page(), calls_in_a_loop(sandbox, lambda text: console.print(escape(text))):
        yield live


def show_live(live: LiveCalls, console: Console) -> None:
    """Say where the page is and who may sign in."""
    show([("See calls while they are spoken, in a browser", live.page_url)], console)
    for user in live.users:
        sees = "every call" if user.is_supervisor else "this agent's calls, by the address of one"
        console.print(f"Sign in as {user.name} with {escape(user.password)}: {sees}")


def show(titles_and_lines: Sequence[tuple[str, str]], console: Console) -> None:
    for title, line in titles_and_lines:
        console.print(f"\n[bold]# {escape(title)}[/]\n{escape(line)}")


def lines(sandbox: Sandbox) -> list[tuple[str, str]]:
    """Titles, each with a command for a shell. Run the commands as printed, in this order."""
    deployment, asapp = sandbox.deployment, sandbox.asapp
    contact = Call(deployment, asapp, _NOBODY_SPEAKS, 1).contact
    contact.media_stream = MediaStream(
        "arn:aws:kinesisvideo:us-east-1:000000000000:stream/sandbox-connect-sandbox-contact-"
        "1f2e3d4c-0000-4000-8000-000000000001/1795413010416",
        "9" * 47,
        "1795413010416",
    )
    guid = contact.contact_id
    event = lambda_event(contact, {"customerId": "+15550100001", "agentId": "agent-1"})
    start, stop = map(deployment.function_arn, ("StartStreaming", "StopStreaming"))
    message = {
        "type": "transcript",
        "externalConversationId": guid,
        "streamId": _STREAM,
        "sender": {"externalId": "+15550100001", "role": "customer"},
        "autotranscribeResponse": {
            "message": "transcript",
            "start": 400,
            "end": 3968,
            "utterance": [{"text": "I need help upgrading my streaming package"}],
        },
    }
    query = {
        "TableName": deployment.table_name,
        "KeyConditionExpression": "conversationId = :id",
        "ExpressionAttributeValues": {":id": {"S": guid}},
    }
    receive = {"QueueUrl": sandbox.listener.queue_url, "MaxNumberOfMessages": 10}
    webhook = deployment.settings.webhook
    secret = {webhook.secret_name: deployment.webhook_secret}
    keys = {"asapp-api-id": asapp.api_id, "asapp-api-secret": asapp.api_secret}
    endpoint = deployment.emulator.endpoint
    functions = f"{endpoint}/2015-03-31/functions"
    reconcile, _ = deployment.scheduled("TranscriptReconciliation")
    transcript_url = deployment.transcript_url.replace("{conversationId}", guid)
    started = _curl(f"{functions}/{start}/invocations", {}, event)
    pick = "import json,sys; print(json.load(sys.stdin)['customerStreamId'])"
    return [
        (
            "Start transcription as a flow's Lambda block does, and keep the customer's stream id",
            f"STREAM=$({started} | python3 -c {shlex.quote(pick)}); echo $STREAM",
        ),
        (
            "Post an utterance, as ASAPP does",
            _curl(
                deployment.webhook_url, {"Content-Type": "application/json", **secret}, message
            ).replace(_STREAM, "'\"$STREAM\"'"),
        ),
        (
            "Read the call's items in the table",
            _curl(endpoint, _asking("DynamoDB_20120810.Query"), query),
        ),
        (
            "Read the events of the bus; a rule of the sandbox sends them to a queue",
            _curl(endpoint, _asking("AmazonSQS.ReceiveMessage"), receive),
        ),
        (
            "Ask ASAPP's double for the call's messages; there are none, because nobody has spoken",
            _curl(
                f"{asapp.url}/conversation/v1/conversation/messages?externalId={guid}",
                {"Content-Type": "application/json", **keys},
            ),
        ),
        ("Stop transcription", _curl(f"{functions}/{stop}/invocations", {}, event)),
        (
            "Compare the table with those messages; a schedule does so a minute after a call's end",
            _curl(f"{functions}/{reconcile}/invocations", {}, {"conversationId": guid}),
        ),
        (
            "Read its transcript, as another system does",
            _curl(transcript_url, {"Accept": "text/plain", **_signed("execute-api")}),
        ),
        (
            "Point aws, boto3 and the CDK at the emulator, in this shell",
            "export "
            + " ".join(f"{k}={shlex.quote(v)}" for k, v in deployment.emulator.variables.items()),
        ),
    ]


def _curl(url: str, headers: dict[str, str], body: object = None) -> str:
    parts = ["curl", "-sS", "-w", "\\n"]
    for header in headers.items():
        parts += ["-H", ": ".join(header)]
    if body is not None:
        parts += ["-d", json.dumps(body)]
    return shlex.join([*parts, url])


def _asking(target: str) -> dict[str, str]:
    """The headers of AWS's JSON protocol.

    :param target: The service's name there, and the operation.
    """
    service = "dynamodb" if target.startswith("DynamoDB") else "sqs"
    content_type = "application/x-amz-json-1.0"
    return {"X-Amz-Target": target, "Content-Type": content_type, **_signed(service)}


def _signed(service: str) -> dict[str, str]:
    """The emulator reads the region and the service of a signature, and checks nothing else."""
    scope = f"test/20260101/us-east-1/{service}/aws4_request"
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}"}


if __name__ == "__main__":
    sys.exit(main())
