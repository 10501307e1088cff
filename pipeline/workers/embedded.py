"""Worker: the embedded Redis-protocol server, which must not outlive the installation."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from pipeline.bus.embedded import EmbeddedRedis
from pipeline.errors import BusError
from pipeline.health import Heartbeat
from pipeline.workers.link import Link

logger = logging.getLogger(__name__)


def run(link: Link) -> None:
    """Serve from the data folder until stopped, starting the server again whenever it ends.

    Events wait in the store meanwhile, so a server that cannot start is no reason to give up.
    """
    server = EmbeddedRedis(Path(link.order.options["folder"]))
    told: str | None = None
    problem: str | None = None
    try:
        while True:
            if not server.alive():
                try:
                    url = server.start()
                except BusError as error:
                    if problem is None:
                        logger.warning("%s", error)
                    problem = str(error)
                else:
                    problem = None
                    if url != told:
                        link.ready(url=url)
                        told = url
            link.beat(Heartbeat(pid=os.getpid(), message=problem))
            if link.stopping.wait(1.0):
                return
    finally:
        server.stop()
