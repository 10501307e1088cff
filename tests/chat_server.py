"""A server that answers chat requests as a test says, well or badly."""

from __future__ import annotations

import json
import math
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Reply:
    """One response; `drip` sends it byte by byte until the client goes away."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drip: bool = False
    cut: bool = False


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: Any


class ChatServer:
    """`answer` gets each chat request; `models` is what the server lists, None for a 404, and
    `failing_models` a status that it gives instead."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.models: list[str] | None = ["tiny"]
        self.failing_models: int | None = None
        self.answer: Callable[[Any], Reply] = lambda request: completion("Yes")
        self.released = threading.Event()
        self.url = ""

    @property
    def chats(self) -> list[Request]:
        return [request for request in self.requests if request.path.endswith("/completions")]

    def respond(self, request: Request) -> Reply:
        self.requests.append(request)
        if request.path.endswith("/models"):
            if self.failing_models is not None:
                return Reply(b"not now", self.failing_models)
            if self.models is None:
                return Reply(b"not found", 404)
            return Reply(json.dumps({"data": [{"id": name} for name in self.models]}).encode())
        return self.answer(request.body)


def completion(
    words: str | None, logprobs: list[tuple[str, float]] | None = None, model: str = "tiny"
) -> Reply:
    """A chat completion; `logprobs` are the likeliest first tokens."""
    choice: dict[str, Any] = {"index": 0, "message": {"role": "assistant", "content": words}}
    if logprobs is not None:
        top = [{"token": token, "logprob": value, "bytes": None} for token, value in logprobs]
        choice["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
    body = {"id": "1", "object": "chat.completion", "model": model, "choices": [choice]}
    return Reply(json.dumps({**body, "usage": {"total_tokens": 100}}).encode())


def asks(request: Any) -> str:
    """Which of a describer's questions a request holds: question, inverse or description."""
    text = request["messages"][0]["content"][-1]["text"]
    if "Somebody claims" in text:
        return "inverse"
    return "question" if "Yes or No" in text else "description"


SENTENCE = "A man crosses the lawn. It is sunny."


def with_logprobs(request: Any) -> Reply:
    """Answers as a server does that gives probabilities: 0.7 Yes in two spellings, 0.2 No."""
    if not request.get("logprobs"):
        return completion(SENTENCE)
    top = [("Yes", math.log(0.6)), ("No", math.log(0.2)), (" yes", math.log(0.1))]
    return completion("Yes", top)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    chat: ChatServer


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self._handle(None)

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self._handle(json.loads(self.rfile.read(length)))

    def _handle(self, body: Any) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.chat.respond(Request(self.path, headers, body))
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        try:
            self._send(reply)
        except OSError:
            self.close_connection = True  # the client has gone, as it may

    def _send(self, reply: Reply) -> None:
        if reply.cut:
            self.wfile.write(reply.body[: len(reply.body) // 2])
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if not reply.drip:
            self.wfile.write(reply.body)
            return
        for byte in reply.body:
            self.wfile.write(bytes([byte]))
            if self.server.chat.released.wait(0.02):
                return

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@contextmanager
def chat_server() -> Iterator[ChatServer]:
    """A running server on loopback; what hangs in it is let go at the end."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.chat = chat = ChatServer()
    chat.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield chat
    finally:
        chat.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
