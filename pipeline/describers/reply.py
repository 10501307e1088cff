"""Reads models' answers. Nothing here lets words of a model, which may have read them off a sign
in the picture, do more than fill a sentence or count as Yes or No."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable

from pipeline.types import Outcome

YES = ("Yes", " Yes", "yes", " yes", "YES", " YES")
NO = ("No", " No", "no", " no", "NO", " NO")
"""Spellings of the first token of an answer."""

MIN_MASS = 0.5
"""A model that gives Yes and No together no more than this has answered something else."""
SILENT_MASS = 0.01
"""With less than this on Yes and No together, the first token is only how the reply begins
(`<think>`, `**`, a line's end): its words may still answer."""
UNSURE_MARGIN = 0.1
"""A probability nearer to one half than this is no answer."""
MAX_DESCRIPTION = 240
"""Characters of a description."""
MIN_WORDS = 3
"""Words of a description; "Yes." describes nothing."""

# The word alone, or before punctuation: "No." and "Yes, a man" answer, "No one is there" does not.
_WORD = re.compile(r"\W*(yes|no)\s*(?:[.,;:!\n\"'*)]|$)", re.IGNORECASE)
_THOUGHT = re.compile(r"\A\s*<think>.*?(?:</think>|\Z)", re.DOTALL)
_SENTENCE_END = re.compile(r"[.!?…](?=[\s\"')\]*]|$)")
_ABBREVIATION = re.compile(r"\b(?:[A-Za-z]|Mr|Mrs|Ms|Dr|St|approx|vs)\.$")


def word(text: str) -> bool | None:
    """True for Yes, False for No, None for anything else; a thought before it does not count."""
    match = _WORD.match(_THOUGHT.sub("", text, count=1))
    return None if match is None else match[1].lower() == "yes"


def from_logprobs(tokens: Iterable[tuple[str, float]]) -> tuple[float, float]:
    """(probability of Yes among Yes and No, mass of both) from the likeliest first tokens.

    `tokens` are (text, natural logarithm of the probability). A word missing from the list is
    given the most that the list leaves it: the smallest listed probability or the unlisted rest.
    Where neither is listed, the mass is zero: the words of the reply may tell more.
    """
    listed = [(text, math.exp(min(logprob, 0.0))) for text, logprob in tokens]
    yes = math.fsum(p for text, p in listed if text.strip("▁ \n").lower() == "yes")
    no = math.fsum(p for text, p in listed if text.strip("▁ \n").lower() == "no")
    mass = min(yes + no, 1.0)
    if not mass:
        return 0.5, 0.0
    unlisted = min(max(1.0 - math.fsum(p for _, p in listed), 0.0), min(p for _, p in listed))
    yes, no = yes or unlisted, no or unlisted
    return yes / (yes + no), mass


def from_votes(votes: Iterable[bool | None]) -> tuple[float, float]:
    """(probability of Yes, mass) from answers in words: the rule of succession (Laplace),
    (yes + 1) / (answers + 2), and the share of replies that were answers."""
    votes = list(votes)
    answers = [vote for vote in votes if vote is not None]
    return (sum(answers) + 1) / (len(answers) + 2), len(answers) / len(votes)


def outcome(probability: float, mass: float) -> Outcome:
    """Yes or No, unless the model hardly answered or leans nowhere."""
    if mass <= MIN_MASS or abs(probability - 0.5) < UNSURE_MARGIN:
        return Outcome.UNSURE
    return Outcome.YES if probability > 0.5 else Outcome.NO


def reason(probability: float, mass: float) -> str:
    """Why the outcome is what it is, as a sentence for people."""
    if mass <= MIN_MASS:
        return f"The model answered neither Yes nor No (they held {mass:.0%} of its answer)."
    match outcome(probability, mass):
        case Outcome.YES:
            return f"The model says Yes (probability {probability:.2f}, uncalibrated)."
        case Outcome.NO:
            return f"The model says No (probability of Yes {probability:.2f}, uncalibrated)."
        case _:
            return f"The model cannot tell (probability of Yes {probability:.2f}, uncalibrated)."


def plain(text: str, limit: int) -> str:
    """`text` on one line of at most `limit` characters, without control, formatting (such as
    right-to-left marks) or broken characters."""
    kept = "".join(
        " " if char.isspace() else char
        for char in text
        if char.isspace() or unicodedata.category(char)[0] != "C"
    )
    kept = " ".join(kept.replace("\N{REPLACEMENT CHARACTER}", "").split())
    return kept if len(kept) <= limit else kept[: limit - 1].rstrip() + "…"


def sentence_end(text: str) -> int | None:
    """Where the first sentence of `text` ends, or None while it has not."""
    for match in _SENTENCE_END.finditer(text):
        if match[0] != "." or _ABBREVIATION.search(text[: match.end()]) is None:
            return match.end()
    return None


def one_sentence(text: str) -> str | None:
    """The first sentence of a reply, fit to be shown; None if it is not even a few words."""
    text = plain(text, 4 * MAX_DESCRIPTION).lstrip("*#>-\"' ")
    text = plain(text[: sentence_end(text)], MAX_DESCRIPTION)
    words = [word for word in text.split() if any(char.isalpha() for char in word)]
    return text if len(words) >= MIN_WORDS else None
