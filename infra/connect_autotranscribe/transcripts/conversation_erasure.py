"""Erases a call, or all calls of a customer, from everything that these constructs store."""

from __future__ import annotations

import json
from collections.abc import Mapping

from aws_cdk import Acknowledgment, ArnFormat, Duration, RemovalPolicy, Stack, Validations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from connect_autotranscribe._arguments import Argument, check_arguments
from connect_autotranscribe._encrypted import grant_on_items, grant_secret_value, private_bucket
from connect_autotranscribe._functions import Function, as_nag_writes
from connect_autotranscribe._schedule import (
    alias_for_export,
    dead_letters_of_schedule,
    every_minute,
)
from connect_autotranscribe.calls.transcription_control import TranscriptionControl
from connect_autotranscribe.export.utterance_export import UtteranceExport
from connect_autotranscribe.function_options import DEFAULT_FUNCTION_OPTIONS, FunctionOptions
from connect_autotranscribe.retention import DEFAULT_RETENTION, Retention, days_of
from connect_autotranscribe.transcripts.transcript_store import RECONCILE_INDEX

_RECEIPTS = "receipts/"


class ConversationErasure(Construct):
    """Erases a call, or all calls of a customer, from table, queues and exported files. What comes
    later it erases, too. Nothing else in these constructs may delete what was said.

    Whoever may invoke ``erase_conversation`` may erase; ``make erase`` does. An erasure goes on by
    itself until its receipt is in ``receipts``, 20 minutes after its beginning. Every minute the
    function looks whether something is due: an erasure, or words that came after one.

    Receipts have no personal data and stay when the stack is deleted, as does ``customers_key``:
    the calls of a customer are found by the caller's number, hashed with this key.

    :param table: The table of :class:`TranscriptStore`.
    :param control: The ``TranscriptionControl`` whose calls are erased. It can stop a call first,
        if that goes on.
    :param queues: The queues in which messages of calls may wait, by name: the receipt and a dry
        run name them so.
    :param export: The ``UtteranceExport`` from whose files calls are taken out. Default: none.
    :param connect_instance_arn: The Connect instance, whole ARN: the customer's endpoint is also
        taken out of its contact records, for good. Default: contact records stay.
    :param receipts_locked: How long nobody can change or delete a receipt, not even the account's
        root (S3 Object Lock in compliance mode), in whole days. It cannot be added to a bucket
        that is there. Default: not locked.
    :param audio_retention: How long audio stays in Kinesis Video Streams, in whole hours, for the
        receipt. Default: the receipt refers to the instance's setting.
    :param receipts: An existing bucket, with whatever lock its owner has set. Default: made here.
    :param customers_key: An existing secret, of the shape of the attribute. Default: made here.
    :param dead_letters: The queue for runs that failed. Default: made here.
    :param key: Encrypts the bucket, the secret, the queue and the log that are made here. Default:
        AWS's own keys.
    :param retention: How long logs and stored data are kept. Default: logs for 30 days; everything
        stays when the stack is deleted.
    :param function_options: How the functions run: VPC, key of the environment, code signing,
        reserved concurrency, memory. Default: no VPC, 512 MiB, nothing reserved.

    .. code-block:: python

        ConversationErasure(
            self,
            "ConversationErasure",
            table=store.table,
            control=control,
            queues={"DeadLetters": webhook.dead_letters, "Unpublished": store.unpublished},
        )
    """

    erase_conversation: lambda_.Function
    receipts: s3.IBucket
    customers_key: secretsmanager.ISecret
    """``{"key": "…", "old": ["…"]}``: who changes the key puts the one before into ``old``."""
    dead_letters: sqs.IQueue
    """Runs that Lambda did not accept, and days of the export that failed three times."""
    functions: Mapping[str, lambda_.IFunction]
    dead_letter_queues: Mapping[str, sqs.IQueue]

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        table: dynamodb.ITable,
        control: TranscriptionControl,
        queues: Mapping[str, sqs.IQueue],
        export: UtteranceExport | None = None,
        connect_instance_arn: str | None = None,
        receipts_locked: Duration | None = None,
        audio_retention: Duration | None = None,
        receipts: s3.IBucket | None = None,
        customers_key: secretsmanager.ISecret | None = None,
        dead_letters: sqs.IQueue | None = None,
        key: kms.IKey | None = None,
        retention: Retention = DEFAULT_RETENTION,
        function_options: FunctionOptions = DEFAULT_FUNCTION_OPTIONS,
    ) -> None:
        super().__init__(scope, id)
        instance = Argument(value=connect_instance_arn, rule="connect.instance_arn", optional=True)
        check_arguments(
            self,
            {
                "connect_instance_arn": instance,
                "receipts_locked": Argument(
                    value=receipts_locked, rule="erasure.receipts_locked_days", optional=True
                ),
                "audio_retention": Argument(
                    value=audio_retention, rule="media_streaming.retention_hours", optional=True
                ),
            },
            ["receipts_locked: is for a bucket that is made here; remove it"]
            if receipts and receipts_locked
            else (),
        )
        self.receipts = receipts or self._receipts(receipts_locked, key, retention.removal_policy)
        self.customers_key = customers_key or self._customers_key(key, retention.removal_policy)
        self.dead_letters = dead_letters or dead_letters_of_schedule(
            self, key, retention.removal_policy
        )
        of_control = ("TRANSCRIPT_TABLE", "TRANSCRIPT_RETENTION_DAYS", "CONVERSATION_ID_SOURCE")
        audio_hours = audio_retention.to_hours() if audio_retention else 0
        self.erase_conversation = Function(
            self,
            "EraseConversation",
            folder="erase_conversation",
            description="Erases a call or a customer, and again what comes later",
            timeout=Duration.minutes(15),
            environment={
                **{name: control.environment[name] for name in of_control},
                "QUEUES": Stack.of(self).to_json_string(
                    {name: queue.queue_url for name, queue in queues.items()}
                ),
                "RECEIPTS_BUCKET": self.receipts.bucket_name,
                "CUSTOMERS_KEY_SECRET": self.customers_key.secret_arn,
                "STOP_FUNCTION": control.stop_streaming.function_arn,
                "EXPORT_BUCKET": export.bucket.bucket_name if export else "",
                "EXPORT_KEEP_DAYS": str(
                    int(export.keep.to_days()) if export and export.keep else 0
                ),
                "FEED_COLUMNS": json.dumps(export.columns if export else {}),
                "CONNECT_INSTANCE": self._instance_id(connect_instance_arn),
                "LOGS_DAYS": str(days_of(retention.logs)),
                "AUDIO_HOURS": str(int(audio_hours)),
            },
            retention=retention,
            options=function_options,
            key=key,
        )
        # The next minute's run is the retry. No invocation waits, so they do not pile up.
        self.erase_conversation.configure_async_invoke(
            retry_attempts=0, max_event_age=Duration.minutes(1)
        )
        self._grant_table(table)
        self._grant_queues(queues)
        self._grant_receipts()
        grant_secret_value(self.customers_key, self.erase_conversation)
        self._allow(["lambda:InvokeFunction"], [control.stop_streaming.function_arn])
        if connect_instance_arn:
            self._grant_contacts(connect_instance_arn)
        if export:
            export.grant_take_out(self.erase_conversation)
            alias = alias_for_export(self, self.erase_conversation, self.dead_letters)
            export.announce_new_files_to(alias)
        self.schedule = every_minute(
            self,
            function=self.erase_conversation,
            description="Every minute: goes on with erasures, and erases what came after one",
            dead_letters=self.dead_letters,
        )
        self.functions = {"EraseConversation": self.erase_conversation}
        self.dead_letter_queues = {"ErasureDeadLetters": self.dead_letters}

    def grant_invoke(self, grantee: iam.IGrantable) -> None:
        """Grant erasing calls and customers, and reading the receipts: what ``make erase`` needs
        beside ``cloudformation:DescribeStacks``."""
        add = iam.Grant.add_to_principal
        function = self.erase_conversation.function_arn
        add(grantee=grantee, actions=["lambda:InvokeFunction"], resource_arns=[function])
        receipts = self.receipts.arn_for_objects(f"{_RECEIPTS}*")
        add(grantee=grantee, actions=["s3:GetObject"], resource_arns=[receipts])
        if self.receipts.encryption_key:
            self.receipts.encryption_key.grant(grantee, "kms:Decrypt")

    def _grant_table(self, table: dynamodb.ITable) -> None:
        grant_on_items(
            table,
            self.erase_conversation,
            "dynamodb:BatchWriteItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
            "dynamodb:UpdateItem",
        )
        self._allow(["dynamodb:Query"], [f"{table.table_arn}/index/{RECONCILE_INDEX}"])

    def _grant_queues(self, queues: Mapping[str, sqs.IQueue]) -> None:
        actions = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage"]
        for queue in queues.values():
            self._allow(actions, [queue.queue_arn])
            if queue.encryption_master_key:
                queue.encryption_master_key.grant(self.erase_conversation, "kms:Decrypt")

    def _grant_receipts(self) -> None:
        self._allow(["s3:PutObject"], [self.receipts.arn_for_objects(f"{_RECEIPTS}*")])
        if self.receipts.encryption_key:
            # kms:Decrypt: S3 needs it for some writes with a checksum.
            self.receipts.encryption_key.grant(self.erase_conversation, "kms:GenerateDataKey")
        made = self.receipts.node.default_child
        bucket = self.receipts.bucket_arn
        if isinstance(made, s3.CfnBucket):
            bucket = f"<{Stack.of(self).get_logical_id(made)}.Arn>"  # cdk-nag's words
        else:
            bucket = as_nag_writes(self, bucket)
        self._accept(f"{bucket}/{_RECEIPTS}*", "Each receipt is a new object.")

    def _grant_contacts(self, instance_arn: str) -> None:
        contacts = f"{instance_arn}/contact/*"
        self._allow(["connect:DeleteContactData"], [contacts])
        self._accept(contacts, "The contacts of the one instance; a call names them.")

    def _allow(self, actions: list[str], resources: list[str]) -> None:
        self.erase_conversation.add_to_role_policy(
            iam.PolicyStatement(actions=actions, resources=resources)
        )

    def _accept(self, resource: str, reason: str) -> None:
        role = self.erase_conversation.role
        assert role is not None  # noqa: S101 - it is made with one
        finding = f"AwsSolutions-IAM5[Resource::{resource}]"
        Validations.of(role).acknowledge(Acknowledgment(id=finding, reason=reason))

    def _instance_id(self, arn: str | None) -> str:
        if not arn:
            return ""
        return Stack.of(self).split_arn(arn, ArnFormat.SLASH_RESOURCE_NAME).resource_name or ""

    def _receipts(
        self, locked: Duration | None, key: kms.IKey | None, removal_policy: RemovalPolicy
    ) -> s3.Bucket:
        return private_bucket(
            self,
            "Receipts",
            key=key,
            object_lock_enabled=True if locked else None,
            object_lock_default_retention=s3.ObjectLockRetention.compliance(locked)
            if locked
            else None,
            removal_policy=removal_policy,
            not_logged="CloudTrail records who reads it, if the account turns data events on; a "
            "receipt has no personal data.",
        )

    def _customers_key(
        self, key: kms.IKey | None, removal_policy: RemovalPolicy
    ) -> secretsmanager.Secret:
        secret = secretsmanager.Secret(
            self,
            "CustomersKey",
            description="With it the ids of customers are hashed, to find their calls; keep it",
            encryption_key=key,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template="{}",
                generate_string_key="key",
                password_length=64,
                exclude_punctuation=True,
            ),
            removal_policy=removal_policy,
        )
        Validations.of(secret).acknowledge(
            Acknowledgment(
                id="AwsSolutions-SMG4",
                reason="What it has hashed must be found as long as calls are kept; docs say how "
                "to change it.",
            )
        )
        return secret
