"""The documents at `/docs`, as they lie in `docs/`: Markdown to the reader of a repository, pages to a browser; and
what shows the API itself, outside production: GraphiQL at `/docs/api`, and the schema in its own language."""

import html
import re
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Final

from graphql import GraphQLSchema, print_schema
from markdown_it import MarkdownIt
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from config.errors import NotFound
from config.serving.answers import GRAPHQL_PATH
from config.serving.http import Policy
from config.settings import Settings

FOLDER: Final = Path(__file__).parent / "docs"
HOME: Final = "README"
SCHEMA_PATH: Final = f"{GRAPHQL_PATH}/schema"
GRAPHIQL_PATH: Final = "/docs/api"

_GRAPHIQL: Final = (FOLDER / "graphiql.html").read_text("utf-8")
_CACHE: Final = {"Cache-Control": "no-cache"}
_POLICY: Final = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"
_SCROLLBARS: Final = "'sha256-Y/huXlwoYkVyQlxwSVcCi1RCDGDCSVBzDt0hYP9qlTc='"  # the one <style> that GraphiQL adds
_GRAPHIQL_POLICY: Final = (
    f"default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self' {_SCROLLBARS}; "
    "img-src 'self' data:; font-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<link rel="icon" href="/static/favicon.svg">
<link rel="stylesheet" href="/static/docs.css">
<main>
{body}</main>
"""
# A document points to another as a repository does, with the ending of its file.
_LINK: Final = re.compile(r'href="(?!https?:|/|#)([\w./-]+?)(\.md)?(#[\w-]+)?"')


def routes(settings: Settings, schema: GraphQLSchema) -> list[BaseRoute]:
    """The pages and their programs; the schema and GraphiQL outside production."""
    programs = {path.name: path for path in (FOLDER / "programs").iterdir() if path.is_file()}

    async def document(request: Request) -> Response:
        text = _PAGES.get(request.path_params.get("name", HOME))
        if text is None:
            raise NotFound
        return HTMLResponse(text, headers=_CACHE)

    async def program(request: Request) -> Response:
        path = programs.get(request.path_params["name"])
        if path is None:
            raise NotFound
        return FileResponse(path, media_type="text/plain; charset=utf-8", headers=_CACHE)

    made: list[BaseRoute] = [
        Route("/docs", document),
        Route("/docs/programs/{name}", program),
        Route("/docs/{name}", document),
    ]
    return made if settings.environment == "production" else [*_of_the_schema(schema), *made]


def policies(settings: Settings) -> dict[str, Policy]:
    """The Content-Security-Policy of each path that is a page: no script, but for GraphiQL's own."""
    found = {"/docs": _POLICY, **{f"/docs/{path.stem}": _POLICY for path in FOLDER.glob("*.md")}}
    if settings.environment != "production":
        found[GRAPHIQL_PATH] = _GRAPHIQL_POLICY
    return {path: partial(_always, policy) for path, policy in found.items()}


def _always(policy: str, _host: str, _proxied: bool) -> str:
    return policy


def _of_the_schema(schema: GraphQLSchema) -> list[BaseRoute]:
    text = print_schema(schema)

    async def sdl(_request: Request) -> Response:
        return PlainTextResponse(text, headers=_CACHE)

    async def graphiql(_request: Request) -> Response:
        return HTMLResponse(_GRAPHIQL, headers=_CACHE)

    return [Route(SCHEMA_PATH, sdl), Route(GRAPHIQL_PATH, graphiql)]


def _page(text: str) -> str:
    """A document as HTML; what it says of HTML itself is shown, not obeyed."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(text)
    for heading, inline in pairwise(tokens):
        if heading.type == "heading_open":
            heading.attrSet("id", _anchor(inline.content))
    body = markdown.renderer.render(tokens, markdown.options, {})
    title = html.escape(text.partition("\n")[0].lstrip("# "))
    return _PAGE.format(title=title, body=_LINK.sub(_link, body))


def _anchor(heading: str) -> str:
    """As GitHub makes it of a heading, so that a link leads to the same place in either."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _link(found: re.Match[str]) -> str:
    where = "/docs" if found[1] == HOME else f"/docs/{found[1]}"
    return f'href="{where}{found[3] or ""}"'


_PAGES: Final = {path.stem: _page(path.read_text("utf-8")) for path in FOLDER.glob("*.md")}
