from __future__ import annotations

import gzip
import json
import math
import socket
import threading
import time

import pytest
from chat_server import SENTENCE, Reply, asks, chat_server, completion, with_logprobs

from pipeline.describers import patience
from pipeline.errors import ModelError, ModelReplyError, ModelTimeout, ModelUnavailable
from pipeline.types import Outcome


def test_a_dead_address_is_unavailable_at_once(describer_at, scene):
    with socket.socket() as taken:  # bound and not listening: a connection is refused
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(ModelUnavailable, match=f"{url}/v1 cannot be reached .*; start it or"):
            describer_at(url).describe(scene, timeout_s=10)
        assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (500, "see the server's log"),
        (429, "see the server's log"),
        (404, "check the path"),
        (403, "set describer.api_key"),
    ],
)
def test_an_error_of_the_server_is_a_sentence_with_what_it_said(
    server, describer_at, scene, status, remedy
):
    server.answer = lambda request: Reply(b"out of\nmemory\x1b[31m", status)
    with pytest.raises(
        ModelUnavailable, match=rf"status {status} \(out of memory\[31m\); {remedy}"
    ):
        describer_at(server.url).describe(scene, timeout_s=10)


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>Welcome</body></html>",
        b"",
        b"\xff\xfe\x00",
        b"[]",
        b"null",
        b'{"choices": []}',
        b'{"choices": [{"message": {"content": 5}}]}',
        b'{"choices": [{"message": null}]}',
    ],
)
def test_what_is_no_chat_completion_is_an_error_that_keeps_the_reply(
    server, describer_at, scene, body
):
    server.answer = lambda request: Reply(body)
    with pytest.raises(ModelReplyError, match="something else than a chat completion") as caught:
        describer_at(server.url).describe(scene, timeout_s=10)
    assert len(caught.value.reply) <= 500
    assert ("Welcome" in caught.value.reply) == (b"Welcome" in body)


def odd_completion(**fields: object) -> Reply:
    """A completion of the word Yes, with odd fields in its choice and around it."""
    body = json.loads(completion("Yes", [("Yes", -0.1), ("No", -2.4)]).body)
    for name, value in fields.items():
        target = body if name == "usage" else body["choices"][0]
        target[name] = value
    return Reply(json.dumps(body).encode())


@pytest.mark.parametrize(
    "usage", [None, {"total_tokens": None}, {}, {"total_tokens": "many"}, "odd", []]
)
def test_odd_usage_costs_only_the_count(server, describer_at, scene, usage):
    server.answer = lambda request: odd_completion(usage=usage)
    verdict = describer_at(server.url).describe(scene, timeout_s=10)
    assert verdict.outcome is Outcome.YES
    assert verdict.tokens == 0


@pytest.mark.parametrize("odd", [-math.inf, math.inf, math.nan, None, "low"])
def test_one_odd_probability_costs_only_its_token(server, describer_at, scene, odd):
    top = [{"token": "Maybe", "logprob": odd}, {"token": "Yes", "logprob": math.log(0.8)}]
    logprobs = {"content": [{"token": "Yes", "logprob": math.log(0.8), "top_logprobs": top}]}
    server.answer = lambda request: odd_completion(logprobs=logprobs)
    verdict = describer_at(server.url).describe(scene, timeout_s=10)
    assert verdict.outcome is Outcome.YES
    assert verdict.mass == pytest.approx(0.8)


@pytest.mark.parametrize("logprobs", ["odd", {"content": [{"token": "Yes", "logprob": math.nan}]}])
def test_without_one_good_probability_the_words_are_counted(server, describer_at, scene, logprobs):
    server.answer = lambda request: odd_completion(logprobs=logprobs)
    assert len(describer_at(server.url).describe(scene, timeout_s=10).answers) == 2


def test_words_in_parts_are_joined(server, describer_at, scene):
    parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "Y"}, {"text": "es."}]
    server.answer = lambda request: odd_completion(message={"content": parts})
    assert describer_at(server.url).describe(scene, timeout_s=10).answers == ("Yes.",)


def test_a_compressed_reply_is_not_unpacked(server, describer_at, scene):
    packed = gzip.compress(completion("Yes " * 1_000_000).body)
    assert len(packed) < 10_000
    server.answer = lambda request: Reply(packed, headers={"Content-Encoding": "gzip"})
    with pytest.raises(ModelReplyError, match=r"sends compressed replies \(gzip\)"):
        describer_at(server.url).describe(scene, timeout_s=10)


def test_a_compressed_error_is_still_told_by_its_status(server, describer_at, scene):
    server.answer = lambda request: Reply(
        gzip.compress(b"log in"), 401, {"Content-Encoding": "gzip"}
    )
    with pytest.raises(ModelUnavailable, match=r"status 401 .*; set describer.api_key"):
        describer_at(server.url).describe(scene, timeout_s=10)


def test_a_reply_without_words_is_no_answer(server, describer_at, scene):
    server.answer = lambda request: completion(None)
    verdict = describer_at(server.url).describe(scene, timeout_s=10)
    assert (verdict.outcome, verdict.description) == (Outcome.UNSURE, None)


def test_a_reply_without_end_is_cut_off(server, describer_at, scene):
    server.answer = lambda request: Reply(b"x" * 3_000_000)
    with pytest.raises(ModelReplyError, match="answers with more than 1 MB") as caught:
        describer_at(server.url).describe(scene, timeout_s=10)
    assert len(caught.value.reply) <= 500


def test_a_reply_that_breaks_off_is_a_sentence(server, describer_at, scene):
    server.answer = lambda request: Reply(completion("Yes").body, cut=True)
    with pytest.raises(ModelUnavailable, match="broke off the exchange"):
        describer_at(server.url).describe(scene, timeout_s=10)


def test_a_redirect_is_not_followed(server, describer_at, scene):
    with chat_server() as elsewhere:
        server.answer = lambda request: Reply(
            b"", 307, {"Location": f"{elsewhere.url}/v1/chat/completions"}
        )
        with pytest.raises(ModelUnavailable, match="which is not followed because pictures go"):
            describer_at(server.url).describe(scene, timeout_s=10)
        assert elsewhere.requests == []


def test_a_proxy_in_the_environment_gets_no_pictures(server, describer_at, scene, monkeypatch):
    with chat_server() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        describer_at(server.url).describe(scene, timeout_s=10)
        assert proxy.requests == []
        assert server.chats


def test_an_answer_that_drips_ends_at_the_deadline(server, describer_at, scene):
    server.answer = lambda request: Reply(completion("Yes " * 500).body, drip=True)
    began = time.monotonic()
    with pytest.raises(ModelTimeout, match="did not answer within 0 s; raise describer.deadline_s"):
        describer_at(server.url).describe(scene, timeout_s=0.3)
    assert 0.25 < time.monotonic() - began < 2


def test_a_server_that_says_nothing_ends_at_the_deadline(describer_at, scene):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(ModelTimeout):
            describer_at(url).describe(scene, timeout_s=0.3)
        assert time.monotonic() - began < 2


def test_headers_that_drip_end_at_the_deadline(describer_at, scene):
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                try:
                    connection.sendall(b"HTTP/1.1 200 OK\r\n")
                    while not done.wait(0.02):
                        connection.sendall(b"X-More: and more\r\n")
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        began = time.monotonic()
        with pytest.raises(ModelTimeout):
            describer_at(f"http://127.0.0.1:{listener.getsockname()[1]}").describe(
                scene, timeout_s=0.3
            )
        assert time.monotonic() - began < 2
        done.set()
        thread.join()


def test_a_description_keeps_the_verdict_waiting_only_so_long(
    server, describer_at, scene, caplog, monkeypatch
):
    monkeypatch.setattr(patience, "DESCRIPTION_S", 0.2)

    def late(request):
        if asks(request) == "description":
            return Reply(completion(SENTENCE * 100).body, drip=True)
        return with_logprobs(request)

    server.answer = late
    verdict = describer_at(server.url).describe(scene, timeout_s=30)
    assert verdict.outcome is Outcome.YES
    assert verdict.description is None
    assert verdict.latency_s < 5
    assert "No description of event e: it took longer than 0 s" in caplog.text


def test_shortly_before_the_deadline_no_description_is_asked_for(
    server, describer_at, scene, caplog
):
    server.answer = with_logprobs
    verdict = describer_at(server.url).describe(scene, timeout_s=patience.RESERVE_S)
    assert (verdict.outcome, verdict.description) == (Outcome.YES, None)
    assert [asks(chat.body) for chat in server.chats] == ["question"]
    assert "the answer left no time for it" in caplog.text


@pytest.mark.parametrize(("left_s", "patience_s"), [(60, 10), (12, 10), (7, 5), (2, 0), (1, -1)])
def test_a_description_leaves_time_before_the_deadline(left_s, patience_s):
    assert patience.for_description(left_s) == patience_s


def test_a_failed_description_does_not_lose_the_verdict(server, describer_at, scene, caplog):
    server.answer = lambda request: (
        Reply(b"oops", 500) if asks(request) == "description" else with_logprobs(request)
    )
    verdict = describer_at(server.url).describe(scene, timeout_s=10)
    assert (verdict.outcome, verdict.description) == (Outcome.YES, None)
    assert "status 500 (oops)" in caplog.text


def test_a_server_that_comes_back_is_asked_again(server, describer_at, scene):
    describer = describer_at(server.url)
    server.answer = lambda request: Reply(b"starting", 503)
    with pytest.raises(ModelUnavailable):
        describer.describe(scene, timeout_s=10)
    server.answer = with_logprobs
    assert describer.describe(scene, timeout_s=10).outcome is Outcome.YES


def test_a_picture_that_is_gone_is_told_before_anything_is_sent(server, describer_at, scene):
    gone = scene.images[0].model_copy(update={"key": "events/e/gone.jpg"})
    with pytest.raises(ModelError, match="event e cannot be read"):
        describer_at(server.url).describe(
            scene.model_copy(update={"images": (gone,)}), timeout_s=10
        )
    assert server.requests == []
