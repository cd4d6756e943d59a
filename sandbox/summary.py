"""What came of the calls: what was said against what the table holds."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.asapp_double import AsappDouble, Post
from sandbox.call import Call
from sandbox.conversations import Utterance
from sandbox.deployment import Deployment
from shared.utterance import in_order


@dataclass(frozen=True)
class Summary:
    """Figures of a run. Times are milliseconds; an utterance posted twice is sent once.

    :param posts: What ASAPP posted, duplicates counted.
    :param lost: Sent, and not in the table.
    :param duplicated: In the table more often than sent.
    :param altered: In the table with another text, time, speaker or place than sent.
    :param unpublished: In the table, and not heard on the event bus.
    :param unheard_on_hold: Said while the caller was on hold, and not transcribed: as it must be.
    :param heard_on_hold: Said likewise, and transcribed.
    :param unheard_in_talk: Said by caller and agent to each other, from their first word to their
        last, after resumes and transfers too, and not transcribed.
    :param post_to_table_ms_p50: From the first POST of an utterance to the consumer's write of it.
    :param wrongs: A line for each of them; no word of what was said.
    """

    calls: int
    starts: int
    stops: int
    posts: int
    utterances_sent: int
    utterances_stored: int
    lost: int
    duplicated: int
    altered: int
    unpublished: int
    unheard_on_hold: int
    heard_on_hold: int
    unheard_in_talk: int
    post_to_table_ms_p50: float
    post_to_table_ms_p99: float
    wrongs: tuple[str, ...]


def wait_for_arrival(deployment: Deployment, asapp: AsappDouble, seconds: float) -> None:
    """Wait until the table has as many utterances as were sent, or the time is over."""
    until = time.monotonic() + seconds
    wanted = Counter(post.guid for post in asapp.posts if not post.dropped)
    while time.monotonic() < until:
        if all(len(stored(deployment, guid)) >= count for guid, count in wanted.items()):
            return
        time.sleep(0.3)


def stored(deployment: Deployment, guid: str) -> Sequence[Mapping[str, Any]]:
    """The utterances of a conversation that the table holds, as they were spoken."""
    return in_order(deployment.conversation(guid))


def summarise(
    calls: Sequence[Call],
    deployment: Deployment,
    asapp: AsappDouble,
    published: Mapping[str, Mapping[str, Any]],
) -> Summary:
    """Compare every utterance of every call.

    :param published: The details heard on the bus, by their ``id``.
    """
    guids = [call.contact.contact_id for call in calls]
    sent = sorted((p for p in asapp.posts if p.guid in guids and not p.dropped), key=_moment)
    found = [item for guid in guids for item in stored(deployment, guid)]
    said, kept = Counter(map(_of_post, sent)), Counter(map(_of_item, found))
    lost, more = said - kept, kept - said
    duplicated = sum(count for key, count in more.items() if key in said)
    misplaced = [guid for guid in guids if not _in_place(guid, sent, found)]
    unpublished = [item for item in found if _id(item) not in published]
    heard = {guid: _words([post for post in asapp.posts if post.guid == guid]) for guid in guids}
    talked = {guid: _words(call.talked) for guid, call in zip(guids, calls, strict=True)}
    on_hold = {guid: _words(call.said_on_hold) for guid, call in zip(guids, calls, strict=True)}
    missed = {guid: (talked[guid] - heard[guid]).total() for guid in guids}
    overheard = {g: (on_hold[g] & (heard[g] - talked[g])).total() for g in guids}
    first_post_at = {_of_post(post): post.sent[0].at * 1000 for post in sent if post.sent}
    waits = [
        int(published[_id(item)]["storedAt"]) - first_post_at[_of_item(item)]
        for item in found
        if _id(item) in published and _of_item(item) in first_post_at
    ]
    percentiles = statistics.quantiles(waits, n=100) if len(waits) > 1 else [0.0] * 99
    return Summary(
        calls=len(calls),
        starts=sum(len(asapp.successful_starts(guid)) for guid in guids),
        stops=sum(len(asapp.successful_stops(guid)) for guid in guids),
        posts=sum(len(post.sent) for post in sent),
        utterances_sent=len(sent),
        utterances_stored=len(found),
        lost=lost.total(),
        duplicated=duplicated,
        altered=more.total() - duplicated + (0 if lost or more else len(misplaced)),
        unpublished=len(unpublished),
        unheard_on_hold=sum(words.total() for words in on_hold.values()) - sum(overheard.values()),
        heard_on_hold=sum(overheard.values()),
        unheard_in_talk=sum(missed.values()),
        post_to_table_ms_p50=round(percentiles[49], 1),
        post_to_table_ms_p99=round(percentiles[98], 1),
        wrongs=(
            *(f"lost: {_where(key)}" for key in lost.elements()),
            *(f"not as sent: {_where(key)}" for key in more.elements()),
            *(f"out of order: conversation {guid}" for guid in misplaced if not lost and not more),
            *(f"{n} said in talk, not heard: conversation {g}" for g, n in missed.items() if n),
            *(f"{n} said on hold, heard: conversation {g}" for g, n in overheard.items() if n),
            *(f"not on the bus: {_where(_of_item(item))}" for item in unpublished),
        ),
    )


Said = tuple[str, str, str, int, int, str]


def _of_post(post: Post) -> Said:
    return post.guid, post.stream_id, post.role, post.start_ms, post.end_ms, post.text


def _of_item(item: Mapping[str, Any]) -> Said:
    who = item["conversationId"], item["streamId"], item["role"]
    return *who, item["startMs"], item["endMs"], item["text"]


def _id(item: Mapping[str, Any]) -> str:
    return f"{item['conversationId']}/{item['item']}"


def _words(said: Sequence[Utterance | Post]) -> Counter[tuple[str, str]]:
    return Counter((str(each.role), each.text) for each in said)


def _where(said: Said) -> str:
    return f"conversation {said[0]}, {said[2]} at {said[3]} ms"


def _moment(post: Post) -> tuple[float, int]:
    return post.audio_began_at * 1000 + post.start_ms, post.end_ms


def _in_place(guid: str, sent: Sequence[Post], found: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the transcript is read back in the order in which it was spoken.

    From one start to its stop, that is: what is said takes less time here than its times say, so
    that the minutes before a hold reach beyond its end.
    """
    streams: dict[float, set[str]] = {}
    for post in sent:
        if post.guid == guid:
            streams.setdefault(post.audio_began_at, set()).add(post.stream_id)
    for together in streams.values():
        spoken = [(post.start_ms, post.end_ms) for post in sent if post.stream_id in together]
        times = [(i["startMs"], i["endMs"]) for i in found if i["streamId"] in together]
        if spoken != times:
            return False
    return True
