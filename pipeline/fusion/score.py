"""The first score: evidence as log-odds that add up to the probability that an operator would
mark the event as real.

The sum is a logistic opinion pool (R. F. Bordley, "A multiplicative formula for aggregating
probability assessments", Management Science 28, 1982; V. A. Satopää et al., "Combining multiple
probability predictions using a simple logit model", International Journal of Forecasting 30,
2014): each source gives the log-odds of its own probability, times a weight for how far it is
trusted. The weights here are chosen by judgement, not fitted: until they are, the score orders
events and is not calibrated.
`types.combined_score` turns the contributions into the score.
"""

from __future__ import annotations

import math

from pipeline.types import Finding, Verdict

PRIOR = -0.4
"""Log-odds before any evidence: two rule hits in five are worth a look."""
RULE_WEIGHT = 1.5
"""Log-odds that a rule far beyond its limit adds over one that just holds."""
DETECTOR_WEIGHT = 0.5
MODEL_WEIGHT = 0.8
"""Below 1: a model and the detector look at the same pixels and err together."""
CLIP = 0.02
"""Probabilities count as CLIP..1-CLIP, so that no single source can settle an event."""


def log_odds(probability: float) -> float:
    """Log-odds of a probability, the latter kept within CLIP..1-CLIP."""
    p = min(max(probability, CLIP), 1.0 - CLIP)
    return math.log(p / (1.0 - p))


def rule_contributions(finding: Finding) -> dict[str, float]:
    """What is known when a rule fires: the prior, the rule's strength, and the confidence of
    the finding's surest detection, each in log-odds."""
    contributions = {"prior": PRIOR, "rule": RULE_WEIGHT * min(max(finding.strength, 0.0), 1.0)}
    if finding.tracks:
        surest = max(track.detection.confidence for track in finding.tracks)
        contributions["detector"] = DETECTOR_WEIGHT * log_odds(surest)
    return contributions


def model_contribution(verdict: Verdict) -> dict[str, float]:
    """What a model's answer adds, in log-odds; nothing where there is no answer.

    It shrinks with `mass`: a model that hardly considered Yes or No has hardly answered.
    """
    if verdict.probability is None:
        return {}
    mass = 1.0 if verdict.mass is None else verdict.mass
    return {"model": MODEL_WEIGHT * mass * log_odds(verdict.probability)}
