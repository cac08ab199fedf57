"""Run the `lookalike` command as a user does: another process, a real data directory."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "cli.main"]
PATIENCE_SECONDS = 60


def environment(**variables: str) -> dict[str, str]:
    """The environment without settings of this machine."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("LOOKALIKE_")}
    return {**plain, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **variables}


def run(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@contextmanager
def running(*arguments: object, log: Path, env: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Keep the command running; stop it as a terminal's Ctrl-C or a service manager would."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)], env=dict(env), stdout=file, stderr=file, start_new_session=True
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a server says that all its parts are there."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=2):
                return
        except (OSError, urllib.error.URLError):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"no start: {log.read_text()}") from None
            time.sleep(0.05)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
