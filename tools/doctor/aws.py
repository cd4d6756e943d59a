"""Every call to AWS: those of `ACTIONS`, which read and change nothing, or of another list."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError
from botocore.parsers import ResponseParserError

from tools.doctor.findings import CannotGoOn, NotSeen, problem

ACTIONS = {
    ("acm", "describe_certificate"): "acm:DescribeCertificate",
    ("apigateway", "get_account"): "apigateway:GET",
    ("apigateway", "get_domain_name"): "apigateway:GET",
    ("appsync", "get_api"): "appsync:GetApi",
    ("appsync", "get_channel_namespace"): "appsync:GetChannelNamespace",
    ("cloudformation", "describe_stacks"): "cloudformation:DescribeStacks",
    ("cloudformation", "list_stack_resources"): "cloudformation:ListStackResources",
    ("cognito-idp", "describe_user_pool_domain"): "cognito-idp:DescribeUserPoolDomain",
    ("connect", "describe_instance"): "connect:DescribeInstance",
    ("connect", "list_instance_storage_configs"): "connect:ListInstanceStorageConfigs",
    ("connect", "list_lambda_functions"): "connect:ListLambdaFunctions",
    ("kinesis", "describe_stream_summary"): "kinesis:DescribeStreamSummary",
    ("kinesisvideo", "list_streams"): "kinesisvideo:ListStreams",
    ("kms", "describe_key"): "kms:DescribeKey",
    ("lambda", "get_account_settings"): "lambda:GetAccountSettings",
    ("lambda", "get_function_concurrency"): "lambda:GetFunctionConcurrency",
    ("lambda", "get_function_configuration"): "lambda:GetFunctionConfiguration",
    ("secretsmanager", "describe_secret"): "secretsmanager:DescribeSecret",
    ("secretsmanager", "get_secret_value"): "secretsmanager:GetSecretValue",
    ("service-quotas", "get_aws_default_service_quota"): "servicequotas:GetAWSDefaultServiceQuota",
    ("service-quotas", "get_service_quota"): "servicequotas:GetServiceQuota",
    ("sns", "get_topic_attributes"): "sns:GetTopicAttributes",
    ("ssm", "get_parameter"): "ssm:GetParameter",
    ("sts", "get_caller_identity"): "sts:GetCallerIdentity",
    ("wafv2", "get_web_acl"): "wafv2:GetWebACL",
}
"""What is called, and what IAM must allow for it. No other call can be made."""

_PATIENCE = Config(
    connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 3, "mode": "standard"}
)
_SIGN_IN = "sign in, or set AWS_PROFILE, until `aws sts get-caller-identity` answers"
_DENIED = re.compile("AccessDenied|Unauthorized|NotAuthorized|AuthorizationError|Forbidden")
_MAY_PASS = re.compile("Throttl|TooManyRequests|RequestLimitExceeded|SlowDown|RequestTimeout")
_BAD_CREDENTIALS = (
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
)


class Aws:
    """One account in one region, by the credentials that boto3 finds.

    :param actions: The calls that can be made, as in `ACTIONS`.
    :param guide: Where the policy is that allows them.
    :param config: How often and how long boto3 tries.
    :param profile: A profile of the AWS command line. Default: the one that boto3 finds.
    """

    def __init__(
        self,
        region: str,
        actions: Mapping[tuple[str, str], str] = MappingProxyType(ACTIONS),
        guide: str = "docs/doctor.md",
        config: Config = _PATIENCE,
        profile: str | None = None,
    ) -> None:
        self.region = region
        self._profile = profile
        self._config = config
        self._actions = actions
        self._guide = guide
        self._clients: dict[str, Any] = {}

    def of_region(self, region: str) -> Aws:
        """The same account in another region."""
        return Aws(region, self._actions, self._guide, self._config, self._profile)

    @property
    def default_region(self) -> str | None:
        """What the AWS command line would take without ``--region``."""
        found: str | None = os.environ.get("AWS_REGION") or self._session.region_name
        return found

    def read(
        self, service: str, operation: str, absent: tuple[str, ...] = (), **request: Any
    ) -> dict[str, Any] | None:
        """One answer, or None if AWS answers with an error code of `absent`.

        :raises NotSeen: If AWS does not tell, with the reason as a finding.
        """

        def ask(client: Any) -> dict[str, Any]:
            answer: dict[str, Any] = getattr(client, operation)(**request)
            return answer

        return self._ask(service, operation, absent, ask)

    def pages(
        self, service: str, operation: str, key: str, absent: tuple[str, ...] = (), **request: Any
    ) -> list[Any] | None:
        """The items of all pages, otherwise like :meth:`read`.

        :param key: Where a page has them.
        """

        def ask(client: Any) -> dict[str, Any]:
            pages = client.get_paginator(operation).paginate(**request)
            return {key: [item for page in pages for item in page.get(key, [])]}

        answer = self._ask(service, operation, absent, ask)
        return None if answer is None else answer[key]

    @cached_property
    def _session(self) -> Any:
        return boto3.Session(profile_name=self._profile)

    def _ask(
        self,
        service: str,
        operation: str,
        absent: tuple[str, ...],
        ask: Callable[[Any], dict[str, Any]],
    ) -> dict[str, Any] | None:
        action = self._actions[service, operation]
        try:
            if service not in self._clients:
                self._clients[service] = self._session.client(
                    service, region_name=self.region, config=self._config
                )
            return ask(self._clients[service])
        except ClientError as error:
            asked = self._clients[service].meta.method_to_api_mapping[operation]
            if error.operation_name != asked:  # a profile's role, or its sign-in, is refused
                raise CannotGoOn(problem(f"cannot be looked at: {error}", _SIGN_IN)) from None
            if error.response["Error"]["Code"] in absent:
                return None
            raise _refused(error, action, self.region, self._guide) from None
        except ResponseParserError:  # what answers is not AWS: a proxy's page, for instance
            what = f"not seen: the answer to {action} cannot be read"
            raise NotSeen(problem(what, "check whether a proxy answers in its place")) from None
        except (ConnectionError, HTTPClientError) as error:  # no way there, or no answer in time
            seen = CannotGoOn if service == "sts" else NotSeen
            remedy = "check the network and HTTPS_PROXY, and run it again"
            raise seen(problem(f"cannot be looked at: {error}", remedy)) from None
        except BotoCoreError as error:  # no credentials, an SSO session that is over, no profile
            raise CannotGoOn(problem(f"cannot be looked at: {error}", _SIGN_IN)) from None


def _refused(error: ClientError, action: str, region: str, guide: str) -> NotSeen:
    code, text = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    if code in _BAD_CREDENTIALS:
        remedy = f"sign in again; if that does not help, {region} is not enabled in the account"
        return CannotGoOn(problem(f"AWS does not accept the credentials ({code}: {text})", remedy))
    metadata = error.response.get("ResponseMetadata", {})
    status = metadata.get("HTTPStatusCode", 0)
    if status == 403 or _DENIED.search(code):
        # What is missing may be another action, which AWS needs for this one: kms:Decrypt, say.
        named = re.search(r"to perform: ([\w-]+:\w+)", text)
        remedy = f"allow {named[1] if named else action}; {guide} has the whole policy"
        return NotSeen(problem(f"not seen, because {action} is denied ({text or code})", remedy))
    what = f"not seen: {action} failed with {code}: {text or 'no reason given'}"
    if status >= 500 or status == 429 or _MAY_PASS.search(code):
        return NotSeen(problem(what, "run it again"))
    request_id = metadata.get("RequestId", "unknown")
    remedy = f"ask AWS about {error.operation_name} with the request id {request_id}"
    return NotSeen(problem(what, f"{remedy}; running it again does not help"))
