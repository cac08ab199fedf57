"""Features behind what is small: SQLite reads a row from its beginning, through all that lies before."""

from alembic import op

revision = "0010"
down_revision = "0009"

_COLUMNS = "id, extractor_version, image_count, proxies_key, created_at, facts, data"


def upgrade() -> None:
    """Write the table anew with its columns in another order; it is nearly all of the database."""
    if op.get_context().dialect.name != "sqlite":
        # PostgreSQL keeps long values elsewhere.
        return
    op.execute("""
        CREATE TABLE feature_blocks_anew (
            id INTEGER NOT NULL,
            extractor_version INTEGER NOT NULL,
            image_count INTEGER NOT NULL,
            proxies_key TEXT NOT NULL,
            created_at DATETIME NOT NULL,
            facts BLOB,
            data BLOB NOT NULL,
            CONSTRAINT pk_feature_blocks PRIMARY KEY (id AUTOINCREMENT)
        )
    """)
    op.execute(f"INSERT INTO feature_blocks_anew ({_COLUMNS}) SELECT {_COLUMNS} FROM feature_blocks")
    # Ids are never given again, those of rows that are gone neither.
    op.execute("DELETE FROM sqlite_sequence WHERE name = 'feature_blocks_anew'")
    op.execute(
        "INSERT INTO sqlite_sequence (name, seq) "
        "SELECT 'feature_blocks_anew', seq FROM sqlite_sequence WHERE name = 'feature_blocks'"
    )
    op.execute("DROP TABLE feature_blocks")
    op.execute("ALTER TABLE feature_blocks_anew RENAME TO feature_blocks")
