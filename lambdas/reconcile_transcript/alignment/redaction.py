"""Whether two texts are the same words, one of them redacted or not.

A mark such as ``####``, ``[REDACTED]`` or ``<NAME>`` stands for any words, as ``*`` does in a file
name. Case, white space and punctuation do not count.
"""

from __future__ import annotations

import re

_REDACTED = re.compile(
    r"#{2,}|\*{2,}|_{3,}|X{3,}|x{4,}|\[[^\[\]]{1,40}\]|<[^<>]{1,40}>|\{[^{}]{1,40}\}"
)
_MARK = "\0"
_BETWEEN_LETTERS = re.compile(rf"[^\w{_MARK}]+|_+")

_LONGEST_TEXT = 2_000
"""Nobody says more without a pause. A longer text is no pattern, so it is alike to none."""

Pattern = tuple[str, ...]
"""The letters and digits of a text between its marks: one piece if it has no mark, none if the text
is too long."""


def pattern(text: str) -> Pattern:
    if len(text) > _LONGEST_TEXT:
        return ()
    marked = _REDACTED.sub(_MARK, text).casefold()
    return tuple(_BETWEEN_LETTERS.sub("", marked).split(_MARK))


def alike(one: Pattern, other: Pattern) -> bool:
    """Whether one text exists that fits both. Takes time in proportion to their length."""
    if not one or not other:
        return False
    if len(one) == 1:
        return _stands_for(other, one[0])
    if len(other) == 1:
        return _stands_for(one, other[0])
    # Both have marks: only the first and the last piece of each can contradict the other.
    begins = one[0].startswith(other[0]) or other[0].startswith(one[0])
    return begins and (one[-1].endswith(other[-1]) or other[-1].endswith(one[-1]))


def _stands_for(pieces: Pattern, letters: str) -> bool:
    if len(pieces) == 1:
        return pieces[0] == letters
    first, *middle, last = pieces
    if not letters.startswith(first) or not letters.endswith(last):
        return False
    at, end = len(first), len(letters) - len(last)
    for piece in middle:
        found = letters.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return at <= end
