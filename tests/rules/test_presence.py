from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import handmade
import pytest
from handmade import times

from pipeline.config import PresenceRule
from pipeline.protocols import Rule
from pipeline.rules import make_rule
from pipeline.rules.presence import hours
from pipeline.types import Finding, Zone

SHOP = Zone("shop", "the shop", ((0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0)))
OPEN = {"days": "mon-fri", "hours": "08:00-18:00"}
SUNDAY_NIGHT = datetime(2026, 3, 1, 3, 12, tzinfo=UTC)
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def rule(**keys: object) -> Rule:
    section = PresenceRule.model_validate(
        {"type": "presence", "zone": "shop", "open": OPEN, **keys}
    )
    return make_rule("closed", section, {"shop": SHOP})


def told(
    watching: Rule,
    clock: datetime,
    begin: float = 0,
    end: float = 10,
    place: tuple[float, float] = (500, 800),
    **keys,
) -> list[tuple[float, Finding]]:
    """What is found of somebody who is there all the time, which begins at `clock`."""
    found = []
    for at in times(begin, end):
        track = replace(handmade.track(7, *place, at=at), **keys)
        view = replace(handmade.view(at, [track]), captured_at=clock + timedelta(seconds=at))
        found += [(at, finding) for finding in watching.update(view)]
    return found


def test_who_is_there_out_of_hours_is_found_while_there():
    found = told(rule(), SUNDAY_NIGHT)
    assert [at for at, _ in found] == pytest.approx(times(0.4, 10))
    finding = found[0][1]
    assert finding.rule_reason == (
        "A person is in the shop out of hours (open mon-fri 08:00-18:00), Sunday 03:12."
    )
    assert finding.question == "Is a person in the shop?"
    assert finding.started == 5000.0
    assert (found[0][1].strength, found[-1][1].strength) == pytest.approx((0.52, 1.0))


def test_who_is_there_while_it_is_open_is_not():
    assert not told(rule(), MONDAY.replace(hour=12))


def test_who_is_still_there_at_closing_time_is_found_from_then_on():
    found = told(rule(), MONDAY.replace(hour=17, minute=59, second=55))
    assert found[0][0] == pytest.approx(5.0)
    assert found[0][1].started == pytest.approx(5005.0)
    assert found[-1][1].evidence["out_of_hours_s"] == pytest.approx(5.0)
    assert found[-1][1].evidence["inside_s"] == pytest.approx(10.0)


def test_it_is_over_when_it_opens():
    found = told(rule(), MONDAY.replace(hour=7, minute=59, second=55))
    assert found[-1][0] == pytest.approx(4.8)


def test_who_is_elsewhere_or_settled_is_not_found():
    assert not told(rule(), SUNDAY_NIGHT, place=(500, 300))
    assert not told(rule(), SUNDAY_NIGHT, settled=True)


def test_after_a_restart_it_goes_on():
    clock = MONDAY.replace(hour=17, minute=59, second=55)
    before, after = rule(), rule()
    told(before, clock, end=8)
    after.restore(json.loads(json.dumps(before.state())))
    at, finding = told(after, clock, begin=8.2)[0]
    assert at == pytest.approx(8.2)
    assert finding.started == pytest.approx(5005.2, abs=0.01)


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ({"hours": "08:00-18:00"}, "daily 08:00-18:00"),
        ({"days": "sat, sun"}, "sat-sun"),
        ({"days": ["mon", "wed", "thu", "fri"]}, "mon, wed-fri"),
        ([OPEN, {"days": "sat", "hours": "9:00-13:00"}], "mon-fri 08:00-18:00 and sat 9:00-13:00"),
        (OPEN | {"timezone": "Europe/Lisbon"}, "mon-fri 08:00-18:00 Europe/Lisbon"),
    ],
)
def test_hours_are_told_shortly(schedule, said):
    section = PresenceRule.model_validate({"type": "presence", "open": schedule})
    assert hours(section.open) == said
