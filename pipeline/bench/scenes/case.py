"""A scene, the rule that watches it, and how often it is to find something there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline import config
from pipeline.bench.scenes.scene import CAMERA, FPS, Scene
from pipeline.bench.scenes.truth import Happening, happenings
from pipeline.configfile import validate

RULE = "rule"
"""The key of the only rule of a case."""


@dataclass(frozen=True)
class Case:
    """`name` says what is played, `kind` is the row in which it is counted: the rule's type, and
    which of its ways. `settings` are the rule's, as in streams.yaml; `happens` is how many
    happenings its author means it to hold, which the truth must agree with."""

    name: str
    kind: str
    settings: Mapping[str, Any]
    scene: Scene
    happens: int = 0

    @cached_property
    def rule(self) -> config.Rule:
        return self.config().cameras[CAMERA].rules[RULE]

    @cached_property
    def truth(self) -> list[Happening]:
        return happenings(self.scene, self.rule)

    def config(self, fps: float = FPS) -> config.Config:
        """The configuration of the camera that watches it."""
        return watched_by(self.scene, {RULE: self.settings}, fps)


def watched_by(
    scene: Scene, rules: Mapping[str, Any], fps: float = FPS, **keys: Any
) -> config.Config:
    """The configuration of a camera that watches a scene by these rules: at each look, unless
    other keys of a camera say otherwise."""
    camera = scene.camera(rules, fps) | keys
    return validate(
        {"timezone": "UTC", "cameras": {CAMERA: camera}}, where="a scene", folder=Path.cwd()
    )
