"""What a load has shown, as JSON that `tools.load.figures` draws and `docs/load.md` is made of."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tools.load.calls import Playing
from tools.load.counts import Counts, Place
from tools.load.processor import Processor
from tools.load.schedule import PlannedCall, most_at_a_time

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Told:
    """What ASAPP was told of the calls.

    :param never_started: Calls that ASAPP was never told to transcribe.
    :param still_running: Calls that ASAPP still transcribes after their end.
    :param on_hold: Utterances that were said on hold, and not transcribed.
    :param before_start: Utterances that were said in talk, and not transcribed, because the start
        came too late. ASAPP itself reads the audio from the moment of the start's block on; the
        double hears nothing of what was before.
    :param waits: Seconds from when somebody should have acted until ASAPP had the request that
        follows: of starts, and of stops.
    """

    starts: int
    stops: int
    never_started: int
    still_running: int
    on_hold: int
    before_start: int
    waits: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Result:
    """
    :param calls: That came in all.
    :param at_a_time: The most calls at a time.
    :param seconds: From the first call until all had come everywhere.
    :param places: The count at each place.
    :param late: Utterances that came late to the bus.
    :param by_reading: Utterances that the page got by reading, not by an event.
    :param failed: What went wrong in calls.
    :param behind: Seconds that the generator itself was behind, for each thing that somebody did.
    :param rows: Of each utterance, the moments in Unix seconds.
    """

    calls: int
    at_a_time: int
    seconds: float
    utterances: int
    posts: int
    places: Mapping[str, Place]
    late: int
    by_reading: int
    told: Told
    failed: Sequence[str]
    behind: Sequence[float]
    rows: Sequence[Mapping[str, float]]
    processor: Processor
    machine: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        planned: Sequence[PlannedCall],
        played: Playing,
        counts: Counts,
        told: Told,
        by_reading: int,
        began: float,
        processor: Processor,
    ) -> Result:
        return cls(
            calls=len(planned),
            at_a_time=most_at_a_time(planned),
            seconds=time.time() - began,
            utterances=len(counts),
            posts=sum(len(one.at["webhook"].times) for one in counts),
            places=counts.places(),
            late=counts.late(),
            by_reading=by_reading,
            told=told,
            failed=sorted(played.failed.values()),
            behind=[done.began - done.due for done in played.done],
            rows=counts.rows(),
            processor=processor,
            machine=machine(),
        )

    @property
    def problems(self) -> list[str]:
        """Empty if the load was good."""
        wrong = [
            f"{number} {what} at the {name}"
            for name, place in self.places.items()
            for what in ("lost", "doubled", "altered")
            if (number := getattr(place, what))
        ]
        if self.told.never_started:
            wrong.append(f"{self.told.never_started} calls never started at ASAPP")
        if self.told.still_running:
            wrong.append(f"{self.told.still_running} calls still transcribed after their end")
        return wrong + [f"a call failed: {each}" for each in self.failed]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def machine() -> dict[str, Any]:
    """Where and when it ran, and what ran."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
        "niceness": os.nice(0),
        "at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "revision": _revision(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _revision() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=10"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    return done.stdout.strip() or "unknown"
