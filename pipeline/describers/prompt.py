"""What a model is asked. Any change to these words is a new PROMPT_VERSION, because answers to
different words are not comparable.

The question goes without the facts: they come from the rule and would lead a small model to
agree with it, and the score counts rule and model as separate evidence.
"""

from __future__ import annotations

from pipeline.errors import ModelError, StoreError
from pipeline.protocols import Media
from pipeline.types import Scene

PROMPT_VERSION = "1"

ONE_WORD = "Answer with one word, Yes or No."


def pictures(scene: Scene, media: Media, limit: int) -> list[bytes]:
    """The scene's first `limit` pictures as JPEG files.

    Raises:
        ModelError: one of them is gone.
    """
    try:
        return [media.get(image.key) for image in scene.images[:limit]]
    except (KeyError, StoreError) as error:
        raise ModelError(
            f"A picture of event {scene.event_id} cannot be read, so no model was asked; "
            "it may have been deleted."
        ) from error


def context(scene: Scene, shown: int) -> str:
    """The words that go before every question about the first `shown` pictures."""
    captions = " ".join(
        f"Picture {number}: {image.caption.rstrip('.')}."
        for number, image in enumerate(scene.images[:shown], start=1)
    )
    return f"These are pictures of a surveillance camera. {captions}\n"


def question(scene: Scene) -> str:
    return f"{scene.question}\n{ONE_WORD}"


def inverse(scene: Scene) -> str:
    """The question turned around: a model that says Yes to everything says Yes here too."""
    return (
        f'The question is: "{scene.question}" Somebody claims that the right answer is No. '
        f"Is the claim right?\n{ONE_WORD}"
    )


def description(scene: Scene) -> str:
    facts = "".join(f"- {fact}\n" for fact in scene.facts)
    known = f"What is known:\n{facts}" if facts else ""
    return f"{known}Describe in one short sentence what can be seen in the pictures."
