"""Many calls through the functions on real sockets, and a long one through the deployed stacks."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings

from sandbox.stacks.running import Sandbox
from tests.sandbox.stacks.test_deployed_reconciliation import complete_by_the_batch
from tests.sandbox.stacks.test_reconciliation import (
    Functions,
    check_calls,
    check_plan,
    emulator,
    functions,
    inbox,
    plans,
)

__all__ = ["emulator", "functions", "inbox"]


def test_200_calls_of_which_a_tenth_was_lost_are_what_was_said(functions: Functions) -> None:
    calls = check_calls(functions, 200)
    posts = [post for call in calls for post in call.posts]
    assert 0.08 < sum(call.dropped for call in calls) / len(posts) < 0.12
    assert 0.07 < sum(len(post.sent) > 1 for post in posts) / len(posts) < 0.13


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@plans
def test_whatever_the_plan_every_conversation_is_what_was_said(
    functions: Functions, **plan: Any
) -> None:
    check_plan(functions, **plan)


def test_a_conversation_of_2500_utterances_is_completed_by_the_batch(sandbox: Sandbox) -> None:
    complete_by_the_batch(sandbox, 2_500, 1_000)
