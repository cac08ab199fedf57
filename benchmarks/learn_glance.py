"""Learn what the first glance weighs: prints the weights of lookalike/verification/glance.py.

    python benchmarks/learn_glance.py PATH [--photos 25] [--layouts 5] [--count 5000]

Copies: photos of the tuning half under PATH and drawn pictures of even layouts, edited in 98 ways. Others:
the candidates in a mixed collection of parts of photos and drawn pictures of a few templates, with other
words than benchmarks/candidates.py has. Only what is doubtful counts: copies that verification proves
without a glance, others that it does not. A copy counts for four others. Tells, too, how many of either
are left at which odds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from numpy.typing import NDArray

from benchmarks import candidates as mixed
from benchmarks.edits import edits, jpeg
from benchmarks.learn_check import originals, regression
from lookalike.candidates import candidates, plan
from lookalike.features.extraction import Extracted, extract
from lookalike.features.record import FEATURES
from lookalike.similarity import LEAST_OF_COPIES
from lookalike.verification.comparison import closely
from lookalike.verification.glance import MEASURES, glance
from lookalike.verification.subject import Prepared, Subject, prepare

COPY_WEIGHT, RIDGE = 4.0, 10.0
ODDS = (-3.0, -2.5, -2.0, -1.8, -1.6, -1.4, -1.2, -1.0, -0.5, 0.0)


class Looked(NamedTuple):
    """MEASURES (n, m) of pairs that a glance is needed for, and which of them verification calls copies."""

    measures: NDArray[np.float64]
    is_copy: NDArray[np.bool_]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("path", type=Path, help="a folder of photos, no two of which are copies")
    parser.add_argument("--photos", type=int, default=25)
    parser.add_argument("--layouts", type=int, default=5, help="of each kind")
    parser.add_argument("--count", type=int, default=5000, help="pictures that are no copies")
    options = parser.parse_args()
    copies = [
        of_copies([extract(file) for file in _files(image, number)])
        for number, image in enumerate(originals(options))
    ]
    collection = mixed.collected(options.path, options.count, 0.5, seed=2)
    print(table(copies, of_others(collection.features, collection.proxies)))


def _files(image: mixed.Image.Image, number: int) -> Iterator[bytes]:
    yield jpeg(image, 95)
    yield from (edit.data for edit in edits(image, np.random.default_rng(number)))


def of_copies(extracted: list[Extracted]) -> Looked:
    """Look at a picture, the first, and those of its edits that are candidates."""
    features = np.array([one.record for one in extracted], FEATURES)
    found = _candidates(features)
    return of_pairs(features, [one.proxy for one in extracted], found[found[:, 0] == 0])


def of_others(features: NDArray[np.void], proxies: list[bytes]) -> Looked:
    """Look at all candidates of a collection without copies."""
    return of_pairs(features, proxies, _candidates(features))


def _candidates(features: NDArray[np.void]) -> NDArray[np.int64]:
    return np.unique(np.concatenate([candidates(features, spec) for spec in plan(len(features))]), axis=0)


def of_pairs(features: NDArray[np.void], proxies: list[bytes], pairs: NDArray[np.int64]) -> Looked:
    """Look at pairs (n, 2), sorted by their first."""
    measures, is_copy = [], []
    first, row = None, -1
    for i, j in pairs.tolist():
        if i != row:
            first, row = prepare(Subject(features[i], proxies[i])), i
        assert first is not None
        second = prepare(Subject(features[j], proxies[j]))
        one, other = (second, first) if second.key < first.key else (first, second)
        if (seen := glance(one.sketch, other.sketch)) is not None:
            measures.append(seen.measures)
            is_copy.append(_is_copy(one, other))
    return Looked(np.array(measures).reshape(-1, len(MEASURES)), np.array(is_copy, np.bool_))


def _is_copy(one: Prepared, other: Prepared) -> bool:
    return closely(one, other, negative=False, swapped=False).similarity >= LEAST_OF_COPIES


def table(copies: list[Looked], others: Looked) -> str:
    """Return the lines of lookalike/verification/glance.py, and what is left at which odds."""
    found = np.concatenate([one.measures[one.is_copy] for one in copies])
    chance = others.measures[~others.is_copy]
    weights = regression(found, np.full(len(found), COPY_WEIGHT), chance, RIDGE)
    lines = [f'    ("{name}", {one:.3f}),' for name, one in zip(MEASURES, weights[:-1], strict=True)]
    lines.append(f"_CONSTANT = {weights[-1]:.3f}")
    kept, lost = chance @ weights[:-1] + weights[-1], found @ weights[:-1] + weights[-1]
    lines += [
        f"odds of {odds} and more: {(lost < odds).sum()} of {len(lost)} copies lost, "
        f"{(kept >= odds).sum()} of {len(kept)} others kept"
        for odds in ODDS
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
