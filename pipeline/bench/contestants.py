"""Contestants that take turns, each in a process of its own.

Machines drift, and other programs disturb: what is compared takes turns of a second or two, so that
all have the same share of it. A contestant gets its job in its first line of input and answers when
it is ready; then each further line has it do a piece of work. Each line is JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from pipeline import telemetry
from pipeline.errors import VigilError

END_S = 10.0
"""So long a contestant may take to end."""


@dataclass(frozen=True, slots=True)
class Turn:
    """How many frames were worked on in a turn, in how many seconds, and in how many seconds of all
    processors' time; `parts` are what the contestant counts besides, to be added up."""

    frames: int
    seconds: float
    cpu_s: float
    parts: Mapping[str, float]


def total(turns: Sequence[Turn]) -> Turn:
    """Several turns as one."""
    names = dict.fromkeys(name for turn in turns for name in turn.parts)
    return Turn(
        frames=sum(turn.frames for turn in turns),
        seconds=sum(turn.seconds for turn in turns),
        cpu_s=sum(turn.cpu_s for turn in turns),
        parts={name: sum(turn.parts.get(name, 0.0) for turn in turns) for name in names},
    )


class Absent(VigilError):
    """A contestant cannot take part; the message says what is missing."""


class Work(Protocol):
    """What a contestant's process does."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What it tells of itself when it is ready, as JSON."""
        ...

    def work(self, asked: Any) -> tuple[int, Mapping[str, float]]:
        """Do a piece of work; how many frames that were, and what else it counts."""
        ...


class Contestant:
    """The process of one contestant, as a context manager; it is ready on entry.

    Raises:
        Absent: it cannot take part.
        VigilError: it failed.
    """

    facts: Mapping[str, Any]

    def __init__(self, module: str, job: Mapping[str, Any]) -> None:
        self._module, self._job = module, job
        self._told = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", self._module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._told,
            text=True,
        )
        try:
            self.facts = self._ask(self._job)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def turn(self, asked: Any) -> Turn:
        """Have it do a piece of work, and wait for that."""
        return Turn(**self._ask(asked))

    def _ask(self, asked: Any) -> dict[str, Any]:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended, and the next line says so
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            raise VigilError(f"{self._module} ended in the middle: {self._last_words()}.")
        answer: dict[str, Any] = json.loads(line)
        if "absent" in answer:
            raise Absent(answer["absent"])
        if "error" in answer:
            raise VigilError(answer["error"])
        return answer

    def _last_words(self) -> str:
        self._told.seek(0)
        lines = self._told.read().decode(errors="replace").strip().splitlines()
        return lines[-1].rstrip(".") if lines else "it said nothing"

    def _end(self) -> None:
        process = self._process
        if process is not None:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                process.communicate(timeout=END_S)  # the end of its input has it end
            process.kill()
            process.wait()
        self._told.close()


def serve(start: Callable[[Any], Work]) -> None:
    """The process of a contestant: `start` gets its job and gives what does its work."""
    telemetry.switch_off()
    # What libraries print must not come between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def answer(found: Mapping[str, Any]) -> None:
        answers.write(json.dumps(found) + "\n")
        answers.flush()

    try:
        work = start(json.loads(sys.stdin.readline()))
        answer(work.facts)
        for line in sys.stdin:
            asked = json.loads(line)
            began, cpu = time.perf_counter(), time.process_time()
            frames, parts = work.work(asked)
            seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
            answer({"frames": frames, "seconds": seconds, "cpu_s": cpu_s, "parts": dict(parts)})
    except Absent as error:
        answer({"absent": str(error)})
    except VigilError as error:
        answer({"error": str(error)})
    # Native threads of decoders and models must not hold the exit up.
    answers.close()
    os._exit(0)
