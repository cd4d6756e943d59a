"""What a web ACL lets through that it did not before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tools.diff.assembly import Resource
from tools.diff.findings import Danger
from tools.diff.values import both, code, short


def loosened(old: Resource, new: Resource | None) -> Iterator[Danger]:
    """:param new: None if it is removed."""
    if old.type == "AWS::WAFv2::WebACLAssociation" and new is None:
        text = f"{code(old.name)} ({short(old.type)}) is **removed**: who has no credential can "
        yield Danger(old.stack, f"{text}use up the capacity of those who have one.")
    if old.type != "AWS::WAFv2::WebACL" or new is None:
        return
    name = f"{code(new.name)} ({short(new.type)})"
    before, after = _rules(old), _rules(new)
    for rule in before.keys() - after.keys():
        yield Danger(new.stack, f"{name} **no longer has the rule {code(rule)}**.")
    for rule in before.keys() & after.keys():
        limits = _limit(before[rule]), _limit(after[rule])
        if isinstance(limits[0], int) and (not isinstance(limits[1], int) or limits[1] > limits[0]):
            shown = both(str(limits[0]), None if limits[1] is None else str(limits[1]))
            text = f"{name} **lets more through**: the limit of {code(rule)} is {shown}."
            yield Danger(new.stack, text)
        if "Block" in _action(before[rule]) and "Block" not in _action(after[rule]):
            yield Danger(new.stack, f"{name} **blocks nothing more by its rule {code(rule)}**.")
    if "Block" in _default(old) and "Block" not in _default(new):
        yield Danger(new.stack, f"{name} **lets in whatever no rule blocks**.")


def _rules(web_acl: Resource) -> dict[str, Any]:
    return {str(each["Name"]): each for each in web_acl.properties.get("Rules", [])}


def _limit(rule: Any) -> Any:
    return rule["Statement"].get("RateBasedStatement", {}).get("Limit")


def _action(rule: Any) -> Any:
    return rule.get("Action", {})


def _default(web_acl: Resource) -> Any:
    return web_acl.properties.get("DefaultAction", {})
