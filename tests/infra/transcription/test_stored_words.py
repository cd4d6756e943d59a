"""The table, the bus and the queues: what becomes of a call's words."""

from __future__ import annotations

from tests.infra.transcription.everything import Everything, policies


def test_the_table_is_encrypted_recoverable_and_forgets_by_itself(smallest: Everything) -> None:
    assert smallest.properties(smallest.table) == {
        "KeySchema": [
            {"AttributeName": "conversationId", "KeyType": "HASH"},
            {"AttributeName": "item", "KeyType": "RANGE"},
        ],
        "AttributeDefinitions": [
            {"AttributeName": "conversationId", "AttributeType": "S"},
            {"AttributeName": "item", "AttributeType": "S"},
            {"AttributeName": "reconcile", "AttributeType": "S"},
            {"AttributeName": "reconcileAt", "AttributeType": "N"},
        ],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "Reconcile",
                "KeySchema": [
                    {"AttributeName": "reconcile", "KeyType": "HASH"},
                    {"AttributeName": "reconcileAt", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        "BillingMode": "PAY_PER_REQUEST",
        "DeletionProtectionEnabled": True,
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "SSESpecification": {"SSEEnabled": True},
        "StreamSpecification": {"StreamViewType": "NEW_IMAGE"},
        "TimeToLiveSpecification": {"AttributeName": "expiresAt", "Enabled": True},
    }


STAYS = ("RetainExceptOnCreate", "Retain")


def test_stored_data_outlives_its_stack(smallest: Everything) -> None:
    assert policies(smallest.resource(smallest.table)) == STAYS
    kept = [each for each in smallest.template["Resources"].values() if "DeletionPolicy" in each]
    assert {policies(each) for each in kept} == {STAYS}


def test_where_it_shall_be_destroyed_it_goes_with_its_stack(other: Everything) -> None:
    assert policies(other.resource(other.table)) == ("Delete", "Delete")
    assert not other.properties(other.table)["DeletionProtectionEnabled"]
    for construct in (other.webhook.queue, other.secret, other.store.unpublished):
        assert policies(other.resource(construct)) == ("Delete", "Delete")


def test_the_queues_keep_their_messages_encrypted_for_14_days(smallest: Everything) -> None:
    webhook, store = smallest.webhook, smallest.store
    common = {"SqsManagedSseEnabled": True, "MessageRetentionPeriod": 14 * 24 * 60 * 60}
    assert smallest.properties(webhook.dead_letters) == common
    assert smallest.properties(store.unpublished) == common
    dead_letters = smallest.arn(webhook.dead_letters)
    assert smallest.properties(webhook.queue) == common | {
        "VisibilityTimeout": 6 * smallest.function("store_transcript")["Timeout"],
        "RedrivePolicy": {"deadLetterTargetArn": dead_letters, "maxReceiveCount": 10},
    }
    assert smallest.properties(smallest.made.transcript_reconciliation.dead_letters) == common
    assert smallest.properties(smallest.made.conversation_erasure.dead_letters) == common
    assert len(smallest.all("AWS::SQS::Queue")) == 5


def test_the_queues_refuse_unencrypted_requests_and_other_accounts(
    smallest: Everything,
) -> None:
    queues = (
        smallest.webhook.queue,
        smallest.webhook.dead_letters,
        smallest.store.unpublished,
        smallest.made.transcript_reconciliation.dead_letters,
        smallest.made.conversation_erasure.dead_letters,
    )
    deny = {
        "Effect": "Deny",
        "Action": "sqs:*",
        "Principal": {"AWS": "*"},
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    expected = {
        smallest.identifier(queue): [deny | {"Resource": smallest.arn(queue)}] for queue in queues
    }
    found = {
        policy["Properties"]["Queues"][0]["Ref"]: policy["Properties"]["PolicyDocument"][
            "Statement"
        ]
        for policy in smallest.all("AWS::SQS::QueuePolicy")
    }
    assert found == expected


def test_only_the_publisher_puts_events_on_the_bus(smallest: Everything) -> None:
    """Nobody outside the account is let in, and whoever else in it may call PutEvents is denied."""
    bus, publisher = smallest.store.event_bus, smallest.role("publish_utterance")
    assert smallest.one("AWS::Events::EventBus")
    assert smallest.one("AWS::Events::EventBusPolicy")["Properties"] == {
        "EventBusName": smallest.ref(bus),
        "StatementId": "OnlyThePublisher",
        "Statement": {
            "Sid": "OnlyThePublisher",
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": "events:PutEvents",
            "Resource": smallest.arn(bus),
            "Condition": {"ArnNotEquals": {"aws:PrincipalArn": smallest.arn(publisher)}},
        },
    }


def test_the_webhooks_secret_is_made_in_the_account_and_in_no_template(
    smallest: Everything,
) -> None:
    secret = smallest.properties(smallest.secret)
    assert secret.pop("Description")
    assert secret == {"GenerateSecretString": {"PasswordLength": 64, "ExcludePunctuation": True}}
    assert not smallest.all("AWS::SecretsManager::ResourcePolicy")
