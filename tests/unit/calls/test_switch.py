"""The switch that stops all transcription, through the handlers that would start it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from shared import environment
from shared.asapp.media_gateway import DISABLED, Asapp
from shared.asapp.requests import AsappCredentials
from shared.calls.conversation_table import Conversations
from shared.calls.switch import Switch
from shared.http import Origin
from shared.runtime import Deadline
from start_streaming import handler as start_streaming
from stop_streaming import handler as stop_streaming
from tests.unit.calls.test_follow_events import Call, follow
from tests.unit.conftest import Context, Vendor, VendorHandler, flow_event, hang
from tests.unit.held_clock import HeldClock

pytestmark = pytest.mark.usefixtures("started_environment")


def turn(value: str) -> None:
    """Set the parameter, and let what the process keeps of it lapse."""
    name = os.environ["TRANSCRIPTION_SWITCH"]
    boto3.client("ssm").put_parameter(Name=name, Value=value, Overwrite=True)
    environment.asapp.cache_clear()


def start(**changes: Any) -> dict[str, str]:
    return start_streaming.handler(flow_event(**changes), Context())


def stop() -> dict[str, str]:
    return stop_streaming.handler(flow_event(), Context())


@pytest.mark.parametrize("value", ["disabled", "off", "anything"])
def test_no_flow_starts_while_the_switch_is_off_and_asapp_hears_nothing(
    vendor: Vendor, value: str
) -> None:
    turn(value)
    answer = start()
    assert (answer["status"], answer["reason"]) == ("disabled", "switched_off")
    assert answer["conversationId"] == "c-1"
    assert vendor.requests == []


@pytest.mark.parametrize("value", ["enabled", " Enabled\n"])
def test_a_flow_starts_while_the_switch_is_on(vendor: Vendor, value: str) -> None:
    turn(value)
    assert start()["status"] == "started"


def test_a_running_call_is_stopped_while_the_switch_is_off(vendor: Vendor) -> None:
    start()
    turn("disabled")
    assert stop()["status"] == "stopped"
    assert vendor.calls == ["start", "stop"]


def test_nothing_starts_again_after_a_hold_while_the_switch_is_off_but_after_the_next_one(
    vendor: Vendor,
) -> None:
    call = Call()
    call.start()
    follow(call.agent("CONNECTED", "CONNECTED_ONHOLD"), 30)
    turn("disabled")
    assert follow(call.agent("CONNECTED"), 30) == []
    assert vendor.calls == ["start", "stop"]
    turn("enabled")
    follow(call.agent("CONNECTED_ONHOLD", "CONNECTED"), 30)
    assert vendor.calls == ["start", "stop", "start"]


def test_what_was_said_while_the_switch_was_off_is_not_transcribed_later(vendor: Vendor) -> None:
    turn("disabled")
    start()
    turn("enabled")
    assert start()["status"] == "started"
    params = vendor.requests[0][2]["amazonConnectParams"]
    assert params["startSelectorType"] == "NOW"


def test_a_call_that_the_switch_kept_from_asapp_starts_at_the_agents_next_event(
    vendor: Vendor,
) -> None:
    call = Call()
    turn("disabled")
    assert call.start() == "disabled"
    turn("enabled")
    follow(call.agent("CONNECTED"), 30)
    assert vendor.calls == ["start"]
    assert vendor.requests[0][2]["amazonConnectParams"]["startSelectorType"] == "NOW"


@pytest.fixture
def parameter_store(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> Vendor:
    """A Systems Manager that behaves as it is told."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", vendor.url)
    return vendor


def value(text: str) -> Callable[[VendorHandler], None]:
    return lambda request: request.reply(200, {"Parameter": {"Value": text}})


def test_the_switch_is_read_at_most_once_in_ten_seconds(
    parameter_store: Vendor, clock: HeldClock
) -> None:
    switch, deadline = Switch("switch"), Deadline(60, clock)
    parameter_store.behaviours[:] = [value("enabled")]
    assert not any(switch.is_off(deadline) for _ in range(50))
    assert len(parameter_store.requests) == 1
    parameter_store.behaviours[:] = [value("disabled")]
    clock.advance(9.9)
    assert not switch.is_off(deadline)
    clock.advance(0.2)
    assert switch.is_off(deadline)
    (_, headers, body) = parameter_store.requests[-1]
    assert body == {"Name": "switch"}
    assert headers["x-amz-target"] == "AmazonSSM.GetParameter"


@pytest.mark.parametrize("before", ["enabled", "disabled"])
def test_if_it_cannot_be_read_its_last_value_holds_and_no_call_waits_for_it(
    parameter_store: Vendor, clock: HeldClock, before: str, caplog: pytest.LogCaptureFixture
) -> None:
    switch, deadline = Switch("switch"), Deadline(60, clock)
    parameter_store.behaviours[:] = [value(before)]
    assert switch.is_off(deadline) is (before == "disabled")
    clock.advance(11)
    began = clock.seconds
    parameter_store.behaviours[:] = [hang]
    with caplog.at_level(logging.WARNING):
        assert switch.is_off(deadline) is (before == "disabled")
    assert clock.seconds - began <= 0.6
    assert "its last value holds" in caplog.text
    asked = len(parameter_store.requests)
    assert switch.is_off(deadline) is (before == "disabled")
    assert len(parameter_store.requests) == asked  # nor is it asked at once again


def test_before_it_was_ever_read_transcription_goes_on(
    parameter_store: Vendor, clock: HeldClock
) -> None:
    refused = {"__type": "AccessDeniedException"}
    parameter_store.behaviours[:] = [lambda request: request.reply(400, refused)]
    assert not Switch("switch").is_off(Deadline(60, clock))


def test_the_last_door_before_asapp_is_closed(
    vendor: Vendor, conversations: Conversations, secret_name: str, clock: HeldClock
) -> None:
    """Whoever starts a stream goes through this method."""
    asapp = Asapp(Origin(vendor.url), AsappCredentials(secret_name), {}, lambda _: True)
    outcome = asapp.start(
        "c-1",
        customer_id="",
        agent_id="",
        stream_arn="",
        after_fragment_number="",
        deadline=Deadline(6, clock),
    )
    assert outcome == DISABLED
    assert outcome.is_certain
    assert vendor.requests == []
