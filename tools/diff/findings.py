"""What a comparison of two revisions can find. The same finding in two environments is equal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Danger:
    """What somebody must look at first, in Markdown.

    :param stack: None if it is about the environment.
    :param rank: 0 if something is deleted or the deploy is refused, else 1.
    :param is_replacement: Whether something gives way to another, or goes with what it holds.
    :param outcome: What becomes of the data, which can differ between environments.
    """

    stack: str | None
    text: str
    rank: int = 1
    is_replacement: bool = False
    outcome: str = ""


@dataclass(frozen=True, order=True)
class Permission:
    """One action on one thing.

    :param may: "may" or "may not".
    :param condition: Empty if there is none.
    :param outside: Whether who is neither an AWS service nor made by the stacks.
    """

    stack: str
    who: str
    may: str
    action: str
    on: str
    condition: str
    outside: bool = False


@dataclass(frozen=True)
class PermissionChange:
    """:param note: How it stands to one that was removed or added in its place."""

    stack: str
    change: Literal["added", "removed"]
    permission: Permission
    note: str = ""


@dataclass(frozen=True)
class FlowChange:
    """:param lines: A line in Markdown for each block."""

    stack: str
    flow: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class CodeChange:
    """:param files: Path, lines added, lines removed."""

    stack: str
    function: str
    files: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class ResourceChange:
    """A resource as a whole.

    :param why: For a replacement: what CloudFormation cannot change in place.
    """

    stack: str
    change: Literal["added", "removed", "replaced", "perhaps replaced", "renewed", "reworded"]
    name: str
    type: str
    why: str = ""


@dataclass(frozen=True)
class PropertyChange:
    """:param name: The resource, or the part of the stack.
    :param old: None if it was not set.
    :param new: None if it is not set.
    """

    stack: str
    name: str
    type: str
    property: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class SettingChange:
    """:param old: None if the file did not have it.
    :param new: None if the file does not have it.
    :param means: What the change means, if the setting is sensitive.
    """

    key: str
    old: str | None
    new: str | None
    means: str | None = None


Finding = (
    Danger
    | PermissionChange
    | FlowChange
    | CodeChange
    | ResourceChange
    | PropertyChange
    | SettingChange
)
