"""The files of the live page: built from ``web/``, and not committed.

A commit's sources have no built page, and to build one would need npm. So an environment that hosts
it is synthesised with a placeholder, the built files of two revisions are never compared, and what
is said is whether their sources differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tools.diff.assembly import Environment
from tools.diff.findings import PropertyChange

_LAYER, _NAME = "AWS::Lambda::LayerVersion", "LivePage/Files"
_SOURCES, _NOT_BUILT = "web/", ("web/tests/", "web/hatch_build.py")


def put_placeholder(folder: Path) -> None:
    """:param folder: Sources as they are committed, unpacked."""
    page = folder / "web" / "dist"
    if page.parent.is_dir():
        page.mkdir(exist_ok=True)
        (page / "index.html").touch()


def without_files(environment: Environment) -> Environment:
    """The same, with nothing that depends on the page's built files."""
    resources = {
        id: replace(each, body=each.body | {"Properties": each.properties | {"Content": {}}})
        if (each.type, each.name) == (_LAYER, _NAME)
        else each
        for id, each in environment.resources.items()
    }
    return replace(environment, resources=resources)


def page_changes(
    base: Environment, head: Environment, changed: Sequence[str]
) -> Iterator[PropertyChange]:
    """:param changed: The paths of the files that differ."""
    sources = [
        path for path in changed if path.startswith(_SOURCES) and not path.startswith(_NOT_BUILT)
    ]
    for id, each in head.resources.items():
        if sources and (each.type, each.name) == (_LAYER, _NAME) and id in base.resources:
            yield PropertyChange(
                each.stack,
                each.name,
                each.type,
                "Content",
                "built from web/",
                f"built from web/, where {', '.join(sources)} differ",
            )
