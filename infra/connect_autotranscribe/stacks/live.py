"""The stack of the page on which calls are seen while they are spoken."""

from __future__ import annotations

import json
from typing import Any

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_appsync as appsync
from aws_cdk import aws_kms as kms
from constructs import Construct

from connect_autotranscribe.function_options import DEFAULT_FUNCTION_OPTIONS, FunctionOptions
from connect_autotranscribe.live.agent_workspace_app import AgentWorkspaceApp
from connect_autotranscribe.live.live_sign_in import LiveSignIn
from connect_autotranscribe.live.live_transcripts import LiveTranscripts
from connect_autotranscribe.monitoring.monitored import log_group_name
from connect_autotranscribe.retention import Retention
from connect_autotranscribe.transcripts.transcript_store import TranscriptStore
from connect_settings import Settings


class LiveStack(Stack):
    """Sign-in, events and read API of the live page, and its tab in the agent workspace.

    :param settings: The environment; ``live.mode`` is not "off".
    :param store: Of the transcription stack.
    :param function_options: How the functions run: VPC, key of the environment, code signing,
        reserved concurrency, memory. Default: no VPC, 512 MiB, nothing reserved.
    :param kwargs: Those of ``aws_cdk.Stack``.

    .. code-block:: python

        LiveStack(self, "Live", settings=settings, store=transcription.transcript_store)
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: Settings,
        store: TranscriptStore,
        function_options: FunctionOptions = DEFAULT_FUNCTION_OPTIONS,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, id, **kwargs)
        live, instance_arn = settings.live, settings.connect.instance_arn
        page_url, prefix = live.page_url or "", live.domain_prefix or ""
        retention = Retention(
            logs=Duration.days(settings.retention.logs_days),
            removal_policy=RemovalPolicy.DESTROY
            if settings.on_delete == "destroy"
            else RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        key_arn = settings.encryption.key_arn
        self.live_sign_in = LiveSignIn(
            self,
            "LiveSignIn",
            page_url=page_url,
            domain_prefix=prefix,
            saml_metadata_url=live.saml_metadata_url,
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
            key=kms.Key.from_key_arn(self, "Key", key_arn) if key_arn else None,
            retention=retention,
            function_options=function_options,
        )
        self.agent_workspace_app = AgentWorkspaceApp(
            self, "AgentWorkspaceApp", instance_arn=instance_arn, page_url=page_url
        )
        self._outputs(page_url, settings.connect.instance_alias)

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
        config = {
            "region": self.region,
            "readUrl": live.url,
            "events": {
                "httpHost": live.event_api.http_dns,
                "realtimeUrl": live.realtime_url,
            },
            "signIn": {
                "url": sign_in.url,
                "clientId": sign_in.client.user_pool_client_id,
                "scopes": ["openid", "profile"],
                "redirectUri": page_url,
            },
            "connect": {"instanceUrl": f"https://{alias}.my.connect.aws"},
        }
        outputs = {
            "PageConfig": (json.dumps(config), "The page's config.json, beside index.html"),
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
