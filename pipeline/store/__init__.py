"""Events and the work that remains to be done about them, in one database per installation."""

from __future__ import annotations

from pipeline.store.jobs import Job, JobKind, Reason
from pipeline.store.outbox import Outbox, OutboxRow
from pipeline.store.store import Store

__all__ = ["Job", "JobKind", "Outbox", "OutboxRow", "Reason", "Store"]
