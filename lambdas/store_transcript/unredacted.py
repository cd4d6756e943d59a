"""Whether a text has a number that ASAPP should have redacted. Pure functions.

Nothing here proves that a text is redacted: a name is not found, nor an address. It finds what a
machine can tell from an order number or a date, in figures of any script, or spoken digit by digit
in English and Spanish, the languages that ASAPP transcribes for Connect.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

CARD, SOCIAL_SECURITY, PHONE = "card number", "social security number", "phone number"

_WORDS = {
    **dict.fromkeys(("zero", "oh", "o", "cero"), "0"),
    **dict.fromkeys(("one", "uno"), "1"),
    **dict.fromkeys(("two", "dos"), "2"),
    **dict.fromkeys(("three", "tres"), "3"),
    **dict.fromkeys(("four", "cuatro"), "4"),
    **dict.fromkeys(("five", "cinco"), "5"),
    **dict.fromkeys(("six", "seis"), "6"),
    **dict.fromkeys(("seven", "siete"), "7"),
    **dict.fromkeys(("eight", "ocho"), "8"),
    **dict.fromkeys(("nine", "nueve"), "9"),
}
_BETWEEN = r"(?:, | ?[-\u2010-\u2015.] ?|[)] ?-?| ?[(]| )"
"""Between the groups of one number. A comma without a space is of an amount, a slash of a date, a
colon of a time."""
_SHORTEST, _LONGEST = 9, 19
"""Most utterances have fewer figures than the first, and that is all that is looked at. No card has
more than the second."""
_SPOKEN = re.compile(rf"\b(?:{'|'.join(_WORDS)})\b", re.IGNORECASE)
_LETTERS = re.compile(r"[a-z]+")
_NUMBER = re.compile(rf"(?<![\w#*])([+]?)[(]?(\d+(?:{_BETWEEN}\d+)*)(?![\w#*])")
_DIGIT, _DIGITS = re.compile(r"\d"), re.compile(r"\d+")

_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|(?:6011|64[4-9]\d|65\d\d|62\d\d)\d{12,15}"  # Discover, UnionPay
    r"|3(?:0[0-5]|[689]\d)\d{11}"  # Diners
    r"|35(?:2[89]|[3-8]\d)\d{12,15}"  # JCB
    r"|(?:50|5[6-8]|67|63)\d{11,17}"  # Maestro, but for the few of twelve figures
)
"""By first digits and length. Source: ISO/IEC 7812, and what the issuers publish."""
_SOCIAL_SECURITY = re.compile(r"(?!000|666|9)\d{3}(?!00)\d\d(?!0000)\d{4}")
"""Source: the Social Security Administration, *Randomization FAQs*: no area 000, 666 or 9xx."""
_SOCIAL = re.compile(r"\b(?:social|ssn|seguro)\b", re.IGNORECASE)
_OTHER_NUMBERS = re.compile(
    r"\b(?:order|account|confirmation|tracking|reference|policy|claim|case|ticket|invoice|routing"
    r"|member|membership|booking|reservation|serial"
    r"|pedido|orden|cuenta|confirmación|referencia|póliza|caso|factura|socio|reserva)\b",
    re.IGNORECASE,
)
"""Words for other numbers. Most numbers of nine figures look like a social security number; without
groups it counts as one only if no such word is in the text."""
_PHONE = re.compile(r"1?[2-9]\d\d[2-9]\d{6}")
"""Of the North American Numbering Plan: area and exchange begin with 2 to 9."""
_PHONE_GROUPS = ((10,), (3, 3, 4), (3, 7), (11,), (1, 10), (1, 3, 3, 4), (1, 3, 7))

_LONGEST_TEXT = 2_000
"""Nobody says more without a pause; what follows is not looked at."""


def unredacted(text: str) -> str:
    """What a number of the text looks like: ``CARD``, ``SOCIAL_SECURITY`` or ``PHONE``, the first
    of them that is there; ``""`` if none is."""
    text = text[:_LONGEST_TEXT]
    spoken = sum(word in _WORDS for word in _LETTERS.findall(text.lower()))
    if spoken + len(_DIGIT.findall(text)) < _SHORTEST:
        return ""
    text = " ".join(text.split())
    if spoken:
        text = _SPOKEN.sub(lambda word: _WORDS[word[0].lower()], text)
    numbers = [(plus, _groups(digits)) for plus, digits in _NUMBER.findall(text)]
    if any(_has_card(groups) for _, groups in numbers):
        return CARD
    bare = bool(_SOCIAL.search(text)) or not _OTHER_NUMBERS.search(text)
    if any(_has_social_security(groups, bare=bare) for _, groups in numbers):
        return SOCIAL_SECURITY
    return PHONE if any(_has_phone(plus, groups) for plus, groups in numbers) else ""


def _groups(number: str) -> list[str]:
    """``"٤١١١ 1111"`` → ``["4111", "1111"]``."""
    return ["".join(str(int(digit)) for digit in group) for group in _DIGITS.findall(number)]


def _has_card(groups: Sequence[str]) -> bool:
    """An expiry may follow it, and a count may stand before it."""
    return any(_ISSUERS.fullmatch(digits) and _luhn(digits) for digits, _ in _parts(groups))


def _has_social_security(groups: Sequence[str], *, bare: bool) -> bool:
    """:param bare: Whether nine figures that are not in groups of 3, 2 and 4 may be one."""
    return any(
        _SOCIAL_SECURITY.fullmatch(digits)
        for digits, sizes in _parts(groups)
        if sizes == (3, 2, 4)
        or (bare and (sizes == (9,) or (sizes == (1,) * 9 and len(groups) == 9)))
    )


def _has_phone(plus: str, groups: Sequence[str]) -> bool:
    if plus:
        return _SHORTEST <= len("".join(groups)) <= 15
    return any(
        _PHONE.fullmatch(digits)
        for digits, sizes in _parts(groups)
        if sizes in _PHONE_GROUPS or (set(sizes) == {1} and len(sizes) == len(groups))
    )


def _parts(groups: Sequence[str]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """What neighbouring groups make together, up to a card's length, with their sizes."""
    for first in range(len(groups)):
        digits, sizes = "", list[int]()
        for group in groups[first:]:
            digits += group
            sizes.append(len(group))
            if len(digits) > _LONGEST:
                break
            yield digits, tuple(sizes)


def _luhn(digits: str) -> bool:
    """The check digit of ISO/IEC 7812: every second figure counts twice, from the right."""
    twice = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(twice)) % 10 == 0
