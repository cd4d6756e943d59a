"""A webhook secret that leaked is refused at once, and whoever runs it is told what that costs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name

from tests.tools.doctor.fake_aws import ACCOUNT, BEGINNING, REGION, FakeAws, Json, Refusal, page
from tests.tools.doctor.fake_aws import Account as DoctorsAccount
from tools.doctor.aws import Aws
from tools.revoke_webhook_secret import __main__ as command
from tools.revoke_webhook_secret.revocation import ACTIONS, GUIDE, Webhook, revoke

ROOT = Path(__file__).parents[3]
STACK = "autotranscribe-prod-transcription"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:webhook-AbCdEf"
OLDER, LEAKED = "the-older-one", "the-leaked-one"
BOTH_FLUSHED = ["FlushStageAuthorizersCache"] * 2
"""The webhook has two APIs while ASAPP changes to a client certificate."""
V0, V1 = "00000000-0000-4000-8000-000000000000", "00000000-0000-4000-8000-000000000001"
WAITED = 20.0


@dataclass
class Account(DoctorsAccount):
    """With a deployed webhook whose secret was rotated once.

    :param versions: The value and the labels of each version, as Secrets Manager moves them.
    """

    versions: dict[str, tuple[str, set[str]]] = field(
        default_factory=lambda: {V0: (OLDER, {"AWSPREVIOUS"}), V1: (LEAKED, {"AWSCURRENT"})}
    )
    flushed: list[Json] = field(default_factory=list)

    @property
    def good(self) -> set[str]:
        """The values that the authorizer lets in."""
        return {value for value, labels in self.versions.values() if labels}

    def _DescribeStacks(self, request: Json) -> Json:
        if request["StackName"] != STACK:
            raise Refusal("ValidationError", "does not exist")
        output = {"OutputKey": "WebhookSecretArn", "OutputValue": SECRET}
        status = {"CreationTime": BEGINNING, "StackStatus": "UPDATE_COMPLETE"}
        return {"Stacks": [{"StackName": STACK, "Outputs": [output], **status}]}

    def _ListStackResources(self, request: Json) -> Json:
        assert request["StackName"] == STACK
        made = [
            ("TranscriptApiRestApi1", "AWS::ApiGateway::RestApi", "readers"),
            ("TranscriptWebhookApiRestApi1", "AWS::ApiGateway::RestApi", "webhook"),
            ("TranscriptWebhookApiRestApiStage1", "AWS::ApiGateway::Stage", "v1"),
            ("TranscriptWebhookClientCertificateApiRestApi1", "AWS::ApiGateway::RestApi", "mtls"),
            (
                "TranscriptWebhookClientCertificateApiRestApiStage1",
                "AWS::ApiGateway::Stage",
                "v1",
            ),
            ("TranscriptApiRestApiStage1", "AWS::ApiGateway::Stage", "v1-of-readers"),
        ]
        summaries = [
            {
                "LogicalResourceId": logical,
                "ResourceType": kind,
                "PhysicalResourceId": physical,
                "LastUpdatedTimestamp": BEGINNING,
                "ResourceStatus": "CREATE_COMPLETE",
            }
            for logical, kind, physical in made
        ]
        return page(request, "StackResourceSummaries", summaries)

    def _DescribeSecret(self, request: Json) -> Json:
        assert request["SecretId"] == SECRET
        labelled = {id: sorted(labels) for id, (_, labels) in self.versions.items() if labels}
        return {"ARN": SECRET, "VersionIdsToStages": labelled}

    def _PutSecretValue(self, request: Json) -> Json:
        assert request["SecretId"] == SECRET and request["VersionStages"] == ["AWSCURRENT"]
        for _, labels in self.versions.values():
            labels.discard("AWSPREVIOUS")
            if "AWSCURRENT" in labels:
                labels.remove("AWSCURRENT")
                labels.add("AWSPREVIOUS")
        id = request["ClientRequestToken"]
        self.versions[id] = (request["SecretString"], {"AWSCURRENT"})
        return {"ARN": SECRET, "VersionId": id}

    def _UpdateSecretVersionStage(self, request: Json) -> Json:
        assert request["SecretId"] == SECRET and "MoveToVersionId" not in request
        labels = self.versions[request["RemoveFromVersionId"]][1]
        labels.remove(request["VersionStage"])
        return {"ARN": SECRET}

    def _FlushStageAuthorizersCache(self, request: Json) -> Json:
        self.flushed.append(request)
        return {}


@dataclass
class Run:
    """:param good_when_asked: What the authorizer let in when the question was asked."""

    code: int
    said: str
    slept: list[float]
    good_when_asked: set[str] | None


Revoke = Callable[..., Run]


@pytest.fixture
def account(fake_aws: FakeAws, at_fake_aws: None) -> Iterator[Account]:
    fake_aws.account = found = Account()
    yield found
    assert found.mistakes == []


@pytest.fixture(scope="module")
def aws() -> Aws:
    return Aws(REGION, ACTIONS, guide=GUIDE)


@pytest.fixture
def run(account: Account, aws: Aws) -> Revoke:
    def run(only_previous: bool = False, agrees: bool = True, environment: str = "prod") -> Run:
        said: list[str] = []
        slept: list[float] = []
        asked: list[set[str]] = []

        def agreed() -> bool:
            asked.append(account.good)
            return agrees

        code = revoke(
            Webhook(aws, environment, ACCOUNT),
            only_previous=only_previous,
            agreed=agreed,
            say=said.append,
            sleep=slept.append,
        )
        return Run(code, "\n".join(said), slept, asked[0] if asked else None)

    return run


def changes(account: Account) -> list[str]:
    """Every call that changes something, in order."""
    return [
        operation
        for _, operation in account.calls
        if not operation.startswith(("Get", "Describe", "List"))
    ]


def test_neither_the_leaked_value_nor_the_one_before_is_good_afterwards(
    run: Revoke, account: Account
) -> None:
    done = run()
    assert done.code == 0
    (new,) = account.good
    assert re.fullmatch("[A-Za-z0-9]{64}", new)
    assert account.versions[V0][1] == account.versions[V1][1] == set()
    assert new not in done.said and LEAKED not in done.said
    assert done.said.endswith(
        f"aws secretsmanager get-secret-value --region {REGION} --secret-id {SECRET} "
        "--query SecretString --output text"
    )


def test_two_revocations_make_two_values(run: Revoke, account: Account) -> None:
    values = set()
    for _ in range(2):
        assert run().code == 0
        values |= account.good
    assert len(values) == 2


def test_the_webhooks_caches_are_flushed_when_no_function_knows_the_value_any_more(
    run: Revoke, account: Account
) -> None:
    done = run()
    both = ("webhook", "mtls")
    assert account.flushed == [{"restApiId": each, "stageName": "v1"} for each in both]
    assert changes(account) == ["PutSecretValue", "UpdateSecretVersionStage", *BOTH_FLUSHED]
    assert done.slept == [WAITED]


def test_only_the_previous_value_can_be_revoked_and_asapp_loses_nothing(
    run: Revoke, account: Account
) -> None:
    done = run(only_previous=True)
    assert (done.code, account.good) == (0, {LEAKED})
    assert changes(account) == ["UpdateSecretVersionStage", *BOTH_FLUSHED]


def test_without_a_previous_value_the_cache_is_flushed_all_the_same(
    run: Revoke, account: Account
) -> None:
    del account.versions[V0]
    assert run(only_previous=True).code == 0
    assert changes(account) == BOTH_FLUSHED


def test_it_says_what_is_lost_before_it_asks_and_does_nothing_without_a_yes(
    run: Revoke, account: Account
) -> None:
    done = run(agrees=False)
    assert done.code == 1
    assert done.good_when_asked == {OLDER, LEAKED} == account.good
    assert "each utterance gets 403, and ASAPP\ndoes not send it again" in done.said
    assert done.said.endswith("Nothing was changed.")
    assert changes(account) == []


@pytest.mark.parametrize(
    ("refused", "left", "good"),
    [
        ("PutSecretValue", "Nothing was changed.", {OLDER, LEAKED}),
        ("UpdateSecretVersionStage", "the old one is still accepted. Run it again.", None),
        ("FlushStageAuthorizersCache", "run it again with ONLY=previous.", None),
    ],
)
def test_where_a_step_is_refused_it_says_what_is_so_now(
    run: Revoke, account: Account, refused: str, left: str, good: set[str] | None
) -> None:
    account.refusals[refused] = Refusal("AccessDeniedException", status=403)
    done = run()
    assert done.code == 1
    assert done.said.endswith(left)
    assert f"; {GUIDE} has the whole policy" in done.said
    if good:
        assert account.good == good
    account.refusals.clear()
    assert run().code == 0
    assert account.good.isdisjoint({OLDER, LEAKED})


@pytest.mark.parametrize(
    ("environment", "number", "why"),
    [
        ("staging", ACCOUNT, "autotranscribe-staging-transcription is not in eu-central-1"),
        ("prod", "999999999999", "you are signed in to account 999999999999, not 333333333333"),
    ],
)
def test_another_environment_or_account_is_left_alone(
    run: Revoke, account: Account, environment: str, number: str, why: str
) -> None:
    account.number = number
    done = run(environment=environment)
    assert done.code == 1
    assert why in done.said
    assert done.good_when_asked is None
    assert changes(account) == []


def test_without_a_terminal_it_says_how_not_to_be_asked(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["prod"]) == 2
    assert "APPROVAL=never" in capsys.readouterr().out
    assert account.calls == []


@pytest.mark.parametrize(("typed", "changed"), [("prod", True), ("y", False), ("", False)])
def test_a_person_agrees_by_the_name_of_the_environment(
    typed: str, changed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda _: typed)
    assert command._agreed("prod") is changed


def test_the_list_of_actions_is_what_is_called_and_what_the_guide_allows(
    run: Revoke, account: Account
) -> None:
    assert run().code == 0
    called = {(service, xform_name(operation)) for service, operation in account.calls}
    assert called == set(ACTIONS)
    section = (ROOT / GUIDE).read_text("utf-8").partition("## Rotate or revoke")[2]
    policy: Any = json.loads(re.findall("```json\n(.*?)```", section, re.DOTALL)[0])
    allowed = [action for each in policy["Statement"] for action in each["Action"]]
    assert sorted(allowed) == sorted(ACTIONS.values())
    (flush,) = (each for each in policy["Statement"] if "apigateway:DELETE" in each["Action"])
    assert flush["Resource"] == (
        "arn:aws:apigateway:REGION::/restapis/API_ID/stages/v1/cache/authorizers"
    )
