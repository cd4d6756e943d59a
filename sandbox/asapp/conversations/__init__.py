"""The scripts of phone calls: loads and checks the TOML files beside this module.

A file has a ``title``, a ``language`` and ``[[utterance]]`` entries in the order of their start.
``repeat_to = 20000`` repeats a text and cuts it at that many characters.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

Role = Literal["customer", "agent"]

FOLDER = Path(__file__).parent
LANGUAGE_TAG = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?")

_CONVERSATION_KEYS: dict[str, type] = {"title": str, "language": str, "utterance": list}
_UTTERANCE_KEYS: dict[str, type] = {"role": str, "start_ms": int, "end_ms": int, "text": str}


class ConversationError(ValueError):
    """A script is wrong. The message has a line for each error, with the file and the entry."""


@dataclass(frozen=True)
class Utterance:
    """What one speaker says without a pause.

    :param start_ms: Milliseconds from the start of the conversation's audio to the first word.
    :param end_ms: Milliseconds from the start of the conversation's audio to the end of the last
        word.
    """

    role: Role
    start_ms: int
    end_ms: int
    text: str


@dataclass(frozen=True)
class Conversation:
    """One call. Its name is the file's without ``.toml``; its language is an IETF tag."""

    name: str
    title: str
    language: str
    utterances: tuple[Utterance, ...]


def load_all() -> list[Conversation]:
    """Every script of the folder, by name.

    :raises ConversationError: If a script is wrong.
    """
    return [load(path) for path in sorted(FOLDER.glob("*.toml"))]


def load(path: Path) -> Conversation:
    """One script.

    :raises ConversationError: With every error in it.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # TOML or UTF-8
        raise ConversationError(f"{path.name}: {error}") from error
    if problems := _conversation_problems(data):
        raise ConversationError("\n".join(f"{path.name}{problem}" for problem in problems))
    utterances = tuple(_utterance(entry) for entry in data["utterance"])
    return Conversation(path.stem, data["title"], data["language"], utterances)


def _utterance(entry: dict[str, Any]) -> Utterance:
    text = entry["text"]
    if size := entry.get("repeat_to"):
        text = (text * (size // len(text) + 1))[:size]
    return Utterance(entry["role"], entry["start_ms"], entry["end_ms"], text)


def _conversation_problems(data: dict[str, Any]) -> list[str]:
    if problems := _key_problems(data, _CONVERSATION_KEYS):
        return [f": {problem}" for problem in problems]
    found = []
    if not LANGUAGE_TAG.fullmatch(data["language"]):
        found.append(": language is not an IETF tag such as en-US")
    if not data["utterance"]:
        found.append(": there is no [[utterance]]")
    latest_start = 0
    end_of: dict[str, int] = {}
    for number, entry in enumerate(data["utterance"], 1):
        problems = _utterance_problems(entry)
        if not problems and entry["start_ms"] < latest_start:
            problems.append("start_ms is less than in the entry above; sort entries by start_ms")
        if not problems and entry["start_ms"] < end_of.get(entry["role"], 0):
            problems.append(f"the {entry['role']} is still speaking; start after the last end_ms")
        found += [f", utterance {number}: {problem}" for problem in problems]
        if not problems:
            latest_start = entry["start_ms"]
            end_of[entry["role"]] = entry["end_ms"]
    return found


def _utterance_problems(entry: Any) -> list[str]:
    if not isinstance(entry, dict):
        return ["write a table, [[utterance]]"]
    if problems := _key_problems(entry, _UTTERANCE_KEYS, {"repeat_to": int}):
        return problems
    found = []
    if entry["role"] not in get_args(Role):
        found.append(f"role is {entry['role']!r}; write 'customer' or 'agent'")
    if not 0 <= entry["start_ms"] < entry["end_ms"]:
        found.append("start_ms must be 0 or more, and end_ms after it")
    if not entry["text"]:
        found.append("text is empty")
    if "repeat_to" in entry and entry["repeat_to"] < len(entry["text"]):
        found.append("repeat_to is less than the length of text")
    return found


def _key_problems(
    entry: dict[str, Any], required: dict[str, type], optional: dict[str, type] | None = None
) -> list[str]:
    known = required | (optional or {})
    return (
        [f"{key} is missing" for key in required if key not in entry]
        + [f"{key} is unknown" for key in entry if key not in known]
        + [
            f"{key} must be {known[key].__name__}"
            for key, value in entry.items()
            if key in known and type(value) is not known[key]
        ]
    )
