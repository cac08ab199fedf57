"""The data directory of embedded mode."""

from __future__ import annotations

import os
from pathlib import Path

from lookalike.errors import InvalidInput
from storage.settings import Settings


def embedded_settings(data_dir: Path | None) -> Settings:
    """Return the settings of embedded mode with a data directory that can be used, made now if need be.

    Database, broker and blobs are those of the data directory, whatever the environment says for servers: who
    has the directory's lock takes all unfinished work for its own.
    """
    given = {"data_dir": data_dir} if data_dir else {}
    settings = Settings.load(database_url="", broker_url=None, blob_url="", **given)
    directory = settings.data_dir
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "it is a file" if isinstance(error, FileExistsError) else error.strerror
        raise InvalidInput(_unusable(directory, str(reason))) from None
    if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        raise InvalidInput(_unusable(directory, "it cannot be written to"))
    return settings


def _unusable(directory: Path, reason: str) -> str:
    return f"The data directory {directory} cannot be used: {reason}. Give another with --data-dir."
