"""What the webhook loses comes back, through the deployed stacks; and others read what was said."""

from __future__ import annotations

import random
import uuid

from sandbox.asapp.conversations import load_all
from sandbox.asapp.double import Delivery
from sandbox.connect.contact import Contact, MediaStream, lambda_event
from sandbox.demo.played_call import AGENT_WHISPER, DISCONNECT, Call
from sandbox.demo.summary import conversation, stored, wait_for_arrival
from sandbox.stacks.event_delivery import ConnectEvents, Disorder
from sandbox.stacks.running import Sandbox
from tests.sandbox.eventually import eventually
from tests.sandbox.stacks.lost_words import DAY, STREAM, Manner, Played, call_of


def said_in(sandbox: Sandbox, guid: str) -> list[tuple[str, str]]:
    return Played(guid, [post for post in sandbox.asapp.posts if post.guid == guid]).said


def test_a_conversation_is_completed_by_the_batch(sandbox: Sandbox) -> None:
    complete_by_the_batch(sandbox, 40, 0)


PLAIN_IN_SECONDS = Manner(in_turns=True, distinct=True, least_pause_ms=1_200)
"""The feed's documented columns tell the whole second in which an utterance ended, no more."""


def complete_by_the_batch(sandbox: Sandbox, length: int, messages: int) -> None:
    """:param messages: How many of the utterances GET messages gives; 0: it never answers."""
    deployment, asapp = sandbox.deployment, sandbox.asapp
    usual, asapp.delivery = (
        asapp.delivery,
        Delivery(drop=0.1, duplicate=0.1, delay_ms=(0, 30_000), seed=2),
    )
    usual_pace, asapp.pace = asapp.pace, 0.0
    asapp.advance(-DAY)  # the feed of a day comes when it is over
    try:
        began = int(asapp.now() * 1000)
        stream = MediaStream(STREAM, f"91343852333181{began:0>13}{0:020}", str(began))
        instance = deployment.settings.connect.instance_arn
        contact = Contact(str(uuid.uuid4()), instance, media_stream=stream)
        guid = contact.contact_id
        event = lambda_event(contact, {"customerId": "+15550100001", "agentId": "ada"})
        start = deployment.function_arn("StartStreaming")
        assert deployment.invoke(start, event, 30)["status"] == "started"
        (words,) = call_of(random.Random(3), length, manner=PLAIN_IN_SECONDS)  # noqa: S311
        posts = asapp.speak(guid, words).result(timeout=300)
        with ConnectEvents(sandbox, Disorder()) as events:
            events.contacts.tell(contact, "DISCONNECTED")
        wait_for_arrival(deployment, asapp, 120)
        assert eventually(lambda: conversation(deployment, guid).get("state") == "ended")
    finally:
        asapp.advance(DAY)
        asapp.delivery, asapp.pace = usual, usual_pace
    arrived = len(stored(deployment, guid))
    # The API has throttled some of this rush, and ASAPP repeats none.
    assert 0 < arrived < length
    assert arrived == sum(any(sent.status == 200 for sent in post.sent) for post in posts)
    deployment.emulator.client("dynamodb").update_item(
        TableName=deployment.table_name,
        Key={"conversationId": {"S": guid}, "item": {"S": "conversation"}},
        UpdateExpression="SET changedAt = changedAt - :aDay",
        ExpressionAttributeValues={":aDay": {"N": str(int(DAY * 1000))}},
    )

    usual_wait = asapp.messages_after_seconds
    asapp.messages_after_seconds = usual_wait if messages else 30 * DAY
    deployment.reconcile()
    asapp.messages_after_seconds = usual_wait
    marked = conversation(deployment, guid)
    assert (marked["completeness"], marked["reconcile"].partition("#")[0]) == ("awaiting", "batch")
    assert (marked.get("fromMessages", 0), marked["fromSummary"]) == (messages, length)
    asapp.publish_feed()
    deployment.export()
    assert eventually(lambda: conversation(deployment, guid)["completeness"] == "complete")
    found = conversation(deployment, guid)
    assert "reconcile" not in found
    assert (found["fromWebhook"], found["fromExport"]) == (arrived, length)
    assert (found["recovered"], found["onlyOurs"]) == (length - arrived, 0)
    sources = {"webhook", "messages", "export"} if messages else {"webhook", "export"}
    assert {item["source"] for item in stored(deployment, guid)} == sources
    read = deployment.transcript(guid, "application/json").json()
    assert read["completeness"] == "complete"
    assert [(each["role"], each["text"]) for each in read["utterances"]] == said_in(sandbox, guid)


def test_the_transcript_that_others_read_is_what_was_said(sandbox: Sandbox) -> None:
    deployment = sandbox.deployment
    usual, sandbox.asapp.delivery = sandbox.asapp.delivery, Delivery(drop=0.3, seed=1)
    call = Call(deployment, sandbox.asapp, load_all()[0], 1)
    try:
        call.run(AGENT_WHISPER)
        call.speak(call.conversation.utterances)
        call.run(DISCONNECT)
    finally:
        sandbox.asapp.delivery = usual
    guid = call.contact.contact_id
    said = said_in(sandbox, guid)
    wait_for_arrival(deployment, sandbox.asapp, 60)
    before = deployment.transcript(guid, "application/json").json()
    assert (before["completeness"], len(before["utterances"]) < len(said)) == ("", True)
    deployment.reconcile(guid)
    after = deployment.transcript(guid, "application/json").json()
    assert [(each["role"], each["text"]) for each in after["utterances"]] == said
    assert (after["conversationId"], after["completeness"]) == (guid, "complete")
    assert after["counts"]["recovered"] == len(said) - len(before["utterances"])
    text = deployment.transcript(guid, "text/plain")
    assert [line.split(" ", 1)[1] for line in text.text.splitlines()] == [
        f"{role}: {' '.join(words.splitlines())}" for role, words in said
    ]
    assert text.headers["cache-control"] == "no-store"


def test_nobody_reads_a_transcript_unsigned(sandbox: Sandbox) -> None:
    refused = sandbox.deployment.transcript("any", "text/plain", signed=False)
    assert (refused.status_code, "Token" in refused.text) == (403, True)
    assert sandbox.deployment.transcript("any", "text/plain").status_code == 404
