"""The thread of a camera that detects: what is under way, passed over and counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from handmade import frame, times

from pipeline.configfile import validate
from pipeline.queues import Slot
from pipeline.stubs import StubDetector
from pipeline.workers.analyst import Analyst, Arrived, newest


@pytest.mark.parametrize("live", [True, False])
def test_only_of_a_live_camera_pictures_are_passed_over_for_others(live: bool) -> None:
    camera = {"source": "a.mp4", "detect": {"motion_gate": False, "fps": 5}}
    settings = validate({"cameras": {"door": camera}}, where="test", folder=Path())
    detector = StubDetector(lambda _: ())
    slot: Slot[Arrived] = Slot(merge=newest)
    moments = iter(times(0, 4))

    class Fed(Slot[Arrived]):
        """Hands over a frame whenever one is asked for, all of one thread."""

        def get(self, timeout_s: float, unless: object = None) -> Arrived:
            analyst.allow(1.0)
            at = next(moments, None)
            return slot.get(0.0) if at is None else Arrived(frame(at), 0.0)

    analyst = Analyst(
        settings,
        "door",
        detector.for_camera("door", settings.cameras["door"]),
        Fed(),
        lambda _: None,
        logged=lambda _: None,
        idling=lambda _: None,
        live=lambda: live,
        resume=None,
        run="r",
    )
    slot.close()
    analyst.run()
    shown = len(times(0, 4))
    assert analyst.counts["looks"] + analyst.dropped["over_budget"] == shown
    assert (analyst.dropped["over_budget"] > 0) is live
