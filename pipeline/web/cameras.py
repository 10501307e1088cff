"""A camera's page and what the API says of it: how it is, and how it was."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query, Request
from pydantic import AwareDatetime, BaseModel
from starlette.responses import Response

from pipeline.health import CameraState, CameraStatus, Gap, Period
from pipeline.web.pages import templates
from pipeline.web.problem import MISSING
from pipeline.web.site import Site
from pipeline.web.views import SILENCES, cameras_view, period_views
from pipeline.wording import plain_cause

MOST = 200
SHOWN = 100
GAPS = 20
"""So many periods and gaps are on the page."""
Key = Annotated[str, Path(max_length=64, description="A camera's key.")]
Limit = Annotated[int, Query(ge=1, le=MOST)]
Before = Annotated[int | None, Query(ge=0, lt=2**63)]

router = APIRouter(tags=["cameras"])


class CameraItem(BaseModel):
    """How a camera is; `state` and `word` are for people, `status` is all that its worker says."""

    key: str
    name: str
    state: str
    word: str
    sentence: str | None
    since: AwareDatetime | None
    status: CameraStatus | None


class PeriodPage(BaseModel):
    """Periods, the newest first; `before` asks for the next page."""

    items: list[Period]
    before: int | None


@router.get("/api/v1/cameras")
def cameras(request: Request) -> list[CameraItem]:
    """How the cameras are."""
    site: Site = request.app.state.site
    now = datetime.now(UTC)
    return [
        CameraItem(
            key=view.key,
            name=view.name,
            state=view.state,
            word=view.word,
            sentence=view.sentence,
            since=view.since,
            status=site.status(view.key, now),
        )
        for view in cameras_view(site, now)
    ]


@router.get("/api/v1/cameras/{camera}/periods", responses=MISSING)
def periods(request: Request, camera: Key, limit: Limit = 100, before: Before = None) -> PeriodPage:
    """How a camera was: every state with its beginning, end and cause."""
    site: Site = request.app.state.site
    _name(site, camera)
    found = site.store.cameras.periods(camera, limit=limit + 1, before=before)
    more = len(found) > limit
    shown = found[:limit]
    return PeriodPage(items=shown, before=shown[-1].id if more else None)


@router.get("/api/v1/cameras/{camera}/gaps", responses=MISSING)
def camera_gaps(request: Request, camera: Key, limit: Limit = 20) -> list[Gap]:
    """When nobody saw what the camera could see, the newest first."""
    site: Site = request.app.state.site
    _name(site, camera)
    return site.store.cameras.gaps(camera, limit)


@router.get("/cameras/{camera}", include_in_schema=False)
def page(request: Request, camera: Key) -> Response:
    site: Site = request.app.state.site
    name = _name(site, camera)
    now = datetime.now(UTC)
    found = site.store.cameras.periods(camera, limit=SHOWN)
    status = site.status(camera, now)
    context = {
        "site": site.name,
        "cameras": cameras_view(site, now),
        "key": camera,
        "name": name,
        "status": status,
        "live": status is not None and status.state is CameraState.LIVE,
        "message": None if status is None else plain_cause(status.message, camera),
        "gaps": period_views(site.store.cameras.gaps(camera, GAPS), site.tz, now),
        "periods": period_views(found, site.tz, now),
        "silences": SILENCES,
        "tz": site.tz,
        "sequence": site.store.outbox.last(),
    }
    return templates.TemplateResponse(request, "camera.html", context)


def _name(site: Site, camera: str) -> str:
    if camera in site.cameras:
        return site.cameras[camera]
    if not site.store.cameras.periods(camera, limit=1) and not site.store.has_camera(camera):
        raise HTTPException(404, "There is no camera of that name.")
    return camera
