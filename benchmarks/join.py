"""Measure the join: seconds, pairs, memory, and how near it comes to what this processor can do.

    python benchmarks/join.py --n 1000000 --bits 256 --radius 31 --cores 2 --rivals faiss,numba_brute --json

Trust `cpu_seconds` where others use the machine too. The pairs of 2,000 sampled rows are compared with brute
force each time. Rivals run in the same process, on one core, on the same data.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from numpy.typing import NDArray

from lookalike.index import brute, flat
from lookalike.index.equal import collapse
from lookalike.index.pairs import Pairs, gathered
from lookalike.index.planner import DistinctPairs, Shard, plan_shards, run_shard, self_join_distinct, warm

Hashes = NDArray[np.uint8]
_SAMPLED_ROWS = 2_000


def main() -> None:
    """Run the benchmark with the arguments of the command line."""
    args = _arguments()
    warm()
    with tempfile.TemporaryDirectory() as folder:
        hashes = _stored_hashes(Path(folder) / "hashes.npy", args)
        before = _peak_bytes()
        if args.processes:
            with multiprocessing.get_context("spawn").Pool(args.processes, warm) as pool:
                started = pool.map(_usage, range(args.processes), chunksize=1)
                found, seconds, cpu_seconds = _timed(lambda: _by_processes(pool, hashes, args.radius, folder))
                peaks, of_workers = zip(*pool.map(_usage, range(args.processes), chunksize=1), strict=True)
                of_start = sum(each for _, each in started)
                peak_bytes, cpu_seconds = max(peaks), cpu_seconds + sum(of_workers) - of_start
        else:
            found, seconds, cpu_seconds = _timed(lambda: self_join_distinct(hashes, args.radius, args.cores))
            peak_bytes = _peak_bytes()
        pairs = found.expand()
        _check(hashes, pairs, args.radius)
        result = {
            "n": args.n,
            "bits": args.bits,
            "radius": args.radius,
            "cores": args.processes or args.cores,
            "seconds": round(seconds, 4),
            "cpu_seconds": round(cpu_seconds, 4),
            "pairs": len(pairs),
            "checked_rows": min(_SAMPLED_ROWS, args.n),
            "peak_bytes": peak_bytes,
            "peak_bytes_before": before,
            "bound_fraction": round(_bound_seconds(args) / max(cpu_seconds, 1e-9), 4),
            "rivals": {name: _rival(name, hashes, args.radius) for name in args.rivals},
        }
    print(json.dumps(result) if args.json else _table(result))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=100_000, help="hashes")
    parser.add_argument("--bits", type=int, default=256, choices=(64, 256))
    parser.add_argument("--radius", type=int, default=31)
    parser.add_argument("--cores", type=int, default=1, help="threads of one process")
    parser.add_argument("--processes", type=int, default=0, help="worker processes instead of threads")
    parser.add_argument(
        "--rivals", type=lambda names: [n for n in names.split(",") if n], default=[], help=",".join(RIVALS)
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args()


def _stored_hashes(path: Path, args: argparse.Namespace) -> Hashes:
    """Make the data in a child process, so that its memory is not counted, and map it as a worker does."""
    script = Path(__file__).with_name("planted.py")
    numbers = [str(number) for number in (args.n, args.bits, args.radius)]
    subprocess.run([sys.executable, str(script), str(path), *numbers], check=True)
    hashes: Hashes = np.load(path, mmap_mode="r")
    return hashes


def _by_processes(pool: Pool, hashes: Hashes, radius: int, folder: str) -> DistinctPairs:
    """Do as workers do: each shard in whichever process is free, over the same two files."""
    distinct = collapse(hashes)
    np.save(Path(folder) / "rows.npy", distinct.rows)
    shards = plan_shards(len(distinct.rows), hashes.shape[1] * 8, radius)
    found = gathered(pool.starmap(_run_shard, [(folder, shard) for shard in shards], chunksize=1))
    return DistinctPairs(distinct, Pairs(distinct.number[found.i], distinct.number[found.j], found.distance))


def _run_shard(folder: str, shard: Shard) -> Pairs:
    hashes, rows = (np.load(Path(folder) / f"{name}.npy", mmap_mode="r") for name in ("hashes", "rows"))
    return run_shard(hashes, shard, rows)


def _usage(_: int) -> tuple[int, float]:
    """Return peak memory and CPU seconds of this process."""
    time.sleep(0.5)  # so that each process is asked once
    return _peak_bytes(), time.process_time()


def _timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def _peak_bytes() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _check(hashes: Hashes, pairs: Pairs, radius: int) -> None:
    """Compare the pairs of sampled rows with what brute force finds, and look for pairs told twice."""
    keys = pairs.i.astype(np.int64) << 32 | pairs.j
    if np.any(np.diff(keys) <= 0):
        sys.exit("A pair was told twice.")
    rows = np.unique(np.random.default_rng(0).integers(0, len(hashes), _SAMPLED_ROWS))
    sampled = np.concatenate([hashes, hashes[rows]])
    asked = range(len(hashes), len(sampled))
    truth = gathered(list(brute.pairs_between(sampled, asked, range(len(hashes)), radius)))
    one, other = rows[truth.j - len(hashes)], truth.i
    wanted = np.unique((np.minimum(one, other) << 32 | np.maximum(one, other))[one != other])
    found = keys[np.isin(pairs.i, rows) | np.isin(pairs.j, rows)]
    if not np.array_equal(wanted, found):
        sys.exit(f"Of {len(wanted)} pairs of sampled rows {len(np.intersect1d(wanted, found))} were found.")


def _bound_seconds(args: argparse.Namespace) -> float:
    """Return what the pairs that the plan compares take at this processor's measured rate, all else free."""
    from lookalike.index import bands

    ways = {shard["way"] for shard in plan_shards(args.n, args.bits, args.radius)}
    if ways != {"ring"}:
        return args.n**2 / 2 / _compared_a_second(np.uint64, args.bits // 64)
    order = np.arange(args.bits, dtype=np.int64)
    made = [
        bands.make_band(k, order, args.radius, bands.key_bits_for(args.n)) for k in range(args.bits // 16)
    ]
    share = sum(len(band.masks) / (1 << band.key_bits) for band in made)
    return args.n**2 / 2 * share / _compared_a_second(made[0].filter_type, 1)


def _compared_a_second(word: type[np.unsignedinteger[Any]], planes: int) -> float:
    """Return how many pairs one core compares a second when data is in its L1 cache and nothing is found."""
    from numba import njit

    from lookalike.index.vectors import GROUP, any_near_1

    @njit
    def compare(words, repeats):  # type: ignore[no-untyped-def]
        found = 0
        for repeat in range(repeats):
            found += any_near_1(words, (repeat % 64) * GROUP, words, 1024, 1024, np.uint64(0))
        return found

    words = np.frombuffer(np.random.default_rng(0).bytes(2112 * np.dtype(word).itemsize), word)
    compare(words, 1)
    seconds = min(_timed(lambda: compare(words, 20_000))[2] for _ in range(5))
    return 20_000 * 1024 * GROUP / seconds / planes


def _numpy_flat(hashes: Hashes, radius: int) -> int:
    return len(flat.self_join(np.ascontiguousarray(hashes), radius))


def _numba_brute(hashes: Hashes, radius: int) -> int:
    rows = range(len(hashes))
    return sum(len(part) for part in brute.pairs_between(hashes, rows, rows, radius))


def _faiss(hashes: Hashes, radius: int) -> int:
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.IndexBinaryFlat(hashes.shape[1] * 8)
    index.add(np.ascontiguousarray(hashes))
    # Its radius is exclusive, and it finds each pair in both directions and each row itself.
    limits, _, _ = index.range_search(np.ascontiguousarray(hashes), radius + 1)
    return int(limits[-1] - len(hashes)) // 2


def _pybktree(hashes: Hashes, radius: int) -> int:
    import pybktree

    numbers = [(int.from_bytes(row.tobytes(), "big"), place) for place, row in enumerate(hashes)]
    tree = pybktree.BKTree(lambda a, b: (a[0] ^ b[0]).bit_count(), numbers)
    return sum(other[1] > own[1] for own in numbers for _, other in tree.find(own, radius))


def _imagededup(hashes: Hashes, radius: int) -> int:
    """Its quickest search of 64 bits, which is all that one can do, and its tree for more."""
    from imagededup.handlers.search.bktree import BKTree
    from imagededup.handlers.search.brute_force_cython import BruteForceCython

    named = {str(place): row.tobytes().hex() for place, row in enumerate(hashes)}
    search = BruteForceCython if hashes.shape[1] == 8 else BKTree
    searched = search(named, lambda a, b: (int(a, 16) ^ int(b, 16)).bit_count())
    # Each pair is found in both directions, and each row itself.
    found = sum(len(searched.search(query=row, tol=radius)) for row in named.values())
    return (found - len(named)) // 2


RIVALS: dict[str, Callable[[Hashes, int], int]] = {
    "numpy_flat": _numpy_flat,
    "numba_brute": _numba_brute,
    "faiss": _faiss,
    "pybktree": _pybktree,
    "imagededup": _imagededup,
}


def _rival(name: str, hashes: Hashes, radius: int) -> dict[str, Any]:
    """Return the rival's seconds and pairs on one core, or why it cannot run here."""
    if name not in RIVALS:
        sys.exit(f"Unknown rival {name!r}; known: {', '.join(RIVALS)}.")
    try:
        pairs, seconds, cpu_seconds = _timed(lambda: RIVALS[name](hashes, radius))
    except ImportError as error:
        return {"error": f"{error}: install it to compare"}
    return {"seconds": round(seconds, 4), "cpu_seconds": round(cpu_seconds, 4), "pairs": pairs}


def _table(result: dict[str, Any]) -> str:
    return "\n".join(f"{name:>18}  {value}" for name, value in result.items())


if __name__ == "__main__":
    main()
