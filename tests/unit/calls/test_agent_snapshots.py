"""What has happened to an agent's calls, read from the two snapshots of an agent event."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.connect.agent_snapshots import (
    ContactChange,
    NotAnAgentEvent,
    contact_changes,
    is_contact_record,
)

ADA = "arn:aws:connect:us-east-1:111111111111:instance/i-1/agent/ada"
AT = "2026-11-23T07:00:00.250Z"
AT_MS = 1795417200250
ALL_STATES = [
    "INCOMING",
    "PENDING",
    "CONNECTING",
    "CONNECTED",
    "CONNECTED_ONHOLD",
    "MISSED",
    "PAUSED",
    "REJECTED",
    "ERROR",
    "ENDED",
]
Json = dict[str, Any]


def contact(state: str, contact_id: str = "c-1", **changes: Any) -> Json:
    return {
        "ContactId": contact_id,
        "InitialContactId": None,
        "Channel": "VOICE",
        "InitiationMethod": "INBOUND",
        "State": state,
        "StateStartTimestamp": "2026-11-23T06:59:00.000Z",
        "ConnectedToAgentTimestamp": "2026-11-23T06:59:00.000Z",
        "QueueTimestamp": "2026-11-23T06:58:00.000Z",
        "Queue": {"ARN": "arn:of:queue", "Name": "Basic", "Channels": ["VOICE"]},
        "GlobalResiliencyMetadata": None,
    } | changes


def snapshot(*contacts: Json, status: str = "Available", level: str = "Level") -> Json:
    return {
        "AgentStatus": {
            "ARN": "arn:of:status",
            "Name": status,
            "StartTimestamp": AT,
            "Type": "ROUTABLE",
        },
        "NextAgentStatus": None,
        "Configuration": {
            "FirstName": "Ada",
            "LastName": "L",
            "Username": "ada",
            "RoutingProfile": {"ARN": "arn:of:profile", "Name": "Basic", "Concurrency": []},
            "AgentHierarchyGroups": None,
            "Proficiencies": [{"Name": "language", "Value": "en", level: 4.0}],
        },
        "Contacts": list(contacts),
        "AgentCrossRegionRoutingConfiguration": None,
    }


def event(before: Json | None, after: Json | None, kind: str = "STATE_CHANGE") -> Json:
    return {
        "AgentARN": ADA,
        "AWSAccountId": "111111111111",
        "CurrentAgentSnapshot": after,
        "PreviousAgentSnapshot": before,
        "EventId": "477f2c4f-cd1a-4785-b1a8-97023dc1229d",
        "EventTimestamp": AT,
        "EventType": kind,
        "InstanceARN": "arn:aws:connect:us-east-1:111111111111:instance/i-1",
        "Version": "2017-10-01",
    }


def states(before: Json | None, after: Json | None, kind: str = "STATE_CHANGE") -> Json:
    changes = contact_changes(event(before, after, kind))
    return {change.contact_id: change.state for change in changes}


def test_a_change_names_the_call_its_first_contact_the_agent_and_the_time() -> None:
    after = snapshot(contact("CONNECTED", "c-2", InitialContactId="c-1"))
    before = snapshot(contact("CONNECTING", "c-2", InitialContactId="c-1"))
    assert contact_changes(event(before, after)) == [
        ContactChange("c-2", "c-1", ADA, "connected", AT_MS)
    ]


def test_a_first_contact_is_the_first_of_its_own_chain() -> None:
    initials: list[Any] = [None, "", 5, {}]
    for initial in initials:
        after = snapshot(contact("CONNECTED", InitialContactId=initial))
        (change,) = contact_changes(event(snapshot(), after))
        assert change.initial_contact_id == "c-1"


@pytest.mark.parametrize(
    ("before", "after", "seen"),
    [
        ("INCOMING", "CONNECTING", None),
        ("INCOMING", "CONNECTED", "connected"),
        ("PENDING", "CONNECTED", "connected"),
        ("CONNECTING", "CONNECTED", "connected"),
        ("CONNECTED", "CONNECTED_ONHOLD", "paused"),
        ("CONNECTED_ONHOLD", "CONNECTED", "connected"),
        ("CONNECTED", "ENDED", "ended"),
        ("CONNECTED_ONHOLD", "ENDED", "ended"),
        ("INCOMING", "MISSED", "ended"),
        ("INCOMING", "REJECTED", "ended"),
        ("CONNECTING", "ERROR", "ended"),
        ("MISSED", "ENDED", None),
        ("CONNECTED", "CONNECTING", None),
        ("CONNECTED", "A_STATE_OF_TOMORROW", None),
    ],
)
def test_a_call_that_moves_from_one_state_to_another(
    before: str, after: str, seen: str | None
) -> None:
    expected = {"c-1": seen} if seen else {}
    assert states(snapshot(contact(before)), snapshot(contact(after))) == expected


@pytest.mark.parametrize("state", ALL_STATES)
def test_a_call_whose_state_stays_says_nothing_whatever_else_changes(state: str) -> None:
    same = contact(state)
    later = contact(state, StateStartTimestamp=AT)
    assert states(snapshot(same), snapshot(later, status="Lunch")) == {}
    for kind in ("HEART_BEAT", "LOGIN", "LOGOUT"):
        assert states(snapshot(same), snapshot(same), kind) == {}


@pytest.mark.parametrize("state", ALL_STATES)
def test_a_call_that_disappears_is_over_for_the_agent(state: str) -> None:
    was_over = state in ("ENDED", "MISSED", "REJECTED", "ERROR")
    assert states(snapshot(contact(state)), snapshot()) == ({} if was_over else {"c-1": "ended"})
    if not was_over:
        assert states(snapshot(contact(state)), None) == {"c-1": "ended"}


def test_a_change_is_seen_in_a_heartbeat_too_and_where_the_code_did_not_know_the_agent() -> None:
    hold = snapshot(contact("CONNECTED_ONHOLD"))
    assert states(snapshot(contact("CONNECTED")), hold, "HEART_BEAT") == {"c-1": "paused"}
    assert states(None, hold) == {"c-1": "paused"}
    assert states(None, snapshot(contact("INCOMING"))) == {}


@pytest.mark.parametrize("kind", ["LOGIN", "LOGOUT", "HEART_BEAT"])
def test_an_agent_without_calls_says_nothing(kind: str) -> None:
    assert states(None, snapshot(), kind) == {}
    assert states(snapshot(), snapshot(status="Offline"), kind) == {}
    assert states(None, None, kind) == {}


@pytest.mark.parametrize("channel", ["CHAT", "TASK", "TASKS", "EMAIL", "", None, 5])
def test_a_chat_or_task_beside_a_call_is_not_followed(channel: Any) -> None:
    chat = contact("CONNECTED", "chat", Channel=channel)
    paused = contact("PAUSED", "chat", Channel=channel)
    before = snapshot(chat, contact("CONNECTED"))
    assert states(before, snapshot(paused, contact("CONNECTED_ONHOLD"))) == {"c-1": "paused"}
    assert states(before, snapshot(contact("CONNECTED"))) == {}
    assert states(snapshot(contact("CONNECTED")), before) == {}


def test_the_channel_is_read_in_either_casing() -> None:
    assert states(None, snapshot(contact("CONNECTED", Channel="Voice"))) == {"c-1": "connected"}


@pytest.mark.parametrize("method", ["INBOUND", "API", "WEBRTC_API", "MONITOR", "", None, 5, []])
def test_a_call_is_seen_however_it_began(method: Any) -> None:
    after = snapshot(contact("CONNECTED", InitiationMethod=method))
    assert states(snapshot(), after) == {"c-1": "connected"}


@pytest.mark.parametrize(
    ("connected_at", "seen"),
    [
        ("2026-11-23T04:14:00Z", {"c-1": "connected"}),
        ("2026-11-23T04:16:00Z", {}),
        ("0001-01-01T00:00:00Z", {}),
        ("1970-01-01T00:00:00Z", {}),
        (None, {}),
    ],
)
def test_a_call_of_nearly_three_hours_is_named_at_each_event(
    connected_at: str | None, seen: Json
) -> None:
    long = snapshot(contact("CONNECTED", ConnectedToAgentTimestamp=connected_at))
    assert states(long, long, "HEART_BEAT") == seen
    held = snapshot(contact("CONNECTED_ONHOLD", ConnectedToAgentTimestamp=connected_at))
    assert states(held, held, "HEART_BEAT") == {}


def test_a_contact_record_is_told_from_an_agent_event() -> None:
    contact_record = {"AWSContactTraceRecordFormatVersion": "2017-03-10", "Agent": None}
    assert is_contact_record(contact_record)
    assert not is_contact_record(event(None, None))
    assert not is_contact_record({"AgentARN": ""})
    assert not is_contact_record(["AWSContactTraceRecordFormatVersion"])


def test_several_calls_change_in_one_event() -> None:
    before = snapshot(contact("CONNECTED"), contact("INCOMING", "c-2"), contact("ENDED", "c-3"))
    after = snapshot(
        contact("CONNECTED_ONHOLD"), contact("CONNECTED", "c-2"), contact("CONNECTING", "c-4")
    )
    assert states(before, after) == {"c-1": "paused", "c-2": "connected"}


def test_a_proficiency_is_read_in_both_spellings() -> None:
    for level in ("Level", "ProficiencyLevel"):
        after = snapshot(contact("ENDED"), level=level)
        assert states(snapshot(contact("CONNECTED"), level=level), after) == {"c-1": "ended"}


@pytest.mark.parametrize("body", [None, [], "text", 5, {}, {"AgentARN": None}, {"AgentARN": ""}])
def test_what_has_no_agent_is_no_agent_event(body: object) -> None:
    with pytest.raises(NotAnAgentEvent, match="it has no AgentARN"):
        contact_changes(body)


@pytest.mark.parametrize(
    "at",
    [
        *(None, "", "yesterday", 5, [], "0001-01-01T00:00:00", "0001-01-01T00:00:00Z"),
        *("1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z"),
    ],
)
def test_what_has_no_time_is_no_agent_event(at: object) -> None:
    with pytest.raises(NotAnAgentEvent, match="it has no EventTimestamp"):
        contact_changes(event(None, None) | {"EventTimestamp": at})


@pytest.mark.parametrize("contacts", [None, 5, "c-1", {"c-1": {}}, [None], [5], [[]], [{}]])
def test_contacts_of_another_shape_are_no_calls(contacts: object) -> None:
    odd = snapshot() | {"Contacts": contacts}
    assert states(odd, odd) == {}
    assert states(odd, snapshot(contact("CONNECTED"))) == {"c-1": "connected"}
    wholes: list[Any] = [5, [], "x"]
    for whole in wholes:
        assert contact_changes(event(None, None) | {"CurrentAgentSnapshot": whole}) == []


@pytest.mark.parametrize("field", ["ContactId", "Channel", "State"])
@pytest.mark.parametrize("value", [{}, [], {"a": 1}, ["a"], 5, True, ""])
def test_a_field_of_another_type_is_as_good_as_none(field: str, value: Any) -> None:
    after = snapshot(contact("CONNECTED", **{field: value}), contact("CONNECTED", "c-9"))
    assert states(snapshot(), after) == {"c-9": "connected"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
contacts = st.fixed_dictionaries(
    {},
    optional={
        "ContactId": st.sampled_from(["c-1", "c-2"]) | json_values,
        "InitialContactId": st.sampled_from(["c-1", "c-2"]) | json_values,
        "Channel": st.sampled_from(["VOICE", "CHAT"]) | json_values,
        "InitiationMethod": st.sampled_from(["INBOUND", "MONITOR"]) | json_values,
        "State": st.sampled_from(ALL_STATES) | json_values,
    },
)
snapshots = st.fixed_dictionaries({"Contacts": st.lists(contacts | json_values) | json_values})
events = st.fixed_dictionaries(
    {},
    optional={
        "AgentARN": st.just(ADA) | json_values,
        "EventTimestamp": st.just(AT) | st.datetimes().map(str) | json_values,
        "PreviousAgentSnapshot": snapshots | json_values,
        "CurrentAgentSnapshot": snapshots | json_values,
    },
)


@given(events | json_values)
def test_garbage_is_refused_in_one_way_and_read_as_strings_else(body: object) -> None:
    try:
        changes = contact_changes(body)
    except NotAnAgentEvent as problem:
        assert str(problem) in ("it has no AgentARN", "it has no EventTimestamp")
        return
    for change in changes:
        assert change.contact_id and isinstance(change.contact_id, str)
        assert change.initial_contact_id and isinstance(change.initial_contact_id, str)
        assert change.state in ("connected", "paused", "ended")
        json.dumps(change.at_ms)
    assert len({change.contact_id for change in changes}) == len(changes)


@given(st.lists(st.sampled_from(ALL_STATES), max_size=12))
def test_the_changes_of_consecutive_snapshots_add_up_to_the_last_state(path: list[str]) -> None:
    meaning = {"CONNECTED": "connected", "CONNECTED_ONHOLD": "paused"}
    meaning |= dict.fromkeys(("ENDED", "ERROR", "MISSED", "REJECTED"), "ended")
    last = None
    before = snapshot()
    for state in path:
        after = snapshot(contact(state))
        last = states(before, after).get("c-1", last)
        before = after
    said = [meaning[state] for state in path if state in meaning]
    assert last == (said[-1] if said else None)
