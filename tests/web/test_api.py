"""The API: events, marks and cameras, and refusals in one sentence."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest_web import EVENT, OTHER, Installation, Served
from happenings import NOW, after, clip_failed, clip_ready, created, updated
from jsonschema import Draft202012Validator

from pipeline.health import CameraState, CameraStatus, Statuses
from pipeline.types import ClipReason, EventRule, Severity
from pipeline.web.views import clip_text


def test_events_come_newest_first_in_pages(installation: Installation, page: Served) -> None:
    for number in range(5):
        installation.store.amend(f"e{number}", created(), now=NOW)
    first = page.get("/api/v1/events?limit=2").json()
    assert [item["event"]["id"] for item in first["items"]] == ["e4", "e3"]
    second = page.get(f"/api/v1/events?limit=2&before={first['before']}").json()
    assert [item["event"]["id"] for item in second["items"]] == ["e2", "e1"]
    third = page.get(f"/api/v1/events?limit=2&before={second['before']}").json()
    assert [item["event"]["id"] for item in third["items"]] == ["e0"]
    assert third["before"] is None


def test_events_are_filtered_by_what_the_page_filters_by(
    installation: Installation, page: Served
) -> None:
    installation.happen(EVENT)
    installation.happen(OTHER, camera="yard", rule="person", started=after(86_400))

    def ids(query: str) -> list[str]:
        return [i["event"]["id"] for i in page.get(f"/api/v1/events?{query}").json()["items"]]

    assert ids("camera=yard") == [OTHER]
    assert ids("rule=lingers") == [EVENT]
    assert ids("day=2026-11-05") == [EVENT]
    assert ids("day=2026-11-06") == [OTHER]
    assert ids("state=confirmed") == []
    assert ids("severity=alert") == [OTHER, EVENT]


def test_an_item_says_where_its_media_are(
    installation: Installation, page: Served, tmp_path: Path
) -> None:
    installation.happen()
    item = page.get(f"/api/v1/events/{EVENT}").json()
    assert item["links"]["clip"] is None
    assert item["clip_text"] == "the clip is being made"
    installation.film(tmp_path)
    item = page.get(f"/api/v1/events/{EVENT}").json()
    assert item["clip_text"] is None
    for name in ("clip", "annotated", "captions", "poster"):
        assert page.get(item["links"][name]).status_code == 200, name
    assert [page.get(path).status_code for path in item["links"]["images"]] == [200]


def test_a_restricted_clip_is_not_served_and_the_annotated_one_takes_its_place(
    installation: Installation, page: Served, tmp_path: Path
) -> None:
    installation.happen()
    installation.film(tmp_path, annotated=False, restricted=True)

    def item() -> dict[str, Any]:
        found: dict[str, Any] = page.get(f"/api/v1/events/{EVENT}").json()
        return found

    assert item()["links"]["clip"] is None
    assert item()["event"]["clip"]["restricted"]
    (tmp_path / "more").mkdir()
    installation.film(tmp_path / "more", restricted=True)
    assert item()["clip_text"] is None
    links = item()["links"]
    assert links["clip"] is None
    for name in ("annotated", "captions", "poster"):
        assert page.get(links[name]).status_code == 200, name
    for options in ({}, {"headers": {"range": "bytes=0-9"}}, {"params": {"download": "true"}}):
        refused = page.get(f"/media/{EVENT}/clip", **options)
        assert refused.status_code == 403
        assert f"`vigil clip {EVENT} -o FILE`" in refused.json()["detail"]
    assert page.client.head(f"/media/{EVENT}/clip").status_code == 403
    for path in ("/", f"/events/{EVENT}", f"/events/{EVENT}/card"):
        text = page.get(path).text
        assert f' src="/media/{EVENT}/annotated' in text
        assert f"/media/{EVENT}/clip" not in text
        assert "data-variant" not in text
    assert "for administrators alone" in page.get(f"/events/{EVENT}").text


def test_until_the_annotated_one_is_drawn_a_restricted_clip_is_being_made(
    installation: Installation,
) -> None:
    installation.happen()
    installation.store.amend(EVENT, clip_ready(restricted=True), now=after(7))
    event = installation.store.event(EVENT)
    assert event is not None
    assert clip_text(event, False, after(9)) == "the clip is being made"
    drawn = clip_ready(annotated=True, key="events/gone/annotated.mp4")
    event = installation.store.amend(EVENT, drawn, now=after(9))
    assert clip_text(event, True, after(9)) is None
    assert clip_text(event, False, after(9)) == "clip no longer kept"


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (ClipReason.DISK_FULL, "clip unavailable: disk full"),
        (ClipReason.NOT_RECORDED, "clip unavailable: no video was kept"),
    ],
)
def test_why_there_is_no_clip_is_said(
    installation: Installation, page: Served, reason: ClipReason, text: str
) -> None:
    installation.happen()
    installation.store.amend(EVENT, clip_failed(reason=reason), now=after(5))
    assert page.get(f"/api/v1/events/{EVENT}").json()["clip_text"] == text
    assert text in page.get("/").text
    answer = page.get(f"/media/{EVENT}/clip")
    assert answer.status_code == 404
    assert answer.json()["detail"].lower().startswith(text)


def test_a_mark_is_made_replaced_and_undone(installation: Installation, page: Served) -> None:
    installation.happen()
    first = page.mark("false")
    assert first.status_code == 201
    second = page.mark("real").json()

    def now() -> object:
        mark = page.get(f"/api/v1/events/{EVENT}").json()["mark"]
        return None if mark is None else mark["kind"]

    assert now() == "real"
    assert page.client.delete(f"/api/v1/marks/{second['id']}").json()["undone_at"] is not None
    assert now() == "false"
    page.client.delete(f"/api/v1/marks/{first.json()['id']}")
    assert now() is None
    assert len(page.get(f"/api/v1/events/{EVENT}/marks").json()) == 2
    assert len(page.get("/api/v1/marks?limit=1").json()["items"]) == 1


def test_something_missed_needs_a_camera_and_a_moment(
    installation: Installation, page: Served
) -> None:
    installation.happen()
    assert page.mark("missed", None).status_code == 422
    assert page.mark("missed", None, camera="back-door").status_code == 422
    assert page.mark("missed", None, camera="nowhere", at=NOW.isoformat()).status_code == 422
    for at in ("0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"):
        refused = page.mark("missed", None, camera="back-door", at=at)
        assert refused.status_code == 422
        assert refused.json()["detail"] == "at: a moment between 1970 and 2200 is wanted."
    installation.happen(OTHER, camera="sold")
    assert page.mark("missed", None, camera="sold", at=NOW.isoformat()).status_code == 201
    made = page.mark("missed", None, camera="back-door", at=NOW.isoformat(), note="a fox")
    assert made.status_code == 201
    assert made.json()["note"] == "a fox"
    assert page.mark("missed").json()["camera"] == "back-door"
    assert page.get(f"/api/v1/events/{EVENT}").json()["mark"] is None


def test_cameras_are_as_they_were_told_unless_that_was_long_ago(
    installation: Installation, page: Served
) -> None:
    def camera() -> tuple[str, str | None]:
        (found,) = page.get("/api/v1/cameras").json()
        return found["word"], found["sentence"]

    assert camera() == ("not watched now", None)
    status = CameraStatus(state=CameraState.LIVE, recording="No video is kept.")
    now = datetime.now(UTC)
    installation.statuses = Statuses(at=now, cameras={"back-door": status})
    assert camera() == ("live, not recording", "No video is kept.")
    status = CameraStatus(state=CameraState.UNREACHABLE, message="It is away.")
    installation.statuses = Statuses(at=now, cameras={"back-door": status})
    assert camera() == ("unreachable", "It is away.")
    installation.statuses = Statuses(at=now - timedelta(seconds=30), cameras={"back-door": status})
    assert camera() == ("unknown", None)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/events/none", 404),
        ("/api/v1/events/none/versions", 404),
        ("/api/v1/events?limit=0", 422),
        ("/api/v1/events?limit=100000", 422),
        ("/api/v1/events?state=odd", 422),
        ("/api/v1/events?day=yesterday", 422),
        ("/api/v1/events?day=9999-12-31", 422),
        ("/api/v1/events?camera=" + "x" * 2000, 422),
        ("/api/v1/events/" + "x" * 2000, 422),
        ("/api/v1/marks?before=99999999999999999999999", 422),
        ("/events/none", 404),
        ("/nowhere", 404),
    ],
)
def test_what_is_not_understood_is_refused_in_a_sentence(
    page: Served, path: str, status: int
) -> None:
    answer = page.get(path)
    assert answer.status_code == status
    assert len(answer.json()["detail"]) > 5
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/nowhere", "There is no such page."),
        ("/events/none", "There is no event of that name."),
        ("/cameras/none", "There is no camera of that name."),
    ],
)
def test_a_person_reads_what_is_not_there_as_a_sentence(page: Served, path: str, said: str) -> None:
    answer = page.get(path, headers={"accept": "text/html"})
    assert answer.status_code == 404
    assert f"<h1>{said}</h1>" in answer.text
    assert not {"404", "Not Found"} & set(re.findall(r">([^<]+)<", answer.text))


def test_a_filter_that_finds_nothing_is_shown_as_it_is(
    installation: Installation, page: Served
) -> None:
    installation.happen()
    shown = page.get("/?camera=garage&rule=flies").text
    assert '<option value="garage" selected>garage</option>' in shown
    assert "<option selected>flies</option>" in shown
    assert shown.count("selected") == 2
    assert "garage" not in page.get("/").text


def test_odd_filters_of_the_page_show_all_events_and_say_so(
    installation: Installation, page: Served
) -> None:
    installation.happen()
    for query in ("state=odd", "day=9999-12-31", "day=0001-01-01", "day=x"):
        answer = page.get(f"/?{query}")
        assert answer.status_code == 200, query
    assert "not understood" in page.get("/?state=odd").text


def test_a_store_that_fails_is_a_sentence_too(
    installation: Installation, page: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.errors import StoreError

    def fail(*args: object, **more: object) -> None:
        raise StoreError("The store cannot be used: the disk is full.")

    monkeypatch.setattr(installation.store, "search", fail)
    answer = page.get("/api/v1/events")
    assert (answer.status_code, answer.json()["detail"]) == (
        503,
        "The store cannot be used: the disk is full.",
    )
    assert page.get("/", headers={"accept": "text/html"}).status_code == 503


def test_the_api_is_described_and_loads_nothing_from_elsewhere(page: Served) -> None:
    described = page.get("/api/openapi.json").json()
    assert {"/api/v1/events", "/api/v1/marks", "/media/{event_id}/{role}"} <= set(
        described["paths"]
    )
    assert page.get("/docs").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "asked", "status"),
    [
        ("get", "/api/v1/events/{event_id}", "/api/v1/events/none", 404),
        ("get", "/api/v1/events", "/api/v1/events?limit=0", 422),
        ("get", "/api/v1/cameras/{camera}/gaps", "/api/v1/cameras/none/gaps", 404),
        ("delete", "/api/v1/marks/{mark_id}", "/api/v1/marks/77", 404),
    ],
)
def test_refusals_look_as_the_description_says(
    page: Served, method: str, path: str, asked: str, status: int
) -> None:
    described = page.get("/api/openapi.json").json()
    answer = page.client.request(method, asked)
    assert answer.status_code == status
    told = described["paths"][path][method]["responses"][str(status)]
    schema = told["content"]["application/json"]["schema"]
    Draft202012Validator({**schema, "components": described["components"]}).validate(answer.json())


@pytest.mark.parametrize("path", ["/", f"/events/{EVENT}", f"/events/{EVENT}/card"])
def test_the_page_says_which_rules_took_part_and_that_nobody_was_told(
    installation: Installation, page: Served, path: str
) -> None:
    rules = tuple(
        EventRule(rule=rule, severity=Severity.NOTICE, started=NOW, rule_reason=f"It {rule}.")
        for rule in ("lingers", "runs")
    )
    installation.happen(EVENT)
    plain = page.get(path).text
    assert "not announced" not in plain
    assert "also:" not in plain
    installation.store.amend(EVENT, updated(rules=rules), now=after(1))
    assert "also: runs" in page.get(path).text
    installation.happen(OTHER, announced=False)
    assert "not announced" in page.get(path.replace(EVENT, OTHER)).text
