"""How many calls the consumer makes to store a full batch; printed as JSON."""

from __future__ import annotations

import json
import os
from typing import Any

from store_transcript.handler import handler
from tools.benchmark.servers import take_requests

UTTERANCES = 10


def record(number: int) -> dict[str, Any]:
    """A message of the queue, with an utterance as ASAPP posts it."""
    body = {
        "type": "transcript",
        "externalConversationId": f"c-{number % 10}",
        "streamId": f"stream-{number % 10}",
        "sender": {"externalId": "ada", "role": "agent"},
        "autotranscribeResponse": {
            "start": number * 1000,
            "end": number * 1000 + 900,
            "utterance": [{"text": f"This is utterance {number}."}],
        },
    }
    return {
        "messageId": f"m-{number}",
        "body": json.dumps(body),
        "attributes": {"SentTimestamp": "1565781909613"},
    }


def main() -> None:
    aws = os.environ["AWS_ENDPOINT_URL"]
    take_requests(aws)
    answer = handler({"Records": [record(number) for number in range(UTTERANCES)]}, None)
    requests = take_requests(aws)
    writes = [
        write["PutRequest"]["Item"]
        for request in requests
        if request["name"].endswith(".BatchWriteItem")
        for write in json.loads(request["body"])["RequestItems"][os.environ["TRANSCRIPT_TABLE"]]
    ]
    stored = {(item["conversationId"]["S"], item["item"]["S"]) for item in writes}
    if answer != {"batchItemFailures": []} or len(stored) != UTTERANCES:
        raise SystemExit(f"{len(stored)} of {UTTERANCES} were stored: {answer}")
    print(json.dumps({"calls": len(requests), "utterances": UTTERANCES}))


if __name__ == "__main__":
    main()
