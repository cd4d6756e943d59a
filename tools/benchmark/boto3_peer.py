"""The start function as one writes it with boto3 and urllib3: what ours is measured against.

The same steps: ask the switch, claim the conversation unless somebody has, read the secret, tell
ASAPP, write down what became of it in one transaction. Clients are made once, at import, as AWS
advises. It does less than ours: no try is repeated, no deadline kept, no other invocation waited
for.
"""

import json
import os
import time
import uuid
from functools import cache
from typing import Any

import boto3
import urllib3
from botocore.exceptions import ClientError

TABLE = os.environ["TRANSCRIPT_TABLE"]
RETENTION_SECONDS = int(os.environ["TRANSCRIPT_RETENTION_DAYS"]) * 86_400
dynamodb = boto3.client("dynamodb")
secretsmanager = boto3.client("secretsmanager")
ssm = boto3.client("ssm")
http = urllib3.PoolManager()


def handler(event: dict[str, Any], _context: object) -> dict[str, str]:
    contact, parameters = event["Details"]["ContactData"], event["Details"]["Parameters"]
    audio = contact["MediaStreams"]["Customer"]["Audio"]
    guid = contact["InitialContactId"]
    attempt = uuid.uuid4().hex
    if is_off():
        return {"status": "disabled", "conversationId": guid}
    if not claim(guid, attempt):
        return {"status": "already_started", "conversationId": guid}
    body = {
        "namespace": "amazonconnect",
        "guid": guid,
        "customerId": parameters["customerId"],
        "agentId": parameters["agentId"],
        "autotranscribeParams": json.loads(os.environ["AUTOTRANSCRIBE_PARAMS"]),
        "amazonConnectParams": {
            "streamArn": audio["StreamARN"],
            "startSelectorType": "FRAGMENT_NUMBER",
            "afterFragmentNumber": audio["StartFragmentNumber"],
        },
    }
    url = os.environ["ASAPP_API_HOST"] + "/mg-autotranscribe/v1/start-streaming"
    answer = http.request("POST", url, json=body, headers=credentials(), timeout=2.2).json()
    if answer.get("isOk") is not True:
        return {"status": "rejected", "conversationId": guid}
    participants = answer["autotranscribeResponse"]
    streams = {role: participants[role]["streamId"] for role in ("customer", "agent")}
    settle(guid, attempt, body, streams, int(audio["StartTimestamp"]))
    return {
        "status": "started",
        "conversationId": guid,
        "customerStreamId": streams["customer"],
        "agentStreamId": streams["agent"],
    }


@cache
def is_off() -> bool:
    answer = ssm.get_parameter(Name=os.environ["TRANSCRIPTION_SWITCH"])
    return bool(answer["Parameter"]["Value"] != "enabled")


@cache
def credentials() -> dict[str, str]:
    answer = secretsmanager.get_secret_value(SecretId=os.environ["ASAPP_CREDENTIALS_SECRET"])
    secret = json.loads(answer["SecretString"])
    return {"asapp-api-id": secret["apiId"], "asapp-api-secret": secret["apiSecret"]}


def claim(guid: str, attempt: str) -> bool:
    try:
        dynamodb.update_item(
            TableName=TABLE,
            Key={"conversationId": {"S": guid}, "item": {"S": "conversation"}},
            UpdateExpression="SET attempt = :attempt, expiresAt = :expires",
            ConditionExpression="attribute_not_exists(conversationId)",
            ExpressionAttributeValues={":attempt": {"S": attempt}, ":expires": expires()},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return False
    return True


def settle(
    guid: str, attempt: str, body: dict[str, Any], streams: dict[str, str], began_at_ms: int
) -> None:
    conversation = {
        "TableName": TABLE,
        "Key": {"conversationId": {"S": guid}, "item": {"S": "conversation"}},
        "UpdateExpression": "SET #state = :state, agentId = :agent, streamArn = :arn",
        "ConditionExpression": "attempt = :attempt",
        "ExpressionAttributeNames": {"#state": "state"},
        "ExpressionAttributeValues": {
            ":state": {"S": "streaming"},
            ":agent": {"S": body["agentId"]},
            ":arn": {"S": body["amazonConnectParams"]["streamArn"]},
            ":attempt": {"S": attempt},
        },
    }
    opened = [
        {
            "TableName": TABLE,
            "Key": {"conversationId": {"S": guid}, "item": {"S": f"stream#{stream_id}"}},
            "UpdateExpression": "SET #role = :role, startedAt = :started, expiresAt = :expires",
            "ExpressionAttributeNames": {"#role": "role"},
            "ExpressionAttributeValues": {
                ":role": {"S": role},
                ":started": {"N": str(began_at_ms)},
                ":expires": expires(),
            },
        }
        for role, stream_id in streams.items()
    ]
    dynamodb.transact_write_items(
        TransactItems=[{"Update": write} for write in (conversation, *opened)]
    )


def expires() -> dict[str, str]:
    return {"N": str(int(time.time()) + RETENTION_SECONDS)}
