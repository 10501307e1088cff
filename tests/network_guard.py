"""Refuses every connection of Python code but those to this machine, and notes it in a file.

Installed in the test process by conftest.py, and in every Python process it starts by
guard/sitecustomize.py.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from typing import Any

NOTES = "VIGIL_TEST_CONNECTIONS"
"""Environment variable naming the file that refused connections are noted in."""


class OutboundConnectionRefused(ConnectionError):
    """A test tried to leave this machine."""


def is_local(host: Any) -> bool:
    """Whether an address or name means this machine."""
    if host in (None, "", b"", "localhost", b"localhost"):
        return True
    text = host.decode() if isinstance(host, bytes) else str(host)
    try:
        address = ipaddress.ip_address(text.split("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    else:
        return
    if is_local(host):
        return
    if notes := os.environ.get(NOTES):
        with open(notes, "a", encoding="utf-8") as file:  # noqa: PTH123 (runs very early)
            file.write(f"{event} {host!r} by {sys.argv[:3]}\n")
    raise OutboundConnectionRefused(f"{event}: {host!r} is not this machine")


def install() -> None:
    """Refuse from now on, in this process, for good."""
    sys.addaudithook(_audit)
