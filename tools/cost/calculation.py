"""What an environment costs: each line a quantity, a price and a reason."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tools.cost import facts
from tools.cost.environment import Environment, Function
from tools.cost.prices import Price, Prices
from tools.cost.resources import fixed_of, is_of_machines

Basis = Literal["idle, a month", "1,000 call-minutes", "1,000 transcripts read", "1 TB queried"]
IDLE: Basis = "idle, a month"
USE: Basis = "1,000 call-minutes"
READ: Basis = "1,000 transcripts read"
QUERY: Basis = "1 TB queried"


@dataclass(frozen=True)
class Load:
    """:param minutes: Of a call."""

    calls_a_day: float
    minutes: float

    @property
    def calls_a_month(self) -> float:
        return self.calls_a_day * facts.DAYS_A_MONTH

    @property
    def thousands_of_minutes_a_month(self) -> float:
        return self.calls_a_month * self.minutes / 1_000


@dataclass(frozen=True)
class Quantity:
    """:param part: The service, as people look for it on a bill.
    :param price: The name of a price.
    :param count: Of what the price counts, for the basis.
    """

    basis: Basis
    part: str
    what: str
    price: str
    count: float


@dataclass(frozen=True)
class Line:
    quantity: Quantity
    price: Price

    @property
    def usd(self) -> float:
        return self.quantity.count * self.price.of_one

    def __str__(self) -> str:
        each, price = self.quantity, self.price
        return (
            f"{each.basis}: {each.part}, {each.what}: {each.count:,.10g} at ${price.usd:.10g} for "
            f"{price.unit} = ${self.usd:.6f}"
        )


@dataclass(frozen=True)
class Cost:
    """:param unclear: Types of resources that nobody has priced."""

    load: Load
    lines: Sequence[Line]
    unclear: Sequence[str]

    def usd(self, basis: Basis) -> float:
        return sum(each.usd for each in self.lines if each.quantity.basis == basis)

    @property
    def a_month(self) -> float:
        return self.usd(IDLE) + self.usd(USE) * self.load.thousands_of_minutes_a_month

    def by_part(self, basis: Basis) -> dict[str, float]:
        found: dict[str, float] = {}
        for each in self.lines:
            if each.quantity.basis == basis:
                part = each.quantity.part
                found[part] = found.get(part, 0) + each.usd
        return found

    def month_by_part(self) -> dict[str, float]:
        """Idle and calls together, the largest first."""
        idle, use = self.by_part(IDLE), self.by_part(USE)
        times = self.load.thousands_of_minutes_a_month
        both = {part: idle.get(part, 0) + use.get(part, 0) * times for part in {**idle, **use}}
        return dict(sorted(both.items(), key=lambda each: -each[1]))


def cost(environment: Environment, load: Load, prices: Prices, region: str) -> Cost:
    """:raises NoPrice: if the region lacks one."""
    fixed, unclear = fixed_of((each.type, each.properties) for each in environment.resources)
    quantities = [Quantity(IDLE, *each) for each in fixed]
    quantities += _Calls(environment, load).quantities()
    merged: dict[tuple[Basis, str, str, str], float] = {}
    for each in quantities:
        key = each.basis, each.part, each.what, each.price
        merged[key] = merged.get(key, 0) + each.count
    lines = [
        Line(Quantity(*key, count), prices.of(key[3], region))
        for key, count in merged.items()
        if count
    ]
    return Cost(load, lines, sorted(set(unclear)))


class _Calls:
    """What the resources of an environment do, idle and for calls."""

    def __init__(self, environment: Environment, load: Load) -> None:
        self.environment, self.load = environment, load
        self.calls = 1_000 / load.minutes
        self.utterances = 1_000 * facts.UTTERANCES_A_MINUTE
        tokens = environment.settings.asapp.detailed_tokens
        self.units = facts.UTTERANCE_UNITS_WITH_TOKENS if tokens else facts.UTTERANCE_UNITS
        self.bytes = facts.UTTERANCE_BYTES_WITH_TOKENS if tokens else facts.UTTERANCE_BYTES

    def quantities(self) -> Iterator[Quantity]:
        yield Quantity(IDLE, "Secrets Manager", "ASAPP's credentials", "secrets", 1)
        yield from self.webhook()
        yield from self.queue()
        yield from self.functions()
        yield from self.table()
        yield from self.bus()
        yield from self.agent_events()
        yield from self.schedules()
        yield from self.tokens()
        yield from self.keys()
        yield from self.export()
        yield from self.reading()
        yield from self.live()

    # Parts

    def webhook(self) -> Iterator[Quantity]:
        yield Quantity(USE, "API Gateway", "ASAPP's POSTs", "api_gateway_requests", self.utterances)
        if self.environment.has("AWS::WAFv2::WebACLAssociation"):  # or it is one of yours
            yield Quantity(USE, "WAF", "ASAPP's POSTs", "waf_requests", self.utterances)
        stages = list(self.environment.all("AWS::ApiGateway::Stage"))
        others = ("TranscriptApi", "LiveTranscripts")
        posted = [each for each in stages if not each.id.startswith(others)]
        if posted and posted[0].properties.get("TracingEnabled"):
            yield self.traces(self.utterances, "the webhook's requests")
        if posted and "AccessLogSetting" in posted[0].properties:
            size = facts.ACCESS_LOG_BYTES_A_REQUEST * self.utterances
            yield from self.logs(USE, "access log of the webhook", size)
        for stage in stages:
            if any(each.get("MetricsEnabled") for each in stage.properties["MethodSettings"]):
                api = stage.properties["RestApiId"]
                methods = [
                    each
                    for each in self.environment.all("AWS::ApiGateway::Method")
                    if each.properties["RestApiId"] == api
                ]
                count = facts.DETAILED_METRICS_A_METHOD * len(methods)
                what = "detailed metrics of the APIs, while they are called"
                yield Quantity(IDLE, "CloudWatch metrics", what, "cloudwatch_metrics", count)

    def queue(self) -> Iterator[Quantity]:
        for each in self.environment.all("AWS::Lambda::EventSourceMapping"):
            if "ScalingConfig" in each.properties:  # of a queue, not of a stream
                receives = facts.EMPTY_RECEIVES_A_MONTH
                yield Quantity(IDLE, "SQS", "empty receives", "sqs_requests", receives)
                count = self.utterances * facts.REQUESTS_A_MESSAGE
                what = "send, receive and delete of each utterance"
                yield Quantity(USE, "SQS", what, "sqs_requests", count)

    def functions(self) -> Iterator[Quantity]:
        """Those that run for calls."""
        for folder, count in self.invocations().items():
            if folder in self.environment.functions:
                yield from self.runs(USE, self.environment.functions[folder], count)
        reconcile = self.environment.functions["reconcile_transcript"]
        seconds = self.calls * facts.RECONCILIATION_MILLISECONDS_A_CALL / 1_000
        what = "reconcile_transcript, compute for each call"
        gigabytes = seconds * reconcile.gigabytes
        yield Quantity(USE, "Lambda", what, "lambda_gb_seconds", gigabytes)

    def invocations(self) -> dict[str, float]:
        """For 1,000 call-minutes: an invocation for each utterance, event or block."""
        events = facts.agent_events_a_call(self.load.minutes)
        return {
            "start_streaming": self.calls,
            "stop_streaming": self.calls,
            "authorize_webhook": self.authorizations(),
            "store_transcript": self.utterances,
            "publish_utterance": self.utterances,
            "follow_agent_events": self.calls * events,
            "follow_contact_events": self.calls,
        }

    def authorizations(self) -> float:
        """One for each time that API Gateway has no answer in its cache."""
        asked = 0.0
        for each in self.environment.all("AWS::ApiGateway::Authorizer"):
            if each.properties["Type"] == "COGNITO_USER_POOLS":
                continue  # API Gateway asks nobody
            kept = each.properties.get("AuthorizerResultTtlInSeconds", 300)
            most = self.utterances
            if kept:
                in_a_month = facts.BUSY_SECONDS_A_MONTH / kept
                most = min(most, in_a_month / self.load.thousands_of_minutes_a_month)
            asked += most
        return asked

    def table(self) -> Iterator[Quantity]:
        days = self.environment.settings.retention.transcripts_days
        stored = self.bytes * self.utterances + facts.CALL_BYTES * self.calls
        kept = stored / 1e9 * days / facts.DAYS_A_MONTH
        in_a_transaction = 2 * (facts.CONVERSATION_UNITS + facts.STREAMS_A_TRANSACTION)
        writes = (
            (facts.UPDATES_A_CALL + facts.RECONCILIATION_UPDATES_A_CALL) * facts.CONVERSATION_UNITS
            + facts.TRANSACTIONS_A_CALL * in_a_transaction
            + facts.INDEX_UNITS_A_CALL
        )
        compared = self.bytes * self.utterances / self.calls / 4_096
        reads = facts.READS_A_CALL + compared
        for part, what, count in (
            ("writes", "of utterances", self.units * self.utterances),
            ("writes", "of calls", writes * self.calls),
            ("reads", "of calls", reads * self.calls),
            ("reads", "of the publisher", self.utterances),
            ("storage", f"for {days} days", kept),
            ("recovery", "to any second of 35 days", kept),
        ):
            yield Quantity(USE, f"DynamoDB {part}", what, f"dynamodb_{part}", count)

    def bus(self) -> Iterator[Quantity]:
        what = "events of utterances"
        yield Quantity(USE, "EventBridge", what, "eventbridge_events", self.utterances)

    def agent_events(self) -> Iterator[Quantity]:
        events = self.calls * facts.agent_events_a_call(self.load.minutes)
        for stream in self.environment.all("AWS::Kinesis::Stream"):
            if stream.properties["StreamModeDetails"]["StreamMode"] == "PROVISIONED":
                yield Quantity(USE, "Kinesis", "agent events", "kinesis_puts", events)
            else:
                size = events * 10_000 / 1e9
                yield Quantity(USE, "Kinesis", "agent events", "kinesis_gb_in", size)
                yield Quantity(USE, "Kinesis", "agent events, read", "kinesis_gb_out", size)

    def schedules(self) -> Iterator[Quantity]:
        for each in self.environment.all("AWS::Scheduler::Schedule"):
            times = times_a_month(each.properties["ScheduleExpression"])
            yield Quantity(IDLE, "EventBridge", "schedules", "scheduler_invocations", times)
            yield from self.scheduled(each.properties["Target"]["Arn"], times)
        for each in self.environment.all("AWS::Events::Rule"):
            if expression := each.properties.get("ScheduleExpression"):  # which costs nothing
                (target,) = each.properties["Targets"]
                yield from self.scheduled(target["Arn"], times_a_month(expression))

    def scheduled(self, target: Any, times: float) -> Iterator[Quantity]:
        """The runs that a schedule begins, with what they look at."""
        function = self.environment.function_of(target)
        if function is None:
            return
        yield from self.runs(IDLE, function, times)
        if queries := facts.QUERIES_A_RUN.get(function.folder):
            what = f"looks of {function.folder} at the index"
            reads = times * queries / 2
            yield Quantity(IDLE, "DynamoDB reads", what, "dynamodb_reads", reads)

    def tokens(self) -> Iterator[Quantity]:
        clients = self.environment.all("AWS::Cognito::UserPoolClient")
        for _ in (each for each in clients if is_of_machines(each.properties)):
            hours = facts.MINUTES_A_MONTH / 60
            yield Quantity(IDLE, "Cognito", "a token an hour", "cognito_tokens", hours)

    def keys(self) -> Iterator[Quantity]:
        for each in self.environment.all("AWS::Events::EventBus"):
            if "KmsKeyIdentifier" in each.properties:
                yield Quantity(IDLE, "KMS", "data keys", "kms_requests", facts.DATA_KEYS_A_MONTH)
                what = "events of utterances"
                yield Quantity(USE, "KMS", what, "kms_requests", self.utterances)

    def export(self) -> Iterator[Quantity]:
        if "export_utterances" in self.environment.functions:
            days = self.environment.settings.export.keep_days
            size = facts.EXPORT_BYTES_AN_UTTERANCE * self.utterances / 1e9
            kept = size * days / facts.DAYS_A_MONTH
            yield Quantity(USE, "S3", f"ASAPP's files, {days} days", "s3_storage", kept)
            yield Quantity(QUERY, "Athena", "queries of the export", "athena_tb", 1)

    def reading(self) -> Iterator[Quantity]:
        yield Quantity(READ, "API Gateway", "requests", "api_gateway_requests", 1_000)
        yield from self.runs(READ, self.environment.functions["read_transcript"], 1_000)
        size = self.bytes * self.load.minutes * facts.UTTERANCES_A_MINUTE + facts.CALL_BYTES
        reads = 1_000 * size / 4_096
        yield Quantity(READ, "DynamoDB reads", "of transcripts", "dynamodb_reads", reads)

    def live(self) -> Iterator[Quantity]:
        """What is behind the live page."""
        functions = self.environment.functions
        if "publish_live" not in functions:
            return
        events = self.utterances + self.calls * facts.LIVE_CHANGES_A_CALL
        openings = self.calls * facts.LIVE_OPENINGS_A_CALL
        lists = facts.LIVE_SUPERVISORS * facts.BUSY_SECONDS_A_MONTH / 60  # one a minute
        reads = openings * (facts.LIVE_READS_AN_OPENING + self.load.minutes)
        for name, count in (
            ("publish_live", events),
            ("authorize_live", 2 * openings),  # it connects, and subscribes
            ("read_live", reads),
        ):
            yield from self.runs(USE, functions[name], count)
        yield from self.runs(IDLE, functions["read_live"], lists)
        what = "events of conversations"
        changes = self.calls * facts.LIVE_CHANGES_A_CALL
        yield Quantity(USE, "EventBridge", what, "eventbridge_events", changes)
        sent = events * facts.LIVE_CHANNELS_AN_EVENT
        heard = events * (facts.LIVE_OPENINGS_A_CALL + facts.LIVE_SUPERVISORS)
        for what, count in (
            ("events published", sent),
            ("events received", heard),
            ("connections and subscriptions", 2 * openings),
        ):
            yield Quantity(USE, "AppSync", what, "appsync_operations", count)
        minutes = openings * self.load.minutes
        yield Quantity(USE, "AppSync", "tabs of a call", "appsync_connection_minutes", minutes)
        what = "pages of supervisors"
        yield Quantity(IDLE, "AppSync", what, "appsync_connection_minutes", lists)
        yield Quantity(IDLE, "API Gateway", "reads of the live list", "api_gateway_requests", lists)
        yield Quantity(USE, "API Gateway", "the live page's reads", "api_gateway_requests", reads)
        size = facts.ACCESS_LOG_BYTES_A_REQUEST * reads
        yield from self.logs(USE, "access log of the live page", size)
        item = self.bytes * self.load.minutes * facts.UTTERANCES_A_MINUTE + facts.CALL_BYTES
        units = reads * item / 4_096
        yield Quantity(USE, "DynamoDB reads", "of the live page", "dynamodb_reads", units)
        calls = self.environment.settings.capacity.expected_calls
        units = lists * (facts.LIVE_LIST_QUERIES + calls)
        yield Quantity(IDLE, "DynamoDB reads", "of the live list", "dynamodb_reads", units)
        users = facts.LIVE_SUPERVISORS + calls
        what = "supervisors and agents who sign in"
        yield Quantity(IDLE, "Cognito", what, "cognito_users", users)
        if self.environment.has("AWS::CloudFront::Distribution"):
            requests = openings * facts.LIVE_REQUESTS_AN_OPENING
            size = openings * facts.LIVE_BYTES_AN_OPENING / 1e9
            yield Quantity(USE, "CloudFront", "requests", "cloudfront_requests", requests)
            yield Quantity(USE, "CloudFront", "files of the page", "cloudfront_gb", size)

    # What several parts do

    def runs(self, basis: Basis, function: Function, count: float) -> Iterator[Quantity]:
        seconds = count * facts.MILLISECONDS[function.folder] / 1_000
        name, gigabytes = function.folder, seconds * function.gigabytes
        yield Quantity(basis, "Lambda", f"{name}, invocations", "lambda_requests", count)
        yield Quantity(basis, "Lambda", f"{name}, compute", "lambda_gb_seconds", gigabytes)
        yield from self.logs(basis, "logs of functions", count * facts.LOG_BYTES_AN_INVOCATION)
        if function.is_traced and basis == USE:
            yield self.traces(count, f"{name}'s")
        elif function.is_traced:
            yield Quantity(basis, "X-Ray", f"{name}'s", "xray_traces", count)

    def logs(self, basis: Basis, what: str, size: float) -> Iterator[Quantity]:
        days = self.environment.settings.retention.logs_days
        kept = size / 1e9 * days / facts.DAYS_A_MONTH
        yield Quantity(basis, "CloudWatch logs", what, "cloudwatch_logs_in", size / 1e9)
        kept_what = f"{what}, kept"
        yield Quantity(basis, "CloudWatch logs", kept_what, "cloudwatch_logs_storage", kept)

    def traces(self, count: float, what: str) -> Quantity:
        """The first of each busy second, and a share of the others."""
        times = self.load.thousands_of_minutes_a_month
        first = min(count, facts.BUSY_SECONDS_A_MONTH / times)
        traced = first + facts.TRACED_SHARE * (count - first)
        return Quantity(USE, "X-Ray", what, "xray_traces", traced)


_RATES = {"minute": 1, "hour": 60, "day": 1_440}


def times_a_month(expression: str) -> float:
    """How often a schedule of ours runs: ``rate(…)``, or ``cron(…)`` with hours of a day."""
    if rate := re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression):
        return facts.MINUTES_A_MONTH / int(rate[1]) / _RATES[rate[2]]
    if cron := re.fullmatch(r"cron\(\d+ ([\d,]+) \* \* \? \*\)", expression):
        return facts.DAYS_A_MONTH * len(cron[1].split(","))
    raise ValueError(f"nobody has said how often {expression} is: tools/cost/calculation.py")
