"""The page itself, rendered here; what changes comes as the same fragments again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Request
from fastapi.templating import Jinja2Templates
from starlette.responses import Response

from pipeline.types import Event, MarkKind, State
from pipeline.web.auth import ENTRANCE
from pipeline.web.site import Site
from pipeline.web.views import (
    STATES,
    EventView,
    cameras_view,
    day_span,
    event_view,
    versions_view,
)

PER_PAGE = 24
HERE = FilePath(__file__).parent
Id = Annotated[str, Path(max_length=64)]
Word = Annotated[str, Query(max_length=64)]

router = APIRouter(include_in_schema=False)
templates = Jinja2Templates(HERE / "templates")
# A line of a template that is only an instruction leaves no empty line behind.
templates.env.trim_blocks = templates.env.lstrip_blocks = True


@router.get("/")
def index(
    request: Request,
    camera: Word = "",
    rule: Word = "",
    state: Word = "",
    day: Word = "",
    before: Word = "",
) -> Response:
    site: Site = request.app.state.site
    wanted: dict[str, Any] = {"camera": camera or None, "rule": rule or None}
    problem = None
    try:
        wanted["state"] = State(state) if state else None
        if day:
            wanted["since"], wanted["until"] = day_span(date.fromisoformat(day), site.tz)
    except (ValueError, OverflowError):
        problem = "That filter is not understood; all events are shown."
    # Read before the events, so that what comes in between is told by the live stream.
    sequence = site.store.outbox.last()
    found = site.store.search(PER_PAGE + 1, before=before or None, **wanted)
    shown = found[:PER_PAGE]
    facets = site.store.facets()
    # What is filtered for is shown, also where there is nothing of that name.
    all_cameras = {**facets.cameras, **site.cameras}
    if camera:
        all_cameras.setdefault(camera, camera)
    rules = facets.rules if rule in ("", *facets.rules) else (*facets.rules, rule)
    context = {
        "site": site.name,
        "live": site.statuses() is not None,
        "cameras": cameras_view(site, datetime.now(UTC)),
        "all_cameras": all_cameras,
        "rules": rules,
        "states": STATES,
        "filters": {"camera": camera, "rule": rule, "state": state, "day": day},
        "filtered": any((camera, rule, state, day)),
        "problem": problem,
        "views": views(site, shown),
        "older": shown[-1].id if len(found) > PER_PAGE else None,
        "first": not before,
        "sequence": sequence,
    }
    return templates.TemplateResponse(request, "index.html", context)


@router.get("/events/{event_id}")
def page(request: Request, event_id: Id) -> Response:
    site: Site = request.app.state.site
    sequence = site.store.outbox.last()
    view = _view(site, event_id)
    marks = site.store.marks.of_event(event_id)
    context = {
        "site": site.name,
        "view": view,
        "cameras": cameras_view(site, datetime.now(UTC)),
        "versions": versions_view(site.store.versions(event_id), site.tz),
        "missed": [m for m in marks if m.kind is MarkKind.MISSED and m.undone_at is None],
        "sequence": sequence,
    }
    return templates.TemplateResponse(request, "event.html", context)


@router.get("/events/{event_id}/card")
def card(request: Request, event_id: Id) -> Response:
    """One event as it stands in the list."""
    site: Site = request.app.state.site
    return templates.TemplateResponse(request, "card.html", {"view": _view(site, event_id)})


@router.get(ENTRANCE)
def entrance(request: Request, key: Annotated[str, Query(max_length=100)] = "") -> Response:
    return templates.TemplateResponse(request, "enter.html", {"key": key})


def views(site: Site, events: Sequence[Event]) -> list[EventView]:
    """The events as cards, in this order."""
    marks = site.store.marks.current([event.id for event in events])
    now = datetime.now(UTC)
    return [event_view(site, event, marks.get(event.id), now) for event in events]


def _view(site: Site, event_id: str) -> EventView:
    event = site.store.event(event_id)
    if event is None:
        raise HTTPException(404, "There is no event of that name.")
    return views(site, [event])[0]
