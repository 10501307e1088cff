"""Open pages are told what changes, and what they missed."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from conftest_web import EVENT, Installation, Served, served
from happenings import NOW, created, ended, updated
from running import until

from pipeline.errors import VigilError, WorkerError
from pipeline.health import CameraState, CameraStatus, Statuses
from pipeline.types import Mark
from pipeline.web.live import BEHIND, Live
from pipeline.web.serve import serve


@contextmanager
def listening(
    page: Served, path: str = "/live", **headers: str
) -> Iterator[list[tuple[str, dict, str | None]]]:
    """What a page is told: (kind, data, id), as it comes."""
    told: list[tuple[str, dict, str | None]] = []
    client = httpx.Client(base_url=page.url, timeout=httpx.Timeout(20))
    opened = threading.Event()
    streams: list[Any] = []

    def listen() -> None:
        try:
            with client.stream("GET", path, headers=headers) as answer:
                streams.append(answer.extensions["network_stream"])
                assert answer.headers["content-type"].startswith("text/event-stream")
                fields: dict[str, str] = {}
                for line in answer.iter_lines():
                    if line:
                        name, _, value = line.partition(": ")
                        fields[name] = value
                    elif "data" in fields:
                        data = json.loads(fields["data"])
                        told.append((fields.get("event", ""), data, fields.get("id")))
                        fields = {}
                        opened.set()
        except httpx.HTTPError:
            pass

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    assert opened.wait(10)
    yield told
    streams[0].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
    thread.join(10)
    client.close()


def of_kind(told: list[tuple[str, dict, str | None]], kind: str) -> list[dict]:
    return [data for name, data, _ in told if name == kind]


def test_an_event_is_told_the_moment_it_is_committed(
    installation: Installation, page: Served
) -> None:
    with listening(page) as told:
        began = time.monotonic()
        installation.store.amend("e1", created(), now=NOW)
        until(lambda: of_kind(told, "event"))
        assert time.monotonic() - began < 2
        installation.store.amend("e1", updated(), now=NOW)
        until(lambda: len(of_kind(told, "event")) == 2)
    assert [(data["id"], data["version"]) for data in of_kind(told, "event")] == [
        ("e1", 1),
        ("e1", 2),
    ]
    assert of_kind(told, "event")[0]["camera"] == "back-door"


def test_a_page_that_was_away_is_told_what_it_missed(
    installation: Installation, page: Served
) -> None:
    installation.store.amend("e1", created(), now=NOW)
    seen = str(installation.store.outbox.newest())
    installation.store.amend("e1", ended(), now=NOW)
    installation.store.amend("e2", created(), now=NOW)
    with listening(page, **{"last-event-id": seen}) as told:
        until(lambda: len(of_kind(told, "event")) == 2)
        assert [data["id"] for data in of_kind(told, "event")] == ["e1", "e2"]


@pytest.mark.parametrize("seen", ["0", "99999"])
def test_a_page_that_was_away_for_too_long_begins_anew(
    installation: Installation, page: Served, seen: str
) -> None:
    for number in range(210):
        installation.store.amend(f"e{number}", created(), now=NOW)
    with listening(page, **{"last-event-id": seen}) as told:
        until(lambda: of_kind(told, "reset"))
        # What the server comes upon only now may follow, but nothing goes before.
        assert next(kind for kind, _, _ in told if kind != "cameras") == "reset"


def test_marks_and_cameras_are_told_too(installation: Installation, page: Served) -> None:
    installation.happen()
    with listening(page) as told:
        made = page.mark("real").json()
        until(lambda: of_kind(told, "mark") == [made])
        status = CameraStatus(state=CameraState.LIVE)
        installation.statuses = Statuses(at=datetime.now(UTC), cameras={"back-door": status})
        until(lambda: of_kind(told, "cameras")[-1][0]["word"] == "live")  # type: ignore[index]


def test_many_pages_are_served_and_too_many_are_refused(
    installation: Installation, page: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.web.live.MOST_PAGES", 1)
    with listening(page):
        assert page.get("/live").status_code == 503


def test_serving_ends_at_once_while_pages_are_open(installation: Installation) -> None:
    with served(installation.site()) as page, listening(page):
        began = time.monotonic()
    # `served` has waited for the end of its thread.
    assert time.monotonic() - began < 3


def test_the_event_of_a_page_is_shown_as_it_is_now(
    installation: Installation, page: Served
) -> None:
    installation.happen()
    card = page.get(f"/events/{EVENT}/card").text
    assert 'data-version="1"' in card
    assert "going on" in card
    installation.store.amend(EVENT, ended(), now=NOW)
    assert "going on" not in page.get(f"/events/{EVENT}/card").text


def test_what_came_between_a_page_and_its_stream_is_told(
    installation: Installation, page: Served
) -> None:
    made_at = installation.store.outbox.newest()
    installation.store.amend("e1", created(), now=NOW)
    with listening(page, f"/live?after={made_at}") as told:
        until(lambda: of_kind(told, "event"))
        assert of_kind(told, "event")[0]["id"] == "e1"
        # What a browser has seen, it says when it comes back.
        assert told[0][2] == str(made_at)
    with listening(page, f"/live?after={made_at}", **{"last-event-id": "99999"}) as told:
        until(lambda: of_kind(told, "reset"))


async def test_a_page_that_reads_too_slowly_begins_anew(
    installation: Installation, page: Served
) -> None:
    installation.happen()
    mark = Mark.model_validate(page.mark("real").json())
    live = Live(installation.site())
    task = asyncio.create_task(live.run())
    told = live.follow(None)
    assert (await anext(told)).event == "cameras"
    live.marked(mark)
    while (await anext(told)).event != "mark":
        pass
    for _ in range(BEHIND + 2):
        live.marked(mark)
    await asyncio.sleep(0)
    assert (await anext(told)).event == "reset"
    live.close()
    await told.aclose()
    await task


def test_a_page_that_follows_nothing_any_more_ends(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[Exception] = []

    def serve_it() -> None:
        try:
            serve(
                installation.site(),
                listen="127.0.0.1",
                port=0,
                stop=threading.Event(),
                on_ready=lambda url: None,
                on_link=lambda url: None,
            )
        except VigilError as error:
            failed.append(error)

    def broken(*unused: object) -> None:
        raise RuntimeError("of no kind that is known")

    thread = threading.Thread(target=serve_it)
    monkeypatch.setattr("pipeline.web.live.cameras_view", broken)
    thread.start()
    thread.join(20)
    assert isinstance(failed[0], WorkerError)
