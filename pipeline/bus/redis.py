"""Publishes the outbox to a Redis Stream and to Pub/Sub channels, in order and once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from redis import exceptions as errors

from pipeline.bus.connection import STREAM, bus_errors, connect
from pipeline.errors import BusError
from pipeline.store import OutboxRow, Store
from pipeline.wire import encode

logger = logging.getLogger(__name__)

MARKS = f"{{{STREAM}}}:publishers"
"""A hash: installation -> the outbox sequence up to which the stream has its rows."""
KEPT = 10_000
"""The stream keeps about so many entries."""
BATCH = 100

# The mark rises in the same step as its entry is added, so a batch that is sent again after a lost
# reply adds nothing. A mark below the expected one means that the server has lost its memory since
# it was read: then nothing is added either, and the caller begins again from the mark it gets.
# Rows that had been published before go into the stream again, marked as such, but are not called
# out once more.
_PUBLISH = """
local stream, marks = KEYS[1], KEYS[2]
local publisher, expected, kept = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local mark = tonumber(redis.call('HGET', marks, publisher) or '0')
if mark < expected then return mark end
for at = 4, #ARGV, 8 do
  local sequence = tonumber(ARGV[at])
  if sequence > mark then
    local event, id, version, kind = ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5]
    local camera, severity = ARGV[at + 6], ARGV[at + 7]
    redis.call('XADD', stream, 'MAXLEN', '~', kept, '*', 'event', event, 'id', id,
      'version', version, 'type', kind, 'camera', camera, 'severity', severity,
      'publisher', publisher, 'sequence', ARGV[at], 'again', ARGV[at + 1])
    redis.call('HSET', marks, publisher, ARGV[at])
    mark = sequence
    if ARGV[at + 1] == '0' then
      redis.call('PUBLISH', stream .. ':' .. camera .. ':' .. severity, event)
    end
  end
end
return mark
"""


class RedisPublisher:
    """Sends outbox rows of one installation to one Redis. Not to be shared between threads."""

    def __init__(self, url: str, installation: str, *, kept: int = KEPT) -> None:
        """`kept`: about so many entries stay in the stream. It connects on first use.

        Raises:
            BusError: the address is not understood.
        """
        self._url = url
        self._installation = installation
        self._kept = kept
        self._client = connect(url)
        self._script = self._client.register_script(_PUBLISH)

    def mark(self) -> int:
        """The sequence up to which the stream has this installation's rows, 0 at first.

        Raises:
            BusError: Redis is away or refuses.
        """
        with bus_errors(self._url):
            return int(self._client.hget(MARKS, self._installation) or 0)

    def rewind(self, mark: int) -> None:
        """Let rows after `mark` be published again. Raises: BusError."""
        with bus_errors(self._url):
            self._client.hset(MARKS, self._installation, str(mark))

    def publish(self, rows: Sequence[OutboxRow], *, mark: int, announced: int) -> int:
        """Add rows, in order, that follow `mark`; return the mark after.

        It is lower than the last row's sequence where the server has lost its memory meanwhile.
        Only rows after the sequence `announced` go to the Pub/Sub channels. After an error the
        same rows may be sent again: those that had arrived are not added twice.

        Raises:
            BusError: Redis is away or refuses; some rows may have been added.
        """
        arguments: list[str | int] = [self._installation, mark, self._kept]
        for row in rows:
            event = row.event
            arguments += [
                row.sequence,
                int(row.sequence <= announced),
                encode(event),
                event.id,
                event.version,
                event.type.value,
                event.camera,
                event.severity.value,
            ]
        with bus_errors(self._url):
            return int(self._script(keys=[STREAM, MARKS], args=arguments))

    def close(self) -> None:
        try:
            self._client.close()
        except errors.RedisError:
            logger.debug("Closing the connection to Redis failed", exc_info=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def publish_pending(store: Store, publisher: RedisPublisher, *, limit: int = BATCH) -> int:
    """Publish at most `limit` rows of the outbox, in order; return how many were.

    Redis says what it has: after a server came back empty or older, the rows that are still kept
    go out again.

    Raises:
        BusError: Redis is away or refuses; call again later, nothing is lost.
        StoreError: the store failed.
    """
    mark = publisher.mark()
    announced = store.outbox.acknowledged()
    newest = store.outbox.newest()
    if mark > newest:
        logger.warning(
            "Redis has rows up to %d of this installation, the store only up to %d: was an older "
            "copy of the data folder put back? Rows after %d are published again.",
            mark,
            newest,
            announced,
        )
        publisher.rewind(announced)
        mark = announced
    elif mark < announced:
        logger.info("Redis lacks rows after %d; those that are kept are sent again", mark)
    elif mark > announced:
        # An answer was lost: what it would have said.
        store.outbox.acknowledge(mark)
    rows = store.outbox.pending(mark, limit)
    if not rows:
        return 0
    after = publisher.publish(rows, mark=mark, announced=announced)
    if after < mark:
        raise BusError("Redis has lost its data while it was written to; it is sent again.")
    store.outbox.acknowledge(after)
    return sum(mark < row.sequence <= after for row in rows)
