"""What one client gets to see: the film, or what a fault makes of it, on one line of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from threading import Lock
from typing import NamedTuple

from pipeline.simulate.faults import FaultKind
from pipeline.simulate.reel import AccessUnit, Reel
from pipeline.simulate.rtp import CLOCK_HZ
from pipeline.simulate.variants import resized, still

SEAM_S = 10.0
"""By so much the presentation times leap where the film begins anew, unless it is said otherwise:
its last picture seldom goes on into its first."""
KEPT_BYTES = 256 * 1024 * 1024
"""So much of all films is kept in memory; what is more is read anew for each client."""
_MAKERS = {FaultKind.FROZEN: still, FaultKind.RESOLUTION: resized}
_SLOWNESS = 2.0
_NOTHING_S = 1e-6
"""Times of a film are sums, and may be off by so much."""


class Material:
    """The pictures of a film from `start_s` on, and what faults make of them; shared by all
    cameras that show it."""

    def __init__(self, reel: Reel, start_s: float) -> None:
        self.reel = reel
        self._start_s = start_s
        self._kept: tuple[AccessUnit, ...] | None = None
        self._variants: dict[FaultKind, tuple[AccessUnit, ...]] = {}
        self._making = Lock()

    def keep(self, room: int) -> int:
        """Read the film into memory if it has at most `room` bytes; gives the bytes it takes.

        Raises:
            FilmError: it cannot be read.
        """
        try:
            size = self.reel.path.stat().st_size
        except OSError:
            size = 0  # reading it tells why
        if size > room:
            return 0
        self._kept = tuple(self.reel.access_units(self._start_s))
        return size

    def film(self, ahead_s: float = 0.0) -> Iterable[AccessUnit]:
        """The film's pictures, from the last keyframe at or before `ahead_s` on. Raises, while
        they are read: FilmError."""
        whole = self.reel.access_units(self._start_s) if self._kept is None else self._kept
        return _from_keyframe(whole, ahead_s) if ahead_s else whole

    def prepare(self, kind: FaultKind) -> None:
        """Make what a fault of this kind shows; takes a second or so where it has to be encoded.

        Raises:
            FilmError: the film cannot be read.
        """
        maker = _MAKERS.get(kind)
        with self._making:
            if maker is not None and kind not in self._variants:
                self._variants[kind] = maker(self.reel, self._start_s)

    @property
    def variants(self) -> Mapping[FaultKind, tuple[AccessUnit, ...]]:
        """What has been prepared."""
        return self._variants


def _from_keyframe(units: Iterable[AccessUnit], ahead_s: float) -> Iterator[AccessUnit]:
    group: list[AccessUnit] = []
    coming = iter(units)
    for unit in coming:
        if unit.due_s > ahead_s + _NOTHING_S:
            coming = chain((unit,), coming)
            break
        if unit.keyframe:
            group.clear()
        group.append(unit)
    yield from group
    yield from coming


class Picture(NamedTuple):
    """An access unit on its way. `due_s` is when it is to be sent, from the beginning of play on;
    `pts` when it is to be shown, in 1/90000 s on the same line of time; `leap` is what the film's
    new beginnings have added to the times that are sent. `film_s` is where it is in the film."""

    due_s: float
    pts: int
    leap: int
    units: tuple[bytes, ...]
    film_s: float


class Feed:
    """The film over and over if `loop`, without gaps in time, whatever is put in its place.

    It begins `ahead_s` into the film, and where that begins anew its presentation times leap by
    `seam_s`.
    """

    def __init__(
        self, material: Material, *, loop: bool, ahead_s: float = 0.0, seam_s: float = SEAM_S
    ) -> None:
        self._material = material
        self._loop = loop
        self._seam = round(seam_s * CLOCK_HZ)
        self._film = iter(material.film(ahead_s))
        self._variant: FaultKind | None = None
        self._units: Iterator[AccessUnit] = self._film
        self._leap = 0
        # where the next piece begins, once one ends
        self._position_s = self._end_s = 0.0
        self._last: AccessUnit | None = None
        self._to_keyframe = False

    def next(self, kind: FaultKind | None) -> Picture | None:
        """The next picture while such a fault, or none, is active; None once the film has ended.

        Raises:
            FilmError: the film cannot be read on.
        """
        slowness = _SLOWNESS if kind is FaultKind.SLOW else 1.0
        if not self.fits(kind):
            self._variant = self._variant_of(kind)
            self._units = self._film if self._variant is None else iter(())
            self._to_keyframe = self._variant is None
            self._splice(self._end_s)
        unit = self._unit()
        if unit is None:
            return None
        if self._last is not None:
            self._position_s += (unit.due_s - self._last.due_s) * slowness
        self._last = unit
        # a picture may be shown later than it is sent, or earlier than others that are
        shown = self._position_s * CLOCK_HZ + unit.pts - unit.due_s * CLOCK_HZ
        period_s = self._material.reel.period_s * slowness
        latest_s = max(self._position_s, shown / CLOCK_HZ)
        self._end_s = max(self._end_s, latest_s + period_s)
        return Picture(self._position_s, round(shown), self._leap, unit.units, unit.due_s)

    def fits(self, kind: FaultKind | None) -> bool:
        """Whether the last picture is of what such a fault, or none, shows."""
        return self._variant is self._variant_of(kind)

    def _variant_of(self, kind: FaultKind | None) -> FaultKind | None:
        return kind if kind in self._material.variants else None

    def resume(self, position_s: float) -> None:
        """Go on, from the next keyframe, after nothing was sent up to this time of playing."""
        self._to_keyframe = self._variant is None
        self._splice(max(position_s, self._end_s))

    def _splice(self, position_s: float) -> None:
        self._position_s = position_s
        self._last = None

    def _unit(self) -> AccessUnit | None:
        found = self._from_here()
        if found is not None or (self._variant is None and not self._loop):
            return found
        if self._variant is not None:
            self._units = iter(self._material.variants[self._variant])
        else:
            self._units = self._film = iter(self._material.film())
            self._leap += self._seam
        self._splice(self._end_s)
        return self._from_here()

    def _from_here(self) -> AccessUnit | None:
        for unit in self._units:
            if unit.keyframe or not self._to_keyframe:
                self._to_keyframe = False
                return unit
        self._to_keyframe = False
        return None
