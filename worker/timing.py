"""A limit on the time that one image may take."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from lookalike.errors import DecodingError


class TooSlow(DecodingError):
    """The image took too long to decode."""

    code = "too_slow"


class TooHeavy(DecodingError):
    """The image needs more memory than there is."""

    code = "too_heavy"


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Raise TooSlow inside the block when the time is up, as soon as Python code runs again.

    Code that never returns to Python is ended by Celery's hard limit, as a crash of its worker.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise TooSlow(f"The image took more than {seconds:g} s to decode.")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
