"""`python -m migrations.check [URL…]`: do the migrations build the tables that the models describe?"""

from __future__ import annotations

import sys
import tempfile

from storage.db import Database


def migrations_agree(url: str) -> list[str]:
    """Migrate the empty database at url and return what then differs from the models."""
    database = Database(url)
    try:
        database.migrate()
        return database.schema_differences()
    finally:
        database.dispose()


def main(urls: list[str]) -> int:
    """Check SQLite, and each database that is named; say what differs."""
    with tempfile.TemporaryDirectory() as folder:
        differences = [
            each for url in [f"sqlite:///{folder}/check.db", *urls] for each in migrations_agree(url)
        ]
    for each in differences:
        print(each, file=sys.stderr)
    if differences:
        print("Models and migrations differ: run `python -m migrations.draft MESSAGE`.", file=sys.stderr)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
