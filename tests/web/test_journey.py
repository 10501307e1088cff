"""What a user does, on the real pipeline: watch a camera, see an event arrive, play its clip, mark
it. Later work keeps this green."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from browser import PLAYED, chromium, open_tab
from running import SMALL, until

from pipeline import Pipeline
from pipeline.configfile import validate

__all__ = ["chromium"]


@pytest.fixture
def installed(camera: str, tmp_path: Path) -> Any:
    settings = {
        "site": "shop",
        "data": str(tmp_path / "data"),
        "web": {"port": 0},
        "cameras": {
            "door": {
                "name": "the shop door",
                "source": camera,
                **SMALL,
                "rules": {"stays": {"type": "loiter", "seconds": 3, "severity": "alert"}},
                "record": {"pre_roll_s": 2, "post_roll_s": 2, "longest_s": 12},
            }
        },
    }
    with Pipeline(validate(settings, where="test", folder=tmp_path)) as running:
        yield running


def test_an_event_arrives_its_clip_plays_and_a_mark_is_made_and_undone(
    installed: Pipeline, chromium: Any
) -> None:
    url = installed.page_url()
    assert url is not None
    with open_tab(chromium, url) as tab, httpx.Client(base_url=url) as client:
        tab.goto("/")
        tab.wait_for_selector("#cameras [data-state=live]", timeout=30_000)
        tab.evaluate("window.sameDocument = true")
        tab.wait_for_selector(".card", timeout=40_000)
        card = tab.locator(".card").first
        assert "A person has stayed" in card.inner_text()
        assert "the shop door" in card.inner_text()
        event_id = card.get_attribute("data-event")
        # First the raw clip, then the annotated one: all without a reload.
        tab.wait_for_selector(f"#event-{event_id} video", timeout=40_000)
        tab.wait_for_selector(f"#event-{event_id} [data-variant]", timeout=60_000)
        assert tab.evaluate("window.sameDocument") is True

        def mark() -> str | None:
            found = client.get(f"/api/v1/events/{event_id}").json()["mark"]
            return found and found["kind"]

        tab.focus(f"#event-{event_id}")
        tab.keyboard.press("r")
        until(lambda: mark() == "real")
        tab.keyboard.press("u")
        until(lambda: mark() is None)

        tab.keyboard.press("Enter")
        tab.wait_for_selector("[data-whole] video")
        for _ in range(2):
            played = tab.eval_on_selector("video", PLAYED)
            assert played["changed"]
            assert played["at"] > 5
            tab.keyboard.press("a")
            tab.wait_for_function(
                "() => document.querySelector('video').readyState > 1"
                " && !document.querySelector('video').seeking"
            )
        versions = client.get(f"/api/v1/events/{event_id}/versions").json()
        kinds = [version["type"] for version in versions]
        assert kinds[0] == "created"
        assert kinds.count("clip_ready") >= 2
    assert installed.stop()
