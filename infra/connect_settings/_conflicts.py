"""Settings that do not fit together."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from connect_settings._rules import REGIONS, Rule

WEB_ACL_READS = {"header": 64, "query": 30}
"""The longest name that a web ACL can look for:
https://docs.aws.amazon.com/waf/latest/APIReference/API_FieldToMatch.html"""
_EMULATOR_ACCOUNT = "000000000000"  # the sandbox's; AWS gives it to nobody
_ADDRESSES = ("asapp.api_host", "webhook_oauth2.issuer", "webhook_oauth2.keys_url")
_OUR_ACCOUNT = (
    "connect.instance_arn",
    "lifecycle.stream_arn",
    "webhook.web_acl",
    "on_utterance.function_arn",
)
_OUR_REGION = (
    *_OUR_ACCOUNT,
    "media_streaming.key_arn",
    "lifecycle.key_arn",
    "asapp.credentials_key_arn",
    "encryption.key_arn",
    "export.key_arn",
    "alarms.topic_arn",
    "webhook.certificate_arn",
    "webhook_mtls.certificate_arn",
    "webhook_mtls.ownership_certificate_arn",
)


def conflicts(values: Mapping[str, Any], rules: Mapping[str, Rule]) -> Iterator[tuple[str, str]]:
    """Each conflict: the key, and what is wrong and what to write instead.

    :param values: By dotted key. A setting that is wrong by itself is absent.
    :param rules: By dotted key.
    """
    yield from _arns(values)
    yield from conflicts_of_choices(values, rules)


def conflicts_of_choices(
    values: Mapping[str, Any], rules: Mapping[str, Rule]
) -> Iterator[tuple[str, str]]:
    """Those that do not depend on where the stacks are. Parameters as of :func:`conflicts`."""
    yield from not_encrypted(values)
    yield from _media_streaming(values, rules)
    yield from _lifecycle(values, rules)
    yield from _asapp(values)
    yield from _webhook(values, rules)
    yield from _live(values, rules)
    yield from _the_rest(values, rules)


def not_encrypted(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Addresses without TLS. Only the sandbox may have them."""
    if values.get("account") in (None, _EMULATOR_ACCOUNT):
        return
    for key in _ADDRESSES:
        address = values.get(key) or ""
        if address.startswith("http://"):
            yield key, f'"{address}" is not encrypted; write "https://{address[7:]}"'


def _arns(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    account, region = values.get("account"), values.get("region")
    instance = values.get("connect.instance_arn")
    arns: list[tuple[str, str]] = [
        (key, values[key]) for key in _OUR_REGION if str(values.get(key)).startswith("arn:")
    ]
    roles = values.get("asapp.trusted_role_arns", ())
    for key, arn in (*arns, *(("asapp.trusted_role_arns", role) for role in roles)):
        _, partition, _, its_region, its_account, _ = arn.split(":", 5)
        if instance and not instance.startswith(f"arn:{partition}:"):
            its = instance.split(":")[1]
            problem = f'"{arn}" is not in the instance\'s partition; write an ARN of "{its}"'
            if key == "asapp.trusted_role_arns":
                problem = (
                    f'"{arn}" is in the partition "{partition}", and such a role cannot read audio '
                    f'in "{its}"; ask ASAPP whether it serves "{its}", and write a role from there'
                )
            yield key, problem
        if its_region and its_region not in REGIONS:
            remedy = f'write "{region}"' if region else "write the instance's region"
            yield key, f'"{arn}" has an unknown AWS region, "{its_region}"; {remedy}'
        elif region and its_region not in ("", region):
            yield key, f'"{arn}" is not in this region; write an ARN of "{region}"'
        if account and key in _OUR_ACCOUNT and its_account != account:
            yield key, f'"{arn}" is not in this account; write an ARN of "{account}"'


def _media_streaming(
    values: Mapping[str, Any], rules: Mapping[str, Rule]
) -> Iterator[tuple[str, str]]:
    mode, hours = values.get("media_streaming.mode"), "media_streaming.retention_hours"
    if mode == "manage" and values.get(hours, 0) is None:
        yield hours, f'is missing for mode "manage"; write {rules[hours].remedy}'
    if mode == "adopt" and values.get(hours):
        yield hours, 'cannot be set in mode "adopt"; remove it, or write mode = "manage"'
    prefix, alias = values.get("media_streaming.prefix"), values.get("connect.instance_alias")
    if prefix and alias:
        ours = re.split(f"-connect-{re.escape(alias)}(?:-|$)", prefix)[0]
        if ours != prefix:
            problem = f'"{prefix}" includes what Connect adds to the prefix; write "{ours}"'
            yield "media_streaming.prefix", problem


def _lifecycle(values: Mapping[str, Any], rules: Mapping[str, Rule]) -> Iterator[tuple[str, str]]:
    mode, stream = values.get("lifecycle.mode"), "lifecycle.stream_arn"
    if mode == "adopt" and values.get(stream, 0) is None:
        yield stream, f'is missing for mode "adopt"; write {rules[stream].remedy}'
    if mode in ("off", "manage") and values.get(stream):
        yield stream, f'is not used in mode "{mode}"; remove it, or write mode = "adopt"'
    if mode == "off" and values.get("lifecycle.key_arn"):
        remedy = 'remove it, or write mode = "adopt" or "manage"'
        yield "lifecycle.key_arn", f'is not used in mode "off"; {remedy}'
    if mode in ("off", "adopt") and values.get("lifecycle.shards"):
        remedy = 'remove it, or write mode = "manage"'
        yield "lifecycle.shards", f'is not used in mode "{mode}"; {remedy}'


def _asapp(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    name = values.get("asapp.credentials_secret_name", "")
    if values.get("asapp.credentials_key_arn") and re.search("-[A-Za-z0-9]{6}$", name):
        # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
        yield (
            "asapp.credentials_secret_name",
            'ends in "-" and six characters, like the end that AWS adds to a secret\'s ARN; with '
            "credentials_key_arn, write another name",
        )
    redaction = values.get("asapp.redaction")
    if values.get("asapp.detailed_tokens") and redaction not in (None, "unredacted"):
        remedy = 'remove it, or write redaction = "unredacted"'
        yield "asapp.detailed_tokens", f"ASAPP refuses it for redacted text; {remedy}"


def _webhook(values: Mapping[str, Any], rules: Mapping[str, Rule]) -> Iterator[tuple[str, str]]:
    auth = values.get("webhook.auth")
    if auth is None:
        return
    yield from _unused(values, auth)
    longest = WEB_ACL_READS[values.get("webhook.secret_in", "header")]
    too_long = len(values.get("webhook.secret_name", "")) > longest
    if values.get("webhook.web_acl") == "manage" and too_long:
        problem = f"is too long for a web ACL; write up to {longest} characters"
        yield "webhook.secret_name", problem
    needed: dict[str, list[str]] = {"webhook": [], "webhook_oauth2": [], "webhook_mtls": []}
    if values.get("webhook.domain") or values.get("webhook.certificate_arn"):
        needed["webhook"] = ["domain", "certificate_arn"]
    for key in ("base_path", "hosted_zone_id"):
        if values.get(f"webhook.{key}") and not values.get("webhook.domain"):
            yield f"webhook.{key}", "is for a domain; write domain, or remove it"
    if "mtls" in auth:
        needed["webhook_mtls"] = ["domain", "certificate_arn", "authorities_file"]
        if (name := values.get("webhook_mtls.domain")) and name == values.get("webhook.domain"):
            problem = "asks every caller for a certificate; write another name than webhook.domain"
            yield "webhook_mtls.domain", problem
    if "oauth2" in auth:
        own = values.get("webhook_oauth2.domain_prefix")
        issuer = values.get("webhook_oauth2.issuer", "one that is wrong by itself")
        if own and values.get("webhook_oauth2.issuer"):
            remedy = "remove it, or remove domain_prefix"
            yield "webhook_oauth2.issuer", f"cannot be set together with domain_prefix; {remedy}"
        needed["webhook_oauth2"] = ["issuer", "keys_url"] if issuer else ["domain_prefix"]
        if issuer and not any(values.get(f"webhook_oauth2.{claim}") for claim in _CLAIMS):
            yield (
                "webhook_oauth2.issuer",
                "has other clients, whose tokens would be let in; write audience, scope or "
                "client_id",
            )
    for table, keys in needed.items():
        for key in keys:
            if values.get(f"{table}.{key}", 0) is None:
                yield f"{table}.{key}", f"is missing; write {rules[f'{table}.{key}'].remedy}"


_CLAIMS = ("audience", "scope", "client_id")


def _unused(values: Mapping[str, Any], auth: Collection[str]) -> Iterator[tuple[str, str]]:
    """Settings of a way that ``auth`` lacks. Whoever wrote one believes that it is checked."""

    def is_set(key: str) -> bool:
        usual = (None, False, "Authorization", "header", "x-webhook-secret", ("asapp",))
        value = values.get(key)
        return (tuple(value) if isinstance(value, list) else value) not in usual

    for table, way in (("webhook_oauth2", "oauth2"), ("webhook_mtls", "mtls")):
        for key in values:
            if key.startswith(f"{table}.") and way not in auth and is_set(key):
                yield key, f'is not used; remove it, or write "{way}" in webhook.auth'
    if "oauth2" in auth and values.get("webhook_oauth2.issuer", 0) is None:
        for name in ("keys_url", *_CLAIMS):
            if is_set(f"webhook_oauth2.{name}"):
                yield f"webhook_oauth2.{name}", "is for your own issuer; write issuer, or remove it"
    if (
        "oauth2" in auth
        and values.get("webhook_oauth2.issuer")
        and is_set("webhook_oauth2.clients")
    ):
        yield "webhook_oauth2.clients", "are for the stack's pool, not for an issuer; remove it"
    if "secret" not in auth and not ("mtls" in auth and values.get("webhook_mtls.secret")):
        for key in ("webhook.secret_in", "webhook.secret_name"):
            if is_set(key):
                yield key, 'is not used; remove it, or write "secret" in auth'
    if set(auth) == {"mtls"}:
        for name in ("domain", "certificate_arn"):
            if is_set(f"webhook.{name}"):
                yield f"webhook.{name}", 'is not for "mtls"; write it in [webhook_mtls]'
        if values.get("webhook.tls") == "1.3":
            yield "webhook.tls", 'cannot be demanded of "mtls"; write "1.2"'


def _live(values: Mapping[str, Any], rules: Mapping[str, Rule]) -> Iterator[tuple[str, str]]:
    mode = values.get("live.mode")
    if mode is None:  # of a construct
        yield from _provider(values, rules)
        return
    of_the_api = ("event_api_id", "event_api_http_host", "event_api_realtime_host")
    needed: tuple[str, ...] = () if mode == "off" else ("domain_prefix",)
    needed += of_the_api if mode == "adopt" else ()
    for key in (f"live.{name}" for name in needed):
        if values.get(key, 0) is None:
            yield key, f'is missing for mode "{mode}"; write {rules[key].remedy}'
    of_the_page = ("page_url", "page_certificate_arn")
    of_a_provider = ("saml_metadata_url", *_OIDC, "user_name_attribute")
    others = (*of_the_page, "domain_prefix", *of_a_provider, *of_the_api)
    unused = others if mode == "off" else of_the_api if mode == "manage" else ()
    for key in (f"live.{name}" for name in unused):
        if values.get(key):
            yield key, f'is not used in mode "{mode}"; remove it, or write another mode'
    yield from _provider(values, rules)
    page = values.get("live.page_url") or ""
    if page.startswith("http://") and values.get("account") not in (None, _EMULATOR_ACCOUNT):
        yield "live.page_url", 'is not encrypted; write an address that begins "https://"'
    if mode != "off":
        yield from _hosting(values, rules)


_OIDC = ("oidc_issuer", "oidc_client_id", "oidc_client_secret_name")


def _provider(values: Mapping[str, Any], rules: Mapping[str, Rule]) -> Iterator[tuple[str, str]]:
    """There is one identity provider, of one of the two kinds, with all of its settings."""
    saml, name = "live.saml_metadata_url", "live.user_name_attribute"
    oidc = [f"live.{key}" for key in _OIDC]
    given = [key for key in oidc if values.get(key)]
    if given and values.get(saml):
        yield saml, "cannot be set together with oidc_issuer; remove one of them"
        return
    needed = [*oidc, name] if given else [saml, name]
    if given or values.get(saml) or values.get(name):
        for key in needed:
            if values.get(key, 0) is None:
                yield key, f"is missing; write {rules[key].remedy}"


def _hosting(values: Mapping[str, Any], rules: Mapping[str, Rule]) -> Iterator[tuple[str, str]]:
    """The stack hosts the page with CloudFront, which is in the partition ``aws`` only."""
    address, arn = "live.page_url", "live.page_certificate_arn"
    page, certificate = values.get(address, 0), values.get(arn)
    partition = (values.get("connect.instance_arn") or "arn:aws").split(":")[1]
    if partition != "aws" and (page is None or certificate):
        yield address, f'is yours to host in "{partition}"; write {rules[address].remedy}'
    elif certificate:
        _, _, region, account = certificate.split(":")[1:5]
        if region != "us-east-1" or account != values.get("account", account):
            yield arn, "is not one that CloudFront takes; write one of this account in us-east-1"
        if page is None:
            yield address, f"is missing; write {rules[address].remedy}"
        elif page and not re.fullmatch("https://[^/:]+/", page):
            yield address, 'has more than a host; for a certificate write only "https://<host>/"'


def _the_rest(values: Mapping[str, Any], rules: Mapping[str, Rule]) -> Iterator[tuple[str, str]]:
    name = "webhook.secret_name"
    if values.get("webhook.secret_in") == "query" and re.search("[.$]", values.get(name, "")):
        remedy = 'write letters, digits, "_" or "-", like "token"'
        yield name, f"the value is not accepted as the name of a query parameter; {remedy}"
    for name in ("start_streaming", "stop_streaming", "authorize_webhook"):
        if values.get("capacity.reserve") is False and values.get(f"capacity.{name}"):
            yield (
                f"capacity.{name}",
                "is not used without reserve; remove it, or write reserve = true",
            )
    after = "reconciliation.after_minutes"
    if values.get(after) == 0 and values.get("account") not in (None, _EMULATOR_ACCOUNT):
        remedy = f"write {rules[after].remedy}"
        yield after, f"0 leaves no time for late webhook messages; {remedy}"
    if values.get("export.mode") == "off" and values.get("export.key_arn"):
        remedy = 'remove it, or write mode = "on"'
        yield "export.key_arn", f'is not used in mode "off"; {remedy}'
    if values.get("export.mode") == "on" and values.get("on_utterance.function_arn"):
        yield (
            "on_utterance.function_arn",
            "does not see the files of the export, which have every word as ASAPP has it; write "
            'export.mode = "off", or remove it',
        )
    keep, back = values.get("export.keep_days", 3650), values.get("export.lookback_days", 0)
    if keep <= back:
        remedy = f"write {back + 1} days or more, or look back less far"
        yield "export.keep_days", f"would delete files that each night fetches again; {remedy}"
    if values.get("alarms.email") and values.get("alarms.topic_arn"):
        yield "alarms.topic_arn", "cannot be set together with alarms.email; remove one of them"
