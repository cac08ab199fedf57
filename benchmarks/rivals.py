"""Rivals: other people's hashes on the same pictures, each at its widest radius without a false pair.

imagehash comes with the project. `pip install pdqhash imagededup` into the environment adds theirs; what
is not installed is left out, and said so. (imagededup needs PyTorch: take a throw-away environment for it.)
"""

from __future__ import annotations

import importlib
import io
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

Hashed = Callable[[Image.Image], np.ndarray]

_SIZES = {
    "phash64": ("phash", 8),
    "phash256": ("phash", 16),
    "dhash64": ("dhash", 8),
    "dhash256": ("dhash", 16),
}


@dataclass
class Rival:
    """A hash: the distance of every edit to its original, and to the nearest other photo."""

    name: str
    hashed: Hashed
    originals: np.ndarray
    own: list[tuple[str, int]] = field(default_factory=list)
    nearest_other: int = 1 << 30

    def add(self, index: int, family: str, image: Image.Image) -> None:
        """Note how far an edit of original `index` is from it, and from the others."""
        distances = (self.originals != self.hashed(image)).sum(axis=1)
        self.own.append((family, int(distances[index])))
        self.nearest_other = min(self.nearest_other, int(np.delete(distances, index).min(initial=1 << 30)))

    def result(self) -> dict[str, Any]:
        """Recall at the widest threshold without one false pair in this run."""
        radius = self.nearest_other - 1
        families = defaultdict(list)
        for family, distance in self.own:
            families[family].append(distance <= radius)
        found = [distance <= radius for _, distance in self.own]
        return {
            "recall": round(float(np.mean(found)), 4),
            "radius": radius,
            "families": {name: round(float(np.mean(hits)), 4) for name, hits in sorted(families.items())},
        }


def rivals(originals: list[bytes]) -> Iterator[Rival]:
    """Yield every rival that is installed, with the hashes of the originals' files."""
    images = [Image.open(io.BytesIO(data)).convert("RGB") for data in originals]
    for name, hashed in _installed():
        hashes = np.array([hashed(image) for image in images])
        rival = Rival(name, hashed, hashes)
        for index in range(len(hashes) - 1):
            nearest = (hashes[index + 1 :] != hashes[index]).sum(axis=1).min()
            rival.nearest_other = min(rival.nearest_other, int(nearest))
        yield rival


def _installed() -> Iterator[tuple[str, Hashed]]:
    for package, make in (("imagehash", _imagehash), ("pdqhash", _pdqhash), ("imagededup", _imagededup)):
        try:
            module = importlib.import_module(package)
        except ImportError:
            print(f"{package} is left out: pip install {package}", file=sys.stderr)
            continue
        yield from make(module)


def _imagehash(module: Any) -> Iterator[tuple[str, Hashed]]:
    for name, (function, size) in _SIZES.items():
        compute = getattr(module, function)
        yield (
            f"imagehash.{name}",
            lambda image, compute=compute, size=size: np.asarray(compute(image, hash_size=size).hash).ravel(),
        )


def _pdqhash(module: Any) -> Iterator[tuple[str, Hashed]]:
    yield "pdqhash", lambda image: np.asarray(module.compute(np.asarray(image))[0], np.bool_)


def _imagededup(_: Any) -> Iterator[tuple[str, Hashed]]:
    methods = importlib.import_module("imagededup.methods")
    for name in ("PHash", "DHash"):
        hasher = getattr(methods, name)(verbose=False)
        yield (
            f"imagededup.{name}",
            lambda image, hasher=hasher: _bits(hasher.encode_image(image_array=np.asarray(image))),
        )


def _bits(hexadecimal: str) -> np.ndarray:
    return np.unpackbits(np.frombuffer(bytes.fromhex(hexadecimal), np.uint8)).astype(np.bool_)
