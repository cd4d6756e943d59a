"""Turns a list of blocks into content for Connect's API. Equal blocks give equal bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connect_flows.blocks import Block
from connect_flows.flow_types import MODULE
from connect_flows.rules import MARGIN_FOR_TOKENS, examine

MAX_NAME_CHARACTERS = 127
MAX_DESCRIPTION_CHARACTERS = 500
MAX_PROBLEMS = 10

# The distances of the flow designer's *auto-arrange*, so that it does not move our blocks.
COLUMN_WIDTH = 280
ROW_HEIGHT = 260

MANAGED = (
    "Managed by CDK: edits in the flow designer are overwritten by the next deploy that changes it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowModule:
    """Blocks that other flows run with *Invoke module*.

    :param name: Unique in the instance.
    :param description: What it does, for a person who opens it in the flow designer.
    :param blocks: The first is the start. The others may have any order.
    """

    name: str
    description: str
    blocks: tuple[Block, ...]

    def content(self) -> dict[str, Any]:
        """The content for ``CreateContactFlowModule``.

        :raises ValueError: if Connect would refuse it; the message names every problem.
        """
        # Not documented, but Connect refuses a module without Settings. These mean: no inputs, no
        # outputs, and the two exits that every module has.
        settings: dict[str, Any] = {
            "InputParameters": [],
            "OutputParameters": [],
            "Transitions": [
                {"DisplayName": exit_, "ReferenceName": exit_, "Description": ""}
                for exit_ in ("Success", "Error")
            ],
        }
        content = {**_content(self.blocks), "Settings": settings}
        return _checked(content, MODULE, self.name, self.description)

    def to_json(self) -> str:
        """The content as text. It may contain tokens for ARNs, which need no JSON escapes."""
        return to_json(self.content())


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A whole flow.

    :param name: Unique in the instance. If you change the type, CloudFormation creates the new flow
        before it deletes the old one, so use another name for another type.
    :param type: Connect's flow type, such as ``AGENT_WHISPER``; a disconnect flow is a
        ``CONTACT_FLOW``.
    :param description: What it does, for a person who opens it in the flow designer.
    :param blocks: The first is the start. The others may have any order.
    """

    name: str
    type: str
    description: str
    blocks: tuple[Block, ...]

    def content(self) -> dict[str, Any]:
        """The content for ``CreateContactFlow``.

        :raises ValueError: if Connect would refuse it; the message names every problem.
        """
        return _checked(_content(self.blocks), self.type, self.name, self.description)

    def to_json(self) -> str:
        """The content as text. It may contain tokens for ARNs, which need no JSON escapes."""
        return to_json(self.content())


def to_json(content: Mapping[str, Any]) -> str:
    """Content as text, without spaces; the rules check its length in this form."""
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


def described(description: str) -> str:
    """The description with a note that CDK manages the flow."""
    return f"{description} {MANAGED}".lstrip()


def listed(problems: Sequence[str]) -> str:
    """The first problems in one line, and the number of the others."""
    more = len(problems) - MAX_PROBLEMS
    return "; ".join([*problems[:MAX_PROBLEMS], *([f"and {more} more"] if more > 0 else [])])


def wrong_names(name: str, description: str) -> list[str]:
    """What Connect would refuse in a name and a description."""
    problems = []
    if not 1 <= len(name) <= MAX_NAME_CHARACTERS:
        problems.append(f"the name has {len(name)} characters: give it 1 to {MAX_NAME_CHARACTERS}")
    if len(described(description)) > MAX_DESCRIPTION_CHARACTERS:
        problems.append(
            f"with the note that CDK manages it, the description has more than "
            f"{MAX_DESCRIPTION_CHARACTERS} characters: shorten it"
        )
    return problems


def _checked(content: dict[str, Any], type: str, name: str, description: str) -> dict[str, Any]:
    problems = wrong_names(name, description)
    problems += [str(problem) for problem in examine(content, type, margin=MARGIN_FOR_TOKENS)]
    if problems:
        raise ValueError(f"Connect would refuse {name!r}: {listed(problems)}")
    return content


def _content(blocks: Sequence[Block]) -> dict[str, Any]:
    positions = _positions(blocks)
    return {
        "Version": "2019-10-30",
        "StartAction": blocks[0].name if blocks else "",
        "Metadata": {
            "entryPointPosition": {"x": 0, "y": 0},
            "ActionMetadata": {
                block.name: {
                    "position": positions[block.name],
                    "isFriendlyName": True,
                    **block.designer(),
                }
                for block in blocks
            },
            "Annotations": [],
        },
        "Actions": [block.action() for block in blocks],
    }


def _positions(blocks: Sequence[Block]) -> dict[str, dict[str, int]]:
    """Place the path without errors in the top row, left to right, and all other blocks below."""
    by_name = {block.name: block for block in blocks}
    cells: dict[str, tuple[int, int]] = {}

    def place(block: Block, column: int, row: int) -> None:
        while (column, row) in cells.values():
            row += 1
        cells[block.name] = (column, row)

    block = blocks[0] if blocks else None
    while block is not None and block.name not in cells:
        place(block, len(cells) + 1, 0)
        block = by_name.get(block.following())
    for block in blocks:
        if block.name not in cells:
            sources = [
                cells[b.name][0] for b in blocks if block.name in b.targets() and b.name in cells
            ]
            place(block, min(sources, default=0) + 1, 1)
    return {
        name: {"x": column * COLUMN_WIDTH, "y": row * ROW_HEIGHT}
        for name, (column, row) in cells.items()
    }
