"""Webcams through OpenCV and Video4Linux."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.errors import SourceStalled, SourceUnreadable
from pipeline.masking import Masks
from pipeline.protocols import PacketSink
from pipeline.redact import shown
from pipeline.sources.address import webcam_name
from pipeline.sources.decoders import SOFTWARE
from pipeline.sources.devices import find_webcam
from pipeline.sources.encoder import Encoder
from pipeline.sources.options import SourceOptions
from pipeline.sources.pictures import ArrayPicture
from pipeline.sources.timing import Clock, Timeline
from pipeline.types import Frame

if TYPE_CHECKING:
    import cv2


def open_webcam(
    camera: str,
    address: str,
    *,
    options: SourceOptions,
    clock: Clock,
    packets: PacketSink | None = None,
) -> WebcamSource:
    """Open `webcam:N`, the device /dev/videoN, or `webcam:NAME`.

    Raises:
        SourceNotFound: there is no such device, or several of the name.
        SourceUnreadable: it is there but gives no video.
    """
    number = find_webcam(camera, webcam_name(camera, address)).number
    device = f"/dev/video{number}"
    import cv2

    capture = cv2.VideoCapture(number, cv2.CAP_V4L2)
    if not capture.isOpened():
        capture.release()
        raise SourceUnreadable(
            f"Camera {camera}: {shown(address)} ({device}) cannot be opened; another program may "
            "be using it, or this user is not in the group `video`."
        )
    return WebcamSource(camera, address, capture, clock, packets, Masks(options.masks))


class WebcamSource:
    """An opened webcam. OpenCV waits at most 10 s for a picture (its select on the device)."""

    live = True
    decoder = SOFTWARE
    notes: tuple[str, ...] = ()

    def __init__(
        self,
        camera: str,
        address: str,
        capture: cv2.VideoCapture,
        clock: Clock,
        packets: PacketSink | None = None,
        masks: Masks | None = None,
    ) -> None:
        import cv2

        self.codec = _four_letters(int(capture.get(cv2.CAP_PROP_FOURCC)))
        self.rate: float | None = capture.get(cv2.CAP_PROP_FPS) or None
        self.dropped: Counter[str] = Counter()
        self._camera = camera
        self._address = shown(address)
        self._capture = capture
        self._clock = clock
        self._packets = packets
        self._masks = masks or Masks()
        self._stop = threading.Event()
        self._in_use = threading.Lock()

    def idle(self, idle: bool) -> None:
        """Changes nothing: a webcam's pictures do not refer to one another."""

    def frames(self) -> Iterator[Frame]:
        """Frames until `close` is called.

        Raises:
            SourceStalled: the device gives no more pictures.
        """
        with self._in_use:
            try:
                yield from self._frames()
            finally:
                self._stop.set()
                self._capture.release()

    def close(self) -> None:
        """Release the device; where another thread waits in `frames`, that thread does it."""
        self._stop.set()
        if self._in_use.acquire(blocking=False):
            try:
                self._capture.release()
            finally:
                self._in_use.release()

    def _frames(self) -> Iterator[Frame]:
        timeline = Timeline(live=True, rate=self.rate, clock=self._clock)
        opened = self._clock.monotonic()
        encoder = None if self._packets is None else Encoder(self._packets)
        index = 0
        while not self._stop.is_set():
            there, image = self._capture.read()
            if not there:
                raise SourceStalled(
                    f"Camera {self._camera}: {self._address} gives no more pictures; "
                    "check its plug."
                )
            arrival = self._clock.monotonic()
            # a webcam has no presentation times of its own
            stamp = timeline.stamp(arrival - opened, arrival)
            picture = ArrayPicture(image)
            if encoder is not None:
                # What need not be stored of what nobody may see is not.
                encoder.take(self._masks.over(image, picture.size), stamp)
            yield Frame(
                camera=self._camera,
                index=index,
                captured_at=stamp.captured_at,
                monotonic=stamp.monotonic,
                pts=stamp.pts,
                size=picture.size,
                picture=picture,
                discontinuity=stamp.discontinuity,
            )
            index += 1


def _four_letters(fourcc: int) -> str:
    letters = fourcc.to_bytes(4, "little", signed=fourcc < 0).decode("ascii", errors="replace")
    return letters.strip("\0 ").lower() or "raw"
