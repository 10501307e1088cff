"""A real browser for tests: headless Chromium from Debian, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from running import missing

PLAYED = """video => new Promise((done, failed) => {
  video.addEventListener('error', () => failed(new Error('the clip does not play')));
  const heard = name => new Promise(hear => video.addEventListener(name, hear, {once: true}));
  const at = async seconds => {
    video.currentTime = seconds;
    // The first to be heard of may be a seek that was under way.
    while (video.seeking) await heard('seeked');
    const canvas = document.createElement('canvas');
    canvas.width = 64; canvas.height = 48;
    const pen = canvas.getContext('2d');
    pen.drawImage(video, 0, 0, 64, 48);
    return [...pen.getImageData(0, 0, 64, 48).data].join();
  };
  const play = async () => {
    video.muted = true;
    const playing = heard('playing');
    video.play();
    await playing;
    video.pause();
    const first = await at(0), later = await at(video.duration * 0.75);
    done({
      changed: later !== first,
      at: video.currentTime,
      frames: video.getVideoPlaybackQuality().totalVideoFrames,
    });
  };
  play().catch(failed);
})"""
"""Plays a clip, and tells whether the picture at three quarters is another than at the beginning."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    found = shutil.which("chromium")
    if found is None:
        missing("Debian's chromium")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=found,
            args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
        )
        yield browser
        browser.close()


@contextmanager
def open_tab(chromium: Any, url: str) -> Iterator[Any]:
    """A tab at the address; nothing it does may fail there or leave it."""
    context = chromium.new_context(base_url=url, viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    tab.set_default_timeout(15_000)
    trouble: list[str] = []
    tab.on("console", lambda m: trouble.append(m.text) if m.type == "error" else None)
    tab.on("pageerror", lambda error: trouble.append(str(error)))
    tab.on(
        "request",
        lambda r: None if r.url.startswith(url) else trouble.append(f"asked for {r.url}"),
    )
    yield tab
    context.close()
    assert trouble == []
