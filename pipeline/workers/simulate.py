"""Worker: serves films as RTSP cameras, for the demo."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path

from pipeline.health import Heartbeat
from pipeline.simulate import serve
from pipeline.workers.link import Link

BEAT_S = 1.0


def run(link: Link) -> None:
    """Serve until stopped; options: films (name -> path), cache, port, start_s.

    Raises:
        FilmError: a film cannot be read.
        VigilError: the port is in use.
    """
    options = link.order.options

    def ready(urls: Mapping[str, str]) -> None:
        link.ready(urls=dict(urls))
        threading.Thread(target=beat, name="beat", daemon=True).start()

    def beat() -> None:
        while not link.stopping.wait(BEAT_S):
            link.beat(Heartbeat(pid=os.getpid()))

    serve(
        {name: Path(film) for name, film in options["films"].items()},
        Path(options["cache"]),
        stop=link.stopping,
        port=options["port"],
        start_s=options["start_s"],
        on_ready=ready,
    )
