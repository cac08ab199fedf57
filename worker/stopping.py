"""One byte that a worker shares with its children: set when the worker is to stop."""

from __future__ import annotations

import mmap

# Anonymous shared memory survives a fork: what the parent writes, its children see.
_flag = mmap.mmap(-1, 1)


def is_stopping() -> bool:
    """Tell whether this worker has been asked to stop."""
    return _flag[0] != 0


def stop() -> None:
    """Ask all processes of this worker to give back what they hold, between two items."""
    _flag[0] = 1
