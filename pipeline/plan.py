"""Which workers an installation needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.config import Config
from pipeline.posts import Infos, Spec
from pipeline.workers.link import Order


def plan(config: Config, run: str) -> list[Spec]:
    """The workers of an installation and what each is told; `run` names this run of it."""

    def order(name: str, **options: Any) -> Callable[[Infos], Order]:
        return lambda infos: Order(name=name, config=config, options=options)

    def publish_order(infos: Infos) -> Order:
        url = infos["embedded"]["url"] if embedded else config.redis.get_secret_value()
        return Order(name="publish", config=config, options={"redis": url})

    embedded = config.redis.get_secret_value() == "embedded"
    specs = [
        Spec(
            "watch", f"watch-{group}", order(f"watch-{group}", cameras=cameras, run=run), stop_s=2.0
        )
        for group, cameras in config.watch_groups().items()
    ]
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
