"""Builds a vision-language model of the real SmolVLM architecture that is tiny: two layers, about
a megabyte, untrained, made in a moment. Everything that loads and asks a real one runs on it.

    python tests/tiny_vlm.py FOLDER [--says Yes|No]

With `says` its output layer is solved so that it answers every question with that word and then
stops; without, its answers mean nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

SPECIAL = [
    "<|im_start|>",
    "<end_of_utterance>",
    "<fake_token_around_image>",
    "<image>",
    "<global-img>",
    "<pad>",
    "<unk>",
    *(f"<row_{row}_col_{col}>" for row in range(1, 5) for col in range(1, 5)),
]
CORPUS = [
    *("Yes", "No", "yes", "no", "YES", "NO", " Yes No yes no YES NO"),
    "A person walks to the left on the lawn. Is a person in the picture? Answer Yes or No.",
    "User: Assistant: Describe in one sentence what can be seen in these pictures.",
    "A car stands at the gate, and a man with a bag goes to the door of the house.",
]
CHAT_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}:"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)
IMAGE_SIZE = 64
PATCH_SIZE = 16
SCALE_FACTOR = 2


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=900,
        min_frequency=1,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|im_start|>",
        eos_token="<end_of_utterance>",
        pad_token="<pad>",
        unk_token="<unk>",
        extra_special_tokens={
            "fake_image_token": "<fake_token_around_image>",
            "image_token": "<image>",
            "global_image_token": "<global-img>",
        },
    )


def _processor(tokenizer: Any) -> Any:
    from transformers import SmolVLMImageProcessor, SmolVLMProcessor, SmolVLMVideoProcessor

    image_processor = SmolVLMImageProcessor(
        size={"longest_edge": 2 * IMAGE_SIZE},
        max_image_size={"longest_edge": IMAGE_SIZE},
        do_image_splitting=False,
    )
    return SmolVLMProcessor(
        image_processor,
        tokenizer,
        SmolVLMVideoProcessor(),
        image_seq_len=(IMAGE_SIZE // PATCH_SIZE // SCALE_FACTOR) ** 2,
        chat_template=CHAT_TEMPLATE,
    )


def _model(tokenizer: Any) -> Any:
    import torch
    from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration

    tokens = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    config = SmolVLMConfig(
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=SCALE_FACTOR,
        text_config={
            "model_type": "llama",
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 2048,
            "vocab_size": len(tokenizer),
            **tokens,
        },
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": IMAGE_SIZE,
            "patch_size": PATCH_SIZE,
        },
        **tokens,
    )
    torch.manual_seed(1)
    return SmolVLMForConditionalGeneration(config).eval()


def _teach(model: Any, tokenizer: Any, word: str) -> None:
    """Solve two rows of the output layer so that `word` begins every answer and the end follows."""
    import torch

    begin, end = tokenizer.encode(word)[0], tokenizer.eos_token_id
    after_prompt, after_word = [], []
    for text in CORPUS:
        prompt = tokenizer.encode(f"<|im_start|>User:{text}<end_of_utterance>\nAssistant:")
        with torch.no_grad():
            states = model.model(input_ids=torch.tensor([[*prompt, begin]])).last_hidden_state[0]
        after_prompt.append(states[-2])
        after_word.append(states[-1])
    states = torch.stack([*after_prompt, *after_word])
    wanted = torch.tensor([[9.0, -9.0]] * len(CORPUS) + [[-9.0, 9.0]] * len(CORPUS))
    with torch.no_grad():
        rows = torch.linalg.lstsq(states, wanted, driver="gelsd").solution.T
        model.lm_head.weight[[begin, end]] = rows


def build(folder: Path, says: str | None = None) -> Path:
    """Write the model and its processor into `folder` and return it."""
    tokenizer = _tokenizer()
    model = _model(tokenizer)
    if says is not None:
        _teach(model, tokenizer, says)
    model.save_pretrained(folder)
    _processor(tokenizer).save_pretrained(folder)
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Build the tiny vision-language model.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--says", choices=["Yes", "No"])
    arguments = parser.parse_args()
    print(build(arguments.folder, arguments.says))
