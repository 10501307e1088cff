"""What is advised, by figures made up: each finding from its threshold on, and not below."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from measurements import GOOD, spoiled

from pipeline.sources import advice, together
from pipeline.sources.advice import Role, Settings, advise, duration
from pipeline.sources.measurement import CameraClock, Keyframes, Measurement
from pipeline.sources.together import advise_machine, advise_pair, clock_difference

SPARSE = Keyframes(1, None, None, 8.3, None)
SMART = Keyframes(3, 1.0, 15, 6.2, False)
UNEVEN = Keyframes(6, 1.0, 15, 1.3, False)
SLOW = Keyframes(2, 4.1, 61, 4.1, True)
FILM = {"live": False, "jitter": None, "clock": None, "transport": None}

# code, what is wrong, what the sentence holds, what is nearly wrong
FINDINGS: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    ("broke", {"broke": "It hung up.", "seconds": 3.24}, "broke after 3.2 s", {}),
    ("frozen", {"look__still_s": 5.0}, "No new picture came for 5.0 s", {"look__still_s": 4.9}),
    ("dark", {"look__brightness": 0.11}, "brightness 11%", {"look__brightness": 0.12}),
    ("dark", {"look__brightness": 0.0}, "uncover the lens", {**FILM, "look__brightness": 0.0}),
    ("loss", {"loss__missing": 1}, "Loss of 0.8% of the pictures over TCP", {"loss__missing": 1, "loss__pictures": 199}),
    ("loss", {"loss__damaged": 3, "transport": "udp", "loss__rtp_packets": 41}, "Loss of 2.4% of the pictures over UDP (41 RTP packets): use `transport: tcp`.", {"loss__rtp_packets": 1, "transport": "udp"}),
    ("loss", {"loss__undecodable": 3, "transport": None}, "Loss of 2.4% of the pictures: ", {}),
    ("damaged", {**FILM, "loss__damaged": 3}, "2.4% of the pictures are damaged", FILM),
    ("jitter", {"jitter__late_p95_ms": 501.0}, "more than 0.5 s late", {"jitter__late_p95_ms": 500.0}),
    ("pace", {"jitter__pace": 1.25, "jitter__late_p95_ms": 900.0}, "1.2 times as fast", {"jitter__pace": 1.09}),
    ("pace", {"jitter__pace": 0.8}, "0.8 times as fast", {"jitter__pace": 0.91}),
    ("times", {"times__jumps": 3}, "times leapt 3 times within 8 s", {"times__jumps": 2}),
    ("times", {"times__backwards": 4}, "ran backwards 4 times", {**FILM, "times__backwards": 4}),
    ("times", {"times__repeated": 3, "times__without": 9}, "repeated 3 times and were missing 9 times", {"times__repeated": 2, "times__without": 2}),
    ("slow", {"video__rate": 11.9}, "claims 15 pictures a second and sends 11.9", {"video__rate": 12.1}),
    ("slow", {"video__rate": 6.0}, "long exposure", {"video__rate": 6.0, "video__claimed_rate": None}),
    ("slower_than_looks", {"video__rate": 3.9, "video__claimed_rate": 4.0}, "sends 3.9 pictures a second, fewer than the 5", {"video__rate": 4.0, "video__claimed_rate": 4.0}),
    ("slow_opening", {"opening__first_picture_s": 5.1}, "came after 5.1 s", {"opening__first_picture_s": 5.0}),
    ("decode_cost", {"cost__decode_share": 0.38}, "Decoding needs 38% of a core at 15 frames/s: use the camera's small stream as `source` and this one as `record.source`.", {"cost__decode_share": 0.25}),
    ("convert_cost", {"cost__convert_share": 0.3}, "needs 30% of a core: lower `detect.fps`", {"cost__convert_share": 0.25}),
    ("long_keyframe_interval", {"keyframes": SLOW}, "interval is 4.1 s: clips begin up to so much earlier", {"keyframes__longest_s": 4.0, "keyframes__interval_s": 4.0}),
    ("long_keyframe_interval", {"keyframes": SPARSE}, "interval is more than 8.3 s", {**FILM, "keyframes": SPARSE}),
    ("irregular_keyframes", {"keyframes": SMART}, "irregularly, up to 6.2 s apart", {"keyframes": UNEVEN}),
    ("codec", {"video__codec": "hevc"}, "H.265: browsers play it only transcoded", {}),
    ("codec", {"video__codec": "mjpeg"}, "MJPEG sends every picture whole and takes 2.0 Mbit/s", {}),
    ("codec", {**FILM, "video__codec": "vp8"}, "vp8: browsers", {}),
    ("pixel_format", {"video__pixel_format": "yuv422p"}, "pixel format is yuv422p", {"video__pixel_format": "yuvj420p"}),
    ("b_frames", {"video__b_frames": True}, "switch them off", {**FILM, "video__b_frames": True}),
    ("size_changes", {"video__sizes": 2}, "changed its size", {**FILM, "video__sizes": 2}),
    ("small", {"video__size": (352, 288)}, "picture (352x288) is enlarged to 640 for the detector, to no use: set `detect.size: 352`", {"video__size": (480, 360)}),
    ("small", {"video__size": (16, 20)}, "set `detect.size: 64`", {}),
    ("clock", {"clock": CameraClock(-63.0, "rtcp")}, "clock is 63 s behind: give it a time server", {"clock": CameraClock(-2.0, "rtcp")}),
    ("clock", {"clock": CameraClock(7200.0, "http")}, "clock is 2 hours ahead", {"clock": None}),
    ("certificate", {"certificate_verified": False}, "certificate is not verified", {"certificate_verified": True}),
]  # fmt: skip


ALONE = Settings()


def codes(found: Measurement, settings: Settings = ALONE) -> list[str]:
    return [item.code for item in advise(found, settings)]


def test_a_good_camera_needs_no_advice() -> None:
    for role in Role:
        assert codes(GOOD, Settings(role)) == []


@pytest.mark.parametrize(("code", "wrong", "said", "nearly"), FINDINGS)
def test_a_finding_is_told_with_its_number_and_what_to_do(
    code: str, wrong: dict[str, Any], said: str, nearly: dict[str, Any]
) -> None:
    found = advise(spoiled(**wrong))
    assert [item.code for item in found] == [code]
    assert said in found[0].sentence
    assert found[0].sentence.endswith(".")
    assert ": " in found[0].sentence  # what to do
    assert code not in codes(spoiled(**nearly))


@pytest.mark.parametrize(
    "unknown",
    ["keyframes", "jitter", "cost", "clock", "cost__decode_share", "video__rate", "video__claimed_rate", "video__b_frames", "video__pixel_format", "video__bit_rate", "look__still_s", "opening__first_packet_s"],
)  # fmt: skip
def test_what_is_unknown_is_not_advised_on(unknown: str) -> None:
    assert codes(spoiled(**{unknown: None})) == []


def test_the_stream_that_is_only_recorded_need_not_be_cheap_or_small() -> None:
    dear = spoiled(
        cost__decode_share=0.9, cost__convert_share=0.9, video__size=(320, 240), video__rate=3.0, video__claimed_rate=3.0
    )  # fmt: skip
    assert codes(dear, Settings(Role.RECORD)) == []
    assert codes(dear, Settings(Role.DETECT)) == [
        "slower_than_looks", "decode_cost", "convert_cost", "small",
    ]  # fmt: skip
    (said,) = advise(spoiled(cost__decode_share=0.38), Settings(Role.DETECT))
    assert "choose a smaller picture" in said.sentence


def test_the_stream_that_is_only_looked_at_makes_no_clips() -> None:
    for wrong in ({"keyframes": SPARSE}, {"keyframes": SMART}, {"video__codec": "hevc"}):
        assert codes(spoiled(**wrong), Settings(Role.DETECT)) == []
        assert len(codes(spoiled(**wrong), Settings(Role.RECORD))) == 1


def test_two_streams_that_do_not_go_together_are_told() -> None:
    record = spoiled(video__size=(2560, 1440))
    assert advise_pair(GOOD, record) == ()
    assert clock_difference(GOOD, record) == 0
    late = spoiled(video__size=(2560, 1440), clock=CameraClock(-1.0, "rtcp"))
    (clocks,) = advise_pair(GOOD, late)
    assert "The clocks of the two streams differ by 0.8 s" in clocks.sentence
    (swapped,) = advise_pair(record, GOOD)
    assert "`source` (2560x1440) is larger than `record.source` (1280x720)" in swapped.sentence
    (shapes,) = advise_pair(spoiled(video__size=(640, 480)), record)
    assert "other shapes (640x480 and 2560x1440)" in shapes.sentence


def test_clocks_that_are_not_told_by_the_camera_have_no_difference() -> None:
    for clock in (None, CameraClock(-100.0, "http")):
        assert clock_difference(GOOD, spoiled(clock=clock)) is None


def test_cameras_that_are_too_much_together_are_told() -> None:
    assert advise_machine([0.2] * 7, cores=2) == ()
    (said,) = advise_machine([0.2] * 8, cores=2)
    assert "needs 1.6 of this machine's 2 cores" in said.sentence


def test_every_advice_is_tried_here() -> None:
    sources = [Path(module.__file__ or "").read_text() for module in (advice, together)]
    written = set(re.findall(r'Advice\(\s*"(\w+)"', "".join(sources)))
    tried = {code for code, *_ in FINDINGS}
    assert written - tried == {"machine", "pair_clocks", "pair_swapped", "pair_shapes"}


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.04, "0.04 s"), (3.14, "3.1 s"), (63.4, "63 s"), (130, "2 minutes"), (3600 * 5, "5 hours"), (86_400 * 56, "56 days"), (1.8e9, "57 years")],
)  # fmt: skip
def test_durations_are_said_as_people_do(seconds: float, said: str) -> None:
    assert duration(seconds) == said
