"""CPU time of extraction per image, decoding apart, beside other perceptual hashes in the same run.

    python benchmarks/extract.py PATH [--limit N] [--repeats N] [--json]

Rivals that are not installed are left out. Times are CPU time of one process, the least of the repeats.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

# As in the workers, and before NumPy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from PIL import Image

from lookalike.decoding import decode
from lookalike.errors import DecodingError
from lookalike.features import proxy
from lookalike.features.extraction import extract
from lookalike.features.record import FEATURES

Work = Callable[[bytes, Path], object]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path, help="a folder of images, or one image")
    parser.add_argument("--limit", type=int, default=200, help="images at most, spread over the folder")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    images = list(_readable(arguments.path, arguments.limit))
    if not images:
        print(f"There is no image that can be decoded in {arguments.path}.", file=sys.stderr)
        return 2
    result = _measured(images, arguments.repeats)
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


def _measured(images: list[tuple[bytes, Path]], repeats: int) -> dict[str, object]:
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


def _table(result: dict[str, object]) -> str:
    lines = [f"{result['images']} images, {result['bytes_per_image']} bytes of features each"]
    lines.append(f"{'lookalike':<20}{result['cpu_ms_per_image']:>9} ms CPU an image")
    lines.append(f"{'  of it decoding':<20}{result['decode_cpu_ms_per_image']:>9}")
    rivals = result["rivals"]
    assert isinstance(rivals, dict)
    lines += [f"{name:<20}{figures['cpu_ms_per_image']:>9}" for name, figures in rivals.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
