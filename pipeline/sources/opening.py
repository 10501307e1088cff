"""From an address to an opened source."""

from __future__ import annotations

from pipeline.masking import Masks
from pipeline.protocols import PacketSink
from pipeline.sources.address import Kind, is_folder, kind_of
from pipeline.sources.masked import MaskedSource
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
    What `options.masks` hide is black in every frame, and in what is encoded of a webcam, but not
    in what was sent.

    Raises:
        SourceError: it cannot be opened; the subclass says why, the message never holds an
            account.
    """
    source = _open(camera, address, options, clock or Clock(), packets)
    return MaskedSource(source, Masks(options.masks)) if options.masks else source


def _open(
    camera: str,
    address: str,
    options: SourceOptions,
    clock: Clock,
    packets: PacketSink | None,
) -> OpenedSource:
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
