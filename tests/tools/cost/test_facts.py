"""What `make cost` takes for granted of a call is what the repository measures."""

from __future__ import annotations

import json
from math import ceil
from typing import Any

import pytest

from connect_settings import sizing
from reconcile_transcript.due_conversations import look_at_due
from reconcile_transcript.transcripts import Transcripts
from sandbox.connect.agent_event_stream import AgentEvents
from sandbox.connect.contact import Agent, Contact
from shared import table
from shared.runtime import SYSTEM_CLOCK, Deadline
from shared.transcripts.utterance import Utterance
from tests.unit.calls.test_observations_are_kept import NOTE, OBSERVATION, Functions, functions
from tools.cost import facts

__all__ = ["functions"]  # a fixture
UUID = "9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa"


def test_a_quiet_call_is_so_many_requests_to_the_table(functions: Functions) -> None:
    """As test_a_quiet_call_costs_this_much has it."""
    functions.start(0, "ada")
    functions.agent(1, "ada", "CONNECTING", "CONNECTED")
    functions.agent(100, "ada", "CONNECTED", "ENDED")
    functions.stop(102, "c-2", method="DISCONNECT")
    functions.over(104)
    functions.run()
    calls = functions.dynamodb.table.calls
    assert calls.count(OBSERVATION) == facts.UPDATES_A_CALL
    assert calls.count(NOTE) == facts.TRANSACTIONS_A_CALL
    assert calls.count("GetItem") == facts.READS_A_CALL
    assert len(calls) == facts.UPDATES_A_CALL + facts.TRANSACTIONS_A_CALL + facts.READS_A_CALL
    items = functions.dynamodb.table.items
    assert sum(key[1].startswith("stream#") for key in items) == facts.STREAMS_A_TRANSACTION
    conversation = size(items["c-1", "conversation"])
    for id, times in (("c-1", 4), ("i-1", 3)):  # Connect's ids have 36 characters
        conversation += times * (len(UUID) - len(id))
    assert ceil(conversation / 1_024) == facts.CONVERSATION_UNITS


def size(item: dict[str, dict[str, Any]]) -> int:
    """In bytes, as DynamoDB counts: names and values, a number by its digits."""
    total = 0
    for name, value in item.items():
        ((kind, content),) = value.items()
        texts = content if isinstance(content, list) else [content]
        total += len(name)
        total += sum(len(str(each).encode()) // (2 if kind == "N" else 1) + 1 for each in texts)
    return total


@pytest.mark.parametrize(("characters", "units"), [(20, 1), (100, 1), (250, facts.UTTERANCE_UNITS)])
def test_a_long_utterance_is_so_many_units_and_a_short_one_fewer(
    characters: int, units: int
) -> None:
    message = {
        "type": "transcript",
        "externalConversationId": UUID,
        "streamId": UUID,
        "sender": {"externalId": "+4915550100199", "role": "customer"},
        "autotranscribeResponse": {
            "message": "transcript",
            "start": 128_000,
            "end": 133_900,
            "utterance": [{"text": "words " * (characters // 6)}],
        },
    }
    item = Utterance.from_message(json.dumps(message)).item(
        received_at_ms=1_795_413_009_918, stored_at_ms=1_795_413_010_416, expires_at_s=1_798_005_010
    )
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    stored = size(table.attributes(item | {"trace": trace}))
    assert ceil(stored / 1_024) == units
    assert stored <= facts.UTTERANCE_BYTES


class Counting:
    """A client whose index is empty."""

    queries = 0

    def get_paginator(self, operation: str) -> Counting:
        assert operation == "query"
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        self.queries += 1
        return []


class NothingRefused:
    refusal = ""

    def stopped_until(self, _: object) -> None:
        return None


def test_a_run_of_reconciliation_is_so_many_queries() -> None:
    client = Counting()
    transcripts = Transcripts(client, "table", 86_400)
    transcripts.in_progress(0)
    nothing: Any = NothingRefused()
    deadline = Deadline(60, SYSTEM_CLOCK)
    look_at_due(transcripts, nothing, nothing, deadline, after_ms=1, export_ms=1)
    assert client.queries == facts.QUERIES_A_RUN["reconcile_transcript"]


def test_the_sandboxs_agent_events_are_of_two_kilobytes() -> None:
    """With one queue. Connect's have every queue of the agent, twice: sizing assumes 10 KB."""
    sent: list[dict[str, Any]] = []
    instance = f"arn:aws:connect:eu-central-1:111122223333:instance/{UUID}"
    events = AgentEvents(instance, sent.append)
    agent = Agent("ada.lovelace", f"{instance}/agent/{UUID}", "Ada", "Lovelace")
    contact = Contact(UUID, instance)
    for state in ("CONNECTING", "CONNECTED", "ENDED"):
        events.sees(agent, contact, state)
    events.clears(agent, contact)
    assert len(sent) == sizing.CHANGES_A_CALL
    assert 1_000 < max(len(json.dumps(each)) for each in sent) < 3_000


def test_each_function_has_a_duration() -> None:
    from tests.infra.test_alarms import FUNCTIONS

    stated = {"".join(part.title() for part in name.split("_")) for name in facts.MILLISECONDS}
    assert stated == {*FUNCTIONS, "PutPage"}, "the last one runs at a deployment only"
