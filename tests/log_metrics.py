"""The metric filters of the functions' logs, and what they count of the lines that a test caused.

``tests/infra`` compares :data:`FILTERS` with the template. ``tests/unit`` runs the functions.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable
from typing import Any

FILTERS = [
    ("AsappLimitReached", "reconcile_transcript", '{ $.event = "asapp_limit_reached" }', "1"),
    ("CallsInProgress", "reconcile_transcript", '{ $.event = "calls_in_progress" }', "$.calls"),
    ("CallsNotTranscribed", "reconcile_transcript", '{ $.event = "call_not_transcribed" }', "1"),
    (
        "CallsRefused",
        "start_streaming",
        '{ ($.event = "start_streaming") && '
        '(($.status = "rejected") || ($.status = "unavailable")) }',
        "1",
    ),
    (
        "CallsRefused",
        "stop_streaming",
        '{ ($.event = "stop_streaming") && '
        '(($.status = "rejected") || ($.status = "unavailable")) }',
        "1",
    ),
    (
        "CallsStarted",
        "start_streaming",
        '{ ($.event = "start_streaming") && ($.status = "started") }',
        "1",
    ),
    (
        "CallsStopped",
        "stop_streaming",
        '{ ($.event = "stop_streaming") && ($.status = "stopped") }',
        "1",
    ),
    (
        "ConversationsIncomplete",
        "reconcile_transcript",
        '{ $.event = "conversation_incomplete" }',
        "1",
    ),
    ("ExportDaysMissing", "export_utterances", '{ $.event = "export_run" }', "$.daysMissing"),
    ("NumbersNotRedacted", "store_transcript", '{ $.event = "number_not_redacted" }', "1"),
    (
        "PhoneNumbersNotRedacted",
        "store_transcript",
        '{ $.event = "phone_number_not_redacted" }',
        "1",
    ),
    ("RequestsThrottled", "the webhook's requests", '{ $.status = "429" }', "1"),
    (
        "RestartsRefused",
        "follow_agent_events",
        '{ ($.event = "agent_event") && ($.state = "connected") && '
        '(($.status = "rejected") || ($.status = "unavailable")) }',
        "1",
    ),
    (
        "TranscriptionStopped",
        "reconcile_transcript",
        '{ $.event = "calls_in_progress" }',
        "$.stopped",
    ),
    (
        "UtterancesRecovered",
        "reconcile_transcript",
        '{ $.event = "conversation_reconciled" }',
        "$.recovered",
    ),
    (
        "UtterancesNotScreened",
        "store_transcript",
        '{ $.event = "utterances_not_screened" }',
        "$.utterances",
    ),
    (
        "UtterancesRefused",
        "store_transcript",
        '{ $.event = "utterances_refused" }',
        "$.utterances",
    ),
    ("UtterancesStored", "store_transcript", '{ $.event = "utterances_stored" }', "$.utterances"),
]
"""Metric, function, pattern and value."""
EACH_MINUTE = ("CallsInProgress", "TranscriptionStopped")
"""What each run says anew, and nobody adds up."""

_NO_EXTRA = vars(logging.makeLogRecord({})).keys() | {"message", "asctime", "taskName"}


def counted(function: str, records: Iterable[logging.LogRecord]) -> dict[str, float]:
    """By metric, what its filters add up of a function's log lines; no entry if no line matches."""
    lines = [_as_lambda_writes(record) for record in records]
    found: dict[str, float] = {}
    for metric, its_function, pattern, value in FILTERS:
        for line in lines:
            worth = 1 if value == "1" else line.get(value.removeprefix("$."))
            if metric in EACH_MINUTE:
                continue
            if its_function == function and _matches(pattern, line):
                assert isinstance(worth, int), f"CloudWatch counts no {value} of {line}"
                found[metric] = found.get(metric, 0) + worth
    return found


def _as_lambda_writes(record: logging.LogRecord) -> dict[str, Any]:
    """A line of the JSON log format: `extra` stands beside Lambda's own fields, and replaces none.

    Source: awslambdaric, lambda_runtime_log_utils.py, which the managed runtime brings.
    """
    own = {"level": record.levelname, "message": record.getMessage(), "logger": record.name}
    own |= {"timestamp": "2026-11-23T07:00:00.000Z", "requestId": "c1d2"}
    extra = {name: value for name, value in vars(record).items() if name not in _NO_EXTRA}
    line: dict[str, Any] = json.loads(json.dumps({**extra, **own}))
    return {name: value for name, value in line.items() if value is not None}


def _matches(pattern: str, line: dict[str, Any]) -> bool:
    """Of CloudWatch's language: equal strings, joined by ``&&``, ``||`` and parentheses."""
    equal = re.compile(r'\$\.(\w+) = "(\w+)"')
    truth = equal.sub(lambda part: str(line.get(part[1]) == part[2]), pattern.strip("{} "))
    truth = truth.replace("&&", "and").replace("||", "or")
    assert re.fullmatch(r"(True|False|and|or|[() ])+", truth), pattern
    return bool(eval(truth))  # noqa: S307 - of what the line above lets through
