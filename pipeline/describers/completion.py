"""What is read of a chat completion.

Servers that call themselves compatible differ in what goes with the words (usage, probabilities):
whatever is odd there is left out, and only a reply without its message is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ValidationError, WrapValidator


def _or_none(value: Any, validate: Callable[[Any], Any]) -> Any:
    try:
        return validate(value)
    except ValidationError:
        return None


_Lenient = WrapValidator(_or_none)


class _Token(BaseModel):
    token: str
    logprob: float
    top_logprobs: list[Annotated[_Token | None, _Lenient]] | None = None


class _Logprobs(BaseModel):
    content: list[_Token] | None = None


class _Part(BaseModel):
    text: str | None = None


class _Message(BaseModel):
    content: str | list[_Part] | None = None


class _Choice(BaseModel):
    message: _Message
    logprobs: Annotated[_Logprobs | None, _Lenient] = None


class _Usage(BaseModel):
    total_tokens: int | None = None


class _Completion(BaseModel):
    choices: list[_Choice]
    model: str | None = None
    usage: Annotated[_Usage | None, _Lenient] = None


class _Model(BaseModel):
    id: str


class _Models(BaseModel):
    data: list[_Model]


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply's words; the likeliest first tokens with the natural logarithms of their
    probabilities, none where the server does not give them; what the exchange took."""

    words: str
    first_tokens: tuple[tuple[str, float], ...]
    tokens: int
    model: str | None = None
    """Who answered, where the server says so."""


def read_completion(body: bytes) -> Answer | None:
    """A reply's body as an answer; None where it is no chat completion."""
    try:
        completion = _Completion.model_validate_json(body)
        choice = completion.choices[0]
    except (ValidationError, IndexError):
        return None
    return Answer(
        words=_words(choice.message.content),
        first_tokens=_first_tokens(choice.logprobs),
        tokens=(completion.usage.total_tokens or 0) if completion.usage else 0,
        model=completion.model,
    )


def read_models(body: bytes) -> list[str] | None:
    """The models that a server lists; None where the body is no such list."""
    try:
        return [model.id for model in _Models.model_validate_json(body).data]
    except ValidationError:
        return None


def _words(content: str | list[_Part] | None) -> str:
    if isinstance(content, list):
        return "".join(part.text or "" for part in content)
    return content or ""


def _first_tokens(logprobs: _Logprobs | None) -> tuple[tuple[str, float], ...]:
    if logprobs is None or not logprobs.content:
        return ()
    first = logprobs.content[0].top_logprobs or logprobs.content[:1]
    # a sampler that cuts tokens off gives them minus infinity
    return tuple(
        (token.token, token.logprob)
        for token in first
        if token is not None and math.isfinite(token.logprob)
    )
