"""A worker: a main process that receives messages and recovers, and children that work on shards.

`python -m worker.process` runs one with settings from the environment.
"""

from __future__ import annotations

import os
import socket
import sys
import warnings

# Read by Celery when it is imported: SIGTERM gives what runs some seconds to stop between two items.
os.environ.setdefault("REMAP_SIGTERM", "SIGQUIT")
# Read by the linear algebra under NumPy and OpenCV when it is loaded: its threads spin between products as
# small as ours, and cost as much CPU again as all of extraction.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from celery import Celery
from celery.platforms import SecurityWarning

from lookalike.errors import LookalikeError, Unavailable
from storage.settings import Settings
from worker import logs
from worker.celery_app import make_app


def run(app: Celery, *, processes: int | None = None, is_alone: bool = False) -> int:
    """Run a worker until it is told to stop, and return its exit code; alone, it need not look for others."""
    # Root in a container is common; what Celery warns of (pickle) is off.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    worker = app.Worker(
        pool="prefork",
        concurrency=processes,
        hostname=f"lookalike-{os.getpid()}@{socket.gethostname()}",
        loglevel="WARNING",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=is_alone,
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


def main() -> int:
    """Run a worker of this machine's settings."""
    try:
        settings = Settings.load()
        logs.set_up(settings.log_level)
        if settings.broker_url is None:
            raise Unavailable("LOOKALIKE_BROKER_URL is not set: a worker of its own needs a broker to serve.")
        return run(make_app(settings.broker_url, settings), is_alone="--alone" in sys.argv)
    except LookalikeError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
