"""A pair of streams: the small one is looked at, the full one is recorded, and they agree."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest
from pair import RATE, found, plays, write_film
from rtsp_camera import RtspCamera
from running import until

from pipeline.blackbox import Recorder
from pipeline.clips.cut import cut
from pipeline.clips.footage import Footage
from pipeline.clips.tracks import Tracks
from pipeline.config import Config
from pipeline.configfile import validate
from pipeline.health import CameraState
from pipeline.simulate.reel import Reel, load
from pipeline.sources import Clock, Reconnecting
from pipeline.stubs import StubDetector
from pipeline.types import Box, Detection, Frame, LoggedLook, LoggedTrack
from pipeline.workers.camera import CameraWatch
from pipeline.workers.recording import Recording

SECONDS = 11.0
FULL, SMALL = (640, 480), (320, 240)


@pytest.fixture(scope="module")
def reels(tmp_path_factory: pytest.TempPathFactory) -> tuple[Reel, Reel]:
    """The film of a crossing square, small and full."""
    folder = tmp_path_factory.mktemp("films")
    small, full = (
        load(write_film(folder / f"{size[0]}.mp4", size, SECONDS), folder) for size in (SMALL, FULL)
    )
    return small, full


def config_of(folder: Path, small: str, full: str) -> Config:
    camera = {
        "source": small,
        "record": {"source": full},
        "detect": {"fps": 10},
        "health": {"open_timeout_s": 2, "read_timeout_s": 1},
    }
    return validate(
        {"data": str(folder), "storage": {"free_mb": 0}, "cameras": {"door": camera}},
        where="test",
        folder=folder,
    )


@contextmanager
def pair(
    reels: tuple[Reel, Reel],
    *,
    reports: bool,
    late: Callable[[int], float] = lambda number: 0.0,
) -> Iterator[tuple[RtspCamera, RtspCamera]]:
    epoch = time.monotonic()
    with (
        RtspCamera(
            reels[0], plays(epoch, late=lambda number: 0.02, origin=0, reports=reports)
        ) as small,
        RtspCamera(reels[1], plays(epoch, late=late, origin=777_777, reports=reports)) as full,
    ):
        yield small, full


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    across = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    down = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = sum((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b))
    return across * down / (areas - across * down)


def aligned(
    reels: tuple[Reel, Reel], folder: Path, *, reports: bool, late: Callable[[int], float]
) -> tuple[float, float]:
    """How well the boxes found in the small stream lie on the pictures of the full one: the median
    overlap, and by how many milliseconds they are off."""
    with pair(reels, reports=reports, late=late) as (small, full):
        config = config_of(folder, small.url, full.url)
        clock = Clock()
        recording = Recording(config, "door", None, clock, Recorder())
        recording.start()
        assert recording.packets is None
        stop = threading.Event()
        source = Reconnecting(
            "door", small.url, stop=stop, on_state=lambda state, message: None, clock=clock
        )
        looks: list[LoggedLook] = []
        for frame in source.frames():
            box = found(frame.image())
            tracks = () if box is None else (LoggedTrack(1, "person", 0.9, box),)
            look = LoggedLook(frame.pts, frame.captured_at, tracks, frame.monotonic)
            recording._keeping._log.append(look)
            looks.append(look)
            if len(looks) > 3 * RATE:
                break
        footage = Footage(config.video_folder / "door")
        end = looks[-1].captured_at
        until(lambda: (reached := footage.until()) is not None and reached >= end)
        source.close()
        recording.close(5)
        # What came before the first reports is aligned by arrival alone.
        (piece,) = footage.pieces(looks[RATE].captured_at, end)
        made = cut([piece], folder / "clip.mp4")
    assert made is not None
    assert made.size == FULL
    tracks = Tracks(made.looks)
    overlaps, errors = [], []
    with av.open(str(folder / "clip.mp4")) as container:
        for frame in container.decode(video=0):
            truth = found(frame.to_ndarray(format="bgr24"))
            drawn = tracks.at(frame.time or 0.0)
            if truth is None or not drawn or frame.time < 0.5:
                continue
            overlaps.append(overlap(truth, drawn[0].box))
            errors.append((drawn[0].box[0] - truth[0]) / 0.2 * 1000)
    assert len(overlaps) > RATE
    return float(np.median(overlaps)), float(np.median(np.abs(errors)))


def test_boxes_of_the_small_stream_lie_on_the_full_one_s_pictures_by_the_camera_s_reports(
    reels: tuple[Reel, Reel], tmp_path: Path
) -> None:
    overlaps, error_ms = aligned(reels, tmp_path, reports=True, late=lambda number: 0.5)
    print(f"reports, 0.5 s late: overlap {overlaps:.3f}, off by {error_ms:.0f} ms")
    assert overlaps > 0.9
    assert error_ms < 60


def test_without_reports_they_are_aligned_by_arrival_whatever_the_jitter(
    reels: tuple[Reel, Reel], tmp_path: Path
) -> None:
    chance = random.Random(7)
    late = [chance.choice([0.02] * 9 + [0.5]) for _ in range(1000)]
    overlaps, error_ms = aligned(reels, tmp_path, reports=False, late=late.__getitem__)
    print(f"no reports, up to 0.5 s late: overlap {overlaps:.3f}, off by {error_ms:.0f} ms")
    assert overlaps > 0.9
    assert error_ms < 60


@pytest.mark.slow
def test_without_reports_a_constant_delay_cannot_be_seen(
    reels: tuple[Reel, Reel], tmp_path: Path
) -> None:
    _, error_ms = aligned(reels, tmp_path, reports=False, late=lambda number: 0.5)
    print(f"no reports, 0.5 s late: off by {error_ms:.0f} ms")
    assert error_ms == pytest.approx(480, abs=100)


def look_at(frame: Frame) -> list[Detection]:
    box = found(frame.image())
    if box is None:
        return []
    width, height = frame.size
    scaled = Box(box[0] * width, box[1] * height, box[2] * width, box[3] * height)
    return [Detection("person", 0.9, scaled)]


@contextmanager
def watched(config: Config) -> Iterator[CameraWatch]:
    detector = StubDetector(look_at).for_camera("door", config.cameras["door"])
    watch = CameraWatch(config, "door", detector, lambda report: None, None, "run")
    watch.start()
    yield watch
    watch.stop()
    assert watch.join(10)


def test_the_full_stream_is_recorded_and_the_small_one_looked_at(
    reels: tuple[Reel, Reel], tmp_path: Path
) -> None:
    with pair(reels, reports=True) as (small, full):
        config = config_of(tmp_path, small.url, full.url)
        with watched(config) as watch:
            footage = Footage(config.video_folder / "door")
            until(lambda: watch.status().looks > 5 and footage.until() is not None)
            status = watch.status()
    assert status.size == SMALL
    assert status.recording is None
    (segment,) = footage.segments()
    with av.open(str(segment.path)) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == FULL


def test_detection_goes_on_while_the_full_stream_is_away_and_the_status_says_so(
    reels: tuple[Reel, Reel], tmp_path: Path
) -> None:
    with pair(reels, reports=False) as (small, _):
        config = config_of(tmp_path, small.url, "rtsp://127.0.0.1:1/full")
        with watched(config) as watch:
            until(lambda: watch.status().recording is not None)
            before = until(lambda: watch.status().looks)
            until(lambda: watch.status().looks > before + 3)
            status = watch.status()
    assert status.state is CameraState.LIVE
    assert status.recording is not None
    assert status.recording.startswith("No video is kept, since the stream to be recorded is away.")
    assert Footage(config.video_folder / "door").segments() == []


def test_recording_goes_on_while_the_small_stream_sends_nothing(
    reels: tuple[Reel, Reel], tmp_path: Path
) -> None:
    epoch = time.monotonic()
    full_plays = plays(epoch, late=lambda number: 0.0, origin=0, reports=False)
    with (
        RtspCamera(reels[0], lambda stream: stream.silence()) as small,
        RtspCamera(reels[1], full_plays) as full,
    ):
        config = config_of(tmp_path, small.url, full.url)
        with watched(config) as watch:
            footage = Footage(config.video_folder / "door")
            first = until(footage.until)
            until(lambda: (footage.until() - first).total_seconds() > 1)
            assert watch.status().looks == 0
            assert watch.status().recording is None


def test_a_full_stream_that_stalls_is_found_and_opened_again(
    reels: tuple[Reel, Reel], tmp_path: Path
) -> None:
    async def stalls(stream) -> None:
        await stream.send(5)
        await stream.silence()

    epoch = time.monotonic()
    small_plays = plays(epoch, late=lambda number: 0.0, origin=0, reports=False)
    with RtspCamera(reels[0], small_plays) as small, RtspCamera(reels[1], stalls) as full:
        config = config_of(tmp_path, small.url, full.url)
        with watched(config) as watch:
            until(lambda: "sent no" in (watch.status().recording or ""))
            until(lambda: full.connections > 1)
            assert watch.status().looks > 0
