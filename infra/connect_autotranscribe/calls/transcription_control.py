"""The functions with which a Connect flow starts and stops transcription."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, cast

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from connect_autotranscribe._arguments import Argument, check_arguments, like
from connect_autotranscribe._encrypted import grant_on_items, grant_read_switch, grant_secret_value
from connect_autotranscribe._functions import Function, live_alias
from connect_autotranscribe._log_metric import REFUSED, event, log_metric
from connect_autotranscribe.function_options import DEFAULT_FUNCTION_OPTIONS, FunctionOptions
from connect_autotranscribe.retention import DEFAULT_RETENTION, Retention, days_of
from connect_settings.shared_names import shared_names

_TIMEOUT = Duration.seconds(7)  # a second less than a Lambda block waits
_EVENTS = shared_names("log_events")


class TranscriptionControl(Construct):
    """The functions that start and stop transcription. Only the flows of one instance, and of those
    that you pass to ``grant_invoke_to_instance``, may invoke their aliases.

    Each function answers a flow within 7 seconds, one second under the limit of a Lambda block,
    even if ASAPP does not answer. Of any number of equal invocations, only one reaches ASAPP.

    :param instance_arn: The Connect instance whose flows may invoke them.
    :param resiliency: Whether the instance has a replica in another Region (*Global Resiliency*).
        Then the functions are called ``autotranscribe-start-`` and ``autotranscribe-stop-`` with
        the instance's id, which is the same in both Regions. Default: no; CloudFormation names
        them.
    :param table: The table of :class:`TranscriptStore`. It records what ASAPP was told.
    :param credentials_secret: ``{"apiId": "…", "apiSecret": "…"}``. These functions may read it,
        and the functions that you pass to ``grant_to``.
    :param api_host: ``https://api.asapp.com``, or ASAPP's sandbox.
    :param language: The language of the calls, as an IETF tag. Default: American English.
    :param redaction: Which text ASAPP sends. Default: only the redacted text.
    :param detailed_tokens: Whether each word comes with its times; only with ``unredacted``.
        Default: no.
    :param audio_recording_allowed: Whether ASAPP may keep the audio. Default: no.
    :param start_selector: Where ASAPP begins to read the audio. ``FRAGMENT_NUMBER``, the default:
        at the contact's first fragment, so that no word is lost while the function starts. ``NOW``:
        at the moment of the request.
    :param conversation_id: Which contact id is the conversation's id. Default: the initial one, so
        that a call is one conversation across transfers.
    :param transcript_retention: The time until a conversation is deleted from the table, in whole
        days. Default: 30 days.
    :param key: Encrypts the logs that are made here. Default: AWS's own key.
    :param retention: How long logs and stored data are kept. Default: logs for 30 days; everything
        stays when the stack is deleted.
    :param function_options: How the functions run: VPC, key of the environment, code signing,
        reserved concurrency, memory. Default: no VPC, 512 MiB, nothing reserved.

    .. code-block:: python

        control = TranscriptionControl(
            self,
            "TranscriptionControl",
            instance_arn=instance_arn,
            table=store.table,
            credentials_secret=secretsmanager.Secret.from_secret_name_v2(self, "Asapp", "asapp"),
            api_host="https://api.asapp.com",
        )
    """

    start_streaming: lambda_.Alias
    stop_streaming: lambda_.Alias
    functions: Mapping[str, lambda_.IFunction]
    dead_letter_queues: Mapping[str, sqs.IQueue]
    switch: ssm.IStringParameter
    """Any other value than ``enabled`` stops all transcription within ten seconds: flows get the
    status ``disabled``, and nothing starts again after a hold. Calls that ASAPP hears go on."""
    environment: Mapping[str, str]
    """The environment variables of a function that starts or stops streams. All such functions must
    use the same parameters. Use them with :meth:`grant_to`."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        instance_arn: str,
        resiliency: bool = False,
        table: dynamodb.ITable,
        credentials_secret: secretsmanager.ISecret,
        api_host: str,
        language: str = "en-US",
        redaction: Literal["redacted", "unredacted", "redacted_and_unredacted"] = "redacted",
        detailed_tokens: bool = False,
        audio_recording_allowed: bool = False,
        start_selector: Literal["FRAGMENT_NUMBER", "NOW"] = "FRAGMENT_NUMBER",
        conversation_id: Literal[
            "InitialContactId", "ContactId", "PreviousContactId"
        ] = "InitialContactId",
        transcript_retention: Duration | None = None,
        key: kms.IKey | None = None,
        retention: Retention = DEFAULT_RETENTION,
        function_options: FunctionOptions = DEFAULT_FUNCTION_OPTIONS,
    ) -> None:
        super().__init__(scope, id)
        check_arguments(
            self,
            {
                **like("connect", instance_arn=instance_arn, resiliency=resiliency),
                **like(
                    "asapp",
                    api_host=api_host,
                    language=language,
                    redaction=redaction,
                    detailed_tokens=detailed_tokens,
                    audio_recording_allowed=audio_recording_allowed,
                    start_selector=start_selector,
                    conversation_id=conversation_id,
                ),
                "transcript_retention": Argument(
                    value=transcript_retention, rule="retention.transcripts_days", optional=True
                ),
            },
        )
        params = {
            "language": language,
            "detailedToken": detailed_tokens,
            "audioRecordingAllowed": audio_recording_allowed,
            "redactionOutput": redaction,
        }
        self.switch = ssm.StringParameter(
            self,
            "Switch",
            description="Any other value than enabled stops all transcription within ten seconds",
            string_value="enabled",
        )
        self.environment = {
            "ASAPP_API_HOST": api_host,
            "ASAPP_CREDENTIALS_SECRET": credentials_secret.secret_name,
            "AUTOTRANSCRIBE_PARAMS": json.dumps(params),
            "TRANSCRIPT_TABLE": table.table_name,
            "TRANSCRIPT_RETENTION_DAYS": str(days_of(transcript_retention)),
            "CONVERSATION_ID_SOURCE": conversation_id,
            "TRANSCRIPTION_SWITCH": self.switch.parameter_name,
        }
        self._table, self._credentials_secret = table, credentials_secret

        def name(which: str) -> str | None:
            instance = Stack.of(self).split_arn(instance_arn, ArnFormat.SLASH_RESOURCE_NAME)
            return f"autotranscribe-{which}-{instance.resource_name}" if resiliency else None

        start = Function(
            self,
            "StartStreaming",
            folder="start_streaming",
            name=name("start"),
            description="Starts transcription at ASAPP; called by a Connect flow",
            timeout=_TIMEOUT,
            environment={**self.environment, "START_SELECTOR": start_selector},
            retention=retention,
            options=function_options,
            key=key,
        )
        stop = Function(
            self,
            "StopStreaming",
            folder="stop_streaming",
            name=name("stop"),
            description="Stops transcription at ASAPP; called by a Connect flow",
            timeout=_TIMEOUT,
            environment=self.environment,
            retention=retention,
            options=function_options,
            key=key,
        )
        for function in (start, stop):
            self.grant_to(function)
        self.start_streaming, self.stop_streaming = live_alias(start), live_alias(stop)
        self._instance_arns: list[str] = []
        self._let_invoke(instance_arn)
        self.functions = {
            "StartStreaming": self.start_streaming,
            "StopStreaming": self.stop_streaming,
        }
        self.dead_letter_queues = {}

    def grant_invoke_to_instance(self, instance_arn: str) -> None:
        """Let the flows of one more Connect instance of this account and Region start and stop.

        The instance also needs a `FlowsStack`, or a `FlowFunction` for each alias, and a
        `CallLifecycle`. If it is granted already, nothing changes.

        :param instance_arn: The Connect instance, whole ARN.
        """
        check_arguments(self, like("connect", instance_arn=instance_arn))
        if instance_arn not in self._instance_arns:
            self._let_invoke(instance_arn)

    def grant_invoke(self, grantee: iam.IGrantable) -> None:
        """Grant starting and stopping by the aliases that flows invoke, for instance in a test."""
        aliases = [self.start_streaming.function_arn, self.stop_streaming.function_arn]
        iam.Grant.add_to_principal(
            grantee=grantee, actions=["lambda:InvokeFunction"], resource_arns=aliases
        )

    def grant_to(self, grantee: iam.IGrantable) -> None:
        """Grant reading ASAPP's credentials and the switch, and reading and updating the table's
        items, to a function that has ``environment``."""
        grant_secret_value(self._credentials_secret, grantee)
        grant_on_items(self._table, grantee, "dynamodb:GetItem", "dynamodb:UpdateItem")
        grant_read_switch(self.switch, grantee)

    def _let_invoke(self, instance_arn: str) -> None:
        self._instance_arns.append(instance_arn)
        count = len(self._instance_arns)
        for alias in (self.start_streaming, self.stop_streaming):
            alias.add_permission(
                f"Connect{count}" if count > 1 else "Connect",
                principal=iam.ServicePrincipal("connect.amazonaws.com"),
                source_arn=instance_arn,
                source_account=Stack.of(self).account,
            )

    def metric_calls_started(self, **options: Any) -> cloudwatch.Metric:
        """Starts of flows that ASAPP accepted."""
        lines = event(_EVENTS.START_STREAMING, "started")
        return log_metric(self, "CallsStarted", _log(self.start_streaming), lines, **options)

    def metric_calls_stopped(self, **options: Any) -> cloudwatch.Metric:
        """Stops of flows that ASAPP accepted."""
        lines = event(_EVENTS.STOP_STREAMING, "stopped")
        return log_metric(self, "CallsStopped", _log(self.stop_streaming), lines, **options)

    def metric_calls_refused(self, **options: Any) -> cloudwatch.Metric:
        """Starts and stops of flows that ASAPP refused or did not answer in time."""
        stops = event(_EVENTS.STOP_STREAMING, *REFUSED)
        stop_log = _log(self.stop_streaming)
        log_metric(self, "StopsRefused", stop_log, stops, name="CallsRefused")
        starts = event(_EVENTS.START_STREAMING, *REFUSED)
        return log_metric(self, "CallsRefused", _log(self.start_streaming), starts, **options)


def _log(alias: lambda_.Alias) -> logs.ILogGroup:
    return cast(lambda_.Function, alias.lambda_).log_group
