"""A template's values against what CloudFormation made of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class Unresolved(Exception):
    """A function of CloudFormation whose value we do not know."""


@dataclass(frozen=True)
class Values:
    """The values of one stack's references.

    :param physical_ids: By logical id.
    :param exports: By the exports' names.
    """

    physical_ids: Mapping[str, str]
    exports: Mapping[str, str]
    account: str
    region: str

    def pattern(self, value: Any) -> str:
        """A regular expression for what a value became. Only an ARN is not known to the letter:
        its service and its kind are left open, its account, region and name are not.

        :raises Unresolved: For a function that our templates do not have in policies.
        """
        if isinstance(value, str):
            return re.escape(value)
        if isinstance(value, dict) and len(value) == 1:
            ((function, argument),) = value.items()
            if function == "Ref":
                return self._reference(argument)
            if function == "Fn::GetAtt" and argument[1].endswith("Arn"):
                return self._arn(argument[0], argument[1])
            if function == "Fn::GetAtt" and argument[1] == "Id":
                return self._reference(argument[0])
            if function == "Fn::ImportValue" and argument in self.exports:
                return re.escape(self.exports[argument])
            if function == "Fn::Join" and isinstance(argument[1], list):
                between: str = re.escape(argument[0])
                return between.join(map(self.pattern, argument[1]))
        raise Unresolved(value)

    def text(self, value: Any) -> str:
        """A reference's value, to the letter.

        :raises Unresolved: If it is not one.
        """
        if isinstance(value, str):
            return value
        if isinstance(value, dict) and value.get("Ref") in self.physical_ids:
            return self.physical_ids[value["Ref"]]
        if isinstance(value, dict) and value.get("Fn::ImportValue") in self.exports:
            return self.exports[value["Fn::ImportValue"]]
        raise Unresolved(value)

    def _reference(self, id: str) -> str:
        pseudo = {
            "AWS::AccountId": re.escape(self.account),
            "AWS::Region": re.escape(self.region),
            "AWS::Partition": r"aws(-[a-z-]+)?",
            "AWS::URLSuffix": r"[a-z.]+",
        }
        if id in pseudo:
            return pseudo[id]
        if id in self.physical_ids:
            return re.escape(self.physical_ids[id])
        raise Unresolved({"Ref": id})

    def _arn(self, id: str, attribute: str) -> str:
        """A physical id is the ARN itself, or a name or URL whose last part ends the ARN; of a rule
        on a bus of its own, it is the bus and the rule."""
        if id not in self.physical_ids:
            raise Unresolved({"Fn::GetAtt": [id, attribute]})
        name = self.physical_ids[id]
        if name.startswith(("arn:", "https://", "http://")):
            name = re.split("[/:]", name)[-1]
        name = name.replace("|", "/")
        place = f"({re.escape(self.region)})?:({self.account})?"
        is_whole = attribute in ("Arn", "ApiArn")
        rest = r"(:\*)?" if is_whole else r"/[\w/.:-]+"  # a log group, a table's stream
        return rf"arn:aws[a-z-]*:[a-z0-9-]+:{place}:([\w/-]+[:/])?{re.escape(name)}{rest}"


def is_what_was_deployed(expected: Any, actual: Any, values: Values) -> bool:
    """:raises Unresolved: If a value of the template cannot be told."""
    if isinstance(expected, str) or _is_function(expected):
        pattern = values.pattern(expected)
        return isinstance(actual, str) and re.fullmatch(pattern, actual) is not None
    if isinstance(expected, dict) and isinstance(actual, dict):
        return expected.keys() == actual.keys() and all(
            is_what_was_deployed(expected[key], actual[key], values) for key in expected
        )
    if isinstance(expected, list) and isinstance(actual, list):
        return len(expected) == len(actual) and all(
            is_what_was_deployed(*pair, values) for pair in zip(expected, actual, strict=True)
        )
    return bool(expected == actual)


def _is_function(value: Any) -> bool:
    """Whether CloudFormation puts something else in its place."""
    return (
        isinstance(value, dict)
        and len(value) == 1
        and next(iter(value)).startswith(("Ref", "Fn::"))
    )
