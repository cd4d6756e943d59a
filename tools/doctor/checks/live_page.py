"""The live page: what frames it, its address, who signs in, and an adopted API of events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from connect_settings.page_headers import url_of_instance, workspace_origins
from connect_settings.shared_names import shared_names
from tools.doctor.checks.webhook import certificate_faults, user_pool_prefix
from tools.doctor.findings import Findings, problem, warning, well
from tools.doctor.plan import Plan

_NAMESPACE: str = shared_names("live.channels").NAMESPACE
_OF_CLOUDFRONT = "us-east-1"
"""The one region whose certificates CloudFront takes."""
_BY_LAMBDA, _BY_IAM = {"AWS_LAMBDA"}, {"AWS_IAM"}
_MODES = (
    ("connectionAuthModes", _BY_LAMBDA, "whoever connects"),
    ("defaultSubscribeAuthModes", _BY_LAMBDA, "whoever subscribes"),
    ("defaultPublishAuthModes", _BY_IAM, "whoever publishes"),
)


def live_page(plan: Plan) -> Findings:
    live = plan.settings.live
    if live.mode == "off":
        yield well("is off")
        return
    yield from _framed_by(plan)
    if live.page_certificate_arn:
        yield from _certificate(plan, live.page_certificate_arn)


def live_sign_in(plan: Plan) -> Findings:
    live = plan.settings.live
    if live.mode == "off" or not live.domain_prefix:
        yield well("is off")
        return
    yield from user_pool_prefix(plan, "live", "live.domain_prefix", live.domain_prefix)
    if live.oidc_client_secret_name:
        yield from _provider_secret(plan, live.oidc_client_secret_name)


def live_events(plan: Plan) -> Findings:
    live = plan.settings.live
    if live.mode == "adopt" and live.event_api_id:
        yield from _event_api(plan, live.event_api_id)
    else:
        yield well("need no API of yours")


def _framed_by(plan: Plan) -> Findings:
    answer = plan.aws.read(
        "connect",
        "describe_instance",
        absent=("ResourceNotFoundException",),
        InstanceId=plan.instance_id,
    )
    address = ((answer or {}).get("Instance") or {}).get("InstanceAccessUrl", "")
    ours = url_of_instance(plan.settings.connect.instance_alias)
    origins = workspace_origins(ours)
    framed_by = " and ".join(origins)
    if address and urlsplit(address).hostname not in {urlsplit(each).hostname for each in origins}:
        yield warning(
            f"the instance's address is {address}, and only {framed_by} may frame the page",
            f"let agents open {ours}/agent-app-v2; if that does not lead there, the page works for "
            "supervisors only",
        )
    else:
        yield well(f"{framed_by} may frame it")


def _certificate(plan: Plan, arn: str) -> Findings:
    setting = "live.page_certificate_arn"
    host = urlsplit(plan.settings.live.page_url or "").hostname or ""
    absent = ("ResourceNotFoundException",)
    answer = plan.aws.of_region(_OF_CLOUDFRONT).read(
        "acm", "describe_certificate", absent=absent, CertificateArn=arn
    )
    if answer is None:
        shows = f"`aws acm list-certificates --region {_OF_CLOUDFRONT}`"
        yield problem(f"{arn} does not exist", f"write {setting}: {shows} shows it")
        return
    wrong = list(certificate_faults(_OF_CLOUDFRONT, answer["Certificate"], host, setting))
    yield from wrong
    if not wrong:
        ends = answer["Certificate"]["NotAfter"].date()
        yield well(f"{setting} is for {host}, and good until {ends}")


def _provider_secret(plan: Plan, name: str) -> Findings:
    """CloudFormation reads it at the deployment. What is in it is never shown."""
    absent = ("ResourceNotFoundException", "InvalidRequestException")  # or it will be deleted
    answer = plan.aws.read("secretsmanager", "get_secret_value", absent=absent, SecretId=name)
    shape = 'its value is {"clientSecret": "…"}'
    if answer is None:
        create = f"secretsmanager create-secret --name {name} --secret-string file://live.json"
        yield problem(f"{name} does not exist, or has no value", f"{plan.command(create)}; {shape}")
    elif not _has_client_secret(answer.get("SecretString") or ""):
        yield problem(f"{name} is not of its shape: the deployment fails", shape)
    else:
        yield well(f"{name} exists, and has the right shape")


def _has_client_secret(value: str) -> bool:
    try:
        content = json.loads(value)
    except ValueError:
        return False
    found = content.get("clientSecret") if isinstance(content, dict) else None
    return isinstance(found, str) and bool(found)


def _event_api(plan: Plan, id: str) -> Findings:
    answer = plan.aws.read("appsync", "get_api", absent=("NotFoundException",), apiId=id)
    if answer is None:
        shows = plan.command("appsync list-apis")
        yield problem(f"no API of AppSync Events is {id}", f"write live.event_api_id: {shows}")
        return
    live, api = plan.settings.live, answer["api"]
    wrong = [
        problem(
            f"{id} is at {api['dns'].get(kind)}, not at {host}",
            f'write live.{setting} = "{api["dns"].get(kind)}"',
        )
        for kind, setting, host in (
            ("HTTP", "event_api_http_host", live.event_api_http_host),
            ("REALTIME", "event_api_realtime_host", live.event_api_realtime_host),
        )
        if api["dns"].get(kind) != host
    ]
    found = plan.aws.read(
        "appsync", "get_channel_namespace", absent=("NotFoundException",), apiId=id, name=_NAMESPACE
    )
    if found is None:
        create = f"appsync create-channel-namespace --api-id {id} --name {_NAMESPACE}"
        wrong.append(problem(f"{id} has no namespace {_NAMESPACE}", plan.command(create)))
    wrong += _open_ways(api["eventConfig"], (found or {}).get("channelNamespace", {}))
    yield from wrong
    if not wrong:
        yield well(f"{id} asks our authorizer who may follow a call")


def _open_ways(config: Mapping[str, Any], namespace: Mapping[str, Any]) -> Findings:
    own = {
        "defaultSubscribeAuthModes": namespace.get("subscribeAuthModes"),
        "defaultPublishAuthModes": namespace.get("publishAuthModes"),
    }
    for name, wanted, who in _MODES:
        modes = {each["authType"] for each in own.get(name) or config.get(name, ())}
        if modes != wanted:
            (right,) = wanted
            asked = ", ".join(sorted(modes)) or "nothing"
            yield problem(
                f"{who} is asked for {asked}, not for {right} alone",
                f"make {right} the one mode of {name} and of the namespace {_NAMESPACE}",
            )
    for provider in config.get("authProviders", ()):
        kept = provider.get("lambdaAuthorizerConfig", {}).get("authorizerResultTtlInSeconds", 300)
        if provider["authType"] in _BY_LAMBDA and kept:
            yield problem(
                f"the authorizer's answer is kept for {kept} seconds, and is good for one channel",
                "set authorizerResultTtlInSeconds to 0",
            )
