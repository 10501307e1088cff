"""A vision-language model on a server that speaks OpenAI's chat completions.

The verdict is read from the probabilities of the answer's first token where the server gives
them. Some ignore that wish without a word (`transformers serve` does), and some models begin with
something else than their answer: then the question and its inverse are asked in words and the two
votes counted, which tells a model that says Yes to everything from one that means it, and is no
finer than one half, a quarter and three quarters.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time

from pipeline.config import Describer
from pipeline.describers import patience, prompt, reply
from pipeline.describers.chat import ChatClient
from pipeline.describers.completion import Answer
from pipeline.errors import ModelError, ModelTimeout
from pipeline.protocols import Media
from pipeline.types import Scene, Verdict

logger = logging.getLogger(__name__)

ANSWER_TOKENS = 8
"""Enough for a Yes behind the marks of a thought that is left empty."""
DESCRIPTION_TOKENS = 64


class RemoteDescriber:
    """Answers with a server's model; `protocols.Describer`.

    Requests run on an event loop in a thread of their own, so that a deadline ends them whatever
    they wait for, a slow name server and an answer that drips byte by byte included.
    """

    def __init__(self, config: Describer, media: Media) -> None:
        """Nothing is sent before the first scene."""
        self._media = media
        self._pictures = config.pictures
        self._chat = ChatClient(config)
        self.name = f"remote:{self._chat.model}"
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="describer", daemon=True
        )
        self._thread.start()

    def describe(self, scene: Scene, *, timeout_s: float) -> Verdict:
        """Answer the scene's question; a description that is not ready in time is left out.

        Raises:
            ModelTimeout: there was no answer within `timeout_s`.
            ModelUnavailable: nothing answers at the address, or an error does.
            ModelReplyError: something answers that is no chat completion.
            ModelError: a picture is gone.
        """
        deadline = time.monotonic() + timeout_s
        files = prompt.pictures(scene, self._media, self._pictures)
        if not self._lock.acquire(timeout=max(timeout_s, 0.0)):
            raise self._too_late(timeout_s)
        try:
            left = deadline - time.monotonic()
            return asyncio.run_coroutine_threadsafe(
                self._describe(scene, files, left), self._loop
            ).result()
        except TimeoutError:
            raise self._too_late(timeout_s) from None
        finally:
            self._lock.release()

    def close(self) -> None:
        """Close the connections and end the thread."""
        asyncio.run_coroutine_threadsafe(self._chat.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _describe(self, scene: Scene, files: list[bytes], left_s: float) -> Verdict:
        began = self._loop.time()
        async with asyncio.timeout_at(began + left_s):
            answers, probability, mass = await self._judge(scene, files)
        self.name = f"remote:{self._chat.model}"  # known by now, where only the server knew it
        left_s -= self._loop.time() - began
        description = await self._described(scene, files, patience.for_description(left_s))
        return Verdict(
            outcome=reply.outcome(probability, mass),
            question=scene.question,
            probability=probability,
            mass=mass,
            answers=tuple(reply.plain(answer.words, 40) for answer in answers),
            description=reply.one_sentence(description.words) if description else None,
            judge_reason=reply.reason(probability, mass),
            model=self.name,
            prompt_version=prompt.PROMPT_VERSION,
            tokens=sum(answer.tokens for answer in (*answers, description) if answer),
            latency_s=self._loop.time() - began,
        )

    async def _described(
        self, scene: Scene, files: list[bytes], patience_s: float
    ) -> Answer | None:
        """A description, or None where it fails or takes too long: the answer is known already."""
        why: ModelError | str = "the answer left no time for it"
        if patience_s > 0:
            try:
                async with asyncio.timeout(patience_s):
                    return await self._chat.ask(
                        prompt.context(scene, len(files)) + prompt.description(scene),
                        files,
                        max_tokens=DESCRIPTION_TOKENS,
                    )
            except TimeoutError:
                why = f"it took longer than {patience_s:.0f} s"
            except ModelError as error:
                why = error
        logger.warning("No description of event %s: %s", scene.event_id, why)
        return None

    async def _judge(self, scene: Scene, files: list[bytes]) -> tuple[list[Answer], float, float]:
        """The answers, the probability of Yes, and the mass: from the first token's
        probabilities, or, where they tell nothing, from two answers in words."""
        context = prompt.context(scene, len(files))
        first = await self._chat.ask(
            context + prompt.question(scene), files, max_tokens=ANSWER_TOKENS, logprobs=True
        )
        probability, mass = reply.from_logprobs(first.first_tokens)
        if mass >= reply.SILENT_MASS:
            return [first], probability, mass
        second = await self._chat.ask(
            context + prompt.inverse(scene), files, max_tokens=ANSWER_TOKENS
        )
        inverse = reply.word(second.words)
        votes = [reply.word(first.words), None if inverse is None else not inverse]
        return [first, second], *reply.from_votes(votes)

    def _too_late(self, timeout_s: float) -> ModelTimeout:
        return ModelTimeout(
            f"{self.name} did not answer within {timeout_s:.0f} s; raise describer.deadline_s "
            "or use a smaller model."
        )
