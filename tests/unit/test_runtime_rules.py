"""What the functions may import, and what happens when they are."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import shared

LAMBDAS = Path(shared.__path__[0]).parent
FUNCTIONS = sorted(path.parent.name for path in LAMBDAS.glob("*/handler.py"))
SOMEBODY_WAITS = ["authorize_webhook", "start_streaming", "stop_streaming"]
"""A caller, or a webhook that is not repeated: boto3 alone would cost them their budget."""
IN_THE_RUNTIME = {"boto3", "botocore", "urllib3"}


def modules(name: str) -> list[Path]:
    return sorted((LAMBDAS / name).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """The dotted names that a file imports anywhere, at the top or inside of a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a function's imports are absolute"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def roots(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported(path)}


def used_of_shared(path: Path) -> set[Path]:
    """The modules of ``shared`` that a file imports itself."""
    found = {LAMBDAS.joinpath(*name.split(".")).with_suffix(".py") for name in imported(path)}
    return found & set(modules("shared"))


SHARED = {path: used_of_shared(path) for path in modules("shared")}


def reached(function: str) -> set[Path]:
    """A function's files, with all of ``shared`` that they lead to."""
    files = set(modules(function))
    ahead = set().union(*(used_of_shared(path) for path in files))
    seen: set[Path] = set()
    while ahead:
        path = ahead.pop()
        seen.add(path)
        ahead |= SHARED[path] - seen
    return files | seen


def python(code: str, *flags: str) -> str:
    """What a fresh interpreter prints, that knows ``lambdas`` and no environment variable."""
    ran = subprocess.run(
        [
            sys.executable,
            "-I",
            "-B",
            *flags,
            "-c",
            f"import sys; sys.path.insert(0, sys.argv[1])\n{code}",
            LAMBDAS,
        ],
        env={},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    return ran.stdout


def test_the_functions_are_found() -> None:
    assert set(SOMEBODY_WAITS) < set(FUNCTIONS)
    assert {"store_transcript", "publish_utterance"} < set(FUNCTIONS)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_imports_the_standard_library_boto3_shared_and_itself(function: str) -> None:
    allowed = sys.stdlib_module_names | IN_THE_RUNTIME | {"shared", function}
    for path in modules(function):
        assert roots(path) <= allowed, path


def test_shared_imports_the_standard_library_boto3_and_itself() -> None:
    for path in modules("shared"):
        assert roots(path) <= sys.stdlib_module_names | IN_THE_RUNTIME | {"shared"}, path


def test_shared_has_no_circle_of_imports() -> None:
    order = list(graphlib.TopologicalSorter(SHARED).static_order())
    assert set(order) == set(SHARED)
    names = [path.relative_to(LAMBDAS / "shared").as_posix() for path in order]
    assert names.index("runtime.py") < names.index("aws/api.py")
    assert names.index("aws/api.py") < names.index("calls/conversation_table.py")


@pytest.mark.parametrize("function", SOMEBODY_WAITS)
def test_where_somebody_waits_boto3_is_in_no_file_that_is_reached(function: str) -> None:
    files = reached(function)
    assert LAMBDAS / "shared" / "aws" / "api.py" in files
    for path in files:
        assert not roots(path) & IN_THE_RUNTIME, path


def test_where_somebody_waits_the_standard_library_is_enough() -> None:
    # Without site-packages, any other import at the top of a file would fail.
    lines = "\n".join(f"import {function}.handler" for function in SOMEBODY_WAITS)
    loaded = python(f"{lines}\nprint(*sys.modules)", "-S").split()
    assert "start_streaming.handler" in loaded
    assert not {name.partition(".")[0] for name in loaded} & IN_THE_RUNTIME


WATCH = """
import threading
import boto3  # what it does at its own import is not ours
seen = []
FORBIDDEN = ("socket.", "subprocess.", "os.system", "os.putenv", "os.mkdir", "shutil.", "tempfile.")
def watch(event, arguments):
    writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    if event.startswith(FORBIDDEN) or writes:
        seen.append(event)
        raise PermissionError(event)
sys.addaudithook(watch)
"""
CHECK = """
import functools
made = [
    f"{module.__name__}.{name}"
    for module in list(sys.modules.values())
    if module.__name__.partition(".")[0] in ("shared", FUNCTION)
    for name, value in vars(module).items()
    if isinstance(value, functools._lru_cache_wrapper) and value.cache_info().currsize
]
print(seen, made, threading.active_count())
"""


def test_importing_any_function_does_nothing() -> None:
    """No environment variable is needed, no socket, no file, no thread; no client is made."""
    code = WATCH
    for function in FUNCTIONS:
        code += f"import {function}.handler\nFUNCTION = {function!r}\n{CHECK}"
    assert python(code).splitlines() == ["[] [] 1"] * len(FUNCTIONS)


EAGER = """
import functools, shared.environment, socket
try: socket.create_connection(("127.0.0.1", 9), 1)
except PermissionError: pass
shared.environment.conversations = functools.cache(lambda: 1)
shared.environment.conversations()
FUNCTION = ""
"""


def test_that_check_sees_what_connects_and_what_makes_a_client() -> None:
    (line,) = python(WATCH + EAGER + CHECK).splitlines()
    assert line == "['socket.getaddrinfo'] ['shared.environment.conversations'] 1"
