"""The nightly copy of ASAPP's files of utterances in a bucket, with SQL over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Acknowledgment, Duration, RemovalPolicy, Stack, Token, Validations
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from connect_autotranscribe._arguments import Argument, check_arguments, like
from connect_autotranscribe._encrypted import (
    FailedInvocations,
    grant_secret_value,
    private_bucket,
)
from connect_autotranscribe._functions import Function
from connect_autotranscribe._log_metric import event, log_metric
from connect_autotranscribe._schedule import FunctionSchedule, dead_letters_of_schedule
from connect_autotranscribe.export._utterance_queries import (
    FEEDS,
    RESULTS,
    UtteranceQueries,
)
from connect_autotranscribe.function_options import DEFAULT_FUNCTION_OPTIONS, FunctionOptions
from connect_autotranscribe.retention import DEFAULT_RETENTION, Retention
from connect_settings.shared_names import shared_names

_RESULTS_KEPT = Duration.days(7)
_HOURS_BETWEEN_RUNS = 4
_MAX_AGE = Duration.hours(_HOURS_BETWEEN_RUNS)  # of an invocation: then the next run begins
_EVENTS = shared_names("log_events")
_DAYS: str = shared_names("asapp.feeds").DAY_MARKS
_TAKEN_FILES: str = shared_names("asapp.feeds").TAKEN_FILES


class UtteranceExport(Construct):
    """Fetches two feeds of ASAPP's File Exporter into a bucket, and lets Athena query them as one.

    The feed ``utterances`` says what was said, ``staging_utterance_state`` who said it. ASAPP's
    account team must have enabled both.

    Each file is kept byte for byte under ``<feed>/dt=<day>/``. If ASAPP publishes a file again, it
    replaces the old one. A missing day is tried again every four hours, until its files arrive or
    somebody gives it up.

    The bucket keeps no versions, so that a file deleted for a caller's privacy is really gone, and
    the export does not fetch it again: each file that was stored has a mark. Without its mark it
    can be fetched from ASAPP again. CloudFormation deletes the bucket only if it is empty.

    :param credentials_secret: ``{"apiId": "…", "apiSecret": "…"}``.
    :param api_host: ``https://api.asapp.com``, or ASAPP's sandbox.
    :param at: The time of day in UTC, ``HH:MM``, of the first run; ASAPP updates the feed at 02:00.
        Runs follow every four hours until midnight, for missing days. Default: 02:30.
    :param keep: The time until a file is deleted, in whole days; more than ``lookback``. Default:
        365 days.
    :param lookback: How many past days each night's run checks for late files. Default: 7 days.
    :param columns: The feed's names for ``conversation``, ``id``, ``role``, ``sender``, ``text`` or
        ``time``, if they are not the usual ones. Default: a list of usual names for each; the first
        that a line has is used.
    :param bucket: An existing bucket, without versions. Its owner sets when files are deleted; a
        file from which a call is taken out counts as new. Default: made here.
    :param dead_letters: The queue for runs that failed. Default: made here.
    :param key: Encrypts the bucket, the queue and the log that are made here, and the results of
        queries. Default: AWS's own keys.
    :param retention: How long logs and stored data are kept. Default: logs for 30 days; everything
        stays when the stack is deleted.
    :param function_options: How the functions run: VPC, key of the environment, code signing,
        reserved concurrency, memory. Default: no VPC, 512 MiB, nothing reserved.

    .. code-block:: python

        UtteranceExport(
            self,
            "UtteranceExport",
            credentials_secret=secretsmanager.Secret.from_secret_name_v2(self, "Asapp", "asapp"),
            api_host="https://api.asapp.com",
        )
    """

    bucket: s3.IBucket
    export_utterances: lambda_.Function
    dead_letters: sqs.IQueue
    """Runs that failed three times; later runs make up for them."""
    queries: UtteranceQueries
    """The database and the work group for queries."""
    columns: Mapping[str, str]
    keep: Duration | None
    """How long files are kept; None if the bucket's owner decides."""
    functions: Mapping[str, lambda_.IFunction]
    dead_letter_queues: Mapping[str, sqs.IQueue]

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        credentials_secret: secretsmanager.ISecret,
        api_host: str,
        at: str = "02:30",
        keep: Duration | None = None,
        lookback: Duration | None = None,
        columns: Mapping[str, str] | None = None,
        bucket: s3.IBucket | None = None,
        dead_letters: sqs.IQueue | None = None,
        key: kms.IKey | None = None,
        retention: Retention = DEFAULT_RETENTION,
        function_options: FunctionOptions = DEFAULT_FUNCTION_OPTIONS,
    ) -> None:
        super().__init__(scope, id)
        keep, lookback = keep or Duration.days(365), lookback or Duration.days(7)
        check_arguments(
            self,
            {
                **like("asapp", api_host=api_host),
                **like("export", at=at),
                **like("export", optional=True, columns=columns),
                "keep": Argument(value=keep, rule="export.keep_days"),
                "lookback": Argument(value=lookback, rule="export.lookback_days"),
            },
        )
        self._told: list[str] = []
        self._told_of_new_files: list[str] = []
        self.keep = None if bucket else keep
        self.columns = dict(columns or {})
        self.bucket = bucket or self._bucket(keep, key, retention.removal_policy)
        self.queries = UtteranceQueries(
            self,
            "Queries",
            bucket=self.bucket,
            columns=self.columns,
        )
        self.dead_letters = dead_letters or dead_letters_of_schedule(
            self, key, retention.removal_policy
        )
        self.export_utterances = Function(
            self,
            "ExportUtterances",
            folder="export_utterances",
            description="Copies ASAPP's files of utterances into the bucket",
            timeout=Duration.minutes(15),
            environment={
                "ASAPP_API_HOST": api_host,
                "ASAPP_CREDENTIALS_SECRET": credentials_secret.secret_name,
                "EXPORT_BUCKET": self.bucket.bucket_name,
                "LOOKBACK_DAYS": str(lookback.to_days()),
            },
            retention=retention,
            options=function_options,
            key=key,
        )
        self.export_utterances.configure_async_invoke(
            retry_attempts=2,
            max_event_age=_MAX_AGE,
            on_failure=FailedInvocations(self.dead_letters),
        )
        grant_secret_value(credentials_secret, self.export_utterances)
        # GetObject: the function compares the stored ETag with ASAPP's.
        actions = ("s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject")
        self._grant_files(self.export_utterances, *actions)
        self._grant(self.export_utterances, [_DAYS], "s3:DeleteObject", "s3:PutObject")
        if files_key := self.bucket.encryption_key:
            # kms:Decrypt: S3 needs it to complete a multipart upload.
            files_key.grant(self.export_utterances, "kms:Decrypt", "kms:GenerateDataKey")
        hour, minute = at.split(":")
        hours = range(int(hour), 24, _HOURS_BETWEEN_RUNS)
        FunctionSchedule(
            self,
            "EveryNight",
            function=self.export_utterances,
            times=scheduler.ScheduleExpression.cron(hour=",".join(map(str, hours)), minute=minute),
            description="Every four hours from night on: copies ASAPP's files of utterances",
            dead_letters=self.dead_letters,
            max_age=_MAX_AGE,
        )
        self.functions = {"ExportUtterances": self.export_utterances}
        self.dead_letter_queues = {"ExportDeadLetters": self.dead_letters}

    def grant_read(self, grantee: iam.IGrantable) -> None:
        """Grant listing and reading the files, nothing else."""
        self._grant_files(grantee, "s3:GetObject")
        if self.bucket.encryption_key:
            self.bucket.encryption_key.grant(grantee, "kms:Decrypt")

    def grant_take_out(self, grantee: iam.IGrantable) -> None:
        """Grant what takes a call out: storing files again without it, deleting these when they
        would have gone, and deleting the results of queries."""
        actions = ("s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject")
        self._grant_files(grantee, *actions)
        self._grant(grantee, [RESULTS], "s3:DeleteObject")
        if self.bucket.encryption_key:
            # kms:Decrypt: S3 also needs it to complete a multipart upload.
            self.bucket.encryption_key.grant(grantee, "kms:Decrypt", "kms:GenerateDataKey")

    def grant_invoke(self, grantee: iam.IGrantable) -> None:
        """Grant fetching days, and giving them up, by an invocation."""
        iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["lambda:InvokeFunction"],
            resource_arns=[self.export_utterances.function_arn],
        )

    def grant_query(self, grantee: iam.IGrantable) -> None:
        """Grant an analyst SQL over all files, in the work group and within its limits."""
        stack = Stack.of(self)
        queries = self.queries

        def arn(service: str, resource: str, name: str | None = None) -> str:
            return stack.format_arn(service=service, resource=resource, resource_name=name)

        def allow(actions: list[str], resources: list[str], **conditions: Any) -> None:
            iam.Grant.add_to_principal(
                grantee=grantee,
                actions=actions,
                resource_arns=resources,
                conditions=conditions or None,
            )

        allow(
            [
                "athena:GetQueryExecution",
                "athena:GetQueryResults",
                "athena:GetWorkGroup",
                "athena:StartQueryExecution",
                "athena:StopQueryExecution",
            ],
            [arn("athena", "workgroup", queries.work_group_name)],
        )
        allow(
            ["glue:GetDatabase", "glue:GetPartitions", "glue:GetTable", "glue:GetTables"],
            [
                arn("glue", "catalog"),
                arn("glue", "database", queries.database_name),
                arn("glue", "table", f"{queries.database_name}/*"),
            ],
        )
        feeds = [f"{each}*" for each in FEEDS]
        allow(["s3:GetObject"], [self.bucket.arn_for_objects(each) for each in feeds])
        allow(
            [
                "s3:AbortMultipartUpload",
                "s3:GetObject",
                "s3:ListMultipartUploadParts",
                "s3:PutObject",
            ],
            [self.bucket.arn_for_objects(f"{RESULTS}*")],
        )
        allow(["s3:GetBucketLocation"], [self.bucket.bucket_arn])
        allow(
            ["s3:ListBucket"],
            [self.bucket.bucket_arn],
            StringLike={"s3:prefix": [*feeds, f"{RESULTS}*"]},
        )
        if self.bucket.encryption_key:
            self.bucket.encryption_key.grant(grantee, "kms:Decrypt", "kms:GenerateDataKey")

    def announce_to(self, function: lambda_.IFunction) -> None:
        """Invoke a function with ``{"exported": "2026-11-23"}`` when all files of that day are in
        the bucket and some of them are new. Several functions can be told."""
        self._invoke(function, "ANNOUNCE_TO", self._told)

    def announce_new_files_to(self, function: lambda_.IFunction) -> None:
        """Invoke a function with ``{"exported": "2026-11-23"}`` at the end of each run that stored
        files of that day, whether they are all or not. Several functions can be told."""
        self._invoke(function, "ANNOUNCE_NEW_FILES_TO", self._told_of_new_files)

    def _invoke(self, function: lambda_.IFunction, variable: str, told: list[str]) -> None:
        told.append(function.function_arn)
        self.export_utterances.add_environment(variable, " ".join(told))
        self.export_utterances.add_to_role_policy(
            iam.PolicyStatement(
                actions=["lambda:InvokeFunction"], resources=[function.function_arn]
            )
        )

    def metric_days_missing(self, **options: Any) -> cloudwatch.Metric:
        """Past days that are not in the bucket whole, the most; one value for each run."""
        options = {"statistic": cloudwatch.Stats.MAXIMUM, **options}
        lines, log = event(_EVENTS.EXPORT_RUN), self.export_utterances.log_group
        return log_metric(self, "ExportDaysMissing", log, lines, "$.daysMissing", **options)

    def _grant_files(self, grantee: iam.IGrantable, *actions: str) -> None:
        self._grant(grantee, FEEDS, *actions)

    def _grant(self, grantee: iam.IGrantable, prefixes: Sequence[str], *actions: str) -> None:
        """Grant listing these prefixes, and the actions on the objects under them."""
        files = [f"{prefix}*" for prefix in prefixes]
        resources = [self.bucket.arn_for_objects(each) for each in files]
        add = iam.Grant.add_to_principal
        add(grantee=grantee, actions=list(actions), resource_arns=resources)
        add(
            grantee=grantee,
            actions=["s3:ListBucket"],
            resource_arns=[self.bucket.bucket_arn],
            conditions={"StringLike": {"s3:prefix": files}},
        )
        role = grantee.grant_principal
        if not isinstance(role, Construct):
            return  # not of this app
        if isinstance(made := self.bucket.node.default_child, s3.CfnBucket):
            bucket = f"<{Stack.of(self).get_logical_id(made)}.Arn>"  # cdk-nag's words
            resources = [f"{bucket}/{each}" for each in files]
        for resource in resources:
            if not Token.is_unresolved(resource):
                reason = (
                    "ASAPP names the files; of the bucket these are only those under one prefix."
                )
                finding = f"AwsSolutions-IAM5[Resource::{resource}]"
                Validations.of(role).acknowledge(Acknowledgment(id=finding, reason=reason))

    def _bucket(
        self, keep: Duration, key: kms.IKey | None, removal_policy: RemovalPolicy
    ) -> s3.Bucket:
        return private_bucket(
            self,
            "Bucket",
            key=key,
            lifecycle_rules=[
                *(
                    s3.LifecycleRule(prefix=prefix, expiration=keep)
                    for prefix in (*FEEDS, _TAKEN_FILES)
                ),
                s3.LifecycleRule(prefix=RESULTS, expiration=_RESULTS_KEPT),
                s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(1)),
            ],
            removal_policy=removal_policy,
            not_logged="CloudTrail records who reads it, if the account turns data events on; a "
            "bucket for logs would be one more bucket to protect.",
        )
