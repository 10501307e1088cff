"""Annotated clips, captions and contact sheets say what was tracked, where and when."""

from __future__ import annotations

from datetime import UTC, timedelta
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from films import make_film
from footage import packets_of, write
from happenings import NOW, after, asked, created, ended, judged, track

from pipeline.clips.annotate import annotate
from pipeline.clips.bar import Bar, wrapped
from pipeline.clips.captions import webvtt
from pipeline.clips.cut import Cut, CutLook, cut
from pipeline.clips.pictures import poster
from pipeline.clips.tracks import Tracks
from pipeline.errors import ClipError
from pipeline.masking import Masks
from pipeline.store.fold import fold
from pipeline.types import Event, LoggedTrack, Zone

BOX = (0.25, 0.25, 0.5, 0.75)


def event_of(*amendments: object, **changes: object) -> Event:
    make = asked if amendments else created
    event = fold(None, "e1", make(**changes), NOW)
    for amendment in amendments:
        event = fold(event, "e1", amendment, NOW)  # type: ignore[arg-type]
    return event


def cut_of(looks: tuple[CutLook, ...], size: tuple[int, int] = (320, 240)) -> Cut:
    return Cut(
        codec="h264",
        size=size,
        duration_s=6.0,
        start=after(-2),
        end=after(4),
        transcoded=False,
        looks=looks,
    )


def look(t: float, *tracks: LoggedTrack) -> CutLook:
    return CutLook(t=t, at=after(t - 2), tracks=tracks)


def person(number: int = 1, box: tuple[float, float, float, float] = BOX) -> LoggedTrack:
    return LoggedTrack(number, "person", 0.8, box)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("raw") / "raw.mp4"
    return make_film(path, frames=60, size=(320, 240))


def draw(raw: Path, out: Path, made: Cut, event: Event, zones: tuple[Zone, ...] = ()) -> Path:
    drawn = annotate(raw, made, event, zones, out, tz=UTC, should_stop=lambda: False)
    assert drawn is not None
    return out


def pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [f.to_ndarray(format="bgr24").astype(int) for f in container.decode(video=0)]


def coloured(image: np.ndarray) -> np.ndarray:
    """Where a grey picture is not grey."""
    return (image.max(axis=2) - image.min(axis=2)) > 60


def test_boxes_are_drawn_where_the_tracks_are(raw: Path, tmp_path: Path) -> None:
    looks = tuple(look(t / 5, person()) for t in range(31))
    out = draw(raw, tmp_path / "out.mp4", cut_of(looks), event_of(tracks=(track(1),)))
    found = coloured(pictures(out)[30][:240])
    rows, columns = np.nonzero(found[:, 60:170])
    # The label stands above the box; its own edges are the outermost columns.
    left, right = columns.min() + 60, columns.max() + 60
    bottom = rows.max()
    drawn = (left, 60.0, right, bottom)
    wanted = (80.0, 60.0, 160.0, 180.0)
    across = min(drawn[2], wanted[2]) - max(drawn[0], wanted[0])
    down = min(drawn[3], wanted[3]) - max(drawn[1], wanted[1])
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (drawn, wanted)]
    assert across * down / (sum(areas) - across * down) > 0.9


def test_the_sentence_stands_below_the_picture_and_never_over_it(raw: Path, tmp_path: Path) -> None:
    out = draw(raw, tmp_path / "out.mp4", cut_of(()), event_of(tracks=()))
    before, after_ = pictures(raw), pictures(out)
    assert len(after_) == len(before)
    assert after_[20].shape[0] > 240
    assert np.abs(after_[20][:240] - before[20]).mean() < 4
    bar = after_[20][240:]
    assert bar.max() > 180
    assert np.median(bar) < 60


def test_times_of_the_pictures_stay_as_they_are(raw: Path, tmp_path: Path) -> None:
    out = draw(raw, tmp_path / "out.mp4", cut_of(()), event_of())
    with av.open(str(raw)) as a, av.open(str(out)) as b:
        assert [f.time for f in b.decode(video=0)] == pytest.approx(
            [f.time for f in a.decode(video=0)], abs=0.002
        )


def test_a_zone_is_outlined(raw: Path, tmp_path: Path) -> None:
    zone = Zone("step", "the step", ((0.6, 0.6), (0.95, 0.6), (0.95, 0.95), (0.6, 0.95)))
    out = draw(raw, tmp_path / "out.mp4", cut_of(()), event_of(tracks=()), (zone,))
    assert coloured(pictures(out)[5][:240]).sum() > 200


def test_a_drawing_that_is_stopped_leaves_nothing(raw: Path, tmp_path: Path) -> None:
    answers = iter([False, False, True])
    out = tmp_path / "out.mp4"
    drawn = annotate(
        raw, cut_of(()), event_of(), (), out, tz=UTC, should_stop=lambda: next(answers)
    )
    assert drawn is None
    assert not out.exists()


def test_a_large_clip_is_drawn_smaller(tmp_path: Path) -> None:
    raw = make_film(tmp_path / "raw.mp4", frames=3, size=(1920, 1080))
    out = tmp_path / "out.mp4"
    made = cut_of((), size=(1920, 1080))
    drawn = annotate(raw, made, event_of(), (), out, tz=UTC, should_stop=lambda: False)
    assert drawn is not None
    assert drawn.size[0] == 1280
    assert pictures(out)[0].shape[:2] == (drawn.size[1], 1280)


def test_the_contact_sheet_shows_six_moments(raw: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    event = event_of(ended(2.0))
    drawn = annotate(raw, cut_of(()), event, (), out, tz=UTC, should_stop=lambda: False)
    assert drawn is not None
    assert drawn.sheet is not None
    assert drawn.sheet.shape[1] == 3 * 320
    # The square moves, so no two of them are alike.
    cells = [drawn.sheet[:240, i * 320 : (i + 1) * 320] for i in range(3)]
    assert all(np.abs(a.astype(int) - b).max() > 50 for a, b in pairwise(cells))


def test_what_masks_hide_is_black_in_each_picture_and_in_the_contact_sheet(
    raw: Path, tmp_path: Path
) -> None:
    right = ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))
    made = cut_of(()).model_copy(update={"masks": (right,)})
    event = event_of(tracks=())
    drawn = annotate(raw, made, event, (), tmp_path / "out.mp4", tz=UTC, should_stop=lambda: False)
    assert drawn is not None
    shown = pictures(tmp_path / "out.mp4")
    assert len(shown) == 60
    for image in shown:
        # Near its edge the encoder smears what is beside it.
        assert image[:240, 164:].max() <= 8
        assert image[:240, :148].min() > 40
    assert drawn.sheet is not None
    assert drawn.sheet[:240, 160:320].max() <= 2
    assert drawn.sheet[:240, :148].min() > 40
    assert poster(raw, 5.0)[:, 160:].max() > 240
    assert poster(raw, 5.0, Masks([right]))[:, 160:].max() == 0


def test_what_is_no_film_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "raw.mp4").write_bytes(b"nothing")
    with pytest.raises(ClipError, match="cannot be made"):
        draw(tmp_path / "raw.mp4", tmp_path / "out.mp4", cut_of(()), event_of())
    assert not (tmp_path / "out.mp4").exists()


def test_between_two_looks_a_box_is_on_the_line_between_and_nowhere_in_a_gap() -> None:
    tracks = Tracks(
        [
            look(1.0, person(1, (0.0, 0.0, 0.2, 0.2))),
            look(2.0, person(1, (0.4, 0.0, 0.6, 0.2))),
            look(9.0, person(1, (0.8, 0.0, 1.0, 0.2))),
        ]
    )
    (between,) = tracks.at(1.25)
    assert between.box == pytest.approx((0.1, 0.0, 0.3, 0.2))
    assert [t.box[0] for t in tracks.at(2.0)] == [0.4]
    assert tracks.at(5.0) == []
    assert tracks.at(0.5) == []
    assert tracks.at(9.5) == []


def test_a_long_sentence_fits_into_two_lines() -> None:
    sentence = "Ein Mensch steht seit 42 s an der Hintertür; Человек стоит у двери. " * 6
    lines = wrapped(sentence, 300, 14)
    assert len(lines) == 2
    assert lines[-1].endswith("…")
    bar = Bar(320, sentence, 240)
    assert bar.image("02:14").shape == (bar.height, 320, 3)
    assert bar.height % 2 == 0


def test_captions_tell_what_happens_when_and_what_the_model_says() -> None:
    looks = (look(0.0), look(2.0, person()), look(4.0, person()), look(5.9))
    event = event_of(judged(description="A man & a <dog> --> gone"), ended(2.0), tracks=(track(1),))
    text = webvtt(event, cut_of(looks))
    assert text.startswith("WEBVTT\n\n")
    assert "00:00:02.000 --> 00:00:04.000\n" in text
    assert "A person has stood at the back door for 42 s (limit 30 s), 02:14." in text
    assert "Does a person linger at the door? Yes (90%)" in text
    assert "A man &amp; a &lt;dog&gt; --&gt; gone" in text
    assert "00:00:02.000 --> 00:00:04.000\nA person appears" in text
    assert "00:00:04.000 --> 00:00:06.000\nA person is gone" in text
    cues = [line for line in text.splitlines() if "-->" in line]
    assert cues == sorted(cues)


def test_a_real_cut_is_drawn_from_what_lies_beside_it(tmp_path: Path) -> None:
    kept = packets_of(make_film(tmp_path / "film.mp4", frames=60, size=(320, 240)))
    footage = write(kept, tmp_path / "cam")
    pieces = footage.pieces(kept.begin, kept.begin + timedelta(seconds=9))
    made = cut(pieces, tmp_path / "raw.mp4")
    again = Cut.model_validate_json(made.model_dump_json())
    out = draw(tmp_path / "raw.mp4", tmp_path / "out.mp4", again, event_of(started=made.start))
    assert len(pictures(out)) == 60
