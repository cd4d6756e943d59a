"""CloudWatch's evaluation of an alarm, of a template's alarm and of data that a test gives.

It knows what this repository's alarms use: the statistics Sum, Maximum, Minimum and SampleCount,
periods of a minute and more, M of N data points, what becomes of missing data, expressions of
``IF``, ``FILL``, ``EPOCH``, ``AND``, ``<`` and ``>``, and a query for the sum of all metrics of one
name with one dimension. Anything else is an error.
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
    "Minimum": min,
    "SampleCount": len,
}
BREACHES: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
}


@dataclass
class Data:
    """What was published: by metric, the minute of each value. Minute 0 is the oldest.

    :param began: The time of minute 0, in seconds since 1970.
    """

    minutes: int
    values: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    began: int = 0

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

    def times(self, period: int, count: int) -> Series:
        """When each of the last ``count`` periods began; also of those without a value."""
        starts = (self.minutes - (age + 1) * period for age in reversed(range(count)))
        return [float(self.began + 60 * start) for start in starts]


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
    if query := _query(alarm):
        return {"": query}
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


QUERY = re.compile(r"""SELECT SUM\((\w+)\) FROM "([\w/]+)" WHERE (\w+) = '(\w+)'""")


def _query(alarm: Json) -> Json | None:
    """What an alarm's query asks for: a metric of which only one dimension is given."""
    for each in alarm["Metrics"]:
        if found := QUERY.fullmatch(each.get("Expression", "")):
            name, namespace, dimension, value = found.groups()
            dimensions = [{"Name": dimension, "Value": value}]
            return {"Namespace": namespace, "MetricName": name, "Dimensions": dimensions}
    return None


def _queried(alarm: Json, query: Json, data: Data, count: int) -> Series:
    """The sum of all metrics that have what is asked for, whatever other dimensions they have."""
    (asked,) = alarm["Metrics"]
    namespace, name, dimensions = json.loads(named(query))
    whole = Data(data.minutes)
    for metric, values in data.values.items():
        its_namespace, its_name, its_dimensions = json.loads(metric)
        if (its_namespace, its_name) == (namespace, name) and dimensions[0] in its_dimensions:
            whole.values.setdefault("", []).extend(values)
    return whole.series("", "Sum", _minutes(asked["Period"]), count)


def _expression(alarm: Json, data: Data, count: int) -> Series:
    if query := _query(alarm):
        return _queried(alarm, query, data, count)
    known: dict[str, Series] = {}
    (returned,) = (each for each in alarm["Metrics"] if each.get("ReturnData", True))
    for each in alarm["Metrics"]:
        if "MetricStat" in each:
            stat = each["MetricStat"]
            period = _minutes(stat["Period"])
            known[each["Id"]] = data.series(named(stat["Metric"]), stat["Stat"], period, count)
            known[f"EPOCH {each['Id']}"] = data.times(period, count)
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
        case ast.Call(func=ast.Name(id="EPOCH"), args=[ast.Name(id=name)]):
            return known[f"EPOCH {name}"]
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
