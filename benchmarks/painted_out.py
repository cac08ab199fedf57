"""Painted out: what a photo is taken for whose main object, or a part of it, was hidden by its surroundings.

    python benchmarks/painted_out.py PATH [--half reported|tuning] [--limit N]

The main object of each photo under PATH is looked for (benchmarks/painting.py; photos without a clear
one are left out) and painted over in five ways, whole and a part of 20 to 35 %. Each copy is saved in
four: as PNG, as JPEG of 92 and of 75, and at 60 % of the size. Columns are shares: `told` is edited at
60 to 79.9, at most 15 of 100 in shared detail, and boxes that cover half of the object; `kept` is 70 or
more in shared detail.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.edits import encoded, jpeg
from benchmarks.halves import is_tuning
from benchmarks.painting import WAYS, Mask, main_object, painted_out, part_of
from lookalike.errors import DecodingError
from lookalike.features.extraction import extract
from lookalike.verification.comparison import Comparison, verify
from lookalike.verification.subject import Prepared, Subject, prepare

MOST_SHARED, LEAST_KEPT, COVERED = 15.0, 70.0, 0.5


@dataclass(frozen=True)
class Outcome:
    """What one painted copy was taken for."""

    groups: tuple[str, ...]
    relation: str
    similarity: float
    shared_detail: float
    covered: float

    @property
    def is_told(self) -> bool:
        """Whether all is as it should be where the whole object is gone."""
        is_edited = self.relation == "edited" and 60 <= self.similarity < 80
        return is_edited and self.shared_detail <= MOST_SHARED and self.covered >= COVERED


def measured(paths: list[Path], limit: int) -> Iterator[Outcome]:
    """Paint and compare; photos without a clear main object do not count."""
    count = 0
    for path in paths:
        try:
            picture = Image.open(path).convert("RGB")
            original = _prepared(path.read_bytes())
        except (OSError, DecodingError):
            continue
        pixels = np.asarray(picture, np.uint8)
        mask = main_object(pixels)
        if mask is None or count == limit:
            continue
        count += 1
        for kind, one in (("whole", mask), ("part", part_of(mask, np.random.default_rng(count)))):
            for way in WAYS:
                painted = Image.fromarray(painted_out(pixels, one, way))
                for how, data in _saved(painted):
                    yield _outcome(verify(original, _prepared(data)), one, (kind, way, how))


def _saved(painted: Image.Image) -> Iterator[tuple[str, bytes]]:
    yield "png", encoded(painted, "PNG", compress_level=1)
    yield "jpeg92", jpeg(painted, 92)
    yield "jpeg75", jpeg(painted, 75)
    size = round(0.6 * painted.width), round(0.6 * painted.height)
    yield "at60%", jpeg(painted.resize(size, Image.Resampling.LANCZOS), 85)


def _outcome(found: Comparison, mask: Mask, told: tuple[str, str, str]) -> Outcome:
    kind, way, how = told
    boxed = np.zeros_like(mask)
    height, width = mask.shape
    for left, top, right, bottom in found.evidence.get("changes", {}).get("boxes", []):
        boxed[round(top * height) : round(bottom * height), round(left * width) : round(right * width)] = True
    covered = float((boxed & mask).sum() / mask.sum())
    groups = (kind, f"{kind} {way}", f"{kind} {how}")
    return Outcome(groups, found.relation, found.similarity, found.evidence["shared_detail"], covered)


def _prepared(data: bytes) -> Prepared:
    extracted = extract(data)
    return prepare(Subject(extracted.record, extracted.proxy))


def _table(outcomes: list[Outcome]) -> Iterator[str]:
    grouped = defaultdict[str, list[Outcome]](list)
    for each in outcomes:
        for name in each.groups:
            grouped[name].append(each)
    yield f"{'':22}{'pairs':>6}{'edited':>8}{'unrelated':>10}{'under 80':>10}{'told':>7}{'kept':>7}"
    for name in sorted(grouped, reverse=True):
        group = grouped[name]
        shares = (
            np.mean([each.relation == "edited" for each in group]),
            np.mean([each.relation == "unrelated" for each in group]),
            np.mean([each.similarity < 80 for each in group]),
            np.mean([each.is_told for each in group]),
            np.mean([each.shared_detail >= LEAST_KEPT for each in group]),
        )
        a, b, c, d, e = (f"{share:.1%}" for share in shares)
        yield f"{name:22}{len(group):6}{a:>8}{b:>10}{c:>10}{d:>7}{e:>7}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--half", choices=("reported", "tuning"), default="reported")
    parser.add_argument("--limit", type=int, default=100)
    asked = parser.parse_args()
    files = [one for one in sorted(asked.path.rglob("*")) if one.is_file()]
    chosen = [one for one in files if is_tuning(one) == (asked.half == "tuning")]
    print(f"{asked.half} half of {asked.path.name}")
    for line in _table(list(measured(chosen, asked.limit))):
        print(line)


if __name__ == "__main__":
    main()
