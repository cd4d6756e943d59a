"""Who may delete what was said, of all stacks of all environments."""

from __future__ import annotations

import re
from pathlib import Path

POLICIES = Path(__file__).with_name("policies.txt")
"""Another test compares it with the templates."""
DELETING = re.compile(
    r" (dynamodb:(?:BatchWriteItem|Delete\w*|PartiQL\w*)|(?:s3|connect):Delete\w*|\w+:\*)(?= )"
)


def test_only_the_eraser_may_delete_but_for_four_exceptions() -> None:
    """IAM cannot tell the deletes of BatchWriteItem from its writes; the export deletes its own
    marks, and the page its own files."""
    found = {
        (line.partition(": may ")[0].partition("/")[2].removesuffix("RoleDefaultPolicy"), action)
        for line in POLICIES.read_text("utf-8").splitlines()
        if ": may " in line and " may not " not in line
        for action in DELETING.findall(line)
    }
    eraser = "ConversationErasureEraseConversation"
    assert found == {
        (eraser, "connect:DeleteContactData"),
        (eraser, "dynamodb:BatchWriteItem"),
        (eraser, "s3:DeleteObject"),
        ("LivePagePutPage", "s3:DeleteObject"),
        ("TranscriptReconciliationReconcileTranscript", "dynamodb:BatchWriteItem"),
        ("TranscriptWebhookStoreTranscript", "dynamodb:BatchWriteItem"),
        ("UtteranceExportExportUtterances", "s3:DeleteObject"),
    }
