"""One trace from a flow's block to ASAPP, and from the webhook's queue to the event bus."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publish_utterance import handler as publish_utterance
from shared import table
from shared.runtime import trace_header, trace_id, traceparent
from shared.transcripts.utterance import Utterance
from start_streaming import handler as start_streaming
from store_transcript.batch import Message
from store_transcript.utterance_table import UtteranceTable
from tests.unit.conftest import Context, Vendor, flow_event
from tests.unit.transcripts.test_store_transcript import body_of

ROOT, PARENT = "1-5759e988-bd862e3fe1be46a994272793", "53995c3f42cd8ad8"
HEADER = f"Root={ROOT};Parent={PARENT};Sampled=1"


def test_asapp_and_the_log_get_the_trace_of_the_flows_block(
    vendor: Vendor,
    started_environment: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", f"{HEADER};Lineage=1:aa:0")
    with caplog.at_level(logging.INFO):
        start_streaming.handler(flow_event(), Context())
    ((_, headers, _),) = vendor.requests
    assert headers["traceparent"] == f"00-5759e988bd862e3fe1be46a994272793-{PARENT}-01"
    assert [each.traceId for each in caplog.records if hasattr(each, "traceId")] == [ROOT]


def test_without_a_trace_asapp_gets_no_header(vendor: Vendor, started_environment: None) -> None:
    start_streaming.handler(flow_event(), Context())
    assert "traceparent" not in vendor.requests[0][1]


@pytest.mark.parametrize(
    ("header", "parent"),
    [
        (HEADER, f"00-5759e988bd862e3fe1be46a994272793-{PARENT}-01"),
        (HEADER[:-1] + "0", f"00-5759e988bd862e3fe1be46a994272793-{PARENT}-00"),
        (f"Root={ROOT};Parent={PARENT}", f"00-5759e988bd862e3fe1be46a994272793-{PARENT}-00"),
        (f"Root={ROOT}", ""),
        ("", ""),
        ("words of somebody", ""),
    ],
)
def test_the_trace_is_written_as_opentelemetry_does(
    header: str, parent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", header)
    assert traceparent() == parent
    assert trace_id() == (ROOT if ROOT in header else "")


def record(**attributes: str) -> dict[str, Any]:
    sent = {"SentTimestamp": "1795413009918"}
    return {"messageId": "m-1", "body": body_of(1), "attributes": sent | attributes}


def event_of(record: dict[str, Any]) -> dict[str, str]:
    """What the bus gets of a message of the queue."""
    message = Message.from_record(record)
    utterance = Utterance.from_message(message.body)
    item = UtteranceTable(None, "t", 60).item(utterance, message.received_at_ms, message.trace)
    image = table.values(item)
    said = publish_utterance.detail(image, {}, sender_id=False)
    return publish_utterance.entry(said, "bus", image.get("trace", ""))


def test_the_trace_of_the_webhooks_request_goes_on_to_the_event_bus() -> None:
    entry = event_of(record(AWSTraceHeader=f"{HEADER};Lineage=1:aa:0"))
    assert entry["TraceHeader"] == HEADER
    assert "trace" not in entry["Detail"]


@pytest.mark.parametrize("attributes", [{}, {"AWSTraceHeader": "words of somebody"}])
def test_an_utterance_without_a_trace_is_published_without_one(attributes: dict[str, str]) -> None:
    assert "TraceHeader" not in event_of(record(**attributes))


@given(st.text())
def test_nothing_but_a_trace_becomes_one(text: str) -> None:
    """EventBridge refuses an event with a malformed header, and the utterance with it."""
    for header in (trace_header(text), trace_header(f"{text}Root={ROOT};{text}")):
        assert re.fullmatch(
            r"(Root=1-[0-9a-f]{8}-[0-9a-f]{24}(;Parent=[0-9a-f]{16})?(;Sampled=[01])?)?", header
        )


def test_an_item_of_the_table_holds_the_trace_beside_the_utterance() -> None:
    message = Message.from_record(record(AWSTraceHeader=HEADER))
    utterance = Utterance.from_message(message.body)
    item = UtteranceTable(None, "t", 60).item(utterance, 1, message.trace)
    assert table.values(item)["trace"] == HEADER
