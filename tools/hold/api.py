"""The transcript API of one environment, asked to hold a conversation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session

from tools.environment import outputs_of

_PATH = "/conversations/{conversationId}/transcript"


@dataclass(frozen=True)
class Answer:
    status: int
    content: Mapping[str, Any]


@dataclass(frozen=True)
class HoldApi:
    """:param url: Of the API, without a slash at its end.
    :param session: A boto3 session.
    """

    url: str
    session: Any

    @classmethod
    def of(cls, stack: str, session: Any) -> HoldApi:
        """:raises NotDeployed: if the stack does not say where its API is."""
        (url,) = outputs_of(session.client("cloudformation"), stack, "TranscriptUrl")
        return cls(url.replace(_PATH, ""), session)

    def ask(self, method: str, contact: str) -> Answer:
        """:param method: ``PUT`` or ``DELETE``."""
        url = f"{self.url}/conversations/{quote(contact, safe='')}/hold"
        request = AWSRequest(method=method, url=url)
        credentials = self.session.get_credentials()
        SigV4Auth(credentials, "execute-api", self.session.region_name).add_auth(request)
        answer = URLLib3Session(timeout=35).send(request.prepare())
        try:
            content = json.loads(answer.content)
        except ValueError:
            content = {}
        return Answer(answer.status_code, content if isinstance(content, dict) else {})
