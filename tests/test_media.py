from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from small_disk import small_disk

from pipeline.errors import StoreError
from pipeline.media import MAX_KEY_LENGTH, LocalMedia

KEY = "events/019a0000-0000-7000-8000-000000000000/frame.jpg"


@pytest.fixture
def media(tmp_path: Path) -> LocalMedia:
    return LocalMedia(tmp_path / "media")


def test_what_was_put_is_got(media):
    media.put(KEY, b"picture")
    assert media.get(KEY) == b"picture"


def test_a_second_put_replaces_the_first(media):
    media.put(KEY, b"first")
    media.put(KEY, b"second")
    assert media.get(KEY) == b"second"


def test_an_unknown_key_is_a_key_error(media):
    with pytest.raises(KeyError):
        media.get(KEY)


def test_a_key_below_a_picture_is_a_key_error(media):
    media.put("a", b"picture")
    with pytest.raises(KeyError):
        media.get("a/b")


def test_a_key_that_is_a_folder_is_a_key_error(media):
    media.put("a/b", b"picture")
    with pytest.raises(KeyError):
        media.get("a")


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/etc/passwd",
        "../outside",
        "a/../../outside",
        "a/./b",
        "a//b",
        "a/",
        ".hidden",
        "a/.writing-x",
        "a\\b",
        "a b",
        "a\nb",
        "a\n",
        "a\0b",
        "ä",
        "x" * (MAX_KEY_LENGTH + 1),
    ],
)
def test_what_is_not_a_key_is_refused_and_never_found(media, tmp_path, key):
    (tmp_path / "outside").write_bytes(b"secret")
    with pytest.raises(ValueError, match="not a key"):
        media.put(key, b"picture")
    with pytest.raises(KeyError):
        media.get(key)
    assert (tmp_path / "outside").read_bytes() == b"secret"


def test_a_picture_comes_back_as_a_jpeg_of_the_same_size_and_look(media):
    rows, columns = np.mgrid[0:120, 0:200]
    image = np.dstack([columns, rows, 255 - rows]).astype(np.uint8)
    image.flags.writeable = False
    media.put_image(KEY, image)
    decoded = cv2.imdecode(np.frombuffer(media.get(KEY), np.uint8), cv2.IMREAD_COLOR)
    assert decoded.shape == image.shape
    assert np.abs(decoded.astype(int) - image).mean() < 3


def test_readers_see_a_whole_picture_while_it_is_replaced(media):
    versions = {bytes([n]) * 200_000 for n in range(4)}
    media.put(KEY, next(iter(versions)))
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            for version in versions:
                media.put(KEY, version)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert all(media.get(KEY) in versions for _ in range(300))
    finally:
        stop.set()
        writer.join()


def test_a_failed_write_keeps_the_old_picture_and_leaves_nothing_behind(tmp_path):
    # a limit on the size of files stands for a full disk: the write fails half-way
    script = (
        "import sys; from pathlib import Path; from pipeline.media import LocalMedia\n"
        "from pipeline.errors import StoreError\n"
        "media = LocalMedia(Path(sys.argv[1]))\n"
        "media.put('a/b', b'old')\n"
        "try:\n    media.put('a/b', bytes(100_000))\n"
        "except StoreError as error:\n    print(error)\n"
    )

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=limit,
    )
    assert str(tmp_path) in done.stdout
    assert (tmp_path / "a" / "b").read_bytes() == b"old"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


def test_a_folder_that_cannot_be_made_is_a_sentence_naming_it(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    media = LocalMedia(tmp_path / "file" / "media")
    with pytest.raises(StoreError, match=r"cannot be stored in .*/file/media .*writable") as caught:
        media.put(KEY, b"picture")
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder_is_a_sentence(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="make it writable"):
        LocalMedia(tmp_path).put(KEY, b"picture")


def test_an_empty_file_after_a_power_cut_counts_as_no_picture(media, tmp_path):
    media.put(KEY, b"picture")
    (tmp_path / "media" / KEY).write_bytes(b"")
    with pytest.raises(KeyError):
        media.get(KEY)


def test_a_finished_file_is_moved_to_its_key(tmp_path: Path) -> None:
    media = LocalMedia(tmp_path / "media")
    file = tmp_path / "clip.mp4"
    file.write_bytes(b"film")
    media.put_file("events/e1/clip.mp4", file)
    assert media.get("events/e1/clip.mp4") == b"film"
    assert media.path("events/e1/clip.mp4").read_bytes() == b"film"
    assert not file.exists()


def test_a_file_of_another_disk_is_moved_too(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 2) as disk:
        (disk / "clip.mp4").write_bytes(b"film")
        media = LocalMedia(tmp_path / "media")
        media.put_file("events/e1/clip.mp4", disk / "clip.mp4")
        assert media.get("events/e1/clip.mp4") == b"film"
        assert not (disk / "clip.mp4").exists()


def test_what_is_not_there_has_no_path(tmp_path: Path) -> None:
    media = LocalMedia(tmp_path)
    (tmp_path / "empty").touch()
    for key in ("events/none/clip.mp4", "../media", "", "empty"):
        with pytest.raises(KeyError):
            media.path(key)


def test_an_events_media_are_counted_and_removed_together(tmp_path: Path) -> None:
    media = LocalMedia(tmp_path)
    assert media.events() == []
    media.put("events/e2/a.jpg", b"12")
    media.put("events/e1/a.jpg", b"1")
    media.put("events/e1/b.jpg", b"123")
    assert [(event.event_id, event.bytes) for event in media.events()] == [("e1", 4), ("e2", 2)]
    media.delete_event("e1")
    media.delete_event("e1")
    assert [event.event_id for event in media.events()] == ["e2"]
    with pytest.raises(ValueError, match="not a key"):
        media.delete_event("../..")
