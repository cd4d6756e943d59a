"""Flows that pass: ours, and those that others published."""

from __future__ import annotations

import connect_flow.flow
import connect_flow.lint
import pytest

from connect_flows.flow import Flow
from connect_flows.flow_content import parse
from connect_flows.rules import examine, unknown_types
from tests.flow_builders import published
from tests.flows.rules.rule_rows import LETTERS, READY_MADE


@pytest.mark.parametrize("name", READY_MADE)
def test_what_we_make_passes(name: str) -> None:
    made = READY_MADE[name]
    content = made.content()
    assert examine(content, made.type if isinstance(made, Flow) else "MODULE", margin=56_000) == []
    assert unknown_types(content) == []
    assert connect_flow.lint.check(connect_flow.flow.parse(made.to_json())) == []


@pytest.mark.parametrize(
    ("name", "takers"),
    [
        ("agent-whisper-connect-samples.json", "I Q AW CW OW TA TQ"),
        ("customer-queue-connect-samples.json", "Q CH AH"),
        ("module-asapp-generativeagent.json", "M"),
    ],
)
def test_what_others_published_passes_where_its_blocks_are_allowed(name: str, takers: str) -> None:
    content = parse(published(name))
    assert unknown_types(content) == []
    taken = {letter for letter, type in LETTERS.items() if not examine(content, type)}
    assert taken == set(takers.split())
