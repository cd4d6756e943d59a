"""The flows of ``[[flows]]`` with their files, and what their ARNs are in this environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from connect_flows.lock import FlowsLock, NotALock
from connect_settings.environment import Settings, SettingsError
from connect_settings.records import FlowSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFlow:
    """:param file: Where its content was read; messages name it.
    :param content: As the flow designer exported it.
    """

    settings: FlowSettings
    file: Path
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFlows:
    """Your own flows, as files.

    :param environment: The environment's name.
    :param flows: One for each table of ``[[flows]]``.
    :param lock: What the ARNs in the files are in this environment. Default: none; then the files
        must be of this environment's own instance.
    :param pairs: ``connect.pairs`` of the settings, from which the lock was made.
    """

    environment: str
    flows: tuple[OwnFlow, ...] = ()
    lock: FlowsLock | None = None
    pairs: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, settings: Settings, file: Path) -> OwnFlows:
        """Reads the files of ``[[flows]]``, and the lock if there is one.

        :param file: The environment's file, such as ``infra/environments/prod.toml``.
        :raises SettingsError: If a file cannot be read; with every such file.
        """
        flows, lock, problems = [], None, []
        for each in settings.flows:
            path = file.parent / each.file
            try:
                # In a link's place could be a file of another folder.
                path.resolve(strict=True).relative_to(file.parent.resolve())
                flows.append(OwnFlow(settings=each, file=path, content=path.read_text("utf-8-sig")))
            except (OSError, ValueError) as error:
                problems.append(f"{file}: flows.file: {path} cannot be read: {error}")
        try:
            if settings.flows and lock_file(file).is_file():
                lock = FlowsLock.read(lock_file(file))
        except NotALock as problem:
            problems.append(str(problem))
        if problems:
            raise SettingsError("\n".join(problems))
        return cls(
            environment=file.stem, flows=tuple(flows), lock=lock, pairs=settings.connect.pairs
        )


def lock_file(environment: Path) -> Path:
    """``prod.flows.lock`` beside ``prod.toml``."""
    return environment.with_name(f"{environment.stem}.flows.lock")
