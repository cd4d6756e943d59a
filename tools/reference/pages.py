"""The pages of constructs and of the flow language, in Markdown."""

from __future__ import annotations

import ast
import re
from inspect import cleandoc
from pkgutil import walk_packages
from textwrap import dedent

from constructs import Construct

import connect_flows
from tools.reference.created import Json, Permission
from tools.reference.examples import EXAMPLES, Shown, parts


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
    """The first line after the module's docstring, which repeats what the page says."""
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
    """The page of `connect_flows`, in Markdown: a section for each module that others import.

    What finds references, audits and draws is used by their commands.
    """
    modules = [
        each.name
        for each in walk_packages(connect_flows.__path__, "connect_flows.")
        if not each.name.startswith(
            ("connect_flows.audit", "connect_flows.pictures", "connect_flows.references")
        )
    ]
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
