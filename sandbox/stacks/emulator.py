"""AWS on this machine: ministack, in an environment of its own, on loopback and a free port."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any, Self

import boto3
from botocore.config import Config

ROOT = Path(__file__).parents[2]
EXECUTABLE = ROOT / ".sandbox" / "venv" / "bin" / "ministack"
ACCOUNT = "000000000000"
REGION = "us-east-1"
_SECONDS_TO_START = 60


class SandboxError(Exception):
    """The sandbox cannot go on; says what happened, where to look and what to do."""


class Emulator:
    """The emulator, from ``with`` to the end of it.

    :param folder: Where its log goes.
    """

    def __init__(self, folder: Path) -> None:
        self._log = folder / "emulator.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.endpoint = ""

    def __enter__(self) -> Self:
        if not EXECUTABLE.exists():
            raise SandboxError(f"{EXECUTABLE} is not installed; run: make .sandbox/.installed")
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.endpoint = f"http://localhost:{port}"
        mine = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "PYTHONDONTWRITEBYTECODE": "1"}
        outside = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        with self._log.open("wb") as log:
            # A session of its own: Ctrl-C reaches us alone, and we stop it in order.
            self._process = subprocess.Popen(
                [EXECUTABLE],
                env=outside | mine,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            # The whole session: the emulator leaves functions' processes behind.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=5)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _wait_until_ready(self) -> None:
        assert self._process is not None  # noqa: S101 - made a moment ago
        until = time.monotonic() + _SECONDS_TO_START
        while time.monotonic() < until:
            if self._process.poll() is not None:
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
        outside = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        return outside | {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str, *, tries: int = 3, read_timeout: float = 60) -> Any:
        """A boto3 client of the emulator.

        :param read_timeout: Seconds.
        """
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
