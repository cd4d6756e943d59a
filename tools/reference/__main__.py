"""Builds the API reference: ``python -m tools.reference dist/docs``.

A page for each public construct, from four sources and no other: the example that shows it, the
template that this example becomes, the class's docstring, and its signature.
"""

from __future__ import annotations

import ast
import json
import re
import shutil
import sys
from contextlib import chdir
from dataclasses import dataclass
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from pkgutil import walk_packages
from tempfile import TemporaryDirectory
from textwrap import dedent
from typing import get_type_hints

from aws_cdk import App, Stack
from constructs import Construct, IConstruct
from sphinx.cmd.build import build_main

import connect_autotranscribe
import connect_flows
from tools.reference.created import Created, Json, Permission, exported
from tools.reference.picture import draw

ROOT = Path(__file__).parents[2]
HERE = ROOT / "docs" / "reference"
EXAMPLES = ROOT / "examples"
DOCS = ROOT / "docs"
_PATHS = {"aws:cdk:enable-path-metadata": True}


@dataclass(frozen=True)
class Shown:
    """A public construct, and the example that shows it.

    :param example: The file, below ``examples``.
    :param call: The lines of the call, from 1; empty where the docstring has none.
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
        for hint in hints
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
    app = App(context=_PATHS, outdir=str(scratch))
    made: dict[Path, list[IConstruct]] = {}
    files = {name: example_of(name) for name in constructs()}
    with chdir(EXAMPLES / "constructs"):  # where one of them reads a flow
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


def page(shown: Shown) -> str:
    """A construct's page, in Markdown: the call first, the whole example that it is from last."""
    text = (EXAMPLES / shown.example).read_text("utf-8")
    call = "\n".join(text.splitlines()[shown.call.start - 1 : shown.call.stop - 1])
    made = shown.created
    return f"""# {shown.name}

{_markdown(shown.summary)}

```python
{dedent(call)}
```

## What it creates

![What {shown.name} creates](pictures/{shown.name}.svg)

## Who may do what

{_permissions(made.permissions)}

## Arguments, defaults and attributes

```{{eval-rst}}
.. autoclass:: connect_autotranscribe.{shown.name}
   :members:
   :undoc-members:
```
{"".join(map(_part, parts(shown.name)))}
## In a whole stack

```{{literalinclude}} ../examples/{shown.example}
:language: python
:start-at: "{_first_code_line(text)}"
```

## Construct ids{" and outputs" if shown.outputs else ""}

They are part of the contract: one that changes is in the changelog, because CloudFormation replaces
its resource.

{_table(("id", "resource"), [(f"`{id}`", kind) for id, kind in made.ids])}
{_outputs(shown.outputs)}"""


def _first_code_line(text: str) -> str:
    """Behind the module's docstring, which says to a reader of the file what the page says."""
    first, *_ = (each for each in ast.parse(text).body if not isinstance(each, ast.Expr))
    return text.splitlines()[first.lineno - 1]


def _part(part: type[Construct]) -> str:
    return f"""
### {part.__name__}

```{{eval-rst}}
.. autoclass:: {part.__module__}.{part.__name__}
   :members:
   :undoc-members:
```
"""


def _outputs(outputs: Json) -> str:
    rows: list[tuple[str, ...]] = [
        (f"`{id}`", each.get("Description", "")) for id, each in outputs.items()
    ]
    return f"\n{_table(('output', 'what it is'), rows)}" if rows else ""


def _markdown(text: str) -> str:
    """The little of reStructuredText that a first line has."""
    return re.sub(r":\w+:`(\w+)`", r"`\1`", text.replace("``", "`")).replace("\n", " ")


def _permissions(permissions: list[Permission]) -> str:
    if not permissions:
        return "It grants nothing."
    return _table(
        ("who", "may", "on", "where"),
        [
            (
                "nobody" if each.denied and each.who == "anyone" else _code(each.who),
                "<br>".join(map(_code, each.may)),
                "<br>".join("all" if on == "*" else _code(on) for on in each.on),
                "<br>".join(map(_code, each.when)),
            )
            for each in sorted(permissions, key=lambda each: each.denied)
        ],
    )


def _code(text: str) -> str:
    return f"`{text}`"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def flow_language() -> str:
    """The page of `connect_flows`, in Markdown: a section for each module."""
    modules = [each.name for each in walk_packages(connect_flows.__path__, "connect_flows.")]
    sections = (
        f"""## {name.removeprefix("connect_flows.")}

```{{eval-rst}}
.. automodule:: {name}
   :members:
   :undoc-members:
```
"""
        for name in modules
        if name != "connect_flows.__main__"
    )
    return "# The flow language\n\n" + "\n".join(
        (_markdown(cleandoc(connect_flows.__doc__ or "")), *sections)
    )


def _guides(folder: Path) -> None:
    """Every guide and decision. A link to a file outside `docs` becomes its text."""
    shutil.copytree(DOCS / "flows", folder / "flows")
    (folder / "decisions").mkdir()
    for file in (*DOCS.glob("*.md"), *DOCS.glob("decisions/*.md")):
        (folder / file.relative_to(DOCS)).write_text(_with_links_to_guides_only(file), "utf-8")


def _with_links_to_guides_only(file: Path) -> str:
    def link(found: re.Match[str]) -> str:
        target = (file.parent / found[2]).resolve()
        is_guide = target.suffix == ".md" and target.is_relative_to(DOCS) and target.is_file()
        return found[0] if is_guide else found[1]

    return re.sub(r"(?<!!)\[([^\]]*)\]\(([^)#]+)(?:#[^)]*)?\)", link, file.read_text("utf-8"))


def main(out: Path) -> int:
    """Write the pages, and have Sphinx make HTML of them; a warning is an error."""
    with TemporaryDirectory() as scratch:
        source = Path(scratch) / "source"
        shutil.copytree(EXAMPLES, source / "examples")
        (source / "constructs" / "pictures").mkdir(parents=True)
        for file in HERE.glob("*.md"):
            shutil.copy(file, source)
        shutil.copy(ROOT / "infra" / "environments" / "prod.toml", source)
        (source / "flows.md").write_text(flow_language(), "utf-8")
        _guides(source / "guides")
        for each in shown(Path(scratch) / "cdk.out"):
            (source / "constructs" / f"{each.name}.md").write_text(page(each), "utf-8")
            picture = draw(each.name, each.created.things, each.created.links)
            (source / "constructs" / "pictures" / f"{each.name}.svg").write_text(picture, "utf-8")
        options = ["--fail-on-warning", "--nitpicky", "--quiet", "-c", str(Path(__file__).parent)]
        return build_main([*options, "-d", f"{scratch}/doctrees", str(source), str(out)])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
