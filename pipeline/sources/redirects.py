"""Whether an RTSP camera sends its readers on to another host, before FFmpeg follows it there.

FFmpeg hands the account to whatever host a redirection names, as it is or as a digest. Nothing
tells it not to, so a camera with an account is asked once before: as FFmpeg would ask, by OPTIONS
and DESCRIBE, with the account where the camera wants it. Whatever cannot be understood as going on
with the same host is refused. (Over HTTP, FFmpeg leaves the account behind.)
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from contextlib import ExitStack

from pipeline.errors import SourceError, SourceRefused, SourceUnreadable, SourceUntrusted
from pipeline.redact import shown
from pipeline.sources.address import Place, place_of
from pipeline.sources.asking import (
    Account,
    AccountRefusedError,
    Conversation,
    NotUnderstoodError,
    UnknownChallengeError,
    left,
)
from pipeline.sources.certificates import trusted_context
from pipeline.sources.failures import (
    certificate_failure,
    hung_up,
    no_answer,
    refused_account,
    unreachable,
)
from pipeline.sources.options import SourceOptions

LONGEST_WAY = 8
"""Redirections that are followed on the same host."""
# An address that can be read in one way only, with no account of its own.
_PLAIN = re.compile(
    r"rtsps?://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?(?:[/?][^\x00-\x20\x7f]*)?"
)


class _SentAwayError(Exception):
    """The camera sends its readers on to an address, or to one that cannot be read."""

    def __init__(self, there: str | None) -> None:
        super().__init__()
        self.there = there


def check_redirection(
    camera: str,
    address: str,
    place: Place,
    options: SourceOptions,
    timeout_s: float,
    connections: ExitStack,
) -> None:
    """Make sure that the account in an rtsp(s) address goes to no other host, nor from an encrypted
    connection to an open one. Does nothing where the address has no account, unless the connection
    must be verified: then nothing may lead to an open one either.

    The connection it asks by is left to `connections`, to be closed when FFmpeg has its own: a
    camera that starts its encoder for who asks, and stops it when he goes, would refuse the next.

    Raises:
        SourceUntrusted: it would, or it cannot be told.
        SourceRefused: the camera refuses the account.
        SourceUnreadable: what answers is not understood.
        SourceUnreachable: it does not answer within `timeout_s`.
    """
    guarded = place.account is not None or (place.scheme == "rtsps" and options.verify_tls)
    if not guarded or place.scheme not in ("rtsp", "rtsps"):
        return
    failure = _failure(camera, address, place, options, timeout_s, connections)
    # raised out here so that the failure's context does not hold the address
    if failure is not None:
        raise failure


def _failure(
    camera: str,
    address: str,
    place: Place,
    options: SourceOptions,
    timeout_s: float,
    connections: ExitStack,
) -> SourceError | None:
    name = shown(address)
    try:
        _follow(camera, address, place, options, time.monotonic() + timeout_s, connections)
    except _SentAwayError as away:
        return _sent_away(camera, name, away.there, account=place.account is not None)
    except AccountRefusedError:
        return refused_account(camera, name)
    except UnknownChallengeError:
        return SourceRefused(
            f"Camera {camera}: {name} asks for the account in a way that is not known here; "
            "set the camera to digest (MD5) or basic authentication."
        )
    except NotUnderstoodError:
        return SourceUnreadable(
            f"Camera {camera}: what answers at {name} is not understood as the answer of a camera; "
            "check the address."
        )
    except TimeoutError:
        return no_answer(camera, name, timeout_s)
    except ssl.SSLCertVerificationError as error:
        return certificate_failure(camera, name, error.verify_message)
    except (ssl.SSLEOFError, ConnectionResetError, BrokenPipeError):
        return hung_up(camera, name)
    except ssl.SSLError as error:
        return unreachable(camera, name, (error.reason or "no TLS").lower().replace("_", " "))
    except (OSError, UnicodeError) as error:
        return unreachable(camera, name, getattr(error, "strerror", None))
    return None


def _follow(
    camera: str,
    address: str,
    place: Place,
    options: SourceOptions,
    deadline: float,
    connections: ExitStack,
) -> None:
    """Ask until the camera sends its readers no further.

    Raises:
        _SentAwayError: it sends them elsewhere, or nobody knows where.
        Exception: as `Conversation.ask`.
    """
    account = Account(*(place.account or ("", "")))
    here = address
    for _ in range(LONGEST_WAY + 1):
        asked = place_of(here)
        assert asked is not None
        connection = connections.enter_context(_connection(camera, asked, options, deadline))
        there = _sent_on(Conversation(connection, account, deadline), _url(here, asked))
        if there is None:
            return
        target = place_of(there)
        abroad = target is None or (place.account and target.host != place.host)
        if abroad or (place.encrypted and target and not target.encrypted):
            raise _SentAwayError(there)
        here = there
    raise _SentAwayError(None)


def _sent_on(conversation: Conversation, url: str) -> str | None:
    """The address that a camera sends its readers on to; None where it does not."""
    for method in ("OPTIONS", "DESCRIBE"):
        answer = conversation.ask(method, url)
        if 300 <= answer.status < 400:
            places = answer.all("location")
            if len(places) != 1 or not _PLAIN.fullmatch(places[0]):
                raise _SentAwayError(None)
            return places[0]
        if answer.status != 200:  # FFmpeg will find the same, and say it
            return None
    return None


def _sent_away(camera: str, name: str, there: str | None, *, account: bool) -> SourceUntrusted:
    sends = f"Camera {camera}: {name} sends its readers on"
    if there is None:
        return SourceUntrusted(
            f"{sends} in a way that cannot be followed safely; write the address that it means as "
            "its source."
        )
    other = "".join(filter(str.isprintable, shown(there)))[:200]
    if account:
        why = "which the account is not handed to; write that address as its source if it is right"
    else:
        why = "which is not encrypted; write that address as its source, or verify_tls: false"
    return SourceUntrusted(f"{sends} to {other}, {why}.")


def _connection(
    camera: str, place: Place, options: SourceOptions, deadline: float
) -> socket.socket:
    plain = socket.create_connection((place.host, place.port), left(deadline))
    if not place.encrypted:
        return plain
    try:
        return trusted_context(camera, options).wrap_socket(plain, server_hostname=place.host)
    except BaseException:
        plain.close()
        raise


def _url(address: str, place: Place) -> str:
    """An address as FFmpeg asks for it: without its account, always with a port."""
    rest = address.partition("://")[2]
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    host = re.sub(r":\d*$", "", authority.rpartition("@")[2])
    return f"{place.scheme}://{host}:{place.port}{rest[len(authority) :]}"
