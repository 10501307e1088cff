"""A page over a store filled by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path

import httpx
import numpy as np
import pytest
from films import make_film
from happenings import NOW, after, clip_ready, created, ended, picture, track

from pipeline.clips.cut import Cut, CutLook
from pipeline.health import Statuses
from pipeline.media import LocalMedia
from pipeline.store import Store
from pipeline.types import LoggedTrack, MarkKind, SceneImage
from pipeline.web.serve import serve
from pipeline.web.site import Site

EVENT = "01935b2e-0000-7000-8000-000000000001"
OTHER = "01935b2e-0000-7000-8000-000000000002"


@dataclass
class Installation:
    """A store, its media, and what the page is told of the cameras."""

    store: Store
    media: LocalMedia
    statuses: Statuses | None = None
    names: dict[str, str] = field(default_factory=lambda: {"back-door": "the back door"})

    def site(self) -> Site:
        return Site(
            name="shop",
            store=self.store,
            media=self.media,
            tz=UTC,
            cameras=self.names,
            statuses=lambda: self.statuses,
        )

    def happen(self, event_id: str = EVENT, **changes: object) -> None:
        """An event with its pictures."""
        image = picture().model_copy(update={"key": f"events/{event_id}/frame.jpg"})
        self.media.put_image(image.key, np.full((480, 640, 3), 90, np.uint8))
        values: dict[str, object] = {"images": (image,), "tracks": (track(1),)} | changes
        self.store.amend(event_id, created(**values), now=NOW)

    def film(
        self,
        folder: Path,
        event_id: str = EVENT,
        *,
        annotated: bool = True,
        restricted: bool = False,
    ) -> None:
        """The event's clips."""
        for role in ("clip", "annotated") if annotated else ("clip",):
            path = make_film(folder / f"{event_id}-{role}.mp4", frames=80, size=(320, 240))
            self.media.put_file(f"events/{event_id}/{role}.mp4", path)
        person = LoggedTrack(1, "person", 0.8, (0.25, 0.25, 0.5, 0.75))
        cut = Cut(
            codec="h264",
            size=(320, 240),
            duration_s=8.0,
            start=after(-3),
            end=after(5),
            transcoded=False,
            looks=(CutLook(t=3.0, at=NOW, tracks=(person,)),),
        )
        self.media.put(f"events/{event_id}/clip.json", cut.model_dump_json().encode())
        self.media.put_image(f"events/{event_id}/poster.jpg", np.zeros((240, 320, 3), np.uint8))
        common = {
            "start": after(-3),
            "end": after(5),
            "duration_s": 8.0,
            "width": 320,
            "height": 240,
            "poster": f"events/{event_id}/poster.jpg",
            "timeline": f"events/{event_id}/clip.json",
        }
        self.store.amend(event_id, ended(2.0), now=after(2))
        clip = clip_ready(key=f"events/{event_id}/clip.mp4", restricted=restricted, **common)
        self.store.amend(event_id, clip, now=after(7))
        if annotated:
            drawn = clip_ready(key=f"events/{event_id}/annotated.mp4", annotated=True, **common)
            self.store.amend(event_id, drawn, now=after(9))


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with Store.open(tmp_path / "data") as store:
        yield Installation(store, LocalMedia(tmp_path / "data" / "media"))


@dataclass
class Served:
    url: str
    links: list[str]
    client: httpx.Client

    def get(self, path: str, **options: object) -> httpx.Response:
        return self.client.get(path, **options)  # type: ignore[arg-type]

    def mark(
        self, kind: MarkKind | str, event_id: str | None = EVENT, **more: object
    ) -> httpx.Response:
        body = {"kind": str(kind), **more}
        if event_id is not None:
            body["event_id"] = event_id
        return self.client.post("/api/v1/marks", json=body)


@contextmanager
def served(site: Site, listen: str = "127.0.0.1", token: str | None = None) -> Iterator[Served]:
    """The site's page on a port of its own."""
    stop, ready = threading.Event(), threading.Event()
    links: list[str] = []

    def on_ready(url: str) -> None:
        links.append(url)
        ready.set()

    thread = threading.Thread(
        target=serve,
        args=(site,),
        kwargs={
            "listen": listen,
            "port": 0,
            "token": token,
            "stop": stop,
            "on_ready": on_ready,
            "on_link": links.append,
        },
    )
    thread.start()
    assert ready.wait(20)
    parts = httpx.URL(links[0])
    url = f"http://127.0.0.1:{parts.port}"
    try:
        with httpx.Client(base_url=url, timeout=10) as client:
            yield Served(url, links, client)
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture
def page(installation: Installation) -> Iterator[Served]:
    with served(installation.site()) as found:
        yield found


Serve = Callable[[Site], Served]
MISSING_IMAGE = SceneImage(role="frame", key="events/x/none.jpg", width=1, height=1, caption="none")
