"""What faults, reconnections and many cameras cost is measured on the real pipeline."""

from __future__ import annotations

import json

import pytest

from pipeline.bench.cameras import measure_cameras
from pipeline.bench.faults import measure_faults, table
from pipeline.bench.reconnects import measure_reconnects
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


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_healthy_cameras_receive_what_is_sent_while_another_is_faulty() -> None:
    measured = measure_cameras(cameras=4, size=(640, 360), rate=15, seconds=20, fault="stall")
    assert len(measured["healthy"]) == 3
    assert measured["received_least"] >= 0.99
    json.dumps(measured)
