"""How much processor a run takes, so that one sees whether the machine was enough for it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_SESSION, _TIMES = 3, slice(11, 15)
"""Where ``/proc/PID/stat`` has them, after the name: see proc_pid_stat(5)."""


@dataclass(frozen=True)
class Processor:
    """Seconds, on one core.

    :param generator: Of this process: callers, agents, ASAPP's double, and the counting.
    :param stacks: Of the emulator and the functions in it; 0 if this machine has no ``/proc``.
    """

    generator: float
    stacks: float

    @classmethod
    def taken(cls, session: int) -> Processor:
        """Until now.

        :param session: Of the emulator.
        """
        return cls(time.process_time(), sum(map(_seconds, _stats(session))))

    def __sub__(self, before: Processor) -> Processor:
        return Processor(self.generator - before.generator, self.stacks - before.stacks)


def _stats(session: int) -> list[list[str]]:
    found = []
    for folder in _PROC.glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text("utf-8").rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if fields[_SESSION] == str(session):
            found.append(fields)
    return found


def _seconds(fields: list[str]) -> float:
    """Its own, and those of its children that have ended."""
    return sum(map(int, fields[_TIMES])) / os.sysconf("SC_CLK_TCK")
