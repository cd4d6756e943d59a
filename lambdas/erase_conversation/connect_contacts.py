"""Stops a call by our own function, as a flow does, and erases its contact records in Connect."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from shared.aws.botocore_errors import error_code

_STOPPED = ("stopped", "already_stopped", "disabled")
"""What a stop answers if ASAPP hears nothing any more."""
_GONE = ("ResourceNotFoundException",)


class NotStopped(Exception):
    """ASAPP may still hear the call; the message is the status."""


class StopFunction:
    """:param client: A boto3 Lambda client."""

    def __init__(self, client: Any, arn: str) -> None:
        self._client = client
        self._arn = arn

    def stop(self, conversation_id: str, contact_id: str) -> None:
        """Invoke it as a hold flow of the call does.

        :raises NotStopped: if it did not stop.
        """
        contact = {
            "ContactId": contact_id or conversation_id,
            "InitialContactId": conversation_id,
            "PreviousContactId": conversation_id,
            "Channel": "VOICE",
        }
        event = {"Name": "ContactFlowEvent", "Details": {"ContactData": contact, "Parameters": {}}}
        answer = self._client.invoke(FunctionName=self._arn, Payload=json.dumps(event))
        if "FunctionError" in answer:
            raise NotStopped("the function failed")
        status = str(json.loads(answer["Payload"].read()).get("status"))
        if status not in _STOPPED:
            raise NotStopped(status)


class ContactRecords:
    """:param client: A boto3 Connect client."""

    def __init__(self, client: Any, instance_id: str) -> None:
        self._client = client
        self._instance = instance_id

    def erase(self, contact_id: str) -> bool:
        """Have Connect take the customer's endpoint out of a contact's record.

        :returns: False if the contact has not ended yet.
        """
        try:
            self._client.delete_contact_data(
                InstanceId=self._instance,
                ContactId=contact_id,
                ContactFields=["CUSTOMER_ENDPOINT"],
            )
        except ClientError as problem:
            code = error_code(problem)
            if code == "ContactNotTerminatedException":
                return False
            if code not in _GONE:
                raise
        return True
