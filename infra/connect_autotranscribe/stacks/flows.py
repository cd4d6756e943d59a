"""The stack that touches the customer's Connect instance."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, cast

from aws_cdk import Annotations, CfnOutput, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from constructs import Construct

from connect_autotranscribe._arguments import YES_OR_NO, Argument, check_arguments, like
from connect_autotranscribe.flows._own_flows import Named, Resolved, in_order
from connect_autotranscribe.flows.flow_function import FlowFunction
from connect_autotranscribe.flows.transcribed_flow import STOPS_AT_HOLD, TranscribedFlow
from connect_autotranscribe.flows.transcription_flow import TranscriptionFlow
from connect_autotranscribe.flows.transcription_module import TranscriptionModule
from connect_autotranscribe.monitoring.transcription_alarms import TranscriptionAlarms
from connect_flows.blocks import Prompt
from connect_flows.flow import Flow, FlowModule
from connect_flows.places import EVERY_ENDING, Before
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
from connect_settings import OwnFlows, SettingsError


class FlowsStack(Stack):
    """Flows and modules that start and stop transcription, in one Connect instance.

    The stack has one flow for each moment of a call. A flow runs only if a flow, a queue or a quick
    connect of yours refers to it. The transfer flows set this stack's agent whisper and customer
    hold flows for the next agent. The outbound whisper sets its customer hold and disconnect flows.
    To set your own flows instead, create such a flow with `TranscriptionFlow`, with another name
    and with the ARNs of your flows.

    :param instance_arn: The Connect instance, whole ARN.
    :param start_streaming: The alias that flows invoke to start. Its ARN has at most 140
        characters.
    :param stop_streaming: The alias that flows invoke to stop. Its ARN has at most 140 characters.
    :param customer_id_path: The JSONPath of ASAPP's ``customerId``; not a path of ``$.Agent``.
    :param agent_id_path: The JSONPath of ASAPP's ``agentId``.
    :param name_prefix: The beginning of the name of each flow and module. Names are unique in an
        instance, so a second such stack in it needs a prefix. Default: none.
    :param resiliency: Whether the flows also run in the instance's replica in another Region
        (*Global Resiliency*). Give both aliases then, not functions. Default: no.
    :param stop_at_hold: Whether transcription stops at each hold. Use it only with a
        `CallLifecycle` for the instance: no flow runs when a hold ends, so nothing else starts
        transcription again. Default: no. Then the stack has and sets no customer hold flow, and
        what is said during a hold is transcribed.
    :param connected_prompt: The prompt of the customer whisper. Default: "You are now connected."
    :param outbound_prompt: The prompt for a customer who answers an outbound call. Default: a tenth
        of a second of silence.
    :param hold_prompts: The looped prompts for a customer on hold; for music give a recorded
        prompt. Only with ``stop_at_hold``. Default: a short spoken message, then 20 s of silence.
    :param queue_prompts: The looped prompts for a customer in the queue. Default: a short spoken
        message, then 20 s of silence.
    :param transfer_prompt: The prompt before a transfer. Default: "Transferring now."
    :param failed_transfer_prompt: The prompt if a transfer to a queue fails. Default: "The transfer
        is not possible now."
    :param own_flows: Flows of yours, each woven and deployed under its name, after those of the
        stack. `OwnFlows.read` reads them, and what their ARNs are in this instance. Default: none.
    :param alarm_topic: The topic for alarms on the flows' error branches. Default: no such alarms.
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
            stop_at_hold=settings.lifecycle.mode != "off",
        )
    """

    customer_hold: TranscriptionFlow | None
    """None without ``stop_at_hold``."""
    alarms: TranscriptionAlarms | None
    """None without ``alarm_topic``."""

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
        name_prefix: str | None = None,
        resiliency: bool = False,
        stop_at_hold: bool = False,
        connected_prompt: Prompt = DEFAULT_CONNECTED_PROMPT,
        outbound_prompt: Prompt = SILENCE,
        hold_prompts: Sequence[Prompt] | None = None,
        queue_prompts: Sequence[Prompt] = DEFAULT_QUEUE_PROMPTS,
        transfer_prompt: Prompt = DEFAULT_TRANSFER_PROMPT,
        failed_transfer_prompt: Prompt = DEFAULT_FAILED_TRANSFER_PROMPT,
        own_flows: OwnFlows | None = None,
        alarm_topic: sns.ITopic | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, id, **kwargs)
        problems = []
        if hold_prompts is not None and not stop_at_hold:
            problems.append(
                "hold_prompts: is for the hold flow, which exists only with stop_at_hold=True; "
                "write that, or remove hold_prompts"
            )
        check_arguments(
            self,
            {
                **like("connect", instance_arn=instance_arn, resiliency=resiliency),
                **like("asapp", customer_id_path=customer_id_path, agent_id_path=agent_id_path),
                "name_prefix": Argument(
                    value=name_prefix, rule="connect.flow_name_prefix", optional=True
                ),
                "stop_at_hold": Argument(value=stop_at_hold, rule=YES_OR_NO),
            },
            problems,
        )
        self._instance_arn, self._resiliency = instance_arn, resiliency
        self._name_prefix = f"{name_prefix} " if name_prefix else ""
        self._made: list[Construct] = []
        self._arns: dict[Named, str] = {}
        self.start_function = self._function("StartFunction", start_streaming)
        self.stop_function = self._function("StopFunction", stop_streaming)
        start, stop = self.start_function.arn, self.stop_function.arn
        ids = {"customer_id_path": customer_id_path, "agent_id_path": agent_id_path}

        self.start_module = self._module(
            "StartModule", start_module(start_function_arn=start, customer_id_path=customer_id_path)
        )
        self.stop_module = self._module("StopModule", stop_module(stop_function_arn=stop))
        self.agent_whisper = self._flow(
            "AgentWhisper", agent_whisper(start_function_arn=start, **ids)
        )
        self.customer_whisper = self._flow(
            "CustomerWhisper",
            customer_whisper(start_function_arn=start, prompt=connected_prompt, **ids),
        )
        self.customer_hold = None
        if stop_at_hold:
            prompts = hold_prompts or DEFAULT_HOLD_PROMPTS
            hold = customer_hold(stop_function_arn=stop, prompts=prompts)
            self.customer_hold = self._flow("CustomerHold", hold)
        hold_arn = self.customer_hold.arn if self.customer_hold else ""
        self.disconnect = self._flow("Disconnect", disconnect(stop_function_arn=stop))
        self.outbound_whisper = self._flow(
            "OutboundWhisper",
            outbound_whisper(
                start_function_arn=start,
                prompt=outbound_prompt,
                customer_hold_flow_arn=hold_arn,
                disconnect_flow_arn=self.disconnect.arn,
                **ids,
            ),
        )
        self.customer_queue = self._flow(
            "CustomerQueue", customer_queue(stop_function_arn=stop, prompts=queue_prompts)
        )
        # The transfer flows set no disconnect flow, because ours hangs up: Connect's pages do not
        # say that it runs only after the last of three parties has left.
        next_agents = {
            "agent_whisper_flow_arn": self.agent_whisper.arn,
            "customer_hold_flow_arn": hold_arn,
        }
        self.agent_transfer = self._flow(
            "AgentTransfer",
            agent_transfer(stop_function_arn=stop, prompt=transfer_prompt, **next_agents),
        )
        self.queue_transfer = self._flow(
            "QueueTransfer",
            queue_transfer(
                stop_function_arn=stop,
                prompt=transfer_prompt,
                failed_prompt=failed_transfer_prompt,
                **next_agents,
            ),
        )
        #: Those of ``own_flows``, by their names without prefix.
        self.own_flows: dict[str, TranscribedFlow] = {}
        if own_flows:
            self._weave(own_flows, stop_at_hold, **ids)
        self.alarms = None
        if alarm_topic:
            kinds = (TranscriptionFlow, TranscribedFlow)
            flows = [each for each in self._made if isinstance(each, kinds)]
            self.alarms = TranscriptionAlarms(self, "Alarms", flows=flows, topic=alarm_topic)

    def _function(self, id: str, function: lambda_.IFunction) -> FlowFunction:
        made = FlowFunction(
            self,
            id,
            instance_arn=self._instance_arn,
            function=function,
            resiliency=self._resiliency,
        )
        self._after_the_one_before(made)
        return made

    def _module(self, id: str, module: FlowModule) -> TranscriptionModule:
        module = replace(module, name=self._name_prefix + module.name)
        made = TranscriptionModule(self, id, instance_arn=self._instance_arn, module=module)
        self._after_the_one_before(made)
        CfnOutput(self, f"{id}Arn", value=made.arn)
        self._arns["module", module.name] = made.arn
        return made

    def _flow(self, id: str, flow: Flow) -> TranscriptionFlow:
        flow = replace(flow, name=self._name_prefix + flow.name)
        made = TranscriptionFlow(self, id, instance_arn=self._instance_arn, flow=flow)
        self._after_the_one_before(made)
        CfnOutput(self, f"{id}FlowArn", value=made.arn)
        self._arns["flow", flow.name] = made.arn
        return made

    def _weave(self, own: OwnFlows, stop_at_hold: bool, **ids: str) -> None:
        """:raises SettingsError: with what is wrong in each file."""
        problems = []
        for each in in_order(own, self._instance_arn, self._arns, self._name_prefix):
            if {name for name, _ in each.needs.values()} - self.own_flows.keys():
                continue  # it names a flow that cannot be woven, which is a problem already
            try:
                made = self._woven(each, stop_at_hold, **ids)
            except ValueError as problem:
                problems.append(f"{each.flow.file}: {problem}")
            else:
                self.own_flows[each.flow.settings.name] = made
        if problems:
            raise SettingsError("\n".join(problems))

    def _woven(self, own: Resolved, stop_at_hold: bool, **ids: str) -> TranscribedFlow:
        flow, arns = own.flow.settings, own.arns
        if arns is not None:
            needed = {
                arn: self.own_flows[name].arn + version
                for arn, (name, version) in own.needs.items()
            }
            arns = {**arns, **needed}
        made = TranscribedFlow(
            self,
            f"Own {flow.name}".replace("/", "-"),
            instance_arn=self._instance_arn,
            name=self._name_prefix + flow.name,
            type=flow.type,
            content=own.flow.content,
            start_streaming=self.start_function if flow.start else None,
            stop_streaming=self.stop_function if flow.stop else None,
            stop_before=cast("Collection[Before]", flow.stop_before or EVERY_ENDING),
            both_directions=flow.both_directions,
            arns=arns,
            **ids,
        )
        if stop_at_hold:
            Annotations.of(made).acknowledge_warning(STOPS_AT_HOLD)
        self._after_the_one_before(made)
        CfnOutput(made, "Arn", value=made.arn, description=f"The flow {flow.name!r}")
        return made

    def _after_the_one_before(self, made: Construct) -> None:
        """Connect's API takes two requests a second, and CloudFormation would send all at once."""
        if self._made:
            made.node.add_dependency(self._made[-1])
        self._made.append(made)
