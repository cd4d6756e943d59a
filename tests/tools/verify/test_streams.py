"""Kinesis video streams by their prefix, and agent events of the last ten minutes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.tools.doctor.fake_aws import STREAM
from tools.doctor.findings import Finding, NotSeen
from tools.verify.account import Account
from tools.verify.checks.resources import agent_events
from tools.verify.checks.role import video_streams

from .conftest import Aws, stack_of

PREFIX = "acme-connect-acme-contact-"
OWN_STREAM = stack_of({"Events": {"Type": "AWS::Kinesis::Stream"}}, {"Events": "own-events"}, {})
Deployed = Callable[..., Account]


def ago(minutes: float) -> datetime:
    return datetime.now(UTC) - timedelta(minutes=minutes)


def only(findings: list[Finding]) -> tuple[str, str]:
    (finding,) = findings
    return finding.severity, finding.what


def test_streams_of_the_instance_are_found_among_others(aws: Aws, deployed: Deployed) -> None:
    aws.video_streams = ["acme-connect-acme", *(f"billing-{n}" for n in range(20))]
    aws.video_streams += [f"{PREFIX}1117e864-690f-4e1e-9dcf-6fbfcc288e41"]
    found = list(video_streams(deployed()))
    assert only(found) == ("well", f"there are streams whose names begin {PREFIX}")


@pytest.mark.parametrize(
    "names",
    [[], ["other-connect-acme-contact-1"], ["acme-connect-other-contact-1"], ["acme-connect-acme"]],
    ids=["none", "another prefix", "another instance", "cut off"],
)
def test_it_is_said_if_no_stream_has_the_prefix(
    names: list[str], aws: Aws, deployed: Deployed
) -> None:
    aws.video_streams = names
    found = list(video_streams(deployed()))
    assert only(found) == ("warning", f"no stream's name begins {PREFIX}")


def test_it_is_said_if_the_streams_may_not_be_listed(aws: Aws, deployed: Deployed) -> None:
    aws.denied = {"kinesisvideo:ListStreams"}
    with pytest.raises(NotSeen) as unseen:
        list(video_streams(deployed()))
    assert unseen.value.finding.severity == "problem"
    assert "docs/verify.md has the whole policy" in unseen.value.finding.remedy


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("own-events", {}),
        ("agent-events", {"lifecycle__mode": "adopt", "lifecycle__stream_arn": STREAM}),
    ],
    ids=["manage", "adopt"],
)
def test_agent_events_of_the_last_ten_minutes_are_counted(
    name: str, settings: dict[str, str], aws: Aws, deployed: Deployed
) -> None:
    aws.records = {name: [(ago(40), 500), (ago(8), 5), (ago(2), 7)], "another": [(ago(1), 90)]}
    found = list(agent_events(deployed(OWN_STREAM, **settings)))
    assert only(found) == ("well", "12 agent events in the last ten minutes")


@pytest.mark.parametrize(
    "records",
    [{}, {"own-events": [(11.0, 500.0)]}, {"own-events": [(5.0, 0.0)]}, {"another": [(1.0, 90.0)]}],
    ids=["none ever", "older ones", "zero", "another stream's"],
)
def test_it_is_said_if_no_agent_event_came_for_ten_minutes(
    records: dict[str, list[tuple[float, float]]], aws: Aws, deployed: Deployed
) -> None:
    aws.records = {name: [(ago(at), n) for at, n in came] for name, came in records.items()}
    found = list(agent_events(deployed(OWN_STREAM)))
    assert only(found) == ("warning", "no agent event in the stream own-events for ten minutes")
    assert "make doctor" in found[0].remedy


def test_nothing_is_asked_where_agent_events_are_off(aws: Aws, deployed: Deployed) -> None:
    found = list(agent_events(deployed(lifecycle__mode="off")))
    assert only(found) == ("skipped", "lifecycle.mode is off")
    assert aws.calls == []
