"""Frames of an opened network camera or film."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING, cast

from pipeline.errors import SourceError
from pipeline.protocols import PacketSink
from pipeline.sources.address import Kind
from pipeline.sources.decoders import Decoder
from pipeline.sources.decoding import Decoding
from pipeline.sources.failures import no_picture, reading_failure, stalled
from pipeline.sources.idling import LONGEST_S, Idling
from pipeline.sources.options import SourceOptions
from pipeline.sources.pacing import Pacing
from pipeline.sources.pictures import DecodedPicture
from pipeline.sources.tap import Tap, sent_at
from pipeline.sources.timing import Clock, Timeline
from pipeline.sources.undecoded import undecoded
from pipeline.turning import Turns
from pipeline.types import Frame

if TYPE_CHECKING:
    from av import FFmpegError, Packet, VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

    from pipeline.sources.observing import Observer

_UNTIMED = frozenset({"mjpeg", "mpjpeg"})
"""Formats of bare pictures, of which FFmpeg makes the times up."""
_FINE = Fraction(1, 90_000)
_MAX_RATE = 480.0
"""Frames per second; a claimed rate above it is a time base in disguise."""


class StreamSource:
    """One opened stream. `live` is true for RTSP, and for HTTP without a known duration.

    Pictures that come without times (MJPEG) get that of their arrival. A live playlist (HLS), which
    brings seconds of video at once, is handed over at its own pace.

    Damaged pictures (`is_corrupt`: the decoder has filled gaps by guessing) and what is made from a
    damaged keyframe are not handed over but counted in `dropped` as `corrupt`, and packets that the
    decoder refuses as `undecodable`: a smear over half of the picture is a good likeness of many
    things.

    While `idle` is wanted, only keyframes are decoded, and the pictures between them counted in
    `dropped` as `not_decoded`; see `idling`. Their packets are handed on all the same.
    """

    def __init__(
        self,
        camera: str,
        name: str,
        kind: Kind,
        container: InputContainer,
        stream: VideoStream,
        options: SourceOptions,
        clock: Clock,
        decoder: Decoder | None = None,
        packets: PacketSink | None = None,
    ) -> None:
        decoder = decoder or Decoder()
        self.live = kind is Kind.RTSP or (kind is Kind.HTTP and not container.duration)
        self.codec: str = stream.codec_context.codec.canonical_name
        self.rate = _claimed_rate(stream)
        self.decoder = decoder.name
        self.dropped: Counter[str] = Counter()
        self._note = decoder.note
        self._camera = camera
        self._name = name
        self._container = container
        self._stream = stream
        self._read_timeout_s = options.read_timeout_s
        self._udp = kind is Kind.RTSP and options.transport == "udp"
        self._clock = clock
        self._tap = None if packets is None else Tap(packets)
        self._pacing = Pacing() if self.live and container.format.name == "hls" else None
        self._untimed = self.live and container.format.name in _UNTIMED
        if self._untimed:
            # FFmpeg counts them as 25 a second, in steps that hold no other rate
            self.rate, stream.time_base = None, _FINE
        # stalled is what gives no picture for the read timeout, and one keyframe may be damaged
        longest_s = min(LONGEST_S, self._read_timeout_s / 2) if self.live else LONGEST_S
        self._idling = Idling(longest_s)
        self._opened = clock.monotonic()
        self._decodes = options.decode
        self._stop = threading.Event()
        self._in_use = threading.Lock()
        self.observer: Observer | None = None
        """Gets each packet as it is read, before its times are rebased; to measure a camera."""
        # Frame threads hold back as many pictures as there are threads: good for films, but a
        # camera's picture is wanted at once.
        stream.thread_type = "SLICE" if self.live else "AUTO"

    @property
    def notes(self) -> tuple[str, ...]:
        """Why it is not read as it was wanted, in sentences."""
        notes = () if self._note is None else (self._note,)
        unfit = self._idling.unfit if self._idling.wanted else None
        if unfit is None:
            return notes
        return (
            *notes,
            f"Camera {self._camera}: all pictures are decoded where keyframes would do, "
            f"since {unfit}.",
        )

    def idle(self, idle: bool) -> None:
        """Say, in any thread, whether keyframes are enough for now.

        With true, only they are decoded from the next one on. With false, all are from the last
        one on: what was passed over since then is handed over late, with its own times.
        """
        self._idling.wanted = idle

    def frames(self) -> Iterator[Frame]:
        """Frames in order until the stream ends or `close` is called; `index` counts them.

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
        decoding = Decoding(self._stream, self._idling, timeline, self.dropped, self._stop)
        turns = Turns()
        index = 0
        newest = self._clock.monotonic()
        for packet in self._packets():
            arrival = self._clock.monotonic()
            sent = None
            if packet is not None and packet.size:
                sent = sent_at(timeline, packet, arrival)
                if self._tap is not None:
                    self._tap.take(self._stream, packet, sent)
                if not self._decodes:
                    newest = arrival
                    yield undecoded(self._camera, index, self._stream, sent)
                    index += 1
            if not self._decodes:
                continue
            pictures = decoding.pictures(packet, sent)
            if self.live and arrival - newest > self._read_timeout_s:
                pictures = chain(pictures, decoding.catch_up())
            for decoded in pictures:
                newest = arrival
                stamp = timeline.stamp(self._seconds(decoded), arrival)
                picture = DecodedPicture(decoded, turns.of(decoded))
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
                    turns=picture.turns,
                )
                index += 1
            # packets may come without ever making a picture, which no timeout of FFmpeg's sees
            if self.live and arrival - newest > self._read_timeout_s:
                raise stalled(self._camera, self._name, self._read_timeout_s, udp=self._udp)
        if index == 0 and not self._stop.is_set() and not self.live:
            raise no_picture(self._camera, self._name, self.dropped)

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

        # of all streams, since sound that goes on must not hide that the pictures do not
        packets = self._container.demux()
        came = time.monotonic()
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                failure = self._failure(error, time.monotonic() - began)
            else:
                if packet is None:
                    return
                if packet.stream.index != self._stream.index:
                    if not self.live or time.monotonic() - came <= self._read_timeout_s:
                        continue
                    raise stalled(self._camera, self._name, self._read_timeout_s, udp=self._udp)
                late = time.monotonic() - began >= self._read_timeout_s
                picture = cast("Packet[VideoStream]", packet)
                self._set_time(picture)
                yield picture
                came = time.monotonic()
                if not (self.live and late):
                    continue
                # It did not come just now: when the time is over FFmpeg gives up waiting for what
                # follows the last picture, hands that over, and would wait as long once more.
                failure = stalled(self._camera, self._name, self._read_timeout_s, udp=self._udp)
            if not self.live or self._idling.idle:
                yield None
            raise failure

    def _set_time(self, packet: Packet[VideoStream]) -> None:
        """Make sure that a packet has a time, and is not handed on long before it."""
        now = self._clock.monotonic()
        if self._untimed and packet.size:
            packet.pts = packet.dts = round((now - self._opened) / _FINE)
            packet.time_base, packet.duration = _FINE, 0
        elif self._pacing is not None and packet.dts is not None and packet.time_base:
            wait_s = self._pacing.wait_s(float(packet.dts * packet.time_base), now)
            self._stop.wait(wait_s)

    def _failure(self, error: FFmpegError, elapsed_s: float) -> SourceError:
        return reading_failure(
            error,
            self._camera,
            self._name,
            self._read_timeout_s,
            elapsed_s,
            live=self.live,
            udp=self._udp,
        )


def _claimed_rate(stream: VideoStream) -> float | None:
    rate = stream.average_rate or stream.guessed_rate
    return float(rate) if rate and 0 < rate <= _MAX_RATE else None
