"""The tables of an environment's file. The annotation of a field says what its key accepts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from connect_settings import sizing
from connect_settings._rules import (
    BASE_PATH,
    CERTIFICATE,
    CLAIM,
    DOMAIN,
    HOST,
    HOSTED_ZONE,
    HTTPS,
    KEY,
    NETWORK,
    PAGE,
    SECRET_NAME,
    WEB_ACL,
    Sensitive,
    are_texts,
    arn,
    array,
    choice,
    columns_of,
    number,
    one_or_more,
    table,
    text,
)
from connect_settings.shared_names import shared_names

_FEED_FIELDS = tuple(shared_names("asapp.feeds").COLUMNS)
_LOGS_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectSettings:
    """The Amazon Connect instance whose calls are transcribed.

    :param instance_arn: The instance, from its *Account overview* in the AWS console.
    :param instance_alias: The name in its access URL, which cannot be derived from the ARN.
    :param flow_name_prefix: Stands before the names of our flows and modules, which are unique in
        the instance: a second environment in one instance needs one. Default: none.
    :param resiliency: Whether the flows also run in the instance's replica in another Region
        (*Global Resiliency*). Then start and stop have the same names in both Regions, and flows
        name them without a Region. Then the instance can have only one environment. Default: no.
    :param pairs: What is called otherwise here than in the instance of the files of `[[flows]]`,
        like {"queue Billing" = "Invoices"}; or an ARN and the ARN here. ``make map-flows`` reads
        it. Default: everything has the same name.
    """

    instance_arn: Annotated[
        str,
        arn("connect:<region>:<account>:instance/<uuid>"),
        Sensitive("The calls of another instance are transcribed."),
    ]
    instance_alias: Annotated[
        str,
        text(
            "(?!d-)[A-Za-z0-9]([A-Za-z0-9-]{0,43}[A-Za-z0-9])?",
            'the name in https://<name>.my.connect.aws, like "acme"',
        ),
        Sensitive("ASAPP may read the audio streams of another name."),
    ]
    flow_name_prefix: Annotated[
        str | None,
        text(
            "[A-Za-z0-9]([A-Za-z0-9 _-]{0,38}[A-Za-z0-9])?",
            'up to 40 letters, digits, " ", "-" and "_", like "staging"',
        ),
    ] = None
    resiliency: Annotated[
        bool, Sensitive("Start and stop get other names, and only flows with these names run them.")
    ] = False
    pairs: Annotated[
        Mapping[str, str],
        table(
            are_texts,
            'a kind and a name, and the name here, like {"queue Billing" = "Invoices"}, or two '
            "ARNs",
        ),
        Sensitive("Calls may go to another queue, prompt, flow or function."),
    ] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowSettings:
    """A flow of your own, with transcription woven in: one table of ``[[flows]]``.

    :param file: What the flow designer exported, below the folder of the environment's file.
    :param type: Connect's flow type; a disconnect flow is a "CONTACT_FLOW".
    :param name: Its name in the instance. The flow that was exported may be there, under its own
        name. Another name is another flow: this one is deleted.
    :param start: Whether transcription starts in it. Default: no.
    :param stop: Whether transcription stops in it. Default: no.
    :param stop_before: Stop before these blocks. Default: before each of them.
    :param both_directions: Whether a flow that streams one direction is changed, so that it streams
        both. Default: no; such a flow is refused.
    :param replaces: The name of the flow that was exported. Other flows of ``[[flows]]`` that name
        it get this one. Default: they keep it.
    """

    file: Annotated[
        str,
        # Nothing outside: a pull request shows what is below the folder, and reviews it.
        text(
            "([A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}/){0,3}[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}[.]json",
            'a path below the environment\'s folder, of letters, digits and "_.-", like '
            '"flows/billing_agent_whisper.json"',
        ),
    ]
    type: Literal[
        "CONTACT_FLOW",
        "AGENT_WHISPER",
        "CUSTOMER_WHISPER",
        "OUTBOUND_WHISPER",
        "CUSTOMER_QUEUE",
        "CUSTOMER_HOLD",
        "AGENT_HOLD",
        "AGENT_TRANSFER",
        "QUEUE_TRANSFER",
    ]
    name: Annotated[str, text(r"\S(.{0,125}\S)?", "1 to 127 characters, like a flow's name")]
    start: bool = False
    stop: bool = False
    stop_before: Annotated[
        tuple[str, ...] | None,
        array(choice("queue", "transfer-out", "transfer", "disconnect", "end"), at_least=1),
    ] = None
    both_directions: bool = False
    replaces: Annotated[
        str | None, text(r"\S(.{0,125}\S)?", "1 to 127 characters, like a flow's name")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaStreamingSettings:
    """The Kinesis video streams into which the instance puts call audio. An instance has one such
    setting.

    :param mode: "adopt": the instance already streams, with this prefix; "manage": the stack turns
        streaming on.
    :param prefix: The start of the streams' names; see *Data streaming* of the instance.
    :param retention_hours: How many hours audio stays readable. For "manage" only.
    :param key_arn: The customer managed key that encrypts the streams, in the instance's region.
        Default: AWS's own key, which needs no grant.
    """

    mode: Annotated[
        Literal["adopt", "manage"],
        Sensitive("It decides whether the instance's streaming of audio belongs to the stack."),
    ]
    # Only what a stream's name can hold: the prefix goes into a policy, where "*" would widen it.
    prefix: Annotated[
        str,
        text("[A-Za-z0-9_.-]{1,128}", '1 to 128 letters, digits, "_", "." or "-", like "acme"'),
        Sensitive("ASAPP may read the audio streams of another name."),
    ]
    retention_hours: Annotated[
        int | None,
        number(1, 87_600, "1 to 87600 hours, like 24; 0 would keep audio for 5 minutes only"),
        Sensitive("The audio of calls is kept for another time."),
    ] = None
    key_arn: Annotated[
        str | None, KEY, Sensitive("ASAPP may decrypt with another key, or with none.")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AsappSettings:
    """How we reach ASAPP, which of its roles we trust, and what we ask it to transcribe.

    The parameters of transcription are those of
    https://docs.asapp.com/apis/autotranscribe-media-gateway/start-streaming.

    :param api_host: The origin of ASAPP's API, for instance https://api.asapp.com.
    :param trusted_role_arns: ASAPP's roles that may read the call audio. Ask ASAPP for them.
    :param external_id: The external id that ASAPP must present to read the audio. Default: none.
    :param credentials_secret_name: The secret in Secrets Manager that holds the API credentials.
    :param credentials_key_arn: The customer managed key that encrypts that secret, in the
        instance's region. The functions that read the secret may decrypt with it. Default: AWS's
        own key, which needs no grant.
    :param language: The language of the calls, as an IETF tag. Default: American English.
    :param redaction: Which text ASAPP sends. Default: only the redacted text. An ASAPP account
        without redaction rules needs "unredacted".
    :param detailed_tokens: Whether each word comes with its times. Default: no. ASAPP accepts it
        only if `redaction` is "unredacted".
    :param audio_recording_allowed: Whether ASAPP may keep the audio. Default: no.
    :param start_selector: Where ASAPP begins to read. "FRAGMENT_NUMBER", the default: at the first
        fragment of the call's audio, so that no word is lost. "NOW": at the moment of the request.
    :param conversation_id: Which contact id is the conversation's id. Default: the initial one, so
        that a call is one conversation across transfers.
    :param customer_id_path: The JSONPath of the customer's id in a flow. Default: the phone number.
    :param agent_id_path: The JSONPath of the agent's id in a flow. Default: the user name.
    :param sender_id_in_events: Whether an event of an utterance has the customer's or agent's id,
        by default a phone number. Default: no, because other teams may read the event bus.
    """

    api_host: Annotated[
        str,
        text(
            r"https?://[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:[0-9]{1,5})?",
            'only a scheme and a host, like "https://api.asapp.com"',
            hides=re.compile("[@?]").search,
        ),
        Sensitive("This host receives ASAPP's credentials and every call's data."),
    ]
    trusted_role_arns: Annotated[
        tuple[str, ...],
        array(arn("iam::<account>:role/<role>"), at_least=1),
        Sensitive("These roles may read the audio of every call."),
    ]
    external_id: Annotated[
        str | None,
        text(r"[\w+=,.@:/-]{2,1224}", '2 to 1224 letters, digits or characters of "_+=,.@:/-"'),
        Sensitive("It proves that ASAPP reads the audio for you and not for another customer."),
    ] = None
    credentials_secret_name: Annotated[
        str,
        SECRET_NAME,
        Sensitive("The functions read another secret, and send it to the API host."),
    ]
    credentials_key_arn: Annotated[
        str | None, KEY, Sensitive("The functions may decrypt with another key, or with none.")
    ] = None
    language: Annotated[
        str, text("[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*", 'an IETF tag, like "en-US" or "es-US"')
    ] = "en-US"
    redaction: Annotated[
        Literal["redacted", "unredacted", "redacted_and_unredacted"],
        Sensitive("Unredacted text has the card numbers and names that callers say."),
    ] = "redacted"
    detailed_tokens: bool = False
    audio_recording_allowed: Annotated[
        bool, Sensitive("It decides whether ASAPP may keep the audio of calls.")
    ] = False
    start_selector: Literal["FRAGMENT_NUMBER", "NOW"] = "FRAGMENT_NUMBER"
    conversation_id: Literal["InitialContactId", "ContactId", "PreviousContactId"] = (
        "InitialContactId"
    )
    customer_id_path: Annotated[
        str,
        text(
            r"\$(?!\.Agent\b|\['Agent')[.\[].+",
            'a JSONPath of the customer, like "$.CustomerEndpoint.Address"; when a call comes in, '
            "there is no agent yet",
        ),
        Sensitive("ASAPP receives another datum of the call as the customer's id."),
    ] = "$.CustomerEndpoint.Address"
    agent_id_path: Annotated[
        str,
        text(r"\$[.\[].+", 'a JSONPath of Amazon Connect, like "$.Agent.UserName"'),
        Sensitive("ASAPP receives another datum of the call as the agent's id."),
    ] = "$.Agent.UserName"
    sender_id_in_events: Annotated[
        bool,
        Sensitive(
            "Who may read the event bus reads the ids of customers: phone numbers by default."
        ),
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacitySettings:
    """How many calls there are at a time, and what Lambda keeps for them.

    The webhook's throttle and the writes that the table sustains follow too: docs/limits.md.

    An account has one number of invocations at a time for all its functions, often 1000. AWS
    refuses a reservation that leaves less than 100 to functions without one, and a new account may
    have 10 in all: so a first deployment there reserves nothing. A reservation is also the most
    that a function gets. So each default is what it needs if everything takes as long as it may.

    :param expected_calls: The most calls at a time. Default: 50.
    :param reserve: Whether Lambda keeps invocations for start, stop and the webhook's authorizer.
        Default: no; then other functions of the account can take what these need.
    :param start_streaming: Reserved for starts. Default: 10 or more, 7 for each 60 calls: a call
        lasts a minute or more, and a start 7 seconds or less, the function's limit.
    :param stop_streaming: Reserved for stops. Default: as for starts.
    :param authorize_webhook: Reserved for the webhook's authorizer. Default: 10 or more, 1 for each
        20 calls: ASAPP sends 8 requests a second for 50 calls, and until API Gateway has an answer
        in its cache, those of a third of a second are asked for at once.
    :param store_transcript: The most invocations at a time that store utterances, 2 to 1000, so
        that a backlog leaves room for calls. Default: 5 or more, 1 for each 10 calls: three times
        ASAPP's requests, in batches of ten, if each batch takes two seconds.
    """

    expected_calls: Annotated[
        int, one_or_more(like=50), Sensitive("What calls may take at a time changes in every part.")
    ] = 50
    reserve: Annotated[
        bool,
        choice(True, False),
        Sensitive("Without a reservation, other functions can take the room of calls."),
    ] = False
    start_streaming: Annotated[
        int | None,
        one_or_more(like=10),
        Sensitive("More starts at a time than this are refused, and those calls not transcribed."),
    ] = None
    stop_streaming: Annotated[
        int | None, one_or_more(like=10), Sensitive("More stops at a time than this are refused.")
    ] = None
    authorize_webhook: Annotated[
        int | None,
        one_or_more(like=10),
        Sensitive(
            "If more POSTs of ASAPP than this need an answer at a time, utterances are lost."
        ),
    ] = None
    store_transcript: Annotated[
        int | None,
        number(2, 1000, "2 to 1000, like 5"),
        Sensitive("Utterances are stored faster or slower."),
    ] = None

    @property
    def reserved(self) -> Mapping[str, int]:
        """What is reserved, by the names of the functions in their constructs."""
        if not self.reserve:
            return {}
        calls = self.expected_calls
        at_a_flow = sizing.starts(calls)
        return {
            "StartStreaming": self.start_streaming or at_a_flow,
            "StopStreaming": self.stop_streaming or at_a_flow,
            "AuthorizeWebhook": self.authorize_webhook or sizing.authorizers(calls),
        }

    @property
    def consumers(self) -> int:
        """The most invocations at a time that store utterances."""
        return self.store_transcript or sizing.consumers(self.expected_calls)


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleSettings:
    """How a call is followed when no flow runs: at a hold's end, in a transfer, at the hang-up.

    :param mode: "manage": the stack creates a data stream, and the instance publishes its agent
        events there. "adopt": the instance already publishes them, into `stream_arn`. "off": only
        flows start and stop. Then nothing can start again after a hold. So no ready-made flow stops
        at a hold, and what is said during a hold is transcribed.
    :param stream_arn: The data stream of the instance's agent events. For "adopt" only.
    :param key_arn: The customer managed key that encrypts the stream. For "manage" it must be the
        key of the instance's call recordings or reports: with any other key, Connect publishes
        nothing. Default: the stream is not encrypted, or it is encrypted with AWS's own key.
    :param shards: Of the stream that the stack creates. For "manage" only. Default: 1 for each
        1,600 of `capacity.expected_calls`. One update may at most double or halve them.
    """

    mode: Annotated[
        Literal["manage", "adopt", "off"],
        Sensitive("With off, what is said during a hold is transcribed."),
    ]
    stream_arn: Annotated[
        str | None,
        arn("kinesis:<region>:<account>:stream/<stream>"),
        Sensitive("Whoever writes to this stream can start and stop transcription."),
    ] = None
    key_arn: Annotated[
        str | None, KEY, Sensitive("Agent events are encrypted with another key, or with none.")
    ] = None
    shards: Annotated[
        int | None,
        number(1, 200, "1 to 200, like 1"),
        Sensitive("With too few, agent events come late or never: nothing starts after a hold."),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """The endpoint to which ASAPP posts each utterance once. A refused POST is lost.

    :param auth: How ASAPP proves who it is: "secret", "oauth2" or "mtls" (a client certificate).
        Two while ASAPP changes from one to the other. Default: a secret.
    :param secret_in: Where ASAPP sends the shared secret, as you agreed with ASAPP. Default: in a
        header.
    :param secret_name: The header or query parameter of the secret. Default: x-webhook-secret.
    :param domain: A domain name of yours for "secret" and "oauth2", so that the address that ASAPP
        has outlives the API. Default: API Gateway's own name.
    :param certificate_arn: The domain's certificate in Certificate Manager, in the instance's
        region. It may be of a private authority, if ASAPP trusts that.
    :param base_path: The path of the domain under which the webhook is. Default: the whole domain.
    :param hosted_zone_id: The zone of Route 53 in which the stack makes the domain's record.
        Default: you make the record.
    :param tls: The oldest version of TLS that a caller may speak. Default: 1.2. For "mtls", API
        Gateway cannot demand 1.3.
    :param throttle_rate_per_second: Requests a second that API Gateway accepts. Default: six times
        what ASAPP sends for `capacity.expected_calls`, at least 1,000.
    :param throttle_burst: Requests that API Gateway accepts at once. Default: twice as many.
    :param allowed_cidrs: The networks that may call. Default: all networks; a caller still needs
        the secret.
    :param web_acl: What keeps a flood away from the throttle. "manage": the stack makes a web ACL,
        which blocks a request without a credential and an address that sends too many; with
        `allowed_cidrs`, every other address. The ARN of a regional web ACL: the stack uses that.
        "off", the default: nothing.
    :param api_gateway_log_role: "adopt", the default: API Gateway can already write logs in this
        account and region. "manage": the stack sets the role for it, for all APIs of the account,
        and keeps it on delete.
    """

    auth: Annotated[
        tuple[str, ...],
        array(choice("secret", "oauth2", "mtls"), at_least=1),
        Sensitive("Callers of the webhook are authenticated another way."),
    ] = ("secret",)
    secret_in: Annotated[
        Literal["header", "query"],
        Sensitive("Callers of the webhook are authenticated another way; logs show a query."),
    ] = "header"
    # The characters that both RFC 7230 and API Gateway's parameter mapping allow in a header name.
    secret_name: Annotated[
        str,
        text(
            "[A-Za-z0-9._$-]+",
            'a name, like "x-webhook-secret", never the secret',
            hides=lambda value: True,
        ),
        Sensitive("Callers of the webhook are authenticated by another header or parameter."),
    ] = "x-webhook-secret"
    domain: Annotated[
        str | None, DOMAIN, Sensitive("ASAPP must be told the webhook's new address.")
    ] = None
    certificate_arn: Annotated[
        str | None,
        CERTIFICATE,
        Sensitive("If ASAPP does not trust the new certificate's authority, utterances are lost."),
    ] = None
    base_path: Annotated[
        str | None, BASE_PATH, Sensitive("ASAPP must be told the webhook's new address.")
    ] = None
    hosted_zone_id: Annotated[
        str | None,
        HOSTED_ZONE,
        Sensitive("If no zone has the domain's record, ASAPP does not find the webhook."),
    ] = None
    tls: Annotated[
        Literal["1.2", "1.3"],
        Sensitive("Callers that speak the older version are let in, or no longer."),
    ] = "1.2"
    throttle_rate_per_second: Annotated[int | None, one_or_more(like=1_000)] = None
    throttle_burst: Annotated[int | None, one_or_more(like=2_000)] = None
    allowed_cidrs: Annotated[
        tuple[str, ...],
        array(NETWORK, at_least=0),
        Sensitive("These networks may call the webhook; if there is none, every network may."),
    ] = ()
    web_acl: Annotated[
        str,
        WEB_ACL,
        Sensitive("With off, who has no credential can take the room of ASAPP's utterances."),
    ] = "off"
    api_gateway_log_role: Literal["adopt", "manage"] = "adopt"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookOAuth2Settings:
    """The access tokens for `auth = ["oauth2"]`: of a Cognito user pool that the stack makes, or of
    your own authorization server (`issuer`). See docs/webhook.md.

    :param domain_prefix: The start of the host of the pool's token URL, unique in the region.
    :param clients: The pool's clients. A second one is for a rotation. Default: asapp.
    :param issuer: Exactly the tokens' `iss`.
    :param keys_url: Where the issuer publishes its keys, its `jwks_uri`.
    :param audience: One of the tokens' `aud`. Default: not looked at.
    :param scope: One of the tokens' scopes. Default: not looked at.
    :param client_id: ASAPP's id at the issuer. Default: not looked at.
    :param header: The header in which ASAPP sends the token. Default: Authorization.
    """

    domain_prefix: Annotated[
        str | None,
        text(
            "(?!.*(aws|amazon|cognito))[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
            'up to 63 lower-case letters, digits and "-", without aws, amazon or cognito, like '
            '"acme-prod-transcripts"',
        ),
        Sensitive("ASAPP must be told another token URL."),
    ] = None
    clients: Annotated[
        tuple[str, ...],
        array(
            text("(?=.{1,64}$)[a-z][a-z0-9]*(-[a-z0-9]+)*", 'a name in lower case, like "asapp"'),
            at_least=1,
        ),
        Sensitive("Other clients get tokens for the webhook; a client that is gone gets none."),
    ] = ("asapp",)
    issuer: Annotated[
        str | None, HTTPS, Sensitive("The tokens of another issuer open the webhook.")
    ] = None
    keys_url: Annotated[
        str | None, HTTPS, Sensitive("Tokens that other keys sign open the webhook.")
    ] = None
    audience: Annotated[
        str | None, CLAIM, Sensitive("Other tokens of the issuer open the webhook.")
    ] = None
    scope: Annotated[
        str | None, CLAIM, Sensitive("Other tokens of the issuer open the webhook.")
    ] = None
    client_id: Annotated[
        str | None, CLAIM, Sensitive("Other tokens of the issuer open the webhook.")
    ] = None
    header: Annotated[
        str,
        text("[A-Za-z0-9._$-]+", 'a header, like "Authorization"'),
        Sensitive("Callers of the webhook are authenticated by another header."),
    ] = "Authorization"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookMtlsSettings:
    """The client certificate for `auth = ["mtls"]`. See docs/webhook.md.

    :param domain: The domain name at which ASAPP presents its certificate. It cannot be the one of
        `[webhook]`.
    :param certificate_arn: The domain's own certificate in Certificate Manager, in the instance's
        region.
    :param ownership_certificate_arn: A public certificate for the same name. API Gateway needs it
        if `certificate_arn` is imported or of a private authority.
    :param authorities_file: A file with the certificates of the authorities whose client
        certificates are good, in PEM, as a path from the folder of app.py. Never a key.
    :param subject: A part of the Subject that is demanded, like "CN=webhook.asapp.com". You need it
        if an authority in the file is public.
    :param secret: Whether the secret of `[webhook]` is demanded too. Default: no.
    :param base_path: The path of the domain under which the webhook is. Default: the whole domain.
    :param hosted_zone_id: The zone of Route 53 in which the stack makes the domain's record.
        Default: you make the record.
    """

    domain: Annotated[
        str | None, DOMAIN, Sensitive("ASAPP must be told the webhook's new address.")
    ] = None
    certificate_arn: Annotated[
        str | None,
        CERTIFICATE,
        Sensitive("If ASAPP does not trust the new certificate's authority, utterances are lost."),
    ] = None
    ownership_certificate_arn: Annotated[str | None, CERTIFICATE] = None
    authorities_file: Annotated[
        str | None,
        text(
            r"(?!/)[\w./-]+\.pem", 'a path, like "infra/environments/prod-client-authorities.pem"'
        ),
        Sensitive("Client certificates of other authorities open the webhook."),
    ] = None
    subject: Annotated[
        str | None,
        text(r"[A-Za-z0-9.]+=[^\x00-\x1f]{1,256}", 'a part, like "CN=webhook.asapp.com"'),
        Sensitive("Other client certificates open the webhook."),
    ] = None
    secret: Annotated[
        bool, Sensitive("A client certificate alone does, or does no longer, open the webhook.")
    ] = False
    base_path: Annotated[
        str | None, BASE_PATH, Sensitive("ASAPP must be told the webhook's new address.")
    ] = None
    hosted_zone_id: Annotated[
        str | None,
        HOSTED_ZONE,
        Sensitive("If no zone has the domain's record, ASAPP does not find the webhook."),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationSettings:
    """The comparison of a finished call with ASAPP's own transcript.

    :param after_minutes: Minutes from the call's end to the comparison. Default: 15; late webhook
        messages have come by then. 0 is for the sandbox only.
    """

    after_minutes: Annotated[int, number(0, 720, "1 to 720 minutes, like 15")] = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSettings:
    """The nightly copy of ASAPP's feed of utterances, and SQL over it.

    :param mode: "off" (the default); "on": ASAPP's account team has enabled the feed.
    :param at: The time of the day's first run, in UTC; ASAPP updates the feed at 02:00. Missing
        days are tried again every four hours until midnight. Default: 02:30.
    :param keep_days: Days until a file is deleted. Default: 365.
    :param lookback_days: How many past days each night's run checks for late files. Default: 7.
    :param columns: The feed's names for "conversation", "id", "role", "sender", "text" or "time",
        like {text = "utterance_text"}. Default: a list of usual names for each; the first that a
        line has is used.
    :param key_arn: The customer managed key that encrypts the files and the results of queries, in
        the instance's region. Default: that of `[encryption]`, or S3's own key.
    """

    mode: Annotated[
        Literal["off", "on"], Sensitive("With on, every night a copy of all transcripts is stored.")
    ] = "off"
    at: Annotated[
        str,
        text(
            "(0[2-9]|1[0-9]|2[0-3]):[0-5][0-9]",
            'a time of day in UTC, "02:00" to "23:59", like "02:30"; ASAPP updates the feed at '
            "02:00",
        ),
    ] = "02:30"
    keep_days: Annotated[
        int,
        number(1, 3650, "1 to 3650 days, like 365"),
        Sensitive("Exported transcripts are kept for another time; a shorter one deletes."),
    ] = 365
    lookback_days: Annotated[int, number(1, 30, "1 to 30 days, like 7")] = 7
    columns: Annotated[Mapping[str, str], columns_of(_FEED_FIELDS)] = field(default_factory=dict)
    key_arn: Annotated[
        str | None, KEY, Sensitive("Exported transcripts are encrypted with another key.")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSettings:
    """The page on which supervisors and agents see calls while they are spoken.

    :param mode: "manage": the stack makes the API of AppSync Events. "adopt": there is one. "off"
        (the default): there is no such stack.
    :param page_url: Where you host the page, with a slash at its end. Default: the stack hosts it,
        at a name of CloudFront's.
    :param page_certificate_arn: A certificate of page_url's host, in us-east-1. Then the stack
        hosts the page at page_url. Default: none.
    :param domain_prefix: The start of the sign-in page's host, unique in the region.
    :param saml_metadata_url: The metadata of your SAML identity provider. Default: users of the
        pool have passwords and a second factor.
    :param oidc_issuer: Your OpenID Connect provider, instead of a SAML one. It, and the next two,
        only together.
    :param oidc_client_id: The client that the provider knows the user pool by.
    :param oidc_client_secret_name: The secret in Secrets Manager with that client's secret.
    :param user_name_attribute: The provider's attribute, or claim, with the user's name in Amazon
        Connect.
    :param record_days: How long it is recorded who looked at which call. Default: a year.
    :param event_api_id: The API's id. This and the next two are for "adopt" only.
    :param event_api_http_host: The host to which events are published.
    :param event_api_realtime_host: The host to which the page connects.
    """

    mode: Annotated[
        Literal["manage", "adopt", "off"],
        Sensitive("It decides whether people can see calls on a page."),
    ] = "off"
    page_url: Annotated[
        str | None, PAGE, Sensitive("Who signs in is sent to another page, which may read calls.")
    ] = None
    page_certificate_arn: Annotated[
        str | None,
        CERTIFICATE,
        Sensitive("It decides whether the stack hosts the page, and proves its name."),
    ] = None
    domain_prefix: Annotated[
        str | None,
        text(
            "(?!.*(aws|amazon|cognito))[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
            'up to 63 lower-case letters, digits and "-", without aws, amazon or cognito, like '
            '"acme-live"',
        ),
        Sensitive("The identity provider must be told another address."),
    ] = None
    saml_metadata_url: Annotated[
        str | None, HTTPS, Sensitive("Other people can sign in to see calls.")
    ] = None
    oidc_issuer: Annotated[
        str | None, HTTPS, Sensitive("Other people can sign in to see calls.")
    ] = None
    oidc_client_id: Annotated[
        str | None, CLAIM, Sensitive("The provider lets people in by another client's rules.")
    ] = None
    oidc_client_secret_name: Annotated[
        str | None, SECRET_NAME, Sensitive("Another secret is sent to the provider.")
    ] = None
    user_name_attribute: Annotated[
        str | None, CLAIM, Sensitive("It decides which agent somebody is, and so what they see.")
    ] = None
    record_days: Annotated[
        int,
        choice(*_LOGS_DAYS),
        Sensitive("It is kept for another time who looked at which call."),
    ] = 365
    event_api_id: Annotated[
        str | None,
        text("[a-z0-9]{1,64}", 'the API\'s id, like "a1b2c3d4"'),
        Sensitive("Another API may have our events published on it."),
    ] = None
    event_api_http_host: Annotated[
        str | None, HOST, Sensitive("Every word of every call is sent to this host.")
    ] = None
    event_api_realtime_host: Annotated[
        str | None, HOST, Sensitive("The page sends tokens to this host.")
    ] = None

    @property
    def hosts_page(self) -> bool:
        """Whether the stack hosts the page."""
        return self.mode != "off" and (
            self.page_url is None or self.page_certificate_arn is not None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentSettings:
    """How a new version of the functions replaces the old one.

    :param gradual: Whether start, stop, the webhook's authorizer and its consumer take over a tenth
        of the traffic for five minutes, and go back if an invocation fails. Default: no, at once.
    """

    gradual: Annotated[
        bool,
        choice(True, False),
        Sensitive("Without it, a new version takes all calls at once."),
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionSettings:
    """With which key the stacks encrypt what they store.

    :param key_arn: The customer managed key for the table, the queues, the event bus, the logs, the
        webhook's secret, the export and a topic of ours, in the instance's region. Its policy must
        let AWS services use it; synth prints the statements. Audio and agent events have keys of
        their own, which Connect must be able to use. Default: AWS's own keys.
    """

    key_arn: Annotated[
        str | None, KEY, Sensitive("What is stored is encrypted with another key.")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OnUtteranceSettings:
    """A function of yours that may change or refuse each utterance before it is stored.

    :param function_arn: The ARN of its alias or version. If it fails, nothing is stored until it
        answers. Default: none; everything is stored.
    """

    function_arn: Annotated[
        str | None,
        arn("lambda:<region>:<account>:function:<name>:<alias>"),
        Sensitive("Another function sees and changes what is stored, or none does."),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionSettings:
    """How long data is kept.

    :param transcripts_days: Days until a transcript is deleted from the table. Default: 30.
    :param logs_days: Days until a log line is deleted; one of CloudWatch Logs' choices. Default:
        30.
    """

    transcripts_days: Annotated[
        int,
        number(1, 3650, "1 to 3650 days, like 30"),
        Sensitive("Transcripts are kept for another time."),
    ] = 30
    logs_days: Annotated[
        int,
        choice(*_LOGS_DAYS, 2557, 2922, 3288, 3653),
        Sensitive("Logs are kept for another time; a shorter one deletes at once what is older."),
    ] = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureSettings:
    """What `make erase` does beside erasing what we store. See docs/erasure.md.

    :param contact_records: Whether Amazon Connect takes the customer's endpoint out of the contact
        records of an erased call, which cannot be undone. Default: no.
    :param receipts_locked_days: Days in which nobody can change or delete a receipt, not even the
        account's root. It cannot be added later. Default: not locked.
    """

    contact_records: Annotated[
        bool,
        choice(True, False),
        Sensitive("With it, an erasure also deletes from Connect's own records, for good."),
    ] = False
    receipts_locked_days: Annotated[
        int | None,
        number(1, 3650, "1 to 3650 days, like 365"),
        Sensitive("The bucket of receipts is replaced, or nobody can delete a receipt for longer."),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """Whether it is recorded who reads transcripts by the API. The live page records it always, for
    `live.record_days`.

    :param mode: "on": each reading is recorded with its identity of IAM, which may be a person's
        name. "off" (the default): it is not.
    :param record_days: How long that is kept. Default: a year.
    """

    mode: Annotated[
        Literal["on", "off"], Sensitive("It decides whether it is known who reads transcripts.")
    ] = "off"
    record_days: Annotated[
        int,
        choice(*_LOGS_DAYS),
        Sensitive("It is kept for another time who read which transcript."),
    ] = 365


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmSettings:
    """Who is notified of an alarm: an address or a topic. Default: nobody.

    :param email: An address. Its owner must confirm the subscription that SNS mails.
    :param topic_arn: An existing SNS topic in the deployment's region.
    """

    email: Annotated[
        str | None,
        text(r"[^@\s]+@[^@\s]+\.[^@\s]+", 'an address, like "ops@example.com"'),
        Sensitive("Somebody else learns of alarms, or nobody does."),
    ] = None
    topic_arn: Annotated[
        str | None,
        arn("sns:<region>:<account>:<topic>"),
        Sensitive("Somebody else learns of alarms, or nobody does."),
    ] = None
