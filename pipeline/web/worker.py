"""Worker: serves the page."""

from __future__ import annotations

import logging
import os
import time

from pipeline.errors import WorkerError
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
    token = config.web.token
    names = {key: config.camera_name(key) for key, c in config.cameras.items() if c.enabled}

    beaten = 0.0

    def beat() -> None:
        nonlocal beaten
        if time.monotonic() - beaten >= BEAT_S:
            beaten = time.monotonic()
            link.beat(Heartbeat(pid=os.getpid()))

    def tell(url: str) -> None:
        # Not by the log: whoever reads that is not thereby let in.
        link.ready(url=url)

    with patiently(link, lambda: Store.open(config.data)) as store:
        site = Site(
            name=config.site,
            store=store,
            media=LocalMedia(config.data / "media"),
            tz=config.tz(),
            cameras=names,
            statuses=lambda: link.statuses,
        )
        try:
            serve(
                site,
                listen=config.web.listen,
                port=config.web.port,
                token=None if token is None else token.get_secret_value(),
                stop=link.stopping,
                on_ready=tell,
                on_link=tell,
                on_alive=beat,
            )
        except WorkerError as error:
            # Unlike after a wrong address, starting again helps.
            logger.error("%s", error)
            raise SystemExit(1) from None
