"""The compatible API as applications of their own, one for each face, mounted under their paths."""

from __future__ import annotations

from fastapi import FastAPI

from api.compat import (
    finding,
    refusals,
    search_contexts,
    search_features,
    search_images,
    storage_files,
    storage_folders,
)
from api.compat.faces import FACES, Face
from api.parts import Parts


def mount(app: FastAPI, parts: Parts) -> None:
    """Serve the compatible API beside version 1, over the same parts."""
    for path, face in FACES.items():
        app.mount(path, _application(face, parts))


def _application(face: Face, parts: Parts) -> FastAPI:
    # Their description is Aspose's: what it says of itself here would only be in the way of version 1.
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.parts, app.state.face = parts, face
    for routes in (search_contexts, search_images, search_features, finding, storage_files, storage_folders):
        app.include_router(routes.router)
    refusals.install(app)
    return app
