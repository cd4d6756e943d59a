"""What is measured: each function gives lines of the table, or ends the run if nothing ran."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.benchmark.servers import take_requests

ROOT = Path(__file__).resolve().parents[2]
_KB = 1000
PACKAGE_KB = {  # zipped, 1,024 bytes each; any other function: 30. docs/decisions/0012 says why.
    "start_streaming": 40,
    "stop_streaming": 40,
    "follow_agent_events": 40,
    "follow_contact_events": 40,
    "read_live": 40,
    "reconcile_transcript": 60,
    "erase_conversation": 50,
}
_STEPS_OF_A_START = [
    "/mg-autotranscribe/v1/start-streaming",
    "DynamoDB_20120810.TransactWriteItems",
    "DynamoDB_20120810.UpdateItem",
]
_KEPT_AFTER_THE_FIRST_START = ["AmazonSSM.GetParameter", "secretsmanager.GetSecretValue"]


@dataclass(frozen=True, slots=True)
class Rounds:
    """How much is measured."""

    synths: int = 3
    first_answers: int = 31
    feed_file_bytes: int = 1024**3


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    :param ratio: Ours divided by the other; the difference if the budget is one.
    :param met: None if there is no budget.
    """

    what: str
    ours: str
    compared_with: str
    ratio: str
    budget: str = ""
    met: bool | None = None


def synth(folder: Path, rounds: Rounds) -> list[Row]:
    """Whole processes, alternating. The first of each fills caches and does not count."""
    ours: list[float] = []
    empty: list[float] = []
    for _ in range(1 + rounds.synths):
        for script, seconds in (("app.py", ours), ("tools/benchmark/empty_app.py", empty)):
            seconds.append(synthesise(script, folder / f"{Path(script).stem}.out", "prod"))
    mine, theirs = statistics.median(ours[1:]), statistics.median(empty[1:])
    ratio = mine / theirs
    return [
        Row(
            "synth of prod",
            f"{mine:.2f} s",
            f"{theirs:.2f} s, empty app",
            f"{ratio:.2f}",
            "≤ 1.3",
            ratio <= 1.3,
        )
    ]


def synthesise(script: str, outdir: Path, environment: str) -> float:
    """:returns: How many seconds it took."""
    context = json.loads((ROOT / "cdk.json").read_text())["context"] | {
        "environment": environment,
        "aws:cdk:enable-path-metadata": True,
        "aws:cdk:enable-asset-metadata": True,
        "aws:cdk:bundling-stacks": ["**"],
    }
    given = {"CDK_CONTEXT_JSON": json.dumps(context), "CDK_OUTDIR": str(outdir)}
    began = time.perf_counter()
    run([script], os.environ | given)
    seconds = time.perf_counter() - began
    if not (outdir / "manifest.json").is_file():
        raise SystemExit(f"{script} wrote no cloud assembly")
    return seconds


def first_answer(code: Path, environment: Mapping[str, str], rounds: Rounds) -> list[Row]:
    """Fresh processes, alternating: from the first import to "started", and from start to end.

    :param code: The package as it is deployed, so without bytecode.
    """
    if any(code.rglob("__pycache__")):
        raise SystemExit(f"{code} holds bytecode, which no package of ours does")
    given = {**environment, "PYTHONPATH": str(code)}
    to_answer: dict[str, list[float]] = {"start_streaming.handler": [], "boto3_peer": []}
    whole: dict[str, list[float]] = {name: [] for name in to_answer}
    steps = sorted(_STEPS_OF_A_START + _KEPT_AFTER_THE_FIRST_START)
    for _ in range(1 + rounds.first_answers):
        for name in to_answer:
            take_requests(environment["AWS_ENDPOINT_URL"])
            began = time.perf_counter()
            answer = run(["tools/benchmark/first_answer.py", name], given)
            whole[name].append(time.perf_counter() - began)
            to_answer[name].append(answer["seconds"])
            asked = sorted(r["name"] for r in take_requests(environment["AWS_ENDPOINT_URL"]))
            if answer["status"] != "started" or asked != steps:
                raise SystemExit(f"{name} answered {answer['status']} and asked {asked}")
    mine, theirs = (statistics.median(seconds[1:]) * 1000 for seconds in to_answer.values())
    my_whole, their_whole = (statistics.median(seconds[1:]) * 1000 for seconds in whole.values())
    ratio = mine / theirs
    return [
        Row(
            "start, first answer",
            f"{mine:.0f} ms",
            f"{theirs:.0f} ms, boto3",
            f"{ratio:.2f}",
            "≤ 0.35",
            ratio <= 0.35,
        ),
        Row(
            "start, whole process",
            f"{my_whole:.0f} ms",
            f"{their_whole:.0f} ms, boto3",
            f"{my_whole / their_whole:.2f}",
        ),
    ]


def warm(code: Path, environment: Mapping[str, str]) -> list[Row]:
    given = {**environment, "PYTHONPATH": str(code)}
    figures = run(["-m", "tools.benchmark.warm_answers"], given)
    if sorted(figures["round_trips"]) != _STEPS_OF_A_START:
        raise SystemExit(f"a warm start asked {figures['round_trips']}")
    whole, bare = figures["whole_ms"], figures["bare_ms"]
    more = whole - bare
    return [
        Row(
            "start, warm (p50)",
            f"{whole:.2f} ms",
            f"{bare:.2f} ms, round trips",
            f"{more:+.2f} ms",
            "≤ +1 ms",
            more <= 1,
        )
    ]


def consumer(code: Path, environment: Mapping[str, str]) -> list[Row]:
    figures = run(["-m", "tools.benchmark.full_batch"], {**environment, "PYTHONPATH": str(code)})
    ratio = figures["calls"] / figures["utterances"]
    return [
        Row(
            "consumer, full batch",
            f"{figures['calls']} calls",
            f"{figures['utterances']} utterances",
            f"{ratio:.2f}",
            "≤ 0.1",
            ratio <= 0.1,
        )
    ]


def large_file(code: Path, environment: Mapping[str, str], rounds: Rounds) -> list[Row]:
    """The most memory that the export of a file ever has, the interpreter included."""
    given = {**environment, "ASAPP_API_HOST": environment["FEED_HOST"], "PYTHONPATH": str(code)}
    figures = run(["-m", "tools.benchmark.large_file"], given)
    if figures["bytes"] != rounds.feed_file_bytes:
        raise SystemExit(f"the export took {figures['bytes']} bytes")
    peak = figures["peak_bytes"] / _KB**2
    return [
        Row(
            "export, peak memory",
            f"{peak:.0f} MB",
            f"{rounds.feed_file_bytes / _KB**2:.0f} MB file, {figures['seconds']:.0f} s",
            f"{peak * _KB**2 / rounds.feed_file_bytes:.2f}",
            "< 200 MB",
            peak < 200,
        )
    ]


def package(name: str, code: Path, folder: Path) -> Row:
    """The size as Lambda stores it, zipped."""
    target = folder / f"{name}.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in code.rglob("*.py"):
            archive.write(file, file.relative_to(code))
    size, most = target.stat().st_size / 1024, PACKAGE_KB.get(name, 30)
    return Row(f"{name}.zip", f"{size:.1f} KB", "", "", f"≤ {most} KB", size <= most)


@contextmanager
def servers(folder: Path, rounds: Rounds) -> Iterator[dict[str, str]]:
    """:returns: The whole environment of a function that uses them."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.benchmark.servers", str(folder), str(rounds.feed_file_bytes)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        urls = json.loads(process.stdout.readline() if process.stdout else "")
        yield {
            "AWS_ENDPOINT_URL": urls["aws"],
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            "AWS_SESSION_TOKEN": "token-of-the-role",
            "ASAPP_API_HOST": urls["asapp"],
            "ASAPP_CREDENTIALS_SECRET": "asapp",
            "TRANSCRIPTION_SWITCH": "switch",
            "AUTOTRANSCRIBE_PARAMS": '{"language": "en-US"}',
            "TRANSCRIPT_TABLE": "transcripts",
            "TRANSCRIPT_RETENTION_DAYS": "30",
            "CONVERSATION_ID_SOURCE": "InitialContactId",
            "START_SELECTOR": "FRAGMENT_NUMBER",
            "DEAD_LETTER_QUEUE_URL": f"{urls['aws']}/dead-letters",
            "FEED_HOST": urls["feed"],
            "EXPORT_BUCKET": "export",
            "LOOKBACK_DAYS": "1",
            "AWS_ENDPOINT_URL_S3": urls["s3"],
            "AWS_CA_BUNDLE": str(folder / "trust.pem"),
            "SSL_CERT_FILE": str(folder / "trust.pem"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
    finally:
        process.terminate()
        process.wait()


def run(arguments: list[str], environment: Mapping[str, str], seconds: float = 600) -> Any:
    """Run Python in a process of its own.

    :param seconds: The longest that it may take.
    :returns: What it printed, read as JSON; None if it printed nothing.
    """
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout) if done.stdout else None
