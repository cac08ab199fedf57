"""CPU time of incremental runs against that of a full one, and whether both find the same groups.

    python benchmarks/incremental.py [--images N] [--new N] [--runs N] [--json]

Pictures are drawn into a folder; a first run imports, extracts, joins, verifies and groups them all. Then,
run after run, some are added, and one in ten of as many is removed or drawn anew; each run is measured from
the import on. In the end a full run of the same context must find the same groups. Everything happens in this
one process, stage by stage as a worker does it, so that its CPU time is the whole cost.
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
from typing import Any

# As in the workers, and before NumPy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from lookalike import jobs as life
from lookalike.warming import warm
from storage import contexts, groups
from storage.db import Database
from storage.settings import Settings
from worker import logs
from worker.tools import make_tools

# What the tests draw and work with.
sys.path.insert(0, str(Path(__file__).parent.parent))
from tests import pictures
from tests.worker.inline import Inline

SIZE = 192, 144
# One in so many pictures is a copy of the one before it, compressed again.
COPIED = 10
THRESHOLD = 90.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--new", type=int, default=0, help="new images a run; a hundredth if not given")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--database", default="", help="URL; an SQLite file if not given")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    new = arguments.new or arguments.images // 100
    logs.set_up("warning")
    warm()
    with tempfile.TemporaryDirectory(prefix="incremental") as folder:
        result = measured(Path(folder), arguments.images, new, arguments.runs, arguments.database)
    print(json.dumps(result) if arguments.json else "\n".join(f"{k:28} {v}" for k, v in result.items()))
    return 0 if result["same_groups"] else 1


def measured(folder: Path, count: int, new: int, runs: int, database_url: str) -> dict[str, object]:
    watched = folder / "pictures"
    settings = Settings.load(data_dir=folder / "data", database_url=database_url)
    tools = make_tools(settings, database=Database(settings.database_url))
    tools.database.migrate()
    inline = Inline(tools)
    with tools.database.transaction() as session:
        context_id = contexts.create(session, name="incremental").id
    draw(watched, range(count))
    first = run(inline, context_id, watched)
    later = []
    for turn in range(runs):
        start = count + turn * new
        draw(watched, range(start, start + new))
        change(watched, start, new)
        later.append(run(inline, context_id, watched))
    full = run(inline, context_id, watched, mode="full")
    found, expected = (shown(tools.database, each["job"]) for each in (later[-1], full))
    seconds = [each["cpu_seconds"] for each in later]
    return {
        "images": count,
        "new_images": new,
        "runs": runs,
        "full_cpu_seconds": first["cpu_seconds"],
        "incremental_cpu_seconds": seconds,
        "ratio": round(max(seconds) / first["cpu_seconds"], 4),
        "median_ratio": round(float(np.median(seconds)) / first["cpu_seconds"], 4),
        "rejoined_cpu_seconds": full["cpu_seconds"],
        "groups": len(expected),
        "same_groups": found == expected,
        "full_stages": first["stages"],
        "last_stages": later[-1]["stages"],
    }


def run(inline: Inline, context_id: uuid.UUID, source: Path, mode: str = "incremental") -> dict[str, Any]:
    """Do one job, and return what it cost."""
    before = time.process_time()
    asked = {"source": str(source), "complete": True, "mode": mode, "similarity_threshold": THRESHOLD}
    job = inline.run(context_id, life.FIND_DUPLICATES, **asked)
    seconds = time.process_time() - before
    if job.state != life.SUCCEEDED:
        sys.exit(f"The job {job.state}: {job.error_detail}")
    told = {name: value for name, value in job.counts.items() if isinstance(value, int)}
    print(f"{mode}: {seconds:.1f} s of CPU, {told}", file=sys.stderr, flush=True)
    return {"job": job.id, "cpu_seconds": round(seconds, 2), "stages": told}


def shown(database: Database, job_id: uuid.UUID) -> set[tuple[object, ...]]:
    """All groups of a job, as they are shown."""
    found: set[tuple[object, ...]] = set()
    cursor = None
    while True:
        with database.reading() as session:
            page = groups.page(session, job_id, round(THRESHOLD * 10), 1000, cursor)
        found |= {
            tuple((image.image_id, image.similarity, image.relation) for image in group.images)
            + tuple(sorted((image.image_id, image.similarity) for image in group.related))
            for group in page.items
        }
        if (cursor := page.next_cursor) is None:
            return found


def draw(folder: Path, numbers: range) -> None:
    for number in numbers:
        path = folder / f"{number // 1000:04d}" / f"{number:07d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(drawn(number))


def change(folder: Path, end: int, count: int) -> None:
    """Remove one in ten of as many pictures as were added, and draw as many anew, at scattered places."""
    rng = np.random.default_rng(end)
    paths = sorted(folder.rglob("*.jpg"))
    chosen = rng.choice(end - 1, 2 * max(1, count // 20), replace=False)
    for turn, place in enumerate(chosen.tolist()):
        if turn % 2:
            paths[place].unlink()
        else:
            paths[place].write_bytes(drawn(10_000_000 + end + turn))


def drawn(number: int) -> bytes:
    """A small drawn scene; other numbers are other scenes, but for the copies."""
    is_copy = number % COPIED == COPIED - 1
    return pictures.jpeg(pictures.photo(number - is_copy, SIZE), 70 if is_copy else 90)


if __name__ == "__main__":
    sys.exit(main())
