"""What the outbox holds reaches the stream in order and once, whatever happens on the way."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from happenings import NOW, created, ended, leading, updated
from relay import Relay

from pipeline.bus.embedded import EmbeddedRedis
from pipeline.bus.redis import RedisPublisher, publish_pending
from pipeline.errors import BusError
from pipeline.store import Store
from pipeline.types import Severity
from pipeline.wire import decode, encode


def happen(store: Store, *event_ids: str, camera: str = "back-door") -> None:
    for event_id in event_ids:
        store.amend(event_id, created(camera=camera), now=NOW)


def entries(client: redis.Redis) -> list[dict[str, str]]:
    return [fields for _, fields in client.xrange("vigil:events")]


def sent(client: redis.Redis) -> list[tuple[str, int]]:
    return [(fields["id"], int(fields["version"])) for fields in entries(client)]


@pytest.fixture
def publisher(url: str, store: Store) -> Iterator[RedisPublisher]:
    with RedisPublisher(url, store.installation) as publisher:
        yield publisher


def test_each_version_becomes_an_entry_with_what_readers_choose_by(
    store: Store, publisher: RedisPublisher, client: redis.Redis
) -> None:
    events = [
        store.amend("e1", amendment, now=NOW) for amendment in (created(), updated(), ended())
    ]
    assert publish_pending(store, publisher) == 3
    found = entries(client)
    assert [decode(fields.pop("event")) for fields in found] == events
    assert found[1] == {
        "id": "e1",
        "version": "2",
        "type": "updated",
        "camera": "back-door",
        "severity": "alert",
        "publisher": store.installation,
        "sequence": "2",
        "again": "0",
    }


def test_nothing_is_sent_twice(
    store: Store, publisher: RedisPublisher, client: redis.Redis
) -> None:
    happen(store, "e1", "e2")
    assert publish_pending(store, publisher) == 2
    assert publish_pending(store, publisher) == 0
    assert store.outbox.acknowledged() == 2
    assert sent(client) == [("e1", 1), ("e2", 1)]


def test_a_batch_takes_no_more_than_its_limit(
    store: Store, publisher: RedisPublisher, client: redis.Redis
) -> None:
    happen(store, "e1", "e2", "e3")
    assert [publish_pending(store, publisher, limit=2) for _ in range(3)] == [2, 1, 0]
    assert sent(client) == [("e1", 1), ("e2", 1), ("e3", 1)]


def test_channels_call_out_each_version_by_camera_and_severity(
    store: Store, publisher: RedisPublisher, client: redis.Redis
) -> None:
    with client.pubsub(ignore_subscribe_messages=True) as listener:
        listener.psubscribe("vigil:events:*:alert")
        listener.get_message(timeout=5)
        event = store.amend("e1", created(), now=NOW)
        store.amend("e2", created(severity=Severity.INFO), now=NOW)
        publish_pending(store, publisher)
        message = listener.get_message(timeout=5)
        assert message is not None
        assert message["channel"] == "vigil:events:back-door:alert"
        assert message["data"] == encode(event)
        assert listener.get_message(timeout=0.05) is None


def test_rows_sent_again_after_a_lost_answer_add_nothing(
    store: Store, publisher: RedisPublisher, client: redis.Redis
) -> None:
    happen(store, "e1", "e2", "e3")
    rows = store.outbox.pending(0, 10)
    assert publisher.publish(rows[:2], mark=0, announced=0) == 2
    assert publisher.publish(rows, mark=0, announced=0) == 3
    assert publisher.publish(rows, mark=3, announced=0) == 3
    assert sent(client) == [("e1", 1), ("e2", 1), ("e3", 1)]


def test_a_connection_cut_before_the_answer_loses_and_doubles_nothing(
    store: Store, url: str, client: redis.Redis
) -> None:
    with Relay(url) as relay, RedisPublisher(relay.url, store.installation) as publisher:
        happen(store, "e1")
        publish_pending(store, publisher)
        happen(store, "e2", "e3")
        rows = store.outbox.pending(1, 10)
        relay.deaf = True
        with pytest.raises(BusError):
            publisher.publish(rows, mark=1, announced=1)
        assert sent(client) == [("e1", 1), ("e2", 1), ("e3", 1)]
        assert relay.accepted == 1, "the client library has tried again by itself"
        relay.deaf = False
        publish_pending(store, publisher)
        assert sent(client) == [("e1", 1), ("e2", 1), ("e3", 1)]
        assert store.outbox.acknowledged() == 3


def test_events_wait_while_redis_is_away(store: Store, url: str, client: redis.Redis) -> None:
    with Relay(url) as relay, RedisPublisher(relay.url, store.installation) as publisher:
        relay.closed = True
        happen(store, "e1", "e2")
        for _ in range(3):
            with pytest.raises(BusError):
                publish_pending(store, publisher)
        relay.closed = False
        assert publish_pending(store, publisher) == 2
    assert sent(client) == [("e1", 1), ("e2", 1)]


def test_a_server_that_comes_back_empty_gets_all_that_is_kept_once_and_in_order(
    store: Store, publisher: RedisPublisher, client: redis.Redis
) -> None:
    happen(store, "e1", "e2")
    publish_pending(store, publisher)
    client.flushall()
    happen(store, "e3")
    assert publish_pending(store, publisher) == 3
    assert publish_pending(store, publisher) == 0
    assert sent(client) == [("e1", 1), ("e2", 1), ("e3", 1)]
    assert [fields["sequence"] for fields in entries(client)] == ["1", "2", "3"]


def test_what_is_sent_again_is_not_called_out_again(
    store: Store, publisher: RedisPublisher, client: redis.Redis
) -> None:
    happen(store, "e1")
    publish_pending(store, publisher)
    client.flushall()
    with client.pubsub(ignore_subscribe_messages=True) as listener:
        listener.psubscribe("vigil:events:*")
        listener.get_message(timeout=5)
        happen(store, "e2")
        publish_pending(store, publisher)
        message = listener.get_message(timeout=5)
        assert message is not None
        assert decode(message["data"]).id == "e2"


def test_a_server_that_empties_between_look_and_write_is_noticed(
    store: Store, publisher: RedisPublisher, client: redis.Redis
) -> None:
    happen(store, "e1", "e2")
    publish_pending(store, publisher)
    happen(store, "e3")
    rows = store.outbox.pending(2, 10)
    client.flushall()
    assert publisher.publish(rows, mark=2, announced=2) == 0
    assert sent(client) == []
    assert publish_pending(store, publisher) == 3


def test_a_real_server_killed_and_emptied_is_filled_again(tmp_path: Path, store: Store) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    embedded = EmbeddedRedis(tmp_path / "first", port=port)
    with RedisPublisher(embedded.start(), store.installation) as publisher:
        happen(store, "e1", "e2")
        publish_pending(store, publisher)
        embedded.stop()
        happen(store, "e3")
        with pytest.raises(BusError, match="cannot be reached"):
            publish_pending(store, publisher)
        embedded = EmbeddedRedis(tmp_path / "second", port=port)
        url = embedded.start()
        try:
            assert publish_pending(store, publisher) == 3
            with redis.Redis.from_url(url, decode_responses=True, protocol=2) as client:
                assert sent(client) == [("e1", 1), ("e2", 1), ("e3", 1)]
        finally:
            embedded.stop()


def test_two_installations_share_a_stream(
    url: str, store: Store, publisher: RedisPublisher, client: redis.Redis, tmp_path: Path
) -> None:
    with (
        Store.open(tmp_path / "other") as other,
        RedisPublisher(url, other.installation) as its_publisher,
    ):
        for number in range(3):
            happen(store, f"a{number}")
            happen(other, f"b{number}")
            assert publish_pending(store, publisher) == 1
            assert publish_pending(other, its_publisher) == 1
        assert publish_pending(store, publisher) == publish_pending(other, its_publisher) == 0
    assert [event_id for event_id, _ in sent(client)] == ["a0", "b0", "a1", "b1", "a2", "b2"]


def test_an_older_copy_of_the_data_folder_does_not_silence_new_events(
    store: Store, publisher: RedisPublisher, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    happen(store, "e1")
    publish_pending(store, publisher)
    publisher.rewind(7)  # Redis has seen more than this store has
    happen(store, "e2")
    with caplog.at_level(logging.WARNING):
        assert publish_pending(store, publisher) == 1
    assert "older copy of the data folder" in caplog.text
    assert sent(client) == [("e1", 1), ("e2", 1)]


def test_pruned_history_is_no_older_copy(
    store: Store, publisher: RedisPublisher, caplog: pytest.LogCaptureFixture
) -> None:
    happen(store, "e1")
    publish_pending(store, publisher)
    store.outbox.prune(NOW.replace(year=2027))
    assert publish_pending(store, publisher) == 0
    assert caplog.text == ""


def test_the_stream_is_trimmed(store: Store, url: str, client: redis.Redis) -> None:
    made = [(f"e{number:03}", created()) for number in range(450)]
    store.amend_all(made, now=NOW, camera_state=("back-door", {}))
    with RedisPublisher(url, store.installation, kept=100) as publisher:
        while publish_pending(store, publisher):
            pass
    assert 100 <= client.xlen("vigil:events") < 250
    assert sent(client)[-1] == ("e449", 1)


def test_an_event_that_grows_more_severe_is_told_on_the_higher_channel(
    store: Store, publisher: RedisPublisher, client: redis.Redis
) -> None:
    with client.pubsub(ignore_subscribe_messages=True) as alerts:
        alerts.psubscribe("vigil:events:*:alert")
        alerts.get_message(timeout=1.0)
        store.amend("e1", created(severity=Severity.NOTICE), now=NOW)
        store.amend("e1", updated(leading=leading()), now=NOW)
        publish_pending(store, publisher)
        heard = alerts.get_message(timeout=5.0)
        assert heard is not None
        assert (decode(heard["data"]).version, decode(heard["data"]).rule) == (2, "falls")
        assert alerts.get_message(timeout=0.1) is None


def test_what_nobody_is_told_of_leaves_no_gap_in_the_stream(
    store: Store, publisher: RedisPublisher, client: redis.Redis
) -> None:
    for event_id, announced in [("e1", True), ("e2", False), ("e3", True)]:
        store.amend(event_id, created(announced=announced), now=NOW)
    assert publish_pending(store, publisher) == 2
    assert [(fields["id"], fields["sequence"]) for fields in entries(client)] == [
        ("e1", "1"),
        ("e3", "2"),
    ]
