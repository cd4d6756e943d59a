"""What a revocation does, step by step. It can be run again after a failure of any step."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from authorize_webhook.webhook_secret import CURRENT, PREVIOUS, SECONDS_BETWEEN_READINGS
from tools.doctor.aws import Aws
from tools.doctor.findings import NotSeen, problem

ACTIONS = {
    ("apigateway", "flush_stage_authorizers_cache"): "apigateway:DELETE",
    ("cloudformation", "describe_stacks"): "cloudformation:DescribeStacks",
    ("cloudformation", "list_stack_resources"): "cloudformation:ListStackResources",
    ("secretsmanager", "describe_secret"): "secretsmanager:DescribeSecret",
    ("secretsmanager", "put_secret_value"): "secretsmanager:PutSecretValue",
    ("secretsmanager", "update_secret_version_stage"): "secretsmanager:UpdateSecretVersionStage",
    ("sts", "get_caller_identity"): "sts:GetCallerIdentity",
}
"""What is called, and what IAM must allow for it. No other call can be made."""
GUIDE = "docs/deploy-to-aws.md"

_LENGTH = 64
_SECONDS_UNTIL_FORGOTTEN = 4 * SECONDS_BETWEEN_READINGS
"""An authorizer that runs knows what it has read for a while, and reading takes time too."""
_MINUTES_OF_THE_CACHE = 5

Say = Callable[[str], None]


@dataclass(frozen=True)
class Webhook:
    """The webhook of one environment in AWS.

    :param account: The account in which it must be.
    """

    aws: Aws
    environment: str
    account: str

    @property
    def stack(self) -> str:
        return f"autotranscribe-{self.environment}-transcription"

    @cached_property
    def secret_arn(self) -> str:
        """:raises NotSeen: If AWS does not tell, or nothing is deployed."""
        answer = self.aws.read(
            "cloudformation", "describe_stacks", ("ValidationError",), StackName=self.stack
        )
        outputs = answer["Stacks"][0].get("Outputs", []) if answer else []
        for output in outputs:
            if output["OutputKey"] == "WebhookSecretArn":
                return str(output["OutputValue"])
        what = f"{self.stack} is not in {self.aws.region}, or its webhook has no secret"
        raise NotSeen(problem(what, "deploy it first"))

    @cached_property
    def stages(self) -> list[tuple[str, str]]:
        """The id of each API of the webhook, and the name of its stage, which all have.

        :raises NotSeen: If AWS does not tell.
        """
        pages = self.aws.pages(
            "cloudformation", "list_stack_resources", "StackResourceSummaries", StackName=self.stack
        )
        found: dict[str, list[str]] = {"AWS::ApiGateway::RestApi": [], "AWS::ApiGateway::Stage": []}
        for each in pages or []:
            if each["LogicalResourceId"].startswith("TranscriptWebhook"):
                found.setdefault(each["ResourceType"], []).append(each["PhysicalResourceId"])
        apis, stages = found["AWS::ApiGateway::RestApi"], found["AWS::ApiGateway::Stage"]
        if not apis or not stages:
            what = f"{self.stack} has no API for the webhook"
            raise NotSeen(problem(what, "deploy it first"))
        return [(api, stages[0]) for api in apis]

    def previous(self) -> str | None:
        """The id of the secret's previous version, None if it has none.

        :raises NotSeen: If AWS does not tell.
        """
        answer = self._secret("describe_secret")
        versions: dict[str, list[str]] = answer.get("VersionIdsToStages", {})
        return next((id for id, stages in versions.items() if PREVIOUS in stages), None)

    def check(self) -> None:
        """Whether the credentials are of the right account, and everything is there.

        :raises NotSeen: If not.
        """
        identity = self.aws.read("sts", "get_caller_identity") or {}
        if identity["Account"] != self.account:
            what = f"you are signed in to account {identity['Account']}, not {self.account}"
            raise NotSeen(problem(what, "set AWS_PROFILE"))
        self.previous()
        self.stages  # noqa: B018 - it is looked up before anything is changed

    def replace(self) -> None:
        """Give the secret a new random value, which nobody has seen."""
        letters = string.ascii_letters + string.digits
        value = "".join(secrets.choice(letters) for _ in range(_LENGTH))
        self._secret("put_secret_value", SecretString=value, VersionStages=[CURRENT])

    def drop_previous(self) -> None:
        """Take the label off the previous version, by which the authorizer finds it."""
        if version := self.previous():
            self._secret(
                "update_secret_version_stage", VersionStage=PREVIOUS, RemoveFromVersionId=version
            )

    def flush_authorizer_cache(self) -> None:
        for api, stage in self.stages:
            self.aws.read(
                "apigateway", "flush_stage_authorizers_cache", restApiId=api, stageName=stage
            )

    def _secret(self, operation: str, **request: Any) -> dict[str, Any]:
        answer = self.aws.read("secretsmanager", operation, SecretId=self.secret_arn, **request)
        return answer or {}


def revoke(
    webhook: Webhook,
    *,
    only_previous: bool,
    agreed: Callable[[], bool],
    say: Say,
    sleep: Callable[[float], None],
) -> int:
    """:param only_previous: The current value did not leak, and stays good.
    :param agreed: Asks, after it was said what will happen.
    :param sleep: Waits some seconds.
    :returns: The exit code.
    """
    left = "Nothing was changed."
    try:
        webhook.check()
        for line in _plan(webhook, only_previous):
            say(line)
        if not agreed():
            say(left)
            return 1
        if not only_previous:
            webhook.replace()
            left = "The new value is set, but the old one is still accepted. Run it again."
        webhook.drop_previous()
        left = (
            "The secret is revoked, but API Gateway may let in whom it has let in, for another "
            f"{_MINUTES_OF_THE_CACHE} minutes. To end that now, run it again with ONLY=previous."
        )
        say(f"Revoked. Waiting {_SECONDS_UNTIL_FORGOTTEN:.0f} seconds, until no function knows it.")
        sleep(_SECONDS_UNTIL_FORGOTTEN)
        webhook.flush_authorizer_cache()
    except NotSeen as unseen:
        say(f"{unseen.finding.what} → {unseen.finding.remedy}")
        say(left)
        return 1
    except KeyboardInterrupt:
        say(left)
        return 1
    if only_previous:
        say("Done: the previous value is refused. The current one is good, as before.")
    else:
        say("Done: the old values are refused. Give ASAPP the new one; this prints it:")
        say(
            f"  aws secretsmanager get-secret-value --region {webhook.aws.region} "
            f"--secret-id {webhook.secret_arn} --query SecretString --output text"
        )
    return 0


def _plan(webhook: Webhook, only_previous: bool) -> Iterable[str]:
    yield f"{webhook.environment}: account {webhook.account}, {webhook.aws.region}"
    yield f"  {webhook.secret_arn}"
    if only_previous:
        yield "The previous value will be refused; the current one stays good."
        yield "If ASAPP still uses the previous one, its POSTs get 403 from now on and are lost."
    else:
        yield "The secret gets a new random value; the current and the previous one are refused."
        yield "Until ASAPP has the new one, it is refused too: each utterance gets 403, and ASAPP"
        yield "does not send it again. None of them is on the event bus while the call goes on."
        yield "Reconciliation stores them after the call; of over 1,000 messages, the export."
    yield (
        "API Gateway then forgets whom it has let in; by itself it would within "
        f"{_MINUTES_OF_THE_CACHE} minutes."
    )
