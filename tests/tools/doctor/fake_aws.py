"""An AWS account behind a socket: what the doctor asks of it, in botocore's own protocols.

Each answer is checked against botocore's model of the service, so it is one that AWS could give.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

import botocore.session
from botocore.validate import ParamValidator

ACCOUNT = "333333333333"
REGION = "eu-central-1"
INSTANCE_ID = "33333333-3333-4333-8333-333333333333"
INSTANCE = f"arn:aws:connect:{REGION}:{ACCOUNT}:instance/{INSTANCE_ID}"
CALLER = f"arn:aws:sts::{ACCOUNT}:assumed-role/Deployer/me"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/aaaaaaaa-0000-4000-8000-000000000001"
OTHER_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/aaaaaaaa-0000-4000-8000-000000000002"
STREAM = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/agent-events"
WEB_ACL_ID = "acme/44444444-4444-4444-8444-444444444444"
WEB_ACL = f"arn:aws:wafv2:{REGION}:{ACCOUNT}:regional/webacl/{WEB_ACL_ID}"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts"
CERTIFICATE = f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/aaaaaaaa-0000-4000-8000-000000000003"
OTHER_CERTIFICATE = CERTIFICATE.replace("0003", "0004")
OWNER = CERTIFICATE.replace("0003", "0005")
FOR_CLOUDFRONT = ("us-east-1", "acm")
PAGE_CERTIFICATE = CERTIFICATE.replace("0003", "0006").replace(REGION, "us-east-1")
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:redact:live"
EVENT_API = "a1b2c3"
SECRET = "connect-autotranscribe/asapp"
API_ID, API_SECRET = "the-id-of-asapp", "the-s3cr3t-of-asapp"
MEDIA_ID, EVENTS_ID = "media-association", "events-association"
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)

Json = dict[str, Any]


class Refusal(Exception):
    """An error of AWS."""

    def __init__(self, code: str, message: str = "refused", status: int = 400) -> None:
        super().__init__(code, message, status)
        self.code, self.message, self.status = code, message, status


def key(**changes: Any) -> Json:
    return {
        "KeyState": "Enabled",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "KeyManager": "CUSTOMER",
        **changes,
    }


def media(prefix: str = "acme", hours: int = 24, key_id: str = "alias/aws/kinesisvideo") -> Json:
    """As Connect tells it, with what it adds to the prefix."""
    return {
        "AssociationId": MEDIA_ID,
        "StorageType": "KINESIS_VIDEO_STREAM",
        "KinesisVideoStreamConfig": {
            "Prefix": f"{prefix}-connect-acme-contact-",
            "RetentionPeriodHours": hours,
            "EncryptionConfig": {"EncryptionType": "KMS", "KeyId": key_id},
        },
    }


def events(stream_arn: str = STREAM) -> Json:
    return {
        "AssociationId": EVENTS_ID,
        "StorageType": "KINESIS_STREAM",
        "KinesisStreamConfig": {"StreamArn": stream_arn},
    }


def recordings(key_id: str) -> Json:
    return {
        "AssociationId": "recordings-association",
        "StorageType": "S3",
        "S3Config": {
            "BucketName": "acme-recordings",
            "BucketPrefix": "calls",
            "EncryptionConfig": {"EncryptionType": "KMS", "KeyId": key_id},
        },
    }


def certificate(name: str, *, days: float = 200.5, **changes: Any) -> Json:
    """
    :param days: From now to its end.
    """
    return {
        "DomainName": name,
        "SubjectAlternativeNames": [name],
        "Status": "ISSUED",
        "Type": "AMAZON_ISSUED",
        "NotAfter": datetime.now(UTC) + timedelta(days=days),
        **changes,
    }


def resource(kind: str, physical_id: str, status: str = "CREATE_COMPLETE") -> Json:
    return {
        "LogicalResourceId": "Resource",
        "PhysicalResourceId": physical_id,
        "ResourceType": kind,
        "LastUpdatedTimestamp": BEGINNING,
        "ResourceStatus": status,
    }


@dataclass
class Account:
    """What is there. As it is made, all is well for production as the tests have it.

    :param denied: The IAM actions that are refused.
    :param refusals: Errors in place of an operation's answer, by its name.
    :param garbled: The operations that something else than AWS answers.
    """

    number: str = ACCOUNT
    instance: Json | None = field(
        default_factory=lambda: {"InstanceAlias": "acme", "InstanceStatus": "ACTIVE"}
    )
    storage: dict[str, list[Json]] = field(default_factory=lambda: {"MEDIA_STREAMS": [media()]})
    functions: list[str] = field(default_factory=list)
    replication: Json | None = None
    """Connect says something of it only for an instance that has a replica."""
    stacks: dict[str, list[Json]] = field(default_factory=dict)
    stack_states: dict[str, Json] = field(default_factory=dict)
    """Of stacks that are not simply complete, by name."""
    keys: dict[str, Json] = field(default_factory=dict)
    secret: Json | None = field(default_factory=dict)
    secret_value: Json | None = field(
        default_factory=lambda: {
            "SecretString": json.dumps({"apiId": API_ID, "apiSecret": API_SECRET})
        }
    )
    quotas: dict[str, float] = field(default_factory=dict)
    default_quotas: dict[str, float] = field(
        default_factory=lambda: {"L-E3D2F503": 50.0, "L-12AB7C57": 10.0, "L-F06528A6": 10_000.0}
    )
    concurrency: Json = field(
        default_factory=lambda: {
            "ConcurrentExecutions": 1000,
            "UnreservedConcurrentExecutions": 1000,
        }
    )
    reserved: dict[str, int] = field(default_factory=dict)
    """By function."""
    video_streams: list[str] = field(default_factory=list)
    data_streams: dict[str, Json] = field(default_factory=dict)
    bootstrap: str | None = "21"
    qualifier: str = "hnb659fds"
    log_role: str | None = f"arn:aws:iam::{ACCOUNT}:role/apigateway-logs"
    topics: dict[str, dict[str, str]] = field(default_factory=dict)
    web_acls: set[str] = field(default_factory=set)
    """Each as the end of its ARN."""
    certificates: dict[str, Json] = field(default_factory=dict)
    domains: dict[str, Json] = field(default_factory=dict)
    """Of API Gateway, by name."""
    pools: dict[str, str] = field(default_factory=dict)
    """The user pool of each prefix."""
    other_secrets: dict[str, str] = field(default_factory=dict)
    """Values by name."""
    event_apis: dict[str, Json] = field(default_factory=dict)
    """What CreateApi was told of each, by id."""
    namespaces: dict[str, Json] = field(default_factory=dict)
    """Of these APIs, by name."""
    configurations: dict[str, Json] = field(default_factory=dict)
    """Of functions, by ARN."""
    denied: set[str] = field(default_factory=set)
    refusals: dict[str, Refusal] = field(default_factory=dict)
    garbled: set[str] = field(default_factory=set)
    asked_in: str = REGION
    """Where the last request was sent to."""
    calls: list[tuple[str, str]] = field(default_factory=list)
    """Service and operation of each call, as botocore names them."""
    mistakes: list[str] = field(default_factory=list)
    """What the fake itself got wrong."""

    def answer(self, service: str, operation: str, request: Json) -> Json:
        self.calls.append((service, operation))
        action = _action(service, operation)
        if action in self.denied:
            text = f"User: {CALLER} is not authorized to perform: {action} on resource: *"
            raise Refusal(_DENIALS.get(service, "AccessDeniedException"), text, 403)
        if operation in self.refusals:
            raise self.refusals[operation]
        found: Json = getattr(self, f"_{operation}")(request)
        return found

    def _GetCallerIdentity(self, _: Json) -> Json:
        arn = CALLER.replace(ACCOUNT, self.number)
        return {"Account": self.number, "Arn": arn, "UserId": "me"}

    def _DescribeInstance(self, _: Json) -> Json:
        self._require_instance()
        return {"Instance": self.instance} | (
            {"ReplicationConfiguration": self.replication} if self.replication else {}
        )

    def _ListInstanceStorageConfigs(self, request: Json) -> Json:
        self._require_instance()
        return page(request, "StorageConfigs", self.storage.get(request["ResourceType"], []))

    def _ListLambdaFunctions(self, request: Json) -> Json:
        self._require_instance()
        return page(request, "LambdaFunctions", self.functions)

    def _require_instance(self) -> None:
        if self.instance is None:
            raise Refusal("ResourceNotFoundException", status=404)

    def _DescribeStacks(self, request: Json) -> Json:
        name = request["StackName"]
        if name not in self.stacks and name not in self.stack_states:
            raise Refusal("ValidationError", f"Stack with id {name} does not exist")
        complete = {"StackName": name, "CreationTime": BEGINNING, "StackStatus": "CREATE_COMPLETE"}
        return {"Stacks": [complete | self.stack_states.get(name, {})]}

    def _ListStackResources(self, request: Json) -> Json:
        name = request["StackName"]
        if name not in self.stacks:
            raise Refusal("ValidationError", f"Stack with id {name} does not exist")
        return page(request, "StackResourceSummaries", self.stacks[name])

    def _DescribeKey(self, request: Json) -> Json:
        asked = request["KeyId"]
        if asked not in self.keys:
            raise Refusal("NotFoundException")
        arn = {"Arn": asked, "KeyId": asked.rpartition("/")[2]}
        return {"KeyMetadata": arn | self.keys[asked]}

    def _DescribeSecret(self, request: Json) -> Json:
        if self.secret is None or request["SecretId"] != SECRET:
            raise Refusal("ResourceNotFoundException")
        return {"Name": SECRET} | self.secret

    def _GetSecretValue(self, request: Json) -> Json:
        if request["SecretId"] != SECRET:
            if request["SecretId"] not in self.other_secrets:
                raise Refusal("ResourceNotFoundException")
            return {"SecretString": self.other_secrets[request["SecretId"]]}
        if self.secret_value is None:
            raise Refusal("ResourceNotFoundException", "no value for staging label AWSCURRENT")
        return {"Name": SECRET} | self.secret_value

    def _GetServiceQuota(self, request: Json) -> Json:
        code = request["QuotaCode"]
        assert request.get("ContextId") == {"connect": INSTANCE}.get(request["ServiceCode"])
        if code not in self.quotas:
            raise Refusal("NoSuchResourceException")
        return {"Quota": {"QuotaCode": code, "Value": self.quotas[code]}}

    def _GetAWSDefaultServiceQuota(self, request: Json) -> Json:
        code = request["QuotaCode"]
        if code not in self.default_quotas:
            raise Refusal("NoSuchResourceException")
        return {"Quota": {"QuotaCode": code, "Value": self.default_quotas[code]}}

    def _GetAccountSettings(self, _: Json) -> Json:
        return {"AccountLimit": self.concurrency}

    def _GetFunctionConcurrency(self, request: Json) -> Json:
        reserved = self.reserved.get(request["FunctionName"])
        return {"ReservedConcurrentExecutions": reserved} if reserved else {}

    def _GetFunctionConfiguration(self, request: Json) -> Json:
        if request["FunctionName"] not in self.configurations:
            raise Refusal("ResourceNotFoundException", status=404)
        return self.configurations[request["FunctionName"]]

    def _GetApi(self, request: Json) -> Json:
        id = request["apiId"]
        if id not in self.event_apis:
            raise Refusal("NotFoundException", status=404)
        dns = {
            "HTTP": f"{id}.appsync-api.{REGION}.amazonaws.com",
            "REALTIME": f"{id}.appsync-realtime-api.{REGION}.amazonaws.com",
        }
        return {"api": {"apiId": id, "dns": dns, "eventConfig": self.event_apis[id]}}

    def _GetChannelNamespace(self, request: Json) -> Json:
        if request["name"] not in self.namespaces:
            raise Refusal("NotFoundException", status=404)
        there = {"apiId": request["apiId"], "name": request["name"]}
        return {"channelNamespace": there | self.namespaces[request["name"]]}

    def _ListStreams(self, request: Json) -> Json:
        return page(request, "StreamInfoList", [{"StreamName": x} for x in self.video_streams])

    def _DescribeStreamSummary(self, request: Json) -> Json:
        arn = request["StreamARN"]
        if arn not in self.data_streams:
            raise Refusal("ResourceNotFoundException")
        summary = {
            "StreamName": arn.rpartition("/")[2],
            "StreamARN": arn,
            "StreamStatus": "ACTIVE",
            "RetentionPeriodHours": 24,
            "StreamCreationTimestamp": BEGINNING,
            "EnhancedMonitoring": [],
            "OpenShardCount": 1,
        }
        return {"StreamDescriptionSummary": summary | self.data_streams[arn]}

    def _GetParameter(self, request: Json) -> Json:
        if request["Name"] != f"/cdk-bootstrap/{self.qualifier}/version" or not self.bootstrap:
            raise Refusal("ParameterNotFound")
        return {"Parameter": {"Name": request["Name"], "Value": self.bootstrap}}

    def _GetAccount(self, _: Json) -> Json:
        return {"cloudwatchRoleArn": self.log_role} if self.log_role else {}

    def _GetWebACL(self, request: Json) -> Json:
        assert request["Scope"] == "REGIONAL"
        if f"{request['Name']}/{request['Id']}" not in self.web_acls:
            raise Refusal("WAFNonexistentItemException")
        counted = {
            "SampledRequestsEnabled": False,
            "CloudWatchMetricsEnabled": True,
            "MetricName": "all",
        }
        there = {"Name": request["Name"], "Id": request["Id"], "ARN": WEB_ACL}
        return {"WebACL": {**there, "DefaultAction": {"Allow": {}}, "VisibilityConfig": counted}}

    def _DescribeCertificate(self, request: Json) -> Json:
        arn = request["CertificateArn"]
        if arn not in self.certificates or arn.split(":")[3] != self.asked_in:
            raise Refusal("ResourceNotFoundException")
        return {"Certificate": {"CertificateArn": arn} | self.certificates[arn]}

    def _GetDomainName(self, request: Json) -> Json:
        name = request["domainName"]
        if name not in self.domains:
            raise Refusal("NotFoundException", "Invalid domain name identifier specified", 404)
        return {"domainName": name, "domainNameStatus": "AVAILABLE"} | self.domains[name]

    def _DescribeUserPoolDomain(self, request: Json) -> Json:
        """Of a prefix that nobody has, or another account, AWS says nothing."""
        pool = self.pools.get(request["Domain"])
        known = {"UserPoolId": pool, "Domain": request["Domain"], "Status": "ACTIVE"}
        return {"DomainDescription": known if pool else {}}

    def _GetTopicAttributes(self, request: Json) -> Json:
        if request["TopicArn"] not in self.topics:
            raise Refusal("NotFound", "Topic does not exist", 404)
        return {"Attributes": self.topics[request["TopicArn"]]}


_DENIALS = {"sts": "AccessDenied", "cloudformation": "AccessDenied", "sns": "AuthorizationError"}


def _action(service: str, operation: str) -> str:
    """What IAM calls an operation; only API Gateway's are named by their HTTP method."""
    if service == "apigateway":
        return f"apigateway:{_model(service).operation_model(operation).http['method']}"
    return f"{'servicequotas' if service == 'service-quotas' else service}:{operation}"


def page(request: Json, name: str, items: list[Any]) -> Json:
    """One item a page, so that whoever reads no second page sees little."""
    place = int(request.get("NextToken") or 0)
    more = {"NextToken": str(place + 1)} if place + 1 < len(items) else {}
    return {name: items[place : place + 1], **more}


@cache
def _model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


_SERVICES = {
    "lex": "lexv2-models",
    "monitoring": "cloudwatch",
    "servicequotas": "service-quotas",
}  # where the name that signs is another


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer in one packet: in two, TCP would wait
    server: FakeAws

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        signed = re.search(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/", self.headers["Authorization"])
        assert signed and (signed[1] == REGION or signed.groups() == FOR_CLOUDFRONT)
        service = _SERVICES.get(signed[2], signed[2])
        account = self.server.account
        account.asked_in = signed[1]
        protocol = _model(service).resolved_protocol
        operation, request = _parsed(service, protocol, self.command, self.path, self.headers, body)
        shape = _model(service).operation_model(operation).output_shape
        self._id = f"of-{operation}"
        if operation in account.garbled:
            self._send(400, "{}", {})
            return
        try:
            answer = account.answer(service, operation, request)
            if shape is None:
                assert answer == {}
            elif report := ParamValidator().validate(answer, shape).generate_report():
                raise AssertionError(report)
        except Refusal as refusal:
            self._refuse(protocol, refusal)
        except Exception as mistake:
            account.mistakes.append(f"{service} {operation}: {mistake!r}")
            self._refuse(protocol, Refusal("Mistake", status=400))
        else:
            self._send(200, _written(protocol, operation, shape, answer), {})

    do_GET = do_DELETE = do_PUT = do_POST

    def _refuse(self, protocol: str, refusal: Refusal) -> None:
        code, message = refusal.code, escape(refusal.message)
        if protocol == "query":
            error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
            self._send(refusal.status, f"<ErrorResponse>{error}</ErrorResponse>", {})
        else:
            content = json.dumps({"__type": code, "message": refusal.message})
            self._send(refusal.status, content, {"x-amzn-ErrorType": code})

    def _send(self, status: int, content: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {
            **headers,
            "Content-Length": str(len(content.encode())),
            "x-amzn-RequestId": self._id,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content.encode())

    def log_message(self, *_: object) -> None:
        pass


def _parsed(
    service: str, protocol: str, method: str, path: str, headers: Any, body: str
) -> tuple[str, Json]:
    """The operation and what it is asked."""
    if protocol == "json":
        return headers["X-Amz-Target"].rpartition(".")[2], json.loads(body)
    if protocol == "query":
        form = dict(parse_qsl(body))
        return form.pop("Action"), form
    url = urlsplit(path)
    for name in _model(service).operation_names:
        operation = _model(service).operation_model(name)
        place = operation.http["requestUri"].partition("?")[0]
        match = re.fullmatch(re.sub(r"\{(\w+)\+?\}", r"(?P<\1>[^/]+)", place), url.path)
        if match and operation.http["method"] == method:
            parts, request = match.groupdict(), {}
            query = dict(parse_qsl(url.query))
            for member, shape in operation.input_shape.members.items():
                wire = shape.serialization.get("name", member)
                if shape.serialization.get("location") == "querystring" and wire in query:
                    request[member] = query[wire]
                if shape.serialization.get("location") == "uri":
                    request[member] = unquote(parts[wire])
            return name, request | (json.loads(body) if body else {})
    raise AssertionError(f"{service} has no {method} {path}")


def _written(protocol: str, operation: str, shape: Any, answer: Json) -> str:
    if protocol != "query":
        return json.dumps(answer, default=_for_json)
    inside = _xml(shape, answer)
    wrapper = shape.serialization["resultWrapper"]
    return f"<{operation}Response><{wrapper}>{inside}</{wrapper}></{operation}Response>"


def _for_json(value: datetime | bytes) -> float | str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value.timestamp()


def _xml(shape: Any, value: Any) -> str:
    if shape.type_name == "structure":
        members = shape.members
        return "".join(f"<{key}>{_xml(members[key], value[key])}</{key}>" for key in value)
    if shape.type_name == "list":
        return "".join(f"<member>{_xml(shape.member, each)}</member>" for each in value)
    if shape.type_name == "map":
        entries = (f"<key>{key}</key><value>{escape(value[key])}</value>" for key in value)
        return "".join(f"<entry>{entry}</entry>" for entry in entries)
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, datetime) else escape(str(value))


class FakeAws(ThreadingHTTPServer):
    """Every service of one account, at one URL."""

    account: Account

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
