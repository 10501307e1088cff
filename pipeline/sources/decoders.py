"""Which decoder a camera's video gets: a graphics card's where one is wanted and works."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.codec.hwaccel import HWAccel

logger = logging.getLogger(__name__)

SOFTWARE = "software"
AUTO = "auto"
_TRIED_WITH = ("h264", "hevc")
"""Codecs by which a device is tried before the camera's is known."""


@dataclass(frozen=True, slots=True)
class Decoder:
    """`name` is FFmpeg's of the device, or `software`. `note` says why it is not the one that was
    wanted. `acceleration` is what PyAV opens a stream with."""

    name: str = SOFTWARE
    note: str | None = None
    acceleration: HWAccel | None = None


def choose(camera: str, wanted: str | None) -> Decoder:
    """The decoder of a name, or with `auto` the first that works here; software where none does.

    Whether the device also takes the camera's codec is known when the stream is open: `settled`.
    """
    if wanted is None or wanted == SOFTWARE:
        return Decoder()
    from av.codec.hwaccel import hwdevices_available

    # FFmpeg takes a name it does not know for any device at all
    available = list(hwdevices_available())
    if wanted != AUTO and wanted not in available:
        there = ", ".join(available) or "none"
        return _software(camera, f"this FFmpeg has no decoder {wanted} (it has: {there})")
    reasons: list[str] = []
    for name in available if wanted == AUTO else [wanted]:
        reason, acceleration = _try(name)
        if acceleration is not None:
            return Decoder(name, None, acceleration)
        reasons.append(f"{name} {reason}")
    return _software(camera, "; ".join(reasons) or "this FFmpeg has no hardware decoder")


def settled(camera: str, chosen: Decoder, codec: str, *, accelerated: bool) -> Decoder:
    """What decodes after all, once the stream's codec is known."""
    if chosen.acceleration is None or accelerated:
        return chosen
    return _software(camera, f"{chosen.name} does not decode {codec}")


def _try(name: str) -> tuple[str, HWAccel | None]:
    """A device that works, or why it does not."""
    import av
    from av.codec.hwaccel import HWAccel

    reason = "decodes nothing here"
    for codec in _TRIED_WITH:
        try:
            HWAccel(name).create(av.Codec(codec, "r"))
        except NotImplementedError:
            continue  # this codec has no such decoder
        except (av.FFmpegError, OSError, ValueError, RuntimeError):
            reason = "finds no device that works"
            break
        return "", HWAccel(name, allow_software_fallback=True)
    return reason, None


def _software(camera: str, why: str) -> Decoder:
    note = f"Camera {camera}: the processor decodes, since {why}."
    _say_once(note)
    return Decoder(note=note)


@lru_cache(maxsize=256)
def _say_once(note: str) -> None:
    """Log a sentence, but not again each time that the camera is opened anew."""
    logger.warning("%s", note)
