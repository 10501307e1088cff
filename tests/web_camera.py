"""A web server that sends what cameras send: films, playlists, pictures one after the other."""

from __future__ import annotations

import base64
import hashlib
import http.server
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from certificates import Certificate
from films import make_film

Answer = Callable[["Handler"], None]


class Handler(http.server.SimpleHTTPRequestHandler):
    """Answers a path of `answers` by its function, and others with files; with an account asked for
    by `challenge`, which begins with Basic or Digest. `asked` keeps paths and accounts."""

    protocol_version = "HTTP/1.1"
    timeout = 20
    folder: Path
    answers: dict[str, Answer]
    challenge: str
    account: tuple[str, str]
    asked: list[tuple[str, str | None]]

    def __init__(self, *args: object) -> None:
        super().__init__(*args, directory=str(self.folder))  # type: ignore[arg-type]

    def log_message(self, *args: object) -> None:
        return

    def do_GET(self) -> None:
        given = self.headers.get("Authorization")
        self.asked.append((self.path, given))
        if self.challenge and not self._right(given):
            self.send_response(401)
            self.send_header("WWW-Authenticate", self.challenge)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif answer := self.answers.get(self.path):
            answer(self)
        else:
            super().do_GET()

    def text(self, text: str) -> None:
        """Answer with a playlist."""
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.apple.mpegurl")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def send_on(self, address: str) -> None:
        """Answer with another address."""
        self.send_response(302)
        self.send_header("Location", address)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _right(self, given: str | None) -> bool:
        user, password = self.account
        if given is None:
            return False
        if given.startswith("Basic "):
            return base64.b64decode(given[6:]).decode() == f"{user}:{password}"
        said = dict(re.findall(r'(\w+)="?([^",]*)', given))
        secret = _md5(f"{user}:{said['realm']}:{password}")
        request = _md5(f"GET:{said['uri']}")
        middle = f"{said['nonce']}:"
        if "qop" in said:
            middle += f"{said['nc']}:{said['cnonce']}:auth:"
        return said["response"] == _md5(f"{secret}:{middle}{request}")


@contextmanager
def web_camera(
    folder: Path,
    answers: dict[str, Answer] | None = None,
    *,
    challenge: str = "",
    account: tuple[str, str] = ("", ""),
    host: str = "127.0.0.1",
    certificate: Certificate | None = None,
    asked: list[tuple[str, str | None]] | None = None,
) -> Iterator[str]:
    """Serve a folder and special answers; gives host and port."""
    handler = type(
        "Camera",
        (Handler,),
        {
            "folder": folder,
            "answers": answers or {},
            "challenge": challenge,
            "account": account,
            "asked": [] if asked is None else asked,
        },
    )
    server = http.server.ThreadingHTTPServer((host, 0), handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a reader that leaves
    if certificate is not None:
        context = certificate.context()
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"{host}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def make_playlist(folder: Path, *, seconds: int = 4) -> list[str]:
    """vod.m3u8 and its parts of one second at 10 frames/s, vod0.ts, vod1.ts, ...; their names."""
    film = make_film(folder / "film.mp4", frames=10 * seconds)
    options = {"hls_time": "1", "hls_list_size": "0", "hls_playlist_type": "vod"}
    with (
        av.open(str(film)) as source,
        av.open(str(folder / "vod.m3u8"), "w", format="hls", options=options) as output,
    ):
        stream = output.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                output.mux(packet)
    return [f"vod{index}.ts" for index in range(seconds)]


def playlist(parts: list[str], *, first: int = 0, ended: bool = True) -> str:
    """A playlist of parts of one second each."""
    head = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", f"#EXT-X-MEDIA-SEQUENCE:{first}"]
    lines = [line for part in parts for line in ("#EXTINF:1.0,", part)]
    return "\n".join([*head, *lines, *(["#EXT-X-ENDLIST"] if ended else [])]) + "\n"


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()
