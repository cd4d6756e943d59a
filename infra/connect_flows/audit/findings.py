"""What the audit found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "no-transcript",
    "never-stopped",
    "stopped-at-hold",
    "one-side-only",
    "function-not-our-alias",
    "function-of-another-account",
    "function-not-associated",
    "named-by-nothing",
    "draft-differs",
]

TITLES: Mapping[Kind, str] = {
    "no-transcript": "A call meets an agent without transcription",
    "never-stopped": "Transcription starts and never stops",
    "stopped-at-hold": "Transcription stops at a hold, and nothing starts it again",
    "one-side-only": "ASAPP hears one side only",
    "function-not-our-alias": "A block names our function, but not its alias",
    "function-of-another-account": "A block names a function of another account or region",
    "function-not-associated": "A block names a function that the instance may not invoke",
    "named-by-nothing": "Nothing names a flow of ours, so it never runs",
    "draft-differs": "What is saved differs from what is published",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong.

    :param flow: The flow's name; ``""`` if it is a setting of a queue.
    :param flow_id: Its id, or ``""``.
    :param block: The block's identifier, or ``""``.
    :param setting: What to change: a block to set, a parameter, or a queue's setting.
    :param what: What is so.
    :param remedy: What to do.
    :param calls: The phone numbers, quick connects and queues whose calls meet it.
    """

    kind: Kind
    flow: str
    flow_id: str
    block: str
    setting: str
    what: str
    remedy: str
    calls: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        return f"{self.flow} / {self.block}" if self.block else self.flow or "a queue"


@dataclass
class Report:
    """
    :param findings: In the order of `TITLES`, each once.
    :param notes: What is unknown. It is never a finding.
    :param paths: What the calls of each phone number, quick connect and queue go through.
    """

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    paths: dict[str, CallPath] = field(default_factory=dict)

    def add(self, findings: list[Finding]) -> None:
        order = list(TITLES)
        self.findings = sorted(
            [*self.findings, *findings],
            key=lambda each: (order.index(each.kind), each.flow, each.block, each.setting),
        )


@dataclass
class CallPath:
    """The flows that the calls of one entry can go through.

    :param entry: ``+1…``, ``quick connect …`` or ``queue …``.
    :param flows: The moment of the call and the flow's id; the id is ``""`` if no flow runs.
    :param ways: From one of these to the next.
    """

    entry: str
    flows: dict[tuple[str, str], None] = field(default_factory=dict)
    ways: dict[tuple[tuple[str, str], tuple[str, str]], None] = field(default_factory=dict)
