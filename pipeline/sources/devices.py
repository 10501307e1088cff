"""Which webcams are plugged in, and which of them a name means."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import SourceNotFound
from pipeline.redact import shown

DEVICES = Path("/dev")
CLASS = Path("/sys/class/video4linux")


@dataclass(frozen=True, slots=True)
class Webcam:
    """/dev/video`number`. `names` are what it calls itself and what links in /dev/v4l/by-id call
    it, which stays the same wherever it is plugged in."""

    number: int
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"webcam:{self.number}" + (f" ({self.names[0]})" if self.names else "")

    def matches(self, text: str, *, whole: bool) -> bool:
        wanted = text.casefold()
        names = [name.casefold() for name in self.names]
        return wanted in names if whole else any(wanted in name for name in names)


def webcams(devices: Path = DEVICES, names: Path = CLASS) -> list[Webcam]:
    """What is plugged in, by number."""
    links: dict[str, list[str]] = {}
    try:
        for link in sorted((devices / "v4l" / "by-id").iterdir()):
            links.setdefault(link.resolve().name, []).append(link.name)
    except OSError:  # no such folder where nothing is plugged in
        links.clear()
    found = []
    for device in devices.glob("video[0-9]*"):
        number = device.name.removeprefix("video")
        if number.isdecimal():
            own = _text(names / device.name / "name")
            called = ([own] if own else []) + links.get(device.name, [])
            found.append(Webcam(int(number), tuple(called)))
    return sorted(found, key=lambda webcam: webcam.number)


def find_webcam(
    camera: str, wanted: str, *, devices: Path = DEVICES, names: Path = CLASS
) -> Webcam:
    """The webcam of a number or name; a part of a name is enough where only one has it.

    Raises:
        SourceNotFound: none or several are meant.
    """
    present = webcams(devices, names)
    if wanted.isdecimal():
        meant = [webcam for webcam in present if webcam.number == int(wanted)]
    else:
        # A webcam has a second device, for what is no picture, under the same name.
        video = [webcam for webcam in present if _is_video(names, webcam)]
        meant = [webcam for webcam in video if webcam.matches(wanted, whole=True)]
        meant = meant or [webcam for webcam in video if webcam.matches(wanted, whole=False)]
    if len(meant) == 1:
        return meant[0]
    if meant:
        several = ", ".join(map(str, meant))
        raise SourceNotFound(
            f"Camera {camera}: webcam:{shown(wanted)} may mean {several}; write the number or "
            "more of the name."
        )
    seen = ", ".join(map(str, present)) or "none"
    raise SourceNotFound(
        f"Camera {camera}: there is no webcam:{shown(wanted)}; plugged in: {seen}."
    )


def _is_video(names: Path, webcam: Webcam) -> bool:
    return _text(names / f"video{webcam.number}" / "index") in ("", "0")


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""
