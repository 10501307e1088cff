"""Threads of a worker that must not end by accident."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

from pipeline.errors import ConfigError

logger = logging.getLogger(__name__)

CRASHED = 1
"""Exit status of a worker one of whose threads failed; the supervisor starts it again."""

WEDGED = 75
"""Exit status of a worker that ended itself since a native call did not return."""


def guarded_thread(name: str, run: Callable[[], None]) -> threading.Thread:
    """A thread whose unforeseen failure ends the process.

    A worker that goes on without one of its threads would look well and do nothing; started again
    it takes up where it was.
    """

    def guarded() -> None:
        try:
            run()
        except ConfigError as error:
            # It says all there is to say, such as which rule of the user's own cannot be imported.
            logger.error("%s", error)
            logging.shutdown()
            os._exit(CRASHED)
        except BaseException:
            logger.exception("The thread %s failed; this worker starts anew.", name)
            logging.shutdown()
            os._exit(CRASHED)

    return threading.Thread(target=guarded, name=name, daemon=True)
