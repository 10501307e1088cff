"""`vigil bench rules`: what counts as found, missed and false, and what it prints."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from running import command, environment

from pipeline import config
from pipeline.bench import rules as module
from pipeline.bench.rules import measure_rules, table
from pipeline.bench.scenes.case import Case
from pipeline.bench.scenes.table import cases
from pipeline.bench.scenes.truth import Happening
from pipeline.errors import ConfigError

FIGURES = {"scenes", "failed", "found", "missed", "false", "precision", "recall"}
FIGURES |= {"delay_s", "delay_most_s"}


def some(kind: str, *names: str) -> list[Case]:
    chosen = [case for case in cases() if case.kind == kind and case.name in names]
    assert len(chosen) == len(names)
    return chosen


def happening(due: float, ends: float) -> Happening:
    return Happening("loiter", ("Ann",), "yard", due - 10, ends, due)


@pytest.mark.parametrize(
    ("opened", "delays", "missed", "false"),
    [
        ([12.4], (0.4,), 0, 0),
        ([], (), 1, 0),
        ([10.0], (), 1, 1),
        ([25.0], (), 1, 1),
        ([12.4, 15.0], (0.4,), 0, 1),
    ],
    ids=["in time", "never", "too early", "too late", "told twice"],
)
def test_an_event_is_of_a_happening_that_has_none_and_can_be_found_then(
    opened: list[float], delays: tuple[float, ...], missed: int, false: int
) -> None:
    got = module.matched([happening(12, 20)], opened)
    assert got[0] == pytest.approx(delays)
    assert (len(got[1]), len(got[2])) == (missed, false)


def test_each_of_two_happenings_wants_an_event_of_its_own() -> None:
    truth = [happening(12, 20), happening(14, 22)]
    delays, missed, false = module.matched(truth, [12.5, 14.5])
    assert (delays, missed, false) == ((0.5, 0.5), (), ())
    delays, missed, false = module.matched(truth, [14.5])
    assert (len(delays), len(missed), false) == (1, 1, ())


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    chosen = some("loiter", "somebody stands about", "somebody walks through")
    chosen += some("zone inside", "somebody walks through")
    return measure_rules(chosen=chosen, seeds=1, films=False, views=5)


def test_what_is_measured_is_json_with_the_figures_of_each_rule(measured: dict[str, Any]) -> None:
    found = json.loads(json.dumps(measured))
    assert {"fps", "seeds", "rules", "missing", "failed", "cost", "machine"} == set(found)
    assert set(found["rules"]) == {"loiter", "zone inside"}
    for of in found["rules"].values():
        assert list(of) == ["plain", "flicker", "occlusion", "identity", "loss", "light"]
        assert all(set(figures) == FIGURES for figures in of.values())
    plain = found["rules"]["loiter"]["plain"]
    assert (plain["found"], plain["missed"], plain["false"]) == (1, 0, 0)
    assert (plain["precision"], plain["recall"]) == (1, 1)
    assert plain["scenes"] == 2


def test_the_cost_is_that_of_twenty_tracks(measured: dict[str, Any]) -> None:
    cost = measured["cost"]
    assert cost["tracks"] == 20
    assert cost["looks"] == 5
    for figures in (cost["track"], cost["rules"], *cost["each"].values()):
        assert 0 < figures["median_ms"] <= figures["p95_ms"]


def test_the_table_says_all_of_it(measured: dict[str, Any]) -> None:
    lines = table(measured).splitlines()
    assert lines[0].startswith("| precision / recall | scenes | plain |")
    assert any(line.startswith("| loiter | 2 | 1.00 / 1.00 |") for line in lines)
    assert any(line.startswith("| tracking |") for line in lines)


def test_scenes_of_a_rule_that_is_not_there_are_listed_as_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "RULES", {config.LoiterRule: "loiter:Loitering"})
    chosen = some("loiter", "somebody walks through")
    chosen += some("zone inside", "somebody walks through", "nobody is there")
    found = measure_rules(chosen=chosen, hard=False, films=False, views=0)
    assert found["missing"] == {"zone inside": 2}
    assert set(found["rules"]) == {"loiter"}
    assert "- There is no rule for the 2 scenes of zone inside." in table(found)


def test_a_scene_that_fails_is_named_with_what_was_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "analysed", lambda *_, **__: [])
    chosen = some("loiter", "somebody stands about", "somebody walks through")
    found = measure_rules(chosen=chosen, hard=False, films=False, views=0)
    (failed,) = found["failed"]
    assert (failed["rule"], failed["scene"]) == ("loiter", "somebody stands about")
    (missed,) = failed["missed"]
    assert missed["who"] == ["Ann"]
    assert found["rules"]["loiter"]["plain"]["recall"] == 0
    assert found["rules"]["loiter"]["plain"]["precision"] is None
    assert "- Failed, though plain: loiter: somebody stands about." in table(found)


def test_a_kind_without_scenes_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match="no scenes for 'flying'; choose among zone inside"):
        measure_rules(only=["flying"])


def test_a_type_stands_for_all_its_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RULES", {})
    found = measure_rules(only=["speed"], films=False, views=0)
    assert set(found["missing"]) == {"speed running", "speed wrong way"}


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("bench", "rules", "--no-hard", "--no-films", "--views", "0", *options),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_command_prints_json_or_a_table() -> None:
    done = run("--only", "loiter")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rules"]["loiter"]["plain"]["recall"] == 1
    done = run("--only", "loiter", "--markdown")
    assert done.stdout.startswith("| precision / recall |"), done.stderr


def test_the_command_refuses_what_there_is_not_in_one_sentence() -> None:
    done = run("--only", "flying")
    assert done.returncode != 0
    assert "There are no scenes for 'flying'" in done.stderr
    assert "Traceback" not in done.stderr
