"""The thread of a camera that detects: what is under way, passed over and counted."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest
from handmade import frame, standing, times

from pipeline.blackbox import Recorder
from pipeline.config import Config
from pipeline.configfile import validate
from pipeline.incidents import Open
from pipeline.protocols import Detector
from pipeline.queues import Slot
from pipeline.stubs import StubDetector
from pipeline.types import Detection, Finding, Frame, View
from pipeline.workers.analysis import Calling
from pipeline.workers.analyst import Analyst, Arrived, newest
from pipeline.workers.handover import Report


def analyst_of(
    settings: Config,
    detector: Detector,
    slot: Slot[Arrived],
    *,
    report: Callable[[Report], None] = lambda _: None,
    live: bool = False,
    calling: Calling | None = None,
) -> Analyst:
    """The one of the camera `door`."""
    return Analyst(
        settings,
        "door",
        detector,
        slot,
        report,
        logged=lambda _: None,
        idling=lambda _: None,
        live=lambda: live,
        resume=None,
        run="r",
        calling=calling,
    )


def for_door(detector: StubDetector, settings: Config) -> Detector:
    return detector.for_camera("door", settings.cameras["door"])


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

    analyst = analyst_of(settings, for_door(detector, settings), Fed(), live=live)
    slot.close()
    analyst.run()
    shown = len(times(0, 4))
    assert analyst.counts["looks"] + analyst.dropped["over_budget"] == shown
    assert (analyst.dropped["over_budget"] > 0) is live


def test_a_film_has_as_many_pictures_under_way_to_its_end_whoever_leaves_the_detector() -> None:
    camera = {"source": "a.mp4", "detect": {"motion_gate": False, "fps": 5}}
    settings = validate({"cameras": {"door": camera}}, where="test", folder=Path())

    class Late:
        """A detector that answers only when it is asked for the answer."""

        labels, depth, cost_s = ("person",), 2, None
        under_way = most = 0

        def submit(self, picture: Frame) -> Future[list[Detection]]:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            detector = self

            class Answer(Future[list[Detection]]):
                def result(self, timeout: float | None = None) -> list[Detection]:
                    detector.under_way -= 1
                    return []

            return Answer()

        def close(self) -> None: ...

    detector = Late()
    slot: Slot[Arrived] = Slot(merge=newest)
    moments = iter(times(0, 4))

    class Fed(Slot[Arrived]):
        def get(self, timeout_s: float, unless: object = None) -> Arrived:
            at = next(moments, None)
            if at is not None and at > 2:
                detector.depth = 4
            return slot.get(0.0) if at is None else Arrived(frame(at), 0.0)

    analyst = analyst_of(settings, detector, Fed())
    slot.close()
    analyst.run()
    assert analyst.counts["looks"] == len(times(0, 4))
    assert detector.most == 2


def test_events_that_nobody_is_told_of_are_counted_by_cause() -> None:
    camera = {
        "source": "a.mp4",
        "max_events_per_hour": 2,
        "detect": {"motion_gate": False, "fps": 5},
    }
    settings = validate({"cameras": {"door": camera}}, where="test", folder=Path())
    people = [Detection("person", 0.8, standing(x, 800)) for x in (100, 400, 700, 900)]
    slot: Slot[Arrived] = Slot()
    reports: list[Report] = []
    moments = iter(times(0, 2))

    class Fed(Slot[Arrived]):
        def get(self, timeout_s: float, unless: object = None) -> Arrived:
            at = next(moments, None)
            return slot.get(0.0) if at is None else Arrived(frame(at), 0.0)

    analyst = analyst_of(
        settings, for_door(StubDetector(lambda _: people), settings), Fed(), report=reports.append
    )
    slot.close()
    analyst.run()
    assert analyst.counts["events"] == 4
    assert analyst.silenced == {"capped": 2}
    opened = [act for report in reports for act in report.actions if isinstance(act, Open)]
    assert [act.silence for act in opened].count(None) == 2


WHERE_IT_IS: list[str] = []
RECORDER = Recorder()


class Nosy:
    """A rule that notes where its thread is known to be."""

    def __init__(self, *_: object) -> None:
        pass

    def update(self, view: View | None = None) -> list[Finding]:
        WHERE_IT_IS.extend(crumb.call for crumb in RECORDER.crumbs())
        return []

    def state(self) -> dict[str, object]:
        self.update()
        return {}

    def restore(self, state: object) -> None:
        pass

    def memory(self) -> dict[str, object]:
        self.update()
        return {}

    def recall(self, memory: object) -> None:
        pass


def test_a_rule_of_the_users_own_is_known_to_be_asked_so_that_one_that_hangs_is_noticed() -> None:
    rules = {"own": {"type": f"{__name__}:Nosy"}, "seen": {"type": "zone"}}
    camera = {"source": "a.mp4", "rules": rules}
    settings = validate({"cameras": {"door": camera}}, where="test", folder=Path())
    slot: Slot[Arrived] = Slot(merge=newest)
    slot.put(Arrived(frame(0.0), 0.0), replaceable=True)
    slot.close()
    trail = RECORDER.trail("door")
    analyst = analyst_of(
        settings, for_door(StubDetector(lambda _: ()), settings), slot, calling=trail.call
    )
    trail.followed(analyst.run)()
    # For its findings, its state and what it has learned.
    assert WHERE_IT_IS[:3] == ["rule"] * 3
    assert set(WHERE_IT_IS) == {"rule"}
    assert [crumb.call for crumb in RECORDER.crumbs()] == [""]
