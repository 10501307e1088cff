"""A subscriber gets every version once, in order, whatever happens to the server."""

from __future__ import annotations

import asyncio
import json
import logging
import queue
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Self

import pytest
import redis
from happenings import NOW, created, ended, updated
from relay import Relay

from pipeline.amendment import Amendment
from pipeline.bus.redis import RedisPublisher, publish_pending
from pipeline.bus.subscribe import subscribe, subscribe_async
from pipeline.store import Store
from pipeline.types import Event
from pipeline.wire import encode

PATIENCE_S = 20.0


class Publishing:
    """Makes events and publishes them at once."""

    def __init__(self, store: Store, publisher: RedisPublisher) -> None:
        self.store, self.publisher = store, publisher

    def __call__(self, event_id: str, amendment: Amendment | None = None) -> Event:
        event = self.store.amend(event_id, amendment or created(), now=NOW)
        publish_pending(self.store, self.publisher)
        return event


@pytest.fixture
def publish(url: str, store: Store) -> Iterator[Publishing]:
    with RedisPublisher(url, store.installation, kept=1000) as publisher:
        yield Publishing(store, publisher)


class Listener:
    """A subscriber in a thread of its own."""

    def __init__(self, url: str, **options: object) -> None:
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._asked = threading.Event()
        self._url, self._options = url, options
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        for event in subscribe(self._url, stop=self._due, poll_s=0.05, **self._options):  # type: ignore[arg-type]
            self._events.put(event)

    def _due(self) -> bool:
        self._asked.set()
        return self._stop.is_set()

    def next(self) -> tuple[str, int]:
        event = self._events.get(timeout=PATIENCE_S)
        return event.id, event.version

    def has_no_more(self) -> bool:
        """After it has looked once more."""
        for _ in range(2):
            self._asked.clear()
            assert self._asked.wait(PATIENCE_S)
        return self._events.empty()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._asked.wait(PATIENCE_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()


def heard(url: str, **options: object) -> list[tuple[str, int]]:
    """What is there from the start."""
    events = subscribe(url, from_start=True, timeout_s=0.05, **options)  # type: ignore[arg-type]
    return [(event.id, event.version) for event in events]


def test_it_hears_what_comes_from_now_on(url: str, publish: Publishing) -> None:
    publish("before")
    with Listener(url) as listener:
        publish("e1")
        assert listener.next() == ("e1", 1)
        publish("e1", ended())
        assert listener.next() == ("e1", 2)
        assert listener.has_no_more()


def test_it_hears_the_first_event_of_an_empty_server(url: str, publish: Publishing) -> None:
    with Listener(url) as listener:
        publish("e1")
        assert listener.next() == ("e1", 1)


def test_from_the_start_it_hears_whole_events_in_order(url: str, publish: Publishing) -> None:
    made = [publish("e1"), publish("e2"), publish("e1", updated()), publish("e1", ended())]
    assert list(subscribe(url, from_start=True, timeout_s=0.05)) == made


def test_after_an_entry_it_hears_what_follows(
    url: str, publish: Publishing, client: redis.Redis
) -> None:
    publish("e1")
    ((entry, _),) = client.xrange("vigil:events")
    publish("e2")
    assert [event.id for event in subscribe(url, after=entry, timeout_s=0.05)] == ["e2"]


def test_it_can_listen_to_one_camera(url: str, publish: Publishing) -> None:
    publish("e1", created(camera="yard"))
    publish("e2")
    assert heard(url, camera="back-door") == [("e2", 1)]
    assert heard(url, camera="attic") == []


def test_more_than_one_read_s_worth_comes_whole(url: str, store: Store) -> None:
    names = [f"e{number:03}" for number in range(250)]
    store.amend_all([(name, created()) for name in names], now=NOW, camera_state=("back-door", {}))
    with RedisPublisher(url, store.installation) as publisher:
        while publish_pending(store, publisher):
            pass
    assert heard(url) == [(name, 1) for name in names]


def test_it_ends_when_it_was_quiet_for_too_long(url: str) -> None:
    assert list(subscribe(url, timeout_s=0.05)) == []


def test_a_slow_consumer_is_not_a_quiet_server(url: str, publish: Publishing) -> None:
    publish("e1")
    pause = threading.Event()
    got = []
    for event in subscribe(url, from_start=True, timeout_s=0.05):
        got.append(event.id)
        if len(got) == 1:
            publish("e2")
            pause.wait(0.1)
    assert got == ["e1", "e2"]


def test_a_repeated_entry_is_heard_once(url: str, publish: Publishing, client: redis.Redis) -> None:
    publish("e1")
    ((_, fields),) = client.xrange("vigil:events")
    client.xadd("vigil:events", fields)
    publish("e1", ended())
    assert heard(url) == [("e1", 1), ("e1", 2)]


def test_foreign_entries_are_skipped_counted_and_told(
    url: str, publish: Publishing, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    for fields in (
        {"hello": "world"},
        {"event": "{}"},
        {"event": b"\xff", b"\xfe": b"\xff", "sequence": "many"},
        {"event": json.dumps({"specversion": "1.0"})},
    ):
        client.xadd("vigil:events", fields)
    publish("e1")
    with caplog.at_level(logging.WARNING):
        assert heard(url) == [("e1", 1)]
    told = [record.getMessage() for record in caplog.records]
    assert [text.split(" entries")[0] for text in told] == ["Skipped 1", "Skipped 2", "Skipped 4"]


def test_a_cut_connection_loses_and_repeats_nothing(
    url: str, publish: Publishing, caplog: pytest.LogCaptureFixture
) -> None:
    with Relay(url) as relay, Listener(relay.url) as listener:
        publish("e1")
        assert listener.next() == ("e1", 1)
        with caplog.at_level(logging.INFO):
            relay.closed = True
            publish("e2")
            publish("e3")
            assert listener.has_no_more()
            relay.closed = False
            assert [listener.next(), listener.next()] == [("e2", 1), ("e3", 1)]
        assert listener.has_no_more()
        assert "Waiting for it" in caplog.text
        assert "answers again" in caplog.text


def test_a_server_that_comes_back_empty_is_read_from_its_start(
    url: str, publish: Publishing, client: redis.Redis
) -> None:
    with Listener(url) as listener:
        publish("e1")
        assert listener.next() == ("e1", 1)
        client.flushall()
        # The clock of the server went back: these entries come before the one that was read.
        event = publish.store.amend("e2", created(), now=NOW)
        fields = {"event": encode(event), "camera": "back-door"}
        client.xadd("vigil:events", fields, id="1-1")
        assert listener.next() == ("e2", 1)


def test_entries_sent_again_are_not_heard_again(
    url: str, publish: Publishing, client: redis.Redis
) -> None:
    with Listener(url) as listener:
        publish("e1")
        publish("e2")
        assert [listener.next(), listener.next()] == [("e1", 1), ("e2", 1)]
        client.flushall()
        publish("e3")
        assert listener.next() == ("e3", 1)
        assert [fields["id"] for _, fields in client.xrange("vigil:events")] == ["e1", "e2", "e3"]
        assert listener.has_no_more()


def test_what_was_published_before_it_began_is_not_heard_when_it_is_sent_again(
    url: str, publish: Publishing, client: redis.Redis
) -> None:
    publish("old")
    with Listener(url) as listener:
        # Found before it began too, but published only now.
        publish("late")
        assert listener.next() == ("late", 1)
        client.flushall()
        publish("new")
        assert listener.next() == ("new", 1)
        assert [fields["id"] for _, fields in client.xrange("vigil:events")] == [
            "old",
            "late",
            "new",
        ]
        assert listener.has_no_more()


def test_what_it_heard_long_ago_is_not_heard_when_it_is_sent_again(
    url: str, publish: Publishing, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.bus.subscribe.REMEMBERED", 2)
    with Listener(url) as listener:
        for name in ("e1", "e2", "e3"):
            publish(name)
            assert listener.next() == (name, 1)
        client.flushall()
        publish("e4")
        assert listener.next() == ("e4", 1)
        assert listener.has_no_more()


def test_what_an_older_copy_of_the_server_still_has_is_not_heard_again(
    url: str, publish: Publishing, client: redis.Redis
) -> None:
    publish("old")
    copy = client.dump("vigil:events"), client.dump("{vigil:events}:publishers")
    with Listener(url) as listener:
        publish("e1")
        assert listener.next() == ("e1", 1)
        for key, value in zip(("vigil:events", "{vigil:events}:publishers"), copy, strict=True):
            client.restore(key, 0, value, replace=True)
        assert listener.has_no_more()
        publish("e2")
        assert listener.next() == ("e2", 1)
        assert listener.has_no_more()


def test_who_begins_while_all_is_sent_again_does_not_hear_it(
    url: str, publish: Publishing, client: redis.Redis
) -> None:
    publish("old")
    client.flushall()
    with Listener(url) as listener:
        publish("new")
        assert listener.next() == ("new", 1)
        assert listener.has_no_more()


def test_new_events_under_numbers_that_were_used_before_are_heard(
    url: str, publish: Publishing, client: redis.Redis
) -> None:
    publish("e1")
    with Listener(url) as listener:
        # As after an older copy of the data folder was put back on a server that lost its own.
        client.flushall()
        event = publish.store.amend("e2", created(), now=datetime.now(UTC) + timedelta(seconds=1))
        fields = {"event": encode(event), "publisher": publish.store.installation, "sequence": 1}
        client.xadd("vigil:events", fields, id="1-1")
        assert listener.next() == ("e2", 1)


def test_what_was_trimmed_unread_is_counted_and_told(
    url: str, publish: Publishing, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    publish("e0")
    events = subscribe(url, from_start=True, timeout_s=0.05)
    assert next(events).id == "e0"
    for number in range(1, 6):
        publish(f"e{number}")
    client.xtrim("vigil:events", maxlen=2, approximate=False)
    with caplog.at_level(logging.WARNING):
        assert [event.id for event in events] == ["e4", "e5"]
    assert "3 entries of vigil:events were trimmed before they were read" in caplog.text


def test_one_camera_s_subscriber_misses_nothing_of_the_others(
    url: str, publish: Publishing, caplog: pytest.LogCaptureFixture
) -> None:
    for camera in ("yard", "back-door", "yard", "yard", "back-door"):
        publish(f"e{publish.store.outbox.newest()}", created(camera=camera))
    assert heard(url, camera="back-door") == [("e1", 1), ("e4", 1)]
    assert caplog.text == ""


async def test_asyncio_hears_the_same(url: str, publish: Publishing) -> None:
    made = [publish("e1"), publish("e2"), publish("e1", ended())]
    events = subscribe_async(url, from_start=True, timeout_s=0.05)
    assert [event async for event in events] == made


async def test_asyncio_hears_what_comes_from_now_on_through_a_cut(
    url: str, publish: Publishing
) -> None:
    with Relay(url) as relay:
        stopped = asyncio.Event()
        asked = asyncio.Event()

        def due() -> bool:
            asked.set()
            return stopped.is_set()

        heard: asyncio.Queue[str] = asyncio.Queue()

        async def listen() -> None:
            async for event in subscribe_async(relay.url, stop=due, poll_s=0.05):
                heard.put_nowait(event.id)

        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
            group.create_task(listen())
            await asked.wait()
            publish("e1")
            assert await heard.get() == "e1"
            relay.closed = True
            publish("e2")
            relay.closed = False
            assert await heard.get() == "e2"
            stopped.set()
