"""What a call does, and how long each function runs. A test or a page stands behind each number.

An estimate is on the high side. What the repository has measured is compared with this file by
tests/tools/cost/test_facts.py; what nobody could measure without AWS is called *stated*.
"""

from __future__ import annotations

from connect_settings import sizing

UTTERANCES_A_MINUTE = sizing.UTTERANCES_A_MINUTE
"""ASAPP's own figure: docs/limits.md."""

DAYS_A_MONTH = 365 / 12
MINUTES_A_MONTH = DAYS_A_MONTH * 24 * 60
BUSY_SECONDS_A_MONTH = DAYS_A_MONTH * sizing.BUSY_HOURS_A_DAY * 3_600

# The table. An item of up to 1 KB is one write unit; in a transaction it is two.
UPDATES_A_CALL, TRANSACTIONS_A_CALL, READS_A_CALL = 4, 2, 4
"""Of the conversation's item: ``test_a_quiet_call_costs_this_much``."""
STREAMS_A_TRANSACTION = 2
"""Items of streams that are written with the conversation: the caller's and the agent's."""
CONVERSATION_UNITS = 2
"""With ids of Connect's length the item has 1 to 2 KB."""
INDEX_UNITS_A_CALL = 8
"""Its place in the index: put there, moved by three updates, taken out; a move is two units."""
RECONCILIATION_UPDATES_A_CALL = 3
"""A lease, a count of the tries, the result."""
UTTERANCE_UNITS, UTTERANCE_UNITS_WITH_TOKENS = 2, 5
"""With its message, as it came, one of over a hundred characters has more than 1 KB; with the times
of each word up to 5."""
UTTERANCE_BYTES, UTTERANCE_BYTES_WITH_TOKENS = 1_200, 5_000
CALL_BYTES = 3_000
"""Of the items of a call that are no utterances."""
QUERIES_A_RUN = {"reconcile_transcript": 32, "erase_conversation": 1, "hold_conversation": 2}
"""Of a scheduled run that finds nothing, in the index. Reconciliation: eight keys, four times:
calls in progress, ended, silent, waiting for the export. Erasing: one key. Holds: one, of the table
itself, consistently."""


# Agent events
def agent_events_a_call(minutes: float) -> float:
    """Changes, and heartbeats while nothing changes."""
    return sizing.CHANGES_A_CALL + minutes * 60 / sizing.HEARTBEAT_SECONDS


# Functions: billed milliseconds of a warm invocation. Stated, but for two of decision 0002.
MILLISECONDS = {
    "start_streaming": 500,  # it waits for ASAPP
    "stop_streaming": 500,  # so does it
    "authorize_webhook": 20,
    "store_transcript": 25,  # decision 0002
    "publish_utterance": 25,  # decision 0002
    "follow_agent_events": 40,  # two calls of DynamoDB, or none for a heartbeat
    "follow_contact_events": 40,
    "reconcile_transcript": 300,  # a run that finds nothing: 32 queries, and the switch
    "read_transcript": 100,
    "hold_conversation": 50,  # a run that finds no hold: one query
    "export_utterances": 3_000,
    "erase_conversation": 50,  # a run that finds nothing: one query
    "publish_live": 40,  # one or two requests to AppSync
    "authorize_live": 40,
    "read_live": 150,
    "put_page": 3_000,  # at a deployment
}
RECONCILIATION_MILLISECONDS_A_CALL = 500
"""Stated: one GET to ASAPP, four requests to DynamoDB."""

# The live page. Stated, but for what is sent: publish_live's `messages`.
LIVE_SUPERVISORS = 5
"""Pages of supervisors that are open in the busy hours, each with the list and one call."""
LIVE_CHANGES_A_CALL = 6
"""Events of a conversation, beside those of its utterances."""
LIVE_OPENINGS_A_CALL = 2
"""The tab of its agent, and a supervisor: each subscribes to it."""
LIVE_READS_AN_OPENING = 4
"""At the beginning, while it is silent, and after its end; and one a minute, as of the list."""
LIVE_LIST_QUERIES = 16
"""Of the list's index, before the items of the calls are read."""
LIVE_CHANNELS_AN_EVENT = 2
"""Of the call and of the list."""
LIVE_REQUESTS_AN_OPENING = 6
"""For files of the page: what a browser may not keep, and once the rest."""
LIVE_BYTES_AN_OPENING = 40_000
"""Compressed, as if no browser kept anything: docs/live.md."""

# Log lines. Stated: Lambda's start and report in JSON, and one line of ours.
LOG_BYTES_AN_INVOCATION = 1_200
ACCESS_LOG_BYTES_A_REQUEST = 500

# Queues. An event source mapping keeps five pollers, each waiting up to 20 seconds:
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
EMPTY_RECEIVES_A_MONTH = 5 * 3 * MINUTES_A_MONTH
REQUESTS_A_MESSAGE = 3
"""Send, receive, delete: one message a batch, as with few calls at a time (decision 0002)."""

# X-Ray, in each function and each stage that traces: the first request of a second, and 5 % of the
# others: https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html
TRACED_SHARE = 0.05

DETAILED_METRICS_A_METHOD = 5
"""Of an API's stage: requests, 4xx, 5xx, latency, the integration's latency."""

# Keys of yours. SQS and DynamoDB keep a data key for five minutes; stated: EventBridge keeps none.
DATA_KEYS_A_MONTH = 2 * MINUTES_A_MONTH / 5

# The export. Stated.
EXPORT_BYTES_AN_UTTERANCE = 500

# Not ours: linear PCM of 8 kHz and 16 bits, both directions.
AUDIO_BYTES_A_MINUTE = 2 * 16_000 * 60
