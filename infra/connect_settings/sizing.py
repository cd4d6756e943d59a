"""What calls need of each part, and how much there is: for settings, doctor, docs/limits.md.

Every number is for the most calls at a time. An estimate is on the high side.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import NamedTuple

UTTERANCES_A_MINUTE = 10
"""ASAPP posts about so many for a call."""
PEAK = 3
"""A peak has so many times the usual utterances, and the webhook lets them in."""
LEAST_THROTTLE = 1_000
"""Requests a second. Callers without a credential take room, too, and a refusal costs next to
nothing. So it is far above what a few calls need: a tenth of what an account has for all APIs."""
LEAST_OF_AN_ADDRESS = 100
"""Requests a second. For 50 calls, ASAPP sends nine in all."""
_FUNCTION_SECONDS = 7
_SHORTEST_CALL_SECONDS = 60
_CALL_SECONDS = 5 * 60
BUSY_HOURS_A_DAY = 8
_REQUESTS_A_CALL = 5
"""To ASAPP: a start, a stop, one of each for a hold or transfer, and a comparison."""
_WRITE_UNITS_AN_UTTERANCE = 5
"""With the times of each word it has up to 5 KB; without, 1 to 2."""
_SHARD_WRITE_UNITS = 1_000
CHANGES_A_CALL = 4
"""Of what an agent does: the call comes, connects, ends, and is cleared."""
HEARTBEAT_SECONDS = 120
_EVENTS_AN_AGENT = 1 / HEARTBEAT_SECONDS + CHANGES_A_CALL / _CALL_SECONDS
_AGENT_EVENT_BYTES = 10_000
"""An event has the agent's routing profile with all its queues, as it was and as it is: the
sandbox's, with one queue, are of 2 KB."""
_SHARD_RECORDS, _SHARD_BYTES = 1_000, 1_048_576
"""A second:
https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html"""
_CONSUMERS_OF_A_QUEUE = 1_000
"""AWS allows no more."""
NEW_TABLE_WRITE_UNITS = 4_000
"""Writes a second that a new on-demand table sustains."""
FOR_OTHER_FUNCTIONS = 100
"""AWS refuses a reservation that leaves less than this to functions without one:
https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionConcurrency.html"""


def utterances_a_second(calls: int) -> int:
    """ASAPP's POSTs, usually."""
    return ceil(calls * UTTERANCES_A_MINUTE / 60)


def utterances_in_a_peak(calls: int) -> int:
    """ASAPP's POSTs a second, at most."""
    return ceil(PEAK * calls * UTTERANCES_A_MINUTE / 60)


def throttle_rate(calls: int) -> int:
    """Requests a second that the webhook accepts: a peak, and what a web ACL lets through of an
    address that floods it."""
    return max(LEAST_THROTTLE, 2 * utterances_in_a_peak(calls))


def throttle_burst(rate: int) -> int:
    """Requests that the webhook accepts at once."""
    return 2 * rate


def requests_of_an_address_a_minute(calls: int) -> int:
    """What a web ACL lets through: a whole peak, because ASAPP may send all from one address."""
    return 60 * max(LEAST_OF_AN_ADDRESS, utterances_in_a_peak(calls))


def starts(calls: int) -> int:
    """Invocations at a time, and as many for stops."""
    return max(10, ceil(calls * _FUNCTION_SECONDS / _SHORTEST_CALL_SECONDS))


def authorizers(calls: int) -> int:
    """Invocations at a time."""
    return max(10, ceil(calls / 20))


def consumers(calls: int) -> int:
    """Invocations at a time that store utterances: batches of ten in a peak, of two seconds."""
    return min(_CONSUMERS_OF_A_QUEUE, max(5, ceil(calls / 10)))


def write_units_a_second(calls: int) -> int:
    """In a peak."""
    return _WRITE_UNITS_AN_UTTERANCE * utterances_in_a_peak(calls)


def warm_write_units(calls: int) -> int | None:
    """What the table must sustain from its first day. None: a new one does."""
    units = write_units_a_second(calls)
    return units if units > NEW_TABLE_WRITE_UNITS else None


def publishers(calls: int) -> int:
    """Invocations at a time that publish: one for each shard of the table's stream."""
    return ceil(max(NEW_TABLE_WRITE_UNITS, write_units_a_second(calls)) / _SHARD_WRITE_UNITS)


def invocations(calls: int) -> int:
    """At a time, of all functions of the account."""
    ours = 2 * starts(calls) + authorizers(calls) + consumers(calls) + publishers(calls)
    return ours + FOR_OTHER_FUNCTIONS


def agent_event_shards(calls: int) -> int:
    """In a peak, with an agent for each call."""
    events = PEAK * calls * _EVENTS_AN_AGENT
    return ceil(max(events / _SHARD_RECORDS, events * _AGENT_EVENT_BYTES / _SHARD_BYTES))


def asapp_requests_a_second(calls: int) -> int:
    return ceil(calls * _REQUESTS_A_CALL / _CALL_SECONDS)


def asapp_requests_a_day(calls: int) -> int:
    """With that many calls at a time for eight hours."""
    return calls * _REQUESTS_A_CALL * BUSY_HOURS_A_DAY * 3_600 // _CALL_SECONDS


class Quota(NamedTuple):
    """One of Service Quotas.

    :param documented: AWS's default, used if the account's own quota cannot be read.
    """

    service: str
    code: str
    documented: int


class Part(NamedTuple):
    """A part of the path, and how much of it there may be.

    :param needed: How much so many calls at a time need.
    :param quota: That of an account in a region; a number if the account cannot read or raise it.
    :param source: Where the limit is documented.
    """

    name: str
    needed: Callable[[int], int]
    quota: Quota | int
    source: str

    @property
    def documented(self) -> int:
        return self.quota if isinstance(self.quota, int) else self.quota.documented

    def carries(self, limit: int) -> int:
        """The most calls at a time that need no more than this."""
        fits, too_many = 0, 1_000_000
        while too_many - fits > 1:
            calls = (fits + too_many) // 2
            fits, too_many = (calls, too_many) if self.needed(calls) <= limit else (fits, calls)
        return fits


_AWS = "https://docs.aws.amazon.com"
_ASAPP_LIMITS = "https://docs.asapp.com/getting-started/developers/rate-limits"
_PUT_EVENTS = dict.fromkeys(("us-east-1", "us-west-2", "eu-west-1"), 10_000)
_PUT_EVENTS |= dict.fromkeys(("us-east-2", "eu-central-1", "eu-south-2"), 2_400)
_PUT_EVENTS |= dict.fromkeys(
    ("us-west-1", "ap-northeast-1", "ap-southeast-1", "ap-southeast-2", "eu-west-2"), 1_200
)
_PUT_EVENTS |= dict.fromkeys(
    ("ap-east-1", "ap-northeast-2", "ap-south-1", "ca-central-1", "eu-north-1", "eu-west-3"), 600
)
_PUT_EVENTS |= {"sa-east-1": 600}
_PUT_EVENTS_ELSEWHERE = 400
LAMBDA = "Lambda, invocations at a time"
CONNECT_CALLS = Quota("connect", "L-12AB7C57", 10)
"""Of one instance, at a time."""
VIDEO_STREAMS = Quota("kinesisvideo", "L-F06528A6", 10_000)
"""Of an account in a region. Connect makes one for each call at a time."""


def parts(region: str) -> tuple[Part, ...]:
    """Whatever may be too small for many calls."""
    put_events = _PUT_EVENTS.get(region, _PUT_EVENTS_ELSEWHERE)
    return (
        Part(
            "API Gateway, requests a second",
            utterances_in_a_peak,
            Quota("apigateway", "L-8A5B8E43", 10_000),
            f"{_AWS}/apigateway/latest/developerguide/limits.html",
        ),
        Part(
            LAMBDA,
            invocations,
            Quota("lambda", "L-B99A9384", 1_000),
            f"{_AWS}/lambda/latest/dg/gettingstarted-limits.html",
        ),
        Part(
            "DynamoDB, write units a second of a table",
            write_units_a_second,
            Quota("dynamodb", "L-AB614373", 40_000),
            f"{_AWS}/amazondynamodb/latest/developerguide/ServiceQuotas.html",
        ),
        Part(
            # If each has one event; in a peak they fill, up to ten.
            "EventBridge, PutEvents a second",
            utterances_a_second,
            Quota("events", "L-9B653E91", put_events),
            f"{_AWS}/eventbridge/latest/userguide/eb-quota.html",
        ),
        Part("ASAPP, requests a second", asapp_requests_a_second, 100, _ASAPP_LIMITS),
        Part("ASAPP, requests a day", asapp_requests_a_day, 50_000, _ASAPP_LIMITS),
    )


def parts_around() -> tuple[Part, ...]:
    """What carries the calls before and behind the path, for docs/limits.md."""
    return (
        Part(
            "Amazon Connect, calls at a time of an instance",
            lambda calls: calls,
            CONNECT_CALLS,
            f"{_AWS}/connect/latest/adminguide/amazon-connect-service-limits.html",
        ),
        Part(
            "Kinesis Video Streams, streams",
            lambda calls: calls,
            VIDEO_STREAMS,
            f"{_AWS}/kinesisvideostreams/latest/dg/service-quotas.html",
        ),
        Part(
            "Lambda, invocations at a time for one queue",
            lambda calls: ceil(calls / 10),
            _CONSUMERS_OF_A_QUEUE,
            f"{_AWS}/lambda/latest/dg/services-sqs-scaling.html",
        ),
    )


def in_order_of_need(region: str) -> list[Part]:
    """What may be too small, with AWS's and ASAPP's defaults: the first to be so comes first."""
    every = (*parts(region), *parts_around())
    return sorted(every, key=lambda part: part.carries(part.documented))
