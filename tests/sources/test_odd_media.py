"""Media that break naive readers. They are read in another process, which a crash would end."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
import pytest
from films import MEDIA, shared
from running import environment

from pipeline.sources.pictures import DecodedPicture

LONGEST_S = 60
"""All of them take a few seconds together."""
READ = """
import hashlib, json, sys
import numpy as np
from pipeline.errors import SourceError
from pipeline.sources import open_source
for path in sys.argv[1:]:
    hashes, sizes, error, dropped, times, jumps = [], [], None, {}, [], []
    try:
        source = open_source("door", path)
        for frame in source.frames():
            image = frame.image()
            assert image.shape == (frame.size[1], frame.size[0], 3), image.shape
            hashes.append(hashlib.sha256(np.ascontiguousarray(image)).hexdigest())
            sizes.append(frame.size)
            times.append(frame.monotonic)
            jumps += [frame.index] if frame.discontinuity else []
    except SourceError as caught:
        error = str(caught)
    print(json.dumps({"hashes": hashes, "sizes": sorted(set(sizes)), "error": error,
                      "ordered": times == sorted(times), "jumps": jumps}), flush=True)
"""


@dataclass(frozen=True)
class Odd:
    """How a file ends: so many pictures, of so many sizes, and in a sentence with these words."""

    pictures: int
    sizes: int = 1
    error: str | None = None


ODD = {
    "av1-av1-1-b8-03-sizeup.mp4": Odd(20, sizes=2),
    "h264-attachment631-small.mp4": Odd(163),
    "h264-displaymatrix.mp4": Odd(32),
    "h264-dts_5frames.mkv": Odd(5),
    "h264-empty_edit_5s.mp4": Odd(0, 0, "is damaged, none of its pictures is whole"),
    "h264-interlaced_crop.mp4": Odd(126),
    "h264-mov-3elist-encrypted.mp4": Odd(0, 0, "is encrypted; name a copy that is not."),
    "hevc-extradata-reload-multi-stsd.mp4": Odd(4, sizes=2),
    "mpeg2video-PVA_test-partial.mp4": Odd(36, error="cannot be read on"),
    "openh264-BA_MW_D_IDR_LOST.264": Odd(70),
    "openh264-test_qcif_cabac.264": Odd(30),
    "vp8-frame_size_change.mp4": Odd(300, sizes=9),
}


@pytest.fixture(scope="module")
def readings() -> dict[str, dict[str, Any]]:
    """What reading each file gave; nothing for one at which the process ended."""
    shared("odd")
    found: dict[str, dict[str, Any]] = {}
    pending = list(ODD)
    while pending:
        files = [str(shared(f"odd/{name}")) for name in pending]
        ran = subprocess.run(
            [sys.executable, "-c", READ, *files],
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
            env=environment(),
        )
        for line in ran.stdout.splitlines():
            found[pending.pop(0)] = json.loads(line)
        if ran.returncode:
            print(pending.pop(0), "ended the process:", ran.returncode, ran.stderr[-2000:])
    return found


def undamaged(name: str) -> Counter[str]:
    """The pictures that PyAV itself decodes, one thread, and does not call corrupt."""
    found: Counter[str] = Counter()
    with av.open(str(shared(f"odd/{name}"))) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        packets = container.demux(stream)
        ended = False
        while not ended:
            try:
                packet = next(packets, None)
                decoded = stream.decode(None) if packet is None else packet.decode()
                ended = packet is None or not packet.size
            except av.FFmpegError as error:
                ended = isinstance(error, av.EOFError)
                continue
            for frame in decoded:
                if not frame.is_corrupt:
                    picture = DecodedPicture(frame)
                    image = np.ascontiguousarray(picture.bgr(picture.size))
                    found[hashlib.sha256(image).hexdigest()] += 1
    return found


@pytest.mark.parametrize("name", ODD)
def test_a_file_ends_in_pictures_or_in_one_sentence(
    readings: dict[str, dict[str, Any]], name: str
) -> None:
    expected = ODD[name]
    assert name in readings, "the process that read it ended"
    found = readings[name]
    assert len(found["hashes"]) == expected.pictures
    assert len(found["sizes"]) == expected.sizes
    assert found["ordered"]
    assert found["jumps"] == ([0] if expected.pictures else [])
    if expected.error is None:
        assert found["error"] is None
    else:
        assert found["error"].startswith("Camera door: ")
        assert expected.error in found["error"]


@pytest.mark.parametrize("name", ODD)
def test_no_picture_is_invented(readings: dict[str, dict[str, Any]], name: str) -> None:
    assert Counter(readings[name]["hashes"]) <= undamaged(name)


def test_all_odd_media_are_known() -> None:
    shared("odd")
    assert {path.name for path in (MEDIA / "odd").iterdir()} == set(ODD)
