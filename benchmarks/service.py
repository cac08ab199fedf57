"""Images per second through HTTP, queue, workers and database, against a bare loop of extraction.

    python benchmarks/service.py [--images N] [--context-size N] [--processes N] [--database NAME] [--json]

Both sides run in one go, with as many processes, on the same drawn pictures. The service's time begins with
the first upload and ends when the last image has its features. CPU time is given too, which says more than
the clock on a busy machine; the client's own is part of it. `--context-size` puts so many images with
features into the context first: it must not matter how many are there already. Their duplicates are found
before the uploads, and what is done with the result is measured too: see benchmarks/generated.py.
`--database postgresql` uses a server of its own, as the tests do.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# As in the workers, and before NumPy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import httpx
import numpy as np
import psutil
import uvicorn
from PIL import Image, ImageFilter

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from api.app import create_app
from benchmarks import generated
from cli.http import listening
from lookalike.decoding import Limits
from lookalike.features.extraction import extract
from storage.blobs import Blobs
from storage.db import Database
from storage.settings import Settings
from tests import servers
from worker import logs
from worker.celery_app import make_app
from worker.dispatch import Dispatcher
from worker.embedded import Embedded

IMAGES_PER_REQUEST = 100
SENDERS = 2
BOUNDARY = "lookalike-benchmark"
# Enough for every process to have had some.
WARM_UP = 64
DRAWN = 24


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1000, help="to upload; 0 measures the context alone")
    parser.add_argument("--side", type=int, default=1600, help="longer side of the pictures in pixels")
    parser.add_argument("--context-size", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    logs.set_up("warning")  # standard output is for the result
    result: dict[str, Any] = {
        "processes": arguments.processes,
        "context_size": arguments.context_size,
        "database": arguments.database,
    }
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = Settings.load(
            data_dir=folder,
            database_url=database_url(arguments.database, folder, stack),
            worker_processes=arguments.processes,
        )
        with running(settings) as (client, _):
            context_id = client.post("/v1/contexts", json={"name": "benchmark"}).json()["id"]
            if arguments.context_size:
                size = arguments.context_size
                result["context"] = generated.whole_job(client, settings, context_id, size, drawn(DRAWN, 400))
            if arguments.images:
                pictures = drawn(WARM_UP + arguments.images, arguments.side)
                service = whole_service(pictures, client, context_id)
        if arguments.images:
            bare = bare_loop(pictures, arguments.processes)
            result |= {
                "images": arguments.images,
                "bytes_per_image": sum(map(len, pictures)) // len(pictures),
                "images_per_second": round(1 / service.seconds, 2),
                "bare_images_per_second": round(1 / bare.seconds, 2),
                "ratio": round(bare.seconds / service.seconds, 3),
                "cpu_ms_per_image": round(1000 * service.cpu_seconds, 2),
                "bare_cpu_ms_per_image": round(1000 * bare.cpu_seconds, 2),
                "cpu_ratio": round(bare.cpu_seconds / service.cpu_seconds, 3),
            }
    print(json.dumps(result) if arguments.json else "\n".join(f"{k:28} {v}" for k, v in result.items()))
    return 0


def database_url(kind: str, folder: Path, stack: ExitStack) -> str:
    """Return where the database is, in the folder or on a server that lives as long as the stack."""
    if kind == "sqlite":
        return f"sqlite:///{folder / 'lookalike.db'}"
    server = stack.enter_context(servers.postgresql())
    server.execute("CREATE DATABASE service")
    return server.url_of("service")


def drawn(count: int, side: int) -> list[bytes]:
    """Return JPEGs of different bytes, with about the detail of photos from a phone."""
    rng = np.random.default_rng(5)
    size = side, side * 3 // 4
    scene = rng.integers(0, 255, (size[1] // 16, size[0] // 16, 3)).astype(np.uint8)
    base = Image.fromarray(scene).resize(size, Image.Resampling.BICUBIC).filter(ImageFilter.SHARPEN)
    encoded = []
    for number in range(min(count, DRAWN)):
        buffer = io.BytesIO()
        base.rotate(360 * number / DRAWN).save(buffer, "JPEG", quality=88)
        encoded.append(buffer.getvalue())
    # Bytes after its end do not change a JPEG, but the service must take it for another one.
    return [encoded[number % DRAWN] + number.to_bytes(4, "big") for number in range(count)]


@dataclass(frozen=True)
class Taken:
    """Time taken, per image."""

    seconds: float
    cpu_seconds: float


def bare_loop(pictures: list[bytes], processes: int) -> Taken:
    """Measure the extraction alone in a pool of processes, after some images to warm up."""
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        pool.map(_extracted, pictures[:WARM_UP], chunksize=4)
        before, started = _tree_cpu_seconds(), time.perf_counter()
        pool.map(_extracted, pictures[WARM_UP:], chunksize=4)
        ended = time.perf_counter()
        cpu_seconds = _tree_cpu_seconds() - before
    count = len(pictures) - WARM_UP
    return Taken((ended - started) / count, cpu_seconds / count)


def _extracted(data: bytes) -> int:
    return len(extract(data, Limits()).proxy)


def whole_service(pictures: list[bytes], client: httpx.Client, context_id: str) -> Taken:
    """Measure from the first upload to the last feature; the client's own time is part of it."""
    _wait(client, _upload(client, context_id, pictures[:WARM_UP], "warm"))
    starts = range(WARM_UP, len(pictures), IMAGES_PER_REQUEST)
    before, started = _tree_cpu_seconds(), time.perf_counter()
    with ThreadPoolExecutor(SENDERS) as pool:
        jobs = list(
            pool.map(
                lambda i: _upload(client, context_id, pictures[i : i + IMAGES_PER_REQUEST], f"{i}"),
                starts,
            )
        )
    for job in jobs:
        _wait(client, job)
    ended = time.perf_counter()
    cpu_seconds = _tree_cpu_seconds() - before
    count = len(pictures) - WARM_UP
    return Taken((ended - started) / count, cpu_seconds / count)


def _tree_cpu_seconds() -> float:
    process = psutil.Process()
    times = [each.cpu_times() for each in [process, *process.children(recursive=True)]]
    return sum(each.user + each.system for each in times)


@contextmanager
def running(settings: Settings) -> Iterator[tuple[httpx.Client, Database]]:
    """Run everything as `lookalike serve` does, and give a client of it."""
    database = Database(settings.database_url)
    with Embedded(settings) as embedded, listening("127.0.0.1", 0, settings) as listener:
        dispatcher = Dispatcher(database, make_app(embedded.broker_url, settings))
        app = create_app(settings, database, Blobs(settings.blob_url), dispatcher)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        port = listener.getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
            yield client, database
        server.should_exit = True
        thread.join()


def _upload(client: httpx.Client, context_id: str, pictures: list[bytes], name: str) -> str:
    """Upload pictures in one request, by the plainest client there is: its time counts as the service's."""
    connection = http.client.HTTPConnection(client.base_url.host, client.base_url.port)
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    connection.request("POST", f"/v1/contexts/{context_id}/images", _multipart(pictures, name), headers)
    answer = json.load(connection.getresponse())
    connection.close()
    job_id: str = answer["id"]
    return job_id


def _multipart(pictures: list[bytes], name: str) -> bytes:
    parts = []
    for number, data in enumerate(pictures):
        disposition = f'form-data; name="files"; filename="{name}-{number}.jpg"'
        parts += [f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n".encode(), data, b"\r\n"]
    return b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])


def _wait(client: httpx.Client, job_id: str) -> None:
    while (job := client.get(f"/v1/jobs/{job_id}").json())["state"] in ("queued", "running"):
        time.sleep(0.1)
    if job["state"] != "succeeded" or job["counts"].get("failed"):
        sys.exit(f"The job {job['state']}: {job}")


if __name__ == "__main__":
    sys.exit(main())
