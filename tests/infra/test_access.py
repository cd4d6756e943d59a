"""ASAPP reads the call audio of one instance, and can do nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from aws_cdk import App, CfnParameter, Duration, Stack
from aws_cdk import aws_kms as kms
from hypothesis import given
from hypothesis import strategies as st
from iamprover.engine.solver import Counterexample, check_invariant
from iamprover.invariants import Invariant
from iamprover.model import Account, Principal
from iamprover.parsers.iam import parse_policy_document

from connect_autotranscribe.audio.kinesis_video_read_role import KinesisVideoReadRole
from connect_autotranscribe.audio.live_media_streaming import LiveMediaStreaming
from connect_autotranscribe.stacks.access import AccessStack
from connect_settings import Settings
from tests.infra.conftest import ACCOUNT, Deployed, Json, in_order, new_app, new_stack

REGIONS = {"aws": "eu-central-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
SUFFIXES = {"aws": "amazonaws.com", "aws-cn": "amazonaws.com.cn", "aws-us-gov": "amazonaws.com"}
INSTANCE = f"arn:aws:connect:eu-central-1:{ACCOUNT}:instance/9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa"
READS = ["kinesisvideo:DescribeStream", "kinesisvideo:GetDataEndpoint", "kinesisvideo:GetMedia"]

in_every_partition = pytest.mark.parametrize("partition", REGIONS)


def asapp(role: str = "asapp-prod-mg-amazonconnect-role", partition: str = "aws") -> str:
    return f"arn:{partition}:iam::999999999999:role/{role}"


def key_arn(partition: str = "aws") -> str:
    return f"arn:{partition}:kms:{REGIONS[partition]}:{ACCOUNT}:key/0a1b2c3d"


def streams(partition: str = "aws", prefix: str = "acme") -> str:
    return f"arn:{partition}:kinesisvideo:{REGIONS[partition]}:{ACCOUNT}:stream/{prefix}-*/*"


class Access(Deployed):
    """The role alone in a stack."""

    def __init__(self, partition: str = "aws", *, with_key: bool = False, **given: Any) -> None:
        stack = new_stack(REGIONS[partition])
        if with_key:
            given["stream_key"] = kms.Key.from_key_arn(stack, "Key", key_arn(partition))
        arguments = {"trusted_role_arns": [asapp(partition=partition)], "stream_prefix": "acme"}
        self.role = KinesisVideoReadRole(stack, "Access", **(arguments | given)).role
        super().__init__(stack)


@pytest.fixture(scope="module")
def without_key() -> Access:
    return Access()


@pytest.fixture(scope="module")
def with_key() -> Access:
    return Access(with_key=True)


# Whom the role trusts


def trust_in(principals: object, condition: Json | None = None) -> Json:
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"AWS": principals},
        **({"Condition": condition} if condition else {}),
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


@in_every_partition
def test_one_role_of_asapp_may_assume_it_and_nobody_else(partition: str) -> None:
    access = Access(partition)
    assert access.trust(access.role) == trust_in(asapp(partition=partition))


def test_several_roles_of_asapp_may_assume_it_and_nobody_else() -> None:
    access = Access(trusted_role_arns=[asapp("one"), asapp("two"), asapp("path/three")])
    assert access.trust(access.role) == trust_in([asapp("one"), asapp("path/three"), asapp("two")])


@pytest.mark.parametrize("roles", [["one"], ["one", "two"]])
def test_an_external_id_is_asked_of_every_role(roles: list[str]) -> None:
    arns = [asapp(role) for role in roles]
    access = Access(trusted_role_arns=arns, external_id="agreed-with-asapp")
    assert access.trust(access.role) == trust_in(
        arns[0] if len(arns) == 1 else arns,
        {"StringEquals": {"sts:ExternalId": "agreed-with-asapp"}},
    )


@pytest.mark.parametrize(
    ("given", "seconds"), [({}, 3600), ({"max_session_duration": Duration.hours(4)}, 14400)]
)
def test_a_session_lasts_an_hour_or_what_is_asked_for(given: Json, seconds: int) -> None:
    access = Access(**given)
    assert access.properties(access.role)["MaxSessionDuration"] == seconds


# What the role may do


def reading(partition: str) -> list[Json]:
    return [
        {
            "Sid": "ReadCallAudio",
            "Effect": "Allow",
            "Action": READS,
            "Resource": streams(partition),
        },
        {
            "Sid": "ListStreams",
            "Effect": "Allow",
            "Action": "kinesisvideo:ListStreams",
            "Resource": "*",
        },
    ]


@in_every_partition
def test_the_role_reads_our_streams_and_does_nothing_else(partition: str) -> None:
    access = Access(partition)
    assert access.permissions(access.role) == in_order(reading(partition))


@in_every_partition
def test_with_a_key_it_also_decrypts_for_kinesis_video_and_does_nothing_else(
    partition: str,
) -> None:
    access = Access(partition, with_key=True)
    endpoint = ["", [f"kinesisvideo.{REGIONS[partition]}.", {"Ref": "AWS::URLSuffix"}]]
    decrypting = {
        "Sid": "DecryptCallAudio",
        "Effect": "Allow",
        "Action": "kms:Decrypt",
        "Resource": key_arn(partition),
        "Condition": {"StringEquals": {"kms:ViaService": {"Fn::Join": endpoint}}},
    }
    assert access.permissions(access.role) == in_order([*reading(partition), decrypting])


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov"])
def test_no_arn_of_another_partition_is_in_the_template(partition: str) -> None:
    template = str(Access(partition, with_key=True, external_id="agreed").template)
    assert "arn:aws:" not in template
    assert f"arn:{partition}:" in template


def test_the_stack_holds_the_role_and_its_policy_and_no_other_resource(with_key: Access) -> None:
    types = [each["Type"] for each in with_key.template["Resources"].values()]
    assert sorted(types) == ["AWS::IAM::Policy", "AWS::IAM::Role"]


def test_what_is_known_only_at_deploy_passes_through() -> None:
    stack = new_stack(region=None)
    role, prefix, external_id = (
        CfnParameter(stack, name).value_as_string for name in ("Role", "Prefix", "ExternalId")
    )
    key = kms.Key.from_key_arn(stack, "Key", CfnParameter(stack, "KeyArn").value_as_string)
    construct = KinesisVideoReadRole(
        stack,
        "Access",
        trusted_role_arns=[role],
        stream_prefix=prefix,
        external_id=external_id,
        stream_key=key,
    )
    access = Deployed(stack)
    assert access.trust(construct.role) == trust_in(
        {"Ref": "Role"}, {"StringEquals": {"sts:ExternalId": {"Ref": "ExternalId"}}}
    )
    place = {
        "Ref Role": asapp(),
        "Ref Prefix": "acme",
        "Ref KeyArn": key_arn(),
        "Ref AWS::Partition": "aws",
        "Ref AWS::Region": REGIONS["aws"],
        "Ref AWS::AccountId": ACCOUNT,
        "Ref AWS::URLSuffix": "amazonaws.com",
    }
    known = Access(with_key=True)
    assert deployed(access.permissions(construct.role), place) == permissions(known)


# Proofs: what holds for every action and every resource that there is, not only for our examples


def deployed(value: Any, place: Mapping[str, str]) -> Any:
    """A template's value as CloudFormation would resolve it."""
    match value:
        case {"Fn::Join": [separator, parts]}:
            return separator.join(deployed(part, place) for part in parts)
        case {"Ref": name}:
            return place[f"Ref {name}"]
        case dict():
            return {key: deployed(each, place) for key, each in value.items()}
        case list():
            return [deployed(each, place) for each in value]
    return value


def permissions(access: Access, partition: str = "aws") -> list[Json]:
    place = {"Ref AWS::URLSuffix": SUFFIXES[partition]}
    resolved: list[Json] = deployed(access.permissions(access.role), place)
    return resolved


def counterexamples(
    statements: list[Json],
    *,
    actions: str | list[str] = "*",
    resources: str | list[str] = "*",
    where: Mapping[str, str] | None = None,
) -> list[Counterexample]:
    """The requests that a role with these statements may make; empty is a proof that it may not.

    :param where: The request's context; left out, any context.
    """
    policy = parse_policy_document("policy", {"Statement": statements})
    account = Account(principals=[Principal(arn=asapp("reader"), policies=[policy])])
    forbidden = Invariant(
        id="forbidden",
        description="",
        actions=[actions] if isinstance(actions, str) else actions,
        resources=[resources] if isinstance(resources, str) else resources,
        where=dict(where or {}),
    )
    found: list[Counterexample] = check_invariant(account, forbidden).counterexamples
    return found


def beyond(statements: list[Json], meant: list[Json]) -> list[Counterexample]:
    """What a role may do beyond what is meant: with that denied, it may do nothing at all."""
    return counterexamples([*statements, *({**each, "Effect": "Deny"} for each in meant)])


READ_OURS = {"Action": READS, "Resource": streams()}
LIST_ALL = {"Action": "kinesisvideo:ListStreams", "Resource": "*"}
DECRYPT_THEM = {
    "Action": "kms:Decrypt",
    "Resource": key_arn(),
    "Condition": {"StringEquals": {"kms:ViaService": "kinesisvideo.eu-central-1.amazonaws.com"}},
}


def test_proof_that_it_may_do_nothing_but_read_our_streams_and_list_them_all(
    without_key: Access, with_key: Access
) -> None:
    assert not beyond(permissions(without_key), [READ_OURS, LIST_ALL])
    assert not beyond(permissions(with_key), [READ_OURS, LIST_ALL, DECRYPT_THEM])


@pytest.mark.parametrize("left_out", [READ_OURS, LIST_ALL, DECRYPT_THEM])
def test_the_proof_needs_each_of_the_three(with_key: Access, left_out: Json) -> None:
    meant = [each for each in (READ_OURS, LIST_ALL, DECRYPT_THEM) if each is not left_out]
    assert beyond(permissions(with_key), meant)


@pytest.mark.parametrize(
    "more",
    [
        {"Action": "kinesisvideo:PutMedia", "Resource": streams()},
        {"Action": "kinesisvideo:Get*", "Resource": streams()},
        {"Action": "kinesisvideo:GetMedia", "Resource": streams().replace("acme-*", "acme*")},
        {"Action": "kinesisvideo:GetMedia", "Resource": streams().replace(ACCOUNT, "*")},
        {"Action": "kinesisvideo:DescribeStream", "Resource": streams("aws-us-gov")},
        {"Action": "kms:Decrypt", "Resource": key_arn()},
        {"Action": "kms:Encrypt", "Resource": key_arn()},
        {"NotAction": "iam:*", "Resource": "*"},
    ],
    ids=lambda more: " ".join(str(each) for each in more.values()),
)
def test_the_proof_fails_for_a_wider_policy(with_key: Access, more: Json) -> None:
    wider = [*permissions(with_key), {"Effect": "Allow", **more}]
    assert beyond(wider, [READ_OURS, LIST_ALL, DECRYPT_THEM])


def test_proof_that_no_stream_is_ever_written_made_changed_or_deleted(with_key: Access) -> None:
    verbs = ["Put", "Create", "Delete", "Update", "Tag", "Untag", "Start", "Send", "Connect"]
    writing = [f"kinesisvideo:{verb}*" for verb in verbs]
    assert not counterexamples(permissions(with_key), actions=writing)
    assert counterexamples(permissions(with_key), actions="kinesisvideo:GetMedia")


@pytest.mark.parametrize(
    "elsewhere",
    {
        "another account": streams().replace(ACCOUNT, "444455556666"),
        "another region": streams().replace("eu-central-1", "us-east-1"),
        "another partition": streams().replace("arn:aws:", "arn:aws-us-gov:"),
        "a prefix that begins alike": streams(prefix="acmecorp"),
        "a prefix that ends alike": streams(prefix="not-acme"),
        "a prefix in other letters": streams(prefix="ACME"),
        "the prefix alone": streams().replace("acme-*", "acme"),
        "no prefix": streams().replace("acme-*", "connect-contact-*"),
        "a signalling channel": streams().replace("stream/", "channel/"),
    }.items(),
    ids=lambda each: each[0],
)
def test_proof_that_no_stream_of_others_is_ever_read(
    with_key: Access, elsewhere: tuple[str, str]
) -> None:
    reading = "kinesisvideo:*"
    apart_from_listing = [*permissions(with_key), {"Effect": "Deny", **LIST_ALL}]
    assert not counterexamples(apart_from_listing, actions=reading, resources=elsewhere[1])
    assert counterexamples(apart_from_listing, actions=reading, resources=streams())


@pytest.mark.parametrize("alias", ["acme-dev", "dev", "acm", "acme2"])
def test_two_instances_with_one_prefix_stay_apart(alias: str) -> None:
    statements = permissions(Access(instance_alias="acme"))
    apart_from_listing = [*statements, {"Effect": "Deny", **LIST_ALL}]

    def readable(instance_alias: str, prefix: str = "acme") -> bool:
        theirs = streams(prefix=f"{prefix}-connect-{instance_alias}-contact")
        found = counterexamples(
            apart_from_listing, actions="kinesisvideo:*", resources=theirs.replace("*/*", "c1/1")
        )
        return bool(found)

    assert readable("acme")
    assert not readable(alias)
    assert not readable("acme", prefix="acme-dev")


@pytest.mark.parametrize("alias", ["", "*", "acme*", "${aws:username}"])
def test_an_alias_that_would_match_other_streams_is_refused(alias: str) -> None:
    with pytest.raises(ValueError, match=r'instance_alias: ".*" is not accepted; write '):
        Access(instance_alias=alias)


def test_proof_that_keys_are_used_through_kinesis_video_or_not_at_all(
    without_key: Access, with_key: Access
) -> None:
    assert not counterexamples(permissions(without_key), actions="kms:*")
    for service in ("s3", "secretsmanager", "dynamodb"):
        where = {"kms:ViaService": f"{service}.eu-central-1.amazonaws.com"}
        assert not counterexamples(permissions(with_key), actions="kms:*", where=where)
    where = {"kms:ViaService": "kinesisvideo.eu-central-1.amazonaws.com"}
    assert counterexamples(permissions(with_key), actions="kms:*", where=where)
    other_key = key_arn().replace("0a1b2c3d", "another")
    assert not counterexamples(permissions(with_key), actions="kms:*", resources=other_key)


ARNS = st.builds(
    "arn:{}:{}:{}:{}:{}/{}/{}".format,
    st.sampled_from(["aws", "aws-cn"]),
    st.sampled_from(["kinesisvideo", "kinesis"]),
    st.sampled_from(["eu-central-1", "eu-central-2", ""]),
    st.sampled_from([ACCOUNT, "444455556666", ""]),
    st.sampled_from(["stream", "channel"]),
    st.builds(
        "{}{}".format,
        st.sampled_from(["acme-", "acme", "acm", "acmecorp-", "Acme-", "x-acme-", ""]),
        st.text("acme-_.connect0123456789", max_size=12),
    ),
    st.text("0123456789", max_size=4),
)


@given(arn=ARNS)
def test_it_reads_exactly_the_streams_of_our_account_region_and_prefix(
    without_key: Access, arn: str
) -> None:
    """The same by another way: neither the solver nor its idea of IAM's wildcards is trusted."""
    readable = any(
        re.fullmatch(".*".join(map(re.escape, statement["Resource"].split("*"))), arn)
        for statement in permissions(without_key)
        if "kinesisvideo:GetMedia" in statement["Action"]
    )
    head, name, _created = arn.split("/")
    ours = f"arn:aws:kinesisvideo:eu-central-1:{ACCOUNT}:stream"
    assert readable == (head == ours and name.startswith("acme-"))


# What is refused


@pytest.mark.parametrize(
    "role",
    [
        "arn:aws:iam::999999999999:root",
        "arn:aws:iam::999999999999:role/*",
        "arn:aws:sts::999999999999:assumed-role/asapp/session",
        "999999999999",
        "*",
    ],
)
def test_only_the_arn_of_one_role_is_trusted(role: str) -> None:
    with pytest.raises(ValueError, match=r"^Stack/Access: trusted_role_arns: .* is not accepted"):
        Access(trusted_role_arns=[asapp(), role])


@pytest.mark.parametrize("prefix", ["", "*", "acme*", "acm?", "${aws:username}", "acme/", "a b"])
def test_a_prefix_that_would_widen_the_policy_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match=r'stream_prefix: ".*" is not accepted; write '):
        Access(stream_prefix=prefix)


def test_every_problem_is_in_one_error() -> None:
    with pytest.raises(ValueError, match="Stack/Access") as error:
        Access(trusted_role_arns=["one", "two"], stream_prefix="*", external_id="")
    assert [line.split("; write ")[0] for line in str(error.value).split("\n")] == [
        'Stack/Access: trusted_role_arns: "one", "two" is not accepted',
        'Stack/Access: external_id: "" is not accepted',
        'Stack/Access: stream_prefix: "*" is not accepted',
    ]


def test_a_role_that_nobody_may_assume_is_refused() -> None:
    with pytest.raises(ValueError, match=r"trusted_role_arns: .* write an array of 1 or more"):
        Access(trusted_role_arns=[])


# Where the audio is


def test_adopting_a_setting_that_is_there_creates_nothing() -> None:
    stack = Stack(App(), "Stack")  # without cdk.json's check that a stack holds something
    key = kms.Key.from_key_arn(stack, "Key", key_arn())
    media = LiveMediaStreaming(
        stack,
        "Media",
        mode="adopt",
        stream_prefix="acme",
        instance_arn=INSTANCE,
        stream_key=key,
    )
    assert (media.stream_prefix, media.stream_key) == ("acme", key)
    assert "Resources" not in Deployed(stack).template


@pytest.mark.parametrize("key", [None, key_arn()])
def test_managing_it_creates_one_setting_that_outlives_its_stack(key: str | None) -> None:
    stack = new_stack()
    LiveMediaStreaming(
        stack,
        "Media",
        mode="manage",
        stream_prefix="acme",
        instance_arn=INSTANCE,
        audio_retention=Duration.hours(24),
        stream_key=kms.Key.from_key_arn(stack, "Key", key) if key else None,
    )
    (setting,) = Deployed(stack).template["Resources"].values()
    assert setting == {
        "Type": "AWS::Connect::InstanceStorageConfig",
        "DeletionPolicy": "RetainExceptOnCreate",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "InstanceArn": INSTANCE,
            "ResourceType": "MEDIA_STREAMS",
            "StorageType": "KINESIS_VIDEO_STREAM",
            "KinesisVideoStreamConfig": {
                "Prefix": "acme",
                "RetentionPeriodHours": 24,
                "EncryptionConfig": {
                    "EncryptionType": "KMS",
                    "KeyId": key or "alias/aws/kinesisvideo",
                },
            },
        },
    }


DAY = Duration.hours(24)
HOURS = "write 1 to 87600 hours, like 24; 0 would keep audio for 5 minutes only"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"mode": "adopt", "audio_retention": DAY},
            'audio_retention: cannot be set in mode "adopt"; remove it, or write mode = "manage"',
        ),
        (
            {"mode": "manage", "audio_retention": DAY},
            'instance_arn: is missing for mode "manage"; write the ARN',
        ),
        (
            {"mode": "manage", "instance_arn": INSTANCE},
            f'audio_retention: is missing for mode "manage"; {HOURS}',
        ),
        (
            {"mode": "manage", "instance_arn": INSTANCE, "audio_retention": Duration.hours(0)},
            f"audio_retention: 0 hours is not accepted; {HOURS}",
        ),
    ],
)
def test_arguments_that_do_not_fit_the_mode_are_refused(given: Json, message: str) -> None:
    with pytest.raises(ValueError, match=f"^Stack/Media: {re.escape(message)}$"):
        LiveMediaStreaming(new_stack(), "Media", stream_prefix="acme", **given)


# Both in the stack


@pytest.mark.parametrize("mode", ["adopt", "manage"])
def test_the_stack_gives_the_role_the_prefix_and_the_key_of_the_audio(mode: str) -> None:
    media: Json = {"mode": mode, "prefix": "acme", "key_arn": key_arn()}
    if mode == "manage":
        media["retention_hours"] = 24
    settings = Settings.from_mapping(
        {
            "account": ACCOUNT,
            "region": "eu-central-1",
            "connect": {"instance_arn": INSTANCE, "instance_alias": "acme"},
            "media_streaming": media,
            "lifecycle": {"mode": "off"},
            "asapp": {
                "api_host": "https://api.asapp.com",
                "trusted_role_arns": [asapp("one"), asapp("two")],
                "external_id": "agreed-with-asapp",
                "credentials_secret_name": "connect-autotranscribe/asapp",
            },
        }
    )
    env = {"account": ACCOUNT, "region": "eu-central-1"}
    stack = AccessStack(new_app(), "Stack", settings=settings, env=env)
    access, role = Deployed(stack), stack.kinesis_video_read_role.role
    assert access.trust(role) == trust_in(
        [asapp("one"), asapp("two")], {"StringEquals": {"sts:ExternalId": "agreed-with-asapp"}}
    )
    place = {"Ref AWS::URLSuffix": "amazonaws.com"}
    alone = Access(with_key=True, instance_alias="acme")
    assert deployed(access.permissions(role), place) == permissions(alone)
    (read, *_) = [each for each in permissions(alone) if each["Sid"] == "ReadCallAudio"]
    assert read["Resource"] == streams(prefix="acme-connect-acme-contact")
    types = sorted(each["Type"] for each in access.template["Resources"].values())
    managed = ["AWS::Connect::InstanceStorageConfig"] if mode == "manage" else []
    assert types == [*managed, "AWS::IAM::Policy", "AWS::IAM::Role"]
    (output,) = access.template["Outputs"].values()
    assert output["Value"] == access.value(role.role_arn)
    assert "ASAPP" in output["Description"]
