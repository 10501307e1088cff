"""Pictures and clips over HTTP: found by event and role, through the store alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query, Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from pipeline.types import Event
from pipeline.web.site import Site
from pipeline.web.views import clip_text

_MOST_RANGES = 8
_TYPES = {".mp4": "video/mp4", ".jpg": "image/jpeg"}
_KEPT_S = 3600

router = APIRouter(tags=["media"])


@router.head("/media/{event_id}/{role}", include_in_schema=False)
@router.get(
    "/media/{event_id}/{role}",
    response_class=FileResponse,
    responses={
        403: {"description": "It shows what privacy masks hide."},
        404: {"description": "It is not there, with a sentence why."},
    },
)
def media(
    request: Request,
    event_id: Annotated[str, Path(max_length=64)],
    role: Annotated[str, Path(max_length=32)],
    download: Annotated[bool, Query(description="Offer it to be saved.")] = False,
) -> Response:
    """An event's `clip`, `annotated` clip, `poster`, contact `sheet`, `captions` (WebVTT) or
    `image-N`, with Range and ETag."""
    site: Site = request.app.state.site
    event = site.store.event(event_id)
    if event is None:
        raise HTTPException(404, "There is no such event.")
    if role == "captions":
        return _captions(site, event)
    if role == "clip" and event.clip is not None and event.clip.restricted:
        raise HTTPException(
            403,
            "This clip shows what its camera's privacy masks hide; an administrator gets it with "
            f"`vigil clip {event.id} -o FILE`, everybody the annotated one.",
        )
    key = _key(event, role)
    if key is None:
        raise HTTPException(404, _missing(event, role))
    try:
        path = site.media.path(key)
    except KeyError:
        raise HTTPException(404, "This is no longer kept.") from None
    ranges = request.headers.get("range", "")
    if ranges.count(",") >= _MOST_RANGES:
        raise HTTPException(416, "So many ranges are not given at once.")
    started = event.started.astimezone(site.tz)
    name = f"{event.camera} {started:%Y-%m-%d %H-%M-%S} {role}{path.suffix}"
    response = FileResponse(
        path,
        media_type=_TYPES.get(path.suffix, "application/octet-stream"),
        filename=name,
        content_disposition_type="attachment" if download else "inline",
        stat_result=path.stat(),
        headers={"cache-control": f"private, max-age={_KEPT_S}"},
    )
    if request.headers.get("if-none-match") == response.headers["etag"]:
        kept = {name: response.headers[name] for name in ("etag", "cache-control")}
        return Response(status_code=304, headers=kept)
    return response


def _key(event: Event, role: str) -> str | None:
    """Only what the event itself names is ever opened."""
    clip, annotated = event.clip, event.annotated_clip
    keys: dict[str, str | None] = {}
    if clip is not None:
        keys |= {"clip": clip.key, "poster": clip.poster}
    if annotated is not None:
        keys |= {"annotated": annotated.key, "sheet": annotated.contact_sheet}
    keys |= {f"image-{number}": image.key for number, image in enumerate(event.images)}
    return keys.get(role)


def _missing(event: Event, role: str) -> str:
    if event.of_camera:
        return "The event is about the camera itself and has nothing of this kind."
    if role in ("clip", "annotated"):
        text = clip_text(event, event.clip is not None, datetime.now(UTC)) or "it is being drawn"
        return f"{text[:1].upper()}{text[1:]}."
    return "The event has nothing of this kind."


def _captions(site: Site, event: Event) -> Response:
    # Made anew each time: the model may have said something since the clip was cut.
    from pipeline.clips.captions import webvtt
    from pipeline.clips.cut import Cut

    try:
        timeline = event.clip.timeline if event.clip else None
        cut = Cut.model_validate_json(site.media.get(timeline or ""))
    except (KeyError, ValueError):
        raise HTTPException(404, "There are no captions without a clip.") from None
    return PlainTextResponse(
        webvtt(event, cut), media_type="text/vtt", headers={"cache-control": "no-cache"}
    )
