"""Films with the truth of who is where, in the format of MOTChallenge (Milan et al., 2016).

A folder with `seqinfo.ini`, `gt/gt.txt`, and its pictures in `img1/` or as one film. A line of the
truth is `frame, id, left, top, width, height, counts, class, visible`, frames from 1.
"""

from __future__ import annotations

import configparser
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import cast

from pipeline.errors import DatasetError
from pipeline.sources import open_source
from pipeline.sources.pictures import ArrayPicture
from pipeline.types import Box, Frame, Image

PEDESTRIANS = frozenset({-1, 1})
"""Classes that count; -1 where there is but one."""
AMBIGUOUS = frozenset({2, 7, 8, 12})
"""Who is on a vehicle, stands for ever, is a picture of a person, or a reflection: as MOTChallenge
has it, to find or not to find them is neither right nor wrong."""
FILMS = (".mp4", ".avi", ".mkv", ".mov", ".webm")
PICTURES = (".jpg", ".jpeg", ".png")
CAMERA = "sequence"
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Truth:
    """Who is where in one picture; what is found at the boxes in `ambiguous` does not count."""

    people: list[tuple[int, Box]] = field(default_factory=list)
    ambiguous: list[Box] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Sequence:
    """`fps` pictures a second, `truth` of each of them; `source` is a film, or a folder of
    pictures in the order of their names."""

    name: str
    fps: float
    source: Path
    truth: list[Truth]

    def frames(self) -> Iterator[Frame]:
        """Its frames in order, at times that are exactly `fps` a second apart.

        Raises:
            SourceError: the film cannot be read.
            DatasetError: a picture cannot, or there are fewer than the truth is of.
        """
        index = -1
        for index, frame in enumerate(islice(self._read(), len(self.truth))):
            at = index / self.fps
            yield replace(
                frame,
                index=index,
                pts=at,
                monotonic=at,
                captured_at=_BEGIN + timedelta(seconds=at),
                discontinuity=False,
            )
        if index + 1 < len(self.truth):
            raise DatasetError(
                f"{self.source} ends after {index + 1} pictures, but seqinfo.ini tells of "
                f"{len(self.truth)}."
            )

    def _read(self) -> Iterator[Frame]:
        if self.source.is_file():
            with closing(open_source(CAMERA, str(self.source))) as source:
                yield from source.frames()
            return
        import cv2

        for file in _pictures(self.source):
            image = cast("Image | None", cv2.imread(str(file)))
            if image is None:
                raise DatasetError(f"{file} cannot be read as a picture.")
            picture = ArrayPicture(image)
            yield Frame(CAMERA, 0, _BEGIN, 0.0, 0.0, picture.size, picture)


def read_sequence(folder: Path) -> Sequence:
    """A sequence in the format of MOTChallenge.

    Raises:
        DatasetError: it is not there or wrong; the message names the file, and the line.
    """
    information = folder / "seqinfo.ini"
    if not information.is_file():
        raise DatasetError(
            f"There is no sequence at {folder}: give a folder with a seqinfo.ini, gt/gt.txt, and "
            "img1/ or a film, as MOTChallenge has it."
        )
    parser = configparser.ConfigParser()
    try:
        parser.read(information, encoding="utf-8")
        about = parser["Sequence"]
        name, fps = about.get("name", folder.name), float(about["frameRate"])
        count = int(about["seqLength"])
    except (configparser.Error, KeyError, ValueError, UnicodeDecodeError) as error:
        raise DatasetError(
            f"{information}: write frameRate and seqLength as numbers below [Sequence]."
        ) from error
    if fps <= 0 or count <= 0:
        raise DatasetError(f"{information}: frameRate and seqLength must be above 0.")
    return Sequence(name, fps, _source(folder), _truth(folder / "gt" / "gt.txt", count))


def _source(folder: Path) -> Path:
    pictures = folder / "img1"
    if _pictures(pictures):
        return pictures
    films = sorted(file for file in folder.iterdir() if file.suffix.lower() in FILMS)
    if len(films) != 1:
        raise DatasetError(f"{folder} must hold img1/ with pictures, or one film.")
    return films[0]


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in PICTURES)


def _number(text: str) -> float:
    """Raises: ValueError: it is none, or one that is no figure."""
    number = float(text)
    if not isfinite(number):
        raise ValueError(text)
    return number


def _truth(file: Path, count: int) -> list[Truth]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{file} cannot be read: it holds the truth, one box a line.") from error
    truth = [Truth() for _ in range(count)]
    for number, line in enumerate(lines, 1):
        try:
            index, identity, x, y, width, height, *rest = map(_number, line.split(","))
        except ValueError:
            raise DatasetError(
                f"{file}, line {number}: write numbers, `frame,id,left,top,width,height,...`."
            ) from None
        if not 1 <= index <= count:
            raise DatasetError(f"{file}, line {number}: there is no frame {index:g} of {count}.")
        counts, kind = rest[:2] if len(rest) > 1 else (1.0, -1.0)
        box = Box(x, y, x + width, y + height)
        if kind in AMBIGUOUS:
            truth[int(index) - 1].ambiguous.append(box)
        elif kind in PEDESTRIANS and counts:
            truth[int(index) - 1].people.append((int(identity), box))
    if not any(one.people for one in truth):
        raise DatasetError(f"{file}: nobody is in it.")
    return truth
