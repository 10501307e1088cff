"""`python -m pipeline`: the command line; `python -m pipeline worker KIND [GROUP]`: a worker
process, whose group is there for those who list processes."""

from __future__ import annotations

import importlib
import os
import sys

WORKERS = {
    "watch": "workers.watch",
    "judge": "workers.judge",
    "record": "workers.record",
    "publish": "workers.publish",
    "embedded": "workers.embedded",
    "simulate": "workers.simulate",
    "web": "web.worker",
}
"""Kind -> the module of this package whose `run` it is."""


def worker(kind: str) -> int:
    """Run one worker for the supervisor that started this process."""
    from pipeline import telemetry
    from pipeline.workers.link import open_link, run_worker

    telemetry.switch_off()
    try:
        link = open_link()
    except EOFError:
        return 70
    module = importlib.import_module(f"pipeline.{WORKERS[kind]}")
    return run_worker(module.run, link)


def main() -> None:
    if sys.argv[1:2] == ["worker"] and sys.argv[2:3] and sys.argv[2] in WORKERS:
        status = worker(sys.argv[2])
        sys.stdout.flush()
        sys.stderr.flush()
        # Native threads of decoders and models must not hold the exit up.
        os._exit(status)
    from pipeline.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
