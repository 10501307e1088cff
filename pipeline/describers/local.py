"""A vision-language model on this machine, through transformers.

Pictures and their captions run through the model once; question and description continue from
copies of its key-value cache. The verdict is read from the probabilities of the answer's first
token, never from prose: small models rarely keep to a format.
"""

from __future__ import annotations

import copy
import io
import logging
import threading
import time
from pathlib import Path
from typing import Any

import torch
import transformers
from PIL import Image as PillowImage

from pipeline.config import Describer
from pipeline.describers import checkpoint, patience, prompt, reply
from pipeline.errors import ModelError, ModelTimeout, ModelUnavailable
from pipeline.protocols import Media
from pipeline.redact import redact
from pipeline.types import Scene, Verdict

logger = logging.getLogger(__name__)

MAX_NEW_TOKENS = 48
"""Tokens of a description."""


class _Late(Exception):
    """The deadline passed between two layers."""


class LocalDescriber:
    """Answers with the model in a folder; `protocols.Describer`."""

    def __init__(self, config: Describer, media: Media) -> None:
        """Load the model: bfloat16 on a CUDA device and on a CPU with AMX, else float32.

        Raises:
            ConfigError: there is no such folder, or no model in it.
            ModelUnavailable: the model cannot be fetched or loaded, or cannot say Yes and No.
        """
        folder = checkpoint.find(config)
        self.name = f"local:{_label(config.model, folder)}"
        self._media = media
        self._pictures = config.pictures
        self._deadline = 0.0
        self._lock = threading.Lock()
        try:
            self._device, self._dtype = _device()
            self._load(folder)
        # transformers, tokenizers, safetensors, jinja2 and torch share no base of their errors;
        # tokenizers raises bare Exceptions
        except Exception as error:
            raise ModelUnavailable(
                f"The model {config.model} cannot be loaded ({_first_line(error)}); name a "
                "vision-language model that transformers knows."
            ) from error
        if not self._yes or not self._no:
            raise ModelUnavailable(
                f"The model {config.model} has no single token for Yes or for No, so it cannot "
                "be asked; name another model."
            )

    def _load(self, folder: Path) -> None:
        transformers.utils.logging.disable_progress_bar()
        began = time.monotonic()
        where = {"local_files_only": True, "trust_remote_code": False}
        self._processor: Any = transformers.AutoProcessor.from_pretrained(folder, **where)
        model: Any = transformers.AutoModelForImageTextToText.from_pretrained(
            folder, dtype=self._dtype, use_safetensors=True, **where
        )
        self._model = model.to(self._device).eval()
        # of a model's own settings only its tokens: descriptions are greedy, and other ways to
        # generate (beams, for one) cannot go on from the question's cache
        own = self._model.generation_config
        self._model.generation_config = transformers.GenerationConfig(
            bos_token_id=own.bos_token_id,
            eos_token_id=own.eos_token_id,
            pad_token_id=own.pad_token_id,
            do_sample=False,
            max_new_tokens=MAX_NEW_TOKENS,
        )
        for module in self._model.modules():
            if isinstance(module, torch.nn.ModuleList):
                for layer in module:
                    layer.register_forward_pre_hook(self._stop_when_late)
        self._yes = self._single_tokens(reply.YES)
        self._no = self._single_tokens(reply.NO)
        logger.info(
            "%s is ready after %.1f s (%s, %s)",
            self.name,
            time.monotonic() - began,
            self._device,
            self._dtype,
        )

    def describe(self, scene: Scene, *, timeout_s: float) -> Verdict:
        """Answer the scene's question; a description that is not ready in time is left out.

        Raises:
            ModelTimeout: there was no answer within `timeout_s`.
            ModelError: a picture is gone, or the model failed on them.
        """
        began = time.monotonic()
        files = prompt.pictures(scene, self._media, self._pictures)
        if not self._lock.acquire(timeout=max(timeout_s, 0.0)):
            raise ModelTimeout(self._too_late(timeout_s))
        try:
            self._deadline = began + timeout_s
            with torch.inference_mode():
                return self._describe(scene, files, began)
        except _Late:
            raise ModelTimeout(self._too_late(timeout_s)) from None
        except Exception as error:  # as in loading
            raise ModelError(
                f"{self.name} failed on the pictures of event {scene.event_id} "
                f"({_first_line(error)}); try another model if this repeats."
            ) from error
        finally:
            self._lock.release()

    def close(self) -> None:
        """Let the model's memory go."""
        with self._lock:
            self._model = self._processor = None
            if self._device.type == "cuda":
                torch.cuda.empty_cache()

    def _describe(self, scene: Scene, files: list[bytes], began: float) -> Verdict:
        pictures = [PillowImage.open(io.BytesIO(file)).convert("RGB") for file in files]
        context = prompt.context(scene, len(files))
        asked = self._inputs(pictures, context + prompt.question(scene))
        described = self._inputs(pictures, context + prompt.description(scene))
        shared, cache = self._run_shared(asked, described["input_ids"])

        logits = self._model(
            input_ids=asked["input_ids"][:, shared:],
            past_key_values=copy.deepcopy(cache),
            use_cache=True,
        ).logits[0, -1]
        probability, mass, answer = self._read(logits)
        now = time.monotonic()
        self._deadline = now + patience.for_description(self._deadline - now)
        text, tokens = self._description(scene, described["input_ids"], cache)
        return Verdict(
            outcome=reply.outcome(probability, mass),
            question=scene.question,
            probability=probability,
            mass=mass,
            answers=(answer,),
            description=text,
            judge_reason=reply.reason(probability, mass),
            model=self.name,
            prompt_version=prompt.PROMPT_VERSION,
            tokens=asked["input_ids"].shape[1] + described["input_ids"].shape[1] - shared + tokens,
            latency_s=time.monotonic() - began,
        )

    def _inputs(self, pictures: list[Any], text: str) -> Any:
        """One user's turn as the model's inputs, a batch of one."""
        content: list[Any] = [{"type": "image", "image": picture} for picture in pictures]
        content.append({"type": "text", "text": text})
        processing: dict[str, Any] = {"padding": True}
        if hasattr(self._processor.image_processor, "do_image_splitting"):
            processing["do_image_splitting"] = False  # 13 tiles of one 720p frame otherwise
        variables: dict[str, Any] = {}
        if "enable_thinking" in (self._processor.chat_template or ""):
            variables["enable_thinking"] = False  # the answer must be the first token
        inputs = self._processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            sanitize_control_tokens=True,
            processor_kwargs=processing,
            **variables,
        )
        return inputs.to(self._device, dtype=self._dtype)

    def _run_shared(self, inputs: Any, other_ids: Any) -> tuple[int, Any]:
        """Run the tokens that both turns begin with, pictures among them; their number, and the
        key-value cache after them."""
        ids = inputs["input_ids"]
        same = min(ids.shape[1], other_ids.shape[1])
        differ = (ids[0, :same] != other_ids[0, :same]).nonzero()
        shared = int(differ[0, 0]) if len(differ) else same - 1
        beginning = {
            key: value[:, :shared] if value.shape == ids.shape else value
            for key, value in inputs.items()
        }
        return shared, self._model(**beginning, use_cache=True, logits_to_keep=1).past_key_values

    def _read(self, logits: Any) -> tuple[float, float, str]:
        """(probability of Yes, mass, likeliest word) from the logits of an answer's first token:
        softmax over Yes and No, each the log-sum-exp of its spellings."""
        logits = logits.double()
        yes = torch.logsumexp(logits[self._yes], 0)
        no = torch.logsumexp(logits[self._no], 0)
        probability = torch.sigmoid(yes - no)
        mass = torch.exp(torch.logaddexp(yes, no) - torch.logsumexp(logits, 0))
        word = self._processor.decode([int(logits.argmax())], skip_special_tokens=True)
        return float(probability), min(float(mass), 1.0), reply.plain(word, 20)

    def _description(self, scene: Scene, ids: Any, cache: Any) -> tuple[str | None, int]:
        """A description, and the number of its tokens; None where it fails or takes too long: the
        answer is known already."""
        try:
            return self._continue(ids, cache)
        except _Late:
            why = "the answer left too little time for it"
        except Exception as error:  # noqa: BLE001 - as in loading
            why = _first_line(error)
        logger.warning("No description of event %s: %s", scene.event_id, why)
        return None, 0

    def _continue(self, ids: Any, cache: Any) -> tuple[str | None, int]:
        """A description, and the number of its tokens."""
        written = self._model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            past_key_values=cache,
            stopping_criteria=[lambda so_far, _: self._sentence_ended(so_far, ids.shape[1])],
        )[0, ids.shape[1] :]
        text = self._processor.decode(written, skip_special_tokens=True)
        return reply.one_sentence(text), len(written)

    def _sentence_ended(self, so_far: Any, prompt_length: int) -> Any:
        text = self._processor.decode(so_far[0, prompt_length:], skip_special_tokens=True)
        end = reply.sentence_end(text)
        # the next token tells whether a point ended the sentence or stands in a number
        ended = end is not None and end < len(text.rstrip())
        return torch.tensor([ended], device=so_far.device)

    def _stop_when_late(self, *_: Any) -> None:
        if time.monotonic() > self._deadline:
            raise _Late

    def _single_tokens(self, spellings: tuple[str, ...]) -> list[int]:
        tokenizer = self._processor.tokenizer
        encoded = [tokenizer.encode(word, add_special_tokens=False) for word in spellings]
        return sorted({ids[0] for ids in encoded if len(ids) == 1})

    def _too_late(self, timeout_s: float) -> str:
        return (
            f"{self.name} did not answer within {timeout_s:.0f} s; raise describer.deadline_s "
            "or use a smaller model."
        )


def _device() -> tuple[Any, Any]:
    if torch.cuda.is_available():
        return torch.device("cuda"), torch.bfloat16
    # measured on SmolVLM's 256M: without AMX, bfloat16 takes 1.3 to 3 times as long as float32,
    # on processors with avx512_bf16 too
    amx = torch.cpu.get_capabilities().get("amx_bf16")
    return torch.device("cpu"), torch.bfloat16 if amx else torch.float32


def _label(model: str, folder: Path) -> str:
    name = (
        model.rpartition("/")[2] if checkpoint.MODEL_ID.fullmatch(model) else folder.resolve().name
    )
    return reply.plain(name, 80)


def _first_line(error: BaseException) -> str:
    first = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return reply.plain(redact(first), 160)
