"""Who may look at calls: users of a Cognito user pool, by a sign-in page."""

from __future__ import annotations

from typing import cast

from aws_cdk import Acknowledgment, Duration, SecretValue, Stack, Validations
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from connect_autotranscribe._arguments import Argument, check_arguments, like
from connect_autotranscribe.retention import DEFAULT_RETENTION, Retention
from connect_settings._rules import PAGE
from connect_settings.shared_names import shared_names

SUPERVISORS: str = shared_names("live.channels").SUPERVISORS

_PROVIDER = "Company"
_SECRET_FIELD = "clientSecret"
_Provider = cognito.UserPoolIdentityProviderSaml | cognito.UserPoolIdentityProviderOidc


class LiveSignIn(Construct):
    """A user pool with a sign-in page, a client for the live page, and the group ``supervisors``.

    A user's name in the pool is their user name in Amazon Connect. Nobody can sign up. Whoever
    signs in by password needs a second factor.

    :param page_url: The address of the live page, to which the sign-in returns.
    :param domain_prefix: The start of the sign-in page's host, unique in the region.
    :param saml_metadata_url: The metadata of your SAML identity provider. Then everybody signs in
        there, nobody by password. Default: users have passwords.
    :param oidc_issuer: The issuer of your OpenID Connect provider, instead of a SAML one. It must
        publish its endpoints, and accept ``url`` with ``/oauth2/idpresponse`` as redirect URI.
    :param oidc_client_id: The client that the provider knows the pool by.
    :param oidc_client_secret: That client's secret: ``{"clientSecret": "…"}``. CloudFormation reads
        it; the template has its name only.
    :param user_name_attribute: The attribute, or claim, in which the provider sends the user's name
        in Amazon Connect. Default: none, as there is no provider.
    :param retention: What happens to the pool with its users if it is removed from the stack.
        Default: it stays.

    .. code-block:: python

        sign_in = LiveSignIn(
            self,
            "LiveSignIn",
            page_url="https://live.acme.example/",
            domain_prefix="acme-live",
            saml_metadata_url="https://login.acme.example/metadata.xml",
            user_name_attribute="connect_user",
        )
    """

    user_pool: cognito.UserPool
    client: cognito.UserPoolClient
    url: str
    """Of the sign-in page."""
    issuer: str

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        page_url: str,
        domain_prefix: str,
        saml_metadata_url: str | None = None,
        oidc_issuer: str | None = None,
        oidc_client_id: str | None = None,
        oidc_client_secret: secretsmanager.ISecret | None = None,
        user_name_attribute: str | None = None,
        retention: Retention = DEFAULT_RETENTION,
    ) -> None:
        super().__init__(scope, id)
        problems = []
        if oidc_issuer and not oidc_client_secret:
            problems.append("oidc_client_secret: is missing; give the secret of oidc_client_id")
        if oidc_client_secret and not oidc_issuer:
            problems.append("oidc_client_secret: is not used; give oidc_issuer with it")
        check_arguments(
            self,
            {
                "page_url": Argument(value=page_url, rule=PAGE),
                "domain_prefix": Argument(value=domain_prefix, rule="live.domain_prefix"),
                **like(
                    "live",
                    optional=True,
                    saml_metadata_url=saml_metadata_url,
                    oidc_issuer=oidc_issuer,
                    oidc_client_id=oidc_client_id,
                    user_name_attribute=user_name_attribute,
                ),
            },
            problems,
        )
        pool = cognito.UserPool(
            self,
            "UserPool",
            self_sign_up_enabled=False,
            sign_in_aliases=cognito.SignInAliases(username=True),
            # The name is compared with Connect's, character by character.
            sign_in_case_sensitive=True,
            account_recovery=cognito.AccountRecovery.NONE,
            password_policy=cognito.PasswordPolicy(
                min_length=14,
                require_digits=True,
                require_lowercase=True,
                require_symbols=True,
                require_uppercase=True,
                temp_password_validity=Duration.days(3),
            ),
            mfa=cognito.Mfa.REQUIRED,
            mfa_second_factor=cognito.MfaSecondFactor(otp=True, sms=False),
            feature_plan=cognito.FeaturePlan.ESSENTIALS,
            removal_policy=retention.removal_policy,
        )
        self.user_pool = pool
        domain = pool.add_domain(
            "Domain", cognito_domain=cognito.CognitoDomainOptions(domain_prefix=domain_prefix)
        )
        domain.apply_removal_policy(retention.removal_policy)
        self.url = domain.base_url()
        self.issuer = (
            f"https://cognito-idp.{Stack.of(self).region}.amazonaws.com/{pool.user_pool_id}"
        )
        cognito.CfnUserPoolGroup(
            self,
            "Supervisors",
            user_pool_id=pool.user_pool_id,
            group_name=SUPERVISORS,
            description="They see every call",
        )
        provider: _Provider | None = None
        if user_name_attribute:
            names = cognito.AttributeMapping(
                preferred_username=cognito.ProviderAttribute.other(user_name_attribute)
            )
            if saml_metadata_url:
                provider = self._saml(saml_metadata_url, names)
            elif oidc_issuer and oidc_client_id and oidc_client_secret:
                provider = self._oidc(oidc_issuer, oidc_client_id, oidc_client_secret, names)
        self.client = self._client(page_url, provider)
        for rule in ("COG3", "COG8"):
            # The pool alone, not the client and the domain in its scope.
            Validations.of(cast(Construct, pool.node.default_child)).acknowledge(
                Acknowledgment(
                    id=f"AwsSolutions-{rule}",
                    reason="Threat protection has a price for each user; the account may add it.",
                )
            )

    def _saml(
        self, metadata_url: str, names: cognito.AttributeMapping
    ) -> cognito.UserPoolIdentityProviderSaml:
        return cognito.UserPoolIdentityProviderSaml(
            self,
            "Provider",
            user_pool=self.user_pool,
            name=_PROVIDER,
            metadata=cognito.UserPoolIdentityProviderSamlMetadata.url(metadata_url),
            attribute_mapping=names,
        )

    def _oidc(
        self,
        issuer: str,
        client_id: str,
        client_secret: secretsmanager.ISecret,
        names: cognito.AttributeMapping,
    ) -> cognito.UserPoolIdentityProviderOidc:
        return cognito.UserPoolIdentityProviderOidc(
            self,
            "Provider",
            user_pool=self.user_pool,
            name=_PROVIDER,
            issuer_url=issuer,
            client_id=client_id,
            # A reference, which CloudFormation resolves: the value is in no template.
            client_secret=SecretValue.secrets_manager(
                client_secret.secret_name, json_field=_SECRET_FIELD
            ).unsafe_unwrap(),
            scopes=["openid", "profile"],
            attribute_mapping=names,
        )

    def _client(self, page_url: str, provider: _Provider | None) -> cognito.UserPoolClient:
        identity = cognito.UserPoolClientIdentityProvider
        client = self.user_pool.add_client(
            "Page",
            generate_secret=False,
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(authorization_code_grant=True),
                scopes=[cognito.OAuthScope.OPENID, cognito.OAuthScope.PROFILE],
                callback_urls=[page_url],
                logout_urls=[page_url],
            ),
            supported_identity_providers=[
                identity.custom(provider.provider_name) if provider else identity.COGNITO
            ],
            prevent_user_existence_errors=True,
            enable_token_revocation=True,
            id_token_validity=Duration.hours(1),
            access_token_validity=Duration.hours(1),
            refresh_token_validity=Duration.hours(12),
            # An identity provider can only fill what a client may write. Nobody has the scope with
            # which a user writes it.
            write_attributes=cognito.ClientAttributes().with_standard_attributes(
                preferred_username=True
            ),
        )
        if provider:
            client.node.add_dependency(provider)
        # Without it, Cognito lets people sign in without the page, with a token that may change
        # their own attributes.
        made = cast(cognito.CfnUserPoolClient, client.node.default_child)
        made.explicit_auth_flows = ["ALLOW_REFRESH_TOKEN_AUTH"]
        return client
