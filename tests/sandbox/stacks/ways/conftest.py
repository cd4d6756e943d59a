"""The ways in which ASAPP proves at the deployed webhook who it is.

The sandbox of all tests has a shared secret, tokens of a Cognito user pool and client certificates.
A small app beside it has tokens of the customer's own issuer, and a certificate with a Subject.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.stacks.authorization_server import AuthorizationServer
from sandbox.stacks.client_certificates import ClientCertificates
from sandbox.stacks.running import Sandbox
from tests.sandbox.certificates import DOMAIN, OTHER_DOMAIN, Certificates
from tests.sandbox.stacks.ways.posting import OwnIssuer, Way, deploy_own_issuer, warm_up


@pytest.fixture(scope="session")
def door(sandbox: Sandbox, certificates: Certificates) -> Iterator[ClientCertificates]:
    emulator = sandbox.deployment.emulator
    with ClientCertificates(emulator, DOMAIN, certificates.server(DOMAIN)) as door:
        yield door


@pytest.fixture(scope="session")
def own_issuer(sandbox: Sandbox, certificates: Certificates) -> Iterator[OwnIssuer]:
    with AuthorizationServer() as server:
        authorities = certificates.bundle("public", "public")
        deployed = deploy_own_issuer(sandbox, server, authorities)
        certificate = certificates.server(OTHER_DOMAIN)
        with ClientCertificates(sandbox.deployment.emulator, OTHER_DOMAIN, certificate) as door:
            deployed.door = door
            warm_up(deployed)
            yield deployed


@pytest.fixture(scope="session")
def ways(
    sandbox: Sandbox, door: ClientCertificates, own_issuer: OwnIssuer, certificates: Certificates
) -> dict[str, Way]:
    """Each with what ASAPP needs to be let in."""
    deployment = sandbox.deployment
    pool, own = deployment.oauth2(), own_issuer.oauth2()
    secret = {deployment.settings.webhook.secret_name: deployment.webhook_secret}
    items = deployment.conversation
    return {
        "secret": Way(deployment.webhook_url, items, {"headers": secret}),
        "oauth2": Way(deployment.oauth2_url, items, {"oauth2": pool}),
        "mtls": Way(
            deployment.outputs["WebhookCertificateUrl"],
            items,
            {
                "certificate": certificates.client("first"),
                "authorities": certificates.servers,
                "addresses": {DOMAIN: door.address},
            },
        ),
        "own issuer": Way(own_issuer.token_webhook, own_issuer.items, {"oauth2": own}),
    }
