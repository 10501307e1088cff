"""A writer that is killed at any moment leaves whole events."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from happenings import NOW, python

from pipeline.store import Store

WRITE = """
import itertools, sys
from pathlib import Path
from happenings import NOW, asked, ended, track, updated
from pipeline.store import Store
store = Store.open(Path(sys.argv[1]))
for number in itertools.count():
    event_id = f"{sys.argv[2]}-{number}"
    for amendment in (asked(event_id), updated(), updated(tracks=(track(3),)), ended()):
        event = store.amend(event_id, amendment, now=NOW)
        print(event.id, event.version, flush=True)
"""


@pytest.mark.parametrize("amendments", [1, 10, 51, 102])
def test_kill_9_while_amending_leaves_whole_events(tmp_path: Path, amendments: int) -> None:
    command, options = python(WRITE, tmp_path / "data", amendments)
    with subprocess.Popen(command, **options, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        told = [writer.stdout.readline().split() for _ in range(amendments)]
        writer.kill()
        told += [line.split() for line in writer.stdout]
    with Store.open(tmp_path / "data") as store:
        jobs = set()
        while job := store.jobs.lease("judge", now=NOW, lease_s=60, worker="w"):
            jobs.add(job.event_id)
        rows = store.outbox.pending(0, 100_000)
        events = store.search(100_000)
        assert [row.sequence for row in rows] == list(range(1, len(rows) + 1))
        assert jobs == {event.id for event in events}
        for event in events:
            versions = store.versions(event.id)
            assert [version.version for version in versions] == list(range(1, event.version + 1))
            assert versions[-1] == event
        # What was told is there; one more may have been committed and not told.
        kept = [(row.event.id, row.event.version) for row in rows]
        whole = [(line[0], int(line[1])) for line in told if len(line) == 2]
        assert kept[: len(whole)] == whole
        assert len(kept) <= len(whole) + 1
