"""In a fresh process: from the first import of a handler to its first answer.

``python tools/benchmark/first_answer.py MODULE`` prints the seconds and the answer as JSON. Before
the clock starts nothing is imported that a handler would have to import itself.
"""

import sys
import time


class Context:
    """Lambda's context object, of an invocation that has just begun."""

    def get_remaining_time_in_millis(self) -> int:
        return 7000


def contact_event(contact_id: str) -> dict[str, object]:
    """The event of a flow's Lambda block after *Start media streaming*."""
    audio = {
        "StreamARN": "arn:aws:kinesisvideo:us-east-1:111111111111:stream/acme-contact-1/1",
        "StartTimestamp": "1565781909613",
        "StartFragmentNumber": "91343852333181432392682062622220590765191907586",
    }
    contact = {
        "ContactId": contact_id,
        "InitialContactId": contact_id,
        "PreviousContactId": contact_id,
        "Channel": "VOICE",
        "CustomerEndpoint": {"Address": "+15550100199", "Type": "TELEPHONE_NUMBER"},
        "MediaStreams": {"Customer": {"Audio": audio}},
        "Attributes": {},
    }
    parameters = {"customerId": "+15550100199", "agentId": "ada"}
    details = {"ContactData": contact, "Parameters": parameters}
    return {"Name": "ContactFlowEvent", "Details": details}


if __name__ == "__main__":
    event = contact_event("c-1")
    began = time.perf_counter()
    answer = __import__(sys.argv[1], fromlist=["handler"]).handler(event, Context())
    seconds = time.perf_counter() - began

    import json

    print(json.dumps({"seconds": seconds, "status": answer["status"]}))
