"""The HTTP application."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI
from fastapi.routing import APIRoute

from api import descriptions, refusals
from api.accounts import Accounts
from api.authentication import Authentication
from api.compat import app as compat
from api.listeners import NoticeWatcher
from api.metrics import Counting, Metrics
from api.origins import OriginCheck
from api.parts import Parts
from api.routers import (
    comparisons,
    content,
    contexts,
    decisions,
    events,
    groups,
    health,
    images,
    imports,
    jobs,
    schedules,
    sessions,
    tokens,
    webhooks,
)
from api.watcher import JobWatcher
from storage.blobs import Blobs
from storage.db import Database
from storage.settings import Settings
from worker.dispatch import Dispatcher

DESCRIPTION = """
Finds exact and near-duplicate images in large collections.

1. Create a **context**, the collection inside which duplicates are searched.
2. Put **images** into it: upload them, or import a folder of the server.
3. Start a **job** of kind `find_duplicates` and wait: poll it, follow its events, or send `Prefer: wait=60`.
4. Read its **groups**: each is an original and the images that match it.

Lists come in pages: `{"items": […], "next_cursor": …}`; give `next_cursor` as `cursor` to get the next page,
until it is null. Errors are problem details (RFC 9457); their `code` is stable. A POST that makes something
takes an `Idempotency-Key`: sent again, it is not done again. Times are RFC 3339 in UTC. Version 1 only grows.

What Aspose.Imaging Cloud's SDKs speak (imageSearch and storage) is under `/v3.0` and, as its tutorial prints
it, under `/v3`: the same contexts, images and jobs. It is not listed here, as Aspose describes it.
"""

TAGS = [
    {"name": "contexts", "description": "The collections inside which duplicates are searched."},
    {
        "name": "images",
        "description": "Pictures in a context, each under an id of your own such as `cats/a.jpg`.",
    },
    {"name": "jobs", "description": "Requested pieces of work, their state, progress and errors."},
    {"name": "groups", "description": "What a job found: originals, and the images that match them."},
    {"name": "schedules", "description": "Jobs that are made by themselves, at times."},
    {
        "name": "decisions",
        "description": "What people have decided about pairs of images; it outlasts jobs, names and imports.",
    },
    {"name": "webhooks", "description": "Being told what happens: by signed requests, or as it streams."},
    {"name": "comparison", "description": "Answers about single pictures, without a job."},
    {"name": "accounts", "description": "Where a server has accounts: who you are."},
    {"name": "operation", "description": "For those who run the server."},
]


def create_app(settings: Settings, database: Database, blobs: Blobs, dispatcher: Dispatcher) -> FastAPI:
    """Return the application over these parts."""
    metrics, accounts = Metrics(), Accounts(database, settings)
    app = FastAPI(
        title="Lookalike",
        version=version("lookalike"),
        summary="Duplicate images by content",
        description=DESCRIPTION,
        openapi_tags=TAGS,
        generate_unique_id_function=_name,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    watcher, listeners = JobWatcher(database), NoticeWatcher(database)
    app.state.parts = Parts(settings, database, blobs, dispatcher, watcher, metrics, accounts, listeners)
    for routes in (
        contexts,
        images,
        content,
        imports,
        jobs,
        groups,
        schedules,
        comparisons,
        tokens,
        health,
        decisions,
        webhooks,
        events,
    ):
        app.include_router(routes.router)
    app.include_router(groups.differences_router)
    compat.mount(app, app.state.parts)
    refusals.install(app)
    descriptions.install(app)
    if accounts.are_asked:
        # Last: its first page is there as long as there is no better one.
        app.include_router(sessions.router)
        app.add_middleware(Authentication, accounts=accounts)
    else:
        app.add_middleware(OriginCheck)
    app.add_middleware(Counting, metrics=metrics)
    return app


def _name(route: APIRoute) -> str:
    return route.name
