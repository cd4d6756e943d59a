"""``make sandbox``: the deployed stacks, left running, and how to talk to them."""

from __future__ import annotations

import json
import shlex
import signal
import sys
import uuid

from rich.console import Console
from rich.markup import escape

from sandbox.asapp.conversations import load_all
from sandbox.asapp.double import Delivery
from sandbox.connect.contact import MediaStream, lambda_event
from sandbox.demo.played_call import Call
from sandbox.stacks.emulator import SandboxError
from sandbox.stacks.running import Sandbox, running_sandbox


def main() -> int:
    console = Console(highlight=False, soft_wrap=True)
    try:
        with running_sandbox(
            delivery=Delivery(), pace=1.0, say=lambda text: console.print(f"{text} …")
        ) as sandbox:
            for title, command in commands(sandbox):
                console.print(f"\n[bold]{title}[/]\n{escape(command)}")
            console.print(f"\nLogs and templates: {sandbox.folder}\nCtrl-C stops it all.")
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
    except SandboxError as problem:
        console.print(f"[red]{escape(str(problem))}[/]")
        return 2
    except KeyboardInterrupt:
        pass
    console.print("stopped")
    return 0


def commands(sandbox: Sandbox) -> list[tuple[str, str]]:
    """Lines for a shell, that work as they stand, in this order."""
    deployment, asapp = sandbox.deployment, sandbox.asapp
    call = Call(deployment, asapp, load_all()[0], 1, lambda *_: None)
    call.contact.media_stream = MediaStream(
        "arn:aws:kinesisvideo:us-east-1:000000000000:stream/sandbox-connect-sandbox-contact-"
        f"{uuid.uuid4()}/1795413010416",
        "9" * 47,
        "1795413010416",
    )
    guid = call.contact.contact_id
    event = lambda_event(call.contact, {"customerId": "+15550100001", "agentId": "agent-1"})
    start, stop = map(deployment.function_arn, ("StartStreaming", "StopStreaming"))
    message = {
        "type": "transcript",
        "externalConversationId": guid,
        "streamId": str(uuid.uuid4()),
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
    webhook = deployment.settings.webhook
    secret = {f"{webhook.secret_name}": deployment.webhook_secret}
    keys = {"asapp-api-id": asapp.api_id, "asapp-api-secret": asapp.api_secret}
    endpoint = deployment.emulator.endpoint
    functions = f"{endpoint}/2015-03-31/functions"
    amz = {"X-Amz-Target": "DynamoDB_20120810.Query", "Content-Type": "application/x-amz-json-1.0"}
    reconcile, _ = deployment.scheduled("TranscriptReconciliation")
    transcript_url = deployment.transcript_url.replace("{conversationId}", guid)
    return [
        (
            "Start transcription, as a flow's Lambda block does",
            _curl(f"{functions}/{start}/invocations", {}, event),
        ),
        (
            "Post an utterance, as ASAPP does",
            _curl(deployment.webhook_url, {"Content-Type": "application/json", **secret}, message),
        ),
        (
            "Read what the table has of the call",
            _curl(endpoint, _signed(amz, "dynamodb"), query),
        ),
        (
            "Ask ASAPP's double for its messages",
            _curl(
                f"{asapp.url}/conversation/v1/conversation/messages?externalId={guid}",
                {"Content-Type": "application/json", **keys},
            ),
        ),
        ("Stop transcription", _curl(f"{functions}/{stop}/invocations", {}, event)),
        (
            "Hold the call against those messages, which is done by itself a minute after a call's "
            "end; the double has heard nothing: awaiting",
            _curl(f"{functions}/{reconcile}/invocations", {}, {"conversationId": guid}),
        ),
        (
            "Read its transcript, as another system does",
            _curl(transcript_url, _signed({"Accept": "text/plain"}, "execute-api")),
        ),
    ]


def _curl(url: str, headers: dict[str, str], body: object = None) -> str:
    parts = [
        "curl",
        "-sS",
        "-w",
        "\\n",
        *(p for h in headers.items() for p in ("-H", ": ".join(h))),
    ]
    if body is not None:
        parts += ["-d", json.dumps(body)]
    return shlex.join([*parts, url])


def _signed(headers: dict[str, str], service: str) -> dict[str, str]:
    """The emulator wants to see a signature's region and service, and checks no more of it."""
    scope = f"test/20260101/us-east-1/{service}/aws4_request"
    return headers | {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}"}


if __name__ == "__main__":
    sys.exit(main())
