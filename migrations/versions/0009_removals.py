"""What was removed from contexts, by hash."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "removals",
        sa.Column("context_id", sa.Uuid(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("kept_sha256", sa.LargeBinary(32), nullable=True),
        sa.Column("removed_revision", sa.BigInteger(), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["context_id"], ["contexts.id"], name=op.f("fk_removals_context_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("context_id", "sha256", name=op.f("pk_removals")),
    )
    op.create_index(op.f("ix_removals_removed_at"), "removals", ["removed_at"])
