"""What ASAPP's lists and URLs may say: impossible names, addresses and certificates are refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import shared.aws.api
import shared.http
from export_utterances import download as download_module
from export_utterances.download import Download
from export_utterances.file_exporter import FileExporter
from export_utterances.retries import TRIES, Failed
from shared.asapp.feeds import UTTERANCES
from shared.runtime import Deadline
from tests.unit.conftest import (
    speak_tls,
)
from tests.unit.export.night import DAY, Feed, Night, answering, key

HOSTILE = ["", ".", "..", "../x", "/x", "a/b", "a\\b", "a\nb", "a\x00b", "ü" * 200, "x" * 256]


@pytest.mark.parametrize("name", [*HOSTILE, "\ud83d"], ids=ascii)
def test_a_name_that_leads_out_of_the_days_folder_costs_only_its_file(
    name: str, feed: Feed, night: Night
) -> None:
    feed.days = {DAY: {name: b"bad", "file1.jsonl": b"words"}}
    progress = night.run(DAY)
    assert set(night.stored) == {key(DAY, "file1.jsonl")}
    (problem,) = progress.problems
    assert problem.startswith(f"utterances of {DAY}: missing file 1 of 2: its name cannot be that")
    assert len(progress.whole) == 0


def test_the_longest_name_is_stored(feed: Feed, night: Night) -> None:
    feed.days = {DAY: {"x" * 255: b"words", "..x": b"y"}}
    assert night.run(DAY).problems == []
    assert len(night.stored) == 2


@pytest.mark.parametrize(
    "answer",
    [
        {"files": ["file1.jsonl"]},
        {"feedFiles": ["file1.jsonl", "file1.jsonl"], "warnings": [], "count": 1},
        {"data": [{"files": ["file1.jsonl"]}]},
    ],
)
def test_the_one_list_of_strings_holds_the_names(answer: object, feed: Feed, night: Night) -> None:
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    feed.faults["listfeedfiles"] = [answering(answer)]
    assert night.run(DAY).files == 1


@pytest.mark.parametrize(
    "answer",
    [{}, {"files": None}, {"files": "file1.jsonl"}, {"files": [1]}, {"a": ["b"], "c": ["d"]}],
)
def test_an_answer_without_the_one_list_is_an_error(
    answer: object, feed: Feed, night: Night
) -> None:
    feed.faults["listfeedfiles"] = [answering(answer)]
    (problem,) = night.run(DAY).problems
    assert "no list of file names, or several" in problem


@pytest.mark.parametrize("answer", [["file1.jsonl"], None, "file1.jsonl"])
def test_an_answer_that_is_no_object_is_asked_for_again_and_is_then_an_error(
    answer: object, feed: Feed, night: Night
) -> None:
    feed.faults["listfeedfiles"] = [answering(answer)] * TRIES
    assert night.run(DAY).problems == [f"utterances of {DAY}: listfeedfiles: not_json"]


URLS = [None, "", "file:///etc/passwd", "ftp://a/b", "https:///x", "http://a/b c", "http://[/", 7]


@pytest.mark.parametrize("url", URLS)
def test_an_url_that_cannot_be_fetched_is_an_error(url: object, feed: Feed, night: Night) -> None:
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    feed.faults["getfeedfile"] = [answering({"url": url})]
    assert "getfeedfile: the answer has no https url" in night.run(DAY).problems[0]


@pytest.mark.parametrize("url", ["http://127.0.0.1:x/", "http://a..b/", f"http://{'a' * 99}/"])
def test_an_url_that_leads_nowhere_is_an_error_without_its_words(
    url: str, feed: Feed, night: Night
) -> None:
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    feed.faults["getfeedfile"] = [answering({"url": url})] * TRIES
    (problem,) = night.run(DAY).problems
    assert problem.partition("download: ")[2].isalpha()


@pytest.fixture
def trusted(feed: Feed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The vendor over TLS, and we trust its certificate."""
    speak_tls(feed, tmp_path, monkeypatch)
    for made in (shared.http._tls_context, download_module._connections):
        made.cache_clear()
    yield
    for made in (shared.http._tls_context, download_module._connections):
        made.cache_clear()


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(("scheme", "files"), [("https", 1), ("http", 0)])
def test_where_asapp_speaks_https_a_file_comes_by_https_only(
    scheme: str, files: int, feed: Feed, night: Night, secret_name: str
) -> None:
    host = feed.url.replace("http:", "https:")
    night.exporter = FileExporter(host, night.credentials)
    feed.scheme = scheme
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    assert night.run(DAY).files == files
    assert len(feed.downloads) == files


@pytest.mark.usefixtures("trusted")
def test_a_server_whose_certificate_nobody_vouches_for_gives_no_file(
    feed: Feed, night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    feed.days = {DAY: {"file1.jsonl": b"words"}}
    url = f"{feed.url.replace('http:', 'https:')}/files/{UTTERANCES}/{DAY}/file1.jsonl"
    with pytest.raises(Failed, match="download: SSLError"):
        Download(lambda: url, Deadline(600, night.clock)).open()
    assert feed.downloads == []
