"""The page of all routes, from the OpenAPI document alone: it opens without a network and runs no script."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import Any

from fastapi import Depends, Request, Response

from tieout import __version__
from tieout.api.access import open_to_all
from tieout.api.section import Section

routes = Section(tags=["docs"], dependencies=[Depends(open_to_all)])

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3em .8em .3em 0;vertical-align:top;"
    "border-bottom:1px solid #8884}code{font-size:.95em}:root{color-scheme:light dark}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'; base-uri 'none'"


@routes.get("/docs", include_in_schema=False)
def docs(request: Request) -> Response:
    """Return the page."""
    document = request.app.openapi()
    tags: dict[str, list[str]] = {}
    for path, operations in sorted(document["paths"].items()):
        for method, operation in operations.items():
            tags.setdefault((operation.get("tags") or ["other"])[0], []).append(_row(method, path, operation))
    parts = [
        f"<h2>{escape(tag)}</h2><table><tr><th>route<th>what it does<th>needs</tr>{''.join(rows)}</table>"
        for tag, rows in sorted(tags.items())
    ]
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Tieout: API</title><style>{_STYLE}</style>'
        f"<h1>Tieout {escape(__version__)}: API</h1><p>For programs: <a href='/openapi.json'>openapi.json</a>. Sign in"
        " with the header <code>Authorization: Bearer TOKEN-OR-KEY</code>.</p>" + "".join(parts) + "</html>"
    )
    return Response(page, media_type="text/html", headers={"Content-Security-Policy": _POLICY})


def _row(method: str, path: str, operation: dict[str, Any]) -> str:
    words = operation.get("description") or operation.get("summary") or ""
    needs = operation.get("x-permission") or ""
    return (
        f"<tr><td><code>{method.upper()} {escape(path)}</code><td>{escape(words.partition(chr(10))[0])}"
        f"<td><code>{escape(needs)}</code></tr>"
    )
