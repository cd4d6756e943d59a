"""The function that erases, and the receipts that it writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from tools.environment import outputs_of

_SECONDS_OF_THE_FUNCTION = 15 * 60


class Failed(Exception):
    """The function failed. What it has begun goes on by itself."""


@dataclass(frozen=True)
class EraseFunction:
    """:param client: Makes clients, as ``boto3.client`` does."""

    name: str
    receipts: str
    region: str
    client: Callable[..., Any]

    @classmethod
    def of(cls, stack: str, region: str, client: Callable[..., Any]) -> EraseFunction:
        """:raises NotDeployed: if the stack does not say where its function is."""
        cloudformation = client("cloudformation", region_name=region)
        names = ("EraseFunction", "ReceiptsBucket")
        function, receipts = outputs_of(cloudformation, stack, *names)
        return cls(function, receipts, region, client)

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """:raises Failed: with the name of the function's error."""
        config = Config(
            read_timeout=_SECONDS_OF_THE_FUNCTION + 10,
            # Many networks forget a connection on which nothing is said for some minutes.
            tcp_keepalive=True,
            # A second try would begin the same again while the first goes on.
            retries={"total_max_attempts": 1},
        )
        client = self.client("lambda", region_name=self.region, config=config)
        try:
            answer = client.invoke(FunctionName=self.name, Payload=json.dumps(event))
        except (ConnectionClosedError, ReadTimeoutError):
            raise Failed("its answer did not come") from None
        content: dict[str, Any] = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise Failed(str(content.get("errorType", "unknown")))
        return content

    def receipt(self, key: str) -> str:
        """:param key: That of the JSON; or of the text, which is beside it."""
        found = self.client("s3", region_name=self.region).get_object(Bucket=self.receipts, Key=key)
        return str(found["Body"].read().decode())

    def place(self, key: str) -> str:
        return f"s3://{self.receipts}/{key}"
