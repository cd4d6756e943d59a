"""The common settings of the Lambda functions, and what their packages hold."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import cast

from aws_cdk import Acknowledgment, Duration, IgnoreMode, RemovalPolicy, Stack, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from connect_autotranscribe._key_policy import let_logs_use
from connect_autotranscribe.function_options import FunctionOptions
from connect_autotranscribe.retention import Retention, days_of
from connect_settings.shared_names import LAMBDAS

_NETWORK_INTERFACES = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)
"""With these Lambda puts a function into a VPC; it assumes the function's role to do so."""


class Function(lambda_.Function):
    """A Lambda function from a folder of ``lambdas/``.

    Its package holds this folder and the modules of ``shared/`` that it imports, nothing else. It
    runs on the newest Python on arm64, is traced, and logs JSON. It may only write its log until it
    is granted more.

    :param folder: The folder's name, for instance ``start_streaming``.
    :param name: Its name. Default: CloudFormation makes one.
    :param timeout: The longest that an invocation may take.
    :param environment: The environment variables; never a secret.
    :param retention: How long its log is kept.
    :param options: Its network, key, code signing, reserved concurrency and memory.
    :param key: Encrypts its log. Default: CloudWatch's own key.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        folder: str,
        name: str | None = None,
        description: str,
        timeout: Duration,
        environment: Mapping[str, str],
        retention: Retention,
        options: FunctionOptions,
        key: kms.IKey | None,
    ) -> None:
        log_group = log_group_of(scope, f"{id}Logs", retention, key)
        role = iam.Role(
            scope,
            f"{id}Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"Runs {folder}",
        )
        log_group.grant_write(role)
        if options.vpc:
            role.add_to_policy(
                iam.PolicyStatement(
                    sid="NetworkInterfaces", actions=list(_NETWORK_INTERFACES), resources=["*"]
                )
            )
        super().__init__(
            scope,
            id,
            function_name=name,
            description=description,
            runtime=lambda_.Runtime.PYTHON_3_14,
            architecture=lambda_.Architecture.ARM_64,
            code=lambda_.Code.from_asset(
                str(LAMBDAS),
                ignore_mode=IgnoreMode.GIT,
                exclude=[
                    "/*",
                    f"!/{folder}",
                    "!/shared",
                    "/shared/*",
                    *_shared_patterns(LAMBDAS, folder),
                    "__pycache__",
                ],
            ),
            handler=f"{folder}.handler.handler",
            memory_size=options.memory.to_mebibytes() if options.memory else 512,
            timeout=timeout,
            environment=dict(environment),
            role=role,
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            # The metrics are counted in lines of level INFO: no default may take them away.
            application_log_level_v2=lambda_.ApplicationLogLevel.INFO,
            system_log_level_v2=lambda_.SystemLogLevel.INFO,
            tracing=lambda_.Tracing.ACTIVE,
            # Old versions stay, so that an alias can go back. Those of a failed deployment do not.
            current_version_options=lambda_.VersionOptions(
                removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
            ),
            vpc=options.vpc,
            vpc_subnets=options.vpc_subnets,
            security_groups=options.security_groups,
            environment_encryption=options.environment_key,
            code_signing_config=options.code_signing,
            reserved_concurrent_executions=options.reserved_concurrency.get(id),
        )
        if options.vpc:
            self._keep_interfaces_from_code(role)
        reason = "X-Ray and ListStreams have no resource level; all else names resources."
        if options.vpc:
            reason += " Lambda makes the network interfaces of a VPC, with ids that it chooses."
        Validations.of(role).acknowledge(
            Acknowledgment(id="AwsSolutions-IAM5[Resource::*]", reason=reason)
        )
        if (written := as_nag_writes(scope, log_group.log_group_arn)).endswith(":*"):
            Validations.of(role).acknowledge(
                Acknowledgment(
                    id=f"AwsSolutions-IAM5[Resource::{written}]",
                    reason="The streams of the one log group that was given.",
                )
            )

    def _keep_interfaces_from_code(self, role: iam.Role) -> None:
        """Lambda itself needs the network interfaces. The function's code must not touch them."""
        # A policy of its own: the role's depends on nothing, and this one names the function.
        denied = iam.Policy(self, "NoNetworkInterfaces", roles=[role])
        denied.add_statements(
            iam.PolicyStatement(
                effect=iam.Effect.DENY,
                actions=list(_NETWORK_INTERFACES),
                resources=["*"],
                conditions={"ArnEquals": {"lambda:SourceFunctionArn": self.function_arn}},
            )
        )


def log_group_of(
    scope: Construct, id: str, retention: Retention, key: kms.IKey | None
) -> logs.ILogGroup:
    """The log group that was given, or a new one.

    :param key: Encrypts the new one. Default: CloudWatch's own key.
    """
    if retention.log_group:
        return retention.log_group
    if key:
        let_logs_use(key, scope)
    group = logs.LogGroup(scope, id, encryption_key=key, removal_policy=retention.removal_policy)
    cast(logs.CfnLogGroup, group.node.default_child).retention_in_days = days_of(retention.logs)
    return group


def live_alias(function: Function) -> lambda_.Alias:
    """An alias of the published version, which can move gradually, and go back."""
    return lambda_.Alias(function, "Live", alias_name="live", version=function.current_version)


def _shared_patterns(lambdas: Path, folder: str) -> list[str]:
    """The lines of a ``.gitignore`` that pack what is imported of ``shared/``, and nothing else."""
    modules = shared_modules(lambdas, folder)
    folders = sorted({name.parent for name in modules} - {PurePosixPath("shared")})
    lines = [line for name in folders for line in (f"!/{name}", f"/{name}/*")]
    return lines + [f"!/{name}" for name in modules]


def shared_modules(lambdas: Path, folder: str) -> list[PurePosixPath]:
    """The modules of ``shared/`` that a function imports, directly or through other modules.

    :returns: Paths such as ``shared/aws/api.py``.
    """
    found: set[PurePosixPath] = set()
    ahead = [*(lambdas / folder).rglob("*.py")]
    while ahead:
        new = _shared_imports(lambdas, ahead.pop()) - found
        found |= new
        ahead += [lambdas / name for name in new]
    return sorted(found)


@cache
def _shared_imports(lambdas: Path, file: Path) -> frozenset[PurePosixPath]:
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    paths = [PurePosixPath(*name.split(".")) for name in names if name.startswith("shared.")]
    modules = {path.with_suffix(".py") for name in paths for path in (name, name.parent)}
    return frozenset(module for module in modules if (lambdas / module).is_file())


def as_nag_writes(scope: Construct, value: str) -> str:
    """A string with tokens as cdk-nag writes it in a finding: ``arn:<AWS::Partition>:logs:…``."""
    match Stack.of(scope).resolve(value):
        case {"Fn::Join": [str() as between, list() as parts]}:
            return between.join(
                part if isinstance(part, str) else f"<{part.get('Ref')}>" for part in parts
            )
        case str() as text:
            return text
    return ""
