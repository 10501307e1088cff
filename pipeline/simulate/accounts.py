"""Digest access authentication (RFC 2617, as RFC 2326 refers to it)."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field

REALM = "vigil"
_PAIR = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')


@dataclass(frozen=True, slots=True)
class Account:
    """Who may watch a simulated camera."""

    user: str
    password: str = field(repr=False)


class Digest:
    """Asks one connection for an account; its nonce is of no use on another one."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._nonce = secrets.token_hex(16)

    @property
    def challenge(self) -> str:
        """The value of WWW-Authenticate."""
        return f'Digest realm="{REALM}", nonce="{self._nonce}"'

    def accepts(self, method: str, authorization: str) -> bool:
        """Whether an Authorization header proves that the client knows the password."""
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


def _md5(text: str) -> str:
    # RTSP clients know no other digest
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
