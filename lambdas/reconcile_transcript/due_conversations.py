"""Look at the conversations that are due, a few at a time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from reconcile_transcript.messages import Messages
from reconcile_transcript.reconciler import Reconciler
from reconcile_transcript.transcripts import Transcripts
from shared.asapp.requests import BadCredentials
from shared.aws.botocore_errors import error_code
from shared.runtime import Deadline
from shared.table import BATCH, IN_PROGRESS, LONGEST_SILENCE_MS, PENDING

logger = logging.getLogger(__name__)

_AT_ONCE = 2
"""Runs of up to ten minutes overlap, so ten times as many in all: that is some 50 requests a second
of the 100 that ASAPP takes. Starts and stops need the others."""
_SECONDS_A_CONVERSATION = 40.0


class NotReconciled(Exception):
    """Some could not be, for a reason that is not ASAPP's. They come up again."""


def look_at_due(
    transcripts: Transcripts,
    reconciler: Reconciler,
    messages: Messages,
    deadline: Deadline,
    *,
    after_ms: int,
    export_ms: int,
) -> dict[str, Any]:
    """Look at what is due, as far as time and ASAPP's limits allow.

    :param after_ms: A conversation is due so long after its time in the index.
    :param export_ms: So long it may wait for the export.
    :raises BadCredentials: if they cannot be read, or ASAPP does not take them: nothing goes on
        without.
    :raises NotReconciled: after all the others.
    """
    clock = deadline.clock

    def look(conversation_id: str) -> bool:
        limit = deadline.at_most(_SECONDS_A_CONVERSATION)
        return reconciler.look(conversation_id, limit) is not None

    def give_up(conversation_id: str) -> bool:
        reconciler.give_up(conversation_id)
        return True

    def ask_on() -> bool:
        return not messages.refusal and messages.stopped_until(clock) is None

    overdue = transcripts.marked(BATCH, clock.now_ms() - export_ms)
    done = _side_by_side(give_up, overdue, transcripts, deadline, lambda: True)
    if messages.stopped_until(clock) is None:
        due_ms = clock.now_ms() - after_ms
        silent = transcripts.marked(IN_PROGRESS, due_ms - LONGEST_SILENCE_MS)
        pending = chain(transcripts.marked(PENDING, due_ms), silent)
        done += _side_by_side(look, pending, transcripts, deadline, ask_on)
    if messages.refusal:
        raise BadCredentials(f"ASAPP does not take them: {messages.refusal}")
    until = messages.stopped_until(clock)
    return {"conversations": done} | ({"stoppedUntil": until.isoformat()} if until else {})


def _side_by_side(
    work: Callable[[str], bool],
    marked: Iterator[tuple[str, int]],
    transcripts: Transcripts,
    deadline: Deadline,
    may_go_on: Callable[[], bool],
) -> int:
    """Claim each and work on it, until there are no more or time is over. What has begun before and
    did not end comes last and alone: it may end the process.

    :param may_go_on: Asked after each.
    :returns: How many were done.
    """
    lock = threading.Lock()
    done: list[str] = []
    failed: list[Exception] = []
    ended: list[BadCredentials] = []
    suspects: list[str] = []

    def do(conversation_id: str) -> None:
        try:
            if work(conversation_id):
                done.append(conversation_id)
        except BadCredentials as problem:
            ended.append(problem)
        except Exception as problem:
            failed.append(problem)
            logger.error(
                "a conversation could not be reconciled",
                extra={"conversationId": conversation_id, "problem": error_code(problem)},
            )

    def worker() -> None:
        while deadline.remaining() and not ended:
            with lock:
                conversation_id, at_ms = next(marked, ("", 0))
            if not conversation_id:
                return
            try:
                lease = transcripts.claim(conversation_id, at_ms)
            except (ClientError, BotoCoreError) as problem:
                failed.append(problem)
                lease = None
            if lease and lease.unfinished:
                suspects.append(conversation_id)
            elif lease:
                do(conversation_id)
            if not may_go_on():
                return

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        workers = [pool.submit(worker) for _ in range(_AT_ONCE)]
    if ended:
        raise ended[0]
    for each in workers:
        each.result()  # the index may have failed
    for conversation_id in suspects:
        if deadline.remaining() and may_go_on() and not ended:
            do(conversation_id)
    if ended:
        raise ended[0]
    if failed:
        raise NotReconciled(f"{len(failed)} conversations: {error_code(failed[0])}")
    return len(done)
