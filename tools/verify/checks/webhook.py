"""The webhook: who gets in, and that an utterance of the marked conversation comes everywhere."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from tools.doctor.findings import Findings, problem, warning, well
from tools.verify.account import Account
from tools.verify.checks.live import HOW_TO_MEASURE, Followed, followed
from tools.verify.checks.ways import NoCredential, Way, ways_of
from tools.verify.conversation import Answer, Conversation
from tools.verify.listener import MARKED, Listener
from tools.verify.live_events import NoAnswer, Refused

_REFUSED = (401, 403)
_BETWEEN_SECONDS = 0.2


@dataclass(frozen=True)
class Posted:
    """An utterance that the webhook has taken.

    :param number: That of the utterance.
    :param way: How it got in.
    :param at: When it was posted, by the monotonic clock.
    """

    number: int
    way: str
    at: float


@dataclass(frozen=True)
class Place:
    """
    :param look: The numbers of the utterances that are there, and when they were seen, by the
        monotonic clock.
    :param remedy: Where to look if one is not.
    """

    look: Callable[[], Mapping[int, float]]
    remedy: str


def webhook(account: Account) -> Findings:
    conversation, listener = Conversation(account), Listener(account)
    listener.begin()
    with ExitStack() as until_the_end:
        page = None
        try:
            page = until_the_end.enter_context(followed(account, conversation))
        except (Refused, NoAnswer) as reason:
            what = f"LIVE_TOKEN does not open the live channel: {reason}"
            yield problem(what, HOW_TO_MEASURE)
        posted: list[Posted] = []
        for number, way in enumerate(ways_of(account)):
            yield from refuses(account, way, conversation)
            yield from takes(account, way, conversation, number, posted)
        yield from _come(account, posted, _places(conversation, listener, page))
    if posted:
        yield from _is_erased(account, conversation)


def refuses(account: Account, way: Way, conversation: Conversation) -> Findings:
    """Without a credential, and with one that nobody has. The body is of the marked conversation,
    so that it is erased if it gets in."""
    body = conversation.message(0, f"refused-{uuid.uuid4()}")
    cases: list[tuple[str, Answer]] = []
    certificate = account.certificate if way.by_certificate else None
    if way.by_certificate:
        cases.append(("no certificate", way.post(account, body)))
    if way.proof and (certificate or not way.by_certificate):
        cases += [
            ("no credential", way.post(account, body, certificate=certificate)),
            ("a wrong credential", way.post(account, body, uuid.uuid4().hex, certificate)),
        ]
    for what, answer in cases:
        if answer.status in _REFUSED or (way.by_certificate and answer.is_cut_off):
            yield well(f"{way.name}: {what} gets {_said(answer)}")
        else:
            log = "see the authorizer at the API's method POST: `make drift` compares it"
            yield problem(f"{way.name}: {what} gets {_said(answer)}, not 401 or 403", log)


def takes(
    account: Account, way: Way, conversation: Conversation, number: int, posted: list[Posted]
) -> Findings:
    """:param posted: Where to add it if it gets in."""
    try:
        credential = way.credential()
    except NoCredential as none:
        yield none.finding
        return
    at = time.monotonic()
    certificate = account.certificate if way.by_certificate else None
    answer = way.post(account, conversation.message(number), credential, certificate)
    if answer.status == 403 and account.settings.webhook.allowed_cidrs:
        yield warning(
            f"{way.name}: the right credential gets 403: see webhook.allowed_cidrs",
            "run it from an address that may post; nothing behind the webhook was shown",
        )
    elif answer.status != 200:
        logs = account.transcription.outputs.get("WebhookAccessLogs", "of the webhook")
        what = f"{way.name}: the right credential gets {_said(answer)}"
        yield problem(what, f"aws logs tail {logs}")
    else:
        posted.append(Posted(number, way.name, at))
        yield well(f"{way.name}: the right credential gets in")


def _said(answer: Answer) -> str:
    if answer.status:
        return str(answer.status)
    return "no answer" if answer.is_cut_off else f"no answer ({answer.body})"


def _places(
    conversation: Conversation, listener: Listener, page: Followed | None
) -> Mapping[str, Place]:
    """Where an utterance comes.

    :param page: If somebody follows the live page.
    """
    on_bus: dict[int, float] = {}

    def heard() -> Mapping[int, float]:
        for event in listener.heard():
            on_bus.update(_now(conversation.numbers_in(event["text"])))
        return on_bus

    places = {
        "in the table": Place(
            lambda: _now(conversation.numbers_in(str(conversation.items()))),
            "see WebhookQueueUrl, its consumer StoreTranscript and that one's dead letters",
        ),
        "on the event bus": Place(
            heard, "see PublishUtterance: the mapping of the table's stream, and its log"
        ),
        "in the transcript API": Place(
            lambda: _now(conversation.numbers_in(conversation.transcript().body)),
            "see the log of ReadTranscript; who runs this needs execute-api:Invoke",
        ),
    }
    if page:
        places["on the live channel"] = Place(
            lambda: page.heard, "see the rule that invokes PublishLive, and its log PublishLiveLogs"
        )
        places["in the live page's API"] = Place(
            lambda: _now(page.read()),
            "see the log of ReadLive; only a supervisor's token reads this conversation",
        )
    return places


def _now(numbers: set[int]) -> Mapping[int, float]:
    return dict.fromkeys(numbers, time.monotonic())


def _come(account: Account, posted: list[Posted], places: Mapping[str, Place]) -> Findings:
    """Each utterance in each place, with the time until it was seen there."""
    missing = {name: list(posted) for name in places if posted}
    ends = time.monotonic() + account.patience
    while missing and time.monotonic() < ends:
        for name, waiting in list(missing.items()):
            seen = places[name].look()
            for each in [each for each in waiting if each.number in seen]:
                waiting.remove(each)
                yield well(f"{each.way}: {name} after {seen[each.number] - each.at:.1f} s")
            if not waiting:
                del missing[name]
        if missing:
            time.sleep(_BETWEEN_SECONDS)
    for name, waiting in missing.items():
        for each in waiting:
            what = f"{each.way}: not {name} within {account.patience:.0f} s"
            remedy = f"{places[name].remedy}; then run it again, which deletes what comes late"
            yield problem(what, remedy)


def _is_erased(account: Account, conversation: Conversation) -> Findings:
    number = conversation.erase()
    left, answer = len(conversation.items()), conversation.transcript()
    if left or answer.status != 404:
        what = f"{left} items of {MARKED} are left; the transcript API answers {answer.status}"
        yield problem(what, "run it again")
    else:
        yield well(f"erased: {number} items deleted, and the transcript API knows it no more")
