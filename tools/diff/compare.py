"""One environment in two revisions: all that a deploy of the second would change.

Every difference of the templates is a finding, except in metadata, which deploys nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from math import inf
from typing import Any, Literal, TypeGuard

from tools.diff.assembly import Environment, Json, Resource, Stack, references
from tools.diff.changes.api_access import opened
from tools.diff.changes.flows import FLOWS, flow_changes
from tools.diff.changes.functions import changed_files
from tools.diff.changes.pairing import pairs, shape
from tools.diff.changes.permissions import (
    SAID_HERE,
    SAYS_IT_ALL,
    changes,
    covers_any,
    is_open,
    of_environment,
    rows,
)
from tools.diff.changes.replacement import (
    ROUTINE,
    Reasons,
    holds,
    replacements,
    stays_when_removed,
    stays_when_replaced,
    trusts,
    way_back,
)
from tools.diff.changes.settings import setting_changes
from tools.diff.changes.web_acls import loosened
from tools.diff.findings import (
    CodeChange,
    Danger,
    Finding,
    FlowChange,
    Permission,
    PropertyChange,
    ResourceChange,
)
from tools.diff.values import both, code, differences, short
from tools.policies import policy_in

_RETENTIONS = frozenset(
    {
        "DataRetentionInHours",
        "MessageRetentionPeriod",
        "RetentionInDays",
        "RetentionPeriodHours",
    }
)
_TEMPLATES = frozenset({"AWS::CloudFormation::Stack", "AWS::CloudFormation::StackSet"})
"""Types with a template of their own, which nobody reads here."""


def compare(
    base: Environment, head: Environment, sensitivity: Mapping[str, str | None]
) -> list[Finding]:
    """:param sensitivity: What a change means of each setting that the base knows, or None."""
    return list(_Comparison(base, head).findings(sensitivity))


class _Comparison:
    """:ivar base: With the ids and names that its resources have in ``head``.
    :ivar same_stacks: Those that a deploy updates. Of one that is deployed under another name or
        elsewhere only the permissions are compared: it is a new one.
    """

    def __init__(self, base: Environment, head: Environment) -> None:
        self.same_stacks = [
            name
            for name, old in base.stacks.items()
            if name in head.stacks
            and (old.deployed_as, old.place)
            == (head.stacks[name].deployed_as, head.stacks[name].place)
        ]
        alike = pairs(base, head)
        self.old_names = {new: base.resources[old].name for old, new in alike.items()}
        self.other_ids = {new for old, new in alike.items() if old != new}
        self.only_ids_differ = {
            new
            for old, new in alike.items()
            if old != new and shape(base, base.resources[old]) == shape(head, head.resources[new])
        }
        names = {old: head.resources[new].name for old, new in alike.items()}
        self.base, self.head = base.renamed(alike, names), head
        self.pairs = [(self.base.resources[id], head.resources[id]) for id in alike.values()]
        self.replaced: Reasons = replacements(self.pairs, dict.fromkeys(self.other_ids, ""))
        # Nobody deletes the permissions of a stack that is gone from the app.
        allowed = {row for row in of_environment(self.base) if row.stack in head.stacks}
        self.permissions = allowed, of_environment(head)
        self.addresses = _addresses(self.base)
        self.followers = _followers(head)

    def findings(self, sensitivity: Mapping[str, str | None]) -> Iterator[Finding]:
        yield from self.stacks()
        yield from setting_changes(self.base.settings, self.head.settings, sensitivity)
        yield from self.refused()
        yield from self.permitted()
        yield from self.unread()
        paired = {new.id for _, new in self.pairs}
        for old in self.base.resources.values():
            if old.id not in paired and old.stack in self.same_stacks:
                yield ResourceChange(old.stack, "removed", old.name, old.type)
                yield from self.danger(old, None)
                yield from loosened(old, None)
        for id, new in self.head.resources.items():
            if id not in paired and new.stack not in self.base.stacks.keys() - self.same_stacks:
                yield ResourceChange(new.stack, "added", new.name, new.type)
        changed: list[Finding] = []
        for old, new in self.pairs:
            if new.stack in self.same_stacks:
                yield from self.replacement(old, new)
                yield from loosened(old, new)
                if new.id not in self.only_ids_differ:
                    changed += self.change(old, new)
        shorter = [each for each in changed if _is_shorter(each)]
        yield from (each for each in changed if each not in shorter)
        yield from _shorter(shorter)

    def permitted(self) -> Iterator[Finding]:
        """Who may do more, and who less."""
        forbidden = {each for each in self.permissions[1] if each.may == "may not"}
        for each in changes(*self.permissions):
            yield each
            row, is_added = each.permission, each.change == "added"
            if row.may == "may" and is_added and row.outside:
                yield Danger(each.stack, _sentence(row, "may now"))
            if row.may == "may not" and not is_added and not covers_any(forbidden, row):
                yield Danger(each.stack, _sentence(row, "is no longer forbidden to"))

    def unread(self) -> Iterator[Danger]:
        """What a template does not show: others decide or change it at the deployment."""
        for name in self.head.stacks:
            old = self.base.stacks[name].rest if name in self.base.stacks else {}
            if (macro := self.head.stacks[name].rest.get("Transform")) != old.get("Transform"):
                yield Danger(
                    name,
                    f"{code(str(macro))} **may rewrite the template** at the deployment: what is "
                    "compared here is not what is deployed.",
                    0,
                )
        for new in self.head.resources.values():
            if new.id in self.base.resources and self.base.resources[new.id].body == new.body:
                continue
            name = f"{code(new.name)} ({short(new.type)})"
            if new.type in _TEMPLATES:
                yield Danger(new.stack, f"{name} has **a template that is not compared**.", 0)
            elif is_open(new.body):
                text = f"{name} is **decided at the deployment** in part, by `Fn::If` or "
                yield Danger(new.stack, f"{text}`Fn::Transform`: read what it may become.", 0)

    def stacks(self) -> Iterator[Finding]:
        """What is said of the stacks themselves."""
        base, head = self.base.stacks, self.head.stacks
        began = [new for name, new in head.items() if name not in self.same_stacks]
        ended = [old for name, old in base.items() if name not in self.same_stacks]
        if began:
            yield Danger(None, f"**New**: {_deployed(began)}.", 0, bool(ended))
        if ended:
            text = f"**No longer in the app**: {_deployed(ended)}. No deploy deletes them, or what "
            yield Danger(None, f"{text}they hold: they stay until somebody does.", 0, bool(began))
        for name in self.same_stacks:
            old, new = base[name], head[name]
            if old.rest["TerminationProtection"] and not new.rest["TerminationProtection"]:
                yield Danger(name, "The stack is no longer protected against deletion.")
            for path, a, b in differences(old.rest, new.rest):
                yield self.property(name, "the stack", "", path, a, b)
            for path, a, b in differences(dict(old.outputs), dict(new.outputs)):
                yield self.property(name, "the outputs", "", path, a, b)

    def refused(self) -> Iterator[Danger]:
        """CloudFormation keeps an export as it is while a stack imports it."""
        for importer, names in self.base.imports.items():
            for name in sorted(names & self.base.exports.keys()):
                value = self.base.exports[name]
                ids = references(value)
                stacks = {importer, *(id.partition(":")[0] for id in ids)}
                gone = name not in self.head.exports
                if stacks <= set(self.same_stacks) and (gone or ids & self.replaced.keys()):
                    yield Danger(
                        importer,
                        f"**The deploy is refused**: this stack imports "
                        f"{code(self.base.text(value))}, whose export would be "
                        f"{'removed' if gone else 'another'}. Deploy in two steps: first without "
                        "the import.",
                        0,
                    )

    def replacement(self, old: Resource, new: Resource) -> Iterator[Finding]:
        if new.id not in self.replaced:
            return
        why, is_perhaps = self.replaced[new.id]
        before = self.old_names[new.id]
        kind: Literal["renewed", "perhaps replaced", "replaced"]
        kind = "perhaps replaced" if is_perhaps else "replaced"
        if new.id in self.other_ids:
            why = f"it was {code(before)}" if before != new.name else "it has another logical id"
            if new.type in ROUTINE:
                kind = "renewed"
        yield ResourceChange(new.stack, kind, new.name, new.type, why)
        if kind != "renewed":
            yield from self.danger(old, new)

    def danger(self, old: Resource, new: Resource | None) -> Iterator[Danger]:
        """What is lost with the old one, if anything is."""
        held, trusted = holds(old), trusts(self.base, old)
        addresses = self.addresses.get(old.id, ())
        if not (held or trusted or addresses):
            return
        is_other = new is not None and new.id in self.other_ids
        stays = stays_when_removed(old)
        name = self.old_names.get(old.id, old.name)
        text, outcome = f"{code(name)} ({short(old.type)}) ", ""
        if new is None:
            text += "is **removed**."
        elif is_other and name != new.name:
            text += f"becomes {code(new.name)}: to CloudFormation **a new one**."
        elif is_other:
            text += "has another logical id: to CloudFormation **a new one**."
        else:
            why, is_perhaps = self.replaced[new.id]
            stays = stays_when_replaced(old, new)
            text += f"is {'perhaps ' if is_perhaps else ''}**replaced**: {why}."
        if held:
            outcome = "It" if new is None else "The old one"
            outcome += " stays in the account, outside the stack, " if stays else " **is deleted** "
            outcome += f"with its {held}. {way_back(old, stays=stays)}"
        if trusted:
            until = ", until the new ARN is given out" if new else ""
            text += f" Access ends for {', '.join(map(code, trusted))}{until}."
        for output, description in addresses:
            text += f" The output {code(output)} {'changes' if new else 'goes'}"
            text += f" ({code(description)})." if description else "."
        if new is not None and (count := len(self.followers[new.id])):
            text += f" {count} other resource{'s name' if count > 1 else ' names'} it and follow"
            text += "." if count > 1 else "s."
        rank = int(bool(held and stays and not trusted))
        yield Danger(old.stack, text, rank, True, outcome)

    def change(self, old: Resource, new: Resource) -> Iterator[Finding]:
        """How a resource that keeps its id changes."""
        if old.body == new.body:
            return
        found: list[Finding] = []
        before, after = self.unsaid(self.base, old), self.unsaid(self.head, new)
        if new.type in FLOWS and before.get("Content") != after.get("Content"):
            both_sides = ((self.base, before), (self.head, after))
            texts = (environment.flow_text(x.get("Content")) for environment, x in both_sides)
            if (lines := flow_changes(*texts)) is not None:
                found.append(FlowChange(new.stack, new.name, lines))
                before.pop("Content"), after.pop("Content")
        if new.type == "AWS::Lambda::Function" and before.get("Code") != after.get("Code"):
            files = changed_files(
                self.base.folder, before.get("Code"), self.head.folder, after.get("Code")
            )
            if files:
                found.append(CodeChange(new.stack, new.name, files))
                before.pop("Code"), after.pop("Code")
        around = (_around(old), _around(new))
        for path, a, b in (*differences(before, after), *differences(*around)):
            found.append(self.property(new.stack, new.name, new.type, path, a, b))
        if (held := holds(new)) and stays_when_removed(old) and not stays_when_removed(new):
            text = f"{code(new.name)} ({short(new.type)}) is **no longer kept**: its {held} would "
            found.append(Danger(new.stack, f"{text}go with it, or with its stack."))
        name = f"{code(new.name)} ({short(new.type)})"
        found += [Danger(new.stack, f"{name} {sentence}") for sentence in opened(old, new)]
        base, head = self.permissions
        if not found and not {*rows(self.base, old), *rows(self.head, new)} & (base ^ head):
            found.append(ResourceChange(new.stack, "reworded", new.name, new.type))
        yield from found

    def unsaid(self, environment: Environment, resource: Resource) -> Json:
        """Its properties without those that the permissions say."""
        if resource.type in SAYS_IT_ALL:
            return {}
        return {
            key: value
            for key, value in resource.properties.items()
            if key not in SAID_HERE and policy_in(value, environment.text) is None
        }

    def property(
        self, stack: str, name: str, type: str, path: tuple[str | int, ...], old: Any, new: Any
    ) -> PropertyChange:
        return PropertyChange(
            stack,
            name,
            type,
            ".".join(map(str, path)),
            None if old is None else self.base.text(old),
            None if new is None else self.head.text(new),
        )


def _around(resource: Resource) -> Json:
    """A resource without its properties, for instance its deletion policy."""
    return {key: each for key, each in resource.body.items() if key not in ("Properties", "Type")}


def _addresses(environment: Environment) -> Mapping[str, list[tuple[str, str]]]:
    """The outputs, with their descriptions, that tell people a resource's name or address."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for stack in environment.stacks.values():
        for name, output in stack.outputs.items():
            for id in references(output.get("Value")):
                found[id].append((name, output.get("Description", "")))
    return found


def _followers(environment: Environment) -> Mapping[str, set[str]]:
    """By id, the resources that name it."""
    found: dict[str, set[str]] = defaultdict(set)
    for each in environment.resources.values():
        for id in references(each.body) - {each.id}:
            found[id].add(each.id)
    return found


def _is_shorter(each: Finding) -> TypeGuard[PropertyChange]:
    """Whether a retention goes down, which deletes at once what is older."""
    if not isinstance(each, PropertyChange) or each.property.split(".")[-1] not in _RETENTIONS:
        return False
    old, new = (float(text) if text and text.isdecimal() else inf for text in (each.old, each.new))
    return new < old


def _shorter(found: list[PropertyChange]) -> Iterator[Danger]:
    where: dict[tuple[str, str, str | None, str | None], list[str]] = defaultdict(list)
    for each in found:
        where[each.stack, each.property, each.old, each.new].append(each.name)
    for (stack, property, before, after), names in where.items():
        text = f"{code(property)} {both(before, after)} **keeps less**: what is older is deleted, "
        yield Danger(stack, f"{text}in {', '.join(map(code, names))}.", 0)


def _deployed(stacks: list[Stack]) -> str:
    return ", ".join(f"{code(each.deployed_as)} in {code(each.place)}" for each in stacks)


def _sentence(permission: Permission, may: str) -> str:
    condition = f", if {code(permission.condition)}" if permission.condition else ""
    who, action, on = map(code, (permission.who, permission.action, permission.on))
    return f"{who} **{may}** {action} on {on}{condition}."
