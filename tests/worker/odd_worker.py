"""A worker that does what the bytes after a picture say: `python -m tests.worker.odd_worker`."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from lookalike.decoding import Limits
from lookalike.features.extraction import Extracted, extract
from storage.settings import Settings
from worker import logs
from worker.celery_app import make_app
from worker.process import run

# Put after the last byte of a JPEG, which then still is one.
SLOW = b"takes its time"
DEADLY = b"kills its worker"
BROKEN = b"meets a bug"
_HELD_BY = b"waits for "


def held_by(gate: Path) -> bytes:
    """The ending of a picture that is not extracted before the gate is there."""
    return _HELD_BY + bytes(gate)


def oddly(data: bytes, limits: Limits) -> Extracted:
    if data.endswith(SLOW):
        time.sleep(0.05)
    if _HELD_BY in data:
        gate = Path(os.fsdecode(data.rpartition(_HELD_BY)[2]))
        while not gate.exists():
            time.sleep(0.02)
    if data.endswith(DEADLY):
        os.kill(os.getpid(), signal.SIGKILL)
    if data.endswith(BROKEN):
        raise RuntimeError("this is a bug")
    return extract(data, limits)


if __name__ == "__main__":
    settings = Settings.load()
    logs.set_up("info")
    assert settings.broker_url
    sys.exit(run(make_app(settings.broker_url, settings, oddly), is_alone=True))
