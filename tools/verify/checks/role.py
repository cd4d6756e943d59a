"""What ASAPP may do with the role for the call audio, as IAM itself decides it."""

from __future__ import annotations

from tools.doctor.findings import Finding, Findings, problem, warning, well
from tools.verify.account import Account

_READS = ("kinesisvideo:DescribeStream", "kinesisvideo:GetDataEndpoint", "kinesisvideo:GetMedia")
_NEVER = (
    "dynamodb:Query",
    "kinesisvideo:DeleteStream",
    "kinesisvideo:PutMedia",
    "kinesisvideo:UpdateDataRetention",
    "lambda:InvokeFunction",
    "secretsmanager:GetSecretValue",
    "sts:AssumeRole",
)


def asapps_role(account: Account) -> Findings:
    if "access" not in account.stacks:
        yield problem("the access stack is not deployed", f"`make deploy ENV={account.name}`")
        return
    settings = account.settings
    role = account.stacks["access"].outputs["KinesisVideoReadRoleArn"]
    place = f"arn:aws:kinesisvideo:{settings.region}:{settings.account}:stream"
    own = f"{place}/{_prefix(account)}{'0' * 8}/1500000000000"
    other = f"{place}/somebody-elses/1500000000000"
    for actions, resource, wanted in (
        (_READS, own, True),
        (("kinesisvideo:ListStreams",), "*", True),
        (_READS, other, False),
        (_NEVER, "*", False),
        (_NEVER[1:4], own, False),
    ):
        for action, allowed in _decisions(account, role, actions, resource).items():
            where = "" if resource == "*" else f" on {resource.partition('stream/')[2]}"
            if wanted and not allowed:
                remedy = "compare the role with `make drift`; a permissions boundary counts too"
                yield problem(f"ASAPP may not {action}{where}", remedy)
            elif allowed and not wanted:
                yield problem(
                    f"ASAPP may {action}{where}", "see who changed the role: `make drift`"
                )
    yield well("the role was simulated: it reads the instance's audio, and does nothing else")


def video_streams(account: Account) -> Findings:
    if account.is_emulator:
        yield Finding("skipped", "the sandbox has no Kinesis video streams")
        return
    prefix = _prefix(account)
    condition = {"ComparisonOperator": "BEGINS_WITH", "ComparisonValue": prefix}
    found = account.aws.read(
        "kinesisvideo", "list_streams", StreamNameCondition=condition, MaxResults=10
    )
    if (found or {}).get("StreamInfoList"):
        yield well(f"there are streams whose names begin {prefix}")
    else:
        yield warning(
            f"no stream's name begins {prefix}",
            "Connect makes the first one at the first call; after a call, see the prefix",
        )


def _prefix(account: Account) -> str:
    settings = account.settings
    return f"{settings.media_streaming.prefix}-connect-{settings.connect.instance_alias}-contact-"


def _decisions(
    account: Account, role: str, actions: tuple[str, ...], resource: str
) -> dict[str, bool]:
    found = account.aws.pages(
        "iam",
        "simulate_principal_policy",
        "EvaluationResults",
        PolicySourceArn=role,
        ActionNames=list(actions),
        ResourceArns=[resource],
    )
    return {each["EvalActionName"]: each["EvalDecision"] == "allowed" for each in found or []}
