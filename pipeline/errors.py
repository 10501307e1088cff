"""Every error this package raises on purpose.

    VigilError
    ├── ConfigError            what the user wrote is wrong; exit status 2
    ├── SourceError            a camera; carries a `cause` the camera's state shows
    │   ├── SourceUnreachable  no host, no route, no answer in time
    │   ├── SourceRefused      the camera wants another user name or password
    │   │   └── SourceUntrusted    or is not the one that the account was meant for
    │   ├── SourceNotFound     the camera or disk has no such stream
    │   ├── SourceUnreadable   what answers there is not video
    │   └── SourceStalled      it answered once and now sends nothing
    ├── WeightsError           model weights are missing, altered or of no use
    ├── ModelError             a vision-language model gave no usable answer
    │   ├── ModelUnavailable   it is not there, or answers with an error
    │   ├── ModelTimeout       it had no answer before the deadline
    │   └── ModelReplyError    it answered something else; keeps the reply
    ├── StoreError             the data folder or its database
    │   ├── StoreTooNew        a newer version of the program wrote it
    │   └── AmendmentError     an event cannot take this amendment
    ├── BusError               Redis
    ├── EnvelopeError          a message is no event of this program
    ├── FilmError              a film to simulate a camera from cannot be had
    ├── DatasetError           labelled pictures to measure on are missing or wrong
    └── WorkerError            a worker process failed for good

Each message is one sentence for people: it names the key or the camera and says
what to do, and never holds a password.
"""

from __future__ import annotations

from typing import ClassVar


class VigilError(Exception):
    """Base of all errors of this package."""

    exit_status: ClassVar[int] = 1


class ConfigError(VigilError):
    """The configuration is wrong; the message names the key and the remedy."""

    exit_status: ClassVar[int] = 2


class SourceError(VigilError):
    """A camera cannot be read."""

    cause: ClassVar[str] = "error"


class SourceUnreachable(SourceError):
    """Nothing answers at the camera's address in time."""

    cause: ClassVar[str] = "unreachable"


class SourceRefused(SourceError):
    """The camera refuses the account."""

    cause: ClassVar[str] = "refused"


class SourceUntrusted(SourceRefused):
    """What answers cannot be trusted with the account: its certificate, or another host."""


class SourceNotFound(SourceError):
    """There is no such stream, file or device."""

    cause: ClassVar[str] = "not_found"


class SourceUnreadable(SourceError):
    """What is there is not video that can be decoded."""

    cause: ClassVar[str] = "unreadable"


class SourceStalled(SourceError):
    """The connection stands but no picture arrives."""

    cause: ClassVar[str] = "stalled"


class WeightsError(VigilError):
    """Model weights are missing, altered or of no use."""


class DetectorError(VigilError):
    """The detector could not look at a picture; the next picture may be tried."""


class DetectorBusy(DetectorError):
    """As many pictures wait for the detector as may: this one was not taken."""


class ModelError(VigilError):
    """A vision-language model gave no usable answer; `reason` is a code for the event's state."""

    reason: ClassVar[str] = "model_error"


class ModelUnavailable(ModelError):
    """The model is not there or its server answers with an error."""

    reason: ClassVar[str] = "model_unavailable"


class ModelTimeout(ModelError):
    """The model did not answer before the deadline."""

    reason: ClassVar[str] = "deadline"


class ModelReplyError(ModelError):
    """The model answered something that is no answer; `reply` keeps what it said."""

    reason: ClassVar[str] = "model_reply"

    def __init__(self, message: str, reply: str) -> None:
        super().__init__(message)
        self.reply = reply


class StoreError(VigilError):
    """The data folder or its database cannot be used."""


class StoreTooNew(StoreError):
    """The database was written by a newer version of the program."""


class AmendmentError(StoreError):
    """An event cannot take this amendment: a mistake of the program, nothing was changed."""


class ClipError(VigilError):
    """A clip cannot be made; `reason` is a `types.ClipReason` value, `passing` whether trying again
    later may help."""

    def __init__(self, message: str, reason: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.passing = passing


class BusError(VigilError):
    """Redis cannot be reached or refuses."""


class EnvelopeError(VigilError):
    """A message is no event of this program, or not of a version it knows."""


class FilmError(VigilError):
    """A film to simulate a camera from cannot be had or read."""


class DatasetError(VigilError):
    """Labelled pictures are missing or wrong; the message names the file, and the line."""


class WorkerError(VigilError):
    """A worker process failed for good; `worker` is its name."""

    def __init__(self, worker: str, message: str) -> None:
        super().__init__(message)
        self.worker = worker
