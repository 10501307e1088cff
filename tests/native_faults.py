"""Makes opening one camera go wrong in native code, in every worker that a test starts.

`VIGIL_TEST_FAULT` is the fault and a part of the camera's address, such as `segfault /bad`.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from typing import Any

FAULT = "VIGIL_TEST_FAULT"


def _in_a_thread_of_its_own() -> None:
    """Abort in a thread that Python does not know, as a decoder's would."""
    libc = ctypes.CDLL(None)
    thread = ctypes.c_ulong()
    libc.pthread_create(ctypes.byref(thread), None, ctypes.cast(libc.abort, ctypes.c_void_p), None)
    threading.Event().wait()


FAULTS: dict[str, Callable[[], object]] = {
    "segfault": lambda: ctypes.string_at(0),
    "abort": _in_a_thread_of_its_own,
    "wedge": lambda: ctypes.CDLL(None).sleep(3600),
    "hold": lambda: ctypes.PyDLL(None).sleep(3600),
}
"""`wedge` waits as a call does that has released the interpreter's lock, `hold` as one that has
not."""


def install() -> None:
    """Do so from now on, if the environment asks for it."""
    fault, _, address = os.environ.get(FAULT, "").partition(" ")
    if not fault:
        return
    import av

    opened = av.open

    def open_(file: Any, *arguments: Any, **options: Any) -> Any:
        if address in str(file):
            FAULTS[fault]()
        return opened(file, *arguments, **options)

    av.open = open_
