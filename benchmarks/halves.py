"""Which half of a collection a picture belongs to: one is for tuning, the other for the figures reported.

The half depends on the file's name only, so that every script and every machine splits alike, and adding
pictures moves none to the other side.
"""

from __future__ import annotations

import hashlib
from pathlib import Path


def is_tuning(path: Path) -> bool:
    """Tell whether the picture may be learned and tuned on."""
    return hashlib.sha256(path.name.encode()).digest()[0] % 2 == 0
