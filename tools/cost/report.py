"""What `make cost` prints: Markdown, or the same as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tools.cost import facts
from tools.cost.calculation import IDLE, READ, USE, Cost
from tools.cost.environment import AS_IT_IS, Environment
from tools.cost.prices import Prices

LEVERS = {
    "Athena": "a day is a folder: name it in the query",
    "AppSync": "each event goes to the call's viewers and to every open list",
    "API Gateway": "each utterance is one request; only ASAPP can send fewer",
    "CloudFront": "the page's files; a browser keeps most of them",
    "CloudWatch alarms": "one for each way in which a part can fail",
    "CloudWatch dashboards": "one for each environment",
    "CloudWatch logs": "functions that run for each utterance write three lines; "
    "`retention.logs_days` changes little",
    "CloudWatch metrics": "those of the logs that alarms need, and detailed ones of the APIs",
    "Cognito": "an app client of machines costs $6 a month, a person who signs in $0.015; a token "
    "of your own issuer costs nothing here",
    "DynamoDB reads": "one look at the call for each utterance that is published",
    "DynamoDB recovery": "`retention.transcripts_days`",
    "DynamoDB storage": "`retention.transcripts_days`",
    "DynamoDB writes": "`asapp.detailed_tokens = false` writes two units an utterance, not five",
    "EventBridge": "one event an utterance",
    "KMS": "a key of yours is asked for each event; AWS's own costs nothing",
    "Kinesis": '`lifecycle.mode = "adopt"` reads a stream that is there anyway; "off" follows no '
    "holds",
    "Lambda": "memory, by `FunctionOptions(memory=…)`",
    "S3": "`export.keep_days`",
    "SQS": "three requests a message; under load a batch has up to ten messages",
    "Secrets Manager": "two secrets",
    "WAF": "the web ACL, its rules, and each request that it looks at",
    "X-Ray": "functions and the webhook trace the first request of a second and a twentieth of the "
    "others; few calls are traced whole",
}
"""What one can change of each part."""

BESIDE = (
    (
        "Amazon Connect, voice",
        "$18.00",
        "$0.018 a minute: [AWS](https://aws.amazon.com/connect/pricing/), not read again",
    ),
    (
        "Telephony",
        "ask",
        "by number and country: [AWS](https://aws.amazon.com/connect/pricing/)",
    ),
    (
        "Kinesis Video Streams, audio in and read by ASAPP",
        f"${2 * 0.0085 * facts.AUDIO_BYTES_A_MINUTE * 1_000 / 1e9:.2f}",
        "1.9 GB, $0.0085 a GB each way in us-east-1: "
        "[AWS](https://aws.amazon.com/kinesis/video-streams/pricing/)",
    ),
    ("ASAPP", "ask", "by contract"),
)
"""What is not ours: for 1,000 call-minutes, and from where."""

Costs = Mapping[str, Mapping[str, Cost]]
"""By variant, and by region."""


def usd(value: float) -> str:
    if value < 0.00005:
        return "\N{EN DASH}" if not value else "under $0.0001"
    return f"${value:,.4f}" if value < 0.995 else f"${value:,.2f}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def markdown(costs: Costs, environment: Environment, prices: Prices) -> str:
    regions = list(costs[AS_IT_IS])
    return "\n\n".join(
        (
            "By part, in US dollars:",
            by_part(costs[AS_IT_IS]),
            "By function, in " + regions[0] + ":",
            by_function(costs[AS_IT_IS][regions[0]], environment),
            "With one thing chosen otherwise:",
            by_variant(costs),
            "The biggest levers, by what they cost a month:",
            "\n".join(levers(costs[AS_IT_IS])),
            "Not ours, for 1,000 call-minutes:",
            table(("what", "price", "from"), BESIDE),
            "\n".join(notes(costs[AS_IT_IS], prices)),
        )
    )


def by_part(costs: Mapping[str, Cost]) -> str:
    head = [""]
    for region in costs:
        head += [f"{region}, idle a month", "1,000 call-minutes", "a month"]
    parts = list(next(iter(costs.values())).month_by_part())
    rows = []
    for part in parts:
        cells = [part]
        for cost in costs.values():
            idle, use = (cost.by_part(basis).get(part, 0) for basis in (IDLE, USE))
            cells += [usd(idle), usd(use), usd(cost.month_by_part()[part])]
        rows.append(cells)
    total = ["**in all**"]
    for cost in costs.values():
        total += [f"**{usd(each)}**" for each in (cost.usd(IDLE), cost.usd(USE), cost.a_month)]
    return table(head, [*rows, total])


def by_function(cost: Cost, environment: Environment) -> str:
    def of(folder: str, what: str, basis: str) -> float:
        return sum(
            each.usd
            for each in cost.lines
            if each.quantity.basis == basis and each.quantity.what.startswith(f"{folder}, {what}")
        )

    rows = []
    for folder, function in environment.functions.items():
        runs = sum(
            each.quantity.count
            for each in cost.lines
            if each.quantity.basis == USE and each.quantity.what == f"{folder}, invocations"
        )
        rows.append(
            (
                f"`{folder}`",
                f"{function.gigabytes * 1024:.0f} MB",
                f"{facts.MILLISECONDS[folder]} ms",
                f"{runs:,.0f}",
                usd(of(folder, "", USE)),
                usd(of(folder, "", IDLE)),
            )
        )
    head = ("function", "memory", "stated duration", "invocations for 1,000 call-minutes")
    return table((*head, "they cost", "idle, a month"), rows)


def by_variant(costs: Costs) -> str:
    head = [""]
    for region in costs[AS_IT_IS]:
        head += [f"{region}, idle a month", "1,000 call-minutes", "a month"]
    rows = []
    for name, each in costs.items():
        cells = [name]
        for cost in each.values():
            cells += [usd(cost.usd(IDLE)), usd(cost.usd(USE)), usd(cost.a_month)]
        rows.append(cells)
    return table(head, rows)


def levers(costs: Mapping[str, Cost]) -> Iterator[str]:
    first, *_ = costs.values()
    for part, value in list(first.month_by_part().items())[:5]:
        yield f"* **{part}**, {usd(value)}: {LEVERS[part]}."


def notes(costs: Mapping[str, Cost], prices: Prices) -> Iterator[str]:
    used = {line.price for cost in costs.values() for line in cost.lines}
    unread = sum(not each.seen for each in used)
    oldest = min(each.looked_up for each in used)
    yield (
        f"* Prices of {oldest} or later, without taxes, free tiers and discounts: "
        f"docs/prices.toml. {unread} of {len(used)} were not read again on that day."
    )
    first, *_ = costs.values()
    queries = usd(prices.of("athena_tb", next(iter(costs))).usd)
    hours = facts.BUSY_SECONDS_A_MONTH / facts.DAYS_A_MONTH / 3_600
    yield (
        f"* {first.load.calls_a_day:,.0f} calls a day of {first.load.minutes:g} minutes in "
        f"{hours:.0f} hours, every day of a month. {usd(first.usd(READ))} more for 1,000 "
        f"transcripts that somebody reads; with the export, {queries} for a TB that queries read. "
        "Agents who are logged in and have no call send 30 heartbeats an hour each, which are not "
        "counted."
    )
    if first.unclear:
        yield f"* **Not counted**, as nobody has said what it costs: {', '.join(first.unclear)}."


def as_json(costs: Costs) -> dict[str, Any]:
    return {
        name: {
            region: {
                "idleAMonth": cost.usd(IDLE),
                "thousandCallMinutes": cost.usd(USE),
                "thousandTranscriptsRead": cost.usd(READ),
                "aMonth": cost.a_month,
                "parts": cost.month_by_part(),
                "unclear": list(cost.unclear),
                "lines": [
                    {
                        "basis": each.quantity.basis,
                        "part": each.quantity.part,
                        "what": each.quantity.what,
                        "count": each.quantity.count,
                        "price": each.price.name,
                        "usdForAUnit": each.price.usd,
                        "unit": each.price.unit,
                        "usd": each.usd,
                    }
                    for each in cost.lines
                ],
            }
            for region, cost in regions.items()
        }
        for name, regions in costs.items()
    }
