from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.http import listening
from cli.main import app
from lookalike.errors import InvalidInput, LookalikeError
from storage import clients, contexts
from storage.db import Database
from storage.settings import Settings


def lookalike(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    assert result.exit_code in (0, 1, 2), result.output
    return result


def add(data_dir: Path, *options: object) -> dict[str, str]:
    """Add a client and return what was printed as a shell reads it."""
    printed = lookalike("clients", "add", "phone", *options, "--data-dir", data_dir).stdout
    return dict(line.split("=") for line in printed.splitlines())


def test_a_client_is_added_listed_revoked_and_renewed(tmp_path: Path) -> None:
    made = add(tmp_path, "--import-root", tmp_path)
    client_id = made["client_id"]
    listed = lookalike("clients", "list", "--data-dir", tmp_path).stdout
    assert re.search(rf"{client_id} +phone +since .* 0 +{tmp_path}", listed)
    assert made["client_secret"] not in listed
    lookalike("clients", "imports", client_id, "--data-dir", tmp_path)
    assert re.search(r"phone .* 0 +nothing", lookalike("clients", "list", "--data-dir", tmp_path).stdout)
    assert lookalike("clients", "revoke", client_id, "--data-dir", tmp_path).exit_code == 0
    assert re.search(r"phone +revoked", lookalike("clients", "list", "--data-dir", tmp_path).stdout)
    renewed = lookalike("clients", "renew", client_id, "--data-dir", tmp_path).stdout
    assert f"client_id={client_id}\n" in renewed
    assert made["client_secret"] not in renewed
    secret = renewed.split("client_secret=")[1].strip()
    database = Database(f"sqlite:///{tmp_path / 'lookalike.db'}")
    with database.reading() as session:
        assert clients.authenticate(session, client_id, secret).name == "phone"
    database.dispose()


def test_a_client_can_adopt_what_was_made_without_accounts(tmp_path: Path) -> None:
    add(tmp_path)
    database = Database(f"sqlite:///{tmp_path / 'lookalike.db'}")
    with database.transaction() as session:
        context_id = contexts.create(session, name="from before").id
    made = add(tmp_path, "--adopt")
    with database.reading() as session:
        assert contexts.get(session, context_id, made["client_id"]).name == "from before"
    database.dispose()


def test_servers_clients_are_in_the_database_that_the_environment_names(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOKALIKE_DATABASE_URL", postgresql_url)
    lookalike("clients", "add", "phone")
    database = Database(postgresql_url)
    with database.reading() as session:
        assert [client.name for client, _ in clients.listed(session)] == ["phone"]
    database.dispose()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("add", ""), "printable text"),
        (("add", "x", "--import-root", "relative"), "absolute path"),
        (("revoke", "nobody"), "no client 'nobody'"),
        (("renew", "nobody"), "no client 'nobody'"),
        (("imports", "nobody", "/srv"), "no client 'nobody'"),
    ],
)
def test_wrong_use_is_told(arguments: tuple[str, ...], told: str, tmp_path: Path) -> None:
    result = lookalike("clients", *arguments, "--data-dir", tmp_path)
    assert isinstance(result.exception, LookalikeError)
    assert told in result.exception.detail
    assert "client_secret" not in result.stdout


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
def test_a_server_that_others_can_reach_needs_accounts_or_plain_words(host: str) -> None:
    with pytest.raises(InvalidInput, match="--open-to-everybody"):
        listening(host, 0, Settings.load())
    for settings, is_open in (
        (Settings.load(auth="clients"), False),
        (Settings.load(open_to_everybody="yes"), False),
        (Settings.load(), True),
    ):
        listening(host, 0, settings, is_open=is_open).close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2", "::1"])
def test_a_server_for_this_machine_alone_needs_none(host: str) -> None:
    listening(host, 0, Settings.load()).close()
