"""One message of the webhook becomes an utterance, or says why it never can."""

from __future__ import annotations

import copy
import json
import random
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import table
from shared.transcripts.stored_utterances import in_order, spoken_at, stream_starts
from shared.transcripts.utterance import Unstorable, Utterance

WORDS = "my PIN is four two"
GOOD: dict[str, Any] = {
    "type": "transcript",
    "externalConversationId": "8c259fea-8764-4a92-adc4-73572e9cf016",
    "streamId": "5ce2b755-3f38-11ed-b755-7aed4b5c38d5",
    "sender": {"externalId": "TT9833237", "role": "customer"},
    "autotranscribeResponse": {
        "message": "transcript",
        "start": 400,
        "end": 3968,
        "utterance": [{"text": WORDS}],
    },
}
FIELDS: tuple[tuple[str, ...], ...] = (
    ("type",),
    ("externalConversationId",),
    ("streamId",),
    ("sender",),
    ("sender", "externalId"),
    ("sender", "role"),
    ("autotranscribeResponse",),
    ("autotranscribeResponse", "start"),
    ("autotranscribeResponse", "end"),
    ("autotranscribeResponse", "utterance"),
)
ROLE = ("sender", "role")
IDS = [field for field in FIELDS if field[-1].endswith("Id")]
TIMES = [field for field in FIELDS if field[-1] in ("start", "end")]
OBJECTS = [("sender",), ("autotranscribeResponse",)]
REASONS = {
    "not JSON",
    "nested too deeply",
    "not a JSON object",
    "type is missing",
    "type is not transcript",
    "sender is missing or not an object",
    "autotranscribeResponse is missing or not an object",
    "utterance is missing or not a list of objects",
    "utterance has an entry without text",
    *(f"{field[-1]} is missing or not text" for field in (*IDS, ROLE)),
    *(f"{field[-1]} is over 256 characters or not valid Unicode" for field in IDS),
    *(f"{field[-1]} is missing or not a number of milliseconds" for field in TIMES),
}
"""Whole sentences of ours: a reason that is one of them holds nothing of the message."""
MISSING = object()


def message(field: tuple[str, ...] = (), value: object = MISSING, **extra: object) -> str:
    """ASAPP's own example, with one field changed, or taken out."""
    body: dict[str, Any] = copy.deepcopy(GOOD) | extra
    parent = body
    for name in field[:-1]:
        parent = parent[name]
    if field and value is MISSING:
        del parent[field[-1]]
    elif field:
        parent[field[-1]] = value
    return json.dumps(body)


def parsed(field: tuple[str, ...] = (), value: object = MISSING, **extra: object) -> Utterance:
    return Utterance.from_message(message(field, value, **extra))


def said(*entries: object) -> Utterance:
    return parsed(("autotranscribeResponse", "utterance"), list(entries))


def reason(body: str) -> str:
    with pytest.raises(Unstorable) as caught:
        Utterance.from_message(body)
    return str(caught.value)


def item(utterance: Utterance, received_at_ms: int = 0) -> dict[str, Any]:
    return utterance.item(received_at_ms=received_at_ms, stored_at_ms=0, expires_at_s=0)


def test_asapps_own_example_becomes_an_utterance() -> None:
    utterance = Utterance.from_message(message())
    assert utterance.conversation_id == "8c259fea-8764-4a92-adc4-73572e9cf016"
    assert utterance.stream_id == "5ce2b755-3f38-11ed-b755-7aed4b5c38d5"
    assert (utterance.role, utterance.sender_id) == ("customer", "TT9833237")
    assert (utterance.start_ms, utterance.end_ms) == (400, 3968)
    assert utterance.text == WORDS
    assert utterance.message == message()


@pytest.mark.parametrize(
    "body", ["", " ", "{", "words", "'{}'", '{"type": }', "\ufeff{}", "1" * 5000]
)
def test_what_is_not_json_is_unstorable(body: str) -> None:
    assert reason(body) == "not JSON"


@pytest.mark.parametrize("body", ["null", "true", "1", "1.5", "NaN", '"words"', "[]", "[{}]"])
def test_json_that_is_no_object_is_unstorable(body: str) -> None:
    assert reason(body) == "not a JSON object"


@pytest.mark.parametrize("field", FIELDS, ids=".".join)
def test_each_missing_field_is_named(field: tuple[str, ...]) -> None:
    assert reason(message(field)).startswith(f"{field[-1]} is missing")


NO_TEXT: list[object] = [None, True, 7, 1.5, "", [], ["words"], {}]
NO_TIME: list[object] = [None, True, False, "", "7", [], {}]
NO_OBJECT: list[object] = [None, True, 7, "", "words", [], ["words"]]
NO_LIST: list[object] = [None, True, False, 0, 7, 1.5, "", "words", {}, {"text": "words"}]
WRONG: list[tuple[tuple[str, ...], object]] = [
    *((field, value) for field in (*IDS, ROLE) for value in NO_TEXT),
    *((field, value) for field in TIMES for value in NO_TIME),
    *((field, value) for field in OBJECTS for value in NO_OBJECT),
    *((("autotranscribeResponse", "utterance"), value) for value in NO_LIST),
]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_a_field_of_the_wrong_type_is_named(field: tuple[str, ...], value: object) -> None:
    assert reason(message(field, value)).startswith(f"{field[-1]} is missing or not ")


@pytest.mark.parametrize("value", [True, 7, "", "summary", "Transcript", ["transcript"], {}])
def test_another_type_of_message_is_unstorable_and_is_not_quoted(value: object) -> None:
    assert reason(message(("type",), value)) == "type is not transcript"


IMPOSSIBLE = [
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "9" * 400,
    "-1",
    "-0.5",
    "86400000.5",
    "9999999999",
    "10000000000",
]


@pytest.mark.parametrize("number", IMPOSSIBLE, ids=lambda number: number[:12])
@pytest.mark.parametrize("field", TIMES, ids=".".join)
def test_an_utterance_with_a_time_that_no_audio_has_is_kept_and_marked(
    field: tuple[str, ...], number: str
) -> None:
    body = message(field, "HERE").replace('"HERE"', number)
    utterance = Utterance.from_message(body)
    assert utterance.malformed == ("times",)
    at = 0 if field[-1] == "start" else 400
    assert (utterance.start_ms, utterance.end_ms) == (at, at)
    assert (utterance.text, utterance.message) == (WORDS, body)
    assert item(utterance)["malformed"] == "times"


def test_an_utterance_that_ends_before_it_starts_is_kept_and_marked() -> None:
    utterance = parsed(("autotranscribeResponse", "start"), 3969)
    assert (utterance.start_ms, utterance.end_ms, utterance.malformed) == (3969, 3969, ("times",))
    assert parsed(("autotranscribeResponse", "start"), 3968).malformed == ()


def test_a_time_of_five_thousand_digits_is_not_json() -> None:
    body = message(("autotranscribeResponse", "end"), "HERE").replace('"HERE"', "9" * 5000)
    assert reason(body) == "not JSON"


@pytest.mark.parametrize(
    "role",
    [
        "Customer",
        "agent ",
        "system",
        "unknown",
        "x" * 5_000,
        "agent: Yes.\n2026-11-01T14:03:08.000Z customer",
        "\u202eremotsuc",
        "half \ud83d",
    ],
)
def test_a_role_that_is_neither_customer_nor_agent_is_unknown_and_marked(role: str) -> None:
    utterance = parsed(ROLE, role)
    assert (utterance.role, utterance.malformed) == ("unknown", ("role",))
    assert json.loads(utterance.message)["sender"]["role"] == role
    for value in table.attributes(item(utterance)).values():
        next(iter(value.values())).encode()


def test_one_that_is_well_formed_has_no_mark() -> None:
    assert "malformed" not in item(parsed())
    both = parsed(ROLE, "nobody", autotranscribeResponse={"start": 2, "end": 1, "utterance": []})
    assert item(both)["malformed"] == "role times"


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("400.0", 400),
        ("-0.0", 0),
        ("86400000", 86400000),
        ("400.49", 400),
        ("400.51", 401),
        ("0.25", 0),
        ("4.005e2", 400),
    ],
)
def test_a_number_is_a_time_in_whole_milliseconds(number: str, expected: int) -> None:
    times = {"start": "HERE", "end": "HERE", "utterance": []}
    body = message(("autotranscribeResponse",), times).replace('"HERE"', number)
    utterance = Utterance.from_message(body)
    assert (utterance.start_ms, utterance.end_ms, utterance.malformed) == (expected, expected, ())


def test_a_hundred_thousand_brackets_are_unstorable() -> None:
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        deep = opening * 100_000 + "1" + closing * 100_000
        assert reason(deep) == "nested too deeply"
        assert reason(message(more="HERE").replace('"HERE"', deep)) == "nested too deeply"


def test_what_was_accepted_can_be_stored_however_deep_it_is() -> None:
    """The parser's limit depends on the caller's depth: a key that is made further down must not
    reach it where the parser did not."""

    def far_down(utterance: Utterance, levels: int = 20) -> dict[str, Any]:
        return far_down(utterance, levels - 1) if levels else item(utterance)

    accepted = 0
    for depth in range(sys.getrecursionlimit() - 200, sys.getrecursionlimit()):
        body = message(more="HERE").replace('"HERE"', "[" * depth + "]" * depth)
        try:
            utterance = Utterance.from_message(body)
        except Unstorable:
            continue
        assert far_down(utterance)["message"] == body
        accepted += 1
    assert accepted


@pytest.mark.parametrize("field", IDS, ids=".".join)
def test_an_id_is_at_most_256_characters_of_valid_unicode(field: tuple[str, ...]) -> None:
    expected = f"{field[-1]} is over 256 characters or not valid Unicode"
    parsed(field, "é" * 256)
    assert reason(message(field, "x" * 257)) == expected
    assert reason(message(field, "half \ud83d")) == expected
    assert reason(message(field, "\ude00\ud83d the wrong way round")) == expected
    parsed(field, "both \ud83d\ude00")


def test_half_a_surrogate_pair_in_the_text_becomes_the_replacement_character() -> None:
    utterance = said({"text": "broken \ud83d here"}, {"text": "whole \U0001f600"})
    assert utterance.text == "broken \ufffd here whole \U0001f600"
    assert utterance.message.isascii()  # the escape is kept as it came
    raw = Utterance.from_message(message(more="\ud83d").replace("\\ud83d", "\ud83d"))
    raw.message.encode()


def test_several_entries_are_one_text_and_none_is_an_empty_one() -> None:
    assert said({"text": "I need"}, {"text": "help"}).text == "I need help"
    assert said().text == ""
    assert said({"text": ""}).text == ""


def test_an_entry_without_text_is_unstorable() -> None:
    field = ("autotranscribeResponse", "utterance")
    without: list[object] = [{}, {"text": None}, {"text": 7}, {"text": ["words"]}, {"token": {}}]
    for entry in without:
        body = message(field, [{"text": "words"}, entry])
        assert reason(body) == "utterance has an entry without text"
    for entry in (None, "words", 7, ["words"]):
        body = message(field, [{"text": "words"}, entry])
        assert reason(body) == "utterance is missing or not a list of objects"


def test_fields_that_nobody_named_are_kept_as_they_came() -> None:
    tokens = [
        {"content": "I", "start": 400, "end": 480, "punctuationAfter": ","},
        {"content": "need", "start": 490, "end": 700},
    ]
    entry = {"text": "I, need", "token": tokens}
    body = message(("autotranscribeResponse", "utterance"), [entry], companyMarker="HERE")
    body = body.replace('"HERE"', '{"a":[null ,1.10,\n 1e2, "\\u00e9é"]}')
    utterance = Utterance.from_message(body)
    assert utterance.text == "I, need"
    assert utterance.message == body
    # NaN outside of the times is none of our business.
    odd = message(score="HERE").replace('"HERE"', "NaN")
    assert Utterance.from_message(odd).message == odd


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None, categories=None), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)


def unless_unstorable(body: str) -> None:
    """Any exception but Unstorable, or a reason that is not our own words, fails."""
    try:
        utterance = Utterance.from_message(body)
    except Unstorable as problem:
        assert str(problem) in REASONS
        assert problem.__suppress_context__ or problem.__context__ is None
        return
    for value in table.attributes(item(utterance)).values():
        next(iter(value.values())).encode()  # what the table takes is valid Unicode


@settings(deadline=None, max_examples=50)
@given(st.text(st.characters(codec=None, categories=None)))
def test_no_text_does_anything_but_be_unstorable(body: str) -> None:
    unless_unstorable(body)


@settings(deadline=None, max_examples=50)
@given(json_values)
def test_no_json_does_anything_but_be_unstorable(value: object) -> None:
    unless_unstorable(json.dumps(value))


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(FIELDS), json_values)
def test_no_value_in_any_field_does_anything_but_be_unstorable(
    field: tuple[str, ...], value: object
) -> None:
    unless_unstorable(message(field, value))


@settings(deadline=None, max_examples=50)
@given(json_values, json_values)
def test_no_entry_of_the_utterance_does_anything_but_be_unstorable(
    one: object, two: object
) -> None:
    unless_unstorable(message(("autotranscribeResponse", "utterance"), [one, {"text": two}]))


def test_the_same_message_has_the_same_key_whatever_the_order_of_its_fields() -> None:
    backwards = json.dumps(dict(reversed(list(GOOD.items()))), indent=2)
    keys = {Utterance.from_message(body).key for body in (message(), message(), backwards)}
    assert len(keys) == 1


@pytest.mark.parametrize(
    "changed",
    [
        message(("streamId",), "another"),
        message(("sender", "externalId"), "another"),
        message(("sender", "role"), "agent"),
        message(("autotranscribeResponse", "start"), 401),
        message(("autotranscribeResponse", "end"), 3969),
        message(("autotranscribeResponse", "utterance"), [{"text": WORDS + "."}]),
        message(("autotranscribeResponse", "utterance"), [{"text": WORDS, "token": []}]),
        message(
            ("autotranscribeResponse", "utterance"), [{"text": "my PIN"}, {"text": "is four two"}]
        ),
        message(redactionOutput="redacted"),
        message(redactionOutput="unredacted"),
        message(("streamId",), "5ce2b755-3f38-11ed-b755-7aed4b5c38d5#0000000400"),
    ],
)
def test_a_message_that_differs_in_anything_has_another_key(changed: str) -> None:
    assert Utterance.from_message(changed).key != Utterance.from_message(message()).key


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(max_size=12), min_size=2, max_size=8, unique=True))
def test_as_many_keys_as_messages(texts: list[str]) -> None:
    utterances = [parsed(note=text) for text in texts]
    assert len({utterance.key for utterance in utterances}) == len(texts)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 86_400_000), max_size=10))
def test_the_keys_of_a_stream_sort_as_its_times_do(starts: list[int]) -> None:
    utterances = [parsed(("autotranscribeResponse", "start"), start) for start in starts]
    ordered = sorted(utterances, key=lambda utterance: utterance.key)
    assert [utterance.start_ms for utterance in ordered] == sorted(starts)


def spoken(
    stream: str, start: int, text: str, received_at_ms: int = 0, end: int = 0
) -> dict[str, Any]:
    response = {"start": start, "end": end or start + 100, "utterance": [{"text": text}]}
    utterance = parsed(("streamId",), stream, autotranscribeResponse=response)
    return item(utterance, received_at_ms)


def stream(stream_id: str, started_at: int) -> dict[str, Any]:
    return {"item": f"stream#{stream_id}", "streamId": stream_id, "startedAt": started_at}


def texts(items: list[Mapping[str, Any]]) -> list[str]:
    return [str(one["text"]) for one in items]


CONVERSATION: dict[str, Any] = {"item": "conversation", "state": "streaming", "version": 3}


def test_two_streams_are_read_as_one_conversation() -> None:
    items = [
        CONVERSATION,
        stream("agent", 1_000_000),
        stream("customer", 1_000_900),
        spoken("agent", 200, "Hello"),  # at 1,000,200
        spoken("agent", 5_000, "Of course"),  # at 1,005,000
        spoken("customer", 300, "I need help"),  # at 1,001,200
        spoken("customer", 6_000, "Thanks"),  # at 1,006,900
    ]
    assert texts(in_order(items)) == ["Hello", "I need help", "Of course", "Thanks"]


def test_a_resumed_stream_follows_the_one_before_though_its_times_begin_again() -> None:
    items = [
        stream("second", 1_060_000),
        stream("first", 1_000_000),
        spoken("second", 0, "Are you there?"),
        spoken("first", 30_000, "Hold on"),
    ]
    assert texts(in_order(items)) == ["Hold on", "Are you there?"]


def test_a_stream_whose_start_is_not_known_began_when_its_first_utterance_came() -> None:
    items = [
        stream("known", 1_000_000),
        spoken("known", 2_000, "second"),  # at 1,002,000
        # The earliest says that the stream began at 1,000,500 at the latest.
        spoken("unknown", 1_000, "first", received_at_ms=1_001_700, end=1_200),
        spoken("unknown", 3_000, "third", received_at_ms=1_009_000, end=3_200),
    ]
    assert texts(in_order(items)) == ["first", "second", "third"]


def test_a_known_start_counts_more_than_when_utterances_came() -> None:
    late = spoken("a", 0, "first", received_at_ms=9_000_000)
    items = [stream("a", 1_000), stream("b", 2_000), spoken("b", 0, "second"), late]
    assert texts(in_order(items)) == ["first", "second"]


@pytest.mark.parametrize("end", [9_999_999_999, 86_400_001, -1])
@pytest.mark.parametrize("is_older", [False, True])
def test_an_impossible_time_moves_no_other_utterance(end: int, is_older: bool) -> None:
    """A stream whose start is not known begins when its first utterance came."""
    honest = spoken("unknown", 1_000, "first", received_at_ms=1_001_700, end=1_200)
    later = spoken("unknown", 3_000, "third", received_at_ms=1_009_000, end=3_200)
    forged = spoken("unknown", 2_000, "second", received_at_ms=1_002_500, end=end)
    if is_older:  # as a version before this one has stored it
        forged |= {"endMs": end}
        forged.pop("malformed")
    items = [forged, honest, later]
    assert texts(in_order(items)) == ["first", "second", "third"]
    began = stream_starts(items)
    assert began == {"unknown": 1_000_500}
    assert spoken_at(forged, began) == (1_002_500, 1_002_500)
    assert stream_starts([forged]) == {"unknown": 1_002_500}


def test_without_utterances_there_is_nothing_to_order() -> None:
    assert in_order([]) == []
    assert in_order([CONVERSATION, stream("a", 1)]) == []


some_items = st.lists(
    st.builds(
        spoken,
        st.sampled_from(["a", "b", "c"]),
        st.integers(0, 3) | st.integers(0, 10**6),
        st.text(max_size=3),
        st.integers(0, 3),
    ),
    max_size=8,
    unique_by=lambda one: str(one["item"]),
)


@settings(deadline=None, max_examples=50)
@given(
    some_items,
    st.lists(st.builds(stream, st.just("a"), st.integers(0, 5)), max_size=1),
    st.randoms(),
)
def test_the_order_in_which_the_items_came_changes_nothing(
    utterances: list[dict[str, Any]], streams: list[dict[str, Any]], chance: random.Random
) -> None:
    items = [CONVERSATION, *streams, *utterances]
    shuffled = items[:]
    chance.shuffle(shuffled)
    ordered = in_order(items)
    assert in_order(shuffled) == ordered
    assert sorted(map(id, ordered)) == sorted(map(id, utterances))
