"""``make erase-restored``: a restored table has nothing of what was erased since, and all of the
rest."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.tools.test_make import make
from tests.unit.erasure.fakes import DynamoDb, Killer, refused
from tests.unit.erasure.histories import Both
from tests.unit.erasure.stores import Call, Stores
from tools.erase.restored import main


class Account:
    """An account with the environment's stack, and a table that was restored to the moment before
    a call was erased."""

    def __init__(self) -> None:
        self.stores = Stores.in_process()
        self.erased, self.other = Call(1), Call(2)
        for call in (self.erased, self.other):
            self.stores.start(call)
            self.stores.look(call)
            self.stores.post(call.message(0), call.message(1))
        self.restored = DynamoDb(Killer())
        self.restored.items = copy.deepcopy(self.stores.dynamodb.items)
        self.stores.erase({"contact": self.erased.id})
        self.outputs = {"TableName": "table", "ReceiptsBucket": self.stores.receipts}

    def client(self, service: str, **_: Any) -> Any:
        both = Both(self.stores.dynamodb, self.restored)
        return {"cloudformation": self, "dynamodb": both, "s3": self.stores.s3}[service]

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        assert StackName == "autotranscribe-dev-transcription"
        outputs = [{"OutputKey": k, "OutputValue": v} for k, v in self.outputs.items()]
        return {"Stacks": [{"Outputs": outputs}]}

    def run(self, *arguments: str) -> int:
        return main(arguments or ("dev", "restored"), self.client)

    def of(self, call: Call) -> dict[tuple[str, str], Any]:
        """What the restored table has of a call."""
        return {
            key: item
            for key, item in self.restored.items.items()
            if key[0] in (call.id, call.leg) or key[1] == f"call#{call.id}"
        }


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.mark.parametrize("lost", [False, True], ids=["by tombstones", "by receipts alone"])
def test_what_was_erased_since_is_erased_and_all_else_stays(
    account: Account, capsys: pytest.CaptureFixture[str], lost: bool
) -> None:
    before = account.of(account.other)
    assert len(account.of(account.erased)) == len(before) > 5
    if lost:
        account.stores.dynamodb.scan_pages = not_found
    assert account.run() == 0
    said = capsys.readouterr().out
    assert ("table is not there: the receipts say what was erased" in said) == lost
    assert "restored: 2 partitions of erased calls are erased again" in said
    left = str(account.restored.items)
    assert [mark for mark in account.erased.marks if mark in left] == []
    assert account.of(account.other) == before
    tombstones = [] if lost else [(account.erased.id, "conversation")]
    tombstones += [] if lost else [(account.erased.leg, "conversation")]
    assert sorted(account.of(account.erased)) == tombstones
    assert account.run() == 0  # run again, it is the same
    assert sorted(account.of(account.erased)) == tombstones


def not_found(**_: Any) -> Any:
    raise refused("ResourceNotFoundException")


def test_the_environments_own_table_is_refused(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    before = copy.deepcopy(account.stores.dynamodb.items)
    assert account.run("dev", "table") == 2
    assert "is the environment's own table: name the restored one" in capsys.readouterr().err
    assert account.stores.dynamodb.items == before


def test_a_wrong_environment_and_what_aws_refuses_are_said(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    assert account.run("nowhere", "restored") == 2
    assert "nowhere" in capsys.readouterr().err
    account.restored.scan_pages = not_found  # type: ignore[method-assign]
    assert account.run() == 1
    assert "AWS refused it" in capsys.readouterr().err
    account.outputs.pop("ReceiptsBucket")
    assert account.run() == 1
    assert "has no output ReceiptsBucket: deploy this version" in capsys.readouterr().err


def test_make_wants_the_tables_name() -> None:
    code, said = make("erase-restored", "ENV=dev")
    assert (code, said.splitlines()[0]) == (
        2,
        "Name the restored table: TABLE=transcripts-restored",
    )
