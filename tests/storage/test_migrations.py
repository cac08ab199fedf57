from __future__ import annotations

from pathlib import Path

from alembic import command
from sqlalchemy import create_engine, select, text

from lookalike.features.record import FACTS, FEATURES
from storage import schema
from storage.db import Database
from storage.models import FeatureBlock


def test_features_are_written_anew_as_they_were_and_their_ids_are_not_given_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/old.db"
    data, facts = bytes(FEATURES.itemsize), bytes(FACTS.itemsize)
    _upgrade(url, "0009")
    engine = create_engine(url)
    with engine.begin() as connection:
        rows = [{"id": number, "data": data, "facts": facts} for number in (1, 2, 3)]
        adding = (
            "INSERT INTO feature_blocks"
            " (id, extractor_version, image_count, data, proxies_key, created_at, facts)"
            " VALUES (:id, 7, 1, :data, 'proxies/' || :id, '2026-01-01', :facts)"
        )
        connection.execute(text(adding), rows)
        connection.execute(text("DELETE FROM feature_blocks WHERE id > 1"))
    engine.dispose()
    database = Database(url)
    database.migrate()
    with database.transaction() as session:
        block = session.scalars(select(FeatureBlock)).one()
        assert (block.id, block.extractor_version, block.proxies_key) == (1, 7, "proxies/1")
        assert (block.data, block.facts) == (data, facts)
        added = FeatureBlock(extractor_version=7, image_count=1, data=data, proxies_key="proxies/4")
        session.add(added)
        session.flush()
        assert added.id == 4
    database.dispose()


def _upgrade(url: str, revision: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        command.upgrade(schema.config(connection), revision)
    engine.dispose()
