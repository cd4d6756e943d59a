"""Rules, mappings, schedules, queues, alarms and logs: as deployed, enabled, without failures."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from tools.doctor.findings import Finding, Findings, problem, warning, well
from tools.verify.account import Account, Stack

_ABSENT = ("ResourceNotFoundException",)
_SANDBOX_READS = ["live-events"]
"""The queue that the sandbox puts in the place of the live page's publisher."""


def event_rules(account: Account) -> Findings:
    number = 0
    for stack in account.stacks.values():
        for id, properties, physical in stack.each("AWS::Events::Rule"):
            number += 1
            name = physical.rpartition("|")[2]
            bus = properties.get("EventBusName")
            on = {"EventBusName": stack.text(bus)} if bus else {}
            found = account.aws.read("events", "describe_rule", _ABSENT, Name=name, **on)
            expected = properties.get("State", "ENABLED")
            if found is None:
                yield problem(f"{id}: the rule {name} is gone", "deploy again")
                continue
            if found["State"] != expected:
                enable = f"aws events enable-rule --name {name} --region {account.settings.region}"
                yield problem(f"{id}: the rule {name} is {found['State']}", f"`{enable}`")
            answer = account.aws.read("events", "list_targets_by_rule", _ABSENT, Rule=name, **on)
            targets = [each["Arn"] for each in (answer or {}).get("Targets", [])]
            deployed = [each["Arn"] for each in properties.get("Targets", [])]
            if (
                account.is_emulator
                and [arn.rpartition(":")[2] for arn in targets] == _SANDBOX_READS
            ):
                yield Finding("skipped", f"{id}: the sandbox reads this rule's events itself")
            elif not _same(deployed, targets, stack):
                yield problem(f"{id}: the rule {name} has other targets", "deploy again")
    yield well(f"{number} event rules looked at")


def _same(deployed: list[Any], arns: list[str], stack: Stack) -> bool:
    """Whether each target is one that was deployed, and the other way round."""
    patterns = [stack.values.pattern(arn) for arn in deployed]
    return len(patterns) == len(arns) and all(
        any(re.fullmatch(pattern, arn) for arn in arns) for pattern in patterns
    )


def event_sources(account: Account) -> Findings:
    number = 0
    for id, properties, uuid in account.transcription.each("AWS::Lambda::EventSourceMapping"):
        number += 1
        found = account.aws.read("lambda", "get_event_source_mapping", _ABSENT, UUID=uuid)
        if found is None:
            yield problem(f"{id}: the mapping {uuid} is gone", "deploy again")
            continue
        if account.is_emulator and ":kinesis:" in found["EventSourceArn"]:
            yield Finding("skipped", f"{id}: the sandbox reads this stream itself")
            continue
        expected = "Enabled" if properties.get("Enabled", True) else "Disabled"
        region = account.settings.region
        if found["State"] not in (expected, "Creating", "Updating", "Enabling"):
            enable = f"aws lambda update-event-source-mapping --uuid {uuid} --enabled"
            yield problem(f"{id}: the mapping is {found['State']}", f"`{enable} --region {region}`")
        elif str(found.get("LastProcessingResult", "")).startswith("PROBLEM"):
            why = found["LastProcessingResult"]
            yield problem(
                f"{id}: the mapping fails: {why}", "see the policy of its function's role"
            )
    yield well(f"{number} event source mappings looked at")


def schedules(account: Account) -> Findings:
    number = 0
    for id, properties, name in account.transcription.each("AWS::Scheduler::Schedule"):
        number += 1
        found = account.aws.read("scheduler", "get_schedule", _ABSENT, Name=name)
        if found is None:
            yield problem(f"{id}: the schedule {name} is gone", "deploy again")
        elif found["State"] != properties.get("State", "ENABLED"):
            yield problem(f"{id}: the schedule {name} is {found['State']}", "enable it, or deploy")
    yield well(f"{number} schedules looked at")


def dead_letters(account: Account) -> Findings:
    number = 0
    for stack in account.stacks.values():
        for id, _, url in stack.each("AWS::SQS::Queue"):
            if url == account.transcription.outputs["WebhookQueueUrl"]:
                continue  # what waits there is no dead letter
            number += 1
            names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
            answer = account.aws.read(
                "sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=names
            )
            messages = sum(int((answer or {})["Attributes"].get(name, 0)) for name in names)
            if messages:
                yield problem(f"{id}: {messages} dead letters", f"docs/operate.md; queue: {url}")
    yield well(f"{number} queues of dead letters looked at")


def alarms(account: Account) -> Findings:
    expected = {
        name: (id, properties)
        for stack in account.stacks.values()
        for id, properties, name in stack.each("AWS::CloudWatch::Alarm")
    }
    without = 0
    every = sorted(expected)
    for names in (every[at : at + 100] for at in range(0, len(every), 100)):
        found = account.aws.pages("cloudwatch", "describe_alarms", "MetricAlarms", AlarmNames=names)
        states = {each["AlarmName"]: each for each in found or []}
        for name in names:
            id, properties = expected[name]
            alarm = states.get(name)
            if alarm is None:
                yield problem(f"{id}: the alarm {name} is gone", "deploy again")
                continue
            if alarm["StateValue"] == "ALARM":
                description = str(alarm.get("AlarmDescription", "docs/operate.md"))
                yield problem(f"{id} rings: {alarm.get('StateReason', name)}", description)
            without += alarm["StateValue"] == "INSUFFICIENT_DATA"
            if not alarm.get("ActionsEnabled", True) and properties.get("ActionsEnabled", True):
                yield problem(f"{id}: its actions are disabled", "enable them, or deploy again")
    yield well(f"{len(expected)} alarms looked at; {without} have no data yet")
    for stack in account.stacks.values():
        for id, _, arn in stack.each("AWS::SNS::Topic"):
            yield _who_is_told(account, id, arn)


def _who_is_told(account: Account, id: str, arn: str) -> Finding:
    """Only a topic of ours: of another one, its owner knows who reads it."""
    if account.is_emulator:
        return Finding("skipped", f"{id}: nobody is told of the sandbox's alarms")
    found = account.aws.pages("sns", "list_subscriptions_by_topic", "Subscriptions", TopicArn=arn)
    told = [each for each in found or [] if each["SubscriptionArn"].startswith("arn:")]
    if told:
        return well(f"{id}: confirmed subscriptions: {len(told)}")
    pending = [each for each in found or [] if each["SubscriptionArn"] == "PendingConfirmation"]
    if not pending:
        return warning(
            f"{id}: nobody is told of alarms: the topic has no subscription",
            "write alarms.email or alarms.topic_arn, and deploy",
        )
    protocol, address = pending[0]["Protocol"], pending[0]["Endpoint"]
    again = f"aws sns subscribe --topic-arn {arn} --protocol {protocol}"
    return warning(
        f"{id}: nobody is told of alarms: {address} has not confirmed its subscription",
        "its owner follows the link in the mail from SNS, which this sends again: "
        f"`{again} --notification-endpoint {address} --region {account.settings.region}`",
    )


def log_retention(account: Account) -> Findings:
    number = 0
    for stack in account.stacks.values():
        for id, properties, name in stack.each("AWS::Logs::LogGroup"):
            number += 1
            groups = account.aws.pages(
                "logs", "describe_log_groups", "logGroups", logGroupNamePrefix=name
            )
            group = next((each for each in groups or [] if each["logGroupName"] == name), None)
            days = properties.get("RetentionInDays")
            if group is None:
                yield problem(f"{id}: the log group {name} is gone", "deploy again")
            elif group.get("retentionInDays") != days:
                kept = group.get("retentionInDays", "for ever")
                what = f"{id}: {name} is kept {kept}, and was deployed with {days} days"
                put = f"aws logs put-retention-policy --log-group-name {name}"
                yield problem(what, f"`{put} --retention-in-days {days}`")
    yield well(f"{number} log groups looked at")


def agent_events(account: Account) -> Findings:
    """Connect tells of each agent who is signed in every two minutes."""
    lifecycle, stack = account.settings.lifecycle, account.transcription
    if lifecycle.mode == "off":
        yield Finding("skipped", "lifecycle.mode is off")
        return
    name = (lifecycle.stream_arn or "").rpartition("/")[2] or stack.first("AWS::Kinesis::Stream")
    now = datetime.now(UTC)
    answer = account.aws.read(
        "cloudwatch",
        "get_metric_statistics",
        Namespace="AWS/Kinesis",
        MetricName="IncomingRecords",
        Dimensions=[{"Name": "StreamName", "Value": name}],
        StartTime=now - timedelta(minutes=10),
        EndTime=now,
        Period=600,
        Statistics=["Sum"],
    )
    records = sum(each["Sum"] for each in (answer or {}).get("Datapoints", []))
    if records:
        yield well(f"{records:.0f} agent events in the last ten minutes")
    else:
        yield warning(
            f"no agent event in the stream {name} for ten minutes",
            "if an agent is signed in, `make doctor` says what keeps Connect from publishing",
        )
