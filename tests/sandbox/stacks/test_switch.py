"""One switch stops all transcription, through the deployed stacks."""

from __future__ import annotations

import time
from typing import Any

import pytest

from sandbox.asapp.conversations import load_all
from sandbox.connect.contact import lambda_event
from sandbox.demo.played_call import AGENT_WHISPER, Call
from sandbox.stacks.running import Sandbox
from shared import table
from tools.switch.__main__ import main
from tools.switch.switch import KEPT_SECONDS


def test_stop_all_stops_the_calls_that_run_and_lets_none_start_until_it_is_taken_back(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment = sandbox.deployment

    def client(service: str, **_: Any) -> Any:
        return deployment.emulator.client(service)

    def start(call: Call) -> dict[str, str]:
        event = lambda_event(call.contact, {"customerId": "+15550100142", "agentId": "ada"})
        answer: dict[str, str] = deployment.invoke(
            deployment.function_arn("StartStreaming"), event, 120
        )
        return answer

    running, late = (Call(deployment, sandbox.asapp, load_all()[0], 1) for _ in range(2))
    running.run(AGENT_WHISPER)
    guid = running.contact.contact_id
    assert len(sandbox.asapp.successful_starts(guid)) == 1
    try:
        assert main(["stop", "sandbox", "--approval", "never"], client=client) == 0
        said = capsys.readouterr().out
        assert "transcription is enabled" in said.splitlines()[0]
        assert f"{guid}: stopped" in said
        (conversation,) = (
            item for item in deployment.conversation(guid) if item[table.ITEM] == "conversation"
        )
        assert conversation["asapp"] == "stopped"
        late.run(AGENT_WHISPER)
        assert start(late)["status"] == "disabled"
        assert not sandbox.asapp.successful_starts(late.contact.contact_id)
    finally:
        assert main(["resume", "sandbox", "--approval", "never"], client=client) == 0
        time.sleep(KEPT_SECONDS + 1)  # no process of another test keeps the old value
    assert start(late)["status"] == "started"
    (resumed,) = sandbox.asapp.successful_starts(late.contact.contact_id)
    assert resumed.json()["amazonConnectParams"]["startSelectorType"] == "NOW"
