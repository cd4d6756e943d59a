"""The web ACL of one API's stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct

from connect_autotranscribe.transcripts.web_acl import WebAcl, secret_of
from connect_autotranscribe.transcripts.webhook_auth import (
    ClientCertificate,
    SharedSecret,
    WebhookAuth,
)

_MINUTE = 60
"""The shortest time over which AWS WAF counts."""


class StageWebAcl(Construct):
    """The web ACL of one API's stage.

    It writes no log of its own: that would show all headers of a request, and so a secret under a
    name that is spelt wrong. The API's access log has each request that was blocked, with its
    address and the error ``WAF_FILTERED``.

    :param given: What to make, or the ARN of one that is there.
    :param auth: The ways to prove who calls. They say which credentials a request may carry.
    :param allowed_cidrs: The networks that may call. Default: all.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        given: WebAcl | str,
        stage: apigateway.Stage,
        auth: Sequence[WebhookAuth],
        allowed_cidrs: Sequence[str],
    ) -> None:
        super().__init__(scope, id)
        if isinstance(given, WebAcl):
            given = self._made(given, auth, allowed_cidrs)
        wafv2.CfnWebACLAssociation(
            self, "Association", resource_arn=stage.stage_arn, web_acl_arn=given
        )

    def _made(
        self, given: WebAcl, auth: Sequence[WebhookAuth], allowed_cidrs: Sequence[str]
    ) -> str:
        carried = _credentials(auth)
        rules = [self._block("WithoutCredential", _carries_none_of(carried))] if carried else []
        if allowed_cidrs:
            rules.append(_rule("AllowedNetworks", self._is_from(allowed_cidrs), {"allow": {}}))
        else:
            rules.append(
                self._block(
                    "TooManyOfAnAddress",
                    {
                        "rateBasedStatement": {
                            "aggregateKeyType": "IP",
                            "evaluationWindowSec": _MINUTE,
                            "limit": given.requests_a_minute,
                        }
                    },
                )
            )
        web_acl = wafv2.CfnWebACL(
            self,
            "WebAcl",
            scope="REGIONAL",
            description="Blocks floods before they take the room of utterances",
            default_action={"block": {}} if allowed_cidrs else {"allow": {}},
            rules=[{**rule, "priority": place} for place, rule in enumerate(rules)],
            visibility_config=_visibility("WebAcl"),
            data_protection_config=_data_protection(carried) if carried else None,
        )
        return web_acl.attr_arn

    def _block(self, name: str, statement: dict[str, Any]) -> dict[str, Any]:
        return _rule(name, statement, {"block": {}})

    def _is_from(self, cidrs: Sequence[str]) -> dict[str, Any]:
        """A set has addresses of one version only."""
        versions = {
            "IPV4": [cidr for cidr in cidrs if ":" not in cidr],
            "IPV6": [cidr for cidr in cidrs if ":" in cidr],
        }
        sets = [
            wafv2.CfnIPSet(
                self,
                f"Allowed{version}",
                scope="REGIONAL",
                ip_address_version=version,
                addresses=addresses,
                description="The networks that may post utterances",
            )
            for version, addresses in versions.items()
            if addresses
        ]
        return _any_of([{"ipSetReferenceStatement": {"arn": each.attr_arn}} for each in sets])


def _credentials(auth: Sequence[WebhookAuth]) -> list[tuple[str, str]]:
    """Where a request may carry a credential: ``header`` or ``query``, and the name there. Empty if
    one way needs none, because a client certificate was checked before."""
    found: list[tuple[str, str]] = []
    for way in auth:
        if secret := secret_of(way):
            found.append((secret.secret_in, secret.secret_name))
        elif isinstance(way, ClientCertificate):
            return []
        elif not isinstance(way, SharedSecret):
            found.append(("header", way.header))
    return found


def _carries_none_of(credentials: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """A header or parameter that is missing matches no size."""
    there = [
        {
            "sizeConstraintStatement": {
                "fieldToMatch": {
                    "singleHeader" if where == "header" else "singleQueryArgument": {"Name": name}
                },
                "comparisonOperator": "GT",
                "size": 0,
                "textTransformations": [{"priority": 0, "type": "NONE"}],
            }
        }
        for where, name in credentials
    ]
    return {"notStatement": {"statement": _any_of(there)}}


def _any_of(statements: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return statements[0] if len(statements) == 1 else {"orStatement": {"statements": statements}}


def _rule(name: str, statement: dict[str, Any], action: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "statement": statement,
        "action": action,
        "visibilityConfig": _visibility(name),
    }


def _visibility(name: str) -> dict[str, Any]:
    """Counted, and without samples, which would show a request's headers."""
    return {
        "cloudWatchMetricsEnabled": True,
        "metricName": name,
        "sampledRequestsEnabled": False,
    }


def _data_protection(credentials: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Keeps credentials, also wrong ones, out of a log or samples that somebody adds later."""
    headers = [name for where, name in credentials if where == "header"]
    fields: list[dict[str, Any]] = []
    if headers:
        fields.append({"fieldType": "SINGLE_HEADER", "fieldKeys": headers})
    if len(headers) < len(credentials):
        fields.append({"fieldType": "QUERY_STRING"})
    return {"dataProtections": [{"field": each, "action": "SUBSTITUTION"} for each in fields]}
