"""The marked conversation: no call, and no words of anybody."""

from __future__ import annotations

import json
import re
import ssl
import uuid
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPSHandler, Request, build_opener

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from shared import table
from tools.verify.account import Account
from tools.verify.listener import MARKED

TEXT = "This is no call: make verify posts it, and deletes it again."
_SECONDS = 15
_CUT_OFF = (ssl.SSLError, ConnectionResetError, BrokenPipeError)


@dataclass(frozen=True, slots=True)
class Answer:
    """
    :param status: 0 if none came.
    :param body: What came, or what was wrong instead.
    :param is_cut_off: Whether the other side has ended the connection, as it does if it demands a
        client certificate.
    """

    status: int
    body: str = field(repr=False, default="")
    is_cut_off: bool = False
    headers: Message = field(repr=False, default_factory=Message)

    @property
    def content(self) -> dict[str, Any]:
        """The JSON object of the body; empty if it is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


def ask(
    url: str,
    *,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
    certificate: tuple[str, str] | None = None,
) -> Answer:
    """One request; redirects are not followed with a credential, because there are none."""
    context = ssl.create_default_context()
    if certificate:
        context.load_cert_chain(*certificate)
    request = Request(url, data=body, headers=headers or {})  # noqa: S310 - an output of the stack
    try:
        with build_opener(HTTPSHandler(context=context)).open(request, timeout=_SECONDS) as got:
            return Answer(got.status, got.read().decode("utf-8", "replace"), headers=got.headers)
    except HTTPError as refusal:
        with refusal:
            return Answer(refusal.code, refusal.read().decode("utf-8", "replace"))
    except (OSError, HTTPException) as failure:
        # An error of TLS has a reason, too, which is its name.
        reason = failure.reason if isinstance(failure, URLError) else failure
        by_us = isinstance(reason, ssl.SSLCertVerificationError)
        return Answer(0, str(reason), isinstance(reason, _CUT_OFF) and not by_us)
    except ValueError:  # its text has the value, which may be a secret
        return Answer(0, "a header has characters that HTTP does not allow")


class Conversation:
    """What the stacks have of the marked conversation.

    :ivar stream_id: Of this run. It is in the texts too, so that no other run's utterance counts.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._table = account.transcription.first("AWS::DynamoDB::GlobalTable") or (
            account.transcription.first("AWS::DynamoDB::Table")
        )
        self.stream_id = f"verify-{uuid.uuid4()}"

    def message(self, number: int, stream_id: str = "") -> bytes:
        """The webhook's message of an utterance.

        :param stream_id: Default: that of this run.
        """
        stream_id = stream_id or self.stream_id
        said = {
            "type": "transcript",
            "externalConversationId": MARKED,
            "streamId": stream_id,
            "sender": {"externalId": MARKED, "role": "agent"},
            "autotranscribeResponse": {
                "message": "transcript",
                "start": number,
                "end": number,
                "utterance": [{"text": f"{TEXT} {stream_id} #{number}"}],
            },
        }
        return json.dumps(said).encode()

    def numbers_in(self, text: str) -> set[int]:
        """The numbers of this run's utterances in a text."""
        return {int(found) for found in re.findall(rf"{self.stream_id} #(\d+)", text)}

    def items(self) -> list[dict[str, Any]]:
        found = self._account.aws.pages(
            "dynamodb",
            "query",
            "Items",
            TableName=self._table,
            KeyConditionExpression=f"{table.CONVERSATION_ID} = :id",
            ExpressionAttributeValues={":id": {"S": MARKED}},
            ConsistentRead=True,
        )
        return [table.values(item) for item in found or []]

    def transcript(self) -> Answer:
        """What the transcript API answers, signed by who runs this."""
        url = self._account.transcription.outputs["TranscriptUrl"]
        url = self._account.reached(url.replace("{conversationId}", MARKED))
        request = AWSRequest("GET", url, headers={"Accept": "application/json"})
        credentials = boto3.Session().get_credentials()
        SigV4Auth(credentials, "execute-api", self._account.settings.region).add_auth(request)
        return ask(url, headers=dict(request.headers))

    def erase(self) -> int:
        """Delete every item of it, also what came late after another run.

        :returns: How many there were.
        """
        items = self.items()
        for item in items:
            key = table.item_key(MARKED, str(item[table.ITEM]))
            self._account.aws.read("dynamodb", "delete_item", TableName=self._table, Key=key)
        return len(items)
