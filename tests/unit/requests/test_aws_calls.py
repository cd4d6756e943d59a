"""The calls to AWS that are signed by hand: as botocore would sign them, and within the time."""

from __future__ import annotations

import json
import time
import traceback

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.aws import api as aws_calls
from shared.aws.api import AwsError, call, signed_headers
from shared.runtime import Deadline
from tests.unit.conftest import Behaviour, Vendor, VendorHandler, drip, hang, html, reset
from tests.unit.held_clock import HeldClock

GET_ITEM = "DynamoDB_20120810.GetItem"
GET_SECRET = "secretsmanager.GetSecretValue"
BODY = {"TableName": "t", "Key": {"conversationId": {"S": "words that nobody may read"}}}


@pytest.fixture
def service(vendor: Vendor, aws: str, monkeypatch: pytest.MonkeyPatch) -> Vendor:
    """An AWS that behaves as badly as it is told."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", vendor.url)
    return vendor


def answering(status: int, body: object) -> Behaviour:
    return lambda request: request.reply(status, body, "application/x-amz-json-1.0")


def refusing(code: str, status: int = 400) -> Behaviour:
    return answering(status, {"__type": code, "message": "words that nobody may read"})


OK = answering(200, {"Item": {"a": {"S": "b"}}})


def failure(clock: HeldClock, seconds: float = 6.0) -> AwsError:
    with pytest.raises(AwsError) as caught:
        call("dynamodb", GET_ITEM, BODY, Deadline(seconds, clock))
    return caught.value


key_text = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
json_bodies = st.dictionaries(st.text(), st.text() | st.integers() | st.lists(st.text()))
services = st.sampled_from(
    [
        ("dynamodb", GET_ITEM, "application/x-amz-json-1.0"),
        ("secretsmanager", GET_SECRET, "application/x-amz-json-1.1"),
    ]
)
regions = st.sampled_from(["us-east-1", "eu-central-1", "ap-southeast-2", "cn-north-1"])


@settings(deadline=None, max_examples=50)
@given(services, regions, json_bodies, key_text, key_text, st.none() | key_text, st.booleans())
def test_the_signature_is_the_one_that_botocore_makes(
    service: tuple[str, str, str],
    region: str,
    body: dict[str, object],
    access_key: str,
    secret_key: str,
    token: str | None,
    in_utf_8: bool,
) -> None:
    name, target, content_type = service
    host = f"{name}.{region}.amazonaws.com"
    content = json.dumps(body, ensure_ascii=not in_utf_8).encode(errors="surrogatepass")
    theirs = AWSRequest("POST", f"https://{host}/", data=content)
    theirs.headers["Content-Type"] = content_type
    theirs.headers["X-Amz-Target"] = target
    SigV4Auth(Credentials(access_key, secret_key, token), name, region).add_auth(theirs)
    environment = {
        "AWS_REGION": region,
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret_key,
    }
    if token is not None:
        environment["AWS_SESSION_TOKEN"] = token
    now = time.strptime(theirs.context["timestamp"], "%Y%m%dT%H%M%SZ")
    ours = signed_headers(name, host, target, content_type, content, now, environment)
    assert ours.pop("host") == host
    assert ours == {header.lower(): value for header, value in theirs.headers.items()}


def test_a_call_names_its_host_once(service: Vendor) -> None:
    hosts = []

    def answer(request: VendorHandler) -> None:
        hosts.append(request.headers.get_all("host"))
        OK(request)

    service.behaviours[:] = [answer]
    call("dynamodb", GET_ITEM, BODY, Deadline(30))
    assert hosts == [[service.url.removeprefix("http://")]]


def test_an_empty_session_token_is_no_token() -> None:
    environment = {
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "",
    }
    headers = signed_headers("dynamodb", "h", "t", "c", b"", time.gmtime(0), environment)
    assert set(headers) == {"content-type", "host", "x-amz-date", "x-amz-target", "authorization"}
    assert headers["x-amz-date"] == "19700101T000000Z"


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "dynamodb.us-east-1.amazonaws.com"),
        ("us-gov-west-1", "dynamodb.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "dynamodb.cn-north-1.amazonaws.com.cn"),
        ("cn-northwest-1", "dynamodb.cn-northwest-1.amazonaws.com.cn"),
    ],
)
def test_the_endpoint_is_the_one_that_botocore_knows(
    region: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_REGION", region)
    theirs = boto3.client("dynamodb", region, aws_access_key_id="a", aws_secret_access_key="b")
    assert aws_calls._endpoint("dynamodb") == theirs.meta.endpoint_url == f"https://{host}"


def test_a_call_reaches_the_service_with_its_target_and_its_content_type(service: Vendor) -> None:
    service.behaviours = [OK]
    assert call("dynamodb", GET_ITEM, BODY, Deadline(2)) == {"Item": {"a": {"S": "b"}}}
    call("secretsmanager", GET_SECRET, {"SecretId": "s"}, Deadline(2))
    (path, headers, body), (_, other, _) = service.requests
    assert (path, body) == ("/", BODY)
    assert headers["x-amz-target"] == GET_ITEM
    assert headers["content-type"] == "application/x-amz-json-1.0"
    assert other["content-type"] == "application/x-amz-json-1.1"
    assert headers["host"] in service.url
    assert "Credential=AKIDEXAMPLE/" in headers["authorization"]


def test_a_service_that_checks_what_it_gets_answers(aws: str, secret_name: str) -> None:
    answer = call("secretsmanager", GET_SECRET, {"SecretId": secret_name}, Deadline(2))
    assert json.loads(answer["SecretString"])["apiId"] == "id-of-asapp"


def test_the_connection_stays_open_between_calls(service: Vendor) -> None:
    clients: list[object] = []

    def note(request: VendorHandler) -> None:
        clients.append(request.client_address)
        OK(request)

    service.behaviours = [note]
    for _ in range(3):
        call("dynamodb", GET_ITEM, BODY, Deadline(2))
    assert len(set(clients)) == 1


def cancelled(*codes: str | None) -> Behaviour:
    """A transaction's refusal, with a reason for each of its writes."""
    reasons = [{"Code": code, "Message": "words that nobody may read"} for code in codes]
    name = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException"
    return answering(400, {"__type": name, "CancellationReasons": reasons})


PASSING: dict[str, Behaviour] = {
    "over capacity": refusing("x.v20120810#ProvisionedThroughputExceededException"),
    "over the account's limit": refusing("x.v20120810#RequestLimitExceeded"),
    "throttled": refusing("ThrottlingException"),
    "in a transaction": refusing("x.v20120810#TransactionInProgressException"),
    "in another's transaction": refusing("x.v20120810#TransactionConflictException"),
    "written in another region": refusing("x.v20120810#ReplicatedWriteConflictException"),
    "a transaction in conflict": cancelled("None", "TransactionConflict"),
    "a transaction throttled": cancelled("ThrottlingError", "None"),
    "a transaction over capacity": cancelled("ProvisionedThroughputExceeded"),
    "a transaction in two troubles": cancelled("TransactionConflict", "ThrottlingError"),
    "broken": refusing("x.v20120810#InternalServerError", 500),
    "behind a broken proxy": answering(503, "<html>words of a proxy</html>"),
    "gone": reset,
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_a_fault_that_passes_is_tried_again(
    fault: Behaviour, service: Vendor, clock: HeldClock
) -> None:
    service.behaviours = [fault, OK]
    answer = call("dynamodb", GET_ITEM, BODY, Deadline(6.0, clock))
    assert answer == {"Item": {"a": {"S": "b"}}}
    assert len(service.requests) == 2


REFUSALS: dict[str, tuple[Behaviour, str]] = {
    "a failed condition": (
        refusing("com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"),
        "ConditionalCheckFailedException",
    ),
    "a failed condition in a transaction": (
        cancelled("ConditionalCheckFailed", "TransactionConflict"),
        "TransactionCanceledException",
    ),
    "a transaction that is not valid": (
        cancelled("None", "ValidationError"),
        "TransactionCanceledException",
    ),
    "a transaction without reasons": (cancelled(), "TransactionCanceledException"),
    "a transaction with half a reason": (cancelled(None), "TransactionCanceledException"),
    "a bad request": (
        refusing("com.amazon.coral.validate#ValidationException"),
        "ValidationException",
    ),
    "a missing right": (
        refusing("com.amazon.coral.service#AccessDeniedException"),
        "AccessDeniedException",
    ),
    "a missing table": (refusing("ResourceNotFoundException"), "ResourceNotFoundException"),
}


@pytest.mark.parametrize(("fault", "code"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_is_not_repeated_and_has_the_services_own_code(
    fault: Behaviour, code: str, service: Vendor, clock: HeldClock
) -> None:
    service.behaviours = [fault]
    assert failure(clock).code == code
    assert len(service.requests) == 1


def test_the_pauses_double_up_to_a_second_and_differ_by_chance(
    service: Vendor, clock: HeldClock
) -> None:
    service.behaviours = [refusing("ThrottlingException")]
    failure(clock, seconds=20.0)
    first = clock.slept[:6]
    for pause, most in zip(first, (0.1, 0.2, 0.4, 0.8, 1.0, 1.0), strict=True):
        assert most / 2 <= pause <= most
    failure(clock, seconds=20.0)
    assert first[0] not in clock.slept[6:]
    assert clock.monotonic() == pytest.approx(40.0)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (answering(400, {"message": "no type"}), "HTTP400"),
        (answering(403, "words"), "HTTP403"),
        (answering(413, [1]), "HTTP413"),
        (answering(400, ""), "HTTP400"),
    ],
)
def test_an_error_without_a_code_has_its_status(
    fault: Behaviour, code: str, service: Vendor, clock: HeldClock
) -> None:
    service.behaviours = [fault]
    assert failure(clock).code == code


def test_a_failed_conditions_item_comes_with_the_error(service: Vendor, clock: HeldClock) -> None:
    item = {"version": {"N": "7"}}
    body = {"__type": "x#ConditionalCheckFailedException", "Item": item, "message": "no"}
    service.behaviours = [answering(400, body)]
    assert failure(clock).details["Item"] == item


def test_an_answer_that_is_not_json_is_an_empty_one(service: Vendor) -> None:
    service.behaviours = [html]
    assert call("dynamodb", GET_ITEM, BODY, Deadline(2)) == {}


def test_a_throttling_that_does_not_pass_ends_with_its_code_at_the_deadline(
    service: Vendor, clock: HeldClock
) -> None:
    service.behaviours = [refusing("ThrottlingException")]
    assert failure(clock).code == "ThrottlingException"
    assert clock.monotonic() == pytest.approx(6.0)


@pytest.mark.parametrize("fault", [hang, drip], ids=["hangs", "drips a byte at a time"])
def test_an_endpoint_that_does_not_answer_is_asked_every_two_seconds_until_the_deadline(
    fault: Behaviour, service: Vendor, clock: HeldClock
) -> None:
    service.behaviours = [fault]
    assert failure(clock).code == "NoAnswer"
    assert clock.monotonic() == pytest.approx(6.0)
    assert len(service.requests) == 3


def test_a_throttling_before_the_silence_is_what_the_error_says(
    service: Vendor, clock: HeldClock
) -> None:
    service.behaviours = [refusing("ThrottlingException"), hang]
    assert failure(clock).code == "ThrottlingException"


def test_without_time_nothing_is_sent(service: Vendor, clock: HeldClock) -> None:
    assert failure(clock, seconds=0).code == "NoAnswer"
    assert service.requests == []


@pytest.mark.parametrize(
    "fault",
    [refusing("x#ValidationException"), answering(500, "words that nobody may read"), reset],
)
def test_an_error_tells_the_call_and_the_code_and_no_word_of_either_body(
    fault: Behaviour, service: Vendor, clock: HeldClock
) -> None:
    service.behaviours = [fault]
    error = failure(clock)
    assert str(error) == f"{GET_ITEM}: {error.code}"
    told = "".join(traceback.format_exception(error)) + repr(error)
    for private in ("words that nobody may read", "wJalrXUtnFEMI", "AKIDEXAMPLE"):
        assert private not in told
