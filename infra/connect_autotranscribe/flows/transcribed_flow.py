"""A customer's own flow, with transcription woven in."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from aws_cdk import Annotations, Token
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_connect as connect
from constructs import Construct

from connect_autotranscribe._arguments import YES_OR_NO, Argument, check_arguments, like
from connect_autotranscribe.flows._flow_metric import flow_metric
from connect_autotranscribe.flows.flow_function import FlowFunction
from connect_flows.blocks import InvokeLambdaFunction
from connect_flows.flow import described, listed, to_json, wrong_names
from connect_flows.flow_content import NotAFlow, parse
from connect_flows.flow_graph import CannotWeave
from connect_flows.flow_types import FLOW_TYPES, HOLDS
from connect_flows.places import ENDINGS, EVERY_ENDING, Before
from connect_flows.references import references, with_arns
from connect_flows.rules import MARGIN_FOR_TOKENS, unknown_types
from connect_flows.start_attributes import start_attributes
from connect_flows.weave import Start, Stop, weave

STOPS_AT_HOLD = "connect-autotranscribe:stops-at-hold"
"""The id of the warning at a hold flow with a stop."""
_OUR_NAMES = re.compile(r"(Start|Stop) transcription( \d+)?")


class TranscribedFlow(Construct):
    """Puts your own flow into a Connect instance, with transcription in the right places.

    :func:`connect_flows.weave.weave` says what goes where. Every path of your flow keeps its
    blocks, their parameters and their order. Give the original flow, not one that was woven before.
    Give it a new name: Connect keeps the flow that you exported.

    If Connect would refuse the flow, synth raises a `ValueError` that names the flow, the block and
    what to do. Make each flow depend on the one before, as with `TranscriptionFlow`.

    A stop in a hold flow needs a `CallLifecycle`, because nothing else starts transcription again
    when the hold ends. Synth warns of such a flow. If you have a `CallLifecycle`, accept it with
    ``Annotations.of(flow).acknowledge_warning("connect-autotranscribe:stops-at-hold")``.

    :param instance_arn: The Connect instance, whole ARN.
    :param name: Unique in the instance. If you change the type, CloudFormation creates the new flow
        before it deletes the old one, so use another name for another type.
    :param type: Connect's flow type, such as ``AGENT_WHISPER``; a disconnect flow is a
        ``CONTACT_FLOW``.
    :param content: The flow as the flow designer or ``DescribeContactFlow`` exports it, text or
        parsed.
    :param start_streaming: The function that starts, associated with this instance. Default: no
        start is woven in.
    :param stop_streaming: The function that stops, associated with this instance. Default: no stop
        is woven in.
    :param customer_id_path: The JSONPath of ASAPP's ``customerId``.
    :param agent_id_path: The JSONPath of ASAPP's ``agentId``. It is not passed if it is a path of
        ``$.Agent`` and flows of this type have no agent.
    :param stop_before: Stop before these blocks: ``queue``, ``transfer-out``, ``transfer`` (both of
        them), ``disconnect``, ``end``. Default: all of them.
    :param both_directions: Whether to change a flow that streams one direction only, so that it
        streams both. Default: weaving a start into it is refused.
    :param arns: The ARN in this instance of each ARN or id that the flow's blocks name, if the file
        is of another instance: ``FlowsLock.read(Path("prod.flows.lock")).arns``, or your own table,
        whose values may be tokens. Each must be in it. Default: they stay as they are.
    :param description: What the flow does, for a person who opens it in the flow designer.

    .. code-block:: python

        TranscribedFlow(
            self,
            "BillingAgentWhisper",
            instance_arn=instance_arn,
            name="Billing agent whisper, transcribed",
            type="AGENT_WHISPER",
            content=Path("flows/billing_agent_whisper.json").read_text("utf-8"),
            start_streaming=start_streaming,
        )
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        instance_arn: str,
        name: str,
        type: str,
        content: str | Mapping[str, Any],
        start_streaming: FlowFunction | None = None,
        stop_streaming: FlowFunction | None = None,
        customer_id_path: str = "$.CustomerEndpoint.Address",
        agent_id_path: str = "$.Agent.UserName",
        stop_before: Collection[Before] = EVERY_ENDING,
        both_directions: bool = False,
        arns: Mapping[str, str] | None = None,
        description: str = "",
    ) -> None:
        super().__init__(scope, id)
        self._instance_arn, self._name = instance_arn, name
        functions = [each for each in (start_streaming, stop_streaming) if each is not None]
        problems = [
            *wrong_names(name, description),
            *_wrong_type(type, start_streaming, stop_streaming),
            *_wrong_functions(instance_arn, functions),
            *_wrong_endings(stop_before),
        ]
        check_arguments(
            self,
            {
                **like("connect", instance_arn=instance_arn),
                "both_directions": Argument(value=both_directions, rule=YES_OR_NO),
            },
            [f"the flow {name!r}: {listed(problems)}"] if problems else [],
        )
        flow_name = f"{self.node.path}: the flow {name!r}"
        try:
            flow = parse(_text(content))
            if arns is not None:
                named = [each for each in references(flow) if not each.is_anywhere]
                if unpaired := [str(each) for each in named if each.arn not in arns]:
                    raise CannotWeave(*unpaired, remedy="give in arns what it is in this instance")
                flow = with_arns(flow, arns)
            start, stop = None, None
            if start_streaming is not None:
                attributes = start_attributes(
                    type, customer_id_path=customer_id_path, agent_id_path=agent_id_path
                )
                start = Start(function_arn=start_streaming.arn, attributes=attributes)
            if stop_streaming is not None:
                stop = Stop(function_arn=stop_streaming.arn, before=stop_before)
            if before := _woven_before(flow, {function.arn for function in functions}):
                raise CannotWeave(
                    *before,
                    remedy="give the original flow; or, if these are your own blocks, rename them",
                )
            woven = weave(
                flow,
                type,
                start=start,
                stop=stop,
                both_directions=both_directions,
                margin=MARGIN_FOR_TOKENS,
            )
        except RecursionError:
            raise ValueError(f"{flow_name}: it is nested too deep to be a flow") from None
        except NotAFlow as problem:
            raise ValueError(
                f"{flow_name}: {problem}; content is what the flow designer exports"
            ) from None
        except CannotWeave as problem:
            reasons = [listed(problem.args), *filter(None, [problem.remedy])]
            raise ValueError(f"{flow_name}: {'; '.join(reasons)}") from None
        except ValueError as problem:
            raise ValueError(f"{flow_name}: {problem}") from None
        #: The inserted blocks, and the block before which each of them is.
        self.insertions = woven.insertions
        self.resource = connect.CfnContactFlow(
            self,
            "Flow",
            instance_arn=instance_arn,
            name=name,
            type=type,
            description=described(description),
            content=to_json(woven.content),
        )
        self.arn = self.resource.attr_contact_flow_arn
        # If a function is not associated yet, its block fails, and no log shows why.
        self.node.add_dependency(*functions)
        for remark in woven.remarks:
            Annotations.of(self).add_info(f"{name!r}: {remark}")
        for note in woven.notes:
            if type in HOLDS:
                Annotations.of(self).add_warning_v2(STOPS_AT_HOLD, f"{name!r}: {note}")
            else:
                Annotations.of(self).add_info(f"{name!r}: {note}")
        if unknown := unknown_types(flow):
            Annotations.of(self).add_info(
                f"{name!r}: not checked, because there is no rule for these blocks: "
                f"{', '.join(unknown)}"
            )

    def metric(self, metric_name: str) -> cloudwatch.Metric:
        """What Connect counts of this flow, summed over five minutes.

        :param metric_name: ``ContactFlowErrors`` or ``ContactFlowFatalErrors``.
        """
        return flow_metric(self, self._instance_arn, self._name, metric_name)


def _wrong_type(type: str, start: FlowFunction | None, stop: FlowFunction | None) -> Iterator[str]:
    if type not in FLOW_TYPES:
        yield (
            f"{type!r} is not a flow type: write one of {', '.join(sorted(FLOW_TYPES))}; weave a "
            "module with python -m connect_flows weave"
        )
    if start is None and stop is None:
        yield "there is nothing to weave in: give start_streaming, stop_streaming or both"


def _wrong_functions(instance_arn: str, functions: Collection[FlowFunction]) -> Iterator[str]:
    for function in functions:
        known = not Token.is_unresolved(instance_arn + function.instance_arn)
        if known and function.instance_arn != instance_arn:
            yield (
                f"{function.node.path} is associated with {function.instance_arn}, and a flow of "
                f"{instance_arn} may not invoke it: associate it there with a FlowFunction"
            )


def _wrong_endings(stop_before: Collection[Before]) -> Iterator[str]:
    given = [stop_before] if isinstance(stop_before, str) else list(stop_before)
    unknown = [each for each in given if each not in ENDINGS]
    if unknown or isinstance(stop_before, str):
        yield f"stop_before is {stop_before!r}: give a list of {', '.join(ENDINGS)}"


def _woven_before(flow: Mapping[str, Any], arns: Collection[str]) -> list[str]:
    """Blocks of an earlier weaving that call another function. Weaving would add them again."""
    return [
        f"{action['Identifier']!r}: it was woven in before, and calls another function"
        for action in flow["Actions"]
        if action["Type"] == InvokeLambdaFunction.TYPE
        and _OUR_NAMES.fullmatch(action["Identifier"])
        and (action.get("Parameters") or {}).get("LambdaFunctionARN") not in arns
    ]


def _text(content: str | Mapping[str, Any]) -> str:
    if isinstance(content, str):
        if Token.is_unresolved(content) and not content.lstrip().startswith("{"):
            raise NotAFlow("its content is known only at deployment: give the text itself")
        return content
    try:
        return json.dumps(content)
    except TypeError as error:
        raise NotAFlow(f"its content is not what JSON can hold: {error}") from None
