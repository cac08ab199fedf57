"""What a search found, for people and for programs."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lookalike.errors import InvalidInput


@dataclass(frozen=True)
class GroupImage:
    """One image of a group, the original first."""

    image_id: str
    similarity: float
    relation: str
    width: int
    height: int
    format: str
    byte_count: int


@dataclass(frozen=True)
class Group:
    """A duplicate group, and what is related to it."""

    images: Sequence[GroupImage]
    related: Sequence[GroupImage]
    original_reasons: Sequence[str]

    @property
    def reclaimable_bytes(self) -> int:
        """What the copies take, which is free once they are gone."""
        return sum(image.byte_count for image in self.images[1:])


@dataclass(frozen=True)
class ImageError:
    """Why one image could not be looked at."""

    image_id: str
    code: str
    detail: str


@dataclass(frozen=True)
class Since:
    """What is different from the search before, counted in groups."""

    new: int
    changed: int
    gone: int


@dataclass(frozen=True)
class Report:
    """All that `find` has to say."""

    threshold: float
    image_count: int
    errors: Sequence[ImageError]
    groups: Sequence[Group]
    # Files that neither claim to be images nor begin like one. They stand among the errors as not_an_image.
    other_count: int = 0
    # What is different from the search before on the same folders; None if this is the first.
    since: Since | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the report in the shape that programs rely on."""
        return {
            "threshold": self.threshold,
            "image_count": self.image_count,
            "errors": [vars(error) for error in self.errors],
            "groups": [_group_as_json(group) for group in self.groups],
        }


def _group_as_json(group: Group) -> dict[str, Any]:
    return {
        "images": [_image_as_json(image) for image in group.images],
        "original_reasons": list(group.original_reasons),
        "related": [_image_as_json(image) for image in group.related],
    }


def _image_as_json(image: GroupImage) -> dict[str, Any]:
    return {
        "image_id": image.image_id,
        "similarity": image.similarity,
        "relation": image.relation,
        "width": image.width,
        "height": image.height,
        "format": image.format,
        "bytes": image.byte_count,
    }


def check_json_target(target: Path | None) -> None:
    """Raise before the work begins if the result could not be written at its end."""
    if target is None or target == Path("-"):
        return
    if target.is_dir():
        raise InvalidInput(f"--json {target} is a folder: name a file.")
    if not target.absolute().parent.is_dir():
        raise InvalidInput(f"--json {target}: there is no folder {target.absolute().parent}.")


def write_json(value: dict[str, Any], target: Path) -> None:
    """Write to the file, or to standard output for `-`."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    if target == Path("-"):
        sys.stdout.write(text)
        return
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"--json {target} cannot be written: {error.strerror}.") from error


def error_summary(report: Report) -> str:
    """Return a sentence about the images that could not be looked at; empty if there are none."""
    counts = Counter(error.code for error in report.errors)
    # Told apart: a text among pictures is no reason to worry.
    counts["not_an_image"] -= report.other_count
    told = ", ".join(f"{count} {code.replace('_', ' ')}" for code, count in counts.most_common() if count)
    return f"{counted(counts.total(), 'file')} could not be looked at: {told}." if told else ""


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: 1 file, 2,000 files."""
    return f"1 {noun}" if count == 1 else f"{count:,} {plural or noun + 's'}"


def readable_bytes(count: int) -> str:
    """Return a size as people say it: 512 B, 1.2 MB."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"
