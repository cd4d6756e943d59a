"""The ways in which ASAPP can prove at the webhook who it is. ASAPP's account team sets one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_secretsmanager as secretsmanager

from connect_autotranscribe._arguments import Argument, faults_of, like
from connect_settings._conflicts import not_encrypted
from connect_settings._rules import BASE_PATH


@dataclass(frozen=True, kw_only=True)
class SharedSecret:
    """ASAPP sends a secret with each POST.

    :param secret_in: In a ``header`` (the default) or in the ``query`` string.
    :param secret_name: The name of that header or parameter. Default: ``x-webhook-secret``.
    :param secret: Default: a random one, made in the account.

    .. code-block:: python

        TranscriptWebhook(self, "Webhook", table=store.table, auth=[SharedSecret()])
    """

    secret_in: Literal["header", "query"] = "header"
    secret_name: str = "x-webhook-secret"
    secret: secretsmanager.ISecret | None = None


@dataclass(frozen=True, kw_only=True)
class ClientCredentials:
    """ASAPP gets an access token from a Cognito user pool that is made here. API Gateway itself
    checks the token: no function of ours runs.

    :param domain_prefix: The start of the token URL's host, unique among all customers of the
        region. It cannot be changed: the pool has one such domain.
    :param clients: The names of the clients. A second one is for a rotation. Default: ``asapp``.
    :param header: The header in which ASAPP sends the token, with or without ``Bearer`` before it.
        Default: ``Authorization``.

    .. code-block:: python

        ClientCredentials(domain_prefix="acme-prod-transcripts")
    """

    domain_prefix: str
    clients: Sequence[str] = ("asapp",)
    header: str = "Authorization"


@dataclass(frozen=True, kw_only=True)
class IssuedTokens:
    """ASAPP gets an access token from your own authorization server, such as Okta or Entra. A
    function checks the signature (RS256 or ES256), the issuer, the expiry with a minute of leeway,
    and what is given of audience, scope and client id. Give at least one of these three: otherwise
    a token that the issuer gave to any other client would do.

    :param issuer: Exactly the tokens' ``iss``.
    :param keys_url: Where the issuer publishes its keys (``jwks_uri``).
    :param audience: One of the tokens' ``aud``. Default: not looked at.
    :param scope: One of the tokens' scopes (``scope``, ``scp`` or ``roles``). Default: not looked
        at.
    :param client_id: ASAPP's id at the issuer (``client_id``, ``azp``, ``appid`` or ``cid``).
        Default: not looked at.
    :param header: As for ``ClientCredentials``.

    .. code-block:: python

        IssuedTokens(
            issuer="https://acme.okta.com/oauth2/default",
            keys_url="https://acme.okta.com/oauth2/default/v1/keys",
            client_id="0oa1b2c3",
        )
    """

    issuer: str
    keys_url: str
    audience: str | None = None
    scope: str | None = None
    client_id: str | None = None
    header: str = "Authorization"


@dataclass(frozen=True, kw_only=True)
class ClientCertificate:
    """ASAPP presents a client certificate (mutual TLS). API Gateway checks it against the domain's
    truststore, and its own name for the API is closed.

    :param domain: A domain with a truststore: ``WebhookDomain``, or one of yours.
    :param base_path: The path of the domain under which the webhook is. Default: the whole domain.
    :param subject: A part of the certificate's Subject that is demanded, for instance
        ``CN=webhook.asapp.com``. You need it if the truststore holds a public authority, which
        gives certificates to everybody. API Gateway then asks a function at each POST.
        Default: every certificate that the truststore vouches for.
    :param secret: A secret that is demanded as well. Default: none.

    .. code-block:: python

        ClientCertificate(domain=domain.domain_name)
    """

    domain: apigateway.IDomainName
    base_path: str | None = None
    subject: str | None = None
    secret: SharedSecret | None = None


WebhookAuth = SharedSecret | ClientCredentials | IssuedTokens | ClientCertificate


def problems_of(auth: Sequence[WebhookAuth], account: str) -> Iterator[str]:
    """What is wrong with the ways, and what to write instead.

    :param account: The stack's, which may be a token.
    """
    if not auth:
        yield "auth: is empty, so nobody could post; write [SharedSecret()]"
    tokens = [way for way in auth if isinstance(way, ClientCredentials | IssuedTokens)]
    if len({type(way) for way in auth}) < len(auth) or len(tokens) > 1:
        yield "auth: has one way twice; write each once, and only one of the two for OAuth 2.0"
    for way in auth:
        faults = faults_of(_arguments(way))
        yield from (f"{type(way).__name__}.{fault}" for fault in faults)
        if isinstance(way, IssuedTokens) and not (way.audience or way.scope or way.client_id):
            yield (
                "IssuedTokens: any client of the issuer would be let in; write an audience, a "
                "scope or a client_id"
            )
        if isinstance(way, IssuedTokens):
            addresses = {
                "webhook_oauth2.issuer": way.issuer,
                "webhook_oauth2.keys_url": way.keys_url,
            }
            for key, why in not_encrypted({**addresses, "account": account}):
                yield f"IssuedTokens.{key.rpartition('.')[2]}: {why}"
        if isinstance(way, ClientCertificate) and way.secret:
            faults = faults_of(_arguments(way.secret))
            yield from (f"ClientCertificate.secret.{fault}" for fault in faults)


def _arguments(way: WebhookAuth) -> Mapping[str, Argument]:
    match way:
        case SharedSecret():
            return like("webhook", secret_in=way.secret_in, secret_name=way.secret_name)
        case ClientCredentials():
            return like(
                "webhook_oauth2",
                domain_prefix=way.domain_prefix,
                clients=way.clients,
                header=way.header,
            )
        case IssuedTokens():
            optional = {"audience": way.audience, "scope": way.scope, "client_id": way.client_id}
            return like(
                "webhook_oauth2", issuer=way.issuer, keys_url=way.keys_url, header=way.header
            ) | like("webhook_oauth2", optional=True, **optional)
        case ClientCertificate():
            base_path = Argument(value=way.base_path, rule=BASE_PATH, optional=True)
            return {
                "base_path": base_path,
                **like("webhook_mtls", optional=True, subject=way.subject),
            }
