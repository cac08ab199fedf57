"""The groups as a table on standard output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.report import Group, GroupImage, Report, Since, counted, error_summary, readable_bytes

# A wall of text helps nobody; the JSON file has them all.
SHOWN_GROUPS = 100
SHOWN_RELATED = 3

# Codes of lookalike.ranking that do not read well as they are.
REASONS = {"first_id": "first by name"}


def show(report: Report, console: Console) -> None:
    """Print the groups, what could be freed, and a word about errors."""
    for number, group in enumerate(report.groups[:SHOWN_GROUPS], start=1):
        console.print(Text(f"Group {number}", style="bold"))
        console.print(_group_table(group))
        for line in _related_lines(group):
            console.print(Text(line, style="dim"))
        console.print()
    hidden = len(report.groups) - SHOWN_GROUPS
    if hidden > 0:
        console.print(f"… and {hidden:,} more groups: --json FILE writes all of them.\n")
    console.print(summary(report), style="bold")
    if report.since is not None:
        console.print(since(report.since))
    if report.other_count:
        console.print(f"{counted(report.other_count, 'other file')} passed over.", style="dim")
    if told := error_summary(report):
        console.print(f"{told} --json FILE says which and why.", style="yellow")


def summary(report: Report) -> str:
    """Return the result in one line."""
    images = counted(report.image_count, "image")
    if not report.groups:
        return f"{images}, no duplicates at a similarity of {report.threshold:g} or more."
    copies = sum(len(group.images) - 1 for group in report.groups)
    freed = readable_bytes(sum(group.reclaimable_bytes for group in report.groups))
    groups = counted(len(report.groups), "group")
    told = counted(copies, "copy", "copies")
    return f"{images}: {groups} with {told}; without the copies {freed} would be free."


def since(found: Since) -> str:
    """Return what is different from the search before in one line."""
    counts = {"new": found.new, "changed": found.changed, "gone": found.gone}
    told = [f"{counted(count, 'group')} {what}" for what, count in counts.items() if count]
    return f"Since the last search: {', '.join(told) or 'nothing new'}."


def _group_table(group: Group) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1, 0, 1))
    table.add_column(justify="right", min_width=5)
    table.add_column()
    table.add_column(overflow="fold")
    table.add_column(justify="right")
    table.add_column(justify="right")
    table.add_column(style="dim")
    for row in _rows(group.images, group.original_reasons):
        table.add_row(*row)
    return table


def _rows(images: Sequence[GroupImage], reasons: Sequence[str]) -> Iterator[tuple[Text, ...]]:
    for position, image in enumerate(images):
        is_original = position == 0
        yield (
            Text("" if is_original else f"{image.similarity:.1f}"),
            Text("original" if is_original else image.relation.replace("_", " ")),
            Text(_printable(image.image_id), style="green" if is_original else ""),
            Text(f"{image.width}×{image.height} {image.format}"),
            Text(readable_bytes(image.byte_count)),
            Text(_told(reasons) if is_original else ""),
        )


def _told(reasons: Sequence[str]) -> str:
    return ", ".join(REASONS.get(reason, reason.replace("_", " ")) for reason in reasons)


def _related_lines(group: Group) -> Iterator[str]:
    for image in group.related[:SHOWN_RELATED]:
        yield f"  related, in another group or none: {_printable(image.image_id)} ({image.similarity:.1f})"
    if len(group.related) > SHOWN_RELATED:
        yield f"  … and {len(group.related) - SHOWN_RELATED:,} more that are related"


def _printable(image_id: str) -> str:
    """Escape what a terminal would act on: a file's name must not paint the screen."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in image_id)
