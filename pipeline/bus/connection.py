"""Connecting to Redis, and its errors put into sentences that hold no password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis
import redis.asyncio
from redis import exceptions as errors
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import EqualJitterBackoff, NoBackoff
from redis.retry import Retry

from pipeline.errors import BusError
from pipeline.redact import redact, url_secrets

STREAM = "vigil:events"
TIMEOUT_S = 5.0
"""A server that takes longer to connect or answer counts as away."""

_PAUSE = EqualJitterBackoff(base=0.1, cap=5.0)

_WRONG_URL = (
    "is not understood; write redis://host:port/number, rediss://… or unix:///path in `redis`."
)


def pause_s(failures: int) -> float:
    """How long to wait after so many failures in a row: 0.1 to 5 s, with jitter."""
    # Beyond any cap, two to the power of the failures is no float any more.
    return _PAUSE.compute(min(failures, 16))


def is_away(error: errors.RedisError) -> bool:
    """Whether waiting may help: not with a refused account, nor with what is not Redis."""
    refused = (errors.AuthenticationError, errors.AuthorizationError)
    away = (errors.ConnectionError, errors.TimeoutError)
    return isinstance(error, away) and not isinstance(error, refused)


def connect(url: str, *, timeout_s: float = TIMEOUT_S) -> redis.Redis:
    """A client that never repeats a command by itself; it connects on first use.

    Raises:
        BusError: the address is not understood.
    """
    try:
        client = redis.Redis.from_url(
            url,
            # A repeated XADD after a lost reply would be a second entry.
            retry=Retry(NoBackoff(), 0),
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            protocol=2,
        )
        # Finds options of the address that no connection knows.
        client.connection_pool.make_connection()
    except (ValueError, TypeError):
        raise BusError(f"The Redis address {shown(url)} {_WRONG_URL}") from None
    return client


def connect_async(url: str) -> redis.asyncio.Redis:
    """As `connect`, for asyncio."""
    try:
        client = redis.asyncio.Redis.from_url(
            url,
            retry=AsyncRetry(NoBackoff(), 0),
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            protocol=2,
        )
        client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
    except (ValueError, TypeError):
        raise BusError(f"The Redis address {shown(url)} {_WRONG_URL}") from None
    return client


@contextmanager
def bus_errors(url: str) -> Iterator[None]:
    """Turns what the client library raises into BusError."""
    try:
        yield
    except errors.RedisError as error:
        raise BusError(sentence(url, error)) from None


def shown(url: str) -> str:
    """The address for people."""
    return redact(url, *url_secrets(url))


def sentence(url: str, error: errors.RedisError) -> str:
    """What happened, and what to do about it."""
    return f"Redis at {shown(url)} {redact(_what(error), *url_secrets(url))}."


_KINDS: tuple[tuple[type[errors.RedisError] | tuple[type[errors.RedisError], ...], str], ...] = (
    # The first that fits; most of these are kinds of ConnectionError or ResponseError.
    (
        (errors.AuthenticationError, errors.AuthenticationWrongNumberOfArgsError),
        "wants a user name or password; add it to `redis`",
    ),
    (
        (errors.NoPermissionError, errors.AuthorizationError),
        "does not allow this account what vigil needs; ask for it ({text})",
    ),
    (errors.BusyLoadingError, "is still loading its data; it will answer soon"),
    (errors.TimeoutError, f"does not answer within {TIMEOUT_S:.0f} s; is the address right?"),
    (errors.ConnectionError, "cannot be reached; start it or correct `redis` ({text})"),
    (errors.InvalidResponse, "is not Redis; correct `redis`"),
    (errors.OutOfMemoryError, "has reached its memory limit; raise `maxmemory` or remove data"),
    (errors.ReadOnlyError, "is a read-only replica; give the address of its primary"),
)
_CODES = {
    "invalid username-password": "refuses the user name or password; correct `redis`",
    "invalid password": "refuses the user name or password; correct `redis`",
    "MISCONF": "cannot write to its disk and takes nothing; free some space on it",
    "WRONGTYPE": f"keeps something else under {STREAM!r}; use another database number",
}


def _what(error: errors.RedisError) -> str:
    text = str(error)
    for code, told in _CODES.items():
        if code in text:
            return told
    for kind, told in _KINDS:
        if isinstance(error, kind):
            return told.format(text=text)
    return f"answered with an error: {text}"
