"""What ASAPP proves itself by is changed while it posts 20 utterances a second.

The signing key of the customer's own issuer takes longest: tests/scale has it.
"""

from __future__ import annotations

import uuid
from pathlib import Path

from authorize_webhook.webhook_secret import SECONDS_BETWEEN_READINGS
from sandbox.stacks.emulator import Emulator
from sandbox.stacks.running import Sandbox
from tests.sandbox.certificates import DOMAIN, Certificates
from tests.sandbox.stacks.ways.posting import Steady, Way, none_is_lost, posted


def test_a_new_value_of_the_secret_loses_nothing(sandbox: Sandbox, ways: dict[str, Way]) -> None:
    deployment, new = sandbox.deployment, f"new-{uuid.uuid4().hex}"
    secrets, arn = deployment.emulator.client("secretsmanager"), deployment.outputs
    try:
        with Steady(ways["secret"]) as steady:
            steady.seconds(1)
            secrets.put_secret_value(SecretId=arn["WebhookSecretArn"], SecretString=new)
            steady.seconds(SECONDS_BETWEEN_READINGS)  # nobody can tell ASAPP of it sooner
            steady.switch(headers={deployment.settings.webhook.secret_name: new})
            steady.seconds(1)
        none_is_lost("secret", steady, SECONDS_BETWEEN_READINGS + 2)
    finally:
        secrets.put_secret_value(
            SecretId=arn["WebhookSecretArn"], SecretString=deployment.webhook_secret
        )


def test_a_second_client_of_the_user_pool_loses_nothing(
    sandbox: Sandbox, ways: dict[str, Way]
) -> None:
    with Steady(ways["oauth2"]) as steady:
        steady.seconds(1.5)
        steady.switch(oauth2=sandbox.deployment.oauth2("asapp-next"))
        steady.seconds(1.5)
    none_is_lost("client secret", steady, 3)


def test_a_new_client_certificate_and_then_a_new_authority_lose_nothing(
    sandbox: Sandbox, ways: dict[str, Way], certificates: Certificates
) -> None:
    emulator, way = sandbox.deployment.emulator, ways["mtls"]
    renewed = certificates.client("first")
    try:
        trust(emulator, certificates.bundle("old", "first"))
        with Steady(way) as steady:
            steady.seconds(1)
            steady.switch(certificate=renewed)
            steady.seconds(1)
            trust(emulator, certificates.bundle("both", "first", "second"))
            steady.seconds(1)
            steady.switch(certificate=certificates.client("second"))
            steady.seconds(1)
            trust(emulator, certificates.bundle("new", "second"))
            steady.seconds(1)
        none_is_lost("client certificate", steady, 5)
        assert posted(way.but(certificate=renewed)) is None
    finally:
        trust(emulator, certificates.bundle("both", "first", "second"))


def trust(emulator: Emulator, authorities: Path) -> None:
    """Change the domain as CloudFormation does: to a new object with another bundle."""
    domains = emulator.client("apigatewayv2")
    old = domains.get_domain_name(DomainName=DOMAIN)["MutualTlsAuthentication"]["TruststoreUri"]
    bucket, _, _ = old.removeprefix("s3://").partition("/")
    key = f"{uuid.uuid4().hex}.pem"
    emulator.client("s3").put_object(Bucket=bucket, Key=key, Body=authorities.read_bytes())
    domains.update_domain_name(
        DomainName=DOMAIN, MutualTlsAuthentication={"TruststoreUri": f"s3://{bucket}/{key}"}
    )
