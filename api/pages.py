"""Web pages from templates: nothing on them comes from another site, and no other site frames them."""

from __future__ import annotations

from pathlib import Path

from fastapi import Response
from jinja2 import Environment, FileSystemLoader, select_autoescape

POLICY = "; ".join(
    (
        *("default-src 'none'", "style-src 'unsafe-inline'", "form-action 'self'"),
        *("base-uri 'none'", "frame-ancestors 'none'"),
    )
)

templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(),
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(template: str, status: int = 200, **values: object) -> Response:
    """Return a page; `values` are what its template names."""
    headers = {
        "Content-Security-Policy": POLICY,
        # Not 'no-referrer': then browsers would send our own forms with `Origin: null`.
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
    content = templates.get_template(template).render(**values)
    return Response(content, status, headers=headers, media_type="text/html")
