"""Turns a list of blocks into the content that Connect's API takes, the same bytes every time."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connect_autotranscribe.flows.blocks import Block

MAX_ACTIONS = 250
# Connect's limit is 256,000. Function ARNs are known only at deploy, so the rest is kept free.
MAX_CONTENT_CHARACTERS = 200_000
MAX_NAME_CHARACTERS = 127
MAX_DESCRIPTION_CHARACTERS = 500
MAX_IDENTIFIER_CHARACTERS = 50

# The pitch of the flow designer's own auto-arrange, so that pressing it moves nothing.
COLUMN_WIDTH = 280
ROW_HEIGHT = 260

MANAGED = (
    "Managed by CDK: edits in the flow designer are overwritten by the next deploy that changes it."
)

_REFUSED_IN_IDENTIFIERS = re.compile(r"[%:(\\/)=$,;\[\]{}]")
_REFUSED_IDENTIFIERS = {"__proto__", "constructor", "toString", "valueOf", "hasOwnProperty"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowModule:
    """Blocks that other flows run with *Invoke module*.

    :param name: Unique in the instance.
    :param description: What it does for the person who opens it in the flow designer.
    :param blocks: The first is the start; after that any order, best a reader's.
    """

    name: str
    description: str
    blocks: tuple[Block, ...]

    def content(self) -> dict[str, Any]:
        """The content for ``CreateContactFlowModule``; `ValueError` names everything wrong."""
        # Undocumented, yet module content without Settings is refused. These say: no inputs, no
        # outputs, the two exits that every module has.
        settings: dict[str, Any] = {
            "InputParameters": [],
            "OutputParameters": [],
            "Transitions": [
                {"DisplayName": exit_, "ReferenceName": exit_, "Description": ""}
                for exit_ in ("Success", "Error")
            ],
        }
        return {**_content(self.name, self.description, self.blocks), "Settings": settings}

    def to_json(self) -> str:
        """The content as text. Tokens may stand for ARNs in it, which need no JSON escapes."""
        return _to_json(self.name, self.content())


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A whole flow.

    :param name: Unique in the instance. A change of type replaces the flow, the new one first, so
        let the name say the type.
    :param type: Connect's flow type, such as ``AGENT_WHISPER``; a disconnect flow is a
        ``CONTACT_FLOW``.
    :param description: What it does for the person who opens it in the flow designer.
    :param blocks: The first is the start; after that any order, best a reader's.
    """

    name: str
    type: str
    description: str
    blocks: tuple[Block, ...]

    def content(self) -> dict[str, Any]:
        """The content for ``CreateContactFlow``; `ValueError` names everything wrong."""
        return _content(self.name, self.description, self.blocks)

    def to_json(self) -> str:
        """The content as text. Tokens may stand for ARNs in it, which need no JSON escapes."""
        return _to_json(self.name, self.content())


def _to_json(name: str, content: dict[str, Any]) -> str:
    text = json.dumps(content, separators=(",", ":"))
    if len(text) > MAX_CONTENT_CHARACTERS:
        raise ValueError(
            f"{name!r} is {len(text)} characters of content, more than {MAX_CONTENT_CHARACTERS}; "
            "move a part of it into a module"
        )
    return text


def _content(name: str, description: str, blocks: Sequence[Block]) -> dict[str, Any]:
    problems = _problems(name, description, blocks)
    if problems:
        raise ValueError(f"{name!r} is not a flow that Connect takes: " + "; ".join(problems))
    positions = _positions(blocks)
    return {
        "Version": "2019-10-30",
        "StartAction": blocks[0].name,
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


def _problems(name: str, description: str, blocks: Sequence[Block]) -> list[str]:
    problems = []
    if not 1 <= len(name) <= MAX_NAME_CHARACTERS:
        problems.append(f"the name has {len(name)} characters, not 1 to {MAX_NAME_CHARACTERS}")
    if len(f"{description} {MANAGED}") > MAX_DESCRIPTION_CHARACTERS:
        problems.append(
            f"with the note that CDK manages it, the description has more than "
            f"{MAX_DESCRIPTION_CHARACTERS} characters"
        )
    if not 1 <= len(blocks) <= MAX_ACTIONS:
        problems.append(f"it has {len(blocks)} blocks, not 1 to {MAX_ACTIONS}")
    for identifier, count in Counter(block.name for block in blocks).items():
        if count > 1:
            problems.append(f"{count} blocks are named {identifier!r}")
        if not 1 <= len(identifier) <= MAX_IDENTIFIER_CHARACTERS:
            problems.append(
                f"the block name {identifier!r} has {len(identifier)} characters, "
                f"not 1 to {MAX_IDENTIFIER_CHARACTERS}"
            )
        if _REFUSED_IN_IDENTIFIERS.search(identifier):
            problems.append(
                rf"the block name {identifier!r} holds one of % : ( \ / ) = $ , ; [ ] {{ }}"
            )
        if identifier in _REFUSED_IDENTIFIERS:
            problems.append(f"no block may be named {identifier!r}")
    names = {block.name for block in blocks}
    for block in blocks:
        for target in dict.fromkeys(block.targets()):
            if target not in names:
                problems.append(f"{block.name!r} leads to {target!r}, which does not exist")
    return problems


def _positions(blocks: Sequence[Block]) -> dict[str, dict[str, int]]:
    """The happy path along the top, left to right; what only errors reach stands below."""
    by_name = {block.name: block for block in blocks}
    cells: dict[str, tuple[int, int]] = {}

    def place(block: Block, column: int, row: int) -> None:
        while (column, row) in cells.values():
            row += 1
        cells[block.name] = (column, row)

    block: Block | None = blocks[0]
    while block is not None and block.name not in cells:
        place(block, len(cells) + 1, 0)
        targets = block.targets()
        block = by_name[targets[0]] if targets else None
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
