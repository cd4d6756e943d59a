"""What of an API decides who gets in, beside its methods: certificates, TLS, names, scopes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tools.diff.assembly import Environment, Resource, references
from tools.diff.values import both

_DOMAIN, _API = "AWS::ApiGateway::DomainName", "AWS::ApiGateway::RestApi"
_UNSAID_TLS = {_DOMAIN: "1.2", _API: "1.0"}
"""What API Gateway speaks if a template does not say."""


def opened(old: Resource, new: Resource) -> Iterator[str]:
    """What a resource lets in that it did not before, in Markdown."""
    before, after = old.properties, new.properties
    if new.type == _DOMAIN:
        yield from _truststore(_at(before, "TruststoreUri"), _at(after, "TruststoreUri"))
    if new.type in _UNSAID_TLS:
        spoken, speaks = _oldest_tls(old), _oldest_tls(new)
        if speaks < spoken:
            yield f"accepts **an older TLS**: {both(spoken, speaks)}."
    if _is_closed(old) and not _is_closed(new) and new.type == _API:
        yield "answers **at API Gateway's own name** too, where no domain asks for a certificate."
    if new.type == "AWS::ApiGateway::Method":
        scopes, wanted = before.get("AuthorizationScopes"), after.get("AuthorizationScopes")
        if scopes and not wanted:
            yield "lets **every access token** of the pool in, whatever its scope."
        elif scopes != wanted:
            yield "lets access tokens **with other scopes** in."
    if new.type == "AWS::ApiGateway::Authorizer":
        kept, keeps = (each.get("AuthorizerResultTtlInSeconds") for each in (before, after))
        if kept == 0 and keeps != 0:
            yield "**is no longer asked at each request**: its answer is cached, also for others."


def guard_of(environment: Environment, api: str | None) -> str | None:
    """The domain whose client certificates are the only way to an API, if there is one.

    :param api: The resource's id.
    """
    found = environment.resources.get(api or "")
    if found is None or not _is_closed(found):
        return None
    domains = [
        environment.resources.get(_reference(each.properties.get("DomainName")) or "")
        for each in environment.resources.values()
        if each.type == "AWS::ApiGateway::BasePathMapping"
        and _reference(each.properties.get("RestApiId")) == api
    ]
    if not domains or not all(each and _at(each.properties, "TruststoreUri") for each in domains):
        return None
    return " and ".join(sorted(each.name for each in domains if each))


def _truststore(old: Any, new: Any) -> Iterator[str]:
    if old and not new:
        yield "**no longer asks for a client certificate**."
    elif old and old != new:
        yield "trusts **other authorities**: client certificates that they signed open it."


def _at(properties: Any, key: str) -> Any:
    mutual = properties.get("MutualTlsAuthentication")
    return mutual.get(key) if isinstance(mutual, dict) else None


def _oldest_tls(resource: Resource) -> str:
    policy = str(resource.properties.get("SecurityPolicy", ""))
    for version in ("1.3", "1.2", "1.0"):
        name = version.replace(".", "_")
        if policy == f"TLS_{name}" or policy.startswith(f"SecurityPolicy_TLS13_{name}"):
            return version
    return _UNSAID_TLS[resource.type]


def _is_closed(resource: Resource) -> bool:
    return resource.properties.get("DisableExecuteApiEndpoint") is True


def _reference(value: Any) -> str | None:
    found = references(value)
    return found.pop() if len(found) == 1 else None
