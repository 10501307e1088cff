from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import handmade
import pytest
from handmade import times
from running import ROOT

from pipeline.config import Camera, OwnRule
from pipeline.configfile import parse_config
from pipeline.errors import ConfigError
from pipeline.protocols import Remembering, Rule
from pipeline.rules import make_rule, make_rules
from pipeline.rules.own import MOST_FINDINGS, TELL_EVERY_S, Own
from pipeline.types import Finding, Track

PAGE = (ROOT / "docs" / "rules.md").read_text()
RAISED = {
    "error": ZeroDivisionError,
    "exit": SystemExit,
    "cancelled": asyncio.CancelledError,
    "interrupt": KeyboardInterrupt,
}


class Toy:
    """Finds the first track; does as `options` say."""

    def __init__(self, key: str, config: OwnRule, zone: object) -> None:
        self._options = config.options
        self._learned: dict[str, object] = {}

    def update(self, view) -> object:
        if self._options.get("raises"):
            raise RAISED[self._options["raises"]]("oops")
        if "gives" in self._options:
            return self._options["gives"]
        finding = Finding(
            rule="whatever",
            tracks=view.tracks[:1],
            zone=None,
            started=view.monotonic,
            rule_reason="There is something.",
            strength=0.5,
            evidence={"seen": 1.0},
            question="Is there something?",
        )
        return [replace(finding, **self._options.get("finding", {}))]

    def state(self) -> object:
        return self._options.get("state", {"learned": self._learned})

    def restore(self, state) -> None:
        self._learned = state["learned"]


class Stubborn:
    """Has what raises where a method should be."""

    def __init__(self, *_: object) -> None:
        pass

    @property
    def update(self) -> None:
        raise RuntimeError("not today")


class Shy(list[object]):
    def __getitem__(self, _: object) -> object:
        raise SystemExit


class Endless(str):
    __slots__ = ()

    def __len__(self) -> int:
        raise OverflowError


class Learning(Toy):
    def memory(self) -> object:
        return {"days": 3} | self._learned

    def recall(self, memory) -> None:
        self._learned = dict(memory)


class Half:
    def __init__(self, *_: object) -> None:
        pass

    def update(self, view) -> list[Finding]:
        return []


nothing_to_call = 3


def fails(*_: object) -> Rule:
    raise KeyError("speed")


def cancels(*_: object) -> Rule:
    raise asyncio.CancelledError("speed")


def own(attribute: str = "Toy", **options: object) -> Rule:
    section = OwnRule.model_validate({"type": f"{__name__}:{attribute}", "options": options})
    return make_rule("limps", section, {})


def person(at: float) -> Track:
    return handmade.track(7, 500, 800, at=at)


def test_an_own_rule_finds_under_its_name_in_the_configuration():
    (finding,) = own().update(handmade.view(0, [person(0)]))
    assert finding.rule == "limps"
    assert finding.rule_reason == "There is something."


@pytest.mark.parametrize(
    ("type_", "said"),
    [
        ("no_such_module:Rule", r"cannot be imported \(ModuleNotFoundError: .*no_such_module"),
        (f"{__name__}:Missing", r"cannot be imported \(AttributeError"),
        (f"{__name__}:nothing_to_call", "is nothing that can be called"),
        (f"{__name__}:fails", r"failed \(KeyError: 'speed'\)"),
        (f"{__name__}:cancels", r"failed \(CancelledError: speed\)"),
        (f"{__name__}:Half", "has no method 'state'"),
        (f"{__name__}:Stubborn", r"failed \(RuntimeError: not today\)"),
    ],
)
def test_what_is_no_rule_is_told_in_a_sentence_that_names_camera_and_rule(type_, said):
    limping = Camera.model_validate({"source": "film.mp4", "rules": {"limps": {"type": type_}}})
    with pytest.raises(
        ConfigError, match=rf"^cameras\.door\.rules\.limps\.type: .*{said}"
    ) as error:
        make_rules("door", limping)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"raises": "error"}, "update failed, ZeroDivisionError: oops"),
        ({"raises": "exit"}, "update failed, SystemExit: oops"),
        ({"raises": "cancelled"}, "update failed, CancelledError: oops"),
        ({"gives": None}, "update gave NoneType, not a list of findings"),
        ({"gives": [3]}, "update gave int, not a Finding"),
        ({"finding": {"strength": 2.0}}, "a finding's strength is no number from 0 to 1"),
        ({"finding": {"strength": float("nan")}}, "a finding's strength is no number"),
        ({"finding": {"zone": "moon"}}, "a finding's zone 'moon' is none of this camera's"),
        ({"finding": {"evidence": {"a": "b"}}}, "a finding's evidence has what is no number"),
        ({"gives": Shy([1])}, "a finding cannot be used, SystemExit"),
        ({"finding": {"started": 1e9}}, "a finding's started is no moment of the year up to now"),
        ({"finding": {"started": -1e12}}, "a finding's started is no moment of the year up to now"),
        ({"finding": {"question": Endless("How long?")}}, "a finding cannot be used, Overflow"),
        ({"finding": {"rule_reason": ""}}, "a finding's rule_reason is no sentence"),
        ({"finding": {"tracks": (3,)}}, "a finding's tracks are no tracks of the view"),
        ({"finding": {"tracks": None}}, "a finding's tracks are no tracks of the view"),
        ({"finding": {"zone": ["moon"]}}, "a finding cannot be used, TypeError"),
        ({"finding": {"strength": 10**400}}, "a finding cannot be used, OverflowError"),
        ({"finding": {"rule_reason": "Half a letter: \ud800"}}, "rule_reason is no sentence"),
        ({"finding": {"evidence": {3: 1.0}}}, "a finding's evidence has what is no name"),
        ({"finding": {"group": "yes"}}, "a finding's group is neither true nor false"),
    ],
)
def test_a_look_in_which_it_fails_goes_without_it_and_is_counted(options, said, caplog):
    rule = own(**options)
    assert isinstance(rule, Own)
    assert rule.update(handmade.view(0, [person(0)])) == []
    assert rule.failures == 1
    (record,) = caplog.records
    assert record.getMessage().startswith("Camera back-door: rule limps (")
    assert said in record.getMessage()
    assert record.exc_info is None


def test_more_findings_than_a_look_may_have_are_cut_off_and_told_of(caplog):
    (finding,) = own().update(handmade.view(0, [person(0)]))
    rule = own(gives=[finding] * (MOST_FINDINGS + 1))
    assert isinstance(rule, Own)
    assert rule.update(handmade.view(0, [person(0)])) == [finding] * MOST_FINDINGS
    assert rule.failures == 0
    assert "gave too much in this look: of its 101 findings the first 100 count." in caplog.text


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"rule_reason": "long " * 1000}, {"rule_reason": ("long " * 200)[:999] + "…"}),
        ({"question": "b" * 1001}, {"question": "b" * 999 + "…"}),
        ({"question": "b" * 1000}, None),
        ({"evidence": {"n" * 101: 1.0}}, {"evidence": {"n" * 99 + "…": 1.0}}),
        (
            {"evidence": {str(number): 1.0 for number in range(101)}},
            {"evidence": {str(number): 1.0 for number in range(100)}},
        ),
    ],
)
def test_what_is_too_long_is_cut_off_and_told_of(given, kept, caplog):
    (finding,) = own(finding=given).update(handmade.view(0, [person(0)]))
    for name, value in (kept or given).items():
        assert getattr(finding, name) == value
    assert ("sentences and questions are cut off at 1000 characters" in caplog.text) == bool(kept)


def test_an_interrupt_of_its_own_is_a_failure_where_cameras_are_watched(caplog):
    rule = own(raises="interrupt")
    with ThreadPoolExecutor(1) as analyst:
        assert analyst.submit(rule.update, handmade.view(0)).result() == []
    assert "update failed, KeyboardInterrupt: oops" in caplog.text


def test_control_c_while_a_replay_asks_it_ends_the_replay():
    with pytest.raises(KeyboardInterrupt):
        own(raises="interrupt").update(handmade.view(0))


def test_failures_are_told_of_once_a_minute(caplog):
    rule = own(raises="error")
    for at in times(0, TELL_EVERY_S + 1, 1.0):
        assert rule.update(handmade.view(at)) == []
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert "60 times lately" in caplog.records[1].getMessage()


def test_a_state_that_is_no_json_is_left_out(caplog):
    for state in (object(), 3, {"a": float("nan")}):
        rule = own(state=state)
        rule.update(handmade.view(0))
        assert rule.state() == {}
    assert len(caplog.records) == 3


def test_its_state_and_memory_outlive_a_restart():
    first, second = own("Learning"), own("Learning")
    assert isinstance(first, Remembering)
    assert isinstance(second, Remembering)
    assert not isinstance(own("Toy"), Remembering)
    first.recall({"faces": 5})
    # What has not been taken over yet is not lost by one more restart.
    assert first.memory() == {"faces": 5}
    first.update(handmade.view(0))
    assert first.memory() == {"days": 3, "faces": 5}
    second.restore(json.loads(json.dumps(first.state())))
    second.update(handmade.view(1))
    assert second.memory() == {"days": 3, "faces": 5}


def test_a_state_that_it_cannot_take_over_takes_nothing_down(caplog):
    rule = own()
    rule.restore({})
    assert rule.update(handmade.view(0, [person(0)]))
    assert "restore failed, KeyError: 'learned'" in caplog.text


def test_the_example_of_the_page_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (source,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "my_rules.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_rules", raising=False)
    paced = camera(next(example for example in examples() if "my_rules" in example))
    (rule,) = make_rules("door", paced).values()
    zones = paced.named_zones()
    found = []
    for at in times(0, 4):
        # To and fro by half a height, twice a second.
        track = handmade.track(7, 500, 800, at=at)
        track = replace(track, velocity=(0.9 if round(at * 5) % 4 < 2 else -0.9, 0.0))
        found += rule.update(handmade.view(at, [track], zones))
    assert found
    assert found[0].rule_reason == "A person paces on the platform (3 turns), 02:14."
    assert found[0].zone == "platform"
    again = make_rules("door", paced)["paces"]
    again.restore(json.loads(json.dumps(rule.state())))
    assert again.update(handmade.view(4.2, [handmade.track(7, 500, 800, at=4.2)], zones))


def examples() -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def camera(example: str) -> Camera:
    text = "cameras:\n  door:\n    source: film.mp4\n" + textwrap.indent(example, "    ")
    return parse_config(text, where="docs/rules.md", folder=Path()).cameras["door"]


@pytest.mark.parametrize("example", examples())
def test_each_example_of_the_page_is_valid(example):
    assert camera(example).rules
