"""Groups from run to run.

Groups that are stored are dropped: they are made anew from matches when somebody asks for them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Put versions of groups in the place of one copy for each job, and facts beside features."""
    op.add_column("feature_blocks", sa.Column("facts", sa.LargeBinary(), nullable=True))
    op.drop_table("group_images")
    op.drop_table("groups")
    op.drop_table("groupings")
    op.create_table(
        "lineages",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("context_id", sa.Uuid(), nullable=False),
        sa.Column("threshold_tenths", sa.SmallInteger(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("given_run", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["context_id"], ["contexts.id"], name=op.f("fk_lineages_context_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lineages")),
        sa.UniqueConstraint(
            "context_id", "threshold_tenths", name=op.f("uq_lineages_context_id_threshold_tenths")
        ),
    )
    op.create_table(
        "groupings",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("lineage_id", _ROW_ID, nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("previous_run", sa.Integer(), nullable=False),
        sa.Column("threshold_tenths", sa.SmallInteger(), nullable=False),
        sa.Column("engine_version", sa.Integer(), nullable=False),
        sa.Column("group_count", sa.Integer(), nullable=False),
        sa.Column("duplicate_count", sa.Integer(), nullable=False),
        sa.Column("reclaimable_bytes", sa.BigInteger(), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("image_data", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_groupings_job_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["lineage_id"], ["lineages.id"], name=op.f("fk_groupings_lineage_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_groupings")),
        sa.UniqueConstraint("job_id", name=op.f("uq_groupings_job_id")),
        sa.UniqueConstraint("lineage_id", "run", name=op.f("uq_groupings_lineage_id_run")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "groups",
        sa.Column("lineage_id", _ROW_ID, nullable=False),
        sa.Column("from_run", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("until_run", sa.Integer(), nullable=True),
        sa.Column("group_id", sa.Uuid(), nullable=False),
        sa.Column("image_count", sa.Integer(), nullable=False),
        sa.Column("reclaimable_bytes", sa.BigInteger(), nullable=False),
        sa.Column("least_similarity_tenths", sa.SmallInteger(), nullable=False),
        sa.Column("reasons", sa.SmallInteger(), nullable=False),
        sa.Column("changes", sa.SmallInteger(), nullable=False),
        sa.Column("previous_image_count", sa.Integer(), nullable=False),
        sa.Column("came_from", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("went_to", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("listed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["lineage_id"], ["lineages.id"], name=op.f("fk_groups_lineage_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("lineage_id", "from_run", "number", name=op.f("pk_groups")),
    )
    live, ended = sa.text("until_run IS NULL"), sa.text("until_run IS NOT NULL")
    for name, column in (
        ("ix_groups_reclaimable", "reclaimable_bytes"),
        ("ix_groups_size", "image_count"),
        ("ix_groups_similarity", "least_similarity_tenths"),
    ):
        op.create_index(
            name, "groups", ["lineage_id", column, "group_id"], sqlite_where=live, postgresql_where=live
        )
    op.create_index("ix_groups_id", "groups", ["lineage_id", "group_id"])
    op.create_index(
        "ix_groups_ended", "groups", ["lineage_id", "until_run"], sqlite_where=ended, postgresql_where=ended
    )
