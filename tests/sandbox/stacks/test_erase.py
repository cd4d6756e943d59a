"""``make erase`` through the deployed stacks: nothing of the call is left in any store, all of the
others is, and what comes late is erased too."""

from __future__ import annotations

import json
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from erase_conversation.exported_files import upload
from sandbox.asapp.conversations import load_all
from sandbox.demo.played_call import AGENT_WHISPER, Call
from sandbox.demo.summary import conversation, stored, wait_for_arrival
from sandbox.stacks.running import BusListener, Sandbox
from shared import table
from tests.sandbox.eventually import eventually
from tools.erase.__main__ import main


class Erasing:
    """The account, and its time: while the command waits, 20 minutes pass for the erasure."""

    def __init__(self, sandbox: Sandbox, guid: str) -> None:
        self.deployment = sandbox.deployment
        self.guid = guid

    def client(self, service: str, config: Any = None, **_: Any) -> Any:
        seconds = {"tries": 1, "read_timeout": 300} if service == "lambda" else {}
        return self.deployment.emulator.client(service, **seconds)

    def minute(self) -> Any:
        """What is due each minute; the schedule is switched off."""
        arn, event = self.deployment.scheduled("ConversationErasure")
        return self.deployment.invoke(arn, event, 120)

    def sleep(self, _: float) -> None:
        self.client("dynamodb").update_item(
            TableName=self.deployment.table_name,
            Key=table.item_key(self.guid, table.ERASING),
            UpdateExpression="SET reconcileAt = :now",
            ExpressionAttributeValues={":now": {"N": str(int(time.time() * 1000))}},
        )
        self.minute()

    def files(self) -> dict[str, tuple[bytes, dict[str, str]]]:
        s3, bucket = self.client("s3"), self.deployment.outputs["ExportBucket"]
        found = {}
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for each in page.get("Contents", ()):
                answer = s3.get_object(Bucket=bucket, Key=each["Key"])
                found[each["Key"]] = (answer["Body"].read(), answer["Metadata"])
        return found

    def dead_letters(self) -> list[str]:
        """The bodies that wait; they stay."""
        answer = self.client("sqs").receive_message(
            QueueUrl=self.deployment.dead_letters_url, MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        return [each["Body"] for each in answer.get("Messages", ())]


def speaking(sandbox: Sandbox) -> Call:
    """A call that goes on, and of which something was said."""
    call = Call(sandbox.deployment, sandbox.asapp, load_all()[0], 1)
    call.run(AGENT_WHISPER)
    call.speak(call.conversation.utterances[:4])
    wait_for_arrival(sandbox.deployment, sandbox.asapp, 60, call.contact.contact_id)
    assert stored(sandbox.deployment, call.contact.contact_id)
    return call


def message(guid: str, text: str, start: int = 0) -> str:
    said = {
        "message": "transcript",
        "start": start,
        "end": start + 10,
        "utterance": [{"text": text}],
    }
    sender = {"externalId": "+15550100142", "role": "customer"}
    return json.dumps(
        {"type": "transcript", "externalConversationId": guid, "streamId": "stream-1"}
        | {"sender": sender, "autotranscribeResponse": said}
    )


def test_a_call_is_erased_everywhere_and_stays_erased(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment = sandbox.deployment
    call, other = speaking(sandbox), speaking(sandbox)
    guid, others = call.contact.contact_id, other.contact.contact_id
    account = Erasing(sandbox, guid)
    listener = BusListener(deployment, "erased-listener", "ConversationErased")
    word = f"word {uuid.uuid4().hex}"
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    lines = {
        each: json.dumps({"external_conversation_id": each, "utterance": word}).encode() + b"\n"
        for each in (guid, others)
    }
    name = f"{uuid.uuid4().hex}.jsonl"
    sandbox.asapp.put_feed_file(yesterday, name, lines[guid] + lines[others] + lines[guid])
    deployment.export()
    (key,) = (key for key in account.files() if key.endswith(name) and key.startswith("utterances"))
    metadata = account.files()[key][1]
    sqs = account.client("sqs")
    for each in (guid, others):
        sqs.send_message(QueueUrl=deployment.dead_letters_url, MessageBody=message(each, word))
    before = deployment.conversation(others)

    arguments = ["sandbox", "--contact", guid, "--stop", "--confirm", "1"]
    assert main(arguments, account.client, sleep=account.sleep) == 0
    said = capsys.readouterr().out
    assert "DeadLetters: 1 message" in said
    assert f"External conversation ids:\n  {guid}\n" in said
    assert "Erased: 1 call" in said

    assert sandbox.asapp.successful_stops(guid)
    (tombstone,) = deployment.conversation(guid)
    assert {*tombstone} == {"conversationId", "item", "erasedAt", "expiresAt", "erasure"}
    assert deployment.conversation(others) == before
    content, kept = account.files()[key]
    assert content == lines[others]
    assert kept.items() >= metadata.items()
    waiting = [body for body in account.dead_letters() if word in body]
    assert waiting == [message(others, word)]
    sqs.purge_queue(QueueUrl=deployment.dead_letters_url)
    assert listener.hear({f"{guid}/erased#{tombstone['erasure']}"}, 60)
    assert deployment.transcript(guid, "application/json").status_code == 404

    # The next night has the same file, and words come late: they are erased again, and not told.
    deployment.export()
    assert account.files()[key][0] == lines[others]
    with sandbox.listener.collecting() as published:
        secret = {deployment.settings.webhook.secret_name: deployment.webhook_secret}
        sent = httpx.post(deployment.webhook_url, content=message(guid, word), headers=secret)
        assert sent.status_code == 200
        assert eventually(lambda: "reconcile" in conversation(deployment, guid))
        account.minute()
        assert deployment.conversation(guid) == [tombstone]
        assert deployment.conversation(others) == before
    assert [event for event in published.values() if event.detail["text"] == word] == []


def test_the_emulator_refuses_what_s3_refuses(sandbox: Sandbox) -> None:
    """What keeps a file from being replaced that is another one by now, and one receipt one."""
    s3 = sandbox.deployment.emulator.client("s3")
    bucket, key = sandbox.deployment.outputs["ExportBucket"], f"utterances/{uuid.uuid4().hex}"
    s3.put_object(Bucket=bucket, Key=key, Body=b"first")
    etag = s3.head_object(Bucket=bucket, Key=key)["ETag"]
    large = [bytes(5 * 1024 * 1024), b"end"]
    for pieces in ([b"second"], large):
        with pytest.raises(ClientError, match="PreconditionFailed"):
            upload(s3, bucket, key, pieces, {}, if_match='"another"')
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"second", IfNoneMatch="*")
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"first"
    upload(s3, bucket, key, large, {}, if_match=etag)
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"".join(large)
    s3.delete_object(Bucket=bucket, Key=key)


def test_a_held_call_does_not_expire_and_is_not_erased_until_the_hold_is_lifted(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment, guid = sandbox.deployment, str(uuid.uuid4())
    account = Erasing(sandbox, guid)
    secret = {deployment.settings.webhook.secret_name: deployment.webhook_secret}
    httpx.post(deployment.webhook_url, content=message(guid, "word"), headers=secret)
    assert eventually(lambda: deployment.conversation(guid))
    held = deployment.hold("PUT", guid)
    assert held.status_code == 200
    assert not any(table.EXPIRES_AT in item for item in deployment.conversation(guid))
    arguments = ["sandbox", "--contact", guid, "--confirm", "1"]
    assert main(arguments, account.client, sleep=account.sleep) == 1
    assert f"{held.json()['heldBy']} holds it" in capsys.readouterr().out
    assert deployment.hold("DELETE", guid).status_code == 200
    assert all(table.EXPIRES_AT in item for item in deployment.conversation(guid))
    assert main(arguments, account.client, sleep=account.sleep) == 0
    (tombstone,) = deployment.conversation(guid)
    assert table.ERASED_AT in tombstone
