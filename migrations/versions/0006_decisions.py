"""Decisions about pairs of images."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the table, the count of its changes, and what held in a run."""
    op.add_column(
        "contexts", sa.Column("decision_revision", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.add_column("groupings", sa.Column("decision_data", sa.LargeBinary(), nullable=True))
    op.create_table(
        "decisions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("context_id", sa.Uuid(), nullable=False),
        sa.Column("low_sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("high_sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["context_id"], ["contexts.id"], name=op.f("fk_decisions_context_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
        sa.UniqueConstraint(
            "context_id",
            "low_sha256",
            "high_sha256",
            name=op.f("uq_decisions_context_id_low_sha256_high_sha256"),
        ),
    )
