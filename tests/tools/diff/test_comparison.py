"""What counts as a change, what it costs, and how it reads: on templates written by hand."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from connect_flows.lock import FlowsLock, Pair, Side
from tools.diff.changes.page import put_placeholder
from tools.diff.markdown import LONGEST, RESERVED, Report
from tools.diff.report import exit_code
from tools.diff.revisions import Failure, Repository

from .conftest import Compare, Json, commit, git, stack

ROLE: Json = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": "arn:aws:iam::999999999999:role/asapp"},
                    "Action": "sts:AssumeRole",
                }
            ]
        }
    },
}
GONE = "Nothing brings that back, unless you copy it before the deployment."
KEPT = (
    "Nothing in the stack uses it any more: bring it back with `cdk import`, or copy what it holds "
    "into the new one."
)
TABLE: Json = {"Type": "AWS::DynamoDB::Table", "Properties": {"BillingMode": "PAY_PER_REQUEST"}}


def changed(resource: Json, **properties: object) -> Json:
    return resource | {"Properties": resource.get("Properties", {}) | properties}


def policy(*statements: Json, **more: object) -> Json:
    document = {"Statement": [{"Effect": "Allow", **each} for each in statements]}
    roles = [{"Ref": "Role"}]
    return {
        "Type": "AWS::IAM::Policy",
        "Properties": {"PolicyDocument": document, "Roles": roles, **more},
    }


def first(report: Report) -> list[str]:
    """What is to be looked at first."""
    _, _, rest = report.markdown().partition("### ⚠️ Look here first\n\n")
    return [line for line in rest.partition("\n\n")[0].splitlines() if line]


def permissions(report: Report) -> list[str]:
    return [line for line in report.markdown().splitlines() if line.startswith("| **")]


@pytest.mark.parametrize(
    ("policies", "becomes"),
    [
        ({}, f"**is deleted** with its items. {GONE}"),
        (
            {"UpdateReplacePolicy": "Retain"},
            f"stays in the account, outside the stack, with its items. {KEPT}",
        ),
        ({"DeletionPolicy": "Retain"}, f"**is deleted** with its items. {GONE}"),
    ],
)
def test_what_becomes_of_replaced_data_is_said_by_its_own_policy(
    compare: Compare, policies: Json, becomes: str
) -> None:
    table = TABLE | policies
    report = compare({"a": stack(Table=table)}, {"a": stack(Table=changed(table, TableName="t"))})
    assert first(report) == [
        "- `Table` (`DynamoDB::Table`) is **replaced**: `TableName` cannot change in place. "
        f"The old one {becomes} — `a`: `dev`"
    ]
    assert exit_code(report, "replacement") == 1


@pytest.mark.parametrize(
    ("policies", "becomes"),
    [
        ({}, f"**is deleted** with its items. {GONE}"),
        ({"UpdateReplacePolicy": "Retain"}, f"**is deleted** with its items. {GONE}"),
        (
            {"DeletionPolicy": "Retain"},
            f"stays in the account, outside the stack, with its items. {KEPT}",
        ),
    ],
)
def test_what_becomes_of_removed_data_is_said_by_its_own_policy(
    compare: Compare, policies: Json, becomes: str
) -> None:
    report = compare({"a": stack(Table=TABLE | policies, Role=ROLE)}, {"a": stack(Role=ROLE)})
    assert first(report) == [
        f"- `Table` (`DynamoDB::Table`) is **removed**. It {becomes} — `a`: `dev`"
    ]
    assert exit_code(report, "replacement") == 1


def test_where_revisions_disagree_on_keeping_data_the_worse_is_assumed(compare: Compare) -> None:
    after = changed(TABLE, TableName="t") | {"UpdateReplacePolicy": "Retain"}
    assert (
        "**is deleted**" in first(compare({"a": stack(Table=TABLE)}, {"a": stack(Table=after)}))[0]
    )


def test_data_that_is_no_longer_kept_is_said_before_it_is_lost(compare: Compare) -> None:
    before = stack(Table=TABLE | {"DeletionPolicy": "Retain"})
    said = first(compare({"a": before}, {"a": stack(Table=TABLE | {"DeletionPolicy": "Delete"})}))
    assert said == [
        "- `Table` (`DynamoDB::Table`) is **no longer kept**: its items would go with it, or with "
        "its stack. — `a`: `dev`"
    ]


def test_who_names_what_is_replaced_where_it_cannot_change_is_replaced_too(
    compare: Compare,
) -> None:
    def resources(name: str) -> Json:
        source = {"Fn::GetAtt": ["Queue", "Arn"]}
        return stack(
            Queue={"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name}},
            Mapping={
                "Type": "AWS::Lambda::EventSourceMapping",
                "Properties": {"EventSourceArn": source, "FunctionName": "f"},
            },
            Alarm={
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": {"AlarmDescription": {"Fn::GetAtt": ["Queue", "QueueName"]}},
            },
        )

    text = compare({"a": resources("one")}, {"a": resources("two")}).markdown()
    assert (
        "- **replaced**: `Mapping` (`Lambda::EventSourceMapping`) (`EventSourceArn` cannot change "
        "in place, and names what is replaced)"
    ) in text
    assert "2 other resources name it and follow." in text
    assert "`Alarm`" not in text, "it only follows"


@pytest.mark.parametrize(
    ("queue", "said"),
    [
        ("one", "is perhaps **replaced**: `KeySchema` cannot always change in place."),
        ("two", "is **replaced**: `TableName` cannot change in place, and names what is replaced."),
    ],
)
def test_a_sure_replacement_is_not_called_perhaps_for_a_reason_that_was_seen_first(
    compare: Compare, queue: str, said: str
) -> None:
    def resources(key: str, queue: str) -> Json:
        name = {"Fn::GetAtt": ["Queue", "QueueName"]}
        keys = [{"AttributeName": key, "KeyType": "HASH"}]
        return stack(
            Table=changed(TABLE, TableName=name, KeySchema=keys),
            Queue={"Type": "AWS::SQS::Queue", "Properties": {"QueueName": queue}},
        )

    report = compare({"a": resources("id", "one")}, {"a": resources("name", queue)})
    (table,) = (line for line in first(report) if line.startswith("- `Table`"))
    assert said in table


def test_the_end_of_a_partners_access_is_said_first(compare: Compare) -> None:
    output = {"Description": "Give it to ASAPP", "Value": {"Fn::GetAtt": ["Role", "Arn"]}}
    before = stack(Role=ROLE) | {"Outputs": {"RoleArn": output}}
    after = stack(Role=changed(ROLE, RoleName="reader")) | {"Outputs": {"RoleArn": output}}
    assert first(compare({"a": before}, {"a": after})) == [
        "- `Role` (`IAM::Role`) is **replaced**: `RoleName` cannot change in place. Access ends "
        "for `arn:aws:iam::999999999999:role/asapp`, until the new ARN is given out. The output "
        "`RoleArn` changes (`Give it to ASAPP`). — `a`: `dev`"
    ]


def test_a_renamed_construct_is_one_replacement_and_not_an_addition(compare: Compare) -> None:
    def resources(construct: str, hash: str) -> Json:
        queue = {
            "Type": "AWS::SQS::Queue",
            "Properties": {"Tags": [{"Key": "made-as", "Value": f"app-{construct}{hash}"}]},
            "Metadata": {"aws:cdk:path": f"app-dev-a/{construct}/Queue/Resource"},
        }
        reads = policy({"Action": "sqs:ReceiveMessage", "Resource": {"Ref": f"{construct}{hash}"}})
        return stack(**{f"{construct}{hash}": queue, "Policy": reads, "Role": ROLE})

    report = compare({"a": resources("Inbox", "0A1B2C3D")}, {"a": resources("Input", "4E5F6071")})
    assert len(first(report)) == 1
    assert "`Inbox/Queue` (`SQS::Queue`) becomes `Input/Queue`" in first(report)[0]
    assert permissions(report) == [], "the policy names the same queue"
    assert "added" not in report.markdown()
    assert "0A1B2C3D" not in report.markdown()


def test_versions_and_deployments_are_recreated_and_no_gate_closes(compare: Compare) -> None:
    def resources(hash: str) -> Json:
        return stack(
            **{
                f"Version{hash}": {
                    "Type": "AWS::Lambda::Version",
                    "Properties": {"FunctionName": "f"},
                    "Metadata": {"aws:cdk:path": "app-dev-a/F/CurrentVersion/Resource"},
                }
            }
        )

    report = compare({"a": resources("aa11")}, {"a": resources("bb22")})
    assert "recreated, as after every change: `F/CurrentVersion`" in report.markdown()
    assert (exit_code(report, "change"), exit_code(report, "replacement")) == (1, 0)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"Action": "s3:Get*"}, {"Action": "s3:GetObject"}, ", narrower than before"),
        ({"Action": "s3:GetObject"}, {"Action": "s3:Get*"}, ", wider than before"),
        ({"Action": "s3:GetObject"}, {"Action": "s3:PutObject"}, ""),
        (
            {"Action": "s3:GetObject", "Condition": {"Bool": {"aws:SecureTransport": "true"}}},
            {"Action": "s3:GetObject"},
            ", wider than before",
        ),
    ],
)
def test_a_permission_that_another_covers_says_so(
    compare: Compare, before: Json, after: Json, said: str
) -> None:
    on = {"Resource": "arn:aws:s3:::bucket/*"}
    report = compare(
        {"a": stack(Role=ROLE, Policy=policy(before | on))},
        {"a": stack(Role=ROLE, Policy=policy(after | on))},
    )
    added, removed = permissions(report)
    assert added.startswith(f"| **added**{said} | `Role` | `{after['Action']}` |")
    assert removed.startswith("| **removed** | `Role` |")


def test_a_policy_worded_otherwise_has_no_rows_and_is_a_change(compare: Compare) -> None:
    one = {"Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}
    two = [{"Action": action, "Resource": "*"} for action in reversed(one["Action"])]
    report = compare(
        {"a": stack(Role=ROLE, Policy=policy(one))}, {"a": stack(Role=ROLE, Policy=policy(*two))}
    )
    assert permissions(report) == []
    assert "worded otherwise, to the same effect: `Policy` (`IAM::Policy`)" in report.markdown()
    assert exit_code(report, "change") == 1


@pytest.mark.parametrize(
    ("resource", "row"),
    [
        (
            {
                "Type": "AWS::SQS::QueuePolicy",
                "Properties": {
                    "Queues": ["q"],
                    "PolicyDocument": {
                        "Statement": {
                            "Effect": "Deny",
                            "Principal": "*",
                            "NotAction": "sqs:SendMessage",
                            "Resource": "arn:aws:sqs:eu-central-1:111122223333:q",
                            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                        }
                    },
                },
            },
            "| **added** | `anybody` | **not** `everything but sqs:SendMessage` | "
            "`arn:aws:sqs:${region}:${account}:q` | `Bool aws:SecureTransport = false` |",
        ),
        (
            {
                "Type": "AWS::Lambda::Permission",
                "Properties": {
                    "Action": "lambda:InvokeFunction",
                    "FunctionName": "f",
                    "Principal": "connect.amazonaws.com",
                    "SourceAccount": "111122223333",
                },
            },
            "| **added** | `connect.amazonaws.com` | `lambda:InvokeFunction` | `f` | "
            "`SourceAccount = ${account}` |",
        ),
        (
            {
                "Type": "AWS::ApiGateway::Method",
                "Properties": {"HttpMethod": "POST", "AuthorizationType": "NONE"},
            },
            "| **added** | `anybody` | `POST` | `It` |  |",
        ),
        (
            {
                "Type": "AWS::KMS::Key",
                "Properties": {
                    "KeyPolicy": {
                        "Statement": [
                            {
                                "Effect": "Allow",
                                "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
                                "Action": "kms:*",
                                "Resource": "*",
                            }
                        ]
                    }
                },
            },
            "| **added** | `arn:aws:iam::${account}:root` | `kms:*` | `It` |  |",
        ),
        (
            {
                "Type": "AWS::Logs::ResourcePolicy",
                "Properties": {
                    "PolicyName": "p",
                    "PolicyDocument": json.dumps(
                        {
                            "Statement": [
                                {
                                    "Effect": "Allow",
                                    "Principal": {"Service": "es.amazonaws.com"},
                                    "Action": "logs:PutLogEvents",
                                    "Resource": "*",
                                }
                            ]
                        }
                    ),
                },
            },
            "| **added** | `es.amazonaws.com` | `logs:PutLogEvents` | `It` |  |",
        ),
        (
            {
                "Type": "AWS::Connect::IntegrationAssociation",
                "Properties": {
                    "InstanceId": "i",
                    "IntegrationType": "LAMBDA_FUNCTION",
                    "IntegrationArn": "f",
                },
            },
            "| **added** | `i` | `use as LAMBDA_FUNCTION` | `f` |  |",
        ),
    ],
    ids=lambda value: value["Type"] if isinstance(value, dict) else "",
)
def test_whatever_lets_somebody_in_is_a_row(compare: Compare, resource: Json, row: str) -> None:
    assert permissions(compare({"a": stack(Role=ROLE)}, {"a": stack(Role=ROLE, It=resource)})) == [
        row
    ]


def test_whom_another_account_lets_in_is_said_first(compare: Compare) -> None:
    trust = json.loads(json.dumps(ROLE).replace("999999999999", "888888888888"))
    said = first(compare({"a": stack(Role=ROLE)}, {"a": stack(Role=trust)}))
    assert said == [
        "- `arn:aws:iam::888888888888:role/asapp` **may now** `sts:AssumeRole` on `Role`. "
        "— `a`: `dev`"
    ]


def trusting(*, key: str = "Principal", effect: str = "Allow", **principal: object) -> Json:
    statement = {"Effect": effect, key: principal, "Action": "sts:AssumeRole"}
    document = {"AssumeRolePolicyDocument": {"Statement": [statement]}}
    return {"Type": "AWS::IAM::Role", "Properties": document}


@pytest.mark.parametrize(
    ("role", "who"),
    [
        (trusting(AWS="arn:aws:sts::888888888888:assumed-role/r/s"), "arn:aws:sts::888888888888:"),
        (trusting(AWS="arn:aws:iam::111122223333:root"), "arn:aws:iam::${account}:root"),
        (trusting(AWS="888888888888"), "888888888888"),
        (trusting(AWS="AROAEXAMPLEID"), "AROAEXAMPLEID"),
        (trusting(AWS="*"), "anybody"),
        (trusting(AWS={"Ref": "AWS::AccountId"}), "AWS::AccountId"),
        (trusting(AWS="Ours"), "Ours"),
        (trusting(Federated="cognito-identity.amazonaws.com"), "federated cognito-identity.amaz"),
        (trusting(Federated="accounts.google.com"), "federated accounts.google.com"),
        (trusting(CanonicalUser="79a59df900b949e5"), "canonical user 79a59df900b949e5"),
        (trusting(Service="evil.example"), "evil.example"),
        (trusting(key="NotPrincipal", Service="lambda.amazonaws.com"), "anybody but lambda.amaz"),
        (trusting(key="NotPrincipal", AWS="arn:aws:iam::111122223333:root"), "anybody but arn:aws"),
    ],
)
def test_whoever_is_neither_a_service_nor_made_by_the_stacks_is_said_first(
    compare: Compare, role: Json, who: str
) -> None:
    said = first(compare({"a": stack(Ours=ROLE)}, {"a": stack(Ours=ROLE, Role=role)}))
    assert len(said) == 1, said
    assert said[0].startswith(f"- `{who}")
    assert said[0].endswith("` **may now** `sts:AssumeRole` on `Role`. — `a`: `dev`")


@pytest.mark.parametrize(
    "role",
    [
        trusting(Service="lambda.amazonaws.com"),
        trusting(Service="connect.amazonaws.com.cn"),
        trusting(AWS={"Fn::GetAtt": ["Ours", "Arn"]}),
        trusting(effect="Deny", AWS="arn:aws:iam::888888888888:root"),
    ],
)
def test_services_our_roles_and_prohibitions_are_in_the_table_only(
    compare: Compare, role: Json
) -> None:
    report = compare({"a": stack(Ours=ROLE)}, {"a": stack(Ours=ROLE, Role=role)})
    assert first(report) == []
    assert len(permissions(report)) == 1


def denying(**more: object) -> Json:
    denied = {"Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage", **more}
    properties = {"Queues": ["q"], "PolicyDocument": {"Statement": [denied]}}
    return {"Type": "AWS::SQS::QueuePolicy", "Properties": properties}


@pytest.mark.parametrize(
    ("after", "is_said"),
    [
        ({}, True),
        ({"It": denying(Action="sqs:*")}, False),
        ({"It": denying(Condition={"Bool": {"aws:SecureTransport": "false"}})}, True),
        ({"It": denying(Principal={"AWS": "arn:aws:iam::888888888888:root"})}, True),
    ],
)
def test_what_is_no_longer_forbidden_is_said_first(
    compare: Compare, after: Json, is_said: bool
) -> None:
    report = compare({"a": stack(Role=ROLE, It=denying())}, {"a": stack(Role=ROLE, **after)})
    said = "- `anybody` **is no longer forbidden to** `sqs:SendMessage` on `It`. — `a`: `dev`"
    assert first(report) == [said] * is_said


@pytest.mark.parametrize("authorization", [{}, {"AuthorizationType": "AWS_IAM"}])
def test_an_api_that_asks_our_authorizer_no_longer_is_said_first(
    compare: Compare, authorization: Json
) -> None:
    def api(**properties: object) -> Json:
        method = {"HttpMethod": "POST", **properties}
        return stack(
            Method={"Type": "AWS::ApiGateway::Method", "Properties": method},
            Ours={"Type": "AWS::ApiGateway::Authorizer"},
        )

    ours = api(AuthorizationType="CUSTOM", AuthorizerId={"Ref": "Ours"})
    (said,) = first(compare({"a": ours}, {"a": api(**authorization)}))
    who = "whom AWS_IAM lets in" if authorization else "anybody"
    assert said == f"- `{who}` **may now** `POST` on `Method`. — `a`: `dev`"


def test_a_policy_that_hides_in_a_function_is_said_first(compare: Compare) -> None:
    grant = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    hidden = policy({"Fn::If": ["Yes", grant, grant]})
    open_ = policy({"Action": "s3:GetObject", "Resource": "*"})
    said = first(compare({"a": stack(Role=ROLE, It=open_)}, {"a": stack(Role=ROLE, It=hidden)}))
    assert said == [
        "- `It` (`IAM::Policy`) is **decided at the deployment** in part, by `Fn::If` or "
        "`Fn::Transform`: read what it may become. — `a`: `dev`"
    ]


def test_a_policy_in_other_letters_is_read_all_the_same(compare: Compare) -> None:
    grant = {"Effect": "Allow", "Principal": "*", "Action": "logs:*", "Resource": "*"}
    text = json.dumps({"Statement": [grant]}).replace("Statement", "\\u0053tatement")
    it = {"Type": "AWS::Logs::ResourcePolicy", "Properties": {"PolicyDocument": text}}
    said = first(compare({"a": stack(Role=ROLE)}, {"a": stack(Role=ROLE, It=it)}))
    assert said == ["- `anybody` **may now** `logs:*` on `It`. — `a`: `dev`"]


def test_templates_within_and_macros_are_said_to_be_unread(compare: Compare) -> None:
    nested = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "u"}}
    after = stack(Role=ROLE, Nested=nested) | {"Transform": "Rewriter"}
    assert first(compare({"a": stack(Role=ROLE)}, {"a": after})) == [
        "- `Rewriter` **may rewrite the template** at the deployment: what is compared here is "
        "not what is deployed. — `a`: `dev`",
        "- `Nested` (`CloudFormation::Stack`) has **a template that is not compared**. — "
        "`a`: `dev`",
    ]


def test_a_role_in_the_disguise_of_another_is_told_from_it(compare: Compare) -> None:
    path = {"Metadata": {"aws:cdk:path": "app-dev-a/Reader"}}
    before = stack(Role=ROLE | path)
    after = stack(Role=ROLE | path, Evil=ROLE | path)
    said = first(compare({"a": before}, {"a": after}))
    assert any("**may now** `sts:AssumeRole` on `Reader (a:Evil)`" in line for line in said)


def test_a_setting_that_the_base_does_not_know_is_said_first(compare: Compare) -> None:
    both = {"a": stack(Role=ROLE), "Sensitivity": {"a.b": "It matters.", "a.c": None}}
    old, new = (
        {"Settings": f"[a]\nb = {number}\nc = {number}\nd = {number}\n"} for number in (1, 2)
    )
    report = compare(both | old, both | new)
    assert first(report) == [
        "- `a.b` `1` → `2`: It matters. — `dev`",
        "- `a.d` `1` → `2`: The base does not know this setting: read what it does. — `dev`",
    ]
    assert "| `dev` | `a.c` | `1` | `2` |" in report.markdown()


def exporting(name: str) -> Json:
    output = {"Value": {"Ref": "Table"}, "Export": {"Name": name}}
    return stack(Table=TABLE) | {"Outputs": {"ExportsTable": output}}


def importing(name: str) -> Json:
    alarm = {"AlarmName": {"Fn::ImportValue": name}}
    return stack(Alarm={"Type": "AWS::CloudWatch::Alarm", "Properties": alarm})


def test_an_export_that_another_stack_still_imports_refuses_the_deploy(compare: Compare) -> None:
    report = compare(
        {"a": exporting("a:one"), "b": importing("a:one")},
        {"a": exporting("a:two"), "b": importing("a:two")},
    )
    assert first(report) == [
        "- **The deploy is refused**: this stack imports `Table`, whose export would be removed. "
        "Deploy in two steps: first without the import. — `b`: `dev`"
    ]


def test_a_stack_under_another_name_is_a_new_one_beside_the_old(compare: Compare) -> None:
    elsewhere = {"environment": "aws://111122223333/us-east-1"}
    report = compare({"a": stack(Table=TABLE)}, {"a": stack(Table=TABLE) | {"Stack": elsewhere}})
    new, old = first(report)
    assert new == "- **New**: `app-dev-a` in `aws://111122223333/us-east-1`. — `dev`"
    assert "`app-dev-a` in `aws://111122223333/eu-central-1`" in old
    assert "they stay until somebody does" in old
    assert "Unchanged" not in report.markdown()
    assert exit_code(report, "replacement") == 1


def test_a_removed_stack_deletes_nothing(compare: Compare) -> None:
    report = compare({"a": stack(Role=ROLE), "b": stack(Table=TABLE)}, {"a": stack(Role=ROLE)})
    (said,) = first(report)
    assert said.startswith("- **No longer in the app**: `app-dev-b` in ")
    assert "`Table`" not in report.markdown()


def test_metadata_deploys_nothing(compare: Compare) -> None:
    told = TABLE | {"Metadata": {"why": "so"}}
    report = compare({"a": stack(Table=TABLE)}, {"a": stack(Table=told)})
    assert report.markdown().endswith("\n\n**Nothing changes** (`dev`).")
    assert exit_code(report, "change") == 0


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            {"Outputs": {"A": {"Value": "x"}}},
            {"Outputs": {"A": {"Value": "y"}}},
            "- `A.Value` `x` → `y`: the outputs",
        ),
        ({"Outputs": {"A": {"Value": "x"}}}, {}, '- `A` `{"Value": "x"}` → (not set): the outputs'),
        ({}, {"Parameters": {"P": {"Default": "y"}}}, "- `Parameters"),
        ({}, {"Stack": {"tags": {"team": "ops"}}}, "- `Tags.team` (not set) → `ops`: the stack"),
    ],
)
def test_what_is_said_beside_resources_counts(
    compare: Compare, before: Json, after: Json, said: str
) -> None:
    report = compare({"a": stack(Role=ROLE) | before}, {"a": stack(Role=ROLE) | after})
    assert said in report.markdown()
    assert exit_code(report, "change") == 1


def flow(text: str, x: int) -> Json:
    content = {
        "Version": "2019-10-30",
        "StartAction": "Say",
        "Metadata": {"ActionMetadata": {"Say": {"position": {"x": x, "y": 0}, "n": x}}},
        "Actions": [
            {
                "Identifier": "Say",
                "Type": "MessageParticipant",
                "Parameters": {"Text": text},
                "Transitions": {"NextAction": "End"},
            },
            {
                "Identifier": "End",
                "Type": "DisconnectParticipant",
                "Parameters": {},
                "Transitions": {},
            },
        ],
    }
    properties = {"Content": json.dumps(content), "Type": "CONTACT_FLOW", "Name": "n"}
    return stack(Flow={"Type": "AWS::Connect::ContactFlow", "Properties": properties})


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (flow("hello", 9), "  - drawn otherwise; it does the same"),
        (flow("bye", 0), "  - **changed** `Say` (`MessageParticipant`): `Text` `hello` → `bye`"),
    ],
)
def test_a_flow_is_compared_by_what_it_does(compare: Compare, after: Json, said: str) -> None:
    assert said in compare({"a": flow("hello", 0)}, {"a": after}).markdown().splitlines()


def test_a_stream_gets_shards_instead_of_being_on_demand_and_keeps_its_records(
    compare: Compare,
) -> None:
    """So does every stream of agent events that an earlier build has made."""
    before: Json = {
        "Type": "AWS::Kinesis::Stream",
        "Properties": {"StreamModeDetails": {"StreamMode": "ON_DEMAND"}},
    }
    after = changed(before, StreamModeDetails={"StreamMode": "PROVISIONED"}, ShardCount=1)
    report = compare({"a": stack(Events=before)}, {"a": stack(Events=after)})
    assert report.has_changes
    assert not report.has_replacements
    assert first(report) == []


def web_acl(limit: int = 6_000, default: str = "Allow", *others: str) -> Json:
    rate = {"RateBasedStatement": {"Limit": limit, "AggregateKeyType": "IP"}}
    rules = [{"Name": "Rate", "Action": {"Block": {}}, "Statement": rate}]
    rules += [{"Name": each, "Action": {"Block": {}}, "Statement": {}} for each in others]
    properties = {"Rules": rules, "DefaultAction": {default: {}}}
    return {"Type": "AWS::WAFv2::WebACL", "Properties": properties}


COUNTS: Json = web_acl()
COUNTS["Properties"]["Rules"][0]["Action"] = {"Count": {}}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            web_acl(6_000),
            web_acl(60_000),
            "**lets more through**: the limit of `Rate` is `6000` → `60000`.",
        ),
        (web_acl(6_000, "Block"), web_acl(), "**lets in whatever no rule blocks**."),
        (web_acl(6_000, "Allow", "Other"), web_acl(), "**no longer has the rule `Other`**."),
        (web_acl(), COUNTS, "**blocks nothing more by its rule `Rate`**."),
    ],
)
def test_a_web_acl_that_lets_more_through_is_said_first(
    compare: Compare, before: Json, after: Json, said: str
) -> None:
    def report(*both: Json) -> list[str]:
        return first(compare(*({"api": stack(Acl=each)} for each in both)))

    assert report(before, after) == [f"- `Acl` (`WAFv2::WebACL`) {said} — `api`: `dev`"]


def test_a_web_acl_that_lets_less_through_is_no_danger(compare: Compare) -> None:
    before, after = web_acl(60_000), web_acl(6_000, "Block", "Other")
    assert first(compare({"api": stack(Acl=before)}, {"api": stack(Acl=after)})) == []


def test_a_stage_that_has_a_web_acl_no_longer_is_said_first(compare: Compare) -> None:
    association = {
        "Type": "AWS::WAFv2::WebACLAssociation",
        "Properties": {"WebACLArn": {"Fn::GetAtt": ["Acl", "Arn"]}, "ResourceArn": "arn"},
    }
    before = {"api": stack(Acl=web_acl(), Association=association, Table=TABLE)}
    assert first(compare(before, {"api": stack(Table=TABLE)})) == [
        "- `Association` (`WAFv2::WebACLAssociation`) is **removed**: who has no credential can "
        "use up the capacity of those who have one. — `api`: `dev`"
    ]


def test_retention_that_grows_is_no_danger(compare: Compare) -> None:
    group: Json = {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 7}}
    week, month = stack(Logs=group), stack(Logs=changed(group, RetentionInDays=30))
    assert first(compare({"a": week}, {"a": month})) == []


def test_retention_that_begins_keeps_less(compare: Compare) -> None:
    group: Json = {"Type": "AWS::Logs::LogGroup"}
    ever, week = stack(Logs=group), stack(Logs=changed(group, RetentionInDays=7))
    assert (
        "`RetentionInDays` (not set) → `7` **keeps less**"
        in first(compare({"a": ever}, {"a": week}))[0]
    )


def test_nothing_in_a_value_is_markdown(compare: Compare) -> None:
    value = "a | b `c` @everybody\n# d"
    setting = {"Settings": f"x = {json.dumps(value)}\n"}
    text = compare({"a": stack(Role=ROLE)}, {"a": stack(Role=ROLE)} | setting).markdown()
    assert '| `dev` | `x` | (not set) | ``"a \\| b `c` @everybody\\n# d"`` |' in text


def test_a_setting_is_shown_whole(compare: Compare) -> None:
    one, other = (
        {"Settings": f'x = ["{"a" * 200}", "{word}"]\n', "a": stack(Role=ROLE)}
        for word in ("slow", "quick")
    )
    row = compare(one, other).markdown().splitlines()[-3]
    same = "a" * 200
    assert row == f'| `dev` | `x` | `["{same}", "slow"]` | `["{same}", "quick"]` |'


def test_a_long_value_is_cut_to_where_it_differs(compare: Compare) -> None:
    alarm: Json = {"Type": "AWS::CloudWatch::Alarm"}
    one, other = (
        stack(Alarm=changed(alarm, AlarmDescription=f"{'a' * 500}{word}{'z' * 500}"))
        for word in ("slow", "quick")
    )
    text = compare({"a": one}, {"a": other}).markdown()
    assert "slow" in text and "quick" in text
    assert len(text) < 500


def test_a_comment_is_as_long_as_github_takes_and_says_that_it_was_cut(compare: Compare) -> None:
    many = {
        f"Alarm{number:04}": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {"AlarmDescription": f"{number}"},
        }
        for number in range(2000)
    }
    renumbered = {name: changed(each, AlarmDescription=f"no {name}") for name, each in many.items()}
    removed = stack(Table=TABLE, **many), stack(**renumbered)
    text = compare({"a": removed[0]}, {"a": removed[1]}).markdown()
    assert LONGEST - RESERVED - 200 < len(text) <= LONGEST - RESERVED
    assert "`Table` (`DynamoDB::Table`) is **removed**" in text[:400], "what is first is never cut"
    assert text.endswith("as a comment holds no more: `make diff ENV=…` shows one environment.")


def test_the_base_is_where_the_branch_began(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")
        subprocess.run(["git", *who, *arguments], cwd=repository, check=True)

    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "file").write_text("old")
    commit(repository)
    git("switch", "-qc", "branch")
    git("commit", "-q", "--allow-empty", "-m", "of the branch")
    git("switch", "-q", "main")
    (repository / "file").write_text("new")
    git("commit", "-qam", "of main")
    git("switch", "-q", "branch")
    clone = Repository(repository)
    base = clone.sources("main", clone.fork("main", "HEAD"), tmp_path / "base")
    assert base.text("file") == "old"


def test_other_requirements_are_noted_as_they_are_not_installed(
    compare: Compare, tmp_path: Path
) -> None:
    for revision, version in (("before", "1"), ("after", "2")):
        sources = tmp_path / revision / "sources"
        sources.mkdir(parents=True)
        (sources / "requirements.txt").write_text(f"aws-cdk-lib=={version}")
    text = compare({"a": stack(Role=ROLE)}, {"a": stack(Role=ROLE)}).markdown()
    assert text.splitlines()[-1].startswith("_requirements.txt differs. `make diff` synthesises ")


INSTANCE = "arn:aws:connect:eu-central-1:111122223333:instance/33333333-3333-4333-8333-333333333333"


def with_queue(id: str, name: str) -> Json:
    """A flow that names a queue, and the lock that knows the queue's name."""
    block = {
        "Identifier": "set queue",
        "Type": "UpdateContactTargetQueue",
        "Parameters": {"QueueId": f"{INSTANCE}/queue/{id}"},
        "Transitions": {},
    }
    drawn: Json = {"Metadata": {"ActionMetadata": {}}}
    begin = {"Version": "2019-10-30", "StartAction": "set queue"}
    content = begin | drawn | {"Actions": [block]}
    side = Side(environment="dev", instance=INSTANCE)
    pair = Pair(kind="queue", name=name, arns=(f"{INSTANCE}/queue/{id}",))
    flow = {"Type": "AWS::Connect::ContactFlow", "Properties": {"Content": json.dumps(content)}}
    return {
        "flows": stack(Flow=flow),
        "Lock": FlowsLock(source=side, target=side, pairs={"arn:of:the:file": pair}).text(),
        "Sensitivity": {"flows": "Other calls may be transcribed, or go another way."},
    }


def test_a_block_that_names_something_else_says_its_name_and_the_lock_the_arn(
    compare: Compare,
) -> None:
    said = compare(with_queue("q1", "Billing"), with_queue("q2", "Sales")).markdown()
    assert (
        "**changed** `set queue` (`UpdateContactTargetQueue`): `QueueId` "
        "`queue Billing (q1)` → `queue Sales (q2)`"
    ) in said
    (lock,) = [line for line in said.splitlines() if "flows.lock arn:of:the:file" in line]
    assert f"{INSTANCE}/queue/q2" in lock
    assert "Other calls may be transcribed, or go another way." in said


def test_what_is_no_lock_fails_the_comparison(compare: Compare) -> None:
    hostile = with_queue("q1", "Billing") | {"Lock": "[" * 50_000}
    with pytest.raises(Failure, match="not in the form that `make synth` writes"):
        compare(with_queue("q1", "Billing"), hostile)


def test_of_a_stranger_locks_are_read_and_flow_files_are_not(tmp_path: Path) -> None:
    sources, folder = tmp_path / "sources", tmp_path / "data"
    environments = sources / "infra" / "environments"
    (environments / "flows").mkdir(parents=True)
    for name in ("dev.toml", "dev.flows.lock", "flows/main.json", "dev.py", "dev.flows.lock.py"):
        (environments / name).write_text(name)
    (environments / "qa.flows.lock").symlink_to("/etc/passwd")
    commit(sources)
    Repository(sources).data("HEAD", folder)
    read = {file.name for file in folder.rglob("*") if file.is_file()}
    assert read == {"dev.toml", "dev.flows.lock"}
    (environments / "dev.flows.lock").write_text("x" * 1_000_001)
    git("commit", "-qam", "large", folder=sources)
    with pytest.raises(Failure, match=r"dev\.flows\.lock` has more than 1000000 bytes"):
        Repository(sources).data("HEAD", tmp_path / "again")


# The live page, whose built files are in no commit


def hosted(files: str) -> Json:
    """:param files: The hash of the page's files."""
    return stack(
        Files={
            "Type": "AWS::Lambda::LayerVersion",
            "Properties": {"Content": {"S3Bucket": "assets", "S3Key": f"{files}.zip"}},
            "Metadata": {"aws:cdk:path": "app-dev-live/LivePage/Files/Resource"},
        }
    )


def test_a_page_that_is_built_or_a_placeholder_is_no_difference(compare: Compare) -> None:
    assert not compare({"live": hosted("a")}, {"live": hosted("b")}).has_changes


def test_a_page_whose_sources_differ_is_said_by_their_names(compare: Compare) -> None:
    changed = ["README.md", "web/src/texts.ts", "web/tests/transcript.test.ts"]
    text = compare({"live": hosted("a")}, {"live": hosted("b"), "Changed": changed}).markdown()
    assert "`LivePage/Files`" in text
    assert "where web/src/texts.ts differ" in text


def test_another_layer_is_compared(compare: Compare) -> None:
    def other(files: str) -> Json:
        made = hosted(files)
        made["Resources"]["Files"]["Metadata"] = {"aws:cdk:path": "app-dev-live/Other/Resource"}
        return {"live": made}

    assert compare(other("a"), other("b")).has_changes


def test_the_sources_of_a_commit_can_be_synthesised_without_npm(tmp_path: Path) -> None:
    put_placeholder(tmp_path)
    assert not (tmp_path / "web").exists(), "a commit from before there was a page"
    (tmp_path / "web").mkdir()
    put_placeholder(tmp_path)
    assert (tmp_path / "web/dist/index.html").is_file()
