"""The customer's function sees ASAPP's record before it is compared. Loaded only if there is one.

What it has refused by webhook it refuses again, and what it has changed it changes again. So a
refusal is remembered nowhere: to know it again, its words would have to be kept.
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace

from reconcile_transcript.alignment.utterances import Said
from reconcile_transcript.record import Record, Undecided
from shared import log_events
from shared.table import UTTERANCE
from shared.transcripts.on_utterance import Asked, NotScreened, OnUtterance
from shared.transcripts.stored_utterances import role_of

logger = logging.getLogger(__name__)


def screened(
    conversation_id: str, record: Record, source: str, on_utterance: OnUtterance
) -> Record:
    """The record as the function lets it through.

    :raises Undecided: if it has not decided on all of it. Then nothing of it is stored.
    """
    asked = [
        Asked(
            id=f"{conversation_id}/{UTTERANCE}{source}#{said.id}",
            conversation_id=conversation_id,
            role=role_of(said.role),
            text=said.text,
            source=source,
        )
        for said in record.said
    ]
    try:
        decided = on_utterance.decide_all(asked)
    except NotScreened as problem:
        logger.error(
            "the function on_utterance has not decided; the comparison waits",
            extra={
                "event": log_events.UTTERANCES_NOT_SCREENED,
                "conversationId": conversation_id,
                "utterances": len(asked),
                "code": str(problem),
            },
        )
        raise Undecided(str(problem)) from None
    through = tuple(
        _with_text(said, text)
        for said, its in zip(record.said, asked, strict=True)
        if (text := decided[its.id]) is not None
    )
    return replace(record, said=through, refused=len(record.said) - len(through))


def _with_text(said: Said, text: str) -> Said:
    """With its message, which may not tell what was said before."""
    if text == said.text:
        return said
    sender = {"role": said.role, "externalId": said.sender_id}
    message = {"messageId": said.id, "text": text, "sender": sender}
    return replace(said, text=text, message=json.dumps(message, ensure_ascii=False))
