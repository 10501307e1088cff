"""The configuration, as its users write it in streams.yaml; its cameras are in `camera_config`.

Reading the file, with its `${ENV}` references and its sentences for mistakes, is
`configfile.py`; here are the shapes alone, from which the published JSON Schema is made.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterator
from datetime import tzinfo
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from pipeline.camera_config import (
    Camera,
    CameraDefaults,
    Detect,
    Health,
    Record,
    readable,
)
from pipeline.redact import redact, shown
from pipeline.rule_config import (
    AbandonedRule,
    CrowdRule,
    FallRule,
    LineRule,
    LoiterRule,
    NoveltyRule,
    OwnRule,
    PresenceRule,
    Rule,
    RuleBase,
    SpeedRule,
    ZoneRule,
)
from pipeline.section import Key, Section, TimeZone
from pipeline.web_config import Web

__all__ = [
    "AbandonedRule",
    "Camera",
    "CameraDefaults",
    "Config",
    "CrowdRule",
    "Describer",
    "Detect",
    "DetectorSection",
    "FallRule",
    "Health",
    "Key",
    "LineRule",
    "LoiterRule",
    "NoveltyRule",
    "OwnRule",
    "PresenceRule",
    "Record",
    "Rule",
    "RuleBase",
    "Section",
    "SpeedRule",
    "Storage",
    "Web",
    "ZoneRule",
]


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


PACKAGED = "yolo11n"
"""The name of the model that comes with this program."""
_BACKEND = re.compile(r"auto|openvino|onnx|ultralytics|[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_DEVICE = re.compile(r"auto|cpu|npu|gpu(\.\d+)?|cuda(:\d+)?")


class DetectorSection(Section):
    """The model that finds objects, and what it runs on."""

    backend: str = "auto"
    """`openvino` (processors and Intel graphics), `onnx` (ONNX Runtime, CUDA), `ultralytics`, a
    detector of your own as `module:attribute`, or `auto`, which picks one and says which."""
    model: Annotated[str, Field(min_length=1)] = PACKAGED
    """A model's name, a file, or an https:// address with its `sha256`."""
    sha256: str | None = None
    """The checksum that the file must have: 64 digits, as `sha256sum` prints them."""
    device: str = "auto"
    """What it runs on: `cpu`, `gpu` (Intel's, `gpu.1` for the second), `npu`, `cuda` (`cuda:1` for
    the second card), or `auto`."""
    trust_pickle: bool = False
    """Whether a .pt file may be loaded: it is a pickle, which can run any code on this machine."""
    optimized: bool = True
    """Whether what `vigil optimize` found to be faster for a camera on this machine is used."""
    looks_per_s: Annotated[float, Field(gt=0)] | None = None
    """At most so many looks a second of all cameras together; what this machine was measured to
    manage beside its other work if not given."""

    @field_validator("backend")
    @classmethod
    def _backend_known(cls, value: str) -> str:
        if not _BACKEND.fullmatch(value):
            raise ValueError(
                "write auto, openvino, onnx or ultralytics, or a detector of your own as "
                "`module:attribute`"
            )
        return value

    @field_validator("device")
    @classmethod
    def _device_known(cls, value: str) -> str:
        if not _DEVICE.fullmatch(value):
            raise ValueError("write auto, cpu, gpu, npu or cuda")
        return value

    @field_validator("sha256")
    @classmethod
    def _checksum_whole(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch("[0-9a-fA-F]{64}", value):
            raise ValueError("write the 64 digits that `sha256sum` prints for the file")
        return value

    @field_validator("model")
    @classmethod
    def _address_whole(cls, value: str) -> str:
        if value.startswith(("http://", "https://")):
            try:
                urlsplit(value)
            except ValueError:
                raise ValueError("write an address such as https://host/model.onnx") from None
        return value

    @model_validator(mode="after")
    def _download_checked(self) -> Self:
        if self.remote and self.sha256 is None:
            raise ValueError(
                "sha256: write the checksum of the model at that address: what is downloaded "
                "decides what is seen, and an address may serve another file tomorrow"
            )
        return self

    @property
    def remote(self) -> bool:
        """Whether the model is at an address."""
        return self.model.startswith(("http://", "https://"))

    @property
    def is_path(self) -> bool:
        """Whether the model is given by a path."""
        name = Path(self.model)
        return not self.remote and (
            len(name.parts) > 1
            or self.model.startswith(("~", "."))
            or name.suffix in (".onnx", ".xml", ".pt", ".engine", ".torchscript")
        )

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            # What stands behind the path of a signed address is a secret, whatever its name.
            hide = name == "model" and self.remote
            yield name, shown(value.partition("?")[0]) if hide else value


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
    timezone: TimeZone | None = None
    """An IANA name such as Europe/Lisbon, for sentences; this machine's own if not given."""
    data: Path = Path("vigil-data")
    """Folder for the database and pictures; relative to the configuration file."""
    redis: SecretStr = SecretStr("embedded")
    """`embedded`, or a redis://, rediss:// or unix:// address."""
    detector: DetectorSection = DetectorSection()
    """The model that finds objects."""
    describer: Describer | None = None
    """The vision-language model that looks at each event; rules only if not given."""
    storage: Storage = Storage()
    """How much room video and pictures may take."""
    web: Web = Web()
    """The page on which events are reviewed."""
    defaults: CameraDefaults = CameraDefaults()
    """What cameras share."""
    groups: dict[Key, Annotated[tuple[Key, ...], Field(min_length=1)]] = Field(default={})
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
        return self.cameras[key].name or readable(key)

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
        # The name of those in no group may be a group's, too.
        alone = tuple(c for c in enabled if c not in grouped)
        shares["cameras"] = (*shares.get("cameras", ()), *alone)
        return {group: members for group, members in shares.items() if members}

    @property
    def has_own_code(self) -> bool:
        """Whether a rule or the detector is named as `module:attribute`."""
        rules = (rule for camera in self.cameras.values() for rule in camera.rules.values())
        return ":" in self.detector.backend or any(isinstance(rule, OwnRule) for rule in rules)

    def for_worker(self) -> str:
        """As JSON with all secrets, to be handed to a worker over a pipe and kept nowhere."""
        return self.model_dump_json(context={"reveal": True})
