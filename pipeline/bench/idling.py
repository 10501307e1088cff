"""What decoding only keyframes while nobody is there saves, and what it misses."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, count, islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import av
from av.video.frame import PictureType

from pipeline.bench.detecting import detected
from pipeline.bench.spread import ratios
from pipeline.configfile import validate
from pipeline.detectors import load_detector
from pipeline.errors import SourceUnreadable
from pipeline.sources import open_source
from pipeline.tracking import Tracking
from pipeline.types import Detection, Frame, Size

if TYPE_CHECKING:
    from av import VideoFrame

CAMERA = "film"
DECODED_S = 20
DECODED_SIZE: Size = (1920, 1080)
DECODED_RATE = 10
DECODED_GROUP_S = 2.0
SAME_VISIT_S = 2.0
"""Somebody who is not seen for less than this was there all the time."""

Looks = Sequence[Sequence[Detection]]
"""What was detected in each picture of a film."""


def measure_idling(
    film: Path,
    *,
    groups_s: Sequence[float],
    idle_after_s: float,
    phases: int,
    repeat: int,
) -> dict[str, Any]:
    """Decode a film of people as a camera of keyframes each `groups_s` seconds would send it: all
    of it, and only keyframes from `idle_after_s` seconds after somebody was detected last until
    somebody is again. `phases` is how many films are made for each group length, the places of
    whose keyframes differ, and `repeat` how often decoding is timed.

    Returns the processor time of decoding; and, for each group length, the share of pictures that
    were not decoded, of tracked person-seconds that were lost (tracking on every picture is the
    reference), and how much later the first sight of each visit was.

    Raises:
        SourceError: the film cannot be read.
    """
    rate, looks = _detected(film)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        saved = _decoding(film, work, repeat)
        rows = [
            _missed(film, work, rate, looks, group_s, idle_after_s, phases) for group_s in groups_s
        ]
    return {
        "film": film.name,
        "rate": round(rate, 3),
        "idle_after_s": idle_after_s,
        "phases": phases,
        "decoding": saved,
        "groups": rows,
    }


def _detected(film: Path) -> tuple[float, Looks]:
    """A film's pictures a second, and who is in each of them."""
    config = validate(
        {"cameras": {CAMERA: {"source": str(film)}}}, where="bench", folder=Path.cwd()
    )
    shared = load_detector(config.detector)
    with closing(shared), closing(open_source(CAMERA, str(film))) as source:
        if source.rate is None:
            raise SourceUnreadable(f"{film.name} does not say how many pictures a second it has.")
        detector = shared.for_camera(CAMERA, config.cameras[CAMERA])
        return source.rate, [found for _, found in detected(detector, source.frames())]


def _pictures(film: Path, first: int = 0) -> Iterator[VideoFrame]:
    with av.open(str(film)) as container:
        for number, picture in enumerate(container.decode(video=0)):
            if number >= first:
                yield picture


def _encode(
    pictures: Iterator[VideoFrame], out: Path, rate: float, group: int, size: Size | None = None
) -> None:
    """As cameras do: H.264 without B-frames, keyframes each `group` pictures and nowhere else."""
    options = {"preset": "veryfast", "tune": "zerolatency", "crf": "26", "sc_threshold": "0"}
    with av.open(str(out), "w") as output:
        base = Fraction(rate).limit_denominator(1001)
        stream = output.add_stream("libx264", rate=base, options=options)
        stream.pix_fmt, stream.gop_size = "yuv420p", group
        for number, picture in enumerate(pictures):
            width, height = size or (picture.width, picture.height)
            if number == 0:
                stream.width, stream.height = width, height
            scaled = picture.reformat(width=width, height=height, format="yuv420p")
            scaled.pts, scaled.time_base = number, 1 / base
            scaled.pict_type = PictureType.NONE  # or the film's own keyframes would be kept
            output.mux(stream.encode(scaled))
        output.mux(stream.encode(None))


def _decoding(film: Path, work: Path, repeat: int) -> dict[str, Any]:
    """Milliseconds of processor time for each second of a camera, all and keyframes, in turn."""
    path = work / "large.mp4"
    over_and_over = chain.from_iterable(_pictures(film) for _ in count())
    pictures = islice(over_and_over, DECODED_S * DECODED_RATE)
    _encode(pictures, path, DECODED_RATE, round(DECODED_GROUP_S * DECODED_RATE), DECODED_SIZE)
    spent: dict[str, list[float]] = {"all": [], "keyframes": []}
    for _ in range(repeat):
        for which, values in spent.items():
            values.append(_decode(path, idle=which == "keyframes"))
    return {
        "size": list(DECODED_SIZE),
        "rate": DECODED_RATE,
        "group_s": DECODED_GROUP_S,
        "ms_per_s": {which: round(median(values), 1) for which, values in spent.items()},
        "ratio": ratios(spent["keyframes"], spent["all"]),
    }


def _decode(path: Path, *, idle: bool) -> float:
    """Milliseconds of processor time for each second, from the second keyframe to the last: before
    it is not known how long groups are, and a film's last one is decoded whole."""
    with closing(open_source(CAMERA, str(path))) as source:
        source.idle(idle)
        spent = [(frame.pts, time.process_time()) for frame in source.frames()]
    edge_s = DECODED_GROUP_S - 0.5 / DECODED_RATE
    within = [(pts, at) for pts, at in spent if edge_s < pts < DECODED_S - edge_s]
    (first, began), (last, ended) = within[0], within[-1]
    return 1000 * (ended - began) / (last - first)


@dataclass
class _Seen:
    """Who was tracked in which picture, and when somebody was detected in a picture."""

    tracked: dict[int, int] = field(default_factory=dict)
    detected: list[int] = field(default_factory=list)
    decoded: int = 0


def _watch(film: Path, rate: float, looks: Looks, idle_after_s: float | None) -> _Seen:
    """Track in what is decoded of a film. Detection is that of the film it was made from."""
    tracking = Tracking()
    seen = _Seen()
    last = 0.0
    with closing(open_source(CAMERA, str(film))) as source:
        for frame in source.frames():
            number = _number(frame, rate)
            seen.decoded += 1
            if looks[number]:
                seen.detected.append(number)
                last = frame.pts
            source.idle(idle_after_s is not None and frame.pts - last >= idle_after_s)
            seen.tracked[number] = len(tracking.update(frame, looks[number], 1 / rate)[0])
    return seen


def _number(frame: Frame, rate: float) -> int:
    return round(frame.pts * rate)


def _missed(
    film: Path,
    work: Path,
    rate: float,
    looks: Looks,
    group_s: float,
    idle_after_s: float,
    phases: int,
) -> dict[str, Any]:
    group = round(group_s * rate)
    person_s = lost_s = 0.0
    pictures = decoded = visits = unseen = 0
    later: list[float] = []
    for phase in range(phases):
        first = phase * group // phases
        path = work / "camera.mp4"
        _encode(_pictures(film, first), path, rate, group)
        every = _watch(path, rate, looks[first:], None)
        idle = _watch(path, rate, looks[first:], idle_after_s)
        person_s += sum(every.tracked.values()) / rate
        lost_s += _lost(every.tracked, idle.tracked) / rate
        pictures, decoded = pictures + every.decoded, decoded + idle.decoded
        for began, ended in _visits(every.detected, rate):
            visits += 1
            sight = next((n for n in idle.detected if began <= n <= ended), None)
            if sight is None:
                unseen += 1
            else:
                later.append((sight - began) / rate)
    return {
        "group_s": group_s,
        "not_decoded_share": round(1 - decoded / pictures, 3),
        "person_s": round(person_s, 1),
        "lost_share": round(lost_s / person_s, 4) if person_s else None,
        "visits": visits,
        "visits_unseen": unseen,
        "seen_later_s": {
            "median": round(median(later), 2) if later else None,
            "longest": round(max(later), 2) if later else None,
        },
    }


def _lost(every: Mapping[int, int], idle: Mapping[int, int]) -> int:
    """People tracked in a picture of the one, and not in that of the other."""
    return sum(max(people - idle.get(number, 0), 0) for number, people in every.items())


def _visits(detected: Sequence[int], rate: float) -> list[tuple[int, int]]:
    """From which picture to which somebody was there."""
    visits: list[tuple[int, int]] = []
    for number in detected:
        if visits and number - visits[-1][1] <= SAME_VISIT_S * rate:
            visits[-1] = (visits[-1][0], number)
        else:
            visits.append((number, number))
    return visits
