"""Every store that may hold a call, what becomes of it there, and a function that erases from all.

The change stream is fed by hand: what is new in the table goes to ``publish_utterance``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from erase_conversation import handler as erase_conversation
from erase_conversation.connect_contacts import ContactRecords, StopFunction
from erase_conversation.erasure import Erasure
from erase_conversation.exported_files import ExportedFiles
from erase_conversation.receipt import Kept, Receipts
from erase_conversation.records import Records
from erase_conversation.waiting_messages import WaitingMessages
from hold_conversation import handler as hold_conversation
from hold_conversation.holds import Holds
from publish_utterance import handler as publish_utterance
from publish_utterance.known_streams import KnownStreams
from publish_utterance.late_utterances import LateUtterances
from shared import table
from shared.asapp.feeds import STATE, UTTERANCES
from shared.calls.customers import CustomerDigests
from shared.runtime import Deadline
from shared.table import PENDING, attributes, reconcile_key, values
from store_transcript.batch import Message, store
from store_transcript.utterance_table import UtteranceTable
from tests.unit.erasure.fakes import S3, DynamoDb, Killer, Sqs
from tests.unit.held_clock import HeldClock

QUEUES = ("DeadLetters", "Unpublished", "ContactEventDeadLetters")
KEEP_SECONDS = 90 * 86_400
KEEP_FILES_DAYS = 365
CUSTOMERS_KEY = "k" * 64
LEGAL = "arn:aws:sts::111111111111:assumed-role/Legal/ada"
AGAIN = 20 * 60 + 1
LATER = 16 * 60 + 1
"""Seconds until the lease of a run that was killed is over."""


class Bus:
    """The event bus: it keeps nothing, and the test all."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def put_events(self, Entries: list[dict[str, str]]) -> dict[str, Any]:
        self.events += [
            {"type": each["DetailType"], "detail": json.loads(each["Detail"])} for each in Entries
        ]
        return {"Entries": [{} for _ in Entries]}

    def of(self, detail_type: str) -> list[dict[str, Any]]:
        return [each["detail"] for each in self.events if each["type"] == detail_type]


class Stopped:
    """Lambda, with ``stop_streaming`` behind it."""

    def __init__(self) -> None:
        self.stops: list[dict[str, Any]] = []
        self.status = "stopped"

    def invoke(self, FunctionName: str, Payload: str) -> dict[str, Any]:
        self.stops.append(json.loads(Payload)["Details"]["ContactData"])
        answer = json.dumps({"status": self.status}).encode()
        return {"Payload": type("Body", (), {"read": lambda self: answer})()}


class Call:
    """A call with everything by which it could be recognised.

    :param number: Makes it different from every other.
    """

    def __init__(self, number: int, utterances: int = 4, began_ms: int = 0) -> None:
        self.id = f"c-{number}"
        self.leg = f"c-{number}-leg"
        self.customer = f"+1555{number:07d}"
        self.agent = f"agent.name.{number}"
        self.texts = [f"secret words {number}.{at} end" for at in range(utterances)]
        self.began_ms = began_ms

    @property
    def marks(self) -> list[str]:
        """What must not be found anywhere once it is erased."""
        return [self.customer, self.agent, *self.texts]

    def message(self, at: int) -> str:
        role = "customer" if at % 2 else "agent"
        sender = self.customer if at % 2 else self.agent
        return json.dumps(
            {
                "type": "transcript",
                "externalConversationId": self.id,
                "streamId": f"{self.id}-{role}",
                "sender": {"externalId": sender, "role": role},
                "autotranscribeResponse": {
                    "message": "transcript",
                    "start": at * 1_000,
                    "end": at * 1_000 + 900,
                    "utterance": [{"text": self.texts[at]}],
                },
            }
        )

    def lines(self, feed: str, *, by_id_only: bool = False) -> list[bytes]:
        def line(at: int) -> dict[str, Any]:
            both = {"message_id": f"m-{self.id}-{at}"}
            if feed == UTTERANCES:
                return both | {
                    "external_conversation_id": self.id,
                    "utterance": self.texts[at],
                }
            sender = self.customer if at % 2 else self.agent
            named = {} if by_id_only else {"external_conversation_id": self.id}
            return both | named | {"sender_id": sender}

        return [json.dumps(line(at)).encode() + b"\n" for at in range(len(self.texts))]


class Stores:
    """:param dynamodb: A client, as are ``s3`` and ``sqs``: of :mod:`.fakes`, or boto3's."""

    def __init__(
        self,
        table_name: str,
        dynamodb: Any,
        s3: Any,
        sqs: Any,
        queues: Mapping[str, str],
        clock: HeldClock | None = None,
    ) -> None:
        self.clock = clock or HeldClock()
        self.table_name = table_name
        self.dynamodb, self.s3, self.sqs = dynamodb, s3, sqs
        self.bucket, self.receipts = f"export-{table_name}", f"receipts-{table_name}"
        self.queues = dict(queues)
        self.keys: tuple[str, ...] = (CUSTOMERS_KEY,)
        self.bus = Bus()
        self.stop = Stopped()
        self._seen = self._images()

    @classmethod
    def in_process(cls) -> Stores:
        killer, clock = Killer(), HeldClock()
        queues = {name: name for name in QUEUES}
        made = cls("table", DynamoDb(killer), S3(killer, clock), Sqs(killer), queues, clock)
        made.killer = killer
        return made

    # --- what happens to a call ---

    killer: Killer

    def start(self, call: Call, *, state: str = "ended", version: int = 3, **changes: Any) -> None:
        call.began_ms = call.began_ms or self.clock.now_ms() - 3_600_000
        legs = [
            {
                "contact_id": contact,
                "customer_id": call.customer,
                "agent_id": call.agent,
                "stream_arn": "arn:aws:kinesisvideo:us-east-1:111111111111:stream/a/1",
            }
            for contact in (call.id, call.leg)
        ]
        item = {
            "conversationId": call.id,
            "item": "conversation",
            "version": version,
            "state": state,
            "legs": json.dumps(legs),
            "contactIds": {call.id, call.leg},
            "customerId": call.customer,
            "agentId": call.agent,
            "toldContactId": call.id,
            "createdAt": call.began_ms,
            "changedAt": call.began_ms + 60_000,
            "reconcile": reconcile_key(PENDING, call.id),
            "reconcileAt": call.began_ms,
        }
        expires = {"expiresAt": self.clock.now_ms() // 1000 + 30 * 86_400}
        self.put(item | expires | changes)
        self.put({"conversationId": call.leg, "item": "contact", "legOf": call.id} | expires)
        for role in ("agent", "customer"):
            stream = f"{call.id}-{role}"
            self.put(
                {
                    "conversationId": call.id,
                    "item": f"stream#{stream}",
                    "streamId": stream,
                    "role": role,
                    "startedAt": call.began_ms,
                }
                | expires
            )

    def post(self, *messages: str) -> None:
        """The webhook's messages are stored, as they are from its queue."""
        utterances = UtteranceTable(self.dynamodb, self.table_name, 86_400 * 30, self.clock)
        now = self.clock.now_ms()
        made = [Message(f"m{at}", body, now) for at, body in enumerate(messages)]
        assert store(made, utterances, DeadLetters()) == []  # type: ignore[arg-type]

    def recover(self, call: Call, at: int) -> None:
        """As reconciliation stores what the webhook missed."""
        self.put(
            {
                "conversationId": call.id,
                "item": f"utterance#messages#m-{call.id}-{at}",
                "role": "agent",
                "senderId": call.agent,
                "startedAt": call.began_ms,
                "endedAt": call.began_ms + 900,
                "text": call.texts[at],
                "message": call.message(at),
                "messageId": f"m-{call.id}-{at}",
                "source": "messages",
                "receivedAt": self.clock.now_ms(),
                "storedAt": self.clock.now_ms(),
                "expiresAt": self.clock.now_ms() // 1000 + 86_400,
            }
        )

    def look(self, call: Call, *keys: str) -> None:
        """Reconciliation has looked at it: the customer's index has it."""
        self.put(
            {
                "conversationId": table.customer_partition(self.digest(call.customer, *keys)),
                "item": f"{table.OF_CALL}{call.id}",
                "expiresAt": self.clock.now_ms() // 1000 + 31 * 86_400,
            }
        )
        self.dynamodb.update_item(
            TableName=self.table_name,
            Key=table.conversation_key(call.id),
            UpdateExpression="REMOVE #a, #b",
            ExpressionAttributeNames={"#a": "reconcile", "#b": "reconcileAt"},
        )

    def digest(self, customer: str, *keys: str) -> str:
        return self.digests(*keys).of(customer, Deadline(1, self.clock))[0]

    def digests(self, *keys: str) -> CustomerDigests:
        made = CustomerDigests("secret")
        made._read = lambda deadline: keys or self.keys  # type: ignore[method-assign]
        return made

    def export(
        self, calls: Iterable[Call], name: str = "file1.json", *, by_id_only: bool = False
    ) -> str:
        """The day's files came in the night; ASAPP's own metadata are kept."""
        every = list(calls)
        day = self.day_of(every[0])
        for feed in (UTTERANCES, STATE):
            lines = [line for call in every for line in call.lines(feed, by_id_only=by_id_only)]
            self.put_file(feed, day, name, b"".join(lines))
        return day

    def put_file(self, feed: str, day: str, name: str, content: bytes) -> None:
        self.s3.put_object(
            Bucket=self.bucket,
            Key=f"{feed}/dt={day}/{name}",
            Body=content,
            Metadata={"source-etag": '"abc"', "source-size": str(len(content))},
        )

    def file(self, feed: str, day: str, name: str = "file1.json") -> tuple[bytes, dict[str, str]]:
        found = self.s3.get_object(Bucket=self.bucket, Key=f"{feed}/dt={day}/{name}")
        return found["Body"].read(), found["Metadata"]

    def day_of(self, call: Call) -> str:
        return str(datetime.fromtimestamp(call.began_ms / 1000, UTC).date())

    def dead(self, queue: str, body: str) -> None:
        self.sqs.send_message(QueueUrl=self.queues[queue], MessageBody=body)

    def waiting(self, queue: str) -> list[str]:
        """The bodies that could be received now; they stay."""
        found: dict[str, dict[str, str]] = {}
        while messages := self.sqs.receive_message(
            QueueUrl=self.queues[queue], MaxNumberOfMessages=10, VisibilityTimeout=60
        ).get("Messages"):
            found |= {each["MessageId"]: each for each in messages}
        for at, each in enumerate(found.values()):
            entry = {"Id": str(at), "ReceiptHandle": each["ReceiptHandle"], "VisibilityTimeout": 0}
            self.sqs.change_message_visibility_batch(QueueUrl=self.queues[queue], Entries=[entry])
        return sorted(each["Body"] for each in found.values())

    def redrive(self, queue: str, body: str) -> None:
        """A dead letter goes back to the webhook's queue, and is stored from there."""
        self.drop(queue, body)
        if "autotranscribeResponse" in body:
            self.post(body)

    def drop(self, queue: str, words: str) -> None:
        """Messages that have these words end, as all do after 14 days."""
        waiting = self.sqs.queues.get(self.queues[queue], {})
        for id in [id for id, body in waiting.items() if words in body]:
            del waiting[id]

    def has(self, conversation_id: str, attribute: str) -> bool:
        """Whether its item has it."""
        found = (i for i in self.items(conversation_id) if i["item"] == table.CONVERSATION)
        return any(attribute in item for item in found)

    def put(self, item: dict[str, Any]) -> None:
        self.dynamodb.put_item(TableName=self.table_name, Item=attributes(item))

    def change(self, conversation_id: str, **changes: Any) -> None:
        """:param changes: To the conversation's item; None takes an attribute out."""
        (item,) = (
            each for each in self.items(conversation_id) if each["item"] == table.CONVERSATION
        )
        self.put({k: v for k, v in (item | changes).items() if v is not None})

    def stream(self) -> None:
        """Give ``publish_utterance`` what is new in the table, as the change stream does."""
        now = self._images()
        changed = [(key, image) for key, image in now.items() if self._seen.get(key) != image]
        records = [
            {
                "eventName": "MODIFY" if key in self._seen else "INSERT",
                "dynamodb": {
                    "Keys": table.item_key(*key),
                    "NewImage": image,
                    "SequenceNumber": f"{at:06d}",
                },
            }
            for at, (key, image) in enumerate(sorted(changed, key=lambda each: each[0]))
            if key[1] == "conversation"
            or (key[1].startswith("utterance#") and key not in self._seen)
        ]
        self._seen = now
        if not records:
            return
        late = LateUtterances(self.dynamodb, self.table_name, self.clock)
        os.environ["EVENT_BUS_NAME"] = "bus"
        for made in PUBLISHER:
            made.cache_clear()
        kept = (publish_utterance._events, publish_utterance._streams, publish_utterance._late)
        streams = KnownStreams(self.table_name, self.dynamodb)
        publish_utterance._events = lambda: self.bus  # type: ignore[assignment]
        publish_utterance._streams = lambda: streams  # type: ignore[assignment]
        publish_utterance._late = lambda: late  # type: ignore[assignment]
        try:
            left = publish_utterance.handler({"Records": records}, None)
        finally:
            (
                publish_utterance._events,
                publish_utterance._streams,
                publish_utterance._late,
            ) = kept
        assert left == {"batchItemFailures": []}

    def notice_deletions(self) -> None:
        """What was deleted since :meth:`stream` is new to it if it is stored again."""
        now = self._images()
        self._seen = {key: image for key, image in self._seen.items() if key in now}

    # --- the function ---

    def erasure(self, *, contacts: Any = None, files: bool = True) -> Erasure:
        """As the function makes it from its environment."""
        return Erasure(
            records=Records(self.dynamodb, self.table_name, KEEP_SECONDS, self.clock),
            messages=WaitingMessages(
                self.sqs, self.queues, by_initial_contact=True, wait_seconds=0
            ),
            receipts=Receipts(self.s3, self.receipts),
            digests=self.digests(),
            stop=StopFunction(self.stop, "arn:stop"),
            kept=Kept(30, 24),
            files=ExportedFiles(self.s3, self.bucket, KEEP_FILES_DAYS) if files else None,
            contacts=ContactRecords(contacts, "instance") if contacts else None,
        )

    def ask(self, event: dict[str, Any], seconds: float = 600.0, **made: Any) -> dict[str, Any]:
        deadline = Deadline(seconds, self.clock)
        return erase_conversation.answer(event, self.erasure(**made), deadline)

    def minute(self, seconds_before: float = 60.0, **made: Any) -> None:
        """The next minute's look, after the change stream has been read."""
        self.stream()
        self.clock.advance(seconds_before)
        self.ask({}, **made)
        self.stream()

    def erase(self, event: dict[str, Any], **made: Any) -> dict[str, Any]:
        """All of it, with the look after 20 minutes."""
        answer = self.ask(event, **made)
        self.minute(AGAIN, **made)
        self.minute(**made)
        self.minute(**made)
        return answer

    # --- holds ---

    def hold(self, call: Call, method: str = "PUT") -> None:
        """As the API asks for it; ``DELETE`` lifts it."""
        event = {
            "httpMethod": method,
            "pathParameters": {"conversationId": call.id},
            "requestContext": {"identity": {"userArn": LEGAL}},
        }
        deadline = Deadline(25, self.clock)
        answer = hold_conversation.answer(event, self._holds(), deadline)
        assert answer["statusCode"] == 200, answer

    def expire(self) -> None:
        """Holds are applied, as every six hours; then a year passes, and DynamoDB deletes."""
        hold_conversation.apply_all(self._holds(), Deadline(60, self.clock))
        self.clock.advance(366 * 86_400)
        now = self.clock.now_ms()
        for item in self.items():
            if table.is_expired(item, now):
                del self.dynamodb.items[item[table.CONVERSATION_ID], item[table.ITEM]]

    def _holds(self) -> Holds:
        return Holds(self.dynamodb, self.table_name, self.clock)

    # --- what is there ---

    def _images(self) -> dict[tuple[str, str], dict[str, Any]]:
        return {(item["conversationId"]["S"], item["item"]["S"]): item for item in self._scan()}

    def _scan(self) -> Iterator[dict[str, Any]]:
        for page in self.dynamodb.get_paginator("scan").paginate(TableName=self.table_name):
            yield from page["Items"]

    def items(self, partition: str = "") -> list[dict[str, Any]]:
        found = [values(item) for item in self._scan()]
        return [item for item in found if not partition or item["conversationId"] == partition]

    def objects(self, bucket: str) -> dict[str, bytes]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return {
            each["Key"]: self.s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()
            for page in pages
            for each in page.get("Contents", ())
        }

    def everything(self) -> str:
        """All that any store holds, as text, with names of objects and queues' messages."""
        parts = [json.dumps(item, sort_keys=True) for item in self._images().values()]
        for bucket in (self.bucket, self.receipts):
            for key, content in self.objects(bucket).items():
                parts += [key, content.decode(errors="replace")]
        for name in QUEUES:
            parts += self.waiting(name)
        return "\n".join(parts)

    def of_call(self, call: Call) -> dict[str, Any]:
        """All that is stored of a call, to compare it with what is stored later."""
        items = [
            item
            for item in self.items()
            if item["conversationId"] in (call.id, call.leg)
            or item["item"] == f"{table.OF_CALL}{call.id}"
        ]
        lines = sorted(
            line
            for content in self.objects(self.bucket).values()
            for line in content.splitlines(keepends=True)
            if f'{call.id}"' in line.decode() or f"{call.id}-" in line.decode()
        )
        messages = [
            body for name in QUEUES for body in self.waiting(name) if f'"{call.id}"' in body
        ]
        return {"items": items, "lines": lines, "messages": messages}

    def receipt(self) -> dict[str, Any]:
        (key,) = (each for each in self.objects(self.receipts) if each.endswith(".json"))
        found: dict[str, Any] = json.loads(self.objects(self.receipts)[key])
        return found


class DeadLetters:
    def send(self, body: str, reason: str) -> None:
        raise AssertionError(reason)


PUBLISHER = (
    publish_utterance._dynamodb,
    publish_utterance._events,
    publish_utterance._late,
    publish_utterance._streams,
)


def contact_event(contact_id: str, initial_contact_id: str) -> str:
    """As Lambda puts it into the queue after the last try."""
    detail = {"contactId": contact_id, "initialContactId": initial_contact_id}
    return json.dumps({"requestPayload": {"detail": {"eventType": "DISCONNECTED", **detail}}})
