from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from pipeline.bus.embedded import EmbeddedRedis
from pipeline.store import Store


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real server."""
    embedded = EmbeddedRedis(tmp_path_factory.mktemp("bus") / "redis")
    yield embedded.start()
    embedded.stop()


@pytest.fixture
def url(server: str, client: redis.Redis) -> str:
    """The address of a real, empty server."""
    return server


@pytest.fixture
def client(server: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server, decode_responses=True, protocol=2) as client:
        client.flushall()
        yield client


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data") as store:
        yield store
