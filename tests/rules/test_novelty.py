"""What is unusual for a camera and hour is found, once it has learned what is usual there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from handmade import view
from passing_by import (
    HOUR_S,
    knowing,
    noon,
    ordinary_days,
    passing,
    watch,
    wavering,
)

from pipeline.rules.ordinary import Surprise


@pytest.mark.parametrize(
    ("unusual", "sentence"),
    [
        ({"y": 400.0}, "A person is where hardly any was before at this hour"),
        ({"pace": 2.4}, "A person is unusually fast at the back door"),
        ({"height": 380.0}, "A person is unusually large for that place"),
        ({"back": True}, "A person moves in an unusual direction at the back door"),
        ({"stays": 400.0}, "A person is at the back door for unusually long"),
        ({"label": "dog"}, "A dog is a rare sight at the back door"),
    ],
)
def test_what_is_unusual_is_found_and_the_sentence_says_in_which_way(
    learned: dict[str, Any], unusual: dict[str, Any], sentence: str
) -> None:
    found = watch(knowing(learned), passing(1, noon(10), **unusual))
    assert found
    assert found[0].rule_reason.startswith(f"{sentence} (")
    assert "bits, usually under" in found[0].rule_reason
    assert found[0].evidence["surprise_bits"] > found[0].evidence["limit_bits"]


def test_the_faster_the_more_surprising(learned: dict[str, Any]) -> None:
    surprises = []
    for pace in (1.8, 2.5, 3.5):
        found = watch(knowing(learned), passing(1, noon(10), pace=pace))
        surprises.append(max(finding.evidence["speed_bits"] for finding in found))
    assert surprises[0] + 1 < surprises[1]
    assert surprises[1] + 1 < surprises[2]


def test_who_runs_slightly_up_and_down_is_fast_all_the_same(learned: dict[str, Any]) -> None:
    found = watch(knowing(learned), wavering(passing(1, noon(10), pace=3.6)))
    assert found[-1].rule_reason.startswith("A person is unusually fast at the back door (")


def test_a_box_that_jumps_for_a_second_is_not_fast(learned: dict[str, Any]) -> None:
    looks = list(passing(1, noon(10)))
    jumps = [
        (at, replace(track, velocity=(4.0, 0.0)) if 4 <= index < 6 else track)
        for index, (at, track) in enumerate(looks)
    ]
    assert not watch(knowing(learned), iter(jumps))


def test_what_flickers_for_half_a_second_is_no_passage(learned: dict[str, Any]) -> None:
    novelty = knowing(learned)
    looks = list(passing(1, noon(10), y=400.0))[:4]
    flicker = [(looks[0][0] + 0.2 * index, track) for index, (_, track) in enumerate(looks)]
    assert not watch(novelty, iter(flicker))
    assert novelty.memory()["passages"] == learned["passages"]


def test_who_comes_at_night_where_nobody_does_is_found(learned: dict[str, Any]) -> None:
    found = watch(knowing(learned), passing(1, noon(10) - 9 * HOUR_S))
    assert found[0].rule_reason.startswith("A person is at the back door at an unusual hour (")
    assert found[0].rule_reason.endswith(", 03:00.")


def test_who_passes_as_others_did_is_not_found(learned: dict[str, Any]) -> None:
    assert not watch(knowing(learned), passing(1, noon(10)))


def test_usual_passages_are_found_less_often_than_allowed(learned: dict[str, Any]) -> None:
    found = ordinary_days(knowing(learned), range(10, 30))
    assert len({finding.tracks[0].id for finding in found}) <= 0.5 * 20


@pytest.mark.parametrize(
    ("bits", "usual", "told"),
    [
        (12.2, 3.1, "12 bits, usually under 3"),
        (4.6, 0.3, "5 bits, usually under 1"),
        (4.9, 4.6, "4.9 bits, usually under 4.6"),
        (1.3, 0.2, "1.3 bits, usually under 1.0"),
    ],
)
def test_what_is_beyond_the_usual_never_reads_as_if_it_were_not(
    bits: float, usual: float, told: str
) -> None:
    assert Surprise({"size": bits}, {"size": usual}, {"size": bits - usual}).told == told


def test_what_is_found_holds_until_it_ends(learned: dict[str, Any]) -> None:
    novelty = knowing(learned)
    held = [bool(novelty.update(view(at, [t]))) for at, t in passing(1, noon(10), y=400.0)]
    first = held.index(True)
    assert all(held[first:])
    assert 3 <= first <= 5


@pytest.mark.parametrize("keys", [{"warm_up_hours": 400}, {"warm_up_passages": 5000}])
def test_it_is_silent_during_its_warm_up(learned: dict[str, Any], keys: dict[str, Any]) -> None:
    assert not watch(knowing(learned, **keys), passing(1, noon(10), y=400.0))


def test_only_what_is_in_the_zone_counts(learned: dict[str, Any]) -> None:
    novelty = knowing(learned, zone="step")
    assert not watch(novelty, passing(1, noon(10), y=400.0))
    assert novelty.memory()["passages"] == learned["passages"]


def test_of_a_label_that_was_never_seen_only_its_rarity_is_told(learned: dict[str, Any]) -> None:
    found = watch(knowing(learned), passing(1, noon(10), label="dog", pace=3.0, y=400.0))
    assert {name for name in found[0].evidence if name.endswith("_bits")} == {
        "surprise_bits",
        "limit_bits",
        "label_bits",
    }
