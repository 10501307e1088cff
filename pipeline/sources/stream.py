"""Network cameras and films through PyAV."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.encoded import describe
from pipeline.errors import SourceError, SourceNotFound, SourceUnreadable
from pipeline.protocols import PacketSink
from pipeline.sources.address import Kind, file_path, kind_of, shown
from pipeline.sources.failures import opening_failure, reading_failure, stalled
from pipeline.sources.options import SourceOptions
from pipeline.sources.pictures import DecodedPicture
from pipeline.sources.reports import taken
from pipeline.sources.timing import Clock, Stamp, Timeline
from pipeline.sources.undecoded import undecoded
from pipeline.types import EncodedPacket, EncodedStream, Frame

if TYPE_CHECKING:
    from av import FFmpegError, Packet, VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

    from pipeline.sources.observing import Observer

# What each kind may open while it is read. A playlist or a session description names further
# addresses: a camera's may not lead to this machine's files, nor a film's to the network.
_PROTOCOLS = {
    Kind.RTSP: "rtsp,rtp,tcp,tls",
    Kind.HTTP: "http,https,httpproxy,tcp,tls,crypto",
    Kind.FILE: "file",
}
# FFmpeg takes plain text for the picture of an old terminal
_TEXT_CODECS = frozenset({"ansi", "bintext", "idf", "xbin"})
_MAX_RATE = 480.0
"""Frames per second; a claimed rate above it is a time base in disguise."""


def open_stream(
    camera: str,
    address: str,
    *,
    options: SourceOptions,
    clock: Clock,
    packets: PacketSink | None = None,
) -> StreamSource:
    """Open a network camera or a film; `packets` gets what it sends before it is decoded.

    Raises:
        SourceError: it cannot be opened; the subclass says why.
    """
    import av

    kind = kind_of(camera, address)
    name = shown(address)
    target = _checked_file(camera, address) if kind is Kind.FILE else address
    open_timeout_s, read_timeout_s = options.open_timeout_s, options.read_timeout_s
    container: InputContainer | None = None
    began = time.monotonic()
    try:
        container = av.open(
            target,
            options=_options(kind, options),
            timeout=(open_timeout_s, read_timeout_s),
            metadata_errors="replace",
        )
        stream = _video(container)
        if stream is not None:
            tap = None if packets is None else _Tap(packets)
            return StreamSource(
                camera,
                name,
                kind,
                container,
                stream,
                read_timeout_s,
                clock,
                tap,
                decode=options.decode,
            )
        failure: SourceError = SourceUnreadable(
            f"Camera {camera}: {name} holds no video that can be decoded."
        )
    except (av.FFmpegError, UnicodeError, ValueError) as error:
        elapsed_s = time.monotonic() - began
        failure = opening_failure(error, camera, name, kind, open_timeout_s, elapsed_s)
    if container is not None:
        container.close()
    # raised out here so that the failure's context does not hold PyAV's error and its address
    raise failure


def _checked_file(camera: str, address: str) -> str:
    path = Path(file_path(address)).expanduser()
    try:
        if not path.exists():
            raise SourceNotFound(f"Camera {camera}: there is no file {path}; check the path.")
        if not path.is_file():  # a folder; or a pipe, whose opening nothing bounds
            raise SourceUnreadable(f"Camera {camera}: {path} is not a file; name a video file.")
        if path.stat().st_size == 0:
            raise SourceUnreadable(f"Camera {camera}: {path} is empty; name a video file.")
    except (OSError, ValueError):
        raise SourceNotFound(f"Camera {camera}: {path} cannot be opened; check the path.") from None
    # without the prefix FFmpeg would take concat:a|b or pipe:0 for one of its protocols
    return f"file:{path}"


def _options(kind: Kind, options: SourceOptions) -> dict[str, str]:
    """As FFmpeg calls them."""
    ffmpeg = {"protocol_whitelist": _PROTOCOLS[kind]}
    if kind is Kind.FILE:
        return ffmpeg
    ffmpeg["timeout"] = str(round(options.open_timeout_s * 1_000_000))
    # half a second of stream is enough to know it; by default FFmpeg looks for about two
    ffmpeg |= {"analyzeduration": "500000", "fpsprobesize": "0"}
    if kind is Kind.RTSP:
        ffmpeg |= {"rtsp_transport": "tcp", "allowed_media_types": "video"}
    return ffmpeg


def _video(container: InputContainer) -> VideoStream | None:
    from av.stream import Disposition

    for stream in container.streams.video:
        decoder = stream.codec_context
        # a cover picture makes no film of a song
        if decoder is None or Disposition.attached_pic in stream.disposition:
            continue
        if decoder.name not in _TEXT_CODECS:
            return stream
    return None


class StreamSource:
    """One opened stream. `live` is true for RTSP, and for HTTP without a known duration.

    Damaged pictures (`is_corrupt`: the decoder has filled gaps by guessing) are not handed over
    but counted in `dropped` as `corrupt`, and packets that the decoder refuses as `undecodable`:
    a smear over half of the picture is a good likeness of many things.
    """

    def __init__(
        self,
        camera: str,
        name: str,
        kind: Kind,
        container: InputContainer,
        stream: VideoStream,
        read_timeout_s: float,
        clock: Clock,
        tap: _Tap | None = None,
        *,
        decode: bool = True,
    ) -> None:
        self.live = kind is Kind.RTSP or (kind is Kind.HTTP and not container.duration)
        self.codec: str = stream.codec_context.codec.canonical_name
        self.rate = _claimed_rate(stream)
        self.dropped: Counter[str] = Counter()
        self._camera = camera
        self._name = name
        self._container = container
        self._stream = stream
        self._read_timeout_s = read_timeout_s
        self._clock = clock
        self._tap = tap
        self._decodes = decode
        self._stop = threading.Event()
        self._in_use = threading.Lock()
        self.observer: Observer | None = None
        """Gets each packet as it is read, before its times are rebased; to measure a camera."""
        # Frame threads hold back as many pictures as there are threads: good for films, but a
        # camera's picture is wanted at once.
        stream.thread_type = "SLICE" if self.live else "AUTO"

    def frames(self) -> Iterator[Frame]:
        """Frames in order until the stream ends or `close` is called.

        Raises:
            SourceStalled: a live stream has sent no picture for the read timeout.
            SourceUnreadable: a film ends without one picture, or cannot be read on.
            SourceError: the connection broke.
        """
        import av

        with self._in_use:
            try:
                yield from self._frames()
            except av.FFmpegError as error:  # of a picture that was decoded and is odd
                failure = self._failure(error, 0.0)
            else:
                return
            finally:
                self._stop.set()
                self._container.close()
        raise failure

    def close(self) -> None:
        """Release the stream.

        Where another thread waits in `frames`, that thread releases it, with the next packet or
        when the read timeout is over: FFmpeg allows nobody else to.
        """
        self._stop.set()
        if self._in_use.acquire(blocking=False):
            try:
                self._container.close()
            finally:
                self._in_use.release()

    def _frames(self) -> Iterator[Frame]:
        timeline = Timeline(live=self.live, rate=self.rate, clock=self._clock)
        index = 0
        newest = self._clock.monotonic()
        for packet in self._packets():
            arrival = self._clock.monotonic()
            if packet is not None and packet.size:
                sent = _sent(timeline, packet, arrival)
                if self._tap is not None:
                    self._tap.take(self._stream, packet, sent)
                if not self._decodes:
                    newest = arrival
                    yield undecoded(self._camera, index, self._stream, sent)
                    index += 1
            if not self._decodes:
                continue
            for decoded in self._decode(packet):
                newest = arrival
                stamp = timeline.stamp(self._seconds(decoded), arrival)
                picture = DecodedPicture(decoded)
                yield Frame(
                    camera=self._camera,
                    index=index,
                    captured_at=stamp.captured_at,
                    monotonic=stamp.monotonic,
                    pts=stamp.pts,
                    size=picture.size,
                    picture=picture,
                    discontinuity=stamp.discontinuity,
                    keyframe=picture.keyframe,
                )
                index += 1
            # packets may come without ever making a picture, which no timeout of FFmpeg's sees
            if self.live and arrival - newest > self._read_timeout_s:
                raise stalled(self._camera, self._name, self._read_timeout_s)
        if index == 0 and not self._stop.is_set() and not self.live:
            raise SourceUnreadable(
                f"Camera {self._camera}: {self._name} holds no picture that can be decoded."
            )

    def _seconds(self, frame: VideoFrame) -> float | None:
        """The presentation time; not `frame.time`, which is no number after a flush."""
        if frame.pts is None or self._stream.time_base is None:
            return None
        return float(frame.pts * self._stream.time_base)

    def _packets(self) -> Iterator[Packet[VideoStream] | None]:
        for packet in self._demuxed():
            if self.observer is not None and packet is not None and packet.size:
                self.observer(packet)
            yield packet

    def _demuxed(self) -> Iterator[Packet[VideoStream] | None]:
        """Packets to decode; None asks for the pictures that the decoder still holds."""
        import av

        packets = self._container.demux(self._stream)
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                failure = self._failure(error, time.monotonic() - began)
            else:
                if packet is None:
                    return
                yield packet
                continue
            if not self.live:
                yield None
            raise failure

    def _failure(self, error: FFmpegError, elapsed_s: float) -> SourceError:
        return reading_failure(
            error, self._camera, self._name, self._read_timeout_s, elapsed_s, live=self.live
        )

    def _decode(self, packet: Packet[VideoStream] | None) -> Iterator[VideoFrame]:
        import av

        try:
            decoded = packet.decode() if packet is not None else self._stream.decode(None)
        except av.FFmpegError:
            self.dropped["undecodable"] += 1
            return
        for frame in decoded:
            if frame.is_corrupt:
                self.dropped["corrupt"] += 1
            else:
                yield frame


class _Tap:
    """Hands on what a stream sends, as values that outlive it."""

    def __init__(self, sink: PacketSink) -> None:
        self._sink = sink
        self._described: tuple[Any, ...] | None = None
        self._stream: EncodedStream | None = None

    def take(self, stream: VideoStream, packet: Packet[VideoStream], stamp: Stamp) -> None:
        seconds = _seconds(packet, packet.dts if packet.pts is None else packet.pts)
        time_base = packet.time_base or stream.time_base
        # Where the stream's times are moved, so are those that a file is written with.
        moved = 0 if seconds is None or not time_base else round((stamp.pts - seconds) / time_base)
        self._sink.take(
            self._describe(stream),
            EncodedPacket(
                data=bytes(packet),
                pts=None if packet.pts is None else packet.pts + moved,
                dts=None if packet.dts is None else packet.dts + moved,
                duration=packet.duration or None,
                keyframe=packet.is_keyframe,
                time=stamp.pts,
                captured_at=stamp.captured_at,
                monotonic=stamp.monotonic,
                discontinuity=stamp.discontinuity,
            ),
        )

    def _describe(self, stream: VideoStream) -> EncodedStream:
        context = stream.codec_context
        now = (context.width, context.height, context.extradata)
        if self._stream is None or now != self._described:
            self._stream, self._described = describe(stream), now
        return self._stream


def _sent(timeline: Timeline, packet: Packet[VideoStream], arrival: float) -> Stamp:
    """The times of a packet."""
    pts = _seconds(packet, packet.dts if packet.pts is None else packet.pts)
    return timeline.sent(pts, arrival, dts=_seconds(packet, packet.dts), taken=taken(packet))


def _seconds(packet: Packet[VideoStream], ticks: int | None) -> float | None:
    time_base = packet.time_base or packet.stream.time_base
    return None if ticks is None or not time_base else float(ticks * time_base)


def _claimed_rate(stream: VideoStream) -> float | None:
    rate = stream.average_rate or stream.guessed_rate
    return float(rate) if rate and 0 < rate <= _MAX_RATE else None
