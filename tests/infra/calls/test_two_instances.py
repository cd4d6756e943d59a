"""Two Connect instances with one transcription stack: each may do what one alone may, no more."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from aws_cdk import Environment
from aws_cdk import aws_kms as kms

from connect_autotranscribe import KinesisVideoReadRole
from examples.constructs.transcription_control import Control
from examples.two_instances import SALES, SUPPORT, build
from tests.infra.conftest import (
    ACCOUNT,
    Assembly,
    Deployed,
    Json,
    allow,
    in_order,
    new_app,
    new_stack,
    synthesise,
)

EXPORT = "Transcription:ExportsOutputRefTranscriptionControl"
INSTANCES = {"Sales": SALES, "Support": SUPPORT}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """The example."""
    return synthesise(tmp_path_factory.mktemp("two"), build, with_nag=False)


def of_type(assembly: Assembly, stack: str, kind: str) -> list[Json]:
    resources = assembly.templates[f"{stack}.template.json"]["Resources"].values()
    return [each["Properties"] for each in resources if each["Type"] == kind]


# Start and stop


def test_two_instances_may_invoke_the_two_aliases_and_connect_may_invoke_nothing_else(
    two: Assembly,
) -> None:
    found = sorted(
        (each["FunctionName"]["Ref"][:-8], each["SourceArn"], each["SourceAccount"])
        for each in of_type(two, "Transcription", "AWS::Lambda::Permission")
        if each["Principal"] == "connect.amazonaws.com"
    )
    aliases = (f"TranscriptionControl{each}StreamingLive" for each in ("Start", "Stop"))
    assert found == sorted(
        (alias, instance, ACCOUNT) for alias in aliases for instance in (SALES, SUPPORT)
    )


@pytest.mark.parametrize("name", INSTANCES)
def test_each_instance_is_associated_with_the_same_two_aliases(two: Assembly, name: str) -> None:
    associated = of_type(two, f"{name}Flows", "AWS::Connect::IntegrationAssociation")
    assert [each["InstanceId"] for each in associated] == [INSTANCES[name]] * 2
    exports = [each["IntegrationArn"]["Fn::ImportValue"] for each in associated]
    for which, export in zip(("Start", "Stop"), exports, strict=True):
        assert export.startswith(f"{EXPORT}{which}StreamingLive")


def test_the_flows_of_one_differ_from_those_of_the_other_only_by_the_instance(
    two: Assembly,
) -> None:
    sales, support = (
        json.dumps(two.templates[f"{name}Flows.template.json"], sort_keys=True)
        for name in INSTANCES
    )
    ids = [arn.rpartition("/")[2] for arn in (SALES, SUPPORT)]
    assert sales != support
    assert sales.replace(ids[0], ids[1]).replace("SalesFlows", "SupportFlows") == support


def control(*instances: str) -> Control:
    """The start and stop functions in a stack, with these further instances."""
    env = Environment(account=ACCOUNT, region="eu-central-1")
    stack = Control(new_app(), "Stack", env=env)
    for each in instances:
        stack.control.grant_invoke_to_instance(each)
    return stack


def test_one_instance_more_adds_its_two_permissions_and_changes_nothing_else() -> None:
    alone, both = Deployed(control()).template, Deployed(control(SUPPORT)).template
    new = both["Resources"].keys() - alone["Resources"].keys()
    added = [both["Resources"].pop(id) for id in new]
    assert [(each["Type"], each["Properties"]["SourceArn"]) for each in added] == [
        ("AWS::Lambda::Permission", SUPPORT)
    ] * 2
    assert both == alone


@pytest.mark.parametrize("again", [SALES, SUPPORT])
def test_to_grant_an_instance_twice_is_to_grant_it_once(again: str) -> None:
    assert Deployed(control(SUPPORT, again)).template == Deployed(control(SUPPORT)).template


def test_what_is_no_instance_is_refused() -> None:
    message = 'Stack/TranscriptionControl: instance_arn: "27d5e6f4" is not accepted; '
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        control("27d5e6f4")


# What follows the calls


@pytest.mark.parametrize(
    ("stack", "name"), [("Transcription", "Sales"), ("SupportCalls", "Support")]
)
def test_the_events_of_each_instance_are_followed_by_functions_of_its_own(
    two: Assembly, stack: str, name: str
) -> None:
    (rule,) = of_type(two, stack, "AWS::Events::Rule")[:1]
    instance = [{"suffix": "/" + INSTANCES[name].rpartition("/")[2]}]
    fields, capitals = rule["EventPattern"]["detail"]["$or"]
    assert (fields["instanceArn"], capitals["InstanceArn"]) == (instance, instance)
    streams = [
        each["EventSourceArn"]
        for each in of_type(two, stack, "AWS::Lambda::EventSourceMapping")
        if ":kinesis:" in str(each["EventSourceArn"])
    ]
    assert streams == [f"arn:aws:kinesis:eu-central-1:{ACCOUNT}:stream/{name.lower()}-agent-events"]


def test_they_start_and_stop_with_the_same_table_credentials_and_switch(two: Assembly) -> None:
    """What an export names is what the other stack has; the rest is equal as it is."""
    exports = two.templates["Transcription.template.json"]["Outputs"].values()
    values = {each["Export"]["Name"]: each["Value"] for each in exports if "Export" in each}

    def environments(stack: str) -> list[Json]:
        functions = of_type(two, stack, "AWS::Lambda::Function")
        return [
            each["Environment"]["Variables"]
            for each in functions
            if str(each.get("Handler")).startswith("follow_")
        ]

    def resolved(variables: Json) -> Json:
        return {
            key: values[value["Fn::ImportValue"]]
            if isinstance(value, dict) and "Fn::ImportValue" in value
            else value
            for key, value in variables.items()
        }

    ours, theirs = environments("Transcription"), environments("SupportCalls")
    assert len(ours) == 2
    assert [resolved(each) for each in theirs] == ours


# The audio


def reads(names: str, sid: str = "ReadCallAudio") -> Json:
    actions = ["DescribeStream", "GetDataEndpoint", "GetMedia"]
    arn = f"arn:aws:kinesisvideo:eu-central-1:{ACCOUNT}:stream/{names}/*"
    return {"Sid": sid, **allow([f"kinesisvideo:{each}" for each in actions], arn)}


LISTS = {"Sid": "ListStreams", **allow("kinesisvideo:ListStreams", "*")}


def test_asapp_reads_the_audio_of_both_and_nothing_else(two: Assembly) -> None:
    (policy,) = of_type(two, "Access", "AWS::IAM::Policy")
    statements = [
        {**each, "Resource": json.dumps(each["Resource"])}
        for each in policy["PolicyDocument"]["Statement"]
    ]
    expected = [
        reads("sales-connect-acme-sales-contact-*"),
        LISTS,
        reads("support-connect-acme-support-contact-*", "ReadCallAudio2"),
    ]
    assert in_order(statements) == in_order(
        {**each, "Resource": json.dumps(each["Resource"])} for each in expected
    )


def test_the_audio_of_one_more_instance_is_decrypted_with_the_key_of_that_instance() -> None:
    stack = new_stack()
    access = KinesisVideoReadRole(
        stack,
        "Access",
        trusted_role_arns=["arn:aws:iam::999999999999:role/asapp"],
        stream_prefix="sales",
    )
    key = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/0a1b2c3d"
    access.grant_read_of_instance(
        stream_prefix="support", stream_key=kms.Key.from_key_arn(stack, "Key", key)
    )
    via: Any = {"Fn::Join": ["", ["kinesisvideo.eu-central-1.", {"Ref": "AWS::URLSuffix"}]]}
    decrypts = {
        "Sid": "DecryptCallAudio2",
        **allow("kms:Decrypt", key, StringEquals={"kms:ViaService": via}),
    }
    found = Deployed(stack).permissions(access.role)
    assert [each for each in found if "Decrypt" in each["Sid"]] == [decrypts]
    assert {each["Sid"] for each in found} == {
        "ReadCallAudio",
        "ReadCallAudio2",
        "ListStreams",
        "DecryptCallAudio2",
    }


def test_a_wrong_prefix_of_one_more_instance_is_refused() -> None:
    access = KinesisVideoReadRole(
        new_stack(),
        "Access",
        trusted_role_arns=["arn:aws:iam::999999999999:role/asapp"],
        stream_prefix="sales",
    )
    with pytest.raises(ValueError, match=r'^Stack/Access: stream_prefix: "\*" is not accepted'):
        access.grant_read_of_instance(stream_prefix="*")
