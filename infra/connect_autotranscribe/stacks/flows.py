"""The stack that touches the customer's Connect instance."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from connect_autotranscribe.flow_function import FlowFunction
from connect_autotranscribe.flows import (
    DEFAULT_HOLD_PROMPTS,
    Prompt,
    agent_whisper,
    customer_hold,
    disconnect,
    start_module,
    stop_module,
)
from connect_autotranscribe.transcription_flow import TranscriptionFlow
from connect_autotranscribe.transcription_module import TranscriptionModule


class FlowsStack(Stack):
    """Flows and modules that start and stop transcription, in one Connect instance.

    :param instance_arn: The Connect instance, whole ARN.
    :param start_streaming: The alias that flows invoke to start; its ARN ≤ 140 characters.
    :param stop_streaming: The alias that flows invoke to stop; its ARN ≤ 140 characters.
    :param customer_id_path: The JSONPath of ASAPP's ``customerId``; not ``$.Agent``'s.
    :param agent_id_path: The JSONPath of ASAPP's ``agentId``.
    :param hold_prompts: What a customer on hold hears, looped; for music give a recorded prompt.
        Default: a short spoken message, then 20 s of silence.
    :param kwargs: Those of `aws_cdk.Stack`, such as ``env`` and ``description``.

    .. code-block:: python

        FlowsStack(
            app,
            "Flows",
            instance_arn="arn:aws:connect:us-east-1:111122223333:instance/…",
            start_streaming=transcription.transcription_control.start_streaming,
            stop_streaming=transcription.transcription_control.stop_streaming,
            customer_id_path="$.CustomerEndpoint.Address",
            agent_id_path="$.Agent.UserName",
        )
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        instance_arn: str,
        start_streaming: lambda_.IFunction,
        stop_streaming: lambda_.IFunction,
        customer_id_path: str,
        agent_id_path: str,
        hold_prompts: Sequence[Prompt] = DEFAULT_HOLD_PROMPTS,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, id, **kwargs)
        self.start_function = FlowFunction(
            self, "StartFunction", instance_arn=instance_arn, function=start_streaming
        )
        self.stop_function = FlowFunction(
            self, "StopFunction", instance_arn=instance_arn, function=stop_streaming
        )
        self.start_module = TranscriptionModule(
            self,
            "StartModule",
            instance_arn=instance_arn,
            module=start_module(
                start_function_arn=self.start_function.arn, customer_id_path=customer_id_path
            ),
        )
        self.stop_module = TranscriptionModule(
            self,
            "StopModule",
            instance_arn=instance_arn,
            module=stop_module(stop_function_arn=self.stop_function.arn),
        )
        self.agent_whisper = TranscriptionFlow(
            self,
            "AgentWhisper",
            instance_arn=instance_arn,
            flow=agent_whisper(
                start_function_arn=self.start_function.arn,
                customer_id_path=customer_id_path,
                agent_id_path=agent_id_path,
            ),
        )
        self.customer_hold = TranscriptionFlow(
            self,
            "CustomerHold",
            instance_arn=instance_arn,
            flow=customer_hold(stop_function_arn=self.stop_function.arn, prompts=hold_prompts),
        )
        self.disconnect = TranscriptionFlow(
            self,
            "Disconnect",
            instance_arn=instance_arn,
            flow=disconnect(stop_function_arn=self.stop_function.arn),
        )
        # The Connect API takes two requests a second, and CloudFormation would send all at once.
        for earlier, later in pairwise(
            (
                self.start_function,
                self.stop_function,
                self.start_module,
                self.stop_module,
                self.agent_whisper,
                self.customer_hold,
                self.disconnect,
            )
        ):
            later.node.add_dependency(earlier)
        CfnOutput(self, "StartModuleArn", value=self.start_module.arn)
        CfnOutput(self, "StopModuleArn", value=self.stop_module.arn)
        CfnOutput(self, "AgentWhisperFlowArn", value=self.agent_whisper.arn)
        CfnOutput(self, "CustomerHoldFlowArn", value=self.customer_hold.arn)
        CfnOutput(self, "DisconnectFlowArn", value=self.disconnect.arn)
