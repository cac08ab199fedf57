"""CPU time of verification per pair, by what is at hand of the two pictures.

    python benchmarks/verify.py PATH [--limit N] [--repeats N] [--json]

Photos under PATH are edited in 98 ways (benchmarks/edits.py), and each edit is compared with its photo:

    cold        proxies of neither are decoded
    half_cold   the photo was compared before, the edit was not: as pairs come in a job, sorted by their first
    warm        both were
    unlike      the pairs of distinct photos whose hashes are nearest, half cold: chance candidates

Decoding of proxies, key points and matching count; extraction does not. Times are CPU time of one process,
the least of the repeats. Proofs that pixels are identical decode the files themselves, and are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# As in the workers, and before NumPy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from PIL import Image

from benchmarks.edits import edits, jpeg
from lookalike import warming
from lookalike.decoding import decode
from lookalike.errors import DecodingError
from lookalike.features.extraction import extract
from lookalike.verification.comparison import verify
from lookalike.verification.subject import Prepared, Subject, prepare

LONGEST_SIDE = 1024  # px of the photos that are edited
SHORTEST_SIDE = 64

Pair = tuple[Subject, Subject]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("path", type=Path, help="a folder of photos")
    parser.add_argument("--limit", type=int, default=20, help="photos at most, spread over the folder")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    photos = _photos(arguments.path, arguments.limit)
    if not photos:
        print(f"There is no photo that can be decoded in {arguments.path}.", file=sys.stderr)
        return 2
    warming.warm()
    result = _measured(photos, arguments.repeats)
    print(json.dumps(result) if arguments.json else _table(result))
    return 0


def _photos(path: Path, limit: int) -> list[Image.Image]:
    files = sorted(one for one in path.rglob("*") if one.is_file())
    photos = []
    for file in files[:: max(1, len(files) // limit)]:
        try:
            image = decode(file.read_bytes()).image.convert("RGB")
        except DecodingError:
            continue
        if min(image.size) >= SHORTEST_SIDE:
            image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            photos.append(image)
    return photos[:limit]


def _measured(photos: Sequence[Image.Image], repeats: int) -> dict[str, Any]:
    originals = [_subject(jpeg(photo, 92)) for photo in photos]
    families: dict[str, list[Pair]] = defaultdict(list)
    for index, (photo, original) in enumerate(zip(photos, originals, strict=True)):
        for edit in edits(photo, np.random.default_rng(index)):
            families[edit.family].append((original, _subject(edit.data)))
    half_cold = {name: _milliseconds(pairs, repeats, _half_cold) for name, pairs in families.items()}
    pairs = [pair for of_family in families.values() for pair in of_family]
    unlike = _nearest(originals, count=10 * len(originals))
    return {
        "photos": len(photos),
        "pairs": len(pairs),
        "cold_ms": _mean(_milliseconds(pairs, repeats, _cold)),
        "half_cold_ms": _mean([one for times in half_cold.values() for one in times]),
        "warm_ms": _mean(_milliseconds(pairs, repeats, _warm)),
        "unlike_pairs": len(unlike),
        "unlike_ms": _mean(_milliseconds(unlike, repeats, _half_cold)),
        "families": {name: _mean(times) for name, times in sorted(half_cold.items())},
    }


def _subject(data: bytes) -> Subject:
    extracted = extract(data)
    return Subject(extracted.record, extracted.proxy)


def _nearest(subjects: Sequence[Subject], count: int) -> list[Pair]:
    """The pairs whose hashes are nearest."""
    hashes = np.array([one.record["whole"][0] for one in subjects])
    distances = np.bitwise_count(hashes[:, None] ^ hashes[None]).sum(axis=2)
    rows, columns = np.triu_indices(len(subjects), 1)
    order = np.argsort(distances[rows, columns], kind="stable")[:count]
    return [(subjects[i], subjects[j]) for i, j in zip(rows[order], columns[order], strict=True)]


def _cold(pair: Pair, _kept: Prepared) -> Callable[[], object]:
    return lambda: verify(prepare(pair[0]), prepare(pair[1]))


def _half_cold(pair: Pair, kept: Prepared) -> Callable[[], object]:
    return lambda: verify(kept, prepare(pair[1]))


def _warm(pair: Pair, kept: Prepared) -> Callable[[], object]:
    other = prepare(pair[1])
    verify(kept, other)
    return lambda: verify(kept, other)


def _milliseconds(
    pairs: Sequence[Pair], repeats: int, how: Callable[[Pair, Prepared], Callable[[], object]]
) -> list[float]:
    """The least CPU time of each pair."""
    kept: dict[int, Prepared] = {}
    found = []
    for pair in pairs:
        if id(pair[0]) not in kept:
            kept[id(pair[0])] = prepare(pair[0])
            # All that may ever be asked of it.
            _ = kept[id(pair[0])].keypoints, kept[id(pair[0])].mirrored_keypoints
        compare = how(pair, kept[id(pair[0])])
        found.append(min(_timed(compare) for _ in range(repeats)))
    return found


def _timed(compare: Callable[[], object]) -> float:
    start = time.process_time()
    compare()
    return 1e3 * (time.process_time() - start)


def _mean(times: Sequence[float]) -> float:
    return round(float(np.mean(times)), 2) if times else 0.0


def _table(result: dict[str, Any]) -> str:
    lines = [
        f"{result['pairs']} pairs of {result['photos']} photos and their edits, ms of CPU a pair:",
        f"{'neither prepared':<22}{result['cold_ms']:>8}",
        f"{'one prepared':<22}{result['half_cold_ms']:>8}",
        f"{'both prepared':<22}{result['warm_ms']:>8}",
        f"{'unlike, one prepared':<22}{result['unlike_ms']:>8}",
        "one prepared, by family:",
    ]
    return "\n".join(lines + [f"  {name:<20}{one:>8}" for name, one in result["families"].items()])


if __name__ == "__main__":
    sys.exit(main())
