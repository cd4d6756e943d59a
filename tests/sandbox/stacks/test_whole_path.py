"""The whole path through the deployed stacks: flow, function, ASAPP, webhook, table, bus."""

from __future__ import annotations

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from authorize_webhook.webhook_secret import SECONDS_BETWEEN_READINGS
from sandbox.asapp.conversations import Conversation, Utterance, load_all
from sandbox.asapp.double import Delivery, Failure
from sandbox.connect.contact import lambda_event
from sandbox.connect.scenarios import HOLD, TAKEN, act, agent_leaves, sequence
from sandbox.demo.played_call import AGENT_WHISPER, CUSTOMER_HOLD, DISCONNECT, START_MODULE, Call
from sandbox.demo.summary import Seen, stored, summarise, wait_for_arrival
from sandbox.live.browser import Row
from sandbox.stacks.emulator import ACCOUNT, REGION
from sandbox.stacks.event_delivery import ConnectEvents, Disorder
from sandbox.stacks.running import BusListener, Sandbox
from shared.transcripts.stored_utterances import utterance_id
from tests.sandbox.eventually import eventually
from tools.doctor.aws import Aws
from tools.revoke_webhook_secret.revocation import ACTIONS, Webhook, revoke

NASTY = [
    "&MessageBody=other&Action=DeleteQueue",
    "a=b;c=d + e%20f %41 %zz %",
    "\"double\" 'single' `back` \\ \\\\ \\n \\u0041",
    "👩‍👩‍👧‍👦 🏳️‍🌈 é é",
    "مرحبا، رقمي هو ٤٢ / שלום",
    "$util.urlEncode($input.body) #set($x=1) ${context} #if(true)x#end",
    '{"a": [1, {"b": null}]}',
    "tab\there, new\nline, return\r, bell\x07, nul\x00",
    "<b>&amp;</b>]]>",
    "####",
    "",
]


def call_of(sandbox: Sandbox, conversation: Conversation | None = None) -> Call:
    spoken = conversation or load_all()[0]
    return Call(sandbox.deployment, sandbox.asapp, spoken, 1)


def message(guid: str, text: str, start: int = 0) -> dict[str, Any]:
    return {
        "type": "transcript",
        "externalConversationId": guid,
        "streamId": "stream-1",
        "sender": {"externalId": "+15550100142", "role": "customer"},
        "autotranscribeResponse": {
            "message": "transcript",
            "start": start,
            "end": start + 10,
            "utterance": [{"text": text}],
        },
    }


def post(sandbox: Sandbox, body: str | bytes, secret: str | None = None) -> httpx.Response:
    given = sandbox.deployment.webhook_secret if secret is None else secret
    headers = {"Content-Type": "application/json"}
    headers |= {sandbox.deployment.settings.webhook.secret_name: given} if given else {}
    return httpx.post(sandbox.deployment.webhook_url, content=body, headers=headers, timeout=60)


def dead_letters(sandbox: Sandbox) -> dict[str, str]:
    """What lies in the dead-letter queue now: bodies with their reasons."""
    found = sandbox.deployment.emulator.client("sqs").receive_message(
        QueueUrl=sandbox.deployment.dead_letters_url,
        MaxNumberOfMessages=10,
        MessageAttributeNames=["reason"],
        VisibilityTimeout=0,
    )
    return {
        each["Body"]: each.get("MessageAttributes", {}).get("reason", {}).get("StringValue", "")
        for each in found.get("Messages", [])
    }


def test_what_is_lost_doubled_or_altered_is_seen(sandbox: Sandbox) -> None:
    listener = BusListener(sandbox.deployment, f"listener-{uuid.uuid4()}")
    call = call_of(sandbox)
    with listener.collecting() as published:
        call.run(AGENT_WHISPER)
        call.speak(call.conversation.utterances)
        call.run(DISCONNECT)
        wait_for_arrival(sandbox.deployment, sandbox.asapp, 120, call.contact.contact_id)
        unmarked = summarise([call], sandbox.deployment, sandbox.asapp, {})
        assert any(wrong.startswith("marked none") for wrong in unmarked.wrongs)
        sandbox.deployment.reconcile(call.contact.contact_id)
        assert eventually(lambda: len(published) >= len(call.conversation.utterances))
    good = summarise([call], sandbox.deployment, sandbox.asapp, published)
    assert good.wrongs == ()
    assert good.conversations_complete == 1

    kept = stored(sandbox.deployment, call.contact.contact_id)
    rows = [Row(utterance_id(item), item["text"]) for item in kept]
    on_the_page = {"missing": (rows[1:], 1), "twice": ([*rows, rows[0]], 1), "all": (rows, 0)}
    on_the_page |= {"exchanged": ([rows[1], rows[0], *rows[2:]], 2)}
    for shown, count in on_the_page.values():
        seen = Seen({call.contact.contact_id: shown}, {rows[0].id: int(time.time() * 1000)})
        found = summarise([call], sandbox.deployment, sandbox.asapp, published, seen)
        assert (found.unseen, len(found.wrongs)) == (count, bool(count))
        assert found.post_to_page_ms_p50 and found.post_to_page_ms_p50 > 0

    table = sandbox.deployment.emulator.client("dynamodb")
    name = sandbox.deployment.table_name
    keys = [
        {"conversationId": {"S": item["conversationId"]}, "item": {"S": item["item"]}}
        for item in kept
    ]
    table.delete_item(TableName=name, Key=keys[0])
    raw = table.get_item(TableName=name, Key=keys[1])["Item"]
    table.put_item(TableName=name, Item=raw | {"item": {"S": raw["item"]["S"] + "again"}})
    table.update_item(
        TableName=name,
        Key=keys[2],
        UpdateExpression="SET #text = :text",
        ExpressionAttributeNames={"#text": "text"},
        ExpressionAttributeValues={":text": {"S": "something else"}},
    )
    bad = summarise([call], sandbox.deployment, sandbox.asapp, published)
    assert (bad.lost, bad.duplicated, bad.altered, bad.unpublished) == (2, 1, 1, 1)
    assert bad.conversations_complete == 0
    assert bad.wrongs and not any("something else" in wrong for wrong in bad.wrongs)


def test_words_in_the_wrong_place_are_seen(sandbox: Sandbox) -> None:
    call = call_of(sandbox)
    call.run(AGENT_WHISPER)
    call.speak(call.conversation.utterances)
    call.run(DISCONNECT)
    wait_for_arrival(sandbox.deployment, sandbox.asapp, 120, call.contact.contact_id)
    sandbox.deployment.reconcile(call.contact.contact_id)
    first, last = (stored(sandbox.deployment, call.contact.contact_id)[at] for at in (0, -1))
    sandbox.deployment.emulator.client("dynamodb").update_item(
        TableName=sandbox.deployment.table_name,
        Key={"conversationId": {"S": first["conversationId"]}, "item": {"S": first["item"]}},
        UpdateExpression="SET startMs = :late, #source = :messages",
        ExpressionAttributeNames={"#source": "source"},
        ExpressionAttributeValues={
            ":late": {"N": str(last["startMs"] + 1)},
            ":messages": {"S": "messages"},
        },
    )
    bad = summarise([call], sandbox.deployment, sandbox.asapp, {})
    assert (bad.lost, bad.duplicated, bad.altered, bad.recovered) == (0, 0, 1, 1)
    assert any(wrong.startswith("out of order") for wrong in bad.wrongs)


def test_five_hundred_identical_starts_are_one_start_and_no_error(sandbox: Sandbox) -> None:
    call = call_of(sandbox)
    call.run(AGENT_WHISPER)
    call.run(DISCONNECT)
    fresh = call_of(sandbox)
    fresh.contact.media_stream = call.contact.media_stream
    event = lambda_event(fresh.contact, {"customerId": "+15550100142", "agentId": "ada"})
    event["Details"]["ContactData"]["MediaStreams"]["Customer"]["Audio"].pop("StopTimestamp", None)
    start = sandbox.deployment.function_arn("StartStreaming")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: sandbox.deployment.invoke(start, event, 300), range(500)))
    statuses = [answer["status"] for answer in answers]
    assert statuses.count("started") == 1
    assert statuses.count("already_started") == 499
    assert len(sandbox.asapp.successful_starts(fresh.contact.contact_id)) == 1


def test_a_hold_pauses_and_a_resume_goes_on_with_nothing_of_the_hold_between(
    sandbox: Sandbox,
) -> None:
    call = call_of(sandbox)
    acts = (*TAKEN, *HOLD, act(agent_leaves, "stop"))
    with ConnectEvents(sandbox, Disorder()) as events:
        call.play(acts, events)
    guid = call.contact.contact_id
    heard = [post.text for post in sandbox.asapp.posts if post.guid == guid]
    assert call.said_on_hold
    assert call.talked + call.said_on_hold != list(call.conversation.utterances)
    assert sorted(heard) == sorted(utterance.text for utterance in call.talked)
    starts = [start.json() for start in sandbox.asapp.successful_starts(guid)]
    assert [start["amazonConnectParams"]["startSelectorType"] for start in starts] == [
        "FRAGMENT_NUMBER",
        "NOW",
    ]
    assert len({start["agentId"] for start in starts}) == 1
    assert call.told == sequence(acts)


def test_what_a_hold_lets_through_or_a_resume_loses_is_seen(sandbox: Sandbox) -> None:
    call = call_of(sandbox)
    spoken = call.conversation.utterances
    call.run(AGENT_WHISPER)
    call.speak(spoken[:3])
    call.run(DISCONNECT)
    call.speak(spoken[3:5])
    call.talked = [*spoken[:1], *spoken[3:5]]
    call.said_on_hold = [*spoken[1:3], spoken[6]]
    bad = summarise([call], sandbox.deployment, sandbox.asapp, {})
    assert (bad.unheard_in_talk, bad.heard_on_hold, bad.unheard_on_hold) == (2, 2, 1)
    assert any(wrong.startswith("2 said in talk, but not transcribed") for wrong in bad.wrongs)
    assert any(wrong.startswith("2 said on hold, but transcribed") for wrong in bad.wrongs)


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (Failure.not_ok("no"), "rejected"),
        (Failure(status=400, code="400-201", message="no"), "rejected"),
        (Failure.html(502), "unavailable"),
    ],
)
def test_whatever_asapp_answers_the_call_goes_on_and_the_flow_knows(
    sandbox: Sandbox, failure: Failure, status: str
) -> None:
    call = call_of(sandbox)
    sandbox.asapp.fail_next("start-streaming", failure, times=4 if status == "unavailable" else 1)
    path = call.run_module(START_MODULE)
    assert path[-1].branch == "Disconnects"  # the end of the test's own inbound flow
    assert call.contact.attributes == {"autotranscribe_status": status}


def test_texts_of_every_kind_arrive_as_they_were_posted(sandbox: Sandbox) -> None:
    guid = str(uuid.uuid4())
    bodies = [
        json.dumps(message(guid, text, start=n), ensure_ascii=n % 2 == 0)
        for n, text in enumerate(NASTY)
    ]
    for body in bodies:
        assert post(sandbox, body.encode()).status_code == 200
    items = eventually(
        lambda: (found := stored(sandbox.deployment, guid)) and len(found) == len(NASTY) and found
    )
    assert [item["text"] for item in items] == NASTY
    assert [item["message"] for item in items] == bodies


def test_bad_bodies_go_where_a_person_finds_them_and_hold_no_good_one_back(
    sandbox: Sandbox,
) -> None:
    guid = str(uuid.uuid4())
    wrong = message(guid, "wrong")
    bad = {
        "not json at all": "not JSON",
        json.dumps([1]): "not a JSON object",
        json.dumps(wrong | {"type": "partial"}): "type is not transcript",
        json.dumps(wrong | {"streamId": 7}): "streamId is missing or not text",
        json.dumps(wrong | {"sender": None}): "sender is missing or not an object",
        "[" * 100_000: "nested too deeply",
        json.dumps(message(guid, "x" * 250_000)): "the table refuses it (over 400 KB?)",
    }
    for body in bad:
        post(sandbox, body.encode())
        post(sandbox, json.dumps(message(guid, "good", start=len(body))).encode())
    goods = eventually(lambda: (f := stored(sandbox.deployment, guid)) and len(f) >= len(bad) and f)
    assert [item["text"] for item in goods] == ["good"] * len(bad)
    found = eventually(lambda: (d := dead_letters(sandbox)) and set(bad) <= set(d) and d)
    assert {body: found[body] for body in bad} == bad


def test_without_the_secret_nothing_gets_in(sandbox: Sandbox) -> None:
    body = json.dumps(message(str(uuid.uuid4()), "no")).encode()
    assert post(sandbox, body, secret="").status_code == 401
    assert post(sandbox, body, secret="guessed").status_code == 403


def test_a_rotation_of_the_secret_loses_nothing(sandbox: Sandbox) -> None:
    guid = str(uuid.uuid4())
    old, new = sandbox.deployment.webhook_secret, f"new-{uuid.uuid4().hex}"
    sandbox.deployment.emulator.client("secretsmanager").put_secret_value(
        SecretId=sandbox.deployment.outputs["WebhookSecretArn"], SecretString=new
    )
    time.sleep(SECONDS_BETWEEN_READINGS)  # nobody can tell ASAPP of it sooner
    for n, secret in enumerate((old, new, old)):
        body = json.dumps(message(guid, "said", start=n)).encode()
        assert post(sandbox, body, secret=secret).status_code == 200
    assert eventually(lambda: len(stored(sandbox.deployment, guid)) == 3)


def test_a_value_that_was_revoked_is_refused(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The emulator cannot flush the cache of the API, so the value is one that it has not seen."""
    deployment = sandbox.deployment
    secrets = deployment.emulator.client("secretsmanager")
    arn = deployment.outputs["WebhookSecretArn"]
    secrets.put_secret_value(SecretId=arn, SecretString=(leaked := f"leaked-{uuid.uuid4().hex}"))
    for name, value in deployment.emulator.variables.items():
        monkeypatch.setenv(name, value)
    said: list[str] = []
    try:
        revoke(
            Webhook(Aws(REGION, ACTIONS), "sandbox", ACCOUNT),
            only_previous=False,
            agreed=lambda: True,
            say=said.append,
            sleep=lambda _: time.sleep(SECONDS_BETWEEN_READINGS),
        )
        assert "flush" in said[-2].lower() and "API Gateway may let in" in said[-1]
        new = secrets.get_secret_value(SecretId=arn)["SecretString"]
        body = json.dumps(message(str(uuid.uuid4()), "said")).encode()
        assert post(sandbox, body, secret=leaked).status_code == 403
        assert post(sandbox, body, secret=new).status_code == 200
    finally:
        secrets.put_secret_value(SecretId=arn, SecretString=deployment.webhook_secret)
        time.sleep(SECONDS_BETWEEN_READINGS)


def test_no_log_line_holds_what_is_said_or_who_says_it(sandbox: Sandbox) -> None:
    deployment, asapp = sandbox.deployment, sandbox.asapp
    marker = uuid.uuid4().hex
    said, dropped = f"my word {marker}", f"my other word {marker}"
    spoken = (Utterance("customer", 0, 10, said), Utterance("agent", 20, 30, dropped))
    call = call_of(sandbox, Conversation("x", "x", "en-US", spoken))
    guid = call.contact.contact_id
    asapp.fail_next("start-streaming", Failure.html(502))
    call.run(AGENT_WHISPER)
    call.speak(spoken[:1])
    usual, asapp.delivery = asapp.delivery, Delivery(drop=1.0)
    call.speak(spoken[1:])
    asapp.delivery = usual
    call.run(CUSTOMER_HOLD)
    call.run(DISCONNECT)
    post(sandbox, json.dumps(message("c", said) | {"type": said}).encode())
    post(sandbox, said.encode(), secret=f"guess-{marker}")
    eventually(lambda: stored(deployment, guid))
    eventually(lambda: any(said in body for body in dead_letters(sandbox)))
    asapp.fail_next("messages", Failure.html(502), times=4)
    for _ in range(2):
        deployment.reconcile(guid)
    assert [item["text"] for item in stored(deployment, guid)] == [said, dropped]
    _export_what_cannot_be_read(sandbox, guid, said)
    for accept in ("application/json", "text/plain"):
        assert said in deployment.transcript(guid, accept).text
    unread = "lines of the feed cannot be read"
    lines = eventually(lambda: (found := deployment.log_lines()) and unread in str(found) and found)
    secrets = (
        said,
        marker,
        call.contact.customer_endpoint.address,  # type: ignore[union-attr]
        call.contact.agent.user_name,  # type: ignore[union-attr]
        asapp.api_id,
        asapp.api_secret,
        deployment.webhook_secret,
        "15550100142",
    )
    for told in ("can never be stored", "ASAPP gave no messages", unread):
        assert any(told in line for line in lines), told  # the logs are really read
    assert [line for line in lines if any(secret in line for secret in secrets)] == []
    assert not _files_with(sandbox.folder / "emulator.log", secrets)


def _export_what_cannot_be_read(sandbox: Sandbox, guid: str, said: str) -> None:
    """Have the call wait for the export, and a file of it come with half a line."""
    sandbox.deployment.emulator.client("dynamodb").update_item(
        TableName=sandbox.deployment.table_name,
        Key={"conversationId": {"S": guid}, "item": {"S": "conversation"}},
        UpdateExpression="SET reconcile = :batch, reconcileAt = :then",
        ExpressionAttributeValues={":batch": {"S": "batch"}, ":then": {"N": "1"}},
    )
    line = json.dumps({"external_conversation_id": guid, "utterance": said}).encode()
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    sandbox.asapp.put_feed_file(yesterday, f"{said}.jsonl", line + b"\n" + line[:-1] + b"\n")
    sandbox.deployment.export()


def _files_with(file: Path, words: tuple[str, ...]) -> list[str]:
    text = file.read_text("utf-8", "replace")
    return [word for word in words if word in text]
