"""What keeps a flood of requests away from the webhook's throttle, which ASAPP's POSTs share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from connect_autotranscribe._arguments import Argument, faults_of
from connect_autotranscribe.transcripts.webhook_auth import (
    ClientCertificate,
    SharedSecret,
    WebhookAuth,
)
from connect_settings._conflicts import WEB_ACL_READS
from connect_settings._rules import number

_LIMIT = number(10, 2_000_000_000, "10 to 2000000000, like 6000")


@dataclass(frozen=True, kw_only=True)
class WebAcl:
    """A web ACL that is made for each API of the webhook. It blocks a request that carries no
    credential at all, and an address that sends too many; with ``allowed_cidrs``, every other
    address. AWS WAF does so before API Gateway asks an authorizer.

    :param requests_a_minute: The most that one address may send. ASAPP may send everything from
        one address, and does not repeat what was blocked: give it three times what it sends, or
        more. Default: 6,000; ASAPP sends about 500 for 50 calls at a time.

    .. code-block:: python

        TranscriptWebhook(self, "Webhook", table=store.table, web_acl=WebAcl())
    """

    requests_a_minute: int = 6_000


def problems_of_web_acl(web_acl: WebAcl | str | None, auth: Sequence[WebhookAuth]) -> Iterator[str]:
    """What is wrong with it, and what to write instead."""
    if not isinstance(web_acl, WebAcl):
        return
    limit = Argument(value=web_acl.requests_a_minute, rule=_LIMIT)
    yield from (f"WebAcl.{fault}" for fault in faults_of({"requests_a_minute": limit}))
    for secret in filter(None, map(secret_of, auth)):
        longest = WEB_ACL_READS[secret.secret_in]
        if len(secret.secret_name) > longest:
            yield (
                "SharedSecret.secret_name: is too long for a web ACL; "
                f"write up to {longest} characters"
            )


def secret_of(way: WebhookAuth) -> SharedSecret | None:
    """The secret that a way demands, alone or as well."""
    if isinstance(way, ClientCertificate):
        return way.secret
    return way if isinstance(way, SharedSecret) else None
