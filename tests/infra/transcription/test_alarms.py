"""Every way to lose words has its alarm."""

from __future__ import annotations

from typing import Any

from aws_cdk import aws_lambda as lambda_

from tests.infra.conftest import (
    ACCOUNT,
    Json,
    in_order,
)
from tests.infra.transcription.everything import TOPIC, Everything


def test_every_way_to_lose_words_has_its_alarm(smallest: Everything) -> None:
    webhook, store, control = smallest.webhook, smallest.store, smallest.control

    def invoked(function: lambda_.IFunction) -> list[Json]:
        return [{"Name": "FunctionName", "Value": smallest.ref(function)}]

    def invoked_by_alias(function: lambda_.IFunction) -> list[Json]:
        by_alias = {"Fn::Join": ["", [smallest.ref(function), ":live"]]}
        return [*invoked(function), {"Name": "Resource", "Value": by_alias}]

    def queue(construct: Any) -> list[Json]:
        name = {"Fn::GetAtt": [smallest.identifier(construct), "QueueName"]}
        return [{"Name": "QueueName", "Value": name}]

    api = [{"Name": "ApiName", "Value": smallest.properties(webhook.apis[0].rest_api)["Name"]}]
    functions = [
        invoked_by_alias(control.start_streaming.lambda_),
        invoked_by_alias(control.stop_streaming.lambda_),
        invoked(webhook.functions["AuthorizeWebhook"]),
        invoked(webhook.store_transcript),
        invoked(store.publish_utterance),
        invoked(smallest.made.transcript_reconciliation.reconcile_transcript),
        invoked(smallest.made.transcript_api.read_transcript),
        invoked(smallest.made.transcript_api.hold_conversation),
        invoked(smallest.made.conversation_erasure.erase_conversation),
    ]
    ours = "ConnectAutotranscribe/Stack"
    dead_letters = (
        webhook.dead_letters,
        store.unpublished,
        smallest.made.transcript_reconciliation.dead_letters,
        smallest.made.conversation_erasure.dead_letters,
    )
    expected = [
        *(("AWS/Lambda", "Errors", "Sum", 1, each) for each in functions),
        *(("AWS/Lambda", "Throttles", "Sum", 1, each) for each in functions),
        *(
            ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", 1, queue(each))
            for each in dead_letters
        ),
        ("AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", 300, queue(webhook.queue)),
        ("AWS/ApiGateway", "5XXError", "Sum", 1, api),
        ("AWS/ApiGateway", "4XXError", "Sum", 5, api),
        (ours, "RequestsThrottled", "Sum", 1, None),
        ("AWS/Lambda", "IteratorAge", "Maximum", 60_000, invoked(store.publish_utterance)),
        (ours, "NumbersNotRedacted", "Sum", 1, None),
        (ours, "TranscriptionStopped", "Maximum", 1, None),
        (ours, "CallsRefused", "Sum", 5, None),
        (ours, "CallsNotTranscribed", "Sum", 1, None),
        (ours, "AsappLimitReached", "Sum", 1, None),
        (ours, "ConversationsIncomplete", "Sum", 1, None),
    ]
    silence = ("CallsNotStored", "ReconciliationSilent")
    alarms = [
        smallest.properties(each)
        for each in smallest.made.alarms.alarms
        if each.node.id not in silence
    ]
    assert len(alarms) == len(smallest.all("AWS::CloudWatch::Alarm")) - len(silence)
    keys = ("Namespace", "MetricName", "Statistic", "Threshold", "Dimensions")
    assert sorted(str(tuple(each.get(key) for key in keys)) for each in alarms) == sorted(
        str(each) for each in expected
    )
    for alarm in alarms:
        assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
        assert alarm["TreatMissingData"] == "notBreaching"
        assert (alarm["Period"], alarm["EvaluationPeriods"]) == (300, 1)
        assert alarm["AlarmDescription"]


def test_the_alarms_go_to_a_topic_of_ours_that_only_our_alarms_may_use(
    smallest: Everything,
) -> None:
    topic = smallest.ref(smallest.made.alarms.topic)
    for alarm in smallest.all("AWS::CloudWatch::Alarm"):
        assert alarm["Properties"]["AlarmActions"] == [topic]
        assert alarm["Properties"].get("ActionsEnabled", True)
    statements = smallest.one("AWS::SNS::TopicPolicy")["Properties"]["PolicyDocument"]["Statement"]
    for statement in statements:
        del statement["Sid"]
    assert in_order(statements) == in_order(
        [
            {
                "Effect": "Deny",
                "Action": "sns:Publish",
                "Principal": "*",
                "Resource": topic,
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
            {
                "Effect": "Allow",
                "Action": "sns:Publish",
                "Principal": {"Service": "cloudwatch.amazonaws.com"},
                "Resource": topic,
                "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
            },
        ]
    )


def test_the_alarms_go_to_a_topic_of_the_customers_where_one_is_given(
    other: Everything,
) -> None:
    assert not other.all("AWS::SNS::Topic")
    assert not other.all("AWS::SNS::TopicPolicy")
    assert not other.all("AWS::SNS::Subscription")
    alarms = other.all("AWS::CloudWatch::Alarm")
    assert [each["Properties"]["AlarmActions"] for each in alarms] == [[TOPIC]] * len(alarms)


def test_the_alarms_are_mailed_to_whom_the_environment_names() -> None:
    mailed = Everything(alarms={"email": "ops@example.com"})
    assert mailed.one("AWS::SNS::Subscription")["Properties"] == {
        "Protocol": "email",
        "Endpoint": "ops@example.com",
        "TopicArn": mailed.ref(mailed.made.alarms.topic),
    }
