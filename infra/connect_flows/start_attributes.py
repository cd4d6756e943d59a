"""What a start block passes to the function."""

from __future__ import annotations

from connect_flows.blocks import is_dynamic
from connect_flows.flow_types import KNOWS_AGENT


def start_attributes(
    type: str, *, customer_id_path: str, agent_id_path: str | None = None
) -> dict[str, str]:
    """What a start block tells the function, in a flow of this type.

    These are the ids for ASAPP. If there is an agent, the agent's ARN is added, because agent
    events name the agent by it; the ARN is stored in our table and goes no further.

    :param customer_id_path: The JSONPath of ASAPP's ``customerId``.
    :param agent_id_path: The JSONPath of ASAPP's ``agentId``; left out of the block if it is
        one of ``$.Agent`` and the type knows no agent. Default: none.
    :raises ValueError: if a path is not a JSONPath, or one that flows of the type do not have.
    """
    paths = {"customer_id_path": customer_id_path}
    if agent_id_path is not None:
        paths["agent_id_path"] = agent_id_path
    wrong = [f"{name} is {path!r}" for name, path in paths.items() if not is_dynamic(path)]
    if wrong:
        raise ValueError(
            " and ".join(wrong) + ": give a JSONPath, such as $.CustomerEndpoint.Address, "
            "$.Agent.UserName or $.Attributes.crmId; a fixed text would be every caller's id"
        )
    if type not in KNOWS_AGENT and _is_of_agent(customer_id_path):
        raise ValueError(
            f"customer_id_path is {customer_id_path!r}, but flows of type {type} know no agent: "
            "write one of the customer's, such as $.CustomerEndpoint.Address"
        )
    attributes = {"customerId": customer_id_path}
    if agent_id_path is not None and (type in KNOWS_AGENT or not _is_of_agent(agent_id_path)):
        attributes["agentId"] = agent_id_path
    if agent_id_path is not None and type in KNOWS_AGENT:
        attributes["agentArn"] = "$.Agent.ARN"
    return attributes


def _is_of_agent(path: str) -> bool:
    return path.startswith(("$.Agent", "$['Agent']"))
