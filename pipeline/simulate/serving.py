"""Simulated cameras for as long as they are wanted, from code without an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import VigilError
from pipeline.simulate.reel import Progress, load
from pipeline.simulate.server import DEFAULT_PORT, SimulatedCameras

_STOP_POLL_S = 0.1

OnReady = Callable[[Mapping[str, str]], None]
"""Gets the addresses by name once clients can connect."""


def run(
    cameras: SimulatedCameras, *, stop: threading.Event, on_ready: OnReady = lambda _: None
) -> None:
    """Serve until `stop` is set; blocks.

    Raises:
        FilmError: a film cannot be read.
        VigilError: the port is in use.
    """
    asyncio.run(_run(cameras, stop, on_ready))


async def _run(cameras: SimulatedCameras, stop: threading.Event, on_ready: OnReady) -> None:
    async with cameras:
        on_ready(cameras.urls)
        # looked at rather than waited for: a waiting thread could not be woken by Ctrl-C
        while not stop.is_set():  # noqa: ASYNC110
            await asyncio.sleep(_STOP_POLL_S)


@contextmanager
def in_thread(cameras: SimulatedCameras) -> Iterator[SimulatedCameras]:
    """Serve from a thread of its own while the context is entered; clients can connect from its
    beginning on.

    Raises:
        FilmError: a film cannot be read.
        VigilError: the port is in use.
    """
    stop, ready = threading.Event(), threading.Event()
    failures: list[VigilError] = []

    def work() -> None:
        try:
            run(cameras, stop=stop, on_ready=lambda _: ready.set())
        except VigilError as error:
            failures.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=work, name="simulated cameras")
    thread.start()
    try:
        ready.wait()
        if failures:
            raise failures[0]
        yield cameras
    finally:
        stop.set()
        thread.join()


def serve(
    films: Mapping[str, Path],
    cache: Path,
    *,
    stop: threading.Event,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    start_s: float = 0.0,
    loop: bool = True,
    on_ready: OnReady = lambda _: None,
    progress: Progress = lambda _: None,
) -> None:
    """Serve films, by name, as cameras without faults and accounts until `stop` is set; blocks.

    Films that are not H.264 are turned to it first and kept in the folder `cache`.

    Raises:
        FilmError: a film cannot be read, or the cache cannot be written.
        VigilError: the port is in use.
    """
    reels = {name: load(film, cache, progress) for name, film in films.items()}
    run(
        SimulatedCameras(reels, host=host, port=port, start_s=start_s, loop=loop),
        stop=stop,
        on_ready=on_ready,
    )
