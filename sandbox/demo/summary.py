"""The result of the calls: compares what was said with what the table has."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from sandbox.asapp.conversations import Utterance
from sandbox.asapp.double import AsappDouble, Post
from sandbox.demo.played_call import Call
from sandbox.live.browser import Row, Viewer
from sandbox.stacks.deployment import Deployment
from sandbox.stacks.running import Published
from shared.transcripts.stored_utterances import in_order, utterance_id

_WEBHOOK, _COMPLETE = "webhook", "complete"


@dataclass(frozen=True)
class Summary:
    """Figures of a run. Times are milliseconds; an utterance posted twice is one utterance.

    :param utterances: Utterances that ASAPP has transcribed.
    :param posts: ASAPP's POSTs, duplicates included.
    :param dropped_by_asapp: Utterances whose every POST was lost on the way.
    :param recovered: Utterances that are in the table from ASAPP's own record.
    :param conversations_complete: Conversations that are marked complete and hold exactly what was
        said, in order.
    :param lost: Transcribed, but not in the table.
    :param duplicated: In the table more often than said.
    :param altered: In the table with another text, speaker or position than said.
    :param unpublished: In the table, but not received from the event bus.
    :param unseen: In the table, but not on the live page, or not where they belong there; of the
        calls that are open on it. None, as the times, if there was no browser.
    :param unheard_on_hold: Said while the caller was on hold, and not transcribed, as it must be.
    :param heard_on_hold: Said while the caller was on hold, but transcribed.
    :param unheard_in_talk: Said by caller and agent to each other, but not transcribed; talk after
        resumes and transfers is included.
    :param post_to_table_ms_p50: From ASAPP's first POST of an utterance until ``store_transcript``
        has written it.
    :param post_to_bus_ms_p50: From ASAPP's first POST until the event bus has put the event into a
        queue.
    :param post_to_page_ms_p50: From ASAPP's first POST until a supervisor's browser has drawn it.
    :param post_to_queue_ms_p50: Of that, the time in the emulator's API Gateway, authorizer
        included.
    :param queue_to_table_ms_p50: Of that, the time in the emulator's queue poller and
        ``store_transcript``.
    :param table_to_bus_ms_p50: Of that, the time in the emulator's table stream and bus and
        ``publish_utterance``.
    :param bus_to_page_ms_p50: From there until the browser has drawn it: the emulator's bus and
        AppSync, ``publish_live`` and the page.
    :param wrongs: A line for each kind of problem and each conversation, without what was said.
    """

    calls: int
    starts: int
    stops: int
    utterances: int
    posts: int
    dropped_by_asapp: int
    recovered: int
    conversations_complete: int
    lost: int
    duplicated: int
    altered: int
    unpublished: int
    unseen: int | None
    unheard_on_hold: int
    heard_on_hold: int
    unheard_in_talk: int
    post_to_table_ms_p50: float
    post_to_table_ms_p99: float
    post_to_bus_ms_p50: float
    post_to_bus_ms_p99: float
    post_to_page_ms_p50: float | None
    post_to_page_ms_p99: float | None
    post_to_queue_ms_p50: float
    queue_to_table_ms_p50: float
    table_to_bus_ms_p50: float
    bus_to_page_ms_p50: float | None
    wrongs: tuple[str, ...]


class Seen(NamedTuple):
    """What is on the live page.

    :param rows: By conversation, from top to bottom.
    :param at_ms: When each utterance was first drawn, in milliseconds since 1970.
    """

    rows: Mapping[str, Sequence[Row]]
    at_ms: Mapping[str, int]


def wait_for_arrival(
    deployment: Deployment, asapp: AsappDouble, seconds: float, guid: str = ""
) -> None:
    """Wait until the table has every utterance that the webhook accepted, or the time is over.

    :param guid: Wait for this conversation only. Default: for all.
    """
    until = time.monotonic() + seconds
    arrived = [post.guid for post in asapp.posts if _arrived(post)]
    wanted = Counter(each for each in arrived if guid in ("", each))
    while time.monotonic() < until:
        if all(len(stored(deployment, guid)) >= count for guid, count in wanted.items()):
            return
        time.sleep(0.3)


def wait_for_end(deployment: Deployment, calls: Sequence[Call], seconds: float) -> None:
    """Wait until each call has the state ``ended`` in the table, or the time is over."""
    until = time.monotonic() + seconds
    guids = [call.contact.contact_id for call in calls]
    while time.monotonic() < until:
        if {conversation(deployment, guid).get("state") for guid in guids} == {"ended"}:
            return
        time.sleep(0.3)


def wait_for_events(
    deployment: Deployment,
    calls: Sequence[Call],
    published: Mapping[str, Published],
    seconds: float,
) -> None:
    """Wait until the webhook's queue is empty and every stored utterance has come from the bus, or
    the time is over."""
    until = time.monotonic() + seconds
    guids = [call.contact.contact_id for call in calls]
    while time.monotonic() < until:
        if deployment.queue_is_empty() and all(
            utterance_id(item) in published for guid in guids for item in stored(deployment, guid)
        ):
            return
        time.sleep(0.3)


def wait_for_page(
    deployment: Deployment, guids: Sequence[str], viewer: Viewer, seconds: float
) -> Seen:
    """Wait until the page has what the table has, or the time is over.

    :param guids: The calls that are open on it, from left to right.
    """
    until = time.monotonic() + seconds
    kept = {guid: _ids(stored(deployment, guid)) for guid in guids}
    while True:
        rows = {guid: viewer.rows(at) for at, guid in enumerate(guids)}
        if {guid: [row.id for row in rows[guid]] for guid in guids} == kept:
            break
        if time.monotonic() > until:
            break
        time.sleep(0.3)
    return Seen(rows, viewer.seen())


def stored(deployment: Deployment, guid: str) -> Sequence[Mapping[str, Any]]:
    """The utterances of a conversation in the table, in the order in which they were spoken."""
    return in_order(deployment.conversation(guid))


def conversation(deployment: Deployment, guid: str) -> Mapping[str, Any]:
    """The conversation's own item in the table; empty if there is none."""
    items = deployment.conversation(guid)
    return next((item for item in items if item["item"] == "conversation"), {})


def summarise(
    calls: Sequence[Call],
    deployment: Deployment,
    asapp: AsappDouble,
    published: Mapping[str, Published],
    seen: Seen | None = None,
) -> Summary:
    """Compare every utterance of every call.

    :param published: The events received from the bus, by their detail's ``id``; the first one, if
        an event came twice.
    :param seen: What is on the live page, if it was open.
    """
    guids = [call.contact.contact_id for call in calls]
    posts = sorted((post for post in asapp.posts if post.guid in guids), key=_moment)
    found = [item for guid in guids for item in stored(deployment, guid)]
    recovered = [item for item in found if item["source"] != _WEBHOOK]
    said = Counter(map(_of_post, posts))
    kept = Counter(_of_item(item) for item in found if item["source"] == _WEBHOOK)
    to_recover, mended = _words(said - kept), Counter(map(_words_of_item, recovered))
    lost, more = to_recover - mended, (mended - to_recover) + _words(kept - said)
    duplicated = sum(n for key, n in (more - lost).items() if key in _words(said))
    marks = {guid: conversation(deployment, guid).get("completeness", "none") for guid in guids}
    whole = [guid for guid in guids if _as_said(guid, posts, found)]
    unpublished = Counter(
        item["conversationId"] for item in found if utterance_id(item) not in published
    )
    unseen = (
        {guid: _differences(deployment, guid, rows) for guid, rows in seen.rows.items()}
        if seen
        else {}
    )
    heard = {guid: _spoken([post for post in posts if post.guid == guid]) for guid in guids}
    talked = {guid: _spoken(call.talked) for guid, call in zip(guids, calls, strict=True)}
    on_hold = {guid: _spoken(call.said_on_hold) for guid, call in zip(guids, calls, strict=True)}
    missed = {guid: (talked[guid] - heard[guid]).total() for guid in guids}
    overheard = {g: (on_hold[g] & (heard[g] - talked[g])).total() for g in guids}
    times = list(_times(posts, found, published, seen.at_ms if seen else {}))
    to_page = [t.seen - t.posted for t in times if t.seen] if seen else None
    from_bus = [t.seen - t.published for t in times if t.seen] if seen else None
    misplaced = [g for g in guids if g not in whole and not {key[0] for key in lost + more} & {g}]
    return Summary(
        calls=len(calls),
        starts=sum(len(asapp.successful_starts(guid)) for guid in guids),
        stops=sum(len(asapp.successful_stops(guid)) for guid in guids),
        utterances=len(posts),
        posts=sum(len(post.sent) for post in posts),
        dropped_by_asapp=sum(1 for post in posts if not _arrived(post)),
        recovered=len(recovered),
        conversations_complete=sum(1 for guid in whole if marks[guid] == _COMPLETE),
        lost=lost.total(),
        duplicated=duplicated,
        altered=more.total() - duplicated + len(misplaced),
        unpublished=unpublished.total(),
        unseen=sum(unseen.values()) if seen else None,
        unheard_on_hold=sum(words.total() for words in on_hold.values()) - sum(overheard.values()),
        heard_on_hold=sum(overheard.values()),
        unheard_in_talk=sum(missed.values()),
        post_to_table_ms_p50=_percentile([t.stored - t.posted for t in times], 50),
        post_to_table_ms_p99=_percentile([t.stored - t.posted for t in times], 99),
        post_to_bus_ms_p50=_percentile([t.published - t.posted for t in times], 50),
        post_to_bus_ms_p99=_percentile([t.published - t.posted for t in times], 99),
        post_to_page_ms_p50=None if to_page is None else _percentile(to_page, 50),
        post_to_page_ms_p99=None if to_page is None else _percentile(to_page, 99),
        post_to_queue_ms_p50=_percentile([t.queued - t.posted for t in times], 50),
        queue_to_table_ms_p50=_percentile([t.stored - t.queued for t in times], 50),
        table_to_bus_ms_p50=_percentile([t.published - t.stored for t in times], 50),
        bus_to_page_ms_p50=None if from_bus is None else _percentile(from_bus, 50),
        wrongs=(
            *_wrongs("lost", Counter(key[0] for key in lost.elements())),
            *_wrongs("not as said", Counter(key[0] for key in more.elements())),
            *(f"out of order: conversation {guid}" for guid in misplaced),
            *(f"marked {m}: conversation {g}" for g, m in marks.items() if m != _COMPLETE),
            *_wrongs("said in talk, but not transcribed", missed),
            *_wrongs("said on hold, but transcribed", overheard),
            *_wrongs("not on the bus", unpublished),
            *_wrongs("not on the page as in the table", unseen),
        ),
    )


class _Times(NamedTuple):
    """When an utterance reached each stage, in milliseconds since 1970.

    :param seen: 0 if its call was not open on the page.
    """

    posted: float
    queued: int
    stored: int
    published: int
    seen: int


def _times(
    posts: Sequence[Post],
    found: Sequence[Mapping[str, Any]],
    published: Mapping[str, Published],
    seen: Mapping[str, int],
) -> Iterator[_Times]:
    posted = {_of_post(post): post.sent[0].at * 1000 for post in posts if post.sent}
    for item in found:
        if item["source"] != _WEBHOOK:
            continue  # it has no stream, and nobody posted it
        at, event = posted.get(_of_item(item)), published.get(utterance_id(item))
        if at and event:
            # Not the item's own times: a duplicate POST overwrites them.
            detail = event.detail
            shown = seen.get(utterance_id(item), 0)
            yield _Times(at, int(detail["receivedAt"]), int(detail["storedAt"]), event.at_ms, shown)


def _differences(deployment: Deployment, guid: str, rows: Sequence[Row]) -> int:
    """How many utterances are missing on the page, or else are there too often, or in another
    place."""
    kept, shown = _ids(stored(deployment, guid)), [row.id for row in rows]
    missing, more = Counter(kept) - Counter(shown), Counter(shown) - Counter(kept)
    return missing.total() + more.total() or sum(map(str.__ne__, kept, shown))


def _ids(items: Sequence[Mapping[str, Any]]) -> list[str]:
    return [utterance_id(item) for item in items]


def _percentile(values: Sequence[float], percent: int) -> float:
    if len(values) < 2:
        return round(sum(values), 1)
    return round(statistics.quantiles(values, n=100)[percent - 1], 1)


Said = tuple[str, str, str, int, int, str]
"""Conversation, stream, speaker, start, end, text: as the webhook has it."""
Words = tuple[str, str, str]
"""Conversation, speaker, text: the fields of ASAPP's own record, without the time."""


def _of_post(post: Post) -> Said:
    return post.guid, post.stream_id, post.role, post.start_ms, post.end_ms, post.text


def _of_item(item: Mapping[str, Any]) -> Said:
    who = item["conversationId"], item["streamId"], item["role"]
    return *who, item["startMs"], item["endMs"], item["text"]


def _words(said: Counter[Said]) -> Counter[Words]:
    return Counter((guid, role, text) for guid, _, role, _, _, text in said.elements())


def _words_of_item(item: Mapping[str, Any]) -> Words:
    return item["conversationId"], item["role"], item["text"]


def _arrived(post: Post) -> bool:
    return any(sent.status == 200 for sent in post.sent)


def _spoken(said: Sequence[Utterance | Post]) -> Counter[tuple[str, str]]:
    return Counter((str(each.role), each.text) for each in said)


def _wrongs(what: str, by_guid: Mapping[str, int]) -> list[str]:
    return [f"{count} {what}: conversation {guid}" for guid, count in by_guid.items() if count]


def _moment(post: Post) -> int:
    return round(post.started_at * 1000)


def _as_said(guid: str, posts: Sequence[Post], found: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the transcript has every word in the order in which it was spoken. Utterances that
    begin at the same millisecond may come in any order.

    :param posts: In the order in which they were spoken.
    """
    read = [(item["role"], item["text"]) for item in found if item["conversationId"] == guid]
    own = [post for post in posts if post.guid == guid]
    for _, together in groupby(own, _moment):
        said = [(post.role, post.text) for post in together]
        if sorted(read[: len(said)]) != sorted(said):
            return False
        read = read[len(said) :]
    return not read
