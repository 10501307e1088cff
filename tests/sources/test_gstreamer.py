"""Cameras of an independent make: GStreamer's RTSP server, from Debian packages."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from certificates import Certificate, make_certificate
from running import missing

from pipeline.errors import SourceRefused, SourceUntrusted
from pipeline.sources import SourceOptions, open_source
from pipeline.types import Frame

SCRIPT = Path(__file__).parents[1] / "gstreamer_cameras.py"
PYTHON = "/usr/bin/python3"
"""Debian's own, for which the bindings are packaged."""
USER, PASSWORD = "guard.one", "hunter 2@home"
ACCOUNT = "guard.one:hunter%202%40home@"
RATE = 30
ENOUGH = 12
NEEDED = (
    "import gi; gi.require_version('GstRtspServer', '1.0'); "
    "from gi.repository import Gst, GstRtspServer; Gst.init(None); "
    "assert Gst.ElementFactory.find('openh264enc')"
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def ports(certificate: Certificate) -> Iterator[dict[str, int]]:
    if (
        not Path(PYTHON).exists()
        or subprocess.run([PYTHON, "-c", NEEDED], capture_output=True).returncode
    ):
        missing("GStreamer's RTSP server (gir1.2-gst-rtsp-server-1.0 and python3-gi)")
    command = [PYTHON, str(SCRIPT), USER, PASSWORD, str(certificate.file), str(certificate.key)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout
        yield json.loads(server.stdout.readline())
        server.communicate(timeout=20)


def read(address: str, options: SourceOptions) -> list[Frame]:
    """The first frames, after which the stream is closed."""
    source = open_source("door", address, options=options)
    assert (source.live, source.codec) == (True, "h264")
    found: list[Frame] = []
    for frame in source.frames():
        found.append(frame)
        if len(found) == ENOUGH:
            source.close()
    return found


@pytest.mark.parametrize(
    ("kind", "transport"), [("open", "tcp"), ("open", "udp"), ("basic", "tcp"), ("digest", "udp")]
)
def test_a_camera_is_read(ports: dict[str, int], kind: str, transport: str) -> None:
    account = "" if kind == "open" else ACCOUNT
    address = f"rtsp://{account}127.0.0.1:{ports[kind]}/stream"
    found = read(address, SourceOptions(transport=transport))  # type: ignore[arg-type]
    assert len(found) == ENOUGH
    assert found[0].size == (160, 120)
    steps = [later.pts - earlier.pts for earlier, later in pairwise(found)]
    assert sorted(steps)[len(steps) // 2] == pytest.approx(1 / RATE, abs=0.01)
    assert found[-1].image().std() > 5  # a white ball on black


@pytest.mark.parametrize("kind", ["basic", "digest"])
@pytest.mark.parametrize("account", ["guard.one:wrong@", "other:hunter2@", ""])
def test_a_wrong_account_is_refused(ports: dict[str, int], kind: str, account: str) -> None:
    with pytest.raises(SourceRefused, match="refuses the account"):
        open_source("door", f"rtsp://{account}127.0.0.1:{ports[kind]}/stream")


def test_an_encrypted_camera_is_read_and_its_certificate_verified_where_that_is_wanted(
    ports: dict[str, int], certificate: Certificate
) -> None:
    address = f"rtsps://127.0.0.1:{ports['tls']}/stream"
    assert len(read(address, SourceOptions())) == ENOUGH
    options = SourceOptions(verify_tls=True, tls_ca=certificate.file)
    assert len(read(address, options)) == ENOUGH
    with pytest.raises(SourceUntrusted, match="self.signed"):
        read(address, SourceOptions(verify_tls=True))
