"""For those who run the server: is it alive, is it ready, what does it count."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Literal

import structlog
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from api.dependencies import TheParts
from api.parts import Parts
from api.problems import documented
from lookalike.errors import LookalikeError, NotAuthenticated, Unavailable
from lookalike.jobs import QUEUES
from storage import jobs

router = APIRouter(tags=["operation"])

log = structlog.get_logger()


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether the parts that are needed are there; each is `ok` or says what is wrong."""

    status: Literal["ready", "not_ready"]
    parts: dict[str, str] = Field(examples=[{"database": "ok", "schema": "ok", "broker": "ok"}])


@router.get("/healthz")
def check_health() -> Health:
    """Tell that the process is alive."""
    return Health()


@router.get("/readyz", responses={503: {"model": Readiness, "description": "Not all parts are there."}})
def check_readiness(parts: TheParts, response: Response) -> Readiness:
    """Tell whether database, schema and broker are there."""
    checks = {"database": _reach_database, "schema": _compare_schema, "broker": _reach_broker}
    found = {name: _told(name, check, parts) for name, check in checks.items()}
    is_ready = all(told == "ok" for told in found.values())
    response.status_code = 200 if is_ready else 503
    return Readiness(status="ready" if is_ready else "not_ready", parts=found)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "Metrics."}, **documented(401)},
)
def show_metrics(request: Request, parts: TheParts) -> Response:
    """Count requests and jobs, for Prometheus.

    They are the operator's, as they are of all clients: if `LOOKALIKE_METRICS_TOKEN` is set, it must be sent
    as `Authorization: Bearer …`; with accounts and without it, nobody sees them.
    """
    _check_operator(request, parts)
    with parts.database.reading() as session:
        counts = jobs.state_counts(session)
    text, media_type = parts.metrics.exposition(counts, parts.watcher.waiter_count)
    return Response(text, media_type=media_type)


def _check_operator(request: Request, parts: Parts) -> None:
    expected = parts.settings.metrics_token
    if not expected and not parts.accounts.are_asked:
        return
    if not expected:
        raise NotAuthenticated("Metrics are for the operator: set LOOKALIKE_METRICS_TOKEN and send it.")
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not hmac.compare_digest(given.encode(), expected.encode()):
        raise NotAuthenticated("Metrics are for the operator: send LOOKALIKE_METRICS_TOKEN as bearer token.")


def _told(name: str, check: Callable[[Parts], None], parts: Parts) -> str:
    try:
        check(parts)
    except LookalikeError as error:
        return error.detail
    except Exception as error:
        log.warning("readiness.failed", part=name, error=repr(error))
        return "unreachable"
    return "ok"


def _reach_database(parts: Parts) -> None:
    with parts.database.reading() as session:
        session.connection()


def _compare_schema(parts: Parts) -> None:
    if not parts.database.schema_is_current():
        raise Unavailable("The schema is not of this version: run `lookalike migrate`.")


def _reach_broker(parts: Parts) -> None:
    parts.dispatcher.empty_queues(QUEUES)
