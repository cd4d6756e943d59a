"""The stack of the page on which calls are seen while they are spoken."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_appsync as appsync
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from constructs import Construct

from connect_autotranscribe.function_options import DEFAULT_FUNCTION_OPTIONS, FunctionOptions
from connect_autotranscribe.live._page import page_config
from connect_autotranscribe.live.agent_workspace_app import AgentWorkspaceApp
from connect_autotranscribe.live.live_page import LivePage
from connect_autotranscribe.live.live_sign_in import LiveSignIn
from connect_autotranscribe.live.live_transcripts import LiveTranscripts
from connect_autotranscribe.monitoring.monitored import log_group_name
from connect_autotranscribe.monitoring.transcription_alarms import TranscriptionAlarms
from connect_autotranscribe.monitoring.transcription_dashboard import TranscriptionDashboard
from connect_autotranscribe.retention import Retention
from connect_autotranscribe.transcripts.transcript_store import TranscriptStore
from connect_settings import Settings


class LiveStack(Stack):
    """The live page: its sign-in, events, read API and tab in the agent workspace, and its hosting.

    :param settings: The environment; ``live.mode`` is not "off".
    :param store: Of the transcription stack.
    :param alarm_topic: The topic for alarms on what is behind the page. Default: no alarms, and
        no dashboard.
    :param function_options: How the functions run: VPC, key of the environment, code signing,
        reserved concurrency, memory. Default: no VPC, 512 MiB, nothing reserved.
    :param kwargs: Those of ``aws_cdk.Stack``.

    .. code-block:: python

        LiveStack(
            self,
            "Live",
            settings=settings,
            store=transcription.transcript_store,
            alarm_topic=transcription.alarms.topic,
        )
    """

    live_page: LivePage | None
    """None if somebody else hosts the page."""
    alarms: TranscriptionAlarms | None
    """None without ``alarm_topic``."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: Settings,
        store: TranscriptStore,
        alarm_topic: sns.ITopic | None = None,
        function_options: FunctionOptions = DEFAULT_FUNCTION_OPTIONS,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, id, **kwargs)
        live, instance_arn = settings.live, settings.connect.instance_arn
        retention = Retention(
            logs=Duration.days(settings.retention.logs_days),
            removal_policy=RemovalPolicy.DESTROY
            if settings.on_delete == "destroy"
            else RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        key_arn = settings.encryption.key_arn
        key = kms.Key.from_key_arn(self, "Key", key_arn) if key_arn else None
        self.live_page = (
            LivePage(
                self,
                "LivePage",
                instance_alias=settings.connect.instance_alias,
                **self._own_name(settings),
                key=key,
                retention=retention,
                function_options=function_options,
            )
            if live.hosts_page
            else None
        )
        page_url = self.live_page.url if self.live_page else live.page_url or ""
        self.live_sign_in = LiveSignIn(
            self,
            "LiveSignIn",
            page_url=page_url,
            domain_prefix=live.domain_prefix or "",
            saml_metadata_url=live.saml_metadata_url,
            oidc_issuer=live.oidc_issuer,
            oidc_client_id=live.oidc_client_id,
            oidc_client_secret=secretsmanager.Secret.from_secret_name_v2(
                self, "ProviderSecret", live.oidc_client_secret_name
            )
            if live.oidc_client_secret_name
            else None,
            user_name_attribute=live.user_name_attribute,
            retention=retention,
        )
        self.live_transcripts = LiveTranscripts(
            self,
            "LiveTranscripts",
            table=store.table,
            event_bus=store.event_bus,
            sign_in=self.live_sign_in,
            page_url=page_url,
            event_api=self._event_api(settings) if live.mode == "adopt" else None,
            record_retention=Duration.days(live.record_days),
            key=key,
            retention=retention,
            function_options=function_options,
        )
        self.agent_workspace_app = AgentWorkspaceApp(
            self, "AgentWorkspaceApp", instance_arn=instance_arn, page_url=page_url
        )
        if self.live_page:
            self.live_page.serve(sign_in=self.live_sign_in, transcripts=self.live_transcripts)
        self.alarms = None
        if alarm_topic:
            watched = [self.live_transcripts]
            self.alarms = TranscriptionAlarms(self, "Alarms", constructs=watched, topic=alarm_topic)
            TranscriptionDashboard(self, "Dashboard", constructs=watched, alarms=self.alarms.alarms)
        self._outputs(page_url, settings.connect.instance_alias)

    def _own_name(self, settings: Settings) -> dict[str, Any]:
        arn = settings.live.page_certificate_arn
        if arn is None:
            return {}
        return {
            "domain_name": urlsplit(settings.live.page_url or "").hostname,
            "certificate": acm.Certificate.from_certificate_arn(self, "PageCertificate", arn),
        }

    def _event_api(self, settings: Settings) -> appsync.IEventApi:
        live = settings.live
        arn = self.format_arn(
            service="appsync", resource="apis", resource_name=live.event_api_id or ""
        )
        return appsync.EventApi.from_event_api_attributes(
            self,
            "EventApi",
            api_id=live.event_api_id or "",
            api_arn=arn,
            http_dns=live.event_api_http_host or "",
            realtime_dns=live.event_api_realtime_host or "",
        )

    def _outputs(self, page_url: str, alias: str) -> None:
        live, sign_in = self.live_transcripts, self.live_sign_in
        config = page_config(sign_in, live, page_url, alias, self.region)
        outputs = {"PageConfig": (json.dumps(config), "The page's config.json, beside index.html")}
        if page := self.live_page:
            outputs |= {
                "PageUrl": (page_url, "The page"),
                "PageTarget": (
                    page.distribution.attr_domain_name,
                    "Where the record of the page's own name leads, if it has one",
                ),
            }
        outputs |= {
            "UserPoolId": (sign_in.user_pool.user_pool_id, "The users who may sign in"),
            "RecordLogs": (live.record.log_group_name, "Who looked at which call"),
            "PublishLiveLogs": (
                log_group_name(live.publish_live),
                "The log of PublishLive: aws logs tail",
            ),
            "LiveAccessLogs": (
                live.access_log.log_group_name,
                "Each request of the page, with its status",
            ),
            "AuthorizeLiveArn": (
                live.authorize_live.function_arn,
                "The authorizer of an API of AppSync Events that you bring",
            ),
        }
        for id, (value, description) in outputs.items():
            CfnOutput(self, id, value=value, description=description)
