"""Similarity thresholds as given by users."""

from __future__ import annotations

from typing import Any

from lookalike.errors import InvalidThreshold


def checked_threshold(value: Any, floor: float) -> float:
    """Return a threshold that the context can answer, or raise InvalidThreshold."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        raise InvalidThreshold(f"The similarity threshold {value!r} is not a number from 0 to 100.")
    if value < floor:
        raise InvalidThreshold(
            f"The similarity threshold {value:g} is below the context's match_floor of {floor:g}: "
            "lower that first."
        )
    return float(value)
