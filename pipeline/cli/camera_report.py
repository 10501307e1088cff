"""What `vigil check` says of cameras: for people, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.cli.checking import Checked, CheckedStream
from pipeline.sources import Measurement
from pipeline.sources.advice import Advice, Role, Settings, duration
from pipeline.sources.together import advise_machine, advise_pair, clock_difference


def _both(streams: Sequence[CheckedStream]) -> tuple[Measurement, Measurement] | None:
    """The two streams of a camera that has two and sends both."""
    found = [stream.found for stream in streams if stream.found is not None]
    return (found[0], found[1]) if len(found) == 2 else None


def _of_machine(checked: Checked, cores: int) -> tuple[Advice, ...]:
    shares = [
        stream.found.cost.decode_share
        for streams in checked.values()
        for stream in streams
        if stream.settings.role is not Role.RECORD
        and stream.found is not None
        and stream.found.live
        and stream.found.cost is not None
        and stream.found.cost.decode_share is not None
    ]
    return advise_machine(shares, cores)


def document(checked: Checked, *, seconds: float, cores: int) -> dict[str, Any]:
    """All that is known, as one JSON object; docs/cameras.md explains its keys."""
    return {
        "seconds": seconds,
        "cores": cores,
        "cameras": {key: _camera(streams) for key, streams in checked.items()},
        "advice": [asdict(advice) for advice in _of_machine(checked, cores)],
    }


def _camera(streams: Sequence[CheckedStream]) -> dict[str, Any]:
    both = _both(streams)
    return {
        "streams": {
            stream.name: {
                "error": None
                if stream.error is None
                else {"cause": stream.error.cause, "sentence": str(stream.error)},
                "measured": None if stream.found is None else asdict(stream.found),
                "advice": [asdict(advice) for advice in stream.advice],
            }
            for stream in streams
        },
        "clock_difference_s": clock_difference(*both) if both else None,
        "advice": [asdict(advice) for advice in advise_pair(*both)] if both else [],
    }


def show(checked: Checked, console: Console, *, cores: int) -> None:
    """A sentence for each camera, its figures, and what to do."""
    for streams in checked.values():
        for stream in streams:
            _show_stream(stream, console)
        both = _both(streams)
        if both:
            difference = clock_difference(*both)
            known = "is unknown" if difference is None else f"is {duration(abs(difference))}"
            _line(console, f"The difference of their clocks {known}.")
            _show_advice(advise_pair(*both), console)
        console.print()
    _show_advice(_of_machine(checked, cores), console)


def _line(console: Console, text: str, style: str = "default") -> None:
    console.print(Text(text, style=style), soft_wrap=True)


def _show_stream(stream: CheckedStream, console: Console) -> None:
    if stream.found is None:
        _line(console, str(stream.error), "red")
        return
    _line(console, stream.found.sentence, "bold")
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for name, value in rows(stream.found, stream.settings):
        table.add_row(f"  {name}", Text(value))
    console.print(table)
    _show_advice(stream.advice, console)


def _show_advice(advice: Sequence[Advice], console: Console) -> None:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column()
    for item in advice:
        table.add_row(Text("  ->", style="yellow"), Text(item.sentence, style="yellow"))
    if advice:
        console.print(table)


def rows(found: Measurement, settings: Settings) -> list[tuple[str, str]]:
    """The figures of a stream as people read them: what, and how much."""
    told = [
        ("opening", _opening(found)),
        ("video", _video(found)),
        ("rate", _rate(found)),
        ("keyframes", _keyframes(found)),
        ("arrival", _jitter(found)),
        ("loss", _loss(found)),
        ("times", _times(found)),
        ("decoding", _decoding(found)),
        ("conversion", _conversion(found, settings)),
        ("clock", _clock(found)),
        ("picture", _picture(found)),
        *(("note", note) for note in found.notes),
    ]
    return [(name, value) for name, value in told if value is not None]


def _opening(found: Measurement) -> str:
    opening = found.opening
    packet = "" if opening.first_packet_s is None else f"packet {opening.first_packet_s:.2f} s, "
    return f"open {opening.connected_s:.2f} s, {packet}picture {opening.first_picture_s:.2f} s"


def _video(found: Measurement) -> str:
    video = found.video
    parts = [" ".join(filter(None, (video.codec, video.profile))), video.pixel_format]
    parts.append("x".join(map(str, video.size)))
    if video.b_frames is not None:
        parts.append("B-frames" if video.b_frames else "no B-frames")
    if found.transport:
        parts.append(found.transport.upper())
    if found.certificate_verified is not None:
        parts.append("certificate " + ("" if found.certificate_verified else "not ") + "verified")
    return ", ".join(filter(None, parts))


def _rate(found: Measurement) -> str:
    video = found.video
    rate = "unknown" if video.rate is None else f"{video.rate:.3g} frames/s"
    if video.claimed_rate is not None:
        rate += f" (claims {video.claimed_rate:.3g})"
    return rate if video.bit_rate is None else f"{rate}, {_bits(video.bit_rate)}"


def _bits(per_second: float) -> str:
    if per_second >= 1e6:
        return f"{per_second / 1e6:.1f} Mbit/s"
    return f"{per_second / 1e3:.0f} kbit/s"


def _keyframes(found: Measurement) -> str | None:
    keyframes = found.keyframes
    if keyframes is None:
        return None
    if keyframes.interval_s is None:
        return f"{keyframes.count} seen in {keyframes.longest_s:.1f} s"
    if keyframes.interval_frames == 1:
        return "every picture"
    regular = "regular" if keyframes.regular else f"up to {keyframes.longest_s:.1f} s"
    return f"every {keyframes.interval_s:.1f} s, {keyframes.interval_frames} frames, {regular}"


def _jitter(found: Measurement) -> str | None:
    jitter = found.jitter
    if jitter is None:
        return None
    return (
        f"jitter {jitter.interarrival_ms:.1f} ms (RFC 3550), 95% within "
        f"{jitter.late_p95_ms:.0f} ms, latest {jitter.late_max_ms:.0f} ms"
    )


def _loss(found: Measurement) -> str:
    loss = found.loss
    causes = {
        "damaged": loss.damaged,
        "undecodable": loss.undecodable,
        "missing": loss.missing,
        "RTP packets": loss.rtp_packets,
    }
    told = ", ".join(f"{count} {what}" for what, count in causes.items() if count)
    if not told:
        return f"none, {loss.pictures} pictures came"
    return f"{loss.share:.1%}: {told}; {loss.pictures} pictures came"


def _times(found: Measurement) -> str:
    times = found.times
    causes = {
        "leaps": times.jumps,
        "backwards": times.backwards,
        "repeated": times.repeated,
        "missing": times.without,
    }
    told = ", ".join(f"{count} {what}" for what, count in causes.items() if count)
    return told or "in order"


def _decoding(found: Measurement) -> str | None:
    cost = found.cost
    if cost is None:
        return None
    share = (
        ""
        if cost.decode_share is None
        else f", {_percent(cost.decode_share)} of a core at this rate"
    )
    return f"{cost.decode_ms:.2g} ms a frame{share}"


def _conversion(found: Measurement, settings: Settings) -> str | None:
    cost = found.cost
    if cost is None:
        return None
    return (
        f"{cost.convert_ms:.2g} ms a picture for the detector ({settings.detector_side}), "
        f"{_percent(cost.convert_share)} of a core"
    )


def _percent(share: float) -> str:
    return "under 1%" if share < 0.01 else f"{share:.0%}"


def _clock(found: Measurement) -> str | None:
    if not found.live:
        return None
    clock = found.clock
    if clock is None:
        return "unknown, the camera does not tell it"
    side = "behind" if clock.offset_s < 0 else "ahead"
    source = "RTCP" if clock.source == "rtcp" else "HTTP, to the second"
    return f"{duration(abs(clock.offset_s))} {side} ({source})"


def _picture(found: Measurement) -> str:
    brightness = f"brightness {found.look.brightness:.0%}"
    still_s = found.look.still_s
    if still_s is None:
        return brightness
    # two looks lie half a second apart
    return f"{brightness}, " + ("changing" if still_s < 1 else f"no new one for {still_s:.1f} s")
