"""The address of a REST API: API Gateway's own name, or a domain of the customer."""

from __future__ import annotations

from collections.abc import Iterator

from aws_cdk import aws_apigateway as apigateway
from constructs import Construct


def lacks_domain(domain: apigateway.IDomainName | None, base_path: str | None) -> Iterator[str]:
    """What is wrong if there is a base path and no domain."""
    if base_path is not None and domain is None:
        yield "base_path: is for a domain; give domain with it, or remove it"


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
