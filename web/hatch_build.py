"""Puts the page into the wheel, if ``make web`` has built it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """The page is not committed: a checkout may have none, and then the wheel has none."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        page = Path(self.root) / "web" / "dist"
        if version != "editable" and (page / "index.html").exists():
            build_data["force_include"][str(page)] = "connect_autotranscribe/_web"
