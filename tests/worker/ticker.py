"""A process that looks for due schedules, second by second of a clock that runs ahead, until it is killed."""

from __future__ import annotations

import itertools
import sys

from storage.db import Database
from storage.settings import Settings
from worker.celery_app import make_app
from worker.dispatch import Dispatcher
from worker.schedules import Ticking


def main(database_url: str, broker_url: str, start: float) -> None:
    settings = Settings.load(database_url=database_url, broker_url=broker_url)
    database = Database(database_url)
    seconds = itertools.count(start)
    now = next(seconds)
    ticking = Ticking(database, Dispatcher(database, make_app(broker_url, settings)), settings, lambda _: now)
    while True:
        ticking.look()
        now = next(seconds)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
