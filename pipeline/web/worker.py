"""Worker: serves the page."""

from __future__ import annotations

import logging
import os
import threading

from pipeline.health import Heartbeat
from pipeline.media import LocalMedia
from pipeline.store import Store
from pipeline.web.serve import serve
from pipeline.web.site import Site
from pipeline.workers.link import Link
from pipeline.workers.patience import patiently

logger = logging.getLogger(__name__)

BEAT_S = 1.0


def run(link: Link) -> None:
    """Serve until stopped.

    Raises:
        VigilError: the page cannot be served on the address or port.
        StoreError: the data folder cannot be used.
    """
    config = link.order.config
    assert config is not None
    names = {key: config.camera_name(key) for key, c in config.cameras.items() if c.enabled}

    def beat() -> None:
        while not link.stopping.wait(BEAT_S):
            link.beat(Heartbeat(pid=os.getpid()))

    def next_link(url: str) -> None:
        logger.warning("A browser has entered the page; the next one enters by %s", url)

    with patiently(link, lambda: Store.open(config.data)) as store:
        threading.Thread(target=beat, name="beat", daemon=True).start()
        serve(
            Site(
                name=config.site,
                store=store,
                media=LocalMedia(config.data / "media"),
                tz=config.tz(),
                cameras=names,
                statuses=lambda: link.statuses,
            ),
            listen=config.web.listen,
            port=config.web.port,
            stop=link.stopping,
            on_ready=lambda url: link.ready(url=url),
            on_link=next_link,
        )
