"""What the account and region must have before a deployment."""

from __future__ import annotations

from tools.doctor.findings import Findings, problem, warning, well
from tools.doctor.plan import Plan

BOOTSTRAP_VERSION = 6
"""The oldest one that our stacks' manifests accept."""


def bootstrap(plan: Plan) -> Findings:
    settings = plan.settings
    qualifier = settings.bootstrap_qualifier
    name = f"/cdk-bootstrap/{qualifier}/version"
    answer = plan.aws.read("ssm", "get_parameter", absent=("ParameterNotFound",), Name=name)
    version = answer["Parameter"]["Value"] if answer else ""
    where = f"aws://{settings.account}/{settings.region}"
    remedy = f"`npx cdk bootstrap {where} --qualifier {qualifier}`"
    if answer is None:
        yield problem("the account and region are not bootstrapped for CDK", remedy)
    elif not version.isdecimal() or int(version) < BOOTSTRAP_VERSION:
        yield problem(f"has version {version}, and must have {BOOTSTRAP_VERSION} or newer", remedy)
    else:
        yield well(f"has version {version}")


def api_gateway_logs(plan: Plan) -> Findings:
    if plan.settings.webhook.api_gateway_log_role == "manage":
        yield well("the deployment gives API Gateway a role to write logs")
        return
    answer = plan.aws.read("apigateway", "get_account") or {}
    if role := answer.get("cloudwatchRoleArn"):
        yield well(f"API Gateway writes them as {role}")
    else:
        yield problem(
            "API Gateway has no role to write them in this account and region: the deployment "
            "of the webhook fails",
            'write webhook.api_gateway_log_role = "manage"',
        )


def web_acl(plan: Plan) -> Findings:
    arn = plan.settings.webhook.web_acl
    if not arn.startswith("arn:"):
        yield well({"manage": "the deployment makes it", "off": "none, as the settings say"}[arn])
        return
    name, id = arn.split("/")[-2:]
    absent = ("WAFNonexistentItemException",)
    if plan.aws.read("wafv2", "get_web_acl", absent, Scope="REGIONAL", Name=name, Id=id):
        yield well(f"{arn} is there")
    else:
        shown = plan.command("wafv2 list-web-acls --scope REGIONAL")
        yield problem(f"{arn} does not exist", f"write webhook.web_acl: {shown} shows it")


def alarms(plan: Plan) -> Findings:
    arn = plan.settings.alarms.topic_arn
    if not arn:
        email = plan.settings.alarms.email
        yield well(f"go to {email}" if email else "go to nobody, as the settings say")
        return
    answer = plan.aws.read("sns", "get_topic_attributes", absent=("NotFound",), TopicArn=arn)
    if answer is None:
        yield problem(
            f"{arn} does not exist",
            f"write alarms.topic_arn: {plan.command('sns list-topics')} shows it",
        )
    elif answer["Attributes"].get("KmsMasterKeyId", "").endswith("alias/aws/sns"):
        yield warning(
            f"{arn} is encrypted with AWS's own key, which CloudWatch cannot use: alarms are lost",
            "encrypt it with a key of yours whose policy allows cloudwatch.amazonaws.com",
        )
    else:
        yield well(f"go to {arn}")
