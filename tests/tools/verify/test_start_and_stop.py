"""What `make verify` says of functions that answer otherwise than they must."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tools.verify.account import Account
from tools.verify.checks import calls

from .conftest import stack_of

OUTPUTS = {
    "StartFunction": "arn:aws:lambda:eu-central-1:333333333333:function:start:live",
    "StopFunction": "arn:aws:lambda:eu-central-1:333333333333:function:stop:live",
    "StartStreamingLogs": "the-log-group-of-start",
    "StopStreamingLogs": "the-log-group-of-stop",
}


def test_the_remedy_names_the_log_group_of_the_function(
    deployed: Callable[..., Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    """CloudFormation names it, so it is not `/aws/lambda/` and the function's name."""

    def answers(_account: Account, arn: str, _event: Any) -> dict[str, Any]:
        return {"status": "unavailable"} if ":start:" in arn else {"error": "Runtime.ExitError"}

    monkeypatch.setattr(calls, "invoked", answers)
    found = [*calls.start_and_stop(deployed(stack_of({}, {}, OUTPUTS)))]
    assert [(each.what, each.remedy) for each in found] == [
        (
            "StartFunction: not no_media_stream, but status unavailable",
            "aws logs tail the-log-group-of-start",
        ),
        (
            "StopFunction: not already_stopped, but error Runtime.ExitError",
            "aws logs tail the-log-group-of-stop",
        ),
    ]
