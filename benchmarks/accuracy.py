"""Accuracy: how many edited copies are found, and how many distinct pictures are taken for copies.

    python benchmarks/accuracy.py PATH [--threshold 80] [--limit N] [--half reported|tuning] [--json]
                                       [--families crop30 rot30 ...]
                                       [--hard FOLDER] [--frames FOLDER] [--templates] [--no-rivals]

Each photo under PATH is edited in 98 ways (benchmarks/edits.py). A copy counts as found when it is a
candidate of its original, by the real joins, and verified at the threshold. Every pair of distinct photos is
a negative, and so is every edit against every other photo. Half of the photos, by a hash of their names, were
looked at while constants were chosen; the figures reported come from the other half.
Other hashes run on the same pictures (benchmarks/rivals.py); pictures that only look alike are measured with
the options of benchmarks/hard_negatives.py.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import hard_negatives
from benchmarks.edits import edits, jpeg
from benchmarks.expected import expected
from benchmarks.halves import is_tuning
from benchmarks.rivals import Rival, rivals
from lookalike.candidates import candidates, plan
from lookalike.decoding import decode
from lookalike.errors import DecodingError
from lookalike.features.extraction import extract
from lookalike.features.record import FEATURES
from lookalike.verification.comparison import verify
from lookalike.verification.subject import Prepared, Subject, prepare

LONGEST_SIDE = 640  # px of the originals that are edited
SHORTEST_SIDE = 64

FALSE_FLOOR = 70.0  # no two distinct photos may be as similar


@dataclass
class Original:
    """A photo, brought to a common size, with its features."""

    name: str
    data: bytes
    record: Any
    prepared: Prepared


@dataclass
class Figures:
    """What is counted while the battery runs."""

    similarities: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    relations: dict[str, dict[str, int]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )
    confusion: dict[str, dict[str, int]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )
    candidates_found: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    false_matches: list[dict[str, Any]] = field(default_factory=list)
    false_candidates: int = 0
    pairs_tried: int = 0
    verified: int = 0
    verify_seconds: float = 0.0

    def compared(self, a: Prepared, b: Prepared) -> tuple[float, str]:
        """Verify one pair, keeping the time."""
        start = time.process_time()
        comparison = verify(a, b)
        self.verify_seconds += time.process_time() - start
        self.verified += 1
        return comparison.similarity, comparison.relation


def main() -> None:
    options = _options()
    originals = list(_originals(options.path))
    figures = Figures()
    _try_distinct(originals, figures)
    chosen = [
        index
        for index, one in enumerate(originals)
        if is_tuning(Path(one.name)) == (options.half == "tuning")
    ]
    chosen = chosen[:: max(1, len(chosen) // options.limit)][: options.limit] if options.limit else chosen
    others = [] if options.no_rivals else list(rivals([one.data for one in originals]))
    for done, index in enumerate(chosen):
        _try_edits(originals, index, figures, others, options.families)
        print(f"{done + 1} of {len(chosen)} photos", file=sys.stderr, end="\r", flush=True)
    print(file=sys.stderr)
    result = _result(options, originals, chosen, figures, others)
    result["hard_negatives"] = _hard_negatives(options)
    print(json.dumps(result) if options.json else _table(result))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--threshold", type=float, default=80.0)
    parser.add_argument("--limit", type=int, default=0, help="edit only so many photos, spread over all")
    parser.add_argument("--half", choices=("reported", "tuning"), default="reported")
    parser.add_argument("--families", nargs="+", default=[], help="only these families of edits")
    parser.add_argument("--no-rivals", action="store_true")
    parser.add_argument("--hard", type=Path, action="append", default=[], metavar="FOLDER")
    parser.add_argument("--frames", type=Path, action="append", default=[], metavar="FOLDER")
    parser.add_argument("--templates", action="store_true")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _originals(path: Path) -> Iterator[Original]:
    for file in sorted(one for one in path.rglob("*") if one.is_file()):
        try:
            image = decode(file.read_bytes()).image
        except DecodingError as error:
            print(f"left out {file.name}: {error}", file=sys.stderr)
            continue
        if min(image.size) < SHORTEST_SIDE:
            continue
        scale = LONGEST_SIDE / max(image.size)
        if scale < 1:
            image = image.resize(
                (round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS
            )
        data = jpeg(image, 92)
        extracted = extract(data)
        prepared = prepare(Subject(extracted.record, extracted.proxy))
        yield Original(file.relative_to(path).as_posix(), data, extracted.record, prepared)


def _try_distinct(originals: list[Original], figures: Figures) -> None:
    """Every pair of distinct photos, through the real candidates."""
    features = np.array([one.record for one in originals], FEATURES)
    figures.pairs_tried += len(features) * (len(features) - 1) // 2
    for i, j in _candidates(features):
        figures.false_candidates += 1
        similarity, _ = figures.compared(originals[i].prepared, originals[j].prepared)
        if similarity >= FALSE_FLOOR:
            found = {"a": originals[i].name, "b": originals[j].name, "similarity": similarity}
            figures.false_matches.append(found)


def _candidates(features: np.ndarray, first_new: int = 0) -> list[tuple[int, int]]:
    pairs = {
        (int(i), int(j))
        for spec in plan(len(features), len(features) - first_new)
        for i, j in candidates(features, spec, first_new)
    }
    return sorted(pairs)


def _try_edits(
    originals: list[Original], index: int, figures: Figures, others: list[Rival], families: list[str]
) -> None:
    """All edits of one photo, or those of some families, against all originals."""
    image = Image.open(io.BytesIO(originals[index].data)).convert("RGB")
    # All are made, so that places and colours drawn at random are those of a run with all.
    made = list(edits(image, np.random.default_rng(index)))
    made = [one for one in made if not families or one.family in families]
    extracted = [extract(edit.data) for edit in made]
    count = len(originals)
    records = [one.record for one in originals] + [one.record for one in extracted]
    pairs = _candidates(np.array(records, FEATURES), count)
    matched = {(i, j - count) for i, j in pairs if i < count}
    figures.pairs_tried += len(made) * (count - 1)
    for place, (edit, features) in enumerate(zip(made, extracted, strict=True)):
        copy = prepare(Subject(features.record, features.proxy))
        is_candidate = (index, place) in matched
        figures.candidates_found[edit.family].append(is_candidate)
        similarity, relation = (
            figures.compared(originals[index].prepared, copy) if is_candidate else (0.0, "missed")
        )
        figures.similarities[edit.family].append(similarity)
        figures.relations[edit.family][relation] += 1
        right = expected(edit.family, edit.name, same_size=_same_size(image, copy), is_gray=_is_gray(image))
        if is_candidate and right:
            # What comes out as the picture was counts for the relation that was named.
            figures.confusion[relation if relation in right else min(right)][relation] += 1
        for other in sorted(i for i, p in matched if p == place and i != index):
            found, _ = figures.compared(originals[other].prepared, copy)
            if found >= FALSE_FLOOR:
                name = f"{originals[index].name} {edit.family}/{edit.name}"
                figures.false_matches.append({"a": originals[other].name, "b": name, "similarity": found})
        for rival in others:
            rival.add(index, edit.family, Image.open(io.BytesIO(edit.data)).convert("RGB"))


def _same_size(image: Image.Image, copy: Prepared) -> bool:
    return image.size == copy.full_size


def _is_gray(image: Image.Image) -> bool:
    levels = np.asarray(image.resize((64, 64)), np.int16)
    return bool(np.percentile(np.ptp(levels, axis=2), 95) < 12)


def _hard_negatives(options: argparse.Namespace) -> dict[str, Any]:
    found = {f"nearest in {one.name}": hard_negatives.nearest(one) for one in options.hard}
    found |= {f"frames of {one.name}": hard_negatives.frames(one) for one in options.frames}
    drawn = hard_negatives.templates() if options.templates else {}
    return found | {f"other text on one {kind}": one for kind, one in drawn.items()}


def _result(
    options: argparse.Namespace,
    originals: list[Original],
    chosen: list[int],
    figures: Figures,
    others: list[Rival],
) -> dict[str, Any]:
    everything = np.array([value for values in figures.similarities.values() for value in values])
    return {
        "photos": len(chosen),
        "distinct_photos": len(originals),
        "half": options.half,
        "note": "constants were chosen on the tuning half; figures of the reported half count",
        "threshold": options.threshold,
        "recall": round(float((everything >= options.threshold).mean()), 4) if len(everything) else None,
        "families": {
            name: {
                "recall": round(float((np.array(values) >= options.threshold).mean()), 4),
                "candidates": round(float(np.mean(figures.candidates_found[name])), 4),
                "p5": round(float(np.percentile(_found(values), 5)), 1),
                "median": round(float(np.median(_found(values))), 1),
                "relations": dict(figures.relations[name]),
            }
            for name, values in figures.similarities.items()
        },
        "false_matches": sum(one["similarity"] >= options.threshold for one in figures.false_matches),
        "false_matches_at_70": len(figures.false_matches),
        "false_pairs_tried": figures.pairs_tried,
        "false_pairs": figures.false_matches,
        "false_candidates_among_photos": figures.false_candidates,
        "verified_pairs": figures.verified,
        "verify_cpu_ms_per_pair": round(1e3 * figures.verify_seconds / max(1, figures.verified), 2),
        "relations": {truth: _shares(found) for truth, found in sorted(figures.confusion.items())},
        "rivals": {rival.name: rival.result() for rival in others},
    }


def _shares(found: dict[str, int]) -> dict[str, float]:
    total = sum(found.values())
    return {name: round(count / total, 4) for name, count in sorted(found.items(), key=lambda one: -one[1])}


def _found(values: list[float]) -> list[float]:
    """Similarities of those that were candidates; a missed copy has none."""
    return [value for value in values if value > 0] or [0.0]


def _table(result: dict[str, Any]) -> str:
    lines = [
        f"{result['photos']} photos of the {result['half']} half edited, threshold {result['threshold']}: "
        f"recall {result['recall']:.1%}, "
        f"{result['false_matches']} false of {result['false_pairs_tried']:,} pairs",
        f"{'family':<12}{'recall':>8}{'candid.':>9}{'p5':>7}{'median':>8}",
    ]
    lines += [
        f"{name:<12}{one['recall']:>8.1%}{one['candidates']:>9.1%}{one['p5']:>7}{one['median']:>8}"
        for name, one in sorted(result["families"].items())
    ]
    lines += [
        f"{name}: recall {one['recall']:.1%} at radius {one['radius']}"
        for name, one in result["rivals"].items()
    ]
    lines.append("relation: how often it was told (rows are what was done)")
    lines += [
        f"  {truth:<12}" + ", ".join(f"{n} {s:.1%}" for n, s in shares.items())
        for truth, shares in result["relations"].items()
    ]
    lines += [
        f"{name}: {one['pairs']} pairs of other content, {one['at_80']:.1%} at 80, {one['at_90']:.1%} at 90, "
        f"{one['series']:.1%} series; "
        f"{one['labelled_same_at_80']} of {one['labelled_same']} of the same at 80"
        + (f"; {one['unlabelled']} PAIRS WITHOUT A LABEL" if one.get("unlabelled") else "")
        for name, one in result["hard_negatives"].items()
    ]
    lines += [f"false: {one['a']} = {one['b']} ({one['similarity']})" for one in result["false_pairs"]]
    lines.append(
        f"{result['false_candidates_among_photos']} candidates among "
        f"{result['distinct_photos']} distinct photos; "
        f"{result['verify_cpu_ms_per_pair']} ms of CPU a verified pair (key points included)"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
