"""What every Lambda function of ours has, said once; and where their code is."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import cast

from aws_cdk import Acknowledgment, Duration, IgnoreMode, RemovalPolicy, Stack, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

_HERE = Path(__file__).parent
_INSTALLED, _CHECKOUT = _HERE / "_lambdas", _HERE.parents[1] / "lambdas"
LAMBDAS = _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT


class Function(lambda_.Function):
    """A function from a folder of ``lambdas/``; its package has that and what it imports of
    ``shared/``, and nothing else.

    It runs on the newest Python on arm64, is traced, logs JSON to a group of its own for a limited
    time, and may do nothing but write to that group until it is granted more.

    :param folder: The folder's name, for instance ``start_streaming``.
    :param timeout: The longest that an invocation may take.
    :param environment: The environment variables; never a secret.
    :param log_retention_days: Days until a log line goes; one of CloudWatch Logs' choices.
    :param removal_policy: What becomes of the log group when it leaves the stack.
    :param log_group: Where it logs instead. Default: a group of its own.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        folder: str,
        description: str,
        timeout: Duration,
        environment: Mapping[str, str],
        log_retention_days: int,
        removal_policy: RemovalPolicy,
        log_group: logs.ILogGroup | None = None,
    ) -> None:
        log_group = log_group or log_group_for_days(
            scope, f"{id}Logs", days=log_retention_days, removal_policy=removal_policy
        )
        role = iam.Role(
            scope,
            f"{id}Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"Runs {folder}",
        )
        log_group.grant_write(role)
        super().__init__(
            scope,
            id,
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
                    *(f"!/shared/{name}.py" for name in shared_modules(LAMBDAS, folder)),
                    "__pycache__",
                ],
            ),
            handler=f"{folder}.handler.handler",
            memory_size=512,
            timeout=timeout,
            environment=dict(environment),
            role=role,
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            tracing=lambda_.Tracing.ACTIVE,
        )
        Validations.of(role).acknowledge(
            Acknowledgment(
                id="AwsSolutions-IAM5[Resource::*]",
                reason="X-Ray and ListStreams have no resource level; all else names resources.",
            )
        )
        if (written := as_nag_writes(scope, log_group.log_group_arn)).endswith(":*"):
            Validations.of(role).acknowledge(
                Acknowledgment(
                    id=f"AwsSolutions-IAM5[Resource::{written}]",
                    reason="The streams of the one log group that was given.",
                )
            )


def log_group_for_days(
    scope: Construct, id: str, *, days: int, removal_policy: RemovalPolicy
) -> logs.LogGroup:
    """A log group that keeps its lines for so many days."""
    group = logs.LogGroup(scope, id, removal_policy=removal_policy)
    cast(logs.CfnLogGroup, group.node.default_child).retention_in_days = days
    return group


def alias_for_connect(function: Function, instance_arn: str) -> lambda_.Alias:
    """The published version that a Connect instance's flows call, and its leave to do so.

    :param instance_arn: The instance; no other, of whatever account, may call.
    """
    alias = lambda_.Alias(function, "Live", alias_name="live", version=function.current_version)
    alias.add_permission(
        "Connect",
        principal=iam.ServicePrincipal("connect.amazonaws.com"),
        source_arn=instance_arn,
        source_account=Stack.of(function).account,
    )
    return alias


def shared_names(module: str) -> ModuleType:
    """A module of ``shared/``, for the names that a function and its template both use.

    :param module: Its name, for instance ``log_events``. It may import only the standard library.
    """
    names = ModuleType(module)
    SourceFileLoader(module, str(LAMBDAS / "shared" / f"{module}.py")).exec_module(names)
    return names


def shared_modules(lambdas: Path, folder: str) -> list[str]:
    """The modules of ``shared/`` that a function imports, by itself or through one another."""
    found: set[str] = set()
    ahead = [*(lambdas / folder).rglob("*.py")]
    while ahead:
        new = _imported_of_shared(lambdas, ahead.pop()) - found
        found |= new
        ahead += [lambdas / "shared" / f"{name}.py" for name in new]
    return sorted(found)


def _imported_of_shared(lambdas: Path, file: Path) -> set[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    parts = [name.split(".") for name in names if name.startswith("shared.")]
    return {part[1] for part in parts if (lambdas / "shared" / f"{part[1]}.py").is_file()}


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
