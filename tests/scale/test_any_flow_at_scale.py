"""The properties of ``tests/flows/weave/test_any_flow.py`` with thousands of random flows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.flows.weave import test_any_flow as woven
from tests.flows.weave.test_any_flow import cases, flows

PROPERTIES: dict[str, tuple[Any, tuple[st.SearchStrategy[Any], ...]]] = {
    "as asked or refused": (
        woven.test_any_flow_is_woven_as_asked_and_only_so_or_refused_with_reason,
        (cases(),),
    ),
    "outbound whisper": (
        woven.test_any_outbound_whisper_starts_in_every_call_and_in_none_before_it_is_placed,
        (flows("OUTBOUND_WHISPER"),),
    ),
    "same path": (
        woven.test_any_call_takes_the_same_path_through_the_flow_as_before,
        (
            cases(),
            st.sampled_from(["", "gold", "x"]),
            st.randoms(use_true_random=False),
            st.booleans(),
        ),
    ),
    "no other error": (
        woven.test_whatever_is_wrong_with_a_flow_is_a_refusal_and_no_other_error,
        (cases(), st.data()),
    ),
}


@pytest.mark.parametrize("name", PROPERTIES)
def test_of_three_thousand_random_flows_each_is_woven_rightly(name: str) -> None:
    test, made = PROPERTIES[name]
    many = settings(
        max_examples=3_000,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    seed(1)(many(given(*made)(test.hypothesis.inner_test)))()
