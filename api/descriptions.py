"""What the API says of itself: /openapi.json and the page /docs, made here to work without a network."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi
from markupsafe import Markup, escape
from pydantic.json_schema import models_json_schema

from api import browsers, pages, problems, sent
from api.authentication import OPEN_PATHS
from api.schemas.comparisons import ComparisonAsked, SimilarAsked

# Bodies that a route reads for itself, so FastAPI does not know of them.
_READ_BY_HAND = (ComparisonAsked, SimilarAsked)

SECURITY_SCHEMES: dict[str, Any] = {
    "client": {
        "type": "oauth2",
        "description": "A token of POST /connect/token, sent as `Authorization: Bearer …`.",
        "flows": {"clientCredentials": {"tokenUrl": "/connect/token", "scopes": {}}},
    },
    "browser": {
        "type": "apiKey",
        "in": "cookie",
        "name": browsers.COOKIE,
        "description": f"A browser that has logged in at /login; changes need {browsers.CSRF_HEADER} too.",
    },
}


def install(app: FastAPI) -> None:
    """Let the app describe itself at /openapi.json and /docs."""

    @cache
    def openapi() -> dict[str, Any]:
        return _described(app)

    def show_docs() -> Response:
        return _page(openapi(), is_asked=app.state.parts.accounts.are_asked)

    app.openapi = openapi  # type: ignore[method-assign]
    app.add_api_route("/docs", show_docs, include_in_schema=False)


def _described(app: FastAPI) -> dict[str, Any]:
    described = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
        webhooks=sent.router.routes,
        tags=app.openapi_tags,
    )
    _add_models(described["components"]["schemas"])
    described["components"]["securitySchemes"] = SECURITY_SCHEMES
    is_asked = app.state.parts.accounts.are_asked
    for path, methods in described["paths"].items():
        if is_asked and path not in OPEN_PATHS:
            for operation in methods.values():
                _tell_who_may_ask(operation)
    for operation in operations(described):
        _tell_in_words(operation)
        _keep_one_kind_of_problem(operation)
    return described


def operations(described: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give all operations of an OpenAPI document, what is sent to webhooks too."""
    for methods in [*described["paths"].values(), *described["webhooks"].values()]:
        yield from methods.values()


def _add_models(schemas: dict[str, Any]) -> None:
    models = [(model, "validation") for model in _READ_BY_HAND]
    _, found = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    schemas.update(found["$defs"])


def _tell_in_words(operation: dict[str, Any]) -> None:
    """Make the first line of a route's docstring its summary, in place of its name."""
    first, _, rest = operation.pop("description", "").partition("\n")
    operation["summary"] = first.rstrip(".")
    if rest.strip():
        operation["description"] = rest.strip()


def _tell_who_may_ask(operation: dict[str, Any]) -> None:
    operation["security"] = [{name: []} for name in SECURITY_SCHEMES]
    refused = problems.documented(401)[401]
    operation["responses"]["401"] = {name: refused[name] for name in ("description", "content")}


def _keep_one_kind_of_problem(operation: dict[str, Any]) -> None:
    for response in operation["responses"].values():
        if problems.MEDIA_TYPE in response.get("content", {}):
            response["content"].pop("application/json", None)


def _page(described: dict[str, Any], *, is_asked: bool) -> Response:
    by_tag: dict[str, list[Any]] = {tag["name"]: [] for tag in described["tags"]}
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            by_tag[operation["tags"][0]].append((method.upper(), path, operation))
    for kind, methods in described["webhooks"].items():
        by_tag["webhooks"].append(("SENT", kind, methods["post"]))
    schemas = described["components"]["schemas"]
    pages.templates.filters["marked"] = _marked
    return pages.page(
        "docs.html",
        is_asked=is_asked,
        api=described,
        by_tag=by_tag,
        schemas=schemas,
        kind=_kind,
        example=_example,
    )


def _marked(text: str | None) -> Markup:
    """Set the little Markdown that descriptions have: code, bold, and lines that go on."""
    joined = re.sub(r"(?<!\n)\n(?![\n\d])", " ", text or "")
    coded = re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(joined)))
    return Markup(re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", coded))


def _kind(schema: dict[str, Any]) -> str:
    """Say in a few words what a value is."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    limits = [f"{words} {schema[name]}" for name, words in _LIMITS.items() if name in schema]
    return ", ".join([str(schema.get("format", schema.get("type", "any"))), *limits])


_LIMITS = {"minimum": "from", "maximum": "to"}


def _example(schema: dict[str, Any]) -> str:
    return json.dumps(schema["examples"][0], indent=2) if schema.get("examples") else ""
