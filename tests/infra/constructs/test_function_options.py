"""Network, key, code signing, reserved concurrency and memory of the functions."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, CfnWaitConditionHandle, Environment, Size, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_

import connect_autotranscribe
from connect_autotranscribe import FunctionOptions, TranscriptionStack
from connect_settings import Settings
from tests.infra.conftest import ACCOUNT, Deployed, Json, allow, new_app, synthesise

REGION = "eu-central-1"
ENV = Environment(account=ACCOUNT, region=REGION)
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/12345678-1234-1234-1234-123456789012"
SIGNING = f"arn:aws:lambda:{REGION}:{ACCOUNT}:code-signing-config:csc-0123456789abcdef0"
SUBNETS = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
GROUP = "sg-0123456789abcdef0"
RESERVED = {"StartStreaming": 50, "StopStreaming": 20, "AuthorizeWebhook": 10}
EVERYTHING: Json = {
    "account": ACCOUNT,
    "region": REGION,
    "connect": {
        "instance_arn": f"arn:aws:connect:{REGION}:{ACCOUNT}:instance/"
        "9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa",
        "instance_alias": "acme",
    },
    "media_streaming": {"mode": "adopt", "prefix": "acme"},
    "asapp": {
        "api_host": "https://api.asapp.com",
        "trusted_role_arns": ["arn:aws:iam::999999999999:role/asapp"],
        "credentials_secret_name": "acme/asapp",
    },
    "lifecycle": {"mode": "manage"},
    "export": {"mode": "on"},
}
NETWORK_INTERFACES = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
]
FOR_LAMBDA = allow(NETWORK_INTERFACES, "*") | {"Sid": "NetworkInterfaces"}


def put(app: App, **own: Any) -> TranscriptionStack:
    """Every function of this package in a team's VPC, with everything else that can be given.

    :param own: Options that are not as usual.
    """
    given = Stack(app, "Given", env=ENV)
    CfnWaitConditionHandle(given, "NotEmpty")
    vpc = ec2.Vpc.from_vpc_attributes(
        given,
        "Vpc",
        vpc_id="vpc-0123456789abcdef0",
        availability_zones=["eu-central-1a", "eu-central-1b"],
        private_subnet_ids=SUBNETS,
        private_subnet_route_table_ids=["rtb-0123456789abcdef0"] * 2,
    )
    usual: dict[str, Any] = {
        "vpc": vpc,
        "vpc_subnets": ec2.SubnetSelection(subnets=vpc.private_subnets),
        "security_groups": [ec2.SecurityGroup.from_security_group_id(given, "Group", GROUP)],
        "environment_key": kms.Key.from_key_arn(given, "Key", KEY),
        "code_signing": lambda_.CodeSigningConfig.from_code_signing_config_arn(
            given, "Signing", SIGNING
        ),
        "reserved_concurrency": RESERVED,
        "memory": Size.mebibytes(1024),
    }
    return TranscriptionStack(
        app,
        "Stack",
        settings=Settings.from_mapping(EVERYTHING),
        function_options=FunctionOptions(**usual | own),
        env=ENV,
    )


@pytest.fixture(scope="module")
def deployed() -> Deployed:
    return Deployed(put(new_app()))


def functions(deployed: Deployed) -> dict[str, Json]:
    """The properties of each function, by what it is called in ``functions``."""
    return {
        each["Properties"]["Handler"].split(".")[0].title().replace("_", ""): each["Properties"]
        for each in deployed.all("AWS::Lambda::Function")
    }


def test_each_option_reaches_every_function(deployed: Deployed) -> None:
    found = functions(deployed)
    assert len(found) == 12
    for properties in found.values():
        assert properties["VpcConfig"] == {"SecurityGroupIds": [GROUP], "SubnetIds": SUBNETS}
        assert properties["KmsKeyArn"] == KEY
        assert properties["CodeSigningConfigArn"] == SIGNING
        assert properties["MemorySize"] == 1024
    reserved = {name: each.get("ReservedConcurrentExecutions") for name, each in found.items()}
    assert {name: number for name, number in reserved.items() if number} == RESERVED


def test_only_lambda_itself_touches_the_network_interfaces(deployed: Deployed) -> None:
    """Lambda assumes the function's role to make them. The code of the function has the same role,
    and could delete any interface of the account."""
    ids = [
        id
        for id, each in deployed.template["Resources"].items()
        if each["Type"] == "AWS::Lambda::Function"
    ]
    statements: dict[str, list[Json]] = {id: [] for id in ids}
    role_of = {
        id: deployed.template["Resources"][id]["Properties"]["Role"]["Fn::GetAtt"][0] for id in ids
    }
    for policy in deployed.all("AWS::IAM::Policy"):
        for id in ids:
            if {"Ref": role_of[id]} in policy["Properties"]["Roles"]:
                statements[id] += policy["Properties"]["PolicyDocument"]["Statement"]
    for id, each in statements.items():
        deny = allow(
            NETWORK_INTERFACES,
            "*",
            ArnEquals={"lambda:SourceFunctionArn": {"Fn::GetAtt": [id, "Arn"]}},
        )
        of_vpc = [one for one in each if "ec2:" in str(one["Action"])]
        assert of_vpc == [FOR_LAMBDA, deny | {"Effect": "Deny"}]


def test_a_function_is_made_after_the_permission_for_its_network_interfaces(
    deployed: Deployed,
) -> None:
    """Lambda refuses a function in a VPC whose role has no such permission yet."""
    resources = deployed.template["Resources"]
    allowing = {
        id: each["Properties"]["Roles"]
        for id, each in resources.items()
        if each["Type"] == "AWS::IAM::Policy"
        and FOR_LAMBDA in each["Properties"]["PolicyDocument"]["Statement"]
    }
    for function in deployed.all("AWS::Lambda::Function"):
        role = {"Ref": function["Properties"]["Role"]["Fn::GetAtt"][0]}
        (policy,) = [id for id, roles in allowing.items() if role in roles]
        assert policy in function["DependsOn"]


@pytest.mark.parametrize("own", [{}, {"security_groups": None, "vpc_subnets": None}])
def test_nag_finds_nothing_in_a_vpc(own: Json, tmp_path: Path) -> None:
    assembly = synthesise(tmp_path, lambda app: put(app, **own))
    assert assembly.findings == []


def test_without_options_a_function_is_as_it_was() -> None:
    settings = Settings.from_mapping(EVERYTHING)
    made = Deployed(TranscriptionStack(new_app(), "Stack", settings=settings, env=ENV))
    options = {"VpcConfig", "KmsKeyArn", "CodeSigningConfigArn", "ReservedConcurrentExecutions"}
    for properties in functions(made).values():
        assert options & properties.keys() == set()
        assert properties["MemorySize"] == 512


def test_whoever_has_functions_takes_the_options() -> None:
    """A construct with ``functions`` and without this argument would be outside the VPC."""
    having = [
        each
        for name in connect_autotranscribe.__all__
        if (each := getattr(connect_autotranscribe, name)) is not connect_autotranscribe.Monitored
        and "functions" in getattr(each, "__annotations__", {})
    ]
    assert len(having) == 10
    for each in having:
        assert "function_options" in signature(each.__init__).parameters, each


def test_options_that_reach_nothing_or_cannot_be_are_refused_together() -> None:
    with pytest.raises(ValueError, match=r"^FunctionOptions: ") as raised:
        FunctionOptions(
            vpc_subnets=ec2.SubnetSelection(),
            security_groups=[],
            memory=Size.mebibytes(64),
            reserved_concurrency={"StartStreaming": 0},
        )
    assert str(raised.value).split("\n") == [
        f"FunctionOptions: {problem}"
        for problem in (
            "vpc_subnets: is for a VPC; give vpc with it, or remove it",
            "security_groups: is for a VPC; give vpc with it, or remove it",
            "memory: 64 MiB is not accepted; write Size.mebibytes(128) to Size.mebibytes(10240)",
            "reserved_concurrency of StartStreaming: 0 is not accepted; write 1 or more, like 50",
        )
    ]
