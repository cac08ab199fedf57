"""Relighting: a vignette, or light from one side, is taken out of a picture before its pixels are compared.

On an even ground, such as a sheet of paper, a vignette is the only structure there is: most of the picture
then agrees with nothing. How much lighter one picture is than the other is fitted by a polynomial of the
place, which is too smooth to make the content of one picture out of that of another.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike.verification.geometry import Matrix
from lookalike.verification.overlap import overlap
from lookalike.verification.subject import Prepared

PLAIN = 0.2  # share of the commonest tone that the one picture has, and the other half of it at most
SIDE = 48  # px of the grid
DARKEST = 8.0  # gray levels: added, so that black tells nothing
DEGREE = 4
ROUNDS, TOLERANCE = 4, 0.08  # logarithm
LEFT_OVER = 0.06  # typical logarithm that the light does not explain: of other contents much more
LEAST_LIGHT, MOST_LIGHT = 0.25, 3.0  # logarithms, from the darkest to the lightest place

# The powers of x and y in each term.
_OF_X, _OF_Y = np.array([(i, j) for i in range(DEGREE + 1) for j in range(DEGREE + 1 - i)]).T

Plane = NDArray[np.float64]


def is_lit_otherwise(first: Prepared, second: Prepared) -> bool:
    """Whether one has a plain ground and the other has not: with other light, the ground is not plain."""
    less, more = sorted((first.plain, second.plain))
    return more >= PLAIN and less <= more / 2


def relit(first: Prepared, second: Prepared, matrix: Matrix) -> Prepared | None:
    """The second picture in the light of the first; None where light does not explain how they differ."""
    common = overlap(first, second, matrix, SIDE)
    if common is None:
        return None
    lighter = np.log((common.first_gray + DARKEST) / (common.second_gray + DARKEST))
    rows, columns = np.nonzero(common.mask)
    to_second = np.linalg.inv(common.to_grid @ matrix)
    places = np.stack([columns + 0.5, rows + 0.5, np.ones(len(rows))])
    x, y, _ = to_second @ places
    width, height = second.size
    terms = _terms(2 * x / width - 1, 2 * y / height - 1)
    light, left = _fitted(terms, lighter[rows, columns])
    if left > LEFT_OVER:
        return None
    field = _field(light, width, height)
    if not LEAST_LIGHT < np.ptp(field) < MOST_LIGHT:
        return None
    lit = np.rint(np.clip((second.pixels + DARKEST) * np.exp(field)[..., None] - DARKEST, 0, 255))
    return Prepared(second.subject, lit.astype(np.uint8))


def _terms(x: Plane, y: Plane) -> Plane:
    """All products of powers of x and y up to the DEGREE, as columns."""
    return _powers(x)[:, _OF_X] * _powers(y)[:, _OF_Y]


def _field(light: Plane, width: int, height: int) -> Plane:
    """The polynomial at each pixel (height, width), whose terms have these factors."""
    factors = np.zeros((DEGREE + 1, DEGREE + 1))
    factors[_OF_Y, _OF_X] = light
    across, down = (_powers((2 * np.arange(side) + 1.0) / side - 1) for side in (width, height))
    return down @ factors @ across.T


def _powers(x: Plane) -> Plane:
    """Powers 0 to DEGREE, as columns."""
    return np.vander(x, DEGREE + 1, increasing=True)


def _fitted(terms: Plane, values: Plane) -> tuple[Plane, float]:
    """Least squares, repeated with less weight for what disagrees; and the median of what is left."""
    found: Plane = np.zeros(terms.shape[1])
    weights: Plane = np.ones(len(values))
    for _ in range(ROUNDS):
        weighed = terms * weights[:, None]
        squares = weighed.T @ terms + 1e-6 * np.eye(len(found))
        found = np.asarray(np.linalg.solve(squares, weighed.T @ values), np.float64)
        weights = 1 / (1 + ((values - terms @ found) / TOLERANCE) ** 2) ** 2
    return found, float(np.median(np.abs(values - terms @ found)))
