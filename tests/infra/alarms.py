"""CloudWatch's evaluation of an alarm, of a template's alarm and of data that a test gives.

It knows what this repository's alarms use: the statistics Sum, Maximum and SampleCount, periods of
a minute and more, M of N data points, what becomes of missing data, and expressions of ``IF``,
``FILL``, ``AND``, ``<`` and ``>``. Anything else is an error.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
Series = list[float | None]
"""A value for each period, the newest last; None if there are no data."""

STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "Sum": sum,
    "Maximum": max,
    "SampleCount": len,
}
BREACHES: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
}


@dataclass
class Data:
    """What was published: by metric, the minute of each value. Minute 0 is the oldest."""

    minutes: int
    values: dict[str, list[tuple[int, float]]] = field(default_factory=dict)

    def publish(self, metric: str, value: float, *minutes: int) -> Data:
        """:param metric: As :func:`named` writes it."""
        assert all(0 <= minute < self.minutes for minute in minutes)
        self.values.setdefault(metric, []).extend((minute, value) for minute in minutes)
        return self

    def series(self, metric: str, statistic: str, period: int, count: int) -> Series:
        """The values of the last ``count`` periods of so many minutes."""
        made: Series = []
        for age in reversed(range(count)):
            end = self.minutes - age * period
            found = [
                value
                for minute, value in self.values.get(metric, [])
                if end - period <= minute < end
            ]
            made.append(STATISTICS[statistic](found) if found else None)
        return made


def named(metric: Json) -> str:
    """A metric's identity: its namespace, its name and its dimensions."""
    dimensions = sorted(
        (each["Name"], json.dumps(each["Value"], sort_keys=True))
        for each in metric.get("Dimensions", [])
    )
    return json.dumps([metric["Namespace"], metric["MetricName"], dimensions])


def metrics(alarm: Json) -> dict[str, Json]:
    """The metrics that an alarm looks at, by their id in its expression, or ``""``."""
    if "Metrics" not in alarm:
        return {"": alarm}
    return {
        each["Id"]: each["MetricStat"]["Metric"]
        for each in alarm["Metrics"]
        if "MetricStat" in each
    }


def rings(alarm: Json, data: Data) -> bool:
    """Whether the alarm's state is ALARM at the end of the data.

    :param alarm: The properties of an ``AWS::CloudWatch::Alarm``.
    """
    count: int = alarm["EvaluationPeriods"]
    series = _expression(alarm, data, count) if "Metrics" in alarm else _single(alarm, data, count)
    missing = alarm.get("TreatMissingData", "missing")
    breach = BREACHES[alarm["ComparisonOperator"]]
    breaching = 0
    for value in series:
        if value is None:
            assert missing in ("notBreaching", "breaching", "ignore"), missing
            breaching += missing == "breaching"
        else:
            breaching += breach(value, alarm["Threshold"])
    wanted: int = alarm.get("DatapointsToAlarm", count)
    return breaching >= wanted


def _single(alarm: Json, data: Data, count: int) -> Series:
    return data.series(named(alarm), alarm["Statistic"], _minutes(alarm["Period"]), count)


def _expression(alarm: Json, data: Data, count: int) -> Series:
    known: dict[str, Series] = {}
    (returned,) = (each for each in alarm["Metrics"] if each.get("ReturnData", True))
    for each in alarm["Metrics"]:
        if "MetricStat" in each:
            stat = each["MetricStat"]
            period = _minutes(stat["Period"])
            known[each["Id"]] = data.series(named(stat["Metric"]), stat["Stat"], period, count)
    assert "Expression" in returned
    # The operators as Python writes them.
    text = re.sub(r"\bAND\b", "and", returned["Expression"])
    tree = ast.parse(text.replace("IF(", "when("), mode="eval").body
    return [_value(tree, {name: each[at] for name, each in known.items()}) for at in range(count)]


def _value(node: ast.expr, known: Mapping[str, float | None]) -> float | None:
    """An expression at one moment. If an operand has no data, the result has none."""

    def of(part: ast.expr) -> float | None:
        return _value(part, known)

    match node:
        case ast.Name(id=name):
            return known[name]
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Call(func=ast.Name(id="FILL"), args=[metric, filling]):
            value = of(metric)
            return of(filling) if value is None else value
        case ast.Call(func=ast.Name(id="when"), args=[condition, yes, no]):
            value = of(condition)
            return None if value is None else of(yes if value else no)
        case ast.BoolOp(op=ast.And(), values=parts):
            values = [of(part) for part in parts]
            return None if None in values else float(all(values))
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            one, other = of(left), of(right)
            if one is None or other is None:
                return None
            if isinstance(operator, ast.Gt):
                return float(one > other)
            assert isinstance(operator, ast.Lt), ast.dump(operator)
            return float(one < other)
    raise AssertionError(f"the evaluator does not know {ast.dump(node)}")


def _minutes(seconds: int) -> int:
    minutes, rest = divmod(seconds, 60)
    assert not rest
    return minutes
