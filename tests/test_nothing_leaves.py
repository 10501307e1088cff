"""Nothing phones home: neither while importing, nor from a running pipeline, native code included.

The suite itself is watched by network_guard. Here a demo runs in a network namespace of its own,
whose only way out is an interface that counts what is sent to it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import network_guard
import pytest
from running import ROOT, missing

INSIDE = """
set -e
ip link set lo up
ip link add out type veth peer name far
for end in out far; do echo 1 > /proc/sys/net/ipv6/conf/$end/disable_ipv6; done
ip addr add 192.0.2.2/24 dev out
ip link set out up
ip link set far up
ip neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 dev out
ip route add default via 192.0.2.1
"$@" >&2
sed -n 's/^ *out: *//p' /proc/net/dev | awk '{ print $10 }'
"""


def packets_sent_by(*command: str, cwd: Path, extra: dict[str, str] | None = None) -> int:
    """How many packets a command, which must succeed, sends to anywhere but this machine."""
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("ip"):
        missing("the right to make a network namespace (root, unshare, ip)")
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", INSIDE, "inside", *command],
        cwd=cwd,
        # without the guard, which would refuse before anything is sent
        env={**os.environ, "PYTHONPATH": str(ROOT), "CI": "", **(extra or {})},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1])


def test_the_counter_counts(tmp_path: Path) -> None:
    send = "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('198.51.100.1', 9))"
    assert packets_sent_by(sys.executable, "-c", send, cwd=tmp_path) == 1


def test_a_running_pipeline_sends_nothing(film: Path, tmp_path: Path) -> None:
    # A fresh home holds no refusal of telemetry that somebody made earlier.
    home = {"HOME": str(tmp_path)}
    home |= {f"XDG_{name}_HOME": str(tmp_path / name) for name in ("CACHE", "DATA", "STATE")}
    demo = (sys.executable, "-m", "pipeline", "demo", "--source", str(film), "--seconds", "12")
    assert packets_sent_by(*demo, cwd=tmp_path, extra=home) == 0


def test_importing_everything_sends_nothing(tmp_path: Path) -> None:
    everything = (
        "from pipeline import telemetry; telemetry.switch_off();"
        "import pipeline.cli.run, pipeline.cli.cameras, pipeline.workers.watch,"
        " pipeline.workers.judge, pipeline.describers.local, pipeline.describers.remote;"
        "import openvino, onnxruntime, torch, transformers"
    )
    sent = packets_sent_by(
        sys.executable, "-c", everything, cwd=tmp_path, extra={"HOME": str(tmp_path)}
    )
    assert sent == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", None, "127.8.9.1"])
def test_this_machine_is_local_to_the_guard(host: str | None) -> None:
    assert network_guard.is_local(host)


@pytest.mark.parametrize("host", ["192.0.2.1", "example.org", "::2", b"example.org"])
def test_other_machines_are_not(host: str) -> None:
    assert not network_guard.is_local(host)
