"""Measure the join of key points: CPU seconds, memory and candidates an image, as the collection grows.

    python benchmarks/local.py PATH --sizes 15000,50000,100000 [--processes 2] [--json]

The pictures under PATH are extracted once. A collection of any size is made of their key points: each image
has as many as a real one, drawn from all there are, with an eighth of the bits of their descriptors flipped,
the words that those have then, and places drawn anew. So lists are as long and as uneven, and hits about
as many, as real pictures make them, while two images agree on a map by chance only: what templates add
depends on the collection. A tenth are copies of the image before, in the same places, to be found.

All shards are run, in processes that do nothing else. The model is CPU = a N + b N².
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled
from lookalike.decoding import Limits
from lookalike.errors import DecodingError
from lookalike.features.extraction import extract
from lookalike.local import check, join
from lookalike.local.record import KEYPOINT_COUNT, LOCAL, WORD_COUNT
from lookalike.local.vocabulary import Cells, as_words, nearest_cells, nearest_words, shipped

FLIPPED_SHARE, COPY_FLIPPED_SHARE = 0.125, 0.04
COPIED_SHARE = 0.1
_IMAGES_AT_A_TIME = 5_000


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("path", type=Path)
    parser.add_argument(
        "--sizes", type=lambda text: [int(n) for n in text.split(",")], default=[15_000, 50_000]
    )
    parser.add_argument("--pictures", type=int, default=1_500, help="most pictures to extract")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    real = _real(arguments.path, arguments.pictures)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "local.npy"
        _write(path, real, max(arguments.sizes))
        for size in arguments.sizes:
            rows.append(_measured(path, size, arguments.processes))
            print(rows[-1], file=sys.stderr, flush=True)
    result = {"pictures": len(real), "sizes": rows, "model": _model(rows)}
    print(json.dumps(result) if arguments.json else "\n".join(map(str, [*rows, result["model"]])))


def _real(path: Path, most: int) -> NDArray[np.void]:
    files = sorted(file for file in path.rglob("*") if file.is_file())
    records = []
    for file in files[:: max(1, len(files) // most)][:most]:
        try:
            records.append(extract(file.read_bytes(), Limits()).record["local"])
        except DecodingError:
            continue
    return np.array(records, LOCAL)


def _write(path: Path, real: NDArray[np.void], count: int) -> None:
    """Write a collection, in parts: the smaller ones are its beginning."""
    random = np.random.default_rng(1)
    pool = real["descriptors"][np.arange(KEYPOINT_COUNT) < real["count"][:, None]]
    mapped = np.lib.format.open_memmap(path, "w+", LOCAL, (count,))
    for start in range(0, count, _IMAGES_AT_A_TIME):
        part = real[random.integers(0, len(real), min(_IMAGES_AT_A_TIME, count - start))]
        places = random.integers(0, 1 << 31, part["places"].shape).astype(np.uint32)
        x = random.integers(0, np.maximum(2, part["width"] * 2)[:, None], part["places"].shape)
        y = random.integers(0, np.maximum(2, part["height"] * 2)[:, None], part["places"].shape)
        level = part["places"] >> 28
        part["places"] = (places & 0x0FF00000) | level << 28 | x.astype(np.uint32) | y.astype(np.uint32) << 10
        part["thumbnail"] = random.integers(0, 256, part["thumbnail"].shape)
        part["descriptors"] = pool[random.integers(0, len(pool), part["words"].shape[:2])]
        _flip(part, FLIPPED_SHARE, random)
        copies = np.flatnonzero(random.random(len(part)) < COPIED_SHARE)
        copies = copies[copies > 0]
        copied = part[copies - 1]
        _flip(copied, COPY_FLIPPED_SHARE, random)
        part[copies] = copied
        _look_up(part)
        mapped[start : start + len(part)] = part
    mapped.flush()


def _flip(records: NDArray[np.void], share: float, random: np.random.Generator) -> None:
    drawn = np.frombuffer(random.bytes(records["descriptors"].size * 8), np.uint8)
    flips = drawn.reshape(len(records), KEYPOINT_COUNT, -1) < round(share * 256)
    records["descriptors"] ^= np.packbits(flips, axis=2)


def _look_up(records: NDArray[np.void]) -> None:
    """Give the key points the words that their descriptors have."""
    used = np.arange(KEYPOINT_COUNT) < records["count"][:, None]
    vocabulary = shipped()
    centres, cells = vocabulary.centre_words, vocabulary.word_cells
    found = _words(as_words(records["descriptors"][used]), centres, cells)
    records["words"][used] = found


@compiled
def _words(descriptors: NDArray[np.uint64], centres: NDArray[np.uint64], cells: Cells) -> NDArray[np.uint16]:
    room = np.empty(len(cells.ids), np.uint64)
    tried = np.empty(len(centres), np.int32)
    found = np.zeros((len(descriptors), WORD_COUNT), np.uint16)
    for k in range(len(descriptors)):
        count = nearest_cells(descriptors[k], centres, tried)
        nearest_words(descriptors[k], tried[:count], cells, room, found[k])
    return found


def _measured(path: Path, size: int, processes: int) -> dict[str, Any]:
    shards = join.plan(size)
    started = time.perf_counter()
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, _warm, maxtasksperchild=None) as pool:
        pool.map(_nothing, range(processes))
        warmed = time.perf_counter()
        told = pool.starmap(_run, [(str(path), size, shard) for shard in shards], chunksize=1)
    seconds = time.perf_counter() - warmed
    cpu_seconds = sum(each["cpu_seconds"] for each in told)
    return {
        "images": size,
        "shards": len(shards),
        "processes": processes,
        "seconds": round(seconds, 2),
        "start_seconds": round(warmed - started, 2),
        "cpu_seconds": round(cpu_seconds, 2),
        "cpu_ns_per_pair": round(1e9 * cpu_seconds / (size * (size - 1) / 2), 3),
        "votes_per_image": round(sum(each["votes"] for each in told) / size, 4),
        "candidates_per_image": round(sum(each["candidates"] for each in told) / size, 4),
        "peak_bytes": max(each["peak_bytes"] for each in told),
    }


def _warm() -> None:
    records = np.zeros(8, LOCAL)
    join.run(records, {"a": [0, 8], "b": [0, 8]})


def _nothing(_: int) -> None:
    pass


def _run(path: str, size: int, shard: dict[str, Any]) -> dict[str, Any]:
    records = np.load(path, mmap_mode="r")[:size]
    started = time.process_time()
    votes = join.run(records, shard)
    odds = check.odds_of_votes(votes, records[votes["i"]], records[votes["j"]])
    kept = votes[check.are_worth_verifying(votes, odds)]
    pairs = np.unique(np.stack([kept["i"], kept["j"]], axis=1), axis=0)
    return {
        "cpu_seconds": time.process_time() - started,
        "votes": len(votes),
        "candidates": len(pairs),
        "peak_bytes": _peak_bytes(),
    }


def _peak_bytes() -> int:
    """Return the most memory that this process has had, pages of the file included."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage counts what the parent had when it started this one
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        return int(lines["VmHWM"].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _model(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Fit CPU seconds to a N + b N², and tell what a million images would take."""
    if len(rows) < 2:
        return {}
    sizes = np.array([row["images"] for row in rows], np.float64)
    taken = np.array([row["cpu_seconds"] for row in rows])
    # Relative errors count, not those of the largest alone.
    terms = np.stack([sizes, sizes**2], axis=1) / taken[:, None]
    (a, b), *_ = np.linalg.lstsq(terms, np.ones(len(rows)), rcond=None)
    return {
        "cpu_us_per_image": round(a * 1e6, 3),
        "cpu_ns_per_pair": round(2e9 * b, 4),
        "cpu_seconds_of_a_million": round(a * 1e6 + b * 1e12, 1),
    }


if __name__ == "__main__":
    main()
