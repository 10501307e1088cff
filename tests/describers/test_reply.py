from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.describers import reply
from pipeline.types import Outcome


@pytest.mark.parametrize(
    "text", ["Yes", "yes.", " YES", "**Yes**", '"Yes"', "Yes, a man.", "Yes\nA"]
)
def test_a_yes_is_read(text):
    assert reply.word(text) is True


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>\n\n</think>\n\nYes", True),
        ("<think>Yes, or rather</think>No.", False),
        ("<think>Yes", None),
        ("Well <think>a</think> Yes", None),
    ],
)
def test_a_thought_before_the_answer_does_not_count(text, answer):
    assert reply.word(text) is answer


@pytest.mark.parametrize("text", ["No", "no!", "NO.", "- No", "No: nobody", "\tno"])
def test_a_no_is_read(text):
    assert reply.word(text) is False


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Not sure",
        "No one is there",
        "Nobody",
        "yesterday",
        "The answer is Yes.",
        "Yes or No?",
        "I see a sign that says Yes",
        "Maybe. Yes.",
        "YesYesYes",
        "Yes/No",
    ],
)
def test_anything_else_is_no_answer(text):
    assert reply.word(text) is None


def test_log_probabilities_add_up_over_spellings():
    tokens = [("Yes", math.log(0.4)), (" yes", math.log(0.2)), ("No", math.log(0.2)), ("A", -3.0)]
    probability, mass = reply.from_logprobs(tokens)
    assert probability == pytest.approx(0.75)
    assert mass == pytest.approx(0.8)


def test_a_word_that_is_not_listed_gets_no_more_than_the_list_leaves_it():
    probability, mass = reply.from_logprobs([("Yes", math.log(0.9)), ("Maybe", math.log(0.04))])
    assert probability == pytest.approx(0.9 / 0.94)
    assert mass == pytest.approx(0.9)
    probability, _ = reply.from_logprobs([("No", math.log(0.9))])
    assert probability == pytest.approx(0.1)


def test_a_list_without_yes_and_no_is_no_answer():
    assert reply.from_logprobs([("<think>", 0.0)]) == (0.5, 0.0)


@given(st.lists(st.tuples(st.sampled_from(["Yes", " no", "A", "▁No"]), st.floats(-50, 5))))
def test_whatever_a_server_lists_gives_fractions(tokens):
    probability, mass = reply.from_logprobs(tokens)
    assert 0 <= probability <= 1
    assert 0 <= mass <= 1


def test_votes_are_counted_by_the_rule_of_succession():
    assert reply.from_votes([True, True]) == (0.75, 1.0)
    assert reply.from_votes([False, False]) == (0.25, 1.0)
    assert reply.from_votes([True, False]) == (0.5, 1.0)
    assert reply.from_votes([True, None]) == (pytest.approx(2 / 3), 0.5)
    assert reply.from_votes([None, None]) == (0.5, 0.0)


@pytest.mark.parametrize(
    ("probability", "mass", "outcome", "words"),
    [
        (0.9, 1.0, Outcome.YES, "says Yes (probability 0.90"),
        (0.1, 1.0, Outcome.NO, "says No (probability of Yes 0.10"),
        (0.55, 1.0, Outcome.UNSURE, "cannot tell"),
        (0.45, 1.0, Outcome.UNSURE, "cannot tell"),
        (0.9, 0.3, Outcome.UNSURE, "neither Yes nor No (they held 30% of its answer)"),
        (2 / 3, 0.5, Outcome.UNSURE, "neither Yes nor No"),
    ],
)
def test_outcomes_and_their_reasons(probability, mass, outcome, words):
    assert reply.outcome(probability, mass) is outcome
    assert words in reply.reason(probability, mass)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("A man walks. He is old.", "A man walks."),
        ("  A man\nwalks\tby ", "A man walks by"),
        ("Mr. Smith is at 3.5 metres. Then", "Mr. Smith is at 3.5 metres."),
        ("It ends at 14:02. More", "It ends at 14:02."),
        ("What is that?! A dog", "What is that?!"),
        ("- **A man walks.**", "A man walks."),
        ("a\x1b[31mred\x07 door is\u202e open\u200b", "a[31mred door is open"),
        ("broken \ufffd\udcff words are here", "broken words are here"),
        ("", None),
        ("Yes.", None),
        ("... 12 34 56", None),
    ],
)
def test_one_plain_sentence_is_shown(text, shown):
    assert reply.one_sentence(text) == shown


@given(st.text())
def test_whatever_a_model_writes_is_one_short_line_fit_to_be_shown(text):
    shown = reply.one_sentence(text)
    if shown is not None:
        assert 0 < len(shown) <= reply.MAX_DESCRIPTION
        assert shown.isprintable()
        shown.encode()


def test_a_long_sentence_is_cut():
    shown = reply.one_sentence("word " * 200)
    assert len(shown) <= reply.MAX_DESCRIPTION
    assert shown.endswith("word…")
