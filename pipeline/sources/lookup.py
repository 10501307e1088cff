"""Looking up host names within a time.

Nothing can interrupt the system's own look-up, which may take minutes where no name server
answers. So it is made in a thread, which is left behind then, and FFmpeg is asked only after it.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import threading
from dataclasses import dataclass, field

from pipeline.errors import SourceNotFound, SourceUnreachable
from pipeline.redact import shown
from pipeline.sources.address import Place, host_is_certain, place_of

_lock = threading.Lock()
_running: dict[str, _LookUp] = {}
"""Of each host the one look-up that has not returned, which whoever asks next waits for."""


@dataclass(eq=False, slots=True)
class _LookUp:
    host: str
    done: threading.Event = field(default_factory=threading.Event)
    reason: str | None = None

    def run(self) -> None:
        try:
            socket.getaddrinfo(self.host, None, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            self.reason = (error.strerror or "no reason given").lower()
        except (OSError, UnicodeError):  # a name that cannot be one
            self.reason = "it is no name of a host"
        finally:
            with _lock:
                del _running[self.host]
            self.done.set()


def check_host(camera: str, address: str) -> None:
    """Make sure that an address names a host, and that no part of a password is taken for it.

    Raises:
        SourceNotFound: it does not, or seems to be.
    """
    place, name = place_of(address), shown(address)
    if place is None:
        raise SourceNotFound(
            f"Camera {camera}: {name} names no host and port that can be read; write an address "
            "such as rtsp://192.0.2.20:554/stream1."
        )
    if not _is_address(place.host) and not host_is_certain(address):
        raise SourceNotFound(
            f"Camera {camera}: where the host begins in {name} cannot be told, since an @ stands "
            "behind it."
        )


def look_up(camera: str, address: str, place: Place, timeout_s: float) -> None:
    """Wait until the name of the host at a camera's address is known to stand for one of numbers.

    Raises:
        SourceUnreachable: it does not, or no name server has answered in time.
    """
    if _is_address(place.host) or _behind_proxy(place):
        return
    with _lock:
        running = _running.get(place.host)
        if running is None:
            running = _running[place.host] = _LookUp(place.host)
            # not by the host's name, which is a part of the password where that is not encoded
            threading.Thread(target=running.run, name="look-up", daemon=True).start()
    host = re.split(r"[/?#]", shown(address).partition("://")[2], maxsplit=1)[0]
    name = place.host if host.lower().startswith(place.host) else host
    if not running.done.wait(timeout_s):
        raise SourceUnreachable(
            f"Camera {camera}: no name server tells the address of {name} within "
            f"{timeout_s:g} s; check the network, or write the camera's numeric address."
        )
    if running.reason is not None:
        raise SourceUnreachable(
            f"Camera {camera}: the host {name} is not known ({running.reason}); "
            "check the address and the network."
        )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _behind_proxy(place: Place) -> bool:
    """Whether FFmpeg would let a proxy look the name up."""
    return place.scheme != "rtsp" and bool(os.environ.get("http_proxy"))
