"""Do two matches of key points tell of one and the same turn, size and shift? And which is it?"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lookalike.compiled import compiled

TURN_LIMIT = 12
"""Steps of 256: 17 degrees."""
LEVEL_LIMIT = 1
SHIFT_LIMIT = 4.0
SHIFT_SHARE = 0.2
"""A match may lie SHIFT_LIMIT pixels and SHIFT_SHARE of the distance off where another match predicts it."""
APART = 16.0
"""Pixels between the key points of two matches, in both pictures: nearer ones tell nothing new."""
LEVEL_LOG = 0.33647223662121295
"""Natural logarithm of 1.4, the scale between levels."""
STEP = 2 * math.pi / 256
# Looked up, as each pair of matches asks for them.
_COS, _SIN = np.cos(np.arange(256) * STEP), np.sin(np.arange(256) * STEP)
_MOST_LEVELS = 30
_SCALES = np.exp(LEVEL_LOG * 0.5 * np.arange(-_MOST_LEVELS, _MOST_LEVELS + 1))
"""Of the sums of two differences of levels, which a place has four bits for."""


@compiled
def place_x(place: int) -> float:
    """Return the x of a packed place in pixels of the frame."""
    return (place & 1023) * 0.5


@compiled
def place_y(place: int) -> float:
    """Return the y of a packed place in pixels of the frame."""
    return (place >> 10 & 1023) * 0.5


@compiled
def turn_between(a: int, b: int) -> int:
    """Return by how many steps of 256 place b is turned against place a: 0 to 255."""
    return (b >> 20 & 255) - (a >> 20 & 255) & 255


@compiled
def levels_between(a: int, b: int) -> int:
    """Return how many levels of the pyramid place b is above place a."""
    return (b >> 28) - (a >> 28)


@compiled
def agree(a: int, b: int, c: int, d: int) -> bool:
    """Tell whether the matches a-b and c-d fit one similarity; a and c are places of one picture.

    Each match's own turn must predict where the other lies: the answer is the same with the two exchanged.
    """
    turn, other_turn = turn_between(a, b), turn_between(c, d)
    levels, other_levels = levels_between(a, b), levels_between(c, d)
    if abs((other_turn - turn + 128 & 255) - 128) > TURN_LIMIT or abs(other_levels - levels) > LEVEL_LIMIT:
        return False
    dx, dy = place_x(c) - place_x(a), place_y(c) - place_y(a)
    ex, ey = place_x(d) - place_x(b), place_y(d) - place_y(b)
    if dx * dx + dy * dy <= APART * APART or ex * ex + ey * ey <= APART * APART:
        return False
    scale = _SCALES[levels + other_levels + _MOST_LEVELS]
    limit = SHIFT_LIMIT + SHIFT_SHARE * scale * math.sqrt(dx * dx + dy * dy)
    is_near = _within(scale, turn, dx, dy, ex, ey, limit)
    return is_near and _within(scale, other_turn, dx, dy, ex, ey, limit)


@compiled
def _within(scale: float, turn: int, dx: float, dy: float, ex: float, ey: float, limit: float) -> bool:
    cos, sin = scale * _COS[turn], scale * _SIN[turn]
    off_x, off_y = cos * dx - sin * dy - ex, sin * dx + cos * dy - ey
    return bool(off_x * off_x + off_y * off_y <= limit * limit)


@compiled
def fit(
    places: NDArray[np.int64], others: NDArray[np.int64], used: NDArray[np.int64], out: NDArray[np.float64]
) -> None:
    """Write the similarity that maps places[used] onto others[used] best (least squares) into out (4,).

    out is a, b, tx, ty: (x, y) goes to (a x - b y + tx, b x + a y + ty). There are two places or more,
    APART.
    """
    count = len(used)
    mx = my = nx = ny = 0.0
    for k in used:
        mx += place_x(places[k]) / count
        my += place_y(places[k]) / count
        nx += place_x(others[k]) / count
        ny += place_y(others[k]) / count
    along = across = size = 0.0
    for k in used:
        x, y = place_x(places[k]) - mx, place_y(places[k]) - my
        u, v = place_x(others[k]) - nx, place_y(others[k]) - ny
        along += x * u + y * v
        across += x * v - y * u
        size += x * x + y * y
    a, b = along / size, across / size
    out[0], out[1] = a, b
    out[2], out[3] = nx - a * mx + b * my, ny - b * mx - a * my


def inverted(transforms: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the similarities (n, 4) that undo these."""
    a, b, tx, ty = transforms.astype(np.float64).T
    size = a * a + b * b
    c, d = a / size, -b / size
    return np.stack([c, d, -(c * tx - d * ty), -(d * tx + c * ty)], axis=1)
