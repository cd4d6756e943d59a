"""What looks like a number that ASAPP should have redacted is found; a date or an order is not.

The cards are those that payment companies publish for tests; no other number is anybody's.
"""

from __future__ import annotations

import time

import pytest

from store_transcript.unredacted import CARD, PHONE, SOCIAL_SECURITY, unredacted

CARDS = {
    "one group": "it's 4111111111111111 thanks",
    "groups": "4111 1111 1111 1111",
    "dashes": "Sure, 5555-5555-5555-4444.",
    "dots": "4012.8888.8888.1881",
    "dashes of a typesetter": "4111–1111–1111–1111",  # noqa: RUF001
    "pauses": "4111, 1111, 1111, 1111",
    "American Express": "3782 822463 10005",
    "Discover": "6011 1111 1111 1117",
    "Diners": "3056 930902 5904",
    "JCB": "3530 1113 3330 0000",
    "Mastercard's new range": "2223 0031 2200 3222",
    "Maestro": "6759 6498 2643 8453",
    "thirteen digits": "4222222222222",
    "an expiry behind it": "4111 1111 1111 1111 12 27",
    "a count before it": "that's 2 4111 1111 1111 1111",
    "digit by digit": "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
    "pairs": "41 11 11 11 11 11 11 11",
    "as ASAPP writes what it does not format": "four one one one one one one one one one one one "
    "one one one one",
    "in Spanish": "cuatro uno uno uno uno uno uno uno uno uno uno uno uno uno uno uno",
    "words and figures": "Four one one one, 1111 1111, one one one one",
    "oh for zero": "six oh one one one one one one one one one one one one one seven",
    "full width": "４１１１ １１１１ １１１１ １１１１",  # noqa: RUF001
    "Arabic": "٤١١١ ١١١١ ١١١١ ١١١١",  # noqa: RUF001
    "Devanagari": "४१११११११११११११११",
    "two spaces": "4111  1111  1111  1111",
    "spaces that do not break": "4111\u00a01111\u00a01111\u20091111",
    "lines": "4111 1111\n1111 1111",
    "for an order": "charge my order to 4111 1111 1111 1111",
    "another number too": "call 202-555-0123, card 4111 1111 1111 1111",
}
SOCIAL = {
    "dashes": "my social is 078-05-1120",
    "spaces": "123 45 6789",
    "one group": "123456789",
    "digit by digit": "1 2 3 4 5 6 7 8 9",
    "words": "one two three four five six seven eight nine",
    "something behind it": "123-45-6789, 12",
    "groups, whatever else is said": "the account is of 078-05-1120",
    "words in groups": "zero seven eight, zero five, one one two zero",
    "one group, and what it is": "my social on this account is 123456789",
    "one group, in Spanish": "mi seguro social es 123456789, y la cuenta es otra",
}
PHONES = {
    "parentheses": "(202) 555-0123",
    "dashes": "202-555-0123",
    "dots": "202.555.0123",
    "one group": "2025550123",
    "with the country": "1-800-555-0199",
    "one for the country": "1 (800) 555-0199",
    "plus": "+1 202 555 0123",
    "of another country": "+44 20 7946 0958",
    "pauses": "it's 202, 555, 0123.",
    "words": "two oh two five five five oh one two three",
    "an extension": "202-555-0123 12",
}
NOTHING = {
    "no figures": "I need help upgrading my streaming package",
    "redacted": "my card is #### #### #### ####, my social ###-##-####",
    "the last four": "the card ending in 1111",
    "half of it redacted": "4111 #### #### 1111",
    "a redacted head": "############1111",
    "a card that fails its check": "4111 1111 1111 1112",
    "an order": "order number 1234567890123456",
    "an order that passes Luhn": "order 9999 9999 9999 9995",
    "an order of nine figures": "my order is 100200300",
    "an account of nine figures": "it's account number 123456789",
    "a confirmation digit by digit": "the confirmation is 8 0 1 4 4 2 7 7 9",
    "a claim in words": "claim one two three four five six seven eight nine",
    "in Spanish": "el número de pedido es 123456789",
    "a parcel of twelve figures": "5018 0000 0009",
    "a parcel of 22 figures": "9400 1000 0000 0000 0000 00",
    "a device": "490154203237518",
    "a book": "978-3-16-148410-0",
    "a parcel with letters": "1Z999AA10123456784",
    "a card's figures in an id": "REF4111111111111111X",
    "a date": "12/05/2024",
    "a date and a time": "2024-11-23 10:15:30",
    "a date of birth in words": "May 3rd 1984",
    "years": "1999 2000 2001 2002",
    "an amount": "$1,234,567,890.12",
    "an account of eight": "12345678",
    "a post code": "94103-1234",
    "an address": "1600 Amphitheatre Parkway, 94043",
    "an IP address": "192.168.100.200",
    "no area of a social security number": "000-12-3456, 666-12-3456, 900-12-3456",
    "no group": "123-00-6789",
    "no serial": "123-45-0000",
    "no exchange of a phone": "202-155-0123",
    "no area of a phone": "102-555-0123",
    "an IBAN": "DE89 3704 0044 0532 0130 00",
    "too many figures": "41111111111111111111111",
    "counting": "one two three",
    "prices": "two for one, four for three, nine each, one left",
    "figures that are none": "①②③④⑤⑥⑦⑧⑨",
    "superscripts": "²³²³²³²³²³",
    "a measure": "12.5 by 14.25 by 100",
}
NOT_UNDERSTOOD = {
    "a figure twice": "two oh two five five five double one two three",
    "three times": "four triple one, triple one, triple one, triple one, triple one",
    "tens": "four one one one eleven eleven eleven eleven eleven eleven",
    "thousands": "four thousand one hundred eleven, eleven eleven, eleven eleven, eleven eleven",
    "a pause that is a word": "4111 1111 um 1111 1111",
    "a dash that is a word": "zero seven eight dash zero five dash one one two zero",
    "two utterances": "4111 1111 11",
}
"""``docs/operate.md`` says so."""


@pytest.mark.parametrize("text", CARDS.values(), ids=CARDS.keys())
def test_a_card_number_is_found_however_it_is_written(text: str) -> None:
    assert unredacted(text) == CARD


@pytest.mark.parametrize("text", SOCIAL.values(), ids=SOCIAL.keys())
def test_a_social_security_number_is_found(text: str) -> None:
    assert unredacted(text) == SOCIAL_SECURITY


@pytest.mark.parametrize("text", PHONES.values(), ids=PHONES.keys())
def test_a_phone_number_is_found(text: str) -> None:
    assert unredacted(text) == PHONE


@pytest.mark.parametrize("text", NOTHING.values(), ids=NOTHING.keys())
def test_what_is_redacted_and_what_only_has_many_figures_is_not_found(text: str) -> None:
    assert unredacted(text) == ""


@pytest.mark.parametrize("text", NOT_UNDERSTOOD.values(), ids=NOT_UNDERSTOOD.keys())
def test_a_number_that_is_said_in_another_way_than_by_its_figures_is_not_found(text: str) -> None:
    assert unredacted(text) == ""


@pytest.mark.parametrize(
    "text",
    ["1 " * 500_000, "1" * 1_000_000 + "x", "one " * 250_000, "1(" * 500_000, "+" * 1_000_000],
    ids=["digits", "one number", "words", "brackets", "pluses"],
)
def test_a_text_that_is_made_to_take_long_does_not(text: str) -> None:
    before = time.process_time()
    unredacted(text)
    assert time.process_time() - before < 1
