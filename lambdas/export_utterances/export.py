"""One run of the export: copies the files that ASAPP lists and the bucket never had."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from export_utterances.bucket import MISSING, UNTOLD, Bucket
from export_utterances.download import Changed
from export_utterances.file_exporter import FileExporter, Refused
from export_utterances.progress import Progress
from export_utterances.retries import Failed, OutOfTime
from shared import log_events
from shared.asapp.feeds import STATE, UTTERANCES
from shared.asapp.requests import BadCredentials
from shared.runtime import Deadline

logger = logging.getLogger(__name__)

Announce = Callable[[str], object]
"""Called with a day; raises :class:`Failed`."""

_STARTS = 3
_FILE_NAME = re.compile(r"(?!\.{1,2}$)[^/\\\x00-\x1f\x7f\ud800-\udfff]{1,255}")
_LONGEST_NAME_BYTES = 255


class Export:
    """Copies files. If a file or a day fails, it goes on with the others.

    :param announce: Called with each day that is whole.
    :param tell: Called with each day of which a file came, whole or not, for the function that
        erases calls; None if there is none.
    :param untold: Days with new files that earlier runs have not announced to that function.
    """

    def __init__(
        self,
        exporter: FileExporter,
        bucket: Bucket,
        announce: Announce,
        deadline: Deadline,
        progress: Progress,
        tell: Announce | None = None,
        untold: Iterable[str] = (),
    ) -> None:
        self._exporter = exporter
        self._bucket = bucket
        self._announce = announce
        self._deadline = deadline
        self._progress = progress
        self._tell = tell
        self._marked: set[str] = set()
        self._untold = set(untold)
        self._stored: dict[tuple[str, str], Mapping[str, int]] = {}
        self._state_failed: set[str] = set()

    def run(self, days: Sequence[str], *, announce_all: bool = False) -> None:
        """Copy what is missing of these days.

        A day is marked as missing before its files are copied, and until it is announced: if a run
        is killed, the next one repeats it. The feed that says who spoke comes last, in the time
        that is left, because the words are useful without it.

        :param announce_all: Announce also a day to which nothing was added.
        :raises BadCredentials: if ASAPP does not take them; what is there by then is announced.
        """
        self._progress.days = set(days)
        with_files: set[str] = set()
        refused: BadCredentials | None = None
        for day in days:
            try:
                if self._copy_utterances(day):
                    with_files.add(day)
            except BadCredentials as problem:
                refused = problem
                break
        for day in days:
            before = self._progress.files
            absent = "" if refused else self._copy_state(day)
            if day not in with_files:
                continue
            if absent:
                self._progress.without_state.add(day)
                logger.warning("nothing says who spoke", extra={"day": day, "problem": absent})
            new = day in self._progress.missing or self._progress.files > before
            if not (new or announce_all) or self._announced(day):
                self._progress.whole.add(day)
        if refused:
            raise refused

    def replace_republished(self) -> None:
        """Replace stored files that ASAPP has published again under the same name. :meth:`run` has
        noted them."""
        replaced: set[str] = set()
        try:
            for (feed, day), files in self._stored.items():
                for number, (name, size) in enumerate(files.items(), 1):
                    if self._replaced(feed, day, name, number, size):
                        replaced.add(day)
        except OutOfTime:
            logger.warning("no time to look for files that were published again")
        for day in sorted(replaced & self._progress.whole):
            self._announced(day)

    def announce_new_files(self, days: Iterable[str] = ()) -> None:
        """Tell the function that erases calls: a file that has just come may have an erased call.
        That is done at the end of each run, whether days are whole or not, or by the next run.

        :param days: Announce these too.
        """
        if not self._tell:
            return
        for day in sorted(self._untold.union(days), reverse=True):
            try:
                self._tell(day)
                self._bucket.unmark(UNTOLD, day)
            except Failed as problem:
                self._progress.failed(UTTERANCES, day, str(problem))

    def _mark_untold(self, day: str) -> None:
        """Called before the first file of a day is stored, because this run may be killed then."""
        if self._tell and day not in self._marked:
            self._bucket.mark(UNTOLD, day)
            self._marked.add(day)
            self._untold.add(day)

    def _replaced(self, feed: str, day: str, name: str, number: int, size: int) -> bool:
        try:
            new = self._copy(feed, day, name, size)
        except (Failed, BadCredentials) as problem:
            self._progress.failed(feed, day, f"stored file {number}: {problem}")
            return False
        if new is None:
            return False
        extra = {"feed": feed, "day": day, "bytes": new, "bytesBefore": size}
        extra["event"] = log_events.EXPORT_FILE_REPLACED
        logger.warning("a file was published again, and is replaced", extra=extra)
        self._progress.files += 1
        self._progress.bytes += new
        return True

    def _copy_utterances(self, day: str) -> bool:
        """:returns: Whether the day has files, and all of them are stored."""
        progress = self._progress
        try:
            names = self._exporter.files(UTTERANCES, day, self._deadline)
            if names is None:
                progress.unknown.add(day)
                names = []
            kept = self._bucket.files(UTTERANCES, day)
            absent = self._absent(UTTERANCES, day, names, kept)
            if absent:
                progress.missing.add(day)
                self._bucket.mark(MISSING, day)
            if not self._all_copied(UTTERANCES, day, absent):
                return False
            if names or kept:
                return True
            if day in progress.missing:
                logger.warning("the feed is late", extra={"feed": UTTERANCES, "day": day})
            else:
                progress.whole.add(day)
        except OutOfTime:
            progress.not_listed.add(day)
        except Failed as problem:
            progress.failed(UTTERANCES, day, str(problem))
        return False

    def _copy_state(self, day: str) -> str:
        """Copy the feed that says who spoke.

        :returns: Why the day has no such files; ``""`` if it has some. This is no failure: perhaps
            only the feed of utterances is enabled.
        """
        absent = "no files"
        self._state_failed.add(day)
        try:
            kept = self._bucket.files(STATE, day)
            try:
                names = self._exporter.files(STATE, day, self._deadline) or []
            except Refused as problem:
                names, absent = [], str(problem)
            if self._all_copied(STATE, day, self._absent(STATE, day, names, kept)):
                self._state_failed.discard(day)
        except OutOfTime:
            self._progress.not_listed.add(day)
        except (Failed, BadCredentials) as problem:
            self._progress.failed(STATE, day, str(problem))
        else:
            return "" if names or kept else absent
        return ""

    def _absent(
        self, feed: str, day: str, names: Collection[str], kept: Mapping[str, int]
    ) -> list[str]:
        """The files to copy. One that was stored and is gone was deleted, for instance because a
        call had to be erased: it is not copied again."""
        taken = self._bucket.taken(feed, day)
        self._stored[feed, day] = {name: kept[name] for name in names if name in kept}
        for name in self._stored[feed, day].keys() - taken:  # an older version left no mark
            self._bucket.mark_taken(feed, day, name)
        return [name for name in names if name not in kept and name not in taken]

    def _all_copied(self, feed: str, day: str, names: Collection[str]) -> bool:
        progress = self._progress
        before = progress.files
        for number, name in enumerate(names, 1):
            try:
                progress.bytes += self._copy(feed, day, name) or 0
                progress.files += 1
            except OutOfTime:
                progress.files_left += 1
            except Failed as problem:
                # By number: a name comes from the vendor, and may hold anything.
                progress.failed(feed, day, f"missing file {number} of {len(names)}: {problem}")
        return progress.files - before == len(names)

    def _copy(self, feed: str, day: str, name: str, stored_size: int | None = None) -> int | None:
        """:param stored_size: The size in bytes of the stored file of this name; None if there is
        none.
        :returns: The file's size in bytes, None if the same file is stored.
        """
        if not _FILE_NAME.fullmatch(name) or len(name.encode()) > _LONGEST_NAME_BYTES:
            raise Failed("its name cannot be that of an object in the day's folder")
        for _ in range(_STARTS):
            download = self._exporter.download(feed, day, name, self._deadline)
            try:
                download.open()
                if stored_size is not None:
                    source = self._bucket.source(feed, day, name)
                    size = stored_size if source.size is None else source.size
                    same = not source.etag or download.etag in ("", source.etag)
                    if same and download.size in (None, size):
                        return None
                self._mark_untold(day)
                self._bucket.put(feed, day, name, download)
                return download.size or 0
            except Changed:
                continue
            finally:
                download.close()
        raise Failed("download: the file changes while it is read, or cannot be resumed")

    def _announced(self, day: str) -> bool:
        self._untold.add(day)
        try:
            self._announce(day)
            if day in self._progress.missing - self._state_failed:
                self._bucket.unmark(MISSING, day)
                self._progress.missing.discard(day)
        except Failed as problem:
            self._progress.failed(UTTERANCES, day, str(problem))
            return False
        return True
