"""How a camera is opened and read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from pipeline.config import Camera
from pipeline.types import Polygon


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How a camera is opened and read; the fields are those of its configuration.

    No reader of its frames ever sees what lies in `masks`.
    Without `decode` only packets are wanted: the frames of a stream have no pictures then.
    """

    open_timeout_s: float = 10.0
    read_timeout_s: float = 10.0
    transport: Literal["tcp", "udp"] = "tcp"
    verify_tls: bool = False
    tls_ca: Path | None = None
    decoder: str | None = None
    masks: tuple[Polygon, ...] = ()
    decode: bool = True

    @classmethod
    def of(cls, camera: Camera) -> Self:
        return cls(
            open_timeout_s=camera.health.open_timeout_s,
            read_timeout_s=camera.health.read_timeout_s,
            transport=camera.transport,
            verify_tls=camera.verify_tls,
            tls_ca=camera.tls_ca,
            decoder=camera.decoder,
            masks=camera.masks,
        )
