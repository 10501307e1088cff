"""What to do about a camera, by what was measured of it: pure functions.

Where its figures begin to matter is in `thresholds`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from pipeline.sources.measurement import Measurement
from pipeline.sources.thresholds import (
    CLOCK_S,
    DARK,
    DEAR_SHARE,
    IRREGULAR_FACTOR,
    LATE_MS,
    LONG_KEYFRAMES_S,
    LONG_OPENING_S,
    LOST_SHARE,
    ODD_TIMES,
    PACE,
    SLOW_SHARE,
    SMALL_SHARE,
    STILL_S,
)

_PLAYED_CODEC = "h264"
_PLAYED_PIXELS = (None, "yuv420p", "yuvj420p")
_NAMES = {"hevc": "H.265", "mjpeg": "MJPEG", "mpeg4": "MPEG-4", "av1": "AV1", "vp9": "VP9"}


class Role(Enum):
    """What a stream is for: `source` alone, `source` beside a `record.source`, or that one."""

    ONLY = "only"
    DETECT = "detect"
    RECORD = "record"


@dataclass(frozen=True, slots=True)
class Settings:
    """What of a camera's configuration advice depends on."""

    role: Role = Role.ONLY
    looks_per_s: float = 5.0
    detector_side: int = 640


@dataclass(frozen=True, slots=True)
class Advice:
    """A finding that matters: `code` for machines, `sentence` for people, with what to do."""

    code: str
    sentence: str


def advise(found: Measurement, settings: Settings = Settings()) -> tuple[Advice, ...]:
    """What to do about one stream; nothing where all is well."""
    return tuple(advice for rule in _RULES for advice in rule(found, settings))


def _broke(found: Measurement, settings: Settings) -> Iterator[Advice]:
    if found.broke:
        yield Advice(
            "broke",
            f"The stream broke after {found.seconds:.1f} s: check the network, and whether the "
            "camera has too many viewers.",
        )


def _opening(found: Measurement, settings: Settings) -> Iterator[Advice]:
    seconds = found.opening.first_picture_s
    if found.live and seconds > LONG_OPENING_S:
        yield Advice(
            "slow_opening",
            f"The first picture came after {seconds:.1f} s, and each reconnection leaves a gap as "
            "long: shorten the keyframe interval, or check the camera's load.",
        )


def _keyframes(found: Measurement, settings: Settings) -> Iterator[Advice]:
    keyframes = found.keyframes
    if not found.live or keyframes is None or settings.role is Role.DETECT:
        return
    typical, longest = keyframes.interval_s, keyframes.longest_s
    if typical is not None and not keyframes.regular and longest > IRREGULAR_FACTOR * typical:
        yield Advice(
            "irregular_keyframes",
            f"Keyframes come irregularly, up to {longest:.1f} s apart: switch off the camera's "
            '"smart codec" (H.264+, H.265+, Zipstream\'s dynamic GOP).',
        )
    elif longest > LONG_KEYFRAMES_S:
        apart = f"is {typical:.1f} s" if typical is not None else f"is more than {longest:.1f} s"
        yield Advice(
            "long_keyframe_interval",
            f"The keyframe interval {apart}: clips begin up to so much earlier than they need to; "
            "set the I-frame interval to 1 to 2 s.",
        )


def _codec(found: Measurement, settings: Settings) -> Iterator[Advice]:
    video = found.video
    if settings.role is Role.DETECT:
        return
    name = _NAMES.get(video.codec, video.codec)
    if video.codec == "mjpeg" and found.live:
        rate = f" and takes {video.bit_rate / 1e6:.1f} Mbit/s" if video.bit_rate else ""
        yield Advice(
            "codec",
            f"MJPEG sends every picture whole{rate}, and browsers play its clips only transcoded: "
            "use the camera's H.264 stream.",
        )
    elif video.codec != _PLAYED_CODEC:
        yield Advice(
            "codec",
            f"{name}: browsers play it only transcoded, so each clip costs time; choose H.264 "
            "where the camera offers it.",
        )
    elif video.pixel_format not in _PLAYED_PIXELS:
        yield Advice(
            "pixel_format",
            f"The pixel format is {video.pixel_format}: browsers play it only transcoded; choose "
            "an H.264 profile with 8 bits and 4:2:0 (Main or High).",
        )


def _b_frames(found: Measurement, settings: Settings) -> Iterator[Advice]:
    if found.live and found.video.b_frames:
        yield Advice(
            "b_frames",
            "The stream has B-frames, so each picture comes later than it need: switch them off "
            "(B-frames 0, or the Baseline profile).",
        )


def _rate(found: Measurement, settings: Settings) -> Iterator[Advice]:
    rate, claimed = found.video.rate, found.video.claimed_rate
    if not found.live or rate is None:
        return
    if claimed is not None and rate < SLOW_SHARE * claimed:
        yield Advice(
            "slow",
            f"It claims {claimed:.3g} pictures a second and sends {rate:.3g}: look for a long "
            "exposure in the dark, an overloaded camera or a weak network.",
        )
    if settings.role is not Role.RECORD and rate < SLOW_SHARE * settings.looks_per_s:
        yield Advice(
            "slower_than_looks",
            f"It sends {rate:.2g} pictures a second, fewer than the {settings.looks_per_s:g} that "
            "`detect.fps` asks for: raise the camera's rate, or lower `detect.fps`.",
        )


def _cost(found: Measurement, settings: Settings) -> Iterator[Advice]:
    cost = found.cost
    if not found.live or cost is None or settings.role is Role.RECORD:
        return
    if cost.decode_share is not None and cost.decode_share > DEAR_SHARE:
        remedy = (
            "use the camera's small stream as `source` and this one as `record.source`"
            if settings.role is Role.ONLY
            else "choose a smaller picture or a lower rate for it in the camera"
        )
        yield Advice(
            "decode_cost",
            f"Decoding needs {cost.decode_share:.0%} of a core at {found.video.rate:.3g} frames/s: "
            f"{remedy}.",
        )
    if cost.convert_share > DEAR_SHARE:
        yield Advice(
            "convert_cost",
            f"Converting pictures for the detector needs {cost.convert_share:.0%} of a core: "
            "lower `detect.fps`, or use a smaller stream as `source`.",
        )


def _loss(found: Measurement, settings: Settings) -> Iterator[Advice]:
    loss = found.loss
    if loss.share <= LOST_SHARE:
        return
    if not found.live:
        yield Advice(
            "damaged",
            f"{loss.share:.1%} of the pictures are damaged: copy the film anew from where it "
            "was recorded.",
        )
        return
    over = {"udp": " over UDP", "tcp": " over TCP", None: ""}[found.transport]
    remedy = (
        "use `transport: tcp`"
        if found.transport == "udp"
        else "the camera leaves them out or is overloaded; lower its bit rate or the number of "
        "its viewers, and prefer a cable to radio"
    )
    packets = f" ({loss.rtp_packets} RTP packets)" if loss.rtp_packets else ""
    yield Advice("loss", f"Loss of {loss.share:.1%} of the pictures{over}{packets}: {remedy}.")


def _jitter(found: Measurement, settings: Settings) -> Iterator[Advice]:
    jitter = found.jitter
    if jitter is None:
        return
    if abs(jitter.pace - 1) > PACE:
        yield Advice(
            "pace",
            f"The stream's times pass {jitter.pace:.2g} times as fast as time does: set the "
            "camera's rate to one that it keeps.",
        )
    elif jitter.late_p95_ms > LATE_MS:
        yield Advice(
            "jitter",
            f"One picture in 20 comes more than {jitter.late_p95_ms / 1000:.1f} s late: check the "
            "network (radio, a busy switch), or this machine's load.",
        )


def _times(found: Measurement, settings: Settings) -> Iterator[Advice]:
    times = found.times
    odd = {
        "leapt": times.jumps,
        "ran backwards": times.backwards,
        "repeated": times.repeated,
        "were missing": times.without,
    }
    told = [f"{what} {count} times" for what, count in odd.items() if count >= ODD_TIMES]
    if found.live and told:
        yield Advice(
            "times",
            f"The stream's times {' and '.join(told)} within {found.seconds:.0f} s: update the "
            "camera's firmware, or try its other stream.",
        )


def _clock(found: Measurement, settings: Settings) -> Iterator[Advice]:
    clock = found.clock
    if clock is not None and abs(clock.offset_s) > CLOCK_S:
        side = "behind" if clock.offset_s < 0 else "ahead"
        yield Advice(
            "clock",
            f"The camera's clock is {duration(abs(clock.offset_s))} {side}: give it a time server "
            "(NTP).",
        )


def _tls(found: Measurement, settings: Settings) -> Iterator[Advice]:
    if found.certificate_verified is False:
        yield Advice(
            "certificate",
            "The certificate is not verified, so anybody on the way could pose as the camera: set "
            "`verify_tls: true`, with `tls_ca` for a certificate of the camera's own.",
        )


def _look(found: Measurement, settings: Settings) -> Iterator[Advice]:
    still_s = found.look.still_s
    if still_s is not None and still_s >= STILL_S:
        yield Advice(
            "frozen",
            f"No new picture came for {still_s:.1f} s, only the same ones over and over: restart "
            "the camera if something should be moving in them.",
        )
    if found.live and found.look.brightness < DARK:
        yield Advice(
            "dark",
            f"The picture is nearly black (brightness {found.look.brightness:.0%}): uncover the "
            "lens, add light, or switch on infrared.",
        )


def _size(found: Measurement, settings: Settings) -> Iterator[Advice]:
    if found.live and found.video.sizes > 1:
        yield Advice(
            "size_changes",
            f"The picture changed its size within {found.seconds:.0f} s: switch off what adapts "
            "it, since each change ends what is tracked.",
        )
    width, height = found.video.size
    longer = max(width, height)
    if settings.role is not Role.RECORD and longer < SMALL_SHARE * settings.detector_side:
        side = max(64, round(longer / 32) * 32)
        yield Advice(
            "small",
            f"The picture ({width}x{height}) is enlarged to {settings.detector_side} for the "
            f"detector, to no use: set `detect.size: {side}`, or choose a larger picture.",
        )


def duration(seconds: float) -> str:
    """Some seconds as people say them."""
    for unit, name in ((365 * 86_400, "years"), (86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"


_Rule = Callable[[Measurement, Settings], Iterator[Advice]]
_RULES: tuple[_Rule, ...] = (
    _broke,
    _look,
    _loss,
    _jitter,
    _times,
    _rate,
    _opening,
    _cost,
    _keyframes,
    _codec,
    _b_frames,
    _size,
    _clock,
    _tls,
)
