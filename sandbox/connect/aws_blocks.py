"""The two blocks through which a flow reaches AWS: media streaming and the Lambda block."""

from __future__ import annotations

import json
import uuid
from typing import Any

from connect_flows.action_rules import MAX_LAMBDA_SECONDS
from connect_flows.rules import MAX_LAMBDA_CHAIN_SECONDS
from sandbox.connect.contact import MediaStream, lambda_event
from sandbox.connect.flow_outcome import (
    Action,
    BlockFailed,
    FlowError,
    Outcome,
    leads_on,
    parameter,
)
from sandbox.connect.flow_state import FlowState, LambdaFailed
from sandbox.connect.flow_values import look_up

MAX_LAMBDA_TRIES = 4
MAX_LAMBDA_ANSWER_BYTES = 32 * 1024


def media_streaming(state: FlowState, action: Action) -> Outcome:
    wanted = parameter(action, "MediaStreamingState")
    (customer, *others) = parameter(action, "Participants")
    directions = set(customer.get("MediaDirections") or ())
    if others or not directions or not directions <= {"From", "To"}:
        raise FlowError(
            f"{action['Identifier']!r}: Participants is the Customer, with From, To or both"
        )
    contact = state.contact
    if contact.channel != "VOICE":
        raise BlockFailed(f"a {contact.channel} contact has no audio")
    stream = contact.media_stream
    now_ms = str(int(state.instance.now() * 1000))
    if wanted == "Enabled" and not contact.is_streaming:
        contact.media_stream = MediaStream(
            stream.stream_arn if stream else _new_stream_arn(state),
            _new_fragment_number(state, now_ms),
            now_ms,
        )
    elif wanted == "Disabled" and stream and contact.is_streaming:
        contact.media_stream = MediaStream(
            stream.stream_arn, stream.start_fragment_number, stream.start_timestamp, now_ms
        )
    return leads_on(action)


def _new_stream_arn(state: FlowState) -> str:
    """A stream of Connect's pool: it is older than the call, and its UUID is not the contact's."""
    _, partition, _, region, account, _ = state.contact.instance_arn.split(":", 5)
    instance = state.instance
    name = (
        f"{instance.stream_prefix}-connect-{instance.instance_alias}"
        f"-contact-{uuid.UUID(int=instance.rng.getrandbits(128), version=4)}"
    )
    created_ms = int(instance.now() * 1000) - instance.rng.randrange(1, 86_400_000)
    return f"arn:{partition}:kinesisvideo:{region}:{account}:stream/{name}/{created_ms}"


def _new_fragment_number(state: FlowState, now_ms: str) -> str:
    """A number of 47 digits that grows with time, as in Kinesis Video Streams."""
    return f"91343852333181{now_ms:0>13}{state.instance.rng.randrange(10**20):020}"


def invoke_lambda(state: FlowState, action: Action) -> Outcome:
    state.external = {}  # Only the most recent Lambda's result is kept, even if it has none.
    parameters = action["Parameters"]
    if (parameters.get("InvocationType") or "SYNCHRONOUS") != "SYNCHRONOUS":
        raise FlowError(f"{action['Identifier']!r}: the runner invokes SYNCHRONOUS only")
    arn = look_up(parameters["LambdaFunctionARN"], state.known())
    if not isinstance(arn, str) or not arn:
        raise BlockFailed("no function ARN")
    sent = look_up(parameters.get("LambdaInvocationAttributes") or {}, state.known())
    limit = float(parameters.get("InvocationTimeLimitSeconds", MAX_LAMBDA_SECONDS))
    answer = _answer(state, arn, lambda_event(state.contact, sent), limit)
    if len(json.dumps(answer, ensure_ascii=False).encode()) >= MAX_LAMBDA_ANSWER_BYTES:
        raise BlockFailed("the answer has 32 KB or more")
    validation = (parameters.get("ResponseValidation") or {}).get("ResponseType", "STRING_MAP")
    if validation == "STRING_MAP" and not (
        isinstance(answer, dict) and all(isinstance(value, str) for value in answer.values())
    ):
        raise BlockFailed("the answer is not a flat map of strings")
    state.external = answer
    return leads_on(action)


def _answer(state: FlowState, arn: str, event: dict[str, Any], limit: float) -> Any:
    """Try up to four times, within the time limits of the block and of the chain."""
    now = state.instance.now
    seconds = min(limit, MAX_LAMBDA_CHAIN_SECONDS - state.lambda_chain_seconds)
    if seconds <= 0:
        raise BlockFailed(f"the Lambdas in a row have used their {MAX_LAMBDA_CHAIN_SECONDS} s")
    began = now()
    failure: Exception | None = None
    try:
        for _ in range(MAX_LAMBDA_TRIES):
            left = seconds - (now() - began)
            if left <= 0:
                break
            try:
                answer = state.instance.invoke_lambda(arn, json.loads(json.dumps(event)), left)
            except (LambdaFailed, TimeoutError) as error:
                failure = error
                continue
            if now() - began <= seconds:
                return answer
        if now() - began >= seconds:
            raise BlockFailed(f"no answer within {seconds:g} s")
        raise BlockFailed(f"the function failed {MAX_LAMBDA_TRIES} times: {failure}")
    finally:
        state.lambda_chain_seconds += now() - began
