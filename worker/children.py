"""Processes that live as long as this one, and are started again when they die."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from worker import tether

STOP_SECONDS = 8.0
LOOK_SECONDS = 0.05
# One that dies soon after its start is started again after a pause, which doubles each time.
SOON_SECONDS = 10.0
LEAST_PAUSE_SECONDS, MOST_PAUSE_SECONDS = 0.1, 5.0
MOST_LOG_BYTES = 10_000_000

log = structlog.get_logger()


class Child:
    """A process of ours, its output in log_path."""

    def __init__(
        self,
        name: str,
        command: list[str],
        log_dir: Path,
        environment: dict[str, str] | None = None,
        *,
        before_restart: Callable[[], object] = lambda: None,
    ) -> None:
        self.log_path = log_dir / f"{name}.log"
        self._name, self._command, self._environment = name, command, environment
        self._before_restart = before_restart
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._restart_at: float | None = None
        self._pause_seconds = LEAST_PAUSE_SECONDS

    def start(self) -> None:
        """Start the process, tied to this one."""
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        if self.log_path.exists() and self.log_path.stat().st_size > MOST_LOG_BYTES:
            self.log_path.replace(self.log_path.with_suffix(".old.log"))
        with self.log_path.open("ab") as file:
            self._process = subprocess.Popen(
                tether.command(*self._command),
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                # Ctrl+C in the terminal is for the command; it stops its children itself.
                start_new_session=True,
            )
        self._started_at = time.monotonic()
        self._restart_at = None

    def is_running(self) -> bool:
        """Tell whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def look(self) -> None:
        """Start the process again if it has died."""
        if self.is_running():
            return
        now = time.monotonic()
        if self._restart_at is None:
            died_soon = now - self._started_at < SOON_SECONDS
            self._pause_seconds = (
                min(2 * self._pause_seconds, MOST_PAUSE_SECONDS) if died_soon else LEAST_PAUSE_SECONDS
            )
            self._restart_at = now + self._pause_seconds
            code = self._process.returncode if self._process else None
            log.warning("child.died", name=self._name, code=code, log=str(self.log_path))
        elif now >= self._restart_at:
            self._before_restart()
            self.start()

    def stop(self, is_idle: Callable[[], bool] = lambda: False) -> None:
        """Ask the process to stop, and make sure that it does, with all that it has started.

        As soon as it is idle there is nothing to wait for: Celery would take seconds to close its pool.
        """
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline and not is_idle():
            time.sleep(LOOK_SECONDS)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
