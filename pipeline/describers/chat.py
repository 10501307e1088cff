"""A client of OpenAI's chat completions, as far as a describer needs it.

Pictures go to the configured address only: redirects are not followed and proxies named in the
environment are not used.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import httpx

from pipeline.config import Describer
from pipeline.describers import reply
from pipeline.describers.completion import Answer, read_completion, read_models
from pipeline.errors import ModelReplyError, ModelUnavailable
from pipeline.redact import redact

logger = logging.getLogger(__name__)

CONNECT_S = 5.0
MAX_REPLY_BYTES = 1_000_000
KEPT_REPLY = 500
"""Characters of a reply that is no answer, kept in the error."""
TOP_LOGPROBS = 20
"""The most that OpenAI's interface allows."""

_REFUSED = (httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY)
_UNKNOWN_MODEL = (httpx.codes.BAD_REQUEST, httpx.codes.NOT_FOUND)
_LISTS = (httpx.codes.OK, httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED)
"""What a server says that lists its models, or that never will."""


class ChatClient:
    """Asks a server about pictures. It is used on one event loop; deadlines are the caller's."""

    def __init__(self, config: Describer) -> None:
        base, account = _endpoint(config.model)
        self._base = base
        self._shown = redact(base)
        self._named = config.name
        self._discovered: str | None = None
        self._asked_for_models = False
        self.model = _label(config.name or urlsplit(base).netloc)
        """The model's name for people; the server's address while it is not known."""
        # Wishes that not every server takes; where one refuses, they are dropped in this order.
        self._wishes: Sequence[str] = ("no thinking", "discovered model", "logprobs")
        headers = {"accept-encoding": "identity"}
        if config.api_key is not None:
            headers["authorization"] = f"Bearer {config.api_key.get_secret_value()}"
        self._client = httpx.AsyncClient(
            headers=headers,
            auth=account,
            timeout=httpx.Timeout(None, connect=CONNECT_S),
            follow_redirects=False,
            trust_env=False,
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def ask(
        self, text: str, pictures: Sequence[bytes], *, max_tokens: int, logprobs: bool = False
    ) -> Answer:
        """One turn about JPEG pictures, answered with the likeliest words.

        Raises:
            ModelUnavailable: nothing answers, or an error does.
            ModelReplyError: something answers that is no chat completion.
        """
        if self._named is None and not self._asked_for_models:
            await self._discover()
        content: list[dict[str, Any]] = [
            {"type": "image_url", "image_url": {"url": _data_url(picture)}} for picture in pictures
        ]
        content.append({"type": "text", "text": text})
        request = {
            "messages": [{"role": "user", "content": content}],
            "max_tokens": max_tokens,
            "temperature": 0,
        }
        return self._read(await self._complete(request, logprobs))

    async def _complete(self, request: dict[str, Any], logprobs: bool) -> bytes:
        """The body of the reply, asked for without those wishes that the server refuses."""
        dropped = 0
        may_have_changed = self._discovered is not None and "discovered model" in self._wishes
        while True:
            wishes = self._wishes[dropped:]
            status, body = await self._exchange(
                "POST", "/chat/completions", request | self._granted(wishes, logprobs)
            )
            if may_have_changed and status in _UNKNOWN_MODEL:
                may_have_changed = False  # looked at once: the request itself may be what is wrong
                if await self._discover():
                    continue
            if status not in _REFUSED or not wishes:
                break
            dropped += 1
        if status != httpx.codes.OK:
            raise self._refusal(status, body)
        if dropped:
            logger.info("%s is asked without: %s", self._shown, self._wishes[:dropped])
            self._wishes = wishes
        return body

    def _granted(self, wishes: Sequence[str], logprobs: bool) -> dict[str, Any]:
        """The fields of a request for those wishes that the server takes."""
        fields: dict[str, Any] = {}
        if self._named is not None:
            fields["model"] = self._named
        elif self._discovered is not None and "discovered model" in wishes:
            fields["model"] = self._discovered
        if "no thinking" in wishes:  # the answer must be the first token
            fields["chat_template_kwargs"] = {"enable_thinking": False}
        if logprobs and "logprobs" in wishes:
            fields |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
        return fields

    async def _discover(self) -> bool:
        """Take the first model that the server lists; where it lists none, none is named. Whether
        it is another one than before."""
        status, body = await self._exchange("GET", "/models")
        if status not in _LISTS:  # it is only starting, perhaps: the next scene asks again
            return False
        self._asked_for_models = True
        listed = read_models(body) if status == httpx.codes.OK else []
        if listed is None:
            return False  # the exchange that matters will tell what is wrong there
        before, self._discovered = self._discovered, next(iter(listed), None)
        return self._discovered != before

    def _read(self, body: bytes) -> Answer:
        answer = read_completion(body)
        if answer is None:
            raise ModelReplyError(
                f"{self._shown} answers with something else than a chat completion; check that "
                "describer.model is the address of an OpenAI-compatible server.",
                reply.plain(body.decode(errors="replace"), KEPT_REPLY),
            )
        if self._named is None and answer.model:
            self.model = _label(answer.model)
        return answer

    async def _exchange(
        self, method: str, path: str, request: dict[str, Any] | None = None
    ) -> tuple[int, bytes]:
        """Status and body of one request."""
        body = bytearray()
        try:
            async with self._client.stream(method, self._base + path, json=request) as response:
                packed = response.headers.get("content-encoding", "identity").lower()
                if packed != "identity" and response.is_success:
                    raise self._packed(packed)
                # raw, so that no reply unpacks to more than the limit
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > MAX_REPLY_BYTES:
                        raise self._too_long(body)
        except httpx.ConnectTimeout:
            raise self._unavailable(f"does not answer within {CONNECT_S:.0f} s") from None
        except httpx.ConnectError as error:
            raise self._unavailable(f"cannot be reached ({redact(str(error))})") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            what = redact(str(error)) or type(error).__name__
            raise self._unavailable(f"broke off the exchange ({what})") from None
        if response.is_redirect:
            raise ModelUnavailable(
                f"{self._shown} sends on to another address, which is not followed because "
                "pictures go only where describer.model says; write the final address there."
            )
        return response.status_code, bytes(body)

    def _packed(self, how: str) -> ModelReplyError:
        return ModelReplyError(
            f"{self._shown} sends compressed replies ({reply.plain(how, 20)}) without being asked "
            "to; turn compression off there, or in the proxy before it.",
            "",
        )

    def _too_long(self, body: bytearray) -> ModelReplyError:
        return ModelReplyError(
            f"{self._shown} answers with more than {MAX_REPLY_BYTES // 1_000_000} MB; check that "
            "describer.model is the address of a model server.",
            reply.plain(body[: 4 * KEPT_REPLY].decode(errors="replace"), KEPT_REPLY),
        )

    def _unavailable(self, what: str) -> ModelUnavailable:
        return ModelUnavailable(
            f"The model server {self._shown} {what}; start it or correct describer.model."
        )

    def _refusal(self, status: int, body: bytes) -> ModelUnavailable:
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            remedy = "set describer.api_key"
        elif status == httpx.codes.NOT_FOUND:
            remedy = "check the path in describer.model, and describer.name"
        else:
            remedy = "see the server's log"
        said = reply.plain(body[: 4 * KEPT_REPLY].decode(errors="replace"), 160)
        return ModelUnavailable(
            f"The model server {self._shown} answers with status {status} ({said}); {remedy}."
        )


def _endpoint(address: str) -> tuple[str, tuple[str, str] | None]:
    """The address that `/chat/completions` is appended to, and the account it carries. A bare
    server gets `/v1`; any other path stays as it was written."""
    parts = urlsplit(address)
    path = parts.path.rstrip("/").removesuffix("/chat/completions") or "/v1"
    account = None
    if parts.username is not None:
        account = (unquote(parts.username), unquote(parts.password or ""))
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, "", "")), account


def _data_url(picture: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"


def _label(model: str) -> str:
    """A model's name as people read it: a served folder goes by its last part."""
    name = model.removesuffix("@main")
    if name.startswith(("/", "./", "~")):
        name = name.rstrip("/").rpartition("/")[2]
    return reply.plain(name, 80)
