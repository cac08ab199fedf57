"""`lookalike compare A B`: how alike two pictures are. No server, no database, nothing left behind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.report import check_json_target, write_json
from lookalike.errors import DecodingError, InvalidInput

if TYPE_CHECKING:
    from lookalike.decoding import Limits
    from lookalike.verification.comparison import Comparison
    from lookalike.verification.subject import Prepared

IDENTICAL_FILE = "identical_file"
# A transform that changes nothing; only what differs from it is worth a line.
NEUTRAL = {
    "box": [0.0, 0.0, 1.0, 1.0],
    "mirrored": False,
    "angle": 0.0,
    "scale": 1.0,
    "stretch": 1.0,
    "overlap": 1.0,
    "gain": 1.0,
    "colour_shift": 0.0,
    "negative": False,
}


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="An image file.", show_default=False)],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another one.", show_default=False)],
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json", metavar="FILE", help="Write the result with all evidence; - for standard output."
        ),
    ] = None,
) -> None:
    """Tell how alike two pictures are, and how the second differs from the first."""
    check_json_target(json_file)
    result = compared(a, b)
    if json_file:
        write_json(result, json_file)
    if json_file != Path("-"):
        typer.echo(f"{result['similarity']:.1f}  {result['relation'].replace('_', ' ')}")
        for line in _differences(result):
            typer.echo(f"  {line}")


def compared(a: Path, b: Path) -> dict[str, Any]:
    """Return similarity, relation, transform and evidence of two image files, else raise InvalidInput."""
    from lookalike.verification.comparison import verify
    from storage.settings import Settings

    limits = _limits(Settings.load())
    first, second = _read(a), _read(b)
    found = verify(_prepared(a, first, limits), _prepared(b, second, limits))
    return _as_json(found, is_same_file=first == second)


def _differences(result: dict[str, Any]) -> list[str]:
    if result["relation"] == "unrelated":
        return []
    transform = result["transform"].items()
    return [f"{name.replace('_', ' ')}: {value}" for name, value in transform if value != NEUTRAL.get(name)]


def _as_json(found: Comparison, *, is_same_file: bool) -> dict[str, Any]:
    return {
        "similarity": 100.0 if is_same_file else found.similarity,
        "relation": IDENTICAL_FILE if is_same_file else found.relation,
        "transform": found.transform,
        "evidence": found.evidence,
    }


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from None


def _prepared(path: Path, data: bytes, limits: Limits) -> Prepared:
    from lookalike.features.extraction import extract
    from lookalike.verification.subject import Subject, prepare

    try:
        extracted = extract(data, limits)
    except DecodingError as error:
        raise InvalidInput(f"{path} cannot be compared ({error.code}): {error.detail}") from None
    return prepare(Subject(extracted.record, extracted.proxy, lambda: data, len(data)))


def _limits(settings: Any) -> Limits:
    from lookalike.decoding import Limits

    return Limits(
        max_bytes=settings.max_image_bytes,
        max_pixels=settings.max_image_pixels,
        max_frames=settings.max_image_frames,
    )
