"""What tests of the rules share."""

from __future__ import annotations

import json
from typing import Any

import pytest
from passing_by import ordinary_days, rule


@pytest.fixture(scope="session")
def learned() -> dict[str, Any]:
    """What was learned in ten days, as JSON."""
    novelty = rule()
    ordinary_days(novelty, range(10))
    return json.loads(json.dumps(novelty.memory()))
