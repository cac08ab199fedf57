"""`lookalike decisions`: what people have said about pairs of images: no duplicates, or copies to keep."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.chosen import ContextId, DataDir, Folders, context_id, opened
from cli.report import counted
from lookalike.decisions import VERDICTS
from lookalike.errors import InvalidInput, Unreadable

if TYPE_CHECKING:
    from storage.models import Decision

decisions = typer.Typer(
    help="What you have decided about pairs: no duplicates, or copies that both stay.", no_args_is_help=True
)

STANDARD_STREAM = Path("-")
PIECE_BYTES = 1024 * 1024

Files = Annotated[list[Path], typer.Argument(metavar="FILE", help="Two or more pictures.")]


@decisions.command()
def add(
    verdict: Annotated[str, typer.Argument(help=f"{' or '.join(VERDICTS)}.")],
    files: Files,
    folders: Folders = None,
    context: ContextId = None,
    note: Annotated[str, typer.Option(help="Why.")] = "",
    data_dir: DataDir = None,
) -> None:
    """Decide about each two of some files. It holds for their bytes, whatever they are called later."""
    from storage import decisions as stored

    hashes = _sha256s(files)
    with opened(data_dir, context) as database, database.transaction() as session:
        made = stored.decide(session, context_id(session, folders, context), hashes, verdict, note)
    typer.echo(f"Decided about {counted(len(made), 'pair')}; it counts from the next search on.", err=True)


@decisions.command("list")
def list_decisions(folders: Folders = None, context: ContextId = None, data_dir: DataDir = None) -> None:
    """List what was decided: id, verdict, and the images that it is about."""
    from storage import decisions as stored

    with opened(data_dir, context) as database, database.reading() as session:
        chosen = context_id(session, folders, context)
        found = list(stored.every(session, chosen))
        hashes = [sha256 for each in found for sha256 in (each.low_sha256, each.high_sha256)]
        names = stored.names(session, chosen, hashes)
    for each in found:
        typer.echo(_line(each, names))


@decisions.command()
def remove(
    files: Files, folders: Folders = None, context: ContextId = None, data_dir: DataDir = None
) -> None:
    """Take back what was decided about each two of some files."""
    from storage import decisions as stored

    hashes = _sha256s(files)
    with opened(data_dir, context) as database, database.transaction() as session:
        count = stored.take_back_all(session, context_id(session, folders, context), hashes)
    typer.echo(f"Took back {counted(count, 'decision')}.", err=True)


@decisions.command("export")
def export(
    file: Annotated[Path, typer.Argument(help="Where to write them; - for standard output.")],
    folders: Folders = None,
    context: ContextId = None,
    data_dir: DataDir = None,
) -> None:
    """Write all decisions as a file of JSON lines."""
    from storage import decisions as stored
    from worker import decision_files

    with opened(data_dir, context) as database, database.reading() as session:
        every = stored.every(session, context_id(session, folders, context))
        text = "".join(decision_files.written(every))
    if file == STANDARD_STREAM:
        sys.stdout.write(text)
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{file} cannot be written: {error.strerror}.") from None


@decisions.command("import")
def take_in(
    file: Annotated[Path, typer.Argument(help="What export has written; - for standard input.")],
    folders: Folders = None,
    context: ContextId = None,
    data_dir: DataDir = None,
) -> None:
    """Take in a file of decisions; of two about a pair the later one holds."""
    from storage import decisions as stored
    from worker import decision_files

    try:
        data = sys.stdin.buffer.read() if file == STANDARD_STREAM else file.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}.") from None
    new = decision_files.read(data)
    with opened(data_dir, context) as database, database.transaction() as session:
        result = stored.take_in(session, context_id(session, folders, context), new)
    typer.echo(
        f"{result.added:,} added, {result.replaced:,} replaced, {result.unchanged:,} as they were, "
        f"{result.outdated:,} left out as there are later ones; "
        f"{result.unknown:,} are about images that are not here (kept: they may come).",
        err=True,
    )


def _sha256s(files: list[Path]) -> list[bytes]:
    # Of one file that is named twice nothing is said.
    return [_sha256(file) for file in {file.resolve(): file for file in files}.values()]


def _sha256(file: Path) -> bytes:
    digest = hashlib.sha256()
    try:
        with file.open("rb") as opened:
            while piece := opened.read(PIECE_BYTES):
                digest.update(piece)
    except OSError as error:
        raise Unreadable(f"{file} cannot be read: {error.strerror}.") from None
    return digest.digest()


def _line(decision: Decision, names: dict[bytes, list[str]]) -> str:
    sides = [
        ", ".join(names.get(sha256, [])) or f"({sha256.hex()[:12]}…, not here)"
        for sha256 in (decision.low_sha256, decision.high_sha256)
    ]
    note = f"  # {decision.note}" if decision.note else ""
    return f"{decision.id}  {decision.verdict}  {sides[0]} | {sides[1]}{note}"
