"""Clients: who may ask, if the server has accounts. Secrets are kept as hashes only."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select, tuple_, update
from sqlalchemy.orm import Session

from lookalike.errors import InvalidInput, NotFound, WrongCredentials
from lookalike.ids import new_id
from storage.models import BrowserSession, Client, Context, StoredFile, Webhook
from storage.types import utc_now

SECRET_BYTES = 32
LONGEST_NAME = 200

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SECRET = re.compile(rf"[0-9a-f]{{{2 * SECRET_BYTES}}}")
# What a secret is held against when there is no client: the answer takes as long as for one that exists.
_NO_HASH = bytes(32)

SWAPPED = (
    "The client id and the client secret are swapped: what was sent as client_id looks like a secret, "
    "and the other way round. (The SDKs of Aspose take the secret first.)"
)
REVOKED = "This client has been revoked; `lookalike clients renew` lets it in again."


@dataclass(frozen=True)
class Credentials:
    """A client and its secret, which is known at this one moment only."""

    client: Client
    secret: str


def add(session: Session, name: str, import_roots: Sequence[str] = ()) -> Credentials:
    """Make a client with a new secret. Raises InvalidInput for a name that is none."""
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise InvalidInput(f"A client's name is printable text of at most {LONGEST_NAME} characters.")
    secret = _new_secret()
    client = Client(
        id=str(new_id()),
        name=name,
        secret_hash=_hash(secret),
        generation=1,
        import_roots=list(import_roots),
        revoked_at=None,
    )
    session.add(client)
    session.flush()
    return Credentials(client, secret)


def get(session: Session, client_id: str) -> Client:
    """Return a client as it is now. Raises NotFound."""
    client = session.get(Client, client_id, populate_existing=True)
    if client is None:
        raise NotFound(f"There is no client {client_id!r}.")
    return client


def listed(session: Session) -> list[tuple[Client, int]]:
    """Return all clients, oldest first, each with the number of its contexts."""
    count = select(func.count()).where(Context.client_id == Client.id).scalar_subquery()
    return [(client, number) for client, number in session.execute(select(Client, count).order_by(Client.id))]


def authenticate(session: Session, client_id: str, secret: str) -> Client:
    """Return the client with this id and secret. Raises WrongCredentials that says what is wrong."""
    if _ID.fullmatch(secret) and _SECRET.fullmatch(client_id):
        # Told by their shape, so that it tells nothing about who is a client here.
        raise WrongCredentials(SWAPPED)
    client = session.get(Client, client_id) if _ID.fullmatch(client_id) else None
    is_right = hmac.compare_digest(client.secret_hash if client else _NO_HASH, _hash(secret))
    if client is None or not is_right:
        raise WrongCredentials
    if client.revoked_at is not None:
        raise WrongCredentials(REVOKED)
    return client


def is_current(session: Session, client_id: str, generation: int) -> bool:
    """Tell whether what a client was given in a generation is still good."""
    client = session.get(Client, client_id)
    return client is not None and client.revoked_at is None and client.generation == generation


def revoke(session: Session, client_id: str) -> Client:
    """Let a client in no more: secret, tokens and browser sessions end at once. Its contexts stay."""
    return _changed(session, client_id, revoked_at=func.coalesce(Client.revoked_at, utc_now()))


def renew(session: Session, client_id: str) -> Credentials:
    """Give a client a new secret; the old one, and all that it opened, end at once. Undoes a revocation."""
    secret = _new_secret()
    return Credentials(_changed(session, client_id, secret_hash=_hash(secret), revoked_at=None), secret)


def give_import_roots(session: Session, client_id: str, import_roots: Sequence[str]) -> Client:
    """Say from which folders on the server a client may import; they take the place of those before."""
    client = get(session, client_id)
    client.import_roots = list(import_roots)
    session.flush()
    return client


def adopt(session: Session, client_id: str) -> int:
    """Give a client what was made without accounts: contexts, files, webhooks; return how many contexts.

    Those that `lookalike find` made belong to folders of this machine and stay out of it.
    """
    orphans = (Context.client_id.is_(None), Context.folder_key.is_(None))
    paths = select(StoredFile.storage, StoredFile.path).where(StoredFile.client_id == client_id)
    # Where it has a file of its own already, that one stays.
    files = update(StoredFile).where(
        StoredFile.client_id == "", tuple_(StoredFile.storage, StoredFile.path).not_in(paths)
    )
    session.execute(files.values(client_id=client_id), execution_options={"synchronize_session": False})
    hooks = update(Webhook).where(Webhook.client_id.is_(None)).values(client_id=client_id)
    session.execute(hooks, execution_options={"synchronize_session": False})
    statement = update(Context).where(*orphans).values(client_id=client_id).returning(Context.id)
    return len(session.scalars(statement, execution_options={"synchronize_session": False}).all())


def _changed(session: Session, client_id: str, **values: object) -> Client:
    changes = {"generation": Client.generation + 1, **values}
    statement = update(Client).where(Client.id == client_id).values(changes)
    session.execute(statement, execution_options={"synchronize_session": False})
    session.execute(delete(BrowserSession).where(BrowserSession.client_id == client_id))
    return get(session, client_id)


def _new_secret() -> str:
    # Hexadecimal: some SDKs put it into a form without encoding it.
    return secrets.token_hex(SECRET_BYTES)


def _hash(secret: str) -> bytes:
    # A fast hash is enough because people do not choose these secrets: there are 2**256 of them, all as
    # likely, and no list to try. A slow one is for passwords, and would be a way to keep this server busy.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
