"""What the command says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Answer = Mapping[str, Any]

_REFUSED = {
    "running": "a call goes on: add STOP=1 (it is stopped first) or WHEN=ended (it is erased once "
    "it is over)",
    "held": "it is under legal hold (make hold ENV=… CONTACT=… UNDO=1 lifts it)",
    "unknown": "nothing is stored of it. If an exported file has it, name its day: DAY=2026-11-23",
}
_STEPS = {
    0: "waits: for its turn, or for the end of a call",
    1: "is deleting",
    2: "everything was deleted once; it is looked for again 20 minutes after the beginning",
    3: "waits for the other calls of the customer",
}


def found(answer: Answer) -> Iterator[str]:
    """What would go, and where."""
    calls = answer["calls"]
    yield f"{_counted(len(calls), 'call')}:"
    for call in calls[:20]:
        days = f"{call['days'][0]} to {call['days'][-1]}" if call["days"] else "days unknown"
        yield (
            f"  {call['conversationId']} ({call['state']}): "
            f"{_counted(call['utterances'], 'utterance')} of {_counted(call['items'], 'item')} in "
            f"the table, {_counted(len(call['legs']), 'more contact')}, {days}"
            + (f", by {call['heldBy']}: it stays" if "heldBy" in call else "")
        )
    if len(calls) > 20:
        yield f"  and {len(calls) - 20} more"
    for queue, count in answer["messages"].items():
        yield f"  {queue}: {_counted(count, 'message')}"
    if files := answer.get("files"):
        mega = files["bytes"] / 1_000_000
        yield f"  their lines in {_counted(files['count'], 'exported file')} ({mega:.1f} MB)"
        yield f"  {_counted(answer['results'], 'result')} of queries, of all calls"
    yield "It cannot be undone. Point-in-time recovery keeps the table for 35 days."


def request_to_asapp(calls: list[Mapping[str, Any]]) -> Iterator[str]:
    """What to send to ASAPP, which has no API for it. It is printed and kept nowhere."""
    yield "Send this to ASAPP's account team; nobody else can erase their copies:"
    yield ""
    yield "  Please erase these conversations, with audio if you keep any, from your API, your"
    yield "  files and your backups, and tell us when it is done. External conversation ids:"
    for call in calls:
        yield f"  {call['conversationId']}"
    yield ""


def progress(answer: Answer) -> str:
    step = int(answer.get("step", 0))
    if step == 0 and answer.get("running") == "ended":
        return "waits for the end of the call"
    return _STEPS[step]


def refused(answer: Answer) -> str:
    reason = _REFUSED.get(str(answer["reason"]), str(answer["reason"]))
    return f"{answer['heldBy']} holds it; {reason}" if "heldBy" in answer else reason


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
