"""The page in a browser: headless Chromium, driven by Playwright."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from browser import PLAYED, chromium, open_tab
from conftest_web import EVENT, OTHER, Installation, Served, served
from happenings import NOW, after, asked, clip_failed, created, judged
from running import until

__all__ = ["chromium"]


@pytest.fixture
def tab(chromium: Any, page: Served) -> Iterator[Any]:
    with open_tab(chromium, page.url) as opened:
        yield opened


def test_an_event_appears_and_changes_without_a_reload(
    installation: Installation, tab: Any
) -> None:
    tab.goto("/")
    assert tab.locator("#empty").is_visible()
    installation.happen(scene=asked().scene)
    tab.wait_for_selector(f"#event-{EVENT}")
    assert "waiting for the model" in tab.inner_text(f"#event-{EVENT}")
    assert not tab.locator("#empty").is_visible()
    installation.store.amend(EVENT, judged(), now=after(3))
    tab.wait_for_selector(f"#event-{EVENT} .state-confirmed")
    installation.happen(OTHER)
    tab.wait_for_selector(f"#event-{OTHER}")
    cards = tab.eval_on_selector_all(".card", "cards => cards.map(c => c.dataset.event)")
    assert cards == [OTHER, EVENT]


def test_a_page_that_does_not_exist_stays_as_it_is(chromium: Any, page: Served) -> None:
    tab = chromium.new_page(base_url=page.url)
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url.removeprefix(page.url)))
    tab.goto("/nowhere")
    tab.keyboard.press("?")  # its script has run when the keys are shown
    tab.wait_for_selector("#keys[open]")
    assert asked.count("/nowhere") == 1
    assert not any(url.startswith("/live") for url in asked)
    tab.close()


def test_filters_hold_for_what_appears_too(installation: Installation, tab: Any) -> None:
    installation.happen(EVENT)
    installation.happen(OTHER, rule="person")
    tab.goto("/")
    tab.select_option("select[name=rule]", "person")
    tab.wait_for_url("**/?*rule=person*")
    assert tab.locator(".card").count() == 1
    installation.store.amend("zz1", created(), now=NOW)
    installation.store.amend("zz2", created(rule="person"), now=NOW)
    tab.wait_for_selector("#event-zz2")
    assert tab.locator("#event-zz1").count() == 0


def test_clips_play_seek_and_change_between_raw_and_annotated(
    installation: Installation, tab: Any, tmp_path: Path
) -> None:
    installation.happen()
    installation.film(tmp_path)
    tab.goto(f"/events/{EVENT}")
    assert "/annotated" in tab.get_attribute("video", "src")
    played = tab.eval_on_selector("video", PLAYED)
    assert played["changed"]
    assert played["at"] == pytest.approx(6.0, abs=0.3)
    assert played["frames"] > 0
    tab.click("[data-variant]")
    tab.wait_for_function(
        "() => { const v = document.querySelector('video');"
        " return v.src.includes('/clip') && v.readyState > 1 && v.currentTime > 5; }"
    )
    assert tab.eval_on_selector("video", PLAYED)["changed"]
    # The captions are there and understood.
    cues = tab.eval_on_selector(
        "video",
        """video => new Promise(done => {
            const track = video.textTracks[0];
            track.mode = 'hidden';
            const look = () => track.cues && track.cues.length
                ? done([...track.cues].map(cue => cue.text)) : setTimeout(look, 50);
            look();
        })""",
    )
    assert any("A person has stood at the back door" in cue for cue in cues)


def test_of_a_masked_camera_the_annotated_clip_plays_and_no_other_is_offered(
    installation: Installation, tab: Any, tmp_path: Path
) -> None:
    installation.happen()
    installation.film(tmp_path, restricted=True)
    tab.goto(f"/events/{EVENT}")
    assert tab.eval_on_selector("video", PLAYED)["changed"]
    assert "/annotated" in tab.get_attribute("video", "src")
    tab.keyboard.press("a")
    assert "/annotated" in tab.get_attribute("video", "src")
    assert tab.locator("[data-variant]").count() == 0
    assert tab.locator("a.download").all_inner_texts() == ["Save annotated clip"]


def test_a_clip_that_is_watched_goes_on_when_the_event_changes(
    installation: Installation, tab: Any, tmp_path: Path
) -> None:
    installation.happen(scene=asked().scene)
    installation.film(tmp_path, annotated=False)
    tab.goto("/")
    tab.eval_on_selector("video", PLAYED)
    tab.eval_on_selector("video", "video => { video.dataset.same = 'yes'; }")
    installation.store.amend(EVENT, judged(), now=after(3))
    tab.wait_for_selector(f"#event-{EVENT} .state-confirmed")
    assert tab.get_attribute("video", "data-same") == "yes"
    assert tab.eval_on_selector("video", "video => video.currentTime") > 5


def test_marks_are_made_and_undone_by_key_and_by_button(
    installation: Installation, tab: Any, page: Served
) -> None:
    installation.happen()

    def mark() -> str | None:
        found = page.get(f"/api/v1/events/{EVENT}").json()["mark"]
        return found and found["kind"]

    tab.goto("/")
    tab.keyboard.press("j")
    tab.keyboard.press("f")
    until(lambda: mark() == "false")
    tab.wait_for_selector("[data-mark-as=false][aria-pressed=true]")
    tab.keyboard.press("u")
    until(lambda: mark() is None)
    tab.wait_for_selector("[data-mark-as=false][aria-pressed=false]")
    tab.click("[data-mark-as=real]")
    until(lambda: mark() == "real")
    tab.click(".toast button")
    until(lambda: mark() is None)


def test_a_missed_happening_is_marked_at_the_moment_that_is_shown(
    installation: Installation, tab: Any, page: Served, tmp_path: Path
) -> None:
    installation.happen()
    installation.film(tmp_path)
    tab.goto(f"/events/{EVENT}")
    tab.eval_on_selector("video", PLAYED)
    tab.keyboard.press("m")
    tab.fill("#missed input", "a fox")
    tab.keyboard.press("Enter")
    made = until(lambda: page.get("/api/v1/marks").json()["items"])
    assert (made[0]["kind"], made[0]["note"]) == ("missed", "a fox")
    # The clip begins 3 s before the event, and 6 s of it were shown.
    assert made[0]["at"].startswith("2026-11-05T02:14:10")


def test_the_keyboard_reaches_everything_and_keys_are_explained(
    installation: Installation, tab: Any
) -> None:
    installation.happen()
    installation.happen(OTHER)
    tab.goto("/")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    tab.keyboard.press("?")
    assert tab.locator("#keys").is_visible()
    tab.keyboard.press("Escape")
    tab.keyboard.press("j")
    tab.keyboard.press("j")
    assert tab.evaluate("document.activeElement.dataset.event") == EVENT
    tab.keyboard.press("k")
    assert tab.evaluate("document.activeElement.dataset.event") == OTHER
    tab.keyboard.press("Enter")
    tab.wait_for_url(f"**/events/{OTHER}")


def test_without_a_clip_the_page_says_why(installation: Installation, tab: Any) -> None:
    installation.happen()
    tab.goto("/")
    assert "the clip is being made" in tab.inner_text(".clip-text")
    installation.store.amend(EVENT, clip_failed(), now=after(3))
    tab.wait_for_function(
        "() => document.querySelector('.clip-text').textContent === 'clip unavailable: disk full'"
    )


def test_why_and_by_whom_is_on_the_events_page(installation: Installation, tab: Any) -> None:
    installation.happen(scene=asked().scene)
    installation.store.amend(EVENT, judged(judge_reason="Two things."), now=after(3))
    tab.goto(f"/events/{EVENT}")
    text = tab.inner_text("main")
    for part in (
        "Does a person linger at the door?",
        "The model says yes, with 90 %",
        "Answered by local tiny",
        "A man in a red coat waits.",
        "the model's answer",
        "uncalibrated",
        "What was known when",
    ):
        assert part in text, part
    assert tab.locator(".bar rect").count() == 2


def test_what_arrives_while_somebody_reads_waits_to_be_asked_for(
    installation: Installation, tab: Any
) -> None:
    for number in range(12):
        installation.happen(f"e{number:02d}")
    tab.goto("/")
    tab.mouse.wheel(0, 1500)
    tab.wait_for_function("() => scrollY > 300")
    installation.happen("zz")
    tab.wait_for_selector("#news:visible")
    assert tab.inner_text("#news") == "1 new event"
    assert tab.locator("#event-zz").count() == 0
    tab.click("#news")
    tab.wait_for_selector("#event-zz")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", f"/events/{EVENT}"])
def test_a_phone_shows_it_without_scrolling_sideways(
    installation: Installation, chromium: Any, page: Served, tmp_path: Path, path: str, scheme: str
) -> None:
    installation.happen(camera_name="the very long name of a camera " * 3)
    installation.film(tmp_path)
    context = chromium.new_context(
        base_url=page.url, viewport={"width": 360, "height": 740}, color_scheme=scheme
    )
    opened = context.new_page()
    opened.goto(path)
    opened.wait_for_selector("[data-event]")
    wide = opened.evaluate("document.documentElement.scrollWidth")
    ground = opened.evaluate("getComputedStyle(document.body).backgroundColor")
    context.close()
    assert wide <= 360
    assert (sum(int(part) for part in ground[4:-1].split(",")) < 200) == (scheme == "dark")


def test_what_happens_between_the_page_and_its_stream_appears(
    installation: Installation, tab: Any
) -> None:
    def meanwhile(route: Any) -> None:
        installation.happen()
        route.continue_()

    tab.route("**/live*", meanwhile, times=1)
    tab.goto("/")
    tab.wait_for_selector(f"#event-{EVENT}")


LOOK_AWAY = """hidden => {
  Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});
  document.dispatchEvent(new Event('visibilitychange'));
}"""


def test_any_number_of_tabs_is_open_and_each_catches_up_when_it_is_looked_at(
    installation: Installation, tab: Any
) -> None:
    tabs = [tab] + [tab.context.new_page() for _ in range(7)]
    for one in tabs:
        # Browsers allow six connections: those that nobody sees must have given theirs back.
        one.goto("/")
        one.wait_for_selector("#cameras [data-camera]")
        one.evaluate(LOOK_AWAY, True)
    installation.happen()
    tabs[0].evaluate(LOOK_AWAY, False)
    tabs[0].wait_for_selector(f"#event-{EVENT}")
    assert tabs[1].locator(f"#event-{EVENT}").count() == 0


def test_a_browser_that_is_not_known_any_more_is_told_how_to_come_back(
    installation: Installation, chromium: Any
) -> None:
    with served(installation.site(), listen="0.0.0.0") as page:
        context = chromium.new_context(base_url=page.url)
        opened = context.new_page()
        opened.goto(httpx.URL(page.links[0]).raw_path.decode())
        opened.click("button")
        opened.wait_for_function("() => document.querySelector('.filters button')?.hidden")
        entered = context.cookies()
        context.clear_cookies()
        opened.evaluate(LOOK_AWAY, True)
        opened.evaluate(LOOK_AWAY, False)
        opened.wait_for_selector("#connection:visible")
        opened.wait_for_function(
            "() => document.getElementById('connection').textContent.includes('open the link')"
        )
        # And when it is known again, it comes back by itself.
        context.add_cookies(entered)
        opened.wait_for_selector("#connection", state="hidden")
        context.close()


def test_a_card_that_could_not_be_fetched_is_asked_for_again(
    installation: Installation, chromium: Any, page: Served
) -> None:
    context = chromium.new_context(base_url=page.url)
    opened = context.new_page()
    opened.goto("/")
    opened.wait_for_selector("#empty:visible")
    opened.route("**/card", lambda route: route.fulfill(status=503), times=1)
    installation.happen()
    opened.wait_for_selector(f"#event-{EVENT}")
    context.close()


def test_a_list_that_is_open_for_weeks_does_not_grow_without_end(
    installation: Installation, tab: Any
) -> None:
    tab.goto("/")
    tab.wait_for_selector("#empty:visible")
    ids = [f"e{number:03d}" for number in range(205)]
    for at, event_id in enumerate(ids):
        installation.store.amend(event_id, created(), now=NOW)
        if at % 100 == 99:
            tab.wait_for_selector(f"#event-{event_id}")
    tab.wait_for_selector(f"#event-{ids[-1]}")
    assert tab.locator(".card").count() == 200
    tab.click("#older a")
    tab.wait_for_selector(f"#event-{ids[4]}")
    assert tab.locator(".card").count() == 5
