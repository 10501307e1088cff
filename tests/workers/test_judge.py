"""The judge turns a describer's answers, and its failures, into amendments."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from happenings import NOW, after, asked, judged, scene
from running import until

from pipeline import config
from pipeline.configfile import validate
from pipeline.errors import ModelReplyError, ModelTimeout, ModelUnavailable
from pipeline.media import LocalMedia
from pipeline.store import Store
from pipeline.types import Outcome, Scene, State, Verdict
from pipeline.workers import judge as module
from pipeline.workers.judge import LEASE_S, MAX_TRIES, RETRY_S, Judge


class Model:
    """A describer that does what a test wants."""

    name = "stub"

    def __init__(self) -> None:
        self.answer: Callable[[], Verdict] = lambda: judged(Outcome.YES).verdict
        self.asked: list[Scene] = []
        self.released = threading.Event()

    def thinks(self) -> Verdict:
        """Answers when the test is over."""
        self.released.wait(10)
        return judged(Outcome.YES).verdict

    def describe(self, scene: Scene, *, timeout_s: float) -> Verdict:
        self.asked.append(scene)
        return self.answer()

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data") as opened:
        yield opened


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[Model]:
    stub = Model()
    monkeypatch.setattr(module, "load_describer", lambda settings, media: stub)
    yield stub
    stub.released.set()


def settings() -> config.Config:
    return validate(
        {"cameras": {"a": {"source": "a.mp4"}}, "describer": {"model": "http://127.0.0.1:9"}},
        where="test",
        folder=Path(),
    )


@pytest.fixture
def judge(store: Store, model: Model, tmp_path: Path) -> Judge:
    thinker = module._Thinker(settings(), LocalMedia(tmp_path / "media"), lambda: NOW)
    return Judge(store, thinker, "judge-1")


def step_until(judge: Judge, now: Any, condition: Callable[[], Any]) -> Any:
    """Step at one moment until a condition holds; the describer's thread takes its time."""

    def stepped() -> Any:
        judge.step(now)
        return condition()

    return until(stepped, seconds=10)


def test_an_answer_becomes_the_events_verdict(store: Store, judge: Judge, model: Model) -> None:
    store.amend("e1", asked(), now=NOW)
    step_until(judge, after(1), lambda: store.event("e1").state is State.CONFIRMED)
    event = store.event("e1")
    assert event is not None
    assert event.probability == 0.9
    assert event.described_by == event.judged_by == "local tiny"
    assert event.scores["model"] > 0
    assert model.asked == [scene("e1")]


def test_a_model_that_is_away_is_asked_again_and_then_given_up(
    store: Store, judge: Judge, model: Model
) -> None:
    def away() -> Verdict:
        raise ModelUnavailable("Nothing answers at rtsp://me:sesame@host.")

    model.answer = away
    created = store.amend("e1", asked(), now=NOW)
    for attempt in range(1, MAX_TRIES + 1):
        now = after(attempt * (RETRY_S + 0.5))
        step_until(judge, now, lambda n=attempt: len(model.asked) == n)
        expected = {"retried": attempt} if attempt < MAX_TRIES else {"retried": 2, "unavailable": 1}
        step_until(judge, now, lambda e=expected: dict(judge.counters) == e)
    event = store.event("e1")
    assert event is not None
    assert (event.state, event.state_reason) == (State.UNVERIFIED, "model_unavailable")
    assert "Nothing answers" in (event.judge_reason or "")
    assert "sesame" not in (event.judge_reason or "")
    assert event.score == created.score


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ModelTimeout("It took too long."), "deadline"),
        (ModelReplyError("It said what is no answer.", "perhaps"), "model_reply"),
    ],
)
def test_other_failures_are_final_and_say_which(
    store: Store, judge: Judge, model: Model, error: Exception, reason: str
) -> None:
    def fail() -> Verdict:
        raise error

    model.answer = fail
    store.amend("e1", asked(), now=NOW)
    step_until(judge, after(1), lambda: store.event("e1").state is State.UNVERIFIED)
    assert store.event("e1").state_reason == reason
    assert len(model.asked) == 1


def test_an_event_without_pictures_is_not_asked_about(
    store: Store, judge: Judge, model: Model
) -> None:
    amendment = asked()
    blind = amendment.scene.model_copy(update={"images": ()})
    store.amend("e1", amendment.model_copy(update={"scene": blind}), now=NOW)
    step_until(judge, after(1), lambda: store.event("e1").state is State.UNVERIFIED)
    assert store.event("e1").state_reason == "no_pictures"
    assert model.asked == []


def test_a_judge_that_stops_gives_its_job_back_at_once(
    store: Store, judge: Judge, model: Model, tmp_path: Path
) -> None:
    store.amend("e1", asked(), now=NOW)
    model.answer = model.thinks
    step_until(judge, after(1), lambda: model.asked)
    judge.give_back(after(1))
    assert store.jobs.lease("judge", now=after(1), lease_s=1, worker="judge-2") is not None


def test_a_lease_is_kept_while_the_model_thinks(store: Store, judge: Judge, model: Model) -> None:
    store.amend("e1", asked(), now=NOW)
    model.answer = model.thinks
    step_until(judge, after(1), lambda: model.asked)
    judge.keep_lease(after(LEASE_S))
    later = after(1 + LEASE_S) + timedelta(seconds=1)
    assert store.jobs.lease("judge", now=later, lease_s=1, worker="judge-2") is None


def test_a_model_that_hangs_far_beyond_the_deadline_is_noticed(
    store: Store, judge: Judge, model: Model
) -> None:
    store.amend("e1", asked(judge_within_s=5), now=NOW)
    model.answer = model.thinks
    step_until(judge, after(1), lambda: model.asked)
    assert not judge.hung(after(6))
    assert judge.hung(after(6 + module.HUNG_S))
