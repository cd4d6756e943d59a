"""What alarms and the dashboard need to know of a construct."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, cast

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

from connect_autotranscribe.transcripts._webhook_api import WebhookApi

PERIOD = Duration.minutes(5)


class Monitored(Protocol):
    """A construct that lists its functions and its dead-letter queues, by name.

    The names become the ids of alarms and the labels of graphs. Every construct of this package
    that has a function follows this protocol. Alarms and dashboard also show what its methods
    ``metric_…`` measure, of those that the constructs of this package have.
    """

    @property
    def functions(self) -> Mapping[str, lambda_.IFunction]: ...

    @property
    def dead_letter_queues(self) -> Mapping[str, sqs.IQueue]: ...


def functions_of(constructs: Iterable[Monitored]) -> dict[str, lambda_.IFunction]:
    return {name: each for one in constructs for name, each in one.functions.items()}


def queues_of(constructs: Iterable[Monitored]) -> dict[str, sqs.IQueue]:
    return {name: each for one in constructs for name, each in one.dead_letter_queues.items()}


def log_group_name(function: lambda_.IFunction) -> str:
    """:param function: One that was made here, or an alias of it."""
    made = function.lambda_ if isinstance(function, lambda_.Alias) else function
    return cast(lambda_.Function, made).log_group.log_group_name


def dead_letters_of(constructs: Iterable[Monitored]) -> dict[str, cloudwatch.Metric]:
    """The number of messages in each dead-letter queue."""
    return {
        name: queue.metric_approximate_number_of_messages_visible(
            period=PERIOD, statistic=cloudwatch.Stats.MAXIMUM
        )
        for name, queue in queues_of(constructs).items()
    }


def metric_of(
    constructs: Iterable[Monitored], name: str, **options: Any
) -> cloudwatch.Metric | None:
    """What ``metric_<name>`` returns, of the construct that has this method; None without one."""
    for each in constructs:
        if measure := getattr(each, f"metric_{name}", None):
            return cast(cloudwatch.Metric, measure(**options))
    return None


def apis_of(constructs: Iterable[Monitored]) -> dict[str, WebhookApi]:
    """The webhook's APIs by what alarms call them, whichever of them there are: ``Webhook`` and
    ``WebhookClientCertificate``."""
    apis = [api for each in constructs for api in getattr(each, "apis", ())]
    return {f"Webhook{each.node.id.removesuffix('Api')}": each for each in apis}
