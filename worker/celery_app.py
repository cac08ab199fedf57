"""The Celery application: tasks named after stages, and the life of the processes."""

from __future__ import annotations

import functools
import logging
from typing import Any

import structlog
from celery import Celery, signals
from celery.exceptions import TimeLimitExceeded, WorkerLostError
from kombu.entity import Queue

from lookalike import jobs as life
from lookalike.features.extraction import extract
from storage.settings import Settings
from worker import broker_channel, logs, pipeline, receivers, stopping, tether
from worker.cleaning import Cleaning
from worker.courier import Courier
from worker.dispatch import Dispatcher
from worker.recovery import Recovery
from worker.schedules import Ticking
from worker.tools import Extract, Tools, make_tools

# Far above the longest shard: a message that comes back too early finds its shard claimed, but costs.
VISIBILITY_TIMEOUT_SECONDS = 6 * 3600
# What never returns to Python is ended after so long, and counts as a crash of its worker.
HARD_LIMITS_SECONDS = {
    life.IMPORT: 2 * 3600,
    life.EXTRACT: 30 * 60,
    life.JOIN: 4 * 3600,
    life.VERIFY: 30 * 60,
    life.GROUP: 2 * 3600,
    life.APPLY: 30 * 60,
}
SOFT_SHUTDOWN_SECONDS = 5.0
CHILD_LOOK_SECONDS = 0.5
# A child that has grown beyond this is replaced between two shards.
MOST_CHILD_KILOBYTES = 900_000

log = structlog.get_logger()


def make_app(broker_url: str, settings: Settings, extract: Extract = extract) -> Celery:
    """Return the application for this broker; the same for those who send and those who work."""
    broker_channel.install()
    app = Celery("lookalike", broker=broker_url, set_as_current=False, fixups=[])
    app.conf.update(_configuration(settings))
    app.set_default()
    processes = _Processes(app, settings, extract)
    for stage, seconds in HARD_LIMITS_SECONDS.items():
        _add_task(app, stage, seconds, processes)
    processes.listen()
    return app


def _configuration(settings: Settings) -> dict[str, Any]:
    return {
        "task_queues": [Queue(name) for name in life.QUEUES],  # type: ignore[no-untyped-call]
        "task_default_queue": life.INTERACTIVE,
        "task_ignore_result": True,
        # Retries are ours, in SQL. A message is done with when its task ends, however it ends.
        "task_acks_late": True,
        "task_reject_on_worker_lost": False,
        "task_acks_on_failure_or_timeout": True,
        "task_store_errors_even_if_ignored": False,
        "worker_prefetch_multiplier": 1,
        "worker_enable_prefetch_count_reduction": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_concurrency": settings.worker_processes,
        "worker_max_memory_per_child": MOST_CHILD_KILOBYTES,
        "worker_proc_alive_timeout": 60.0,
        "worker_soft_shutdown_timeout": SOFT_SHUTDOWN_SECONDS,
        "worker_send_task_events": False,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "broker_connection_retry": True,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_connection_timeout": 4.0,
        "broker_transport_options": {
            "visibility_timeout": VISIBILITY_TIMEOUT_SECONDS,
            # The sweep for messages of dead workers takes about 100 s otherwise.
            "unacked_restore_interval": 1,
            "unacked_restore_throttle": 1,
            # A sender must not wait for a broker that is away: the shard's row is the outbox.
            "max_retries": 1,
            "interval_start": 0,
            "interval_step": 0.1,
            "interval_max": 0.1,
            "socket_connect_timeout": 3.0,
            "socket_keepalive": True,
        },
    }


def _add_task(app: Celery, stage: str, seconds: int, processes: _Processes) -> None:
    @app.task(name=stage, time_limit=seconds)  # type: ignore[untyped-decorator]
    def run(shard_id: int) -> None:
        pipeline.run_shard(stage, shard_id, processes.tools, processes.dispatcher)


class _Processes:
    """What each process of a worker has: children their tools, the main process the recovery thread."""

    def __init__(self, app: Celery, settings: Settings, extract: Extract) -> None:
        self._app, self._settings, self._extract = app, settings, extract
        self._recovery: Recovery | None = None
        self._cleaning: Cleaning | None = None
        self._ticking: Ticking | None = None
        self._courier: Courier | None = None

    @functools.cached_property
    def tools(self) -> Tools:
        """The tools of this process, made when first asked for: after the fork."""
        return make_tools(self._settings, extract=self._extract)

    @functools.cached_property
    def dispatcher(self) -> Dispatcher:
        """Sends from this process."""
        return Dispatcher(self.tools.database, self._app, expiry_days=self._settings.job_expiry_days)

    def listen(self) -> None:
        """Hook into Celery; its signals hold us weakly, so the application keeps us."""
        self._app.lookalike_processes = self
        signals.worker_ready.connect(self._main_is_ready)
        signals.worker_shutting_down.connect(self._main_stops)
        signals.worker_shutdown.connect(self._main_has_stopped)
        signals.worker_process_init.connect(self._child_begins)
        signals.task_failure.connect(self._task_failed)
        signals.setup_logging.connect(self._set_up_logs)

    def _main_is_ready(self, sender: Any = None, **_: Any) -> None:
        # Celery looks for dead children every 5 s; a shard need not wait for that.
        sender.hub.call_repeatedly(CHILD_LOOK_SECONDS, sender.pool._pool.maintain_pool)
        self._recovery, self._cleaning = Recovery(self.tools, self.dispatcher), Cleaning(self.tools)
        self._ticking = Ticking(self.tools.database, self.dispatcher, self._settings)
        outbound, over_http = receivers.outbound_of(self._settings), self._settings.webhooks_over_http
        self._courier = Courier(self.tools.database, outbound, allow_http=over_http)
        self._recovery.start()
        self._cleaning.start()
        self._ticking.start()
        self._courier.start()

    def _main_stops(self, **_: Any) -> None:
        log.info("worker.stopping")
        stopping.stop()

    def _main_has_stopped(self, **_: Any) -> None:
        for thread in (self._courier, self._ticking, self._recovery, self._cleaning):
            if thread is not None:
                thread.stop()

    def _child_begins(self, **_: Any) -> None:
        # Nothing may go on working under a parent that is dead: nobody would tell it to stop.
        tether.die_with_parent()

    def _task_failed(self, exception: BaseException | None = None, args: Any = None, **_: Any) -> None:
        """In the main process, when a child was lost: its shard need not wait for the end of its lease."""
        if isinstance(exception, WorkerLostError | TimeLimitExceeded) and args and self._recovery:
            self._recovery.report_lost(int(args[0]))

    def _set_up_logs(self, **_: Any) -> None:
        logs.set_up(self._settings.log_level)
        logging.getLogger("celery.redirected").setLevel(logging.WARNING)
