"""What users write in streams.yaml, and what they are told when it is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote, urlsplit

import dotenv
import pytest

from pipeline.config import CameraDefaults, Config
from pipeline.configfile import parse_config, read_config
from pipeline.errors import ConfigError
from pipeline.types import Severity

SHOP = """\
site: shop
cameras:
  back-door:
    name: the back door
    source: rtsp://${CAM_USER}:${CAM_PASSWORD}@192.0.2.20/stream1
    detect: {fps: 5, labels: [person, car]}
    zones: {step: [[0.1, 0.5], [0.9, 0.5], [0.9, 1.0], [0.1, 1.0]]}
    rules:
      lingers: {type: loiter, zone: step, seconds: 30, severity: alert}
"""
ACCOUNT = {"CAM_USER": "a.b", "CAM_PASSWORD": "p@ss/w:rd"}


def parse(text: str) -> Config:
    return parse_config(text, where="streams.yaml", folder=Path("/place"), environ=ACCOUNT)


def complaint(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_the_example_of_the_readme_means_what_it_says() -> None:
    camera = parse(SHOP).cameras["back-door"]
    rule = camera.rules["lingers"]
    assert (rule.type, rule.zone, rule.seconds) == ("loiter", "step", 30)
    assert rule.severity is Severity.ALERT
    assert camera.named_zones()["step"].name == "the step"


def test_a_camera_that_is_only_a_source_tells_of_every_person() -> None:
    config = parse("cameras: {back-door: 'rtsp://192.0.2.20/1'}")
    camera = config.cameras["back-door"]
    (rule,) = camera.rules.values()
    assert (rule.type, rule.labels, rule.severity) == ("zone", ("person",), Severity.NOTICE)
    assert camera.labels() == ("person",)
    assert config.camera_name("back-door") == "back door"


def test_an_account_from_the_environment_is_encoded_into_the_address() -> None:
    camera = parse(SHOP).cameras["back-door"]
    assert camera.address() == "rtsp://a.b:p%40ss%2Fw%3Ard@192.0.2.20/stream1"


def test_an_account_as_keys_is_put_into_the_address() -> None:
    camera = parse(
        "cameras: {a: {source: 'rtsp://192.0.2.20/1', user: me, password: 'p@ss'}}"
    ).cameras["a"]
    assert camera.address() == "rtsp://me:p%40ss@192.0.2.20/1"


def test_what_people_see_of_a_source_holds_no_account() -> None:
    camera = parse(SHOP).cameras["back-door"]
    assert "p%40ss" not in camera.shown()
    assert "a.b" not in camera.shown()
    assert "192.0.2.20/stream1" in camera.shown()


def test_no_secret_is_in_the_representation_of_a_configuration() -> None:
    config = parse(SHOP + "redis: redis://:sesame@127.0.0.1/0\n")
    assert "p%40ss" not in repr(config)
    assert "sesame" not in repr(config)
    assert "sesame" not in config.model_dump_json()


def test_a_worker_gets_the_whole_configuration_secrets_included() -> None:
    config = parse(SHOP + "redis: redis://:sesame@127.0.0.1/0\n")
    assert Config.model_validate_json(config.for_worker()) == config


def test_a_cameras_own_keys_win_over_the_defaults_key_by_key() -> None:
    config = parse(
        "defaults: {detect: {fps: 2, confidence: 0.5}}\n"
        "cameras: {a: {source: a.mp4, detect: {fps: 7}}, b: b.mp4}"
    )
    assert config.cameras["a"].detect.fps == 7
    assert config.cameras["a"].detect.confidence == 0.5
    assert config.cameras["b"].detect.fps == 2


@pytest.mark.parametrize("part", sorted(set(CameraDefaults.model_fields) - {"rules"}))
def test_every_part_that_cameras_share_reaches_them(part: str) -> None:
    field = next(iter(CameraDefaults.model_fields[part].annotation.model_fields))
    value = {"detect": 2.0, "record": False, "health": 7.0}[part]
    config = parse(f"defaults: {{{part}: {{{field}: {json.dumps(value)}}}}}\ncameras: {{a: a.mp4}}")
    assert getattr(getattr(config.cameras["a"], part), field) == value


def test_a_film_is_no_stream_to_be_recorded_beside_another() -> None:
    with pytest.raises(ConfigError, match="cameras.a: record.source: name a network camera"):
        parse("cameras: {a: {source: 'rtsp://h/s', record: {source: a.mp4}}}")


def test_files_and_the_data_folder_are_found_from_the_configurations_folder() -> None:
    config = parse("cameras: {a: films/a.mp4}")
    assert config.cameras["a"].address() == "/place/films/a.mp4"
    assert config.data == Path("/place/vigil-data")


def test_cameras_are_shared_out_among_processes_by_group() -> None:
    config = parse("groups: {east: [a]}\ncameras: {a: a.mp4, b: b.mp4}")
    assert config.watch_groups() == {"east": ("a",), "cameras": ("b",)}


def test_a_disabled_camera_is_not_watched() -> None:
    config = parse("cameras: {a: {source: a.mp4, enabled: false}, b: b.mp4}")
    assert config.watch_groups() == {"cameras": ("b",)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SHOP.replace("seconds: 30", "secnds: 30"), "line 9, cameras.back-door.rules.lingers.secnds: unknown key; did you mean `seconds`?"),
        (SHOP.replace("seconds: 30", "seconds: many"), "line 9, cameras.back-door.rules.lingers.seconds: input should be a valid number"),
        (SHOP.replace(", [0.9, 1.0], [0.1, 1.0]]", "]"), "cameras.back-door.zones.step.polygon: a polygon needs at least 3 points, here are 2."),
        (SHOP.replace("0.5], [0.9, 0.5]", "50], [0.9, 0.5]"), "zones.step.polygon.0.1: write fractions of the picture, from 0 to 1, not pixels."),
        ("cameras: {door: {source: b, masks: [[[0.1, 0.1], [0.2, 0.2]]]}}", "cameras.door.masks.0: a polygon needs at least 3 points, here are 2."),
        ("cameras: {door: {source: b, masks: [[[0, 0], [1, 1], [0.5, 0.5]]]}}", "cameras.door.masks.0: the points lie on one line and enclose nothing."),
        ("cameras: {door: {source: b, masks: [[[0, 0], [1, 0], [1, 9]]]}}", "cameras.door.masks.0.2.1: write fractions of the picture, from 0 to 1, not pixels."),
        ("cameras: {door: {source: b, masks: [[[0.1, 0.1], [0.9, 0.9], [0.9, 0.1], [0.1, 0.9]]]}}", "cameras.door.masks.0: its edges cross each other; list the corners in order around it."),
        (SHOP.replace("[0.9, 1.0], [0.1, 1.0]", "[0.1, 1.0], [0.9, 1.0]"), "cameras.back-door.zones.step.polygon: its edges cross each other; list the corners in order around it."),
        ("cameras: {door: {source: b, masks: [[0, 0], [1, 0], [1, 1]]}}", "cameras.door.masks: this is one polygon, and a list of polygons is wanted: write [[[x, y], [x, y], ...]]."),
        (SHOP.replace("zone: step", "zone: stp"), "line 9, cameras.back-door: rules.lingers.zone: this camera has no zone 'stp'; it has step."),
        (SHOP.replace("type: loiter", "type: loitr"), "there is no rule of this type; known are 'zone', 'line', 'loiter'"),
        (SHOP.replace("CAM_USER", "NO_SUCH"), "cameras.back-door.source uses ${NO_SUCH}, which is not set; write NO_SUCH=... into .env beside the file, or export it."),
        (SHOP.replace("back-door", "Back Door"), "cameras.Back Door: use lower-case letters, digits, - and _ only."),
        (SHOP + "site: home\n", "line 10, site is there twice; remove or rename one."),
        ("", "streams.yaml is empty; write at least `cameras:`"),
        ("cameras: [1", "streams.yaml is not valid YAML: line 1"),
        ("- a", "must be a mapping with the key `cameras`, not a list."),
        ("cameras: {}", "cameras: needs at least 1 entry."),
        ("rules: {r: {type: zone}}\ncameras: {a: b}", "line 1, rules: this belongs to a camera, or to all of them under `defaults`; move it there."),
        ("zones: {}\ncameras: {a: b}", "line 1, zones: this belongs to a camera; move it there."),
        ("cameras: {a: {source: b, fps: 3}}", "cameras.a.fps: this belongs under a camera's `detect`; move it there."),
        ("cameras: {a: {source: b, detector: {}}}", "cameras.a.detector: this belongs at the top of the file; move it there."),
        ("defaults: {zones: {}}\ncameras: {a: b}", "line 1, defaults.zones: this belongs to a camera; move it there."),
        ("web: {prot: 3}\ncameras: {a: b}", "line 1, web.prot: unknown key; did you mean `port`?"),
        ("cameras: {a: {source: b, zones: {z: {polygn: []}}}}", "cameras.a.zones.z.polygn: unknown key; did you mean `polygon`?"),
        ("cameras: {a: {source: b, blah: 1}}", "cameras.a.blah: unknown key; remove it."),
        ("cameras: {a: {source: b, rules: {r: {type: zone, seconds: 3}}}}", "cameras.a.rules.r.seconds: rules of this type have no such key; remove it."),
        ("cameras: {a: {source: b, zones: {z: [[-0.1, 0], [1, 1], [0, 1]]}}}", "polygon.0.0: write fractions of the picture, from 0 to 1."),
        ("cameras: {a: {}}", "cameras.a.source: this key is required."),
        ("redis: localhost\ncameras: {a: b}", "redis: write `embedded`, or a redis://"),
        ("timezone: Mars/Olympus\ncameras: {a: b}", "timezone: write an IANA name"),
        ("timezone: Europe\ncameras: {a: b}", "timezone: write an IANA name"),
        ("cameras: {a: {source: b, rules: {r: {type: zone, labels: person}}}}", "cameras.a.rules.r.labels: write a list, such as [a, b]."),
        ("cameras: {a: {source: b, rules: {r: {type: zone, schedule: nights}}}}", "cameras.a.rules.r.schedule.0: keys and values belong here"),
        ("cameras: {a: {source: b, rules: {r: {type: zone, schedule: []}}}}", "cameras.a.rules.r.schedule: needs at least 1 entry."),
        ("cameras: {rules: {source: b, rules: {r: {type: crowd, cuont: 3}}}}", "cameras.rules.rules.r.cuont: unknown key; did you mean `count`?"),
        ("defaults: {rules: {r: {type: crowd, cuont: 3}}}\ncameras: {a: b}", "defaults.rules.r.cuont: unknown key; did you mean `count`?"),
        ("cameras: {a: {source: b, lines: {gate: [[0.5, 0.5], [0.5, 0.5]]}}}", "cameras.a.lines.gate.points: two points that follow on each other are the same; remove one."),
        ("cameras: {a: {source: b, detect: {labels: [backpack, handbag, suitcase]}, rules: {r: {type: abandoned}}}}", "rules.r.labels: 'person' is not among detect.labels (backpack, handbag, suitcase); add it there"),
        ("groups: {x: [b]}\ncameras: {a: b}", "groups.x: there is no camera 'b'"),
        ("cameras: {a: {source: b, detect: {labels: [car]}}}", "'person' is not among detect.labels (car); add it there"),
        ("cameras: {a: b}\nweb: {token: short}", "web.token: needs at least 24 letters; `openssl rand -hex 32` makes some."),
        (f"cameras: {{a: b}}\nweb: {{token: {'ä' * 24}}}", "web.token: use letters from A to Z, digits and . _ ~ + / - only, as `openssl rand -hex 32` does."),
        (f'cameras: {{a: b}}\nweb: {{token: "{"x" * 24}\\n"}}', "web.token: use letters from A to Z"),
        ("cameras: {a: {source: b, detect: {labels: [car, persn]}}}", "detect.labels: 'persn' is no label of COCO; did you mean 'person', which rules.person looks for?"),
        ("cameras: {a: {source: b, detect: {labels: [helmet on]}, rules: {r: {type: zone, labels: [helmet off]}}}}", "rules.r.labels: 'helmet off' is not among detect.labels (helmet on); add it there."),
        ("cameras: {a: {source: b, detect: {labels: [truck]}, rules: {r: {type: zone, labels: [truc]}}}}", "rules.r.labels: 'truc' is not among detect.labels (truck)"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_by_its_key_and_remedy(text: str, said: str) -> None:
    assert said in complaint(text)


def test_pixels_are_told_of_as_such_and_not_as_too_few_points() -> None:
    said = complaint("cameras: {door: {source: b, zones: {step: [[0, 0], [640, 0], [640, 480]]}}}")
    assert len(said.splitlines()) == 3
    assert said.count("not pixels") == 3


def test_a_mistake_near_a_password_does_not_show_it() -> None:
    text = complaint(SHOP.replace("source:", "sorce:") + "redis: ftp://:sesame@x\n")
    assert "p@ss" not in text
    assert "p%40ss" not in text
    assert "sesame" not in text


@pytest.mark.parametrize(
    "text",
    [
        "password: !sesame x",
        "password: *sesame",
        "name: 2020-13-45",
        "? [1, 2]\n: sesame",
        "cameras: &a {door: *a}",
        "data: ~no-such-user/x\ncameras: {a: b}",
        "cameras: {a: {source: 'rtsp://[::1/sesame', user: x}}",
        "cameras: {a: {source: b, rules: {x: {type: loiter, seconds: .inf}}}}",
        "cameras: {a: {source: b, enabled: false}}",
        "cameras: {a: {source: b, password: sesame}}",
        "cameras: {a: {source: ''}}",
        "cameras: {a: {source: b, zones: {z: [[0, 0], [0.5, 0.5], [1, 1]]}}}",
        "describer: {model: 'http://me:sesame@x/', deadline_s: 1.0e+12}\ncameras: {a: b}",
        'a: "\x01"',
    ],
)
def test_odd_text_is_one_sentence_without_what_stands_there(text: str) -> None:
    told = complaint(text)
    assert told.endswith((".", "?"))
    assert len(told.splitlines()) == 1
    assert "sesame" not in told


def test_a_missing_file_is_told_with_the_way_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="There is no file .*vigil init URL"):
        read_config(tmp_path / "none.yaml")


@pytest.mark.parametrize("password", ["plain", "it's $HOME", 'two "quotes" \\ and #', "ümläut"])
def test_passwords_may_stand_in_a_file_beside_the_configuration(
    tmp_path: Path, password: str
) -> None:
    (tmp_path / "streams.yaml").write_text(SHOP)
    dotenv.set_key(tmp_path / ".env", "CAM_PASSWORD", password)
    dotenv.set_key(tmp_path / ".env", "CAM_USER", "overruled")
    config = read_config(tmp_path / "streams.yaml", environ={"CAM_USER": "me"})
    address = config.cameras["back-door"].address()
    assert unquote(urlsplit(address).password or "") == password
    assert urlsplit(address).username == "me"


def test_a_folder_and_a_film_are_not_taken_for_a_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder"):
        read_config(tmp_path)
    film = tmp_path / "film.mp4"
    film.write_bytes(b"\x00\x00\x00\x18ftypmp42\xff\xfe")
    with pytest.raises(ConfigError, match="not a text file|not valid YAML"):
        read_config(film)


def test_the_shipped_example_is_valid() -> None:
    example = Path(__file__).parent.parent / "streams.yaml"
    config = read_config(example, environ={"BACK_DOOR_PASSWORD": "x"})
    assert set(config.cameras) == {"back-door", "yard", "till"}


@pytest.mark.parametrize(
    ("source", "keys", "record", "address"),
    [
        ("rtsp://me:a%40b@door/1", "", "rtsp://door/2", "rtsp://me:a%40b@door/2"),
        ("rtsp://me:a@door/1", "", "rtsp://DOOR:8554/2", "rtsp://me:a@DOOR:8554/2"),
        ("rtsp://me:a@door/1", "", "rtsp://recorder/2", "rtsp://recorder/2"),
        ("rtsp://me:a@door/1", "", "rtsp://you:b@door/2", "rtsp://you:b@door/2"),
        ("rtsp://door/1", "user: me, password: a, ", "rtsp://door/2", "rtsp://me:a@door/2"),
        ("rtsp://door/1", "user: me, password: a, ", "rtsp://recorder/2", "rtsp://recorder/2"),
        ("rtsp://door/1", "user: me, password: a, ", "rtsp://u:b@other/2", "rtsp://u:b@other/2"),
        ("rtsp://door/1", "", "rtsp://door/2", "rtsp://door/2"),
    ],
)
def test_the_account_of_a_pair_goes_to_one_host_only(
    source: str, keys: str, record: str, address: str
) -> None:
    text = f"cameras: {{a: {{source: '{source}', {keys}record: {{source: '{record}'}}}}}}"
    assert parse(text).cameras["a"].record_address() == address


def test_a_film_is_handed_no_account() -> None:
    camera = parse("cameras: {a: {source: 'file:///a.mp4', user: me, password: p}}").cameras["a"]
    assert camera.address() == "file:///a.mp4"


def test_what_cameras_share_of_recording_is_merged_key_by_key() -> None:
    text = """
defaults: {record: {pre_roll_s: 9, continuous: true}}
cameras:
  door: {source: film.mp4, record: {post_roll_s: 3}}
  yard: film.mp4
"""
    config = parse_config(text, where="here", folder=Path("/srv"))
    door, yard = config.cameras["door"].record, config.cameras["yard"].record
    assert (door.pre_roll_s, door.post_roll_s, door.continuous) == (9, 3, True)
    assert (yard.pre_roll_s, yard.post_roll_s) == (9, 5)


def test_the_folder_of_video_is_found_from_the_file(tmp_path: Path) -> None:
    text = "storage: {video: ram}\ncameras: {door: film.mp4}\n"
    assert parse_config(text, where="here", folder=tmp_path).video_folder == tmp_path / "ram"
    text = "data: taken\ncameras: {door: film.mp4}\n"
    config = parse_config(text, where="here", folder=tmp_path)
    assert config.video_folder == tmp_path / "taken" / "video"


def test_the_page_listens_on_an_address() -> None:
    text = "web: {listen: shop.example}\ncameras: {door: film.mp4}\n"
    with pytest.raises(ConfigError, match=r"web\.listen: .*address of this machine"):
        parse_config(text, where="here", folder=Path())


def test_on_is_a_key_of_rules_and_yes_is_still_a_truth_value() -> None:
    text = """
cameras:
  door:
    source: film.mp4
    verify_tls: yes
    detect: {motion_gate: off}
    rules: {comes: {type: zone, on: enter}}
"""
    door = parse(text).cameras["door"]
    assert (door.verify_tls, door.detect.motion_gate) == (True, False)
    assert getattr(door.rules["comes"], "on", None) == "enter"
