"""Inspection: two pictures known to show one thing, laid on each other to a fraction of a pixel."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from lookalike.verification.alignment import Alignment
from lookalike.verification.cells import Cells, cells
from lookalike.verification.changes import PLAIN, Changes, Mask, changed_cells, describe, recoloured_cells
from lookalike.verification.detail import shared_detail
from lookalike.verification.geometry import Matrix, inverse
from lookalike.verification.ink import Ink, compared
from lookalike.verification.motion import Motion, residual_motion
from lookalike.verification.overlap import Overlap, overlap
from lookalike.verification.planes import Matched, blurred, matched, plain_share
from lookalike.verification.recolouring import Recolouring, recoloured
from lookalike.verification.refinement import correction, displacement
from lookalike.verification.subject import Prepared
from lookalike.verification.veil import Veil, veiled

SIDE = 320  # px of the grid
CORRECTIONS = 2
CLOSE_ENOUGH = 0.1  # px
COARSE = 20  # quality of JPEG


@dataclass(frozen=True)
class Graphic:
    """What is asked of graphics only, and only where their changed regions leave it open."""

    seen: _Laid

    @cached_property
    def moved(self) -> list[Cells]:
        """Cells with the second moved by a pixel each way: thin lines take no map that is off by one."""
        first, second = self.seen.planes.first, self.seen.planes.second
        steps = ((0, 1), (0, -1), (1, 1), (1, -1))
        return [cells(first, np.roll(second, step, axis), self.seen.common.mask) for axis, step in steps]

    @cached_property
    def ink(self) -> Ink:
        """Whether the strokes are the same."""
        return compared([self.seen.fine, *self.moved])

    @cached_property
    def recolouring(self) -> Recolouring:
        """Whether colours are."""
        return recoloured(self.seen.common)


@dataclass(frozen=True, slots=True)
class Inspection:
    """What differs, and the map from the second's proxy to the first's that it was seen under."""

    matrix: Matrix
    changes: Changes = field(default_factory=Changes)
    motion: Motion = field(default_factory=Motion)
    sharpness: float = 0.0  # logarithm of how much sharper the first is
    shared_detail: float = 0.0  # 0 to 100
    veil: Veil = field(default_factory=Veil)
    graphic: Graphic | None = None

    @property
    def ink(self) -> Ink:
        """Of graphics, whether the strokes are the same."""
        return self.graphic.ink if self.graphic else Ink()

    @property
    def recolouring(self) -> Recolouring:
        """Of graphics, whether colours are the same."""
        return self.graphic.recolouring if self.graphic else Recolouring()


def inspect(first: Prepared, second: Prepared, alignment: Alignment) -> Inspection:
    """Correct the map, then look for changed regions and for motion."""
    matrix, seen = _corrected(first, second, alignment.matrix, SIDE)
    if seen is None:
        return Inspection(matrix)
    changed, noise = changed_cells(seen.fine, seen.windows)
    plain = plain_share(seen.common)
    graphic = Graphic(seen) if plain >= PLAIN else None
    if graphic and alignment.kind != "frame" and changed.any():
        changed &= _changed_wherever(graphic.moved)
    return Inspection(
        matrix,
        describe(seen.common, seen.planes, seen.fine, changed, noise, plain),
        _motion(first, second, seen, changed, plain),
        seen.planes.sharpness,
        shared_detail(seen.fine, changed),
        veiled(cells(*blurred(seen.common), seen.common.mask)) if changed.any() else Veil(),
        graphic,
    )


def inspect_untouched(first: Prepared, second: Prepared, alignment: Alignment) -> Inspection:
    """Look for changed regions where all else is known to be as it was: neither moved nor toned.

    Then what has another colour changed, too: of an even object the inside, and not only its outline.
    """
    common = overlap(first, second, alignment.matrix, SIDE)
    if common is None:
        return Inspection(alignment.matrix)
    planes = Matched(*blurred(common), 0.0)
    fine = cells(planes.first, planes.second, common.mask)
    changed, noise = changed_cells(fine, fine.widened())
    changed |= recoloured_cells(common, fine)
    return Inspection(
        alignment.matrix,
        describe(common, planes, fine, changed, noise, plain_share(common)),
        shared_detail=shared_detail(fine, changed),
        veil=veiled(fine) if changed.any() else Veil(),
    )


def corrected(first: Prepared, second: Prepared, matrix: Matrix, side: int) -> Matrix:
    """The map moved as pixels on a grid of side x side say."""
    return _corrected(first, second, matrix, side)[0]


def _corrected(first: Prepared, second: Prepared, matrix: Matrix, side: int) -> tuple[Matrix, _Laid | None]:
    """The map moved until it moves no further, and the two laid on each other by it."""
    seen = _laid(first, second, matrix, side)
    for _ in range(CORRECTIONS):
        step = None if seen is None else seen.correction
        if seen is None or step is None or displacement(step, seen.fine.count.shape) < CLOSE_ENOUGH:
            break
        matrix = inverse(seen.common.to_grid) @ inverse(step) @ seen.common.to_grid @ matrix
        seen = _laid(first, second, matrix, side)
    return matrix, seen


def offset(first: Prepared, second: Prepared, matrix: Matrix, side: int) -> float | None:
    """How far pixels say that a corner lies aside, in px of a grid of side x side; None if they do not."""
    seen = _laid(first, second, matrix, side)
    if seen is None or seen.correction is None:
        return None
    return displacement(seen.correction, seen.fine.count.shape)


def _motion(first: Prepared, second: Prepared, seen: _Laid, changed: Mask, plain: float) -> Motion:
    """What moved; in photos the coarsest blocks that JPEG makes look as if they had."""
    is_graphic = plain >= PLAIN
    is_coarse = any(0 < one.record["jpeg_quality"] <= COARSE for one in (first, second))
    if is_coarse and not is_graphic:
        return Motion()
    return residual_motion(seen.windows, seen.correction, changed, is_graphic=is_graphic)


def _changed_wherever(moved: list[Cells]) -> Mask:
    """Cells that differ even if the second is moved by a pixel."""
    return np.asarray(
        np.logical_and.reduce([changed_cells(fine, fine.widened())[0] for fine in moved]), np.bool_
    )


@dataclass(frozen=True)
class _Laid:
    common: Overlap
    planes: Matched
    fine: Cells
    windows: Cells

    @cached_property
    def correction(self) -> Matrix | None:
        return correction(self.windows)


def _laid(first: Prepared, second: Prepared, matrix: Matrix, side: int = SIDE) -> _Laid | None:
    """Lay one on the other and sum over cells and windows."""
    common = overlap(first, second, matrix, side)
    if common is None:
        return None
    planes = matched(common)
    fine = cells(planes.first, planes.second, common.mask)
    return _Laid(common, planes, fine, fine.widened())
