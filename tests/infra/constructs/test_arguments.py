"""Arguments of constructs that cannot be: refused at synth, with what to write instead."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from inspect import signature
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from aws_cdk import Duration, Fn, RemovalPolicy, Stack, Token
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

import connect_autotranscribe
from connect_autotranscribe import (
    AgentWorkspaceApp,
    CallLifecycle,
    ConversationErasure,
    FlowFunction,
    FlowsStack,
    KinesisVideoReadRole,
    LiveMediaStreaming,
    LivePage,
    LiveSignIn,
    LiveTranscripts,
    Retention,
    TranscribedFlow,
    TranscriptApi,
    TranscriptionAlarms,
    TranscriptionControl,
    TranscriptionFlow,
    TranscriptionModule,
    TranscriptReconciliation,
    TranscriptStore,
    TranscriptWebhook,
    UtteranceExport,
    WebhookDomain,
)
from connect_autotranscribe._arguments import Argument
from connect_flows.ready_made.disconnect import disconnect
from connect_flows.ready_made.modules import stop_module
from connect_settings.environment import RULES, Settings, SettingsError
from tests.infra.conftest import ACCOUNT, new_app, new_stack

REGION = "eu-central-1"
INSTANCE = f"arn:aws:connect:{REGION}:{ACCOUNT}:instance/9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa"
ROLE = "arn:aws:iam::999999999999:role/asapp"
HOST = "https://api.asapp.com"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f:live"
AN_INSTANCE = 'write "arn:<partition>:connect:<region>:<account>:instance/<uuid>"'
AN_ORIGIN = 'write only a scheme and a host, like "https://api.asapp.com"'
DAYS = "write 1 to 3650 days, like 30"
A_PATH = 'write a path without slashes around it, like "asapp"'


def table(stack: Stack) -> dynamodb.ITable:
    if found := stack.node.try_find_child("Given"):
        given: dynamodb.ITable = found  # type: ignore[assignment]
        return given
    return dynamodb.Table.from_table_attributes(
        stack,
        "Given",
        table_arn=f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/theirs",
        table_stream_arn=f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/theirs/stream/1",
    )


def secret(stack: Stack) -> secretsmanager.ISecret:
    return secretsmanager.Secret.from_secret_name_v2(stack, "GivenSecret", "asapp")


def function(stack: Stack) -> lambda_.IFunction:
    return lambda_.Function.from_function_arn(stack, "GivenFunction", FUNCTION)


def domain(stack: Stack) -> apigateway.IDomainName:
    return apigateway.DomainName.from_domain_name_attributes(
        stack,
        "GivenDomain",
        domain_name="asapp.acme.example",
        domain_name_alias_hosted_zone_id="Z1",
        domain_name_alias_target="d-1.execute-api.eu-central-1.amazonaws.com",
    )


def certificate(stack: Stack) -> acm.ICertificate:
    arn = f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa"
    return acm.Certificate.from_certificate_arn(stack, "GivenCertificate", arn)


def event_bus(stack: Stack) -> events.IEventBus:
    return events.EventBus.from_event_bus_name(stack, "GivenBus", "theirs")


def sign_in(stack: Stack) -> LiveSignIn:
    return LiveSignIn(stack, "GivenSignIn", page_url=PAGE, domain_prefix="acme")


def flow_function(stack: Stack) -> FlowFunction:
    return FlowFunction(stack, "GivenStop", instance_arn=INSTANCE, function=function(stack))


def control(stack: Stack) -> TranscriptionControl:
    return TranscriptionControl(
        stack,
        "GivenControl",
        instance_arn=INSTANCE,
        table=table(stack),
        credentials_secret=secret(stack),
        api_host=HOST,
    )


def stream(stack: Stack) -> kinesis.IStream:
    arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/agents"
    return kinesis.Stream.from_stream_arn(stack, "GivenStream", arn)


def put(stack: Stack, construct: type, id: str = "Ours", **own: Any) -> Any:
    """A construct in a stack, with what it needs, but for what is given."""
    needs: dict[type, dict[str, Any]] = {
        KinesisVideoReadRole: {"trusted_role_arns": [ROLE], "stream_prefix": "acme"},
        LiveMediaStreaming: {
            "mode": "manage",
            "stream_prefix": "acme",
            "instance_arn": INSTANCE,
            "audio_retention": Duration.hours(24),
        },
        TranscriptionControl: {"instance_arn": INSTANCE, "api_host": HOST},
        CallLifecycle: {"mode": "adopt", "instance_arn": INSTANCE, "agent_event_stream": stream},
        TranscriptStore: {},
        TranscriptWebhook: {},
        WebhookDomain: {"name": "transcripts.acme.com", "certificate": certificate},
        TranscriptApi: {},
        TranscriptReconciliation: {"api_host": HOST},
        UtteranceExport: {"api_host": HOST},
        ConversationErasure: {"queues": {}},
        FlowFunction: {"instance_arn": INSTANCE, "function": function},
        TranscriptionFlow: {
            "instance_arn": INSTANCE,
            "flow": disconnect(stop_function_arn=FUNCTION),
        },
        TranscriptionModule: {
            "instance_arn": INSTANCE,
            "module": stop_module(stop_function_arn=FUNCTION),
        },
        TranscribedFlow: {
            "instance_arn": INSTANCE,
            "name": "Billing",
            "type": "CONTACT_FLOW",
            "content": '{"Version": "2019-10-30", "StartAction": "End", "Actions": [{"Identifier": '
            '"End", "Type": "DisconnectParticipant", "Parameters": {}, "Transitions": {}}]}',
            "stop_streaming": flow_function,
        },
        TranscriptionAlarms: {"constructs": []},
        LivePage: {"instance_alias": "acme"},
        LiveSignIn: {"page_url": PAGE, "domain_prefix": "acme-live"},
        LiveTranscripts: {"event_bus": event_bus, "sign_in": sign_in, "page_url": PAGE},
        AgentWorkspaceApp: {"instance_arn": INSTANCE, "page_url": PAGE},
    }
    arguments = needs[construct] | own
    takes = signature(construct.__init__).parameters  # type: ignore[misc]
    for name, make in (("table", table), ("credentials_secret", secret), ("control", control)):
        if name in takes:
            arguments.setdefault(name, make)
    made = {
        name: value(stack) if callable(value) and not isinstance(value, type) else value
        for name, value in arguments.items()
    }
    return construct(stack, id, **made)


REDACTION = (
    "none",
    '"none" is not accepted; write "redacted", "unredacted" or "redacted_and_unredacted"',
)
RECORD_DAYS = (
    Duration.days(2),
    "2 days is not accepted; write 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, "
    "1096, 1827 or 2192",
)

PAGE = "https://live.acme.com/"
A_PAGE = 'write the address of the page with a slash at its end, like "https://live.acme.com/"'
CASES: Mapping[type, Mapping[str, tuple[Any, str]]] = {
    KinesisVideoReadRole: {
        "trusted_role_arns": (
            ["arn:aws:iam::99:role/x"],
            '"arn:aws:iam::99:role/x" is not accepted; '
            'write "arn:<partition>:iam::<account>:role/<role>"',
        ),
        "stream_prefix": (
            "acme*",
            '"acme*" is not accepted; write 1 to 128 letters, digits, "_", "." or "-", like "acme"',
        ),
        "instance_alias": (
            "acme.my.connect.aws",
            '"acme.my.connect.aws" is not accepted; '
            'write the name in https://<name>.my.connect.aws, like "acme"',
        ),
        "external_id": (
            "",
            '"" is not accepted; write 2 to 1224 letters, digits or characters of "_+=,.@:/-"',
        ),
        "max_session_duration": (
            Duration.minutes(30),
            "30 minutes is not accepted; write Duration.hours(1) to Duration.hours(12)",
        ),
    },
    LiveMediaStreaming: {
        "mode": ("off", '"off" is not accepted; write "adopt" or "manage"'),
        "stream_prefix": (
            "a b",
            '"a b" is not accepted; write 1 to 128 letters, digits, "_", "." or "-", like "acme"',
        ),
        "instance_arn": ("9308c2a1", f'"9308c2a1" is not accepted; {AN_INSTANCE}'),
        "audio_retention": (
            Duration.hours(87_601),
            "87601 hours is not accepted; write 1 to 87600 hours, like 24; 0 would keep audio for "
            "5 minutes only",
        ),
    },
    TranscriptionControl: {
        "instance_arn": ("9308c2a1", f'"9308c2a1" is not accepted; {AN_INSTANCE}'),
        "resiliency": ("yes", "is a string, not a boolean; write true or false"),
        "api_host": (
            "http://api.asapp.com",
            '"http://api.asapp.com" is not encrypted; write "https://api.asapp.com"',
        ),
        "language": (
            "English",
            '"English" is not accepted; write an IETF tag, like "en-US" or "es-US"',
        ),
        "redaction": REDACTION,
        "detailed_tokens": ("no", "is a string, not a boolean; write true or false"),
        "audio_recording_allowed": (1, "is an integer, not a boolean; write true or false"),
        "start_selector": (
            "EARLIEST",
            '"EARLIEST" is not accepted; write "FRAGMENT_NUMBER" or "NOW"',
        ),
        "conversation_id": (
            "contactId",
            '"contactId" is not accepted; '
            'write "InitialContactId", "ContactId" or "PreviousContactId"',
        ),
        "transcript_retention": (Duration.hours(12), f"0.5 days is not accepted; {DAYS}"),
    },
    CallLifecycle: {
        "mode": ("off", '"off" is not accepted; write "adopt" or "manage"'),
        "instance_arn": ("acme", f'"acme" is not accepted; {AN_INSTANCE}'),
        "shards": (0, "0 is not accepted; write 1 to 200, like 1"),
    },
    TranscriptStore: {
        "sender_id_in_events": ("yes", "is a string, not a boolean; write true or false"),
        "warm_write_units_per_second": (
            0,
            "0 is not accepted; write 1 or more, like 12500",
        ),
    },
    TranscriptWebhook: {
        "redaction": REDACTION,
        "tls": ("1.1", '"1.1" is not accepted; write "1.2" or "1.3"'),
        "throttle_rate_per_second": (
            "100",
            "is a string, not an integer; write 1 or more, like 1000",
        ),
        "throttle_burst": (0, "0 is not accepted; write 1 or more, like 2000"),
        "web_acl": (
            "manage",
            '"manage" is not accepted; write '
            '"arn:<partition>:wafv2:<region>:<account>:regional/webacl/<name>/<uuid>"',
        ),
        "allowed_cidrs": (
            ["203.0.113.0/24", "nonsense"],
            '"nonsense" is not accepted; write a network without host bits, like '
            '"203.0.113.0/24"; [] allows every address',
        ),
        "api_gateway_log_role": ("off", '"off" is not accepted; write "adopt" or "manage"'),
        "with_aliases": ("no", "is a string, not a boolean; write true or false"),
        "max_consumers": (1, "1 is not accepted; write 2 to 1000, like 5"),
        "base_path": ("/asapp/", f'"/asapp/" is not accepted; {A_PATH}'),
        "transcript_retention": (Duration.days(3651), f"3651 days is not accepted; {DAYS}"),
    },
    WebhookDomain: {
        "name": (
            "Transcripts.acme.com",
            '"Transcripts.acme.com" is not accepted; write a domain name in lower case, like '
            '"transcripts.acme.com"',
        ),
        "tls": ("1.0", '"1.0" is not accepted; write "1.2" or "1.3"'),
    },
    TranscriptApi: {
        "base_path": ("asapp/", f'"asapp/" is not accepted; {A_PATH}'),
        "record_retention": RECORD_DAYS,
    },
    TranscriptReconciliation: {
        "api_host": (f"{HOST}/v1", f'"{HOST}/v1" is not accepted; {AN_ORIGIN}'),
        "after": (
            Duration.minutes(0),
            "0 leaves no time for late webhook messages; write 1 to 720 minutes, like 15",
        ),
        "transcript_retention": (
            30,
            "30 is not a Duration; write one of 1 to 3650 days, like 30",
        ),
    },
    ConversationErasure: {
        "connect_instance_arn": ("acme", f'"acme" is not accepted; {AN_INSTANCE}'),
        "receipts_locked": (
            Duration.days(0),
            "0 days is not accepted; write 1 to 3650 days, like 365",
        ),
        "audio_retention": (
            Duration.hours(0),
            "0 hours is not accepted; write 1 to 87600 hours, like 24; 0 would keep audio for "
            "5 minutes only",
        ),
    },
    UtteranceExport: {
        "api_host": (
            "https://id:word@api.asapp.com",
            f"the value (not shown, because it may be a secret) is not accepted; {AN_ORIGIN}",
        ),
        "at": (
            "2:30",
            '"2:30" is not accepted; write a time of day in UTC, "02:00" to "23:59", like '
            '"02:30"; ASAPP updates the feed at 02:00',
        ),
        "keep": (
            Duration.days(3651),
            "3651 days is not accepted; write 1 to 3650 days, like 365",
        ),
        "lookback": (Duration.days(31), "31 days is not accepted; write 1 to 30 days, like 7"),
        "columns": (
            {"text": "x') FROM t --"},
            '{"text": "x\') FROM t --"} is not accepted; write the feed\'s names for '
            'conversation, id, role, sender, text, time, like "utterance_text" for text',
        ),
    },
    FlowFunction: {
        "instance_arn": ("9308c2a1", f'"9308c2a1" is not accepted; {AN_INSTANCE}'),
        "resiliency": ("yes", "is a string, not a boolean; write true or false"),
    },
    TranscriptionFlow: {"instance_arn": ("acme", f'"acme" is not accepted; {AN_INSTANCE}')},
    TranscriptionModule: {"instance_arn": ("acme", f'"acme" is not accepted; {AN_INSTANCE}')},
    TranscribedFlow: {
        "instance_arn": ("acme", f'"acme" is not accepted; {AN_INSTANCE}'),
        "both_directions": ("yes", "is a string, not a boolean; write true or false"),
    },
    FlowsStack: {
        "instance_arn": ("acme", f'"acme" is not accepted; {AN_INSTANCE}'),
        "customer_id_path": (
            "$.Agent.UserName",
            '"$.Agent.UserName" is not accepted; write a JSONPath of the customer, like '
            '"$.CustomerEndpoint.Address"; when a call comes in, there is no agent yet',
        ),
        "agent_id_path": (
            "jane",
            '"jane" is not accepted; write a JSONPath of Amazon Connect, like "$.Agent.UserName"',
        ),
        "name_prefix": (
            "prod/",
            '"prod/" is not accepted; write up to 40 letters, digits, " ", "-" and "_", like '
            '"staging"',
        ),
        "resiliency": ("yes", "is a string, not a boolean; write true or false"),
        "stop_at_hold": ("manage", "is a string, not a boolean; write true or false"),
    },
    TranscriptionAlarms: {
        "email": ("ops", '"ops" is not accepted; write an address, like "ops@example.com"'),
    },
    LivePage: {
        "instance_alias": (
            "acme.my.connect.aws",
            '"acme.my.connect.aws" is not accepted; '
            'write the name in https://<name>.my.connect.aws, like "acme"',
        ),
        "domain_name": (
            "Live.acme.com",
            '"Live.acme.com" is not accepted; write a domain name in lower case, like '
            '"transcripts.acme.com"',
        ),
    },
    LiveSignIn: {
        "page_url": (f"{PAGE}x", f'"{PAGE}x" is not accepted; {A_PAGE}'),
        "domain_prefix": (
            "acme-aws",
            '"acme-aws" is not accepted; write up to 63 lower-case letters, digits and "-", '
            'without aws, amazon or cognito, like "acme-live"',
        ),
        "saml_metadata_url": (
            "metadata.xml",
            '"metadata.xml" is not accepted; write an address that begins "https://"',
        ),
        "oidc_issuer": (
            "acme.okta.com",
            '"acme.okta.com" is not accepted; write an address that begins "https://"',
        ),
        "oidc_client_id": (
            "a b",
            '"a b" is not accepted; write what the token has, up to 256 characters without spaces',
        ),
        "user_name_attribute": (
            "a b",
            '"a b" is not accepted; write what the token has, up to 256 characters without spaces',
        ),
    },
    LiveTranscripts: {
        "page_url": ("acme.com", f'"acme.com" is not accepted; {A_PAGE}'),
        "record_retention": RECORD_DAYS,
    },
    AgentWorkspaceApp: {
        "instance_arn": ("acme", f'"acme" is not accepted; {AN_INSTANCE}'),
        "page_url": ("acme.com", f'"acme.com" is not accepted; {A_PAGE}'),
        "name": ("", '"" is not accepted; write a short name, like "Live transcript"'),
    },
}
ELSEWHERE: Mapping[type, set[str]] = {
    TranscribedFlow: {
        "name",
        "type",
        "content",
        "customer_id_path",
        "agent_id_path",
        "stop_before",
        "description",
    }
}
"""Checked with the flow: ``test_transcribed_flow.py``."""
EVERY = [(construct, name) for construct, cases in CASES.items() for name in cases]


def in_a_place(construct: type) -> Any:
    return new_app() if issubclass(construct, Stack) else new_stack()


@pytest.mark.parametrize(
    ("construct", "name"), EVERY, ids=lambda each: getattr(each, "__name__", each)
)
def test_a_wrong_argument_is_refused_with_its_name_its_value_and_what_to_write(
    construct: type, name: str
) -> None:
    value, message = CASES[construct][name]
    scope = in_a_place(construct)
    with_it: dict[str, dict[str, Any]] = {
        "base_path": {"domain": domain},
        "domain_name": {"certificate": certificate},
        "oidc_issuer": {"oidc_client_secret": secret},
    }
    own = with_it.get(name, {})
    with pytest.raises(ValueError, match=r"\S") as error:
        if isinstance(scope, Stack):
            put(scope, construct, **{name: value, **own})
        else:
            given = Stack(scope, "Given")
            put_stack(scope, given, **{name: value})
    path = "Ours" if issubclass(construct, Stack) else "Stack/Ours"
    first, *others = str(error.value).split("\n")
    assert first == f"{path}: {name}: {message}"
    # A flow of another instance may also not invoke the function that it is given.
    assert not others or (construct, name) == (TranscribedFlow, "instance_arn")


def put_stack(scope: Any, given: Stack, **own: Any) -> FlowsStack:
    arguments: dict[str, Any] = {
        "instance_arn": INSTANCE,
        "start_streaming": function(given),
        "customer_id_path": "$.CustomerEndpoint.Address",
        "agent_id_path": "$.Agent.UserName",
    }
    arguments["stop_streaming"] = arguments["start_streaming"]
    return FlowsStack(scope, "Ours", **arguments | own)


PLAIN = (str, int, float, bool, Duration)


def is_plain(hint: Any) -> bool:
    """Whether an argument is of text, numbers or times, which may be wrong by themselves."""
    parts = get_args(hint)
    if get_origin(hint) in (Collection, Mapping) or not parts:
        return hint in PLAIN
    return all(
        part in (*PLAIN, type(None)) or isinstance(part, PLAIN) or is_plain(part) for part in parts
    )


def plain_arguments() -> Iterator[tuple[type, str]]:
    for name in connect_autotranscribe.__all__:
        construct = getattr(connect_autotranscribe, name)
        if isinstance(construct, type) and issubclass(construct, Construct):
            for argument, hint in get_type_hints(construct.__init__).items():
                if argument not in ("id", "return") and is_plain(hint):
                    yield construct, argument


def test_every_argument_of_every_construct_that_can_be_wrong_by_itself_is_in_the_table() -> None:
    lacking = [
        (construct.__name__, name)
        for construct, name in plain_arguments()
        if name not in CASES.get(construct, {}) and name not in ELSEWHERE.get(construct, set())
    ]
    assert lacking == []
    assert len([*plain_arguments()]) > 40


def test_all_that_is_wrong_is_in_one_error() -> None:
    with pytest.raises(ValueError, match=r"\S") as error:
        put(
            new_stack(),
            TranscriptionControl,
            instance_arn="9308c2a1",
            api_host="http://api.asapp.com",
            detailed_tokens=True,
            language="English",
        )
    lines = str(error.value).split("\n")
    assert [line.split(": ")[:2] for line in lines] == [
        ["Stack/Ours", name] for name in ("instance_arn", "language", "api_host", "detailed_tokens")
    ]


def token(value: Any) -> Any:
    """The same kind of value, known only at deployment."""
    match value:
        case str():
            return Fn.import_value("It")
        case list():
            return Token.as_list(Fn.import_value("It"))
    return Token.as_number(Fn.import_value("It"))


@pytest.mark.parametrize(
    ("construct", "name"),
    [
        (TranscriptionControl, "instance_arn"),
        (TranscriptionControl, "api_host"),
        (TranscriptionControl, "language"),
        (CallLifecycle, "instance_arn"),
        (KinesisVideoReadRole, "trusted_role_arns"),
        (KinesisVideoReadRole, "stream_prefix"),
        (KinesisVideoReadRole, "external_id"),
        (TranscriptWebhook, "throttle_burst"),
        (TranscriptWebhook, "allowed_cidrs"),
        (TranscriptWebhook, "web_acl"),
        (TranscriptionAlarms, "email"),
        (FlowFunction, "instance_arn"),
    ],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_a_value_that_is_known_only_at_deployment_passes(construct: type, name: str) -> None:
    value = token(CASES[construct][name][0])
    argument = Argument(value=value, rule="asapp.api_host")
    assert argument.is_token
    if name != "trusted_role_arns" and construct is not TranscriptionAlarms:
        put(new_stack(), construct, **{name: value})


def test_of_a_list_the_part_that_is_known_is_checked() -> None:
    mixed = [Fn.import_value("Role"), "arn:aws:iam::99:role/x"]
    with pytest.raises(ValueError, match='trusted_role_arns: "arn:aws:iam::99:role/x" is not'):
        put(new_stack(), KinesisVideoReadRole, trusted_role_arns=mixed)
    put(new_stack(), KinesisVideoReadRole, trusted_role_arns=[Fn.import_value("Role"), ROLE])


def test_one_role_instead_of_a_list_is_not_read_letter_by_letter() -> None:
    with pytest.raises(ValueError, match="trusted_role_arns: is a string, not an array; write"):
        put(new_stack(), KinesisVideoReadRole, trusted_role_arns=ROLE)


def test_clear_text_is_for_the_emulators_account_only() -> None:
    stack = new_stack(region=None)
    with pytest.raises(ValueError, match=r"api_host: .* is not encrypted"):
        put(stack, UtteranceExport, api_host="http://api.asapp.com")


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (
            {"logs": Duration.days(31)},
            "logs: 31 days is not accepted; write 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, "
            "400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653",
        ),
        ({"logs": 30}, "logs: 30 is not a Duration; write one of 1, 3, 5, 7, 14, 30, 60, "),
        (
            {"removal_policy": RemovalPolicy.SNAPSHOT},
            "removal_policy: SNAPSHOT is not accepted, because queues and logs have no snapshots; "
            "write one of RETAIN_ON_UPDATE_OR_DELETE, RETAIN, DESTROY",
        ),
    ],
)
def test_a_retention_that_cannot_be_is_refused(own: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^Retention: {re.escape(message)}"):
        Retention(**own)


def test_a_retention_of_logs_that_reaches_no_log_group_is_refused() -> None:
    group = logs.LogGroup.from_log_group_name(new_stack(), "Logs", "/theirs")
    with pytest.raises(ValueError, match="logs: is for new log groups; remove it, or remove log_g"):
        Retention(logs=Duration.days(90), log_group=group)


def test_settings_and_constructs_refuse_in_the_same_words() -> None:
    """One rule for both: a rule that is made stricter is stricter in both."""
    value, message = CASES[UtteranceExport]["at"]
    assert Argument(value=value, rule=RULES["export.at"]).fault == message
    with pytest.raises(SettingsError, match=re.escape(f"export.at: {message}")):
        Settings.from_mapping({"export": {"mode": "on", "at": value}})
