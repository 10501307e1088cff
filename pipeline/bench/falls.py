"""How many falls the rule `fall` finds, and how late, on a folder of films that are labelled.

The layout is that of GMDCSA-24 (Alam et al., Data in Brief, 2024): a folder for each subject, with
films in `Fall` and `ADL` (activities of daily living) and tables `Fall.csv` and `ADL.csv`, which
give the seconds of each class: `Falling (BW)[1.9 to 6]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from pipeline.bench.tables import markdown
from pipeline.config import Config
from pipeline.configfile import validate
from pipeline.detectors import SharedDetector, load_detector
from pipeline.errors import DatasetError
from pipeline.incidents import Open
from pipeline.sources import open_source
from pipeline.types import Frame
from pipeline.workers.analysis import Analysis, looks
from pipeline.workers.choosing import Pacer

CAMERA = "film"
FALLS, DAILY = "Fall", "ADL"
WITHIN_S = 2.0
"""A fall is found if its event begins no later than this after its labelled end."""
_FALLING = re.compile(r"Falling[^\[]*\[\s*([\d.]+)\s*to\s*([\d.]+)\s*\]")


@dataclass(frozen=True, slots=True)
class Clip:
    """A labelled film; `fall` is when somebody falls in it and lies there, in seconds."""

    film: Path
    name: str
    fall: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Told:
    """What was told of a film: when, and with which sentence; and at which moments there was a
    look, with or without anybody tracked."""

    events: Sequence[tuple[float, str]]
    looks: Sequence[tuple[float, bool]]


def measure_falls(
    folder: Path, *, fps: float, seconds: float | None, phases: int
) -> dict[str, Any]:
    """Watch each film for falls at `fps` looks a second, `phases` times, the first look later by a
    part of the time between two looks each time.

    `seconds` is how long somebody must stay down; the rule's own, if None. Returns for each run
    whether its fall was found, how late, and what else was told; and the counts of all of them.

    Raises:
        DatasetError: the folder has not this layout.
        SourceError: a film cannot be read.
        ConfigError: a value is out of range.
    """
    config = _config(fps, seconds)
    clips = list(labelled(folder))
    shared = load_detector(config.detector)
    with closing(shared):
        rows = [
            {"phase": phase, **judged(clip, _watch(clip, config, shared, phase / phases))}
            for clip in clips
            for phase in range(phases)
        ]
    falls = [row for row in rows if "found" in row]
    late = [row["after_begin_s"] for row in falls if row["found"]]
    return {
        "fps": fps,
        "seconds": config.cameras[CAMERA].rules["fall"].waits_s,
        "phases": phases,
        "runs": rows,
        "falls": len(falls),
        "found": len(late),
        "after_begin_s": {"median": round(median(late), 2), "most": max(late)} if late else None,
        "daily": len(rows) - len(falls),
        "false_alarms": sum(len(row["false_alarms"]) for row in rows),
    }


def labelled(folder: Path) -> Iterator[Clip]:
    """The films of a folder, or of its subjects' folders, in order.

    Raises:
        DatasetError: there is none, or one of a fall is without its seconds.
    """
    homes = [home for home in (folder, *sorted(folder.glob("*/"))) if _is_subject(home)]
    if not homes:
        raise DatasetError(
            f"{folder}: no labelled films here; give a folder in the layout of GMDCSA-24, with "
            f"{FALLS}/*.mp4, {FALLS}.csv and {DAILY}/*.mp4 for each subject."
        )
    for home in homes:
        spans = _spans(home / f"{FALLS}.csv")
        for film in sorted((home / FALLS).glob("*.mp4")):
            if film.name not in spans:
                raise DatasetError(f"{home / FALLS}.csv: no seconds of Falling for {film.name}.")
            yield Clip(film, f"{home.name}/{FALLS}/{film.stem}", spans[film.name])
        for film in sorted((home / DAILY).glob("*.mp4")):
            yield Clip(film, f"{home.name}/{DAILY}/{film.stem}", None)


def judged(clip: Clip, told: Told) -> dict[str, Any]:
    """What was told of a clip against its label; `tracked` is in which share of the looks from the
    fall on anybody was."""
    if clip.fall is None:
        return {"clip": clip.name, "false_alarms": _listed(told.events)}
    begin, end = clip.fall
    right = [event for event in told.events if begin <= event[0] <= end + WITHIN_S]
    since = [anybody for at, anybody in told.looks if begin <= at <= end]
    return {
        "clip": clip.name,
        "found": bool(right),
        "after_begin_s": round(right[0][0] - begin, 2) if right else None,
        "after_end_s": round(right[0][0] - end, 2) if right else None,
        "sentence": right[0][1] if right else None,
        "tracked": round(sum(since) / len(since), 2) if since else None,
        "false_alarms": _listed([event for event in told.events if event not in right]),
    }


def table(measured: Mapping[str, Any]) -> str:
    """What was measured, as a Markdown table: each clip, all its runs together."""
    rows = []
    for name in dict.fromkeys(row["clip"] for row in measured["runs"]):
        runs = [row for row in measured["runs"] if row["clip"] == name]
        alarms = sum(len(row["false_alarms"]) for row in runs)
        found = [row for row in runs if row.get("found")]
        if "found" not in runs[0]:
            rows.append((f"`{name}`", "", "", "", "", f"{alarms}"))
            continue
        rows.append(
            (
                f"`{name}`",
                f"{len(found)} of {len(runs)}",
                _range([row["after_begin_s"] for row in found]),
                _range([row["after_end_s"] for row in found]),
                f"{median([row['tracked'] or 0.0 for row in runs]):.0%}",
                f"{alarms}",
            )
        )
    heads = ("clip", "found", "s after its beginning", "s after its end", "tracked", "false alarms")
    return markdown(heads, rows)


def _watch(clip: Clip, config: Config, shared: SharedDetector, phase: float) -> Told:
    camera = config.cameras[CAMERA]
    detector = shared.for_camera(CAMERA, camera)
    analysis = Analysis(config, CAMERA, detector)
    pace = Pacer(camera.detect.fps)
    begin_s = phase / camera.detect.fps

    def due(frame: Frame) -> bool:
        return frame.pts >= begin_s and pace.due(frame)

    events: list[tuple[float, str]] = []
    moments: list[tuple[float, bool]] = []
    with closing(detector), closing(open_source(CAMERA, str(clip.film))) as source:
        for look in looks(analysis, filter(due, source.frames())):
            moments.append((look.pts, bool(look.view.tracks)))
            events += [
                (look.pts, action.finding.rule_reason)
                for action in look.actions
                if isinstance(action, Open)
            ]
    return Told(events, moments)


def _config(fps: float, seconds: float | None) -> Config:
    rule: dict[str, Any] = {"type": "fall"} | ({} if seconds is None else {"seconds": seconds})
    camera = {"source": "film.mp4", "detect": {"fps": fps}, "rules": {"fall": rule}}
    return validate({"cameras": {CAMERA: camera}}, where="bench", folder=Path.cwd())


def _is_subject(folder: Path) -> bool:
    return any((folder / kind).is_dir() for kind in (FALLS, DAILY))


def _spans(table: Path) -> dict[str, tuple[float, float]]:
    """By film, from the first beginning of a fall to the last end; the descriptions between them
    hold commas, so that it is no table to be read as one."""
    spans = {}
    lines = table.read_text(encoding="utf-8-sig").splitlines() if table.is_file() else []
    for line in lines:
        times = [(float(begin), float(end)) for begin, end in _FALLING.findall(line)]
        if times:
            spans[line.split(",")[0].strip()] = (times[0][0], times[-1][1])
    return spans


def _listed(events: Sequence[tuple[float, str]]) -> list[dict[str, Any]]:
    return [{"at_s": round(at, 2), "sentence": sentence} for at, sentence in events]


def _range(values: Sequence[float]) -> str:
    if not values:
        return ""
    return f"{min(values):.1f}" if len(values) == 1 else f"{min(values):.1f} to {max(values):.1f}"
