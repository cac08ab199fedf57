"""Which methods a path answers to: the Allow header of a 405."""

from __future__ import annotations

from fastapi import Request
from fastapi.routing import iter_route_contexts
from starlette.routing import Match


def methods(request: Request) -> str:
    """Return the methods of all routes that match the path of a request, as Allow lists them."""
    found: set[str] = set()
    for context in iter_route_contexts(request.app.routes):
        match, _ = context.original_route.matches(dict(request.scope))
        if match is not Match.NONE:
            found |= set(context.methods or ())
    return ", ".join(sorted(found))
