"""Links that let browsers in, as the terminal shows them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from pathlib import Path

import httpx
import yaml
from running import SMALL, command, descendants, environment, until


def test_every_browser_finds_a_link_also_after_the_page_was_started_again(
    tmp_path: Path, camera: str
) -> None:
    settings = {
        "data": "data",
        "web": {"port": 0},
        "cameras": {"door": {"source": camera, **SMALL}},
    }
    (tmp_path / "streams.yaml").write_text(yaml.safe_dump(settings))
    lines: list[str] = []
    with subprocess.Popen(
        command("run", "--listen", "0.0.0.0"),
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    ) as vigil:
        assert vigil.stderr is not None
        reader = threading.Thread(target=lambda: lines.extend(vigil.stderr or ()), daemon=True)
        reader.start()

        def enter(number: int) -> None:
            """By the link that was shown as this one."""
            link = httpx.URL(until(lambda: links()[number : number + 1], 60)[0])
            base = f"http://127.0.0.1:{link.port}"
            with httpx.Client(base_url=base) as browser:
                answer = browser.post("/enter", data={"key": link.params["key"]})
                assert answer.status_code == 303
                assert browser.get("/").status_code == 200

        def links() -> list[str]:
            return [m[1] for line in list(lines) if (m := re.match(r"Page: (\S+) ", line))]

        try:
            enter(0)
            enter(1)
            until(lambda: links()[2:])
            (page,) = [pid for pid in descendants(vigil.pid) if _is_page(pid)]
            os.kill(page, signal.SIGKILL)
            enter(3)
        finally:
            vigil.send_signal(signal.SIGINT)
            vigil.wait(30)
        reader.join(10)
    assert vigil.returncode == 0, "".join(lines)
    keys = [httpx.URL(link).params["key"] for link in links()]
    logged = [line for line in lines if not line.startswith("Page: ")]
    assert not any(key in line for key in keys for line in logged)


def _is_page(pid: int) -> bool:
    try:
        return b"worker\0web\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
