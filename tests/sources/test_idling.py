"""Only keyframes are decoded while nothing happens, and nothing else changes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from films import shared
from rtsp_camera import RtspCamera, Stream

from pipeline.masking import WHOLE
from pipeline.simulate import load
from pipeline.sources import (
    FrozenPictures,
    OpenedSource,
    Reconnecting,
    SourceOptions,
    idling,
    open_source,
)
from pipeline.sources.idling import Idling, Step, Unfit
from pipeline.types import EncodedPacket, EncodedStream, Frame

RATE, GROUP = 10, 10
CODECS: dict[str, tuple[str, str, dict[str, str]]] = {
    "h264": ("libx264", "mp4", {"bf": "0", "preset": "ultrafast"}),
    "h264, B-frames": ("libx264", "mp4", {"bf": "3", "x264-params": "scenecut=0"}),
    "h264, open": ("libx264", "mkv", {"bf": "3", "x264-params": "scenecut=0:open-gop=1"}),
    "hevc": ("libx265", "mp4", {"preset": "ultrafast", "x265-params": "log-level=error"}),
    "hevc, open": (
        "libx265",
        "mp4",
        {"x265-params": "log-level=error:scenecut=0:open-gop=1:bframes=3:keyint=10:min-keyint=10"},
    ),
    "mpeg4": ("mpeg4", "mp4", {}),
    "mpeg4, B-frames": ("mpeg4", "mp4", {"bf": "2", "sc_threshold": "1000000000"}),
    "vp9": ("libvpx-vp9", "webm", {"deadline": "realtime", "cpu-used": "8"}),
}


def encode(
    path: Path,
    codec: str = "h264",
    *,
    frames: int = 46,
    gop: int = GROUP,
    pts: Callable[[int], int] = lambda index: index,
) -> Path:
    """A film of a texture that moves and a sensor's noise, so that no two pictures are alike."""
    encoder, _, options = CODECS[codec]
    random = np.random.default_rng(1)
    texture = random.integers(60, 200, (96, 128, 3), np.uint8)
    with av.open(str(path), "w") as output:
        stream = output.add_stream(encoder, rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 128, 96, "yuv420p", gop
        stream.codec_context.time_base = Fraction(1, RATE)
        for index in range(frames):
            image = np.roll(texture, 2 * index, 1) + random.integers(0, 9, texture.shape, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = pts(index), Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


@dataclass
class Sleeper:
    """Keeps a source's packets, and says with some of them what is wanted from then on."""

    wishes: dict[int, bool] = field(default_factory=dict)
    packets: list[EncodedPacket] = field(default_factory=list)
    source: OpenedSource | None = None

    def take(self, stream: EncodedStream, packet: EncodedPacket) -> None:
        wish = self.wishes.get(len(self.packets))
        if wish is not None:
            assert self.source is not None
            self.source.idle(wish)
        self.packets.append(packet)


@dataclass
class Reading:
    """What was read of a film."""

    frames: list[Frame]
    packets: list[EncodedPacket]
    dropped: dict[str, int]
    notes: tuple[str, ...]

    @property
    def shown(self) -> list[tuple[int, int]]:
        """Which pictures, by time in periods, and what they show."""
        return [(round(f.pts * RATE), f.picture.fingerprint()) for f in self.frames]

    @property
    def numbers(self) -> list[int]:
        return [number for number, _ in self.shown]


def read(
    path: Path, wishes: dict[int, bool] | None = None, options: SourceOptions | None = None
) -> Reading:
    """Read a film; `wishes` are said with the packets of these numbers, in decoding order."""
    sleeper = Sleeper(wishes or {})
    source = open_source("door", str(path), options=options or SourceOptions(), packets=sleeper)
    sleeper.source = source
    frames = list(source.frames())
    return Reading(frames, sleeper.packets, dict(source.dropped), tuple(source.notes))


def keyframes(whole: Reading) -> list[int]:
    """The numbers of the packets that are keyframes."""
    return [number for number, packet in enumerate(whole.packets) if packet.keyframe]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("films")
    return {
        codec: encode(folder / f"{number}.{CODECS[codec][1]}", codec)
        for number, codec in enumerate(CODECS)
    }


@pytest.mark.parametrize("codec", CODECS)
def test_pictures_after_waking_are_those_of_a_whole_decoding_to_the_bit(
    films: dict[str, Path], codec: str
) -> None:
    whole = read(films[codec])
    numbers = [round(packet.time * RATE) for packet in whole.packets]
    one, two, three = keyframes(whole)[1:4]
    for wake in range(two, three + 1):
        slept = read(films[codec], {one - 1: True, wake: False})
        # a keyframe's leading pictures are made from the group before, which was not decoded
        began = three if wake == three else two
        expected = numbers[: one + 1]
        expected += [numbers[two]] + [n for n in numbers[began:] if n > numbers[began]]
        expected += [numbers[began]] if wake == three else []
        assert slept.numbers == sorted(expected), wake
        assert set(slept.shown) <= set(whole.shown)
        assert slept.dropped.get("not_decoded") == len(numbers) - len(expected)
        assert set(slept.dropped) <= {"not_decoded"}


@pytest.mark.parametrize("codec", CODECS)
def test_packets_and_times_are_the_same_whatever_is_decoded(
    films: dict[str, Path], codec: str
) -> None:
    whole = read(films[codec])
    slept = read(films[codec], {3: True, 33: False})
    assert [(p.data, p.pts, p.time, p.keyframe) for p in slept.packets] == [
        (p.data, p.pts, p.time, p.keyframe) for p in whole.packets
    ]
    assert 10 < len(slept.frames) < len(whole.frames) - 10
    begin, times = slept.packets[0], {p.time: p for p in slept.packets}
    for frame in slept.frames:
        packet = times[frame.pts]
        assert frame.captured_at == packet.captured_at
        assert frame.monotonic == packet.monotonic
        assert frame.monotonic - begin.monotonic == pytest.approx(frame.pts - begin.time)
    assert [frame.discontinuity for frame in slept.frames] == [True] + [False] * (
        len(slept.frames) - 1
    )
    assert [frame.index for frame in slept.frames] == list(range(len(slept.frames)))


def test_while_idle_there_are_keyframes_and_what_lies_between_is_counted(
    films: dict[str, Path],
) -> None:
    slept = read(films["h264"], {0: True})
    assert slept.numbers == [*range(11), 20, 30, *range(40, 46)]
    assert [frame.keyframe for frame in slept.frames if frame.pts > 1] == [True] * 3 + [False] * 5
    assert slept.dropped == {"not_decoded": 27}
    assert slept.notes == ()


def test_a_films_end_is_not_lost(films: dict[str, Path]) -> None:
    whole = read(films["h264, B-frames"])
    slept = read(films["h264, B-frames"], {0: True})
    assert slept.shown[-6:] == whole.shown[-6:]
    assert slept.numbers[-6:] == [40, 41, 42, 43, 44, 45]


def test_a_film_that_breaks_off_while_idle_is_decoded_as_far_as_it_goes(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.ts", frames=46)
    data = path.read_bytes()
    path.write_bytes(data[: 188 * (len(data) // 188 * 97 // 100)])
    whole, slept = read(path), read(path, {0: True})
    assert whole.numbers[-1] < 45
    assert slept.shown[-3:] == whole.shown[-3:]


def test_leading_pictures_of_an_open_group_are_really_there(films: dict[str, Path]) -> None:
    for codec in ("h264, open", "hevc, open"):
        packets = read(films[codec]).packets
        key = next(n for n, packet in enumerate(packets) if packet.keyframe and n)
        assert packets[key + 1].time < packets[key].time, codec


def test_long_groups_are_decoded_whole_and_a_note_says_why(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", frames=130, gop=50)
    slept = read(path, {0: True})
    assert slept.numbers == list(range(130))
    assert slept.notes == (
        "Camera door: all pictures are decoded where keyframes would do, since its keyframes come "
        "too seldom; set its I-frame interval to 1 to 2 s.",
    )
    assert read(path).notes == ()


def test_a_group_that_turns_out_long_is_caught_up_with(tmp_path: Path) -> None:
    # five seconds without a keyframe come after regular seconds
    odd = encode(tmp_path / "a.mp4", frames=130, pts=lambda n: n if n < 45 else n + 50)
    slept = read(odd, {0: True})
    assert slept.numbers[:14] == [*range(11), 20, 30, 40]
    assert set(range(41, 45)) <= set(slept.numbers)
    assert slept.shown == [item for item in read(odd).shown if item[0] in slept.numbers]


def test_no_more_is_kept_than_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = encode(tmp_path / "a.mp4")
    monkeypatch.setattr(idling, "MOST_PACKETS", GROUP - 1)
    slept = read(path, {0: True})
    assert slept.numbers == list(range(46))
    assert "too much lies between its keyframes" in slept.notes[0]


def test_a_jump_among_pictures_that_are_passed_over_is_not_lost(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mkv", pts=lambda n: n if n < 25 else n + 30)
    slept = read(path, {0: True})
    assert [(round(f.pts * RATE), f.discontinuity) for f in slept.frames[10:14]] == [
        (10, False),
        (20, False),
        (60, True),
        (70, False),
    ]
    assert [f.pts for f in read(path).frames if f.discontinuity] == [0, 5.5]


def remux(path: Path, to: Path, change: Callable[[int, av.Packet], av.Packet]) -> Path:
    with av.open(str(path)) as source, av.open(str(to), "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        for number, packet in enumerate(packets):
            changed = change(number, packet)
            changed.stream = stream
            output.mux(changed)
    return to


def test_keyframes_that_are_none_are_not_relied_on(films: dict[str, Path], tmp_path: Path) -> None:
    def lie(number: int, packet: av.Packet) -> av.Packet:
        packet.is_keyframe = packet.is_keyframe or number % 5 == 0
        return packet

    path = remux(films["mpeg4"], tmp_path / "a.mp4", lie)
    whole, slept = read(path), read(path, {0: True})
    assert "its keyframes cannot be decoded alone" in slept.notes[0]
    assert set(slept.shown) <= set(whole.shown)
    assert slept.numbers[-26:] == list(range(20, 46))


def test_what_is_made_from_a_damaged_keyframe_is_not_handed_over(
    films: dict[str, Path], tmp_path: Path
) -> None:
    def damage(number: int, packet: av.Packet) -> av.Packet:
        if number != 20:
            return packet
        data = bytearray(bytes(packet))
        data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
        other = av.Packet(bytes(data))
        other.pts, other.dts, other.time_base = packet.pts, packet.dts, packet.time_base
        other.is_keyframe, other.duration = True, packet.duration
        return other

    path = remux(films["h264"], tmp_path / "a.mkv", damage)
    slept = read(path, {0: True})
    assert slept.numbers == [*range(11), 30, *range(40, 46)]
    assert slept.dropped == {"corrupt": 1, "not_decoded": 27}
    woken = read(path, {0: True, 24: False})
    assert woken.numbers == [*range(11), *range(30, 46)]
    assert set(woken.shown) <= set(read(films["h264"]).shown)


def test_pictures_that_are_all_keyframes_are_all_decoded(tmp_path: Path) -> None:
    assert read(encode(tmp_path / "a.mp4", frames=20, gop=1), {0: True}).numbers == list(range(20))


def test_odd_films_give_no_picture_that_they_do_not_give_awake() -> None:
    for path in sorted(shared("odd").iterdir()):
        if "empty_edit" in path.name or "encrypted" in path.name or "PVA" in path.name:
            continue  # these hold no picture, or end in an error
        whole = {f.picture.fingerprint() for f in read(path).frames}
        slept = read(path, {0: True})
        assert {f.picture.fingerprint() for f in slept.frames} <= whole, path.name
        assert slept.frames, path.name


def test_masks_and_folders_hand_the_wish_on(tmp_path: Path) -> None:
    for name in ("1.mp4", "2.mp4"):
        encode(tmp_path / name)
    slept = read(tmp_path, {0: True})
    assert slept.dropped == {"not_decoded": 54}
    options = SourceOptions(masks=(WHOLE,))
    assert read(tmp_path / "1.mp4", {0: True}, options).dropped == {"not_decoded": 27}


def test_a_frozen_camera_is_found_while_idle(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=RATE, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 160, 120, "yuv420p", 20
        image = np.random.default_rng(1).integers(0, 255, (120, 160, 3), np.uint8)
        for _ in range(60 * RATE):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        output.mux(stream.encode(None))

    def found_at(reading: Reading) -> float:
        pictures = FrozenPictures(20)
        return next(f.pts for f in reading.frames if pictures.look(f))

    slept = read(path, {0: True})
    assert len(slept.frames) < 80
    assert found_at(slept) == found_at(read(path))


def follow(
    url: str, wishes: dict[int, bool], frames: int, *, read_timeout_s: float
) -> tuple[Reading, set[str]]:
    """What a live camera gives over its connections, until there are so many frames."""
    stop, notes = threading.Event(), set[str]()
    sleeper = Sleeper(wishes)
    watched = Reconnecting(
        "door",
        url,
        stop=stop,
        on_state=lambda state, _: None,
        packets=sleeper,
        options=SourceOptions(read_timeout_s=read_timeout_s),
        wait=lambda _: None,
    )
    sleeper.source = watched
    found = []
    for frame in watched.frames():
        found.append(frame)
        notes.update(watched.notes)
        if len(found) == frames:
            stop.set()
    return Reading(found, sleeper.packets, dict(watched.dropped), ()), notes


def test_a_live_camera_idles_wakes_and_idles_again_after_it_was_away(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", frames=60)
    shown = {f.picture.fingerprint(): n for n, f in enumerate(read(path).frames)}

    async def sends_some(stream: Stream) -> None:
        await stream.send(46)

    with RtspCamera(load(path, tmp_path), sends_some) as camera:
        live, notes = follow(camera.url, {0: True, 24: False, 38: True}, 50, read_timeout_s=5)
    numbers = [shown[f.picture.fingerprint()] for f in live.frames]
    again = [n for n, f in enumerate(live.frames) if f.discontinuity]
    first, second = numbers[: again[1]], numbers[again[1] :]
    # what was passed over when the camera hung up is decoded after all
    assert first == [*range(11), *range(20, first[-1] + 1)]
    assert first[-1] >= 44
    assert second[:13] == [*range(11), 20, 30]
    times = [frame.monotonic for frame in live.frames]
    assert times == sorted(times)
    sent = {(p.time, p.captured_at) for p in live.packets}
    assert {(f.pts, f.captured_at) for f in live.frames} <= sent
    assert notes == set()


def test_a_live_camera_of_long_groups_is_not_taken_for_a_stalled_one(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", frames=110, gop=75)

    async def sends_all(stream: Stream) -> None:
        await stream.send(110, pause=0.025)
        await stream.silence()

    with RtspCamera(load(path, tmp_path), sends_all) as camera:
        # half of the time-out is shorter than a group
        live, notes = follow(camera.url, {0: True}, 105, read_timeout_s=2)
    assert [f.index for f in live.frames if f.discontinuity] == [0]
    assert live.dropped == {}
    assert any("its keyframes come too seldom" in note for note in notes)


def test_what_was_passed_over_when_a_camera_fell_silent_is_decoded(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", frames=60, gop=20)

    async def falls_silent(stream: Stream) -> None:
        await stream.send(58)
        await stream.silence()

    with RtspCamera(load(path, tmp_path), falls_silent) as camera:
        live, _ = follow(camera.url, {0: True}, 39, read_timeout_s=1.5)
    assert [round(f.pts * RATE) for f in live.frames[:21]] == list(range(21))
    assert [f.pts for f in live.frames[21:]] == pytest.approx(
        [live.frames[0].pts + n / RATE for n in range(40, 58)]
    )


def steps(
    idling: Idling, *groups: int, wanted: bool = True, start: float = 0.0, step_s: float = 0.1
) -> list[str]:
    """What is done with the packets of groups of so many, as a word of one letter each."""
    idling.wanted = wanted
    numbers = [number for group in groups for number in range(group)]
    return [
        idling.step(keyframe=number == 0, size=100, pts=count, at=start + count * step_s).name[0]
        for count, number in enumerate(numbers)
    ]


def test_a_group_is_measured_before_the_next_one_is_kept() -> None:
    assert "".join(steps(Idling(), 4, 3, 3)) == "DDDDAKKAKK"
    assert "".join(steps(Idling(), 4, 3, wanted=False)) == "DDDDDDD"


def test_waking_catches_up_once() -> None:
    idling = Idling()
    steps(idling, 4, 3)
    assert idling.idle
    assert "".join(steps(idling, wanted=False)) == ""
    answers = [idling.step(keyframe=False, size=1, pts=50 + n, at=0.7) for n in range(3)]
    assert answers == [Step.CATCH_UP, Step.DECODE, Step.DECODE]
    assert not idling.idle


def test_a_long_group_is_remembered_for_as_many_groups_as_are_judged_by() -> None:
    idling = Idling(longest_s=1.0)
    word = "".join(steps(idling, 5, 20, 5, 5, 5, 5))
    assert word == "DDDDD" + "A" + "K" * 10 + "C" + "D" * 8 + "D" * 15 + "AKKKK"
    assert idling.unfit is None


@pytest.mark.parametrize("pts", [None, 7])
def test_a_packet_without_a_time_of_its_own_ends_keeping(pts: int | None) -> None:
    idling = Idling()
    steps(idling, 4, 4)
    assert idling.step(keyframe=False, size=1, pts=pts, at=0.8) is Step.CATCH_UP
    assert idling.unfit is Unfit.UNTIMED


def test_a_first_packet_without_a_time_changes_nothing() -> None:
    idling = Idling()
    idling.wanted = True
    assert idling.step(keyframe=True, size=1, pts=None, at=-0.1) is Step.DECODE
    assert idling.step(keyframe=False, size=1, pts=-1, at=-0.05) is Step.DECODE
    assert idling.unfit is None
    assert "".join(steps(idling, 4, 3)) == "AKKKAKK"


def test_what_was_refused_once_is_not_tried_again() -> None:
    idling = Idling()
    steps(idling, 4, 1)
    idling.refuse()
    assert "".join(steps(idling, 4, 4, 4, 4)) == "D" * 16
    assert idling.unfit is Unfit.DEPENDENT
