"""Who may ask: clients, and the tokens and browsers' sessions that they get for their id and secret."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import jwt

from lookalike.errors import InvalidToken, WrongCredentials
from storage import browser_sessions, clients, signing_keys
from storage.db import Database
from storage.settings import Settings
from storage.types import utc_now

_ALGORITHM = "HS256"
_CLAIMS = ("sub", "gen", "iat", "exp")
# What a client gets for a token where none is looked at: some ask again and again if it is empty.
OPEN = "open"
MISSING = "Send client_id and client_secret; `lookalike clients add` makes them."
# Servers' clocks differ a little: a token from one must be good at once on another.
_LEEWAY = timedelta(minutes=1)


@dataclass(frozen=True)
class Token:
    """What a client sends as `Authorization: Bearer …`, and how long it is good."""

    text: str
    lifetime_seconds: int


class Accounts:
    """The clients of one database, as one process of the API sees them. Safe to share between threads.

    `are_asked` tells whether anybody is asked who they are.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self.are_asked = settings.auth == "clients"
        self.session_lifetime = timedelta(hours=settings.session_hours)
        self._token_lifetime = timedelta(hours=settings.token_hours)
        self._known_key: bytes | None = None

    def token(self, client_id: str, secret: str) -> Token:
        """Issue a token; where there are no accounts, to anybody. Raises WrongCredentials."""
        if not self.are_asked:
            return self._issued(OPEN)
        if not client_id or not secret:
            raise WrongCredentials(MISSING)
        with self._database.reading() as session:
            client = clients.authenticate(session, client_id, secret)
        now = utc_now()
        claims = {"sub": client.id, "gen": client.generation, "iat": now, "exp": now + self._token_lifetime}
        return self._issued(jwt.encode(claims, self._key(), algorithm=_ALGORITHM))

    def log_in(self, client_id: str, secret: str) -> str:
        """Begin a browser's session; return its token. Raises WrongCredentials."""
        with self._database.transaction() as session:
            client = clients.authenticate(session, client_id, secret)
            return browser_sessions.begin(session, client.id, self.session_lifetime)

    def log_out(self, token: str) -> None:
        """End a browser's session."""
        with self._database.transaction() as session:
            browser_sessions.end(session, token)

    def client_of_session(self, token: str) -> str | None:
        """Return the id of the client whose browser has a token; None if its session has ended."""
        with self._database.reading() as session:
            return browser_sessions.client_of(session, token)

    def client_of(self, token: str) -> str:
        """Return the id of the client that a token was issued to. Raises InvalidToken."""
        claims = self._claims(token)
        with self._database.reading() as session:
            # Asked anew each time: what has been revoked must be refused at once, by every server.
            if not clients.is_current(session, claims["sub"], claims["gen"]):
                raise InvalidToken("The client has been revoked or has a new secret: this token has ended.")
        return str(claims["sub"])

    def _issued(self, text: str) -> Token:
        return Token(text, round(self._token_lifetime.total_seconds()))

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token, self._key(), [_ALGORITHM], options={"require": list(_CLAIMS)}, leeway=_LEEWAY
            )
        except jwt.ExpiredSignatureError:
            raise InvalidToken("The token has expired: get a new one from POST /connect/token.") from None
        except jwt.InvalidTokenError:
            raise InvalidToken from None
        return claims

    def _key(self) -> bytes:
        if self._known_key is None:
            self._known_key = self._stored_key()
        return self._known_key

    def _stored_key(self) -> bytes:
        with self._database.reading() as session:
            key = signing_keys.find(session)
        if key is None:
            with self._database.transaction() as session:
                key = signing_keys.ensure(session)
        return key
