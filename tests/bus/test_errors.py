"""What goes wrong with Redis is one sentence, without a password."""

from __future__ import annotations

import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from redis import exceptions as errors

from pipeline.bus import connection
from pipeline.bus.redis import RedisPublisher
from pipeline.bus.subscribe import subscribe, subscribe_async
from pipeline.errors import BusError

PASSWORD = "s3cret-pass"


def refusal(url: str) -> str:
    """The one sentence that publishing and subscribing agree on."""
    with pytest.raises(BusError) as refused, RedisPublisher(url, "test") as publisher:
        publisher.mark()
    with pytest.raises(BusError) as refused_too:
        next(iter(subscribe(url)))
    sentence = str(refused.value)
    assert str(refused_too.value).partition("(")[0] == sentence.partition("(")[0]
    for error in (refused.value, refused_too.value):
        assert PASSWORD not in "".join(traceback.format_exception(error))
    assert sentence.startswith(("Redis at redis://", "The Redis address "))
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """A port where something else answers, the same to everything."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                one, _ = listener.accept()
            except OSError:
                return
            with one:
                while one.recv(4096):
                    one.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.fixture
def protected(client: redis.Redis) -> Iterator[redis.Redis]:
    client.config_set("requirepass", PASSWORD)
    client.auth(PASSWORD)
    yield client
    client.config_set("requirepass", "")


def with_account(url: str, account: str) -> str:
    return url.replace("redis://", f"redis://{account}@")


def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        said = refusal(f"redis://user:{PASSWORD}@127.0.0.1:{port}/0")
    assert "cannot be reached; start it or correct `redis`" in said


def test_no_account(url: str, protected: redis.Redis) -> None:
    assert "wants a user name or password; add it" in refusal(url)


def test_a_wrong_password(url: str, protected: redis.Redis) -> None:
    assert "refuses the user name or password" in refusal(with_account(url, f":{PASSWORD}x"))
    assert "refuses the user name or password" in refusal(with_account(url, f"me:{PASSWORD}x"))


def test_a_password_where_none_is_wanted(url: str) -> None:
    assert "Redis at" in refusal(with_account(url, f"me:{PASSWORD}"))


def test_an_account_that_may_not_publish(url: str, client: redis.Redis) -> None:
    client.execute_command("ACL", "SETUSER", "weak", "on", f">{PASSWORD}", "+ping")
    assert "does not allow this account" in refusal(with_account(url, f"weak:{PASSWORD}"))
    client.execute_command("ACL", "DELUSER", "weak")


def test_something_that_is_not_redis() -> None:
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        assert "is not Redis" in refusal(f"redis://:{PASSWORD}@127.0.0.1:{port}/0")


def test_something_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    quick: Callable[[str], redis.Redis] = lambda url: connection.connect(url, timeout_s=0.1)  # noqa: E731
    monkeypatch.setattr("pipeline.bus.redis.connect", quick)
    monkeypatch.setattr("pipeline.bus.subscribe.connect", quick)
    with answering(b"") as port:
        assert "does not answer" in refusal(f"redis://:{PASSWORD}@127.0.0.1:{port}/0")


@pytest.mark.parametrize(
    "url",
    [
        f"redis://:{PASSWORD}@127.0.0.1:port/0",
        f"redis://:{PASSWORD}@[::1/0",
        f"redis://:{PASSWORD}@127.0.0.1/0?colour=red",
        f"redis://:{PASSWORD}@127.0.0.1/0?socket_timeout=soon",
    ],
)
def test_an_address_that_is_none(url: str) -> None:
    assert "is not understood; write redis://host:port/number" in refusal(url)


async def test_asyncio_says_the_same(url: str, protected: redis.Redis) -> None:
    with pytest.raises(BusError, match="wants a user name or password"):
        await anext(aiter(subscribe_async(url)))
    with pytest.raises(BusError, match="not understood"):
        await anext(aiter(subscribe_async("redis://127.0.0.1:port")))


def test_a_stream_name_that_is_taken(url: str, client: redis.Redis) -> None:
    client.set("{vigil:events}:publishers", "mine")
    client.set("vigil:events", "mine")
    assert "keeps something else under 'vigil:events'" in refusal(url)


def test_a_replica(url: str, client: redis.Redis) -> None:
    client.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        with pytest.raises(BusError, match="read-only replica"):
            RedisPublisher(url, "test").rewind(1)
    finally:
        client.execute_command("REPLICAOF", "NO", "ONE")


def test_a_server_out_of_memory(url: str, client: redis.Redis) -> None:
    client.config_set("maxmemory", "1")
    try:
        with pytest.raises(BusError, match="memory limit; raise `maxmemory`"):
            RedisPublisher(url, "test").rewind(1)
    finally:
        client.config_set("maxmemory", "0")


def every_error(kind: type[errors.RedisError]) -> Iterator[type[errors.RedisError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from every_error(below)


@pytest.mark.parametrize("kind", sorted(set(every_error(errors.RedisError)), key=str))
def test_every_error_of_the_client_becomes_a_sentence(kind: type[errors.RedisError]) -> None:
    url = f"redis://me:{PASSWORD}@192.0.2.1:6379/0"
    error = kind.__new__(kind)
    Exception.__init__(error, f"Something with {url}")
    with pytest.raises(BusError) as refused, connection.bus_errors(url):
        raise error
    assert "redis://***@192.0.2.1:6379/0" in str(refused.value)
    assert PASSWORD not in "".join(traceback.format_exception(refused.value))


def test_pauses_grow_up_to_a_cap_for_as_long_as_it_takes() -> None:
    assert 0.1 <= connection.pause_s(1) <= 0.2
    assert 2.5 <= connection.pause_s(10) <= 5.0
    assert 2.5 <= connection.pause_s(100_000) <= 5.0
    assert len({connection.pause_s(5) for _ in range(20)}) > 1


def test_a_repr_holds_no_password(tmp_path: Path) -> None:
    publisher = RedisPublisher(f"redis://me:{PASSWORD}@127.0.0.1:1/0", "test")
    assert PASSWORD not in repr(publisher) + repr(publisher._client)
