"""Hardware decoders. There is none where tests run: what is tested is that the processor decodes
instead, and says why."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import av
import pytest
from av.codec.hwaccel import HWAccel, HWDeviceType, hwdevices_available
from films import make_film

from pipeline.sources import SourceOptions, open_source
from pipeline.sources.decoders import Decoder, choose, settled

NAMES = [*sorted({kind.name for kind in HWDeviceType} | set(hwdevices_available())), "nonsense"]


def works(name: str) -> bool:
    """Whether this machine has such a device after all."""
    if name not in hwdevices_available():
        return False
    try:
        HWAccel(name).create(av.Codec("h264", "r"))
    except (av.FFmpegError, NotImplementedError):
        return False
    return True


@pytest.mark.parametrize("name", [*NAMES, "auto"])
def test_the_processor_decodes_where_a_decoder_does_not_work(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    if works(name) or (name == "auto" and any(map(works, hwdevices_available()))):
        pytest.skip(f"{name} works on this machine")
    path = make_film(tmp_path / "a.mp4", frames=12)
    for _ in range(2):
        source = open_source("door", str(path), options=SourceOptions(decoder=name))
        assert source.decoder == "software"
        (note,) = source.notes
        assert note.startswith("Camera door: the processor decodes, since ")
        assert note.endswith(".")
        assert name in note or name == "auto"
        assert len(list(source.frames())) == 12
    told = [record for record in caplog.records if record.getMessage() == note]
    assert [record.levelno for record in told] == [logging.WARNING]


def test_without_a_wish_nothing_is_said(tmp_path: Path) -> None:
    for wish in (None, "software"):
        options = SourceOptions(decoder=wish)
        source = open_source("door", str(make_film(tmp_path / "a.mp4")), options=options)
        assert (source.decoder, source.notes) == ("software", ())
        source.close()


def test_a_device_that_works_is_chosen_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    class Works:
        def __init__(self, name: str, **options: Any) -> None:
            made.append(name)

        def create(self, codec: av.Codec) -> None:
            if made[-1] == "one":
                raise NotImplementedError

    monkeypatch.setattr("av.codec.hwaccel.HWAccel", Works)
    monkeypatch.setattr("av.codec.hwaccel.hwdevices_available", lambda: ["one", "two"])
    assert choose("door", "auto").name == "two"
    assert choose("door", "two").acceleration is not None
    assert choose("door", "one").name == "software"


def test_a_device_that_does_not_take_the_cameras_codec_is_told() -> None:
    chosen = Decoder("cuda", None, HWAccel("cuda"))
    assert settled("door", chosen, "h264", accelerated=True) is chosen
    after = settled("door", chosen, "mpeg4", accelerated=False)
    assert after.name == "software"
    assert after.note == "Camera door: the processor decodes, since cuda does not decode mpeg4."
