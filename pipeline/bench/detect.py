"""How near the pipeline comes to what the machine can do: every frame of a film detected, tracked
and ruled, against the bare model, and against ultralytics' own loop."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from pipeline.bench import tables
from pipeline.bench.contestants import Absent, Contestant, Turn, total
from pipeline.bench.machine import machine
from pipeline.bench.spread import ratios, spread
from pipeline.bench.target import Target, target, weights
from pipeline.config import Config
from pipeline.configfile import validate
from pipeline.detectors.choice import Machine
from pipeline.errors import FilmError
from pipeline.sources import open_source
from pipeline.types import Size

CAMERA = "film"
PIPELINE, BARE, RIVAL = "pipeline", "bare", "ultralytics"
MODULES = {
    PIPELINE: "pipeline.bench.piped",
    BARE: "pipeline.bench.bare",
    RIVAL: "pipeline.bench.rival",
}
TURN = 100
"""Frames of a turn: one to three seconds. Each ends with nothing under way, so whoever works on
several frames at once loses part of a frame's time in each: 2% of turns of 50 frames."""
WARM_UP = 15
"""Frames before anything is measured."""
BEST = 2
"""Settings of the bare model that go into every round: the best of a first look at all of them."""
SURVEY = 3
"""Turns of that first look..."""
SURVEY_FRAMES = 16
"""...and the frames of each; more where more are under way."""
STAGES = ("decode", "convert", "detect", "track", "rules")
"""`detect` is what is in none of the others: the model, what is done before and after it, and the
passing on between threads."""


@dataclass(frozen=True, slots=True)
class Film:
    """A film that is measured on; `frames` is how many of it are there to be measured."""

    path: Path
    frames: int
    size: Size
    rate: float


def film_config(film: Path, detector: Mapping[str, Any], size: int) -> Config:
    """A camera that shows a film, with the rules of the documentation's first example.

    Raises:
        ConfigError: a setting is wrong.
    """
    rules = {"person": {"type": "zone"}, "lingers": {"type": "loiter", "seconds": 10}}
    camera = {"source": str(film), "detect": {"size": size}, "rules": rules}
    return validate(
        {"detector": detector, "cameras": {CAMERA: camera}}, where="bench", folder=Path.cwd()
    )


def measure_detect(
    film: Path, config: Config, camera: str, *, frames: int, repeat: int
) -> dict[str, Any]:
    """Run at most `frames` frames of a film through one camera of a configuration, each of them
    detected, tracked and ruled, `repeat` times; and in turn with it the bare model and ultralytics.

    All three have processes of their own in each round, and take turns of `TURN` frames there.
    Starting, loading and the first `WARM_UP` frames do not count. Returns rates, their ratios round
    by round, the processors' time of a frame, and where the pipeline's goes.

    Raises:
        SourceError: the film cannot be read.
        FilmError: it is too short.
        ConfigError: the model is not there, or not for the backend.
        WeightsError: the model is of no use.
    """
    shown = examine(film, frames)
    config = every_frame(config, camera, shown)
    runs = target(config, camera, shown.size)
    before = machine()
    with tempfile.TemporaryDirectory() as home:
        jobs = _jobs(config, camera, shown, runs, home)
        survey = _survey(jobs[BARE])
        jobs[BARE]["settings"] = [setting for setting, _ in survey[:BEST]]
        rounds = [_round(jobs, shown.frames, number) for number in range(repeat)]
    return {
        "film": film.name,
        "frames": rounds[0].turns[PIPELINE].frames,
        "frame_size": list(shown.size),
        "detector": rounds[0].facts[PIPELINE]["detector"],
        "model": runs.weights.name,
        "bfloat16": runs.bfloat16,
        "size": runs.size,
        "canvas": list(runs.canvas),
        "repeat": repeat,
        **compared([one.turns for one in rounds]),
        "bare_settings": [{**setting, "frames_per_s": rate} for setting, rate in survey],
        "absent": rounds[0].absent,
        "canvas_of_ultralytics": rounds[0].facts.get(RIVAL, {}).get("canvas"),
        "machine": before,
    }


def compared(rounds: Sequence[Mapping[str, Turn]]) -> dict[str, Any]:
    """The figures of several rounds, each a turn by contestant; the pipeline is always there."""
    there = [name for name in MODULES if all(name in one for one in rounds)]
    rate = {name: [one[name].frames / one[name].seconds for one in rounds] for name in there}
    cpu = {name: [one[name].cpu_s / one[name].frames for one in rounds] for name in there}
    own = [one[PIPELINE] for one in rounds]

    def against(over: Mapping[str, list[float]], name: str, *, inverse: bool) -> Any:
        if name not in there:
            return None
        pair = (over[name], over[PIPELINE]) if inverse else (over[PIPELINE], over[name])
        return ratios(*pair)

    return {
        "ratio_to_bare": against(rate, BARE, inverse=False),
        "ratio_to_ultralytics": against(rate, RIVAL, inverse=False),
        "cpu_ratio_to_bare": against(cpu, BARE, inverse=True),
        "cpu_ratio_to_ultralytics": against(cpu, RIVAL, inverse=True),
        "frames_per_s": {n: spread(rate[n], 2) if n in there else None for n in MODULES},
        "cpu_ms_per_frame": {
            n: spread([s * 1000 for s in cpu[n]], 2) if n in there else None for n in MODULES
        },
        "detected_share": round(min(turn.parts["detected"] / turn.frames for turn in own), 4),
        "stages_cpu_ms": _stages(own),
    }


def _stages(turns: Sequence[Turn]) -> dict[str, float]:
    """Where a frame's processor time goes, in milliseconds: the medians of the rounds."""
    each: dict[str, list[float]] = {stage: [] for stage in STAGES}
    for turn in turns:
        others = {stage: turn.parts[stage] for stage in STAGES if stage != "detect"}
        every = {**others, "detect": turn.cpu_s - sum(others.values())}
        for stage in STAGES:
            each[stage].append(every[stage] / turn.frames * 1000)
    return {stage: round(median(found), 3) for stage, found in each.items()}


@dataclass(frozen=True, slots=True)
class Round:
    """One round: each contestant's turns as one, what it says of itself, and why one is absent."""

    turns: Mapping[str, Turn]
    facts: Mapping[str, Mapping[str, Any]]
    absent: Mapping[str, str]


def _round(jobs: Mapping[str, Mapping[str, Any]], frames: int, number: int) -> Round:
    absent: dict[str, str] = {}
    there: dict[str, Contestant] = {}
    turns: dict[str, list[Turn]] = {}
    settings = jobs[BARE]["settings"]
    bare: list[list[Turn]] = [[] for _ in settings]
    with ExitStack() as stack:
        for name, module in MODULES.items():
            try:
                there[name] = stack.enter_context(Contestant(module, jobs[name]))
            except Absent as error:
                absent[name] = str(error)
        names = list(there)
        for turn, begin in enumerate(range(0, frames, TURN)):
            count = min(TURN, frames - begin)
            first = (turn + number) % len(names)
            for name in names[first:] + names[:first]:
                if name != BARE:
                    turns.setdefault(name, []).append(there[name].turn(count))
                    continue
                for setting, done in zip(settings, bare, strict=True):
                    done.append(there[name].turn({"setting": setting, "frames": count}))
        facts = {name: one.facts for name, one in there.items()}
    found = {name: total(done) for name, done in turns.items()}
    if BARE in there:
        found[BARE] = max(map(total, bare), key=lambda turn: turn.frames / turn.seconds)
    return Round(found, facts, absent)


def _survey(job: Mapping[str, Any]) -> list[tuple[dict[str, Any], float]]:
    """All settings of the bare model and their median rates, the best first."""
    try:
        with Contestant(MODULES[BARE], {**job, "settings": None}) as bare:
            settings = bare.facts["settings"]
            rates: list[list[float]] = [[] for _ in settings]
            for _ in range(SURVEY):
                for setting, found in zip(settings, rates, strict=True):
                    frames = max(SURVEY_FRAMES, 4 * setting["jobs"])
                    turn = bare.turn({"setting": setting, "frames": frames})
                    found.append(turn.frames / turn.seconds)
    except Absent:
        return []
    told = [
        (setting, round(median(found), 2)) for setting, found in zip(settings, rates, strict=True)
    ]
    return sorted(told, key=lambda one: -one[1])


def _jobs(
    config: Config, camera: str, film: Film, runs: Target, home: str
) -> dict[str, dict[str, Any]]:
    settings = config.cameras[camera]
    return {
        PIPELINE: {"config": config.for_worker(), "camera": camera, "warm_up": WARM_UP},
        BARE: {
            "backend": runs.backend,
            "device": runs.device,
            "weights": str(runs.weights),
            "bfloat16": runs.bfloat16,
            "film": str(film.path),
            "canvas": runs.canvas,
            "home": home,
            "settings": [],
            "warm_up": 2,
        },
        RIVAL: {
            "weights": str(weights(config)),
            "film": str(film.path),
            "size": settings.detect.size,
            "confidence": settings.detect.confidence,
            "labels": list(settings.labels()),
            "device": _device_of_rival(runs),
            "home": home,
            "warm_up": WARM_UP,
        },
    }


def _device_of_rival(runs: Target) -> str:
    """What the pipeline runs on, in ultralytics' words; nothing where it chooses as it does there.
    OpenVINO's graphics cards and NPUs are none that torch has."""
    if runs.backend == "openvino" or runs.device == "cpu":
        return "cpu"
    if runs.device == "auto" and runs.backend == "onnx":
        here = Machine.here()
        return "cuda:0" if here.nvidia and here.onnx_cuda else "cpu"
    return {"auto": "", "cuda": "cuda:0"}.get(runs.device, runs.device)


def every_frame(config: Config, key: str, film: Film) -> Config:
    """The configuration with the film in place of the camera, and each frame detected on."""
    camera = config.cameras[key]
    detect = camera.detect.model_copy(
        update={"fps": max(min(film.rate, 60.0), 0.5), "motion_gate": False}
    )
    source = type(camera.source)(str(film.path.resolve()))
    changed = camera.model_copy(update={"source": source, "detect": detect})
    return config.model_copy(update={"cameras": {key: changed}, "groups": {}})


def examine(film: Path, frames: int) -> Film:
    """Count a film's frames, up to those that are wanted.

    Raises:
        SourceError: it cannot be read.
        FilmError: it is too short.
    """
    size: Size = (0, 0)
    count, times = 0, []
    with closing(open_source(CAMERA, str(film))) as source:
        for frame in islice(source.frames(), WARM_UP + frames):
            size, count = frame.size, count + 1
            times.append(frame.pts)
    if count < 2 * WARM_UP:
        raise FilmError(
            f"{film.name} has {count} frames, too few to measure on; give a film of at least "
            f"{2 * WARM_UP}."
        )
    return Film(film, count - WARM_UP, size, (count - 1) / max(times[-1] - times[0], 1e-3))


def table(found: Mapping[str, Any]) -> str:
    """What was measured, as two tables in Markdown."""
    rows = [
        (
            f"`{name}`",
            tables.of_spread(found["frames_per_s"][name]),
            tables.of_spread(found["cpu_ms_per_frame"][name]),
            tables.of_spread(found.get(f"ratio_to_{name}")),
            tables.of_spread(found.get(f"cpu_ratio_to_{name}")),
        )
        for name in MODULES
        if found["frames_per_s"][name] is not None
    ]
    heads = (
        "",
        "frames/s",
        "processor, ms a frame",
        "pipeline's rate over it",
        "its processor time over the pipeline's",
    )
    stages = ((stage, f"{ms:.2f}") for stage, ms in found["stages_cpu_ms"].items())
    first = (
        f"{found['detector']}; {found['frames']} frames of {found['film']}, input "
        f"{found['canvas'][0]}x{found['canvas'][1]}; median (least to most) of {found['repeat']}.\n"
    )
    absent = "".join(f"\nNot measured: {text}\n" for text in found["absent"].values())
    where = tables.markdown(("the pipeline's stage", "processor, ms a frame"), stages)
    return f"{first}\n{tables.markdown(heads, rows)}\n{where}{absent}"
