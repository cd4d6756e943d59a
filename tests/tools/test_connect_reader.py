"""Reading a Connect instance: read-only, two requests a second, patient."""

from __future__ import annotations

import pytest

from tests.tools.doctor.fake_aws import INSTANCE, Refusal
from tests.tools.fake_connect import Clock, FakeFlow, FakeInstance, running
from tools.connect_reader import ConnectReader
from tools.doctor.findings import NotSeen

OPERATIONS = ["list_contact_flows", "describe_contact_flow", "list_phone_numbers_v2"]


@pytest.fixture
def instance() -> FakeInstance:
    """One with a clock of its own. The reader that a test makes finds it."""
    flows = [FakeFlow(f"f{number}", f"Flow {number}", "CONTACT_FLOW", {}) for number in range(45)]
    return FakeInstance(flows=flows, clock=Clock())


@pytest.fixture
def reader(instance: FakeInstance, credentials: None) -> ConnectReader:
    clock = instance.clock
    assert clock
    return ConnectReader(
        INSTANCE, OPERATIONS, guide="docs/flows.md", sleep=clock.sleep, now=clock.now
    )


def test_it_reads_all_pages_of_a_list(
    instance: FakeInstance, reader: ConnectReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(instance) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        found = reader.pages("list_contact_flows", "ContactFlowSummaryList")
    assert [each["Id"] for each in found] == [f"f{number}" for number in range(45)]
    assert (instance.calls, reader.requests) == (["ListContactFlows"] * 3, 3)


def test_it_asks_at_most_twice_a_second(
    instance: FakeInstance, reader: ConnectReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert instance.clock
    with running(instance) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        for number in range(20):
            answer = reader.read("describe_contact_flow", ContactFlowId=f"f{number}")
            assert answer and answer["ContactFlow"]["Name"] == f"Flow {number}"
    assert (instance.clock.time, instance.throttled) == (9.5, 0)


def test_it_waits_and_goes_on_if_somebody_else_has_used_up_the_requests(
    instance: FakeInstance, reader: ConnectReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance.tokens = -4
    with running(instance) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        assert reader.read("describe_contact_flow", ContactFlowId="f1")
    assert (instance.throttled, reader.requests, instance.calls) == (2, 3, ["DescribeContactFlow"])


def test_it_gives_up_in_the_end_and_says_what_to_do(
    instance: FakeInstance, reader: ConnectReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance.refusals["ListPhoneNumbersV2"] = Refusal("TooManyRequestsException", status=429)
    instance.refusals["ListContactFlows"] = Refusal("AccessDeniedException", "no", 403)
    with running(instance) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        with pytest.raises(NotSeen) as throttled:
            reader.pages("list_phone_numbers_v2", "ListPhoneNumbersSummaryList")
        with pytest.raises(NotSeen) as denied:
            reader.pages("list_contact_flows", "ContactFlowSummaryList")
    assert throttled.value.finding.remedy == "run it again"
    assert denied.value.finding.remedy == (
        "allow connect:ListContactFlows; docs/flows.md has the whole policy"
    )
    assert reader.requests == 7


def test_it_says_that_something_is_not_there(
    instance: FakeInstance, reader: ConnectReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(instance) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        absent = ("ResourceNotFoundException",)
        assert reader.read("describe_contact_flow", absent, ContactFlowId="gone") is None


def test_it_cannot_be_made_to_write() -> None:
    with pytest.raises(ValueError, match="update_contact_flow_content: a reader only describes"):
        ConnectReader(INSTANCE, ["update_contact_flow_content"], guide="docs/flows.md")
