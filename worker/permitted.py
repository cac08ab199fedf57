"""What may be imported: what lies under an import root, and nothing that leads out of one.

It is asked when somebody asks for an import over HTTP, and again by the worker when a schedule comes to it:
the operator may have changed the settings meanwhile.
"""

from __future__ import annotations

from pathlib import Path

from lookalike.errors import InvalidSource
from storage.settings import Settings

_SETTING = "LOOKALIKE_IMPORT_ROOTS"


def permitted(source: str, settings: Settings) -> str:
    """Return a folder under an import root as an absolute path without links. Raises InvalidSource."""
    roots = settings.import_roots
    if not roots:
        raise InvalidSource(
            f"This server may not import any folder: {_SETTING} is empty. "
            "Set it to the folders that may be imported."
        )
    if "\0" in source or "://" in source:
        raise InvalidSource("Only folders on the server can be imported for now, not URLs or archives.")
    given = Path(source).expanduser() if source.startswith("~") else Path(source)
    if not given.is_absolute():
        raise InvalidSource(f"The source {source!r} is not an absolute path on the server.")
    # Links resolved first, or one inside a root could lead anywhere.
    folder = given.resolve()
    if not any(folder.is_relative_to(root) for root in roots):
        allowed = ", ".join(repr(str(root)) for root in roots)
        raise InvalidSource(f"{source!r} is not under an import root ({allowed}); {_SETTING} adds others.")
    if not folder.is_dir():
        raise InvalidSource(f"There is no folder {source!r} on the server.")
    return str(folder)
