"""Everything that is allowed, in every environment and with every option on."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from connect_settings import Settings
from tests.infra.conftest import FULL, OTHERS, Assembly

from .policies import ENVIRONMENTS, FILE, as_text, in_templates, wildcards

WITHOUT_RESOURCE = "The action has no resource level, or AWS asks for all."
REASONS = {
    r"\*": WITHOUT_RESOURCE,
    r"<.*>:\*": "Versions of one function, which Lambda numbers.",
    r"arn:aws:kinesisvideo:.*-contact-\*/\*": "Streams that Connect makes, as it names them.",
    r"arn:aws:secretsmanager:.*-\?{6}": "The end of a secret's ARN, which AWS makes up.",
    r"<UtteranceExportBucket\.Arn>/(utterances|staging_utterance_state|[a-z-]+)/\*": (
        "Files that ASAPP names, under one prefix."
    ),
    r"<UtteranceExportBucket\.Arn>/\*": "In the bucket's own policy, which refuses HTTP.",
    r"<LivePageBucket\.Arn>/\*": "The files of the page, in a bucket that has nothing else.",
    r"<ConversationErasureReceipts\.Arn>/(receipts/)?\*": (
        "New objects under one prefix; and in the bucket's own policy, which refuses HTTP."
    ),
    r"arn:aws:connect:.*:instance/INSTANCE/contact/\*": "The contacts of one instance.",
    r"arn:aws:execute-api:.*|execute-api:/\*": "In an API's own policy or permission.",
    r"s3:\*|sqs:\*|sns:\*": "Refused, not allowed: without TLS.",
}
"""Why each wildcard is there. One that matches none of these fails."""
_NEWER = {"connect:DeleteContactData"}
"""Of the Service Authorization Reference, and not yet in the data of cfn-lint."""
_WITHOUT_RESOURCE_LEVEL = {
    "cloudwatch:DescribeAlarms",  # it has one, and CodeDeploy's guide asks for all alarms
    "dynamodb:ListStreams",
    "kinesisvideo:ListStreams",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}


@pytest.fixture(scope="module")
def assemblies(
    assembly_of: Callable[[str], Assembly], full: Assembly, others: Assembly
) -> dict[str, Assembly]:
    ours = {name: assembly_of(name) for name in ENVIRONMENTS if name not in ("full", "others")}
    return {**ours, "full": full, "others": others}


def test_full_has_every_option_and_others_has_those_that_exclude_one_of_its_own() -> None:
    def given(file: Path) -> set[str]:
        tables = tomllib.loads(file.read_text("utf-8")).items()
        return {
            f"{table}.{key}" for table, keys in tables if isinstance(keys, dict) for key in keys
        }

    settings = dataclasses.asdict(Settings.load(FULL))
    there = {
        f"{table}.{key}"
        for table, keys in settings.items()
        if isinstance(keys, dict)
        for key in keys
    }
    lacking = there - given(FULL)
    assert lacking == {
        "lifecycle.stream_arn",
        "alarms.topic_arn",
        "on_utterance.function_arn",
        *(f"webhook_oauth2.{key}" for key in ("issuer", "keys_url", "audience", "scope")),
        "webhook_oauth2.client_id",
        *(f"live.oidc_{key}" for key in ("issuer", "client_id", "client_secret_name")),
        *(f"live.event_api_{key}" for key in ("id", "http_host", "realtime_host")),
    }
    assert lacking <= given(OTHERS)


def test_the_bootstrap_is_that_of_the_settings(assemblies: dict[str, Assembly]) -> None:
    def qualifiers(name: str) -> set[str]:
        manifest = assemblies[name].folder.joinpath("manifest.json").read_text("utf-8")
        assets = [file.read_text("utf-8") for file in assemblies[name].folder.glob("*.assets.json")]
        return set(re.findall(r"cdk-([a-z0-9]+)-(?:[a-z]+-)+", "\n".join([manifest, *assets])))

    assert qualifiers("full") == {"acme"}
    assert qualifiers("prod") == {"hnb659fds"}


def test_everything_that_is_allowed_is_what_is_committed(assemblies: dict[str, Assembly]) -> None:
    """If this is meant: `make contract`, and read the difference in policies.txt."""
    assert as_text(assemblies).splitlines() == FILE.read_text("utf-8").splitlines()


def test_one_more_action_is_a_difference(full: Assembly, tmp_path: Path) -> None:
    for template in full.folder.glob("*.template.json"):
        text = template.read_text("utf-8")
        more = re.sub(r'"Action": ("dynamodb:GetItem")', r'"Action": [\1]', text)
        more = more.replace('"dynamodb:GetItem"', '"dynamodb:GetItem","dynamodb:Scan"')
        (tmp_path / template.name).write_text(more)
    broadened = dataclasses.replace(full, folder=tmp_path)
    committed = FILE.read_text("utf-8")
    new = [said for _, _, said in in_templates(broadened) if said not in committed]
    assert new
    assert all("dynamodb:Scan" in said for said in new)


@cache
def actions_of(service: str) -> frozenset[str]:
    """The service's own list, from the data of cfn-lint."""
    found = find_spec("cfnlint")  # an import takes a second
    assert found and found.origin
    file = Path(found.origin).parent / "data" / "AdditionalSpecs" / "Policies.json"
    return frozenset(json.loads(file.read_text("utf-8"))[service]["Actions"])


def test_every_action_is_one_of_its_service(assemblies: dict[str, Assembly]) -> None:
    checked = set()
    for assembly in assemblies.values():
        for resource, statement, _ in in_templates(assembly):
            for action in set(statement.actions) - _NEWER:
                service, _, name = action.partition(":")
                pattern = re.compile(name.lower().replace("*", ".*"))
                assert any(map(pattern.fullmatch, actions_of(service))), (resource, action)
                checked.add(action)
    assert len(checked) > 30


def test_every_wildcard_has_its_reason(assemblies: dict[str, Assembly]) -> None:
    found: Counter[str] = Counter()
    for assembly in assemblies.values():
        for _, statement, said in in_templates(assembly):
            for text in wildcards(statement):
                reasons = [each for each in REASONS if re.fullmatch(each, text)]
                assert reasons, said
                found[reasons[0]] += 1
                if text == "*":
                    assert set(statement.actions) <= _WITHOUT_RESOURCE_LEVEL, said
    assert set(found) == set(REASONS)
