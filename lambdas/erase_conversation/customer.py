"""A customer's calls, erased together, with one receipt."""

from __future__ import annotations

from dataclasses import replace

from erase_conversation.erasure import Erasure
from erase_conversation.records import AGAIN, ASKED, ERASED, WAITS, Erasing
from erase_conversation.time_check import check_time
from shared.calls.customers import customers_of
from shared.runtime import Deadline

_A_MINUTE_MS = 60_000
MOST_CALLS = 8_000
"""Their ids have to fit into an item. Whoever has more is erased in several times."""


def calls_of_customer(
    customer_id: str, erasure: Erasure, deadline: Deadline
) -> tuple[list[str], list[str]]:
    """:param customer_id: As ASAPP was told it.
    :returns: The ids of the customer's calls, and the customer's digests, the current one first.
    """
    digests = erasure.digests.of(customer_id, deadline)
    found = {
        conversation_id
        for conversation_id, item in (*erasure.records.not_looked_at(), *erasure.records.held())
        if customer_id in customers_of(item)
    }
    # Last: reconciliation enters a call before it takes the call out of the other index.
    return sorted(found | erasure.records.calls_of(digests)), digests


def go_on_with_customer(customer: Erasing, erasure: Erasure, deadline: Deadline) -> None:
    """Ask for each call's erasure; once all are done, write the receipt.

    :param customer: This run has its lease.
    """
    records, clock = erasure.records, deadline.clock
    calls = [str(each) for each in customer.plan["calls"]]
    if customer.step == ASKED:
        for call in calls:
            check_time(deadline)
            records.ask(
                Erasing(
                    partition=call,
                    erasure=customer.erasure,
                    asked_at_ms=customer.asked_at_ms,
                    of=customer.partition,
                    running=customer.running,
                    customers=customer.customers,
                )
            )
        records.save(replace(customer, step=ERASED), clock.now_ms() + _A_MINUTE_MS)
        return
    if customer.step == ERASED:
        found: list[Erasing] = []
        for call in calls:
            check_time(deadline)
            each = records.erasing(call)
            if each is None or each.of != customer.partition:
                continue  # it is erased by itself, with a receipt of its own
            if each.step != WAITS:
                records.save(customer, clock.now_ms() + _A_MINUTE_MS)
                return
            found.append(each)
        erasure.write_receipt(customer.erasure, customer.asked_at_ms, found)
        customer = replace(customer, step=AGAIN)
        records.save(customer, clock.now_ms())
    for call in calls:
        check_time(deadline)
        each = records.erasing(call)
        if each and each.of == customer.partition:
            records.forget([call])
    records.save(replace(customer, step=WAITS, plan={}, customers=frozenset()), None)
