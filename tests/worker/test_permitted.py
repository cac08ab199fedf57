from __future__ import annotations

from pathlib import Path

import pytest

from lookalike.errors import InvalidSource
from storage import clients, contexts
from storage.db import Database
from storage.settings import Settings
from tests.storage import samples
from worker.permitted import permitted


def settings_of(folder: Path, *urls: str) -> Settings:
    (folder / "photos" / "mine").mkdir(parents=True)
    (folder / "photos" / "x.tar.gz").touch()
    (folder / "photos" / "notes.txt").touch()
    (folder / "outside").mkdir()
    (folder / "photos" / "out").symlink_to(folder / "outside")
    return Settings.load(data_dir=folder, import_roots=[folder / "photos"], import_urls=list(urls))


def test_what_lies_under_a_root_may_be_imported(sqlite_database: Database, tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    context_id = samples.add_context(sqlite_database)
    with sqlite_database.reading() as session:
        mine = contexts.get(session, context_id)
        for source in ("photos", "photos/mine", "photos/x.tar.gz"):
            assert permitted(session, mine, f"{tmp_path}/{source}", settings) == f"{tmp_path}/{source}"
        assert permitted(session, mine, f"file://{tmp_path}/photos", settings) == f"{tmp_path}/photos"
        for source in (
            "outside",
            "photos/../outside",
            "photos/out",
            "photos/none",
            "photos/notes.txt",
            "photos2",
        ):
            for given in (f"{tmp_path}/{source}", f"file://{tmp_path}/{source}"):
                with pytest.raises(InvalidSource):
                    permitted(session, mine, given, settings)


def test_urls_begin_as_the_settings_say_at_a_whole_segment(sqlite_database: Database, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "memory://photos/2026", "s3://bucket/")
    context_id = samples.add_context(sqlite_database)
    with sqlite_database.reading() as session:
        mine = contexts.get(session, context_id)
        for url in ("memory://photos/2026", "memory://photos/2026/", "memory://photos/2026/may"):
            assert permitted(session, mine, url, settings) == url
        for url, told in (
            ("memory://photos", "does not begin like"),
            ("memory://photos/2026-private", "does not begin like"),
            ("memory://photos/2026/../2025", "leads upwards"),
            ("memory://photos/2026/%2E%2E/2025", "leads upwards"),
            ("memory://photos/2026/x::file:///etc", "chains others"),
            ("zip://a::memory://photos/2026/x.zip", "does not begin like"),
            ("http://169.254.169.254/latest", "does not begin like"),
            ("s3://bucket/photos", "Install s3fs"),
        ):
            with pytest.raises(InvalidSource, match=told):
                permitted(session, mine, url, settings)
        with pytest.raises(InvalidSource, match="LOOKALIKE_IMPORT_URLS is empty"):
            permitted(session, mine, "memory://photos", Settings.load(data_dir=tmp_path))


def test_a_client_imports_only_from_what_it_was_given(sqlite_database: Database, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "memory://photos")
    photos = tmp_path / "photos"
    with sqlite_database.transaction() as session:
        given = clients.add(session, "given", [str(photos / "mine"), str(tmp_path / "outside")]).client.id
        nothing = clients.add(session, "nothing").client.id
        own = contexts.create(session, name="own", client_id=given)
        other = contexts.create(session, name="other", client_id=nothing)
        assert permitted(session, own, str(photos / "mine"), settings) == str(photos / "mine")
        for context_of, source in (
            (own, str(photos)),
            # Given to the client, but not open to the server.
            (own, str(tmp_path / "outside")),
            (own, "memory://photos"),
            (other, str(photos / "mine")),
        ):
            with pytest.raises(InvalidSource):
                permitted(session, context_of, source, settings)


@pytest.mark.parametrize("value", ["photos", "zip://x::memory://y"])
def test_a_setting_that_is_no_url_is_refused(value: str) -> None:
    with pytest.raises(Exception, match="LOOKALIKE_IMPORT_URLS"):
        Settings.load(import_urls=value)
