"""The scripts of the demo calls, and what the loader says about a wrong one."""

import unicodedata
from pathlib import Path

import pytest

from sandbox.asapp.conversations import ConversationError, Utterance, load, load_all

GOOD = """
title = "T"
language = "en-US"
[[utterance]]
role = "agent"
start_ms = 0
end_ms = 900
text = "Hello."
"""
SECOND = """
[[utterance]]
role = "customer"
start_ms = 1000
end_ms = 1900
text = "Hi."
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "call.toml"
    path.write_text(text, encoding="utf-8")
    return path


def everything_said() -> list[Utterance]:
    return [utterance for call in load_all() for utterance in call.utterances]


def test_there_are_at_least_five_calls_and_eighty_utterances_of_both_speakers() -> None:
    calls = load_all()
    assert len(calls) >= 5
    assert sum(len(call.utterances) for call in calls) >= 80
    assert all({u.role for u in call.utterances} == {"agent", "customer"} for call in calls)
    assert len({call.name for call in calls}) == len(calls)


@pytest.mark.parametrize(
    "awkward",
    [
        "'", '"', "&", "=", "+", "%", "%41", "\\", "<Family>", "####", "\n", "\t", "\r\n",
        '{"a": 1}', "$util.urlEncode($input.body)", "#set($x=1)",
        "👨‍👩‍👧‍👦", "على البحر", "נועה", "e\u0301", "é", "山田", "ま", "😅",
    ],
)  # fmt: skip
def test_the_calls_hold_every_text_that_is_awkward_to_carry(awkward: str) -> None:
    assert any(awkward in utterance.text for utterance in everything_said())


def test_the_calls_hold_accents_that_change_under_unicode_normalisation() -> None:
    texts = [u.text for u in everything_said()]
    assert any(unicodedata.normalize("NFC", text) != text for text in texts)
    assert any(unicodedata.normalize("NFD", text) != text for text in texts)


def test_one_utterance_has_exactly_20000_characters() -> None:
    assert [len(u.text) for u in everything_said() if len(u.text) > 1000] == [20_000]


def test_equal_texts_are_told_apart_by_their_start_only() -> None:
    for call in load_all():
        assert len({(u.role, u.start_ms) for u in call.utterances}) == len(call.utterances)
    calls = {call.name: call.utterances for call in load_all()}
    assert [u.text for u in calls["broadband_fault"]].count("Yes.") == 3


def test_two_speakers_start_together_at_zero_and_later() -> None:
    starts = [
        {a.start_ms for a in call.utterances for b in call.utterances if a.role < b.role
         and a.start_ms == b.start_ms}
        for call in load_all()
    ]  # fmt: skip
    together = set().union(*starts)
    assert 0 in together
    assert any(start > 0 for start in together)


def test_phone_numbers_are_fictional() -> None:
    for utterance in everything_said():
        for part in utterance.text.split("555-")[1:]:
            assert part.startswith("01")


def test_a_good_script_is_read_as_it_stands(tmp_path: Path) -> None:
    call = load(written(tmp_path, GOOD + SECOND))
    assert (call.name, call.title, call.language) == ("call", "T", "en-US")
    assert call.utterances == (
        Utterance("agent", 0, 900, "Hello."),
        Utterance("customer", 1000, 1900, "Hi."),
    )


def test_repeat_to_repeats_the_text_and_cuts_it_there(tmp_path: Path) -> None:
    call = load(written(tmp_path, GOOD + "repeat_to = 15"))
    assert call.utterances[0].text == "Hello.Hello.Hel"


@pytest.mark.parametrize(
    ("good", "bad", "complaint"),
    [
        ("title =", "tittle =", "call.toml: title is missing"),
        ("title =", "tittle =", "call.toml: tittle is unknown"),
        ('"en-US"', '"english"', "call.toml: language is not an IETF tag such as en-US"),
        ('"en-US"', "5", "call.toml: language must be str"),
        ('"customer"', '"bot"', "utterance 2: role is 'bot'; write 'customer' or 'agent'"),
        ("start_ms = 1000", "start_ms = true", "utterance 2: start_ms must be int"),
        ("start_ms = 1000", "start_ms = 1.5", "utterance 2: start_ms must be int"),
        ("start_ms = 0", "start_ms = -1", "utterance 1: start_ms must be 0 or more"),
        ("end_ms = 1900", "end_ms = 1000", "utterance 2: start_ms must be 0 or more, and end_ms"),
        ("end_ms = 1900\n", "", "utterance 2: end_ms is missing"),
        ('text = "Hi."', 'text = ""', "utterance 2: text is empty"),
        ('text = "Hi."', 'text = "Hi."\nrepeat_to = 2', "utterance 2: repeat_to is less"),
        ('text = "Hi."', 'text = "Hi."\nmood = "ok"', "utterance 2: mood is unknown"),
        ('language = "en-US"', 'language = "en-US"\nutterance = 3', "call.toml: "),
    ],
)
def test_a_wrong_script_is_named_with_its_entry(
    tmp_path: Path, good: str, bad: str, complaint: str
) -> None:
    assert good in GOOD + SECOND
    with pytest.raises(ConversationError) as raised:
        load(written(tmp_path, (GOOD + SECOND).replace(good, bad, 1)))
    assert complaint in str(raised.value)


@pytest.mark.parametrize(
    ("good", "also_good"),
    [("start_ms = 0", "start_ms = 899"), ("start_ms = 1000", "start_ms = 0"),
     ("end_ms = 900", "end_ms = 9000")],
)  # fmt: skip
def test_two_speakers_may_talk_at_once(tmp_path: Path, good: str, also_good: str) -> None:
    assert len(load(written(tmp_path, (GOOD + SECOND).replace(good, also_good, 1))).utterances) == 2


def test_entries_out_of_order_are_refused(tmp_path: Path) -> None:
    script = GOOD.replace("start_ms = 0", "start_ms = 500") + SECOND.replace("1000", "100")
    with pytest.raises(
        ConversationError, match=r"call\.toml, utterance 2: .*sort entries by start_ms"
    ):
        load(written(tmp_path, script))


def test_a_speaker_who_interrupts_himself_is_refused(tmp_path: Path) -> None:
    script = GOOD + SECOND.replace("customer", "agent").replace("1000", "899")
    with pytest.raises(ConversationError, match="utterance 2: the agent is still speaking"):
        load(written(tmp_path, script))


def test_all_mistakes_of_a_script_come_in_one_error(tmp_path: Path) -> None:
    script = GOOD.replace('"agent"', '"bot"') + SECOND.replace('"Hi."', '""')
    with pytest.raises(ConversationError) as raised:
        load(written(tmp_path, script))
    assert len(str(raised.value).splitlines()) == 2


def test_a_script_without_utterances_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConversationError, match="there is no"):
        load(written(tmp_path, 'title = "T"\nlanguage = "en-US"\nutterance = []\n'))


@pytest.mark.parametrize("content", [b"title =", b'title = "\xff"'])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(ConversationError, match=r"^broken\.toml: "):
        load(path)
