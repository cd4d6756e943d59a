"""Which resource of one revision is which of the other."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from difflib import SequenceMatcher
from functools import partial

from tools.diff.assembly import Environment, Resource, with_ids


def pairs(base: Environment, head: Environment) -> dict[str, str]:
    """Which resource of the first is which of the second, by id.

    The same id; else the same construct; else, of the same stack and type, one that has nothing
    else than its own name changed: there the construct was renamed or moved.
    """
    found = {id: id for id in base.resources if id in head.resources}
    for alike in (_path, shape):
        rest: dict[tuple[str, str, str], list[Resource]] = defaultdict(list)
        for new in head.resources.values():
            if new.id not in found.values():
                rest[new.stack, new.type, alike(head, new)].append(new)
        for old in base.resources.values():
            candidates = rest[old.stack, old.type, alike(base, old)]
            if old.id not in found and candidates:
                best = max(candidates, key=partial(_likeness, old))
                candidates.remove(best)
                found[old.id] = best.id
    return found


def _path(_: Environment, resource: Resource) -> str:
    return resource.name


def shape(environment: Environment, resource: Resource) -> str:
    """All of a resource but how it and those that it refers to are called."""

    def type_of(id: str) -> str:
        return environment.resources[id].type if id in environment.resources else id

    body = {key: value for key, value in resource.body.items() if key != "DependsOn"}
    text = json.dumps(with_ids(body, type_of), sort_keys=True)
    own = re.escape(re.sub("[0-9A-F]{8}$", "", resource.id.partition(":")[2]))
    return re.sub(f"{own}[0-9A-F]{{8}}", "", text)


def _likeness(one: Resource, other: Resource) -> float:
    return SequenceMatcher(None, one.name, other.name).ratio()
