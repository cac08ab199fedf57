"""Learn what the check before verification weighs: prints the weights of lookalike/local/check.py.

    python benchmarks/learn_check.py PATH [--photos 40] [--layouts 8] [--count 4000]

Copies: photos of the tuning half under PATH and drawn pictures of even layouts, edited in 98 ways. Others:
parts of photos, and drawn pictures of a few templates (benchmarks/candidates.py, with other words than are
measured there). Only what is doubtful counts: neither very near nor of many votes. One logistic regression
learns of pairs found by their hashes, one of pairs found by votes; a copy of a photo counts for three of a
drawn picture, as those are what people miss. The weights of votes that are shipped were learned with others:
hard copies and other photos counted for three and four, and only copies that a glance passes and verification
proves. So this prints weights near them, and not the same.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks import candidates as mixed
from benchmarks import layouts
from benchmarks.edits import edits, jpeg
from benchmarks.halves import is_tuning
from lookalike.candidates import near_hashes, plan
from lookalike.columns import Columns
from lookalike.decoding import decode
from lookalike.errors import DecodingError
from lookalike.features.extraction import extract
from lookalike.features.record import FEATURES
from lookalike.frames import maps_between
from lookalike.index.planner import DEFAULT_MEMORY_BYTES
from lookalike.local import check
from lookalike.local import join as local

LONGEST_SIDE = 1100
PHOTO_WEIGHT, COPY_WEIGHT = 3.0, 5.0
RIDGE = 30.0
MOST_OTHERS = 30_000


class Looked(NamedTuple):
    """What is found of some pictures: pairs (n, 2), the terms weighed, and pairs sure without."""

    hash_pairs: NDArray[np.int64]
    hash_terms: NDArray[np.float64]
    vote_pairs: NDArray[np.int64]
    vote_terms: NDArray[np.float64]
    sure: NDArray[np.int64]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("path", type=Path, help="a folder of photos, no two of which are copies")
    parser.add_argument("--photos", type=int, default=40)
    parser.add_argument("--layouts", type=int, default=8, help="of each kind")
    parser.add_argument("--count", type=int, default=4000, help="pictures that are no copies")
    options = parser.parse_args()
    copies = [copies_of(image, number) for number, image in enumerate(originals(options))]
    others = looked_at(_others(options.path, options.count))
    print(table(*learned(copies, [number < options.photos for number in range(len(copies))], others)))


def looked_at(features: NDArray[np.void], first_only: bool = False) -> Looked:
    """Return what is found among FEATURES records, or of pairs with the first only."""
    columns = Columns.of(features)
    hash_pairs, hash_terms, sure = [np.empty((0, 2), np.int64)], [], [np.empty((0, 2), np.int64)]
    vote_pairs, vote_terms = [np.empty((0, 2), np.int64)], []
    for spec in plan(len(features)):
        if "seen" in spec:
            for found in near_hashes(columns, spec, DEFAULT_MEMORY_BYTES):
                if first_only:
                    found = found.take((found.seen == 0) | (found.others == 0))
                pairs = _ordered(found.seen, found.others)
                is_sure = found.is_sure
                part = found.take(~is_sure)
                first, second = columns.local_of(part.seen), columns.local_of(part.others)
                maps = maps_between(first, second, part.seen_columns, part.columns)
                sure.append(pairs[is_sure])
                hash_pairs.append(pairs[~is_sure])
                hash_terms.append(check.terms(part.bits, maps, first, second, check.plainness(first, second)))
        if "local" in spec:
            votes = local.run(columns.local, spec["local"])
            if first_only:
                votes = votes[(votes["i"] == 0) | (votes["j"] == 0)]
            pairs = _ordered(votes["i"], votes["j"])
            is_sure = votes["votes"] >= check.VOTES_SURE
            votes = votes[~is_sure]
            first, second = columns.local_of(votes["i"]), columns.local_of(votes["j"])
            rows, terms = check.terms_of_votes(votes, first, second)
            sure.append(pairs[is_sure])
            vote_pairs.append(pairs[~is_sure][rows])
            vote_terms.append(terms)
    return Looked(
        np.concatenate(hash_pairs),
        np.concatenate([np.empty((0, check.HASH_TERMS)), *hash_terms]),
        np.concatenate(vote_pairs),
        np.concatenate([np.empty((0, check.VOTE_TERMS)), *vote_terms]),
        np.concatenate(sure),
    )


def learned(
    copies: list[Looked], is_photo: list[bool], others: Looked
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weights of hashes and of votes; of each of `copies`, all pairs are copies."""
    hashes, votes, hash_weights, vote_weights = [], [], [], []
    for found, photo in zip(copies, is_photo, strict=True):
        for pairs, terms, kept, weights in (
            (found.hash_pairs, found.hash_terms, hashes, hash_weights),
            (found.vote_pairs, found.vote_terms, votes, vote_weights),
        ):
            wanted = ~np.isin(pairs[:, 1], found.sure[:, 1])
            counts = np.bincount(pairs[wanted, 1])[pairs[wanted, 1]]
            kept.append(terms[wanted])
            weights.append(COPY_WEIGHT * (PHOTO_WEIGHT if photo else 1.0) / counts)
    return (
        _weights(np.concatenate(hashes), np.concatenate(hash_weights), others.hash_terms),
        _weights(np.concatenate(votes), np.concatenate(vote_weights), others.vote_terms),
    )


def _weights(
    copies: NDArray[np.float64], weights: NDArray[np.float64], others: NDArray[np.float64]
) -> NDArray[np.float64]:
    others = others[np.random.default_rng(0).permutation(len(others))[:MOST_OTHERS]]
    # The last term is the constant.
    return regression(copies[:, :-1], weights, others[:, :-1], RIDGE)


def regression(
    copies: NDArray[np.float64], weights: NDArray[np.float64], others: NDArray[np.float64], ridge: float
) -> NDArray[np.float64]:
    """Return the weights of terms, and the constant, that tell copies from others; by Newton's method."""
    told = np.concatenate([copies, others])
    mean, spread = told.mean(axis=0), told.std(axis=0) + 1e-9
    terms = np.column_stack([(told - mean) / spread, np.ones(len(told))])
    wanted = np.repeat([1.0, 0.0], [len(copies), len(others)])
    weights = np.concatenate([weights, np.ones(len(others))])
    found = np.zeros(terms.shape[1])
    for _ in range(40):
        likely = 1 / (1 + np.exp(-terms @ found))
        slopes = weights * likely * (1 - likely) + 1e-9
        curvature = (terms * slopes[:, None]).T @ terms + ridge * np.eye(len(found))
        found += np.linalg.solve(curvature, terms.T @ (weights * (wanted - likely)) - ridge * found)
    raw = found[:-1] / spread
    return np.append(raw, found[-1] - raw @ mean)


def table(hash_weights: NDArray[np.float64], vote_weights: NDArray[np.float64]) -> str:
    """Return the lines of lookalike/local/check.py."""
    lines = []
    for name, weights in (("_VOTE_WEIGHTS", vote_weights), ("_HASH_WEIGHTS", hash_weights)):
        lines.append(f"{name} = np.array([{', '.join(f'{one:.3f}' for one in weights)}])")
    return "\n".join(lines)


def copies_of(image: Image.Image, seed: int) -> Looked:
    """Return what is found of a picture, which is row 0, and its edits."""
    made = edits(image, np.random.default_rng(seed))
    files = [jpeg(image, 95), *(edit.data for edit in made)]
    return looked_at(np.array([extract(file).record for file in files], FEATURES), first_only=True)


def originals(options: argparse.Namespace) -> Iterator[Image.Image]:
    """Yield photos of the tuning half, then drawn pictures of even layouts."""
    files = [file for file in sorted(options.path.rglob("*")) if file.is_file() and is_tuning(file)]
    random.Random(1).shuffle(files)
    left = options.photos
    for file in files:
        try:
            image = decode(file.read_bytes()).image
        except DecodingError:
            continue
        if left and min(image.size) >= mixed.LEAST_SIDE:
            left -= 1
            image.thumbnail((640, 640))
            yield image
    rng = random.Random(2)
    for number in range(options.layouts):
        drawn = [layouts.drawn(kind, 2 * number, number) for kind in layouts.KINDS]
        drawn += [mixed.styled(draw(rng), rng.randrange(mixed.LAYOUTS)) for draw in mixed.DRAWN]
        for image in drawn:
            image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            yield image.convert("RGB")


def _others(path: Path, count: int) -> NDArray[np.void]:
    return mixed.collected(path, count, 0.3, seed=2).features


def _ordered(i: NDArray[Any], j: NDArray[Any]) -> NDArray[np.int64]:
    return np.stack([np.minimum(i, j), np.maximum(i, j)], axis=1).astype(np.int64)


if __name__ == "__main__":
    main()
