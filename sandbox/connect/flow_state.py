"""The state of a running flow, and the simulated instance in which it runs.

Blocks read and change the state; `sandbox.connect.flow_runner` walks from block to block.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from connect_flows.flow_types import KNOWS_AGENT
from sandbox.connect.contact import Contact, Queue

InvokeLambda = Callable[[str, dict[str, Any], float], Any]
"""``(function ARN, event, seconds left) -> decoded answer``.

Raises `LambdaFailed` for a function error, a throttle or a 5xx, and `TimeoutError` when the seconds
are over. Any other exception is a mistake, and `FlowRunner.run` does not catch it.
"""


class LambdaFailed(Exception):
    """The function raised, was throttled, or could not be reached."""


@dataclass(kw_only=True)
class SimulatedInstance:
    """The settings of a simulated Connect instance.

    :param invoke_lambda: Calls a function; see `InvokeLambda`.
    :param modules: Contents of flow modules, by the id or ARN that flows invoke them with.
    :param queues: Queues by id or ARN; an agent's own queue by the agent's id or ARN.
    :param now: The time in seconds since 1970. Default: the machine's.
    :param rng: Makes the ids of contacts, streams and fragments; seed it to get the same ids every
        time.
    :param stream_prefix: The prefix under *Live media streaming*.
    :param instance_alias: The instance's alias, a part of stream names.
    :param failing: Identifiers of blocks that fail, since every block in Connect may fail; or a
        mapping from identifiers to error types. Default error type: ``NoMatchingError``.
    :param interruptions: How often looped prompts are interrupted in a customer queue flow before
        an agent is found, if they allow it.
    """

    invoke_lambda: InvokeLambda
    modules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    queues: Mapping[str, Queue] = field(default_factory=dict)
    now: Callable[[], float] = time.time
    rng: random.Random = field(default_factory=random.Random)
    stream_prefix: str = "autotranscribe"
    instance_alias: str = "sandbox"
    failing: Collection[str] | Mapping[str, str] = ()
    interruptions: int = 0


@dataclass(kw_only=True)
class FlowState:
    """The state of one flow that runs for one contact.

    :param contact: Blocks change it as Connect's blocks change a contact.
    :param flow_type: CloudFormation's name for it, such as ``AGENT_WHISPER``.
    :ivar external: The last Lambda's result.
    :ivar turns: How often each *Loop* has been passed.
    :ivar lambda_chain_seconds: The time of all Lambdas since the last prompt.
    :ivar modules: The modules that the flow is in, the innermost last.
    """

    instance: SimulatedInstance
    contact: Contact
    flow_type: str
    external: Any = field(default_factory=dict)
    flow_attributes: dict[str, str] = field(default_factory=dict)
    turns: dict[str, int] = field(default_factory=dict)
    lambda_chain_seconds: float = 0.0
    modules: tuple[str, ...] = ()
    interruptions_left: int = field(init=False)

    def __post_init__(self) -> None:
        self.interruptions_left = self.instance.interruptions

    def known(self) -> dict[str, Any]:
        """The roots that a JSONPath of this flow can have, and their values."""
        agent = self.contact.agent if self.flow_type in KNOWS_AGENT else None
        return {
            **self.contact.data(),
            "Agent": agent.data() if agent else None,
            "External": self.external,
            "LambdaInvocation": {"ResultData": self.external},
            "FlowAttributes": self.flow_attributes,
        }
