"""``make erase``: what is said, asked and called, and what is there afterwards."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from tests.unit.erasure.fakes import refused
from tests.unit.erasure.stores import LEGAL, Call, Stores
from tools.erase.__main__ import main

FUNCTION = "erase-conversation"


class Account:
    """An account with the stack's outputs and its function, on the stores of this process."""

    def __init__(self) -> None:
        self.stores = Stores.in_process()
        self.outputs = {"EraseFunction": FUNCTION, "ReceiptsBucket": self.stores.receipts}
        self.events: list[dict[str, Any]] = []
        self.failing = ""
        self.interrupted = False
        self.may_read = True
        self.meanwhile: Callable[[], object] = lambda: None
        self.before_it_begins: Callable[[], object] = lambda: None
        self.questions: list[str] = []

    def client(self, service: str, **_: Any) -> Any:
        return {"cloudformation": self, "lambda": self, "s3": self}[service]

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        assert StackName == "autotranscribe-dev-transcription"
        outputs = [{"OutputKey": k, "OutputValue": v} for k, v in self.outputs.items()]
        return {"Stacks": [{"Outputs": outputs}]}

    def invoke(self, FunctionName: str, Payload: str) -> dict[str, Any]:
        assert FunctionName == FUNCTION
        event = json.loads(Payload)
        self.events.append(event)
        if "running" in event:
            self.before_it_begins()
        if self.failing == "BadKey" and "running" in event:
            body = json.dumps({"errorType": self.failing}).encode()
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(body)}
        answer = self.stores.ask(event)
        if self.failing == "no answer" and "running" in event:
            raise ReadTimeoutError(endpoint_url="https://lambda.example")
        if self.failing and "running" in event:
            body = json.dumps({"errorType": self.failing}).encode()
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(body)}
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        if not self.may_read:
            raise refused("AccessDenied")
        try:
            return self.stores.s3.get_object(Bucket=Bucket, Key=Key)  # type: ignore[no-any-return]
        except Exception:
            raise refused("AccessDenied") from None  # who may not list learns no more

    def sleep(self, seconds: float) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        self.meanwhile()
        self.stores.minute(max(seconds, 300.0))

    def erase(self, *arguments: str, answer: str = "yes") -> int:
        def ask(question: str) -> str:
            self.questions.append(question)
            if not answer:
                raise EOFError
            return answer

        return main(["dev", *arguments], self.client, ask, self.sleep)


@pytest.fixture
def account() -> Account:
    return Account()


def put(account: Account, *numbers: int) -> list[Call]:
    made = [Call(number, utterances=2) for number in numbers]
    for call in made:
        call.customer = "+15559990000"
        account.stores.start(call)
        account.stores.look(call)
        account.stores.post(call.message(0))
    account.stores.export(made)
    account.stores.stream()
    return made


def gone(account: Account, call: Call) -> bool:
    everything = account.stores.everything()
    return not any(mark in everything for mark in call.marks)


def test_it_says_what_would_go_asks_erases_and_prints_the_receipt(
    account: Account, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (call,) = put(account, 1)
    file = tmp_path / "receipt.json"
    assert account.erase("--contact", call.leg, "--json", str(file)) == 0
    assert gone(account, call)
    said = capsys.readouterr().out
    assert account.questions == ["Erase 1 for good? [yes/no] "]
    assert "c-1 (ended): 1 utterance of 5 items in the table, 1 more contact" in said
    assert "External conversation ids:\n  c-1\n" in said
    assert "is looked for again" in said
    receipt = json.loads(file.read_text("utf-8"))
    assert receipt == account.stores.receipt()
    assert f"Receipt {receipt['receipt']}" in said
    assert said.endswith(f"s3://{account.stores.receipts}/receipts/{receipt['receipt']}.json\n")
    # Run again, it shows the same receipt, and asks nobody.
    assert account.erase("--contact", call.id) == 0
    assert len(account.questions) == 1
    assert f"Receipt {receipt['receipt']}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "answer", "why"),
    [
        ([], "no", "nothing was changed"),
        ([], "", "add CONFIRM=2, the number of calls"),
        (["--confirm", "1"], "yes", "CONFIRM=1, and there are 2 calls"),
    ],
)
def test_nothing_is_changed_unless_somebody_agrees_to_what_was_said(
    account: Account,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    answer: str,
    why: str,
) -> None:
    calls = put(account, 1, 2)
    before = account.stores.everything()
    assert account.erase("--customer", calls[0].customer, *arguments, answer=answer) == 1
    assert why in capsys.readouterr().out
    assert account.stores.everything() == before


def test_a_customer_is_erased_without_a_question_if_the_number_of_calls_is_confirmed(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = put(account, 1, 2)
    assert account.erase("--customer", calls[0].customer, "--confirm", "2") == 0
    assert all(gone(account, call) for call in calls)
    assert account.questions == []
    assert calls[0].customer not in capsys.readouterr().out


def test_after_ctrl_c_it_goes_on_by_itself_and_can_be_looked_at_again(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    (call,) = put(account, 1)
    account.interrupted = True
    assert account.erase("--contact", call.id) == 130
    said = capsys.readouterr().out
    assert "goes on by itself. Run the same command to see how far it is" in said
    assert f"s3://{account.stores.receipts}/receipts/" in said
    account.interrupted = False
    assert account.erase("--contact", call.id) == 0
    assert len(account.questions) == 1


@pytest.mark.parametrize(
    ("failing", "why"), [("NotErased", "NotErased"), ("no answer", "its answer did not come")]
)
def test_a_function_that_fails_on_the_way_goes_on_by_itself(
    account: Account, capsys: pytest.CaptureFixture[str], failing: str, why: str
) -> None:
    (call,) = put(account, 1)
    account.failing = failing
    assert account.erase("--contact", call.id) == 0
    assert f"it is not done at once ({why}), and goes on by itself" in capsys.readouterr().out
    assert gone(account, call)


def test_a_function_that_fails_before_it_begins_has_changed_nothing(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    (call,) = put(account, 1)
    account.failing = "BadKey"
    before = account.stores.everything()
    assert account.erase("--contact", call.id, "--confirm", "1") == 1
    said = capsys.readouterr()
    assert "the function failed (BadKey): its log has more" in said.err
    assert "goes on by itself" not in said.out
    assert account.stores.everything() == before


def another_of(call: Call) -> Call:
    """Another call of the same customer."""
    again = Call(7)
    again.customer = call.customer
    return again


def test_a_customer_who_calls_before_it_begins_is_asked_for_again(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is erased is what somebody has agreed to."""
    (call,) = put(account, 1)
    again = another_of(call)

    def calls_again() -> None:
        if not account.stores.has(again.id, "version"):
            account.stores.start(again)
            assert account.stores.has(call.id, "version")

    account.before_it_begins = calls_again
    assert account.erase("--customer", call.customer) == 0
    assert account.questions == ["Erase 1 for good? [yes/no] ", "Erase 2 for good? [yes/no] "]
    said = capsys.readouterr().out
    assert "these are other calls by now. Do not send the list above.\n\n2 calls:\n" in said
    assert "External conversation ids:\n  c-1\n  c-7\n" in said
    assert gone(account, call)
    assert gone(account, again)


def test_with_a_number_of_calls_that_is_not_right_any_more_nothing_is_erased(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    (call,) = put(account, 1)
    again = another_of(call)
    account.before_it_begins = lambda: account.stores.start(again)
    assert account.erase("--customer", call.customer, "--confirm", "1") == 1
    assert "nothing was changed: CONFIRM=1, and there are 2 calls" in capsys.readouterr().out
    assert not gone(account, call)


def test_who_may_not_read_the_receipt_is_told_that_it_is_erased_all_the_same(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    (call,) = put(account, 1)
    account.may_read = False
    for _ in range(2):  # the second time it was erased before
        assert account.erase("--contact", call.id) == 1
        said = capsys.readouterr().out
        assert "it is erased; its receipt at s3://receipts-table/receipts/" in said
        assert "cannot be read: AccessDenied.\nRun the same command as somebody who may" in said
        assert "Nothing was erased" not in said
    assert gone(account, call)


def test_a_call_that_is_held_before_its_end_comes_is_said_not_to_be_erased(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    call = running(account)
    account.meanwhile = lambda: account.stores.change(call.id, heldBy=LEGAL)
    assert account.erase("--contact", call.id, "--when", "ended") == 1
    assert capsys.readouterr().out.endswith("goes on. Nothing was erased\n")
    assert not gone(account, call)


def test_a_customer_who_calls_while_it_is_erased_gets_the_receipt_of_what_was_agreed(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    (call,) = put(account, 1)
    again = another_of(call)

    def calls_again() -> None:
        if not account.stores.has(again.id, "version"):
            account.stores.start(again)

    account.meanwhile = calls_again
    assert account.erase("--customer", call.customer) == 0
    assert "The receipt: s3://" in capsys.readouterr().out
    assert not gone(account, again)


def running(account: Account) -> Call:
    (call,) = put(account, 1)
    now = account.stores.clock.now_ms()
    account.stores.change(call.id, state="streaming", changedAt=now)
    return call


def held(account: Account) -> Call:
    (call,) = put(account, 1)
    account.stores.change(call.id, heldBy="arn:aws:iam::111111111111:role/legal")
    return call


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (running, "add STOP=1 (it is stopped first) or WHEN=ended"),
        (held, "arn:aws:iam::111111111111:role/legal holds it; it is under legal hold"),
        (lambda _: Call(7), "nothing is stored of it"),
    ],
)
def test_what_speaks_against_it_is_said_and_nothing_is_changed(
    account: Account,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[Account], Call],
    why: str,
) -> None:
    call = make(account)
    before = account.stores.everything()
    assert account.erase("--contact", call.id) == 1
    assert why in capsys.readouterr().out
    assert account.stores.everything() == before
    assert not any("running" in event for event in account.events)


def test_a_call_that_was_held_is_erased_once_the_hold_is_lifted(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    (call,) = put(account, 1)
    account.stores.hold(call)
    held = [
        item for item in account.stores.items() if item["conversationId"] in (call.id, call.leg)
    ]
    assert held
    assert not any("expiresAt" in item for item in held)
    assert account.erase("--contact", call.leg) == 1
    assert f"{LEGAL} holds it" in capsys.readouterr().out
    assert not gone(account, call)
    account.stores.hold(call, "DELETE")
    assert account.erase("--contact", call.leg) == 0
    assert gone(account, call)


def test_a_call_that_goes_on_is_stopped_if_that_is_said(account: Account) -> None:
    call = running(account)
    assert account.erase("--contact", call.id, "--stop") == 0
    assert gone(account, call)
    assert len(account.stores.stop.stops) == 1


def test_a_stack_without_the_function_and_an_unknown_environment_say_so(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.outputs.clear()
    assert account.erase("--contact", "c-1") == 1
    assert "has no output EraseFunction, ReceiptsBucket: deploy" in capsys.readouterr().err
    assert main(["nowhere", "--contact", "c-1"], account.client) == 2
    with pytest.raises(SystemExit) as ended:
        main(["dev"], account.client)
    assert ended.value.code == 2
