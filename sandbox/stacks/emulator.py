"""AWS on this machine: runs ministack with its own environment, on a free port of loopback."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any, Self

import boto3
from botocore.config import Config

from sandbox.stacks.free_port import free_port
from sandbox.stacks.processes import running

ROOT = Path(__file__).parents[2]
EXECUTABLE = ROOT / ".sandbox" / "venv" / "bin" / "ministack"
ACCOUNT = "000000000000"
REGION = "us-east-1"
_SECONDS_TO_START = 60


class SandboxError(Exception):
    """The sandbox cannot go on. The message says what happened, where to look and what to do."""


class Emulator:
    """A context manager: the emulator runs from ``with`` to the end of it.

    :param folder: Where its log and its temporary files go.
    :ivar pid: Its process, which leads the session of all that it starts.
    """

    pid: int

    def __init__(self, folder: Path) -> None:
        self._log = folder / "emulator.log"
        self._temporary = folder / "tmp"
        self._stack = contextlib.ExitStack()
        self._clients: dict[tuple[str, int, float], Any] = {}
        self._one = threading.Lock()
        self.endpoint = ""

    def __enter__(self) -> Self:
        if not EXECUTABLE.exists():
            raise SandboxError(f"{EXECUTABLE} is not installed; run: make .sandbox/.installed")
        port = free_port()
        self.endpoint = f"http://localhost:{port}"
        self._temporary.mkdir()
        mine = {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "IOT_MTLS_ENABLED": "0",  # else it takes a fixed port
            "PYTHONDONTWRITEBYTECODE": "",  # its packages are installed without bytecode
            "STATE_DIR": str(self._temporary / "state"),  # the keys of user pools
        }
        with contextlib.ExitStack() as stack:
            process = stack.enter_context(
                running(
                    [EXECUTABLE],
                    environment=self._outside | mine,
                    log=self._log,
                    dies_with_us=True,
                )
            )
            self.pid = process.pid
            self._wait_until_ready(process)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        shutil.rmtree(self._temporary, ignore_errors=True)

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + _SECONDS_TO_START
        while time.monotonic() < until:
            if process.poll() is not None:
                raise SandboxError(f"the emulator ended at once; its log: {self._log}")
            try:
                urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=2).close()  # noqa: S310
                return
            except OSError:
                time.sleep(0.05)
        raise SandboxError(
            f"the emulator was not ready within {_SECONDS_TO_START} s; its log: {self._log}"
        )

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which every AWS tool talks to the emulator, and to nothing else."""
        return self._outside | self.variables | {"AWS_EC2_METADATA_DISABLED": "true"}

    @property
    def variables(self) -> dict[str, str]:
        """The variables that a person sets in a shell to use the emulator."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }

    @property
    def _outside(self) -> dict[str, str]:
        """Our own variables, without AWS's, and with a folder for temporary files of this run."""
        ours = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        return ours | {"TMPDIR": str(self._temporary)}

    def client(self, service: str, *, tries: int = 3, read_timeout: float = 60) -> Any:
        """A boto3 client of the emulator, the same one each time: making one takes long.

        :param read_timeout: Seconds.
        """
        key = service, tries, read_timeout
        with self._one:
            if key not in self._clients:
                self._clients[key] = self._new_client(*key)
            return self._clients[key]

    def _new_client(self, service: str, tries: int, read_timeout: float) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(
                read_timeout=read_timeout,
                retries={"mode": "standard", "total_max_attempts": tries},
                max_pool_connections=50,
            ),
        )
