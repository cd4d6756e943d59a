"""A first deployment that fails in the middle leaves nothing, and the next one succeeds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sandbox.asapp.double import AsappDouble
from sandbox.stacks.deployment import cdk, deploy
from sandbox.stacks.emulator import Emulator, SandboxError
from tests.sandbox.conftest import in_this_process

STACK = "autotranscribe-sandbox-transcription"


def left(emulator: Emulator) -> list[str]:
    """What there is of the kinds that the transcription stack makes, without CDK's bootstrap."""
    client = emulator.client
    there = [
        *client("dynamodb").list_tables()["TableNames"],
        *client("sqs").list_queues().get("QueueUrls", []),
        *(each["FunctionName"] for each in client("lambda").list_functions()["Functions"]),
        *(each["Name"] for each in client("s3").list_buckets()["Buckets"]),
        *(each["Name"] for each in client("events").list_event_buses()["EventBuses"]),
        *(each["Name"] for each in client("glue").get_databases()["DatabaseList"]),
        *(each["name"] for each in client("apigateway").get_rest_apis()["items"]),
        *(each["Name"] for each in client("scheduler").list_schedules()["Schedules"]),
        *(each["AlarmName"] for each in client("cloudwatch").describe_alarms()["MetricAlarms"]),
    ]
    return sorted(each for each in there if each != "default" and not each.startswith("cdk-"))


def _is_made(event: Mapping[str, Any]) -> bool:
    return str(event["ResourceStatus"]) == "CREATE_COMPLETE"


def test_a_name_that_is_taken_fails_the_deployment_and_the_next_one_succeeds(
    installed: None, tmp_path: Path
) -> None:
    with AsappDouble() as asapp, Emulator(tmp_path) as emulator:
        stacks = emulator.client("cloudformation")
        athena = emulator.client("athena")
        athena.create_work_group(Name=STACK)  # somebody else's, of the same name
        with pytest.raises(SandboxError, match=r"(?s)cdk deploy failed.*WorkGroup"):
            deploy(emulator, asapp, tmp_path, synthesise=in_this_process)
        (failed,) = stacks.describe_stacks(StackName=STACK)["Stacks"]
        assert failed["StackStatus"] == "ROLLBACK_COMPLETE"
        pages = stacks.get_paginator("describe_stack_events").paginate(StackName=STACK)
        events = [each for page in pages for each in page["StackEvents"]]
        made = {each["LogicalResourceId"] for each in events if _is_made(each)}
        assert len(made) > 10  # it did not fail at once
        assert left(emulator) == []
        assert STACK in {each["Name"] for each in athena.list_work_groups()["WorkGroups"]}

        athena.delete_work_group(WorkGroup=STACK)
        again = ("--app", tmp_path / "cdk.out", STACK, "--require-approval", "never")
        with cdk(emulator, tmp_path, "deploy", *again):
            pass
        (whole,) = stacks.describe_stacks(StackName=STACK)["Stacks"]
        assert whole["StackStatus"] == "CREATE_COMPLETE"
        assert len(left(emulator)) > 20
