"""Metrics that are counted in a function's log."""

from __future__ import annotations

from typing import Any, cast

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

REFUSED = ("rejected", "unavailable")
"""The statuses of what ASAPP refused, or did not answer in time."""


def log_metric(
    scope: Construct,
    id: str,
    log_group: logs.ILogGroup,
    lines: logs.IFilterPattern,
    value: str = "1",
    *,
    name: str | None = None,
    **options: Any,
) -> cloudwatch.Metric:
    """The sum of a value over the log lines that match, in five minutes. Its first call makes the
    metric filter, so a metric that nobody asks for costs nothing.

    :param value: ``1`` to count the lines, or the field of each line that is added up.
    :param name: The metric's name. Default: the construct id.
    :param options: Of ``cloudwatch.MetricOptions``.
    """
    made = scope.node.try_find_child(id) or logs.MetricFilter(
        scope,
        id,
        log_group=log_group,
        filter_pattern=lines,
        metric_namespace=f"ConnectAutotranscribe/{Stack.of(scope).stack_name}",
        metric_name=name or id,
        metric_value=value,
    )
    return cast(logs.MetricFilter, made).metric(
        **{"statistic": cloudwatch.Stats.SUM, "period": Duration.minutes(5), **options}
    )


def iterator_age(function: lambda_.IFunction, options: dict[str, Any]) -> cloudwatch.Metric:
    """How old the records of a stream are when the function has handled them, in milliseconds."""
    return function.metric("IteratorAge", **{"statistic": cloudwatch.Stats.MAXIMUM, **options})


def event(name: str, *statuses: str, state: str = "") -> logs.IFilterPattern:
    """The log lines of an event, with this state and one of these statuses if any is given."""
    value = logs.FilterPattern.string_value
    parts: list[logs.JsonPattern] = [value("$.event", "=", name)]
    if state:
        parts.append(value("$.state", "=", state))
    if statuses:
        parts.append(logs.FilterPattern.any(*(value("$.status", "=", each) for each in statuses)))
    return logs.FilterPattern.all(*parts)
