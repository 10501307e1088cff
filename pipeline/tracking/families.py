"""Labels that a detector takes for one another, so that one track may bear several of them."""

from __future__ import annotations

_VEHICLES = ("car", "truck", "bus", "train", "motorcycle")
_ANIMALS = ("bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe")
_FAMILIES = {**dict.fromkeys(_VEHICLES, "vehicle"), **dict.fromkeys(_ANIMALS, "animal")}


def family(label: str) -> str:
    """Vehicles and animals are a family each; any other label stands alone."""
    return _FAMILIES.get(label, label)
