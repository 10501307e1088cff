"""Serving the page until it is to stop."""

from __future__ import annotations

import errno
import logging
import socket
import threading
from collections.abc import Callable

import uvicorn

from pipeline.errors import VigilError, WorkerError
from pipeline.web.app import create_app, live_of
from pipeline.web.auth import Access, is_loopback
from pipeline.web.connections import MOST, QUIET_S, Connection
from pipeline.web.site import Site

logger = logging.getLogger(__name__)

PORT = 8480
STOP_S = 1.0
_TAKEN = frozenset({errno.EADDRINUSE, errno.EACCES})


def serve(
    site: Site,
    *,
    listen: str,
    port: int | None,
    token: str | None = None,
    stop: threading.Event,
    on_ready: Callable[[str], None],
    on_link: Callable[[str], None],
    on_alive: Callable[[], None] = lambda: None,
) -> None:
    """Serve until `stop` is set.

    `on_ready` gets the address once it answers: the page's, or the link by which one browser
    enters where it is not only this machine that can reach it. `on_link` gets the next link
    whenever one was used; `on_alive` is called a few times a second, while the page answers.
    Port 0 is any free one; None is 8480, or a free one if that is taken. Programs that send `token`
    may read, see `auth.Access`.

    Raises:
        VigilError: the address is not this machine's, or the port is in use.
        WorkerError: the page ended by itself.
    """
    listener = _bind(listen, port)
    base = _base(listen, listener)
    ready = False
    first = f"{base}/"

    def link(path: str) -> None:
        nonlocal first
        first = f"{base}{path}"
        if ready:
            on_link(first)

    access = None if is_loopback(listen) else Access(link, token=token)
    app = create_app(site, access, host=listen, on_alive=on_alive)
    live = live_of(app)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=Connection,
            log_config=None,
            access_log=False,
            server_header=False,
            h11_max_incomplete_event_size=16 * 1024,
            limit_concurrency=MOST,
            timeout_keep_alive=round(QUIET_S),
            timeout_graceful_shutdown=1,
            ws="none",
        )
    )
    # In a thread of its own uvicorn leaves the signals alone.
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="web", daemon=True
    )
    thread.start()
    try:
        while thread.is_alive() and not live.failed and not stop.wait(0.05 if not ready else 0.5):
            if server.started and not ready:
                on_ready(first)
                ready = True
        if not stop.is_set():
            raise WorkerError("web", "The page ended by itself; see the log for why.")
    finally:
        live.close_soon()
        server.should_exit = True
        thread.join(STOP_S)
        listener.close()


def _bind(listen: str, port: int | None) -> socket.socket:
    family = socket.AF_INET6 if ":" in listen else socket.AF_INET
    for wanted in (PORT, 0) if port is None else (port,):
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((listen, wanted))
        except OSError as error:
            listener.close()
            if error.errno not in _TAKEN:
                raise VigilError(
                    f"The page cannot listen on {listen}, which is no address of this machine; "
                    "`ip address` shows those it has."
                ) from None
        else:
            return listener
    raise VigilError(
        f"Port {port} on {listen} is in use, or not allowed; stop what uses it, or choose another "
        "`web: {port: ...}`."
    )


def _base(listen: str, listener: socket.socket) -> str:
    host = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(listen, listen)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
