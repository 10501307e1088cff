"""What faults, reconnections and many cameras cost is measured on the real pipeline."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.bench import cameras
from pipeline.bench.cameras import measure_cameras
from pipeline.bench.faults import measure_faults, table
from pipeline.bench.reconnects import measure_reconnects
from pipeline.bench.watching import Setup
from pipeline.errors import ConfigError
from pipeline.simulate import FaultKind


def test_each_fault_is_a_row_that_people_can_read() -> None:
    row = {
        "fault": "stall",
        "limit_s": 2.0,
        "noticed_s": 2.03,
        "recovered_s": None,
        "pictures_sent": 400,
        "pictures_received": 399,
        "events": 3,
        "clips_lost": 0,
        "sentence": "It is connected but has sent no picture for 2 s.",
    }
    assert table({"rows": [row]}).splitlines()[2] == (
        "| `stall` | 2 s | 2.03 s |  | 1 of 400 | 0 of 3 | It is connected but has sent no picture "
        "for 2 s. |"
    )


def test_a_fault_that_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigError, match="There is no fault 'stal'"):
        measure_faults(limit_s=2, hold_s=5, only=["stal"])


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_fault_is_noticed_within_twice_its_limit_and_costs_no_clip() -> None:
    measured = measure_faults(limit_s=2, hold_s=20)
    rows = {row["fault"]: row for row in measured["rows"]}
    assert set(rows) == {"healthy", *FaultKind}
    healthy = rows.pop("healthy")
    assert healthy["noticed_s"] is None
    for row in rows.values():
        assert row["clips_lost"] == 0, row
        if row["limit_s"] is not None:
            # Encoders repeat themselves only after some groups of pictures.
            slack = 1.0 if row["fault"] == "frozen" else 0.0
            assert row["noticed_s"] <= 2 * row["limit_s"] + slack, row
        if row["states"]:
            assert row["recovered_s"] is not None, row
            assert row["sentence"], row


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_reconnections_leave_nothing_behind() -> None:
    measured = measure_reconnects(100)
    assert measured["reconnects"] == 100
    assert measured["threads"]["last"] == measured["threads"]["first"]
    assert measured["descriptors"]["last"] == measured["descriptors"]["first"]
    assert measured["memory_ratio"] < 1.05


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.mark.timeout(120)
def test_who_walks_by_is_looked_at_soon_and_every_picture_is_accounted_for(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seconds in ("WARM_S", "QUIET_S", "KEYFRAME_S"):
        monkeypatch.setattr(f"pipeline.bench.watching.{seconds}", 1.0)
    measured = measure_cameras(
        cameras=2, size=(320, 180), rate=10, seconds=4, cache=cache, memory=False
    )
    json.dumps(measured)
    first, second = measured["healthy"].values()
    assert measured["unaccounted"] == 0
    for row in (first, second):
        assert row["received"] > 40
        assert row["received"] == row["looks"] + sum(row["dropped"].values())
    # The cameras' activities follow one another.
    assert first["active_share"] > 0.8
    assert second["active_share"] == 0
    assert first["detections"] > 0
    assert second["detections"] == 0
    assert first["looks_per_s_active"] > second["looks_per_s"]
    latency = measured["latency_ms"]
    assert latency["looks"] >= first["latency_ms"]["looks"] > 0
    assert 0 < latency["p50"] <= latency["p95"] <= latency["max"]
    assert measured["cores_of"]["watch"] > 0
    assert measured["memory_mb"] > 50
    lines = cameras.table(measured).splitlines()
    assert lines[2].startswith(f"| camera-1 | {first['received']} of {first['sent']} | ")
    assert lines[4].startswith("| all | ")
    assert "cores (watch " in lines[6]


def test_a_fault_that_no_camera_can_have_is_refused(cache: Path) -> None:
    with pytest.raises(ConfigError, match="There is no fault 'stal'"):
        measure_cameras(
            cameras=2, size=(320, 180), rate=10, seconds=5, cache=cache, fault="stal", memory=False
        )


def test_of_several_runs_the_middle_one_is_told_and_what_the_others_came_to(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = iter(
        [(1, 100, 60), (8, 300, 200), (1, 100, 61), (8, None, 271), (1, 75, 62), (8, 200, 132)]
    )

    def watched(setup: Setup) -> dict[str, object]:
        number, p95, memory = next(outcomes)
        assert setup.cameras == number
        return {
            "latency_ms": {"p95": p95},
            "looks_per_s": 5.0,
            "cores": 1.0,
            "received_least": 1.0,
            "memory_mb": float(memory),
        }

    monkeypatch.setattr(cameras, "watch", watched)
    measured = measure_cameras(
        cameras=8, size=(320, 180), rate=10, seconds=5, cache=cache, repeat=3
    )
    assert measured["latency_ms"]["p95"] == 300
    assert measured["memory_of_one_camera_mb"] == 60
    assert measured["memory_per_extra_camera_mb"] == 20
    assert measured["spread"]["p95_ms"] == {
        "each": [300, None, 200],
        "median": 300,
        "min": 200,
        "max": None,
    }
    assert measured["spread"]["memory_per_extra_camera_mb"]["each"] == [20, 30, 10]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_healthy_cameras_receive_what_is_sent_while_another_is_faulty(cache: Path) -> None:
    measured = measure_cameras(
        cameras=4, size=(640, 360), rate=15, seconds=20, cache=cache, fault="stall"
    )
    assert len(measured["healthy"]) == 3
    assert measured["received_least"] >= 0.99
    assert 0 < measured["memory_per_extra_camera_mb"] < 60
    json.dumps(measured)
