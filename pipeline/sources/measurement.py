"""What was measured of a camera, as values.

Their names are the keys of `vigil check --json`; docs/cameras.md explains them. None stands for
what cannot be known of this camera.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.types import Size


@dataclass(frozen=True, slots=True)
class Opening:
    """Seconds from the beginning until the stream was open (connected, described and looked at for
    half a second), its first packet was read, and its first picture was decoded."""

    connected_s: float
    first_packet_s: float | None
    first_picture_s: float


@dataclass(frozen=True, slots=True)
class Video:
    """What is sent. Rates are in pictures per second, `bit_rate` in bits per second.

    `rate` is how many pictures came; `claimed_rate` is what the stream says of itself.
    """

    codec: str
    profile: str | None
    pixel_format: str | None
    size: Size
    sizes: int
    """How many sizes of picture came."""
    b_frames: bool | None
    claimed_rate: float | None
    rate: float | None
    bit_rate: float | None


@dataclass(frozen=True, slots=True)
class Keyframes:
    """How far keyframes lie apart.

    `interval_s` and `interval_frames` are medians. Where fewer than two came, nothing is known but
    that the interval is at least `longest_s`.
    """

    count: int
    interval_s: float | None
    interval_frames: int | None
    longest_s: float
    regular: bool | None
    """Whether all intervals are alike."""


@dataclass(frozen=True, slots=True)
class Jitter:
    """How unevenly packets of pictures arrive.

    `interarrival_ms` is the interarrival jitter of RFC 3550, section 6.4.1, of pictures instead of
    RTP packets. The others are the packet delay variation of RFC 5481: how much later than the
    quickest one a picture came, for 95 of 100 pictures and for the latest. `pace` is how many
    seconds the stream's own times advance in one second.
    """

    interarrival_ms: float
    late_p95_ms: float
    late_max_ms: float
    pace: float


@dataclass(frozen=True, slots=True)
class Loss:
    """Pictures that did not come well.

    `damaged` ones were decoded with gaps, `undecodable` ones not at all, `missing` ones left a gap
    in otherwise regular times. `rtp_packets` is how many RTP packets FFmpeg missed by their
    numbers, over UDP.
    """

    pictures: int
    """How many came well."""
    damaged: int
    undecodable: int
    missing: int
    rtp_packets: int | None

    @property
    def share(self) -> float:
        """0..1 of all pictures, those that did not come included."""
        lost = self.damaged + self.undecodable + self.missing
        return lost / max(self.pictures + lost, 1)


@dataclass(frozen=True, slots=True)
class Times:
    """What is odd in the stream's times: how many packets leapt, ran backwards, had the time of
    another, or had none (the first one aside, which RTSP often leaves without)."""

    jumps: int = 0
    backwards: int = 0
    repeated: int = 0
    without: int = 0


@dataclass(frozen=True, slots=True)
class Cost:
    """What a picture costs, in milliseconds of one core; `decode_share` is how much of a core
    decoding takes at the camera's rate, `convert_share` conversion at the detector's."""

    decode_ms: float
    convert_ms: float
    decode_share: float | None
    convert_share: float


@dataclass(frozen=True, slots=True)
class CameraClock:
    """The camera's clock against this machine's: positive where it is ahead.

    By the quickest picture, so that a camera whose clock is right seems behind by as much as a
    picture takes at least; to the second where `source` is `http`.
    """

    offset_s: float
    source: Literal["rtcp", "http"]


@dataclass(frozen=True, slots=True)
class Look:
    """What the pictures are like: mean `brightness` 0..1, and for how many seconds, at the end, no
    picture came that had not come before; None for films."""

    brightness: float
    still_s: float | None


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured of one stream in `seconds` of it."""

    camera: str
    address: str
    """Without account."""
    live: bool
    transport: Literal["tcp", "udp"] | None
    """None for all but RTSP."""
    certificate_verified: bool | None
    """None where there is no TLS."""
    seconds: float
    broke: str | None
    """A sentence where the stream ended before its time."""
    opening: Opening
    video: Video
    keyframes: Keyframes | None
    jitter: Jitter | None
    loss: Loss
    times: Times
    cost: Cost | None
    clock: CameraClock | None
    look: Look
    notes: tuple[str, ...] = ()
    """What people should know of how it is read, such as why its hardware decoder is not used."""

    @property
    def sentence(self) -> str:
        """One line for people: codec, size and rate."""
        width, height = self.video.size
        rate = f"{self.video.rate:.3g} frames/s" if self.video.rate else "rate unknown"
        return (
            f"Camera {self.camera}: {self.video.codec}, {width}x{height}, {rate}, "
            f"first picture after {self.opening.first_picture_s:.1f} s."
        )
