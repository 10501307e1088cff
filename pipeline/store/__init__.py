"""Events and the work that remains to be done about them, in one database per installation."""

from __future__ import annotations

from pipeline.store.events import Facets
from pipeline.store.jobs import Job, JobKind, Reason, Waiting
from pipeline.store.outbox import Outbox, OutboxRow
from pipeline.store.store import Store

__all__ = ["Facets", "Job", "JobKind", "Outbox", "OutboxRow", "Reason", "Store", "Waiting"]
