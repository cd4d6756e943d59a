"""The parameters that a start block passes to the function."""

from __future__ import annotations

from connect_flows.blocks import is_dynamic
from connect_flows.flow_types import KNOWS_AGENT


def start_attributes(
    type: str, *, customer_id_path: str, agent_id_path: str | None = None
) -> dict[str, str]:
    """The parameters of a start block in a flow of this type.

    These are the ids for ASAPP. If flows of this type have an agent, the agent's ARN is added,
    because agent events identify the agent by it. The ARN is stored in our table, and not sent to
    ASAPP.

    :param customer_id_path: The JSONPath of ASAPP's ``customerId``.
    :param agent_id_path: The JSONPath of ASAPP's ``agentId``. It is left out if it is a path of
        ``$.Agent`` and flows of this type have no agent. Default: none.
    :raises ValueError: if a path is not a JSONPath, or flows of this type do not have it.
    """
    paths = {"customer_id_path": customer_id_path}
    if agent_id_path is not None:
        paths["agent_id_path"] = agent_id_path
    wrong = [f"{name} is {path!r}" for name, path in paths.items() if not is_dynamic(path)]
    if wrong:
        raise ValueError(
            " and ".join(wrong) + ": give a JSONPath, such as $.CustomerEndpoint.Address, "
            "$.Agent.UserName or $.Attributes.crmId; a fixed text would be the id of every caller"
        )
    if type not in KNOWS_AGENT and _is_of_agent(customer_id_path):
        raise ValueError(
            f"customer_id_path is {customer_id_path!r}, but flows of type {type} have no agent: "
            "give a path of the customer, such as $.CustomerEndpoint.Address"
        )
    attributes = {"customerId": customer_id_path}
    if agent_id_path is not None and (type in KNOWS_AGENT or not _is_of_agent(agent_id_path)):
        attributes["agentId"] = agent_id_path
    if agent_id_path is not None and type in KNOWS_AGENT:
        attributes["agentArn"] = "$.Agent.ARN"
    return attributes


def _is_of_agent(path: str) -> bool:
    return path.startswith(("$.Agent", "$['Agent']"))
