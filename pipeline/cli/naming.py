"""What cameras are called that stand on the command line."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Sequence
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.errors import ConfigError
from pipeline.sources import shown

_NAMED = re.compile(r"(?P<key>[^=:/?@.]*)=(?P<address>.+)", re.DOTALL)
"""`KEY=ADDRESS`. The signs that are left out of the key stand in addresses before any `=`."""


def named_cameras(given: Iterable[str]) -> dict[str, str]:
    """Addresses by their cameras' keys, in this order; of what is no `KEY=ADDRESS` the key is made.

    A film whose own name holds a `=` is one, where it is there.

    Raises:
        ConfigError: two have the same key.
    """
    split = [_split(one) for one in given]
    named = [key for key, _ in split if key is not None]
    for key in named:
        if named.count(key) > 1:
            raise ConfigError(f"Two cameras are called {key!r}; give each a name of its own.")
    unnamed = [address for key, address in split if key is None]
    made = iter(camera_keys(unnamed, taken=named))
    return {next(made) if key is None else key: address for key, address in split}


def _split(given: str) -> tuple[str | None, str]:
    match = _NAMED.fullmatch(given)
    # Not Path.exists: of an address with a long part it raises that no file has such a name.
    if match is None or os.path.exists(given):  # noqa: PTH110
        return None, given
    return match["key"], match["address"]


def camera_keys(addresses: Sequence[str], taken: Collection[str] = ()) -> list[str]:
    """A key for each camera, from its file name or host: made unique by a number, also among
    those that are `taken`."""
    keys: list[str] = []
    for address in addresses:
        key = re.sub(r"[^a-z0-9]+", "-", _name(address).lower()).strip("-") or "camera"
        key = f"camera-{key}" if key[0].isdigit() else key
        used = {*keys, *taken}
        if key in used or any(re.fullmatch(rf"{re.escape(key)}-\d+", other) for other in used):
            numbered = (f"{key}-{number}" for number in count(len(keys) + 1))
            key = next(candidate for candidate in numbered if candidate not in used)
        keys.append(key)
    return keys


def _name(address: str) -> str:
    """What a camera is known by; nothing where this is no address, which reading it will say."""
    try:
        parts = urlsplit(shown(address))
        return (parts.hostname or "") if "://" in address else Path(parts.path).stem
    except ValueError:
        return ""
