"""Alarms on lost utterances and on calls without transcription."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from connect_autotranscribe._arguments import check_arguments, like
from connect_autotranscribe._key_policy import let_service_use
from connect_autotranscribe.interfaces import MeasuredFlow
from connect_autotranscribe.monitoring.monitored import (
    PERIOD,
    Monitored,
    apis_of,
    dead_letters_of,
    functions_of,
    metric_of,
)
from connect_autotranscribe.transcripts.webhook_domain import WebhookDomain

_RUNBOOK = "docs/operate.md"
_A_MINUTE, _QUARTER_HOUR = Duration.minutes(1), Duration.minutes(15)
_SEVERAL = 5
"""One request of a scanner, or one call that ASAPP refuses, is no reason to wake anybody."""
_TOKENS_AN_HOUR = 100
"""A client needs one. ASAPP may have many that post; one a message would be 600 an hour for a call
at a time."""
_STALE_MS = 60_000
"""An agent event that is older than a minute starts nothing any more."""


class TranscriptionAlarms(Construct):
    """Alarms if utterances are lost, or calls are not transcribed.

    Give the parts that you have, at least one. Each alarm's description says what to do first, and
    names its section of ``docs/operate.md``.

    :param constructs: Alarms watch the errors and throttles of each of their functions, any message
        in their dead-letter queues, and what their methods ``metric_…`` measure: refused calls and
        restarts, numbers that are not redacted, the webhook's errors, queue and tokens, calls
        without utterances or agent events, incomplete transcripts, missing days of the export, late
        events. An expected refusal by ASAPP is not an error. Default: none.
    :param domains: Alarms watch, 30 days ahead, the expiry of their certificates and of the
        authorities whose client certificates are good. Default: none.
    :param flows: Alarms watch the error branches of these flows. Default: none.
    :param topic: The topic for the alarms. Default: a new topic.
    :param email: The address that subscribes to the topic; its owner must confirm SNS's mail.
        Default: nobody.
    :param key: Encrypts the new topic. Default: the topic is not encrypted.

    .. code-block:: python

        TranscriptionAlarms(
            self,
            "Alarms",
            constructs=[control, store, webhook, reconciliation],
            email="ops@example.com",
        )
    """

    topic: sns.ITopic
    alarms: Sequence[cloudwatch.Alarm]

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        constructs: Sequence[Monitored] = (),
        domains: Sequence[WebhookDomain] = (),
        flows: Sequence[MeasuredFlow] = (),
        topic: sns.ITopic | None = None,
        email: str | None = None,
        key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, id)
        check_arguments(self, like("alarms", optional=True, email=email))
        if not (constructs or domains or flows):
            raise ValueError(f"{self.node.path}: give constructs, domains or flows to watch")
        self.topic = topic or _topic(self, key)
        if email:
            self.topic.add_subscription(subscriptions.EmailSubscription(email))
        self._action = actions.SnsAction(self.topic)
        self.alarms = self._made = list[cloudwatch.Alarm]()
        for name, function in functions_of(constructs).items():
            self._at_least(
                f"{name}Errors",
                "function-errors",
                "The function failed. Its log says why",
                function.metric_errors(period=PERIOD),
            )
            self._at_least(
                f"{name}Throttles",
                "throttles",
                "Lambda had no room to run the function. Raise the account's concurrency",
                function.metric_throttles(period=PERIOD),
            )
        for name, messages in dead_letters_of(constructs).items():
            self._at_least(
                name,
                "dead-letters",
                "Something could not be handled. Each message says why",
                messages,
            )
        self._of_apis(constructs)
        for domain in domains:
            self._of_domain(domain)
        self._of_metrics(constructs)
        self._of_silence(constructs)
        self._of_export(constructs)
        self._of_flows(flows)

    def _of_apis(self, constructs: Sequence[Monitored]) -> None:
        for name, api in apis_of(constructs).items():
            self._at_least(
                f"{name}ServerErrors",
                "webhookservererrors",
                "The webhook answered 5xx, and ASAPP does not repeat those utterances. Look at the "
                "log of the authorizer, then at the access log",
                api.rest_api.metric_server_error(),
            )
            self._at_least(
                f"{name}ClientErrors",
                "webhookclienterrors",
                "The webhook answered 4xx several times: a wrong secret, or malformed POSTs. The "
                "access log names each request",
                api.rest_api.metric_client_error(),
                threshold=_SEVERAL,
            )
        issuers = [getattr(each, "token_issuer", None) for each in constructs]
        for issuer in filter(None, issuers):
            self._at_least(
                "TokensRequested",
                "tokensrequested",
                "Cognito was asked for 100 tokens in an hour, at $2.25 for 1,000. Ask ASAPP "
                "whether it keeps its token for an hour, or fetches one for each message",
                issuer.tokens_requested,
                threshold=_TOKENS_AN_HOUR,
            )

    def _of_domain(self, domain: WebhookDomain) -> None:
        for name, days in domain.days_to_expiry.items():
            self._notify(
                days.create_alarm(
                    self,
                    f"{domain.node.id}{name}Expires",
                    alarm_description=_described(
                        "A certificate of the webhook's domain expires in less than 30 days. "
                        "Import a new one under the same ARN, or see why Certificate Manager "
                        "does not renew it",
                        "expiry",
                    ),
                    threshold=30,
                    comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
                    evaluation_periods=1,
                    # After the expiry there are no data, and the alarm must stay on.
                    treat_missing_data=cloudwatch.TreatMissingData.IGNORE,
                )
            )
        if soon := domain.authority_expires_soon:
            self._at_least(
                f"{domain.node.id}AuthorityExpires",
                "expiry",
                "An authority whose client certificates are good expires in less than 30 days: "
                "then ASAPP is refused. Add the new one to the file of authorities, and deploy",
                soon,
            )

    def _of_metrics(self, constructs: Sequence[Monitored]) -> None:
        watched = (
            (
                "QueueAge",
                "queue_age",
                300,
                "Utterances wait for minutes to be stored; nothing is lost yet. Look at the log of "
                "store_transcript",
            ),
            (
                "NumbersNotRedacted",
                "numbers_not_redacted",
                1,
                "An utterance was stored with what looks like the number of a card or a social "
                "security number, which ASAPP should have redacted. The log of store_transcript "
                "names the conversation",
            ),
            (
                "UtterancesNotScreened",
                "utterances_not_screened",
                1,
                "The function on_utterance failed, was late or did not answer: utterances wait and "
                "are not stored. Look at its log; after ten tries they are dead letters",
            ),
            (
                "TranscriptionStopped",
                "transcription_stopped",
                1,
                "Somebody has stopped all transcription with make stop-all. If that is over, run "
                "make resume-all",
            ),
            (
                "CallsRefused",
                "calls_refused",
                _SEVERAL,
                "ASAPP refused starts or stops, or did not answer: calls go without transcription. "
                "The logs have status and reason of each",
            ),
            (
                "RestartsRefused",
                "restarts_refused",
                1,
                "ASAPP refused to start again after a hold or a transfer: the rest of that call is "
                "not transcribed. The log of follow_agent_events has the reason",
            ),
            (
                "CallsNotTranscribed",
                "calls_not_transcribed",
                1,
                "A call was answered and has no transcript, or not to its end. The log of "
                "reconcile_transcript names it",
            ),
            (
                "WebhookThrottled",
                "requests_throttled",
                1,
                "The webhook answered 429, and ASAPP does not repeat those utterances. Raise "
                "webhook.throttle_rate_per_second",
            ),
            (
                "AgentEventsThrottled",
                "agent_events_throttled",
                1,
                "The stream of agent events has too few shards: nothing may start again after a "
                "hold. Raise lifecycle.shards",
            ),
            (
                "AgentEventsLate",
                "agent_event_age",
                _STALE_MS,
                "Agent events are handled over a minute late: nothing starts again after a hold. "
                "Look at the log of follow_agent_events",
            ),
            (
                "EventBusLate",
                "event_bus_age",
                _STALE_MS,
                "Utterances come to the event bus over a minute late; all are in the table. Look "
                "at the log of publish_utterance",
            ),
            (
                "AsappLimitReached",
                "asapp_limit_reached",
                1,
                "ASAPP's daily limit is reached: until 00:00 UTC calls that start are probably not "
                "transcribed, and no transcript is completed. Ask ASAPP for a higher one now",
            ),
            (
                "ConversationsIncomplete",
                "conversations_incomplete",
                1,
                "A conversation is a day old, and ASAPP's transcript is not all here. The log of "
                "reconcile_transcript names it",
            ),
            (
                "LiveEventsDropped",
                "live_events_dropped",
                1,
                "Events for the live page were given up after a minute; pages show them when they "
                "read the next time. Look at the log of publish_live",
            ),
            (
                "LiveEventsFailed",
                "live_events_failed",
                _SEVERAL,
                "AppSync answered 5xx several times: pages hear of utterances late, or cannot "
                "connect. Look at the log of publish_live, and at AWS's health",
            ),
            (
                "LiveReadsFailed",
                "live_reads_failed",
                1,
                "The live page's read API answered 5xx: pages are empty or late. The access log "
                "names each request",
            ),
        )
        for name, measured, threshold, description in watched:
            if metric := metric_of(constructs, measured):
                self._at_least(name, name.lower(), description, metric, threshold)

    def _of_silence(self, constructs: Sequence[Monitored]) -> None:
        """What fails without an error: nothing comes, although calls are in progress."""
        calls, stopped, stored, events = (
            metric_of(constructs, each, period=_A_MINUTE)
            for each in (
                "calls_in_progress",
                "transcription_stopped",
                "utterances_stored",
                "agent_events",
            )
        )
        if not (calls and stopped):
            return
        self._notify(
            calls.with_(statistic=cloudwatch.Stats.SAMPLE_COUNT).create_alarm(
                self,
                "ReconciliationSilent",
                alarm_description=_described(
                    "Reconciliation has not run for 15 minutes, or never yet: no alarm on silence "
                    "works. Look at the schedule and at the log of reconcile_transcript",
                    "reconciliationsilent",
                ),
                threshold=1,
                comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
                evaluation_periods=15,
                treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
            )
        )
        if stored:
            self._while_calls(
                "CallsNotStored",
                "Calls are in progress, and no utterance was stored for ten minutes. See what "
                "ASAPP posts: is it us, ASAPP or Connect?",
                "IF(calls > 0 AND stopped < 1 AND FILL(arrived, 0) < 1, 1, 0)",
                {"calls": calls, "stopped": stopped, "arrived": stored},
            )
        if events:
            self._while_calls(
                "AgentEventsSilent",
                "Calls are in progress, and Connect has published no agent event for ten minutes: "
                "nothing starts again after a hold. Look at the instance's data streaming",
                "IF(calls > 0 AND FILL(arrived, 0) < 1, 1, 0)",
                {"calls": calls, "arrived": events},
            )

    def _while_calls(
        self,
        name: str,
        description: str,
        expression: str,
        metrics: dict[str, cloudwatch.IMetric],
    ) -> None:
        """Alarm if an expression is 1 in each of ten minutes."""
        math = cloudwatch.MathExpression(
            expression=expression, using_metrics=metrics, period=_A_MINUTE, label=name
        )
        self._notify(
            math.create_alarm(
                self,
                name,
                alarm_description=_described(description, name.lower()),
                threshold=1,
                evaluation_periods=10,
                comparison_operator=_AT_LEAST,
                treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            )
        )

    def _of_export(self, constructs: Sequence[Monitored]) -> None:
        days_missing = metric_of(constructs, "days_missing")
        if days_missing is None:
            return
        self._at_least(
            "ExportLate",
            "exportlate",
            "A past day is not in the bucket whole; each run tries again until it is given up. "
            "Look at the log of export_utterances",
            days_missing,
            missing=cloudwatch.TreatMissingData.IGNORE,  # until a run says otherwise
        )
        runs = days_missing.with_(statistic=cloudwatch.Stats.SAMPLE_COUNT, period=Duration.hours(1))
        self._notify(
            runs.create_alarm(
                self,
                "ExportSilent",
                alarm_description=_described(
                    "The export has not run for 26 hours, or never yet. Look at its schedule and "
                    "at the log of export_utterances",
                    "exportsilent",
                ),
                threshold=1,
                comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
                evaluation_periods=26,
                treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
            )
        )

    def _of_flows(self, flows: Sequence[MeasuredFlow]) -> None:
        for flow in flows:
            self._at_least(
                f"{flow.node.id}FlowErrors",
                "flow-errors",
                "Error branches of this flow were taken several times; calls go on. Is the "
                "function associated with the instance? Look at its log, then at the flow's",
                flow.metric("ContactFlowErrors").with_(period=_QUARTER_HOUR),
                threshold=_SEVERAL,
            )
            self._at_least(
                f"{flow.node.id}FlowFatalErrors",
                "flow-errors",
                "Connect could not run this flow, and may have cut the contact off. Look at the "
                "flow's log, and ask AWS support",
                flow.metric("ContactFlowFatalErrors"),
            )

    def _at_least(
        self,
        name: str,
        section: str,
        description: str,
        metric: cloudwatch.Metric | cloudwatch.MathExpression,
        threshold: int = 1,
        missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
    ) -> None:
        self._notify(
            metric.create_alarm(
                self,
                name,
                alarm_description=_described(description, section),
                threshold=threshold,
                evaluation_periods=1,
                comparison_operator=_AT_LEAST,
                treat_missing_data=missing,
            )
        )

    def _notify(self, alarm: cloudwatch.Alarm) -> None:
        alarm.add_alarm_action(self._action)
        self._made.append(alarm)


_AT_LEAST = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD


def _described(what: str, section: str) -> str:
    """:param section: The anchor of the heading in the runbook."""
    return f"{what}. {_RUNBOOK}#{section}"


def _topic(scope: Construct, key: kms.IKey | None) -> sns.Topic:
    topic = sns.Topic(scope, "Topic", enforce_ssl=True, master_key=key)
    if key:
        let_service_use(
            key,
            scope,
            "alarms",
            service="cloudwatch.amazonaws.com",
            actions=("kms:Decrypt", "kms:GenerateDataKey"),
            conditions={"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}},
        )
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            actions=["sns:Publish"],
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            resources=[topic.topic_arn],
            conditions={"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}},
        )
    )
    return topic
