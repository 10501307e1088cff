"""Code of the user's own, found by `module:attribute`."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError


@contextmanager
def failing_as(failure: Callable[[BaseException], Exception]) -> Iterator[None]:
    """Around code that is not this program's: whatever it raises becomes what `failure` makes of
    it, which may be the very exception."""
    try:
        yield
    except BaseException as error:
        if _from_outside(error):
            raise
        made = failure(error)
        if made is error:
            raise
        raise made from error


def _from_outside(error: BaseException) -> bool:
    """Whether an exception is nothing that the code it came from has done, but the wish to stop:
    Python raises Ctrl-C in the main thread, and in no other."""
    return (
        isinstance(error, KeyboardInterrupt)
        and threading.current_thread() is threading.main_thread()
    )


def searched() -> tuple[str, ...]:
    """The folders that this process searches for modules, as absolute paths; without those whose
    names are no text."""
    folders = dict.fromkeys(str(Path(folder).absolute()) for folder in sys.path)
    return tuple(folder for folder in folders if folder.encode(errors="ignore").decode() == folder)


def search_also(folders: Iterable[str]) -> None:
    """Search these folders too, after all others, so that nothing in them hides anything."""
    sys.path.extend(folder for folder in folders if folder not in sys.path)


def imported(name: str, key: str) -> Callable[..., Any]:
    """What a configuration names under `key` as `module:attribute`; its module is run.

    Raises:
        ConfigError: there is none, it fails, or cannot be called.
    """

    def failure(error: BaseException) -> ConfigError:
        return ConfigError(
            f"{key}: {name} cannot be imported ({type(error).__name__}: {error}); "
            "install its package, or correct the name."
        )

    module, _, attribute = name.partition(":")
    with failing_as(failure):  # a module's own code runs when it is imported
        found = getattr(importlib.import_module(module), attribute)
    if not callable(found):
        raise ConfigError(f"{key}: {name} is nothing that can be called.")
    called: Callable[..., Any] = found
    return called
