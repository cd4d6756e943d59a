"""The switch of one environment, and the calls that are still transcribed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from shared import table
from tools.environment import outputs_of

KEPT_SECONDS = 10
"""How long a process of a function keeps the value: ``shared/calls/switch.py``."""
STOPPED = ("stopped", "already_stopped", "disabled")
"""What a stop answers if ASAPP hears nothing any more; ``disabled`` if another agent of the call is
connected, who would have been started."""


@dataclass(frozen=True)
class Switch:
    """
    :param stop_function: The function that flows invoke to stop.
    :param client: Makes clients, as ``boto3.client`` does.
    """

    parameter: str
    table_name: str
    stop_function: str
    region: str
    client: Callable[..., Any]

    @classmethod
    def of(cls, stack: str, region: str, client: Callable[..., Any]) -> Switch:
        """:raises NotDeployed: if the stack does not say where its switch is."""
        cloudformation = client("cloudformation", region_name=region)
        names = ("SwitchName", "TableName", "StopFunction")
        parameter, table_name, stop_function = outputs_of(cloudformation, stack, *names)
        return cls(parameter, table_name, stop_function, region, client)

    @property
    def state(self) -> str:
        answer = self._client("ssm").get_parameter(Name=self.parameter)
        return str(answer["Parameter"]["Value"])

    def turn(self, state: str) -> None:
        """:param state: ``enabled`` or ``disabled``."""
        self._client("ssm").put_parameter(Name=self.parameter, Value=state, Overwrite=True)

    def stop_calls(self) -> Iterator[tuple[str, str]]:
        """Each call that was transcribed, and what became of its stop.

        First no process may start any more: a start that is on its way takes up to 7 seconds.
        """
        time.sleep(KEPT_SECONDS + 7)
        for conversation in self._streaming():
            yield conversation["conversationId"], self._stop(conversation)

    def _streaming(self) -> Iterator[dict[str, Any]]:
        """Calls that are not known to be over."""
        dynamodb = self._client("dynamodb")
        for key in table.reconcile_keys(table.IN_PROGRESS):
            pages = dynamodb.get_paginator("query").paginate(
                TableName=self.table_name,
                IndexName=table.RECONCILE_INDEX,
                KeyConditionExpression=f"{table.RECONCILE} = :key",
                ExpressionAttributeValues=table.attributes({":key": key}),
            )
            for item in (table.values(each) for page in pages for each in page["Items"]):
                found = dynamodb.get_item(
                    TableName=self.table_name,
                    Key=table.conversation_key(item["conversationId"]),
                    ConsistentRead=True,
                )
                conversation = table.values(found.get("Item", {}))
                if conversation.get("asapp") not in (None, "stopped"):
                    yield conversation

    def _stop(self, conversation: dict[str, Any]) -> str:
        """Invoke the function as a hold flow of the call does."""
        conversation_id = conversation["conversationId"]
        contact = {
            "ContactId": conversation.get("toldContactId") or conversation_id,
            "InitialContactId": conversation_id,
            "PreviousContactId": conversation_id,
            "Channel": "VOICE",
        }
        event = {"Name": "ContactFlowEvent", "Details": {"ContactData": contact, "Parameters": {}}}
        answer = self._client("lambda").invoke(
            FunctionName=self.stop_function, Payload=json.dumps(event)
        )
        if "FunctionError" in answer:
            return "the function failed; see its log"
        return str(json.loads(answer["Payload"].read()).get("status"))

    def _client(self, service: str) -> Any:
        return self.client(service, region_name=self.region)
