from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from pipeline.wording import article, clock, duration, place, sentence


@pytest.mark.parametrize(
    ("noun", "said"),
    [
        ("person", "a person"),
        ("airplane", "an airplane"),
        ("umbrella", "an umbrella"),
        ("hot dog", "a hot dog"),
        ("unicycle", "a unicycle"),
        ("hourglass", "an hourglass"),
        ("orange", "an orange"),
        ("skis", "a pair of skis"),
        ("scissors", "a pair of scissors"),
        ("broccoli", "broccoli"),
    ],
)
def test_the_article_goes_by_the_sound_and_by_whether_there_can_be_one(noun, said):
    assert article(noun) == said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("the lawn", "on the lawn"),
        ("the front step", "on the front step"),
        ("the back garden", "in the back garden"),
        ("the car park", "in the car park"),
        ("the back door", "at the back door"),
        ("Till 3", "at Till 3"),
        ("beside the pool", "beside the pool"),
        ("the bathroom", "at the bathroom"),
    ],
)
def test_a_place_has_the_preposition_people_would_use(name, said):
    assert place(name) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.4, "0.4 s"),
        (2, "2 s"),
        (42.9, "42 s"),
        (119, "119 s"),
        (120, "2 min"),
        (200, "3 min 20 s"),
    ],
)
def test_durations_are_read_at_a_glance(seconds, said):
    assert duration(seconds) == said


def test_the_clock_shows_the_time_of_the_moments_own_zone():
    moment = datetime(2026, 7, 1, 2, 14, 59, tzinfo=UTC)
    assert clock(moment) == "02:14"
    assert clock(moment.astimezone(ZoneInfo("Europe/Lisbon"))) == "03:14"


def test_a_sentence_begins_with_a_capital_and_ends_with_a_stop():
    assert sentence("a person is on the lawn") == "A person is on the lawn."
