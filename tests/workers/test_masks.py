"""What a camera's masks hide is hidden in all that is made of its video, whenever they came."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from chat_server import ChatServer, chat_server, with_logprobs
from conftest_web import Installation, served
from films import make_film
from footage import Kept, packets_of
from recorder import Recorder
from running import SMALL

from pipeline import Pipeline
from pipeline.clips.cut import Cut
from pipeline.configfile import validate
from pipeline.media import LocalMedia
from pipeline.store import JobKind, Store
from pipeline.types import Polygon

RIGHT: Polygon = ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))
TOP: Polygon = ((0.0, 0.0), (1.0, 0.0), (1.0, 0.25), (0.0, 0.25))


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
