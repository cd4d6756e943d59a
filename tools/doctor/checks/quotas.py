"""The account's and the instance's quotas, against what calls need."""

from __future__ import annotations

from collections.abc import Generator

from connect_settings import sizing
from connect_settings.sizing import Quota
from tools.doctor.checks.instance import NO_INSTANCE
from tools.doctor.findings import Finding, Findings, NotSeen, problem, warning, well
from tools.doctor.plan import Plan

ASSOCIATIONS = 2
"""How many functions the flows stack lets the instance invoke: start and stop."""


FUNCTIONS = Quota("connect", "L-E3D2F503", 50)  # AWS Lambda functions per instance
CALLS, STREAMS = sizing.CONNECT_CALLS, sizing.VIDEO_STREAMS


def lambda_functions(plan: Plan) -> Findings:
    """The instance has room for our two, or has them already."""
    there = plan.aws.pages(
        "connect",
        "list_lambda_functions",
        "LambdaFunctions",
        absent=("ResourceNotFoundException",),
        InstanceId=plan.instance_id,
    )
    if there is None:
        raise NotSeen(NO_INSTANCE)
    ours = len(plan.deployed("flows", "AWS::Connect::IntegrationAssociation"))
    limit = yield from _limit(plan, FUNCTIONS)
    will_be = len(there) + max(0, ASSOCIATIONS - ours)
    if will_be > limit:
        give_back = "connect disassociate-lambda-function --function-arn ARN --instance-id "
        yield problem(
            f"the instance would have {will_be}, and may have {limit}",
            f"{_increase(plan, FUNCTIONS, will_be)}, or remove one that no flow uses: "
            + plan.command(f"{give_back}{plan.instance_id}"),
        )
    else:
        yield well(f"the instance will have {will_be}, and may have {limit}")


def video_streams(plan: Plan) -> Findings:
    """Connect makes a stream for each call at a time, and uses it again for later ones."""
    allowed = yield from _limit(plan, CALLS)
    calls = plan.calls or allowed
    if calls > allowed or not calls:
        yield problem(
            f"the instance lets {allowed} calls in at a time"
            + (f", and {calls} are expected" if calls else ""),
            _increase(plan, CALLS, calls or CALLS.documented),
        )
    there = plan.aws.pages("kinesisvideo", "list_streams", "StreamInfoList") or []
    prefix = f"{plan.settings.media_streaming.prefix}-"
    of_prefix = [each["StreamName"] for each in there if each["StreamName"].startswith(prefix)]
    yield from _named_as_the_role_reads(plan, of_prefix)
    ours = len(of_prefix)
    limit = yield from _limit(plan, STREAMS)
    will_be = len(there) + max(0, calls - ours)
    if will_be > limit:
        yield problem(
            f"{calls} calls at a time need {will_be} in this account, which may have {limit}",
            _increase(plan, STREAMS, will_be),
        )
    else:
        yield well(f"{calls} calls at a time need {will_be} in this account of {limit}")


def _named_as_the_role_reads(plan: Plan, names: list[str]) -> Findings:
    """ASAPP's role reads streams by the beginning of their name, of which AWS says nothing."""
    prefix, alias = plan.settings.media_streaming.prefix, plan.settings.connect.instance_alias
    readable = f"{prefix}-connect-{alias}-contact-"
    if not names or any(each.startswith(readable) for each in names):
        return
    ours = [each for each in names if each.startswith(f"{prefix}-connect-{alias}-")]
    others = [each for each in names if f"{prefix}-connect-" in each and "-contact-" in each]
    if strange := [each for each in names if each in ours or each not in others]:
        yield (problem if ours else warning)(
            f"ASAPP's role reads streams whose names begin with {readable}, and there is none; "
            f"there is {strange[0]}",
            "if that stream belongs to this instance, ASAPP cannot read its audio: correct "
            "connect.instance_alias, or do not deploy (docs/decisions/0020)",
        )


def capacity(plan: Plan) -> Findings:
    """What is too small for the calls at a time, and what would be the first to be."""
    calls = plan.calls or plan.settings.capacity.expected_calls
    first: tuple[int, str] | None = None
    for part in sizing.parts(plan.settings.region):
        limit, remedy = part.documented, "ask ASAPP's account team: its limits differ by account"
        if part.name == sizing.LAMBDA:
            answer = plan.aws.read("lambda", "get_account_settings") or {}
            limit = answer["AccountLimit"]["ConcurrentExecutions"]
        elif isinstance(part.quota, Quota):
            limit = yield from _limit(plan, part.quota)
        if isinstance(part.quota, Quota):
            remedy = _increase(plan, part.quota, part.needed(calls))
        carried = part.carries(limit)
        if first is None or carried < first[0]:
            first = carried, part.name
        if carried < calls:
            yield warning(
                f"{part.name}: {calls} calls at a time may need {part.needed(calls)}, and there "
                f"are {limit}, enough for {carried} calls",
                remedy,
            )
    if first:
        yield well(
            f"the first limit to be reached is {first[1]}, at more than {first[0]} calls at a time"
        )


def _limit(plan: Plan, quota: Quota) -> Generator[Finding, None, int]:
    """The quota of this account. If AWS does not tell it, that is a finding; the default counts."""
    request = {"ServiceCode": quota.service, "QuotaCode": quota.code}
    absent = ("NoSuchResourceException", "IllegalArgumentException")
    applied = request | _context(plan, quota)
    try:
        answer = plan.aws.read(
            "service-quotas", "get_service_quota", absent=absent, **applied
        ) or plan.aws.read(
            "service-quotas", "get_aws_default_service_quota", absent=absent, **request
        )
    except NotSeen as unseen:
        yield unseen.finding
        answer = None
    return int(answer["Quota"]["Value"]) if answer else quota.documented


def _context(plan: Plan, quota: Quota) -> dict[str, str]:
    """Connect's quotas are those of an instance, not of an account."""
    instance_arn = plan.settings.connect.instance_arn
    return {"ContextId": instance_arn} if quota.service == "connect" else {}


def _increase(plan: Plan, quota: Quota, to: int) -> str:
    context = "".join(f" --context-id {arn}" for arn in _context(plan, quota).values())
    return plan.command(
        f"service-quotas request-service-quota-increase --service-code {quota.service} "
        f"--quota-code {quota.code} --desired-value {to}{context}"
    )
