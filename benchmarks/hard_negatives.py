"""Hard negatives: pictures that look alike and are not the same, and what they are taken for.

    --hard FOLDER       of the files in it, the hash-nearest pairs that are not byte-identical
    --frames FOLDER     frames of films, named film__0001: each with the next
    --templates         drawn documents, receipts and memes, layouts of odd numbers: each with other text

benchmarks/same_content.tsv tells, by eye, which pairs show the same content, and why the others do not.
A pair that it does not name, as when the hashes change, counts as other content and among the `unlabelled`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
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
Labels = dict[frozenset[str], str]  # "same" or "other", by the names of both


def nearest(folder: Path, count: int = NEAREST_PAIRS) -> dict[str, Any]:
    """Verify the hash-nearest pairs of different files in a folder."""
    labels, pairs = _labels(), list(_nearest_pairs(_distinct(folder), count))
    known = sum(_label(labels, pair) is not None for pair in pairs)
    return _figures(pairs, labels) | {"unlabelled": len(pairs) - known}


def frames(folder: Path) -> dict[str, Any]:
    """Verify each frame of a film against the next; the labels say which cannot be told apart."""
    subjects = list(_subjects(folder))
    pairs = [(*a, *b) for a, b in pairwise(subjects) if a[0].split("__")[0] == b[0].split("__")[0]]
    return _figures(pairs, _labels())


def templates(layout_count: int = LAYOUTS) -> dict[str, dict[str, Any]]:
    """Verify drawn pairs of one layout and two texts, as PNG would keep them, smaller, and compressed."""
    return {kind: _figures(_template_pairs(kind, layout_count), {}) for kind in KINDS}


def _template_pairs(kind: str, layout_count: int) -> Iterator[Pair]:
    for layout in range(1, 2 * layout_count, 2):
        first, second, third = (drawn(kind, layout, text) for text in range(3))
        smaller = third.resize((third.width // 2, third.height // 2), Image.Resampling.LANCZOS)
        one = _prepared(jpeg(first, 90))
        for name, other in (("text", jpeg(second, 90)), ("smaller", jpeg(smaller, 60))):
            yield f"{kind}{layout}", one, f"{kind}{layout}-{name}", _prepared(other)


def _figures(pairs: Iterable[Pair], labels: Labels) -> dict[str, Any]:
    """What pairs of other content are taken for; of the same content, how many are found."""
    relations, similarities, kept = Counter[str](), [], []
    same: list[float] = []
    for pair in pairs:
        name, a, other, b = pair
        found = verify(a, b)
        if _label(labels, pair) == "same":
            same.append(found.similarity)
            continue
        relations[found.relation] += 1
        similarities.append(found.similarity)
        if found.similarity >= 80:
            kept.append({"a": name, "b": other, "similarity": found.similarity, "relation": found.relation})
    levels = np.array(similarities or [0.0])
    return {
        "pairs": len(similarities),
        "labelled_same": len(same),
        "labelled_same_at_80": sum(one >= 80 for one in same),
        "at_80": round(float((levels >= 80).mean()), 4),
        "at_90": round(float((levels >= 90).mean()), 4),
        "series": round(relations["series"] / max(1, len(similarities)), 4),
        "relations": dict(relations),
        "kept": kept,
    }


def _labels() -> Labels:
    rows = [line.split("\t") for line in _LABELS.read_text().splitlines() if not line.startswith("#")]
    return {frozenset(row[:2]): row[2] for row in rows}


def _label(labels: Labels, pair: Pair) -> str | None:
    return labels.get(frozenset((pair[0], pair[2])))


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
        digest = hashlib.sha256((folder.parent / name).read_bytes()).digest()
        if digest not in seen:
            seen.add(digest)
            chosen.append((name, subject))
    return chosen


def _subjects(folder: Path) -> Iterator[tuple[str, Prepared]]:
    for file in sorted(one for one in folder.rglob("*") if one.is_file()):
        try:
            yield file.relative_to(folder.parent).as_posix(), _prepared(file.read_bytes())
        except DecodingError:
            continue


def _prepared(data: bytes) -> Prepared:
    extracted = extract(data)
    return prepare(Subject(extracted.record, extracted.proxy))
