"""What happens if the first deployment fails: each line of the table in docs/operate.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import ENVIRONMENTS, build
from tests.infra.conftest import Assembly, Json, synthesise

STAYS_ALWAYS = {"AWS::ApiGateway::Account", "AWS::IAM::Role"}
"""What keeps a plain Retain: the role of API Gateway's logs, and the setting that names it."""


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """Production, with every setting of the instance and the account made by us."""
    text = (ENVIRONMENTS / "prod.toml").read_text()
    for before, after in (
        ('mode = "adopt"  ', 'mode = "manage"'),
        ("# retention_hours", "retention_hours"),
        ('mode = "off"                # "on"', 'mode = "on"  # "on"'),
        ('api_gateway_log_role = "adopt"', 'api_gateway_log_role = "manage"'),
    ):
        assert before in text, before
        text = text.replace(before, after)
    file = tmp_path_factory.mktemp("settings") / "everything.toml"
    file.write_text(text)
    folder: Path = tmp_path_factory.mktemp("everything")
    return synthesise(folder, lambda app: build(app, str(file)))


def resources(assembly: Assembly, stack: str) -> dict[str, Json]:
    (found,) = (
        template["Resources"] for name, template in assembly.templates.items() if stack in name
    )
    return dict(found)


def before(resources: dict[str, Json], id: str) -> set[str]:
    """The resources that CloudFormation finishes before it begins this one."""
    found: set[str] = set()
    ahead = [id]
    while ahead:
        depends = resources[ahead.pop()].get("DependsOn", [])
        new = {depends} if isinstance(depends, str) else set(depends)
        ahead += new - found
        found |= new
    return found


def of(resources: dict[str, Json], kind: str) -> list[str]:
    return [id for id, each in resources.items() if each["Type"] == kind]


def test_the_rollback_takes_all_that_was_made_but_the_log_role(everything: Assembly) -> None:
    retained = [each for each in everything.resources if each.get("DeletionPolicy") == "Retain"]
    assert {each["Type"] for each in retained} == STAYS_ALWAYS
    assert len(retained) == 2
    # A table that is protected refuses to go; it has no name that the next one could meet.
    tables = [each for each in everything.resources if each["Type"] == "AWS::DynamoDB::Table"]
    assert [each["Properties"]["DeletionProtectionEnabled"] for each in tables] == [True]
    assert "TableName" not in tables[0]["Properties"]


NAMED = {
    "AWS::Athena::WorkGroup",
    "AWS::Connect::ContactFlow",
    "AWS::Connect::ContactFlowModule",
    "AWS::Events::EventBus",
    "AWS::Glue::Database",
}
"""What has a name of ours, or is one of a kind in the instance, and would meet itself."""


def test_nothing_with_a_fixed_name_is_left_behind(everything: Assembly) -> None:
    names = ("Name", "RoleName", "QueueName", "TableName", "BucketName", "FunctionName")
    fixed = {
        each["Type"]
        for each in everything.resources
        if any(isinstance(each.get("Properties", {}).get(name), str) for name in names)
        and not each["Type"].startswith(("AWS::ApiGateway::", "AWS::Lambda::"))
    }
    assert fixed | {"AWS::Glue::Database"} == NAMED
    for each in everything.resources:
        if each["Type"] in NAMED | {"AWS::Connect::InstanceStorageConfig"}:
            assert each.get("DeletionPolicy") in (None, "Delete", "RetainExceptOnCreate")


def test_a_role_that_iam_refuses_fails_before_the_instance_is_touched(
    everything: Assembly,
) -> None:
    access = resources(everything, "-access")
    (setting,) = of(access, "AWS::Connect::InstanceStorageConfig")
    (role,) = of(access, "AWS::IAM::Role")
    (policy,) = of(access, "AWS::IAM::Policy")
    assert before(access, setting) == {role, policy}


def test_a_missing_secret_of_asapps_fails_no_deployment(everything: Assembly) -> None:
    """Only functions read it: nothing in a template resolves its value."""
    transcription = resources(everything, "-transcription")
    assert "{{resolve:" not in str(transcription)


def test_a_second_storage_configuration_fails_and_takes_no_other_with_it(
    everything: Assembly,
) -> None:
    for stack in ("-access", "-transcription"):
        there = resources(everything, stack)
        (setting,) = of(there, "AWS::Connect::InstanceStorageConfig")
        assert there[setting]["DeletionPolicy"] == "RetainExceptOnCreate"
        waiting = [id for id in there if setting in before(there, id)]
        assert waiting == []


def names(assembly: Assembly) -> set[str]:
    kinds = ("AWS::Connect::ContactFlow", "AWS::Connect::ContactFlowModule")
    found = [each["Properties"]["Name"] for each in assembly.resources if each["Type"] in kinds]
    assert len(set(found)) == len(found)
    return set(found)


def test_two_environments_in_one_instance_have_no_name_in_common(
    everything: Assembly, tmp_path: Path
) -> None:
    text = (ENVIRONMENTS / "prod.toml").read_text()
    before = '# flow_name_prefix = "prod"'
    assert before in text
    file = tmp_path / "second.toml"
    file.write_text(text.replace(before, 'flow_name_prefix = "second"'))
    second = synthesise(tmp_path / "out", lambda app: build(app, str(file)))
    assert names(second) == {f"second {name}" for name in names(everything)}
    assert {"Transcription agent whisper", "Start transcription"} <= names(everything)


def test_flows_are_made_after_both_associations_and_one_after_another(
    everything: Assembly,
) -> None:
    flows = resources(everything, "-flows")
    associations = of(flows, "AWS::Connect::IntegrationAssociation")
    made = [*of(flows, "AWS::Connect::ContactFlowModule"), *of(flows, "AWS::Connect::ContactFlow")]
    assert len(associations) == 2
    assert all(set(associations) <= before(flows, id) for id in made)
    # One at a time: each waits for a different number of others.
    in_connect = [*associations, *made]
    numbers = sorted(len(before(flows, id) & set(in_connect)) for id in in_connect)
    assert numbers == list(range(len(in_connect)))
