"""Tie a process to its parent: when the parent dies, however it dies, so does the process.

Run as a script, it ties a command: `python tether.py PARENT_PID COMMAND…`.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1
_KERNEL_WATCHES = sys.platform.startswith("linux")
_LOOK_SECONDS = 0.5


def die_with_parent() -> None:
    """Have this process killed when its parent dies."""
    parent = os.getppid()
    if _KERNEL_WATCHES:
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        return
    threading.Thread(target=_watch, args=(parent,), name="tether", daemon=True).start()


def command(*arguments: str) -> list[str]:
    """Return the command line that runs a command tied to this process.

    On Linux start it from a thread that lives as long as the process: the kernel watches the thread.
    """
    return [sys.executable, "-S", "-E", os.path.abspath(__file__), str(os.getpid()), *arguments]  # noqa: PTH100


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)


def _run(parent: int, arguments: list[str]) -> None:
    if _KERNEL_WATCHES:
        die_with_parent()
        if os.getppid() == parent:
            os.execvp(arguments[0], arguments)
        sys.exit(1)
    child = subprocess.Popen(arguments)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, frame: child.send_signal(got))
    while os.getppid() == parent:
        try:
            sys.exit(child.wait(_LOOK_SECONDS))
        except subprocess.TimeoutExpired:
            continue
    child.kill()


if __name__ == "__main__":
    _run(int(sys.argv[1]), sys.argv[2:])
