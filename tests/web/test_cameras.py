"""A camera's page, its periods and gaps, its events in the list, and what Prometheus reads."""

from __future__ import annotations

from datetime import UTC, datetime

from conftest_web import Installation, Served
from happenings import NOW, after, back, lost
from prometheus_client.parser import text_string_to_metric_families

from pipeline.health import (
    LATENCY_BOUNDS_MS,
    CameraState,
    CameraStatus,
    Cause,
    Statuses,
    WorkerHealth,
)

WHY = "Camera back-door: <b>nothing</b> answers at rtsp://192.0.2.20/stream1 within 10 s; check it."


def away(installation: Installation) -> None:
    cameras = installation.store.cameras
    cameras.resume("back-door", None, NOW)
    cameras.enter("back-door", CameraState.LIVE, None, after(1))
    cameras.enter("back-door", CameraState.UNREACHABLE, WHY, after(61))
    cameras.enter("back-door", CameraState.LIVE, None, after(91))


def test_a_cameras_page_says_how_it_is_and_when_it_saw_nothing(
    installation: Installation, page: Served
) -> None:
    away(installation)
    status = CameraStatus(
        state=CameraState.LIVE,
        since=after(91),
        frames=1234,
        looks=617,
        looks_per_s=5.0,
        dropped={"not_due": 600, "corrupt": 17},
    )
    installation.statuses = Statuses(at=datetime.now(UTC), cameras={"back-door": status})
    html = page.get("/cameras/back-door").text
    assert "The back door" in html
    assert "1234 decoded, 617 looked at" in html
    assert "17 corrupt, 600 not due" in html
    assert "Thu 05 Nov, 02:15:08" in html
    assert "&lt;b&gt;nothing&lt;/b&gt; answers at" in html
    assert "<b>nothing" not in html
    assert "30 s" in html
    assert 'href="/cameras/back-door"' in page.get("/").text


def test_a_camera_that_nobody_knows_has_no_page(page: Served) -> None:
    for path in ("/cameras/nobody", "/api/v1/cameras/nobody/periods"):
        assert page.get(path).status_code == 404
    assert "It is not watched now." in page.get("/cameras/back-door").text


def test_periods_are_paged_and_have_their_gaps(installation: Installation, page: Served) -> None:
    away(installation)
    first = page.get("/api/v1/cameras/back-door/periods?limit=2").json()
    assert [item["state"] for item in first["items"]] == ["live", "unreachable"]
    (gap, _) = page.get("/api/v1/cameras/back-door/gaps").json()
    assert (gap["state"], gap["cause"]) == ("unreachable", WHY)
    assert gap["began"] == first["items"][1]["began"]
    assert gap["ended"] == first["items"][1]["ended"]
    path = f"/api/v1/cameras/back-door/periods?limit=2&before={first['before']}"
    second = page.get(path).json()
    assert [item["state"] for item in second["items"]] == ["live", "connecting"]
    assert second["before"] is None


def test_a_lost_camera_is_an_event_without_a_score_or_a_clip(
    installation: Installation, page: Served
) -> None:
    installation.store.amend("e1", lost(), now=NOW)
    card = page.get("/events/e1/card").text
    assert "The back door has been offline since 02:14: it stalls." in card
    assert "score" not in card
    assert "clip" not in card.replace("clip-text", "").lower()
    assert "going on" in card
    installation.store.amend("e1", back(), now=after(90))
    assert "was offline for 90 s" in page.get("/events/e1").text
    assert "Why this score" not in page.get("/events/e1").text
    assert "data-mark-as" not in card
    assert page.mark("real", "e1").status_code == 422
    assert "about the camera itself" in page.get("/media/e1/clip").text
    item = page.get("/api/v1/events?rule=camera.offline").json()["items"][0]
    assert item["event"]["type"] == "camera.online"
    assert item["clip_text"] is None


def test_prometheus_reads_every_state_change_and_drop(
    installation: Installation, page: Served
) -> None:
    assert page.get("/metrics").status_code == 200
    status = CameraStatus(
        state=CameraState.STALLED,
        since=after(5),
        frames=1000,
        latency_ms=40.0,
        latencies=(0, 0, 0, 3, *(0,) * (len(LATENCY_BOUNDS_MS) - 4), 1),
        latencies_s=6.1,
        wanted_per_s=5.0,
        allowed_per_s=2.5,
        dropped={"corrupt": 17},
        silenced={"capped": 12, "cooldown": 3},
        rule_failures={"limps": 7},
        changes={"live": 2, "stalled": 2},
        recording="No video is kept.",
    )
    installation.statuses = Statuses(
        at=datetime.now(UTC),
        cameras={"back-door": status},
        problems=("The disk is full.",),
        workers={"watch-cameras": WorkerHealth(ready=True, restarts={Cause.CRASHED: 2})},
    )
    answer = page.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert found["vigil_problems",] == 1
    assert found["vigil_worker_restarts_total", "crashed", "watch-cameras"] == 2
    assert found["vigil_camera_state", "back-door", "stalled"] == 1
    assert found["vigil_camera_state", "back-door", "live"] == 0
    assert found["vigil_camera_frames_total", "back-door"] == 1000
    assert found["vigil_camera_dropped_total", "back-door", "corrupt"] == 17
    assert found["vigil_camera_events_silenced_total", "back-door", "capped"] == 12
    assert found["vigil_camera_rule_failures_total", "back-door", "limps"] == 7
    text = page.get("/cameras/back-door").text
    assert "12 (the camera had too many within an hour)" in text
    assert "3 (the rule was cooling down)" in text
    assert found["vigil_camera_state_changes_total", "back-door", "live"] == 2
    assert found["vigil_camera_latency_seconds", "back-door"] == 0.04
    latency = "vigil_camera_look_latency_seconds"
    assert found[f"{latency}_bucket", "0.02", "back-door"] == 0
    assert found[f"{latency}_bucket", "0.03", "back-door"] == 3
    assert found[f"{latency}_bucket", "+Inf", "back-door"] == 4
    assert found[f"{latency}_count", "back-door"] == 4
    assert found[f"{latency}_sum", "back-door"] == 6.1
    assert found["vigil_camera_looks_wanted_per_second", "back-door"] == 5
    assert found["vigil_camera_looks_allowed_per_second", "back-door"] == 2.5
    assert found["vigil_camera_recording", "back-door"] == 0
    assert found["vigil_camera_since_timestamp_seconds", "back-door"] == after(5).timestamp()
    # What nobody has said for long is not so any more.
    installation.statuses = installation.statuses.model_copy(update={"at": NOW})
    assert "back-door" not in page.get("/metrics").text
    assert page.get("/api/v1/cameras").json()[0]["status"] is None
