"""Labelled pictures in ultralytics' YOLO format: a data.yaml, `images/` and `labels/`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from pipeline.errors import DatasetError

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
TOLERANCE = 0.01
"""So far outside the picture a coordinate may be by rounding (ultralytics' value)."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A picture's file; `boxes` (n, 4) are centre x, centre y, width, height in fractions 0..1 of
    it, `classes` (n,) what they are, as the dataset numbers it."""

    picture: Path
    boxes: NDArray[np.float64]
    classes: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled pictures in the order of their paths, and the names of their classes."""

    file: Path
    names: Mapping[int, str]
    pictures: Sequence[Labelled]

    def labelled_classes(self) -> dict[int, int]:
        """How many boxes there are of each class that has any."""
        every = np.concatenate([one.classes for one in self.pictures])
        numbers, counts = np.unique(every, return_counts=True)
        return dict(zip(numbers.tolist(), counts.tolist(), strict=True))


def read_dataset(place: Path, split: str = "val") -> Dataset:
    """The pictures of a split of the dataset in the folder or data.yaml `place`.

    A label is a line `class x y width height`, or `class x1 y1 x2 y2 x3 y3 ...` of an outline, the
    box around which is taken. A picture without a file of labels shows nothing.

    Raises:
        DatasetError: it is not there or wrong; the message names the file, and the line.
    """
    file = place / "data.yaml" if place.is_dir() else place
    if not file.is_file():
        raise DatasetError(
            f"There is no dataset at {place}: give a folder with a data.yaml, images/ and labels/."
        )
    data = _yaml(file)
    names = _names(file, data)
    pictures = sorted(set(_pictures(file, data, split)))
    if not pictures:
        raise DatasetError(f"{file}: there are no pictures where `{split}` says.")
    found = [_labelled(picture, names) for picture in pictures]
    if not any(len(one.classes) for one in found):
        raise DatasetError(
            f"{file}: none of its {len(found)} pictures has labels; they belong beside images/ in "
            "labels/, in a file of the picture's name that ends in .txt."
        )
    return Dataset(file, names, found)


def _yaml(file: Path) -> Mapping[str, Any]:
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DatasetError(f"{file} cannot be read as YAML.") from error
    if not isinstance(data, Mapping):
        raise DatasetError(f"{file}: write at least `names` and `val`.")
    return data


def _names(file: Path, data: Mapping[str, Any]) -> dict[int, str]:
    names = data.get("names")
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not names or not all(isinstance(key, int) for key in names):
        raise DatasetError(f"{file}: `names` must be a list of the names of the classes.")
    return {key: str(name) for key, name in names.items()}


def _pictures(file: Path, data: Mapping[str, Any], split: str) -> Iterable[Path]:
    root = file.parent.resolve() / Path(str(data.get("path") or "")).expanduser()
    wanted = data.get(split)
    if not wanted:
        raise DatasetError(f"{file}: it has no `{split}`, which says where the pictures are.")
    for entry in wanted if isinstance(wanted, list) else [wanted]:
        place = root / str(entry)
        if place.is_dir():
            yield from (one for one in place.rglob("*") if one.suffix.lower() in SUFFIXES)
        elif place.suffix == ".txt" and place.is_file():
            for line in place.read_text(encoding="utf-8").split("\n"):
                if line.strip():
                    yield place.parent / line.strip()
        else:
            raise DatasetError(f"{file}: `{split}` names {place}, which is not there.")


def _labels_of(picture: Path) -> Path:
    """In place of the last folder `images` of its path there is one `labels`."""
    parts = list(picture.parts)
    places = [index for index, part in enumerate(parts[:-1]) if part == "images"]
    if places:
        parts[places[-1]] = "labels"
    return Path(*parts).with_suffix(".txt")


def _labelled(picture: Path, names: Mapping[int, str]) -> Labelled:
    file = _labels_of(picture)
    try:
        lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{file} cannot be read as text.") from error
    rows = [
        _row(f"{file}, line {number}", line.split(), names)
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]
    # A label that was written twice is one, as for ultralytics.
    unique = list(dict.fromkeys(rows))
    boxes = np.array([row[1:] for row in unique], np.float64).reshape(-1, 4)
    return Labelled(picture, boxes, np.array([row[0] for row in unique], np.intp))


Row = tuple[int, float, float, float, float]


def _row(where: str, words: Sequence[str], names: Mapping[int, str]) -> Row:
    try:
        label, *places = [float(word) for word in words]
    except ValueError:
        raise DatasetError(f"{where}: write numbers, `class x y width height`.") from None
    if len(places) != 4 and (len(places) < 6 or len(places) % 2):
        raise DatasetError(f"{where}: it has {len(words)} numbers; write `class x y width height`.")
    if label not in names:
        raise DatasetError(
            f"{where}: there is no class {label:g} among the {len(names)} `names` of the data.yaml."
        )
    if not all(-TOLERANCE <= place <= 1 + TOLERANCE for place in places):
        raise DatasetError(
            f"{where}: write places and sizes in fractions 0..1 of the picture, not in pixels."
        )
    if len(places) > 4:
        xs, ys = places[::2], places[1::2]
        width, height = max(xs) - min(xs), max(ys) - min(ys)
        places = [min(xs) + width / 2, min(ys) + height / 2, width, height]
    x, y, width, height = places
    return int(label), x, y, width, height
