"""Faults of simulated cameras, each seen by a real client as what it is named for."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from films import make_film
from running import until

from pipeline.errors import (
    ConfigError,
    SourceError,
    SourceNotFound,
    SourceRefused,
    SourceStalled,
    SourceUnreachable,
)
from pipeline.simulate import (
    Account,
    Fault,
    FaultKind,
    FaultPlan,
    Reel,
    SimulatedCameras,
    in_thread,
    load,
    plans,
)
from pipeline.simulate.faults import faults_table
from pipeline.sources import SourceOptions, open_source
from pipeline.types import Frame

LIMIT_S = 0.5
RATE = 25
PERIOD_S = 1 / RATE
GOOD = 8
"""Frames that are seen before something goes wrong."""


@pytest.fixture(scope="module")
def reel(tmp_path_factory: pytest.TempPathFactory) -> Reel:
    folder = tmp_path_factory.mktemp("reel")
    return load(make_film(folder / "yard.mp4", frames=250, rate=RATE, gop=5), folder)


@pytest.fixture
def cameras(reel: Reel) -> Iterator[SimulatedCameras]:
    with in_thread(SimulatedCameras({"yard": reel}, port=0)) as served:
        yield served


@dataclass
class Seen:
    """What a client saw. `moment` is when the fault began, `good` how many frames came before."""

    frames: list[Frame] = field(default_factory=list)
    moment: float = 0.0
    good: int = 0
    error: SourceError | None = None
    dropped: int = 0

    @property
    def after(self) -> list[Frame]:
        return self.frames[self.good :]


def watch(cameras: SimulatedCameras, fault: str | None, *, more: int = 0) -> Seen:
    """Watch until the fault, if any, has begun and so many frames more have come, or the stream
    ends."""
    seen = Seen()
    options = SourceOptions(open_timeout_s=2, read_timeout_s=LIMIT_S)
    source = open_source("yard", cameras.urls["yard"], options=options)
    try:
        for frame in source.frames():
            seen.frames.append(frame)
            if len(seen.frames) == GOOD and fault is None:
                source.close()
            elif len(seen.frames) == GOOD:
                seen.moment = cameras.fault("yard", fault)
                # what is on its way comes still
                seen.good = cameras.sent["yard"].pictures
            if seen.good and len(seen.frames) >= seen.good + more > seen.good:
                source.close()
    except SourceError as error:
        seen.error = error
    seen.dropped = sum(source.dropped.values())
    return seen


def opening(cameras: SimulatedCameras) -> type[SourceError] | None:
    """Why the camera cannot be opened; None where it can."""
    options = SourceOptions(open_timeout_s=LIMIT_S, read_timeout_s=LIMIT_S)
    try:
        open_source("yard", cameras.urls["yard"], options=options).close()
    except SourceError as error:
        return type(error)
    return None


@pytest.mark.parametrize(
    ("name", "streaming", "connecting"),
    [
        ("fin", None, None),
        ("rst", None, None),
        ("not-found", None, SourceNotFound),
        ("unauthorized", None, SourceRefused),
        ("refuse", None, SourceUnreachable),
        ("no-answer", SourceStalled, SourceUnreachable),
        ("stall", SourceStalled, None),
        ("rtcp-only", SourceStalled, None),
    ],
)
def test_a_fault_is_seen_while_streaming_and_while_connecting_until_it_is_taken_away(
    cameras: SimulatedCameras,
    name: str,
    streaming: type[SourceError] | None,
    connecting: type[SourceError] | None,
) -> None:
    seen = watch(cameras, name)
    ended_s = time.monotonic() - seen.moment
    assert GOOD <= len(seen.frames) <= seen.good + 1
    assert type(seen.error) is (streaming or type(None))
    # a lost connection is seen at once, silence only after the limit
    assert ended_s >= LIMIT_S if streaming is SourceStalled else ended_s < 5
    if connecting is not None:
        until(lambda: opening(cameras) is connecting)
        cameras.fault("yard", None)
        until(lambda: opening(cameras) is None)


def test_after_a_stall_the_stream_goes_on_at_a_keyframe_with_running_times(
    cameras: SimulatedCameras,
) -> None:
    source = open_source("yard", cameras.urls["yard"], options=SourceOptions(read_timeout_s=20))
    frames: list[Frame] = []
    stalled_at = resumed_at = 0.0
    for frame in source.frames():
        frames.append(frame)
        if len(frames) == GOOD:
            stalled_at = cameras.fault("yard", "stall")
            sent = cameras.sent["yard"].pictures
            assert not threading.Event().wait(0.5)
            assert cameras.sent["yard"].pictures <= sent + 1
            resumed_at = cameras.fault("yard", None)
        if len(frames) == GOOD + 20:
            source.close()
    gaps = [after.pts - before.pts for before, after in pairwise(frames)]
    assert max(gaps) == pytest.approx(resumed_at - stalled_at, abs=0.3)
    assert source.dropped == {}


def test_garbage_is_no_picture_and_ends_the_stream(cameras: SimulatedCameras) -> None:
    seen = watch(cameras, "garbage")
    assert GOOD <= len(seen.frames) <= seen.good + 1


def test_lost_packets_are_counted_and_missed(cameras: SimulatedCameras) -> None:
    seen = watch(cameras, "packet-loss:0.3", more=20)
    sent = cameras.sent["yard"]
    assert 0.1 < sent.packets_lost / (sent.packets_lost + sent.packets) < 0.4
    # each picture of this film is one packet
    assert max(b.pts - a.pts for a, b in pairwise(seen.frames)) > 1.5 * PERIOD_S


def test_the_size_changes_in_the_middle_and_changes_back(cameras: SimulatedCameras) -> None:
    seen = watch(cameras, "resolution", more=10)
    assert {frame.size for frame in seen.frames[:GOOD]} == {(160, 120)}
    assert seen.frames[-1].size == (80, 60)
    assert seen.dropped == 0
    cameras.fault("yard", None)
    assert watch(cameras, None).frames[-1].size == (160, 120)


@pytest.mark.parametrize("seconds", [40, -40])
def test_the_times_jump(cameras: SimulatedCameras, seconds: int) -> None:
    seen = watch(cameras, f"timestamp-jump:{seconds}", more=10)
    (jump,) = [frame.index for frame in seen.frames if frame.discontinuity][1:]
    assert GOOD <= jump <= seen.good + 1
    # What is read goes on all the same.
    assert 0 < seen.frames[jump].pts - seen.frames[jump - 1].pts < 2


def test_a_frozen_picture_comes_with_running_times(cameras: SimulatedCameras) -> None:
    frozen = watch(cameras, "frozen", more=55).after[1:]
    first = frozen[0].image().astype(int)
    assert all(abs(frame.image().astype(int) - first).max() <= 8 for frame in frozen)
    gaps = {round(b.pts - a.pts, 3) for a, b in pairwise(frozen)}
    assert gaps == {PERIOD_S}
    cameras.fault("yard", None)
    moving = watch(cameras, None).frames
    assert abs(moving[-1].image().astype(int) - moving[0].image()).max() > 50


def test_a_slow_camera_sends_half_as_many_pictures(cameras: SimulatedCameras) -> None:
    slow = watch(cameras, "slow", more=12).after[2:]
    gaps = {round(b.pts - a.pts, 3) for a, b in pairwise(slow)}
    assert gaps == {2 * PERIOD_S}
    assert slow[-1].monotonic - slow[0].monotonic > 0.8 * (slow[-1].pts - slow[0].pts)


def test_a_client_is_sent_to_another_camera_or_address(reel: Reel, tmp_path: Path) -> None:
    small = load(make_film(tmp_path / "door.mp4", size=(96, 64)), tmp_path)
    there = SimulatedCameras({"door": small}, port=0)
    here = SimulatedCameras({"yard": reel, "side": small}, port=0)
    with in_thread(there), in_thread(here):
        for target in ("side", there.urls["door"]):
            here.fault("yard", f"redirect:{target}")
            source = open_source("yard", here.urls["yard"])
            assert next(source.frames()).size == (96, 64)
            source.close()
        assert there.sent["door"].streams == 1
        with pytest.raises(ConfigError, match="no camera cellar; choose one of yard, side"):
            here.fault("yard", "redirect:cellar")


def test_one_camera_is_faulty_and_the_one_beside_it_is_not(reel: Reel) -> None:
    with in_thread(SimulatedCameras({"door": reel, "yard": reel}, port=0)) as cameras:
        for name in ("refuse", "no-answer", "not-found"):
            cameras.fault("yard", name)
            assert opening(cameras) is not None
            source = open_source("door", cameras.urls["door"])
            assert next(source.frames()).size == (160, 120)
            source.close()


def test_a_planned_fault_comes_and_goes_for_those_who_connect_again_too(reel: Reel) -> None:
    plan = FaultPlan(Fault(FaultKind.STALL), after_s=1, for_s=0.8)
    with in_thread(SimulatedCameras({"yard": reel}, port=0, faults={"yard": plan})) as cameras:
        source = open_source("yard", cameras.urls["yard"], options=SourceOptions(read_timeout_s=9))
        times = [frame.monotonic for frame, _ in zip(source.frames(), range(30), strict=False)]
        source.close()
        assert max(b - a for a, b in pairwise(times)) > 0.5
        assert opening(cameras) is None


def test_a_fault_from_the_beginning_needs_nobody_who_plays(reel: Reel) -> None:
    plan = FaultPlan(Fault(FaultKind.NOT_FOUND), after_s=0)
    with in_thread(SimulatedCameras({"yard": reel}, port=0, faults={"yard": plan})) as cameras:
        assert opening(cameras) is SourceNotFound


def test_an_account_is_refused_even_where_it_is_right(reel: Reel) -> None:
    account = Account("guard", "sesame")
    with in_thread(SimulatedCameras({"yard": reel}, port=0, account=account)) as cameras:
        url = cameras.urls["yard"].replace("//", "//guard:sesame@")
        open_source("yard", url).close()
        cameras.fault("yard", "unauthorized")
        with pytest.raises(SourceRefused):
            open_source("yard", url)


def test_a_plan_is_a_function_of_time() -> None:
    fault = Fault(FaultKind.FROZEN)
    for_a_while = FaultPlan(fault, after_s=5, for_s=10)
    assert [for_a_while.active(s) for s in (0, 4.9, 5, 14.9, 15)] == [
        None,
        None,
        fault,
        fault,
        None,
    ]
    assert FaultPlan(fault, after_s=0).active(0) == fault
    assert FaultPlan(fault).active(1e9) == fault


def test_plans_are_written_for_all_cameras_or_one() -> None:
    texts = ["packet-loss", "b=redirect:rtsp://h/x?y=z"]
    found = plans(texts, ["a", "b"], after_s=1, for_s=None)
    assert str(found["a"].fault) == "packet-loss:0.05"
    assert found["b"] == FaultPlan(Fault(FaultKind.REDIRECT, "rtsp://h/x?y=z"), 1, None)
    assert plans(["redirect:rtsp://h/x?y=z"], ["a"], after_s=1, for_s=2)["a"].for_s == 2
    assert set(plans(["a=stall"], ["a", "b"], after_s=1, for_s=None)) == {"a"}


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (["stal"], "There is no fault 'stal'; choose one of no-answer, refuse,"),
        (["c=stall"], "There is no camera c; choose one of a, b."),
        (["stall", "fin"], "Two faults are for every camera"),
        (["a=stall", "a=fin"], "Camera a has two faults"),
        (["stall:3"], "The fault stall takes no parameter"),
        (["redirect"], "The fault redirect needs a parameter"),
        (["packet-loss:2"], "above 0 and at most 1"),
        (["packet-loss:half"], "above 0 and at most 1"),
        (["timestamp-jump:0"], "a number other than 0"),
        (["timestamp-jump:nan"], "a number other than 0"),
    ],
)
def test_what_is_no_fault_is_told_in_a_sentence(texts: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        plans(texts, ["a", "b"], after_s=5, for_s=None)


def test_each_fault_has_a_sentence() -> None:
    for kind in FaultKind:
        assert kind.sentence.endswith(".")
        assert f"| `{kind}` |" in faults_table()
