"""The two shapes of answers: what the SDKs read, and what the public tutorial prints.

The SDKs for Java, .NET and Node each forbid something, and what all of them take is: status 200 and no other,
compact JSON from the first byte on, keys in camelCase and none that they do not know.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, Protocol

from fastapi import Response

Headers = Mapping[str, str]


class Face(Protocol):
    """How answers look. Values have keys in camelCase."""

    def answer(self, value: Mapping[str, Any], headers: Headers | None = None) -> Response:
        """Return what was asked for."""

    def done(self, headers: Headers | None = None) -> Response:
        """Return the answer of what has nothing to tell."""

    def refused(self, status: int, code: str, detail: str, headers: Headers | None = None) -> Response:
        """Return why it was not done."""


class Sdk:
    """What the SDKs speak, under /v3.0."""

    def answer(self, value: Mapping[str, Any], headers: Headers | None = None) -> Response:
        """Return the value as it is."""
        return _json(value, 200, headers)

    def done(self, headers: Headers | None = None) -> Response:
        """Return an empty body: no SDK reads it, and the one for Java would take text for XML."""
        return Response(status_code=200, headers=dict(headers or {}))

    def refused(self, status: int, code: str, detail: str, headers: Headers | None = None) -> Response:
        """Return an `error` with the four keys that its model has."""
        return _json({"error": _error(status, code, detail)}, status, headers)


class Tutorial:
    """What the tutorial prints, under /v3: PascalCase, with Code and Status in every answer."""

    def answer(self, value: Mapping[str, Any], headers: Headers | None = None) -> Response:
        """Return the value with the tutorial's names."""
        return _json({**_pascal(value), **_status(200)}, 200, headers)

    def done(self, headers: Headers | None = None) -> Response:
        """Return Code and Status."""
        return _json(_status(200), 200, headers)

    def refused(self, status: int, code: str, detail: str, headers: Headers | None = None) -> Response:
        """Return an `Error`, with Code and Status as in every answer."""
        error = _pascal({"error": _error(status, code, detail)})
        return _json({**error, **_status(status)}, status, headers)


# What the tutorial calls otherwise: its groups are the only things in it with a small first letter.
_TUTORIAL_NAMES = {"duplicateImages": "duplicatesInGroup"}

SDK: Final[Face] = Sdk()
TUTORIAL: Final[Face] = Tutorial()

# The SDK for Python leaves the version out once its request for a token has failed.
FACES: Final[Mapping[str, Face]] = {"/v3.0/imaging": SDK, "/v3/imaging": TUTORIAL, "/imaging": SDK}


def face_of(path: str) -> Face | None:
    """Return the face that answers at a path, None if it is not one of the compatible API."""
    return next((face for prefix, face in FACES.items() if path.startswith(f"{prefix}/")), None)


def _json(value: Mapping[str, Any], status: int, headers: Headers | None) -> Response:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status, headers=dict(headers or {}), media_type="application/json")


def _error(status: int, code: str, detail: str) -> dict[str, Any]:
    return {"code": code, "message": HTTPStatus(status).phrase, "description": detail, "innerError": None}


def _status(status: int) -> dict[str, Any]:
    return {"Code": status, "Status": HTTPStatus(status).phrase}


def _pascal(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_named(name): _pascal(inner) for name, inner in value.items()}
    return [_pascal(inner) for inner in value] if isinstance(value, list) else value


def _named(name: str) -> str:
    return _TUTORIAL_NAMES.get(name, name[:1].upper() + name[1:])
