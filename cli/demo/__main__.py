"""`python -m cli.demo [DIR]`: make copies of the sample photos, search them, and check what was found."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from cli.demo import copies

PHOTOS = Path(__file__).parents[2] / "demo" / "photos"
COMMAND = [sys.executable, "-m", "cli.main", "find"]


def expected(photos: Path) -> list[list[str]]:
    """Return the groups that must come out: all pictures of one subject, where there are several."""
    subjects: dict[str, list[str]] = {}
    for path in photos.rglob("*.*"):
        image_id = path.relative_to(photos).as_posix()
        subjects.setdefault(copies.subject(image_id), []).append(image_id)
    return sorted(sorted(images) for images in subjects.values() if len(images) > 1)


def found(result: dict[str, Any]) -> list[list[str]]:
    """Return the groups of a result in the same order."""
    return sorted(sorted(image["image_id"] for image in group["images"]) for group in result["groups"])


def main(directory: Path) -> int:
    """Run the demo in directory; 0 if the groups are right."""
    if not PHOTOS.is_dir():
        print("The sample photos come with the source code, not with the installed package.", file=sys.stderr)
        return 2
    photos, result = directory / "photos", directory / "groups.json"
    shutil.rmtree(photos, ignore_errors=True)
    copies.make(PHOTOS, photos)
    arguments = [str(photos), "--data-dir", str(directory / "data"), "--json", str(result)]
    print(f"$ lookalike find {' '.join(arguments)}\n", flush=True)
    if code := subprocess.run([*COMMAND, *arguments], check=False).returncode:
        return code
    return _told(found(json.loads(result.read_text())), expected(photos))


def _told(got: list[list[str]], wanted: list[list[str]]) -> int:
    if got == wanted:
        print(f"\nAs expected: {len(wanted)} groups, and the photos without copies in none.")
        return 0
    print("\nThese are not the expected groups:", file=sys.stderr)
    for group in wanted:
        if group not in got:
            print(f"  expected and not found: {', '.join(group)}", file=sys.stderr)
    for group in got:
        if group not in wanted:
            print(f"  found and not expected: {', '.join(group)}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".demo")))
