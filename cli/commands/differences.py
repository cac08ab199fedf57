"""`lookalike differences`: which groups the last search found new, changed or gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.chosen import ContextId, DataDir, Folders, context_id, opened
from lookalike.errors import NotFound

if TYPE_CHECKING:
    from storage.lineages import Difference

PAGE_SIZE = 100


def differences(
    folders: Folders = None,
    context: ContextId = None,
    change: Annotated[
        str | None, typer.Option(help="Only: new, grown, shrunk, merged, split, original_changed or gone.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Show what the last search changed: groups that are new, have other images than before, or are gone."""
    from lookalike.jobs import FIND_DUPLICATES
    from storage import jobs, lineages

    with opened(data_dir, context) as database, database.reading() as session:
        job = jobs.last_succeeded(session, context_id(session, folders, context), FIND_DUPLICATES)
        if job is None:
            raise NotFound("Nothing has been searched yet.")
        cursor = None
        while True:
            page = lineages.differences(session, job.id, PAGE_SIZE, cursor, change)
            for difference in page.items:
                typer.echo(_line(difference))
            if (cursor := page.next_cursor) is None:
                return


def _line(difference: Difference) -> str:
    counts = f"{difference.previous_image_count} → {difference.image_count} images"
    told = f"{difference.group_id}  {', '.join(difference.changes)}  {counts}"
    images = difference.group.images if difference.group else []
    return "  ".join([told, ", ".join(image.image_id for image in images)]).rstrip()
