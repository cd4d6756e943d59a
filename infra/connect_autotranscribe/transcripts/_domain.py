"""The address of a REST API, API Gateway's own name or a domain of the customer; and its TLS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, cast

from aws_cdk import aws_apigateway as apigateway
from constructs import Construct

SECURITY_POLICIES = {
    "1.2": apigateway.SecurityPolicy.TLS13_1_2_PFS_PQ_2025_09,
    "1.3": apigateway.SecurityPolicy.TLS13_1_3_2025_09,
}
"""By the oldest version of TLS. A domain that asks for client certificates cannot have them; see
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-custom-domain-tls-version.html"""


def lacks_domain(domain: apigateway.IDomainName | None, base_path: str | None) -> Iterator[str]:
    """What is wrong with a base path that is of no domain."""
    if base_path is not None and domain is None:
        yield "base_path: is of a domain; give domain with it, or remove it"


def url_of(
    scope: Construct,
    rest_api: apigateway.RestApi,
    path: str,
    domain: apigateway.IDomainName | None,
    base_path: str | None,
) -> str:
    """The address of a path of an API. If there is a domain, the API is mapped to it.

    :param path: Without the first slash.
    :param base_path: The path of the domain under which the API is. Default: the whole domain.
    """
    if domain is None:
        return rest_api.url_for_path(f"/{path}")
    apigateway.BasePathMapping(
        scope,
        "BasePath",
        domain_name=domain,
        base_path=base_path,
        rest_api=rest_api,
        stage=rest_api.deployment_stage,
    )
    return "/".join(filter(None, (f"https://{domain.domain_name}", base_path, path)))


def speak_at_least(rest_api: apigateway.RestApi, tls: Literal["1.2", "1.3"]) -> None:
    """Refuse an older version of TLS, also at API Gateway's own name, which would take 1.0. An
    address that is not the API's own is refused too (``STRICT``)."""
    made = cast(apigateway.CfnRestApi, rest_api.node.default_child)
    made.security_policy = f"SecurityPolicy_{SECURITY_POLICIES[tls].value}"
    made.endpoint_access_mode = "STRICT"
