"""Every alarm is proved: it rings when it should, and quiet data do not ring it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from aws_cdk import Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns

from connect_autotranscribe import FlowsStack, TranscriptionAlarms
from connect_settings.truststore import expiries_of
from tests.test_links import anchor_of

from .alarms import Data, Json, metrics, named, rings
from .conftest import ACCOUNT, ROOT, Assembly, Deployed, Transcription, new_app

DAY = 27 * 60
"""Minutes; as many as the slowest alarm looks back, and more."""


def template_alarms(deployed: Deployed, alarms: TranscriptionAlarms) -> dict[str, Json]:
    """The properties of each alarm, by its construct id."""
    return {each.node.id: deployed.properties(each) for each in alarms.alarms}


CERTIFICATE = f"arn:aws:acm:eu-central-1:{ACCOUNT}:certificate/aaaaaaaa-0000-4000-8000-00000000000"
AUTHORITIES = "examples/constructs/client_authorities.pem"


@pytest.fixture(scope="module")
def everything() -> Transcription:
    return Transcription(
        export={"mode": "on"},
        lifecycle={"mode": "manage"},
        webhook={
            "auth": ["secret", "oauth2", "mtls"],
            "domain": "transcripts.acme.example",
            "certificate_arn": f"{CERTIFICATE}1",
        },
        webhook_oauth2={"domain_prefix": "acme"},
        webhook_mtls={
            "domain": "mtls.transcripts.acme.example",
            "certificate_arn": f"{CERTIFICATE}2",
            "ownership_certificate_arn": f"{CERTIFICATE}3",
            "authorities_file": AUTHORITIES,
        },
    )


@pytest.fixture(scope="module")
def live(full: Assembly) -> Json:
    """The template of the live page."""
    (template,) = (each for name, each in full.templates.items() if "live" in name)
    return template


@pytest.fixture(scope="module")
def alarms(everything: Transcription, live: Json) -> dict[str, Json]:
    """Those of all stacks, with every option on."""
    elsewhere = Stack(new_app(), "Elsewhere")
    start, stop = (
        lambda_.Function.from_function_arn(
            elsewhere, name, f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:{name}"
        )
        for name in ("start", "stop")
    )
    topic = f"arn:aws:sns:eu-central-1:{ACCOUNT}:alarms"
    flows = FlowsStack(
        new_app(),
        "Flows",
        instance_arn=Transcription.INSTANCE,
        start_streaming=start,
        stop_streaming=stop,
        customer_id_path="$.CustomerEndpoint.Address",
        agent_id_path="$.Agent.UserName",
        stop_at_hold=True,
        alarm_topic=sns.Topic.from_topic_arn(elsewhere, "Topic", topic),
    )
    assert flows.alarms
    found = template_alarms(everything, everything.made.alarms)
    of_live = {
        each["Metadata"]["aws:cdk:path"].split("/")[-2]: each["Properties"]
        for each in live["Resources"].values()
        if each["Type"] == "AWS::CloudWatch::Alarm"
    }
    assert of_live
    screens = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:screen:live"
    screened = Transcription(on_utterance={"function_arn": screens})  # not with the export
    others = of_live | template_alarms(screened, screened.made.alarms)
    return others | template_alarms(Deployed(flows), flows.alarms) | found


@dataclass(frozen=True)
class Proof:
    """Data that ring an alarm, and data that do not, although something was published.

    :param loud: Published into the alarm's metrics, by their id in its expression.
    :param quiet: The same of what is no reason to ring.
    """

    loud: Callable[[Json], Data]
    quiet: Callable[[Json], Data]
    silence_rings: bool = False


def single(value: float, *minutes: int) -> Callable[[Json], Data]:
    """Into the one metric of an alarm, so many minutes ago; by default now."""

    def publish(alarm: Json) -> Data:
        data = Data(DAY)
        (metric,) = metrics(alarm).values()
        return data.publish(named(metric), value, *(DAY - 1 - ago for ago in minutes or (0,)))

    return publish


def both(*each: Callable[[Json], Data]) -> Callable[[Json], Data]:
    def publish(alarm: Json) -> Data:
        whole = Data(DAY)
        for one in each:
            for metric, values in one(alarm).values.items():
                whole.values.setdefault(metric, []).extend(values)
        return whole

    return publish


def into(name: str, value: float, minutes: range) -> Callable[[Json], Data]:
    """Into one metric of an expression, so many minutes ago."""

    def publish(alarm: Json) -> Data:
        metric = metrics(alarm)[name]
        return Data(DAY).publish(named(metric), value, *(DAY - 1 - ago for ago in minutes))

    return publish


def at(moment: int) -> Callable[[Json], Data]:
    """Nothing is published, and the alarm's last day began at this moment."""
    return lambda _: Data(DAY, began=moment - 60 * (DAY - 24 * 60))


ENDS = min(expiries_of(ROOT / AUTHORITIES).values())
A_DAY = 24 * 60 * 60
ONCE = Proof(loud=single(1), quiet=single(0))
"""One is one too many."""
SEVERAL = Proof(loud=single(1, 0, 1, 2, 3, 4), quiet=single(1, 0, 1, 2, 3))
LATE = Proof(loud=single(60_000), quiet=single(59_999, 0, 1, 2))
EVERY_MINUTE = range(10)

FUNCTIONS = (
    "StartStreaming",
    "StopStreaming",
    "AuthorizeWebhook",
    "StoreTranscript",
    "PublishUtterance",
    "ReconcileTranscript",
    "ReadTranscript",
    "HoldConversation",
    "FollowAgentEvents",
    "FollowContactEvents",
    "ExportUtterances",
    "AuthorizeLive",
    "PublishLive",
    "ReadLive",
    "EraseConversation",
)
DEAD_LETTERS = (
    "DeadLetters",
    "Unpublished",
    "ReconciliationDeadLetters",
    "AgentEventDeadLetters",
    "ContactEventDeadLetters",
    "ExportDeadLetters",
    "ErasureDeadLetters",
)
FLOWS = (
    "AgentWhisper",
    "CustomerWhisper",
    "CustomerHold",
    "Disconnect",
    "OutboundWhisper",
    "CustomerQueue",
    "AgentTransfer",
    "QueueTransfer",
)
CALLS = into("calls", 1, EVERY_MINUTE)
PROOFS_OF_API = {"ServerErrors": ONCE, "ClientErrors": SEVERAL}
PROOFS: dict[str, Proof] = {
    **{f"{name}{what}": ONCE for name in FUNCTIONS for what in ("Errors", "Throttles")},
    **dict.fromkeys(DEAD_LETTERS, ONCE),
    **{
        f"{name}FlowErrors": Proof(
            loud=single(1, 0, 3, 6, 9, 12), quiet=single(1, 0, 3, 6, 9, 15, 16)
        )
        for name in FLOWS
    },
    **{f"{name}FlowFatalErrors": ONCE for name in FLOWS},
    "WebhookThrottled": ONCE,
    **{f"Webhook{what}": PROOFS_OF_API[what] for what in PROOFS_OF_API},
    **{f"WebhookClientCertificate{what}": PROOFS_OF_API[what] for what in PROOFS_OF_API},
    **dict.fromkeys(
        (
            "WebhookDomainCertificateExpires",
            "ClientCertificateDomainCertificateExpires",
            "ClientCertificateDomainOwnershipCertificateExpires",
        ),
        Proof(loud=both(single(90, 23 * 60), single(29)), quiet=single(30, 0, 12 * 60)),
    ),
    "ClientCertificateDomainAuthorityExpires": Proof(
        loud=at(ENDS - 30 * A_DAY + 1), quiet=at(ENDS - 30 * A_DAY)
    ),
    "TokensRequested": Proof(loud=single(20, 0, 15, 30, 45, 59), quiet=single(20, 0, 15, 30, 45)),
    "QueueAge": Proof(loud=single(300), quiet=single(299, 0, 1, 2, 3, 4)),
    "NumbersNotRedacted": ONCE,
    "TranscriptionStopped": Proof(loud=single(1), quiet=single(0, 0, 1, 2, 3, 4)),
    "CallsRefused": SEVERAL,
    "RestartsRefused": ONCE,
    "CallsNotTranscribed": ONCE,
    "AsappLimitReached": ONCE,
    "ConversationsIncomplete": ONCE,
    "AgentEventsLate": LATE,
    "AgentEventsThrottled": ONCE,
    "EventBusLate": LATE,
    "UtterancesNotScreened": ONCE,
    "LiveEventsDropped": ONCE,
    "LiveEventsFailed": SEVERAL,
    "LiveReadsFailed": ONCE,
    "ExportLate": ONCE,
    "ExportSilent": Proof(
        loud=single(0, 26 * 60), quiet=single(0, 26 * 60 - 1), silence_rings=True
    ),
    "ReconciliationSilent": Proof(loud=single(0, 15), quiet=single(0, 14), silence_rings=True),
    "CallsNotStored": Proof(
        loud=both(CALLS, into("stopped", 0, EVERY_MINUTE)),
        quiet=both(CALLS, into("stopped", 0, EVERY_MINUTE), into("arrived", 1, range(9, 10))),
    ),
    "AgentEventsSilent": Proof(loud=CALLS, quiet=both(CALLS, into("arrived", 1, range(0, 10, 9)))),
}


def test_every_alarm_has_a_proof(alarms: dict[str, Json]) -> None:
    assert sorted(alarms) == sorted(PROOFS)


@pytest.mark.parametrize("name", PROOFS)
def test_an_alarm_rings_when_it_should_and_not_otherwise(
    name: str, alarms: dict[str, Json]
) -> None:
    alarm, proof = alarms[name], PROOFS[name]
    assert rings(alarm, proof.loud(alarm))
    assert not rings(alarm, proof.quiet(alarm))
    assert rings(alarm, Data(DAY)) is proof.silence_rings


@pytest.mark.parametrize(
    ("why", "data"),
    [
        ("no call", both(into("calls", 0, EVERY_MINUTE), into("stopped", 0, EVERY_MINUTE))),
        ("stopped by us", both(CALLS, into("stopped", 1, EVERY_MINUTE))),
        (
            "a call of nine minutes",
            both(
                into("calls", 1, range(9)),
                into("calls", 0, range(9, 10)),
                into("stopped", 0, EVERY_MINUTE),
            ),
        ),
        ("reconciliation does not run", into("arrived", 0, EVERY_MINUTE)),
    ],
)
def test_silence_has_good_reasons_too(
    why: str, data: Callable[[Json], Data], alarms: dict[str, Json]
) -> None:
    assert not rings(alarms["CallsNotStored"], data(alarms["CallsNotStored"])), why


def test_one_4xx_of_the_webhook_rings_nothing_and_one_429_or_5xx_does(
    alarms: dict[str, Json],
) -> None:
    once = {
        name: rings(alarms[name], single(1)(alarms[name]))
        for name in alarms
        if name.startswith("Webhook") and not name.endswith("Expires")
    }
    assert once == {
        "WebhookServerErrors": True,
        "WebhookThrottled": True,
        "WebhookClientErrors": False,
        "WebhookClientCertificateServerErrors": True,
        "WebhookClientCertificateClientErrors": False,
    }


def test_tokens_count_whatever_cognito_calls_itself_and_nothing_else_counts(
    alarms: dict[str, Json],
) -> None:
    """The spelling of the metric's other dimensions is not documented."""

    def rung(resource: str, service: str) -> bool:
        dimensions = {"Service": service, "Type": "API", "Resource": resource, "Class": "None"}
        metric = {
            "Namespace": "AWS/Usage",
            "MetricName": "CallCount",
            "Dimensions": [{"Name": name, "Value": each} for name, each in dimensions.items()],
        }
        return rings(alarms["TokensRequested"], Data(DAY).publish(named(metric), 100, DAY - 1))

    assert rung("ClientAuthentication", "Cognito user pool")
    assert rung("ClientAuthentication", "Cognito")
    assert not rung("UserAuthentication", "Cognito user pool")


def test_an_expired_certificate_has_no_data_and_goes_on_ringing(alarms: dict[str, Json]) -> None:
    kept = {name for name, each in alarms.items() if each.get("TreatMissingData") == "ignore"}
    expiring = {name for name in alarms if name.endswith("CertificateExpires")}
    assert len(expiring) == 3
    assert expiring < kept


def test_the_same_file_of_authorities_makes_the_same_alarm_on_every_day(
    alarms: dict[str, Json],
) -> None:
    (expression,) = (
        each["Expression"]
        for each in alarms["ClientCertificateDomainAuthorityExpires"]["Metrics"]
        if "Expression" in each
    )
    assert expression == "IF(EPOCH(days) > 4946839773, 1, 0)"
    assert datetime.fromtimestamp(4946839773 + 30 * A_DAY, UTC).isoformat() == (
        "2126-11-04T02:09:33+00:00"
    )


def test_every_alarm_notifies(alarms: dict[str, Json]) -> None:
    for name, alarm in alarms.items():
        assert len(alarm["AlarmActions"]) == 1, name
        assert alarm.get("ActionsEnabled", True), name


# The runbook

RUNBOOK = (ROOT / "docs" / "operate.md").read_text("utf-8")
SECTIONS = {
    anchor_of(heading): text
    for heading, text in re.findall(
        r"^### ([^\n]*)\n(.*?)(?=^###|\Z)",
        RUNBOOK.partition("\n## The alarms\n")[2].partition("\n## ")[0],
        re.M | re.S,
    )
}
"""The sections of the alarms, by their anchors."""


def names_in(section: str, alarms: dict[str, Json]) -> set[str]:
    """The alarms that a section is about: of its heading, its table or its list."""
    text = SECTIONS[section]
    named = set(re.findall(r"^\| `(\w+)` \|", text, re.M))
    for paragraph in re.findall(r"^Alarms: .*?\n\n", text, re.M | re.S):
        for name in re.findall(r"`(…?\w+)`", paragraph):
            end = name.removeprefix("…")
            named |= {each for each in alarms if each.endswith(end)} if name != end else {name}
    return named or {each for each in alarms if each.lower() == section}


def test_each_alarm_links_to_its_section_and_each_section_is_about_its_alarms(
    alarms: dict[str, Json],
) -> None:
    linked: dict[str, set[str]] = {}
    for name, alarm in alarms.items():
        link = re.fullmatch(r"[^#]+\. docs/operate\.md#([\w-]+)", alarm["AlarmDescription"])
        assert link, alarm["AlarmDescription"]
        assert len(alarm["AlarmDescription"]) <= 1024
        linked.setdefault(link[1], set()).add(name)
    assert linked == {section: names_in(section, alarms) for section in SECTIONS}


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_says_who_is_affected_whether_to_wake_whose_it_is_and_where_to_look(
    section: str,
) -> None:
    text = SECTIONS[section]
    assert re.search("affected now", text, re.I)
    assert re.search(r"\b(wake|wait)\b", text, re.I)
    assert re.search(r"\b(us|ASAPP|Connect)\b", text)
    assert re.search(r"^```sh\naws ", text, re.M)


def test_the_commands_name_outputs_of_the_stack_that_they_ask(
    everything: Transcription, live: Json
) -> None:
    outputs = {"transcription": everything.template["Outputs"], "live": live["Outputs"]}
    command = r"\$\((?:STACK=autotranscribe-prod-(\w+) )?(?:output|arn_of) (\w+)\)"
    guides = [file.read_text("utf-8") for file in sorted((ROOT / "docs").glob("*.md"))]
    asked = {found for guide in guides for found in re.findall(command, guide)}
    assert len(asked) > 15
    assert {stack for stack, _ in asked} == {"", "live"}
    assert [each for each in asked if each[1] not in outputs[each[0] or "transcription"]] == []


def test_the_tables_name_outputs_that_the_stacks_have(
    everything: Transcription, live: Json
) -> None:
    used = set(re.findall(r"`(\w+(?:Logs|Url|Function|Name))`", RUNBOOK))
    assert len(used) > 20
    assert used <= {*everything.template["Outputs"], *live["Outputs"]}


def test_every_log_queue_and_table_is_an_output(everything: Transcription) -> None:
    values = [json.dumps(each["Value"]) for each in everything.template["Outputs"].values()]
    kinds = (
        "AWS::Logs::LogGroup",
        "AWS::SQS::Queue",
        "AWS::DynamoDB::Table",
        "AWS::SSM::Parameter",
    )
    for name, each in everything.template["Resources"].items():
        if each["Type"] in kinds:
            assert json.dumps({"Ref": name}) in values, name
