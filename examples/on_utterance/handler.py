"""A function ``on_utterance``: it refuses what is said "off the record", and takes out
what looks like a customer number. docs/on-utterance.md has the contract."""

from __future__ import annotations

import re
from typing import Any

_CUSTOMER_NUMBER = re.compile(r"\bAC-\d{6}\b")
_PRIVATE = re.compile(r"\boff the record\b", re.IGNORECASE)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    if event["version"] != 1:
        raise ValueError("another version of the contract")
    return {"utterances": [decide(each) for each in event["utterances"]]}


def decide(utterance: dict[str, Any]) -> dict[str, Any]:
    if _PRIVATE.search(utterance["text"]):
        return {"id": utterance["id"], "refused": True}
    return {"id": utterance["id"], "text": _CUSTOMER_NUMBER.sub("AC-######", utterance["text"])}
