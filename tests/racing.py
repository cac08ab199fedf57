"""Several threads at once on the same things."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

Argument = TypeVar("Argument")


def race(work: Callable[[Argument], object], arguments: Iterable[Argument]) -> list[Exception]:
    """Call work with each argument in a thread of its own, and return what was raised: at best nothing."""
    raised: list[Exception] = []

    def run(argument: Argument) -> None:
        try:
            work(argument)
        except Exception as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(argument,)) for argument in arguments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised
