"""The application: the page, the API behind it, media, and what changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from pipeline.errors import StoreError
from pipeline.web import api, cameras, live, media_files, metrics, pages
from pipeline.web.auth import Access, Gate
from pipeline.web.live import Live
from pipeline.web.pages import templates
from pipeline.web.problem import ANYWHERE
from pipeline.web.site import Site

logger = logging.getLogger(__name__)

MOST_BODY = 64 * 1024
_SILENT = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
"""FastAPI reports nothing, whatever the environment says."""
_SENTENCES = {
    HTTPStatus.NOT_FOUND.phrase: "There is no such page.",
    HTTPStatus.METHOD_NOT_ALLOWED.phrase: "This address does not take such a request.",
}
"""What the framework answers by itself, for people."""


def create_app(
    site: Site,
    access: Access | None,
    *,
    host: str = "localhost",
    on_alive: Callable[[], None] = lambda: None,
) -> ASGIApp:
    """The page over a site. If there is no `access` it is open to whoever reaches it under `host`
    or the usual names of this machine. `on_alive` is called by the event loop all the while."""
    following = Live(site, on_alive)

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("The page cannot follow what happens", exc_info=error)
            following.failed = True

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(following.run())
        task.add_done_callback(ended)
        yield
        following.close()
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task

    app = FastAPI(
        title="vigil",
        summary="Events of a video surveillance pipeline, their clips and marks.",
        openapi_url="/api/openapi.json",
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        responses=ANYWHERE,
        max_body_size=MOST_BODY,
        telemetry=_SILENT,  # type: ignore[arg-type] # the type wants literals
    )
    app.state.site, app.state.live = site, following
    for part in (api, cameras, media_files, metrics, pages, live):
        app.include_router(part.router)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(StoreError, _unavailable)
    return Gate(app, access, host)


def live_of(app: ASGIApp) -> Live:
    """What the application tells open pages."""
    assert isinstance(app, Gate)
    found: Any = app.app
    following: Live = found.state.live
    return following


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = str(error.detail)
    return _answer(request, error.status_code, _SENTENCES.get(said, said))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or "the request"
    return _answer(request, 422, f"{where}: {str(first['msg']).removeprefix('Value error, ')}.")


async def _unavailable(request: Request, error: Exception) -> Response:
    return _answer(request, 503, str(error))


def _answer(request: Request, status: int, sentence: str) -> Response:
    """A sentence, as a page where a person has asked for one."""
    wants_page = "text/html" in request.headers.get("accept", "")
    if wants_page and not request.url.path.startswith(("/api", "/media")):
        context = {"sentence": sentence}
        return templates.TemplateResponse(request, "problem.html", context, status_code=status)
    return JSONResponse({"detail": sentence}, status)
