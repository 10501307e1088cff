"""Looking up host names within a time.

Nothing can interrupt the system's own look-up, which may take minutes where no name server
answers. So it is made in a thread, which is left behind then, and FFmpeg is asked only after it.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import threading
from dataclasses import dataclass, field

from pipeline.errors import SourceUnreachable
from pipeline.sources.address import Place

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


def look_up(camera: str, place: Place, timeout_s: float) -> None:
    """Wait until the host's name is known to stand for an address.

    Raises:
        SourceUnreachable: it does not, or no name server has answered in time.
    """
    if _is_address(place.host) or _behind_proxy(place):
        return
    with _lock:
        running = _running.get(place.host)
        if running is None:
            running = _running[place.host] = _LookUp(place.host)
            name = f"look-up-{place.host}"
            threading.Thread(target=running.run, name=name, daemon=True).start()
    if not running.done.wait(timeout_s):
        raise SourceUnreachable(
            f"Camera {camera}: no name server tells the address of {place.host} within "
            f"{timeout_s:g} s; check the network, or write the camera's numeric address."
        )
    if running.reason is not None:
        raise SourceUnreachable(
            f"Camera {camera}: the host {place.host} is not known ({running.reason}); "
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
