"""Who is let in, what is handed out, and what is refused."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from conftest_web import EVENT, MISSING_IMAGE, Installation, Served, served
from happenings import NOW, asked, judged

from pipeline.errors import VigilError
from pipeline.web.auth import MOST_SESSIONS, Access
from pipeline.web.serve import serve

MARKUP = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


@pytest.fixture
def filmed(installation: Installation, tmp_path: Path) -> Installation:
    installation.happen()
    installation.film(tmp_path)
    return installation


def test_a_clip_comes_in_parts_with_a_tag(filmed: Installation, page: Served) -> None:
    whole = page.get(f"/media/{EVENT}/clip")
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.headers["accept-ranges"] == "bytes"
    part = page.get(f"/media/{EVENT}/clip", headers={"range": "bytes=100-199"})
    assert part.status_code == 206
    assert part.content == whole.content[100:200]
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole.content)}"
    end = page.get(f"/media/{EVENT}/clip", headers={"range": "bytes=-50"})
    assert end.content == whole.content[-50:]
    again = page.get(f"/media/{EVENT}/clip", headers={"if-none-match": whole.headers["etag"]})
    assert again.status_code == 304
    other = page.get(
        f"/media/{EVENT}/clip", headers={"range": "bytes=0-9", "if-range": '"another"'}
    )
    assert other.status_code == 200
    head = page.client.head(f"/media/{EVENT}/clip")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))


def test_a_download_has_a_name_that_says_what_it_is(filmed: Installation, page: Served) -> None:
    given = page.get(f"/media/{EVENT}/annotated?download=true").headers["content-disposition"]
    assert given.startswith("attachment")
    assert "back-door" in given
    assert "2026-11-05" in given


@pytest.mark.parametrize(
    ("asked_for", "status"),
    [
        ("bytes=99999999-", 416),
        ("bytes=" + ",".join(f"{n}-{n}" for n in range(0, 4000, 2)), 416),
        ("bytes=5-1", 400),
        ("bytes=nonsense", 400),
        ("lines=1-2", 400),
    ],
)
def test_ranges_that_are_no_ranges_are_refused(
    filmed: Installation, page: Served, asked_for: str, status: int
) -> None:
    assert page.get(f"/media/{EVENT}/clip", headers={"range": asked_for}).status_code == status


@pytest.mark.parametrize(
    "path",
    [
        "/media/../vigil.db",
        "/media/%2e%2e/%2e%2e/vigil.db",
        f"/media/{EVENT}/..%2fframe.jpg",
        f"/media/{EVENT}/%2e%2e%2f%2e%2e%2fvigil.db",
        f"/media/{EVENT}/frame.jpg",
        f"/media/{EVENT}/clip.mp4",
        f"/media/{EVENT}/image-1",
        f"/media/{EVENT}/image--1",
        f"/media/{EVENT}/" + "x" * 500,
        "/media/none/clip",
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/../../../vigil.db",
    ],
)
def test_only_what_an_event_names_is_handed_out(
    filmed: Installation, page: Served, path: str
) -> None:
    with socket.create_connection(("127.0.0.1", httpx.URL(page.url).port or 0)) as raw:
        # Not by way of a client that tidies the path.
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while chunk := raw.recv(65536):
            answer += chunk
    assert answer.split(b" ", 2)[1] in (b"404", b"422"), answer[:200]


def test_a_picture_that_is_gone_is_said_so(installation: Installation, page: Served) -> None:
    installation.happen(images=(MISSING_IMAGE,))
    answer = page.get(f"/media/{EVENT}/image-0")
    assert (answer.status_code, answer.json()["detail"]) == (404, "This is no longer kept.")


def test_markup_in_names_and_in_what_a_model_says_is_text(
    installation: Installation, page: Served, tmp_path: Path
) -> None:
    installation.names = {"back-door": MARKUP}
    scene = asked().scene
    installation.happen(camera_name=MARKUP, rule_reason=MARKUP, rule=MARKUP, scene=scene)
    installation.store.amend(EVENT, judged(description=MARKUP, judge_reason=MARKUP), now=NOW)
    installation.film(tmp_path)
    for path in ("/", f"/events/{EVENT}", f"/events/{EVENT}/card", f"/?camera={MARKUP}"):
        text = page.get(path).text
        assert "<script>alert" not in text, path
        assert "<img src=x" not in text, path
        assert "&lt;script&gt;alert(1)" in text, path
    captions = page.get(f"/media/{EVENT}/captions")
    assert "&lt;script&gt;" in captions.text
    assert captions.headers["content-type"].startswith("text/vtt")


def test_every_answer_forbids_what_the_page_does_not_need(
    filmed: Installation, page: Served
) -> None:
    for path in ("/", f"/media/{EVENT}/clip", "/api/v1/events", "/nowhere", "/static/page.css"):
        headers = page.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


def test_a_name_that_leads_here_from_outside_is_refused(page: Served) -> None:
    assert page.get("/", headers={"host": "evil.example"}).status_code == 403
    assert page.get("/", headers={"host": "localhost.evil.example:80"}).status_code == 403
    assert page.get("/", headers={"host": "LOCALHOST:9"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
    ],
)
def test_another_page_cannot_mark(
    installation: Installation, page: Served, headers: dict[str, str]
) -> None:
    installation.happen()
    body = {"kind": "real", "event_id": EVENT}
    answer = page.client.post("/api/v1/marks", json=body, headers=headers)
    assert answer.status_code == 403
    assert installation.store.marks.page(1) == []


def test_a_form_is_no_mark(installation: Installation, page: Served) -> None:
    installation.happen()
    answer = page.client.post(
        "/api/v1/marks",
        content=f'{{"kind": "real", "event_id": "{EVENT}"}}',
        headers={"content-type": "text/plain"},
    )
    assert answer.status_code == 422


def test_what_is_too_large_is_refused(page: Served) -> None:
    assert page.mark("real", note="x" * 100_000).status_code == 413

    def endless() -> object:
        for _ in range(200):
            yield b"x" * 1000

    answer = page.client.post(
        "/api/v1/marks", content=endless(), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 413
    assert page.mark("real", note="x" * 2000).status_code == 422


def test_beyond_this_machine_only_a_link_lets_in_and_only_once(
    installation: Installation,
) -> None:
    installation.happen()
    with served(installation.site(), listen="0.0.0.0") as outside:
        for path in ("/", "/api/v1/events", f"/media/{EVENT}/image-0", "/live", "/static/page.js"):
            assert outside.get(path).status_code == 401, path
        assert outside.get("/static/page.css").status_code == 200
        link = httpx.URL(outside.links[0])
        # Whoever looks at links in advance does not use it up.
        assert "button" in outside.get(str(link.raw_path.decode())).text
        key = link.params["key"]
        large = outside.client.post("/enter", data={"key": "x" * 5000})
        assert large.status_code == 413

        def endless() -> Iterator[bytes]:
            for _ in range(20):
                yield b"key=" + b"x" * 1000

        # Whatever length it claims, or none.
        assert outside.client.post("/enter", content=endless()).status_code == 413
        entered = outside.client.post("/enter", data={"key": key})
        assert entered.status_code == 303
        cookie = entered.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert outside.get("/").status_code == 200
        assert len(outside.links) == 2
        with httpx.Client(base_url=outside.url) as other:
            assert other.post("/enter", data={"key": key}).status_code == 403
            guessed = f"vigil-{httpx.URL(outside.url).port}=guessed"
            assert other.get("/", headers={"cookie": guessed}).status_code == 401
            again = httpx.URL(outside.links[1]).params["key"]
            assert other.post("/enter", data={"key": again}).status_code == 303
            assert other.get("/").status_code == 200


def test_a_program_with_the_token_reads_and_changes_nothing(installation: Installation) -> None:
    installation.happen()
    token = "correct-horse-battery-staple"
    bearer = {"authorization": f"Bearer {token}"}
    with served(installation.site(), listen="0.0.0.0", token=token) as outside:
        for path in ("/metrics", "/api/v1/events", f"/api/v1/events/{EVENT}"):
            assert outside.get(path).status_code == 401, path
            assert outside.get(path, headers=bearer).status_code == 200, path
        assert outside.client.head("/metrics", headers=bearer).status_code != 401
        for wrong in (f"Bearer {token}x", f"Basic {token}", token, "Bearer", "Bearer \xff"):
            refused = outside.get("/metrics", headers={"authorization": wrong.encode("latin-1")})
            assert refused.status_code == 401, wrong
        mark = {"event": EVENT, "verdict": "real"}
        marked = outside.client.post("/api/v1/marks", json=mark, headers=bearer)
        assert marked.status_code == 401
        assert outside.client.delete("/api/v1/marks/1", headers=bearer).status_code == 401
    with served(installation.site(), listen="0.0.0.0") as outside:
        empty = outside.get("/metrics", headers={"authorization": "Bearer"})
        assert empty.status_code == 401


def test_who_guesses_locks_nobody_out_and_sessions_run_out() -> None:
    links: list[str] = []
    now = [0.0]
    access = Access(links.append, clock=lambda: now[0])
    assert [access.enter(f"guess {n}") for n in range(1000)] == [None] * 1000
    token = access.enter(links[-1].partition("key=")[2])
    assert access.knows(token)
    now[0] += 40 * 86_400
    assert not access.knows(token)


def test_the_oldest_session_makes_room_for_the_newest() -> None:
    links: list[str] = []
    access = Access(links.append)
    tokens = [access.enter(links[-1].partition("key=")[2]) for _ in range(MOST_SESSIONS + 1)]
    assert [access.knows(token) for token in tokens] == [False] + [True] * MOST_SESSIONS


def test_two_pages_of_one_machine_leave_each_others_sessions_alone(
    installation: Installation,
) -> None:
    site = installation.site()
    with (
        served(site, listen="0.0.0.0") as one,
        served(site, listen="0.0.0.0") as two,
        httpx.Client() as browser,
    ):
        for page in (one, two):
            key = httpx.URL(page.links[0]).params["key"]
            assert browser.post(f"{page.url}/enter", data={"key": key}).status_code == 303
        assert browser.get(one.url).status_code == browser.get(two.url).status_code == 200


def test_another_name_of_this_machine_alone_serves_its_own_page(
    installation: Installation,
) -> None:
    with served(installation.site(), listen="127.0.0.2") as page:
        assert httpx.get(page.links[0]).status_code == 200


def test_who_connects_and_says_nothing_keeps_nobody_out(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.web.connections.QUIET_S", 0.5)
    monkeypatch.setattr("pipeline.web.connections.MOST_PER_ADDRESS", 8)
    with served(installation.site(), listen="0.0.0.0") as page, ExitStack() as opened:

        def connect() -> socket.socket:
            address = ("127.0.0.1", httpx.URL(page.url).port or 0)
            return opened.enter_context(socket.create_connection(address, timeout=10))

        silent = [connect() for _ in range(8)]
        # A word at a time is no request either.
        silent[0].sendall(b"GET / HTTP/1.1\r\n")
        began = time.monotonic()
        assert connect().recv(1) == b""
        assert time.monotonic() - began < 0.25, "it was no connection too many"
        assert [one.recv(1) for one in silent] == [b""] * 8
        assert page.get("/static/page.css").status_code == 200


def test_a_port_in_use_or_a_foreign_address_is_one_sentence(installation: Installation) -> None:
    def attempt(listen: str, port: int | None) -> str:
        with pytest.raises(VigilError) as caught:
            serve(
                installation.site(),
                listen=listen,
                port=port,
                stop=threading.Event(),
                on_ready=lambda url: None,
                on_link=lambda url: None,
            )
        return str(caught.value)

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "in use" in attempt("127.0.0.1", taken.getsockname()[1])
    assert "no address of this machine" in attempt("192.0.2.1", 0)


def test_fastapi_reports_nothing_whatever_the_environment_says(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    monkeypatch.setitem(os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://192.0.2.1:4318")
    with served(installation.site()) as page:
        # An attempt to connect would fail the session.
        assert page.get("/").status_code == 200
