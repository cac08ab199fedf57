"""Hard negatives: pictures that look alike and are not the same, and what they are taken for.

    --hard FOLDER       of the files in it, the hash-nearest pairs that are not byte-identical
    --frames FOLDER     frames of films, named film__0001: each with the next
    --templates         drawn documents, receipts and memes, layouts of odd numbers: each with other text

Pairs that show the same content were labelled by eye, by file name, in benchmarks/same_content.tsv.
"""

from __future__ import annotations

import functools
import hashlib
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.edits import jpeg
from benchmarks.layouts import KINDS, drawn
from lookalike.errors import DecodingError
from lookalike.features.extraction import extract
from lookalike.verification.comparison import verify
from lookalike.verification.subject import Prepared, Subject, prepare

NEAREST_PAIRS = 300
LAYOUTS = 40
_LABELS = Path(__file__).with_name("same_content.tsv")

Pair = tuple[str, Prepared, str, Prepared]


def nearest(folder: Path, count: int = NEAREST_PAIRS) -> dict[str, Any]:
    """Verify the hash-nearest pairs of different files in a folder."""
    subjects = _distinct(folder)
    return _figures(_nearest_pairs(subjects, count))


def frames(folder: Path) -> dict[str, Any]:
    """Verify each frame of a film against the next."""
    subjects = list(_subjects(folder))
    pairs = [(*a, *b) for a, b in pairwise(subjects) if a[0].split("__")[0] == b[0].split("__")[0]]
    return _figures(iter(pairs))


def templates(layout_count: int = LAYOUTS) -> dict[str, dict[str, Any]]:
    """Verify drawn pairs of one layout and two texts, as PNG would keep them, smaller, and compressed."""
    return {kind: _figures(_template_pairs(kind, layout_count)) for kind in KINDS}


def _template_pairs(kind: str, layout_count: int) -> Iterator[Pair]:
    for layout in range(1, 2 * layout_count, 2):
        first, second, third = (drawn(kind, layout, text) for text in range(3))
        smaller = third.resize((third.width // 2, third.height // 2), Image.Resampling.LANCZOS)
        one = _prepared(jpeg(first, 90))
        for name, other in (("text", jpeg(second, 90)), ("smaller", jpeg(smaller, 60))):
            yield f"{kind}{layout}", one, f"{kind}{layout}-{name}", _prepared(other)


def _figures(pairs: Iterator[Pair]) -> dict[str, Any]:
    same, relations, similarities, kept = _labels(), Counter[str](), [], []
    labelled = 0
    for name, a, other, b in pairs:
        if (name, other) in same or (other, name) in same:
            labelled += 1
            continue
        found = verify(a, b)
        relations[found.relation] += 1
        similarities.append(found.similarity)
        if found.similarity >= 80:
            kept.append({"a": name, "b": other, "similarity": found.similarity, "relation": found.relation})
    levels = np.array(similarities or [0.0])
    return {
        "pairs": len(similarities),
        "labelled_same": labelled,
        "at_80": round(float((levels >= 80).mean()), 4),
        "at_90": round(float((levels >= 90).mean()), 4),
        "series": round(relations["series"] / max(1, len(similarities)), 4),
        "relations": dict(relations),
        "kept": kept,
    }


@functools.cache
def _labels() -> frozenset[tuple[str, str]]:
    lines = _LABELS.read_text().splitlines() if _LABELS.exists() else []
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return frozenset((row[0], row[1]) for row in rows)


def _nearest_pairs(subjects: list[tuple[str, Prepared]], count: int) -> Iterator[Pair]:
    hashes = np.array([one.record["whole"][0] for _, one in subjects])
    distances = np.bitwise_count(hashes[:, None] ^ hashes[None]).sum(axis=2).astype(int)
    rows, columns = np.triu_indices(len(subjects), 1)
    for place in np.argsort(distances[rows, columns], kind="stable")[:count]:
        yield (*subjects[rows[place]], *subjects[columns[place]])


def _distinct(folder: Path) -> list[tuple[str, Prepared]]:
    """One of each set of byte-identical files."""
    seen, chosen = set(), []
    for name, subject in _subjects(folder):
        digest = hashlib.sha256((folder / name).read_bytes()).digest()
        if digest not in seen:
            seen.add(digest)
            chosen.append((name, subject))
    return chosen


def _subjects(folder: Path) -> Iterator[tuple[str, Prepared]]:
    for file in sorted(one for one in folder.rglob("*") if one.is_file()):
        try:
            yield file.relative_to(folder).as_posix(), _prepared(file.read_bytes())
        except DecodingError:
            continue


def _prepared(data: bytes) -> Prepared:
    extracted = extract(data)
    return prepare(Subject(extracted.record, extracted.proxy))
