"""``prod.flows.lock``: what the ARNs in flow files are in the instance of one environment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class NotALock(ValueError):
    """The file is not such a lock. The message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What an ARN of a flow file is in this environment.

    :param kind: What people call it, such as ``queue``.
    :param name: Its name in the instance of the files; empty if nothing there has the ARN.
    :param here: Its name in this environment's instance, if it is another one; else empty.
    :param arns: Its ARN in this environment. None if the instance has nothing of that name; two or
        more if it has several.
    """

    kind: str
    name: str
    here: str = ""
    arns: tuple[str, ...] = ()

    @property
    def name_here(self) -> str:
        return self.here or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """:param environment: Its name.
    :param instance: The ARN of its instance.
    """

    environment: str
    instance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowsLock:
    """Written by ``make map-flows``, committed, and read by synth.

    :param source: From where the flow files were exported.
    :param target: The environment whose lock this is.
    :param pairs: By the ARN, or the id, in the files.
    """

    source: Side
    target: Side
    pairs: Mapping[str, Pair]

    @property
    def arns(self) -> dict[str, str]:
        """The ARN here of each that has exactly one, by the ARN in the files."""
        return {arn: each.arns[0] for arn, each in self.pairs.items() if len(each.arns) == 1}

    @property
    def command(self) -> str:
        """What writes it again."""
        return f"make map-flows FROM={self.source.environment} TO={self.target.environment}"

    def text(self) -> str:
        """Sorted; one line for each ARN, so that a change is one line of a diff."""
        in_order = sorted(self.pairs.items(), key=lambda it: (it[1].kind, it[1].name, it[0]))
        lines = ",\n".join(f"    {_json(arn)}: {_json(_of_pair(pair))}" for arn, pair in in_order)
        return (
            f'{{\n  "from": {_json(_of_side(self.source))},\n'
            f'  "to": {_json(_of_side(self.target))},\n'
            f'  "pairs": {{\n{lines}\n  }}\n}}\n'
        )

    @classmethod
    def read(cls, file: Path) -> FlowsLock:
        """:raises NotALock: if it is not such a file."""
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
            return cls(
                source=Side(**found["from"]),
                target=Side(**found["to"]),
                pairs={arn: _pair(each) for arn, each in found["pairs"].items()},
            )
        except (OSError, ValueError, TypeError, AttributeError, LookupError, RecursionError) as bad:
            raise NotALock(
                f"{file}: cannot be read ({bad!r}); write it again with make map-flows"
            ) from None


def _pair(given: dict[str, Any]) -> Pair:
    pair = Pair(**{**given, "arns": tuple(given["arns"])})
    if not all(isinstance(each, str) for each in (pair.kind, pair.name, pair.here, *pair.arns)):
        raise TypeError(given)
    return pair


def _of_pair(pair: Pair) -> dict[str, Any]:
    here = {"here": pair.here} if pair.here else {}
    return {"kind": pair.kind, "name": pair.name, **here, "arns": list(pair.arns)}


def _of_side(side: Side) -> dict[str, str]:
    return {"environment": side.environment, "instance": side.instance}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
