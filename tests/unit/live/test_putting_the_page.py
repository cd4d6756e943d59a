"""The page goes into its bucket at a deployment, and CloudFormation always gets an answer."""

from __future__ import annotations

import json
import logging
import uuid
from pathlib import Path
from typing import Any

import boto3
import pytest

from put_page.handler import _TYPES, Bucket, NotSent, _respond, act
from tests.unit.conftest import Vendor

CONFIG = '{"region": "eu-central-1"}'
DIST = Path(__file__).parents[3] / "web" / "dist"
SOON, EVER = "no-cache", "public, max-age=31536000, immutable"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A page, as a layer has it."""
    for name in ("index.html", "icon.svg", "assets/app-1.js", "assets/style-1.css"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(name)
    return tmp_path


@pytest.fixture
def bucket(aws: str) -> Bucket:
    s3 = boto3.client("s3")
    bucket = Bucket(f"page-{uuid.uuid4().hex[:8]}", s3)
    s3.create_bucket(Bucket=bucket.name)
    return bucket


def stored(bucket: Bucket) -> dict[str, tuple[str, str, str]]:
    """What a browser gets of each file: content, type, and how long it may keep it."""
    s3 = boto3.client("s3")
    found = {}
    for each in s3.list_objects_v2(Bucket=bucket.name).get("Contents", []):
        got = s3.get_object(Bucket=bucket.name, Key=each["Key"])
        text = got["Body"].read().decode()
        found[each["Key"]] = (text, got["ContentType"], got["CacheControl"])
    return found


def asked(kind: str = "Create", **more: Any) -> dict[str, Any]:
    return {
        "RequestType": kind,
        "ResponseURL": "https://cloudformation.example/answer?signed",
        "StackId": "the-stack",
        "RequestId": "the-request",
        "LogicalResourceId": "LivePage",
        "ResourceProperties": {"Config": CONFIG, "Files": "arn:layer:1"},
    } | more


def answer_to(event: dict[str, Any], files: Path, bucket: Bucket) -> dict[str, Any]:
    said: list[tuple[str, bytes]] = []
    act(event, files, bucket, lambda url, body: said.append((url, body)))
    ((url, body),) = said
    assert url == event["ResponseURL"]
    answer: dict[str, Any] = json.loads(body)
    return answer


def test_all_files_are_there_and_only_those_with_a_hash_are_kept(
    files: Path, bucket: Bucket
) -> None:
    answer = answer_to(asked(), files, bucket)
    assert answer == {
        "Status": "SUCCESS",
        "Reason": "",
        "PhysicalResourceId": bucket.name,
        "StackId": "the-stack",
        "RequestId": "the-request",
        "LogicalResourceId": "LivePage",
    }
    assert stored(bucket) == {
        "index.html": ("index.html", "text/html; charset=utf-8", SOON),
        "icon.svg": ("icon.svg", "image/svg+xml", SOON),
        "config.json": (CONFIG, "application/json", SOON),
        "assets/app-1.js": ("assets/app-1.js", "text/javascript; charset=utf-8", EVER),
        "assets/style-1.css": ("assets/style-1.css", "text/css; charset=utf-8", EVER),
    }


def test_the_page_comes_after_what_it_loads(files: Path) -> None:
    names: list[str] = []

    class Seen(Bucket):
        def put(self, name: str, content: bytes) -> None:
            names.append(name)

    answer_to(asked(), files, Seen("page", None))
    assert names.index("index.html") == len(names) - 1


def test_a_new_version_leaves_what_an_open_page_may_load(files: Path, bucket: Bucket) -> None:
    answer_to(asked(), files, bucket)
    (files / "assets/app-1.js").rename(files / "assets/app-2.js")
    (files / "index.html").write_text("the new page")
    answer_to(asked("Update"), files, bucket)
    there = stored(bucket)
    assert there["index.html"][0] == "the new page"
    assert {"assets/app-1.js", "assets/app-2.js"} <= there.keys()


def test_when_the_stack_goes_the_bucket_is_empty(files: Path, bucket: Bucket) -> None:
    answer_to(asked(), files, bucket)
    answer = answer_to(asked("Delete", PhysicalResourceId=bucket.name), files, bucket)
    assert answer["Status"] == "SUCCESS"
    assert stored(bucket) == {}


def test_a_stack_can_go_whose_bucket_somebody_has_deleted(files: Path, aws: str) -> None:
    gone = Bucket("a-bucket-that-is-not-there", boto3.client("s3"))
    assert (
        answer_to(asked("Delete", PhysicalResourceId=gone.name), files, gone)["Status"] == "SUCCESS"
    )


def test_the_files_of_other_layers_stay_out_of_the_bucket(files: Path, bucket: Bucket) -> None:
    """Like those of an agent for traces, which a team adds to every function by an aspect."""
    for name in ("extensions/agent", "python/lib/agent.py", "agent_wrapper"):
        (files / name).parent.mkdir(parents=True, exist_ok=True)
        (files / name).write_text("of somebody else")
    assert answer_to(asked(), files, bucket)["Status"] == "SUCCESS"
    assert not [text for text, _, _ in stored(bucket).values() if text == "of somebody else"]


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_a_failure_is_an_answer_too(
    kind: str, files: Path, aws: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    missing = Bucket("a-bucket-that-is-not-there", boto3.client("s3"))
    answer = answer_to(asked(kind), files, missing)
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", missing.name)
    assert answer["Reason"].startswith("NoSuchBucket; ")
    (line,) = (each for each in caplog.records if each.name == "put_page.handler")
    assert line.exc_info


def test_a_file_of_an_unknown_kind_is_refused(files: Path, bucket: Bucket) -> None:
    (files / "assets/film.mp4").write_text("")
    assert answer_to(asked(), files, bucket)["Status"] == "FAILED"
    assert "index.html" not in stored(bucket)


def test_every_file_of_our_page_is_of_a_known_kind() -> None:
    if not DIST.is_dir():
        pytest.skip("the page is not built: make web")
    assert {file.suffix for file in DIST.rglob("*") if file.is_file()} <= _TYPES.keys()


def test_the_answer_is_put_to_the_address_with_its_signature(vendor: Vendor) -> None:
    vendor.behaviours = [lambda request: request.reply(200, "")]
    _respond(f"{vendor.url}/answer?signature=1%2F2", b'{"Status": "SUCCESS", "guid": ""}')
    ((path, headers, body),) = vendor.requests
    assert (path, body["Status"]) == ("/answer?signature=1%2F2", "SUCCESS")
    assert "Content-Type" not in headers


def test_an_answer_that_is_refused_is_said_again_by_lambda(vendor: Vendor) -> None:
    vendor.behaviours = [lambda request: request.reply(403, "")]
    with pytest.raises(NotSent, match="403"):
        _respond(f"{vendor.url}/answer", b"{}")
