from __future__ import annotations

import pytest

from lookalike.errors import InvalidInput, NotFound, WrongCredentials
from storage import clients, contexts, signing_keys
from storage.clients import Credentials
from storage.db import Database
from tests.racing import race


def add(database: Database, name: str = "phone") -> Credentials:
    with database.transaction() as session:
        return clients.add(session, name)


def is_let_in(database: Database, client_id: str, secret: str) -> bool:
    with database.reading() as session:
        try:
            return clients.authenticate(session, client_id, secret).id == client_id
        except WrongCredentials:
            return False


def test_a_client_is_known_by_id_and_secret_and_the_secret_is_not_kept(database: Database) -> None:
    made, other = add(database), add(database)
    assert is_let_in(database, made.client.id, made.secret)
    assert not is_let_in(database, made.client.id, other.secret)
    assert not is_let_in(database, made.client.id, "")
    assert not is_let_in(database, "nobody\0", made.secret)
    with database.reading() as session:
        stored = clients.get(session, made.client.id)
    assert made.secret not in repr(vars(stored))
    assert bytes.fromhex(made.secret) != stored.secret_hash


def test_who_swaps_id_and_secret_is_told_so(database: Database) -> None:
    made = add(database)
    with database.reading() as session, pytest.raises(WrongCredentials, match="swapped"):
        clients.authenticate(session, made.secret, made.client.id)


def test_revoking_and_renewing_end_what_was_given_before(database: Database) -> None:
    made = add(database)
    with database.transaction() as session:
        assert clients.is_current(session, made.client.id, 1)
        revoked_at = clients.revoke(session, made.client.id).revoked_at
        assert clients.revoke(session, made.client.id).revoked_at == revoked_at
        assert not clients.is_current(session, made.client.id, 1)
        with pytest.raises(WrongCredentials, match="revoked"):
            clients.authenticate(session, made.client.id, made.secret)
    with database.transaction() as session:
        renewed = clients.renew(session, made.client.id)
    assert is_let_in(database, made.client.id, renewed.secret)
    assert not is_let_in(database, made.client.id, made.secret)
    with database.reading() as session:
        assert not clients.is_current(session, made.client.id, 1)
        assert clients.is_current(session, made.client.id, renewed.client.generation)


def test_a_client_that_is_none_cannot_be_changed(database: Database) -> None:
    with database.transaction() as session:
        for change in (clients.get, clients.revoke, clients.renew):
            with pytest.raises(NotFound, match="no client 'x'"):
                change(session, "x")
        for name in ("", " ", "two\nlines", "n" * 201):
            with pytest.raises(InvalidInput):
                clients.add(session, name)


def test_contexts_from_before_there_were_accounts_can_be_adopted_once(database: Database) -> None:
    made, other = add(database), add(database)
    with database.transaction() as session:
        orphan = contexts.create(session, name="from before")
        folder = contexts.for_folder(session, "key", name="of find")
        others = contexts.create(session, name="another's", client_id=other.client.id)
        assert clients.adopt(session, made.client.id) == 1
        assert clients.adopt(session, made.client.id) == 0
    with database.reading() as session:
        owners = {
            context: contexts.get(session, context.id).client_id for context in (orphan, folder, others)
        }
        assert list(owners.values()) == [made.client.id, None, other.client.id]
        assert [(client.id, count) for client, count in clients.listed(session)] == [
            (made.client.id, 1),
            (other.client.id, 1),
        ]


def test_servers_that_start_together_sign_with_one_key(database: Database) -> None:
    keys: list[bytes] = []

    def ensure(number: int) -> None:
        with database.transaction() as session:
            keys.append(signing_keys.ensure(session))

    with database.reading() as session:
        assert signing_keys.find(session) is None
    assert race(ensure, range(4)) == []
    assert len(set(keys)) == 1
    assert len(keys[0]) == 32
    with database.reading() as session:
        assert signing_keys.find(session) == keys[0]
