"""One camera of a worker, from its first picture to its end."""

from __future__ import annotations

from pathlib import Path

from films import make_film

from pipeline.blackbox import Recorder
from pipeline.config import Camera
from pipeline.configfile import validate
from pipeline.detectors.pool import Answer, Asked, PooledDetector
from pipeline.types import Frame
from pipeline.workers.camera import CameraWatch


class Blind:
    description, labels, streams = "blind", ("person",), 2

    def look(self, frame: Frame, asked: Asked) -> Answer:
        return Answer([], 0.0)

    def close(self) -> None: ...


def test_a_film_that_has_ended_leaves_the_detector_to_the_other_cameras(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", frames=20)
    camera = {"source": str(film), "detect": {"motion_gate": False}, "record": {"clips": False}}
    config = validate({"cameras": {"door": camera}}, where="test", folder=tmp_path)
    detector = PooledDetector(Blind())
    other = detector.for_camera("gate", Camera.model_validate({"source": "rtsp://192.0.2.1/"}))
    view = detector.for_camera("door", config.cameras["door"])
    watch = CameraWatch(config, "door", view, lambda report: None, None, "run", Recorder())
    assert other.depth == 2
    watch.start()
    assert watch.join(30)
    assert watch.status().looks
    assert other.depth == 4
    detector.close()
