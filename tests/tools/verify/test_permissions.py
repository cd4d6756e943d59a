"""What `make verify` may call, and what its page asks for."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tools.connect_reader import actions
from tools.verify.account import READS, WRITES
from tools.verify.checks.instance import OPERATIONS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "verify.md").read_text("utf-8")


def test_the_page_allows_exactly_what_is_called() -> None:
    policy = json.loads(PAGE.partition("```json")[2].partition("```")[0])
    allowed = [action for each in policy["Statement"] for action in each["Action"]]
    called = {*READS.values(), *WRITES.values(), *actions(*OPERATIONS).values()}
    assert sorted(allowed) == sorted({*called, "execute-api:Invoke"})


def test_every_call_is_made_somewhere() -> None:
    files = [*(ROOT / "tools" / "verify").rglob("*.py"), *(ROOT / "tools" / "doctor").rglob("*.py")]
    files += (ROOT / "tools" / "rollback").glob("*.py")
    sources = "".join(file.read_text("utf-8") for file in files if file.name != "account.py")
    sources += (ROOT / "tools/verify/account.py").read_text("utf-8").partition("GUIDE =")[2]
    uncalled = {
        operation
        for _, operation in READS | WRITES
        if not re.search(rf'"{operation}"', sources) and operation not in ALONG
    }
    assert uncalled == set()


ALONG = {"tag_queue", "tag_resource"}
"""What IAM asks for too where a queue or a rule is made with a tag."""


def test_what_only_reads_is_named_so() -> None:
    reads = ("describe_", "get_", "list_", "query", "simulate_")
    assert all(operation.startswith(reads) for _, operation in READS)
    assert not any(operation.startswith(reads) for _, operation in WRITES)
