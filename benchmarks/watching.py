"""Looking at a watched folder again when nothing has changed: CPU seconds, and files opened.

    python benchmarks/watching.py [--files N] [--others N] [--database URL] [--json]

The import stage alone, as a worker runs it, storing included. Opened files are counted by Python's audit
hook; `strace -f -e trace=openat` of the process tells the same.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import uuid
from pathlib import Path

from lookalike import jobs as life
from storage import contexts, shards
from storage.db import Database
from storage.settings import Settings
from worker import logs, submission
from worker.lease import Lease
from worker.stages import importing
from worker.tools import Tools, make_tools

FILES_A_FOLDER = 1000
_opened: list[str] = []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--others", type=int, default=0, help="files beside them that are no images")
    parser.add_argument("--database", default="", help="URL; an SQLite file if not given")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    logs.set_up("warning")
    with tempfile.TemporaryDirectory(prefix="watching") as name:
        folder = Path(name)
        fill(folder / "watched", arguments.files, ".jpg")
        fill(folder / "watched", arguments.others, ".xmp")
        settings = Settings.load(data_dir=folder / "data", database_url=arguments.database)
        tools = make_tools(settings, database=Database(settings.database_url))
        tools.database.migrate()
        with tools.database.transaction() as session:
            context_id = contexts.create(session, name="watched").id
        sys.addaudithook(note)
        result: dict[str, object] = {"files": arguments.files, "others": arguments.others}
        for turn in ("first", "second", "third"):
            _opened.clear()
            counts, cpu, seconds = looked(tools, context_id, folder / "watched")
            opened = sum(path.startswith(str(folder / "watched")) for path in _opened)
            result[turn] = {"cpu_seconds": cpu, "seconds": seconds, "opened": opened, **counts}
        tools.database.dispose()
    print(json.dumps(result) if arguments.json else "\n".join(f"{k:10} {v}" for k, v in result.items()))
    return 0


def fill(folder: Path, count: int, ending: str) -> None:
    for number in range(count):
        path = folder / f"{number // FILES_A_FOLDER:04d}" / f"IMG_{number:06d}{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % number)


def note(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and isinstance(arguments[0], str | bytes):
        _opened.append(os.fsdecode(arguments[0]))


def looked(tools: Tools, context_id: uuid.UUID, source: Path) -> tuple[dict[str, int], float, float]:
    """Do one import stage; return its counts, CPU seconds and seconds."""
    with tools.database.transaction() as session:
        parameters = {"source": str(source), "complete": True}
        job_id = submission.add(
            session, context_id=context_id, kind=life.EXTRACT_FEATURES, parameters=parameters
        )
        shard = shards.first_of(session, job_id, life.IMPORT)
    assert shard is not None
    cpu, began = time.process_time(), time.perf_counter()
    outcome = importing.run(shard, context_id, tools, Lease(tools.database, shard))
    with tools.database.transaction() as session:
        outcome.store(session)
    return outcome.counts, round(time.process_time() - cpu, 3), round(time.perf_counter() - began, 3)


if __name__ == "__main__":
    sys.exit(main())
