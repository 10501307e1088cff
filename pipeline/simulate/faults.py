"""What can be wrong with a simulated camera, and from when to when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Self

from pipeline.errors import ConfigError


class FaultKind(StrEnum):
    """What is wrong with a camera."""

    NO_ANSWER = "no-answer"
    REFUSE = "refuse"
    NOT_FOUND = "not-found"
    UNAUTHORIZED = "unauthorized"
    REDIRECT = "redirect"
    STALL = "stall"
    RTCP_ONLY = "rtcp-only"
    FIN = "fin"
    RST = "rst"
    GARBAGE = "garbage"
    PACKET_LOSS = "packet-loss"
    RESOLUTION = "resolution"
    TIMESTAMP_JUMP = "timestamp-jump"
    FROZEN = "frozen"
    SLOW = "slow"

    @property
    def sentence(self) -> str:
        """What the camera does while this is wrong with it, for people."""
        return _ABOUT[self].sentence


class _About(NamedTuple):
    sentence: str
    parameter: str = ""
    default: str = ""


_ABOUT: Mapping[FaultKind, _About] = {
    FaultKind.NO_ANSWER: _About(
        "It accepts connections and answers nothing; running streams fall silent."
    ),
    FaultKind.REFUSE: _About(
        "It refuses connections and resets running ones. The port is closed while every camera of "
        "the server refuses; beside others, its connections are reset at the first request."
    ),
    FaultKind.NOT_FOUND: _About(
        "It answers 404, as for a wrong path, and hangs up on running streams."
    ),
    FaultKind.UNAUTHORIZED: _About(
        "It answers 401 to every account and hangs up on running streams."
    ),
    FaultKind.REDIRECT: _About(
        "It answers 302 and names another camera of the server, or another address, and hangs up "
        "on running streams.",
        "a camera's name, or an address with ://",
    ),
    FaultKind.STALL: _About("The connection stays and is answered, but nothing is sent any more."),
    FaultKind.RTCP_ONLY: _About(
        "Ten RTCP sender reports a second keep the connection busy, but no picture is sent."
    ),
    FaultKind.FIN: _About("It ends each stream in good order, as soon as it has begun."),
    FaultKind.RST: _About("It resets the connection of each stream, as soon as it has begun."),
    FaultKind.GARBAGE: _About("It sends random bytes in place of RTP packets."),
    FaultKind.PACKET_LOSS: _About(
        "A share of the RTP packets is not sent.", "the share, above 0 and at most 1", "0.05"
    ),
    FaultKind.RESOLUTION: _About(
        "From a keyframe on the film is sent at half its width and height."
    ),
    FaultKind.TIMESTAMP_JUMP: _About(
        "The RTP times are this many seconds ahead, or behind where it is negative.",
        "seconds",
        "10",
    ),
    FaultKind.FROZEN: _About(
        "It sends one picture over and over, encoded anew with keyframes and running times."
    ),
    FaultKind.SLOW: _About(
        "It sends half as many pictures a second, with right times, as cameras do in the dark."
    ),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault with its parameter: a share, seconds, or where to; empty where it takes none.

    Raises:
        ConfigError: the parameter is missing or none that the fault takes.
    """

    kind: FaultKind
    parameter: str = ""

    def __post_init__(self) -> None:
        about = _ABOUT[self.kind]
        if not self.parameter:
            object.__setattr__(self, "parameter", about.default)
        if bool(self.parameter) != bool(about.parameter):
            raise ConfigError(
                f"The fault {self.kind} needs a parameter, {about.parameter}; write "
                f"{self.kind}:VALUE."
                if about.parameter
                else f"The fault {self.kind} takes no parameter; write {self.kind} alone."
            )
        if self.kind is FaultKind.PACKET_LOSS and not 0 < self.amount <= 1:
            raise ConfigError(f"The share of {self.kind} is above 0 and at most 1, as in 0.05.")
        if self.kind is FaultKind.TIMESTAMP_JUMP and not 0 < abs(self.amount) <= 1e9:
            raise ConfigError(f"The seconds of {self.kind} are a number other than 0, as in -30.")

    @classmethod
    def parse(cls, text: str) -> Self:
        """A fault as it is written: `stall`, `packet-loss:0.05`, `redirect:yard-2`.

        Raises:
            ConfigError: it is none.
        """
        name, _, parameter = text.partition(":")
        try:
            kind = FaultKind(name)
        except ValueError:
            raise ConfigError(
                f"There is no fault {name!r}; choose one of {', '.join(FaultKind)}."
            ) from None
        return cls(kind, parameter)

    @property
    def amount(self) -> float:
        """The parameter as a number; 0 where it is none."""
        try:
            return float(self.parameter)
        except ValueError:
            return 0.0

    def __str__(self) -> str:
        return f"{self.kind}:{self.parameter}" if self.parameter else str(self.kind)


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """A fault that begins `after_s` seconds after a camera has first been played, or at once where
    that is 0, and ends `for_s` seconds later, or never."""

    fault: Fault
    after_s: float = 5.0
    for_s: float | None = None

    def active(self, played_s: float) -> Fault | None:
        """What is wrong so many seconds after the camera was first played."""
        begun = played_s >= self.after_s
        ended = self.for_s is not None and played_s >= self.after_s + self.for_s
        return self.fault if begun and not ended else None


def plans(
    texts: Sequence[str], cameras: Sequence[str], *, after_s: float, for_s: float | None
) -> dict[str, FaultPlan]:
    """Camera -> its plan, from texts as `stall` (every camera) and `yard-2=packet-loss:0.1`
    (that camera, whatever the others get).

    Raises:
        ConfigError: a fault or camera is none, or two faults are for the same camera.
    """
    general: Fault | None = None
    own: dict[str, Fault] = {}
    for text in texts:
        # a redirection's address may hold a = too
        camera, mark, rest = text.partition("=")
        if not mark or ":" in camera:
            if general is not None:
                raise ConfigError("Two faults are for every camera; write CAMERA=NAME for each.")
            general = Fault.parse(text)
            continue
        if camera not in cameras:
            raise ConfigError(f"There is no camera {camera}; choose one of {', '.join(cameras)}.")
        if camera in own:
            raise ConfigError(f"Camera {camera} has two faults; give it one.")
        own[camera] = Fault.parse(rest)
    everywhere = dict.fromkeys(cameras, general) | own
    return {
        camera: FaultPlan(fault, after_s, for_s)
        for camera, fault in everywhere.items()
        if fault is not None
    }


def faults_table() -> str:
    """All faults with what they do, as a table in Markdown."""
    lines = ["| fault | parameter | what the camera does |", "| --- | --- | --- |"]
    for kind in FaultKind:
        about = _ABOUT[kind]
        preset = f" (default {about.default})" if about.default else ""
        lines.append(f"| `{kind}` | {about.parameter}{preset} | {about.sentence} |")
    return "\n".join(lines) + "\n"
