"""How cameras were is kept without a hole, over crashes too."""

from __future__ import annotations

from datetime import timedelta

from happenings import NOW

from pipeline.health import CameraState, gaps
from pipeline.store import Store

SECOND = timedelta(seconds=1)


def test_periods_follow_one_another_without_a_hole(store: Store) -> None:
    cameras = store.cameras
    cameras.resume("door", None, NOW)
    cameras.enter("door", CameraState.LIVE, None, NOW + SECOND)
    cameras.enter("yard", CameraState.LIVE, None, NOW)
    cameras.enter("door", CameraState.STALLED, "It stalls.", NOW + 9 * SECOND)
    cameras.enter("door", CameraState.STALLED, "It stalls.", NOW + 10 * SECOND)
    cameras.enter("door", CameraState.LIVE, None, NOW + 12 * SECOND)
    newest, *others = cameras.periods("door")
    assert [period.state.value for period in (newest, *others)] == [
        "live",
        "stalled",
        "live",
        "connecting",
    ]
    assert newest.ended is None
    later = newest
    for period in others:
        assert period.ended == later.began
        later = period
    (gap, first) = gaps([newest, *others])
    assert (gap.began, gap.ended) == (NOW + 9 * SECOND, NOW + 12 * SECOND)
    assert (gap.state, gap.cause) == (CameraState.STALLED, "It stalls.")
    assert (first.began, first.ended) == (NOW, NOW + SECOND)
    assert [p.id for p in cameras.periods("door", limit=2, before=newest.id)] == [
        p.id for p in others[:2]
    ]


def test_after_a_crash_the_gap_begins_where_the_camera_was_seen_last(store: Store) -> None:
    cameras = store.cameras
    cameras.enter("door", CameraState.LIVE, None, NOW)
    cameras.seen(["door"], NOW + 30 * SECOND)
    cameras.seen(["door"], NOW + 20 * SECOND)  # it never goes back
    cameras.resume("door", "It crashed.", NOW + 36 * SECOND)
    cameras.enter("door", CameraState.LIVE, None, NOW + 38 * SECOND)
    live, connecting, stopped, before = cameras.periods("door")
    assert (before.state, before.ended) == (CameraState.LIVE, NOW + 30 * SECOND)
    assert (stopped.state, stopped.cause) == (CameraState.STOPPED, "It crashed.")
    assert connecting.began == NOW + 36 * SECOND
    (gap,) = gaps([live, connecting, stopped, before])
    assert (gap.began, gap.ended) == (NOW + 30 * SECOND, NOW + 38 * SECOND)
    assert gap.cause == "It crashed."


def test_a_camera_that_was_stopped_in_order_has_a_gap_up_to_the_next_start(store: Store) -> None:
    store.cameras.enter("door", CameraState.LIVE, None, NOW)
    store.cameras.enter("door", CameraState.STOPPED, "Vigil was stopped.", NOW + SECOND)
    store.cameras.resume("door", "It crashed.", NOW + 100 * SECOND)
    connecting, stopped, _ = store.cameras.periods("door")
    assert stopped.cause == "Vigil was stopped."
    assert stopped.ended == connecting.began == NOW + 100 * SECOND


def test_a_clock_that_was_set_back_makes_no_period_that_ends_before_it_began(
    store: Store,
) -> None:
    store.cameras.enter("door", CameraState.LIVE, None, NOW)
    store.cameras.enter("door", CameraState.STALLED, None, NOW - 3600 * SECOND)
    for period in store.cameras.periods("door"):
        assert period.ended is None or period.ended >= period.began


def test_a_camera_that_is_away_for_ever_new_reasons_is_in_one_state(store: Store) -> None:
    store.cameras.enter("door", CameraState.LIVE, None, NOW)
    for minute in range(50):
        at = NOW + minute * 60 * SECOND
        store.cameras.enter("door", CameraState.UNREACHABLE, f"Reason {minute % 2}.", at)
    newest, _ = store.cameras.periods("door")
    assert (newest.began, newest.cause) == (NOW, "Reason 1.")


def test_a_gap_is_whole_however_many_states_it_has_and_tells_what_lasted_longest(
    store: Store,
) -> None:
    cameras = store.cameras
    cameras.enter("door", CameraState.LIVE, None, NOW)
    for second in range(1, 1200, 2):
        cameras.enter("door", CameraState.CONNECTING, None, NOW + second * SECOND)
        cameras.enter("door", CameraState.STALLED, "It stalls.", NOW + (second + 1) * SECOND)
    cameras.enter("door", CameraState.STOPPED, "Vigil was stopped.", NOW + 1300 * SECOND)
    cameras.resume("door", "It crashed.", NOW + 9999 * SECOND)
    assert cameras.away_since("door") == NOW + SECOND
    cameras.enter("door", CameraState.LIVE, None, NOW + 10_000 * SECOND)
    assert cameras.away_since("door") is None
    (gap,) = cameras.gaps("door")
    assert (gap.began, gap.ended) == (NOW + SECOND, NOW + 10_000 * SECOND)
    assert gap.cause == "Vigil was stopped."


def test_cameras_that_are_watched_no_more_end_where_they_were_seen_last(store: Store) -> None:
    for camera in ("door", "yard"):
        store.cameras.enter(camera, CameraState.LIVE, None, NOW)
    store.cameras.seen(["door", "yard"], NOW + 30 * SECOND)
    store.cameras.forget({"yard"}, "It is not watched any more.")
    stopped, live = store.cameras.periods("door")
    assert (stopped.state, live.ended) == (CameraState.STOPPED, NOW + 30 * SECOND)
    assert store.cameras.periods("yard")[0].state is CameraState.LIVE


def test_old_periods_go_but_never_the_one_that_goes_on(store: Store) -> None:
    store.cameras.enter("door", CameraState.LIVE, None, NOW)
    store.cameras.enter("door", CameraState.STALLED, None, NOW + SECOND)
    assert store.cameras.prune(NOW + 2 * SECOND) == 1
    assert store.cameras.prune(NOW + 2 * SECOND) == 0
    (period,) = store.cameras.periods("door")
    assert period.state is CameraState.STALLED
