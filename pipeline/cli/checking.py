"""Cameras measured several at once, for `vigil check`."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from pipeline.config import Camera
from pipeline.errors import SourceError
from pipeline.sources import Measurement, SourceOptions, measure
from pipeline.sources.advice import Advice, Role, Settings, advise

AT_ONCE = 8
"""So many cameras are opened at the same time."""

ROLE_NAMES = {Role.ONLY: "source", Role.DETECT: "source", Role.RECORD: "record.source"}
"""As the keys of a configuration, which people know."""


@dataclass(frozen=True, slots=True)
class CheckedStream:
    """One stream of a camera; one of `found` and `error` is None."""

    settings: Settings
    found: Measurement | None
    error: SourceError | None

    @property
    def name(self) -> str:
        return ROLE_NAMES[self.settings.role]

    @property
    def advice(self) -> tuple[Advice, ...]:
        return advise(self.found, self.settings) if self.found else ()


Checked = Mapping[str, Sequence[CheckedStream]]
"""Camera -> its streams."""


def check_all(cameras: Mapping[str, Camera], seconds: float) -> Checked:
    """Measure cameras, several at once, both streams of a pair at the same time."""
    work: list[tuple[str, str, Camera, Settings]] = []
    for key, camera in cameras.items():
        of_pair = camera.record_address()
        plain = Settings(looks_per_s=camera.detect.fps, detector_side=camera.detect.size)
        role = Role.ONLY if of_pair is None else Role.DETECT
        work.append((key, camera.address(), camera, replace(plain, role=role)))
        if of_pair is not None:
            work.append((key, of_pair, camera, replace(plain, role=Role.RECORD)))
    checked: dict[str, list[CheckedStream]] = {key: [] for key in cameras}
    # While FFmpeg's log is listened to, which is for UDP, no film may be decoded: see `rtplog`.
    by_udp = [item for item in work if item[2].transport == "udp"]
    others = [item for item in work if item[2].transport != "udp"]
    stop = threading.Event()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            for batch in (by_udp, others):
                found = pool.map(lambda item: _checked(*item, seconds=seconds, stop=stop), batch)
                for (key, *_), stream in zip(batch, found, strict=True):
                    checked[key].append(stream)
        finally:  # the pool waits for what runs, also after Ctrl-C
            stop.set()
    return checked


def _checked(
    key: str,
    address: str,
    camera: Camera,
    settings: Settings,
    *,
    seconds: float,
    stop: threading.Event,
) -> CheckedStream:
    name = f"{key} (record.source)" if settings.role is Role.RECORD else key
    found: Measurement | None = None
    failure: SourceError | None = None
    try:
        found = measure(
            name,
            address,
            options=SourceOptions.of(camera),
            seconds=seconds,
            detector_side=settings.detector_side,
            looks_per_s=settings.looks_per_s,
            stop=stop,
        )
    except SourceError as error:
        failure = error
    return CheckedStream(settings, found, failure)
