"""Whom a camera's account is handed to: its own host, behind a certificate that is trusted."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from certificates import Certificate, TlsRelay, make_certificate
from films import make_film
from rtsp_answers import rtsp_answers
from rtsp_camera import RtspCamera, Stream

from pipeline.errors import (
    SourceError,
    SourceNotFound,
    SourceRefused,
    SourceUnreachable,
    SourceUntrusted,
)
from pipeline.simulate import Reel, load
from pipeline.sources import SourceOptions, open_source

USER, PASSWORD = "guard", "hunter2"
ACCOUNT = f"{USER}:{PASSWORD}@"
PICTURES = 40
CHALLENGES = ['Basic realm="a"', 'Digest realm="a", nonce="17", qop="auth"']
QUICK = SourceOptions(open_timeout_s=4, read_timeout_s=4)
Asked = list[tuple[str, str | None]]


@pytest.fixture(scope="module")
def reel(tmp_path_factory: pytest.TempPathFactory) -> Reel:
    folder = tmp_path_factory.mktemp("reel")
    return load(make_film(folder / "film.mp4", frames=PICTURES), folder)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def encrypted(reel: Reel, certificate: Certificate) -> Iterator[str]:
    """Host and port of an encrypted camera that plays its film once."""

    async def plays(stream: Stream) -> None:
        await stream.send(PICTURES, pause=0.005)

    with RtspCamera(reel, plays) as camera, TlsRelay(certificate, camera.port) as relay:
        yield f"127.0.0.1:{relay.port}"


def without_secrets(error: BaseException) -> bool:
    told = f"{error} {error!r}"
    return not any(word in told for word in (USER, PASSWORD)) and error.__context__ is None


@pytest.mark.parametrize("account", ["", ACCOUNT])
def test_an_encrypted_camera_is_read_whatever_its_certificate(encrypted: str, account: str) -> None:
    source = open_source("door", f"rtsps://{account}{encrypted}/s", options=QUICK)
    assert source.live
    assert len(list(source.frames())) == PICTURES


def test_a_certificate_that_is_trusted_opens_the_camera(
    encrypted: str, certificate: Certificate
) -> None:
    options = SourceOptions(verify_tls=True, tls_ca=certificate.file)
    source = open_source("door", f"rtsps://{ACCOUNT}{encrypted}/s", options=options)
    assert len(list(source.frames())) == PICTURES


@pytest.mark.parametrize("account", ["", ACCOUNT])
def test_a_certificate_of_somebody_else_is_told_in_a_sentence(
    encrypted: str, tmp_path: Path, account: str
) -> None:
    other = make_certificate(tmp_path, "other")
    for ca in (None, other.file):
        options = SourceOptions(verify_tls=True, tls_ca=ca)
        with pytest.raises(SourceUntrusted) as caught:
            open_source("door", f"rtsps://{account}{encrypted}/s", options=options)
        assert "/s is not trusted (self-signed certificate); name the file" in str(caught.value)
        assert caught.value.cause == "refused"
        assert without_secrets(caught.value)


def test_a_certificate_of_another_host_is_told_in_a_sentence(reel: Reel, tmp_path: Path) -> None:
    other = make_certificate(tmp_path, "other", host="DNS:garden.example")

    async def plays(stream: Stream) -> None:
        await stream.send(PICTURES, pause=0)

    with RtspCamera(reel, plays) as camera, TlsRelay(other, camera.port) as relay:
        options = SourceOptions(verify_tls=True, tls_ca=other.file)
        with pytest.raises(SourceUntrusted, match="IP address mismatch"):
            open_source("door", f"rtsps://127.0.0.1:{relay.port}/s", options=options)


@pytest.mark.parametrize(("content", "why"), [(None, "cannot be read"), ("no", "holds no cert")])
def test_a_file_of_certificates_that_is_of_no_use_is_told_in_a_sentence(
    tmp_path: Path, content: str | None, why: str
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    options = SourceOptions(verify_tls=True, tls_ca=file)
    with pytest.raises(SourceUntrusted, match=f"ca.pem of its key tls_ca {why}"):
        open_source("door", "rtsps://127.0.0.1:9/s", options=options)


@pytest.mark.parametrize("first", ["OPTIONS", "DESCRIBE"])
@pytest.mark.parametrize(
    "asks", [None, *CHALLENGES], ids=["at once", "after basic", "after digest"]
)
@pytest.mark.parametrize("wants", CHALLENGES, ids=["to basic", "to digest"])
def test_no_other_host_gets_the_account(asks: str | None, wants: str, first: str) -> None:
    there: Asked = []
    here: Asked = []

    def other(method: str, given: str | None) -> list[str]:
        return ["RTSP/1.0 401 Unauthorized", f"WWW-Authenticate: {wants}"]

    with rtsp_answers(other, there, host="127.0.0.2") as elsewhere:

        def camera(method: str, given: str | None) -> list[str]:
            if method != first:
                return ["RTSP/1.0 200 OK"]
            if asks and given is None:
                return ["RTSP/1.0 401 Unauthorized", f"WWW-Authenticate: {asks}"]
            return ["RTSP/1.0 302 Found", f"Location: rtsp://{elsewhere}/x"]

        with rtsp_answers(camera, here) as host, pytest.raises(SourceUntrusted) as caught:
            open_source("door", f"rtsp://{ACCOUNT}{host}/s", options=QUICK)
    assert there == []
    assert f"sends its readers on to rtsp://{elsewhere}/x, which the account" in str(caught.value)
    assert without_secrets(caught.value)


def test_without_an_account_another_host_is_gone_to(reel: Reel) -> None:
    async def plays(stream: Stream) -> None:
        await stream.send(PICTURES, pause=0.005)

    with RtspCamera(reel, plays) as camera:

        def sends_on(method: str, given: str | None) -> list[str]:
            return ["RTSP/1.0 302 Found", f"Location: {camera.url}"]

        with rtsp_answers(sends_on, [], host="127.0.0.2") as host:
            source = open_source("door", f"rtsp://{host}/s", options=QUICK)
            assert len(list(source.frames())) == PICTURES


def test_another_path_of_the_same_host_is_gone_to_with_the_account(reel: Reel) -> None:
    async def plays(stream: Stream) -> None:
        await stream.send(PICTURES, pause=0.005)

    with RtspCamera(reel, plays) as camera:

        def sends_on(method: str, given: str | None) -> list[str]:
            return ["RTSP/1.0 301 Moved", f"Location: {camera.url}"]

        with rtsp_answers(sends_on, []) as host:
            source = open_source("door", f"rtsp://{ACCOUNT}{host}/s", options=QUICK)
            assert len(list(source.frames())) == PICTURES


def test_an_account_is_not_taken_from_an_encrypted_connection_to_an_open_one(
    certificate: Certificate,
) -> None:
    there: Asked = []
    with rtsp_answers(lambda *_: ["RTSP/1.0 200 OK"], there) as unencrypted:

        def sends_on(method: str, given: str | None) -> list[str]:
            return ["RTSP/1.0 302 Found", f"Location: rtsp://{unencrypted}/s"]

        with (
            rtsp_answers(sends_on, []) as host,
            TlsRelay(certificate, int(host.rpartition(":")[2])) as relay,
            pytest.raises(SourceUntrusted, match="sends its readers on"),
        ):
            open_source("door", f"rtsps://{ACCOUNT}127.0.0.1:{relay.port}/s", options=QUICK)
    assert there == []


@pytest.mark.parametrize("challenge", CHALLENGES, ids=["basic", "digest"])
def test_a_wrong_account_is_tried_once_only(challenge: str) -> None:
    asked: Asked = []

    def refuses(method: str, given: str | None) -> list[str]:
        if method == "OPTIONS":
            return ["RTSP/1.0 200 OK"]
        return ["RTSP/1.0 401 Unauthorized", f"WWW-Authenticate: {challenge}"]

    with rtsp_answers(refuses, asked) as host, pytest.raises(SourceRefused) as caught:
        open_source("door", f"rtsp://{ACCOUNT}{host}/s", options=QUICK)
    assert not isinstance(caught.value, SourceUntrusted)
    assert len([given for _, given in asked if given]) == 1  # cameras lock accounts
    assert without_secrets(caught.value)


def test_what_is_no_answer_of_a_camera_is_left_to_ffmpeg() -> None:
    for line, error in {
        "RTSP/1.0 404 Not Found": SourceNotFound,
        "HTTP/1.0 400 Bad Request": SourceError,
        "hello": SourceError,
    }.items():
        with (
            rtsp_answers(lambda *_, line=line: [line], []) as host,  # type: ignore[misc]
            pytest.raises(error) as caught,
        ):
            open_source(
                "door", f"rtsp://{ACCOUNT}{host}/s", options=SourceOptions(open_timeout_s=0.5)
            )
        assert without_secrets(caught.value)


def test_a_camera_that_never_answers_is_found_within_its_time_though_asked_before() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for scheme in ("rtsp", "rtsps"):
            began = time.monotonic()
            with pytest.raises(SourceUnreachable, match="nothing answers"):
                open_source(
                    "door",
                    f"{scheme}://{ACCOUNT}127.0.0.1:{port}/s",
                    options=SourceOptions(open_timeout_s=0.5),
                )
            assert time.monotonic() - began < 2 * 0.5 + 1
