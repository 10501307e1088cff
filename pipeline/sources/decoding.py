"""From a stream's packets to its pictures: those that are whole, and those that are wanted."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from pipeline.sources.idling import Idling, Step
from pipeline.sources.pictures import Damage
from pipeline.sources.timing import Stamp, Timeline

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.video.stream import VideoStream

NOT_DECODED = "not_decoded"
"""Why pictures are not handed over that lie between keyframes, while only those are wanted."""


class Decoding:
    """Decodes one stream.

    Damaged pictures are not handed over but counted in `dropped` as `corrupt`, packets that the
    decoder refuses as `undecodable`, encrypted ones as `encrypted`, and what `idling` passes over
    as `not_decoded`; `timeline` is told that those are never shown.

    A keyframe that is decoded alone leaves an empty decoder behind. Where the rest of its group is
    decoded after all, or all from a later keyframe on, the decoder begins with the keyframe once
    more: so every reference is there. What is shown before that keyframe was made from the group
    before (an open group's leading pictures) and is passed over.
    """

    def __init__(
        self,
        stream: VideoStream,
        idling: Idling,
        timeline: Timeline,
        dropped: Counter[str],
        stop: threading.Event,
    ) -> None:
        self._stream = stream
        self._idling = idling
        self._timeline = timeline
        self._dropped = dropped
        self._stop = stop
        self._damage = Damage()
        self._kept: list[tuple[Packet[VideoStream], Stamp]] = []
        self._not_before: int | None = None

    def pictures(
        self, packet: Packet[VideoStream] | None, sent: Stamp | None
    ) -> Iterator[VideoFrame]:
        """Pictures in order, once the next packet has come; it was `sent` then. None, and a packet
        without data, ask for all that is left."""
        if packet is None or sent is None:
            yield from self.catch_up()
            yield from self._whole(self._decode(packet))
            return
        step = self._idling.step(
            keyframe=packet.is_keyframe, size=packet.size, pts=packet.pts, at=sent.monotonic
        )
        if step is Step.KEEP:
            self._kept.append((packet, sent))
            return
        if step is Step.CATCH_UP:
            yield from self.catch_up()
        elif self._kept:  # and here is the next keyframe
            self._pass_over([sent for _, sent in self._kept[1:]])
            self._kept, self._not_before = [], packet.pts
        if step is Step.ALONE:
            yield from self._alone(packet, sent)
        else:
            yield from self._in_order(packet, sent)

    def catch_up(self) -> Iterator[VideoFrame]:
        """What was kept back since the last keyframe, which was handed over."""
        kept, self._kept = self._kept, []
        if kept:
            self._idling.idle = False
            keyframe = kept[0][0].pts
            self._not_before = None if keyframe is None else keyframe + 1
        for packet, sent in kept:
            if self._stop.is_set():
                return
            yield from self._in_order(packet, sent)

    def _alone(self, packet: Packet[VideoStream], sent: Stamp) -> Iterator[VideoFrame]:
        """The pictures before a keyframe, and its own."""
        yield from self._whole(self._decode(None))
        self._stream.codec_context.flush_buffers()
        refused = self._dropped["undecodable"]
        found = [*self._decode(packet), *self._decode(None)]
        self._stream.codec_context.flush_buffers()
        self._kept, self._not_before = [(packet, sent)], None
        alone = [picture for picture in found if picture.key_frame]
        if alone:
            yield from self._whole(alone)
            return
        # up to the next whole keyframe nothing can be made that is
        self._damage.reaches(corrupt=True, keyframe=True)
        if self._dropped["undecodable"] == refused:
            self._idling.refuse()
            yield from self.catch_up()

    def _in_order(self, packet: Packet[VideoStream], sent: Stamp) -> Iterator[VideoFrame]:
        if self._is_before(packet.pts) and not packet.is_keyframe:
            self._pass_over([sent])
        yield from self._whole(self._decode(packet))

    def _pass_over(self, packets: Sequence[Stamp]) -> None:
        """The pictures of these packets will not be handed over."""
        self._timeline.never_shown(packets)
        self._dropped[NOT_DECODED] += len(packets)

    def _whole(self, pictures: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
        for picture in pictures:
            damaged = self._damage.reaches(corrupt=picture.is_corrupt, keyframe=picture.key_frame)
            if self._is_before(picture.pts):
                continue
            self._not_before = None
            if damaged:
                self._dropped["corrupt"] += 1
            else:
                yield picture

    def _is_before(self, pts: int | None) -> bool:
        """Whether this lies before where decoding began anew."""
        return self._not_before is not None and pts is not None and pts < self._not_before

    def _decode(self, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
        import av

        if packet is not None and packet.has_sidedata("encryption_info"):
            # some decoders make noise of it
            self._dropped["encrypted"] += 1
            return []
        try:
            return packet.decode() if packet is not None else self._stream.decode(None)
        except av.FFmpegError:
            self._dropped["undecodable"] += 1
            return []
