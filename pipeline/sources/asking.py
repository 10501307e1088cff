"""An RTSP camera asked as FFmpeg asks it: the same requests, byte for byte, and answers read alike.

What FFmpeg might read in another way than it is read here is not read at all.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import socket
import time
from dataclasses import dataclass

USER_AGENT = "vigil"
"""What FFmpeg is to call itself too."""
_LONGEST_ANSWER = 65_536
_LONGEST_LINE = 2_048  # FFmpeg cuts at some thousands of bytes
_END = re.compile(rb"\n\r*\n")
_STATUS = re.compile(r"[ \t]*RTSP/\S*[ \t]+(\d{3})(?!\S)")
_ALGORITHMS = ("MD5", "MD5-sess")
_CHALLENGE = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')
# What FFmpeg acts on; it makes a second request of the last one.
_HEADERS = frozenset({"content-length", "location", "www-authenticate", "realchallenge1"})


class NotUnderstoodError(Exception):
    """What answers is not what a camera answers."""


class AccountRefusedError(Exception):
    """The camera refuses the account."""


class UnknownChallengeError(Exception):
    """The camera wants the account in a way in which neither FFmpeg nor this can give it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer's status and those of its headers that FFmpeg acts on, with small names."""

    status: int
    headers: tuple[tuple[str, str], ...]

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


class Account:
    """A user name and a password, and what a camera has said of how it wants them."""

    def __init__(self, user: str, password: str) -> None:
        self._user, self._password = user, password
        self._digest: dict[str, str] | None = None
        self._basic = False
        self._uses = 0

    @property
    def asked_for(self) -> bool:
        return self._basic or self._digest is not None

    def learn(self, challenges: list[str]) -> bool:
        """Take up an answer's challenges; True if only the old one was out of date.

        Raises:
            UnknownChallengeError: it is of an algorithm that FFmpeg does not know.
        """
        stale = False
        for challenge in challenges:
            kind, _, rest = challenge.partition(" ")
            if kind.lower() == "digest":
                digest = {m[1].lower(): m[2] or m[3] or "" for m in _CHALLENGE.finditer(rest)}
                stale = digest.get("stale", "").lower() == "true"
                self._digest, self._uses = digest, 0  # the last counts
            elif kind.lower() == "basic":
                self._basic = True
        if self._digest is not None and self._digest.get("algorithm", "MD5") not in _ALGORITHMS:
            raise UnknownChallengeError
        return stale

    def header(self, method: str, url: str) -> str:
        """The line for a request (RFC 7616, with MD5 as cameras and FFmpeg have it; RFC 7617)."""
        if self._digest is not None:
            self._uses += 1
            return f"Authorization: Digest {self._response(self._digest, method, url)}\r\n"
        if self._basic:
            account = base64.b64encode(f"{self._user}:{self._password}".encode()).decode()
            return f"Authorization: Basic {account}\r\n"
        return ""

    def _response(self, asked: dict[str, str], method: str, url: str) -> str:
        realm, nonce, algorithm = (asked.get(key, "") for key in ("realm", "nonce", "algorithm"))
        chance, count = secrets.token_hex(8), f"{self._uses:08x}"
        secret, request = _md5(f"{self._user}:{realm}:{self._password}"), _md5(f"{method}:{url}")
        if algorithm == "MD5-sess":
            secret = _md5(f"{secret}:{nonce}:{chance}")
        offered = re.split(r"[,\s]+", asked.get("qop", ""))
        protected = next((each for each in offered if each.startswith("auth")), "") == "auth"
        middle = f"{nonce}:{count}:{chance}:auth" if protected else nonce
        parts = {"username": self._user, "realm": realm, "nonce": nonce, "uri": url}
        parts["response"] = _md5(f"{secret}:{middle}:{request}")
        parts |= {key: asked[key] for key in ("algorithm", "opaque") if asked.get(key)}
        if protected:
            parts |= {"qop": "auth", "cnonce": chance}
        text = ", ".join(f'{key}="{value}"' for key, value in parts.items())
        return f"{text}, nc={count}" if protected else text


class Conversation:
    """Requests and answers on one connection, until a deadline by `time.monotonic`.

    Its methods raise OSError, such as TimeoutError, where no whole answer comes.
    """

    def __init__(self, connection: socket.socket, account: Account, deadline: float) -> None:
        self._connection, self._account, self._deadline = connection, account, deadline
        self._requests = 0
        self._received = bytearray()
        """What came after the last answer: FFmpeg takes it for the next one."""

    def ask(self, method: str, url: str) -> Answer:
        """The answer to OPTIONS or DESCRIBE, with the account where the camera wants it.

        Raises:
            NotUnderstoodError, AccountRefusedError, UnknownChallengeError: see there.
        """
        knew = self._account.asked_for
        answer = self._request(method, url)
        stale = self._account.learn(answer.all("www-authenticate"))
        if answer.status == 401 and not self._account.asked_for:
            raise UnknownChallengeError
        if answer.status == 401 and (stale or not knew):
            answer = self._request(method, url)
            self._account.learn(answer.all("www-authenticate"))
        if answer.status == 401:
            raise AccountRefusedError
        return answer

    def _request(self, method: str, url: str) -> Answer:
        self._requests += 1
        request = f"{method} {url} RTSP/1.0\r\n"
        if method == "DESCRIBE":
            request += "Accept: application/sdp\r\n"
        request += f"CSeq: {self._requests}\r\nUser-Agent: {USER_AGENT}\r\n"
        request += self._account.header(method, url) + "\r\n"
        self._connection.settimeout(left(self._deadline))
        self._connection.sendall(request.encode(errors="surrogateescape"))
        return self._answer()

    def _answer(self) -> Answer:
        while (end := _END.search(self._received)) is None:
            self._receive()
        head = bytes(self._received[: end.start()]).replace(b"\r", b"")
        del self._received[: end.end()]
        first, *lines = head.decode(errors="surrogateescape").split("\n")
        match = _STATUS.match(first)
        if match is None or "\0" in first:
            raise NotUnderstoodError
        answer = Answer(int(match[1]), tuple(filter(None, map(_header, lines))))
        if answer.all("realchallenge1"):
            raise NotUnderstoodError
        length = _length(answer)
        while len(self._received) < length:
            self._receive()
        del self._received[:length]
        return answer

    def _receive(self) -> None:
        self._connection.settimeout(left(self._deadline))
        more = self._connection.recv(4096)
        if not more:
            raise ConnectionResetError
        self._received += more
        if len(self._received) > _LONGEST_ANSWER:
            raise NotUnderstoodError


def _header(line: str) -> tuple[str, str] | None:
    # FFmpeg ends a line at a zero byte, and takes what follows a dollar sign for video
    if not line or line[0] == "$" or "\0" in line or len(line) > _LONGEST_LINE:
        raise NotUnderstoodError
    key, colon, value = line.partition(":")
    name = key.strip().lower()
    if name not in _HEADERS:
        return None
    if key.lower() != name or not colon:  # which FFmpeg would overlook
        raise NotUnderstoodError
    return name, value.strip()


def _length(answer: Answer) -> int:
    lengths = set(answer.all("content-length")) or {"0"}
    length = lengths.pop()
    if lengths or not re.fullmatch("[0-9]{1,5}", length):
        raise NotUnderstoodError
    return int(length)


def left(deadline: float) -> float:
    """Seconds until a deadline.

    Raises:
        TimeoutError: it is over.
    """
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
