"""In an outbound whisper nothing of ours runs before the call is placed."""

from __future__ import annotations

from connect_flows.weave import weave
from tests.flow_builders import END, blocks, compare, flow, invoke, note, say, stream
from tests.flows.weave.weaving import START, START_AND_MEDIA, weave_well


def test_an_outbound_whisper_starts_behind_its_first_prompt_whether_it_played_or_not() -> None:
    content = flow(
        note("Note", "Hello"),
        say("Hello", "Bye", failed="End"),
        say("Bye", "End"),
        END,
    )
    assert weave_well(content, "OUTBOUND_WHISPER", START) == {
        ("Hello", "next"): ["media Enabled", "start"],
        ("Hello", "NoMatchingError 0"): ["media Enabled", "start"],
    }


def test_an_outbound_whisper_without_a_prompt_gets_a_silent_one_at_its_end() -> None:
    """Not at its entry: what stands there runs before the call is placed, and may hang on it."""
    content = flow(invoke("May we call", "Note"), note("Note", "End"), END)
    assert weave_well(content, "OUTBOUND_WHISPER", START) == {
        ("Note", "next"): ["silence", "media Enabled", "start"],
        ("Note", "NoMatchingError 0"): ["silence", "media Enabled", "start"],
    }
    woven = weave(flow(END), "OUTBOUND_WHISPER", start=START)
    assert woven.insertions[0].blocks == ("Silence", *START_AND_MEDIA)
    assert blocks(woven.content)["Silence"]["Parameters"] == {
        "SSML": '<speak><break time="100ms"/></speak>'
    }
    assert weave_well(flow(END), "OUTBOUND_WHISPER", START) == {
        ("", "entry"): ["silence", "media Enabled", "start"]
    }


def test_an_outbound_whisper_with_a_prompt_on_one_way_alone_starts_on_both() -> None:
    content = flow(compare("Which", "End", gold="Hello"), say("Hello", "End"), END)
    assert weave_well(content, "OUTBOUND_WHISPER", START) == {
        ("Which", "next"): ["silence", "media Enabled", "start"],
        ("Which", "NoMatchingCondition 0"): ["silence", "media Enabled", "start"],
        ("Hello", "next"): ["media Enabled", "start"],
        ("Hello", "NoMatchingError 0"): ["media Enabled", "start"],
    }


def test_an_outbound_whisper_starts_once_where_one_first_prompt_leads_to_another() -> None:
    content = flow(compare("Which", "Two", gold="One"), say("One", "Two"), say("Two", "End"), END)
    assert weave_well(content, "OUTBOUND_WHISPER", START) == {
        ("Two", "next"): ["media Enabled", "start"],
        ("Two", "NoMatchingError 0"): ["media Enabled", "start"],
    }


def test_media_streaming_before_the_call_is_placed_stays_and_start_waits_for_the_prompt() -> None:
    content = flow(
        stream("Stream", True, "Hello", failed="Sorry"),
        say("Hello", "End"),
        note("Sorry", "End"),
        END,
    )
    assert weave_well(content, "OUTBOUND_WHISPER", START) == {
        ("Hello", "next"): ["start"],
        ("Hello", "NoMatchingError 0"): ["start"],
    }
    content = flow(stream("Stream", True, "End"), END)
    assert weave_well(content, "OUTBOUND_WHISPER", START) == {
        ("Stream", "next"): ["silence", "start"]
    }
