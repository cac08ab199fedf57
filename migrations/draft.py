"""`python -m migrations.draft MESSAGE`: write the next migration from what the models have become."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from alembic import command

import migrations
from storage import schema
from storage.db import Database


def draft(message: str) -> Path:
    """Write the next numbered migration into versions/ and return its path; read it before you use it."""
    versions = Path(migrations.__file__).parent / "versions"
    number = f"{len(list(versions.glob('[0-9]*.py'))) + 1:04d}"
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/draft.db")
        database.migrate()
        with database._migrating() as connection:
            config = schema.config(connection)
            written = command.revision(config, message, autogenerate=True, rev_id=number)
        database.dispose()
    path = versions / f"{number}_{re.sub(r'[^a-z0-9]+', '_', message.lower()).strip('_')}.py"
    if written is None or isinstance(written, list):
        raise RuntimeError("Alembic wrote no migration")
    return Path(written.path).rename(path)


if __name__ == "__main__":
    print(draft(" ".join(sys.argv[1:])))
