"""The endpoint to which ASAPP posts each utterance, once, in real time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from aws_cdk import Acknowledgment, Duration, RemovalPolicy, Validations
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from connect_autotranscribe._arguments import BASE_PATH, Argument, check_arguments, like
from connect_autotranscribe._encrypted import dead_letter_queue, grant_on_items, grant_send
from connect_autotranscribe._functions import Function, live_alias
from connect_autotranscribe.function_options import DEFAULT_FUNCTION_OPTIONS, FunctionOptions
from connect_autotranscribe.retention import DEFAULT_RETENTION, Retention, days_of
from connect_autotranscribe.transcripts._domain import lacks_domain
from connect_autotranscribe.transcripts._webhook_api import WebhookApi

_CONSUMER_TIMEOUT = Duration.seconds(20)


class TranscriptWebhook(Construct):
    """A REST API that puts each POST into a queue, and the function that stores the messages.

    ASAPP never repeats a POST, so no code of ours runs before the queue: API Gateway itself sends
    the body to SQS. If a message can never be stored, it goes to ``dead_letters`` with the reason.
    Any other failure is tried again.

    :param table: The table of :class:`TranscriptStore`.
    :param secret_in: Whether ASAPP sends the secret in a ``header`` (the default) or in the
        ``query`` string.
    :param secret_name: The name of that header or parameter. Default: ``x-webhook-secret``.
    :param throttle_rate_per_second: Requests a second that API Gateway accepts. Default: 100; ASAPP
        sends about 8 for 50 calls at a time.
    :param throttle_burst: Requests that API Gateway accepts at once. Default: 200.
    :param allowed_cidrs: The networks that may call. Default: all networks; a caller still needs
        the secret.
    :param api_gateway_log_role: ``adopt`` (the default): this account and region already let API
        Gateway write logs. ``manage``: the stack sets that account-wide role, and keeps it on
        delete.
    :param max_consumers: The most invocations at a time of the function that stores messages, 2 to
        1000, so that a backlog leaves room for the account's other functions. Default: 10.
    :param with_aliases: Whether API Gateway and the queue invoke aliases of published versions, in
        ``aliases``, so that a new version can take over gradually. Default: no.
    :param domain: A domain name of API Gateway for the webhook, for instance one that asks for
        ASAPP's client certificate; API Gateway's own name is then disabled. Default: API Gateway's
        own name.
    :param base_path: The path of the domain under which the webhook is. Default: the whole domain.
    :param secret: The secret that ASAPP must present. Default: a random one, made in the account.
    :param queue: The queue between API Gateway and the function. If you give one, it needs a
        visibility timeout of more than two minutes and its own dead-letter queue. Default: made
        here.
    :param dead_letters: The queue for messages that can never be stored. Default: made here.
    :param key: Encrypts the secret, the queues and the logs that are made here. Default: AWS's own
        keys.
    :param transcript_retention: The time until an utterance is deleted, in whole days. Default: 30
        days.
    :param retention: How long logs and stored data are kept. Default: logs for 30 days; everything
        stays when the stack is deleted.
    :param function_options: How the functions run: VPC, key of the environment, code signing,
        reserved concurrency, memory. Default: no VPC, 512 MiB, nothing reserved.

    .. code-block:: python

        webhook = TranscriptWebhook(self, "TranscriptWebhook", table=store.table)
    """

    api: WebhookApi
    """ASAPP posts to its ``url``."""
    secret: secretsmanager.ISecret
    """The secret that ASAPP must present. Its value is in no template. To rotate it, put a new
    version and give it to ASAPP: the version before stays good until the next one. If it leaked,
    also take the label ``AWSPREVIOUS`` off the version before."""
    queue: sqs.IQueue
    dead_letters: sqs.IQueue
    store_transcript: lambda_.Function
    functions: Mapping[str, lambda_.IFunction]
    aliases: Mapping[str, lambda_.Alias]
    """By the names of ``functions``; empty without ``with_aliases``."""
    dead_letter_queues: Mapping[str, sqs.IQueue]

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        table: dynamodb.ITable,
        secret_in: Literal["header", "query"] = "header",
        secret_name: str = "x-webhook-secret",
        throttle_rate_per_second: int = 100,
        throttle_burst: int = 200,
        allowed_cidrs: Sequence[str] = (),
        api_gateway_log_role: Literal["adopt", "manage"] = "adopt",
        max_consumers: int = 10,
        with_aliases: bool = False,
        domain: apigateway.IDomainName | None = None,
        base_path: str | None = None,
        secret: secretsmanager.ISecret | None = None,
        queue: sqs.IQueue | None = None,
        dead_letters: sqs.IQueue | None = None,
        key: kms.IKey | None = None,
        transcript_retention: Duration | None = None,
        retention: Retention = DEFAULT_RETENTION,
        function_options: FunctionOptions = DEFAULT_FUNCTION_OPTIONS,
    ) -> None:
        super().__init__(scope, id)
        check_arguments(
            self,
            {
                **like(
                    "webhook",
                    secret_in=secret_in,
                    secret_name=secret_name,
                    throttle_rate_per_second=throttle_rate_per_second,
                    throttle_burst=throttle_burst,
                    allowed_cidrs=allowed_cidrs,
                    api_gateway_log_role=api_gateway_log_role,
                ),
                "max_consumers": Argument(value=max_consumers, rule="capacity.store_transcript"),
                "base_path": Argument(value=base_path, rule=BASE_PATH, optional=True),
                "transcript_retention": Argument(
                    value=transcript_retention, rule="retention.transcripts_days", optional=True
                ),
            },
            lacks_domain(domain, base_path),
        )
        self.dead_letters = dead_letters or dead_letter_queue(
            self, "DeadLetters", key=key, removal_policy=retention.removal_policy
        )
        self.queue = queue or self._queue(key, retention.removal_policy)
        self.store_transcript = Function(
            self,
            "StoreTranscript",
            folder="store_transcript",
            description="Stores the webhook's utterances in the table",
            timeout=_CONSUMER_TIMEOUT,
            environment={
                "TRANSCRIPT_TABLE": table.table_name,
                "TRANSCRIPT_RETENTION_DAYS": str(days_of(transcript_retention)),
                "DEAD_LETTER_QUEUE_URL": self.dead_letters.queue_url,
            },
            retention=retention,
            options=function_options,
            key=key,
        )
        grant_on_items(table, self.store_transcript, "dynamodb:BatchWriteItem")
        grant_send(self.dead_letters, self.store_transcript)
        consumer_alias = live_alias(self.store_transcript) if with_aliases else None
        (consumer_alias or self.store_transcript).add_event_source(
            sources.SqsEventSource(
                self.queue,
                # Larger batches need a window, and every utterance would wait for it.
                batch_size=10,
                max_concurrency=max_consumers,
                report_batch_item_failures=True,
            )
        )
        self.secret = secret or self._secret(key, retention.removal_policy)
        self.api = WebhookApi(
            self,
            "Api",
            queue=self.queue,
            secret=self.secret,
            secret_in=secret_in,
            secret_name=secret_name,
            throttle_rate_per_second=throttle_rate_per_second,
            throttle_burst=throttle_burst,
            allowed_cidrs=allowed_cidrs,
            api_gateway_log_role=api_gateway_log_role,
            domain=domain,
            base_path=base_path,
            retention=retention,
            function_options=function_options,
            key=key,
            with_aliases=with_aliases,
        )
        self.functions = {
            "AuthorizeWebhook": self.api.authorize_webhook,
            "StoreTranscript": self.store_transcript,
        }
        found = {"AuthorizeWebhook": self.api.authorizer_alias, "StoreTranscript": consumer_alias}
        self.aliases = {name: alias for name, alias in found.items() if alias}
        self.dead_letter_queues = {"DeadLetters": self.dead_letters}

    def _queue(self, key: kms.IKey | None, removal_policy: RemovalPolicy) -> sqs.Queue:
        return sqs.Queue(
            self,
            "Queue",
            encryption=sqs.QueueEncryption.KMS if key else sqs.QueueEncryption.SQS_MANAGED,
            encryption_master_key=key,
            enforce_ssl=True,
            # AWS recommends six times the consumer's timeout, so that deliveries do not overlap.
            visibility_timeout=Duration.seconds(6 * _CONSUMER_TIMEOUT.to_seconds()),
            retention_period=Duration.days(14),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=10),
            removal_policy=removal_policy,
        )

    def _secret(self, key: kms.IKey | None, removal_policy: RemovalPolicy) -> secretsmanager.Secret:
        secret = secretsmanager.Secret(
            self,
            "Secret",
            description="What ASAPP presents at the transcript webhook; give ASAPP its value",
            encryption_key=key,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=64, exclude_punctuation=True
            ),
            removal_policy=removal_policy,
        )
        Validations.of(secret).acknowledge(
            Acknowledgment(
                id="AwsSolutions-SMG4",
                reason="ASAPP must be told each new value by a person; docs say how to rotate it.",
            )
        )
        return secret
