"""How Sphinx makes the reference. ``__main__.py`` writes its pages and calls it."""

from __future__ import annotations

import re
from dataclasses import is_dataclass
from inspect import Signature, signature
from typing import Any, get_type_hints

from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.typing import stringify_annotation

import connect_autotranscribe
import connect_settings
from tools.reference.examples import constructs, parts

project = "connect-autotranscribe"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["examples"]
html_theme = "furo"
html_title = project
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_copyright = html_copy_source = html_show_sourcelink = False
autodoc_typehints = "description"
autodoc_typehints_format = "fully-qualified"
autodoc_member_order = "bysource"
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
for record in vars(connect_settings).values():
    if is_dataclass(record):  # the type of each setting, without its rule
        record.__annotations__ = get_type_hints(record)
        record.__init__.__annotations__ = get_type_hints(record)  # type: ignore[misc]
# What other projects document; their lists of names would be a download.
nitpick_ignore_regex = [
    (r"py:.*", r"(aws_cdk|connect_flows|constructs|collections|pathlib|typing|jsii)(\..*)?"),
    (r"py:.*", r"(optional|.*Literal\[.*|Prompt|Before)"),
    (r"py:.*", r"[a-z0-9_]+\.[A-Z]\w+"),  # as an annotation says it, such as sqs.IQueue
    (r"py:.*", r"WebhookApi|UtteranceQueries|connect_autotranscribe\._\w+\.\w+"),
]


def as_on_the_page(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """The docstring's call to paste stands on top of the page, as part of a whole example. What is
    part of another construct is described by what it has, not by what it is given."""
    first = ".. code-block:: python" if _is_public(name) else ":param"
    at = next((number for number, line in enumerate(lines) if line.startswith(first)), None)
    if what == "class" and at is not None:
        del lines[at:]
    if what == "class" and name.split(".")[-1] in constructs():
        lines[:] = [_with_required(line, obj.__signature__) for line in lines]
        attributes = get_type_hints(obj)
        for argument in obj.__signature__.parameters.values():
            if argument.name in attributes:  # whose type would stand there too, and is never None
                type_ = stringify_annotation(argument.annotation, "fully-qualified")
                lines.append(f":type {argument.name}: {type_}")


def _with_required(line: str, of: Signature) -> str:
    """An argument without a default says so: the page's signature alone is easily misread."""
    found = re.match(r"(:param (\w+):) ?(.*)", line)
    if found is None or found[2] not in of.parameters:
        return line
    argument = of.parameters[found[2]]
    is_required = argument.default is argument.empty and argument.kind is argument.KEYWORD_ONLY
    return f"{found[1]} **Required.** {found[3]}" if is_required else line


def find_public(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: Any) -> Any:
    """A class is on the page of the name by which a team imports it, not of the module it is in."""
    name = str(node["reftarget"]).split(".")[-1]
    if not _is_public(name):
        return None
    target = f"connect_autotranscribe.{name}"
    python = env.domains.python_domain
    return python.resolve_xref(env, node["refdoc"], app.builder, "obj", target, node, content)


def _is_public(name: str) -> bool:
    return name.split(".")[-1] in connect_autotranscribe.__all__


def setup(app: Sphinx) -> None:
    for name in constructs():
        construct = getattr(connect_autotranscribe, name)
        # The metaclass of constructs hides it.
        of_init = signature(construct.__init__, eval_str=True)
        arguments = [each for each in of_init.parameters.values() if each.name != "self"]
        construct.__signature__ = Signature(arguments)
        for part in parts(name):
            part.__signature__ = Signature()
    app.connect("autodoc-process-docstring", as_on_the_page)
    app.connect("missing-reference", find_public)
