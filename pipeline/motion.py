"""Motion: placeholder until the gate is merged."""

from __future__ import annotations

from pipeline.types import Frame, Luma, Motion


class MotionGate:
    def __init__(self, sensitivity: float) -> None:
        self._sensitivity = sensitivity
        self._last: Luma | None = None

    def look(self, frame: Frame) -> Motion:
        luma = frame.picture.luma((160, 90))
        last, self._last = self._last, luma
        if last is None:
            return Motion(whole=True)
        changed = abs(luma.astype(int) - last) > 15
        return Motion(share=float(changed.mean()), whole=bool(changed.any()))
