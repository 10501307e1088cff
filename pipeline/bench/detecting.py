"""Every frame of a source detected on, as many under way as the detector works on at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future

from pipeline.protocols import Detector
from pipeline.types import Detection, Frame


def detected(
    detector: Detector, frames: Iterable[Frame]
) -> Iterator[tuple[Frame, list[Detection]]]:
    """Each frame and what was found in it, in order.

    Raises:
        DetectorError: the detector could not look at a frame.
    """
    under_way: deque[tuple[Frame, Future[list[Detection]]]] = deque()
    for frame in frames:
        under_way.append((frame, detector.submit(frame)))
        if len(under_way) > detector.depth:
            oldest, future = under_way.popleft()
            yield oldest, future.result()
    for oldest, future in under_way:
        yield oldest, future.result()
