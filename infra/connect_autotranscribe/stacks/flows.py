"""The stack that touches the customer's Connect instance."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from connect_autotranscribe.flows.flow_function import FlowFunction
from connect_autotranscribe.flows.transcription_flow import TranscriptionFlow
from connect_autotranscribe.flows.transcription_module import TranscriptionModule
from connect_flows.blocks import Prompt
from connect_flows.flow import Flow
from connect_flows.ready_made.disconnect import disconnect
from connect_flows.ready_made.hold_and_queue import (
    DEFAULT_HOLD_PROMPTS,
    DEFAULT_QUEUE_PROMPTS,
    customer_hold,
    customer_queue,
)
from connect_flows.ready_made.modules import start_module, stop_module
from connect_flows.ready_made.transfers import (
    DEFAULT_FAILED_TRANSFER_PROMPT,
    DEFAULT_TRANSFER_PROMPT,
    agent_transfer,
    queue_transfer,
)
from connect_flows.ready_made.whispers import (
    DEFAULT_CONNECTED_PROMPT,
    agent_whisper,
    customer_whisper,
    outbound_whisper,
)
from connect_flows.transcription_blocks import SILENCE


class FlowsStack(Stack):
    """Flows and modules that start and stop transcription, in one Connect instance.

    One flow for each moment of a call, none of which runs until a flow, a queue or a quick connect
    of yours names it. The transfer flows set this stack's agent whisper and customer hold flows for
    the next agent, the outbound whisper its customer hold and disconnect flows. Where you have
    others, make such a flow with `TranscriptionFlow`, under another name and with your ARNs.

    :param instance_arn: The Connect instance, whole ARN.
    :param start_streaming: The alias that flows invoke to start; its ARN ≤ 140 characters.
    :param stop_streaming: The alias that flows invoke to stop; its ARN ≤ 140 characters.
    :param customer_id_path: The JSONPath of ASAPP's ``customerId``; not ``$.Agent``'s.
    :param agent_id_path: The JSONPath of ASAPP's ``agentId``.
    :param connected_prompt: What the customer whisper says. Default: "You are now connected."
    :param outbound_prompt: What a customer whom an agent calls hears on answering. Default: a tenth
        of a second of silence.
    :param hold_prompts: What a customer on hold hears, looped; for music give a recorded prompt.
        Default: a short spoken message, then 20 s of silence.
    :param queue_prompts: What a customer in the queue hears, likewise.
    :param transfer_prompt: What is heard before a transfer. Default: "Transferring now."
    :param failed_transfer_prompt: What is heard where a queue is full. Default: "The transfer is
        not possible now."
    :param kwargs: Those of `aws_cdk.Stack`, such as ``env`` and ``description``.

    .. code-block:: python

        FlowsStack(
            self,
            "Flows",
            instance_arn=settings.connect.instance_arn,
            start_streaming=control.start_streaming,
            stop_streaming=control.stop_streaming,
            customer_id_path=settings.asapp.customer_id_path,
            agent_id_path=settings.asapp.agent_id_path,
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
        connected_prompt: Prompt = DEFAULT_CONNECTED_PROMPT,
        outbound_prompt: Prompt = SILENCE,
        hold_prompts: Sequence[Prompt] = DEFAULT_HOLD_PROMPTS,
        queue_prompts: Sequence[Prompt] = DEFAULT_QUEUE_PROMPTS,
        transfer_prompt: Prompt = DEFAULT_TRANSFER_PROMPT,
        failed_transfer_prompt: Prompt = DEFAULT_FAILED_TRANSFER_PROMPT,
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
        start, stop = self.start_function.arn, self.stop_function.arn
        ids = {"customer_id_path": customer_id_path, "agent_id_path": agent_id_path}

        def flow(id: str, ready_made: Flow) -> TranscriptionFlow:
            return TranscriptionFlow(self, id, instance_arn=instance_arn, flow=ready_made)

        self.agent_whisper = flow("AgentWhisper", agent_whisper(start_function_arn=start, **ids))
        self.customer_whisper = flow(
            "CustomerWhisper",
            customer_whisper(start_function_arn=start, prompt=connected_prompt, **ids),
        )
        self.customer_hold = flow(
            "CustomerHold", customer_hold(stop_function_arn=stop, prompts=hold_prompts)
        )
        self.disconnect = flow("Disconnect", disconnect(stop_function_arn=stop))
        self.outbound_whisper = flow(
            "OutboundWhisper",
            outbound_whisper(
                start_function_arn=start,
                prompt=outbound_prompt,
                customer_hold_flow_arn=self.customer_hold.arn,
                disconnect_flow_arn=self.disconnect.arn,
                **ids,
            ),
        )
        self.customer_queue = flow(
            "CustomerQueue", customer_queue(stop_function_arn=stop, prompts=queue_prompts)
        )
        # No disconnect flow: it hangs up, and Connect does not say that it waits until the last of
        # three has left.
        next_agents = {
            "agent_whisper_flow_arn": self.agent_whisper.arn,
            "customer_hold_flow_arn": self.customer_hold.arn,
        }
        self.agent_transfer = flow(
            "AgentTransfer",
            agent_transfer(
                stop_function_arn=stop,
                prompt=transfer_prompt,
                **next_agents,
            ),
        )
        self.queue_transfer = flow(
            "QueueTransfer",
            queue_transfer(
                stop_function_arn=stop,
                prompt=transfer_prompt,
                failed_prompt=failed_transfer_prompt,
                **next_agents,
            ),
        )
        # The Connect API takes two requests a second, and CloudFormation would send all at once.
        for earlier, later in pairwise(
            (
                self.start_function,
                self.stop_function,
                self.start_module,
                self.stop_module,
                self.agent_whisper,
                self.customer_whisper,
                self.customer_hold,
                self.disconnect,
                self.outbound_whisper,
                self.customer_queue,
                self.agent_transfer,
                self.queue_transfer,
            )
        ):
            later.node.add_dependency(earlier)
        CfnOutput(self, "StartModuleArn", value=self.start_module.arn)
        CfnOutput(self, "StopModuleArn", value=self.stop_module.arn)
        CfnOutput(self, "AgentWhisperFlowArn", value=self.agent_whisper.arn)
        CfnOutput(self, "CustomerWhisperFlowArn", value=self.customer_whisper.arn)
        CfnOutput(self, "CustomerHoldFlowArn", value=self.customer_hold.arn)
        CfnOutput(self, "DisconnectFlowArn", value=self.disconnect.arn)
        CfnOutput(self, "OutboundWhisperFlowArn", value=self.outbound_whisper.arn)
        CfnOutput(self, "CustomerQueueFlowArn", value=self.customer_queue.arn)
        CfnOutput(self, "AgentTransferFlowArn", value=self.agent_transfer.arn)
        CfnOutput(self, "QueueTransferFlowArn", value=self.queue_transfer.arn)
