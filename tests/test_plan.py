"""Which workers there are, and which there are after a camera has misbehaved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.configfile import validate
from pipeline.endings import Ending
from pipeline.health import Cause
from pipeline.plan import plan
from pipeline.posts import Spec
from pipeline.restarts import PATIENT, WARY


def watches(*cameras: str, groups: dict[str, list[str]] | None = None) -> list[Spec]:
    settings = {
        "cameras": {key: {"source": f"rtsp://{key}"} for key in cameras},
        "groups": groups or {},
    }
    config = validate(settings, where="test", folder=Path.cwd())
    return [spec for spec in plan(config, "run") if spec.kind == "watch"]


def after(spec: Spec, *suspects: str) -> Sequence[Spec]:
    assert spec.split is not None
    return spec.split(Ending(Cause.CRASHED, "", "", suspects, datetime.now(UTC)))


def shape(specs: Sequence[Spec]) -> dict[str, list[str]]:
    return {spec.name: list(spec.order({}).options["cameras"]) for spec in specs}


def test_there_is_a_watch_worker_for_each_group() -> None:
    specs = watches("a", "b", "c", groups={"east": ["a"]})
    assert shape(specs) == {"watch-east": ["a"], "watch-cameras": ["b", "c"]}
    assert [spec.subjects for spec in specs] == [("a",), ("b", "c")]


def test_a_group_that_is_called_cameras_shares_its_worker_with_those_in_no_group() -> None:
    specs = watches("a", "b", "c", groups={"cameras": ["a"]})
    assert shape(specs) == {"watch-cameras": ["a", "b", "c"]}


def test_code_of_the_users_own_is_searched_where_the_caller_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def searched(**settings: object) -> list[str]:
        camera = {"source": "rtsp://a", **settings}
        config = validate({"cameras": {"a": camera}}, where="test", folder=tmp_path)
        (watch,) = (spec for spec in plan(config, "run") if spec.kind == "watch")
        return list(watch.order({}).options.get("search", ()))

    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    assert str(tmp_path) in searched(rules={"paces": {"type": "my_rules:Pacing"}})
    # Nobody's folder is searched without need.
    assert searched() == []


def test_a_known_offender_goes_to_a_worker_of_its_own_that_is_restarted_warily() -> None:
    (spec,) = watches("a", "b", "c")
    assert after(spec, "b") == []
    parts = after(spec, "b")
    assert shape(parts) == {"watch-cameras": ["a", "c"], "watch-cameras/b": ["b"]}
    assert [part.policy for part in parts] == [PATIENT, WARY]
    assert all(part.order({}).name == part.name for part in parts)


def test_an_unknown_offender_is_closed_in_on_and_no_two_workers_share_a_name() -> None:
    (whole,) = watches("a", "b", "c", "d", "e", "f")
    after(whole, *whole.subjects)
    specs = list(after(whole, *whole.subjects))
    assert shape(specs) == {"watch-cameras": ["d", "e", "f"], "watch-cameras#2": ["a", "b", "c"]}
    specs += after(specs.pop(1), "a", "b", "c")
    specs += after(specs.pop(0), "d", "e", "f")
    assert len({spec.name for spec in specs}) == len(specs) == 4
    assert sorted(key for spec in specs for key in spec.subjects) == list("abcdef")


def test_what_was_nobodys_doing_parts_nobody() -> None:
    (spec,) = watches("a", "b")
    assert [list(after(spec)) for _ in range(5)] == [[]] * 5


def test_an_offender_that_is_left_alone_is_restarted_warily_too() -> None:
    (spec,) = watches("a", "b")
    after(spec, "a", "b")
    assert [part.policy for part in after(spec, "a", "b")] == [WARY, WARY]
