"""Builds the API reference: ``python -m tools.reference dist/docs``.

A page for each public construct, from four sources and no other: the example that shows it, the
template that this example becomes, the class's docstring, and its signature.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from sphinx.cmd.build import build_main

from tools.reference.examples import EXAMPLES, ROOT, shown
from tools.reference.pages import flow_language, page
from tools.reference.picture import draw

HERE = ROOT / "docs" / "reference"
DOCS = ROOT / "docs"


def _guides(folder: Path) -> None:
    """Every guide and decision. A link to a file outside `docs` becomes its text."""
    for pictures in ("flows", "live", "load"):
        shutil.copytree(DOCS / pictures, folder / pictures)
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
