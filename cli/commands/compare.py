"""`lookalike compare A B`: how alike two pictures are. No server, no database, nothing left behind."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
DRAWN_PIXELS = 1_000_000
DRAWN_FORMATS = (".png", ".jpg", ".jpeg", ".webp")


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="An image file.", show_default=False)],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another one.", show_default=False)],
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json", metavar="FILE", help="Write the result with all evidence; - for standard output."
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(
            "--picture",
            metavar="FILE",
            help="Draw both side by side, laid out alike, with what differs marked.",
        ),
    ] = None,
) -> None:
    """Tell how alike two pictures are, how the second differs from the first, and why."""
    check_json_target(json_file)
    _check_picture_target(picture)
    compared = _compared(a, b)
    result = compared.as_json()
    if picture:
        _draw(compared, picture)
    if json_file:
        write_json(result, json_file)
    if json_file != Path("-"):
        typer.echo(f"{result['similarity']:.1f}  {result['relation'].replace('_', ' ')}")
        for sentence in compared.sentences:
            typer.echo(f"  {sentence}")


@dataclass(frozen=True)
class _Compared:
    """Two files, prepared, and what was found."""

    paths: tuple[Path, Path]
    contents: tuple[bytes, bytes]
    sides: tuple[Prepared, Prepared]
    found: Comparison

    @property
    def sentences(self) -> list[str]:
        from lookalike.explanation import explained

        return explained(self.found)

    def as_json(self) -> dict[str, Any]:
        """Return the result in the shape that programs rely on."""
        return {
            "similarity": self.found.similarity,
            "relation": self.found.relation,
            "transform": self.found.transform,
            "evidence": self.found.evidence,
        }


def _compared(a: Path, b: Path) -> _Compared:
    """Compare two image files, else raise InvalidInput."""
    from lookalike.explanation import with_candidacy
    from lookalike.verification.comparison import verify
    from storage.settings import Settings

    limits = _limits(Settings.load())
    contents = _read(a), _read(b)
    sides = _prepared(a, contents[0], limits), _prepared(b, contents[1], limits)
    found = with_candidacy(verify(*sides), sides[0].record, sides[1].record)
    if contents[0] == contents[1]:
        found = replace(found, similarity=100.0, relation=IDENTICAL_FILE)
    return _Compared((a, b), contents, sides, found)


def _draw(compared: _Compared, target: Path) -> None:
    from lookalike.decoding import decode
    from lookalike.illustration import Side, illustrated
    from storage.settings import Settings

    limits = _limits(Settings.load())
    drawn_sides = [
        Side(path.name, decode(content, limits, shrink_to=DRAWN_PIXELS).image, side.full_size)
        for path, content, side in zip(compared.paths, compared.contents, compared.sides, strict=True)
    ]
    first, second = compared.sides
    drawn = illustrated(
        drawn_sides[0], drawn_sides[1], compared.found, compared.sentences, swapped=second.key < first.key
    )
    try:
        drawn.save(target)
    except (OSError, ValueError) as error:
        raise InvalidInput(f"--picture {target} cannot be written: {error}") from None


def _check_picture_target(target: Path | None) -> None:
    """Raise before the work begins if the picture could not be written at its end."""
    if target is None:
        return
    if target.suffix.lower() not in DRAWN_FORMATS:
        raise InvalidInput(f"--picture {target}: the name must end with one of {', '.join(DRAWN_FORMATS)}.")
    if not target.absolute().parent.is_dir():
        raise InvalidInput(f"--picture {target}: there is no folder {target.absolute().parent}.")


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
