"""What a team decides about its Lambda functions: network, key, code signing, room, memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aws_cdk import Size
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_

from connect_autotranscribe._arguments import Argument, faults_of, raise_problems
from connect_settings._rules import one_or_more

_MEMORY = range(128, 10_241)
_RESERVED = one_or_more(like=50)


@dataclass(frozen=True, kw_only=True)
class FunctionOptions:
    """How the functions of a construct run. Pass the same to each.

    How long their logs are kept: :class:`~connect_autotranscribe.retention.Retention`.

    :param vpc: The VPC in which they run. It must lead to ASAPP's API and to the AWS APIs that the
        functions call: ``docs/deploy-to-aws.md`` lists them. Default: no VPC.
    :param vpc_subnets: The subnets of ``vpc``. Default: its private subnets.
    :param security_groups: The security groups of ``vpc``. Default: a new one for each function,
        which lets everything out and nothing in.
    :param environment_key: Encrypts the environment variables, which hold no secret. Lambda makes
        a grant on the key for each function, so whoever deploys needs ``kms:CreateGrant``.
        Default: Lambda's own key.
    :param code_signing: Which signatures Lambda asks of the code. CDK does not sign: if unsigned
        code is refused, sign the assets between ``cdk synth`` and the deployment. Default: none.
    :param reserved_concurrency: How many invocations at a time are kept for a function, and are
        its most, by its name in ``functions``, like ``{"StartStreaming": 50}``. The names of other
        constructs' functions are ignored. Default: none.
    :param memory: The memory of each function, 128 to 10240 MiB. Default: 512 MiB.

    .. code-block:: python

        TranscriptStore(self, "TranscriptStore", function_options=FunctionOptions(vpc=vpc))
    """

    vpc: ec2.IVpc | None = None
    vpc_subnets: ec2.SubnetSelection | None = None
    security_groups: Sequence[ec2.ISecurityGroup] | None = None
    environment_key: kms.IKey | None = None
    code_signing: lambda_.ICodeSigningConfig | None = None
    reserved_concurrency: Mapping[str, int] = field(default_factory=dict)
    memory: Size | None = None

    def __post_init__(self) -> None:
        problems = []
        for name in ("vpc_subnets", "security_groups"):
            if getattr(self, name) is not None and self.vpc is None:
                problems.append(f"{name}: is for a VPC; give vpc with it, or remove it")
        memory = self.memory
        if memory and not memory.is_unresolved() and memory.to_mebibytes() not in _MEMORY:
            problems.append(
                f"memory: {memory.to_mebibytes():g} MiB is not accepted; write Size.mebibytes(128) "
                "to Size.mebibytes(10240)"
            )
        problems += faults_of(
            {
                f"reserved_concurrency of {name}": Argument(value=number, rule=_RESERVED)
                for name, number in self.reserved_concurrency.items()
            }
        )
        raise_problems("FunctionOptions", problems)


DEFAULT_FUNCTION_OPTIONS = FunctionOptions()
