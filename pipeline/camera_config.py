"""A camera, as its users write it in streams.yaml: what is looked for, zones, rules, and what is
kept of its video."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    model_validator,
)

from pipeline.redact import shown
from pipeline.rule_config import DEFAULT_RULES, AbandonedRule, LineRule, Rule
from pipeline.section import Key, Section
from pipeline.shape_config import WrittenLine, WrittenMasks, WrittenZone
from pipeline.types import Line, Severity, Zone
from pipeline.weights import LABELS

PERSON = "person"


def readable(key: str) -> str:
    return key.replace("-", " ").replace("_", " ")


def _address(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().strip():
        raise ValueError("write the address of a camera, a film's path or webcam:N")
    try:
        urlsplit(value.get_secret_value())
    except ValueError:
        raise ValueError("this is not the address of a camera") from None
    return value


Address = Annotated[SecretStr, AfterValidator(_address)]


def _of_network(parts: SplitResult) -> bool:
    return parts.scheme in ("rtsp", "rtsps", "http", "https") and bool(parts.netloc)


class Detect(Section):
    """What is looked for, and how often."""

    fps: Annotated[float, Field(ge=0.5, le=60)] = 5.0
    """Looks per second, while something happens."""
    labels: tuple[str, ...] | None = None
    """COCO class names; those that the camera's rules name if not given."""
    confidence: Annotated[float, Field(ge=0.05, lt=1)] = 0.3
    """Detections below this are ignored."""
    size: Annotated[int, Field(ge=64, le=1920, multiple_of=32)] = 640
    """The longer side of the detector's input, in pixels."""
    motion_gate: bool = True
    """Whether pictures in which nothing moves are not detected on: what was found before is taken
    to be there still."""
    sensitivity: Annotated[float, Field(ge=0, le=1)] = 0.5
    """How little counts as motion: 0 for large and clear changes only, 1 for the slightest."""
    full_look_s: Annotated[float, Field(ge=1, le=3600)] = 10.0
    """A picture so long after the last one that was detected on is, though nothing moves."""
    idle_decoding: Literal["all", "keyframes"] = "all"
    """Which pictures are decoded while nothing moves and nobody is there: of keyframes alone, what
    comes and goes between two of them is missed."""


class Record(Section):
    """What is kept of a camera's video."""

    clips: bool = True
    """Whether each event gets a clip."""
    annotated: bool = True
    """Whether each clip is also drawn with boxes, trails, zone and sentence; those of a camera with
    masks always are."""
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
    source: Address | None = None
    """The camera's full stream, of which clips are made, if `source` is a small one to detect in.
    The account is that of `source`, if both are on one host; else write it into the address."""

    @property
    def wanted(self) -> bool:
        """Whether any video is kept at all."""
        return self.clips or self.continuous


class Health(Section):
    """When a camera counts as lost, and who hears of it."""

    open_timeout_s: Annotated[float, Field(ge=1, le=120)] = 10.0
    """A camera that has not answered for so long is unreachable."""
    read_timeout_s: Annotated[float, Field(ge=1, le=120)] = 10.0
    """A camera that is connected and has sent no picture for so long is stalled."""
    offline_after_s: Annotated[float, Field(ge=0, le=86_400)] = 20.0
    """A camera that has been away for so long is told of, once, by an event `camera.offline`."""
    frozen_after_s: Annotated[float, Field(ge=5, le=86_400)] | None = 60.0
    """A camera that has sent nothing but the same pictures for so long is told of by an event
    `camera.frozen`; null for never."""
    severity: Severity = Severity.NOTICE
    """How much these events matter; part of their Pub/Sub channel."""


class CameraDefaults(Section):
    """What cameras share; a camera's own keys win, key by key."""

    detect: Detect = Detect()
    """What is looked for, and how often."""
    rules: dict[Key, Rule] = DEFAULT_RULES
    """The rules of cameras that have none of their own."""
    record: Record = Record()
    """What is kept of the video."""
    health: Health = Health()
    """When a camera counts as lost."""


class Camera(Section):
    """One camera."""

    source: Address
    """rtsp://, rtsps://, http:// or https:// address, path of a film or of a folder of films, or
    webcam:N or webcam:NAME."""
    user: str | None = None
    """User name, if not in the address; for the host of `source` only."""
    password: SecretStr | None = None
    """Password, if not in the address; ${NAME} takes it from the environment."""
    transport: Literal["tcp", "udp"] = "tcp"
    """How an RTSP camera sends its video: within the connection, or beside it, where lost packets
    stay lost."""
    verify_tls: bool = False
    """Whether the certificate of an rtsps:// or https:// camera must be one that this machine, or
    `tls_ca`, trusts; most cameras have one of their own making."""
    tls_ca: Path | None = None
    """File of the certificates (PEM) that sign the camera's, for `verify_tls`."""
    decoder: str | None = None
    """A hardware decoder by FFmpeg's name, such as vaapi, cuda or qsv, or `auto` for the first that
    works; the processor decodes where it does not."""
    name: str | None = None
    """What people read, such as "the back door"."""
    enabled: bool = True
    """Whether it is watched."""
    detect: Detect = Detect()
    """What is looked for, and how often."""
    zones: dict[Key, WrittenZone] = Field(default={})
    """Regions of the picture, by name."""
    lines: dict[Key, WrittenLine] = Field(default={})
    """Lines across the picture, by name, for rules of type `line`."""
    max_events_per_hour: Annotated[int, Field(ge=1, le=100_000)] = 60
    """Of more events than this within an hour nobody is told; they are kept and counted."""
    rules: Annotated[dict[Key, Rule], Field(min_length=1)] = DEFAULT_RULES
    """What makes an event, by name; a person anywhere if none is given."""
    masks: WrittenMasks = ()
    """Regions that nobody may see, each a list of [x, y] points like a zone's: black for the
    detector and the model, on the page and in annotated clips; see docs/privacy.md."""
    record: Record = Record()
    """What is kept of the video."""
    health: Health = Health()
    """When it counts as lost."""

    @model_validator(mode="after")
    def _account_whole(self) -> Self:
        if self.password is not None and self.user is None:
            raise ValueError("password: there is no `user` to go with it; write both")
        return self

    @model_validator(mode="after")
    def _record_is_live(self) -> Self:
        source = None if self.record.source is None else self.record.source.get_secret_value()
        if source is not None and "://" not in source:
            raise ValueError(
                "record.source: name a network camera's stream; a film is recorded as it is read"
            )
        return self

    @model_validator(mode="after")
    def _zones_exist(self) -> Self:
        for key, rule in self.rules.items():
            if rule.zone is not None and rule.zone not in self.zones:
                known = "it has " + ", ".join(self.zones) if self.zones else "it has none"
                raise ValueError(
                    f"rules.{key}.zone: this camera has no zone {rule.zone!r}; {known}"
                )
            if isinstance(rule, LineRule) and rule.line not in self.lines:
                known = "it has " + ", ".join(self.lines) if self.lines else "it has none"
                raise ValueError(
                    f"rules.{key}.line: this camera has no line {rule.line!r}; {known}"
                )
        return self

    @model_validator(mode="after")
    def _labels_are_looked_for(self) -> Self:
        for key, rule in self.rules.items():
            wanted = (*rule.labels, *([PERSON] if isinstance(rule, AbandonedRule) else ()))
            missing = next((label for label in wanted if label not in self.labels()), None)
            if missing is None:
                continue
            # A model of the user's own may have labels that are alike: none of them is misspelt.
            strange = set(self.labels()) - set(LABELS) if missing in LABELS else ()
            near = get_close_matches(missing, strange, n=1)
            if near:
                raise ValueError(
                    f"detect.labels: {near[0]!r} is no label of COCO; did you mean {missing!r}, "
                    f"which rules.{key} looks for?"
                )
            raise ValueError(
                f"rules.{key}.labels: {missing!r} is not among detect.labels "
                f"({', '.join(self.labels())}); add it there"
            )
        return self

    def labels(self) -> tuple[str, ...]:
        """The class names that are looked for."""
        if self.detect.labels is not None:
            return self.detect.labels
        wanted = {label for rule in self.rules.values() for label in rule.labels}
        # Whose thing it is decides whether it was abandoned.
        if any(isinstance(rule, AbandonedRule) for rule in self.rules.values()):
            wanted.add(PERSON)
        return tuple(sorted(wanted))

    def address(self) -> str:
        """The source with its account, to open it; holds the password."""
        source = self.source.get_secret_value()
        parts = urlsplit(source)
        if self.user is None or not _of_network(parts):
            return source
        account = quote(self.user, safe="")
        if self.password is not None:
            account += ":" + quote(self.password.get_secret_value(), safe="")
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{account}@{host}"))

    def record_address(self) -> str | None:
        """The stream that is only recorded, if there is one, with the account of its own address,
        or on the host of `source` with the account of that."""
        if self.record.source is None:
            return None
        address, source = self.record.source.get_secret_value(), self.address()
        to, of = urlsplit(address), urlsplit(source)
        account, at, _ = of.netloc.rpartition("@")
        if "@" in to.netloc or not at or not _of_network(to) or to.hostname != of.hostname:
            return address
        return urlunsplit(to._replace(netloc=f"{account}@{to.netloc}"))

    def shown(self) -> str:
        """The source for people: no account, no secret."""
        return shown(self.source.get_secret_value())

    def named_zones(self) -> dict[str, Zone]:
        return {
            key: Zone(key, zone.name or f"the {readable(key)}", zone.polygon)
            for key, zone in self.zones.items()
        }

    def named_lines(self) -> dict[str, Line]:
        return {
            key: Line(key, line.name or f"the {readable(key)}", line.points, line.left, line.right)
            for key, line in self.lines.items()
        }
