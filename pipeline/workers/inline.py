"""`watch`: the stages over one source, without processes, store or Redis."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from pipeline.config import Config
from pipeline.configfile import validate
from pipeline.detectors import load_detector
from pipeline.errors import SourceError, SourceUnreachable
from pipeline.incidents import Action
from pipeline.queues import Slot, SlotClosed, newest_frame
from pipeline.sources import OpenedSource, SourceOptions, open_source
from pipeline.store.fold import fold
from pipeline.types import Event, Frame
from pipeline.workers.amendments import amendment_of
from pipeline.workers.analysis import Analysis, looks
from pipeline.workers.choosing import Pacer
from pipeline.workers.look import Look

CAMERA = "camera"


def watch(
    source: str,
    rules: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    zones: Mapping[str, Any] | None = None,
    **detect: Any,
) -> Iterator[Event]:
    """Every version of every event in a source, as it is found; nothing is stored.

    Args:
        source: an address as in streams.yaml: rtsp://, http://, a file's path, webcam:N.
        rules: name -> keys as in streams.yaml; a person anywhere, if not given.
        zones: name -> polygon as in streams.yaml.
        detect: keys of `detect` in streams.yaml, such as `fps=2`.

    A film is read as fast as the machine can, all of it; of a live source the newest frame is
    looked at. It ends with the source; a live one that breaks off raises.

    Those are among them of which a running pipeline would tell nobody, because a rule cools down or
    there were too many within the hour: `event.announced` is False of these, and nobody who
    subscribes gets them.

    Raises:
        ConfigError: a rule, zone or setting is wrong; the message names the key.
        SourceError: the source cannot be read; SourceUnreachable: a live one has ended.
        DetectorError: the detector could not look at a frame.
    """
    camera: dict[str, Any] = {"source": source, "detect": detect, "zones": dict(zones or {})}
    if rules is not None:
        camera["rules"] = {name: dict(rule) for name, rule in rules.items()}
    config = validate({"cameras": {CAMERA: camera}}, where="watch", folder=Path.cwd())
    return _watch(config)


def _watch(config: Config) -> Iterator[Event]:
    settings = config.cameras[CAMERA]
    shared = load_detector(config.detector)
    with (
        closing(shared),
        closing(
            open_source(CAMERA, settings.address(), options=SourceOptions.of(settings))
        ) as source,
    ):
        analysis = Analysis(config, CAMERA, shared.for_camera(CAMERA, settings))
        known: dict[str, Event] = {}
        last: Look | None = None
        # Of a live source one at a time, or what is found would wait for the next frame.
        depth = 1 if source.live else None
        for last in looks(analysis, _due(source, settings.detect.fps), depth):
            yield from versions(config, last, last.actions, known)
        if last is not None:
            yield from versions(config, last, analysis.interrupt("stopped"), known)
        if source.live:
            raise SourceUnreachable(
                f"{settings.shown()} sends nothing more; see whether it still runs, "
                "then watch it again."
            )


def versions(
    config: Config, look: Look, actions: Sequence[Action], known: dict[str, Event]
) -> Iterator[Event]:
    """The events after the actions; those that have ended are forgotten."""
    for action in actions:
        event_id, amendment = amendment_of(config, action, look, None)
        before = known.get(event_id)
        event = known[event_id] = fold(before, event_id, amendment, look.view.captured_at)
        if event is not before:
            yield event
        if event.ended is not None:
            del known[event_id]


def _due(source: OpenedSource, fps: float) -> Iterator[Frame]:
    """The frames to look at: of a film all that are due, of a live source the newest one."""
    pace = Pacer(fps)
    if not source.live:
        yield from filter(pace.due, source.frames())
        return
    slot: Slot[Frame] = Slot(merge=newest_frame)
    failure: list[SourceError] = []

    def read() -> None:
        try:
            for frame in source.frames():
                if pace.due(frame) and not slot.put(frame, replaceable=True):
                    return
        except SourceError as error:
            failure.append(error)
        finally:
            slot.close()

    threading.Thread(target=read, name=f"{CAMERA}-read", daemon=True).start()
    try:
        while True:
            try:
                yield slot.get(timeout_s=1.0)
            except TimeoutError:
                continue
            except SlotClosed:
                break
    finally:
        slot.close(discard=True)
    if failure:
        raise failure[0]
