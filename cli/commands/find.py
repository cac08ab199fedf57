"""`lookalike find PATH...`: the main job on folders of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.commands.serve import DATA_DIR_HELP
from cli.organizing.plan import Way, check_directory
from cli.report import Report, check_json_target, write_json
from lookalike.errors import InvalidInput

if TYPE_CHECKING:
    from cli.search import Found

STANDARD_OUTPUT = Path("-")


def find(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH", help="Folders or files to search.", show_default=False)
    ],
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", help="Show only what PATH has in common with this folder.", show_default=False
        ),
    ] = None,
    threshold: Annotated[
        float, typer.Option(min=0, max=100, help="Least similarity of a match; 100 is identical pixels.")
    ] = 90.0,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json", metavar="FILE", help="Write the result; - for standard output.", show_default=False
        ),
    ] = None,
    organize: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Put originals and copies apart in this new folder.", show_default=False
        ),
    ] = None,
    copy: Annotated[
        bool, typer.Option("--copy", help="With --organize: copy the files (this is the default).")
    ] = False,
    link: Annotated[
        bool, typer.Option("--link", help="With --organize: hard-link them; takes no room.")
    ] = False,
    move: Annotated[bool, typer.Option("--move", help="With --organize: move them.")] = False,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", metavar="DIR", help=DATA_DIR_HELP, show_default=False)
    ] = None,
) -> None:
    """Find exact and near-duplicate images. Files are read where they are and left as they are.

    Every file in PATH and below is tried, hidden ones left out. A second search knows what the first learnt.

    With --organize, originals go to DIR/originals and the others to DIR/copies/<group>; images without a
    duplicate stay out of it. If that is interrupted, the same command finishes it.
    """
    way = _way(organize, copy=copy, link=link, move=move)
    check_json_target(json_file)
    if organize and _finish_what_was_begun(organize):
        return
    found = _searched(paths, against, threshold, data_dir)
    if json_file:
        write_json(found.report.as_json(), json_file)
    _show(found.report, on_standard_error=json_file == STANDARD_OUTPUT)
    if organize:
        _organize(found, paths, organize, way)


def _way(organize: Path | None, *, copy: bool, link: bool, move: bool) -> Way:
    ways = [way for way, asked in ((Way.COPY, copy), (Way.LINK, link), (Way.MOVE, move)) if asked]
    if len(ways) > 1:
        raise InvalidInput("Only one of --link, --copy and --move can be given.")
    if ways and not organize:
        raise InvalidInput(f"--{ways[0]} needs --organize DIR: where should the files go?")
    return ways[0] if ways else Way.COPY


def _finish_what_was_begun(directory: Path) -> bool:
    from cli.organizing import execution, journal

    record = journal.unfinished(directory)
    if record is None:
        check_directory(directory)
        return False
    typer.echo(f"{directory} holds an unfinished {record.way}: finishing it, without a new search.", err=True)
    _tell(execution.carry_out(record), directory)
    return True


def _searched(paths: list[Path], against: Path | None, threshold: float, data_dir: Path | None) -> Found:
    from cli.data_dir import embedded_settings
    from cli.places import Places

    places = Places(paths, against)
    settings = embedded_settings(data_dir)
    # Only now, as it takes its time: what has been typed wrong is told at once.
    from cli import search

    return search.run(places, threshold, settings)


def _show(report: Report, *, on_standard_error: bool) -> None:
    from rich.console import Console

    from cli import table

    console = Console(stderr=on_standard_error, highlight=False)
    if not console.is_terminal:
        # A pipe has no width: names are not to be folded there.
        console = Console(stderr=on_standard_error, highlight=False, width=200)
    if not report.image_count and not report.errors:
        typer.echo("There are no files to look at (hidden ones are left out).", err=True)
    else:
        table.show(report, console)


def _organize(found: Found, paths: list[Path], directory: Path, way: Way) -> None:
    from cli.organizing import execution, journal, plan

    placements = plan.planned(found.members(), directory)
    if not placements:
        typer.echo(f"Nothing to organize: {directory} was not made.", err=True)
        return
    plan.check(placements, directory, way)
    if way is not Way.MOVE and any(directory.absolute().is_relative_to(path.absolute()) for path in paths):
        typer.echo(
            f"Note: {directory} is inside what was searched; the next search will see its copies.", err=True
        )
    record = journal.Journal(directory / journal.NAME, way, placements)
    record.write_plan()
    _tell(execution.carry_out(record), directory)


def _tell(outcome: object, directory: Path) -> None:
    from cli.organizing.execution import Outcome

    assert isinstance(outcome, Outcome)
    typer.echo(f"{outcome.done_count:,} files are in {directory}, originals and copies apart.", err=True)
    for failure in outcome.failures:
        typer.echo(f"lookalike: left where it was: {failure}", err=True)
    if outcome.failures:
        raise typer.Exit(1)
