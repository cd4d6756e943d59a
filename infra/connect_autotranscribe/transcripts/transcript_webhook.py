"""The endpoint to which ASAPP posts each utterance, once, in real time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from aws_cdk import Acknowledgment, Duration, RemovalPolicy, Stack, Validations
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from connect_autotranscribe._arguments import YES_OR_NO, Argument, check_arguments, like
from connect_autotranscribe._encrypted import (
    ask_on_utterance,
    dead_letter_queue,
    grant_on_items,
    grant_send,
)
from connect_autotranscribe._functions import Function, live_alias
from connect_autotranscribe._log_metric import event, log_metric
from connect_autotranscribe.function_options import DEFAULT_FUNCTION_OPTIONS, FunctionOptions
from connect_autotranscribe.retention import DEFAULT_RETENTION, Retention, days_of
from connect_autotranscribe.transcripts._domain import lacks_domain
from connect_autotranscribe.transcripts._token_issuer import TokenIssuer
from connect_autotranscribe.transcripts._webhook_api import WebhookApi
from connect_autotranscribe.transcripts.web_acl import WebAcl, problems_of_web_acl
from connect_autotranscribe.transcripts.webhook_auth import (
    ClientCertificate,
    ClientCredentials,
    SharedSecret,
    WebhookAuth,
    problems_of,
)
from connect_settings._rules import BASE_PATH, WEB_ACL_ARN
from connect_settings.shared_names import shared_names

_CONSUMER_TIMEOUT = Duration.seconds(20)
_EVENTS = shared_names("log_events")


class TranscriptWebhook(Construct):
    """REST APIs that put each POST into a queue, and the function that stores the messages.

    ASAPP never repeats a POST, so no code of ours runs before the queue: API Gateway itself sends
    the body to SQS. If a message can never be stored, it goes to ``dead_letters`` with the reason.
    Any other failure is tried again.

    :param table: The table of :class:`TranscriptStore`.
    :param auth: How ASAPP proves who it is: objects of ``SharedSecret``,
        ``ClientCredentials``, ``IssuedTokens`` or ``ClientCertificate``. Give two
        while ASAPP changes from one to the other: each has an address of its own, and both lead
        into the same queue. Default: a secret in the header ``x-webhook-secret``.
    :param throttle_rate_per_second: Requests a second that API Gateway accepts. Default: 1,000;
        ASAPP sends about 8 for 50 calls at a time.
    :param throttle_burst: Requests that API Gateway accepts at once. Default: 2,000.
    :param allowed_cidrs: The networks that may call. Default: all networks; a caller still
        has to prove who it is.
    :param web_acl: What keeps a flood away from the throttle: a ``WebAcl``, made here, or the ARN
        of a regional one of yours. Default: nothing, so who has no credential can take the room
        of ASAPP's utterances.
    :param api_gateway_log_role: ``adopt`` (the default): this account and region already let API
        Gateway write logs. ``manage``: the stack sets that account-wide role, and keeps it on
        delete.
    :param max_consumers: The most invocations at a time of the function that stores messages, 2 to
        1000, so that a backlog leaves room for the account's other functions. Default: 10.
    :param with_aliases: Whether API Gateway and the queue invoke aliases of published versions, in
        ``aliases``, so that a new version can take over gradually. Default: no.
    :param domain: A domain name of API Gateway, such as ``WebhookDomain``, so that the address
        that ASAPP has outlives the API; API Gateway's own name is then disabled. A
        ``ClientCertificate`` has its own domain. Default: API Gateway's own name.
    :param base_path: The path of the domain under which the webhook is. Default: the whole domain.
    :param tls: The oldest version of TLS that a caller may speak. Default: 1.2.
    :param redaction: Which text ASAPP was asked for. If it is "redacted" (the default), utterances
        with what looks like a card, social security or phone number are counted.
    :param on_utterance: A function of yours, in this account and region, that may change or refuse
        an utterance before it is stored: ``docs/on-utterance.md``. Give an alias or a version. Give
        the same one to ``TranscriptReconciliation``. Default: none; everything is stored.
    :param queue: The queue between API Gateway and the function. If you give one, it needs a
        visibility timeout of more than two minutes and its own dead-letter queue. Default: made
        here.
    :param dead_letters: The queue for messages that can never be stored. Default: made here.
    :param key: Encrypts the secrets, the queues and the logs that are made here. Default: AWS's own
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

    apis: Sequence[WebhookApi]
    """One for all ways but client certificates, and one for these. What API Gateway measures has
    the ``rest_api`` of each, for instance ``apis[0].rest_api.metric_server_error()``."""
    urls: Mapping[type[WebhookAuth], str]
    """Where ASAPP posts to, by way."""
    secret: secretsmanager.ISecret | None
    """The secret that ASAPP must present, if it is a way. Its value is in no template. To rotate
    it, put a new version and give it to ASAPP: the version before stays good until the next one. If
    it leaked, also take the label ``AWSPREVIOUS`` off the version before."""
    token_issuer: TokenIssuer | None
    """What gives ASAPP access tokens, for ``ClientCredentials``."""
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
        auth: Sequence[WebhookAuth] = (SharedSecret(),),
        throttle_rate_per_second: int = 1_000,
        throttle_burst: int = 2_000,
        allowed_cidrs: Sequence[str] = (),
        web_acl: WebAcl | str | None = None,
        api_gateway_log_role: Literal["adopt", "manage"] = "adopt",
        max_consumers: int = 10,
        with_aliases: bool = False,
        domain: apigateway.IDomainName | None = None,
        base_path: str | None = None,
        tls: Literal["1.2", "1.3"] = "1.2",
        redaction: Literal["redacted", "unredacted", "redacted_and_unredacted"] = "redacted",
        on_utterance: lambda_.IFunction | None = None,
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
                    tls=tls,
                    throttle_rate_per_second=throttle_rate_per_second,
                    throttle_burst=throttle_burst,
                    allowed_cidrs=allowed_cidrs,
                    api_gateway_log_role=api_gateway_log_role,
                ),
                **like("asapp", redaction=redaction),
                "web_acl": Argument(
                    value=None if isinstance(web_acl, WebAcl) else web_acl,
                    rule=WEB_ACL_ARN,
                    optional=True,
                ),
                "max_consumers": Argument(value=max_consumers, rule="capacity.store_transcript"),
                "with_aliases": Argument(value=with_aliases, rule=YES_OR_NO),
                "base_path": Argument(value=base_path, rule=BASE_PATH, optional=True),
                "transcript_retention": Argument(
                    value=transcript_retention, rule="retention.transcripts_days", optional=True
                ),
            },
            [
                *lacks_domain(domain, base_path),
                *problems_of(auth, Stack.of(self).account),
                *problems_of_web_acl(web_acl, auth),
            ],
        )
        self._is_redacted = redaction == "redacted"
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
                "REDACTION": redaction,
            },
            retention=retention,
            options=function_options,
            key=key,
        )
        grant_on_items(table, self.store_transcript, "dynamodb:BatchWriteItem")
        grant_send(self.dead_letters, self.store_transcript)
        self._is_screened = on_utterance is not None
        if on_utterance:
            ask_on_utterance(self.store_transcript, on_utterance)
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
        secrets = [
            secret
            for way in auth
            if (secret := way.secret if isinstance(way, ClientCertificate) else way)
            and isinstance(secret, SharedSecret)
        ]
        given = next((each.secret for each in secrets if each.secret), None)
        self.secret = given or (self._secret(key, retention.removal_policy) if secrets else None)
        self.token_issuer = self._token_issuer(auth, key, retention)
        own = [way for way in auth if isinstance(way, ClientCertificate)]
        others: list[WebhookAuth] = [way for way in auth if not isinstance(way, ClientCertificate)]
        first = others or own
        places: list[
            tuple[str, Sequence[WebhookAuth], apigateway.IDomainName | None, str | None]
        ] = [
            ("Api", others, domain, base_path),
            *(("ClientCertificateApi", own, way.domain, way.base_path) for way in own),
        ]
        self.apis = [
            WebhookApi(
                self,
                id_of_api,
                queue=self.queue,
                auth=ways,
                secret=self.secret,
                token_issuer=self.token_issuer,
                throttle_rate_per_second=throttle_rate_per_second,
                throttle_burst=throttle_burst,
                allowed_cidrs=allowed_cidrs,
                web_acl=web_acl,
                # One API sets the role for the whole account.
                api_gateway_log_role=api_gateway_log_role if ways is first else "adopt",
                domain=its_domain,
                base_path=its_path,
                tls=tls,
                retention=retention,
                function_options=function_options,
                key=key,
                with_aliases=with_aliases,
            )
            for id_of_api, ways, its_domain, its_path in places
            if ways
        ]
        self.urls = {way: url for api in self.apis for way, url in api.urls.items()}
        authorizers = {name: each for api in self.apis for name, each in api.authorizers.items()}
        self.functions = {**authorizers, "StoreTranscript": self.store_transcript}
        found = {name: alias for api in self.apis for name, alias in api.aliases.items()}
        self.aliases = found | ({"StoreTranscript": consumer_alias} if consumer_alias else {})
        self.dead_letter_queues = {"DeadLetters": self.dead_letters}

    def grant_redrive(self, grantee: iam.IGrantable) -> None:
        """Grant moving the messages of ``dead_letters`` back into ``queue``. Name it as the custom
        destination: SQS knows no source of the messages that our function has sent there."""
        self.dead_letters.grant(
            grantee,
            "sqs:CancelMessageMoveTask",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:ListMessageMoveTasks",
            "sqs:ReceiveMessage",
            "sqs:StartMessageMoveTask",
        )
        grant_send(self.queue, grantee)
        self.queue.grant(grantee, "sqs:GetQueueAttributes")  # which has the queue's ARN
        if key := self.dead_letters.encryption_master_key:
            key.grant_decrypt(grantee)

    def metric_utterances_stored(self, **options: Any) -> cloudwatch.Metric:
        """Utterances that the webhook brought."""
        lines, log = event(_EVENTS.UTTERANCES_STORED), self.store_transcript.log_group
        return log_metric(self, "UtterancesStored", log, lines, "$.utterances", **options)

    def metric_numbers_not_redacted(self, **options: Any) -> cloudwatch.Metric | None:
        """Utterances with what looks like the number of a card or a social security number, which
        ASAPP always redacts; None if ``redaction`` is not "redacted"."""
        return self._of_redacted("NumbersNotRedacted", _EVENTS.NUMBER_NOT_REDACTED, options)

    def metric_phone_numbers_not_redacted(self, **options: Any) -> cloudwatch.Metric | None:
        """Utterances with what looks like a phone number, which an account may leave as it is; None
        if ``redaction`` is not "redacted"."""
        name = _EVENTS.PHONE_NUMBER_NOT_REDACTED
        return self._of_redacted("PhoneNumbersNotRedacted", name, options)

    def metric_requests_throttled(self, **options: Any) -> cloudwatch.Metric:
        """POSTs that API Gateway answered with 429, which ASAPP does not repeat."""
        of_each = [
            log_metric(
                api,
                "RequestsThrottled",
                api.access_log,
                logs.FilterPattern.string_value("$.status", "=", "429"),
                **options,
            )
            for api in self.apis
        ]
        return of_each[0]  # all count into one metric

    def metric_queue_age(self, **options: Any) -> cloudwatch.Metric:
        """Seconds that the oldest message waits to be stored."""
        return self.queue.metric_approximate_age_of_oldest_message(**options)

    def metric_utterances_refused(self, **options: Any) -> cloudwatch.Metric | None:
        """Utterances of the webhook that ``on_utterance`` has refused; None without one."""
        return self._of_screened("UtterancesRefused", _EVENTS.UTTERANCES_REFUSED, options)

    def metric_utterances_not_screened(self, **options: Any) -> cloudwatch.Metric | None:
        """Utterances that wait because ``on_utterance`` has failed; None without one."""
        return self._of_screened("UtterancesNotScreened", _EVENTS.UTTERANCES_NOT_SCREENED, options)

    def _of_redacted(self, id: str, name: str, options: dict[str, Any]) -> cloudwatch.Metric | None:
        if not self._is_redacted:
            return None
        return log_metric(self, id, self.store_transcript.log_group, event(name), **options)

    def _of_screened(self, id: str, name: str, options: dict[str, Any]) -> cloudwatch.Metric | None:
        if not self._is_screened:
            return None
        log = self.store_transcript.log_group
        return log_metric(self, id, log, event(name), "$.utterances", **options)

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

    def _token_issuer(
        self, auth: Sequence[WebhookAuth], key: kms.IKey | None, retention: Retention
    ) -> TokenIssuer | None:
        for way in auth:
            if isinstance(way, ClientCredentials):
                return TokenIssuer(
                    self,
                    "TokenIssuer",
                    domain_prefix=way.domain_prefix,
                    clients=way.clients,
                    key=key,
                    retention=retention,
                )
        return None
