"""What a camera's masks hide is hidden in all that is made of its video, whenever they came."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from chat_server import ChatServer, chat_server, with_logprobs
from conftest_web import Installation, served
from films import make_film
from footage import Kept, packets_of, write
from happenings import created, footage
from running import SMALL, until

from pipeline import Event, Pipeline
from pipeline.amendment import EventEnded
from pipeline.clips.cut import Cut
from pipeline.config import Config
from pipeline.configfile import validate
from pipeline.media import LocalMedia
from pipeline.sources import SourceOptions, open_source
from pipeline.sources.pictures import DecodedPicture
from pipeline.store import JobKind, Store
from pipeline.types import Polygon, Size
from pipeline.workers.cutting import Cutting
from pipeline.workers.drawing import Drawing
from pipeline.workers.hiding import Hiding

SECOND = timedelta(seconds=1)
RIGHT: Polygon = ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))
TOP: Polygon = ((0.0, 0.0), (1.0, 0.0), (1.0, 0.25), (0.0, 0.25))


def config_of(folder: Path, *masks: Polygon) -> Config:
    camera = {"source": "film.mp4", "masks": [list(map(list, polygon)) for polygon in masks]}
    return validate(
        {"data": str(folder / "data"), "cameras": {"back-door": camera}},
        where="test",
        folder=folder,
    )


class Recorder:
    """The recording of an event that was found with one set of masks, and is cut with another."""

    def __init__(
        self,
        kept: Kept,
        folder: Path,
        *,
        then: tuple[Polygon, ...] = (),
        now: tuple[Polygon, ...] = (),
        turns: int = 0,
        annotated: bool = False,
        **event: Any,
    ) -> None:
        self.folder = folder
        write(kept, folder / "video" / "back-door")
        self.store = Store.open(folder / "data")
        self.media = LocalMedia(folder / "data" / "media")
        (folder / "work").mkdir()
        self.started = kept.begin + 2 * SECOND
        wanted = footage(
            begin=kept.begin,
            found=self.started,
            post_roll_s=1.0,
            annotated=annotated,
            masks=then,
            turns=turns,
        )
        values = {"started": self.started, "footage": wanted, "frame_size": (160, 120)} | event
        self.store.amend("e1", created(**values), now=self.started)
        self.cutting = Cutting(
            self.store,
            self.media,
            folder / "video",
            folder / "work",
            "test",
            hiding=Hiding({"back-door": now}),
        )

    def cut(self, *, ended: bool = True) -> Event:
        if ended:
            over = EventEnded(ended=self.started + SECOND, reason="quiet")
            self.store.amend("e1", over, now=self.started)
        assert self.cutting.step(self.started, 0.0, last=True)
        return self.event()

    def draw(self, *masks: Polygon) -> Event:
        """Have the annotated clip drawn where the configuration has these masks."""
        drawing = Drawing(
            config_of(self.folder, *masks),
            self.store,
            self.media,
            self.folder / "work",
            "test",
            Hiding({"back-door": masks}),
        )
        drawing.start()
        try:
            return until(lambda: (event := self.event()).annotated_clip and event)
        finally:
            drawing.stop(10)

    def event(self) -> Event:
        event = self.store.event("e1")
        assert event is not None
        return event

    def picture(self, key: str | None) -> np.ndarray:
        """A stored picture, or the first one of a clip."""
        assert key is not None
        path = self.media.path(key)
        if path.suffix == ".jpg":
            return cv2.imread(str(path))
        with av.open(str(path)) as container:
            return next(container.decode(video=0)).to_ndarray(format="bgr24")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """5 s of a camera, 160 x 120, grey with a white square."""
    return packets_of(make_film(tmp_path_factory.mktemp("films") / "film.mp4", frames=50))


def test_without_masks_the_clip_is_for_everybody(kept: Kept, tmp_path: Path) -> None:
    recorder = Recorder(kept, tmp_path)
    event = recorder.cut()
    assert event.clip is not None
    assert not event.clip.restricted
    assert recorder.picture(event.clip.poster).min() > 40
    assert recorder.store.jobs.waiting([JobKind.DRAW]) == []


@pytest.mark.parametrize("when", ["then", "now"])
def test_the_clip_of_a_masked_camera_is_restricted_its_poster_black_and_a_drawn_one_follows(
    kept: Kept, tmp_path: Path, when: str
) -> None:
    recorder = Recorder(kept, tmp_path, **{when: (RIGHT,)})  # type: ignore[arg-type]
    first = recorder.cut(ended=False)
    assert first.clip is not None
    assert not first.clip.whole
    assert first.clip.restricted
    assert recorder.picture(first.clip.poster)[:, 88:].max() <= 8
    event = recorder.cut()
    assert event.clip is not None
    assert event.clip.restricted
    poster = recorder.picture(event.clip.poster)
    assert poster[:, 88:].max() <= 8
    assert poster[:, :70].min() > 40
    assert recorder.picture(event.clip.key)[:, 80:].min() > 40
    # Although no drawn one was wanted: it is the only one that may be shown.
    event = recorder.draw(RIGHT)
    assert event.annotated_clip is not None
    assert not event.annotated_clip.restricted
    assert recorder.picture(event.annotated_clip.key)[:120, 88:].max() <= 8
    assert recorder.picture(event.annotated_clip.contact_sheet)[:100, 88:158].max() <= 8


def test_what_was_hidden_stays_hidden_and_what_is_hidden_now_is_too(
    kept: Kept, tmp_path: Path
) -> None:
    recorder = Recorder(kept, tmp_path, then=(RIGHT,))
    recorder.cut()
    event = recorder.draw(TOP)
    assert event.annotated_clip is not None
    drawn = recorder.picture(event.annotated_clip.key)[:120]
    assert drawn[:, 88:].max() <= 8
    assert drawn[:24].max() <= 8
    assert drawn[44:, :64].min() > 40


def with_orientation(packet: av.Packet, turns: int) -> av.Packet:
    """A packet of H.264 with the message that says how its pictures are to be turned: no flips, so
    many 65,536ths of a circle, until further notice."""
    message = (turns << 14 << 5 | 0b01001).to_bytes(3, "big")
    told = av.Packet(b"\0\0\0\1\x06\x2f\x03" + message + b"\x80" + bytes(packet))
    told.pts, told.dts, told.time_base = packet.pts, packet.dts, packet.time_base
    told.is_keyframe, told.stream = True, packet.stream
    return told


def turned_film(path: Path, turns: int, *, size: Size, codec: str, said: str) -> Path:
    """A film that is to be turned before it is shown, which is said in its container, or in its
    keyframes as a camera on a ceiling does: grey, upright with a white secret at the upper left."""
    upright = np.full((size[1], size[0], 3), 90, np.uint8)
    upright[: size[1] // 4, : size[0] // 4] = 255
    stored = np.ascontiguousarray(np.rot90(upright, -turns))
    with av.open(str(path), "w") as output:
        options = {} if codec == "mpeg4" else {"bf": "0"}
        stream = output.add_stream(codec.removesuffix("-444"), rate=10, options=options)
        stream.width, stream.height = stored.shape[1], stored.shape[0]
        stream.pix_fmt = "yuv444p" if codec.endswith("-444") else "yuv420p"
        stream.gop_size = 15
        if said == "container":
            stream.set_display_rotation(90 * turns)
        for image in [av.VideoFrame.from_ndarray(stored, format="bgr24")] * 50 + [None]:
            for packet in stream.encode(image):
                if said == "keyframes" and packet.is_keyframe:
                    output.mux(with_orientation(packet, turns))
                else:
                    output.mux(packet)
    return path


SECRET: Polygon = ((0.0, 0.0), (0.3, 0.0), (0.3, 0.3), (0.0, 0.3))


@pytest.mark.parametrize(
    ("turns", "size", "codec", "said"),
    [
        (2, (160, 120), "libx264", "container"),
        (2, (160, 120), "libx264", "keyframes"),
        (2, (160, 120), "mpeg4", "container"),
        (1, (160, 160), "libx264", "container"),
        (3, (160, 160), "libx264", "keyframes"),
        (1, (120, 160), "libx264", "container"),
        (3, (120, 160), "mpeg4", "container"),
        (2, (160, 120), "libx264-444", "keyframes"),
    ],
)
def test_what_is_hidden_in_the_upright_picture_is_in_all_that_is_made_of_a_turned_one(
    tmp_path: Path, turns: int, size: Size, codec: str, said: str
) -> None:
    film = turned_film(tmp_path / "film.mp4", turns, size=size, codec=codec, said=said)
    masked = SourceOptions(masks=(SECRET,))
    for frame in open_source("back-door", str(film), options=masked).frames():
        assert (frame.turns, frame.size) == (turns, size)
        assert frame.image().max() < 150
    recorder = Recorder(
        packets_of(film), tmp_path, then=(SECRET,), turns=frame.turns, frame_size=frame.size
    )
    recorder.cutting.encodes = codec != "libx264"
    event = recorder.cut()
    assert event.clip is not None
    assert event.clip.transcoded is (codec != "libx264")
    assert (event.clip.width, event.clip.height) == size
    drawn = recorder.draw(SECRET)
    assert drawn.annotated_clip is not None
    poster = recorder.picture(event.clip.poster)
    with av.open(str(recorder.media.path(drawn.annotated_clip.key))) as container:
        shown = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    annotated = [image[: size[1], : size[0]] for image in shown]
    for image in (poster, *annotated):
        assert image.shape[:2] == (size[1], size[0])
        assert image[:28, :28].max() <= 8
        assert image.max() < 150
        assert image[size[1] // 2 :, size[0] // 2 :].min() > 60
    sheet = recorder.picture(drawn.annotated_clip.contact_sheet)
    assert sheet[:28, :28].max() <= 8
    # The clip itself plays upright, the secret where it was.
    with av.open(str(recorder.media.path(event.clip.key))) as container:
        for picture in map(DecodedPicture, container.decode(video=0)):
            assert picture.size == size
            assert picture.bgr(size)[:25, :25].min() > 200
    assert recorder.cutting.hiding.problem is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"frame_size": (120, 160)}, "(160x120) have another shape"),
        ({"frame_size": (320, 180)}, "those that are looked at (320x180)"),
        ({"turns": 2}, "turn both of its streams"),
    ],
)
@pytest.mark.parametrize("when", ["then", "now"])
def test_where_nobody_knows_where_a_mask_lies_in_a_clip_it_is_black_all_over_and_that_is_said(
    kept: Kept,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    changes: dict[str, Any],
    said: str,
    when: str,
) -> None:
    recorder = Recorder(kept, tmp_path, **{when: (RIGHT,)}, **changes)  # type: ignore[arg-type]
    recorder.cut(ended=False)
    event = recorder.cut()
    assert event.clip is not None
    assert recorder.picture(event.clip.poster).max() <= 8
    assert event.clip.timeline is not None
    made = Cut.model_validate_json(recorder.media.get(event.clip.timeline))
    assert RIGHT in made.masks
    problem = recorder.cutting.hiding.problem
    assert problem is not None
    assert problem.startswith("Clips of the back door are shown black all over")
    assert said in problem
    assert [record.getMessage() for record in caplog.records].count(problem) == 1


@pytest.mark.parametrize("changes", [{"frame_size": (320, 180)}, {"turns": 2}])
def test_a_mask_that_has_come_since_hides_all_of_a_clip_in_which_nobody_knows_where_it_lies(
    kept: Kept, tmp_path: Path, changes: dict[str, Any]
) -> None:
    recorder = Recorder(kept, tmp_path, annotated=True, **changes)
    event = recorder.cut()
    assert event.clip is not None
    assert not event.clip.restricted
    assert recorder.picture(event.clip.poster).min() > 40
    assert recorder.cutting.hiding.problem is None
    event = recorder.draw(RIGHT)
    assert event.annotated_clip is not None
    assert np.median(recorder.picture(event.annotated_clip.key)[:120]) == 0


def test_streams_of_nearly_one_shape_are_masked_as_ever(kept: Kept, tmp_path: Path) -> None:
    recorder = Recorder(kept, tmp_path, then=(RIGHT,), frame_size=(320, 236))
    event = recorder.cut()
    assert event.clip is not None
    assert recorder.picture(event.clip.poster)[:, :70].min() > 40


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with chat_server() as running:
        running.answer = with_logprobs
        yield running


def sent(server: ChatServer) -> list[np.ndarray]:
    """The pictures that the model was sent."""
    found = []
    for chat in server.chats:
        for message in chat.body["messages"]:
            parts = message["content"] if isinstance(message["content"], list) else []
            for part in parts:
                if part["type"] == "image_url":
                    data = base64.b64decode(part["image_url"]["url"].partition(",")[2])
                    found.append(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))
    return found


def shortened(film: Path, target: Path, seconds: float) -> Path:
    with av.open(str(film)) as source, av.open(str(target), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size and packet.pts * packet.time_base < seconds:
                packet.stream = stream
                out.mux(packet)
    return target


def test_of_what_a_mask_hides_nothing_reaches_the_model_the_page_or_an_annotated_clip(
    film: Path, server: ChatServer, tmp_path: Path
) -> None:
    """The wall behind the person is hidden: the upper third of the picture, on the right."""
    wall = [[0.5, 0.0], [1.0, 0.0], [1.0, 0.33], [0.5, 0.33]]
    data = tmp_path / "data"
    settings = {
        "site": "test",
        "data": str(data),
        "web": {"enabled": False},
        "storage": {"free_mb": 1},
        "describer": {"model": server.url, "pictures": 2},
        "cameras": {
            "door": {
                "source": str(shortened(film, tmp_path / "short.mp4", 6.0)),
                **SMALL,
                "masks": [wall],
                "record": {"annotated": False},
            }
        },
    }
    with Pipeline(validate(settings, where="test", folder=tmp_path)) as running:
        list(running.events(timeout=90))
    with Store.open(data) as store:
        (event,) = store.search(10)
        media = LocalMedia(data / "media")

        def assert_hidden(image: np.ndarray) -> None:
            hidden = image[: round(0.31 * 576), 400:768]
            assert hidden.max() <= 24, hidden.max()
            assert image[: round(0.31 * 576), :370].mean() > 100

        whole = [image for image in sent(server) if image.shape[:2] == (576, 768)]
        assert whole
        for image in whole:
            assert_hidden(image)
        for image in event.images[:1]:
            assert_hidden(cv2.imread(str(media.path(image.key))))
        assert event.clip is not None
        assert event.clip.restricted
        assert event.annotated_clip is not None
        with av.open(str(media.path(event.annotated_clip.key))) as drawn:
            for frame in drawn.decode(video=0):
                assert_hidden(frame.to_ndarray(format="bgr24"))
        with av.open(str(media.path(event.clip.key))) as raw:
            shown = next(raw.decode(video=0)).to_ndarray(format="bgr24")
        assert shown[:170, 400:].mean() > 100
        with served(Installation(store, media).site()) as page:
            assert page.get(f"/media/{event.id}/clip").status_code == 403
            assert page.get(f"/media/{event.id}/annotated").status_code == 200
