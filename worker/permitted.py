"""What may be imported: what lies under an import root or an allowed URL, and nothing that leads out of one.

It is asked when somebody asks for an import over HTTP, and again by the worker when a schedule comes to it:
the operator may have changed the settings meanwhile. `lookalike find` asks nobody: the files are its user's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lookalike.errors import InvalidSource
from storage import clients
from storage.db import Session
from storage.models import Context
from storage.settings import Settings
from worker import archives, remotes

ROOTS, URLS = "LOOKALIKE_IMPORT_ROOTS", "LOOKALIKE_IMPORT_URLS"
GRANT = "`lookalike clients imports`"


def permitted(session: Session, context: Context, source: str, settings: Settings) -> str:
    """Return a source as it is to be imported: a path without links, or a URL. Raises InvalidSource.

    A client may import only from what it has been given, which must be open to the server as well.
    """
    if "\0" in source:
        raise InvalidSource("A source has no NUL in it.")
    own = None if context.client_id is None else clients.get(session, context.client_id).import_roots
    if source.lower().startswith(("file://", "local://")):
        source = unquote(urlsplit(source).path)
    if remotes.is_url(source):
        return _permitted_url(source, settings.import_urls, own)
    return _permitted_path(source, settings.import_roots, own)


def _permitted_path(source: str, roots: Sequence[Path], own: Sequence[str] | None) -> str:
    if not roots:
        raise InvalidSource(
            f"This server may not import any folder: {ROOTS} is empty. "
            "Set it to the folders that may be imported."
        )
    given = Path(source).expanduser() if source.startswith("~") else Path(source)
    if not given.is_absolute():
        raise InvalidSource(f"The source {source!r} is not an absolute path on the server.")
    # Links resolved first, or one inside a root could lead anywhere.
    path = given.resolve()
    if not any(path.is_relative_to(root) for root in roots):
        allowed = ", ".join(repr(str(root)) for root in roots) if own is None else "of this server"
        raise InvalidSource(f"{source!r} is not under an import root ({allowed}); {ROOTS} adds others.")
    if own is not None and not any(path.is_relative_to(Path(root).resolve()) for root in own):
        raise InvalidSource(f"{source!r} is not under an import root of this client; {GRANT} gives others.")
    if not path.is_dir() and not (path.is_file() and archives.is_archive(path.name)):
        raise InvalidSource(
            f"There is no folder {source!r} on the server, nor an archive: {', '.join(archives.EXTENSIONS)}."
        )
    return str(path)


def _permitted_url(source: str, allowed: Sequence[str], own: Sequence[str] | None) -> str:
    if not allowed:
        raise InvalidSource(
            f"This server may not import from URLs: {URLS} is empty. Set it to what URLs may begin with."
        )
    if not any(_is_under(source, url) for url in allowed):
        told = ", ".join(allowed) if own is None else "those of this server"
        raise InvalidSource(f"{source!r} does not begin like the URLs that may be imported ({told}).")
    if own is not None and not any(_is_under(source, url) for url in own):
        raise InvalidSource(f"{source!r} does not begin like the URLs of this client; {GRANT} gives others.")
    return remotes.checked_url(source)


def _is_under(url: str, allowed: str) -> bool:
    # At a whole segment: s3://photos does not open s3://photos-of-others.
    return f"{url}/".startswith(allowed.rstrip("/") + "/")
