"""Every public construct, and the example that shows it."""

from __future__ import annotations

import json
import re
from contextlib import chdir
from dataclasses import dataclass
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from typing import get_args, get_type_hints

from aws_cdk import App, Stack
from constructs import Construct, IConstruct

import connect_autotranscribe
from tools.reference.created import Created, Json, exported

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
_PATHS = {"aws:cdk:enable-path-metadata": True}


@dataclass(frozen=True)
class Shown:
    """A public construct, and the example that shows it.

    :param example: The file, below ``examples``.
    :param call: The lines of the call, from 1; empty if the docstring has none.
    """

    name: str
    example: str
    call: range
    created: Created
    outputs: Json

    @property
    def summary(self) -> str:
        return docstring(self.name).partition("\n\n")[0]


def constructs() -> list[str]:
    """The public names that are constructs, stacks among them."""
    public = (
        (name, getattr(connect_autotranscribe, name)) for name in connect_autotranscribe.__all__
    )
    return [name for name, each in public if issubclass(each, Construct)]


def parts(name: str) -> list[type[Construct]]:
    """What a construct makes and has as an attribute, and only it makes."""
    hints = get_type_hints(getattr(connect_autotranscribe, name)).values()
    return [
        hint
        for each in hints
        for hint in (get_args(each) or (each,))
        if isinstance(hint, type)
        and hint.__module__.startswith("connect_autotranscribe.")
        and hint.__name__ not in connect_autotranscribe.__all__
    ]


def docstring(name: str) -> str:
    return cleandoc(getattr(connect_autotranscribe, name).__doc__ or "")


def call_in(docstring: str) -> list[str]:
    """The lines of the docstring's call to paste, without their indentation."""
    _, _, code = docstring.partition(".. code-block:: python\n")
    return [line.strip() for line in code.strip().splitlines()]


def find(call: list[str], text: str) -> range:
    """Where an example has a call, as the numbers of its lines; ``x = `` may precede it."""
    lines = [line.strip() for line in text.splitlines()]
    for at in range(len(lines)):
        there = lines[at : at + len(call)]
        if call and there[0].endswith(call[0]) and there[1:] == call[1:]:
            return range(at + 1, at + 1 + len(call))
    return range(0)


def example_of(name: str) -> Path:
    """The file that shows a construct: the one of its name, or else the first that calls it."""
    own = EXAMPLES / "constructs" / f"{re.sub('(?<=[a-z])(?=[A-Z])', '_', name).lower()}.py"
    for file in (own, *sorted(EXAMPLES.glob("constructs/*.py")), *sorted(EXAMPLES.glob("*.py"))):
        if file.is_file() and re.search(rf"\b{name}\(\s*self\b", file.read_text("utf-8")):
            return file
    raise LookupError(f"no example shows {name}: write {own}")


def shown(scratch: Path) -> list[Shown]:
    """Every public construct, as its example makes it; all examples in one app."""
    app = App(context=_PATHS, outdir=str(scratch), builtin_cloud_formation_validation=False)
    made: dict[Path, list[IConstruct]] = {}
    files = {name: example_of(name) for name in constructs()}
    with chdir(EXAMPLES / "constructs"):  # one of them reads a flow from there
        for file in dict.fromkeys(files.values()):
            before = len(app.node.children)
            module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            import_module(module).build(app)
            made[file] = [
                each for child in app.node.children[before:] for each in child.node.find_all()
            ]
    app.synth()
    templates = {
        file.name: json.loads(file.read_text("utf-8")) for file in scratch.rglob("*.template.json")
    }
    return [_shown(name, file, made[file], templates) for name, file in files.items()]


def _shown(name: str, file: Path, made: list[IConstruct], templates: dict[str, Json]) -> Shown:
    exports = {key: path for each in templates.values() for key, path in exported(each).items()}
    created = [_created(each, templates, exports) for each in made if type(each).__name__ == name]
    return Shown(
        name,
        file.relative_to(EXAMPLES).as_posix(),
        find(call_in(docstring(name)), file.read_text("utf-8")),
        *max(created, key=lambda each: len(each[0].ids)),
    )


def _created(
    construct: IConstruct, templates: dict[str, Json], exports: dict[str, str]
) -> tuple[Created, Json]:
    stack, path = Stack.of(construct), construct.node.path
    template = templates[stack.template_file]
    outputs = {
        id: output
        for id, output in template.get("Outputs", {}).items()
        if path == stack.node.path and "Export" not in output
    }
    return Created(template, path, stack=stack.node.path, exports=exports), outputs
