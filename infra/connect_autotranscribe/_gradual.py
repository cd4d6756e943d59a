"""New versions of functions take over a part of the traffic first, and go back by themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import Acknowledgment, Duration, Stack, Validations
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct


class GradualDeployment(Construct):
    """CodeDeploy moves each alias: a tenth of the traffic for five minutes, then the rest.

    If an invocation of the alias fails meanwhile, CodeDeploy moves it back and the deployment of
    the stack fails, which moves everything else back. The first deployment is not gradual, because
    there is no version before.

    :param aliases: By the function's name, as in the construct's ``functions``.
    """

    alarms: Sequence[cloudwatch.Alarm]
    """The errors of each alias, in a minute."""

    def __init__(self, scope: Construct, id: str, *, aliases: Mapping[str, lambda_.Alias]) -> None:
        super().__init__(scope, id)
        alarms = {name: self._alarm(name, alias) for name, alias in aliases.items()}
        self.alarms = list(alarms.values())
        role = self._role(list(aliases.values()))
        application = codedeploy.LambdaApplication(self, "Application")
        for name, alias in aliases.items():
            group = codedeploy.LambdaDeploymentGroup(
                self,
                name,
                application=application,
                alias=alias,
                # Without updates: CDK would attach a policy of AWS's, with every function.
                role=role.without_policy_updates(),
                deployment_config=codedeploy.LambdaDeploymentConfig.CANARY_10_PERCENT_5_MINUTES,
                alarms=[alarms[name]],
                auto_rollback=codedeploy.AutoRollbackConfig(
                    failed_deployment=True, stopped_deployment=True, deployment_in_alarm=True
                ),
            )
            group.node.add_dependency(role)

    def _alarm(self, name: str, alias: lambda_.Alias) -> cloudwatch.Alarm:
        return alias.metric_errors(period=Duration.minutes(1)).create_alarm(
            self,
            f"{name}Errors",
            alarm_description="The function failed, in its old or new version: a deployment that "
            "runs goes back. If none runs, look at the alarm of the same function",
            threshold=1,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _role(self, aliases: Sequence[lambda_.Alias]) -> iam.Role:
        """What AWS's own policy AWSCodeDeployRoleForLambdaLimited allows, but for these functions
        only, and without revision files and hooks, which we do not use.

        https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSCodeDeployRoleForLambdaLimited.html
        """
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal(
                "codedeploy.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            ),
            description="CodeDeploy moves the aliases of functions",
        )
        functions = [alias.lambda_.function_arn for alias in aliases]
        versions = [f"{function}:*" for function in functions]
        # All alarms: CloudWatch does not answer a narrower permission about composite alarms, and
        # CodeDeploy stops a deployment if it cannot read the state of its alarm.
        # https://docs.aws.amazon.com/codedeploy/latest/userguide/monitoring-create-alarms-grant-permissions.html
        role.add_to_policy(
            iam.PolicyStatement(actions=["cloudwatch:DescribeAlarms"], resources=["*"])
        )
        Validations.of(role).acknowledge(
            Acknowledgment(
                id="AwsSolutions-IAM5[Resource::*]",
                reason="CodeDeploy's guide asks for all alarms; it reads their states and no data.",
            )
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=[
                    "lambda:GetAlias",
                    "lambda:GetProvisionedConcurrencyConfig",
                    "lambda:UpdateAlias",
                ],
                resources=[*functions, *versions],
            )
        )
        for alias in aliases:
            made = alias.lambda_.node.default_child
            assert isinstance(made, lambda_.CfnFunction)  # noqa: S101 - an alias of ours
            arn = f"<{Stack.of(self).get_logical_id(made)}.Arn>"  # cdk-nag's words
            Validations.of(role).acknowledge(
                Acknowledgment(
                    id=f"AwsSolutions-IAM5[Resource::{arn}:*]",
                    reason="The versions of one function: Lambda numbers them at deployment.",
                )
            )
        return role
