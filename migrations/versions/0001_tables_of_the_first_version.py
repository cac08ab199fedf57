"""Tables of the first version."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "contexts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("folder_key", sa.Text(), nullable=True),
        sa.Column("similarity_threshold", sa.Double(), nullable=False),
        sa.Column("match_floor", sa.Double(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contexts")),
        sa.UniqueConstraint("folder_key", name=op.f("uq_contexts_folder_key")),
    )
    op.create_index(op.f("ix_contexts_client_id"), "contexts", ["client_id"], unique=False)
    op.create_table(
        "feature_blocks",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("extractor_version", sa.Integer(), nullable=False),
        sa.Column("image_count", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("proxies_key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feature_blocks")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("method", sa.String(length=8), nullable=False),
        sa.Column("path", sa.String(length=512), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("client_id", "method", "path", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(op.f("ix_idempotency_keys_created_at"), "idempotency_keys", ["created_at"], unique=False)
    op.create_table(
        "contents",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("byte_count", sa.BigInteger(), nullable=False),
        sa.Column("format", sa.String(length=16), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("extractor_version", sa.Integer(), nullable=False),
        sa.Column("block_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("slot", sa.Integer(), nullable=True),
        sa.Column("error_code", sa.String(length=32), nullable=True),
        sa.Column("error_detail", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["block_id"], ["feature_blocks.id"], name=op.f("fk_contents_block_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contents")),
        sa.UniqueConstraint("sha256", name=op.f("uq_contents_sha256")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_contents_block_id"), "contents", ["block_id"], unique=False)
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("context_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("queue", sa.String(length=16), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=True),
        sa.Column("error_code", sa.String(length=32), nullable=True),
        sa.Column("error_detail", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["context_id"], ["contexts.id"], name=op.f("fk_jobs_context_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index("ix_jobs_context", "jobs", ["context_id", "id"], unique=False)
    op.create_index("ix_jobs_state", "jobs", ["state"], unique=False)
    op.create_table(
        "groupings",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("threshold_tenths", sa.SmallInteger(), nullable=False),
        sa.Column("group_count", sa.Integer(), nullable=False),
        sa.Column("duplicate_count", sa.Integer(), nullable=False),
        sa.Column("reclaimable_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_groupings_job_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_groupings")),
        sa.UniqueConstraint("job_id", "threshold_tenths", name=op.f("uq_groupings_job_id_threshold_tenths")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "images",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("context_id", sa.Uuid(), nullable=False),
        sa.Column("image_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("source", sa.String(length=12), nullable=False),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("content_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("byte_count", sa.BigInteger(), nullable=True),
        sa.Column("modified_ns", sa.BigInteger(), nullable=True),
        sa.Column("error_code", sa.String(length=32), nullable=True),
        sa.Column("error_detail", sa.Text(), nullable=True),
        sa.Column("added_revision", sa.BigInteger(), nullable=False),
        sa.Column("removed_revision", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["content_id"], ["contents.id"], name=op.f("fk_images_content_id")),
        sa.ForeignKeyConstraint(
            ["context_id"], ["contexts.id"], name=op.f("fk_images_context_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_images")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_images_content_id"), "images", ["content_id"], unique=False)
    op.create_index(
        "ix_images_live",
        "images",
        ["context_id", "image_id"],
        unique=True,
        sqlite_where=sa.text("removed_revision IS NULL"),
        postgresql_where=sa.text("removed_revision IS NULL"),
    )
    op.create_index(
        "ix_images_removed",
        "images",
        ["context_id", "removed_revision"],
        unique=False,
        sqlite_where=sa.text("removed_revision IS NOT NULL"),
        postgresql_where=sa.text("removed_revision IS NOT NULL"),
    )
    op.create_index("ix_images_revision", "images", ["context_id", "added_revision"], unique=False)
    op.create_table(
        "job_errors",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("image_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_job_errors_job_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_errors")),
        sa.UniqueConstraint("job_id", "image_id", name=op.f("uq_job_errors_job_id_image_id")),
    )
    op.create_table(
        "matches",
        sa.Column("low_content_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("high_content_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("engine_version", sa.Integer(), nullable=False),
        sa.Column("similarity_tenths", sa.SmallInteger(), nullable=False),
        sa.Column("relation", sa.String(length=20), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ["high_content_id"], ["contents.id"], name=op.f("fk_matches_high_content_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["low_content_id"], ["contents.id"], name=op.f("fk_matches_low_content_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("low_content_id", "high_content_id", name=op.f("pk_matches")),
    )
    op.create_index("ix_matches_high", "matches", ["high_content_id"], unique=False)
    op.create_table(
        "shards",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("stage_position", sa.SmallInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("loss_count", sa.SmallInteger(), nullable=False),
        sa.Column("lease_until", sa.Double(), nullable=True),
        sa.Column("sent_at", sa.Double(), nullable=True),
        sa.Column("send_count", sa.SmallInteger(), nullable=False),
        sa.Column("item_count", sa.Integer(), nullable=False),
        sa.Column("input", sa.JSON(), nullable=False),
        sa.Column("input_data", sa.LargeBinary(), nullable=True),
        sa.Column("output_data", sa.LargeBinary(), nullable=True),
        sa.Column("output", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_shards_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shards")),
        sa.UniqueConstraint(
            "job_id", "stage_position", "number", name=op.f("uq_shards_job_id_stage_position_number")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_shards_next", "shards", ["job_id", "state", "number"], unique=False)
    op.create_index("ix_shards_state", "shards", ["state", "lease_until"], unique=False)
    op.create_table(
        "stages",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=True),
        sa.Column("shard_done", sa.Integer(), nullable=False),
        sa.Column("shard_total", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_stages_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "position", name=op.f("pk_stages")),
    )
    op.create_table(
        "group_images",
        sa.Column("grouping_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("image_row", sa.BigInteger(), nullable=False),
        sa.Column("similarity_tenths", sa.SmallInteger(), nullable=False),
        sa.Column("relation", sa.String(length=20), nullable=False),
        sa.Column("is_related", sa.Boolean(), nullable=False),
        sa.Column("related_to_row", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["grouping_id"], ["groupings.id"], name=op.f("fk_group_images_grouping_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("grouping_id", "number", "position", name=op.f("pk_group_images")),
    )
    op.create_table(
        "groups",
        sa.Column("grouping_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("image_count", sa.Integer(), nullable=False),
        sa.Column("reclaimable_bytes", sa.BigInteger(), nullable=False),
        sa.Column("least_similarity_tenths", sa.SmallInteger(), nullable=False),
        sa.Column("original_reasons", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["grouping_id"], ["groupings.id"], name=op.f("fk_groups_grouping_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("grouping_id", "number", name=op.f("pk_groups")),
    )
    op.create_index(
        "ix_groups_reclaimable", "groups", ["grouping_id", "reclaimable_bytes", "number"], unique=False
    )
    op.create_index(
        "ix_groups_similarity", "groups", ["grouping_id", "least_similarity_tenths", "number"], unique=False
    )
    op.create_index("ix_groups_size", "groups", ["grouping_id", "image_count", "number"], unique=False)
