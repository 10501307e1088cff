"""From where on a figure of a camera matters, and why from there; see docs/cameras.md."""

from __future__ import annotations

LONG_KEYFRAMES_S = 4.0
"""A clip begins at a keyframe: with more than this, most of a usual pre-roll of 5 s is doubled."""
IRREGULAR_FACTOR = 2.0
"""Intervals that differ by more are no accident but a codec that saves keyframes."""
LONG_OPENING_S = 5.0
"""Each reconnection leaves a gap as long; half of the usual limit of 10 s."""
SLOW_SHARE = 0.8
"""Fewer pictures than this part of what is claimed are no rounding."""
DEAR_SHARE = 0.25
"""Of a core: four such cameras would fill one, and detection needs it too."""
LOST_SHARE = 0.005
"""A lost picture spoils all up to the next keyframe: 1 in 200 spoils several seconds a minute."""
LATE_MS = 500.0
"""Pictures that come in bursts are looked at late, and some not at all."""
PACE = 0.1
"""A clock this wrong is no clock but a rate that is claimed and not kept."""
CLOCK_S = 2.0
"""Less may be the way of the picture, and is not noticed by people who compare two recordings."""
PAIR_CLOCK_S = 0.5
"""Boxes drawn from one stream on the other lag by this: half of a person's width, walking."""
STILL_S = 5.0
"""Less says nothing: encoders leave a scene without grain as it is for a few seconds."""
DARK = 0.12
"""Mean brightness 0..1. Lit rooms at night have 0.2 and more; below this detectors see little."""
SMALL_SHARE = 0.75
"""A picture smaller than this part of the detector's input is enlarged to no use."""
ASPECT = 0.05
"""Pictures of one scene whose shapes differ by more do not show the same part of it."""
DEAR_TOGETHER = 0.7
"""Of all cores: what is left is for detection."""
ODD_TIMES = 3
"""A leap when a camera sets its clock is normal; more within seconds are not."""
