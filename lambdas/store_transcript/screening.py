"""The customer's function sees a batch before it is stored. Loaded only if there is one."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from shared import log_events
from shared.transcripts.on_utterance import Asked, NotScreened, OnUtterance
from shared.transcripts.stored_utterances import WEBHOOK, utterance_id
from shared.transcripts.utterance import Utterance
from store_transcript.batch import Posted

logger = logging.getLogger(__name__)


def screened(said: Sequence[Posted], on_utterance: OnUtterance) -> tuple[list[Posted], list[str]]:
    """What the customer's function lets through, with the texts that it gives; and the ids of the
    messages of which it has decided nothing: they stay in the queue."""
    asked = [_asked(utterance) for _, utterance in said]
    try:
        decided = on_utterance.decide(asked)
        code = "Undecided"
    except NotScreened as problem:
        decided, code = {}, str(problem)
    through: list[Posted] = []
    undecided: list[str] = []
    for (message, utterance), its in zip(said, asked, strict=True):
        if its.id not in decided:
            undecided.append(message.id)
        elif (text := decided[its.id]) is not None:
            same = text == utterance.text
            through.append((message, utterance if same else utterance.with_text(text)))
    if undecided:
        logger.error(
            "the function on_utterance has not decided; the utterances wait",
            extra={
                "event": log_events.UTTERANCES_NOT_SCREENED,
                "utterances": len(undecided),
                "code": code,
            },
        )
    if refused := len(said) - len(through) - len(undecided):
        logger.info(
            "the function on_utterance has refused utterances",
            extra={"event": log_events.UTTERANCES_REFUSED, "utterances": refused},
        )
    return through, undecided


def _asked(utterance: Utterance) -> Asked:
    item = utterance.item(received_at_ms=0, stored_at_ms=0, expires_at_s=0)
    return Asked(
        id=utterance_id(item),
        conversation_id=utterance.conversation_id,
        role=utterance.role,
        text=utterance.text,
        source=WEBHOOK,
    )
