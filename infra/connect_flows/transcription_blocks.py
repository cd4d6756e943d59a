"""The blocks that start and stop transcription, for all ready-made flows and for weaving."""

from __future__ import annotations

from collections.abc import Mapping

from connect_flows.blocks import (
    Block,
    InvokeLambdaFunction,
    MessageParticipant,
    Prompt,
    UpdateContactEventHooks,
    UpdateContactMediaStreamingBehavior,
)

SILENCE = Prompt(ssml='<speak><break time="100ms"/></speak>')

_SETS = {
    "AgentWhisper": "Set the whisper flow",
    "CustomerHold": "Set the hold flow",
    "CustomerRemaining": "Set the disconnect flow",
}
"""The hooks that ready-made flows set, and the names of the blocks."""


def media_streaming(
    enabled: bool, *, next: str, on_error: str
) -> UpdateContactMediaStreamingBehavior:
    name = "Start media streaming" if enabled else "Stop media streaming"
    return UpdateContactMediaStreamingBehavior(
        name=name, enabled=enabled, next=next, on_error=on_error
    )


def start_transcription(
    function_arn: str, attributes: Mapping[str, str], *, next: str, on_error: str
) -> InvokeLambdaFunction:
    return InvokeLambdaFunction(
        name="Start transcription",
        function_arn=function_arn,
        display_name="start_streaming",
        attributes=attributes,
        next=next,
        on_error=on_error,
    )


def stop_transcription(function_arn: str, *, next: str, on_error: str) -> InvokeLambdaFunction:
    return InvokeLambdaFunction(
        name="Stop transcription",
        function_arn=function_arn,
        display_name="stop_streaming",
        next=next,
        on_error=on_error,
    )


def stop_blocks(function_arn: str, *, next: str) -> tuple[Block, ...]:
    """Stop transcription and directly after it media streaming, as ASAPP asks; in any case both."""
    streaming = "Stop media streaming"
    return (
        stop_transcription(function_arn, next=streaming, on_error=streaming),
        media_streaming(False, next=next, on_error=next),
    )


def set_hooks(hooks: Mapping[str, str], *, next: str) -> tuple[Block, ...]:
    """A block for each hook that has a flow. If a hook cannot be set, the flow goes on."""
    given = [(hook, arn) for hook, arn in hooks.items() if arn]
    followers = [*(_SETS[hook] for hook, _ in given[1:]), next]
    return tuple(
        UpdateContactEventHooks(
            name=_SETS[hook], hook=hook, flow_arn=arn, next=follower, on_error=follower
        )
        for (hook, arn), follower in zip(given, followers, strict=False)
    )


def say(name: str, prompt: Prompt, *, next: str) -> MessageParticipant:
    return MessageParticipant(name=name, prompt=prompt, next=next, on_error=next)
