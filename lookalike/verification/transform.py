"""The transform: how the second of two pictures is made from the first, in words and numbers."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from lookalike.verification.agreement import Agreement
from lookalike.verification.geometry import Matrix, corners, inverse, scaling, shape
from lookalike.verification.subject import Prepared

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Transform:
    """Parameters of a change.

    `box` is the part of the first that the second shows (left, top, right, bottom, 0 to 1 inside the first;
    it may reach outside), `box_back` the same the other way round.
    """

    box: Box
    box_back: Box
    mirrored: bool
    angle: float  # degrees counter-clockwise, after the mirror
    scale: float  # size of the second relative to the first, what was cropped apart
    stretch: float
    overlap: float  # the common part as a share of the picture of which it is the smaller part
    gain: float
    colour_shift: float
    negative: bool

    @property
    def is_turned(self) -> bool:
        """Whether the second is turned by more than 45 degrees."""
        return abs(self.angle) > 45

    @property
    def tilt(self) -> float:
        """Degrees from the nearest quarter turn."""
        return abs((self.angle + 45) % 90 - 45)

    def inverse(self) -> Transform:
        """How the first is made from the second."""
        # A mirror image turned one way is turned the same way back.
        angle = self.angle if self.mirrored else -self.angle
        return dataclasses.replace(
            self,
            box=self.box_back,
            box_back=self.box,
            angle=angle,
            scale=1 / self.scale,
            gain=1 / self.gain,
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON, rounded to what is meaningful."""
        return {
            "box": [round(edge, 3) for edge in self.box],
            "mirrored": self.mirrored,
            "angle": round(self.angle, 1) + 0.0,
            "scale": round(self.scale, 3),
            "stretch": round(self.stretch, 3),
            "overlap": round(self.overlap, 3),
            "gain": round(self.gain, 3),
            "colour_shift": round(self.colour_shift, 1),
            "negative": self.negative,
        }


def describe(
    matrix: Matrix, shares: tuple[float, float], agreement: Agreement, first: Prepared, second: Prepared
) -> Transform:
    """Describe the map `matrix` from the second's proxy to the first's."""
    full = _full(first) @ matrix @ inverse(_full(second))
    forward = shape(inverse(full))
    return Transform(
        box=_box(matrix, second.size, first.size),
        box_back=_box(inverse(matrix), first.size, second.size),
        mirrored=forward.mirrored,
        angle=forward.angle,
        scale=forward.scale,
        stretch=forward.stretch,
        overlap=min(shares),
        gain=1 / agreement.gain,
        colour_shift=agreement.colour_shift,
        negative=agreement.negative,
    )


def _full(one: Prepared) -> Matrix:
    """From the proxy to the full picture."""
    return scaling(one.full_size[0] / one.size[0], one.full_size[1] / one.size[1])


def _box(matrix: Matrix, size: tuple[int, int], frame: tuple[int, int]) -> Box:
    mapped = corners(matrix, size) / frame
    left, top = mapped.min(axis=0).tolist()
    right, bottom = mapped.max(axis=0).tolist()
    return left, top, right, bottom
