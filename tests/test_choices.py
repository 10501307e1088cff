"""What `vigil optimize` chose is kept, found again, and left alone once it no longer holds."""

from __future__ import annotations

import errno
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from handmade_choices import HOST, MADE, MODEL, camera, chosen
from small_disk import fill, small_disk

from pipeline.choices import FILE, Asked, Choices, Host, changing, checksum
from pipeline.errors import StoreError


def test_what_was_kept_is_read_again(tmp_path: Path):
    Choices().having([chosen()]).write(tmp_path / "models")
    assert Choices.read(tmp_path / "models").of("door", camera()) == chosen()


def test_where_nothing_was_kept_there_is_nothing(tmp_path: Path):
    assert Choices.read(tmp_path).of("door", camera()) is None


@pytest.mark.parametrize("content", ["", "{", '{"format": 2}', '{"choices": [{}]}'])
def test_a_file_that_cannot_be_read_is_as_none(tmp_path: Path, content: str):
    (tmp_path / FILE).write_text(content)
    assert Choices.read(tmp_path) == Choices()


@pytest.mark.parametrize("change", [{"file": "../../m.xml"}, {"file": "a.xml"}, {"size": 0}])
def test_a_choice_that_is_none_of_ours_is_as_none(tmp_path: Path, change: dict[str, object]):
    """A file elsewhere, or an input with which each look would fail."""
    (tmp_path / FILE).write_text(Choices(choices=(chosen(**change),)).model_dump_json())
    assert Choices.read(tmp_path) == Choices()


def test_a_new_choice_takes_the_place_of_the_cameras_earlier_one():
    later = chosen(size=320, made=MADE + timedelta(days=1))
    choices = Choices().having([chosen(), chosen("yard")]).having([later])
    assert choices.choices == (chosen("yard"), later)


def test_two_installations_may_both_have_a_camera_of_one_name():
    other = camera("rtsp://192.0.2.2/")
    choices = Choices().having([chosen(), chosen(of=other, size=320)])
    assert choices.of("door", camera()) == chosen()
    assert choices.of("door", other) == chosen(of=other, size=320)
    assert choices.without({("door", Asked.by(other).source)}).choices == (chosen(),)


def test_a_choice_holds_for_what_it_was_made_for():
    assert chosen().stale(camera(), MODEL, HOST) is None


def test_an_account_in_the_address_may_change_and_is_kept_nowhere(tmp_path: Path):
    before, after = camera("rtsp://guard:sesame@192.0.2.1/"), camera("rtsp://me:sesame@192.0.2.1/")
    made = chosen(of=before)
    assert made.stale(after, MODEL, HOST) is None
    Choices().having([made]).write(tmp_path)
    kept = (tmp_path / FILE).read_text()
    assert "sesame" not in kept
    assert "192.0.2.1" not in kept


@pytest.mark.parametrize(
    ("now", "model", "host", "told"),
    [
        (camera(), "cd" * 32, HOST, "another model"),
        (camera("rtsp://192.0.2.9/"), MODEL, HOST, "another `source`"),
        (camera(size=320), MODEL, HOST, "`detect.size: 640`"),
        (camera(labels=["dog"]), MODEL, HOST, "the labels dog, person"),
        (camera(confidence=0.5), MODEL, HOST, "`detect.confidence: 0.3`"),
        (camera(), MODEL, HOST.model_copy(update={"processor": "B"}), "another processor (A pro"),
        (camera(), MODEL, HOST.model_copy(update={"cores": 8}), "with 2 processor cores"),
        (camera(), MODEL, HOST.model_copy(update={"openvino": "2027.1"}), "OpenVINO 2026.4.1"),
    ],
)
def test_a_choice_made_for_something_else_says_what_it_was_made_for(now, model, host, told):
    assert told in str(chosen().stale(now, model, host))


def test_models_that_no_choice_needs_any_more_are_removed_and_no_others(tmp_path: Path):
    names = ("int8-a-b.xml", "int8-a-b.bin", "int8-old.xml", "int8-old.bin", "mine.onnx")
    for name in names:
        (tmp_path / name).touch()
    Choices().having([chosen()]).write(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"int8-a-b.xml", "int8-a-b.bin", "mine.onnx", FILE}


def test_two_that_change_choices_at_once_wait_for_each_other(tmp_path: Path):
    """Or one would remove the model that the other has just put there."""
    order: list[str] = []

    def second() -> None:
        with changing(tmp_path):
            order.append("second")

    other = threading.Thread(target=second)
    with changing(tmp_path):
        other.start()
        other.join(0.2)
        order.append("first")
    other.join(5)
    assert order == ["first", "second"]


def test_a_disk_that_knows_no_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def flock(*_: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(StoreError, match="No locks available"), changing(tmp_path):
        pass


def test_a_full_disk_is_told_and_what_was_kept_stays(tmp_path: Path):
    with small_disk(tmp_path / "disk", 1) as folder:
        Choices().having([chosen()]).write(folder)
        fill(folder)
        many = Choices().having(chosen(f"camera-{number}") for number in range(20))
        with pytest.raises(StoreError, match="cannot be kept in .*; free some space") as caught:
            many.write(folder)
        assert "\n" not in str(caught.value)
        assert Choices.read(folder).choices == (chosen(),)
        assert [path.name for path in folder.glob(".choices-*")] == []


def test_this_machine_is_named():
    here = Host.here()
    assert here.processor
    assert here.cores >= 1
    assert here.openvino.startswith("20")


def test_the_checksum_of_an_openvino_model_is_of_its_weights_too(tmp_path: Path):
    model, weights = tmp_path / "a.xml", tmp_path / "a.bin"
    model.write_bytes(b"graph")
    weights.write_bytes(b"one")
    before = checksum(model)
    weights.write_bytes(b"two")
    assert checksum(model) != before
