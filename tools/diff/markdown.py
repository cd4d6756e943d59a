"""The findings as a comment on a pull request: what needs a decision first, each thing once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tools.diff.findings import (
    CodeChange,
    Danger,
    Finding,
    FlowChange,
    PermissionChange,
    PropertyChange,
    ResourceChange,
    SettingChange,
)
from tools.diff.values import WHOLE, both, code, short, side_by_side

LONGEST = 65_536
"""Characters that GitHub takes in one comment."""

RESERVED = 1_024
"""Of them, for what the comment has around the report: its mark, the commit and a link."""

_CUT = "\n\n**Cut here**, as a comment holds no more: `make diff ENV=…` shows one environment."


@dataclass(frozen=True)
class Report:
    """Names of environments and stacks are not to be trusted, as no other text is.

    :param base: What the base is called, in Markdown.
    :param head: What the other revision is called, in Markdown.
    :param stacks: Of each environment that both revisions have, in the order of deployment.
    :param findings: Of each of these environments.
    :param dangers: What is about an environment as a whole, or all of them.
    :param sources: What is to be known of the files that make and judge the templates.
    :param warning: Why the templates may not be what they seem; empty if nothing says so.
    :param costs: What changes in the price of a month, a sentence for each environment.
    :param notes: What the reader must know of how this was made.
    """

    base: str
    head: str
    stacks: Mapping[str, Sequence[str]]
    findings: Mapping[str, Sequence[Finding]]
    dangers: Sequence[str] = ()
    sources: Sequence[str] = ()
    warning: str = ""
    costs: Sequence[str] = ()
    notes: Sequence[str] = ()

    @property
    def has_changes(self) -> bool:
        return bool(self.dangers) or any(self.findings.values())

    @property
    def has_replacements(self) -> bool:
        """Whether something gives way to another, or goes with what it holds."""
        return any(
            (isinstance(each, Danger) and each.is_replacement)
            or (isinstance(each, ResourceChange) and "replaced" in each.change)
            for found in self.findings.values()
            for each in found
        )

    def markdown(self) -> str:
        parts = ["\n".join(self._headline()), self.warning]
        parts += [*self._look_first(), *self._settings()]
        for (stack, names), found in self._by_stack().items():
            parts.append(f"### {code(stack)}: {_listed(names)}")
            parts += _sections(found)
        parts += [*self._costs(), *self._unchanged(), *(f"_{note}_" for note in self.notes)]
        text = "\n\n".join(part for part in parts if part)
        longest = LONGEST - RESERVED
        if len(text) > longest:
            kept = text[: longest - len(_CUT)].rpartition("\n")[0]
            text = kept + _CUT
        return text

    def _headline(self) -> Iterator[str]:
        yield f"## What a deploy would change: {self.base} → {self.head}\n"
        dangers = len(list(self._first()))
        said = ", ".join(_counted(self._everywhere()))
        if not self.has_changes:
            said = f"Nothing changes in what is deployed ({_listed(self.stacks)})."
        if dangers:
            things = "1 thing" if dangers == 1 else f"{dangers} things"
            yield f"**⚠️ {things} to look at first.** {said}"
        elif not self.has_changes:
            yield f"**Nothing changes** ({_listed(self.stacks)})."
        else:
            yield f"**Nothing that holds data is replaced or removed.** {said}"

    def _everywhere(self) -> dict[Finding, list[str]]:
        """Each finding once, with the environments that have it."""
        found: dict[Finding, list[str]] = defaultdict(list)
        for name, findings in self.findings.items():
            for each in dict.fromkeys(findings):
                found[each].append(name)
        return found

    def _look_first(self) -> Iterator[str]:
        lines = [f"- {text}" for text in self._first()]
        if lines:
            yield "### ⚠️ Look here first"
            yield "\n".join(lines)

    def _first(self) -> Iterator[str]:
        """What is to be looked at first: the files, what is deleted, the settings, the rest."""
        yield from self.sources
        yield from self.dangers
        found: dict[tuple[int, str | None, str], dict[str, list[str]]] = {}
        for each, names in self._everywhere().items():
            if isinstance(each, Danger):
                key = each.stack, each.text
                known = next((it for it in found if it[1:] == key), (each.rank, *key))
                outcomes = found.pop(known, {})
                outcomes.setdefault(each.outcome, []).extend(names)
                found[min(known[0], each.rank), *key] = outcomes
        ranks = sorted(found, key=lambda each: each[0])
        yield from (_danger(*each[1:], found[each]) for each in ranks if not each[0])
        for each, names in self._everywhere().items():
            if isinstance(each, SettingChange) and each.means:
                change = both(each.old, each.new, WHOLE)
                yield f"{code(each.key)} {change}: {each.means} — {_listed(names)}"
        yield from (_danger(*each[1:], found[each]) for each in ranks if each[0])

    def _settings(self) -> Iterator[str]:
        """Those that are not said already."""
        rows = [
            (_listed(names), code(each.key), *side_by_side(each.old, each.new, WHOLE))
            for each, names in self._everywhere().items()
            if isinstance(each, SettingChange) and not each.means
        ]
        if rows:
            yield "### Settings"
            yield _table(("environment", "setting", "before", "after"), rows)

    def _by_stack(self) -> dict[tuple[str, tuple[str, ...]], list[Any]]:
        """Findings by stack and by the environments that share them, widest first."""
        found: dict[tuple[str, tuple[str, ...]], list[Any]] = defaultdict(list)
        for each, names in self._everywhere().items():
            if not isinstance(each, Danger | SettingChange):
                found[each.stack, tuple(names)].append(each)
        order = list(dict.fromkeys(stack for stacks in self.stacks.values() for stack in stacks))
        keys = sorted(found, key=lambda key: (order.index(key[0]), -len(key[1]), key[1]))
        return {key: found[key] for key in keys}

    def _costs(self) -> Iterator[str]:
        if self.costs:
            yield "**What it costs a month by being there**, without calls (`make cost`):"
            yield "\n".join(f"- {each}" for each in self.costs)

    def _unchanged(self) -> Iterator[str]:
        changed = {
            (name, each.stack)
            for name, findings in self.findings.items()
            for each in findings
            if not isinstance(each, SettingChange)
        }
        where: dict[str, list[str]] = defaultdict(list)
        for name, stacks in self.stacks.items():
            for stack in stacks:
                if (name, stack) not in changed and (name, None) not in changed:
                    where[stack].append(name)
        if self.has_changes and where:
            said = "; ".join(f"{code(stack)} ({_listed(names)})" for stack, names in where.items())
            yield f"Unchanged: {said}."


def _danger(stack: str | None, text: str, outcomes: Mapping[str, Sequence[str]]) -> str:
    """One bullet; a line below it for each outcome, if environments differ."""
    place = f"{code(stack)}: " if stack else ""
    if len(outcomes) == 1:
        ((outcome, names),) = outcomes.items()
        return f"{text}{f' {outcome}' if outcome else ''} — {place}{_listed(names)}"
    every = dict.fromkeys(name for some in outcomes.values() for name in some)
    lines = [f"  - {_listed(some)}: {outcome}" for outcome, some in outcomes.items()]
    return "\n".join((f"{text} — {place}{_listed(every)}", *lines))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(code, names))


def _sections(found: Sequence[Any]) -> Iterator[str]:
    """What changes in one stack, by kind."""
    permissions = [each for each in found if isinstance(each, PermissionChange)]
    if permissions:
        yield "**Permissions**"
        yield _table(("", "who", "may", "on what", "if"), map(_permission, permissions))
    flows = [each for each in found if isinstance(each, FlowChange)]
    if flows:
        yield "**Flows**"
        yield "\n".join(
            line
            for each in flows
            for line in (f"- {code(each.flow)}", *(f"  - {text}" for text in each.lines))
        )
    code_changes = [each for each in found if isinstance(each, CodeChange)]
    if code_changes:
        yield "**Functions' code**"
        yield "\n".join(_code(code_changes))
    resources = [*_resources(found), *_properties(found)]
    if resources:
        yield "**Resources**"
        yield "\n".join(resources)


def _permission(each: PermissionChange) -> tuple[str, ...]:
    row = each.permission
    change = f"**{each.change}**{f', {each.note}' if each.note else ''}"
    may = f"{'**not** ' if row.may == 'may not' else ''}{code(row.action)}"
    return change, code(row.who), may, code(row.on), code(row.condition) if row.condition else ""


def _code(found: Sequence[CodeChange]) -> Iterator[str]:
    """A line for each set of functions in which the same files differ."""
    where: dict[Any, list[str]] = defaultdict(list)
    for each in found:
        where[each.files].append(each.function)
    for files, functions in where.items():
        said = ", ".join(f"{code(path)} +{added} -{removed}" for path, added, removed in files)
        yield f"- {', '.join(map(code, functions))}: {said or 'its package'}"


def _resources(found: Sequence[Any]) -> Iterator[str]:
    where: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for each in found:
        if isinstance(each, ResourceChange):
            where[each.change, each.type, each.why].append(each.name)
    says = {
        "removed": "**removed**",
        "replaced": "**replaced**",
        "perhaps replaced": "**perhaps replaced**",
        "added": "**added**",
        "renewed": "recreated, as after every change",
        "reworded": "worded otherwise, to the same effect",
    }
    for change, said in says.items():
        for (of, type, why), names in where.items():
            if of == change:
                because = f" ({why})" if why and change != "renewed" else ""
                yield f"- {said}: {_named(names, type)}{because}"


def _properties(found: Sequence[Any]) -> Iterator[str]:
    where: dict[tuple[str, str | None, str | None], dict[str, list[str]]] = {}
    for each in found:
        if isinstance(each, PropertyChange):
            same = where.setdefault((each.property, each.old, each.new), defaultdict(list))
            same[each.type].append(each.name)
    for (property, old, new), types in where.items():
        said = "; ".join(_named(names, type) for type, names in types.items())
        yield f"- {code(property)} {both(old, new)}: {said}"


def _named(names: Sequence[str], type: str) -> str:
    if not type:
        return ", ".join(names)  # the stack, the outputs: our words
    kind = f"{len(names)} {short(type)}" if len(names) > 1 else short(type)
    return f"{', '.join(map(code, names))} ({kind})"


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    escaped = [[cell.replace("|", "\\|") for cell in cells] for cells in rows]
    lines = [heading, ["---"] * len(heading), *escaped]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _counted(found: Iterable[Finding]) -> Iterator[str]:
    counts = Counter(map(_kind, found))
    for kind, (one, several) in _KINDS.items():
        if count := counts[kind]:
            yield f"{count} {one if count == 1 else several}"


def _kind(each: Finding) -> object:
    if isinstance(each, PermissionChange | ResourceChange):
        return type(each), each.change
    return type(each)


_KINDS: Mapping[object, tuple[str, str]] = {
    (PermissionChange, "added"): ("permission added", "permissions added"),
    (PermissionChange, "removed"): ("permission removed", "permissions removed"),
    SettingChange: ("setting", "settings"),
    FlowChange: ("flow", "flows"),
    CodeChange: ("function's code", "functions' code"),
    (ResourceChange, "removed"): ("resource removed", "resources removed"),
    (ResourceChange, "replaced"): ("resource replaced", "resources replaced"),
    (ResourceChange, "perhaps replaced"): ("perhaps replaced", "perhaps replaced"),
    (ResourceChange, "added"): ("resource added", "resources added"),
    PropertyChange: ("other change", "other changes"),
}
