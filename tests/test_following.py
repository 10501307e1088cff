"""What a program that follows events is told while they do not come."""

from __future__ import annotations

import pytest
from happenings import NOW, created

from pipeline.errors import BusError
from pipeline.following import Following
from pipeline.store.fold import fold
from pipeline.supervisor import Supervisor


def test_that_redis_is_away_is_said_once_each_time(caplog: pytest.LogCaptureFixture) -> None:
    following = Following(Supervisor([]), None)
    for sentence in ("It is away.", "It is away.", "It refuses.", "It refuses."):
        following.failed(BusError(sentence))
    event = fold(None, "e1", created(), NOW)
    assert following.is_new(event)
    following.failed(BusError("It refuses."))
    said = [record.getMessage() for record in caplog.records]
    assert said == ["It is away.", "It refuses.", "It refuses."]
