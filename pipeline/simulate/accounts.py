"""Basic and digest access authentication (RFC 7617; RFC 2617, as RFC 2326 refers to it)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

REALM = "vigil"
_PAIR = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')


class Auth(StrEnum):
    """How a client has to prove that it knows the password."""

    DIGEST = "digest"
    BASIC = "basic"


@dataclass(frozen=True, slots=True)
class Account:
    """Who may watch a simulated camera."""

    user: str
    password: str = field(repr=False)


class Gate(Protocol):
    """Asks one connection for an account."""

    @property
    def challenge(self) -> str:
        """The value of WWW-Authenticate."""

    def accepts(self, method: str, authorization: str) -> bool:
        """Whether an Authorization header proves that the client knows the password."""


def gate(account: Account, auth: Auth) -> Gate:
    """What asks one connection for this account."""
    return Digest(account) if auth is Auth.DIGEST else Basic(account)


class Digest:
    """Its nonce is of no use on another connection."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._nonce = secrets.token_hex(16)

    @property
    def challenge(self) -> str:
        return f'Digest realm="{REALM}", nonce="{self._nonce}"'

    def accepts(self, method: str, authorization: str) -> bool:
        scheme, _, rest = authorization.partition(" ")
        if scheme.lower() != "digest":
            return False
        given = {key: quoted or plain for key, quoted, plain in _PAIR.findall(rest)}
        if given.get("username") != self._account.user or given.get("nonce") != self._nonce:
            return False
        secret = _md5(f"{self._account.user}:{REALM}:{self._account.password}")
        request = _md5(f"{method}:{given.get('uri', '')}")
        expected = _md5(f"{secret}:{self._nonce}:{request}")
        # bytes, because of text it compares only ASCII
        return hmac.compare_digest(expected.encode(), given.get("response", "").encode())


class Basic:
    """The password goes over the line as it is."""

    challenge = f'Basic realm="{REALM}"'

    def __init__(self, account: Account) -> None:
        self._expected = f"{account.user}:{account.password}".encode()

    def accepts(self, method: str, authorization: str) -> bool:
        scheme, _, rest = authorization.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            given = base64.b64decode(rest.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        return hmac.compare_digest(self._expected, given)


def _md5(text: str) -> str:
    # RTSP clients know no other digest
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
