"""Films for simulated cameras."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest


@pytest.fixture(scope="session")
def big_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second of noise, whose pictures take many packets and fill any buffer soon."""
    noise = np.random.default_rng(7)
    path = tmp_path_factory.mktemp("noise") / "noise.mp4"
    options = {"preset": "ultrafast", "crf": "10", "bf": "0"}
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for _ in range(25):
            image = noise.integers(0, 256, (480, 640, 3), np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        output.mux(stream.encode(None))
    return path
