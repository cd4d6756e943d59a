"""Text of strangers on a line of ours: nothing of it can end the line, move the cursor, or change
the order in which a reader sees the letters."""

from __future__ import annotations

import unicodedata

_HIDDEN = frozenset(("Cc", "Cf", "Co", "Cs", "Zl", "Zp"))
"""Unicode's categories of characters that control and are not seen."""
_JOINERS = "\u200c\u200d"
"""Part of words in Persian and in languages of India, and of emoji."""


def one_line(text: str) -> str:
    """The text on one line. A line break is a space, a control character is shown as an escape such
    as ``\\x1b`` or ``\\u202e``."""
    return "".join(map(_shown, " ".join(text.split())))


def _shown(character: str) -> str:
    if character in _JOINERS or unicodedata.category(character) not in _HIDDEN:
        return character
    return character.encode("unicode_escape").decode()
