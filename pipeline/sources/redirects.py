"""Whether an RTSP camera sends its readers on to another host, before FFmpeg follows it there.

FFmpeg hands the account to whatever host a redirection names, as it is or as a digest. Nothing
tells it not to, so a camera with an account is asked once before: as FFmpeg would ask, by OPTIONS
and DESCRIBE, with the account where the camera wants it. (Over HTTP, FFmpeg leaves the account
behind.)
"""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import ssl
import time
from contextlib import ExitStack
from urllib.parse import urlsplit, urlunsplit

from pipeline.errors import SourceRefused, SourceUnreachable, SourceUntrusted
from pipeline.sources.address import Place, place_of, shown
from pipeline.sources.certificates import trusted_context
from pipeline.sources.failures import certificate_failure, no_answer, refused_account
from pipeline.sources.options import SourceOptions

LONGEST_WAY = 8
"""Redirections that are followed on the same host."""
_LONGEST_ANSWER = 65_536
_CHALLENGE = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')


class _Refused(Exception):
    """The camera refuses the account."""


def check_redirection(
    camera: str,
    address: str,
    place: Place,
    options: SourceOptions,
    timeout_s: float,
    connections: ExitStack,
) -> None:
    """Make sure that the account in an rtsp(s) address goes to no other host, nor from an encrypted
    connection to an open one. Does nothing where the address has no account.

    The connection it asks by is left to `connections`, to be closed when FFmpeg has its own: a
    camera that starts its encoder for who asks, and stops it when he goes, would refuse the next.

    Raises:
        SourceUntrusted: it would.
        SourceRefused: the camera refuses the account.
        SourceUnreachable: it does not answer within `timeout_s`.
    """
    if place.account is None or place.scheme not in ("rtsp", "rtsps"):
        return
    name = shown(address)
    failure: SourceRefused | SourceUnreachable | None = None
    try:
        deadline = time.monotonic() + timeout_s
        there = _elsewhere(camera, address, place, options, deadline, connections)
        if there is not None:
            failure = _sent_away(camera, name, there)
    except TimeoutError:
        failure = no_answer(camera, name, timeout_s)
    except ssl.SSLCertVerificationError as error:
        failure = certificate_failure(camera, name, error.verify_message)
    except _Refused:
        failure = refused_account(camera, name)
    except OSError:
        return  # FFmpeg will find the same, and say it
    # raised out here so that the failure's context does not hold the address
    if failure is not None:
        raise failure


def _elsewhere(
    camera: str,
    address: str,
    place: Place,
    options: SourceOptions,
    deadline: float,
    connections: ExitStack,
) -> str | None:
    """The address of another host, or of an open connection, that a camera sends its readers on to;
    None where they stay. Raises as `_sent_on`."""
    here = address
    for _ in range(LONGEST_WAY):
        asked = place_of(here)
        assert asked is not None
        connection = connections.enter_context(_connection(camera, asked, options, deadline))
        there = _sent_on(connection, here, place.account, deadline)
        target = None if there is None else place_of(there)
        if there is None or target is None:  # FFmpeg will say what is wrong with the address
            return None
        if target.host != place.host or (place.encrypted and not target.encrypted):
            return there
        here = there
    return None


def _sent_away(camera: str, name: str, there: str) -> SourceUntrusted:
    other = "".join(filter(str.isprintable, shown(there)))[:200]
    return SourceUntrusted(
        f"Camera {camera}: {name} sends its readers on to {other}, which the account is not handed "
        "to; write that address as its source if it is right."
    )


def _sent_on(
    connection: socket.socket, address: str, account: tuple[str, str] | None, deadline: float
) -> str | None:
    """The address that a camera answers with; None where it does not send its readers on.

    Raises:
        _Refused: the camera refuses the account.
        OSError: no answer that makes sense.
    """
    assert account is not None
    url = _without_account(address)
    for method in ("OPTIONS", "DESCRIBE"):
        status, headers = _ask(connection, method, url, "", deadline)
        if status == 401:
            challenges = [value for key, value in headers if key == "www-authenticate"]
            answer = _authorization(challenges, method, url, account)
            if answer is None:
                return None
            status, headers = _ask(connection, method, url, answer, deadline)
            if status == 401:
                raise _Refused
        if 300 <= status < 400:
            return next((value for key, value in headers if key == "location"), None)
    return None


def _connection(
    camera: str, place: Place, options: SourceOptions, deadline: float
) -> socket.socket:
    plain = socket.create_connection((place.host, place.port), _left(deadline))
    if not place.encrypted:
        return plain
    try:
        return trusted_context(camera, options).wrap_socket(plain, server_hostname=place.host)
    except BaseException:
        plain.close()
        raise


def _ask(
    connection: socket.socket, method: str, url: str, authorization: str, deadline: float
) -> tuple[int, list[tuple[str, str]]]:
    """Status and headers, with names in small letters, of the answer to a request."""
    sequence = 2 * (method == "DESCRIBE") + bool(authorization) + 1
    request = f"{method} {url} RTSP/1.0\r\nCSeq: {sequence}\r\nUser-Agent: vigil\r\n"
    if method == "DESCRIBE":
        request += "Accept: application/sdp\r\n"
    if authorization:
        request += f"Authorization: {authorization}\r\n"
    request += "\r\n"
    connection.settimeout(_left(deadline))
    connection.sendall(request.encode())
    answer = bytearray()
    while (end := answer.find(b"\r\n\r\n")) < 0:
        _receive(connection, answer, deadline)
    first, *lines = answer[:end].decode("utf-8", errors="replace").split("\r\n")
    match = re.match(r"RTSP/1\.\d (\d{3})", first)
    if match is None:
        raise ConnectionError
    pairs = (line.partition(":") for line in lines)
    headers = [(key.strip().lower(), value.strip()) for key, _, value in pairs]
    body = next((value for key, value in headers if key == "content-length"), "0")
    while body.isdecimal() and len(answer) < end + 4 + int(body):
        _receive(connection, answer, deadline)
    return int(match[1]), headers


def _receive(connection: socket.socket, answer: bytearray, deadline: float) -> None:
    connection.settimeout(_left(deadline))
    more = connection.recv(4096)
    answer += more
    if not more or len(answer) > _LONGEST_ANSWER:
        raise ConnectionError


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _without_account(address: str) -> str:
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _authorization(
    challenges: list[str], method: str, url: str, account: tuple[str, str]
) -> str | None:
    """What answers a challenge (RFC 7616, with MD5 as cameras and FFmpeg have it; RFC 7617); None
    where it is of another kind."""
    user, password = account
    for challenge in challenges:
        kind, _, rest = challenge.partition(" ")
        asked = {m[1].lower(): m[2] or m[3] or "" for m in _CHALLENGE.finditer(rest)}
        if kind.lower() == "digest" and asked.get("algorithm", "MD5").upper() == "MD5":
            return _digest(asked, method, url, user, password)
    if any(challenge.lower().startswith("basic") for challenge in challenges):
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    return None


def _digest(asked: dict[str, str], method: str, url: str, user: str, password: str) -> str:
    realm, nonce = asked.get("realm", ""), asked.get("nonce", "")
    secret, request = _md5(f"{user}:{realm}:{password}"), _md5(f"{method}:{url}")
    parts = {"username": user, "realm": realm, "nonce": nonce, "uri": url}
    if "auth" in asked.get("qop", "").split(","):
        chance = hashlib.sha256(nonce.encode()).hexdigest()[:16]
        parts["response"] = _md5(f"{secret}:{nonce}:00000001:{chance}:auth:{request}")
        tail = f', qop=auth, nc=00000001, cnonce="{chance}"'
    else:
        parts["response"], tail = _md5(f"{secret}:{nonce}:{request}"), ""
    if "opaque" in asked:
        parts["opaque"] = asked["opaque"]
    return "Digest " + ", ".join(f'{key}="{value}"' for key, value in parts.items()) + tail


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
