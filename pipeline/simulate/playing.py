"""A camera's stream to one client: its pictures in their time, and what faults do to them."""

from __future__ import annotations

import asyncio
import math
import os
import random
import secrets
import time
from enum import Enum, auto

from pipeline.simulate.camera import Camera
from pipeline.simulate.faults import Fault, FaultKind
from pipeline.simulate.feed import Feed, Picture
from pipeline.simulate.reports import CameraClock, sender_report
from pipeline.simulate.rtp import CLOCK_HZ, RTP_HEADER, Packetiser
from pipeline.simulate.transports import Carrier

REPORT_S = 2.0
"""Seconds between sender reports."""
_BUSY_REPORT_S = 0.1
_TICK_S = 0.05
"""So soon it is seen that a fault has begun or ended, where no picture is sent meanwhile."""
_RESETS = frozenset({FaultKind.RST, FaultKind.REFUSE})
_HANGS_UP = frozenset(
    {FaultKind.FIN, FaultKind.NOT_FOUND, FaultKind.UNAUTHORIZED, FaultKind.REDIRECT}
)
_SILENT = frozenset({FaultKind.STALL, FaultKind.RTCP_ONLY, FaultKind.NO_ANSWER})


class Ending(Enum):
    """How a stream ends."""

    GOOD = auto()
    RESET = auto()


class Player:
    """Plays a camera's film to a carrier.

    The RTP time of a picture is `first_timestamp` + its time of playing + what has been added by
    leaps (where the film begins anew; a fault). Sender reports say the same of the camera's clock:
    one goes out at the beginning, every two seconds, and before each leap's first picture, so
    that the newest one always holds for what follows it.
    """

    def __init__(
        self,
        camera: Camera,
        carrier: Carrier,
        clock: CameraClock,
        *,
        loop: bool,
        seam_s: float,
        reports: bool,
    ) -> None:
        self.first_timestamp = secrets.randbits(31)
        self._camera = camera
        self._carrier = carrier
        self._clock = clock
        self._reports = reports
        self._feed = Feed(camera.material, loop=loop, ahead_s=camera.ahead_s, seam_s=seam_s)
        self._packetiser = Packetiser(ssrc=secrets.randbits(32), sequence=secrets.randbits(16))
        # the same losses in each run
        self._chance = random.Random(camera.name)  # noqa: S311
        self._leap = 0
        self._packets = self._octets = 0
        self._began = 0.0
        self._reported_at = -math.inf
        self._upcoming: Picture | None = None
        self._silent = False

    @property
    def sequence(self) -> int:
        """The number of the first packet."""
        return self._packetiser.sequence

    async def run(self) -> Ending:
        """Play until the film or a fault ends the stream.

        Raises:
            FilmError: the film cannot be read on.
            TimeoutError: the client does not read.
            OSError: it has gone.
        """
        self._began = now = time.monotonic()
        self._camera.plays(now)
        while (ending := await self._step(now)) is None:
            now = time.monotonic()
        return ending

    async def _step(self, now: float) -> Ending | None:
        """Send what is due, or wait for it a little."""
        fault = self._camera.fault_at(now)
        kind = fault.kind if fault else None
        if kind in _RESETS:
            return Ending.RESET
        if kind in _HANGS_UP:
            return Ending.GOOD
        if kind in _SILENT:
            self._silent = True
            if kind is FaultKind.RTCP_ONLY:
                await self._report(now, every_s=_BUSY_REPORT_S)
            await asyncio.sleep(_TICK_S)
            return None
        if self._silent:
            self._silent, self._upcoming = False, None
            self._feed.resume(now - self._began)
        if self._reports:
            await self._report(now)
        if self._upcoming is None or not self._feed.fits(kind):
            self._upcoming = self._feed.next(kind)
        if self._upcoming is None:
            return Ending.GOOD
        wait_s = self._began + self._upcoming.due_s - now
        if wait_s > 0:
            await asyncio.sleep(min(wait_s, _TICK_S))
            return None
        await self._send(self._upcoming, fault, now)
        self._upcoming = None
        return None

    async def _send(self, picture: Picture, fault: Fault | None, now: float) -> None:
        kind = fault.kind if fault else None
        amount = fault.amount if fault else 0.0
        leap = picture.leap
        if kind is FaultKind.TIMESTAMP_JUMP:
            leap += round(amount * CLOCK_HZ)
        if leap != self._leap:
            self._leap = leap
            if self._reports:
                await self._report(now, every_s=0.0)
        if kind is FaultKind.GARBAGE:
            await self._carrier.noise(os.urandom(sum(map(len, picture.units))))
            return
        packets = self._packetiser.packets(picture.units, self.first_timestamp + picture.pts + leap)
        share = amount if kind is FaultKind.PACKET_LOSS else 0.0
        kept = [p for p in packets if self._chance.random() >= share] if share else packets
        await self._carrier.send(kept)
        self._packets += len(packets)
        self._octets += sum(map(len, packets)) - RTP_HEADER * len(packets)
        sent = self._camera.sent
        sent.pictures += 1
        sent.packets += len(kept)
        sent.packets_lost += len(packets) - len(kept)
        sent.film_s = picture.film_s

    async def _report(self, now: float, *, every_s: float = REPORT_S) -> None:
        """Send a report if the last one is so many seconds old."""
        if now - self._reported_at < every_s:
            return
        self._reported_at = now
        played = round((now - self._began) * CLOCK_HZ)
        await self._carrier.report(
            sender_report(
                ssrc=self._packetiser.ssrc,
                wall=self._clock.at(now),
                timestamp=self.first_timestamp + played + self._leap,
                packets=self._packets,
                octets=self._octets,
            )
        )
