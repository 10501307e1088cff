"""Which workers an installation needs."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any

from pipeline.config import Config
from pipeline.endings import Ending
from pipeline.offenders import Offenders
from pipeline.own import searched
from pipeline.posts import Infos, Spec
from pipeline.restarts import PATIENT, WARY, Policy
from pipeline.workers.link import Order

WATCH_SILENT_S = 8.0
"""A watch worker beats twice a second: 16 beats that are missing are no busy machine, which would
also keep the supervisor waiting, and then it judges nobody."""


def plan(config: Config, run: str) -> list[Spec]:
    """The workers of an installation and what each is told; `run` names this run of it."""

    def order(name: str, **options: Any) -> Callable[[Infos], Order]:
        return lambda infos: Order(name=name, config=config, options=options)

    def publish_order(infos: Infos) -> Order:
        url = infos["embedded"]["url"] if embedded else config.redis.get_secret_value()
        return Order(name="publish", config=config, options={"redis": url})

    embedded = config.redis.get_secret_value() == "embedded"
    specs = _Watches(config, run).specs()
    if config.describer is not None:
        specs.append(Spec("judge", "judge", order("judge"), tier=1, stop_s=0.8))
    if any(camera.enabled and camera.record.wanted for camera in config.cameras.values()):
        record = order("record")
        specs.append(Spec("record", "record", record, tier=1, stop_s=2.5, essential=False))
    needs = ("embedded",) if embedded else ()
    specs.append(Spec("publish", "publish", publish_order, needs=needs, tier=2, stop_s=1.2))
    if embedded:
        folder = str(config.data / "redis")
        specs.append(
            Spec("embedded", "embedded", order("embedded", folder=folder), tier=3, stop_s=0.9)
        )
    if config.web.enabled:
        # The page is there to the last, as it shows how the others end.
        specs.append(
            Spec("web", "web", order("web"), tier=4, stop_s=1.5, informed=True, essential=False)
        )
    return specs


class _Watches:
    """The watch workers: one for each group at first; a camera that keeps ending its group's
    process gets one of its own, for as long as the installation runs."""

    def __init__(self, config: Config, run: str) -> None:
        self._config, self._run = config, run
        # Where the caller finds code of the user's own, its workers find it too.
        self._search = {"search": searched()} if config.has_own_code else {}
        self._offenders = Offenders()
        self._numbers = itertools.count(2)

    def specs(self) -> list[Spec]:
        groups = self._config.watch_groups()
        return [self._spec(f"watch-{group}", cameras) for group, cameras in groups.items()]

    def _spec(self, name: str, cameras: tuple[str, ...], policy: Policy = PATIENT) -> Spec:
        def order(infos: Infos) -> Order:
            options = {"cameras": cameras, "run": self._run, **self._search}
            return Order(name=name, config=self._config, options=options)

        def split(ending: Ending) -> Sequence[Spec]:
            now = time.monotonic()
            stay, *moved = self._offenders.part(cameras, ending.suspects, now)
            if not moved:
                # One that is alone from the start is no better than one that was moved.
                lone = len(cameras) == 1 and policy is not WARY
                often = lone and self._offenders.too_often(cameras[0], now)
                return [self._spec(name, cameras, WARY)] if often else []
            alone = len(stay) == 1 and stay[0] in ending.suspects
            goes_on = self._spec(name, stay, WARY if alone else PATIENT)
            return [goes_on, *(self._moved(name, part) for part in moved)]

        return Spec(
            "watch",
            name,
            order,
            stop_s=2.0,
            silent_s=WATCH_SILENT_S,
            policy=policy,
            subjects=cameras,
            split=split,
        )

    def _moved(self, name: str, cameras: tuple[str, ...]) -> Spec:
        # Neither sign stands in the keys of groups and cameras: no two names are the same.
        group = name.partition("/")[0].partition("#")[0]
        if len(cameras) > 1:
            return self._spec(f"{group}#{next(self._numbers)}", cameras)
        return self._spec(f"{group}/{cameras[0]}", cameras, WARY)
