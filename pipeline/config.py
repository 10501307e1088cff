"""The configuration, as its users write it in streams.yaml.

Reading the file, with its `${ENV}` references and its sentences for mistakes, is
`configfile.py`; here are the shapes alone, from which the published JSON Schema is made.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from datetime import tzinfo
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FieldSerializationInfo,
    SecretStr,
    field_serializer,
    field_validator,
    model_validator,
)

from pipeline.redact import redact
from pipeline.types import Severity, Zone

Key = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
"""A name used in addresses: lower-case letters, digits, - and _."""

Fraction = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """Base of every part of the configuration."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )

    @field_serializer("*", when_used="json", check_fields=False)
    def _reveal(self, value: Any, info: FieldSerializationInfo) -> Any:
        """Secrets stay hidden unless the writer says otherwise (to hand them to a worker)."""
        if isinstance(value, SecretStr) and (info.context or {}).get("reveal"):
            return value.get_secret_value()
        return value


def _readable(key: str) -> str:
    return key.replace("-", " ").replace("_", " ")


class Detect(Section):
    """What is looked for, and how often."""

    fps: Annotated[float, Field(ge=0.5, le=60)] = 5.0
    """Looks per second."""
    labels: tuple[str, ...] | None = None
    """COCO class names; those that the camera's rules name if not given."""
    confidence: Annotated[float, Field(ge=0.05, lt=1)] = 0.3
    """Detections below this are ignored."""
    size: Annotated[int, Field(ge=64, le=1920, multiple_of=32)] = 640
    """The longer side of the detector's input, in pixels."""


class ZoneSection(Section):
    """A region of the picture; a bare list of points is taken as its polygon."""

    name: str | None = None
    """What people read, such as "the front step"."""
    polygon: Annotated[tuple[tuple[Fraction, Fraction], ...], Field(min_length=3)]
    """At least three [x, y] points, in fractions 0..1 of the picture's width and height."""

    @field_validator("polygon")
    @classmethod
    def _has_an_area(
        cls, value: tuple[tuple[float, float], ...]
    ) -> tuple[tuple[float, float], ...]:
        (x0, y0), *others = value
        if all(
            abs((x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)) < 1e-6
            for (x1, y1), (x2, y2) in pairwise(others)
        ):
            raise ValueError("the points lie on one line and enclose nothing")
        return value


def _zone(value: Any) -> Any:
    return {"polygon": value} if isinstance(value, list | tuple) else value


class RuleBase(Section):
    zone: str | None = None
    """A zone of this camera; without one the whole picture counts."""
    labels: Annotated[tuple[str, ...], Field(min_length=1)] = ("person",)
    """Which of the detected classes count."""
    severity: Severity = Severity.NOTICE
    """How much its events matter; part of their Pub/Sub channel."""
    question: str | None = None
    """What the vision-language model is asked, answerable by Yes or No; the rule has its own."""
    verify: Literal["none", "model"] = "model"
    """Whether a configured model is asked about this rule's events."""


class ZoneRule(RuleBase):
    """Something of these labels is in the zone, or in the picture."""

    type: Literal["zone"] = "zone"


class LoiterRule(RuleBase):
    """Something of these labels stays in the zone, or in the picture, for longer than allowed."""

    type: Literal["loiter"]
    seconds: Annotated[float, Field(gt=0, le=86_400)] = 30.0
    """How long it may stay."""


Rule = Annotated[ZoneRule | LoiterRule, Field(discriminator="type")]
DEFAULT_RULES: dict[str, Any] = {"person": ZoneRule()}


class Record(Section):
    """What is kept of a camera's video."""

    clips: bool = True
    """Whether each event gets a clip."""
    annotated: bool = True
    """Whether each clip is also drawn with boxes, trails, zone and sentence."""
    pre_roll_s: Annotated[float, Field(ge=0, le=60)] = 5.0
    """A clip begins so many seconds before its event."""
    post_roll_s: Annotated[float, Field(ge=0, le=60)] = 5.0
    """And ends so many seconds after it."""
    longest_s: Annotated[float, Field(ge=10, le=3600)] = 180.0
    """A clip is not longer than this, however long its event is."""
    continuous: bool = False
    """Whether all video is kept, not only that of events."""
    keep_hours: Annotated[float, Field(gt=0, le=8760)] = 24.0
    """How long, where all is kept."""

    @property
    def wanted(self) -> bool:
        """Whether any video is kept at all."""
        return self.clips or self.continuous


class Storage(Section):
    """How much room video and pictures may take."""

    video: Path | None = None
    """Folder for the newest video; `video` in the data folder if not given. A folder in memory
    (tmpfs) spares an SD card."""
    video_gb: Annotated[float, Field(gt=0)] = 10.0
    """Of video that waits to be cut, or is kept continuously, at most so much (10^9 bytes)."""
    media_gb: Annotated[float, Field(gt=0)] = 20.0
    """Of clips and pictures at most so much; the oldest events' go first."""
    media_days: Annotated[float, Field(gt=0)] = 30.0
    """And none that are older than this."""
    free_mb: Annotated[float, Field(ge=0)] = 500.0
    """So much of the disk stays free (10^6 bytes): video and clips wait below it, events never."""


class Web(Section):
    """The page on which events are reviewed."""

    enabled: bool = True
    """Whether it is served."""
    listen: str = "127.0.0.1"
    """The address it listens on; on any but this machine's own, browsers enter by a one-time
    link."""
    port: Annotated[int, Field(ge=0, le=65535)] | None = None
    """Its port; 8480, or a free one if that is taken, if not given."""


class CameraDefaults(Section):
    """What cameras share; a camera's own keys win, key by key."""

    detect: Detect = Detect()
    """What is looked for, and how often."""
    rules: dict[Key, Rule] = DEFAULT_RULES
    """The rules of cameras that have none of their own."""
    record: Record = Record()
    """What is kept of the video."""


class Camera(Section):
    """One camera."""

    source: SecretStr
    """rtsp://, rtsps://, http:// or https:// address, file path, or webcam:N."""
    user: str | None = None
    """User name, if not in the address."""
    password: SecretStr | None = None
    """Password, if not in the address; ${NAME} takes it from the environment."""
    name: str | None = None
    """What people read, such as "the back door"."""
    enabled: bool = True
    """Whether it is watched."""
    detect: Detect = Detect()
    """What is looked for, and how often."""
    zones: dict[Key, Annotated[ZoneSection, BeforeValidator(_zone)]] = {}
    """Regions of the picture, by name."""
    rules: Annotated[dict[Key, Rule], Field(min_length=1)] = DEFAULT_RULES
    """What makes an event, by name; a person anywhere if none is given."""
    record: Record = Record()
    """What is kept of the video."""

    @field_validator("source")
    @classmethod
    def _source_readable(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().strip():
            raise ValueError("write the address of a camera, a film's path or webcam:N")
        try:
            urlsplit(value.get_secret_value())
        except ValueError:
            raise ValueError("this is not the address of a camera") from None
        return value

    @model_validator(mode="after")
    def _account_whole(self) -> Self:
        if self.password is not None and self.user is None:
            raise ValueError("password: there is no `user` to go with it; write both")
        return self

    @model_validator(mode="after")
    def _zones_exist(self) -> Self:
        for key, rule in self.rules.items():
            if rule.zone is not None and rule.zone not in self.zones:
                known = "it has " + ", ".join(self.zones) if self.zones else "it has none"
                raise ValueError(
                    f"rules.{key}.zone: this camera has no zone {rule.zone!r}; {known}"
                )
            missing = [label for label in rule.labels if label not in self.labels()]
            if missing:
                raise ValueError(
                    f"rules.{key}.labels: {missing[0]!r} is not among detect.labels "
                    f"({', '.join(self.labels())}); add it there"
                )
        return self

    def labels(self) -> tuple[str, ...]:
        """The class names that are looked for."""
        if self.detect.labels is not None:
            return self.detect.labels
        return tuple(sorted({label for rule in self.rules.values() for label in rule.labels}))

    def address(self) -> str:
        """The source with its account, to open it; holds the password."""
        source = self.source.get_secret_value()
        if self.user is None or "://" not in source:
            return source
        parts = urlsplit(source)
        account = quote(self.user, safe="")
        if self.password is not None:
            account += ":" + quote(self.password.get_secret_value(), safe="")
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{account}@{host}"))

    def shown(self) -> str:
        """The source for people: no account, no secret."""
        return redact(self.source.get_secret_value())

    def named_zones(self) -> dict[str, Zone]:
        return {
            key: Zone(key, zone.name or f"the {_readable(key)}", zone.polygon)
            for key, zone in self.zones.items()
        }


class Describer(Section):
    """The vision-language model that answers each event's question; without one, rules only."""

    model: str
    """A folder, a model id, or the http(s):// address of an OpenAI-compatible server."""
    revision: str | None = None
    """A commit of a model id, so that the model cannot change under you."""
    name: str | None = None
    """Which model a server shall use; its first one if not given."""
    api_key: SecretStr | None = None
    """A server's key; ${NAME} takes it from the environment."""
    deadline_s: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    """An event that has no answer after so many seconds becomes `unverified`."""
    pictures: Annotated[int, Field(ge=1, le=8)] = 2
    """At most so many pictures go to the model."""

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            yield name, redact(value) if name == "model" else value

    @property
    def remote(self) -> bool:
        return self.model.startswith(("http://", "https://"))


class Config(Section):
    """A whole installation."""

    site: Key = "home"
    """This installation's name; part of every event's address."""
    timezone: str | None = None
    """An IANA name such as Europe/Lisbon, for sentences; this machine's own if not given."""
    data: Path = Path("vigil-data")
    """Folder for the database and pictures; relative to the configuration file."""
    redis: SecretStr = SecretStr("embedded")
    """`embedded`, or a redis://, rediss:// or unix:// address."""
    describer: Describer | None = None
    """The vision-language model that looks at each event; rules only if not given."""
    storage: Storage = Storage()
    """How much room video and pictures may take."""
    web: Web = Web()
    """The page on which events are reviewed."""
    defaults: CameraDefaults = CameraDefaults()
    """What cameras share."""
    groups: dict[Key, Annotated[tuple[Key, ...], Field(min_length=1)]] = {}
    """Cameras that share a watch process; those in no group share one."""
    cameras: Annotated[dict[Key, Camera], Field(min_length=1)]
    """The cameras, by name."""

    @field_validator("redis")
    @classmethod
    def _redis_known(cls, value: SecretStr) -> SecretStr:
        address = value.get_secret_value()
        if address != "embedded" and not address.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("write `embedded`, or a redis://, rediss:// or unix:// address")
        return value

    @field_validator("timezone")
    @classmethod
    def _timezone_known(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                zoneinfo.ZoneInfo(value)
            except (zoneinfo.ZoneInfoNotFoundError, ValueError):
                raise ValueError("write an IANA name such as Europe/Lisbon") from None
        return value

    @model_validator(mode="after")
    def _something_to_watch(self) -> Self:
        if not any(camera.enabled for camera in self.cameras.values()):
            raise ValueError("cameras: none is enabled; set `enabled: true` at one")
        return self

    @model_validator(mode="after")
    def _groups_exist(self) -> Self:
        seen: dict[str, str] = {}
        for group, members in self.groups.items():
            for camera in members:
                if camera not in self.cameras:
                    raise ValueError(f"groups.{group}: there is no camera {camera!r}")
                if camera in seen:
                    raise ValueError(f"groups.{group}: {camera!r} is in {seen[camera]!r} already")
                seen[camera] = group
        return self

    def camera_name(self, key: str) -> str:
        """What people read for a camera."""
        return self.cameras[key].name or _readable(key)

    @property
    def video_folder(self) -> Path:
        """Where the newest video lies, a folder for each camera."""
        return self.storage.video or self.data / "video"

    def tz(self) -> tzinfo | None:
        """The site's time zone; None means this machine's own."""
        return zoneinfo.ZoneInfo(self.timezone) if self.timezone else None

    def watch_groups(self) -> dict[str, tuple[str, ...]]:
        """The enabled cameras of every watch process, by the process's name."""
        enabled = [key for key, camera in self.cameras.items() if camera.enabled]
        grouped = {camera for members in self.groups.values() for camera in members}
        shares = {
            group: tuple(c for c in members if c in enabled)
            for group, members in self.groups.items()
        }
        shares["cameras"] = tuple(c for c in enabled if c not in grouped)
        return {group: members for group, members in shares.items() if members}

    def for_worker(self) -> str:
        """As JSON with all secrets, to be handed to a worker over a pipe and kept nowhere."""
        return self.model_dump_json(context={"reveal": True})
