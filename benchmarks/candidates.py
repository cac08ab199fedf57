"""Candidates an image as a collection grows, and what finding and verifying them costs beside extraction.

    python benchmarks/candidates.py PATH [--counts 1000 5000 15000] [--photos 0.6] [--layouts 50]
        [--at 1000000] [--json]

The collection is mixed and holds no copies: parts of the photos under PATH that do not overlap (each is a
picture of its own), and drawn documents, receipts, memes, charts, screenshots and icons, each kind in some
layouts that differ in proportions and tint, filled with other words, lines and shapes. Smaller collections
are parts of the largest. Candidates are those of the real joins, after the check on thumbnails. They are
verified as by two workers that take turns at the shards of a job, with what each keeps prepared. What a
larger collection costs is predicted: pairs, and so candidates and joins, grow with its square.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import compress, cycle
from pathlib import Path
from typing import Any

# As in the workers, and before NumPy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import template_pictures as templates
from lookalike import warming
from lookalike.candidates import candidates, near_hashes, plan
from lookalike.columns import Columns
from lookalike.decoding import decode
from lookalike.errors import DecodingError
from lookalike.features.extraction import extract
from lookalike.features.record import FEATURES
from lookalike.index.planner import DEFAULT_MEMORY_BYTES
from lookalike.local import join as local
from lookalike.locality import neighbours_together
from lookalike.verification.comparison import verify
from lookalike.verification.subject import Prepared, Subject, prepare
from worker.prepared import PreparedCache
from worker.stages.verifying import MOST_PAIRS

COLUMNS, ROWS = 3, 4
LEAST_SIDE = 96  # px of a part of a photo
DRAWN = (
    templates.document,
    templates.receipt,
    templates.meme,
    templates.chart,
    templates.screenshot,
    templates.icon,
)
WORKERS = 2
LAYOUTS = 50  # of each kind that is drawn
AT_FIRST_GLANCE = "other_content_in_the_same_places"

Pairs = NDArray[np.int64]


@dataclass
class Collection:
    """Distinct pictures, extracted, in random order."""

    kinds: list[str]
    features: NDArray[np.void]
    proxies: list[bytes]
    extract_ms: float


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("path", type=Path, help="a folder of photos, no two of which are copies")
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 5000, 15000])
    parser.add_argument("--photos", type=float, default=0.6, help="share of photos; the rest is drawn")
    parser.add_argument("--layouts", type=int, default=LAYOUTS, help="of each kind that is drawn")
    parser.add_argument("--at", type=int, default=1_000_000, help="images to predict the cost for")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    collection = collected(options.path, max(options.counts), options.photos, options.layouts)
    _measured(collection, 50)  # compiles the kernels
    measured = [_measured(collection, count) for count in sorted(options.counts)]
    pairs = _pairs(collection.features)[0]
    result = {
        "photos": options.photos,
        "layouts": options.layouts,
        "extract_ms_per_image": round(collection.extract_ms, 3),
        "collections": measured,
        "candidates_by_kind": _by_kind(collection, pairs),
        **_verified(collection, pairs),
    }
    result["predicted"] = [_predicted(result, one["images"]) for one in measured] + [
        _predicted(result, options.at)
    ]
    print(json.dumps(result) if options.json else _table(result))


def collected(path: Path, count: int, photos: float, layouts: int = LAYOUTS, seed: int = 1) -> Collection:
    """Return so many pictures, a share of them photos, the rest drawn in so many layouts a kind."""
    rng = random.Random(seed)
    # As files at once: fifteen thousand pictures would fill the memory.
    parts = [_jpeg(part) for part in _parts(path)]
    rng.shuffle(parts)
    parts = parts[: round(count * photos)]
    made = [("photo", part) for part in parts]
    for number in range(count - len(parts)):
        draw = DRAWN[number % len(DRAWN)]
        made.append((draw.__name__, _jpeg(styled(draw(rng), number // len(DRAWN) % layouts))))
    rng.shuffle(made)
    files = [file for _, file in made]
    extract(files[0])
    start = time.process_time()
    extracted = [extract(file) for file in files]
    spent = time.process_time() - start
    return Collection(
        [kind for kind, _ in made],
        np.array([one.record for one in extracted], FEATURES),
        [one.proxy for one in extracted],
        1000 * spent / len(files),
    )


def styled(image: Image.Image, layout: int) -> Image.Image:
    """Return the picture in the proportions and the tint of a layout."""
    style = random.Random(layout)
    across, down = style.uniform(0.6, 1.4), style.uniform(0.6, 1.4)
    size = round(image.width * across), round(image.height * down)
    paper = Image.new("RGB", size, tuple(style.randint(150, 255) for _ in range(3)))
    return ImageChops.multiply(image.convert("RGB").resize(size, Image.Resampling.LANCZOS), paper)


def _parts(path: Path) -> Iterator[Image.Image]:
    for file in sorted(one for one in path.rglob("*") if one.is_file()):
        try:
            image = decode(file.read_bytes()).image
        except DecodingError:
            continue
        width, height = image.width // COLUMNS, image.height // ROWS
        if min(width, height) < LEAST_SIDE:
            continue
        for left in range(0, COLUMNS * width, width):
            for top in range(0, ROWS * height, height):
                yield image.crop((left, top, left + width, top + height))


def _jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.convert("RGB").save(out, "JPEG", quality=90)
    return out.getvalue()


def _measured(collection: Collection, count: int) -> dict[str, Any]:
    features = collection.features[:count]
    pairs, seconds = _pairs(features)
    columns, specs = Columns.of(features), plan(count)
    start = time.process_time()
    near = sum(
        len(found.bits)
        for spec in specs
        if "seen" in spec
        for found in near_hashes(columns, spec, DEFAULT_MEMORY_BYTES)
    )
    hash_seconds = time.process_time() - start
    start = time.process_time()
    voted = sum(len(local.run(columns.local, spec["local"])) for spec in specs if "local" in spec)
    vote_seconds = time.process_time() - start
    return {
        "images": count,
        "near_per_image": round(near / count, 4),
        "voted_per_image": round(voted / count, 4),
        "candidates_per_image": round(len(pairs) / count, 4),
        "hash_join_seconds": round(hash_seconds, 2),
        "vote_join_seconds": round(vote_seconds, 2),
        "check_seconds": round(max(0.0, seconds - hash_seconds - vote_seconds), 2),
    }


def _pairs(features: NDArray[np.void]) -> tuple[Pairs, float]:
    """Return the candidates of a collection, and the seconds of CPU."""
    start = time.process_time()
    found = [candidates(features, spec) for spec in plan(len(features))]
    return np.unique(np.concatenate(found), axis=0), time.process_time() - start


def _by_kind(collection: Collection, pairs: Pairs) -> dict[str, int]:
    names = (" × ".join(sorted((collection.kinds[i], collection.kinds[j]))) for i, j in pairs.tolist())
    return dict(Counter(names).most_common(12))


def _verified(collection: Collection, pairs: Pairs) -> dict[str, Any]:
    """Verify all pairs shard by shard; each shard is the next worker's."""
    pairs = pairs[neighbours_together(pairs)]
    warming.warm()
    seconds, similarities, ended = [], [], []
    workers = cycle([PreparedCache() for _ in range(WORKERS)])
    for first in range(0, len(pairs), MOST_PAIRS):
        kept = next(workers)
        for i, j in pairs[first : first + MOST_PAIRS].tolist():
            start = time.process_time()
            found = verify(*(kept.get(row, partial(_prepared, collection)) for row in (i, j)))
            seconds.append(time.process_time() - start)
            similarities.append(found.similarity)
            ended.append(found.evidence["verdict"]["reason"] == AT_FIRST_GLANCE)
    return {
        "verify_ms_per_pair": _mean_ms(seconds),
        "ended_at_first_glance": round(float(np.mean(ended)), 4) if ended else 0,
        "glance_ms_per_pair": _mean_ms(list(compress(seconds, ended))),
        "verified_at_80": round(float(np.mean([one >= 80 for one in similarities])), 4) if ended else 0,
    }


def _mean_ms(seconds: list[float]) -> float:
    return round(1000 * float(np.mean(seconds)), 2) if seconds else 0


def _prepared(collection: Collection, row: int) -> Prepared:
    return prepare(Subject(collection.features[row], collection.proxies[row]))


def _predicted(result: dict[str, Any], count: int) -> dict[str, Any]:
    """Return the seconds of one core for so many images of this mix, by the largest measurement."""
    largest = result["collections"][-1]
    growth = count / largest["images"]
    join = growth**2 * sum(largest[f"{name}_seconds"] for name in ("hash_join", "vote_join", "check"))
    pairs = largest["candidates_per_image"] * growth * count
    verify_seconds = pairs * result["verify_ms_per_pair"] / 1000
    return {
        "images": count,
        "extract_seconds": round(count * result["extract_ms_per_image"] / 1000, 1),
        "join_seconds": round(join, 1),
        "verify_seconds": round(verify_seconds, 1),
    }


def _table(result: dict[str, Any]) -> str:
    lines = [
        f"{'images':>9}{'near/img':>11}{'voted/img':>11}{'cand./img':>11}"
        f"{'hashes s':>10}{'votes s':>9}{'check s':>9}"
    ]
    lines += [
        f"{one['images']:>9}{one['near_per_image']:>11.3f}{one['voted_per_image']:>11.3f}{one['candidates_per_image']:>11.3f}"
        f"{one['hash_join_seconds']:>10.2f}{one['vote_join_seconds']:>9.2f}{one['check_seconds']:>9.2f}"
        for one in result["collections"]
    ]
    lines.append(
        f"verification {result['verify_ms_per_pair']} ms a pair; "
        f"{result['ended_at_first_glance']:.1%} end at first glance, after {result['glance_ms_per_pair']}; "
        f"{result['verified_at_80']:.1%} are at 80 or more"
    )
    lines.append("candidates: " + ", ".join(f"{k} {n}" for k, n in result["candidates_by_kind"].items()))
    lines.append("seconds of one core by the model (joins and pairs grow with the square):")
    lines += [
        f"{one['images']:>9}  extract {one['extract_seconds']}, join {one['join_seconds']}, "
        f"verify {one['verify_seconds']}"
        for one in result["predicted"]
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
