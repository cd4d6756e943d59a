"""The streams that ASAPP has opened, as far as the table knows."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from shared import table
from shared.aws.batch_read import NotRead, batch_read
from shared.aws.botocore_errors import error_code

logger = logging.getLogger(__name__)

_MOST_KEPT = 20_000

Stream = tuple[str, str]
"""The ids of a conversation and of a stream of it."""


class KnownStreams:
    """Reads each stream once: what ASAPP has opened stays opened.

    :param dynamodb: A boto3 DynamoDB client.
    """

    def __init__(self, table_name: str, dynamodb: Any) -> None:
        self._table = table_name
        self._dynamodb = dynamodb
        self._kept: dict[Stream, int] = {}

    def of(self, utterances: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
        """By conversation, those of the utterances' streams that are known, each with its start in
        milliseconds since 1970 or 0. If the table cannot be read, only what was read before."""
        named = {
            (item[table.CONVERSATION_ID], item["streamId"])
            for item in utterances
            if "streamId" in item
        }
        unknown = named - self._kept.keys()
        found = {each: self._kept[each] for each in named - unknown} | self._opened(unknown)
        known: dict[str, dict[str, int]] = defaultdict(dict)
        for (conversation_id, stream_id), began in found.items():
            known[conversation_id][stream_id] = began
        return known

    def _opened(self, streams: set[Stream]) -> dict[Stream, int]:
        keys = [(conversation_id, f"stream#{stream_id}") for conversation_id, stream_id in streams]
        try:
            found = batch_read(self._dynamodb, self._table, keys, ["streamId", "startedAt"])
        except (ClientError, BotoCoreError, NotRead) as problem:
            logger.warning(
                "the table cannot be read; utterances are published as unverified",
                extra={"code": error_code(problem)},
            )
            return {}
        opened = {
            (item[table.CONVERSATION_ID], item["streamId"]): item.get("startedAt", 0)
            for item in found
        }
        if len(self._kept) > _MOST_KEPT:
            self._kept = {}
        self._kept |= opened
        return opened
