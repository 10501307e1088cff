"""Whom a camera's account is handed to: its own host, behind a certificate that is trusted."""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from certificates import Certificate, TlsRelay, make_certificate
from films import make_film
from rtsp_answers import rtsp_answers
from rtsp_camera import RtspCamera, Stream

from pipeline.errors import (
    SourceNotFound,
    SourceRefused,
    SourceUnreachable,
    SourceUnreadable,
    SourceUntrusted,
)
from pipeline.simulate import Reel, load
from pipeline.sources import SourceOptions, open_source
from pipeline.sources.certificates import trusted_context
from pipeline.sources.redirects import LONGEST_WAY

USER, PASSWORD = "guard", "hunter2"
ACCOUNT = f"{USER}:{PASSWORD}@"
PICTURES = 40
CHALLENGES = ['Basic realm="a"', 'Digest realm="a", nonce="17", qop="auth"']
ODD_CHALLENGES = [
    'Digest realm="a", nonce="17", algorithm=MD5-sess, qop="auth", opaque="o"',
    'Digest realm="a", nonce="17", stale="false", algorithm=MD5',
    'Digest realm="a", nonce="17", algorithm=SHA-256, qop="auth"',
    "Bearer",
]
UNAUTHORIZED = "RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: "
QUICK = SourceOptions(open_timeout_s=4, read_timeout_s=4)
VERIFIED = replace(QUICK, verify_tls=True)
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


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_an_old_encrypted_camera_is_understood_as_long_as_nothing_is_verified(
    certificate: Certificate,
) -> None:
    context = certificate.context()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=lambda: _shake_hands(server, context), daemon=True)
        thread.start()
        address = ("127.0.0.1", server.getsockname()[1])
        with (
            socket.create_connection(address, 5) as plain,
            trusted_context("door", QUICK).wrap_socket(plain) as connection,
        ):
            assert connection.version() == "TLSv1.1"
        thread.join(10)


def _shake_hands(server: socket.socket, context: ssl.SSLContext) -> None:
    with suppress(OSError), context.wrap_socket(server.accept()[0], server_side=True) as connection:
        connection.settimeout(5)
        connection.recv(1)


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


def test_a_machine_without_a_file_of_certificates_is_told_to_name_one(
    encrypted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    for scheme, account in (("rtsps", ""), ("rtsps", ACCOUNT), ("https", "")):
        with pytest.raises(SourceUntrusted, match="name the file of certificates in tls_ca"):
            open_source("door", f"{scheme}://{account}{encrypted}/s", options=VERIFIED)


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


def moved(*lines: str, status: str = "RTSP/1.0 302 Found") -> list[str]:
    return [status, *(f"Location: {line}" for line in lines)]


AWAY: dict[str, Callable[[str, str, int], list[str]]] = {
    "one slash": lambda here, there, _: moved(f"rtsp:/{there}/x"),
    "no slash": lambda here, there, _: moved(f"rtsp:{there}/x"),
    "another scheme": lambda here, there, _: moved(f"satip://{there}/x"),
    "a scheme in capitals": lambda here, there, _: moved(f"RTSP://{there}/x"),
    "a host after a backslash": lambda here, there, _: moved(f"rtsp://{there}\\@{here}/x"),
    "a host after an anchor": lambda here, there, _: moved(f"rtsp://{there}#@{here}/x"),
    "another account": lambda here, there, _: moved(f"rtsp://{here}@{there}/x"),
    "no address": lambda here, there, _: moved(),
    "two addresses": lambda here, there, _: moved(f"rtsp://{here}/x", f"rtsp://{there}/x"),
    "two spaces": lambda here, there, _: moved(f"rtsp://{there}/x", status="RTSP/1.0  302 Found"),
    "version 2": lambda here, there, _: moved(f"rtsp://{there}/x", status="RTSP/2.0 302"),
    "no version": lambda here, there, _: moved(f"rtsp://{there}/x", status=" RTSP/\t302x"),
    "hidden in video": lambda here, there, _: moved("$", f"rtsp://{there}/x"),
    "a long way round": lambda here, there, asked: moved(
        f"rtsp://{here if asked < LONGEST_WAY + 4 else there}/{asked}"
    ),
    "without end": lambda here, there, asked: moved(f"rtsp://{here}/{asked}"),
    "answered before it is asked": lambda here, there, _: [
        "RTSP/1.0 200 OK\r\n\r\nRTSP/1.0 302 Found",
        f"Location: rtsp://{there}/x",
    ],
}


@pytest.mark.parametrize("way", AWAY)
def test_whatever_is_not_clearly_the_same_host_does_not_get_the_account(way: str) -> None:
    there: Asked = []
    here: Asked = []
    with rtsp_answers(lambda *_: [f"{UNAUTHORIZED}Basic"], there, host="127.0.0.2") as elsewhere:

        def camera(method: str, given: str | None) -> list[str]:
            return AWAY[way](host, elsewhere, len(here))

        with (
            rtsp_answers(camera, here) as host,
            pytest.raises((SourceUntrusted, SourceUnreadable)) as caught,
        ):
            open_source("door", f"rtsp://{ACCOUNT}{host}/s", options=QUICK)
    assert there == []
    assert without_secrets(caught.value)


@pytest.mark.parametrize("challenge", [*CHALLENGES, *ODD_CHALLENGES])
def test_no_challenge_takes_the_account_past_the_check(challenge: str) -> None:
    there: Asked = []
    here: Asked = []
    with rtsp_answers(lambda *_: [f"{UNAUTHORIZED}Basic"], there, host="127.0.0.2") as elsewhere:

        def camera(method: str, given: str | None) -> list[str]:
            if len(here) == 1:
                return [f"{UNAUTHORIZED}{challenge}"]
            return moved(f"rtsp://{elsewhere}/x")

        with rtsp_answers(camera, here) as host, pytest.raises(SourceRefused) as caught:
            open_source("door", f"rtsp://{ACCOUNT}{host}/s", options=QUICK)
    assert there == []
    assert without_secrets(caught.value)
    if "SHA" in challenge:
        assert "a way that is not known here; set the camera to digest (MD5)" in str(caught.value)


@pytest.mark.parametrize("challenge", [*CHALLENGES, *ODD_CHALLENGES[:2]])
def test_a_camera_cannot_tell_the_check_from_the_reader_by_what_they_send(challenge: str) -> None:
    """Both are asked for the account, are sent on once, and find nothing."""
    sent: list[list[str]] = []

    def answers(lines: list[str]) -> str:
        if not any(line.startswith("Authorization") for line in lines):
            return f'{UNAUTHORIZED}{challenge}\r\nWWW-Authenticate: Basic realm="a"'
        if lines[0].startswith("DESCRIBE") and "/s " in lines[0]:
            return f"RTSP/1.0 302 Found\r\nLocation: rtsp://localhost:{port}/a?b=1"
        return "RTSP/1.0 404 Not Found" if lines[0].startswith("DESCRIBE") else "RTSP/1.0 200 OK"

    def serve(connection: socket.socket) -> None:
        connection.settimeout(10)
        lines: list[str] = []
        with connection, suppress(OSError):
            for line in connection.makefile():
                lines.append(line.strip())
                if lines[-1]:
                    continue
                sent.append(lines)
                connection.sendall(f"{answers(lines)}\r\n\r\n".encode())
                lines = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        threading.Thread(target=accept, daemon=True).start()
        with pytest.raises(SourceNotFound):
            open_source("door", f"rtsp://{ACCOUNT}LOCALHOST:{port}/s", options=QUICK)
    chance = re.compile('(?<=response=")[0-9a-f]{32}|(?<=cnonce=")[0-9a-f]{16}')
    plain = [chance.sub("", "\n".join(lines)) for lines in sent]
    half = len(plain) // 2
    assert half >= 4
    assert plain[:half] == plain[half:]


def test_a_camera_that_ends_its_lines_in_a_short_way_is_understood() -> None:
    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                connection.settimeout(10)
                with connection:
                    connection.recv(4096)
                    connection.sendall(b"RTSP/1.0 404 Not Found\nCSeq: 1\n\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        host = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(SourceNotFound):
            open_source("door", f"rtsp://{ACCOUNT}{host}/s", options=QUICK)


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


@pytest.mark.parametrize("account", ["", ACCOUNT])
def test_nobody_is_taken_from_a_verified_connection_to_an_open_one(
    certificate: Certificate, account: str
) -> None:
    there: Asked = []
    with rtsp_answers(lambda *_: ["RTSP/1.0 200 OK"], there) as unencrypted:

        def sends_on(method: str, given: str | None) -> list[str]:
            return ["RTSP/1.0 302 Found", f"Location: rtsp://{unencrypted}/s"]

        with (
            rtsp_answers(sends_on, []) as host,
            TlsRelay(certificate, int(host.rpartition(":")[2])) as relay,
        ):
            verified = replace(VERIFIED, tls_ca=certificate.file)
            for options in (QUICK, verified) if account else (verified,):
                with pytest.raises(SourceUntrusted, match="sends its readers on to rtsp:"):
                    open_source(
                        "door", f"rtsps://{account}127.0.0.1:{relay.port}/s", options=options
                    )
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


def test_what_is_no_answer_of_a_camera_is_told_in_a_sentence() -> None:
    for line, error in {
        "RTSP/1.0 404 Not Found": SourceNotFound,
        "HTTP/1.0 400 Bad Request": SourceUnreadable,
        "hello": SourceUnreadable,
        "$hello": SourceUnreadable,
        "RTSP/1.0 200 OK\r\nRealChallenge1: a": SourceUnreadable,
        "RTSP/1.0 200 OK\r\nContent-Length: 2": SourceUnreadable,
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
