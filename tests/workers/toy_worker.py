"""A worker for tests of the supervisor; what it does stands in its order's options."""

from __future__ import annotations

import os
import sys

from pipeline.errors import StoreError
from pipeline.health import CameraState, CameraStatus, Heartbeat
from pipeline.workers.link import Link, open_link, run_worker


def run(link: Link) -> None:
    options = link.order.options
    if options.get("fail"):
        raise StoreError("The disk of rtsp://me:sesame@host is gone.")
    if options.get("crash"):
        sys.stderr.write("E toy: out of luck\n")
        os._exit(3)
    if options.get("print"):
        os.write(1, b"a library prints\n")
    link.ready(
        url=options.get("url", "none"),
        pid=os.getpid(),
        cameras=options.get("cameras"),
        predecessor=options.get("predecessor"),
    )
    if options.get("finish"):
        link.finished()
        return
    keys = options.get("cameras", ["door"] if options.get("camera") else [])
    cameras = {key: CameraStatus(state=CameraState.LIVE) for key in keys}
    if options.get("wedged") in keys:
        link.beat(Heartbeat(pid=os.getpid(), cameras=cameras))
        link.wedged(options["wedged"], "open", 25.0)
        os._exit(75)
    while not link.stopping.wait(0.05):
        told = 0 if link.statuses is None else len(link.statuses.cameras)
        counters = {"beats": 1, "cameras_told": told}
        link.beat(
            Heartbeat(
                pid=os.getpid(),
                cameras=cameras,
                counters=counters,
                busy=bool(options.get("busy")),
            )
        )
    if options.get("stubborn"):
        link.stopping.clear()
        link.stopping.wait(60)


sys.exit(run_worker(run, open_link()))
