"""Where each utterance came, how often, when, and whether it was still the same."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from shared.transcripts.stored_utterances import utterance_id
from shared.transcripts.utterance import Utterance

PLACES = ("webhook", "table", "bus", "page")
"""In the order in which an utterance comes there."""
LATE_SECONDS = 5.0
"""So long after it was due at the webhook, an utterance on the bus is late."""
_SAME = ("role", "startMs", "endMs", "text")


@dataclass
class Arrivals:
    """One utterance at one place.

    :ivar times: Unix seconds, one for each time that it came.
    :ivar altered: It came with another speaker, time or text than it was posted with.
    """

    times: list[float] = field(default_factory=list)
    altered: bool = False


@dataclass
class Posted:
    """
    :param id: The one of the read API and the events, made from the POST's body.
    :ivar due: When the first POST should have left ASAPP, in Unix seconds.
    :ivar queued: When it came into the webhook's queue, by the first event of it; 0 if none came.
    :ivar stored: When it was written, from there too: a POST that comes again overwrites the item.
    """

    id: str
    said: Mapping[str, Any]
    due: float
    queued: float = 0.0
    stored: float = 0.0
    at: dict[str, Arrivals] = field(default_factory=lambda: defaultdict(Arrivals))


@dataclass(frozen=True)
class Place:
    """The count at one place.

    :param came: Utterances that came.
    :param lost: Utterances that did not.
    :param doubled: Utterances that are there as two.
    :param altered: Utterances that are there with another speaker, time or text.
    :param again: Deliveries of what had come already, with the same id: at the webhook they are on
        purpose, and the bus and the page may have them.
    """

    came: int
    lost: int
    doubled: int
    altered: int
    again: int

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.doubled or self.altered)


class Counts:
    """Every utterance that was posted, and what is known of it. Use it from any thread.

    :param places: Where each must come.
    """

    def __init__(self, places: Sequence[str] = PLACES) -> None:
        self._places = places
        self._posted: dict[str, Posted] = {}
        self._early: dict[str, list[tuple[str, float, Mapping[str, Any]]]] = defaultdict(list)
        self._one = threading.Lock()

    def posted(self, body: str, due: float, accepted: Iterable[float]) -> str:
        """:param accepted: When each POST was sent that got a 200.
        :returns: The utterance's id.
        """
        item = Utterance.from_message(body).item(received_at_ms=0, stored_at_ms=0, expires_at_s=0)
        own = {name: item[name] for name in ("conversationId", "streamId", *_SAME)}
        one = Posted(utterance_id(item), own, due)
        with self._one:
            self._posted[one.id] = one
            one.at["webhook"].times += accepted
            for place, at, said in self._early.pop(one.id, ()):
                self._came(one, place, at, said)
        return one.id

    def adopt(self, posted: Iterable[Posted]) -> None:
        """What was posted elsewhere."""
        for one in posted:
            with self._one:
                self._posted[one.id] = one

    def came(self, place: str, at: float, said: Mapping[str, Any]) -> None:
        """:param said: What is there: an ``id``, and as many fields as there are."""
        with self._one:
            if one := self._posted.get(said["id"]):
                self._came(one, place, at, said)
            else:
                self._early[said["id"]].append((place, at, said))

    def _came(self, one: Posted, place: str, at: float, said: Mapping[str, Any]) -> None:
        arrivals = one.at[place]
        arrivals.times.append(at)
        if place == "bus" and not one.stored:
            one.queued, one.stored = said["receivedAt"] / 1000, said["storedAt"] / 1000
        arrivals.altered |= any(name in said and said[name] != one.said[name] for name in _SAME)

    def __len__(self) -> int:
        return len(self._posted)

    def __iter__(self) -> Iterator[Posted]:
        return iter(list(self._posted.values()))

    def missing(self, place: str) -> list[Posted]:
        return [one for one in self if not one.at[place].times]

    def places(self) -> dict[str, Place]:
        """The count at each place."""
        return {place: self._at(place) for place in self._places}

    def _at(self, place: str) -> Place:
        every = list(self)
        missing = {
            (one.said["conversationId"], one.said["streamId"], one.said["startMs"]): one
            for one in every
            if not one.at[place].times
        }
        doubled = altered = again = 0
        for one in every:
            times = len(one.at[place].times)
            altered += one.at[place].altered
            if place == "table":
                doubled += max(0, times - 1)
            else:
                again += max(0, times - 1)
        ours = {one.said["conversationId"] for one in every}
        strangers = [
            each
            for found in self._early.values()
            for each in found
            if each[0] == place and each[2].get("conversationId") in ours
        ]
        for _, _, said in {each[2]["id"]: each for each in strangers}.values():
            # With an id that nobody has posted: a lost one in another form, or a second one.
            where = said.get("conversationId"), said.get("streamId"), said.get("startMs")
            if missing.pop(where, None):
                altered += 1
            else:
                doubled += 1
        return Place(len(every) - len(missing), len(missing), doubled, altered, again)

    def late(self) -> int:
        """How many came late to the bus."""
        return sum(
            min(one.at["bus"].times) - one.due > LATE_SECONDS for one in self if one.at["bus"].times
        )

    def rows(self) -> list[dict[str, float]]:
        """For each utterance, when it was due, and when it first came to each place."""
        rows = []
        for one in self:
            row = {"due": one.due, "queue": one.queued, "table": one.stored}
            row |= {place: min(one.at[place].times, default=0.0) for place in ("bus", "page")}
            rows.append({name: at for name, at in row.items() if at})
        return rows


def as_json(places: Mapping[str, Place]) -> dict[str, Any]:
    return {name: asdict(place) for name, place in places.items()}
