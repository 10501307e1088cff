"""A stored scene, and the tiny model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from chat_server import chat_server

from pipeline.config import Describer
from pipeline.describers import load_describer
from pipeline.media import LocalMedia
from pipeline.types import Scene, SceneImage

QUESTION = "Is a person on the lawn?"


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> LocalMedia:
    """A store with the pictures of `scene`."""
    store = LocalMedia(tmp_path_factory.mktemp("pictures"))
    image = np.random.default_rng(7).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    store.put_image("events/e/frame.jpg", image)
    store.put_image("events/e/crop-1.jpg", 255 - image[:224, :224])
    store.put_image("events/e/crop-2.jpg", image[:224, 96:])
    return store


@pytest.fixture(scope="session")
def scene() -> Scene:
    def image(role: str, name: str, caption: str) -> SceneImage:
        key = f"events/e/{name}.jpg"
        return SceneImage.model_validate(
            {"role": role, "key": key, "width": 224, "height": 224, "caption": caption}
        )

    return Scene(
        event_id="e",
        camera="campus",
        images=(
            image("frame", "frame", "The whole view"),
            image("crop", "crop-1", "A person"),
            image("crop", "crop-2", "Another person"),
        ),
        facts=("A person has been on the lawn for 12 s.", "Local time: Sunday 14:02."),
        question=QUESTION,
    )


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of the tiny model: untrained (`plain`), and solved to say `Yes` or `No`."""
    pytest.importorskip("transformers", reason="the extra `vlm` is not installed")
    import tiny_vlm
    import torch

    torch.set_num_threads(1)  # more than one only get in each other's way at this size
    root = tmp_path_factory.mktemp("models")
    return {
        "plain": tiny_vlm.build(root / "plain"),
        "Yes": tiny_vlm.build(root / "yes", says="Yes"),
        "No": tiny_vlm.build(root / "no", says="No"),
    }


@pytest.fixture
def server():
    with chat_server() as running:
        yield running


@pytest.fixture
def describer_at(pictures):
    """Makes describers and closes them."""
    made = []

    def make(model: str, **settings):
        made.append(load_describer(Describer(model=model, **settings), pictures))
        return made[-1]

    yield make
    for describer in made:
        describer.close()
