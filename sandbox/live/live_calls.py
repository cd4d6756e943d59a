"""The stack of the live page in the sandbox: its events, its users, and the page itself.

The emulator serves AppSync Events but cannot make them by CloudFormation. So the sandbox makes the
API before it deploys, and the stack adopts it, as with the stream of agent events. The other
differences from AWS are in ``docs/decisions/0007-what-the-sandbox-is-not.md``.
"""

from __future__ import annotations

import io
import json
import secrets
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from connect_settings.page_headers import security_headers
from sandbox.live.page_server import served_page
from sandbox.stacks.deployment import Deployment, served
from sandbox.stacks.emulator import ROOT, Emulator
from sandbox.stacks.free_port import free_port
from shared.live.channels import NAMESPACE, SUPERVISORS

BUNDLE = ROOT / "web" / "dist"
_AUTHORIZER = "live-authorizer-of-the-emulator"
_AUTHORIZER_CODE = """
import json, os, sys

def handler(event, context):
    print(event["requestContext"]["operation"], file=sys.stderr)
    if event["requestContext"]["operation"] == "EVENT_PUBLISH":
        return {"isAuthorized": event["authorizationToken"].startswith("AWS4-HMAC-SHA256 ")}
    import boto3
    asked = boto3.client("lambda").invoke(
        FunctionName=os.environ["AUTHORIZER"], Payload=json.dumps(event))
    return json.loads(asked["Payload"].read())
"""
"""The emulator also asks the authorizer if a publisher signs with IAM; AWS does not. After each
invocation it waits for a log line, 50 ms if none comes: so there is one. boto3 is imported only by
the processes that need it."""


@dataclass(frozen=True, slots=True)
class User:
    name: str
    password: str
    is_supervisor: bool


@dataclass(frozen=True, slots=True)
class EventApi:
    """An API of AppSync Events that the emulator has."""

    id: str
    http_host: str
    realtime_host: str

    @classmethod
    def made(cls, emulator: Emulator) -> EventApi:
        client = emulator.client("appsync")
        lambda_mode, iam = [{"authType": "AWS_LAMBDA"}], [{"authType": "AWS_IAM"}]
        api = client.create_api(
            name="live",
            eventConfig={
                "authProviders": iam,
                "connectionAuthModes": lambda_mode,
                "defaultPublishAuthModes": iam,
                "defaultSubscribeAuthModes": lambda_mode,
            },
        )["api"]
        client.create_channel_namespace(apiId=api["apiId"], name=NAMESPACE)
        return cls(api["apiId"], api["dns"]["HTTP"], api["dns"]["REALTIME"])


class LiveCalls:
    """What the page needs, before and after the deployment.

    :ivar page_url: Where the page will be.
    :ivar users: Who may sign in.
    """

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self.event_api = EventApi.made(emulator)
        self._port = free_port()
        self.page_url = f"http://127.0.0.1:{self._port}/"
        self.users = tuple(
            User(name, f"{secrets.token_urlsafe(12)}-Aa1!", is_supervisor)
            for name, is_supervisor in (("supervisor", True), ("agent-1", False))
        )
        self.config: Mapping[str, Any] = {}

    @property
    def settings(self) -> str:
        """The table ``[live]`` of the environment's file."""
        api = self.event_api
        values = {
            "mode": "adopt",
            "page_url": self.page_url,
            "domain_prefix": "sandbox-live",
            "event_api_id": api.id,
            "event_api_http_host": api.http_host,
            "event_api_realtime_host": api.realtime_host,
        }
        return "\n".join(f"{name} = {json.dumps(value)}" for name, value in values.items())

    def connect(self, deployment: Deployment) -> None:
        """Join the deployed stack and the emulator's API, and create the users."""
        outputs, endpoint = deployment.live_outputs, self._emulator.endpoint
        config = json.loads(outputs["PageConfig"])
        config["readUrl"] = served(self._emulator, f"{config['readUrl']}/").rstrip("/")
        config["events"] = {
            "httpHost": self.event_api.http_host,
            "realtimeUrl": f"ws://{self.event_api.realtime_host}/event/realtime",
        }
        config["signIn"]["url"] = endpoint
        self.config = config
        pool = outputs["UserPoolId"]
        keys = f"{endpoint}/{pool}/.well-known/jwks.json"
        deployment.set_variables("AuthorizeLive", SIGN_IN_KEYS_URL=keys)
        deployment.set_variables("ReadLive", SIGN_IN_KEYS_URL=keys)
        # The API's own name does not resolve here; its header says which API is meant.
        deployment.set_variables("PublishLive", EVENTS_URL=endpoint)
        self._ask(outputs["AuthorizeLiveArn"])
        cognito = self._emulator.client("cognito-idp")
        for user in self.users:
            one = {"UserPoolId": pool, "Username": user.name}
            # Without a password the emulator invents one that the pool refuses.
            cognito.admin_create_user(
                **one, TemporaryPassword=user.password, MessageAction="SUPPRESS"
            )
            cognito.admin_set_user_password(**one, Password=user.password, Permanent=True)
            if user.is_supervisor:
                cognito.admin_add_user_to_group(**one, GroupName=SUPERVISORS)

    def _ask(self, authorizer_arn: str) -> None:
        """Have the emulator ask the deployed authorizer about connections and subscriptions."""
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as file:
            file.writestr("authorizer.py", _AUTHORIZER_CODE)
        made = self._emulator.client("lambda").create_function(
            FunctionName=_AUTHORIZER,
            Runtime="python3.13",
            Handler="authorizer.handler",
            Role="arn:aws:iam::000000000000:role/authorizer",
            Code={"ZipFile": code.getvalue()},
            Timeout=10,
            Environment={"Variables": {"AUTHORIZER": authorizer_arn}},
        )
        client = self._emulator.client("appsync")
        config = client.get_api(apiId=self.event_api.id)["api"]["eventConfig"]
        lambda_config = {"authorizerUri": made["FunctionArn"], "authorizerResultTtlInSeconds": 0}
        config["authProviders"] = [
            {"authType": "AWS_LAMBDA", "lambdaAuthorizerConfig": lambda_config},
            {"authType": "AWS_IAM"},
        ]
        client.update_api(apiId=self.event_api.id, name="live", eventConfig=config)

    @contextmanager
    def page(self, bundle: Path = BUNDLE) -> Iterator[str]:
        """Serve the page until the end of ``with``. Its address."""
        endpoint = self._emulator.endpoint
        realtime = urlsplit(self.config["events"]["realtimeUrl"])
        headers = security_headers(
            f"{endpoint} ws://{realtime.netloc}", self.config["connect"]["instanceUrl"]
        )
        with served_page(bundle, self._port, self.config, headers):
            yield self.page_url
