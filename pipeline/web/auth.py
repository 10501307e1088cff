"""Who may open the page.

On loopback everybody on this machine may, and nobody else: a name that leads here from outside
(DNS rebinding) is refused. On any other address a browser enters by a random link that works once,
and programs that know the configured token may read; accounts do not exist.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "vigil-{port}"
"""Cookies do not tell ports apart: two pages of one machine must not take each other's."""
SESSION_S = 30 * 86_400.0
MOST_SESSIONS = 64
ENTRANCE = "/enter"
STYLE = "/static/page.css"
"""Of the entrance too; it says nothing about anybody."""
MOST_FORM = 1024
FORM_S = 10.0
"""So long the entrance's form may take to come."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_READING = frozenset({"GET", "HEAD"})
_UNCHANGING = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; media-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def is_loopback(listen: str) -> bool:
    """Whether an address is reached from this machine alone."""
    return listen == "localhost" or ipaddress.ip_address(listen).is_loopback


class Access:
    """The link and the sessions it has given, which live as long as the process, and a token for
    programs, if there is one.

    `on_link` gets each new link's path: the first, and the next whenever one was used. Nobody is
    locked out for wrong keys, since whoever sends them would lock out those with the right one;
    192 random bits are not guessed.
    """

    def __init__(
        self,
        on_link: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        *,
        token: str | None = None,
    ) -> None:
        self._on_link, self._clock, self._program = on_link, clock, token
        self._sessions: OrderedDict[str, float] = OrderedDict()
        self._key = ""
        self._renew()

    def enter(self, key: str) -> str | None:
        """A new session's token for the right key, which is used up by it."""
        if not hmac.compare_digest(key.encode(), self._key.encode()):
            return None
        token = secrets.token_urlsafe(32)
        self._sessions[token] = self._clock() + SESSION_S
        if len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
        self._renew()
        return token

    def knows(self, token: str | None) -> bool:
        """Whether this is the token of a session that has not run out."""
        return token is not None and self._sessions.get(token, 0.0) > self._clock()

    def admits(self, authorization: str) -> bool:
        """Whether a header `Authorization` has the token for programs."""
        kind, _, given = authorization.partition(" ")
        if self._program is None or kind.lower() != "bearer":
            return False
        return hmac.compare_digest(given.strip().encode(), self._program.encode())

    def _renew(self) -> None:
        self._key = secrets.token_urlsafe(24)
        self._on_link(f"{ENTRANCE}?key={self._key}")


class Gate:
    """ASGI middleware before everything else. Without `access` the page is open, on loopback, under
    `host` and the usual names of this machine."""

    def __init__(self, app: ASGIApp, access: Access | None, host: str) -> None:
        self.app, self._access = app, access
        self._hosts = _LOOPBACK | {host}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return

        async def send_hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                known = {name for name, _ in message["headers"]}
                extra = [(k.encode(), v.encode()) for k, v in _HEADERS.items()]
                extra.append((b"cache-control", b"no-store"))
                message["headers"] = [
                    *message["headers"],
                    *((name, value) for name, value in extra if name not in known),
                ]
            await send(message)

        refusal = await self._refusal(Request(scope, receive))
        await (refusal or self.app)(scope, receive, send_hardened)

    async def _refusal(self, request: Request) -> Response | None:
        headers = request.headers
        if self._access is None and _host(headers) not in self._hosts:
            return PlainTextResponse("This page is for this machine alone.", 403)
        if request.method not in _UNCHANGING and not _same_origin(headers):
            return PlainTextResponse("Only the page itself may change something.", 403)
        if self._access is None:
            return None
        if request.url.path == STYLE and request.method in _UNCHANGING:
            return None
        if request.url.path == ENTRANCE:
            return await self._entrance(request, self._access)
        if self._access.knows(_token(request)):
            return None
        if request.method in _READING and self._access.admits(headers.get("authorization", "")):
            return None
        return PlainTextResponse(
            "Open the link that the terminal of vigil shows; it lets one browser in. Programs send "
            "`web.token`.",
            401,
            {"www-authenticate": "Bearer"},
        )

    async def _entrance(self, request: Request, access: Access) -> Response | None:
        # A program that looks at links in advance must not use this one up: it takes a button.
        if request.method != "POST":
            return None
        try:
            async with asyncio.timeout(FORM_S):
                body = await _form(request)
        except (TimeoutError, ClientDisconnect):
            return PlainTextResponse("The form did not come.", 408)
        if body is None:
            return PlainTextResponse("That is no link.", 413)
        key = parse_qs(body.decode("ascii", "replace")).get("key", [""])[0]
        token = access.enter(key)
        if token is None:
            return PlainTextResponse(
                "This link was used, or is not right; the terminal of vigil shows a new one.", 403
            )
        response = RedirectResponse("/", 303)
        response.set_cookie(
            _cookie(request), token, max_age=round(SESSION_S), httponly=True, samesite="strict"
        )
        return response


async def _form(request: Request) -> bytes | None:
    """The body, or None for one that is too large, whatever length it claims."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_FORM:
            return None
    return body


def _host(headers: Headers) -> str:
    host = headers.get("host", "")
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()


def _same_origin(headers: Headers) -> bool:
    """Whether a request comes from the page, or from no page at all, such as a script's."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2] == headers.get("host")


def _cookie(request: Request) -> str:
    return COOKIE.format(port=request.scope["server"][1])


def _token(request: Request) -> str | None:
    try:
        cookie = SimpleCookie(request.headers.get("cookie", "")).get(_cookie(request))
    except CookieError:
        return None
    return None if cookie is None else cookie.value
