"""Photographs the page: `python scripts/screenshots.py http://127.0.0.1:8480/ docs/images`.

Needs the development requirements and Debian's chromium. The page should show a run with events
and annotated clips, such as the demo's.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
DESKTOP, PHONE = (1280, 900), (390, 844)
QUALITY = 80
MOST_BYTES = 300_000
SETTLE_MS = 800


def photograph(browser: Browser, url: str, folder: Path) -> None:
    """Write the list and one event, wide and narrow, light and dark."""
    for name, (width, height), scheme in (
        ("desktop", DESKTOP, "light"),
        ("phone", PHONE, "light"),
        ("desktop-dark", DESKTOP, "dark"),
    ):
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        page = context.new_page()
        page.goto(url)
        page.wait_for_selector(".card")
        save(page, folder / f"events-{name}.jpg")
        card = page.locator(".card:has([data-annotated]) h2 a").first
        card.click()
        page.wait_for_selector("[data-whole]")
        play(page)
        save(page, folder / f"event-{name}.jpg", whole=name == "phone")
        context.close()


def play(page: Page) -> None:
    """Show the middle of the clip instead of its poster."""
    page.eval_on_selector(
        "video",
        """video => new Promise(done => {
            video.muted = true;
            video.addEventListener('seeked', done, {once: true});
            video.addEventListener('loadeddata', () => { video.currentTime = video.duration / 2; },
                {once: true});
            video.preload = 'auto';
            video.load();
        })""",
    )


def save(page: Page, path: Path, *, whole: bool = False) -> None:
    page.wait_for_function(
        "() => [...document.images].every(i => i.complete || i.loading === 'lazy')"
    )
    # The player fades its controls.
    page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=path, type="jpeg", quality=QUALITY, full_page=whole)
    if path.stat().st_size > MOST_BYTES:
        sys.exit(f"{path} is larger than {MOST_BYTES} bytes")


def main() -> None:
    url, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        photograph(browser, url, folder)
        browser.close()


if __name__ == "__main__":
    main()
