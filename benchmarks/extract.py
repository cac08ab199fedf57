"""CPU time of extraction per image, decoding apart, beside other perceptual hashes in the same run.

    python benchmarks/extract.py PATH [--megapixels 2 12] [--limit N] [--repeats N] [--json]

PATH is a folder of images. With --megapixels they are made that large as well: enlarged, with grain,
saved as JPEG of quality 90, as photos come from phones. All that the extract stage does with an image counts:
decoding, features, proxy. Rivals that are not installed are left out:

    pip install imagehash imagededup czkawka

Times are CPU time of one process, the least of the repeats.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# As in the workers, and before NumPy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from PIL import Image

from lookalike.decoding import decode
from lookalike.errors import DecodingError
from lookalike.features import proxy
from lookalike.features.extraction import extract
from lookalike.features.record import FEATURES

GRAIN = 3.0  # gray levels: a 12 MP photo then has about 2 MB, as those of phones

Work = Callable[[bytes, Path], object]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path, help="a folder of images, or one image")
    parser.add_argument("--megapixels", type=float, nargs="*", default=[], help="sizes to make of the images")
    parser.add_argument("--limit", type=int, default=200, help="images at most, spread over the folder")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    images = list(_readable(arguments.path, arguments.limit))
    if not images:
        print(f"There is no image that can be decoded in {arguments.path}.", file=sys.stderr)
        return 2
    result = _measured(images, arguments.repeats)
    if arguments.megapixels:
        result["sizes"] = {
            f"{megapixels:g}": _measured_at(images, megapixels, arguments.repeats)
            for megapixels in arguments.megapixels
        }
    print(json.dumps(result) if arguments.json else _table(result))
    return 0


def _readable(path: Path, limit: int) -> list[tuple[bytes, Path]]:
    paths = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    images = []
    for file in paths[:: max(1, len(paths) // limit)][:limit]:
        data = file.read_bytes()
        try:
            decode(data)
        except DecodingError:
            continue
        images.append((data, file))
    return images


def _measured_at(images: list[tuple[bytes, Path]], megapixels: float, repeats: int) -> dict[str, Any]:
    """Return what _measured does for the images made so large."""
    with tempfile.TemporaryDirectory() as folder:
        made = []
        for number, (data, _) in enumerate(images):
            path = Path(folder, f"{number}.jpg")
            path.write_bytes(_enlarged(data, megapixels, np.random.default_rng(number)))
            made.append((path.read_bytes(), path))
        return _measured(made, repeats)


def _enlarged(data: bytes, megapixels: float, generator: np.random.Generator) -> bytes:
    image = decode(data).image
    factor = (megapixels * 1e6 / (image.width * image.height)) ** 0.5
    size = round(image.width * factor), round(image.height * factor)
    pixels = np.asarray(image.resize(size, Image.Resampling.LANCZOS), np.float32)
    grain = generator.normal(0, GRAIN, pixels.shape[:2]).astype(np.float32)[..., None]
    out = io.BytesIO()
    Image.fromarray((pixels + grain).clip(0, 255).astype(np.uint8)).save(out, "JPEG", quality=90)
    return out.getvalue()


def _measured(images: list[tuple[bytes, Path]], repeats: int) -> dict[str, Any]:
    works: dict[str, Work] = {
        "extract": lambda data, _: extract(data),
        "decode": lambda data, _: decode(data, shrink_to=proxy.PIXELS),
        **_rivals(),
    }
    for work in works.values():
        work(*images[0])  # imports and tables are not the image's cost
    cpu_ms = dict.fromkeys(works, 0.0)
    for data, path in images:
        for name, work in works.items():  # side by side, so that a busy machine is as unfair to all
            cpu_ms[name] += min(_cpu_ms(work, data, path) for _ in range(repeats)) / len(images)
    return {
        "images": len(images),
        "cpu_ms_per_image": round(cpu_ms.pop("extract"), 3),
        "decode_cpu_ms_per_image": round(cpu_ms.pop("decode"), 3),
        "file_bytes_per_image": round(sum(len(data) for data, _ in images) / len(images)),
        "bytes_per_image": FEATURES.itemsize,
        "proxy_bytes_per_image": round(sum(len(extract(data).proxy) for data, _ in images) / len(images)),
        "rivals": {name: {"cpu_ms_per_image": round(ms, 3)} for name, ms in cpu_ms.items()},
    }


def _cpu_ms(work: Work, data: bytes, path: Path) -> float:
    start = time.process_time()
    work(data, path)
    return (time.process_time() - start) * 1000


def _rivals() -> dict[str, Work]:
    """Return the other hashes that are installed, each from file bytes to hash as its users call it."""
    rivals: dict[str, Work] = {}
    try:
        import imagehash

        rivals["imagehash.phash"] = lambda data, _: imagehash.phash(Image.open(io.BytesIO(data)))
    except ImportError:
        pass
    try:
        from imagededup.methods import PHash

        hasher = PHash(verbose=False)
        rivals["imagededup.PHash"] = lambda _, path: hasher.encode_image(image_file=str(path))
    except ImportError:
        pass
    try:
        import czkawka

        finder = czkawka.ImageSimilarity()
        rivals["czkawka"] = lambda _, path: finder.hash_image(str(path))
    except (ImportError, AttributeError):
        pass
    return rivals


def _table(result: dict[str, Any]) -> str:
    sizes = {"as they are": result, **{f"{size} MP": one for size, one in result.get("sizes", {}).items()}}
    rows = {
        "MB of a file": [one["file_bytes_per_image"] / 1e6 for one in sizes.values()],
        "lookalike": [one["cpu_ms_per_image"] for one in sizes.values()],
        "  of it decoding": [one["decode_cpu_ms_per_image"] for one in sizes.values()],
    }
    for name in result["rivals"]:
        rows[name] = [one["rivals"][name]["cpu_ms_per_image"] for one in sizes.values()]
    lines = [
        f"{result['images']} images, {result['bytes_per_image']} bytes of features each; ms of CPU an image",
        f"{'':<20}" + "".join(f"{name:>14}" for name in sizes),
    ]
    lines += [f"{name:<20}" + "".join(f"{value:>14.2f}" for value in values) for name, values in rows.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
