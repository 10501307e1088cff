"""What each fault of a camera costs: how soon it is noticed, how soon the camera is back, what is
lost, and what people read."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.config import Config
from pipeline.configfile import validate
from pipeline.errors import VigilError
from pipeline.health import AWAY, CameraState, CameraStatus, Period, gaps
from pipeline.library import Pipeline
from pipeline.simulate import Fault, FaultKind, Reel, SimulatedCameras, in_thread, load
from pipeline.simulate.made import make_film
from pipeline.store import Store
from pipeline.types import Event
from pipeline.wording import plain_cause

HEALTHY = "healthy"
"""A camera that nothing is wrong with, beside the others."""
PARAMETERS = {
    FaultKind.PACKET_LOSS: "0.1",
    FaultKind.REDIRECT: "rtsp://127.0.0.1:9/elsewhere",
}
"""As much loss as is seen; and where nobody is."""
FROM_S = 26.0
"""The film is shown from here on: somebody is there for 24 s."""
READY_S = 90.0
FROZEN_S = 5.0
QUIET_S = 2.0
"""How long nothing is wrong before, and after all have come back."""
_POLL_S = 0.05
_OF_LIMITS: Mapping[FaultKind, str] = {
    FaultKind.NO_ANSWER: "read_timeout_s",
    FaultKind.STALL: "read_timeout_s",
    FaultKind.RTCP_ONLY: "read_timeout_s",
    FaultKind.GARBAGE: "read_timeout_s",
    FaultKind.FROZEN: "frozen_after_s",
}
"""What bounds the noticing; that of the others ends the connection at once, or shows in the
pictures themselves."""
_SHOWS_IN_PICTURES = frozenset(
    {
        FaultKind.PACKET_LOSS,
        FaultKind.RESOLUTION,
        FaultKind.TIMESTAMP_JUMP,
        FaultKind.SLOW,
    }
)
"""The camera stays live."""


@dataclass
class _Camera:
    """A simulated camera, and what was seen of it."""

    kind: FaultKind | None
    server: SimulatedCameras
    began: datetime | None = None
    ended: datetime | None = None
    before: CameraStatus | None = None
    noticed: datetime | None = None
    last: CameraStatus | None = None
    periods: list[Period] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    @property
    def name(self) -> str:
        return HEALTHY if self.kind is None else self.kind.value


def measure_faults(*, limit_s: float, hold_s: float, only: Sequence[str] = ()) -> dict[str, Any]:
    """Let each of a row of simulated cameras go wrong in its own way, all at once, for `hold_s`
    seconds, and follow the real pipeline: time limits are `limit_s`, a picture counts as frozen
    after `FROZEN_S`. Moments are those of the store, which the camera's own thread gives.

    Returns a row a fault: seconds to notice, and to recover once it is over (None: it did not);
    pictures that were sent and not received; events without a clip; the sentence.

    Raises:
        VigilError: the cameras do not come up.
        ConfigError: there is no such fault.
    """
    kinds = [_kind(name) for name in only] or [*FaultKind]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        work = Path(folder)
        make_film(work / "film.mp4")
        reel = load(work / "film.mp4", work)
        cameras = [stack.enter_context(_camera(kind, reel)) for kind in (None, *kinds)]
        found = [
            _Camera(kind, server) for kind, server in zip((None, *kinds), cameras, strict=True)
        ]
        config = _config(found, work, limit_s)
        _run(config, found, hold_s)
        with Store.open(config.data) as store:
            for camera in found:
                camera.periods = store.cameras.periods(camera.name, limit=1000)[::-1]
                camera.events = [
                    event for event in store.search(1000, camera=camera.name) if not event.of_camera
                ]
        return {
            "limit_s": limit_s,
            "frozen_after_s": FROZEN_S,
            "hold_s": hold_s,
            "rows": [_row(camera, config) for camera in found],
        }


def _kind(name: str) -> FaultKind:
    """Raises: ConfigError: there is no such fault."""
    if name in {kind.value for kind in PARAMETERS}:
        return FaultKind(name)
    return Fault.parse(name).kind


def _written(kind: FaultKind) -> str:
    parameter = PARAMETERS.get(kind)
    return kind.value if parameter is None else f"{kind.value}:{parameter}"


def _camera(kind: FaultKind | None, reel: Reel) -> Any:
    name = HEALTHY if kind is None else kind.value
    return in_thread(SimulatedCameras({name: reel}, port=0, start_s=FROM_S))


def _config(cameras: Sequence[_Camera], work: Path, limit_s: float) -> Config:
    shared: dict[str, Any] = {
        "detect": {"fps": 2, "size": 320},
        "record": {"pre_roll_s": 1, "post_roll_s": 1, "annotated": False},
        "health": {
            "open_timeout_s": limit_s,
            "read_timeout_s": limit_s,
            "offline_after_s": 0,
            "frozen_after_s": None,
        },
    }
    # The film is still for longer than that, as no camera's pictures are.
    frozen = shared | {"health": shared["health"] | {"frozen_after_s": FROZEN_S}}
    return validate(
        {
            "data": str(work / "data"),
            "web": {"enabled": False},
            "storage": {"free_mb": 1},
            "cameras": {
                camera.name: {
                    "source": camera.server.urls[camera.name],
                    **(frozen if camera.kind is FaultKind.FROZEN else shared),
                }
                for camera in cameras
            },
        },
        where="bench",
        folder=work,
    )


def _run(config: Config, cameras: Sequence[_Camera], hold_s: float) -> None:
    with Pipeline(config) as pipeline:

        def all_live() -> bool:
            return all(s.state is CameraState.LIVE for s in pipeline.status().cameras.values())

        if not _until(all_live, READY_S):
            raise VigilError("The simulated cameras do not come up; is the machine overloaded?")
        time.sleep(QUIET_S)
        for camera in cameras:
            camera.before = pipeline.status().cameras[camera.name]
            if camera.kind is not None:
                camera.server.fault(camera.name, _written(camera.kind))
            camera.began = datetime.now(UTC)
        over = time.monotonic() + hold_s
        _until(lambda: _look(pipeline, cameras) and time.monotonic() >= over, hold_s + 1)
        for camera in cameras:
            camera.server.fault(camera.name, None)
            camera.ended = datetime.now(UTC)
        _until(all_live, READY_S)
        time.sleep(QUIET_S)
        # Now nothing is under way: what was sent can be compared with what was received.
        for camera in cameras:
            camera.server.fault(camera.name, FaultKind.STALL.value)
        time.sleep(QUIET_S / 2)
        _look(pipeline, cameras)


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= until:
            return False
        time.sleep(_POLL_S)
    return True


def _look(pipeline: Pipeline, cameras: Sequence[_Camera]) -> bool:
    """Note how the cameras are, and which have shown by their pictures that something is wrong."""
    statuses = pipeline.status().cameras
    for camera in cameras:
        status = camera.last = statuses[camera.name]
        before = camera.before if camera.ended is None else None
        if before is not None and camera.noticed is None and _shows(status, before):
            camera.noticed = datetime.now(UTC)
    return True


def _shows(now: CameraStatus, before: CameraStatus) -> bool:
    return (
        now.size != before.size
        or now.breaks > before.breaks
        or now.dropped.get("corrupt", 0) > before.dropped.get("corrupt", 0)
        or now.dropped.get("lost_packets", 0) > before.dropped.get("lost_packets", 0)
    )


def _row(camera: _Camera, config: Config) -> dict[str, Any]:
    assert camera.began is not None
    assert camera.ended is not None
    assert camera.last is not None
    away = [p for p in camera.periods if p.state in AWAY and p.began >= camera.began]
    live = [p for p in camera.periods if p.state is CameraState.LIVE and p.began >= camera.ended]
    stays_live = camera.kind is None or camera.kind in _SHOWS_IN_PICTURES
    noticed = camera.noticed if stays_live or not away else away[0].began
    recovered_s = None
    if live:
        recovered_s = round((live[0].began - camera.ended).total_seconds(), 2)
    elif not away:
        recovered_s = 0.0
    newest_first = [p for p in camera.periods if p.state is not CameraState.STOPPED][::-1]
    causes = [gap.cause for gap in gaps(newest_first) if camera.began <= gap.began < camera.ended]
    health = config.cameras[camera.name].health
    limit = None if camera.kind is None else _OF_LIMITS.get(camera.kind)
    noticed_s = None if noticed is None else round((noticed - camera.began).total_seconds(), 2)
    sent = camera.server.sent[camera.name]
    return {
        "fault": camera.name,
        "limit_s": None if limit is None else getattr(health, limit),
        "noticed_s": noticed_s,
        "recovered_s": recovered_s,
        "pictures_sent": sent.pictures,
        "pictures_received": camera.last.frames,
        "events": len(camera.events),
        "clips_lost": sum(event.clip is None for event in camera.events),
        "states": sorted({p.state.value for p in away if p.began < camera.ended}),
        "sentence": plain_cause(causes[-1], camera.name) if causes else None,
    }


_ADDRESS = re.compile(r"rtsp://\S+?/[a-z-]+")


def table(measured: Mapping[str, Any]) -> str:
    """The rows as a table in Markdown."""
    heads = ("fault", "limit", "noticed", "back", "not received", "clips lost", "what people read")
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    for row in measured["rows"]:
        lost = row["pictures_sent"] - row["pictures_received"]
        cells = (
            f"`{row['fault']}`",
            _seconds(row["limit_s"]),
            _seconds(row["noticed_s"]),
            _seconds(row["recovered_s"]),
            f"{lost} of {row['pictures_sent']}",
            f"{row['clips_lost']} of {row['events']}",
            _ADDRESS.sub("rtsp://ADDRESS", row["sentence"] or ""),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:g} s"
