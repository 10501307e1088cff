"""An RTSP server that answers requests by a function and never sends a picture."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Answers = Callable[[str, str | None], list[str]]
"""From a request's method and its Authorization to the lines of an answer, and after an empty one
those of its body."""


@contextmanager
def rtsp_answers(
    answers: Answers, asked: list[tuple[str, str | None]], *, host: str = "127.0.0.1"
) -> Iterator[str]:
    """Serve; gives host and port. `asked` keeps methods and accounts."""

    class Handler(socketserver.StreamRequestHandler):
        timeout = 20

        def handle(self) -> None:
            lines: list[str] = []
            for line in self.rfile:
                lines.append(line.decode().strip())
                if lines[-1]:
                    continue
                method = lines[0].partition(" ")[0]
                given = _header(lines, "authorization")
                asked.append((method, given))
                head, _, body = "\r\n".join(answers(method, given)).partition("\r\n\r\n")
                head += f"\r\nCSeq: {_header(lines, 'cseq')}\r\nContent-Length: {len(body)}"
                self.wfile.write(f"{head}\r\n\r\n{body}".encode())
                lines = []

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A reader that hangs up."""

    with Server((host, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"{host}:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def _header(lines: list[str], name: str) -> str | None:
    pairs = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in pairs if key.lower() == name), None)
