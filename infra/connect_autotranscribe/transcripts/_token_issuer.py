"""A user pool that gives ASAPP access tokens for the webhook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from aws_cdk import Acknowledgment, Duration, SecretValue, Validations
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from connect_autotranscribe.retention import DEFAULT_RETENTION, Retention

_SERVER, _SCOPE = "transcripts", "write"


class TokenIssuer(Construct):
    """A Cognito user pool without users, whose clients get access tokens by OAuth 2.0 client
    credentials. A token is good for an hour and for one thing: to post to the webhook.

    ASAPP's client has no field for a scope. Cognito grants all scopes of a client that asks for
    none, and each client here has one scope. A client may send its secret in the header (Basic) or
    in the body.

    Cognito takes $2.25 for 1,000 tokens. A client that keeps its token needs 720 a month: they
    cost $1.62. One that fetches a token for each message costs more than everything else together.

    :param domain_prefix: The start of the token URL's host, unique among all customers of the
        region. It is never derived, because a changed one would change the URL that ASAPP has.
    :param clients: The names of the clients. To rotate a client's secret, add another client, give
        it to ASAPP, and remove the first when ASAPP no longer uses it. Default: ``asapp``.
    :param key: Encrypts the clients' secrets. Default: AWS's own key.
    :param retention: Whether pool, domain and secrets stay when the stack is deleted. Default: they
        stay.

    .. code-block:: python

        issuer = TokenIssuer(self, "TokenIssuer", domain_prefix="acme-prod-transcripts")
    """

    user_pool: cognito.IUserPool
    scope: str
    """In full, for instance ``transcripts/write``: what a token must grant."""
    token_url: str
    clients: Mapping[str, cognito.UserPoolClient]
    """By name; give each one's ``user_pool_client_id`` to ASAPP."""
    secrets: Mapping[str, secretsmanager.ISecret]
    """The clients' secrets by name. No template has a value."""
    tokens_requested: cloudwatch.MathExpression
    """Requests for tokens in an hour, of all pools of the account and region: Cognito has no count
    of a single pool. The query does not depend on how Cognito calls itself in the metric."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        domain_prefix: str,
        clients: Sequence[str] = ("asapp",),
        key: kms.IKey | None = None,
        retention: Retention = DEFAULT_RETENTION,
    ) -> None:
        super().__init__(scope, id)
        pool = cognito.UserPool(
            self,
            "UserPool",
            self_sign_up_enabled=False,
            feature_plan=cognito.FeaturePlan.ESSENTIALS,
            removal_policy=retention.removal_policy,
        )
        self.user_pool = pool
        domain = pool.add_domain(
            "Domain", cognito_domain=cognito.CognitoDomainOptions(domain_prefix=domain_prefix)
        )
        domain.apply_removal_policy(retention.removal_policy)
        write = cognito.ResourceServerScope(
            scope_name=_SCOPE, scope_description="Post utterances to the webhook"
        )
        server = pool.add_resource_server("Server", identifier=_SERVER, scopes=[write])
        self.scope = f"{_SERVER}/{_SCOPE}"
        self.token_url = f"{domain.base_url()}/oauth2/token"
        granted = cognito.OAuthScope.resource_server(server, write)
        self.clients = {name: _client(pool, name, granted) for name in clients}
        self.secrets = {
            name: self._secret(name, client, key, retention)
            for name, client in self.clients.items()
        }
        self.tokens_requested = cloudwatch.MathExpression(
            expression=(
                """SELECT SUM(CallCount) FROM "AWS/Usage" WHERE Resource = 'ClientAuthentication'"""
            ),
            using_metrics={},
            period=Duration.hours(1),
            label="TokensRequested",
        )
        self._accept_findings(pool)

    def _secret(
        self,
        name: str,
        client: cognito.UserPoolClient,
        key: kms.IKey | None,
        retention: Retention,
    ) -> secretsmanager.Secret:
        made = cast(cognito.CfnUserPoolClient, client.node.default_child)
        secret = secretsmanager.Secret(
            self,
            f"{name}Secret",
            description=f"The client secret of {name} for the webhook's tokens; give it to ASAPP",
            encryption_key=key,
            # CloudFormation copies it: the template has only a reference.
            secret_string_value=SecretValue.resource_attribute(made.attr_client_secret),
            removal_policy=retention.removal_policy,
        )
        Validations.of(secret).acknowledge(
            Acknowledgment(
                id="AwsSolutions-SMG4",
                reason="Cognito makes the value. It is rotated by a second client, as docs say.",
            )
        )
        return secret

    def _accept_findings(self, pool: cognito.UserPool) -> None:
        reason = "The pool has no users and nobody can sign up: its clients are systems."
        for rule in ("COG1", "COG2", "COG3", "COG8"):
            # The pool alone, not the clients and the domain in its scope.
            Validations.of(cast(Construct, pool.node.default_child)).acknowledge(
                Acknowledgment(id=f"AwsSolutions-{rule}", reason=reason)
            )


def _client(pool: cognito.UserPool, name: str, scope: cognito.OAuthScope) -> cognito.UserPoolClient:
    return pool.add_client(
        f"{name}Client",
        user_pool_client_name=name,
        generate_secret=True,
        o_auth=cognito.OAuthSettings(
            flows=cognito.OAuthFlows(client_credentials=True), scopes=[scope]
        ),
        access_token_validity=Duration.hours(1),
        enable_token_revocation=True,
    )
