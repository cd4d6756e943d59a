"""Functions, drafts, and flows that nothing names."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from connect_flows.audit.audit import audit
from connect_flows.audit.instance import AuditedFlow
from tests.flow_builders import START_ARN, STOP_ARN, action, blocks, flow, invoke
from tests.flows.audit.auditing import GOOD, WHISPER, WHISPERED, audited, found, instance_of, own

UNALIASED = STOP_ARN.rpartition(":")[0]


@pytest.mark.parametrize(
    ("arn", "kind"),
    [
        (STOP_ARN, None),
        (STOP_ARN.replace("us-east-1", "$.AwsRegion"), None),
        (STOP_ARN.replace("us-east-1", "$['AwsRegion']"), None),
        (UNALIASED.replace("us-east-1", "$.AwsRegion"), "function-not-our-alias"),
        (UNALIASED, "function-not-our-alias"),
        (f"{UNALIASED}:$LATEST", "function-not-our-alias"),
        (f"{UNALIASED}:7", "function-not-our-alias"),
        (f"{UNALIASED}:other", "function-not-our-alias"),
        (STOP_ARN.replace("111122223333", "444455556666"), "function-of-another-account"),
        (STOP_ARN.replace("us-east-1", "us-west-2"), "function-of-another-account"),
        (own("crm").replace("111122223333", "444455556666"), "function-of-another-account"),
        (own("crm"), "function-not-associated"),
    ],
)
def test_a_function_that_cannot_be_invoked_is_found_once(arn: str, kind: str | None) -> None:
    content = copy.deepcopy(WHISPERED)
    content["Actions"].insert(0, invoke("Do", "Set whisper", arn, failed="Set whisper"))
    content["StartAction"] = "Do"
    expected = [(kind, "main", "Do", "LambdaFunctionARN")] if kind else []
    assert audited(GOOD | {"main": ("CONTACT_FLOW", content)}) == expected


def test_functions_are_not_looked_for_if_nobody_knows_which_may_be_invoked() -> None:
    content = copy.deepcopy(WHISPERED)
    content["Actions"].insert(0, invoke("Do", "Set whisper", own("crm")))
    content["StartAction"] = "Do"
    assert audited(GOOD | {"main": ("CONTACT_FLOW", content)}, functions=None) == []


def _draft(**parameters: Any) -> dict[str, Any]:
    draft = copy.deepcopy(WHISPERED)
    blocks(draft)["Set whisper"]["Parameters"] |= parameters
    return draft


def test_a_draft_with_another_parameter_is_found_with_its_block() -> None:
    report = audit(instance_of(GOOD, drafts={"main": _draft(EventHooks={"AgentHold": "x"})}))
    assert found(report) == [("draft-differs", "main", "Set whisper", "Save and Publish")]


def test_a_draft_that_only_moves_blocks_is_no_difference() -> None:
    draft = copy.deepcopy(WHISPERED)
    draft["Metadata"]["ActionMetadata"]["Queue"]["position"] = {"x": 1, "y": 2}
    draft["Metadata"] |= {"Annotations": [{"id": "a"}], "snapToGrid": True}
    draft["Actions"].reverse()
    assert audited(GOOD, drafts={"main": draft}) == []


def test_a_flow_that_was_never_published_is_a_note() -> None:
    instance = instance_of(GOOD)
    young = AuditedFlow("y", "young", "CONTACT_FLOW", None, WHISPERED, unread="it is new")
    report = audit(type(instance)(**vars(instance) | {"flows": {**instance.flows, "y": young}}))
    assert found(report) == []
    assert report.notes == [
        "young was never published, so no call meets it: publish it, or delete it"
    ]


def test_a_flow_of_ours_that_nothing_names_is_found() -> None:
    flows = GOOD | {"late": ("OUTBOUND_WHISPER", WHISPER)}
    assert audited(flows) == [
        ("named-by-nothing", "late", "", "Outbound whisper flow of the queue")
    ]


def test_a_flow_that_only_names_itself_is_named_by_nothing() -> None:
    again = action("Again", "TransferToFlow", {"ContactFlowId": "self"}, NextAction="Stop")
    content = flow(again, invoke("Stop", "Again", STOP_ARN))
    assert [each[:2] for each in audited(GOOD | {"self": ("CONTACT_FLOW", content)})] == [
        ("named-by-nothing", "self")
    ]


def test_what_is_not_always_needed_is_a_note_if_nothing_names_it() -> None:
    spare = {
        "module": ("MODULE", WHISPER),
        "waits": ("CUSTOMER_QUEUE", flow(invoke("Stop", "", START_ARN))),
        "customer": ("CUSTOMER_WHISPER", WHISPER),
    }
    report = audit(instance_of(GOOD | spare))
    assert found(report) == []
    assert [note.split("'")[1] for note in report.notes] == ["module", "waits", "customer"]
