"""From an address to an opened source."""

from __future__ import annotations

from pipeline.protocols import PacketSink
from pipeline.sources.address import Kind, is_folder, kind_of
from pipeline.sources.opened import OpenedSource
from pipeline.sources.options import SourceOptions
from pipeline.sources.timing import Clock

DEFAULTS = SourceOptions()


def open_source(
    camera: str,
    address: str,
    *,
    options: SourceOptions = DEFAULTS,
    clock: Clock | None = None,
    packets: PacketSink | None = None,
) -> OpenedSource:
    """Open a camera's address: rtsp(s)://, http(s)://, the path of a film or of a folder of films,
    or webcam:N or webcam:NAME.

    `camera` is what error messages and frames call it. Opening takes at most about twice
    `open_timeout_s`; a live stream that sends no picture for `read_timeout_s` is found stalled
    within about twice that. `packets` gets the stream as it was sent; a webcam's is encoded for it.

    Raises:
        SourceError: it cannot be opened; the subclass says why, the message never holds an
            account.
    """
    clock = clock or Clock()
    kind = kind_of(camera, address)
    if kind is Kind.WEBCAM:
        from pipeline.sources.webcam import open_webcam

        return open_webcam(camera, address, options=options, clock=clock, packets=packets)
    if kind is Kind.FILE and is_folder(address):
        from pipeline.sources.folder import open_folder

        return open_folder(camera, address, options=options, clock=clock, packets=packets)
    from pipeline.sources.ffmpeg import open_stream

    return open_stream(
        camera,
        address,
        options=options,
        clock=clock,
        packets=packets,
    )
