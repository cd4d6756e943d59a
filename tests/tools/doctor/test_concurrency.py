"""Whether the account has room for what Lambda shall keep for calls."""

from __future__ import annotations

from .conftest import Doctor
from .fake_aws import Account, resource

CHECK = "Lambda concurrency"


def limits(limit: int, unreserved: int) -> dict[str, int]:
    return {"ConcurrentExecutions": limit, "UnreservedConcurrentExecutions": unreserved}


def test_an_account_with_room(doctor: Doctor, account: Account) -> None:
    account.concurrency = limits(1000, 130)
    run = doctor()
    assert run.code == 0
    assert "30 of 1000 are reserved; 100 are left" in run.finding("well", CHECK)


def test_a_reservation_that_leaves_less_than_a_hundred_to_others(
    doctor: Doctor, account: Account
) -> None:
    account.concurrency = limits(1000, 129)
    run = doctor()
    assert run.code == 1
    finding = run.finding("problem", CHECK, "AWS refuses to reserve 30 of 129")
    assert "--quota-code L-B99A9384 --desired-value 1001 --region" in finding
    assert "or write capacity.reserve = false" in finding


def test_a_new_account(doctor: Doctor, account: Account) -> None:
    account.concurrency = limits(10, 10)
    run = doctor()
    assert "--desired-value 130" in run.finding("problem", CHECK, "reserve 30 of 10")


def test_what_ours_have_reserved_already_does_not_count_twice(
    doctor: Doctor, account: Account
) -> None:
    account.concurrency = limits(1000, 100)
    account.stacks["autotranscribe-prod-transcription"] = [
        resource("AWS::Lambda::Function", name) for name in ("start", "stop", "authorize", "store")
    ]
    account.reserved = {"start": 10, "stop": 10, "authorize": 10}
    assert "100 are left to other functions" in doctor().finding("well", CHECK)


def test_nothing_reserved_is_a_warning_that_says_what_it_risks(
    doctor: Doctor, account: Account
) -> None:
    run = doctor(capacity__reserve=False)
    assert run.code == 0
    finding = run.finding("warning", CHECK, "nothing is reserved")
    assert "Calls then have no transcript" in finding
    assert "write capacity.reserve = true" in finding
    assert "service-quotas" not in finding


def test_nothing_reserved_where_there_is_no_room_asks_for_more_first(
    doctor: Doctor, account: Account
) -> None:
    account.concurrency = limits(10, 10)
    run = doctor(capacity__reserve=False, capacity__store_transcript=10)
    assert run.code == 0
    assert "--desired-value 130" in run.finding("warning", CHECK, "nothing is reserved")
    assert "a backlog can take all" in run.finding("warning", CHECK, "10 invocations at a time")
