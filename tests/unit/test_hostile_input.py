"""No input of a stranger does anything but what is documented. ``tests/scale`` has 50,000 more."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile import (
    AGENT_EVENT,
    CONTACT_EVENT,
    CONTACTS,
    KINDS,
    agent_event,
    contact_event,
)


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_nothing_that_a_stranger_sends_does_anything_but_what_is_documented(
    kind: str, data: st.DataObject
) -> None:
    made, read = KINDS[kind]
    read(data.draw(made))


@pytest.mark.parametrize("contact_id", ["half \ud83d", "é" * 2_000, "two\nlines", 7, {}, True])
def test_an_id_that_no_key_of_the_table_can_hold_is_none(contact_id: object) -> None:
    for name in ("contactId", "initialContactId"):
        contact_event({**CONTACT_EVENT, "detail": {**CONTACT_EVENT["detail"], name: contact_id}})
    contacts = [{**CONTACTS[0], "ContactId": contact_id}]
    agent_event(json.dumps(AGENT_EVENT | {"CurrentAgentSnapshot": {"Contacts": contacts}}))
