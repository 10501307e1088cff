"""The API behind the page: events and marks; described at /api/openapi.json."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query, Request
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from pipeline.store import Store
from pipeline.types import Event, Mark, MarkKind, Severity, State
from pipeline.web.problem import MISSING
from pipeline.web.site import Site
from pipeline.web.views import day_span, event_view

MOST = 200
Id = Annotated[str, Path(max_length=64, description="An event's id.")]
Word = Annotated[str | None, Query(max_length=64)]

YEARS = range(1970, 2200)


def _plausible(moment: datetime) -> datetime:
    if moment.year not in YEARS:
        raise ValueError(f"a moment between {YEARS.start} and {YEARS.stop} is wanted")
    return moment


router = APIRouter(prefix="/api/v1", tags=["events"])


class Links(BaseModel):
    """Paths below the page's address; None where there is nothing."""

    page: str
    poster: str | None
    clip: str | None
    annotated: str | None
    captions: str | None
    sheet: str | None
    images: tuple[str, ...]


class Item(BaseModel):
    """An event, the mark that holds, and where its media are; `clip_text` says why no clip is."""

    event: Event
    mark: Mark | None
    links: Links
    clip_text: str | None


class Page(BaseModel):
    """Events, the newest first; `before` asks for the next page, None if there is none."""

    items: list[Item]
    before: str | None


class MarkPage(BaseModel):
    items: list[Mark]
    before: int | None


class NewMark(BaseModel):
    """`real` and `false` are about an event; `missed` is about a moment at a camera."""

    model_config = ConfigDict(extra="forbid")

    kind: MarkKind
    event_id: Annotated[str | None, Field(max_length=64)] = None
    camera: Annotated[str | None, Field(max_length=64)] = None
    at: Annotated[AwareDatetime, AfterValidator(_plausible)] | None = None
    note: Annotated[str | None, Field(max_length=1000)] = None


def items(site: Site, events: list[Event]) -> list[Item]:
    now = datetime.now(UTC)
    marks = site.store.marks.current([event.id for event in events])
    found = []
    for event in events:
        view = event_view(site, event, marks.get(event.id), now)
        links = Links(
            page=f"/events/{event.id}",
            poster=view.poster,
            clip=view.clip,
            annotated=view.annotated,
            captions=view.captions,
            sheet=view.sheet,
            images=tuple(path for path, _ in view.images),
        )
        found.append(Item(event=event, mark=view.mark, links=links, clip_text=view.clip_text))
    return found


@router.get("/events")
def events(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
    before: Word = None,
    camera: Word = None,
    rule: Word = None,
    state: State | None = None,
    severity: Severity | None = None,
    day: Annotated[date | None, Query(description="In the site's time zone.")] = None,
) -> Page:
    """Events, the newest first."""
    site: Site = request.app.state.site
    try:
        since, until = (None, None) if day is None else day_span(day, site.tz)
    except OverflowError:
        raise HTTPException(422, "day: there is no such day in the site's time zone.") from None
    found = site.store.search(
        limit + 1,
        before=before,
        camera=camera,
        rule=rule,
        state=state,
        severity=severity,
        since=since,
        until=until,
    )
    more = len(found) > limit
    found = found[:limit]
    return Page(items=items(site, found), before=found[-1].id if more else None)


@router.get("/events/{event_id}", responses=MISSING)
def event(request: Request, event_id: Id) -> Item:
    """One event as it is now."""
    site: Site = request.app.state.site
    return items(site, [_event(site.store, event_id)])[0]


@router.get("/events/{event_id}/versions", responses=MISSING)
def versions(request: Request, event_id: Id) -> list[Event]:
    """Its versions that are still kept, the oldest first."""
    site: Site = request.app.state.site
    _event(site.store, event_id)
    return site.store.versions(event_id)


@router.get("/events/{event_id}/marks", responses=MISSING, tags=["marks"])
def marks_of(request: Request, event_id: Id) -> list[Mark]:
    """All that was said of it, the oldest first, what was undone too."""
    site: Site = request.app.state.site
    _event(site.store, event_id)
    return site.store.marks.of_event(event_id)


@router.get("/marks", tags=["marks"])
def marks(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
    before: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
) -> MarkPage:
    """All marks, the newest first."""
    site: Site = request.app.state.site
    found = site.store.marks.page(limit + 1, before=before)
    more = len(found) > limit
    return MarkPage(items=found[:limit], before=found[limit - 1].id if more else None)


@router.post("/marks", status_code=201, responses=MISSING, tags=["marks"])
def mark(request: Request, new: NewMark) -> Mark:
    """Say that an event was real or false, or that one was missed."""
    site: Site = request.app.state.site
    about = None if new.event_id is None else _event(site.store, new.event_id)
    if about is None and new.kind is not MarkKind.MISSED:
        raise HTTPException(422, f"A mark {new.kind.value!r} needs an event_id.")
    if about is not None and about.of_camera:
        raise HTTPException(422, "Marks are about what a camera saw, not about the camera itself.")
    camera = about.camera if about is not None else new.camera
    known = camera is not None and (camera in site.cameras or site.store.has_camera(camera))
    if camera is None or not known:
        raise HTTPException(422, "A missed event needs a camera that there is.")
    at = new.at or (about.started if about is not None else None)
    if at is None:
        raise HTTPException(422, "A missed event needs a time, `at`.")
    made = site.store.marks.add(
        new.kind,
        camera=camera,
        event_id=new.event_id,
        at=at,
        note=new.note,
        now=datetime.now(UTC),
    )
    request.app.state.live.marked(made)
    return made


@router.delete("/marks/{mark_id}", responses=MISSING, tags=["marks"])
def undo(request: Request, mark_id: Annotated[int, Path(ge=1, lt=2**63)]) -> Mark:
    """Take a mark back; it stays on record as undone."""
    site: Site = request.app.state.site
    undone = site.store.marks.undo(mark_id, now=datetime.now(UTC))
    if undone is None:
        raise HTTPException(404, "There is no such mark.")
    request.app.state.live.marked(undone)
    return undone


def _event(store: Store, event_id: str) -> Event:
    found = store.event(event_id)
    if found is None:
        raise HTTPException(404, "There is no such event.")
    return found
