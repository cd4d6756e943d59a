"""One command goes back to the versions before; the next one can undo it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from tests.tools.doctor.fake_aws import (
    ACCOUNT,
    BEGINNING,
    REGION,
    Account,
    FakeAws,
    Json,
    Refusal,
    page,
    resource,
)
from tools.doctor.aws import Aws
from tools.doctor.findings import NotSeen
from tools.rollback.__main__ import roll_back, triggers
from tools.rollback.aliases import ACTIONS
from tools.rollback.stack import Stack

NAME = "autotranscribe-prod-transcription"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function"
LAST_DEPLOYMENT = BEGINNING + timedelta(days=90)
ALARMS = [f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{each}" for each in ("one", "two")]


@dataclass
class Functions(Account):
    """Three functions, each with versions of its own, and one alias that is not ``live``. The last
    deployment published a version of ``start`` and of ``store``; ``stop`` is as it was.
    """

    live: dict[str, Json] = field(
        default_factory=lambda: {
            "start": {"FunctionVersion": "5"},
            "stop": {"FunctionVersion": "3"},
            "store": {"FunctionVersion": "12"},
        }
    )
    versions: dict[str, list[str]] = field(
        default_factory=lambda: {
            "start": ["$LATEST", "3", "4", "5"],
            "stop": ["$LATEST", "2", "3"],
            "store": ["$LATEST", "9", "11", "12"],
        }
    )
    changed: tuple[str, ...] = ("start", "store")

    def __post_init__(self) -> None:
        self.stack_states[NAME] = {"LastUpdatedTime": LAST_DEPLOYMENT}
        self.stacks[NAME] = [
            *(resource("AWS::Lambda::Alias", f"{ARN}:{each}:live") for each in self.live),
            *(self.version_of_stack(each) for each in self.live),
            resource("AWS::Lambda::Version", f"{ARN}:start:4", "DELETE_SKIPPED"),
            resource("AWS::Lambda::Alias", f"{ARN}:reconcile:export"),
            resource("AWS::Lambda::Version", f"{ARN}:reconcile:5"),
        ]

    def version_of_stack(self, name: str) -> Json:
        made = LAST_DEPLOYMENT + timedelta(seconds=40) if name in self.changed else BEGINNING
        number = self.live[name]["FunctionVersion"]
        version = resource("AWS::Lambda::Version", f"{ARN}:{name}:{number}")
        return version | {"LastUpdatedTimestamp": made}

    def _GetAlias(self, request: Json) -> Json:
        assert request["Name"] == "live"
        return dict(self.live[request["FunctionName"]])

    def _ListVersionsByFunction(self, request: Json) -> Json:
        asked = {"NextToken": request["Marker"]} if "Marker" in request else {}
        versions = [
            {"Version": each, "LastModified": f"2026-11-{each.zfill(2)}T10:00:00.000+0000"}
            for each in self.versions[request["FunctionName"]]
        ]
        found = page(asked, "Versions", versions)
        return {"Versions": found["Versions"]} | (
            {"NextMarker": found["NextToken"]} if "NextToken" in found else {}
        )

    def _UpdateAlias(self, request: Json) -> Json:
        assert request["RoutingConfig"] == {"AdditionalVersionWeights": {}}
        moved = {"FunctionVersion": request["FunctionVersion"]}
        self.live[request["FunctionName"]] = moved
        return dict(moved)

    @property
    def at(self) -> dict[str, str]:
        return {name: alias["FunctionVersion"] for name, alias in self.live.items()}


@pytest.fixture
def account(fake_aws: FakeAws, at_fake_aws: None) -> Iterator[Functions]:
    fake_aws.account = account = Functions()
    yield account
    assert account.mistakes == []


@pytest.fixture
def stack(account: Functions) -> Stack:
    return Stack(NAME, Aws(REGION, ACTIONS))


def test_one_command_moves_each_alias_to_the_version_before(
    account: Functions, stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    assert roll_back(stack, undo=False) == 0
    assert (account.at["start"], account.at["store"]) == ("4", "11")
    said = capsys.readouterr().out
    assert "start: 5 → 4, of 2026-11-04T10:00:00.000+0000\n" in said
    assert "store: 12 → 11, of 2026-11-11T10:00:00.000+0000\n" in said
    assert "revert the commit and deploy that" in said


def test_a_function_that_the_last_deployment_did_not_change_stays_where_it_is(
    account: Functions, stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its version before is that of another deployment, with the settings of that time."""
    assert roll_back(stack, undo=False) == 0
    assert account.at["stop"] == "3"
    said = capsys.readouterr().out
    assert "stop: stays at 3, the last deployment did not change it\n" in said
    assert "to move it all the same, to 2 of 2026-11-02T10:00:00.000+0000" in said
    assert (
        f"aws lambda update-alias --function-name stop --name live --function-version 2 "
        f"--region {REGION}\n" in said
    )


def test_a_deployment_that_changed_no_function_is_said_and_nothing_moves(
    account: Functions, stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    account.stack_states[NAME] = {"LastUpdatedTime": LAST_DEPLOYMENT + timedelta(days=1)}
    assert roll_back(stack, undo=False) == 1
    assert account.at == {"start": "5", "stop": "3", "store": "12"}
    assert "The last deployment changed none of these functions" in capsys.readouterr().out


def test_twice_is_not_two_versions_back(account: Functions) -> None:
    for _ in range(2):
        assert roll_back(Stack(NAME, Aws(REGION, ACTIONS)), undo=False) == 0
    assert account.at == {"start": "4", "stop": "3", "store": "11"}
    updates = [call for call in account.calls if call[1] == "UpdateAlias"]
    assert len(updates) == 2


def test_an_alias_that_is_between_two_versions_gets_one(account: Functions, stack: Stack) -> None:
    account.live["start"] = {
        "FunctionVersion": "4",
        "RoutingConfig": {"AdditionalVersionWeights": {"5": 0.1}},
    }
    assert roll_back(stack, undo=False) == 0
    assert account.live["start"] == {"FunctionVersion": "4"}


def test_undo_moves_them_to_the_versions_of_the_stack(account: Functions, stack: Stack) -> None:
    """Also those that somebody moved by hand, or before another deployment."""
    account.live = {name: {"FunctionVersion": "2"} for name in account.live}
    assert roll_back(stack, undo=True) == 0
    assert account.at == {"start": "5", "stop": "3", "store": "12"}


def test_a_function_without_an_earlier_version_stays_and_is_said(
    account: Functions, stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    """All are new in a stack that was never updated."""
    account.versions["start"] = ["$LATEST", "5"]
    del account.stack_states[NAME]
    assert roll_back(stack, undo=False) == 1
    assert account.at == {"start": "5", "stop": "2", "store": "11"}
    assert "start: stays at 5, no earlier version is left" in capsys.readouterr().out


def test_a_stack_in_the_middle_of_an_update_is_taken_back_by_cloudformation(
    account: Functions, stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    account.stack_states[NAME] = {"StackStatus": "UPDATE_IN_PROGRESS"}
    assert roll_back(stack, undo=False) == 1
    assert account.at == {"start": "5", "stop": "3", "store": "12"}
    assert (
        f"aws cloudformation cancel-update-stack --stack-name {NAME} --region {REGION}"
        in capsys.readouterr().out
    )


def test_an_environment_that_is_not_deployed(account: Functions, stack: Stack) -> None:
    del account.stacks[NAME], account.stack_states[NAME]
    assert roll_back(stack, undo=False) == 1
    assert triggers(Stack(NAME, Aws(REGION, ACTIONS)), gradual=True) == []


def outputs(*alarms: str) -> dict[str, Any]:
    output = {"OutputKey": "RollbackAlarmArns", "OutputValue": ",".join(alarms)}
    return {"Outputs": [output]}


def test_the_stacks_alarms_take_a_deployment_back(account: Functions, stack: Stack) -> None:
    account.stack_states[NAME] = outputs(*ALARMS)
    flag = "--rollback-trigger-alarm-arns"
    assert triggers(stack, gradual=True) == [
        flag,
        ALARMS[0],
        flag,
        ALARMS[1],
        "--monitoring-time-minutes",
        "5",
    ]


def test_a_stack_without_such_alarms_yet_has_no_triggers(account: Functions, stack: Stack) -> None:
    assert triggers(stack, gradual=True) == []


def test_a_deployment_that_deletes_the_alarms_does_not_wait_for_them(
    account: Functions, stack: Stack
) -> None:
    account.stack_states[NAME] = outputs(*ALARMS)
    assert triggers(stack, gradual=False) == ["--rollback-trigger-alarm-arns", "none"]


def test_what_may_not_be_seen_is_said(account: Functions, stack: Stack) -> None:
    account.refusals["GetAlias"] = Refusal("AccessDeniedException", "no lambda:GetAlias", 403)
    with pytest.raises(NotSeen) as refused:
        roll_back(stack, undo=False)
    finding = refused.value.finding
    assert "lambda:GetAlias" in f"{finding.what} {finding.remedy}"
